//! Opening a log without changing a byte in its folder: for whoever looks at it as evidence.

use std::{
    fs::{File, TryLockError},
    io::{self, BufReader, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

use super::{
    BlockLog, FRAME_HEADER_BYTES, HEADER_BYTES, LOCK_FILE, LOG_FILE, LogError, LogIdentity, Medium,
    PAYLOAD_BYTES_MAX, decode_header,
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
        let (path, file, len, found) = open_file(folder)?;
        identity(Some(found))?;
        let medium = Medium::File { path, file, _lock: lock };
        Ok(Self { medium, len, is_read_only: true, is_closed: false })
    }

    /// Returns what the log in `folder` belongs to and the last payload that is whole, although another process may have it
    /// open to write: what is appended or taken back meanwhile is not waited for.
    ///
    /// # Errors
    ///
    /// Returns [`LogError::NoChain`], [`LogError::NotALog`] or [`LogError::Io`].
    pub fn glimpse(folder: &Path) -> Result<(LogIdentity, Option<Vec<u8>>), LogError> {
        let (path, mut file, len, identity) = open_file(folder)?;
        let failed = |source: io::Error| LogError::Io { path: path.clone(), source };
        let mut last = None;
        let mut offset = HEADER_BYTES;
        let mut reader = BufReader::new(&file);
        while offset + FRAME_HEADER_BYTES <= len {
            let mut payload_len = [0; 4];
            reader.read_exact(&mut payload_len).map_err(failed)?;
            let payload_len = u32::from_le_bytes(payload_len);
            let end = offset + FRAME_HEADER_BYTES + u64::from(payload_len);
            if payload_len == 0 || payload_len > PAYLOAD_BYTES_MAX || end > len {
                break;
            }
            last = Some((offset + FRAME_HEADER_BYTES, payload_len));
            let rest = i64::from(payload_len) + 8;
            reader.seek_relative(rest).map_err(failed)?;
            offset = end;
        }
        drop(reader);
        let Some((start, payload_len)) = last else { return Ok((identity, None)) };
        let mut payload = Vec::new();
        file.seek(SeekFrom::Start(start)).map_err(failed)?;
        file.take(u64::from(payload_len)).read_to_end(&mut payload).map_err(failed)?;
        Ok((identity, Some(payload)))
    }
}

/// Opens the file of a log to read it. Returns its path, its length and what it belongs to as well.
fn open_file(folder: &Path) -> Result<(PathBuf, File, u64, LogIdentity), LogError> {
    let path = folder.join(LOG_FILE);
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => LogError::NoChain { folder: folder.to_owned() },
        _ => LogError::Io { path: path.clone(), source },
    };
    let file = File::open(&path).map_err(failed)?;
    let len = file.metadata().map_err(failed)?.len();
    let mut header = Vec::new();
    (&file).take(HEADER_BYTES).read_to_end(&mut header).map_err(failed)?;
    match decode_header(&header) {
        Some(found) => Ok((path, file, len, found)),
        None => Err(LogError::NotALog { path }),
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
