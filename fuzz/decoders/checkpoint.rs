//! The checkpoint of a chain, with the checksum that fits: used when it is that of the chain, else passed over.

use std::fs;
use std::sync::Arc;

use gridtally_chain::checkpoint::CHECKPOINT_FILE;
use gridtally_chain::{Chain, ChainConfig, ManualClock, Sealing};

pub(crate) fn decode(bytes: &[u8]) {
    let folder = tempfile::tempdir().expect("there is a folder for temporary files");
    let config = || ChainConfig {
        folder: Some(folder.path().to_owned()),
        clock: Arc::new(ManualClock::at(1_759_276_800)),
        sealing: Sealing::Manual,
        ..ChainConfig::default()
    };
    let chain = Chain::open(config()).expect("a new chain can be created");
    let head = chain.mine().expect("a block can be sealed").hash;
    drop(chain);
    let checksum = crc32fast::hash(bytes).to_le_bytes();
    let path = folder.path().join(CHECKPOINT_FILE);
    fs::write(path, [bytes, &checksum].concat()).expect("the folder can be written");
    let chain = Chain::open(config()).expect("the log alone is enough");
    assert_eq!(chain.head().hash, head);
}
