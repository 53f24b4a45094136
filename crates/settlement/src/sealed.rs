//! Sealed records: the public sees that nothing was altered, the participant and the auditor see what it was.
//!
//! A section is what one participant has in one batch. Its key salts every leaf of it; where the key is erased, nobody can
//! tell any more what the leaves were.

use std::fmt;

use alloy_primitives::{B256, keccak256};

use crate::leaf::RecordLeaf;

const SEALED_TAG: u8 = 0x03;
const SECTION_TAG: u8 = 0x04;
const SALT_TAG: u8 = 0x10;
const SALT_LENGTH: usize = 16;
/// Bytes of a section's digest, so that a zero byte before it makes a field element.
const DIGEST_LENGTH: usize = 31;

/// The secret of a section.
#[derive(Clone, PartialEq, Eq)]
pub struct SectionKey([u8; 32]);

impl SectionKey {
    /// Returns the key of these bytes, which must be random: who guesses them reads the section.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Returns what salts the leaf with this index in its batch.
    ///
    /// # Source
    ///
    /// Settlement protocol §2.12.
    #[must_use]
    pub fn salt(&self, index: u32) -> [u8; SALT_LENGTH] {
        let mut bytes = [SALT_TAG; 37];
        bytes[1..33].copy_from_slice(&self.0);
        bytes[33..].copy_from_slice(&index.to_be_bytes());
        first(&keccak256(bytes))
    }

    /// Returns the hash of a leaf as it stands in the tree of a sealed batch.
    ///
    /// # Source
    ///
    /// Settlement protocol §2.4.
    #[must_use]
    pub fn sealed_hash(&self, index: u32, leaf: &RecordLeaf) -> B256 {
        let mut bytes = [SEALED_TAG; 1 + SALT_LENGTH + RecordLeaf::LENGTH - 1];
        bytes[1..17].copy_from_slice(&self.salt(index));
        bytes[17..].copy_from_slice(&leaf.preimage()[1..]);
        keccak256(bytes)
    }
}

impl fmt::Debug for SectionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SectionKey(***)")
    }
}

/// Returns what a sealed batch publishes of a section: a digest of its leaves' hashes.
///
/// # Source
///
/// Settlement protocol §2.12.
#[must_use]
pub fn section_digest(leaf_hashes: &[B256]) -> [u8; DIGEST_LENGTH] {
    first(&keccak256([&[SECTION_TAG], leaf_hashes.concat().as_slice()].concat()))
}

fn first<const N: usize>(hash: &B256) -> [u8; N] {
    let mut bytes = [0; N];
    bytes.copy_from_slice(&hash[..N]);
    bytes
}
