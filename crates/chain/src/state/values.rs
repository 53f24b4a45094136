//! Every value that accounts and slots have and had, with the tries over the newest of them.

use alloy_primitives::{
    Address, B256, Bytes, KECCAK256_EMPTY, U256, keccak256,
    map::{AddressMap, B256Map},
};
use alloy_rlp::Encodable;

use super::{
    Account, AccountDiff, SlotDiff, StateDiff,
    trie::{EMPTY_ROOT, Trie},
    versions::Versions,
};

/// Superseded values that are kept before the oldest half of the history is let go, about 100 bytes each.
pub const SUPERSEDED_VALUES_MAX: usize = 1_000_000;

#[derive(Debug, Default)]
pub(super) struct Values {
    pub(super) head: u64,
    pub(super) oldest: u64,
    /// Counts reverts: a view from before a revert must not read blocks that took the place of its own.
    pub(super) epoch: u64,
    pub(super) superseded: usize,
    pub(super) slot_count: usize,
    pub(super) accounts: AddressMap<Entry>,
    /// In the order in which they came, so that a revert takes back the last ones.
    pub(super) codes: Vec<StoredCode>,
    pub(super) code_index: B256Map<u32>,
    pub(super) trie: Trie,
}

#[derive(Debug, Default)]
pub(super) struct Entry {
    pub(super) account: Versions<Option<StoredAccount>>,
    pub(super) storage: Option<Box<Storage>>,
}

#[derive(Debug, Default)]
pub(super) struct Storage {
    pub(super) slots: B256Map<Versions<U256>>,
    pub(super) trie: Trie,
}

/// An account with its code as an index, so that a million accounts stay small.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct StoredAccount {
    pub(super) nonce: u64,
    pub(super) balance: U256,
    pub(super) code: u32,
}

/// The code of contracts, and the block that brought it. A block after a revert must bring it again: the log knows nothing of
/// what was taken back.
#[derive(Debug)]
pub(super) struct StoredCode {
    pub(super) hash: B256,
    pub(super) bytes: Bytes,
    pub(super) since: u64,
}

/// Code index of accounts without code.
pub(super) const NO_CODE: u32 = u32::MAX;

impl Values {
    pub(super) fn account(&self, stored: StoredAccount) -> Account {
        let code_hash = match stored.code {
            NO_CODE => KECCAK256_EMPTY,
            index => self.codes[index as usize].hash,
        };
        Account { nonce: stored.nonce, balance: stored.balance, code_hash }
    }

    pub(super) fn add_code(&mut self, since: u64, bytes: Bytes) {
        let hash = keccak256(&bytes);
        if let alloy_primitives::map::Entry::Vacant(entry) = self.code_index.entry(hash) {
            entry.insert(u32::try_from(self.codes.len()).expect("codes fit in memory"));
            self.codes.push(StoredCode { hash, bytes, since });
        }
    }

    /// Sets what block `number` changes, and brings the tries up to date.
    pub(super) fn apply(&mut self, number: u64, diff: &StateDiff) {
        self.load(number, diff);
        for AccountDiff { address, exists, storage: slots, clears_storage, .. } in &diff.accounts {
            let storage = self.accounts.get_mut(address).and_then(|entry| entry.storage.as_mut());
            if let Some(storage) = storage {
                if *clears_storage || !exists {
                    storage.trie = Trie::default();
                }
                for SlotDiff { slot, value } in slots {
                    set_slot(&mut storage.trie, slot, *value);
                }
            }
            self.refresh_leaf(*address);
        }
    }

    /// Sets what block `number` changes. The tries are left as they are, to be built by [`Self::build_tries`].
    pub(super) fn load(&mut self, number: u64, diff: &StateDiff) {
        self.head = number;
        for code in &diff.codes {
            self.add_code(number, code.clone());
        }
        for account in &diff.accounts {
            self.load_account(number, account);
        }
    }

    fn load_account(&mut self, number: u64, diff: &AccountDiff) {
        let stored = diff.exists.then(|| StoredAccount {
            nonce: diff.nonce,
            balance: diff.balance,
            code: self.code_index.get(&diff.code_hash).copied().unwrap_or(NO_CODE),
        });
        let entry = self.accounts.entry(diff.address).or_default();
        self.superseded += entry.account.set(number, stored);
        if !diff.storage.is_empty() {
            entry.storage.get_or_insert_default();
        }
        let Some(storage) = &mut entry.storage else { return };
        if diff.clears_storage || !diff.exists {
            #[expect(clippy::iter_over_hash_type, reason = "every slot is treated alike")]
            for versions in storage.slots.values_mut() {
                if versions.latest().is_some_and(|value| !value.is_zero()) {
                    self.superseded += versions.set(number, U256::ZERO);
                }
            }
        }
        for SlotDiff { slot, value } in &diff.storage {
            let versions = storage.slots.entry(*slot).or_insert_with(|| {
                self.slot_count += 1;
                Versions::default()
            });
            self.superseded += versions.set(number, *value);
        }
    }

    /// Builds all tries from the newest values.
    #[expect(clippy::iter_over_hash_type, reason = "a trie does not depend on insertion order")]
    pub(super) fn build_tries(&mut self) {
        for storage in self.accounts.values_mut().filter_map(|entry| entry.storage.as_mut()) {
            storage.trie = Trie::default();
            for (slot, versions) in &storage.slots {
                set_slot(&mut storage.trie, slot, versions.latest().copied().unwrap_or_default());
            }
        }
        self.trie = Trie::default();
        let addresses: Vec<_> = self.accounts.keys().copied().collect();
        for address in addresses {
            self.refresh_leaf(address);
        }
    }

    /// Brings the leaf of `address` in the state trie up to date with its entry.
    fn refresh_leaf(&mut self, address: Address) {
        let key = keccak256(address);
        let latest = self.accounts.get(&address).and_then(|entry| entry.account.latest().copied());
        let Some(stored) = latest.flatten() else {
            self.trie.remove(&key);
            return;
        };
        let account = self.account(stored);
        let storage_root = self
            .accounts
            .get_mut(&address)
            .and_then(|entry| entry.storage.as_mut())
            .map_or(EMPTY_ROOT, |storage| storage.trie.root());
        self.trie.insert(key, encode_account(&account, storage_root));
    }

    /// Takes back every block after `number`.
    pub(super) fn revert_to(&mut self, number: u64) {
        self.epoch += 1;
        self.head = number;
        let mut changed = Vec::new();
        let (mut superseded, mut slot_count) = (0, 0);
        self.accounts.retain(|address, entry| {
            let mut is_changed = entry.account.truncate_after(number);
            superseded += entry.account.superseded();
            if let Some(storage) = &mut entry.storage {
                let trie = &mut storage.trie;
                storage.slots.retain(|slot, versions| {
                    if versions.truncate_after(number) {
                        is_changed = true;
                        set_slot(trie, slot, versions.latest().copied().unwrap_or_default());
                    }
                    superseded += versions.superseded();
                    !versions.is_empty()
                });
                slot_count += storage.slots.len();
            }
            if is_changed {
                changed.push(*address);
            }
            !entry.account.is_empty()
        });
        self.superseded = superseded;
        self.slot_count = slot_count;
        // No account that is left has them.
        while let Some(code) = self.codes.pop_if(|code| code.since > number) {
            self.code_index.remove(&code.hash);
        }
        for address in changed {
            self.refresh_leaf(address);
        }
    }

    /// Lets go of the older half of the history as long as there are more than `max` superseded values.
    pub(super) fn prune_above(&mut self, max: usize) {
        while self.superseded > max && self.oldest < self.head {
            self.oldest += (self.head - self.oldest).div_ceil(2);
            let oldest = self.oldest;
            let mut superseded = 0;
            #[expect(clippy::iter_over_hash_type, reason = "every entry is treated alike")]
            for entry in self.accounts.values_mut() {
                superseded += entry.account.forget_before(oldest);
                if let Some(storage) = &mut entry.storage {
                    superseded +=
                        storage.slots.values_mut().map(|v| v.forget_before(oldest)).sum::<usize>();
                }
            }
            self.superseded = superseded;
        }
    }
}

pub(super) fn set_slot(trie: &mut Trie, slot: &B256, value: U256) {
    let key = keccak256(slot);
    if value.is_zero() {
        trie.remove(&key);
    } else {
        trie.insert(key, alloy_rlp::encode(value));
    }
}

/// Returns the value that the state trie holds for an account.
pub(super) fn encode_account(account: &Account, storage_root: B256) -> Vec<u8> {
    let payload_length = account.nonce.length() + account.balance.length() + 33 + 33;
    let mut out = Vec::with_capacity(payload_length + 2);
    alloy_rlp::Header { list: true, payload_length }.encode(&mut out);
    account.nonce.encode(&mut out);
    account.balance.encode(&mut out);
    storage_root.encode(&mut out);
    account.code_hash.encode(&mut out);
    out
}
