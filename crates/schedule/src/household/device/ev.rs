//! Electric cars.

use serde::Deserialize;

/// An electric car with the times at which it is plugged in.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ev {
    /// What the battery holds, kWh.
    pub capacity_kwh: f64,
    /// State of charge that it never falls below while plugged in, kWh.
    pub soc_min_kwh: f64,
    /// Most that it draws, kW.
    pub p_max_charge_kw: f64,
    /// Least that it draws when it charges, kW.
    pub p_min_charge_kw: f64,
    /// Part of what is drawn that reaches the battery, 0 to 1.
    pub eta_charge: f64,
    /// Most that it gives back, kW; 0 for a car that cannot.
    pub p_max_discharge_kw: f64,
    /// Part of what leaves the battery that reaches the house, 0 to 1.
    pub eta_discharge: f64,
    /// What giving back wears off, currency per kWh at the plug.
    pub wear_per_kwh: f64,
    /// When it is plugged in, in order.
    pub sessions: Vec<EvSession>,
}

/// One stay at the charger.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EvSession {
    /// First step at the charger.
    pub arrival: usize,
    /// First step away.
    pub departure: usize,
    /// State of charge on arrival, kWh.
    pub soc_arrival_kwh: f64,
    /// Least state of charge at departure, kWh.
    pub soc_target_kwh: f64,
    /// Least states of charge before.
    #[serde(default)]
    pub soc_min_by: Vec<SocMinBy>,
}

/// A state of charge that must be reached by a step: `(step, soc_kwh)`, at the beginning of that step.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
pub struct SocMinBy(pub usize, pub f64);
