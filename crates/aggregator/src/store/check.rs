//! Every byte of a store against what its journal recorded.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;

use super::error::{Fault, FaultKind, StoreError, failed};
use super::journal::{End, JOURNAL_FILE, StoredFile};
use super::recovery::list;
use super::table::difference;
use super::view::{StoreView, read_journal};
use super::writer::{FOLDERS, INCOMING_FOLDER, LOCK_FILE, SET_ASIDE_FOLDER};

/// Where the embedded chain of a store is kept. It is no part of the store: the chain's own log covers its bytes.
pub const CHAIN_FOLDER: &str = "chain";
/// Name of the folder with the archive of batches in the folder of a store.
pub const BATCH_FOLDER: &str = "batches";
/// Name of the folder with what sealed batches hide, in the folder of a store. It is no part of the store either: its files have
/// checksums of their own, and lose what is erased.
pub const SECTION_FOLDER: &str = "sections";

/// What was checked, and what is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Check {
    /// Lines of the journal.
    pub line_count: u64,
    /// Files that the journal names.
    pub file_count: u64,
    /// Their bytes.
    pub byte_count: u64,
    /// Everything that is not as it was recorded, by file.
    pub faults: Vec<Fault>,
}

/// How far a check has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CheckProgress {
    /// Files that were checked.
    pub done: u64,
    /// Files in all.
    pub total: u64,
}

impl StoreView {
    /// Compares every file with what the journal recorded, and finds files that nobody names.
    ///
    /// The journal and the settings were checked when the view was opened.
    ///
    /// # Errors
    ///
    /// [`StoreError::Io`] where the disk fails; what is wrong with the content stands in the result.
    pub fn check(&self, progress: &mut dyn FnMut(CheckProgress)) -> Result<Check, StoreError> {
        let mut check = Check { line_count: self.last(), ..Check::default() };
        // A file can be named twice, when a value came back to what it was.
        let named: BTreeMap<&str, &StoredFile> = self
            .lines()
            .iter()
            .flat_map(|line| line.entry.content.files())
            .map(|file| (file.path.as_str(), file))
            .collect();
        let total = named.len() as u64;
        for (done, (path, stored)) in (1..).zip(&named) {
            check.faults.extend(difference(&self.folder().join(path), stored)?);
            check.file_count += 1;
            check.byte_count += stored.fingerprint.bytes;
            progress(CheckProgress { done, total });
        }
        let journal = read_journal(self.folder())?;
        let last = journal.lines.len() as u64;
        let fault = |kind, line| Fault::new(JOURNAL_FILE, kind).at_line(line);
        match journal.end {
            End::Whole => {}
            End::Unterminated => {
                let what = "its line end is missing, opening the store to write completes it";
                check.faults.push(fault(FaultKind::Malformed(what.to_owned()), last));
            }
            End::Torn => check.faults.push(fault(FaultKind::Interrupted, last + 1)),
        }
        check.faults.extend(foreign_files(self.folder(), &named)?);
        check.faults.sort_by(|left, right| left.file.cmp(&right.file));
        Ok(check)
    }
}

/// Returns a fault for every file that no line names and that is none of the store's own.
fn foreign_files(
    folder: &Path,
    named: &BTreeMap<&str, &StoredFile>,
) -> Result<Vec<Fault>, StoreError> {
    let mut faults = Vec::new();
    let mut foreign = |name: String| faults.push(Fault::new(name, FaultKind::Foreign));
    for path in list(folder)? {
        let name = relative(folder, &path);
        match name.as_str() {
            JOURNAL_FILE | CHAIN_FOLDER | BATCH_FOLDER | SECTION_FOLDER | INCOMING_FOLDER
            | SET_ASIDE_FOLDER => {}
            LOCK_FILE => {
                let length = path.metadata().map_err(failed("read", &path))?.len();
                if length > 0 {
                    foreign(name);
                }
            }
            name if FOLDERS.contains(&name) => {}
            _ if named.contains_key(name.as_str()) => {}
            _ => foreign(name),
        }
    }
    for place in FOLDERS {
        let mut waiting = list(&folder.join(place))?;
        while let Some(path) = waiting.pop() {
            let name = relative(folder, &path);
            if path.is_dir() {
                waiting.extend(list(&path)?);
            } else if !named.contains_key(name.as_str()) {
                foreign(name);
            }
        }
    }
    Ok(faults)
}

fn relative(folder: &Path, path: &Path) -> String {
    let relative = path.strip_prefix(folder).unwrap_or(path);
    relative.to_string_lossy().replace('\\', "/")
}
