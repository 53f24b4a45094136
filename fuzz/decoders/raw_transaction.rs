//! Signed transactions, as they are submitted to a chain; one that is taken is sealed, whatever it does.

use std::sync::Arc;

use gridtally_chain::{Chain, ChainConfig, ManualClock, Sealing};

pub(crate) fn decode(bytes: &[u8]) {
    let config = ChainConfig {
        clock: Arc::new(ManualClock::at(1_759_276_800)),
        sealing: Sealing::Manual,
        ..ChainConfig::default()
    };
    let chain = Chain::open(config).expect("a chain in memory needs nothing");
    if let Ok(hash) = chain.submit(bytes) {
        chain.mine().expect("a block can be sealed");
        assert!(chain.submit(bytes).is_err(), "{hash} is taken twice");
    }
}
