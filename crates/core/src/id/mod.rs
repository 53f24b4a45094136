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
    #[error("{actual} characters instead of {}", span(*shortest, *longest))]
    Length {
        /// Fewest characters.
        shortest: usize,
        /// Most characters.
        longest: usize,
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

fn span(shortest: usize, longest: usize) -> String {
    if shortest == longest { shortest.to_string() } else { format!("{shortest} to {longest}") }
}

/// Returns whether a text is a number in scientific notation, such as `7.07057500012346E+17` or `7,07E17`.
pub(crate) fn is_scientific(text: &str) -> bool {
    let Some((mantissa, exponent)) = text.split_once(['e', 'E']) else { return false };
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once(['.', ',']).unwrap_or((mantissa, "0"));
    digits(whole) && digits(fraction) && digits(exponent.trim_start_matches(['+', '-']))
}

/// Checks an identifier of fixed length over an ASCII alphabet.
fn fixed<const N: usize>(text: &str, allowed: impl Fn(u8) -> bool) -> Result<[u8; N], IdError> {
    if is_scientific(text) {
        return Err(IdError::Scientific);
    }
    let actual = text.chars().count();
    if actual != N {
        return Err(IdError::Length { shortest: N, longest: N, actual });
    }
    check_characters(text, |_, byte| allowed(byte))?;
    Ok(text.as_bytes().try_into().expect("N allowed characters are N bytes"))
}

/// Checks a short name: 1 to 40 characters, letters as given, digits, and inside it also `-`, `_` and `.`.
pub(crate) fn short_name(text: &str, letter: impl Fn(u8) -> bool) -> Result<&str, IdError> {
    if is_scientific(text) {
        return Err(IdError::Scientific);
    }
    let actual = text.chars().count();
    if !(1..=40).contains(&actual) {
        return Err(IdError::Length { shortest: 1, longest: 40, actual });
    }
    check_characters(text, |position, byte| {
        letter(byte) || byte.is_ascii_digit() || position > 1 && b"-_.".contains(&byte)
    })?;
    Ok(text)
}

/// Checks that every character is a single byte that may stand at its position, from 1.
fn check_characters(text: &str, allowed: impl Fn(usize, u8) -> bool) -> Result<(), IdError> {
    for (position, character) in (1..).zip(text.chars()) {
        if !(character.is_ascii()
            && u8::try_from(character).is_ok_and(|byte| allowed(position, byte)))
        {
            return Err(IdError::Character { position, character });
        }
    }
    Ok(())
}
