//! Who signed: EIP-712 digests, meter keys and their signatures.

use alloy_primitives::{Address, B256, keccak256};
use k256::ecdsa::{RecoveryId, Signature, SigningKey, VerifyingKey};
use p256::ecdsa::signature::hazmat::PrehashVerifier;
use thiserror::Error;

/// The EIP-712 domain of one contract: what is signed for it means nothing to another.
///
/// # Source
///
/// Settlement protocol §2.8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Domain {
    /// The chain.
    pub chain_id: u64,
    /// The contract.
    pub contract: Address,
}

impl Domain {
    /// The EIP-712 type.
    pub const TYPE: &[u8] =
        b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)";

    /// Returns the domain separator, with name `gridtally` and version `1`.
    #[must_use]
    pub fn separator(&self) -> B256 {
        let words = [
            keccak256(Self::TYPE),
            keccak256(b"gridtally"),
            keccak256(b"1"),
            unsigned_word(self.chain_id),
            self.contract.into_word(),
        ];
        keccak256(words.concat())
    }

    /// Returns the digest of a message of this domain: what is signed.
    #[must_use]
    pub(crate) fn digest(&self, type_text: &[u8], fields: &[B256]) -> B256 {
        let message = keccak256([&[keccak256(type_text)], fields].concat().concat());
        keccak256([&[0x19, 0x01], self.separator().as_slice(), message.as_slice()].concat())
    }
}

/// Returns an ABI word of an unsigned number.
pub(crate) fn unsigned_word(value: u64) -> B256 {
    let mut word = B256::ZERO;
    word.0[24..].copy_from_slice(&value.to_be_bytes());
    word
}

/// Returns an ABI word of a signed number: two's complement.
pub(crate) fn signed_word(value: i64) -> B256 {
    let mut word = B256::repeat_byte(if value < 0 { 0xff } else { 0 });
    word.0[24..].copy_from_slice(&value.to_be_bytes());
    word
}

/// Why a signature is not accepted, in order of precedence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SignatureError {
    /// The signature does not have the form that its curve asks for.
    #[error(
        "a signature has 65 bytes of r, s and v (27 or 28) on secp256k1, 64 of r and s on P-256"
    )]
    Form,
    /// s is in the upper half, so that a second signature of the same message could be made from this one.
    #[error("s is in the upper half of the curve order")]
    HighS,
    /// No key could have signed so.
    #[error("no key signed this")]
    NoKey,
    /// Another key than the meter's signed.
    #[error("another key signed this")]
    OtherKey,
}

/// Returns `r | s | v` (65 bytes, low s) over a digest. Deterministic (RFC 6979): same key and digest, same bytes.
///
/// # Panics
///
/// Never: secp256k1 signs every 32-byte digest but those of one in 2^128 keys.
#[must_use]
pub fn sign(digest: &B256, key: &SigningKey) -> [u8; 65] {
    let (signature, recovery) =
        key.sign_prehash_recoverable(digest.as_slice()).expect("a digest can be signed");
    let mut bytes = [0; 65];
    bytes[..64].copy_from_slice(&signature.to_bytes());
    bytes[64] = 27 + recovery.to_byte();
    bytes
}

/// Returns the address whose key signed a digest.
///
/// # Errors
///
/// Returns [`SignatureError`], in its order.
pub fn recover(digest: &B256, signature: &[u8]) -> Result<Address, SignatureError> {
    let [rs @ .., v @ (27 | 28)] = signature else { return Err(SignatureError::Form) };
    if rs.len() != 64 {
        return Err(SignatureError::Form);
    }
    let signature = Signature::from_slice(rs).map_err(|_| SignatureError::NoKey)?;
    if signature.normalize_s().is_some() {
        return Err(SignatureError::HighS);
    }
    let recovery = RecoveryId::from_byte(v - 27).ok_or(SignatureError::Form)?;
    VerifyingKey::recover_from_prehash(digest.as_slice(), &signature, recovery)
        .map(|key| address_of(&key))
        .map_err(|_| SignatureError::NoKey)
}

/// Returns the Ethereum address of a public key.
#[must_use]
pub fn address_of(key: &VerifyingKey) -> Address {
    let point = key.to_encoded_point(false);
    Address::from_slice(&keccak256(&point.as_bytes()[1..])[12..])
}

/// The key of a meter, which the registry keeps and never changes.
///
/// # Source
///
/// Settlement protocol §2.8; EIP-7951 for P-256.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MeterKey {
    /// A key on secp256k1, by its address.
    Secp256k1(Address),
    /// A key on P-256, by its point.
    P256 {
        /// First coordinate.
        x: B256,
        /// Second coordinate.
        y: B256,
    },
}

impl MeterKey {
    /// Checks that this key signed a digest.
    ///
    /// # Errors
    ///
    /// Returns [`SignatureError`], in its order. On P-256 either s is accepted.
    pub fn check(&self, digest: &B256, signature: &[u8]) -> Result<(), SignatureError> {
        match self {
            Self::Secp256k1(address) => {
                let signer = recover(digest, signature)?;
                if signer == *address { Ok(()) } else { Err(SignatureError::OtherKey) }
            }
            Self::P256 { x, y } => {
                if signature.len() != 64 {
                    return Err(SignatureError::Form);
                }
                let point =
                    p256::EncodedPoint::from_affine_coordinates(&x.0.into(), &y.0.into(), false);
                let key = p256::ecdsa::VerifyingKey::from_encoded_point(&point)
                    .map_err(|_| SignatureError::NoKey)?;
                let signature = p256::ecdsa::Signature::from_slice(signature)
                    .map_err(|_| SignatureError::NoKey)?;
                key.verify_prehash(digest.as_slice(), &signature)
                    .map_err(|_| SignatureError::OtherKey)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_signature_is_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..70)) {
            let _recovered = recover(&B256::ZERO, &bytes);
            let p256 = MeterKey::P256 { x: B256::repeat_byte(1), y: B256::repeat_byte(2) };
            prop_assert!(p256.check(&B256::ZERO, &bytes).is_err());
        }
    }

    #[test]
    fn the_other_half_of_s_is_refused() {
        let key = SigningKey::from_slice(&[1; 32]).unwrap();
        let digest = keccak256(b"reading");
        let low = sign(&digest, &key);
        let (r, s) = Signature::from_slice(&low[..64]).unwrap().split_scalars();
        let high = Signature::from_scalars(r, -*s).unwrap();
        let mut bytes = [0; 65];
        bytes[..64].copy_from_slice(&high.to_bytes());
        bytes[64] = low[64] ^ 7; // 27 and 28 change places
        assert_eq!(recover(&digest, &bytes), Err(SignatureError::HighS));
        assert_eq!(recover(&digest, &low[..64]), Err(SignatureError::Form));
    }
}
