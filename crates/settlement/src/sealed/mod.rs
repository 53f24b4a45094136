//! Sealed records: the public sees that nothing was altered, the participant and the auditor see what it was.
//!
//! A section is what one participant has in one batch. Its key salts every leaf of it, and the account after it; where the
//! key is erased, nobody can tell any more what they were. [`SealedBatch`] is what the hub commits and publishes,
//! [`SealedSection`] what it delivers.

mod batch;
mod elements;
mod file;
mod judge;
mod known;
mod range;
mod section;

use std::fmt;

use alloy_primitives::{B256, keccak256};

use crate::leaf::{AccountLeaf, RecordLeaf, Salt};

pub use batch::{SEALED_ACCOUNTS_MAX, SECTION_RECORDS_MAX, SealRefused, SealedBatch};
pub use elements::{SealedElements, judge_account_leaves};
pub use file::{
    CheckedSection, PublishedDigest, SECTION_FILE_LENGTH_MAX, SectionAccount, SectionFile,
    SectionFileError, SectionFileFormat, SectionRecord,
};
pub use judge::{
    Before, SealedProof, SealedViolation, SectionCase, SectionProof, judge_sections,
    sections_apart, state_of_sections,
};
pub use known::{
    KnownSection, SectionAnswers, SectionGap, SectionNeed, ShownSection, know_section,
};
pub use range::{is_range_included, range_path};
pub use section::{SealedSection, SectionFault};

const SECTION_TAG: u8 = 0x04;
const SALT_TAG: u8 = 0x10;
/// What stands for the account where a leaf has its index.
const ACCOUNT_INDEX: u32 = u32::MAX;
/// Bytes of a section's digest, so that a zero byte before it makes a field element.
const DIGEST_LENGTH: usize = 31;

/// The secret of a section: of one participant in one batch.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SectionKey([u8; 32]);

impl SectionKey {
    /// Returns the key of these bytes, which must be random: who guesses them reads the section.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Returns the bytes: whoever sees them reads the section.
    #[must_use]
    pub const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Returns what salts the leaf with this index in its batch.
    ///
    /// # Source
    ///
    /// Settlement protocol §2.12.
    #[must_use]
    pub fn salt(&self, index: u32) -> Salt {
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
        leaf.sealed_hash(&self.salt(index))
    }

    /// Returns what salts the participant's account after the batch.
    #[must_use]
    pub fn account_salt(&self) -> Salt {
        self.salt(ACCOUNT_INDEX)
    }

    /// Returns the hash of an account as it stands in the tree of a sealed batch.
    #[must_use]
    pub fn sealed_account_hash(&self, leaf: &AccountLeaf) -> B256 {
        leaf.sealed_hash(&self.account_salt())
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

/// Returns the field element that a sealed batch publishes of a section: a zero byte and the digest.
#[must_use]
pub fn section_element(leaf_hashes: &[B256]) -> B256 {
    let mut element = B256::ZERO;
    element[1..].copy_from_slice(&section_digest(leaf_hashes));
    element
}

fn first<const N: usize>(hash: &B256) -> [u8; N] {
    let mut bytes = [0; N];
    bytes.copy_from_slice(&hash[..N]);
    bytes
}
