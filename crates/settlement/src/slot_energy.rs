//! The energy of one slot, or why there is none that can be settled.

use gridtally_core::quantity::Energy;
use gridtally_core::reading::Quality;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The energy of one slot, 0 to 2^31 - 1 Wh, or a [`Gap`], which is not zero. Four bytes.
///
/// ```
/// use gridtally_settlement::{Gap, SlotEnergy};
///
/// assert_eq!(SlotEnergy::from_wh(1200)?.settled(), Ok(1200));
/// assert_eq!(SlotEnergy::gap(Gap::Rejected).settled(), Err(Gap::Rejected));
/// assert!(SlotEnergy::from_wh(-1).is_err());
/// # Ok::<(), gridtally_settlement::SlotEnergyError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlotEnergy(i32); // a gap is the number below zero that `Gap::marker` gives

/// Why a slot has no energy that can be settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Gap {
    /// No value came.
    Missing,
    /// The value failed validation.
    Rejected,
    /// The value is for the time being; what stands on a chain is for good.
    Temporary,
    /// The value is estimated and may be replaced, and the policy is not to settle such.
    Estimated,
}

/// What to do with estimated values that may still be replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EstimatedPolicy {
    /// They are gaps.
    Refuse,
    /// Settle them; what replaces them becomes a correction.
    Settle,
}

/// What to do with gaps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MissingPolicy {
    /// Refuse the run.
    Refuse,
    /// Settle the other slots, count these; a correction settles them when the values come in.
    LeaveOut,
}

impl EstimatedPolicy {
    /// Returns the word in manifests and configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Refuse => "refuse",
            Self::Settle => "settle",
        }
    }
}

impl MissingPolicy {
    /// Returns the word in manifests and configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Refuse => "refuse",
            Self::LeaveOut => "leave_out",
        }
    }
}

impl std::fmt::Display for EstimatedPolicy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

impl std::fmt::Display for MissingPolicy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// Why a number of watt-hours is not the energy of a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SlotEnergyError {
    /// Import and export are counted apart, each from zero.
    #[error("{0} Wh in a slot is negative")]
    Negative(i64),
    /// A record holds 32 bits.
    #[error("{0} Wh in a slot is more than {max}", max = i32::MAX)]
    TooLarge(i64),
}

impl Gap {
    /// All gaps.
    pub const ALL: [Self; 4] = [Self::Missing, Self::Rejected, Self::Temporary, Self::Estimated];

    const fn marker(self) -> i32 {
        match self {
            Self::Missing => -1,
            Self::Rejected => -2,
            Self::Temporary => -3,
            Self::Estimated => -4,
        }
    }
}

impl std::fmt::Display for Gap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Missing => "missing",
            Self::Rejected => "rejected",
            Self::Temporary => "temporary",
            Self::Estimated => "estimated",
        })
    }
}

impl SlotEnergy {
    /// No value is known.
    pub const MISSING: Self = Self::gap(Gap::Missing);

    /// Returns a known value.
    ///
    /// # Errors
    ///
    /// Returns [`SlotEnergyError`] below zero and above 2^31 - 1 Wh.
    pub fn from_wh(energy_wh: i64) -> Result<Self, SlotEnergyError> {
        if energy_wh < 0 {
            return Err(SlotEnergyError::Negative(energy_wh));
        }
        i32::try_from(energy_wh).map(Self).map_err(|_| SlotEnergyError::TooLarge(energy_wh))
    }

    /// Returns a slot without a value.
    #[must_use]
    pub const fn gap(gap: Gap) -> Self {
        Self(gap.marker())
    }

    /// Returns what a reading lets settle: its energy where the quality is for good, or estimated and the policy is to
    /// settle such; a gap otherwise, whatever number it came with.
    ///
    /// # Errors
    ///
    /// Returns [`SlotEnergyError`] for energy that would be settled but is no energy of a slot.
    pub fn of_reading(
        energy: Option<Energy>,
        quality: Quality,
        estimated: EstimatedPolicy,
    ) -> Result<Self, SlotEnergyError> {
        let gap = match quality {
            Quality::Measured | Quality::EstimatedFinal | Quality::Corrected => None,
            Quality::Estimated if estimated == EstimatedPolicy::Settle => None,
            Quality::Estimated => Some(Gap::Estimated),
            Quality::Temporary => Some(Gap::Temporary),
            Quality::Missing => Some(Gap::Missing),
            Quality::Rejected => Some(Gap::Rejected),
        };
        match (gap, energy) {
            (Some(gap), _) => Ok(Self::gap(gap)),
            (None, None) => Ok(Self::MISSING),
            (None, Some(energy)) => Self::from_wh(energy.wh()),
        }
    }

    /// Returns the watt-hours, not negative.
    ///
    /// # Errors
    ///
    /// Returns the [`Gap`] where there is nothing to settle.
    pub const fn settled(self) -> Result<i32, Gap> {
        match self.0 {
            energy_wh @ 0.. => Ok(energy_wh),
            -2 => Err(Gap::Rejected),
            -3 => Err(Gap::Temporary),
            -4 => Err(Gap::Estimated),
            _ => Err(Gap::Missing),
        }
    }

    /// Returns the watt-hours, or `None` in a gap.
    #[must_use]
    pub const fn wh(self) -> Option<i32> {
        if self.0 >= 0 { Some(self.0) } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_have_the_same_word_everywhere() {
        for policy in [EstimatedPolicy::Refuse, EstimatedPolicy::Settle] {
            assert_eq!(serde_json::to_value(policy).unwrap(), policy.as_str());
        }
        for policy in [MissingPolicy::Refuse, MissingPolicy::LeaveOut] {
            assert_eq!(serde_json::to_value(policy).unwrap(), policy.as_str());
        }
    }

    #[test]
    fn gaps_come_back() {
        for (place, gap) in Gap::ALL.into_iter().enumerate() {
            assert_eq!(gap as usize, place, "totals count gaps by place");
            assert_eq!(SlotEnergy::gap(gap).settled(), Err(gap));
            assert_eq!(SlotEnergy::gap(gap).wh(), None);
        }
    }

    #[test]
    fn only_numbers_of_31_bits_are_energies() {
        assert_eq!(SlotEnergy::from_wh(0).unwrap().settled(), Ok(0));
        let largest = i64::from(i32::MAX);
        assert_eq!(SlotEnergy::from_wh(largest).unwrap().settled(), Ok(i32::MAX));
        for (energy_wh, refused) in [
            (-1, SlotEnergyError::Negative(-1)),
            (i64::from(i32::MIN), SlotEnergyError::Negative(i64::from(i32::MIN))),
            (i64::MIN, SlotEnergyError::Negative(i64::MIN)),
            (largest + 1, SlotEnergyError::TooLarge(largest + 1)),
            (i64::MAX, SlotEnergyError::TooLarge(i64::MAX)),
        ] {
            assert_eq!(SlotEnergy::from_wh(energy_wh), Err(refused));
        }
    }

    #[test]
    fn quality_decides_before_the_number() {
        let of = |energy_wh: Option<i64>, quality, estimated| {
            SlotEnergy::of_reading(energy_wh.map(Energy::from_wh), quality, estimated)
                .map(SlotEnergy::settled)
        };
        let (refuse, settle) = (EstimatedPolicy::Refuse, EstimatedPolicy::Settle);
        for policy in [refuse, settle] {
            for quality in [Quality::Measured, Quality::EstimatedFinal, Quality::Corrected] {
                assert_eq!(of(Some(7), quality, policy), Ok(Ok(7)));
                assert_eq!(of(None, quality, policy), Ok(Err(Gap::Missing)));
                assert_eq!(of(Some(-7), quality, policy), Err(SlotEnergyError::Negative(-7)));
            }
            assert_eq!(of(None, Quality::Missing, policy), Ok(Err(Gap::Missing)));
            assert_eq!(of(Some(-7), Quality::Rejected, policy), Ok(Err(Gap::Rejected)));
            assert_eq!(of(Some(7), Quality::Temporary, policy), Ok(Err(Gap::Temporary)));
        }
        assert_eq!(of(Some(7), Quality::Estimated, refuse), Ok(Err(Gap::Estimated)));
        assert_eq!(of(Some(7), Quality::Estimated, settle), Ok(Ok(7)));
    }
}
