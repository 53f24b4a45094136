//! A fleet that can be planned: many devices, column by column, behind shared limits.

use serde::Deserialize;

use super::respond::FleetDevice;
use crate::bounds::{
    Checked, MAGNITUDE_MAX, efficiency, length, name, within, within_count, within_each,
};
use crate::refusal::{ProblemReason, ProblemRefused};

/// Most steps of a horizon.
pub const STEPS_MAX: usize = 2_016;
/// Most devices of one kind.
pub const DEVICES_MAX: usize = 10_000_000;
/// Most feeders.
pub const FEEDERS_MAX: usize = 1_000;
/// Loads and limits of a whole grid may be larger than those of a household, kW.
const GRID_KW_MAX: f64 = 1e9;

/// What a fleet is, before it is checked.
#[derive(Debug, Clone, PartialEq)]
pub struct FleetParts {
    /// Name of the problem.
    pub id: String,
    /// The currency of all prices.
    pub currency: String,
    /// Length of a step, min; it divides an hour.
    pub resolution_min: u32,
    /// Clock hour at which the first step begins.
    pub start_clock_h: u32,
    /// Price of energy, currency per kWh; one for each step, which are the horizon.
    pub energy_price: Vec<f64>,
    /// What flows through the transformer besides, kW.
    pub base_load_kw: Vec<f64>,
    /// Most that the transformer carries, kW.
    pub transformer_limit_kw: Vec<f64>,
    /// The feeders behind the transformer; none, or each device is on one.
    pub feeders: Vec<Feeder>,
    /// Load of the fleet that must be there to be shed, kW; 0 for none.
    pub up_reserve_kw: Vec<f64>,
    /// Cars that only charge.
    pub evs: Evs,
    /// Tanks with a heat pump or heating element.
    pub tanks: Tanks,
    /// Heat that is drawn, kW, by profile.
    pub tank_draw_profiles_kw: Vec<Vec<f64>>,
    /// Programs that run once.
    pub cycles: Cycles,
    /// What programs use, kW, by profile.
    pub cycle_profiles_kw: Vec<Vec<f64>>,
    /// Cars that charge and give back.
    pub v2gs: V2gs,
}

/// A feeder with its limit.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Feeder {
    /// What flows besides, kW.
    pub base_load_kw: Vec<f64>,
    /// Most that it carries, kW.
    pub limit_kw: Vec<f64>,
}

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

/// A fleet whose every number is possible and whose every series covers the horizon.
#[derive(Debug, Clone, PartialEq)]
pub struct Fleet(FleetParts);

impl std::ops::Deref for Fleet {
    type Target = FleetParts;

    fn deref(&self) -> &FleetParts {
        &self.0
    }
}

impl FleetParts {
    /// Returns how many steps there are.
    #[must_use]
    pub fn steps(&self) -> usize {
        self.energy_price.len()
    }

    /// Returns the length of a step, h.
    #[must_use]
    pub fn step_h(&self) -> f64 {
        f64::from(self.resolution_min) / 60.0
    }

    /// Returns how many devices there are.
    #[must_use]
    pub fn devices(&self) -> usize {
        self.evs.arrival.len()
            + self.tanks.cop.len()
            + self.cycles.profile.len()
            + self.v2gs.arrival.len()
    }
}

impl FleetParts {
    /// Returns every device: cars, tanks, programs, cars that give back.
    pub fn each_device(&self) -> impl Iterator<Item = FleetDevice> + use<> {
        let evs = (0..self.evs.arrival.len()).map(FleetDevice::Ev);
        let tanks = (0..self.tanks.cop.len()).map(FleetDevice::Tank);
        let cycles = (0..self.cycles.profile.len()).map(FleetDevice::Cycle);
        let v2gs = (0..self.v2gs.arrival.len()).map(FleetDevice::V2g);
        evs.chain(tanks).chain(cycles).chain(v2gs)
    }

    /// Returns whether a device is one of the fleet.
    #[must_use]
    pub fn has(&self, device: FleetDevice) -> bool {
        match device {
            FleetDevice::Ev(i) => i < self.evs.arrival.len(),
            FleetDevice::Tank(i) => i < self.tanks.cop.len(),
            FleetDevice::Cycle(i) => i < self.cycles.profile.len(),
            FleetDevice::V2g(i) => i < self.v2gs.arrival.len(),
        }
    }
}

impl Fleet {
    /// Returns the fleet, checked.
    ///
    /// # Errors
    ///
    /// Returns the first field that cannot be, in the order of the schema.
    pub fn new(parts: FleetParts) -> Result<Self, ProblemRefused> {
        name("id", &parts.id)?;
        name("currency", &parts.currency)?;
        within_count("steps", parts.steps(), 1, STEPS_MAX)?;
        let resolution = parts.resolution_min;
        if resolution == 0 || 60 % resolution != 0 {
            let known = "1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30, 60";
            let reason = ProblemReason::Unknown { found: resolution.to_string(), known };
            return Err(ProblemRefused::new("resolution_min", reason));
        }
        within_count("start_clock_h", parts.start_clock_h as usize, 0, 23)?;
        let check = Check { steps: parts.steps(), feeders: parts.feeders.len() };
        check.series("energy_price", &parts.energy_price, -MAGNITUDE_MAX, MAGNITUDE_MAX)?;
        check.series("base_load_kw", &parts.base_load_kw, -GRID_KW_MAX, GRID_KW_MAX)?;
        check.series("transformer_limit_kw", &parts.transformer_limit_kw, 0.0, GRID_KW_MAX)?;
        within_count("feeders", parts.feeders.len(), 0, FEEDERS_MAX)?;
        for (f, feeder) in parts.feeders.iter().enumerate() {
            check.series(
                &format!("feeders[{f}].base_load_kw"),
                &feeder.base_load_kw,
                -GRID_KW_MAX,
                GRID_KW_MAX,
            )?;
            check.series(&format!("feeders[{f}].limit_kw"), &feeder.limit_kw, 0.0, GRID_KW_MAX)?;
        }
        check.series("up_reserve_kw", &parts.up_reserve_kw, 0.0, GRID_KW_MAX)?;
        check.evs(&parts.evs)?;
        for (k, profile) in parts.tank_draw_profiles_kw.iter().enumerate() {
            check.series(&format!("tank_draw_profiles_kw[{k}]"), profile, 0.0, MAGNITUDE_MAX)?;
        }
        check.tanks(&parts.tanks, parts.tank_draw_profiles_kw.len())?;
        for (k, profile) in parts.cycle_profiles_kw.iter().enumerate() {
            let path = format!("cycle_profiles_kw[{k}]");
            within_count(&path, profile.len(), 1, check.steps)?;
            within_each(&path, profile, 0.0, MAGNITUDE_MAX)?;
        }
        check.cycles(&parts.cycles, &parts.cycle_profiles_kw)?;
        check.v2gs(&parts.v2gs)?;
        Ok(Self(parts))
    }

    /// Returns the fleet without its checks, to be changed.
    #[must_use]
    pub fn into_parts(self) -> FleetParts {
        self.0
    }
}

struct Check {
    steps: usize,
    feeders: usize,
}

impl Check {
    fn series(&self, path: &str, values: &[f64], least: f64, most: f64) -> Checked {
        length(path, values.len(), self.steps)?;
        within_each(path, values, least, most)
    }

    fn feeder(&self, kind: &str, feeder: &[u32], count: usize) -> Checked {
        // Without feeders the number says nothing.
        let last = if self.feeders == 0 { u32::MAX as usize } else { self.feeders - 1 };
        each_count(&format!("{kind}.feeder"), feeder, count, |_| (0, last))
    }

    /// Cars are there for a step at least, and inside the horizon.
    fn stays(&self, kind: &str, arrival: &[u32], departure: &[u32]) -> Checked {
        each_count(&format!("{kind}.arrival"), arrival, arrival.len(), |_| (0, self.steps - 1))?;
        let after = |i: usize| (arrival[i] as usize + 1, self.steps);
        each_count(&format!("{kind}.departure"), departure, arrival.len(), after)
    }

    fn evs(&self, evs: &Evs) -> Checked {
        let count = evs.arrival.len();
        within_count("ev.arrival", count, 0, DEVICES_MAX)?;
        self.stays("ev", &evs.arrival, &evs.departure)?;
        each("ev.p_max_kw", &evs.p_max_kw, count, |_| (0.0, MAGNITUDE_MAX))?;
        each("ev.energy_kwh", &evs.energy_kwh, count, |_| (0.0, MAGNITUDE_MAX))?;
        self.feeder("ev", &evs.feeder, count)
    }

    fn tanks(&self, tanks: &Tanks, profiles: usize) -> Checked {
        let count = tanks.p_max_kw.len();
        within_count("tank.p_max_kw", count, 0, DEVICES_MAX)?;
        each("tank.p_max_kw", &tanks.p_max_kw, count, |_| (0.0, MAGNITUDE_MAX))?;
        each("tank.cop", &tanks.cop, count, |_| (1e-3, 100.0))?;
        each("tank.loss_per_h", &tanks.loss_per_h, count, |_| (0.0, 100.0))?;
        each("tank.state_max_kwh", &tanks.state_max_kwh, count, |_| (0.0, MAGNITUDE_MAX))?;
        let up_to_full = |i: usize| (0.0, tanks.state_max_kwh[i]);
        each("tank.state_init_kwh", &tanks.state_init_kwh, count, up_to_full)?;
        each("tank.state_final_min_kwh", &tanks.state_final_min_kwh, count, up_to_full)?;
        let last = profiles.saturating_sub(1);
        each_count("tank.draw_profile", &tanks.draw_profile, count, |_| (0, last))?;
        if count > 0 {
            within_count("tank_draw_profiles_kw", profiles, 1, DEVICES_MAX)?;
        }
        each("tank.draw_scale", &tanks.draw_scale, count, |_| (0.0, MAGNITUDE_MAX))?;
        self.feeder("tank", &tanks.feeder, count)
    }

    fn cycles(&self, cycles: &Cycles, profiles: &[Vec<f64>]) -> Checked {
        let count = cycles.profile.len();
        within_count("cycle.profile", count, 0, DEVICES_MAX)?;
        if count > 0 {
            within_count("cycle_profiles_kw", profiles.len(), 1, DEVICES_MAX)?;
        }
        each_count("cycle.profile", &cycles.profile, count, |_| (0, profiles.len() - 1))?;
        each_count("cycle.earliest_start", &cycles.earliest_start, count, |_| (0, self.steps - 1))?;
        let after = |i: usize| {
            (
                cycles.earliest_start[i] as usize + profiles[cycles.profile[i] as usize].len(),
                self.steps,
            )
        };
        each_count("cycle.latest_end", &cycles.latest_end, count, after)?;
        self.feeder("cycle", &cycles.feeder, count)
    }

    fn v2gs(&self, cars: &V2gs) -> Checked {
        let count = cars.arrival.len();
        within_count("v2g.arrival", count, 0, DEVICES_MAX)?;
        self.stays("v2g", &cars.arrival, &cars.departure)?;
        each("v2g.p_max_charge_kw", &cars.p_max_charge_kw, count, |_| (0.0, MAGNITUDE_MAX))?;
        each("v2g.p_max_discharge_kw", &cars.p_max_discharge_kw, count, |_| (0.0, MAGNITUDE_MAX))?;
        for (path, values) in
            [("v2g.eta_charge", &cars.eta_charge), ("v2g.eta_discharge", &cars.eta_discharge)]
        {
            length(path, values.len(), count)?;
            values
                .iter()
                .enumerate()
                .try_for_each(|(i, &value)| efficiency(&format!("{path}[{i}]"), value))?;
        }
        each("v2g.wear_per_kwh", &cars.wear_per_kwh, count, |_| (0.0, MAGNITUDE_MAX))?;
        each("v2g.soc_max_kwh", &cars.soc_max_kwh, count, |_| (0.0, MAGNITUDE_MAX))?;
        let up_to_full = |i: usize| (0.0, cars.soc_max_kwh[i]);
        each("v2g.soc_min_kwh", &cars.soc_min_kwh, count, up_to_full)?;
        each("v2g.soc_arrival_kwh", &cars.soc_arrival_kwh, count, up_to_full)?;
        each("v2g.soc_target_kwh", &cars.soc_target_kwh, count, up_to_full)?;
        self.feeder("v2g", &cars.feeder, count)
    }
}

/// Checks a column of numbers; `range` says what the one of a device may be.
fn each(path: &str, values: &[f64], count: usize, range: impl Fn(usize) -> (f64, f64)) -> Checked {
    length(path, values.len(), count)?;
    let is_outside = |&i: &usize| {
        let (least, most) = range(i);
        !(values[i] >= least && values[i] <= most)
    };
    (0..count).find(is_outside).map_or(Ok(()), |i| {
        let (least, most) = range(i);
        within(&format!("{path}[{i}]"), values[i], least, most)
    })
}

/// Checks a column of steps or numbers of profiles and feeders.
fn each_count(
    path: &str,
    values: &[u32],
    count: usize,
    range: impl Fn(usize) -> (usize, usize),
) -> Checked {
    length(path, values.len(), count)?;
    let is_outside = |&i: &usize| {
        let (least, most) = range(i);
        !(least..=most).contains(&(values[i] as usize))
    };
    (0..count).find(is_outside).map_or(Ok(()), |i| {
        let (least, most) = range(i);
        within_count(&format!("{path}[{i}]"), values[i] as usize, least, most)
    })
}
