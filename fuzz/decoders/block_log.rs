//! The log of blocks as a file: opened, or refused with its place, and never changed when it is refused.

use std::fs;
use std::sync::Arc;

use gridtally_chain::block_log::LOG_FILE;
use gridtally_chain::{Chain, ChainConfig, ManualClock, Sealing};

pub(crate) fn decode(bytes: &[u8]) {
    let folder = tempfile::tempdir().expect("there is a folder for temporary files");
    let path = folder.path().join(LOG_FILE);
    fs::write(&path, bytes).expect("the folder can be written");
    let config = ChainConfig {
        folder: Some(folder.path().to_owned()),
        clock: Arc::new(ManualClock::at(1_759_276_800)),
        sealing: Sealing::Manual,
        ..ChainConfig::default()
    };
    match Chain::open(config) {
        Ok(chain) => drop(chain.mine().expect("a chain that is open takes blocks")),
        Err(_) => assert_eq!(fs::read(&path).expect("it is there"), bytes),
    }
}
