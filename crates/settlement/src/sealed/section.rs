//! What the hub delivers to a participant of a sealed batch, and how the participant checks it.

use alloy_primitives::B256;
use thiserror::Error;

use super::{SectionKey, is_range_included, section_element};
use crate::account::Account;
use crate::code::CodeClass;
use crate::header::{BatchHeader, DataKind};
use crate::leaf::{AccountLeaf, RecordLeaf};
use crate::tree::is_included;

/// A participant's part of a sealed batch, with the key that shows it to be that.
///
/// Everything in it is personal data, the key above all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedSection {
    /// The section's key.
    pub key: SectionKey,
    /// Index of the first leaf, 0 for an empty section.
    pub first: u32,
    /// The records, in order.
    pub leaves: Vec<RecordLeaf>,
    /// The nodes beside the range, none for an empty section.
    pub path: Vec<B256>,
    /// The account after the batch; also says whose section it is.
    pub account: AccountLeaf,
    /// Its path.
    pub account_path: Vec<B256>,
}

/// What is wrong with a section, in the order in which it is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SectionFault {
    /// The header is not that of a sealed batch.
    #[error("batch {seq} is not sealed")]
    NotSealed {
        /// Its number.
        seq: u64,
    },
    /// The account is not under the account root: another key, another participant, other amounts.
    #[error("the account of participant {participant} is not in the batch")]
    Account {
        /// Whose.
        participant: u32,
    },
    /// A record is another participant's.
    #[error("record {index} of the batch is of participant {participant}")]
    Foreign {
        /// Its index.
        index: u32,
        /// Whose it is.
        participant: u32,
    },
    /// The records are not those under the record root from the first index on.
    #[error("the records from {first} on are not in the batch")]
    Records {
        /// Index of the first.
        first: u32,
    },
    /// The blob has another digest for the section: the hub hides records, or shows too many.
    #[error("the published digest is not that of the section")]
    Digest,
    /// The blob has another account leaf than the tree.
    #[error("the published account leaf is not that of the account")]
    PublishedAccount,
    /// A record does not follow from the one before: first record from the account before the batch.
    #[error("the balance after record {index} does not follow from the one before")]
    Balance {
        /// Its index.
        index: u32,
    },
    /// The account is not what the records make of the account before.
    #[error("the account after the batch does not follow from its records")]
    AccountAfter,
}

impl SealedSection {
    /// Returns the records with their indices in the batch; none goes beyond the last number, whatever the first is.
    fn indexed(&self) -> impl Iterator<Item = (u32, &RecordLeaf)> {
        let index =
            |place: usize| self.first.saturating_add(u32::try_from(place).unwrap_or(u32::MAX));
        self.leaves.iter().enumerate().map(move |(place, leaf)| (index(place), leaf))
    }

    /// Returns the hashes of the records as they stand in the tree.
    #[must_use]
    pub fn hashes(&self) -> Vec<B256> {
        self.indexed().map(|(index, leaf)| self.key.sealed_hash(index, leaf)).collect()
    }

    /// Returns the hash of the account as it stands in the tree, which is also its published element.
    #[must_use]
    pub fn account_hash(&self) -> B256 {
        self.key.sealed_account_hash(&self.account)
    }

    /// Checks that all of it is in the batch of this header.
    ///
    /// # Errors
    ///
    /// Returns the first [`SectionFault`] up to [`Records`](SectionFault::Records).
    pub fn check(&self, header: &BatchHeader) -> Result<(), SectionFault> {
        if header.data_kind != DataKind::SealedBlob {
            return Err(SectionFault::NotSealed { seq: header.seq });
        }
        let participant = self.account.participant;
        let (count, path) = (header.account_count, &self.account_path);
        let account = self.account_hash();
        if !is_included(&header.account_root, &account, participant.0, count, path) {
            return Err(SectionFault::Account { participant: participant.0 });
        }
        let foreign = self.indexed().find(|(_, leaf)| leaf.record.participant() != participant);
        if let Some((index, leaf)) = foreign {
            let participant = leaf.record.participant().0;
            return Err(SectionFault::Foreign { index, participant });
        }
        let is_there = if self.leaves.is_empty() {
            self.first == 0 && self.path.is_empty()
        } else {
            let hashes = self.hashes();
            is_range_included(&header.record_root, &hashes, self.first, header.count, &self.path)
        };
        if is_there { Ok(()) } else { Err(SectionFault::Records { first: self.first }) }
    }

    /// Checks it against the two elements that the blobs hold for the participant: its section's and its account's.
    ///
    /// # Errors
    ///
    /// Returns [`SectionFault::Digest`] or [`SectionFault::PublishedAccount`].
    pub fn check_published(&self, section: &B256, account: &B256) -> Result<(), SectionFault> {
        if section_element(&self.hashes()) != *section {
            return Err(SectionFault::Digest);
        }
        if self.account_hash() == *account { Ok(()) } else { Err(SectionFault::PublishedAccount) }
    }

    /// Checks that records and account follow from the participant's account before the batch. For the hub's own account
    /// only its withdrawals: its balance follows from everybody's records.
    ///
    /// # Errors
    ///
    /// Returns [`SectionFault::Balance`] or [`SectionFault::AccountAfter`].
    pub fn check_account(&self, before: &Account) -> Result<(), SectionFault> {
        let is_hub = self.account.participant.0 == 0;
        let mut balance = i128::from(before.balance.micro());
        let mut payable = i128::from(before.payable_micro);
        for (index, leaf) in self.indexed() {
            balance += i128::from(leaf.amount.micro());
            if balance != i128::from(leaf.balance_after.micro()) && !is_hub {
                return Err(SectionFault::Balance { index });
            }
            if leaf.record.code().class() == CodeClass::Withdrawal {
                payable -= i128::from(leaf.amount.micro());
            }
        }
        let is_balance = is_hub || balance == i128::from(self.account.balance.micro());
        let is_payable = payable == i128::from(self.account.payable_micro);
        if is_balance && is_payable { Ok(()) } else { Err(SectionFault::AccountAfter) }
    }
}
