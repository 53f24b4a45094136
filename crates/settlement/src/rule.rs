//! The rules that make a batch valid.

use std::fmt;

/// A rule of validity.
///
/// # Source
///
/// Settlement protocol §2.7.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// R1: keys increase, and the first and the last are the header's.
    KeysIncrease,
    /// R2: the participant has an account and is active.
    ParticipantActive,
    /// R3: slot, code and value are possible.
    RecordPossible,
    /// R4: the amount is value times price.
    AmountPriced,
    /// R5: no balance falls below zero.
    BalanceCovered,
    /// R6: the participant's balance runs from record to record.
    BalanceRuns,
    /// R7: the hub's balance runs from record to record, and ends at the header's.
    HubBalanceRuns,
    /// R8: the accounts follow from the records.
    AccountsFollow,
    /// R9: the published data are the records.
    DataPublished,
    /// R10: every reading is signed.
    ReadingSigned,
    /// R11: every inbox entry is honoured once.
    InboxHonored,
    /// R12: everything opens on demand.
    OpensOnDemand,
    /// R13: a forced reading is not corrected later than a day after the request.
    ForcedOnce,
}

impl Rule {
    /// All rules, by number.
    pub const ALL: [Self; 13] = [
        Self::KeysIncrease,
        Self::ParticipantActive,
        Self::RecordPossible,
        Self::AmountPriced,
        Self::BalanceCovered,
        Self::BalanceRuns,
        Self::HubBalanceRuns,
        Self::AccountsFollow,
        Self::DataPublished,
        Self::ReadingSigned,
        Self::InboxHonored,
        Self::OpensOnDemand,
        Self::ForcedOnce,
    ];

    /// Returns the number of the rule, from 1.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8 + 1
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "R{}", self.number())
    }
}
