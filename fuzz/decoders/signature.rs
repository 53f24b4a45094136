//! Signatures of readings: 32 bytes of the digest, then the signature.

use alloy_primitives::B256;
use gridtally_settlement::recover;

pub(crate) fn decode(bytes: &[u8]) {
    let Some((digest, signature)) = bytes.split_first_chunk::<32>() else { return };
    let signer = recover(&B256::from(digest), signature);
    assert!(signer.is_err() || signature.len() == 65);
}
