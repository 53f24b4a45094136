//! A chain that is opened to read: its folder is evidence, and nothing in it changes.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    path::Path,
};

use gridtally_chain::{
    Access, Chain, ChainConfig, OpenError, SealError, Sealing,
    archive::head_on_disk,
    block_log::{LOCK_FILE, LOG_FILE, LogError},
    patch::AccountPatch,
};
use serde_json::json;
use tempfile::TempDir;

use crate::support::{account, ask, config, refusal, send};

fn access(access: Access, folder: &Path) -> ChainConfig {
    ChainConfig { folder: Some(folder.to_owned()), access, ..config() }
}

fn read(folder: &Path) -> Result<Chain, OpenError> {
    Chain::open(access(Access::ReadOnly, folder))
}

/// Makes a chain of three blocks with a transfer each in a new folder.
fn folder() -> TempDir {
    let folder = TempDir::new().unwrap();
    let chain = Chain::open(access(Access::ReadWrite, folder.path())).unwrap();
    for _ in 0..3 {
        send(&chain, json!({ "from": account(0), "to": account(1), "value": "0x1" }));
        chain.mine().unwrap();
    }
    folder
}

/// Returns every file of a folder with its bytes.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    entries
        .map(|entry| {
            (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap_or_default())
        })
        .collect()
}

#[test]
fn every_answer_is_there_and_no_byte_changes() {
    let folder = folder();
    fs::remove_file(folder.path().join(LOCK_FILE)).unwrap();
    let before = files(folder.path());
    let chain = read(folder.path()).unwrap();
    assert_eq!(chain.head().number(), 3);
    assert_eq!(ask(&chain, "eth_getBalance", json!([account(1)])), "0x21e19e0c9bab2400003");
    // Nobody waits for anybody: readers do not exclude one another.
    assert_eq!(read(folder.path()).unwrap().head().hash, chain.head().hash);
    drop(chain);
    assert_eq!(files(folder.path()), before);
}

#[cfg(unix)]
#[test]
fn a_folder_that_cannot_be_written_will_do() {
    use std::os::unix::fs::PermissionsExt;

    let folder = folder();
    let allow = |mode| {
        for file in [LOCK_FILE, LOG_FILE] {
            let path = folder.path().join(file);
            fs::set_permissions(path, fs::Permissions::from_mode(mode & 0o666)).unwrap();
        }
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(mode)).unwrap();
    };
    allow(0o555);
    let opened = read(folder.path());
    allow(0o755);
    assert_eq!(opened.unwrap().head().number(), 3);
}

#[test]
fn nothing_is_sealed_taken_back_or_written() {
    let folder = folder();
    let before = files(folder.path());
    let chain = read(folder.path()).unwrap();
    let transfer = json!([{ "from": account(0), "to": account(1), "value": "0x1" }]);
    let error = refusal(&chain, "eth_sendTransaction", transfer);
    assert_eq!(error["message"], "the chain is opened to read");
    assert!(matches!(chain.mine(), Err(SealError::ReadOnly)));
    assert!(matches!(chain.revert_to(1), Err(SealError::ReadOnly)));
    assert!(matches!(chain.checkpoint(), Err(SealError::ReadOnly)));
    let patch = AccountPatch::of(chain.head().header.beneficiary);
    assert!(matches!(chain.patch(patch), Err(SealError::ReadOnly)));
    chain.set_sealing(Sealing::Instant);
    assert_eq!(chain.sealing(), Sealing::Manual);
    assert_eq!(chain.head().number(), 3);
    drop(chain);
    assert_eq!(files(folder.path()), before);
}

#[test]
fn an_unfinished_block_is_refused_with_its_place_and_stays() {
    for (cut, with_checkpoint) in [(1, false), (12, false), (100, false), (1, true)] {
        let folder = folder();
        if with_checkpoint {
            let chain = Chain::open(access(Access::ReadWrite, folder.path())).unwrap();
            chain.checkpoint().unwrap();
        }
        let log = File::options().write(true).open(folder.path().join(LOG_FILE)).unwrap();
        log.set_len(log.metadata().unwrap().len() - cut).unwrap();
        let before = files(folder.path());
        let error = read(folder.path()).unwrap_err();
        let OpenError::Log(LogError::Unfinished { offset, .. }) = &error else {
            panic!("{cut}: {error}");
        };
        let said = format!("blocks.log ends with an unfinished block at byte {offset}: ");
        assert!(error.to_string().contains(&said), "{error}");
        assert_eq!(files(folder.path()), before);
        let chain = Chain::open(access(Access::ReadWrite, folder.path())).unwrap();
        assert_eq!(chain.head().number(), 2);
        assert_eq!(log.metadata().unwrap().len(), *offset, "whoever writes cuts it off");
    }
}

#[test]
fn a_changed_byte_is_refused() {
    let folder = folder();
    let path = folder.path().join(LOG_FILE);
    let mut bytes = fs::read(&path).unwrap();
    bytes[200] ^= 0x40;
    fs::write(&path, bytes).unwrap();
    let before = files(folder.path());
    let error = read(folder.path()).unwrap_err();
    assert!(matches!(error, OpenError::Log(LogError::Damaged { offset: 68, .. })), "{error}");
    assert_eq!(files(folder.path()), before);
}

#[test]
fn where_no_chain_is_none_is_made() {
    let parent = TempDir::new().unwrap();
    let missing = parent.path().join("chain");
    let error = read(&missing).unwrap_err();
    assert_eq!(error.to_string(), format!("no chain in {}", missing.display()));
    assert!(!missing.exists());

    fs::create_dir(&missing).unwrap();
    let error = read(&missing).unwrap_err();
    assert!(matches!(error, OpenError::Log(LogError::NoChain { .. })), "{error}");
    fs::write(missing.join(LOG_FILE), b"").unwrap();
    let error = read(&missing).unwrap_err();
    assert!(matches!(error, OpenError::Log(LogError::NotALog { .. })), "{error}");
    assert_eq!(files(&missing), BTreeMap::from([(LOG_FILE.to_owned(), Vec::new())]));
}

#[test]
fn readers_and_a_writer_exclude_each_other() {
    let folder = folder();
    let writer = Chain::open(access(Access::ReadWrite, folder.path())).unwrap();
    let in_use = |error| matches!(error, OpenError::Log(LogError::InUse { .. }));
    assert!(in_use(read(folder.path()).unwrap_err()));
    drop(writer);
    let reader = read(folder.path()).unwrap();
    // Whoever wants to write hears that nobody writes: what the folder says of a writer is out of date.
    let error = Chain::open(access(Access::ReadWrite, folder.path())).unwrap_err();
    assert!(matches!(error, OpenError::Log(LogError::InUseByReaders { .. })), "{error}");
    drop(reader);
    Chain::open(access(Access::ReadWrite, folder.path())).unwrap();
}

#[test]
fn the_last_block_on_disk_is_known_whoever_writes() {
    let folder = TempDir::new().unwrap();
    let writer = Chain::open(access(Access::ReadWrite, folder.path())).unwrap();
    let first = writer.block(0).unwrap().unwrap();
    assert_eq!(head_on_disk(folder.path()).unwrap(), (0, first.hash));
    for number in 1..=3 {
        send(&writer, json!({ "from": account(0), "to": account(1), "value": "0x1" }));
        let block = writer.mine().unwrap();
        assert_eq!(head_on_disk(folder.path()).unwrap(), (number, block.hash));
    }
    writer.revert_to(1).unwrap();
    assert_eq!(head_on_disk(folder.path()).unwrap(), (1, writer.head().hash));
    // What a crash leaves unfinished is no block yet.
    drop(writer);
    let path = folder.path().join(LOG_FILE);
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() - 1]).unwrap();
    assert_eq!(head_on_disk(folder.path()).unwrap(), (0, first.hash));
}
