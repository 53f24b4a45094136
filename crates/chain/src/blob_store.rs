//! The blobs of recent blocks, which the chain keeps for as long as consensus does.
//!
//! ```text
//! blobs/<number>.blobs | magic 8 | time 8 | block hash 32 | crc32 of the blobs 4 | blob 131,072 | blob | …
//! ```
//!
//! Integers are little-endian. A file is on disk before its block is in the log, so a block that was acknowledged has its
//! blobs; a file without its block is what a crash left behind, and goes when the chain is opened to write.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Read, Write},
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use alloy_eips::eip4844::{BYTES_PER_BLOB, Blob};
use alloy_primitives::B256;

use crate::{
    archive::Archive, block::SealedBlock, block_log::sync_folder, explanation::explanations,
    genesis::BLOB_PARAMS,
};

/// How long blobs are kept after their block, in seconds of the chain's time: 4,096 epochs of 32 slots of 12 seconds, as
/// consensus asks of its clients.
pub const BLOB_RETENTION_S: u64 = 4_096 * 32 * 12;

/// Name of the folder with blobs in the folder of a chain.
const FOLDER: &str = "blobs";
const EXTENSION: &str = "blobs";
const MAGIC: [u8; 8] = *b"gtblobs1";
const HEADER_LEN: usize = 52;

/// Why blobs cannot be kept or read.
#[derive(Debug, thiserror::Error)]
pub enum BlobStoreError {
    /// A file is not what was written.
    #[error("{} is damaged: {reason}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What does not check.
        reason: &'static str,
    },
    /// A file cannot be read or written.
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
    BlobStoreError {
        Damaged: "chain-blobs-damaged" "a file with the blobs of a block does not check"
            "restore it from a copy; without it only these blobs are missing";
        Io: "chain-blobs-io" "a file with blobs cannot be read or written"
            "check the path, the permissions and the room on the disk";
    }
}

/// The blobs of recent blocks, in order of their transactions.
#[derive(Debug)]
pub(crate) struct BlobStore {
    /// Nothing for a chain that is lost with the process.
    folder: Option<PathBuf>,
    kept: Mutex<BTreeMap<u64, Kept>>,
}

#[derive(Debug)]
struct Kept {
    time_s: u64,
    /// In memory, for a chain without a folder.
    blobs: Option<Vec<Blob>>,
}

impl BlobStore {
    /// Opens what the folder of a chain holds of the blocks in `archive`. What belongs to none of them is removed, unless
    /// the chain is opened to read.
    pub(crate) fn open(
        folder: Option<&Path>,
        archive: &Archive,
        is_read_only: bool,
    ) -> Result<Self, BlobStoreError> {
        let folder = folder.map(|folder| folder.join(FOLDER));
        let mut kept = BTreeMap::new();
        for path in folder.as_deref().map(files).transpose()?.unwrap_or_default() {
            let number = number_of(&path);
            let found = number.and_then(|number| Some((number, read_header(&path).ok()??)));
            match found {
                Some((number, header)) if archive.hash(number) == Some(header.block_hash) => {
                    kept.insert(number, Kept { time_s: header.time_s, blobs: None });
                }
                _ if is_read_only => {}
                _ => remove(&path)?,
            }
        }
        Ok(Self { folder, kept: Mutex::new(kept) })
    }

    /// Keeps the blobs of a block. When this returns, they are on disk.
    pub(crate) fn keep(&self, block: &SealedBlock, blobs: Vec<Blob>) -> Result<(), BlobStoreError> {
        if blobs.is_empty() {
            return Ok(());
        }
        let time_s = block.header.timestamp;
        let blobs = match &self.folder {
            None => Some(blobs),
            Some(folder) => {
                write(folder, block, &blobs)?;
                None
            }
        };
        self.kept().insert(block.number(), Kept { time_s, blobs });
        Ok(())
    }

    /// Forgets the blobs of every block after `number`.
    pub(crate) fn truncate_after(&self, number: u64) -> Result<(), BlobStoreError> {
        let gone = self.kept().split_off(&(number + 1));
        self.remove_files(gone.into_keys())
    }

    /// Forgets blobs that are older than consensus keeps them, given the time on the chain in seconds since 1970.
    pub(crate) fn prune(&self, now_s: u64) -> Result<(), BlobStoreError> {
        let mut gone = Vec::new();
        {
            let mut kept = self.kept();
            while let Some(oldest) = kept.first_entry()
                && oldest.get().time_s.saturating_add(BLOB_RETENTION_S) < now_s
            {
                gone.push(oldest.remove_entry().0);
            }
        }
        self.remove_files(gone.into_iter())
    }

    /// Returns the blobs of a block, or `None` where it has none or they are no longer kept.
    pub(crate) fn blobs(&self, block: &SealedBlock) -> Result<Option<Vec<Blob>>, BlobStoreError> {
        let number = block.number();
        match (self.kept().get(&number), &self.folder) {
            (None, _) => return Ok(None),
            (Some(Kept { blobs: Some(blobs), .. }), _) => return Ok(Some(blobs.clone())),
            (Some(_), None) => return Ok(None),
            (Some(_), Some(_)) => {}
        }
        let Some(path) = self.path(number) else { return Ok(None) };
        match read(&path, block.hash) {
            // Pruned in the same moment.
            Err(BlobStoreError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                Ok(None)
            }
            read => read.map(Some),
        }
    }

    fn remove_files(&self, numbers: impl Iterator<Item = u64>) -> Result<(), BlobStoreError> {
        for path in numbers.filter_map(|number| self.path(number)) {
            remove(&path)?;
        }
        Ok(())
    }

    fn path(&self, number: u64) -> Option<PathBuf> {
        self.folder.as_deref().map(|folder| file_of(folder, number))
    }

    fn kept(&self) -> MutexGuard<'_, BTreeMap<u64, Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct FileHeader {
    time_s: u64,
    block_hash: B256,
    crc: u32,
}

fn file_of(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number}.{EXTENSION}"))
}

fn number_of(path: &Path) -> Option<u64> {
    (path.extension()? == EXTENSION).then(|| path.file_stem()?.to_str()?.parse().ok())?
}

/// Returns the files in a folder, none where it does not exist.
fn files(folder: &Path) -> Result<Vec<PathBuf>, BlobStoreError> {
    let failed = |source| BlobStoreError::Io { path: folder.to_owned(), source };
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(failed)?,
    };
    entries.map(|entry| entry.map(|entry| entry.path()).map_err(failed)).collect()
}

fn remove(path: &Path) -> Result<(), BlobStoreError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed.map_err(|source| BlobStoreError::Io { path: path.to_owned(), source }),
    }
}

fn write(folder: &Path, block: &SealedBlock, blobs: &[Blob]) -> Result<(), BlobStoreError> {
    let path = file_of(folder, block.number());
    let written = || -> io::Result<()> {
        fs::create_dir_all(folder)?;
        let mut crc = crc32fast::Hasher::new();
        blobs.iter().for_each(|blob| crc.update(blob.as_slice()));
        let mut file = File::create(&path)?;
        file.write_all(&MAGIC)?;
        file.write_all(&block.header.timestamp.to_le_bytes())?;
        file.write_all(block.hash.as_slice())?;
        file.write_all(&crc.finalize().to_le_bytes())?;
        blobs.iter().try_for_each(|blob| file.write_all(blob.as_slice()))?;
        file.sync_all()?;
        sync_folder(folder)
    };
    written().map_err(|source| {
        // Half a file would be passed over anyway.
        drop(fs::remove_file(&path));
        BlobStoreError::Io { path: path.clone(), source }
    })
}

/// Returns the header of a file, or `None` where it does not begin with one.
fn read_header(path: &Path) -> io::Result<Option<FileHeader>> {
    let mut bytes = Vec::with_capacity(HEADER_LEN);
    File::open(path)?.take(HEADER_LEN as u64).read_to_end(&mut bytes)?;
    Ok(decode_header(&bytes))
}

fn decode_header(bytes: &[u8]) -> Option<FileHeader> {
    let (magic, rest) = bytes.split_first_chunk::<8>()?;
    let (time, rest) = rest.split_first_chunk::<8>()?;
    let (block_hash, rest) = rest.split_first_chunk::<32>()?;
    let crc = rest.first_chunk::<4>()?;
    (*magic == MAGIC).then(|| FileHeader {
        time_s: u64::from_le_bytes(*time),
        block_hash: B256::from(block_hash),
        crc: u32::from_le_bytes(*crc),
    })
}

fn read(path: &Path, block_hash: B256) -> Result<Vec<Blob>, BlobStoreError> {
    let failed = |source| BlobStoreError::Io { path: path.to_owned(), source };
    let damaged = |reason| BlobStoreError::Damaged { path: path.to_owned(), reason };
    let blobs_max = usize::try_from(BLOB_PARAMS.max_blob_count).unwrap_or(usize::MAX);
    let len_max = BYTES_PER_BLOB.saturating_mul(blobs_max).saturating_add(HEADER_LEN);
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(failed)?;
    file.take((len_max as u64).saturating_add(1)).read_to_end(&mut bytes).map_err(failed)?;
    let header = decode_header(&bytes).ok_or(damaged("it does not begin as a file of blobs"))?;
    let body = &bytes[HEADER_LEN..];
    if bytes.len() > len_max || !body.len().is_multiple_of(BYTES_PER_BLOB) {
        return Err(damaged("its length is not that of whole blobs"));
    }
    if header.block_hash != block_hash {
        return Err(damaged("it belongs to another block"));
    }
    if crc32fast::hash(body) != header.crc {
        return Err(damaged("its checksum differs"));
    }
    Ok(body.chunks_exact(BYTES_PER_BLOB).map(Blob::from_slice).collect())
}
