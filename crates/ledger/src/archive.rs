//! The archive of what batches published, kept for as long as the law asks for: blobs leave the chain after some 18 days.
//!
//! A folder with a file for each blob and each calldata, named by the hash by which the chain knows it. So nothing can be
//! overwritten with something else, copies of several hubs can be merged by copying, and whoever reads checks.
//!
//! ```text
//! <versioned hash>.blob    131,072 bytes
//! <data hash>.calldata     the records
//! <record root>-<hash of the content>.signatures
//! ```

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use alloy_primitives::B256;
use gridtally_core::explanations;
use gridtally_settlement::{
    BLOB_LENGTH, BlobBytes, CALLDATA_RECORDS_MAX, Record, calldata_hash, versioned_hashes,
};

const CALLDATA_LENGTH_MAX: usize = CALLDATA_RECORDS_MAX as usize * Record::LENGTH;

/// Why an archive cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BatchArchiveError {
    /// The content of a file does not have the hash in its name.
    #[error("{} is not what its name says", path.display())]
    Differs {
        /// The file.
        path: PathBuf,
    },
    /// A file cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        #[source]
        source: io::Error,
    },
}

explanations! {
    BatchArchiveError {
        Differs: "archive-differs" "a file of the archive of batches is damaged, or was exchanged"
            "restore the file from another copy of the archive";
        Io: "archive-io" "a file of the archive of batches cannot be read or written"
            "check the path, the permissions and the room on the disk";
    }
}

/// A folder with what batches published.
#[derive(Debug, Clone)]
pub struct BatchArchive {
    folder: PathBuf,
}

impl BatchArchive {
    /// Returns the archive in a folder, which is made with the first file.
    #[must_use]
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// Returns the folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Keeps blobs. When this returns, they are on disk; those that are there already are left as they are.
    ///
    /// # Errors
    ///
    /// Returns an [`BatchArchiveError`], [`BatchArchiveError::Differs`] where a file of this name holds something else.
    pub fn keep_blobs(
        &self,
        blobs: &[BlobBytes],
        hashes: &[B256],
    ) -> Result<(), BatchArchiveError> {
        for (blob, hash) in blobs.iter().zip(hashes) {
            self.keep(&self.blob_path(*hash), &blob[..])?;
        }
        Ok(())
    }

    /// Keeps calldata. When this returns, it is on disk.
    ///
    /// # Errors
    ///
    /// As [`keep_blobs`](Self::keep_blobs).
    pub fn keep_calldata(&self, data: &[u8]) -> Result<(), BatchArchiveError> {
        self.keep(&self.calldata_path(calldata_hash(data)), data)
    }

    /// Returns blobs in the order of their hashes, or `None` where one is not here.
    ///
    /// # Errors
    ///
    /// Returns an [`BatchArchiveError`].
    pub fn blobs(&self, hashes: &[B256]) -> Result<Option<Vec<BlobBytes>>, BatchArchiveError> {
        let mut blobs = Vec::with_capacity(hashes.len());
        for hash in hashes {
            let path = self.blob_path(*hash);
            let Some(bytes) = read(&path, BLOB_LENGTH)? else { return Ok(None) };
            let blob: Result<BlobBytes, _> = bytes.into_boxed_slice().try_into();
            blobs.push(blob.map_err(|_| BatchArchiveError::Differs { path })?);
        }
        let computed = versioned_hashes(&blobs).unwrap_or_default();
        let wrong = (0..hashes.len()).find(|place| computed.get(*place) != hashes.get(*place));
        match wrong {
            Some(place) => Err(BatchArchiveError::Differs { path: self.blob_path(hashes[place]) }),
            None => Ok(Some(blobs)),
        }
    }

    /// Returns the calldata with this data hash, or `None` where it is not here.
    ///
    /// # Errors
    ///
    /// Returns an [`BatchArchiveError`].
    pub fn calldata(&self, data_hash: B256) -> Result<Option<Vec<u8>>, BatchArchiveError> {
        let path = self.calldata_path(data_hash);
        let Some(data) = read(&path, CALLDATA_LENGTH_MAX)? else { return Ok(None) };
        if calldata_hash(&data) != data_hash {
            return Err(BatchArchiveError::Differs { path });
        }
        Ok(Some(data))
    }

    fn blob_path(&self, hash: B256) -> PathBuf {
        self.folder.join(format!("{hash}.blob"))
    }

    fn calldata_path(&self, data_hash: B256) -> PathBuf {
        self.folder.join(format!("{data_hash}.calldata"))
    }

    pub(crate) fn keep(&self, path: &Path, bytes: &[u8]) -> Result<(), BatchArchiveError> {
        match read(path, bytes.len())? {
            Some(found) if found == bytes => return Ok(()),
            Some(_) => return Err(BatchArchiveError::Differs { path: path.to_owned() }),
            None => {}
        }
        let failed = |source| BatchArchiveError::Io { path: path.to_owned(), source };
        fs::create_dir_all(&self.folder).map_err(failed)?;
        let mut file = tempfile::NamedTempFile::new_in(&self.folder).map_err(failed)?;
        file.write_all(bytes).and_then(|()| file.as_file().sync_all()).map_err(failed)?;
        match file.persist_noclobber(path) {
            Ok(_) => {}
            // Another hub was faster; what it wrote is compared.
            Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {
                return self.keep(path, bytes);
            }
            Err(error) => return Err(failed(error.error)),
        }
        File::open(&self.folder).and_then(|folder| folder.sync_all()).map_err(failed)
    }
}

/// Returns the bytes of a file, one more than `length_max` at most, or `None` where it does not exist.
pub(crate) fn read(path: &Path, length_max: usize) -> Result<Option<Vec<u8>>, BatchArchiveError> {
    let failed = |source| BatchArchiveError::Io { path: path.to_owned(), source };
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file.map_err(failed)?,
    };
    let mut bytes = Vec::new();
    file.take(length_max as u64 + 1).read_to_end(&mut bytes).map_err(failed)?;
    Ok(Some(bytes))
}
