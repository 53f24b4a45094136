//! The accounts of the chain, at the head and at the blocks behind it.
//!
//! Every account and storage slot keeps its value together with the block that set it, so a read at an older block
//! finds what was true then. What is no longer kept is refused by name, never answered with something newer. The
//! state root of the head is kept in a trie; the root of an older block is rebuilt from the kept values.

pub(crate) mod checkpoint;
mod diff;
pub mod overlay;
pub mod proof;
pub mod trie;
mod values;
mod versions;

use std::sync::{Arc, RwLock, RwLockReadGuard, RwLockWriteGuard};

use alloy_primitives::{Address, B256, Bytes, KECCAK256_EMPTY, U256, keccak256};

use self::values::Values;
pub use self::{
    diff::{AccountDiff, SlotDiff, StateDiff},
    values::SUPERSEDED_VALUES_MAX,
};
use crate::explanation::explanations;

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

explanations! {
    StateError {
        Pruned: "state-pruned" "the values of so old a block are no longer kept"
            "ask for a newer block";
        Reverted: "state-reverted" "the block was taken back by a revert while it was read"
            "ask again";
        ProofTooLarge: "state-proof-too-large" "a proof at so old a block needs too large a trie to be rebuilt"
            "ask for the proof at the newest block";
        RootMismatch: "state-root-mismatch" "a rebuilt state root differs from its header: a bug, told instead of a wrong answer"
            "report it, with a copy of the folder";
        UnknownCode: "state-code-unknown" "an account has code that is not known"
            "restore the folder from a copy";
        UnknownBlock: "state-block-unknown" "there is no such block"
            "name a block up to the newest one";
    }
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
    inner: RwLock<Values>,
}

/// The state as of one block. It does not change when blocks are added.
#[derive(Debug, Clone)]
pub struct StateView {
    state: Arc<State>,
    number: u64,
    epoch: u64,
}

impl State {
    /// Returns an empty state that stands at block `number`, to be filled with one [`Self::load`] at that block.
    #[must_use]
    pub fn starting_at(number: u64) -> Self {
        Self::from_values(Values { head: number, oldest: number, ..Values::default() })
    }

    fn from_values(values: Values) -> Self {
        Self { inner: RwLock::new(values) }
    }

    /// Applies the changes of block `number` and returns the state root after it.
    ///
    /// # Panics
    ///
    /// Panics when `number` is not the one after the head.
    pub fn apply(&self, number: u64, diff: &StateDiff) -> B256 {
        let mut inner = self.write();
        assert!(number == inner.head + 1, "block {number} does not follow head {}", inner.head);
        inner.apply(number, diff);
        inner.trie.root()
    }

    /// Applies the changes of block `number` without building tries, which is faster when many blocks follow each
    /// other. [`Self::complete`] must be called before anything else is done.
    ///
    /// # Panics
    ///
    /// Panics when `number` is neither the head (a state being filled) nor the one after it.
    pub fn load(&self, number: u64, diff: &StateDiff) {
        let mut inner = self.write();
        assert!(
            number == inner.head || number == inner.head + 1,
            "block {number} does not follow head {}",
            inner.head
        );
        inner.load(number, diff);
        inner.prune_above(SUPERSEDED_VALUES_MAX);
    }

    /// Builds the tries after loading and returns the state root of the head.
    pub fn complete(&self) -> B256 {
        let mut inner = self.write();
        inner.build_tries();
        inner.trie.root()
    }

    /// Lets go of the older half of the history when there is too much of it.
    pub fn prune_if_large(&self) {
        if self.read().superseded > SUPERSEDED_VALUES_MAX {
            self.write().prune_above(SUPERSEDED_VALUES_MAX);
        }
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

    fn read(&self) -> RwLockReadGuard<'_, Values> {
        self.inner.read().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Values> {
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
        Ok(index.map(|index| inner.codes[*index as usize].bytes.clone()))
    }

    fn readable(&self) -> Result<RwLockReadGuard<'_, Values>, StateError> {
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

#[cfg(test)]
mod tests;
