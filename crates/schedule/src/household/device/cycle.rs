//! Programs that are not interrupted, such as a dishwasher's.

use serde::Deserialize;

/// A program that runs exactly once, without a pause.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cycle {
    /// What it uses in each of its steps, kW.
    pub profile_kw: Vec<f64>,
    /// First step in which it may start.
    pub earliest_start: usize,
    /// Step by which it has ended: `start + profile_kw.len() <= latest_end`.
    pub latest_end: usize,
    /// The user's choice of a start.
    pub preferred_start: usize,
    /// The program that must run before.
    #[serde(default)]
    pub after: Option<CycleOrder>,
}

/// Which program comes before, and how much later this one starts.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CycleOrder {
    /// Name of the device before.
    pub id: String,
    /// Least pause after its end, steps.
    pub min_gap_steps: usize,
    /// Longest pause after its end, steps.
    pub max_gap_steps: usize,
}

impl Cycle {
    /// Returns the steps in which it may start.
    #[must_use]
    pub fn starts(&self) -> std::ops::RangeInclusive<usize> {
        self.earliest_start..=self.latest_end - self.profile_kw.len()
    }
}
