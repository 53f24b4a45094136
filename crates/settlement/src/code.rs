//! What a record is about, and so who pays whom.

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The code of a record, 0 to 63.
///
/// # Source
///
/// Settlement protocol §2.2. Which code means which product is a deployment's choice; ours are the constants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct Code(u8);

/// Who pays whom under a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodeClass {
    /// Code 0: money that came in through the inbox.
    Deposit,
    /// Codes 1 to 31: the hub pays the participant for energy delivered.
    HubPays,
    /// Codes 32 to 62: the participant pays the hub for energy consumed.
    ParticipantPays,
    /// Code 63: money that leaves the ledger.
    Withdrawal,
}

/// A code needs more than six bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("code {0} is not 0 to 63")]
pub struct CodeError(pub u8);

impl Code {
    /// Money that came in through the inbox.
    pub const DEPOSIT: Self = Self(0);
    /// Money that leaves the ledger.
    pub const WITHDRAWAL: Self = Self(63);
    /// Energy fed into the grid, bought back by the hub.
    pub const FEED_IN: Self = Self(1);
    /// Flexibility that was delivered.
    pub const FLEXIBILITY: Self = Self(2);
    /// Energy drawn from the grid.
    pub const CONSUMPTION: Self = Self(32);

    /// Returns the code of a number.
    ///
    /// # Errors
    ///
    /// Returns [`CodeError`] above 63.
    pub const fn new(number: u8) -> Result<Self, CodeError> {
        if number < 64 { Ok(Self(number)) } else { Err(CodeError(number)) }
    }

    /// Returns the code in the upper six bits of a byte.
    pub(crate) const fn of_top_bits(byte: u8) -> Self {
        Self(byte >> 2)
    }

    /// Returns the number, 0 to 63.
    #[must_use]
    pub const fn number(self) -> u8 {
        self.0
    }

    /// Returns who pays whom.
    #[must_use]
    pub const fn class(self) -> CodeClass {
        match self.0 {
            0 => CodeClass::Deposit,
            1..=31 => CodeClass::HubPays,
            32..=62 => CodeClass::ParticipantPays,
            _ => CodeClass::Withdrawal,
        }
    }

    /// Whether the code has a price in a tariff table: 1 to 62.
    #[must_use]
    pub const fn is_priced(self) -> bool {
        matches!(self.class(), CodeClass::HubPays | CodeClass::ParticipantPays)
    }
}

impl TryFrom<u8> for Code {
    type Error = CodeError;

    fn try_from(number: u8) -> Result<Self, CodeError> {
        Self::new(number)
    }
}

impl From<Code> for u8 {
    fn from(code: Code) -> Self {
        code.0
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
