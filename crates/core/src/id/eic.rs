//! Energy Identification Codes of ENTSO-E: areas, parties, measuring points.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{IdError, fixed};

/// An Energy Identification Code: 16 characters of `0-9`, `A-Z` and `-`, the last one checks the others.
///
/// ```text
/// 10 Y NO-1-------- 2
/// |  | |            check character
/// |  | body, 12 characters
/// |  kind, Y = area
/// issuing office
/// ```
///
/// # Source
///
/// ENTSO-E, EIC reference manual; test vector TV-02.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Eic([u8; 16]);

/// What an [`Eic`] identifies: its third character.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EicKind {
    /// `X`: a party.
    Party,
    /// `Y`: an area.
    Area,
    /// `Z`: a measuring point.
    MeasuringPoint,
    /// `W`: a resource such as a power plant.
    Resource,
    /// `T`: a tie line.
    TieLine,
    /// `V`: a location.
    Location,
    /// `A`: a substation.
    Substation,
    /// Any other character.
    Other,
}

/// Returns the value of a character: digits 0 to 9, letters 10 to 35, the hyphen 36.
fn value(byte: u8) -> u32 {
    match byte {
        b'0'..=b'9' => u32::from(byte - b'0'),
        b'A'..=b'Z' => u32::from(byte - b'A') + 10,
        _ => 36,
    }
}

/// Returns the check character of the first 15 characters.
fn check_character(body: &[u8]) -> u8 {
    const CHARACTERS: &[u8; 37] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-";
    let sum: u32 =
        body.iter().zip((2..=16).rev()).map(|(&byte, weight)| value(byte) * weight).sum();
    // The sum is 0 for a body of zeros; adding 36 instead of subtracting 1 keeps it from going below.
    CHARACTERS[36 - (sum as usize + 36) % 37]
}

impl Eic {
    /// Returns the code with this body of 15 characters and the check character that fits.
    ///
    /// # Errors
    ///
    /// In the order of [`IdError`]. A body whose check character would be a hyphen is not issued and refused as
    /// [`IdError::CheckDigit`].
    pub fn from_body(body: &str) -> Result<Self, IdError> {
        let body = fixed::<15>(body, is_allowed)?;
        let mut characters = [check_character(&body); 16];
        characters[..15].copy_from_slice(&body);
        Self::checked(characters)
    }

    fn checked(characters: [u8; 16]) -> Result<Self, IdError> {
        let (expected, actual) = (check_character(&characters[..15]), characters[15]);
        if expected != actual || expected == b'-' {
            return Err(IdError::CheckDigit {
                expected: char::from(expected),
                actual: char::from(actual),
            });
        }
        Ok(Self(characters))
    }

    /// Returns what the code identifies.
    #[must_use]
    pub const fn kind(&self) -> EicKind {
        match self.0[2] {
            b'X' => EicKind::Party,
            b'Y' => EicKind::Area,
            b'Z' => EicKind::MeasuringPoint,
            b'W' => EicKind::Resource,
            b'T' => EicKind::TieLine,
            b'V' => EicKind::Location,
            b'A' => EicKind::Substation,
            _ => EicKind::Other,
        }
    }

    /// Returns the code as text.
    ///
    /// # Panics
    ///
    /// Never: only ASCII characters are stored.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("the alphabet is ASCII")
    }
}

fn is_allowed(byte: u8) -> bool {
    byte.is_ascii_digit() || byte.is_ascii_uppercase() || byte == b'-'
}

impl FromStr for Eic {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::checked(fixed::<16>(text, is_allowed)?)
    }
}

impl fmt::Display for Eic {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

impl fmt::Debug for Eic {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Eic({self})")
    }
}

impl TryFrom<String> for Eic {
    type Error = IdError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Eic> for String {
    fn from(code: Eic) -> Self {
        code.as_str().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn published_codes_are_valid() {
        // TV-02, and the areas of the partner countries.
        for code in [
            "10YNO-1--------2",
            "10YNO-2--------T",
            "10YNO-3--------J",
            "10YNO-4--------9",
            "10Y1001A1001A48H",
            "10YDK-1--------W",
            "10YDK-2--------M",
            "10Y1001A1001A44P",
            "10Y1001A1001A46L",
            "10Y1001A1001A47J",
            "10YRO-TEL------P",
            "10YTR-TEIAS----W",
        ] {
            let eic: Eic = code.parse().unwrap();
            assert_eq!((eic.kind(), eic.as_str()), (EicKind::Area, code));
            assert_eq!(Eic::from_body(&code[..15]), Ok(eic));
        }
    }

    #[test]
    fn wrong_codes_are_refused_in_order() {
        for (text, message) in [
            ("10YNO-1--------3", "check digit 2 expected, 3 found"),
            ("10YNO-1-------2", "15 characters instead of 16"),
            ("10yNO-1--------2", "'y' cannot stand at position 3"),
            ("10YNO_1--------3", "'_' cannot stand at position 6"),
            ("1.0000000000E+15", "scientific notation, the last digits are lost"),
        ] {
            assert_eq!(text.parse::<Eic>().unwrap_err().to_string(), message, "{text}");
        }
    }

    #[test]
    fn a_hyphen_does_not_check() {
        // The sum of this body is 1, so the check character would be the 36th: the hyphen, which is not issued.
        let body = "0000000000000I0"; // 18 x 3 = 54 = 37 + 17
        assert_eq!(Eic::from_body(body).unwrap().as_str(), "0000000000000I0K");
        let body = "0000000000000D0"; // 13 x 3 = 39 = 37 + 2, so 35 = Z
        assert_eq!(Eic::from_body(body).unwrap().as_str(), "0000000000000D0Z");
        let body = "00000000000000J"; // 19 x 2 = 38 = 37 + 1, so 36
        let refused = IdError::CheckDigit { expected: '-', actual: '-' };
        assert_eq!(Eic::from_body(body), Err(refused));
        assert_eq!(format!("{body}-").parse::<Eic>(), Err(refused));
    }

    proptest! {
        #[test]
        fn text_round_trips_and_every_changed_character_is_found(
            body in "[0-9A-Z-]{15}",
            position in 0_usize..16,
            character in "[0-9A-Z-]",
        ) {
            let Ok(eic) = Eic::from_body(&body) else { return Ok(()) };
            prop_assert_eq!(eic.to_string().parse(), Ok(eic));
            let mut changed = eic.to_string();
            changed.replace_range(position..=position, &character);
            prop_assume!(changed != eic.as_str());
            let found = matches!(changed.parse::<Eic>(), Err(IdError::CheckDigit { .. }));
            prop_assert!(found);
        }

        #[test]
        fn any_text_is_answered(text in ".*") {
            let _outcome = text.parse::<Eic>();
        }
    }
}
