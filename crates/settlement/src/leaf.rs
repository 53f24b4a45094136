//! The leaves of a batch's two trees.

use alloy_primitives::{B256, keccak256};
use gridtally_core::party::ParticipantNumber;
use gridtally_core::quantity::Amount;

use crate::record::Record;

const RECORD_TAG: u8 = 0x00;
const ACCOUNT_TAG: u8 = 0x02;
const SEALED_RECORD_TAG: u8 = 0x03;
const SEALED_ACCOUNT_TAG: u8 = 0x05;

/// What is hashed with a leaf of a sealed batch, so that nobody can guess the leaf from its hash.
///
/// # Source
///
/// Settlement protocol §2.12.
pub type Salt = [u8; 16];

/// A record with what it moved and the two balances after it, like a line of a bank statement.
///
/// # Source
///
/// Settlement protocol §2.4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordLeaf {
    /// The record.
    pub record: Record,
    /// What the participant's balance grew by.
    pub amount: Amount,
    /// The participant's balance after it.
    pub balance_after: Amount,
    /// The hub's balance after it.
    pub hub_after: Amount,
}

impl RecordLeaf {
    /// Bytes of the preimage.
    pub const LENGTH: usize = 35;

    /// Returns `0x00 | record | amount | balance after | hub after`.
    #[must_use]
    pub fn preimage(&self) -> [u8; Self::LENGTH] {
        let mut bytes = [RECORD_TAG; Self::LENGTH];
        bytes[1..11].copy_from_slice(&self.record.pack());
        bytes[11..19].copy_from_slice(&self.amount.micro().to_be_bytes());
        bytes[19..27].copy_from_slice(&self.balance_after.micro().to_be_bytes());
        bytes[27..].copy_from_slice(&self.hub_after.micro().to_be_bytes());
        bytes
    }

    /// Returns the hash that stands in the record tree of an open batch.
    #[must_use]
    pub fn hash(&self) -> B256 {
        keccak256(self.preimage())
    }

    /// Returns the hash that stands in the record tree of a sealed batch.
    ///
    /// # Source
    ///
    /// Settlement protocol §2.4.
    #[must_use]
    pub fn sealed_hash(&self, salt: &Salt) -> B256 {
        let mut bytes = [SEALED_RECORD_TAG; 1 + size_of::<Salt>() + Self::LENGTH - 1];
        bytes[1..17].copy_from_slice(salt);
        bytes[17..].copy_from_slice(&self.preimage()[1..]);
        keccak256(bytes)
    }
}

/// A participant's balance after a batch.
///
/// # Source
///
/// Settlement protocol §2.4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountLeaf {
    /// Whose account; also the index in the account tree.
    pub participant: ParticipantNumber,
    /// The balance, not negative in a valid batch.
    pub balance: Amount,
    /// All withdrawals so far, micro-units.
    pub payable_micro: u64,
}

impl AccountLeaf {
    /// Bytes of the preimage.
    pub const LENGTH: usize = 21;

    /// Returns `0x02 | participant | balance | payable`.
    #[must_use]
    pub fn preimage(&self) -> [u8; Self::LENGTH] {
        let mut bytes = [ACCOUNT_TAG; Self::LENGTH];
        bytes[1..5].copy_from_slice(&self.participant.0.to_be_bytes());
        bytes[5..13].copy_from_slice(&self.balance.micro().to_be_bytes());
        bytes[13..].copy_from_slice(&self.payable_micro.to_be_bytes());
        bytes
    }

    /// Returns the hash that stands in the account tree of an open batch.
    #[must_use]
    pub fn hash(&self) -> B256 {
        keccak256(self.preimage())
    }

    /// Returns the hash that stands in the account tree of a sealed batch: its first byte is zero, so that it is a field element.
    ///
    /// # Source
    ///
    /// docs/decisions/0010-sealed-mode.md.
    #[must_use]
    pub fn sealed_hash(&self, salt: &Salt) -> B256 {
        let mut bytes = [SEALED_ACCOUNT_TAG; 1 + size_of::<Salt>() + Self::LENGTH - 1];
        bytes[1..17].copy_from_slice(salt);
        bytes[17..].copy_from_slice(&self.preimage()[1..]);
        let mut hash = keccak256(bytes);
        hash[0] = 0;
        hash
    }
}
