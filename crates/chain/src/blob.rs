//! Blobs that come with a transaction: checked, and brought to the form that Osaka asks for.

use alloy_eips::{
    eip4844::c_kzg::{KzgSettings, ethereum_kzg_settings},
    eip7594::{BlobTransactionSidecarEip7594, BlobTransactionSidecarVariant},
};
use alloy_primitives::B256;

use crate::explanation::explanations;

/// Why the blobs of a transaction are refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BlobError {
    /// There are none.
    #[error("blob transaction without blobs")]
    None,
    /// There are more than one transaction may have.
    #[error("{count} blobs, at most {max} in one transaction")]
    TooMany {
        /// How many there are.
        count: usize,
        /// How many there may be.
        max: u64,
    },
    /// Their commitments or proofs do not check.
    #[error("invalid blobs: {0}")]
    Invalid(String),
}

explanations! {
    BlobError {
        None: "blob-none" "a blob transaction comes without blobs"
            "send the blobs with it, in the network encoding";
        TooMany: "blob-too-many" "it has more blobs than one transaction may have"
            "spread them over several transactions";
        Invalid: "blob-invalid" "commitments or proofs of its blobs do not check"
            "compute them again from the blobs";
    }
}

/// Returns the sidecar with cell proofs, computing them when it comes with proofs of whole blobs, after checking it
/// against the hashes in the transaction.
///
/// # Errors
///
/// Returns a [`BlobError`].
///
/// # Source
///
/// EIP-4844 (proofs of blobs, "v0") and EIP-7594 (cell proofs, "v1").
pub(crate) fn checked_sidecar(
    sidecar: BlobTransactionSidecarVariant,
    hashes: &[B256],
) -> Result<BlobTransactionSidecarEip7594, BlobError> {
    let max = crate::genesis::BLOB_PARAMS.max_blobs_per_tx;
    if hashes.is_empty() {
        return Err(BlobError::None);
    }
    if hashes.len() as u64 > max {
        return Err(BlobError::TooMany { count: hashes.len(), max });
    }
    let invalid = |error: &dyn std::fmt::Display| BlobError::Invalid(error.to_string());
    let settings = kzg_settings();
    // An old sidecar is checked in its own form: its conversion computes new proofs from the blobs alone.
    sidecar.validate(hashes, settings).map_err(|e| invalid(&e))?;
    sidecar.try_into_eip7594_with_settings(settings).map_err(|e| invalid(&e))
}

/// Returns the trusted setup. It is not precomputed: a local chain sees few blobs, and the tables take 96 MB.
pub(crate) fn kzg_settings() -> &'static KzgSettings {
    ethereum_kzg_settings(0)
}
