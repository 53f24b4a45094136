//! What a batch is built on: the header and the accounts before it.

use alloy_primitives::B256;
use gridtally_core::party::ParticipantNumber;

use crate::account::Accounts;
use crate::header::BatchHeader;
use crate::leaf::{AccountLeaf, Salt};
use crate::opening::{Opened, sealed_hashes};
use crate::tree::Tree;

/// The state of a ledger after a batch, ready to open any account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerState {
    header: BatchHeader,
    accounts: Accounts,
    /// The tree over `accounts`; none without accounts.
    account_tree: Option<Tree>,
    /// Of each account after a sealed batch.
    salts: Option<Vec<Salt>>,
}

impl LedgerState {
    /// Returns the state before the first batch: no accounts.
    #[must_use]
    pub fn genesis() -> Self {
        let (header, accounts) = (BatchHeader::GENESIS, Accounts::default());
        Self { header, accounts, account_tree: None, salts: None }
    }

    /// Returns the state after the batch of `header`, which left these accounts.
    #[must_use]
    pub fn new(header: BatchHeader, accounts: Accounts) -> Self {
        let account_tree = accounts.tree();
        Self { header, accounts, account_tree, salts: None }
    }

    /// Returns the state after the sealed batch of `header`, or `None` for accounts and salts that are not under its account
    /// root.
    #[must_use]
    pub fn sealed(header: BatchHeader, accounts: Accounts, salts: Vec<Salt>) -> Option<Self> {
        let leaves: Vec<AccountLeaf> = accounts.leaves().collect();
        let is_complete = accounts.count() == header.account_count && salts.len() == leaves.len();
        let tree = is_complete.then(|| Tree::new(sealed_hashes(&leaves, &salts)))??;
        let is_own = tree.root() == header.account_root;
        is_own.then_some(Self { header, accounts, account_tree: Some(tree), salts: Some(salts) })
    }

    pub(crate) const fn with_tree(
        header: BatchHeader,
        accounts: Accounts,
        tree: Tree,
        salts: Option<Vec<Salt>>,
    ) -> Self {
        Self { header, accounts, account_tree: Some(tree), salts }
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

    /// Returns the hashes of all accounts as they stand in the tree, none before the first batch.
    #[must_use]
    pub fn account_hashes(&self) -> &[B256] {
        self.account_tree.as_ref().map_or(&[], Tree::leaves)
    }

    /// Returns a participant's account with its path, or `None` without an account.
    #[must_use]
    pub fn open_account(&self, participant: ParticipantNumber) -> Option<Opened<AccountLeaf>> {
        let leaf = self.accounts.leaf(participant)?;
        let index = usize::try_from(participant.0).ok()?;
        let path = self.account_tree.as_ref()?.path(index)?;
        let salt = self.salts.as_ref().and_then(|salts| salts.get(index)).copied();
        Some(Opened { index: participant.0, leaf, salt, path })
    }
}
