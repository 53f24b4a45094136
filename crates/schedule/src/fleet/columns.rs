//! The devices of a fleet, column by column: each member of a kind has one value for each of its devices.

use serde::Deserialize;

/// Cars that only charge; each member has one value for each car.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evs {
    /// First step at the charger.
    pub arrival: Vec<u32>,
    /// First step away.
    pub departure: Vec<u32>,
    /// Most that it draws, kW.
    pub p_max_kw: Vec<f64>,
    /// What it must draw, kWh.
    pub energy_kwh: Vec<f64>,
    /// Its feeder.
    pub feeder: Vec<u32>,
}

/// Tanks; each member has one value for each tank.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tanks {
    /// Most that the heater uses, kW.
    pub p_max_kw: Vec<f64>,
    /// Heat for each unit of electricity.
    pub cop: Vec<f64>,
    /// Part of the heat that is lost, per hour: `exp(-loss_per_h * h)` is left.
    pub loss_per_h: Vec<f64>,
    /// Heat at the start, kWh.
    pub state_init_kwh: Vec<f64>,
    /// Most heat, kWh.
    pub state_max_kwh: Vec<f64>,
    /// Least heat at the end, kWh.
    pub state_final_min_kwh: Vec<f64>,
    /// Which profile is drawn.
    pub draw_profile: Vec<u32>,
    /// How much of it.
    pub draw_scale: Vec<f64>,
    /// Its feeder.
    pub feeder: Vec<u32>,
}

/// Programs that run once, without a pause; each member has one value for each.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cycles {
    /// Which profile it runs.
    pub profile: Vec<u32>,
    /// First step in which it may start.
    pub earliest_start: Vec<u32>,
    /// Step by which it has ended.
    pub latest_end: Vec<u32>,
    /// Its feeder.
    pub feeder: Vec<u32>,
}

/// Cars that charge and give back; each member has one value for each car.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct V2gs {
    /// First step at the charger.
    pub arrival: Vec<u32>,
    /// First step away.
    pub departure: Vec<u32>,
    /// Most that it draws, kW.
    pub p_max_charge_kw: Vec<f64>,
    /// Most that it gives back, kW.
    pub p_max_discharge_kw: Vec<f64>,
    /// Part of what is drawn that reaches the battery, 0 to 1.
    pub eta_charge: Vec<f64>,
    /// Part of what leaves the battery that reaches the grid, 0 to 1.
    pub eta_discharge: Vec<f64>,
    /// What giving back wears off, currency per kWh at the plug.
    pub wear_per_kwh: Vec<f64>,
    /// State of charge on arrival, kWh.
    pub soc_arrival_kwh: Vec<f64>,
    /// State of charge that it never falls below, kWh.
    pub soc_min_kwh: Vec<f64>,
    /// State of charge that it never exceeds, kWh.
    pub soc_max_kwh: Vec<f64>,
    /// Least state of charge at departure, kWh.
    pub soc_target_kwh: Vec<f64>,
    /// Its feeder.
    pub feeder: Vec<u32>,
}

/// Rooms with a heat pump; each member has one value for each room.
///
/// After a step of `h` hours the temperature is `a * before + (1 - a) * (outdoor + cop * power / ua)` with `a = exp(-ua * h / c)`.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rooms {
    /// Most that the heat pump uses, kW.
    pub p_max_kw: Vec<f64>,
    /// Heat that a kelvin takes, kWh per K.
    pub c_kwh_per_k: Vec<f64>,
    /// Heat that is lost for each kelvin between inside and outside, kW per K.
    pub ua_kw_per_k: Vec<f64>,
    /// Temperature at the start, °C.
    pub state_init_c: Vec<f64>,
    /// Least temperature after each step, °C.
    pub state_min_c: Vec<f64>,
    /// Greatest temperature after each step, °C.
    pub state_max_c: Vec<f64>,
    /// Least temperature at the end, °C.
    pub state_final_min_c: Vec<f64>,
    /// Which profile of temperatures is outside.
    pub outdoor_profile: Vec<u32>,
    /// Which profile says how much heat comes from a unit of electricity.
    pub cop_profile: Vec<u32>,
    /// Its feeder.
    pub feeder: Vec<u32>,
}

/// Batteries that stand where they are; each member has one value for each battery.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Batteries {
    /// Most that it draws, kW.
    pub p_max_charge_kw: Vec<f64>,
    /// Most that it gives back, kW.
    pub p_max_discharge_kw: Vec<f64>,
    /// Part of what is drawn that reaches the battery, 0 to 1.
    pub eta_charge: Vec<f64>,
    /// Part of what leaves the battery that reaches the grid, 0 to 1.
    pub eta_discharge: Vec<f64>,
    /// Part of the charge that is lost, per hour: `exp(-self_discharge_per_h * h)` is left.
    pub self_discharge_per_h: Vec<f64>,
    /// What giving back wears off, currency per kWh at the plug.
    pub wear_per_kwh: Vec<f64>,
    /// State of charge at the start, kWh.
    pub soc_init_kwh: Vec<f64>,
    /// State of charge that it never falls below, kWh.
    pub soc_min_kwh: Vec<f64>,
    /// State of charge that it never exceeds, kWh.
    pub soc_max_kwh: Vec<f64>,
    /// Least state of charge at the end, kWh.
    pub soc_final_min_kwh: Vec<f64>,
    /// Its feeder.
    pub feeder: Vec<u32>,
}
