//! What a batch published, found wherever it is: in the transaction, at a beacon node, in an archive.

use alloy_primitives::B256;
use alloy_sol_types::SolCall;
use gridtally_core::explanations;
use gridtally_settlement::{
    BlobBytes, BlobPlace, DataKind, Published, SNAPSHOT_ACCOUNTS_PER_BLOB,
    SNAPSHOT_ACCOUNTS_PER_ELEMENT, SnapshotData, blobs_hash, calldata_hash, open_element,
};
use tracing::warn;

use crate::abi::batch::BatchSettlement;
use crate::archive::{BatchArchive, BatchArchiveError};
use crate::batch_call::DataEvidence;
use crate::batch_deploy::BatchLedger;
use crate::batch_view::TrackedBatch;
use crate::blob_source::{BlobSource, BlobSourceError};
use crate::endpoint::EndpointError;

/// Why published data cannot be asked for, in order of precedence.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// The endpoint failed.
    #[error("{0}")]
    Endpoint(#[from] EndpointError),
    /// Every place where the blobs were looked for failed; this is the last one's reason.
    #[error("{0}")]
    Blobs(#[from] BlobSourceError),
}

explanations! {
    DataError {
        Endpoint(error);
        Blobs(error);
    }
}

/// What a batch or a snapshot published, compared with the data hash that the contract keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BatchData {
    /// In calldata.
    Calldata(Vec<u8>),
    /// In blobs.
    Blobs {
        /// The blobs.
        blobs: Vec<BlobBytes>,
        /// The hash of each.
        versioned_hashes: Vec<B256>,
    },
}

impl BatchData {
    /// Returns the data as the rule engine takes it.
    #[must_use]
    pub fn published(&self) -> Published<'_> {
        match self {
            Self::Calldata(data) => Published::Calldata(data),
            Self::Blobs { blobs, .. } => Published::Blobs(blobs),
        }
    }

    /// Returns the data as a part of a snapshot.
    #[must_use]
    pub fn snapshot(&self) -> SnapshotData<'_> {
        match self {
            Self::Calldata(data) => SnapshotData::Calldata(data),
            Self::Blobs { blobs, .. } => SnapshotData::Blobs(blobs),
        }
    }

    /// Returns what shows the account at an index of a part of a snapshot, or `None` where there is none.
    #[must_use]
    pub fn snapshot_evidence(&self, index: usize) -> Option<DataEvidence<'_>> {
        let (blob, place) =
            (index / SNAPSHOT_ACCOUNTS_PER_BLOB, index % SNAPSHOT_ACCOUNTS_PER_BLOB);
        self.evidence_at(blob, place / SNAPSHOT_ACCOUNTS_PER_ELEMENT)
    }

    /// Returns what shows the record at an index of the published data, or `None` where there is none.
    #[must_use]
    pub fn evidence(&self, index: u32) -> Option<DataEvidence<'_>> {
        let place = BlobPlace::of(index as usize);
        self.evidence_at(place.blob, place.element)
    }

    pub(crate) fn evidence_at(&self, blob: usize, element: usize) -> Option<DataEvidence<'_>> {
        match self {
            Self::Calldata(data) => Some(DataEvidence::Calldata(data)),
            Self::Blobs { blobs, versioned_hashes } => {
                let opening = open_element(blobs.get(blob)?, element).ok()?;
                Some(DataEvidence::Blob { versioned_hashes, opening: Box::new(opening) })
            }
        }
    }
}

impl BatchLedger {
    /// Returns what a batch published, or `None` where nobody has it.
    ///
    /// # Errors
    ///
    /// Returns a [`DataError`]; of several sources, one that has the blobs is enough.
    pub async fn data_of(
        &self,
        batch: &TrackedBatch,
        sources: &[BlobSource],
    ) -> Result<Option<BatchData>, DataError> {
        match batch.header.data_kind {
            DataKind::Calldata => {
                let found = self.calldata_of(batch).await;
                if let Ok(Some(data)) = found {
                    return Ok(Some(BatchData::Calldata(data)));
                }
                // An endpoint that hides it, forgot it, or traces no calls.
                let data_hash = batch.header.data_hash;
                let work = async |archive: &BatchArchive| archive.calldata(data_hash).await;
                match from_archives(sources, work).await? {
                    Some(data) => Ok(Some(BatchData::Calldata(data))),
                    None => Ok(found?.map(BatchData::Calldata)),
                }
            }
            DataKind::Blob | DataKind::SealedBlob => {
                let TrackedBatch { header, transaction, .. } = batch;
                self.blobs_of(*transaction, header.data_hash, header.committed_at, sources).await
            }
        }
    }

    async fn calldata_of(&self, batch: &TrackedBatch) -> Result<Option<Vec<u8>>, EndpointError> {
        let inputs = self.inputs_of(batch.transaction, self.deployment().core).await?;
        let calls = inputs
            .iter()
            .filter_map(|input| BatchSettlement::commitCalldataCall::abi_decode(input).ok());
        let mut data = calls.map(|call| call.data.to_vec());
        Ok(data.find(|data| calldata_hash(data) == batch.header.data_hash))
    }

    /// Returns the blobs of a transaction, if they have this data hash. `time_s` is the time of its block.
    pub(crate) async fn blobs_of(
        &self,
        transaction: B256,
        data_hash: B256,
        time_s: u64,
        sources: &[BlobSource],
    ) -> Result<Option<BatchData>, DataError> {
        let sent = self.client().transaction(transaction).await;
        let sent = sent.map(|sent| sent.map(|sent| sent.blob_versioned_hashes));
        let versioned_hashes = match sent {
            Ok(Some(hashes)) if blobs_hash(&hashes) == data_hash => hashes,
            // An endpoint that hides the transaction, or names other hashes than the contract saw.
            other => {
                let work = async |archive: &BatchArchive| archive.blob_hashes(data_hash).await;
                match from_archives(sources, work).await? {
                    Some(hashes) => hashes,
                    None => return other.map(|_| None).map_err(Into::into),
                }
            }
        };
        let mut failure = None;
        for source in sources {
            match source.blobs(&versioned_hashes, time_s).await {
                Ok(Some(blobs)) => return Ok(Some(BatchData::Blobs { blobs, versioned_hashes })),
                Ok(None) => {}
                Err(error) => {
                    warn!(%transaction, %error, "blobs not found here");
                    failure = Some(error);
                }
            }
        }
        failure.map_or(Ok(None), |error| Err(error.into()))
    }
}

/// Returns what the first archive has of something. One that fails is passed over while another has it.
pub(crate) async fn from_archives<T>(
    sources: &[BlobSource],
    work: impl AsyncFn(&BatchArchive) -> Result<Option<T>, BatchArchiveError>,
) -> Result<Option<T>, BlobSourceError> {
    let mut failure = None;
    for archive in sources.iter().filter_map(BlobSource::archive) {
        match work(archive).await {
            Ok(Some(found)) => return Ok(Some(found)),
            Ok(None) => {}
            Err(error) => {
                warn!(%error, "not found here");
                failure = Some(error);
            }
        }
    }
    failure.map_or(Ok(None), |error| Err(error.into()))
}
