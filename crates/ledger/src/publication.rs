//! How records and accounts are published: in blobs or in calldata, whichever is cheaper on this chain now.

use std::sync::Arc;

use gridtally_core::explanations;
use gridtally_settlement::{
    Account, BLOBS_MAX, BatchCommitment, BatchHeader, BlobBytes, BlobMalformed,
    CALLDATA_RECORDS_MAX, RECORDS_PER_BLOB, Record, SNAPSHOT_ACCOUNTS_PER_BLOB, pack_blobs,
    pack_calldata, pack_snapshot, pack_snapshot_blobs,
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

/// Accounts of a part in calldata: its transaction stays below the 128 KB that clients take.
const PART_ACCOUNTS_MAX: usize = 8_000;

/// How records are published, and accounts.
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
            Publication::Cheapest => {
                let blobs = records.len().div_ceil(RECORDS_PER_BLOB);
                let fits = records.len() <= CALLDATA_MAX;
                self.is_cheaper_in_blobs(&data, blobs, fits).await?
            }
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
        let sidecar = sidecar(pack_blobs(records), archive).await?;
        Ok(self.commit_blobs_call(commitment, sidecar))
    }

    /// Returns how many of the accounts the next part of a snapshot covers, and the call that publishes it, after keeping it in the
    /// archive.
    ///
    /// # Errors
    ///
    /// Returns the first [`PublicationError`] in the order of its variants.
    pub(crate) async fn snapshot_part_call(
        &self,
        publication: Publication,
        header: &BatchHeader,
        part: u8,
        accounts: &[Account],
        archive: Option<&BatchArchive>,
    ) -> Result<(usize, Call), PublicationError> {
        let is_in_blobs = match publication {
            Publication::Blobs => true,
            Publication::Calldata => false,
            Publication::Cheapest => {
                let data = pack_snapshot(accounts.iter().copied());
                let blobs = accounts.len().div_ceil(SNAPSHOT_ACCOUNTS_PER_BLOB);
                self.is_cheaper_in_blobs(&data, blobs, true).await?
            }
        };
        debug!(part, is_in_blobs, "part of a snapshot published");
        if is_in_blobs {
            let count = accounts.len().min(BLOBS_MAX * SNAPSHOT_ACCOUNTS_PER_BLOB);
            let sidecar = sidecar(pack_snapshot_blobs(&accounts[..count]), archive).await?;
            return Ok((count, self.commit_snapshot_blobs_call(header, part, sidecar)));
        }
        let count = accounts.len().min(PART_ACCOUNTS_MAX);
        let data = pack_snapshot(accounts[..count].iter().copied());
        if let Some(archive) = archive {
            archive.keep_snapshot(&data).await?;
        }
        Ok((count, self.commit_snapshot_call(header, part, data)))
    }

    /// Whether data cost less in so many blobs than in calldata now. What both ways need besides is left out.
    async fn is_cheaper_in_blobs(
        &self,
        data: &[u8],
        blobs: usize,
        fits_calldata: bool,
    ) -> Result<bool, EndpointError> {
        let Some(blob_price_wei) = self.client().blob_gas_price().await? else { return Ok(false) };
        if !fits_calldata {
            return Ok(true);
        }
        let price_wei = match self.client().gas_price().await? {
            GasPrice::Dynamic { base_fee_wei, tip_wei } => base_fee_wei.saturating_add(tip_wei),
            GasPrice::Fixed { price_wei } => price_wei,
        };
        let zeros = data.iter().filter(|byte| **byte == 0).count();
        let calldata_gas = ZERO_BYTE_GAS * zeros as u128 + BYTE_GAS * (data.len() - zeros) as u128;
        let in_blobs = (BLOB_GAS * blobs as u128).saturating_mul(blob_price_wei);
        Ok(in_blobs < calldata_gas.saturating_mul(price_wei))
    }
}

/// Returns blobs with what nodes want beside them, after keeping them in the archive.
async fn sidecar(
    blobs: Vec<BlobBytes>,
    archive: Option<&BatchArchive>,
) -> Result<Arc<BlobSidecar>, PublicationError> {
    let work = move || BlobSidecar::new(&blobs).map(|sidecar| (blobs, sidecar));
    let computed = tokio::task::spawn_blocking(work).await;
    let (blobs, sidecar) = computed.unwrap_or(Err(BlobMalformed))?;
    if let Some(archive) = archive {
        archive.keep_blobs(&blobs, sidecar.versioned_hashes()).await?;
    }
    Ok(Arc::new(sidecar))
}
