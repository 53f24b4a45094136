//! Batteries of a house.

use serde::Deserialize;

/// A battery that stays where it is.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Battery {
    /// What it holds, kWh.
    pub capacity_kwh: f64,
    /// State of charge that it never falls below, kWh.
    pub soc_min_kwh: f64,
    /// State of charge that it never exceeds, kWh.
    pub soc_max_kwh: f64,
    /// State of charge at the start, kWh.
    pub soc_init_kwh: f64,
    /// Least state of charge at the end, kWh.
    pub soc_final_min_kwh: f64,
    /// Most that it draws, kW.
    pub p_max_charge_kw: f64,
    /// Most that it gives back, kW.
    pub p_max_discharge_kw: f64,
    /// Part of what is drawn that is stored, 0 to 1.
    pub eta_charge: f64,
    /// Part of what leaves the store that reaches the house, 0 to 1.
    pub eta_discharge: f64,
    /// What giving back wears off, currency per kWh.
    pub wear_per_kwh: f64,
    /// Part of the charge that is lost, per hour: `exp(-self_discharge_per_h * h)` is left.
    pub self_discharge_per_h: f64,
    /// What the charge at the end is worth, currency per kWh.
    pub terminal_value_per_kwh: f64,
    /// It draws only what the own panels give.
    pub charge_only_pv: bool,
    /// What it does where nobody plans.
    pub preferred_mode: PreferredMode,
}

/// What a battery does where nobody plans.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PreferredMode {
    /// Nothing.
    Idle,
    /// It stores what is left over and covers what is missing.
    SelfConsumption,
}

impl Battery {
    /// Returns the part of the charge that is left after a step of this length.
    #[must_use]
    pub fn retained(&self, step_h: f64) -> f64 {
        (-self.self_discharge_per_h * step_h).exp()
    }
}
