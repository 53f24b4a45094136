//! Meter readings: the energy of one period, with its quality.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::meter::{Channel, MeteringPointId};
use crate::period::Period;
use crate::quantity::Energy;

/// How a value came to be. Missing is not zero: zero is a value, missing is its absence.
///
/// # Source
///
/// The statuses of Elhub, ENTSO-E, ESPI, NEM12 and OpenADR map to these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quality {
    /// Read from the meter.
    Measured,
    /// Computed by a named rule; may still be replaced.
    Estimated,
    /// Computed by a named rule, for good.
    EstimatedFinal,
    /// Replaces an earlier value that was wrong.
    Corrected,
    /// For the time being.
    Temporary,
    /// There is no value.
    Missing,
    /// There is a value that failed validation.
    Rejected,
}

/// A quality that is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "unknown quality, expected measured, estimated, estimated_final, corrected, temporary, missing or rejected"
)]
pub struct QualityError;

impl Quality {
    /// All qualities.
    pub const ALL: [Self; 7] = [
        Self::Measured,
        Self::Estimated,
        Self::EstimatedFinal,
        Self::Corrected,
        Self::Temporary,
        Self::Missing,
        Self::Rejected,
    ];

    /// Returns the word in files: `estimated_final`, say.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Measured => "measured",
            Self::Estimated => "estimated",
            Self::EstimatedFinal => "estimated_final",
            Self::Corrected => "corrected",
            Self::Temporary => "temporary",
            Self::Missing => "missing",
            Self::Rejected => "rejected",
        }
    }

    /// Returns whether a settlement on this value needs no later correction.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Measured | Self::EstimatedFinal | Self::Corrected)
    }

    /// Returns whether the period cannot be settled, not even provisionally, before the value is filled or replaced.
    #[must_use]
    pub const fn blocks_settlement(self) -> bool {
        matches!(self, Self::Missing | Self::Rejected)
    }

    /// Returns whether a settlement on this value is provisional.
    #[must_use]
    pub const fn is_provisional(self) -> bool {
        matches!(self, Self::Estimated | Self::Temporary)
    }
}

impl FromStr for Quality {
    type Err = QualityError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|quality| quality.as_str() == text).ok_or(QualityError)
    }
}

impl fmt::Display for Quality {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

/// The energy of one period in one channel of one metering point.
///
/// Holds: the energy is never negative, and it is absent exactly when the quality is [`Quality::Missing`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct MeterReading {
    metering_point: MeteringPointId,
    channel: Channel,
    period: Period,
    energy: Option<Energy>,
    quality: Quality,
}

/// Why there is no such reading. In order of precedence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReadingError {
    /// A value whose quality says that there is none, or none although the quality says that there is one.
    #[error("the quality {quality} does not go with {}", if *has_energy { "a value" } else { "no value" })]
    Presence {
        /// The quality as given.
        quality: Quality,
        /// Whether a value was given.
        has_energy: bool,
    },
    /// Import and export are counted apart, each from zero.
    #[error("{energy} in a channel that counts from zero")]
    Negative {
        /// The energy as given.
        energy: Energy,
    },
}

impl MeterReading {
    /// Returns a reading.
    ///
    /// # Errors
    ///
    /// In the order of [`ReadingError`].
    pub fn new(
        metering_point: MeteringPointId,
        channel: Channel,
        period: Period,
        energy: Option<Energy>,
        quality: Quality,
    ) -> Result<Self, ReadingError> {
        Self::check(energy, quality)?;
        Ok(Self { metering_point, channel, period, energy, quality })
    }

    /// Checks what [`Self::new`] checks, without a reading.
    ///
    /// # Errors
    ///
    /// In the order of [`ReadingError`].
    pub fn check(energy: Option<Energy>, quality: Quality) -> Result<(), ReadingError> {
        if energy.is_some() == (quality == Quality::Missing) {
            return Err(ReadingError::Presence { quality, has_energy: energy.is_some() });
        }
        match energy {
            Some(energy) if energy < Energy::ZERO => Err(ReadingError::Negative { energy }),
            _ => Ok(()),
        }
    }

    /// Returns where it was measured.
    #[must_use]
    pub const fn metering_point(&self) -> &MeteringPointId {
        &self.metering_point
    }

    /// Returns what was counted.
    #[must_use]
    pub const fn channel(&self) -> Channel {
        self.channel
    }

    /// Returns when.
    #[must_use]
    pub const fn period(&self) -> Period {
        self.period
    }

    /// Returns the energy, not negative; nothing when the value is missing.
    #[must_use]
    pub const fn energy(&self) -> Option<Energy> {
        self.energy
    }

    /// Returns how the value came to be.
    #[must_use]
    pub const fn quality(&self) -> Quality {
        self.quality
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn qualities_say_what_settlement_may_do() {
        let words = |holds: fn(Quality) -> bool| -> Vec<_> {
            Quality::ALL
                .into_iter()
                .filter(|&quality| holds(quality))
                .map(Quality::as_str)
                .collect()
        };
        assert_eq!(words(Quality::is_final), ["measured", "estimated_final", "corrected"]);
        assert_eq!(words(Quality::is_provisional), ["estimated", "temporary"]);
        assert_eq!(words(Quality::blocks_settlement), ["missing", "rejected"]);
        for quality in Quality::ALL {
            assert_eq!(quality.to_string().parse(), Ok(quality));
            assert_eq!(serde_json::to_value(quality).unwrap(), quality.as_str());
        }
    }

    #[test]
    fn missing_is_not_zero() {
        let check = |energy: Option<i64>, quality| {
            MeterReading::check(energy.map(Energy::from_wh), quality)
        };
        assert_eq!(check(Some(0), Quality::Measured), Ok(()));
        assert_eq!(check(None, Quality::Missing), Ok(()));
        let presence = |quality, has_energy| Err(ReadingError::Presence { quality, has_energy });
        assert_eq!(check(Some(0), Quality::Missing), presence(Quality::Missing, true));
        assert_eq!(check(None, Quality::Measured), presence(Quality::Measured, false));
        // Two reasons apply; the first is reported.
        assert_eq!(check(Some(-1), Quality::Missing), presence(Quality::Missing, true));
        assert_eq!(
            check(Some(-1), Quality::Rejected),
            Err(ReadingError::Negative { energy: Energy::from_wh(-1) })
        );
    }
}
