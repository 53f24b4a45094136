//! Opening a log without changing a byte in its folder: for whoever looks at it as evidence.

use std::{
    fs::{File, TryLockError},
    io::{self, Read},
    path::Path,
};

use super::{
    BlockLog, HEADER_BYTES, LOCK_FILE, LOG_FILE, LogError, LogIdentity, Medium, decode_header,
};

impl BlockLog {
    /// Opens the log in `folder` to read it. Nothing is created or written, so a folder on a read-only medium will do.
    ///
    /// `identity` is as in [`BlockLog::open`]; it is always given what the log belongs to.
    ///
    /// # Errors
    ///
    /// Returns [`LogError::InUse`], [`LogError::NoChain`], [`LogError::NotALog`] or [`LogError::Io`], and whatever
    /// `identity` returns.
    pub fn open_to_read<E: From<LogError>>(
        folder: &Path,
        identity: impl FnOnce(Option<LogIdentity>) -> Result<LogIdentity, E>,
    ) -> Result<Self, E> {
        let lock = lock_shared(folder)?;
        let path = folder.join(LOG_FILE);
        let failed = |source: io::Error| match source.kind() {
            io::ErrorKind::NotFound => LogError::NoChain { folder: folder.to_owned() },
            _ => LogError::Io { path: path.clone(), source },
        };
        let file = File::open(&path).map_err(failed)?;
        let len = file.metadata().map_err(failed)?.len();
        let mut header = Vec::new();
        (&file).take(HEADER_BYTES).read_to_end(&mut header).map_err(failed)?;
        let Some(found) = decode_header(&header) else {
            return Err(LogError::NotALog { path }.into());
        };
        identity(Some(found))?;
        let medium = Medium::File { path, file, _lock: lock };
        Ok(Self { medium, len, is_read_only: true, is_closed: false })
    }
}

/// Keeps writers away, but not other readers. A copy may have come without the file of the lock, or with one that we may
/// not open; nobody writes to it then.
fn lock_shared(folder: &Path) -> Result<Option<File>, LogError> {
    let path = folder.join(LOCK_FILE);
    let failed = |source| LogError::Io { path: path.clone(), source };
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) => {
            return match error.kind() {
                io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied => Ok(None),
                _ => Err(failed(error)),
            };
        }
    };
    match file.try_lock_shared() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Err(LogError::InUse { folder: folder.to_owned() }),
        Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => Ok(None),
        Err(TryLockError::Error(source)) => Err(failed(source)),
    }
}
