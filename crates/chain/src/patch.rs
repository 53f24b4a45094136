//! Parts of the state that are set without a transaction.
//!
//! A patch is a block of its own without transactions, so that the state after every block stays what its header
//! says, and old blocks stay as they were. No time passes in it, so the time of the next block is not used up.

use alloy_primitives::{Address, B256, Bytes, U256, keccak256};

use crate::state::{AccountDiff, SlotDiff, StateDiff, StateError, StateRead};

/// What is set about one account; what is nothing stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccountPatch {
    /// The account.
    pub address: Address,
    /// Balance in wei.
    pub balance: Option<U256>,
    /// Nonce.
    pub nonce: Option<u64>,
    /// Code, empty for none.
    pub code: Option<Bytes>,
    /// A storage slot and its value, zero to remove it.
    pub slot: Option<(B256, U256)>,
}

impl AccountPatch {
    /// Returns the patch of an account that changes nothing.
    #[must_use]
    pub fn of(address: Address) -> Self {
        Self { address, ..Self::default() }
    }

    /// Returns what the patch changes in a state.
    ///
    /// # Errors
    ///
    /// Returns a [`StateError`] when the state cannot be read.
    pub(crate) fn diff(&self, state: &dyn StateRead) -> Result<StateDiff, StateError> {
        let before = state.account(self.address)?.unwrap_or_default();
        let code = self.code.clone();
        let account = AccountDiff {
            address: self.address,
            exists: true,
            nonce: self.nonce.unwrap_or(before.nonce),
            balance: self.balance.unwrap_or(before.balance),
            code_hash: code.as_ref().map_or(before.code_hash, keccak256),
            clears_storage: false,
            storage: self.slot.map(|(slot, value)| SlotDiff { slot, value }).into_iter().collect(),
        };
        let codes = code.filter(|code| !code.is_empty()).into_iter().collect();
        Ok(StateDiff { accounts: vec![account], codes })
    }
}
