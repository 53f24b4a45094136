//! The append-only file of blocks: what is in it has happened.
//!
//! ```text
//! file   | magic 8 | chain id 8 | genesis time 8 | gas limit 8 | genesis hash 32 | crc32 4 | frame | frame | …
//! frame  | length 4 | crc32 of the length 4 | crc32 of the payload 4 | payload |
//! ```
//!
//! Integers are little-endian. A frame is on disk before the block is acknowledged. What a crash can leave behind is
//! the beginning of the last frame, which is cut off on opening to write and refused on opening to read. Anything else
//! that does not check is damage and is refused with its place: a block that was acknowledged is never dropped silently.

mod read_only;

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{self, BufReader, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use alloy_primitives::B256;

use crate::explanation::explanations;

/// Name of the log in the folder of a chain.
pub const LOG_FILE: &str = "blocks.log";
/// Name of the file whose lock says that a process uses the folder.
pub const LOCK_FILE: &str = "lock";

const MAGIC: [u8; 8] = *b"gtchain1";
const HEADER_LEN: usize = 68;
const HEADER_BYTES: u64 = 68;
const FRAME_HEADER_LEN: usize = 12;
const FRAME_HEADER_BYTES: u64 = 12;
/// A payload is a block of at most 10 MiB (EIP-7934) with receipts and changes.
const PAYLOAD_BYTES_MAX: u32 = 1 << 29;

/// What the log belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogIdentity {
    /// Chain id.
    pub chain_id: u64,
    /// Time of the first block in seconds since 1970.
    pub genesis_time_unix_s: u64,
    /// Gas limit of the first block.
    pub gas_limit: u64,
    /// Hash of the first block.
    pub genesis_hash: B256,
}

/// Why the log cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// Another process has the folder open.
    #[error("{} is used by another process", folder.display())]
    InUse {
        /// The folder of the chain.
        folder: PathBuf,
    },
    /// Other processes have the folder open, but only to read.
    #[error("{} is being read by another process", folder.display())]
    InUseByReaders {
        /// The folder of the chain.
        folder: PathBuf,
    },
    /// There is nothing to read.
    #[error("no chain in {}", folder.display())]
    NoChain {
        /// The folder of the chain.
        folder: PathBuf,
    },
    /// The file does not begin as a log of blocks.
    #[error("{} is not a log of blocks", path.display())]
    NotALog {
        /// The file.
        path: PathBuf,
    },
    /// The file does not check at this place, and not in the way a crash would leave it.
    #[error("{} is damaged at byte {offset}: {reason}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where in the file the bad frame begins.
        offset: u64,
        /// What does not check.
        reason: &'static str,
    },
    /// The last block is not whole, and a log that is opened to read is not changed.
    #[error(
        "{} ends with an unfinished block at byte {offset}: a write was interrupted, or bytes were lost; \
         whoever opens the chain to write cuts it off",
        path.display()
    )]
    Unfinished {
        /// The file.
        path: PathBuf,
        /// Where in the file the unfinished frame begins.
        offset: u64,
    },
    /// An earlier write failed and could not be undone; the log takes no more blocks until it is opened again.
    #[error("{} takes no more blocks because a write failed before", path.display())]
    Closed {
        /// The file.
        path: PathBuf,
    },
    /// The file cannot be read or written.
    #[error("{}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        #[source]
        source: io::Error,
    },
}

explanations! {
    LogError {
        InUse: "chain-in-use" "another process has the folder of the chain open"
            "end it, or name its --endpoint";
        InUseByReaders: "chain-in-use-by-readers" "other processes have the folder of the chain open to read, and nobody may change it"
            "wait until they have ended";
        NoChain: "chain-missing" "there is no chain in the folder"
            "name the folder of the chain, or restore it from a copy";
        NotALog: "chain-not-a-log" "the file does not begin as a log of blocks"
            "name the folder of a chain, or restore it from a copy";
        Damaged: "chain-damaged" "the log of blocks does not check, and not in the way that a crash would leave it"
            "restore the folder from a copy: bytes of the chain were changed or lost";
        Unfinished: "chain-unfinished" "the last block is not whole, and a log that is opened to read is not changed"
            "restore the folder from a copy, or open the chain to write, which cuts the unfinished block off";
        Closed: "chain-log-closed" "an earlier write failed and could not be undone"
            "make room on the disk and open the chain again";
        Io: "chain-io" "a file of the chain cannot be read or written"
            "check the path, the permissions and the room on the disk";
    }
}

/// Where one payload is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Location {
    /// Where its frame begins, in bytes from the start of the log.
    pub offset: u64,
    /// Its length in bytes, without the header of the frame.
    pub len: u32,
}

impl Location {
    /// Returns where the next frame begins.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.offset + FRAME_HEADER_BYTES + u64::from(self.len)
    }
}

/// An open log, on disk or in memory.
#[derive(Debug)]
pub struct BlockLog {
    medium: Medium,
    len: u64,
    /// What is left unfinished is refused then instead of cut off.
    is_read_only: bool,
    is_closed: bool,
}

#[derive(Debug)]
enum Medium {
    /// The lock is held as long as its file is open. Who only reads may have none.
    File {
        path: PathBuf,
        file: File,
        _lock: Option<File>,
    },
    Memory(Vec<u8>),
}

impl BlockLog {
    /// Returns a log that is lost with the process.
    #[must_use]
    pub fn in_memory() -> Self {
        let medium = Medium::Memory(vec![0; HEADER_LEN]);
        Self { medium, len: HEADER_BYTES, is_read_only: false, is_closed: false }
    }

    /// Opens the log in `folder`, creating both when they are missing.
    ///
    /// `identity` is given what an existing log belongs to, or nothing for a new one, and returns what the log is
    /// to belong to or the reason for refusing it.
    ///
    /// # Errors
    ///
    /// Returns [`LogError::InUse`], [`LogError::InUseByReaders`], [`LogError::NotALog`], [`LogError::Damaged`] or
    /// [`LogError::Io`], and whatever `identity` returns.
    pub fn open<E: From<LogError>>(
        folder: &Path,
        identity: impl FnOnce(Option<LogIdentity>) -> Result<LogIdentity, E>,
    ) -> Result<Self, E> {
        let in_folder = |source| LogError::Io { path: folder.to_owned(), source };
        std::fs::create_dir_all(folder).map_err(in_folder)?;
        let lock = lock(folder)?;
        let path = folder.join(LOG_FILE);
        let failed = |source| LogError::Io { path: path.clone(), source };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(failed)?;
        let len = file.metadata().map_err(failed)?.len();
        let mut header = Vec::new();
        (&file).take(HEADER_BYTES).read_to_end(&mut header).map_err(failed)?;
        if let Some(found) = decode_header(&header) {
            identity(Some(found))?;
            let medium = Medium::File { path, file, _lock: Some(lock) };
            return Ok(Self { medium, len, is_read_only: false, is_closed: false });
        }
        // A crash while the file was created leaves a beginning of the header, and no blocks.
        let is_new =
            len < HEADER_BYTES && (MAGIC.starts_with(&header) || header.starts_with(&MAGIC));
        if !is_new {
            return Err(LogError::NotALog { path }.into());
        }
        let header = encode_header(&identity(None)?);
        let written = file
            .set_len(0)
            .and_then(|()| file.seek(SeekFrom::Start(0)))
            .and_then(|_| file.write_all(&header))
            .and_then(|()| file.sync_all())
            .and_then(|()| sync_folder(folder))
            .and_then(|()| sync_folder(&folder.join("..")));
        written.map_err(failed)?;
        let medium = Medium::File { path, file, _lock: Some(lock) };
        Ok(Self { medium, len: HEADER_BYTES, is_read_only: false, is_closed: false })
    }

    /// Reads every frame from `start` on (or from the first), in order, and cuts off a frame that a crash left
    /// unfinished. Returns how many bytes were cut off.
    ///
    /// # Errors
    ///
    /// Returns [`LogError::Damaged`], [`LogError::Io`], or [`LogError::Unfinished`] where the log is opened to read, and
    /// whatever `each` returns.
    pub fn scan<E: From<LogError>>(
        &mut self,
        start: Option<u64>,
        mut each: impl FnMut(Location, &[u8]) -> Result<(), E>,
    ) -> Result<u64, E> {
        let mut offset = start.unwrap_or(HEADER_BYTES);
        let Medium::File { path, file, .. } = &mut self.medium else { return Ok(0) };
        let failed = |source| LogError::Io { path: path.clone(), source };
        file.seek(SeekFrom::Start(offset)).map_err(failed)?;
        let mut reader = BufReader::with_capacity(1 << 20, &*file);
        let mut payload = Vec::new();
        loop {
            match read_frame(&mut reader, self.len - offset, &mut payload).map_err(failed)? {
                Frame::End => break,
                Frame::Whole => {
                    let len = u32::try_from(payload.len()).unwrap_or(PAYLOAD_BYTES_MAX);
                    let location = Location { offset, len };
                    each(location, &payload)?;
                    offset = location.end();
                }
                Frame::Unfinished => break,
                Frame::Damaged(reason) => {
                    return Err(LogError::Damaged { path: path.clone(), offset, reason }.into());
                }
            }
        }
        let cut = self.len - offset;
        if cut > 0 && self.is_read_only {
            return Err(LogError::Unfinished { path: path.clone(), offset }.into());
        }
        if cut > 0 {
            self.truncate(offset)?;
        }
        Ok(cut)
    }

    /// Appends a payload. When this returns, it is on disk.
    ///
    /// # Errors
    ///
    /// Returns [`LogError::Io`] when writing failed; the log is then as before, or closed if that failed too.
    /// Returns [`LogError::Closed`] when the log is closed.
    pub fn append(&mut self, payload: &[u8]) -> Result<Location, LogError> {
        let len = u32::try_from(payload.len()).unwrap_or(u32::MAX);
        let location = Location { offset: self.len, len };
        let header = frame_header(len, payload);
        match &mut self.medium {
            Medium::Memory(bytes) => {
                bytes.extend_from_slice(&header);
                bytes.extend_from_slice(payload);
            }
            Medium::File { path, file, .. } => {
                if self.is_closed {
                    return Err(LogError::Closed { path: path.clone() });
                }
                let mut frame = Vec::with_capacity(header.len() + payload.len());
                frame.extend_from_slice(&header);
                frame.extend_from_slice(payload);
                let written = file
                    .seek(SeekFrom::Start(self.len))
                    .and_then(|_| file.write_all(&frame))
                    .and_then(|()| file.sync_data());
                if let Err(source) = written {
                    let undone = file.set_len(self.len).and_then(|()| file.sync_all());
                    self.is_closed = undone.is_err();
                    return Err(LogError::Io { path: path.clone(), source });
                }
            }
        }
        self.len = location.end();
        Ok(location)
    }

    /// Reads the payload at `location`.
    ///
    /// # Errors
    ///
    /// Returns [`LogError::Damaged`] or [`LogError::Io`].
    pub fn read(&mut self, location: Location) -> Result<Vec<u8>, LogError> {
        let mut payload = Vec::new();
        match &mut self.medium {
            Medium::Memory(bytes) => {
                let start =
                    usize::try_from(location.offset + FRAME_HEADER_BYTES).unwrap_or(usize::MAX);
                let end = usize::try_from(location.end()).unwrap_or(usize::MAX);
                payload.extend_from_slice(bytes.get(start..end).unwrap_or_default());
                Ok(payload)
            }
            Medium::File { path, file, .. } => {
                let failed = |source| LogError::Io { path: path.clone(), source };
                file.seek(SeekFrom::Start(location.offset)).map_err(failed)?;
                let left = self.len.saturating_sub(location.offset);
                match read_frame(file, left, &mut payload).map_err(failed)? {
                    Frame::Whole => Ok(payload),
                    Frame::End | Frame::Unfinished | Frame::Damaged(_) => {
                        let (path, offset) = (path.clone(), location.offset);
                        Err(LogError::Damaged { path, offset, reason: "frame changed on disk" })
                    }
                }
            }
        }
    }

    /// Reads `len` bytes at the beginning of the payload at `location`, without checking them.
    ///
    /// # Errors
    ///
    /// Returns [`LogError::Io`].
    pub fn read_prefix(&mut self, location: Location, out: &mut [u8]) -> Result<(), LogError> {
        let offset = location.offset + FRAME_HEADER_BYTES;
        match &mut self.medium {
            Medium::Memory(bytes) => {
                let start = usize::try_from(offset).unwrap_or(usize::MAX);
                let source = bytes.get(start..).unwrap_or_default();
                let len = out.len().min(source.len());
                out[..len].copy_from_slice(&source[..len]);
                Ok(())
            }
            Medium::File { path, file, .. } => file
                .seek(SeekFrom::Start(offset))
                .and_then(|_| file.read_exact(out))
                .map_err(|source| LogError::Io { path: path.clone(), source }),
        }
    }

    /// Cuts the log off at `offset`, where a frame begins. When this returns, the cut is on disk.
    ///
    /// # Errors
    ///
    /// Returns [`LogError::Io`]; the log is closed then.
    pub fn truncate(&mut self, offset: u64) -> Result<(), LogError> {
        match &mut self.medium {
            Medium::Memory(bytes) => bytes.truncate(usize::try_from(offset).unwrap_or(usize::MAX)),
            Medium::File { path, file, .. } => {
                if let Err(source) = file.set_len(offset).and_then(|()| file.sync_all()) {
                    // Nobody knows how long the file is now.
                    self.is_closed = true;
                    return Err(LogError::Io { path: path.clone(), source });
                }
            }
        }
        self.len = offset;
        Ok(())
    }

    /// Returns the length of the log in bytes.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Returns whether the log holds no block.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len <= HEADER_BYTES
    }
}

/// Takes the lock of a folder, which the operating system releases when the process ends in any way.
fn lock(folder: &Path) -> Result<File, LogError> {
    let path = folder.join(LOCK_FILE);
    let failed = |source| LogError::Io { path: path.clone(), source };
    let file =
        OpenOptions::new().write(true).create(true).truncate(false).open(&path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            let folder = folder.to_owned();
            // Whoever writes lets nobody share.
            let is_read = file.try_lock_shared().is_ok();
            Err(if is_read {
                LogError::InUseByReaders { folder }
            } else {
                LogError::InUse { folder }
            })
        }
        Err(TryLockError::Error(source)) => Err(failed(source)),
    }
}

/// Makes the names in a folder durable.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

fn encode_header(identity: &LogIdentity) -> Vec<u8> {
    let mut out = Vec::with_capacity(HEADER_LEN);
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&identity.chain_id.to_le_bytes());
    out.extend_from_slice(&identity.genesis_time_unix_s.to_le_bytes());
    out.extend_from_slice(&identity.gas_limit.to_le_bytes());
    out.extend_from_slice(identity.genesis_hash.as_slice());
    out.extend_from_slice(&crc32fast::hash(&out).to_le_bytes());
    out
}

fn decode_header(bytes: &[u8]) -> Option<LogIdentity> {
    let (body, crc) = bytes.split_last_chunk::<4>()?;
    if crc32fast::hash(body) != u32::from_le_bytes(*crc) {
        return None;
    }
    let rest = body.strip_prefix(&MAGIC)?;
    let (chain_id, rest) = rest.split_first_chunk::<8>()?;
    let (time, rest) = rest.split_first_chunk::<8>()?;
    let (gas_limit, rest) = rest.split_first_chunk::<8>()?;
    Some(LogIdentity {
        chain_id: u64::from_le_bytes(*chain_id),
        genesis_time_unix_s: u64::from_le_bytes(*time),
        gas_limit: u64::from_le_bytes(*gas_limit),
        genesis_hash: B256::from(<[u8; 32]>::try_from(rest).ok()?),
    })
}

fn frame_header(len: u32, payload: &[u8]) -> [u8; FRAME_HEADER_LEN] {
    let mut header = [0; FRAME_HEADER_LEN];
    header[..4].copy_from_slice(&len.to_le_bytes());
    header[4..8].copy_from_slice(&crc32fast::hash(&len.to_le_bytes()).to_le_bytes());
    header[8..].copy_from_slice(&crc32fast::hash(payload).to_le_bytes());
    header
}

#[derive(Debug, PartialEq, Eq)]
enum Frame {
    /// Nothing is left.
    End,
    /// The payload is read.
    Whole,
    /// What is left is how a crash leaves the last frame.
    Unfinished,
    /// What is left does not check.
    Damaged(&'static str),
}

/// Reads one frame of which at most `left` bytes can be there.
fn read_frame(reader: &mut impl Read, left: u64, payload: &mut Vec<u8>) -> io::Result<Frame> {
    payload.clear();
    if left == 0 {
        return Ok(Frame::End);
    }
    if left < FRAME_HEADER_BYTES {
        return Ok(Frame::Unfinished);
    }
    let mut header = [0; FRAME_HEADER_LEN];
    reader.read_exact(&mut header)?;
    let word = |at: usize| [header[at], header[at + 1], header[at + 2], header[at + 3]];
    let len = u32::from_le_bytes(word(0));
    if crc32fast::hash(&word(0)) != u32::from_le_bytes(word(4)) {
        // After a loss of power the file may have grown without its bytes: zeros to the end.
        let is_blank = header.iter().all(|byte| *byte == 0) && rest_is_zero(reader)?;
        return Ok(if is_blank { Frame::Unfinished } else { Frame::Damaged("frame header") });
    }
    if len == 0 || len > PAYLOAD_BYTES_MAX {
        return Ok(Frame::Damaged("frame length"));
    }
    if u64::from(len) > left - FRAME_HEADER_BYTES {
        return Ok(Frame::Unfinished);
    }
    reader.take(u64::from(len)).read_to_end(payload)?;
    if crc32fast::hash(payload) == u32::from_le_bytes(word(8)) {
        return Ok(Frame::Whole);
    }
    let is_last = u64::from(len) == left - FRAME_HEADER_BYTES;
    let is_blank = payload.iter().rev().take(512).all(|byte| *byte == 0);
    Ok(if is_last && is_blank { Frame::Unfinished } else { Frame::Damaged("checksum") })
}

fn rest_is_zero(reader: &mut impl Read) -> io::Result<bool> {
    let mut chunk = [0; 8192];
    loop {
        match reader.read(&mut chunk)? {
            0 => return Ok(true),
            n if chunk[..n].iter().any(|byte| *byte != 0) => return Ok(false),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decode(mut bytes: &[u8]) -> (Vec<Vec<u8>>, Frame) {
        let mut payloads = Vec::new();
        loop {
            let mut payload = Vec::new();
            let left = bytes.len() as u64;
            match read_frame(&mut bytes, left, &mut payload).unwrap() {
                Frame::Whole => payloads.push(payload),
                end => return (payloads, end),
            }
        }
    }

    fn encode(payloads: &[Vec<u8>]) -> Vec<u8> {
        let frames = payloads.iter().map(|payload| {
            let header = frame_header(u32::try_from(payload.len()).unwrap(), payload);
            [header.as_slice(), payload].concat()
        });
        frames.collect::<Vec<_>>().concat()
    }

    fn payloads() -> impl Strategy<Value = Vec<Vec<u8>>> {
        // Payloads end as real ones do: not in half a kilobyte of zeros.
        let payload = prop::collection::vec(any::<u8>(), 1..80).prop_map(|mut payload| {
            payload.push(0xff);
            payload
        });
        prop::collection::vec(payload, 1..6)
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            decode(&bytes);
        }

        #[test]
        fn a_cut_anywhere_keeps_every_whole_frame(payloads in payloads(), cut in any::<prop::sample::Index>()) {
            let bytes = encode(&payloads);
            let cut = cut.index(bytes.len());
            let (read, end) = decode(&bytes[..cut]);
            prop_assert_eq!(&read[..], &payloads[..read.len()]);
            prop_assert_eq!(encode(&payloads[..read.len()]).len() == cut, end == Frame::End);
            prop_assert!(matches!(end, Frame::End | Frame::Unfinished));
        }

        #[test]
        fn a_changed_byte_is_found_and_never_taken_for_a_crash(
            payloads in payloads(), at in any::<prop::sample::Index>(), flip in 1u8..
        ) {
            let mut bytes = encode(&payloads);
            let at = at.index(bytes.len());
            bytes[at] ^= flip;
            let (read, end) = decode(&bytes);
            prop_assert!(read.len() < payloads.len());
            prop_assert!(matches!(end, Frame::Damaged(_)), "{:?}", end);
        }
    }
}
