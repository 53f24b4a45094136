//! What a batch is built on: the header and the accounts before it.

use crate::account::Accounts;
use crate::header::BatchHeader;

/// The state of a ledger after a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerState {
    /// The header of the batch.
    pub header: BatchHeader,
    /// All accounts after it.
    pub accounts: Accounts,
}

impl LedgerState {
    /// Returns the state before the first batch: no accounts.
    #[must_use]
    pub fn genesis() -> Self {
        Self { header: BatchHeader::GENESIS, accounts: Accounts::default() }
    }
}
