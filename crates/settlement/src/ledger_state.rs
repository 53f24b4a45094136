//! What a batch is built on: the header and the accounts before it.

use gridtally_core::party::ParticipantNumber;

use crate::account::Accounts;
use crate::header::BatchHeader;
use crate::leaf::AccountLeaf;
use crate::opening::Opened;
use crate::tree::Tree;

/// The state of a ledger after a batch, ready to open any account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerState {
    header: BatchHeader,
    accounts: Accounts,
    /// The tree over `accounts`; none without accounts.
    account_tree: Option<Tree>,
}

impl LedgerState {
    /// Returns the state before the first batch: no accounts.
    #[must_use]
    pub fn genesis() -> Self {
        Self { header: BatchHeader::GENESIS, accounts: Accounts::default(), account_tree: None }
    }

    /// Returns the state after the batch of `header`, which left these accounts.
    #[must_use]
    pub fn new(header: BatchHeader, accounts: Accounts) -> Self {
        let account_tree = accounts.tree();
        Self { header, accounts, account_tree }
    }

    pub(crate) const fn with_tree(header: BatchHeader, accounts: Accounts, tree: Tree) -> Self {
        Self { header, accounts, account_tree: Some(tree) }
    }

    /// Returns the header of the batch.
    #[must_use]
    pub const fn header(&self) -> &BatchHeader {
        &self.header
    }

    /// Returns all accounts after the batch.
    #[must_use]
    pub const fn accounts(&self) -> &Accounts {
        &self.accounts
    }

    /// Returns a participant's account with its path, or `None` without an account.
    #[must_use]
    pub fn open_account(&self, participant: ParticipantNumber) -> Option<Opened<AccountLeaf>> {
        let leaf = self.accounts.leaf(participant)?;
        let index = usize::try_from(participant.0).ok()?;
        let path = self.account_tree.as_ref()?.path(index)?;
        Some(Opened { index: participant.0, leaf, path })
    }
}
