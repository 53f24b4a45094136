//! The blobs of a transaction with what nodes want beside them.

use std::fmt;

use alloy_consensus::{Blob, BlobTransactionSidecarEip7594};
use alloy_primitives::B256;
use gridtally_settlement::{BlobBytes, BlobMalformed, blob_proofs, versioned_hash};

/// Blobs with their commitments and the proofs of their cells.
///
/// # Source
///
/// EIP-4844; EIP-7594 (cell proofs, wrapper version 1).
pub struct BlobSidecar {
    versioned_hashes: Vec<B256>,
    sidecar: BlobTransactionSidecarEip7594,
}

impl BlobSidecar {
    /// Returns blobs with their commitments and proofs, computed on all cores: some 0.2 s a blob.
    ///
    /// # Errors
    ///
    /// Returns [`BlobMalformed`].
    pub fn new(blobs: &[BlobBytes]) -> Result<Self, BlobMalformed> {
        let proofs = blob_proofs(blobs)?;
        let blobs = blobs.iter().map(|blob| Blob::from_slice(&blob[..])).collect();
        let commitments = proofs.iter().map(|proofs| proofs.commitment);
        let versioned_hashes = commitments.clone().map(|it| versioned_hash(&it)).collect();
        let commitments = commitments.collect();
        let cells = proofs.iter().flat_map(|proofs| proofs.cells.iter().copied()).collect();
        let sidecar = BlobTransactionSidecarEip7594::new(blobs, commitments, cells);
        Ok(Self { versioned_hashes, sidecar })
    }

    /// Returns the hashes by which the chain knows the blobs.
    #[must_use]
    pub fn versioned_hashes(&self) -> &[B256] {
        &self.versioned_hashes
    }

    pub(crate) const fn wire(&self) -> &BlobTransactionSidecarEip7594 {
        &self.sidecar
    }
}

impl fmt::Debug for BlobSidecar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("BlobSidecar").field(&self.versioned_hashes).finish()
    }
}
