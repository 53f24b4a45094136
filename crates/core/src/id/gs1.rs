//! GS1 numbers: the last digit checks the others.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{IdError, fixed};

/// Returns the GS1 check digit of a body of ASCII digits: from the right, weights 3, 1, 3, 1 …; the sum is filled up to a
/// multiple of ten.
///
/// # Source
///
/// GS1 General Specifications, section 7.9; test vector TV-01.
fn check_digit(body: &[u8]) -> u8 {
    let weights = [3, 1].into_iter().cycle();
    let sum: u32 = body
        .iter()
        .rev()
        .zip(weights)
        .map(|(digit, weight)| u32::from(digit - b'0') * weight)
        .sum();
    b'0' + u8::try_from((10 - sum % 10) % 10).expect("below ten")
}

/// A GS1 number of a fixed length.
macro_rules! gs1_number {
    ($(#[$doc:meta])* $name:ident, $digits:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(into = "String", try_from = "String")]
        pub struct $name([u8; $digits]);

        impl $name {
            /// How many digits it has, the check digit included.
            pub const DIGITS: usize = $digits;

            /// Returns the number with this body and the check digit that fits.
            ///
            /// # Errors
            ///
            /// In the order of [`IdError`]; the length is one less than [`Self::DIGITS`].
            pub fn from_body(body: &str) -> Result<Self, IdError> {
                let body = fixed::<{ $digits - 1 }>(body, |byte| byte.is_ascii_digit())?;
                let mut digits = [check_digit(&body); $digits];
                digits[..$digits - 1].copy_from_slice(&body);
                Ok(Self(digits))
            }

            /// Returns the digits as text.
            ///
            /// # Panics
            ///
            /// Never: only digits are stored.
            #[must_use]
            pub fn as_str(&self) -> &str {
                std::str::from_utf8(&self.0).expect("digits are text")
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let digits = fixed::<$digits>(text, |byte| byte.is_ascii_digit())?;
                let (expected, actual) = (check_digit(&digits[..$digits - 1]), digits[$digits - 1]);
                if expected != actual {
                    let (expected, actual) = (char::from(expected), char::from(actual));
                    return Err(IdError::CheckDigit { expected, actual });
                }
                Ok(Self(digits))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.pad(self.as_str())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(formatter, concat!(stringify!($name), "({})"), self.as_str())
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(number: $name) -> Self {
                number.as_str().to_owned()
            }
        }
    };
}

gs1_number! {
    /// A metering point by its Global Service Relation Number: 18 digits, the last one checks the others.
    ///
    /// It stays with the installation when owner, grid company or meter change, and carries no logic.
    ///
    /// ```
    /// use gridtally_core::id::{Gsrn, IdError};
    ///
    /// assert!("707057500012345671".parse::<Gsrn>().is_ok());
    /// let wrong = "857643212345678921".parse::<Gsrn>();
    /// assert_eq!(wrong, Err(IdError::CheckDigit { expected: '2', actual: '1' }));
    /// ```
    Gsrn, 18
}
gs1_number! {
    /// A party by its Global Location Number: 13 digits, the last one checks the others.
    Gln, 13
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn published_numbers_are_valid() {
        // TV-01.
        for (body, full) in [
            ("70705750001234567", "707057500012345671"),
            ("70705750000000001", "707057500000000018"),
            ("57131312312345678", "571313123123456786"),
            ("73599912300000042", "735999123000000422"),
            ("87168590001263654", "871685900012636543"),
        ] {
            assert_eq!(Gsrn::from_body(body).unwrap().to_string(), full);
            assert_eq!(full.parse::<Gsrn>().unwrap().as_str(), full);
        }
        assert_eq!(Gln::from_body("708000310000").unwrap().to_string(), "7080003100009");
        assert!("7080003100009".parse::<Gln>().is_ok());
    }

    #[test]
    fn parties_are_refused_like_metering_points() {
        for (text, message) in [
            ("7080003100008", "check digit 9 expected, 8 found"),
            ("708000310000", "12 characters instead of 13"),
            ("7.0800031E+12", "scientific notation, the last digits are lost"),
            ("708000310000X", "'X' cannot stand at position 13"),
        ] {
            assert_eq!(text.parse::<Gln>().unwrap_err().to_string(), message, "{text}");
        }
    }

    #[test]
    fn wrong_numbers_are_refused_in_order() {
        for (text, message) in [
            ("857643212345678921", "check digit 2 expected, 1 found"),
            ("70705750001234567", "17 characters instead of 18"),
            ("7070575000123456711", "19 characters instead of 18"),
            ("", "0 characters instead of 18"),
            ("7.07057500012346E+17", "scientific notation, the last digits are lost"),
            ("7,07057500012346E+17", "scientific notation, the last digits are lost"),
            ("70705750001234567x", "'x' cannot stand at position 18"),
            ("7070575000 2345671", "' ' cannot stand at position 11"),
            ("70705750001234567١", "'١' cannot stand at position 18"),
            // Length before characters, characters before the check digit.
            ("7070575000x", "11 characters instead of 18"),
            ("x07057500012345670", "'x' cannot stand at position 1"),
        ] {
            assert_eq!(text.parse::<Gsrn>().unwrap_err().to_string(), message, "{text}");
        }
    }

    #[test]
    fn json_is_checked_too() {
        assert!(serde_json::from_str::<Gsrn>("\"707057500012345671\"").is_ok());
        assert!(serde_json::from_str::<Gsrn>("\"707057500012345672\"").is_err());
        assert!(serde_json::from_str::<Gsrn>("707057500012345671").is_err());
    }

    proptest! {
        #[test]
        fn text_round_trips_and_every_changed_digit_is_found(body in "[0-9]{17}", position in 0_usize..18, by in 1_u8..10) {
            let number = Gsrn::from_body(&body).unwrap();
            prop_assert_eq!(number.to_string().parse(), Ok(number));
            let mut changed = number.0;
            changed[position] = b'0' + (changed[position] - b'0' + by) % 10;
            let text = std::str::from_utf8(&changed).unwrap();
            let found = matches!(text.parse::<Gsrn>(), Err(IdError::CheckDigit { .. }));
            prop_assert!(found);
        }

        #[test]
        fn any_text_is_answered(text in ".*") {
            let _outcome = text.parse::<Gln>();
        }
    }
}
