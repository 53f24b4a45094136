//! Each effect on the disk fails once, or fails although it happened; then the store is opened again.

use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use gridtally_aggregator::cycle::{RunOptions, settle_into_store};
use gridtally_aggregator::store::{Disk, DiskFile, Store, StoreError, StoreView, SystemDisk};
use gridtally_core::meter::Channel;
use gridtally_settlement::MissingPolicy;

use crate::world::{
    add_prices, add_readings, at, book, faults, filled, now, readings_text, settings, tariff,
};

/// What happens to the effect that fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Failure {
    /// It does not happen.
    Lost,
    /// It happens, and an error is reported all the same.
    Persisted,
}

/// A disk on which the effect of one number fails.
#[derive(Debug)]
struct FailingDisk {
    failure: Failure,
    failing: u64,
    effects: Arc<AtomicU64>,
}

#[derive(Debug)]
struct FailingFile {
    failure: Failure,
    failing: u64,
    effects: Arc<AtomicU64>,
    file: Box<dyn DiskFile>,
}

fn step<T>(
    effects: &AtomicU64,
    failing: u64,
    failure: Failure,
    effect: impl FnOnce() -> io::Result<T>,
) -> io::Result<T> {
    if effects.fetch_add(1, Ordering::SeqCst) != failing {
        return effect();
    }
    if failure == Failure::Persisted {
        effect()?;
    }
    Err(io::Error::other("the disk fails as the test wants"))
}

impl FailingDisk {
    fn new(failing: u64, failure: Failure) -> Arc<Self> {
        Arc::new(Self { failure, failing, effects: Arc::default() })
    }

    fn step<T>(&self, effect: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        step(&self.effects, self.failing, self.failure, effect)
    }

    fn file(&self, file: Box<dyn DiskFile>) -> Box<dyn DiskFile> {
        let (failure, failing, effects) = (self.failure, self.failing, Arc::clone(&self.effects));
        Box::new(FailingFile { failure, failing, effects, file })
    }
}

impl Disk for FailingDisk {
    fn create_folder(&self, path: &Path) -> io::Result<()> {
        self.step(|| SystemDisk.create_folder(path))
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.step(|| SystemDisk.create(path)).map(|file| self.file(file))
    }

    fn append(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.step(|| SystemDisk.append(path)).map(|file| self.file(file))
    }

    fn truncate(&self, path: &Path, length: u64) -> io::Result<()> {
        self.step(|| SystemDisk.truncate(path, length))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.step(|| SystemDisk.rename(from, to))
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        self.step(|| SystemDisk.sync_folder(path))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.step(|| SystemDisk.remove(path))
    }
}

impl Write for FailingFile {
    /// A write that is lost leaves half of its bytes.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let (effects, file) = (&self.effects, &mut self.file);
        if self.failure == Failure::Lost && effects.load(Ordering::SeqCst) == self.failing {
            file.write_all(&bytes[..bytes.len() / 2])?;
        }
        step(effects, self.failing, self.failure, || {
            file.write_all(bytes)?;
            Ok(bytes.len())
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl DiskFile for FailingFile {
    fn sync(&mut self) -> io::Result<()> {
        let file = &mut self.file;
        step(&self.effects, self.failing, self.failure, || file.sync())
    }
}

/// Does everything that a store can be asked for, and says how far it came.
fn work(store: &mut Store) -> Result<(), Box<dyn std::error::Error>> {
    store.set_participants(&book(), now())?;
    store.set_tariff(&tariff(20_000), now())?;
    add_prices(store, &[100_000; 4])?;
    add_readings(store, "home_1", Channel::Import, &[500, 600])?;
    add_readings(store, "home_1", Channel::Import, &[501, 600, 1])?;
    let (from, until) = (at("2026-01-01T04:00:00Z"), at("2026-01-01T08:00:00Z"));
    let missing = MissingPolicy::LeaveOut;
    let options = RunOptions { missing, ..RunOptions::regular(from, until) };
    settle_into_store(store, &options, now(), &mut |_| {})?;
    Ok(())
}

/// Returns what a store says: newest readings and the records of the last run. Lines can have other numbers after a failure, and so runs other
/// names.
fn told(view: &StoreView) -> String {
    let runs = view.runs().map(|(_, run)| run.records.fingerprint.sha256.to_string());
    readings_text(view) + &runs.fold(String::new(), |_, last| last)
}

#[test]
fn nothing_acknowledged_is_lost_and_nothing_is_half_done() {
    let reference = tempfile::tempdir().unwrap();
    let mut store = Store::create(reference.path(), &settings(), now()).unwrap();
    work(&mut store).unwrap();
    let expected = told(store.view());
    for failure in [Failure::Lost, Failure::Persisted] {
        let mut effect_count = 0;
        for failing in 0.. {
            let parent = tempfile::tempdir().unwrap();
            let folder = parent.path().join("store");
            let disk = FailingDisk::new(failing, failure);
            let effects = Arc::clone(&disk.effects);
            let acknowledged = match Store::create_on(disk, &folder, &settings(), now()) {
                Err(_) => 0,
                Ok(mut store) => {
                    if work(&mut store).is_err() {
                        // What is on disk is only known after opening again.
                        let again = store.set_participants(&book(), now());
                        let next = add_readings(&mut store, "home_1", Channel::Import, &[9]);
                        assert!(
                            again.is_ok() == next.is_ok()
                                || matches!(next, Err(StoreError::Interrupted)),
                            "{failure:?} {failing}"
                        );
                    }
                    store.view().last()
                }
            };
            if effects.load(Ordering::SeqCst) <= failing {
                effect_count = failing;
                break;
            }
            let mut store = match Store::open(&folder) {
                Ok(store) => store,
                Err(StoreError::NotAStore { .. }) => {
                    assert_eq!(acknowledged, 0);
                    Store::create(&folder, &settings(), now()).unwrap()
                }
                Err(error) => panic!("{failure:?} {failing}: {error}"),
            };
            assert!(store.view().last() >= acknowledged, "{failure:?} {failing}");
            assert_eq!(faults(&folder), Vec::<String>::new(), "{failure:?} {failing}");
            work(&mut store).unwrap();
            add_readings(&mut store, "home_1", Channel::Import, &[501]).unwrap();
            assert_eq!(told(store.view()), expected, "{failure:?} {failing}");
        }
        assert!(effect_count > 60, "{effect_count}");
    }
}

#[test]
fn cleaning_up_can_fail_too() {
    let unfinished = |journal: &mut Vec<u8>| journal.extend(b"half a line");
    let unterminated = |journal: &mut Vec<u8>| journal.truncate(journal.len() - 1);
    for (failure, interrupt) in [
        (Failure::Lost, unfinished as fn(&mut Vec<u8>)),
        (Failure::Persisted, unfinished),
        (Failure::Lost, unterminated),
        (Failure::Persisted, unterminated),
    ] {
        for failing in 0.. {
            let folder = tempfile::tempdir().unwrap();
            let before = told(filled(folder.path()).view());
            let journal = folder.path().join("journal");
            let mut bytes = std::fs::read(&journal).unwrap();
            interrupt(&mut bytes);
            std::fs::write(&journal, bytes).unwrap();
            std::fs::write(folder.path().join("readings/orphan.csv"), "x").unwrap();
            std::fs::write(folder.path().join("incoming/1"), "x").unwrap();
            let disk = FailingDisk::new(failing, failure);
            let effects = Arc::clone(&disk.effects);
            let opened = crate::world::open_on(disk, folder.path());
            if effects.load(Ordering::SeqCst) <= failing {
                assert!(opened.is_ok() && failing >= 4);
                break;
            }
            assert!(opened.is_err());
            let store = Store::open(folder.path()).unwrap();
            assert_eq!(told(store.view()), before);
            assert_eq!(faults(folder.path()), Vec::<String>::new());
        }
    }
}
