//! A batch as it is sealed: salted trees, and the hashes that are published.

use std::collections::BTreeMap;
use std::ops::Range;

use alloy_primitives::B256;
use gridtally_core::party::ParticipantNumber;
use rayon::prelude::*;
use thiserror::Error;

use super::section::SealedSection;
use super::{SectionKey, range_path, section_element};
use crate::account::Accounts;
use crate::batch::Batch;
use crate::header::BatchCommitment;
use crate::leaf::{AccountLeaf, RecordLeaf};
use crate::published::{BLOB_LENGTH, BLOBS_MAX, BlobBytes};
use crate::tree::Tree;

const ELEMENT_LENGTH: usize = 32;
/// Field elements of a blob.
pub(super) const ELEMENTS_PER_BLOB: usize = BLOB_LENGTH / ELEMENT_LENGTH;
/// Accounts of a blob: two field elements each.
const ACCOUNTS_PER_BLOB: usize = ELEMENTS_PER_BLOB / 2;
/// Accounts that the blobs of one transaction hold.
pub const SEALED_ACCOUNTS_MAX: usize = ACCOUNTS_PER_BLOB * BLOBS_MAX;
/// Records of a section, so that one transaction can show all its hashes when it is demanded; the rest of a longer one goes
/// into the next batch of the period.
pub const SECTION_RECORDS_MAX: usize = 2_048;

/// Why a batch cannot be sealed, in order of precedence.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SealRefused {
    /// Each account has one key.
    #[error("{keys} section keys for {accounts} accounts")]
    KeyCount {
        /// Keys that were given.
        keys: usize,
        /// Accounts after the batch.
        accounts: usize,
    },
    /// The accounts do not fit into one transaction's blobs.
    #[error("{0} accounts, the blobs of a sealed batch hold {SEALED_ACCOUNTS_MAX}")]
    AccountCount(usize),
    /// Who gets its own key would have another's.
    #[error("participants {first} and {second} have the same section key")]
    KeyRepeated {
        /// One of them.
        first: ParticipantNumber,
        /// The other, with the higher number.
        second: ParticipantNumber,
    },
    /// Nobody could show the section on demand.
    #[error("participant {participant} has {records} records, a section {SECTION_RECORDS_MAX}")]
    SectionLength {
        /// Whose.
        participant: ParticipantNumber,
        /// How many.
        records: usize,
    },
}

/// A batch whose leaves are salted: what the hub commits and publishes of it, and delivers to each participant.
///
/// # Source
///
/// docs/decisions/0010-sealed-mode.md.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedBatch {
    /// What the contract is told: that of the batch, with the roots of the salted trees.
    pub commitment: BatchCommitment,
    /// The tree over the salted records.
    pub record_tree: Tree,
    /// The tree over the salted accounts.
    pub account_tree: Tree,
    /// The field elements: of each participant its section's, then of each its account leaf.
    pub elements: Vec<B256>,
    sections: Vec<Range<usize>>,
    leaves: Vec<RecordLeaf>,
    accounts: Accounts,
    keys: Vec<SectionKey>,
}

impl SealedBatch {
    /// Seals a valid batch with each account's section key, by participant number. Keys are random and of this batch alone.
    ///
    /// # Errors
    ///
    /// Returns [`SealRefused`], in its order.
    ///
    /// # Panics
    ///
    /// Never: a batch has records and accounts.
    pub fn new(batch: Batch, keys: Vec<SectionKey>) -> Result<Self, SealRefused> {
        let accounts: Vec<AccountLeaf> = batch.accounts.leaves().collect();
        check_keys(&keys, accounts.len())?;
        let sections = sections(&batch.leaves, accounts.len());
        let long = sections.iter().position(|section| section.len() > SECTION_RECORDS_MAX);
        if let Some(index) = long {
            let (participant, records) = (accounts[index].participant, sections[index].len());
            return Err(SealRefused::SectionLength { participant, records });
        }
        let key_of = |leaf: &RecordLeaf| {
            let number = usize::try_from(leaf.record.participant().0).unwrap_or(usize::MAX);
            keys.get(number).expect("a valid batch has records of its accounts only")
        };
        let indexed = batch.leaves.par_iter().enumerate();
        let hashes = indexed.map(|(index, leaf)| {
            key_of(leaf).sealed_hash(u32::try_from(index).unwrap_or(u32::MAX), leaf)
        });
        let record_tree = Tree::new(hashes.collect()).expect("a batch has records");
        let hashes =
            keys.par_iter().zip(&accounts).map(|(key, leaf)| key.sealed_account_hash(leaf));
        let account_tree = Tree::new(hashes.collect()).expect("there is at least the hub");
        let digests = sections.iter().map(|section| {
            section_element(record_tree.leaves().get(section.clone()).unwrap_or_default())
        });
        let elements = digests.chain(account_tree.leaves().iter().copied()).collect();
        let commitment = BatchCommitment {
            record_root: record_tree.root(),
            account_root: account_tree.root(),
            ..batch.commitment
        };
        let (leaves, accounts) = (batch.leaves, batch.accounts);
        Ok(Self {
            commitment,
            record_tree,
            account_tree,
            elements,
            sections,
            leaves,
            accounts,
            keys,
        })
    }

    /// Returns the elements in as few blobs as hold them, the rest zero.
    ///
    /// # Panics
    ///
    /// Never: a blob has the length of a blob.
    #[must_use]
    pub fn blobs(&self) -> Vec<BlobBytes> {
        let packed = self.elements.chunks(ELEMENTS_PER_BLOB).map(|elements| {
            let mut blob = vec![0; BLOB_LENGTH];
            for (place, element) in blob.chunks_exact_mut(ELEMENT_LENGTH).zip(elements) {
                place.copy_from_slice(element.as_slice());
            }
            BlobBytes::try_from(blob).expect("a vector of this length")
        });
        packed.collect()
    }

    /// Returns what is delivered to a participant, and to the auditor; `None` without an account.
    #[must_use]
    pub fn section(&self, participant: ParticipantNumber) -> Option<SealedSection> {
        let number = usize::try_from(participant.0).ok()?;
        let range = self.sections.get(number)?.clone();
        let path = if range.is_empty() {
            Vec::new()
        } else {
            range_path(&self.record_tree, range.clone())?
        };
        Some(SealedSection {
            key: self.keys.get(number)?.clone(),
            first: if range.is_empty() { 0 } else { u32::try_from(range.start).ok()? },
            leaves: self.leaves.get(range)?.to_vec(),
            path,
            account: self.accounts.leaf(participant)?,
            account_path: self.account_tree.path(number)?,
        })
    }
}

fn check_keys(keys: &[SectionKey], accounts: usize) -> Result<(), SealRefused> {
    if keys.len() != accounts {
        return Err(SealRefused::KeyCount { keys: keys.len(), accounts });
    }
    if accounts > SEALED_ACCOUNTS_MAX {
        return Err(SealRefused::AccountCount(accounts));
    }
    let mut seen = BTreeMap::new();
    for (number, key) in (0..).zip(keys) {
        let second = ParticipantNumber(number);
        if let Some(first) = seen.insert(key, second) {
            return Err(SealRefused::KeyRepeated { first, second });
        }
    }
    Ok(())
}

/// Returns each participant's range of the leaves, which are in order.
fn sections(leaves: &[RecordLeaf], accounts: usize) -> Vec<Range<usize>> {
    let mut from = 0;
    let numbers = (0..accounts).map(|number| u32::try_from(number).unwrap_or(u32::MAX));
    let ranges = numbers.map(|number| {
        let rest = leaves.get(from..).unwrap_or_default();
        let start = from;
        from += rest.partition_point(|leaf| leaf.record.participant().0 <= number);
        start..from
    });
    ranges.collect()
}
