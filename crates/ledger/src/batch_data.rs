//! What a batch published, found wherever it is: in the transaction, at a beacon node, in an archive.

use alloy_primitives::B256;
use alloy_sol_types::SolCall;
use gridtally_core::explanations;
use gridtally_settlement::{
    BlobBytes, BlobPlace, DataKind, Published, blobs_hash, calldata_hash, open_element,
};
use tracing::warn;

use crate::abi::batch::BatchSettlement;
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
    #[error(transparent)]
    Blobs(#[from] BlobSourceError),
}

explanations! {
    DataError {
        Endpoint(error);
        Blobs(error);
    }
}

/// What a batch published, compared with the data hash in its header.
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

    /// Returns what shows the record at an index of the published data, or `None` where there is none.
    #[must_use]
    pub fn evidence(&self, index: u32) -> Option<DataEvidence<'_>> {
        match self {
            Self::Calldata(data) => Some(DataEvidence::Calldata(data)),
            Self::Blobs { blobs, versioned_hashes } => {
                let place = BlobPlace::of(index as usize);
                let opening = open_element(blobs.get(place.blob)?, place.element).ok()?;
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
            DataKind::Calldata => Ok(self.calldata_of(batch).await?.map(BatchData::Calldata)),
            DataKind::Blob => self.blobs_of(batch, sources).await,
            _ => Ok(None),
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

    async fn blobs_of(
        &self,
        batch: &TrackedBatch,
        sources: &[BlobSource],
    ) -> Result<Option<BatchData>, DataError> {
        let Some(sent) = self.client().transaction(batch.transaction).await? else {
            return Ok(None);
        };
        let versioned_hashes = sent.blob_versioned_hashes;
        // An endpoint that names other hashes than the contract saw.
        if blobs_hash(&versioned_hashes) != batch.header.data_hash {
            return Ok(None);
        }
        let mut failure = None;
        for source in sources {
            match source.blobs(&versioned_hashes, batch.header.committed_at).await {
                Ok(Some(blobs)) => return Ok(Some(BatchData::Blobs { blobs, versioned_hashes })),
                Ok(None) => {}
                Err(error) => {
                    warn!(seq = batch.header.seq, %error, "blobs not found here");
                    failure = Some(error);
                }
            }
        }
        failure.map_or(Ok(None), |error| Err(error.into()))
    }
}
