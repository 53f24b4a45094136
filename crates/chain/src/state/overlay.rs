//! A state with changes on top that are not part of the chain: overrides, patches, a block not yet sealed.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use alloy_primitives::{Address, B256, Bytes, U256, keccak256};

use super::{Account, AccountDiff, StateDiff, StateError, StateRead};

/// A state below with changes on top.
#[derive(Clone)]
pub struct OverlayState {
    below: Arc<dyn StateRead>,
    accounts: HashMap<Address, Option<Account>>,
    cleared: HashSet<Address>,
    slots: HashMap<(Address, B256), U256>,
    codes: HashMap<B256, Bytes>,
    hashes: HashMap<u64, B256>,
}

impl OverlayState {
    /// Returns `below` with `diff` on top.
    #[must_use]
    pub fn new(below: Arc<dyn StateRead>, diff: &StateDiff) -> Self {
        let mut overlay = Self {
            below,
            accounts: HashMap::new(),
            cleared: HashSet::new(),
            slots: HashMap::new(),
            codes: HashMap::new(),
            hashes: HashMap::new(),
        };
        for code in &diff.codes {
            overlay.codes.insert(keccak256(code), code.clone());
        }
        for account in &diff.accounts {
            overlay.put(account);
        }
        overlay
    }

    /// Sets an account, leaving its storage as it is.
    pub fn set_account(&mut self, address: Address, account: Account) {
        self.accounts.insert(address, Some(account));
    }

    /// Makes code known and returns its hash.
    pub fn add_code(&mut self, code: Bytes) -> B256 {
        let hash = keccak256(&code);
        self.codes.insert(hash, code);
        hash
    }

    /// Clears the storage of an account; slots set afterwards are its only ones.
    pub fn clear_storage(&mut self, address: Address) {
        self.slots.retain(|(account, _), _| *account != address);
        self.cleared.insert(address);
    }

    /// Sets a storage slot.
    pub fn set_storage(&mut self, address: Address, slot: B256, value: U256) {
        self.slots.insert((address, slot), value);
    }

    /// Sets the hash of a block.
    pub fn set_block_hash(&mut self, number: u64, hash: B256) {
        self.hashes.insert(number, hash);
    }

    fn put(&mut self, diff: &AccountDiff) {
        let account =
            Account { nonce: diff.nonce, balance: diff.balance, code_hash: diff.code_hash };
        self.accounts.insert(diff.address, diff.exists.then_some(account));
        if diff.clears_storage || !diff.exists {
            self.clear_storage(diff.address);
        }
        for slot in &diff.storage {
            self.set_storage(diff.address, slot.slot, slot.value);
        }
    }
}

impl StateRead for OverlayState {
    fn account(&self, address: Address) -> Result<Option<Account>, StateError> {
        match self.accounts.get(&address) {
            Some(account) => Ok(*account),
            None => self.below.account(address),
        }
    }

    fn storage(&self, address: Address, slot: B256) -> Result<U256, StateError> {
        match self.slots.get(&(address, slot)) {
            Some(value) => Ok(*value),
            None if self.cleared.contains(&address) => Ok(U256::ZERO),
            None => self.below.storage(address, slot),
        }
    }

    fn has_storage(&self, address: Address) -> Result<bool, StateError> {
        let is_set = self.slots.iter().any(|((a, _), value)| *a == address && !value.is_zero());
        Ok(is_set || (!self.cleared.contains(&address) && self.below.has_storage(address)?))
    }

    fn code(&self, code_hash: B256) -> Result<Option<Bytes>, StateError> {
        match self.codes.get(&code_hash) {
            Some(code) => Ok(Some(code.clone())),
            None => self.below.code(code_hash),
        }
    }

    fn block_hash(&self, number: u64) -> Result<B256, StateError> {
        match self.hashes.get(&number) {
            Some(hash) => Ok(*hash),
            None => self.below.block_hash(number),
        }
    }
}
