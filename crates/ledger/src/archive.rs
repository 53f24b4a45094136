//! The archive of what batches published, kept for as long as the law asks for: blobs leave the chain after some 18 days.
//!
//! A folder, or a bucket of S3-compatible object storage, with a file for each thing, named by the hash by which the chain knows
//! it. So nothing can be overwritten with something else, copies of several hubs can be merged by copying, and whoever reads
//! checks.
//!
//! ```text
//! <versioned hash>.blob    131,072 bytes
//! <data hash>.blobs        the versioned hashes of the blobs of a transaction, 32 bytes each
//! <data hash>.calldata     the records
//! <data hash>.snapshot     accounts in calldata
//! <header hash>.header     640 bytes, as the contract hashes them
//! <record root>.leaves     the leaves over the records, 34 bytes each
//! <record root>-<hash of the content>.signatures
//! ```

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use alloy_primitives::{B256, FixedBytesSliceExt as _};
use gridtally_core::explanations;
use gridtally_settlement::{
    BLOB_LENGTH, BLOBS_MAX, BlobBytes, CALLDATA_RECORDS_MAX, Record, blobs_hash, calldata_hash,
    snapshot_hash, versioned_hashes,
};

use crate::archive_bucket::{ArchiveBucket, BucketError};
use crate::archive_folder::ArchiveFolder;

/// Bytes of the longest transaction that clients take.
const SNAPSHOT_LENGTH_MAX: usize = 128 << 10;
const CALLDATA_LENGTH_MAX: usize = CALLDATA_RECORDS_MAX as usize * Record::LENGTH;

/// Why an archive cannot be used, in order of precedence.
#[derive(Debug, thiserror::Error)]
pub enum BatchArchiveError {
    /// The content of a file does not have the hash in its name.
    #[error("{place} is not what its name says")]
    Differs {
        /// The file.
        place: String,
    },
    /// There is no room for a file. Nothing of it is left.
    #[error("{place}: no room: {source}")]
    Full {
        /// The file.
        place: String,
        /// What the operating system says.
        #[source]
        source: io::Error,
    },
    /// A file may not be read or written.
    #[error("{place}: not allowed: {source}")]
    Denied {
        /// The file.
        place: String,
        /// What the operating system says.
        #[source]
        source: io::Error,
    },
    /// A file cannot be read or written.
    #[error("{place}: {source}")]
    Io {
        /// The file.
        place: String,
        /// What the operating system says.
        #[source]
        source: io::Error,
    },
    /// A bucket cannot be used.
    #[error("{0}")]
    Bucket(#[from] BucketError),
}

explanations! {
    BatchArchiveError {
        Differs: "archive-differs" "a file of the archive of batches is damaged, or was exchanged"
            "restore the file from another copy of the archive";
        Full: "archive-full" "the disk or the quota of the archive of batches is full; nothing was committed"
            "make room, then do the same again: what is archived already stays";
        Denied: "archive-denied" "the folder of the archive of batches is read-only, or belongs to somebody else; nothing was committed"
            "give the user of the program the right to read and write it, then do the same again";
        Io: "archive-io" "a file of the archive of batches cannot be read or written"
            "check the path and the disk";
        Bucket(error);
    }
}

/// What batches published, in a folder or a bucket.
#[derive(Debug, Clone)]
pub struct BatchArchive {
    place: Place,
}

/// Where the files are.
#[derive(Debug, Clone)]
enum Place {
    Folder(ArchiveFolder),
    Bucket(Arc<ArchiveBucket>),
}

impl BatchArchive {
    /// Returns the archive in a folder, which is made with the first file.
    #[must_use]
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { place: Place::Folder(ArchiveFolder::new(folder)) }
    }

    /// Returns the archive in a bucket of object storage, which must be there.
    #[must_use]
    pub fn in_bucket(bucket: ArchiveBucket) -> Self {
        Self { place: Place::Bucket(Arc::new(bucket)) }
    }

    /// Keeps the blobs of a transaction. When this returns, they are stored; those that are there already are left as they are.
    ///
    /// # Errors
    ///
    /// Returns a [`BatchArchiveError`], [`BatchArchiveError::Differs`] where a file of this name holds something else.
    pub async fn keep_blobs(
        &self,
        blobs: &[BlobBytes],
        hashes: &[B256],
    ) -> Result<(), BatchArchiveError> {
        for (blob, hash) in blobs.iter().zip(hashes) {
            self.keep(&blob_name(*hash), &blob[..]).await?;
        }
        self.keep(&blobs_name(blobs_hash(hashes)), hashes.as_flattened()).await
    }

    /// Keeps calldata. When this returns, it is stored.
    ///
    /// # Errors
    ///
    /// As [`keep_blobs`](Self::keep_blobs).
    pub async fn keep_calldata(&self, data: &[u8]) -> Result<(), BatchArchiveError> {
        self.keep(&calldata_name(calldata_hash(data)), data).await
    }

    /// Returns blobs in the order of their hashes, or `None` where one is not here.
    ///
    /// # Errors
    ///
    /// Returns a [`BatchArchiveError`].
    pub async fn blobs(
        &self,
        hashes: &[B256],
    ) -> Result<Option<Vec<BlobBytes>>, BatchArchiveError> {
        let mut blobs = Vec::with_capacity(hashes.len());
        for hash in hashes {
            let name = blob_name(*hash);
            let Some(bytes) = self.read(&name, BLOB_LENGTH).await? else { return Ok(None) };
            let blob: Result<BlobBytes, _> = bytes.into_boxed_slice().try_into();
            blobs.push(blob.map_err(|_| self.differs(&name))?);
        }
        let work = move || {
            let computed = versioned_hashes(&blobs).unwrap_or_default();
            (blobs, computed)
        };
        // Some 0.05 s a blob, which must not hold up others.
        let (blobs, computed) = tokio::task::spawn_blocking(work).await.unwrap_or_default();
        let wrong = (0..hashes.len()).find(|place| computed.get(*place) != hashes.get(*place));
        match wrong {
            Some(place) => Err(self.differs(&blob_name(hashes[place]))),
            None => Ok(Some(blobs)),
        }
    }

    /// Returns the calldata with this data hash, or `None` where it is not here.
    ///
    /// # Errors
    ///
    /// Returns a [`BatchArchiveError`].
    pub async fn calldata(&self, data_hash: B256) -> Result<Option<Vec<u8>>, BatchArchiveError> {
        let name = calldata_name(data_hash);
        let Some(data) = self.read(&name, CALLDATA_LENGTH_MAX).await? else { return Ok(None) };
        if calldata_hash(&data) != data_hash {
            return Err(self.differs(&name));
        }
        Ok(Some(data))
    }

    /// Returns the versioned hashes of the blobs with this data hash, or `None` where they are not here.
    ///
    /// # Errors
    ///
    /// Returns a [`BatchArchiveError`].
    pub async fn blob_hashes(
        &self,
        data_hash: B256,
    ) -> Result<Option<Vec<B256>>, BatchArchiveError> {
        let name = blobs_name(data_hash);
        let Some(bytes) = self.read(&name, BLOBS_MAX * B256::len_bytes()).await? else {
            return Ok(None);
        };
        let (hashes, rest) = bytes.as_chunks();
        let hashes: Vec<B256> = hashes.iter().map(B256::from).collect();
        if !rest.is_empty() || blobs_hash(&hashes) != data_hash {
            return Err(self.differs(&name));
        }
        Ok(Some(hashes))
    }

    /// Keeps a part of a snapshot that is published in calldata. When this returns, it is stored.
    ///
    /// # Errors
    ///
    /// As [`keep_blobs`](Self::keep_blobs).
    pub async fn keep_snapshot(&self, data: &[u8]) -> Result<(), BatchArchiveError> {
        self.keep(&snapshot_name(snapshot_hash(data)), data).await
    }

    /// Returns the part of a snapshot in calldata with this data hash, or `None` where it is not here.
    ///
    /// # Errors
    ///
    /// Returns a [`BatchArchiveError`].
    pub async fn snapshot(&self, data_hash: B256) -> Result<Option<Vec<u8>>, BatchArchiveError> {
        let name = snapshot_name(data_hash);
        let Some(data) = self.read(&name, SNAPSHOT_LENGTH_MAX).await? else { return Ok(None) };
        if snapshot_hash(&data) != data_hash {
            return Err(self.differs(&name));
        }
        Ok(Some(data))
    }

    /// Keeps a file under a name that says what is in it.
    pub(crate) async fn keep(&self, name: &str, bytes: &[u8]) -> Result<(), BatchArchiveError> {
        match &self.place {
            Place::Folder(folder) => folder.keep(name, bytes),
            Place::Bucket(bucket) => bucket.keep(name, bytes).await,
        }
    }

    /// Returns the bytes of a file, more than `length_max` only to show that there are too many, or `None` where it is not there.
    pub(crate) async fn read(
        &self,
        name: &str,
        length_max: usize,
    ) -> Result<Option<Vec<u8>>, BatchArchiveError> {
        match &self.place {
            Place::Folder(folder) => folder.read(name, length_max),
            Place::Bucket(bucket) => bucket.read(name, length_max).await,
        }
    }

    /// Returns the names that begin so, in order, and not many more than `count_max` of them.
    pub(crate) async fn names(
        &self,
        prefix: &str,
        count_max: usize,
    ) -> Result<Vec<String>, BatchArchiveError> {
        match &self.place {
            Place::Folder(folder) => folder.names(prefix),
            Place::Bucket(bucket) => Ok(bucket.names(prefix, count_max).await?),
        }
    }

    pub(crate) fn differs(&self, name: &str) -> BatchArchiveError {
        let place = match &self.place {
            Place::Folder(folder) => folder.shown(name),
            Place::Bucket(bucket) => bucket.shown(name),
        };
        BatchArchiveError::Differs { place }
    }
}

fn blob_name(hash: B256) -> String {
    format!("{hash}.blob")
}

fn blobs_name(data_hash: B256) -> String {
    format!("{data_hash}.blobs")
}

fn snapshot_name(data_hash: B256) -> String {
    format!("{data_hash}.snapshot")
}

fn calldata_name(data_hash: B256) -> String {
    format!("{data_hash}.calldata")
}
