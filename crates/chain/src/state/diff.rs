//! What one block changes.

use std::collections::HashSet;

use alloy_primitives::{Address, B256, Bytes, U256};
use alloy_rlp::{RlpDecodable, RlpEncodable};

/// What one block changes, in ascending order of address and slot.
#[derive(Debug, Clone, Default, PartialEq, Eq, RlpEncodable, RlpDecodable)]
pub struct StateDiff {
    /// The accounts that change.
    pub accounts: Vec<AccountDiff>,
    /// Code that appears for the first time.
    pub codes: Vec<Bytes>,
}

/// What one block changes about one account.
#[derive(Debug, Clone, PartialEq, Eq, RlpEncodable, RlpDecodable)]
pub struct AccountDiff {
    /// The account.
    pub address: Address,
    /// Whether the account exists after the block; if not, the other fields are empty.
    pub exists: bool,
    /// Nonce after the block.
    pub nonce: u64,
    /// Balance after the block, in wei.
    pub balance: U256,
    /// Code hash after the block.
    pub code_hash: B256,
    /// Whether all storage is cleared before `storage` is set.
    pub clears_storage: bool,
    /// Slots that change, with their values after the block; zero removes.
    pub storage: Vec<SlotDiff>,
}

/// What one block changes about one storage slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, RlpEncodable, RlpDecodable)]
pub struct SlotDiff {
    /// The slot.
    pub slot: B256,
    /// Its value after the block; zero removes it.
    pub value: U256,
}

impl StateDiff {
    /// Returns this diff followed by `next`, as one.
    #[must_use]
    pub fn then(mut self, next: Self) -> Self {
        for diff in next.accounts {
            match self.accounts.iter_mut().find(|before| before.address == diff.address) {
                None => self.accounts.push(diff),
                Some(before) if diff.clears_storage || !diff.exists => *before = diff,
                Some(before) => {
                    let changed: HashSet<_> = diff.storage.iter().map(|slot| slot.slot).collect();
                    let mut storage = std::mem::take(&mut before.storage);
                    storage.retain(|slot| !changed.contains(&slot.slot));
                    storage.extend(diff.storage);
                    storage.sort_unstable_by_key(|slot| slot.slot);
                    let clears_storage = before.clears_storage || !before.exists;
                    *before = AccountDiff { storage, clears_storage, ..diff };
                }
            }
        }
        self.accounts.sort_unstable_by_key(|account| account.address);
        self.codes.extend(next.codes);
        self.codes.sort_unstable();
        self.codes.dedup();
        self
    }
}
