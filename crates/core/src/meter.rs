//! Metering points, and the meters that measure there.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::id::{Gsrn, IdError, is_scientific, short_name};
use crate::party::PartyId;
use crate::quantity::Energy;

/// A metering point's identifier: a [`Gsrn`], or a name where none was given, as in research data.
///
/// Text of digits only is a GSRN and must be a valid one. A name has 1 to 40 characters of `A-Z`, `a-z`, `0-9`, `-`, `_`
/// and `.`, of which one at least is a letter.
///
/// ```
/// use gridtally_core::meter::MeteringPointId;
///
/// assert!("707057500012345671".parse::<MeteringPointId>().is_ok());
/// assert!("home_03".parse::<MeteringPointId>().is_ok());
/// assert!("7.07057500012346E+17".parse::<MeteringPointId>().is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct MeteringPointId(Box<str>);

impl MeteringPointId {
    /// Returns the text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for MeteringPointId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let has_letter = text.bytes().any(|byte| byte.is_ascii_alphabetic());
        if has_letter && !is_scientific(text) {
            short_name(text, |byte| byte.is_ascii_alphabetic())?;
        } else {
            text.parse::<Gsrn>()?;
        }
        Ok(Self(text.into()))
    }
}

impl From<Gsrn> for MeteringPointId {
    fn from(number: Gsrn) -> Self {
        Self(number.as_str().into())
    }
}

impl TryFrom<String> for MeteringPointId {
    type Error = IdError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<MeteringPointId> for String {
    fn from(point: MeteringPointId) -> Self {
        point.0.into()
    }
}

impl fmt::Display for MeteringPointId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

/// Where the exchange of one party with the grid is measured. It stays when the meter is replaced.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MeteringPoint {
    /// Identifier.
    pub id: MeteringPointId,
    /// The party whose exchange is measured.
    pub party: PartyId,
}

/// What a meter's register counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// Energy drawn from the grid (OBIS 1.8.0).
    Import,
    /// Energy fed into the grid (OBIS 2.8.0).
    Export,
}

/// A channel that is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("unknown channel, expected import or export")]
pub struct ChannelError;

impl FromStr for Channel {
    type Err = ChannelError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "import" => Ok(Self::Import),
            "export" => Ok(Self::Export),
            _ => Err(ChannelError),
        }
    }
}

impl fmt::Display for Channel {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Import => "import",
            Self::Export => "export",
        })
    }
}

/// The device at a metering point, with counting registers that roll over.
///
/// Holds: 4 to 9 digits of kilowatt-hours, a multiplier of 1 to 100 000.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "UncheckedMeter")]
pub struct Meter {
    metering_point: MeteringPointId,
    register_digits: u32,
    multiplier: u32,
}

/// The same fields before they were checked.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UncheckedMeter {
    metering_point: MeteringPointId,
    register_digits: u32,
    multiplier: u32,
}

/// Why there is no such meter or index. In order of precedence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MeterError {
    /// Too few or too many digits.
    #[error("a register of {register_digits} digits is not between 4 and 9")]
    RegisterDigits {
        /// As given.
        register_digits: u32,
    },
    /// No multiplier, or an absurd one.
    #[error("the multiplier {multiplier} is not between 1 and 100000")]
    Multiplier {
        /// As given.
        multiplier: u32,
    },
    /// An index that the register cannot show.
    #[error("the register cannot show {index_wh} Wh")]
    Index {
        /// As given.
        index_wh: i64,
    },
}

impl Meter {
    /// Returns the meter of a metering point. `register_digits` are those before the decimal point, in kilowatt-hours;
    /// `multiplier` is the ratio of its current and voltage transformers, 1 without.
    ///
    /// # Errors
    ///
    /// [`MeterError::RegisterDigits`], then [`MeterError::Multiplier`].
    pub fn new(
        metering_point: MeteringPointId,
        register_digits: u32,
        multiplier: u32,
    ) -> Result<Self, MeterError> {
        if !(4..=9).contains(&register_digits) {
            return Err(MeterError::RegisterDigits { register_digits });
        }
        if !(1..=100_000).contains(&multiplier) {
            return Err(MeterError::Multiplier { multiplier });
        }
        Ok(Self { metering_point, register_digits, multiplier })
    }

    /// Returns where the meter measures.
    #[must_use]
    pub const fn metering_point(&self) -> &MeteringPointId {
        &self.metering_point
    }

    /// Returns the energy between two indexes of a register, which may have rolled over once, times the multiplier.
    ///
    /// ```
    /// use gridtally_core::meter::Meter;
    /// use gridtally_core::quantity::Energy;
    ///
    /// let meter = Meter::new("home_03".parse().unwrap(), 6, 1).unwrap();
    /// let (before, after) = (Energy::from_wh(999_998_700), Energy::from_wh(3_200));
    /// assert_eq!(meter.energy_between(before, after), Ok(Energy::from_wh(4_500)));
    /// ```
    ///
    /// # Errors
    ///
    /// [`MeterError::Index`] for an index that is negative or too long.
    pub fn energy_between(&self, before: Energy, after: Energy) -> Result<Energy, MeterError> {
        let capacity_wh = 10_i64.pow(self.register_digits) * 1_000;
        for index_wh in [before.wh(), after.wh()] {
            if !(0..capacity_wh).contains(&index_wh) {
                return Err(MeterError::Index { index_wh });
            }
        }
        // At most 10^12 Wh times 10^5.
        let counted_wh = (after.wh() - before.wh()).rem_euclid(capacity_wh);
        Ok(Energy::from_wh(counted_wh * i64::from(self.multiplier)))
    }
}

impl TryFrom<UncheckedMeter> for Meter {
    type Error = MeterError;

    fn try_from(unchecked: UncheckedMeter) -> Result<Self, Self::Error> {
        Self::new(unchecked.metering_point, unchecked.register_digits, unchecked.multiplier)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metering_points_are_numbers_or_names() {
        for text in ["707057500012345671", "home_03", "MAC000002", "Building_1.a"] {
            assert_eq!(text.parse::<MeteringPointId>().unwrap().to_string(), text);
        }
        for (text, message) in [
            ("707057500012345672", "check digit 1 expected, 2 found"),
            ("1234", "4 characters instead of 18"),
            ("7.07057500012346E+17", "scientific notation, the last digits are lost"),
            ("", "0 characters instead of 18"),
            ("home 3", "' ' cannot stand at position 5"),
            ("home,3", "',' cannot stand at position 5"),
            ("_home", "'_' cannot stand at position 1"),
        ] {
            assert_eq!(text.parse::<MeteringPointId>().unwrap_err().to_string(), message);
        }
    }

    #[test]
    fn registers_roll_over() {
        let meter = |digits, multiplier| Meter::new("p".parse().unwrap(), digits, multiplier);
        let between = |meter: &Meter, before, after| {
            meter.energy_between(Energy::from_wh(before), Energy::from_wh(after)).map(Energy::wh)
        };
        let six = meter(6, 1).unwrap();
        assert_eq!(between(&six, 12_345_678, 12_348_901), Ok(3_223)); // TV-13
        assert_eq!(between(&six, 999_998_700, 3_200), Ok(4_500));
        assert_eq!(between(&six, 5, 5), Ok(0));
        assert_eq!(
            between(&six, 0, 1_000_000_000),
            Err(MeterError::Index { index_wh: 1_000_000_000 })
        );
        assert_eq!(between(&six, -1, 0), Err(MeterError::Index { index_wh: -1 }));
        assert_eq!(between(&meter(4, 60).unwrap(), 0, 100), Ok(6_000));
        assert_eq!(meter(3, 0), Err(MeterError::RegisterDigits { register_digits: 3 }));
        assert_eq!(meter(4, 0), Err(MeterError::Multiplier { multiplier: 0 }));
        let json = r#"{"metering_point":"p","register_digits":3,"multiplier":1}"#;
        assert!(serde_json::from_str::<Meter>(json).is_err());
    }

    #[test]
    fn channels_round_trip() {
        for channel in [Channel::Import, Channel::Export] {
            assert_eq!(channel.to_string().parse(), Ok(channel));
        }
        assert_eq!("Import".parse::<Channel>(), Err(ChannelError));
    }
}
