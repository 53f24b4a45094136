//! Identifiers of the energy market, each with its check digit: metering points ([`Gsrn`]), parties ([`Gln`]), areas ([`Eic`]).
//!
//! They are refused with an error that names the expected digit, and never repaired.

mod eic;
mod gs1;

pub use eic::{Eic, EicKind};
pub use gs1::{Gln, Gsrn};

use crate::rejection::Reason;

/// Why a text is not an identifier. In order of precedence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// Scientific notation, as `7.07057500012346E+17`: a spreadsheet has dropped the last digits.
    #[error("scientific notation, the last digits are lost")]
    Scientific,
    /// Too few or too many characters.
    #[error("{actual} characters instead of {expected}")]
    Length {
        /// How many the identifier has.
        expected: usize,
        /// How many were given.
        actual: usize,
    },
    /// A character that cannot stand there.
    #[error("{character:?} cannot stand at position {position}")]
    Character {
        /// Position from 1.
        position: usize,
        /// The character.
        character: char,
    },
    /// The last character does not fit the others.
    #[error("check digit {expected} expected, {actual} found")]
    CheckDigit {
        /// The digit or letter that fits.
        expected: char,
        /// The one that was given.
        actual: char,
    },
}

impl IdError {
    /// Returns the documented reason.
    #[must_use]
    pub const fn reason(self) -> Reason {
        match self {
            Self::Scientific => Reason::IdScientific,
            Self::Length { .. } => Reason::IdLength,
            Self::Character { .. } => Reason::IdCharacter,
            Self::CheckDigit { .. } => Reason::IdCheckDigit,
        }
    }
}

/// Returns whether a text is a number in scientific notation, such as `7.07057500012346E+17` or `7,07E17`.
pub(crate) fn is_scientific(text: &str) -> bool {
    let Some((mantissa, exponent)) = text.split_once(['e', 'E']) else { return false };
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once(['.', ',']).unwrap_or((mantissa, "0"));
    digits(whole) && digits(fraction) && digits(exponent.trim_start_matches(['+', '-']))
}

/// Checks the length in characters and, on success, that all of them are single bytes of the alphabet.
fn fixed<const N: usize>(text: &str, allowed: impl Fn(u8) -> bool) -> Result<[u8; N], IdError> {
    if is_scientific(text) {
        return Err(IdError::Scientific);
    }
    let actual = text.chars().count();
    if actual != N {
        return Err(IdError::Length { expected: N, actual });
    }
    for (index, character) in text.chars().enumerate() {
        if !u8::try_from(character).is_ok_and(&allowed) {
            return Err(IdError::Character { position: index + 1, character });
        }
    }
    Ok(text.as_bytes().try_into().expect("N allowed characters are N bytes"))
}
