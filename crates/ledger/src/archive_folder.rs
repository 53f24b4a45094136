//! A folder as the place of an archive.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use crate::archive::BatchArchiveError;

/// A folder with files that are written once: each is complete and on disk before it has its name.
#[derive(Debug, Clone)]
pub(crate) struct ArchiveFolder {
    path: PathBuf,
}

impl ArchiveFolder {
    pub(crate) fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Returns what errors call a file.
    pub(crate) fn shown(&self, name: &str) -> String {
        self.path.join(name).display().to_string()
    }

    pub(crate) fn keep(&self, name: &str, bytes: &[u8]) -> Result<(), BatchArchiveError> {
        match self.read(name, bytes.len())? {
            Some(found) if found == bytes => return Ok(()),
            Some(_) => return Err(BatchArchiveError::Differs { place: self.shown(name) }),
            None => {}
        }
        let path = self.path.join(name);
        let failed = |error| failure(&path, error);
        fs::create_dir_all(&self.path).map_err(failed)?;
        let mut file = tempfile::Builder::new();
        // An archive is for everybody: what the user's mask lets others read they may.
        #[cfg(unix)]
        file.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let mut file = file.tempfile_in(&self.path).map_err(failed)?;
        file.write_all(bytes).and_then(|()| file.as_file().sync_all()).map_err(failed)?;
        match file.persist_noclobber(&path) {
            Ok(_) => {}
            // Another hub was faster; what it wrote is compared.
            Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {
                return self.keep(name, bytes);
            }
            Err(error) => return Err(failed(error.error)),
        }
        File::open(&self.path).and_then(|folder| folder.sync_all()).map_err(failed)
    }

    /// Returns the bytes of a file, one more than `length_max` at most, or `None` where it does not exist.
    pub(crate) fn read(
        &self,
        name: &str,
        length_max: usize,
    ) -> Result<Option<Vec<u8>>, BatchArchiveError> {
        let path = self.path.join(name);
        let failed = |error| failure(&path, error);
        let file = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file.map_err(failed)?,
        };
        let mut bytes = Vec::new();
        file.take(length_max as u64 + 1).read_to_end(&mut bytes).map_err(failed)?;
        Ok(Some(bytes))
    }

    /// Returns the names that begin so, in order.
    pub(crate) fn names(&self, prefix: &str) -> Result<Vec<String>, BatchArchiveError> {
        let failed = |error| failure(&self.path, error);
        let entries = match fs::read_dir(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(failed)?,
        };
        let mut names = Vec::new();
        for entry in entries {
            let name = entry.map_err(failed)?.file_name().to_string_lossy().into_owned();
            if name.starts_with(prefix) {
                names.push(name);
            }
        }
        names.sort_unstable();
        Ok(names)
    }
}

/// Says what an operation on a file failed with: whoever reads it does something else about each.
fn failure(path: &Path, source: io::Error) -> BatchArchiveError {
    use io::ErrorKind::{
        FileTooLarge, PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull,
    };
    let place = path.display().to_string();
    match source.kind() {
        StorageFull | QuotaExceeded | FileTooLarge => BatchArchiveError::Full { place, source },
        PermissionDenied | ReadOnlyFilesystem => BatchArchiveError::Denied { place, source },
        _ => BatchArchiveError::Io { place, source },
    }
}
