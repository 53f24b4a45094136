//! The state and the index as of one block, in a file, so that a long log need not be read from its beginning.
//!
//! ```text
//! file | magic 8 | block number 8 | block hash 32 | end of its frame in the log 8 | state | index | crc32 4 |
//! ```
//!
//! The log remains the truth: a checkpoint that is missing, damaged, or of another chain is passed over, and the
//! whole log is read. A checkpoint is written beside the sealing of blocks when the log has grown enough since the
//! last one, under another name first, so that there is always a whole one.

pub(crate) mod codec;

use std::{
    fs::{self, File},
    io::{self, BufReader, BufWriter, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::JoinHandle,
};

use alloy_primitives::B256;

use self::codec::{Decoder, Encoder};
use crate::{
    archive::Archive,
    block_log::sync_folder,
    index::Index,
    state::{State, StateView},
};

pub use crate::state::checkpoint::WriteError;

/// Name of the checkpoint in the folder of a chain.
pub const CHECKPOINT_FILE: &str = "checkpoint";
/// Name under which it is written.
const NEW_FILE: &str = "checkpoint.new";
/// Bytes by which the log grows at least before another checkpoint is written: about a second of reading.
const GROWTH_MIN_BYTES: u64 = 24 << 20;

const MAGIC: [u8; 8] = *b"gtcheck2";
const CHECKSUM_BYTES: u64 = 4;
const BUFFER_BYTES: usize = 1 << 20;

/// What a checkpoint holds.
#[derive(Debug)]
pub(crate) struct Checkpoint {
    pub(crate) number: u64,
    pub(crate) hash: B256,
    /// Where the log goes on after the block.
    pub(crate) log_end: u64,
    pub(crate) state: State,
    pub(crate) index: Index,
}

impl Checkpoint {
    /// Reads the checkpoint in `folder`, or nothing when there is none that checks.
    pub(crate) fn read(folder: &Path) -> Option<Self> {
        let path = folder.join(CHECKPOINT_FILE);
        match read(&path) {
            Ok(checkpoint) => Some(checkpoint),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "checkpoint passed over");
                None
            }
        }
    }
}

fn read(path: &Path) -> io::Result<Checkpoint> {
    let mut file = File::open(path)?;
    check_sum(&mut file)?;
    file.seek(SeekFrom::Start(0))?;
    let mut input = Decoder::new(BufReader::with_capacity(BUFFER_BYTES, file));
    if input.fixed()? != MAGIC {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let number = u64::from_le_bytes(input.fixed()?);
    let hash = B256::from(input.fixed()?);
    let log_end = u64::from_le_bytes(input.fixed()?);
    let state = State::decode(number, &mut input)?;
    let index = Index::decode(number, &mut input)?;
    Ok(Checkpoint { number, hash, log_end, state, index })
}

/// Compares the checksum at the end of the file with what comes before it.
fn check_sum(file: &mut File) -> io::Result<()> {
    let len = file.metadata()?.len();
    let body = len.checked_sub(CHECKSUM_BYTES).ok_or(io::ErrorKind::InvalidData)?;
    let mut input = BufReader::with_capacity(BUFFER_BYTES, file);
    let mut checksum = crc32fast::Hasher::new();
    let mut chunk = vec![0; BUFFER_BYTES];
    let mut left = body;
    while left > 0 {
        let part = usize::try_from(left).unwrap_or(usize::MAX).min(chunk.len());
        input.read_exact(&mut chunk[..part])?;
        checksum.update(&chunk[..part]);
        left -= part as u64;
    }
    let mut expected = [0; 4];
    input.read_exact(&mut expected)?;
    if checksum.finalize() == u32::from_le_bytes(expected) {
        Ok(())
    } else {
        Err(io::ErrorKind::InvalidData.into())
    }
}

/// Writes a checkpoint of the state that `view` shows.
fn write(
    folder: &Path,
    archive: &Archive,
    view: &StateView,
    is_cancelled: &AtomicBool,
) -> Result<(), WriteError> {
    let path = folder.join(NEW_FILE);
    if let Err(error) = write_file(&path, archive, view, is_cancelled) {
        // What is left of it would be overwritten by the next one in any case.
        drop(fs::remove_file(&path));
        return Err(error);
    }
    fs::rename(&path, folder.join(CHECKPOINT_FILE))?;
    Ok(sync_folder(folder)?)
}

fn write_file(
    path: &Path,
    archive: &Archive,
    view: &StateView,
    is_cancelled: &AtomicBool,
) -> Result<(), WriteError> {
    let number = view.number();
    let (Some(hash), Some(log_end)) = (archive.hash(number), archive.log_end(number)) else {
        // The first block is in no log, and a block that was reverted is gone.
        return Err(WriteError::Cancelled);
    };
    let mut out = Encoder::new(BufWriter::with_capacity(BUFFER_BYTES, File::create(path)?));
    out.fixed(&MAGIC)?;
    out.fixed(&number.to_le_bytes())?;
    out.fixed(hash.as_slice())?;
    out.fixed(&log_end.to_le_bytes())?;
    view.encode(&mut out, || is_cancelled.load(Ordering::Relaxed))?;
    archive.encode_index(number, &mut out)?;
    let file = out.finish()?.into_inner().map_err(io::IntoInnerError::into_error)?;
    Ok(file.sync_all()?)
}

/// Writes checkpoints, one at a time.
#[derive(Debug)]
pub(crate) struct Checkpointer {
    folder: Option<PathBuf>,
    /// How far in the log the last checkpoint reaches.
    covered: Arc<AtomicU64>,
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    is_cancelled: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Checkpointer {
    /// Returns what writes checkpoints to `folder`, of which one reaches to `covered` in the log already.
    pub(crate) fn new(folder: Option<PathBuf>, covered: u64) -> Self {
        Self { folder, covered: Arc::new(AtomicU64::new(covered)), running: None }
    }

    /// Begins a checkpoint on a thread of its own when the log, which is `log_len` long, has grown enough. The more
    /// it holds, the more it has to grow: writing stays a fixed part of the work.
    pub(crate) fn consider(
        &mut self,
        log_len: u64,
        begin: impl FnOnce() -> Option<(Arc<Archive>, StateView)>,
    ) {
        // The log is shorter after a revert.
        let covered = self.covered.fetch_min(log_len, Ordering::Relaxed).min(log_len);
        let growth = (covered / 8).max(GROWTH_MIN_BYTES);
        let is_running = self.running.as_ref().is_some_and(|running| !running.thread.is_finished());
        if log_len < covered.saturating_add(growth) || is_running {
            return;
        }
        let Some(folder) = self.folder.clone() else { return };
        let Some((archive, view)) = begin() else { return };
        let is_cancelled = Arc::new(AtomicBool::new(false));
        let (reached, told) = (Arc::clone(&self.covered), Arc::clone(&is_cancelled));
        let work = move || match write(&folder, &archive, &view, &told) {
            Err(WriteError::Cancelled) => {}
            written => {
                match written {
                    Ok(()) => tracing::info!(number = view.number(), "checkpoint written"),
                    Err(error) => tracing::warn!(%error, "no checkpoint was written"),
                }
                // After a failure, the next attempt comes after as much growth again.
                reached.store(log_len, Ordering::Relaxed);
            }
        };
        match std::thread::Builder::new().name("chain-checkpoint".to_owned()).spawn(work) {
            Ok(thread) => self.running = Some(Running { is_cancelled, thread }),
            Err(error) => tracing::warn!(%error, "no checkpoint was written"),
        }
    }

    /// Writes a checkpoint now. A chain that is not kept on disk needs none, nor does one without blocks.
    pub(crate) fn write_now(
        &mut self,
        archive: &Archive,
        view: &StateView,
    ) -> Result<(), WriteError> {
        self.stop();
        let Some(folder) = self.folder.as_ref().filter(|_| view.number() > 0) else {
            return Ok(());
        };
        write(folder, archive, view, &AtomicBool::new(false))?;
        self.covered.store(archive.log_len(), Ordering::Relaxed);
        Ok(())
    }

    /// Gives up a checkpoint that is being written.
    pub(crate) fn stop(&mut self) {
        let Some(Running { is_cancelled, thread }) = self.running.take() else { return };
        is_cancelled.store(true, Ordering::Relaxed);
        if thread.join().is_err() {
            tracing::error!("the checkpoint thread panicked");
        }
    }
}
