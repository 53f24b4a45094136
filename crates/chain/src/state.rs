//! The accounts of the chain, at the head and at the blocks behind it.
//!
//! Every account and storage slot keeps its value together with the block that set it, so a read at an older block
//! finds what was true then. What is no longer kept is refused by name, never answered with something newer. The
//! state root of the head is kept in a trie; the root of an older block is rebuilt from the kept values.

pub mod overlay;
pub mod proof;
pub mod trie;
mod versions;

use std::{
    collections::HashMap,
    sync::{Arc, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use alloy_primitives::{Address, B256, Bytes, KECCAK256_EMPTY, U256, keccak256};
use alloy_rlp::{Encodable, RlpDecodable, RlpEncodable};

use self::{
    trie::{EMPTY_ROOT, Trie},
    versions::Versions,
};

/// Superseded values that are kept before the oldest half of the history is let go, about 100 bytes each.
pub const SUPERSEDED_VALUES_MAX: usize = 1_000_000;

/// One account as the chain sees it, without its storage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Account {
    /// Number of transactions sent, or of contracts created when it is a contract.
    pub nonce: u64,
    /// Balance in wei.
    pub balance: U256,
    /// Hash of the code, [`KECCAK256_EMPTY`] when there is none.
    pub code_hash: B256,
}

impl Default for Account {
    fn default() -> Self {
        Self { nonce: 0, balance: U256::ZERO, code_hash: KECCAK256_EMPTY }
    }
}

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

/// Why a state cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    /// The values of so old a block are no longer kept.
    #[error("state of block {number} is no longer kept, the oldest is block {oldest}")]
    Pruned {
        /// The block that was asked for.
        number: u64,
        /// The oldest block that can be answered.
        oldest: u64,
    },
    /// The block was taken back by a revert while it was read.
    #[error("block {number} was reverted")]
    Reverted {
        /// The block that was asked for.
        number: u64,
    },
    /// There are too many accounts and slots to rebuild the trie of an old block for a proof.
    #[error(
        "proof at block {number} needs a trie of {entries} entries to be rebuilt, more than {max}"
    )]
    ProofTooLarge {
        /// The block that was asked for.
        number: u64,
        /// Accounts and slots at the head.
        entries: usize,
        /// The most that is rebuilt.
        max: usize,
    },
    /// The rebuilt root differs from the header: a bug, reported instead of a wrong answer.
    #[error("rebuilt state root {rebuilt} of block {number} differs from its header {expected}")]
    RootMismatch {
        /// The block that was asked for.
        number: u64,
        /// The root of the rebuilt trie.
        rebuilt: B256,
        /// The root in the header.
        expected: B256,
    },
    /// An account has code that is not known.
    #[error("no code with hash {code_hash}")]
    UnknownCode {
        /// Hash of the code.
        code_hash: B256,
    },
    /// The hash of a block is not known.
    #[error("no block {number}")]
    UnknownBlock {
        /// The block that was asked for.
        number: u64,
    },
}

/// Reads of one state: everything that executing a transaction needs.
pub trait StateRead: Send + Sync {
    /// Returns the account, or nothing when it does not exist.
    ///
    /// # Errors
    ///
    /// Returns a [`StateError`] when the block is not or no longer readable.
    fn account(&self, address: Address) -> Result<Option<Account>, StateError>;

    /// Returns the value of a storage slot, zero when it was never set.
    ///
    /// # Errors
    ///
    /// Returns a [`StateError`] when the block is not or no longer readable.
    fn storage(&self, address: Address, slot: B256) -> Result<U256, StateError>;

    /// Returns whether any storage slot of the account is set.
    ///
    /// # Errors
    ///
    /// Returns a [`StateError`] when the block is not or no longer readable.
    fn has_storage(&self, address: Address) -> Result<bool, StateError>;

    /// Returns the code with this hash, or nothing when it is unknown.
    ///
    /// # Errors
    ///
    /// Returns a [`StateError`] when the block is not or no longer readable.
    fn code(&self, code_hash: B256) -> Result<Option<Bytes>, StateError>;

    /// Returns the hash of the block with this number.
    ///
    /// # Errors
    ///
    /// Returns [`StateError::UnknownBlock`] when there is none.
    fn block_hash(&self, number: u64) -> Result<B256, StateError>;
}

/// The state of a chain, shared by everything that reads it.
#[derive(Debug, Default)]
pub struct State {
    inner: RwLock<Inner>,
}

/// The state as of one block. It does not change when blocks are added.
#[derive(Debug, Clone)]
pub struct StateView {
    state: Arc<State>,
    number: u64,
    epoch: u64,
}

#[derive(Debug, Default)]
struct Inner {
    head: u64,
    oldest: u64,
    /// Counts reverts: a view from before a revert must not read blocks that took the place of its own.
    epoch: u64,
    superseded: usize,
    slot_count: usize,
    accounts: HashMap<Address, Entry>,
    codes: Vec<(B256, Bytes)>,
    code_index: HashMap<B256, u32>,
    trie: Trie,
}

#[derive(Debug, Default)]
struct Entry {
    account: Versions<Option<StoredAccount>>,
    storage: Option<Box<Storage>>,
}

#[derive(Debug, Default)]
struct Storage {
    slots: HashMap<B256, Versions<U256>>,
    trie: Trie,
}

/// An account with its code as an index, so that a million accounts stay small.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct StoredAccount {
    nonce: u64,
    balance: U256,
    code: u32,
}

/// Code index of accounts without code.
const NO_CODE: u32 = u32::MAX;

impl State {
    /// Returns an empty state that stands at block `number`, to be filled with one [`Self::apply`] at that block.
    #[must_use]
    pub fn starting_at(number: u64) -> Self {
        let inner = Inner { head: number, oldest: number, ..Inner::default() };
        Self { inner: RwLock::new(inner) }
    }

    /// Applies the changes of block `number` and returns the state root after it.
    ///
    /// # Panics
    ///
    /// Panics when `number` is neither the head (a state being filled) nor the one after it.
    pub fn apply(&self, number: u64, diff: &StateDiff) -> B256 {
        let mut inner = self.write();
        assert!(
            number == inner.head || number == inner.head + 1,
            "block {number} does not follow head {}",
            inner.head
        );
        inner.head = number;
        for code in &diff.codes {
            inner.add_code(code.clone());
        }
        for account in &diff.accounts {
            inner.apply_account(number, account);
        }
        let root = inner.trie.root();
        inner.prune_if_large();
        root
    }

    /// Takes back every block after `number`.
    ///
    /// # Errors
    ///
    /// Returns [`StateError::Pruned`] when the values of `number` are no longer kept; nothing changes then.
    pub fn revert_to(&self, number: u64) -> Result<(), StateError> {
        let mut inner = self.write();
        if number < inner.oldest {
            return Err(StateError::Pruned { number, oldest: inner.oldest });
        }
        inner.revert_to(number);
        Ok(())
    }

    /// Returns the state as of block `number`.
    ///
    /// # Errors
    ///
    /// Returns [`StateError::Pruned`] or [`StateError::UnknownBlock`].
    pub fn at(self: &Arc<Self>, number: u64) -> Result<StateView, StateError> {
        let inner = self.read();
        if number < inner.oldest {
            return Err(StateError::Pruned { number, oldest: inner.oldest });
        }
        if number > inner.head {
            return Err(StateError::UnknownBlock { number });
        }
        Ok(StateView { state: Arc::clone(self), number, epoch: inner.epoch })
    }

    /// Returns the oldest block whose state can be read.
    #[must_use]
    pub fn oldest(&self) -> u64 {
        self.read().oldest
    }

    /// Returns the state root of the head.
    #[must_use]
    pub fn root(&self) -> B256 {
        self.write().trie.root()
    }

    /// Returns everything at the head as one diff, in ascending order of address and slot.
    #[must_use]
    pub fn snapshot(&self) -> StateDiff {
        self.read().snapshot()
    }

    fn read(&self) -> RwLockReadGuard<'_, Inner> {
        self.inner.read().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Inner> {
        self.inner.write().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl StateView {
    /// Returns the number of the block whose state this is.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Returns the account, or nothing when it does not exist.
    ///
    /// # Errors
    ///
    /// Returns a [`StateError`] when the block is no longer readable.
    pub fn account(&self, address: Address) -> Result<Option<Account>, StateError> {
        let inner = self.readable()?;
        let stored = inner.accounts.get(&address).and_then(|entry| entry.account.at(self.number));
        Ok(stored.copied().flatten().map(|stored| inner.account(stored)))
    }

    /// Returns the value of a storage slot, zero when it was never set.
    ///
    /// # Errors
    ///
    /// Returns a [`StateError`] when the block is no longer readable.
    pub fn storage(&self, address: Address, slot: B256) -> Result<U256, StateError> {
        let inner = self.readable()?;
        let storage = inner.accounts.get(&address).and_then(|entry| entry.storage.as_ref());
        let value = storage.and_then(|storage| storage.slots.get(&slot)?.at(self.number).copied());
        Ok(value.unwrap_or_default())
    }

    /// Returns whether any storage slot of the account is set.
    ///
    /// # Errors
    ///
    /// Returns a [`StateError`] when the block is no longer readable.
    pub fn has_storage(&self, address: Address) -> Result<bool, StateError> {
        let inner = self.readable()?;
        let storage = inner.accounts.get(&address).and_then(|entry| entry.storage.as_ref());
        Ok(storage.is_some_and(|storage| {
            if self.number == inner.head {
                return !storage.trie.is_empty();
            }
            storage.slots.values().any(|v| v.at(self.number).is_some_and(|value| !value.is_zero()))
        }))
    }

    /// Returns up to `limit` set slots of an account whose hashed slots are at or after `start`, in ascending order
    /// of the hashed slot, as (hashed slot, slot, value).
    ///
    /// # Errors
    ///
    /// Returns a [`StateError`] when the block is no longer readable.
    pub fn storage_range(
        &self,
        address: Address,
        start: B256,
        limit: usize,
    ) -> Result<Vec<(B256, B256, U256)>, StateError> {
        let inner = self.readable()?;
        let Some(storage) = inner.accounts.get(&address).and_then(|entry| entry.storage.as_ref())
        else {
            return Ok(Vec::new());
        };
        let mut slots: Vec<_> = storage
            .slots
            .iter()
            .filter_map(|(slot, versions)| {
                let value = *versions.at(self.number)?;
                let hashed = keccak256(slot);
                (!value.is_zero() && hashed >= start).then_some((hashed, *slot, value))
            })
            .collect();
        slots.sort_unstable();
        slots.truncate(limit);
        Ok(slots)
    }

    /// Returns the code with this hash, or nothing when it is unknown.
    ///
    /// # Errors
    ///
    /// Returns a [`StateError`] when the block is no longer readable.
    pub fn code(&self, code_hash: B256) -> Result<Option<Bytes>, StateError> {
        if code_hash == KECCAK256_EMPTY {
            return Ok(Some(Bytes::new()));
        }
        let inner = self.readable()?;
        let index = inner.code_index.get(&code_hash);
        Ok(index.map(|index| inner.codes[*index as usize].1.clone()))
    }

    fn readable(&self) -> Result<RwLockReadGuard<'_, Inner>, StateError> {
        let inner = self.state.read();
        if self.epoch != inner.epoch {
            return Err(StateError::Reverted { number: self.number });
        }
        if self.number < inner.oldest {
            return Err(StateError::Pruned { number: self.number, oldest: inner.oldest });
        }
        Ok(inner)
    }
}

impl Inner {
    fn add_code(&mut self, code: Bytes) {
        let hash = keccak256(&code);
        if let std::collections::hash_map::Entry::Vacant(entry) = self.code_index.entry(hash) {
            entry.insert(u32::try_from(self.codes.len()).expect("codes fit in memory"));
            self.codes.push((hash, code));
        }
    }

    fn account(&self, stored: StoredAccount) -> Account {
        let code_hash = match stored.code {
            NO_CODE => KECCAK256_EMPTY,
            index => self.codes[index as usize].0,
        };
        Account { nonce: stored.nonce, balance: stored.balance, code_hash }
    }

    fn apply_account(&mut self, number: u64, diff: &AccountDiff) {
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
        if let Some(storage) = &mut entry.storage {
            if diff.clears_storage || !diff.exists {
                #[expect(clippy::iter_over_hash_type, reason = "every slot is treated alike")]
                for (slot, versions) in &mut storage.slots {
                    if versions.latest().is_some_and(|value| !value.is_zero()) {
                        self.superseded += versions.set(number, U256::ZERO);
                        storage.trie.remove(&keccak256(slot));
                    }
                }
            }
            for SlotDiff { slot, value } in &diff.storage {
                let versions = storage.slots.entry(*slot).or_insert_with(|| {
                    self.slot_count += 1;
                    Versions::default()
                });
                self.superseded += versions.set(number, *value);
                set_slot(&mut storage.trie, slot, *value);
            }
        }
        self.refresh_leaf(diff.address);
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

    fn revert_to(&mut self, number: u64) {
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
        for address in changed {
            self.refresh_leaf(address);
        }
    }

    /// Lets go of the older half of the history as long as there are too many superseded values.
    fn prune_if_large(&mut self) {
        while self.superseded > SUPERSEDED_VALUES_MAX && self.oldest < self.head {
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

    fn snapshot(&self) -> StateDiff {
        let mut accounts: Vec<_> = self
            .accounts
            .iter()
            .filter_map(|(address, entry)| {
                let account = self.account((*entry.account.latest()?)?);
                let mut storage: Vec<_> = entry
                    .storage
                    .iter()
                    .flat_map(|storage| &storage.slots)
                    .filter_map(|(slot, versions)| {
                        let value = *versions.latest()?;
                        (!value.is_zero()).then_some(SlotDiff { slot: *slot, value })
                    })
                    .collect();
                storage.sort_unstable_by_key(|diff| diff.slot);
                Some(AccountDiff {
                    address: *address,
                    exists: true,
                    nonce: account.nonce,
                    balance: account.balance,
                    code_hash: account.code_hash,
                    clears_storage: false,
                    storage,
                })
            })
            .collect();
        accounts.sort_unstable_by_key(|account| account.address);
        let codes = self.codes.iter().map(|(_, code)| code.clone()).collect();
        StateDiff { accounts, codes }
    }
}

fn set_slot(trie: &mut Trie, slot: &B256, value: U256) {
    let key = keccak256(slot);
    if value.is_zero() {
        trie.remove(&key);
    } else {
        trie.insert(key, alloy_rlp::encode(value));
    }
}

/// Returns the value that the state trie holds for an account.
fn encode_account(account: &Account, storage_root: B256) -> Vec<u8> {
    let payload_length = account.nonce.length() + account.balance.length() + 33 + 33;
    let mut out = Vec::with_capacity(payload_length + 2);
    alloy_rlp::Header { list: true, payload_length }.encode(&mut out);
    account.nonce.encode(&mut out);
    account.balance.encode(&mut out);
    storage_root.encode(&mut out);
    account.code_hash.encode(&mut out);
    out
}
