//! What the chain orders the ledger to take in: deposits and requests to leave.

use gridtally_core::party::ParticipantNumber;
use gridtally_core::quantity::Amount;

/// The most entries that one batch can take: their records are told apart by ten bits.
pub const INBOX_ENTRIES_MAX: u64 = 1_024;

/// An entry of the inbox, in the order in which the chain took it.
///
/// # Source
///
/// Settlement protocol §2.7 (R11) and §2.9.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InboxEntry {
    /// Whose account it concerns.
    pub participant: ParticipantNumber,
    /// What is ordered.
    pub kind: InboxKind,
}

/// What an entry orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InboxKind {
    /// Money came in: the account grows by it.
    Deposit(Amount),
    /// The participant leaves: everything is withdrawn.
    Exit,
}

/// A range of the inbox, with the number of its first entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InboxRange<'a> {
    /// Number of the first entry.
    pub first: u64,
    /// The entries.
    pub entries: &'a [InboxEntry],
}

impl<'a> InboxRange<'a> {
    /// Returns an entry by its number.
    #[must_use]
    pub fn get(&self, entry: u64) -> Option<&'a InboxEntry> {
        self.entries.get(usize::try_from(entry.checked_sub(self.first)?).ok()?)
    }
}
