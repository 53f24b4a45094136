//! What a writer does first: clean up after one that was interrupted.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use tracing::warn;

use super::disk::Disk;
use super::error::{StoreError, failed};
use super::journal::{End, JOURNAL_FILE, Line};
use super::view::read_journal;
use super::writer::{FOLDERS, INCOMING_FOLDER, SET_ASIDE_FOLDER};

/// Cuts off a line of the journal that was never finished, completes one that only lacks its line end, empties `incoming/` and
/// sets aside what nobody names. Returns the lines of the journal.
///
/// Nothing that lies in its place is removed: had somebody cut the journal, the files would still be there.
pub(super) fn recover(disk: &dyn Disk, folder: &Path) -> Result<Vec<Line>, StoreError> {
    let journal = read_journal(folder)?;
    let path = folder.join(JOURNAL_FILE);
    match journal.end {
        End::Whole => {}
        End::Unterminated => {
            warn!("the last line has no line end and is completed");
            let mut file = disk.append(&path).map_err(failed("open", &path))?;
            file.write_all(b"\n").map_err(failed("write", &path))?;
            file.sync().map_err(failed("sync", &path))?;
        }
        End::Torn => {
            warn!(bytes = journal.complete_bytes, "a line was never finished and is cut off");
            disk.truncate(&path, journal.complete_bytes).map_err(failed("truncate", &path))?;
        }
    }
    for path in list(&folder.join(INCOMING_FOLDER))? {
        disk.remove(&path).map_err(failed("remove", &path))?;
    }
    let named: BTreeSet<PathBuf> = journal
        .lines
        .iter()
        .flat_map(|line| line.entry.content.files())
        .map(|file| folder.join(&file.path))
        .collect();
    let is_named = |path: &Path| named.contains(path);
    for name in FOLDERS {
        let place = folder.join(name);
        let mut is_changed = false;
        for path in list(&place)? {
            let is_kept = if path.is_dir() {
                list(&path)?.iter().any(|inner| is_named(inner))
            } else {
                is_named(&path)
            };
            if !is_kept {
                set_aside(disk, folder, &path)?;
                is_changed = true;
            }
        }
        if is_changed {
            disk.sync_folder(&place).map_err(failed("sync", &place))?;
        }
    }
    Ok(journal.lines)
}

fn set_aside(disk: &dyn Disk, folder: &Path, path: &Path) -> Result<(), StoreError> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let target = folder.join(SET_ASIDE_FOLDER).join(&name);
    warn!(name, "a file that nobody names is set aside");
    if target.is_dir() {
        disk.remove(&target).map_err(failed("remove", &target))?;
    }
    disk.rename(path, &target).map_err(failed("rename", path))
}

/// Returns the paths of what is in a folder, in order.
pub(super) fn list(folder: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed("list", folder)(error)),
    };
    let paths: Result<Vec<PathBuf>, _> =
        entries.map(|entry| entry.map(|entry| entry.path())).collect();
    let mut paths = paths.map_err(failed("list", folder))?;
    paths.sort();
    Ok(paths)
}
