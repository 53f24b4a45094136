//! A part of a fleet as a fleet of its own: the steps that are left, and the devices that are still planned.

use std::collections::BTreeMap;

use super::need::Need;
use super::record::available;
use crate::fleet::columns::{Batteries, Cycles, Evs, Rooms, Tanks, V2gs};
use crate::fleet::problem::{Fleet, FleetParts};
use crate::fleet::respond::FleetDevice;

/// A fleet that is planned, and which devices of the whole its devices are.
#[derive(Debug, Clone)]
pub(super) struct Part {
    pub(super) fleet: Fleet,
    /// The device of the whole for each of its own.
    pub(super) whole: BTreeMap<FleetDevice, FleetDevice>,
}

/// Adds devices to a fleet that begins with none.
pub(super) struct Builder<'a> {
    from: &'a Fleet,
    parts: FleetParts,
    whole: BTreeMap<FleetDevice, FleetDevice>,
}

impl<'a> Builder<'a> {
    /// Begins with the steps of a fleet from `at` on, and no device.
    pub(super) fn new(from: &'a Fleet, at: usize) -> Self {
        let mut parts: FleetParts = FleetParts::clone(from);
        let minutes = u32::try_from(at).expect("two thousand steps at most") * parts.resolution_min;
        parts.start_clock_h = (parts.start_clock_h + minutes / 60) % 24;
        for series in [
            &mut parts.energy_price,
            &mut parts.base_load_kw,
            &mut parts.transformer_limit_kw,
            &mut parts.up_reserve_kw,
            &mut parts.down_reserve_kw,
        ] {
            series.drain(..at);
        }
        for feeder in &mut parts.feeders {
            feeder.base_load_kw.drain(..at);
            feeder.limit_kw.drain(..at);
        }
        for profiles in [
            &mut parts.tank_draw_profiles_kw,
            &mut parts.room_outdoor_profiles_c,
            &mut parts.room_cop_profiles,
        ] {
            profiles.iter_mut().for_each(|profile| drop(profile.drain(..at)));
        }
        // No profile is longer than what is left; those that are belong to programs that do not fit.
        let left = parts.energy_price.len();
        parts.cycle_profiles_kw.iter_mut().for_each(|profile| profile.truncate(left));
        parts.evs = Evs::default();
        parts.tanks = Tanks::default();
        parts.cycles = Cycles::default();
        parts.v2gs = V2gs::default();
        parts.rooms = Rooms::default();
        parts.batteries = Batteries::default();
        Self { from, parts, whole: BTreeMap::new() }
    }

    /// Adds a load that nobody plans, kW for each step; `is_shed` where it counts for the reserve.
    pub(super) fn load(&mut self, feeder: usize, power_kw: &[f64], is_shed: bool) {
        let add = |series: &mut [f64]| {
            series.iter_mut().zip(power_kw).for_each(|(sum, power)| *sum += power);
        };
        add(&mut self.parts.base_load_kw);
        if let Some(feeder) = self.parts.feeders.get_mut(feeder) {
            add(&mut feeder.base_load_kw);
        }
        if is_shed {
            let reserve = self.parts.up_reserve_kw.iter_mut().zip(power_kw);
            // Below zero it is a limit still: what gives back must not take it away.
            reserve
                .filter(|(reserve, _)| **reserve != 0.0)
                .for_each(|(reserve, power)| *reserve -= power);
        }
    }

    /// Adds what a device does that is planned already, kW for each step: beside its load, what it could draw more is a reserve.
    pub(super) fn kept(&mut self, at: usize, device: FleetDevice, power_kw: &[f64]) {
        self.load(device.feeder(self.from), power_kw, true);
        let Some(most_kw) = most_drawn_kw(self.from, device) else { return };
        let stay = available(self.from, device);
        for t in stay.start.max(at)..stay.end {
            let reserve = &mut self.parts.down_reserve_kw[t - at];
            *reserve = (*reserve - (most_kw - power_kw[t - at])).max(0.0);
        }
    }

    /// Adds a device with what it still needs.
    pub(super) fn device(&mut self, at: usize, device: FleetDevice, need: &Need) {
        let (from, parts) = (self.from, &mut self.parts);
        let stay = available(from, device);
        let (first, end) = (step(stay.start.saturating_sub(at)), step(stay.end.saturating_sub(at)));
        let own = match (device, need) {
            (FleetDevice::Ev(i), Need::Ev { energy_kwh }) => {
                parts.evs.arrival.push(first);
                parts.evs.departure.push(end);
                parts.evs.p_max_kw.push(from.evs.p_max_kw[i]);
                parts.evs.energy_kwh.push(*energy_kwh);
                parts.evs.feeder.push(from.evs.feeder[i]);
                FleetDevice::Ev(parts.evs.arrival.len() - 1)
            }
            (FleetDevice::Tank(i), Need::Tank { heat_kwh, final_min_kwh, max_kwh }) => {
                let (tanks, of) = (&mut parts.tanks, &from.tanks);
                tanks.p_max_kw.push(of.p_max_kw[i]);
                tanks.cop.push(of.cop[i]);
                tanks.loss_per_h.push(of.loss_per_h[i]);
                tanks.state_init_kwh.push(*heat_kwh);
                tanks.state_max_kwh.push(*max_kwh);
                tanks.state_final_min_kwh.push(*final_min_kwh);
                tanks.draw_profile.push(of.draw_profile[i]);
                tanks.draw_scale.push(of.draw_scale[i]);
                tanks.feeder.push(of.feeder[i]);
                FleetDevice::Tank(tanks.cop.len() - 1)
            }
            (FleetDevice::Cycle(i), Need::Cycle { earliest_start, latest_end }) => {
                parts.cycles.profile.push(from.cycles.profile[i]);
                parts.cycles.earliest_start.push(step(*earliest_start));
                parts.cycles.latest_end.push(step(*latest_end));
                parts.cycles.feeder.push(from.cycles.feeder[i]);
                FleetDevice::Cycle(parts.cycles.profile.len() - 1)
            }
            (FleetDevice::V2g(i), Need::V2g { soc_kwh, min_kwh, max_kwh, target_kwh }) => {
                let (cars, of) = (&mut parts.v2gs, &from.v2gs);
                cars.arrival.push(first);
                cars.departure.push(end);
                cars.p_max_charge_kw.push(of.p_max_charge_kw[i]);
                cars.p_max_discharge_kw.push(of.p_max_discharge_kw[i]);
                cars.eta_charge.push(of.eta_charge[i]);
                cars.eta_discharge.push(of.eta_discharge[i]);
                cars.wear_per_kwh.push(of.wear_per_kwh[i]);
                cars.soc_arrival_kwh.push(*soc_kwh);
                cars.soc_min_kwh.push(*min_kwh);
                cars.soc_max_kwh.push(*max_kwh);
                cars.soc_target_kwh.push(*target_kwh);
                cars.feeder.push(of.feeder[i]);
                FleetDevice::V2g(cars.arrival.len() - 1)
            }
            (FleetDevice::Room(i), Need::Room { now_c, min_c, max_c, final_min_c }) => {
                let (rooms, of) = (&mut parts.rooms, &from.rooms);
                rooms.p_max_kw.push(of.p_max_kw[i]);
                rooms.c_kwh_per_k.push(of.c_kwh_per_k[i]);
                rooms.ua_kw_per_k.push(of.ua_kw_per_k[i]);
                rooms.state_init_c.push(*now_c);
                rooms.state_min_c.push(*min_c);
                rooms.state_max_c.push(*max_c);
                rooms.state_final_min_c.push(*final_min_c);
                rooms.outdoor_profile.push(of.outdoor_profile[i]);
                rooms.cop_profile.push(of.cop_profile[i]);
                rooms.feeder.push(of.feeder[i]);
                FleetDevice::Room(rooms.p_max_kw.len() - 1)
            }
            (
                FleetDevice::Battery(i),
                Need::Battery { soc_kwh, min_kwh, max_kwh, final_min_kwh },
            ) => {
                let (batteries, of) = (&mut parts.batteries, &from.batteries);
                batteries.p_max_charge_kw.push(of.p_max_charge_kw[i]);
                batteries.p_max_discharge_kw.push(of.p_max_discharge_kw[i]);
                batteries.eta_charge.push(of.eta_charge[i]);
                batteries.eta_discharge.push(of.eta_discharge[i]);
                batteries.self_discharge_per_h.push(of.self_discharge_per_h[i]);
                batteries.wear_per_kwh.push(of.wear_per_kwh[i]);
                batteries.soc_init_kwh.push(*soc_kwh);
                batteries.soc_min_kwh.push(*min_kwh);
                batteries.soc_max_kwh.push(*max_kwh);
                batteries.soc_final_min_kwh.push(*final_min_kwh);
                batteries.feeder.push(of.feeder[i]);
                FleetDevice::Battery(batteries.soc_init_kwh.len() - 1)
            }
            _ => return,
        };
        self.whole.insert(own, device);
    }

    /// Returns the part.
    ///
    /// # Errors
    ///
    /// Returns the first field that cannot be: loads may be assumed that no grid has.
    pub(super) fn build(self) -> Result<Part, crate::ProblemRefused> {
        Ok(Part { fleet: Fleet::part(self.parts)?, whole: self.whole })
    }
}

fn step(step: usize) -> u32 {
    u32::try_from(step).expect("two thousand steps at most")
}

/// Returns what a device draws at most, kW; nothing for a program, which has no choice.
fn most_drawn_kw(fleet: &Fleet, device: FleetDevice) -> Option<f64> {
    match device {
        FleetDevice::Ev(i) => Some(fleet.evs.p_max_kw[i]),
        FleetDevice::Tank(i) => Some(fleet.tanks.p_max_kw[i]),
        FleetDevice::Cycle(_) => None,
        FleetDevice::V2g(i) => Some(fleet.v2gs.p_max_charge_kw[i]),
        FleetDevice::Room(i) => Some(fleet.rooms.p_max_kw[i]),
        FleetDevice::Battery(i) => Some(fleet.batteries.p_max_charge_kw[i]),
    }
}
