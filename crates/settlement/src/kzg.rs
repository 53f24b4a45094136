//! What blobs need of KZG: commitments, versioned hashes, openings of single field elements, and cell proofs.

use alloy_primitives::{B256, FixedBytes};
use c_kzg::{Blob, Bytes32, KzgSettings, ethereum_kzg_settings};
use rayon::prelude::*;
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::published::{BLOB_LENGTH, BlobBytes, opening_point};

/// First byte of a versioned hash.
const VERSION: u8 = 1;

/// Why a blob has no commitment or proof: one of its field elements is not below the field's order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a field element of the blob is not below the order of the field")]
pub struct BlobMalformed;

/// What shows that a field element belongs to a blob; the input of the point evaluation precompile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ElementOpening {
    /// The versioned hash of the blob.
    pub versioned_hash: B256,
    /// The point that the element's index stands for.
    pub point: B256,
    /// The element.
    pub element: B256,
    /// The blob's commitment.
    pub commitment: FixedBytes<48>,
    /// The proof.
    pub proof: FixedBytes<48>,
}

/// Returns the commitment to a blob.
///
/// # Errors
///
/// Returns [`BlobMalformed`].
pub fn commitment(blob: &BlobBytes) -> Result<FixedBytes<48>, BlobMalformed> {
    let commitment = settings().blob_to_kzg_commitment(&c_blob(blob)).map_err(|_| BlobMalformed)?;
    Ok(FixedBytes(commitment.to_bytes().into_inner()))
}

/// Returns the hash by which the chain knows a blob with this commitment: 0x01 and 31 bytes of its SHA-256.
///
/// # Source
///
/// EIP-4844.
#[must_use]
pub fn versioned_hash(commitment: &FixedBytes<48>) -> B256 {
    let mut hash: [u8; 32] = Sha256::digest(commitment).into();
    hash[0] = VERSION;
    hash.into()
}

/// Returns what shows a field element of a blob.
///
/// # Errors
///
/// Returns [`BlobMalformed`].
pub fn open_element(blob: &BlobBytes, element: usize) -> Result<ElementOpening, BlobMalformed> {
    let commitment = commitment(blob)?;
    let point = opening_point(element);
    let opened = settings().compute_kzg_proof(&c_blob(blob), &Bytes32::new(point.0));
    let (proof, value) = opened.map_err(|_| BlobMalformed)?;
    Ok(ElementOpening {
        versioned_hash: versioned_hash(&commitment),
        point,
        element: B256::from(*value),
        commitment,
        proof: FixedBytes(proof.to_bytes().into_inner()),
    })
}

/// Returns the 128 proofs of a blob's cells, which a transaction carries since Osaka.
///
/// # Errors
///
/// Returns [`BlobMalformed`].
///
/// # Source
///
/// EIP-7594.
pub fn cell_proofs(blob: &BlobBytes) -> Result<Vec<FixedBytes<48>>, BlobMalformed> {
    let computed = settings().compute_cells_and_kzg_proofs(&c_blob(blob));
    let (_, proofs) = computed.map_err(|_| BlobMalformed)?;
    Ok(proofs.iter().map(|proof| FixedBytes(proof.to_bytes().into_inner())).collect())
}

/// What a transaction carries beside each of its blobs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlobProofs {
    /// The blob's commitment.
    pub commitment: FixedBytes<48>,
    /// The proofs of its 128 cells.
    pub cells: Vec<FixedBytes<48>>,
}

/// Returns what a transaction carries beside each of these blobs. Computed on all cores.
///
/// # Errors
///
/// Returns [`BlobMalformed`].
pub fn blob_proofs(blobs: &[BlobBytes]) -> Result<Vec<BlobProofs>, BlobMalformed> {
    let proofs = blobs
        .par_iter()
        .map(|blob| Ok(BlobProofs { commitment: commitment(blob)?, cells: cell_proofs(blob)? }));
    proofs.collect()
}

/// Returns the versioned hash of each of these blobs. Computed on all cores.
///
/// # Errors
///
/// Returns [`BlobMalformed`].
pub fn versioned_hashes(blobs: &[BlobBytes]) -> Result<Vec<B256>, BlobMalformed> {
    blobs.par_iter().map(|blob| Ok(versioned_hash(&commitment(blob)?))).collect()
}

/// Whether an opening shows what it says, as the precompile decides.
#[must_use]
pub fn is_opening(opening: &ElementOpening) -> bool {
    let verified = settings().verify_kzg_proof(
        &c_kzg::Bytes48::new(opening.commitment.0),
        &Bytes32::new(opening.point.0),
        &Bytes32::new(opening.element.0),
        &c_kzg::Bytes48::new(opening.proof.0),
    );
    versioned_hash(&opening.commitment) == opening.versioned_hash && verified.unwrap_or(false)
}

fn c_blob(blob: &BlobBytes) -> Blob {
    let bytes: [u8; BLOB_LENGTH] = **blob;
    Blob::new(bytes)
}

fn settings() -> &'static KzgSettings {
    ethereum_kzg_settings(0)
}
