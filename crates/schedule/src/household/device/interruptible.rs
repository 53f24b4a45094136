//! Loads that are on or off, such as a boiler with a relay.

use serde::Deserialize;

/// A load of fixed power that must be on for a number of steps in a window.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Interruptible {
    /// What it uses when it is on, kW.
    pub power_kw: f64,
    /// How many steps it must be on.
    pub on_steps: usize,
    /// The half-open range of steps in which it may be on.
    pub window: [usize; 2],
    /// Least number of steps of each run.
    pub min_on_steps: usize,
    /// Where the run begins that the user would choose.
    pub preferred_start: usize,
    /// How many steps it has been on without a pause when the problem begins; 0 where it is off.
    #[serde(default)]
    pub running_steps: usize,
}
