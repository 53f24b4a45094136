//! A fleet that can be planned: many devices, column by column, behind shared limits.

use serde::Deserialize;

use super::columns::{Batteries, Cycles, Evs, Rooms, Tanks, V2gs};
use super::names::FleetNames;
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
#[derive(Debug, Clone, PartialEq, Default)]
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
    /// By how much the fleet must be able to draw more, kW; 0 for none. Programs count nothing.
    pub down_reserve_kw: Vec<f64>,
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
    /// Rooms with a heat pump.
    pub rooms: Rooms,
    /// Temperatures outside, °C, by profile.
    pub room_outdoor_profiles_c: Vec<Vec<f64>>,
    /// Heat for each unit of electricity, by profile.
    pub room_cop_profiles: Vec<Vec<f64>>,
    /// Batteries.
    pub batteries: Batteries,
    /// What devices and feeders are called; where nothing is said they have numbers.
    pub names: FleetNames,
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
            + self.rooms.p_max_kw.len()
            + self.batteries.soc_init_kwh.len()
    }
}

impl FleetParts {
    /// Returns every device: cars, tanks, programs, cars that give back, rooms, batteries.
    pub fn each_device(&self) -> impl Iterator<Item = FleetDevice> + use<> {
        let evs = (0..self.evs.arrival.len()).map(FleetDevice::Ev);
        let tanks = (0..self.tanks.cop.len()).map(FleetDevice::Tank);
        let cycles = (0..self.cycles.profile.len()).map(FleetDevice::Cycle);
        let v2gs = (0..self.v2gs.arrival.len()).map(FleetDevice::V2g);
        let rooms = (0..self.rooms.p_max_kw.len()).map(FleetDevice::Room);
        let batteries = (0..self.batteries.soc_init_kwh.len()).map(FleetDevice::Battery);
        evs.chain(tanks).chain(cycles).chain(v2gs).chain(rooms).chain(batteries)
    }

    /// Returns whether a device is one of the fleet.
    #[must_use]
    pub fn has(&self, device: FleetDevice) -> bool {
        match device {
            FleetDevice::Ev(i) => i < self.evs.arrival.len(),
            FleetDevice::Tank(i) => i < self.tanks.cop.len(),
            FleetDevice::Cycle(i) => i < self.cycles.profile.len(),
            FleetDevice::V2g(i) => i < self.v2gs.arrival.len(),
            FleetDevice::Room(i) => i < self.rooms.p_max_kw.len(),
            FleetDevice::Battery(i) => i < self.batteries.soc_init_kwh.len(),
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
        check.series("down_reserve_kw", &parts.down_reserve_kw, 0.0, GRID_KW_MAX)?;
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
        for (k, profile) in parts.room_outdoor_profiles_c.iter().enumerate() {
            check.series(&format!("room_outdoor_profiles_c[{k}]"), profile, -100.0, 100.0)?;
        }
        for (k, profile) in parts.room_cop_profiles.iter().enumerate() {
            check.series(&format!("room_cop_profiles[{k}]"), profile, 1e-3, 100.0)?;
        }
        check.rooms(&parts)?;
        check.batteries(&parts.batteries)?;
        parts.names.check()?;
        Ok(Self(parts))
    }

    /// Returns a part of a fleet whose other devices are among what flows besides, checked. A reserve that these hold alone is below zero in
    /// the part, and a limit all the same: others may give back.
    ///
    /// # Errors
    ///
    /// Returns the first field that cannot be, in the order of the schema.
    pub(crate) fn part(mut parts: FleetParts) -> Result<Self, ProblemRefused> {
        let reserve_kw = parts.up_reserve_kw.clone();
        parts.up_reserve_kw.iter_mut().for_each(|reserve| *reserve = reserve.max(0.0));
        let mut part = Self::new(parts)?;
        part.0.up_reserve_kw = reserve_kw;
        Ok(part)
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
        each_efficiency("v2g.eta_charge", &cars.eta_charge, count)?;
        each_efficiency("v2g.eta_discharge", &cars.eta_discharge, count)?;
        each("v2g.wear_per_kwh", &cars.wear_per_kwh, count, |_| (0.0, MAGNITUDE_MAX))?;
        each("v2g.soc_max_kwh", &cars.soc_max_kwh, count, |_| (0.0, MAGNITUDE_MAX))?;
        let up_to_full = |i: usize| (0.0, cars.soc_max_kwh[i]);
        each("v2g.soc_min_kwh", &cars.soc_min_kwh, count, up_to_full)?;
        each("v2g.soc_arrival_kwh", &cars.soc_arrival_kwh, count, up_to_full)?;
        each("v2g.soc_target_kwh", &cars.soc_target_kwh, count, up_to_full)?;
        self.feeder("v2g", &cars.feeder, count)
    }

    fn rooms(&self, parts: &FleetParts) -> Checked {
        let rooms = &parts.rooms;
        let count = rooms.p_max_kw.len();
        within_count("room.p_max_kw", count, 0, DEVICES_MAX)?;
        each("room.p_max_kw", &rooms.p_max_kw, count, |_| (0.0, MAGNITUDE_MAX))?;
        each("room.c_kwh_per_k", &rooms.c_kwh_per_k, count, |_| (1e-3, MAGNITUDE_MAX))?;
        // A room that loses everything within minutes is a mistake of units.
        let ten_per_hour = |i: usize| (1e-6, 10.0 * rooms.c_kwh_per_k[i]);
        each("room.ua_kw_per_k", &rooms.ua_kw_per_k, count, ten_per_hour)?;
        each("room.state_init_c", &rooms.state_init_c, count, |_| (-100.0, 200.0))?;
        each("room.state_min_c", &rooms.state_min_c, count, |_| (-100.0, 200.0))?;
        let from_least = |i: usize| (rooms.state_min_c[i], 200.0);
        each("room.state_max_c", &rooms.state_max_c, count, from_least)?;
        let up_to_most = |i: usize| (-100.0, rooms.state_max_c[i]);
        each("room.state_final_min_c", &rooms.state_final_min_c, count, up_to_most)?;
        for (path, of, profiles_path, profiles) in [
            (
                "room.outdoor_profile",
                &rooms.outdoor_profile,
                "room_outdoor_profiles_c",
                parts.room_outdoor_profiles_c.len(),
            ),
            (
                "room.cop_profile",
                &rooms.cop_profile,
                "room_cop_profiles",
                parts.room_cop_profiles.len(),
            ),
        ] {
            each_count(path, of, count, |_| (0, profiles.saturating_sub(1)))?;
            if count > 0 {
                within_count(profiles_path, profiles, 1, DEVICES_MAX)?;
            }
        }
        self.feeder("room", &rooms.feeder, count)
    }

    fn batteries(&self, batteries: &Batteries) -> Checked {
        let count = batteries.soc_init_kwh.len();
        within_count("battery.soc_init_kwh", count, 0, DEVICES_MAX)?;
        let any = |_: usize| (0.0, MAGNITUDE_MAX);
        each("battery.p_max_charge_kw", &batteries.p_max_charge_kw, count, any)?;
        each("battery.p_max_discharge_kw", &batteries.p_max_discharge_kw, count, any)?;
        each_efficiency("battery.eta_charge", &batteries.eta_charge, count)?;
        each_efficiency("battery.eta_discharge", &batteries.eta_discharge, count)?;
        let lost = &batteries.self_discharge_per_h;
        each("battery.self_discharge_per_h", lost, count, |_| (0.0, 10.0))?;
        each("battery.wear_per_kwh", &batteries.wear_per_kwh, count, any)?;
        each("battery.soc_max_kwh", &batteries.soc_max_kwh, count, any)?;
        let up_to_full = |i: usize| (0.0, batteries.soc_max_kwh[i]);
        each("battery.soc_init_kwh", &batteries.soc_init_kwh, count, up_to_full)?;
        each("battery.soc_min_kwh", &batteries.soc_min_kwh, count, up_to_full)?;
        each("battery.soc_final_min_kwh", &batteries.soc_final_min_kwh, count, up_to_full)?;
        self.feeder("battery", &batteries.feeder, count)
    }
}

fn each_efficiency(path: &str, values: &[f64], count: usize) -> Checked {
    length(path, values.len(), count)?;
    let mut numbered = values.iter().enumerate();
    numbered.try_for_each(|(i, &value)| efficiency(&format!("{path}[{i}]"), value))
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
