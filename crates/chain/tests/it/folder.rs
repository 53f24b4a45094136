//! The folder of a chain: opened again, damaged, of another chain, in use.

use std::{
    fs::{File, OpenOptions},
    io::{Read, Seek, SeekFrom, Write},
    path::Path,
};

use gridtally_chain::{Chain, ChainConfig, OpenError, block_log::LOG_FILE};
use serde_json::json;
use tempfile::TempDir;

use crate::support::{account, ask, config, send};

fn in_folder(folder: &Path) -> ChainConfig {
    ChainConfig { folder: Some(folder.to_owned()), ..config() }
}

fn open(folder: &Path) -> Chain {
    Chain::open(in_folder(folder)).unwrap()
}

/// Makes a chain of `blocks` blocks with a transfer each in a new folder.
fn folder_with(blocks: usize) -> TempDir {
    let folder = TempDir::new().unwrap();
    let chain = open(folder.path());
    for _ in 0..blocks {
        send(&chain, json!({ "from": account(0), "to": account(1), "value": "0x1" }));
        chain.mine().unwrap();
    }
    folder
}

fn log(folder: &TempDir) -> File {
    let path = folder.path().join(LOG_FILE);
    OpenOptions::new().read(true).write(true).open(path).unwrap()
}

fn refused(folder: &TempDir) -> OpenError {
    Chain::open(in_folder(folder.path())).unwrap_err()
}

#[test]
fn a_chain_is_the_same_when_opened_again() {
    let folder = folder_with(3);
    let before = {
        let chain = open(folder.path());
        send(&chain, json!({ "from": account(2), "to": account(1), "value": "0x5" }));
        chain.mine().unwrap()
    };
    let chain = open(folder.path());
    assert_eq!(chain.head().hash, before.hash);
    assert_eq!(ask(&chain, "eth_getBalance", json!([account(1), "0x2"])), "0x21e19e0c9bab2400002");
    assert_eq!(ask(&chain, "eth_getBalance", json!([account(1)])), "0x21e19e0c9bab2400008");
    let receipt = json!([before.transactions[0].inner().hash()]);
    assert_eq!(ask(&chain, "eth_getTransactionReceipt", receipt)["blockNumber"], "0x4");
    chain.mine().unwrap();
}

#[test]
fn an_unfinished_block_at_the_end_is_cut_off() {
    for cut in [1, 11, 12, 13, 100] {
        let folder = folder_with(3);
        let file = log(&folder);
        let whole = file.metadata().unwrap().len();
        file.set_len(whole - cut).unwrap();
        assert_eq!(open(folder.path()).head().number(), 2, "{cut} bytes cut");
        let chain = open(folder.path());
        chain.mine().unwrap();
        drop(chain);
        assert_eq!(open(folder.path()).head().number(), 3, "the chain goes on");
    }
}

#[test]
fn a_changed_byte_is_refused_with_its_place() {
    let folder = folder_with(3);
    let whole = log(&folder).metadata().unwrap().len();
    for at in [70, 200, whole / 2, whole - 1] {
        let mut file = log(&folder);
        let mut byte = [0];
        file.seek(SeekFrom::Start(at)).unwrap();
        file.read_exact(&mut byte).unwrap();
        let mut write = |value: u8| {
            file.seek(SeekFrom::Start(at)).unwrap();
            file.write_all(&[value]).unwrap();
        };
        write(byte[0] ^ 0x40);
        let error = refused(&folder).to_string();
        assert!(error.contains("blocks.log is damaged at byte "), "{at}: {error}");
        write(byte[0]);
    }
    assert_eq!(open(folder.path()).head().number(), 3);
}

#[test]
fn a_file_of_something_else_is_refused() {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join(LOG_FILE), b"dear diary").unwrap();
    assert!(refused(&folder).to_string().ends_with("blocks.log is not a log of blocks"));
}

#[test]
fn another_chain_id_or_start_is_refused() {
    let folder = folder_with(1);
    let other = ChainConfig { chain_id: 1_337, ..in_folder(folder.path()) };
    let error = Chain::open(other).unwrap_err();
    assert!(matches!(error, OpenError::OtherChainId { found: 31_337, expected: 1_337, .. }));
    let other = ChainConfig { genesis_time_unix_s: Some(5), ..in_folder(folder.path()) };
    let error = Chain::open(other).unwrap_err();
    assert!(matches!(error, OpenError::OtherGenesisTime { expected: 5, .. }));
}

#[test]
fn another_first_block_is_refused() {
    let folder = folder_with(1);
    let mut file = log(&folder);
    let mut header = [0; 68];
    file.read_exact(&mut header).unwrap();
    // The last bytes before the checksum are the hash of the first block.
    header[40] ^= 1;
    let checksum = crc32fast::hash(&header[..64]);
    header[64..].copy_from_slice(&checksum.to_le_bytes());
    file.seek(SeekFrom::Start(0)).unwrap();
    file.write_all(&header).unwrap();
    assert!(matches!(refused(&folder), OpenError::OtherGenesis { .. }));
}

#[test]
fn two_chains_cannot_share_a_folder() {
    let folder = folder_with(1);
    let first = open(folder.path());
    assert!(refused(&folder).to_string().ends_with("is used by another process"));
    drop(first);
    open(folder.path());
}

#[test]
fn a_revert_is_on_disk() {
    let folder = folder_with(5);
    open(folder.path()).revert_to(2).unwrap();
    let chain = open(folder.path());
    assert_eq!(chain.head().number(), 2);
    assert_eq!(ask(&chain, "eth_getBalance", json!([account(1)])), "0x21e19e0c9bab2400002");
}
