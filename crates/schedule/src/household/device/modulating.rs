//! Loads that need an amount of energy and take it at any power.

use serde::Deserialize;

/// A load that is off or between two powers, and takes an amount of energy in a window.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Modulating {
    /// Most that it uses, kW.
    pub p_max_kw: f64,
    /// Least that it uses when it is on, kW; 0 for a load that goes down to nothing.
    pub p_min_kw: f64,
    /// What it must take in all, kWh.
    pub energy_kwh: f64,
    /// The half-open range of steps in which it may be on.
    pub window: [usize; 2],
}
