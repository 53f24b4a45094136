//! How the records of a batch are published: in blobs or in calldata, whichever is cheaper on this chain now.

use std::sync::Arc;

use gridtally_core::explanations;
use gridtally_settlement::{
    BLOBS_MAX, BatchCommitment, BlobMalformed, CALLDATA_RECORDS_MAX, RECORDS_PER_BLOB, Record,
    pack_blobs, pack_calldata,
};
use tracing::debug;

use crate::archive::{BatchArchive, BatchArchiveError};
use crate::batch_deploy::BatchLedger;
use crate::blob_sidecar::BlobSidecar;
use crate::client::GasPrice;
use crate::endpoint::EndpointError;
use crate::sender::Call;

/// Gas of a blob (EIP-4844).
const BLOB_GAS: u128 = 131_072;
/// Gas of a byte of calldata that is zero, and of another: the floor price of EIP-7623.
const ZERO_BYTE_GAS: u128 = 10;
const BYTE_GAS: u128 = 40;

/// Records that calldata may hold.
const CALLDATA_MAX: usize = CALLDATA_RECORDS_MAX as usize;

/// How records are published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Publication {
    /// In blobs where the chain takes them and they cost less, otherwise in calldata.
    #[default]
    Cheapest,
    /// In calldata, on chains without blobs for example.
    Calldata,
    /// In blobs.
    Blobs,
}

/// Why records cannot be published, in order of precedence.
#[derive(Debug, thiserror::Error)]
pub enum PublicationError {
    /// The prices cannot be asked for.
    #[error("{0}")]
    Endpoint(#[from] EndpointError),
    /// They do not fit into one transaction.
    #[error("{count} records do not fit into one batch here, at most {max} do")]
    TooMany {
        /// How many there are.
        count: usize,
        /// How many may be.
        max: usize,
    },
    /// A blob has no commitment.
    #[error(transparent)]
    Malformed(#[from] BlobMalformed),
    /// The archive cannot keep them.
    #[error("{0}")]
    Archive(#[from] BatchArchiveError),
}

explanations! {
    PublicationError {
        Endpoint(error);
        TooMany: "batch-too-large" "the records do not fit into one transaction of this chain"
            "split them into several batches";
        Malformed: "batch-blob-malformed" "a field element of a blob is not below the order of the field"
            "pack the records as the protocol says";
        Archive(error);
    }
}

impl BatchLedger {
    /// Returns the call that commits a batch and publishes its records, after keeping them in the archive.
    ///
    /// # Errors
    ///
    /// Returns the first [`PublicationError`] in the order of its variants.
    pub async fn publishing_call(
        &self,
        publication: Publication,
        commitment: &BatchCommitment,
        records: &[Record],
        archive: Option<&BatchArchive>,
    ) -> Result<Call, PublicationError> {
        let data = pack_calldata(records.iter().copied());
        let is_in_blobs = match publication {
            Publication::Blobs => true,
            Publication::Calldata => false,
            Publication::Cheapest => self.is_cheaper_in_blobs(&data, records.len()).await?,
        };
        let count = records.len();
        let max = if is_in_blobs { BLOBS_MAX * RECORDS_PER_BLOB } else { CALLDATA_MAX };
        if count > max {
            return Err(PublicationError::TooMany { count, max });
        }
        debug!(count, is_in_blobs, "records published");
        if !is_in_blobs {
            if let Some(archive) = archive {
                archive.keep_calldata(&data).await?;
            }
            return Ok(self.commit_calldata_call(commitment, data));
        }
        let blobs = pack_blobs(records);
        let work = move || BlobSidecar::new(&blobs).map(|sidecar| (blobs, sidecar));
        let computed = tokio::task::spawn_blocking(work).await;
        let (blobs, sidecar) = computed.unwrap_or(Err(BlobMalformed))?;
        if let Some(archive) = archive {
            archive.keep_blobs(&blobs, sidecar.versioned_hashes()).await?;
        }
        Ok(self.commit_blobs_call(commitment, Arc::new(sidecar)))
    }

    /// Whether records cost less in blobs than in calldata now. What both ways need besides is left out.
    async fn is_cheaper_in_blobs(&self, data: &[u8], count: usize) -> Result<bool, EndpointError> {
        let Some(blob_price_wei) = self.client().blob_gas_price().await? else { return Ok(false) };
        if count > CALLDATA_MAX {
            return Ok(true);
        }
        let price_wei = match self.client().gas_price().await? {
            GasPrice::Dynamic { base_fee_wei, tip_wei } => base_fee_wei.saturating_add(tip_wei),
            GasPrice::Fixed { price_wei } => price_wei,
        };
        let zeros = data.iter().filter(|byte| **byte == 0).count();
        let calldata_gas = ZERO_BYTE_GAS * zeros as u128 + BYTE_GAS * (data.len() - zeros) as u128;
        let blobs = count.div_ceil(RECORDS_PER_BLOB) as u128;
        let in_blobs = (BLOB_GAS * blobs).saturating_mul(blob_price_wei);
        Ok(in_blobs < calldata_gas.saturating_mul(price_wei))
    }
}
