//! The content of one frame of the log of blocks: the frame checks, what is in it may be anything.

use std::fs;
use std::sync::{Arc, OnceLock};

use gridtally_chain::block_log::LOG_FILE;
use gridtally_chain::{Chain, ChainConfig, ManualClock, Sealing};

pub(crate) fn decode(bytes: &[u8]) {
    static EMPTY: OnceLock<Vec<u8>> = OnceLock::new();
    let folder = tempfile::tempdir().expect("there is a folder for temporary files");
    let path = folder.path().join(LOG_FILE);
    let config = || ChainConfig {
        folder: Some(folder.path().to_owned()),
        clock: Arc::new(ManualClock::at(1_759_276_800)),
        sealing: Sealing::Manual,
        ..ChainConfig::default()
    };
    let mut log = EMPTY
        .get_or_init(|| {
            drop(Chain::open(config()).expect("a new chain can be created"));
            let log = fs::read(&path).expect("it was created");
            fs::remove_file(&path).expect("it can be removed");
            log
        })
        .clone();
    let length = u32::try_from(bytes.len()).expect("inputs are short").to_le_bytes();
    log.extend(length);
    log.extend(crc32fast::hash(&length).to_le_bytes());
    log.extend(crc32fast::hash(bytes).to_le_bytes());
    log.extend(bytes);
    fs::write(&path, log).expect("the folder can be written");
    if let Ok(chain) = Chain::open(config()) {
        drop(chain.mine().expect("a chain that is open takes blocks"));
    }
}
