//! A folder, with room and without.

use std::fs;
use std::path::Path;
use std::process::Command;

use gridtally_ledger::{BatchArchive, BatchArchiveError};

use super::keeps_what_it_has_and_says_what_is_wrong;

#[tokio::test]
async fn a_folder_keeps_what_it_has_and_says_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("batches");
    keeps_what_it_has_and_says_what_is_wrong(&BatchArchive::new(&path), &path).await;
}

/// A disk of its own, as large as it is made: only root may mount one, and CI is root.
struct Disk(tempfile::TempDir);

impl Disk {
    fn mount(options: &str) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", options, "tmpfs"])
            .arg(folder.path())
            .output()
            .is_ok_and(|output| output.status.success());
        mounted.then_some(Self(folder))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn again(&self, options: &str) {
        let status = Command::new("mount").args(["-o", options]).arg(self.path()).status();
        assert!(status.unwrap().success(), "{options}");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let done = Command::new("umount").arg("-l").arg(self.path()).status();
        assert!(done.is_ok_and(|status| status.success()) || std::thread::panicking());
    }
}

/// Nothing half written is left, what was kept stays, and the next attempt goes on.
#[tokio::test]
async fn a_full_or_read_only_disk_is_named_and_nothing_is_lost() {
    let Some(disk) = Disk::mount("size=16k") else {
        // Not root: the case below has the same rule.
        return;
    };
    let archive = BatchArchive::new(disk.path());
    let (small, large) = (vec![1; 100], vec![2; 20_000]);
    archive.keep_calldata(&small).await.unwrap();
    let names = || {
        let entries = fs::read_dir(disk.path()).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.collect::<Vec<_>>()
    };
    let before = names();
    let error = archive.keep_calldata(&large).await.unwrap_err();
    assert!(matches!(error, BatchArchiveError::Full { .. }), "{error}");
    assert_eq!(names(), before, "nothing half written");
    archive.keep_calldata(&small).await.unwrap();
    disk.again("remount,size=64k");
    archive.keep_calldata(&large).await.unwrap();
    let data_hash = gridtally_settlement::calldata_hash(&large);
    assert_eq!(archive.calldata(data_hash).await.unwrap().unwrap(), large);

    disk.again("remount,ro");
    let error = archive.keep_calldata(&[3; 10]).await.unwrap_err();
    assert!(matches!(error, BatchArchiveError::Denied { .. }), "{error}");
    assert_eq!(archive.calldata(data_hash).await.unwrap().unwrap(), large, "it can be read");
}

/// The words of the operating system become the reasons of the list, whoever runs the test.
#[tokio::test]
async fn a_folder_that_cannot_be_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, b"").unwrap();
    let archive = BatchArchive::new(file.join("batches"));
    for error in [
        archive.keep_calldata(b"0123456789").await.unwrap_err(),
        archive.calldata(alloy_primitives::B256::ZERO).await.unwrap_err(),
    ] {
        assert!(matches!(error, BatchArchiveError::Io { .. }), "{error}");
    }
}
