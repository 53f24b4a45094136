//! The accounts of a ledger: the state that one batch hands to the next.

use gridtally_core::party::ParticipantNumber;
use gridtally_core::quantity::Amount;

use crate::leaf::AccountLeaf;
use crate::opening::leaf_hashes;
use crate::tree::Tree;

/// One account: what a participant holds, and what was withdrawn of it so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// The balance, not negative in a valid batch.
    pub balance: Amount,
    /// All withdrawals so far, micro-units; a whole number of hundredths.
    pub payable_micro: u64,
}

/// All accounts by participant number; the first is the hub's.
///
/// # Source
///
/// Settlement protocol §2.4.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Accounts(Vec<Account>);

impl Accounts {
    /// Returns these accounts, the hub's first.
    #[must_use]
    pub const fn new(accounts: Vec<Account>) -> Self {
        Self(accounts)
    }

    /// Returns the number of accounts, 0 before the first batch.
    #[must_use]
    pub fn count(&self) -> u32 {
        u32::try_from(self.0.len()).unwrap_or(u32::MAX)
    }

    /// Returns an account; one that is not there is empty.
    #[must_use]
    pub fn get(&self, participant: ParticipantNumber) -> Account {
        self.0.get(place(participant)).copied().unwrap_or_default()
    }

    /// Replaces an account; one that is not there stays so.
    pub fn set(&mut self, participant: ParticipantNumber, account: Account) {
        if let Some(old) = self.0.get_mut(place(participant)) {
            *old = account;
        }
    }

    /// Adds empty accounts up to `count`; there are never fewer than before.
    pub fn grow(&mut self, count: u32) {
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        if count > self.0.len() {
            self.0.resize(count, Account::default());
        }
    }

    /// Returns a participant's leaf, or `None` without an account.
    #[must_use]
    pub fn leaf(&self, participant: ParticipantNumber) -> Option<AccountLeaf> {
        let &Account { balance, payable_micro } = self.0.get(place(participant))?;
        Some(AccountLeaf { participant, balance, payable_micro })
    }

    /// Returns all leaves, by participant number.
    pub fn leaves(&self) -> impl ExactSizeIterator<Item = AccountLeaf> {
        self.0.iter().enumerate().map(|(index, &Account { balance, payable_micro })| {
            let number = u32::try_from(index).unwrap_or(u32::MAX);
            AccountLeaf { participant: ParticipantNumber(number), balance, payable_micro }
        })
    }

    /// Returns the tree over all leaves, or `None` before the first batch.
    #[must_use]
    pub fn tree(&self) -> Option<Tree> {
        Tree::new(leaf_hashes(&self.leaves().collect::<Vec<_>>()))
    }
}

fn place(participant: ParticipantNumber) -> usize {
    usize::try_from(participant.0).unwrap_or(usize::MAX)
}
