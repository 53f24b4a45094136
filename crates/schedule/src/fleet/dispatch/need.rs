//! What each device still needs: the rest of its part in the problem.

use super::record::available;
use super::report::FleetStateOf;
use crate::fleet::problem::Fleet;
use crate::fleet::respond::FleetDevice;

/// What a device must have and will not get.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Unmet {
    /// Which.
    pub device: FleetDevice,
    /// What it misses, kWh at its plug, or of heat or charge in a store.
    pub missing_kwh: f64,
    /// By how many steps it gets it too late.
    pub late_steps: usize,
}

/// What is left of a device.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Need {
    /// It is over.
    Nothing,
    /// It does this, whatever is planned, kW for each step that is left; a program that runs on still counts for the reserve.
    Runs(Vec<f64>),
    /// A car that must draw so much, kWh.
    Ev { energy_kwh: f64 },
    /// A tank with so much in it, and what it must and may hold at the end, kWh.
    Tank { heat_kwh: f64, final_min_kwh: f64, max_kwh: f64 },
    /// A program that is to start in these steps of the rest.
    Cycle { earliest_start: usize, latest_end: usize },
    /// A car with so much in it, and its edges, kWh.
    V2g { soc_kwh: f64, min_kwh: f64, max_kwh: f64, target_kwh: f64 },
}

/// Energy that is overlooked, kWh: as in the checker.
const OVERLOOKED_KWH: f64 = 1e-3;
/// Power that is overlooked, kW.
const OVERLOOKED_KW: f64 = 1e-6;
/// Needs are met with this to spare, relative, so that rounding never makes them impossible.
const TO_SPARE: f64 = 1e-9;

/// Looks at the rest of a fleet from a step on.
pub(super) struct Needs<'a> {
    pub(super) fleet: &'a Fleet,
    pub(super) at: usize,
}

impl Needs<'_> {
    fn left(&self) -> usize {
        self.fleet.steps() - self.at
    }

    /// Returns the state that a device is in after it has drawn so much in each step that is over, kW.
    pub(super) fn followed(&self, device: FleetDevice, done_kw: &[f64]) -> FleetStateOf {
        let fleet = self.fleet;
        let step_h = fleet.step_h();
        match device {
            FleetDevice::Ev(i) => {
                let arrival = (fleet.evs.arrival[i] as usize).min(self.at);
                FleetStateOf::Ev(done_kw[arrival..].iter().sum::<f64>() * step_h)
            }
            FleetDevice::Tank(i) => {
                let heat_kwh = self.heat_kwh(i, fleet.tanks.state_init_kwh[i], 0, done_kw);
                let last = heat_kwh.last().copied().unwrap_or(fleet.tanks.state_init_kwh[i]);
                // Rounding makes no tank emptier than empty.
                FleetStateOf::Tank(last.max(0.0))
            }
            FleetDevice::Cycle(i) => {
                let profile_kw = self.profile(i);
                let lead = profile_kw.iter().take_while(|power| **power <= OVERLOOKED_KW).count();
                let first = done_kw.iter().position(|power| *power > OVERLOOKED_KW);
                FleetStateOf::Cycle(first.map(|first| first.saturating_sub(lead)))
            }
            FleetDevice::V2g(i) => {
                let arrival = (fleet.v2gs.arrival[i] as usize).min(self.at);
                let soc_kwh = self.soc_kwh(i, fleet.v2gs.soc_arrival_kwh[i], &done_kw[arrival..]);
                FleetStateOf::V2g(soc_kwh.max(0.0))
            }
        }
    }

    /// Returns what is left of a device in a state, and what it will miss whatever is planned.
    pub(super) fn need(&self, device: FleetDevice, state: FleetStateOf) -> (Need, Option<Unmet>) {
        let fleet = self.fleet;
        let step_h = fleet.step_h();
        let missing = |kwh: f64| {
            (kwh > OVERLOOKED_KWH).then_some(Unmet { device, missing_kwh: kwh, late_steps: 0 })
        };
        let stay = available(fleet, device);
        let steps = stay.len() - self.at.saturating_sub(stay.start).min(stay.len());
        match (device, state) {
            (FleetDevice::Ev(i), FleetStateOf::Ev(drawn_kwh)) => {
                let needed = (fleet.evs.energy_kwh[i] - drawn_kwh).max(0.0);
                let most = real(steps) * fleet.evs.p_max_kw[i] * step_h * (1.0 - TO_SPARE);
                let unmet = missing(needed - most);
                let need = if steps == 0 {
                    Need::Nothing
                } else {
                    Need::Ev { energy_kwh: needed.min(most) }
                };
                (need, unmet)
            }
            (FleetDevice::Tank(i), FleetStateOf::Tank(heat_kwh)) => {
                let tanks = &fleet.tanks;
                let max_kwh = tanks.state_max_kwh[i].max(heat_kwh);
                // As warm as it gets.
                let (power_kw, fullest) = self.full_tank(i, heat_kwh, max_kwh);
                let coldest = fullest.iter().copied().fold(0.0, f64::min);
                let last = fullest[fullest.len() - 1];
                let final_kwh = tanks.state_final_min_kwh[i];
                if coldest < 0.0 {
                    let kwh = (-coldest).max(final_kwh - last);
                    return (Need::Runs(power_kw), missing(kwh));
                }
                let final_min_kwh = final_kwh.min(last * (1.0 - TO_SPARE));
                (Need::Tank { heat_kwh, final_min_kwh, max_kwh }, missing(final_kwh - last))
            }
            (FleetDevice::Cycle(i), FleetStateOf::Cycle(Some(start))) => {
                let mut power_kw = vec![0.0; self.left()];
                let rest = self.profile(i).get(self.at - start..).unwrap_or(&[]);
                if rest.is_empty() {
                    return (Need::Nothing, None);
                }
                power_kw.iter_mut().zip(rest).for_each(|(power, profile)| *power = *profile);
                (Need::Runs(power_kw), None)
            }
            (FleetDevice::Cycle(i), FleetStateOf::Cycle(None)) => {
                let length = self.profile(i).len();
                let earliest_start = stay.start.saturating_sub(self.at);
                let latest_end = stay.end.saturating_sub(self.at);
                let end = earliest_start + length;
                if end > self.left() {
                    return (Need::Nothing, missing(self.profile(i).iter().sum::<f64>() * step_h));
                }
                let late_steps = end.saturating_sub(latest_end);
                let late =
                    (late_steps > 0).then_some(Unmet { device, missing_kwh: 0.0, late_steps });
                (Need::Cycle { earliest_start, latest_end: latest_end.max(end) }, late)
            }
            (FleetDevice::V2g(i), FleetStateOf::V2g(soc_kwh)) => {
                let cars = &fleet.v2gs;
                let least = cars.soc_target_kwh[i].max(cars.soc_min_kwh[i]);
                if steps == 0 {
                    return (Need::Nothing, missing(least - soc_kwh));
                }
                let max_kwh = cars.soc_max_kwh[i].max(soc_kwh);
                let gain = real(steps) * cars.p_max_charge_kw[i] * cars.eta_charge[i] * step_h;
                let most = (soc_kwh + gain * (1.0 - TO_SPARE)).min(max_kwh);
                let min_kwh = cars.soc_min_kwh[i].min(soc_kwh);
                let target_kwh = least.min(most);
                (Need::V2g { soc_kwh, min_kwh, max_kwh, target_kwh }, missing(least - most))
            }
            _ => unreachable!("states are checked before"),
        }
    }

    /// Returns what a device does in the rest that does not follow: so much while it is there and can, and what it misses.
    pub(super) fn assumed(
        &self,
        device: FleetDevice,
        state: FleetStateOf,
        power_kw: f64,
    ) -> (Vec<f64>, Option<Unmet>) {
        let fleet = self.fleet;
        let step_h = fleet.step_h();
        let mut assumed_kw = vec![0.0; self.left()];
        let stay = available(fleet, device);
        let there = stay.start.saturating_sub(self.at)..stay.end.saturating_sub(self.at);
        let missing_kwh = match (device, state) {
            (FleetDevice::Ev(i), FleetStateOf::Ev(drawn_kwh)) => {
                // A car that is full draws nothing.
                let mut left_kwh = (fleet.evs.energy_kwh[i] - drawn_kwh).max(0.0);
                for assumed in &mut assumed_kw[there] {
                    *assumed = power_kw.min(left_kwh / step_h);
                    left_kwh -= *assumed * step_h;
                }
                left_kwh
            }
            (FleetDevice::Tank(i), FleetStateOf::Tank(heat_kwh)) => {
                assumed_kw.fill(power_kw);
                let heat = self.heat_kwh(i, heat_kwh, self.at, &assumed_kw);
                let coldest = heat.iter().copied().fold(0.0, f64::min);
                (-coldest).max(fleet.tanks.state_final_min_kwh[i] - heat[heat.len() - 1])
            }
            (FleetDevice::Cycle(i), FleetStateOf::Cycle(start)) => {
                let profile_kw = self.profile(i);
                let done = start.map_or(0, |start| (self.at - start).min(profile_kw.len()));
                let rest = &profile_kw[done..];
                let steps = rest.len().min(self.left());
                // One that was not started may draw something, but does not run.
                if start.is_some() {
                    assumed_kw[..steps].fill(power_kw);
                } else {
                    assumed_kw[there].fill(power_kw);
                }
                rest.iter().sum::<f64>() * step_h
            }
            (FleetDevice::V2g(i), FleetStateOf::V2g(soc_kwh)) => {
                assumed_kw[there.clone()].fill(power_kw);
                let least = fleet.v2gs.soc_target_kwh[i].max(fleet.v2gs.soc_min_kwh[i]);
                least - self.soc_kwh(i, soc_kwh, &assumed_kw[there])
            }
            _ => unreachable!("states are checked before"),
        };
        let unmet = Unmet { device, missing_kwh, late_steps: 0 };
        (assumed_kw, (missing_kwh > OVERLOOKED_KWH).then_some(unmet))
    }

    fn profile(&self, i: usize) -> &[f64] {
        &self.fleet.cycle_profiles_kw[self.fleet.cycles.profile[i] as usize]
    }

    /// The heat in a tank at the end of each step from `first` on, kWh.
    fn heat_kwh(&self, i: usize, start_kwh: f64, first: usize, power_kw: &[f64]) -> Vec<f64> {
        let mut heat_kwh = start_kwh;
        let next = |(k, power): (usize, &f64)| {
            heat_kwh = self.next_kwh(i, heat_kwh, first + k, *power);
            heat_kwh
        };
        power_kw.iter().enumerate().map(next).collect()
    }

    fn next_kwh(&self, i: usize, heat_kwh: f64, t: usize, power_kw: f64) -> f64 {
        let (tanks, step_h) = (&self.fleet.tanks, self.fleet.step_h());
        let draw_kw = self.fleet.tank_draw_profiles_kw[tanks.draw_profile[i] as usize][t];
        let retained = (-tanks.loss_per_h[i] * step_h).exp();
        retained * heat_kwh + step_h * (tanks.cop[i] * power_kw - draw_kw * tanks.draw_scale[i])
    }

    /// What a tank draws that heats as much as it may, and the heat in it at the end of each step.
    fn full_tank(&self, i: usize, heat_kwh: f64, max_kwh: f64) -> (Vec<f64>, Vec<f64>) {
        let (tanks, step_h) = (&self.fleet.tanks, self.fleet.step_h());
        let mut heat_kwh = heat_kwh;
        (self.at..self.fleet.steps())
            .map(|t| {
                let unheated = self.next_kwh(i, heat_kwh, t, 0.0);
                let room_kw = (max_kwh - unheated) / (tanks.cop[i] * step_h);
                let power_kw = room_kw.clamp(0.0, tanks.p_max_kw[i]);
                heat_kwh = self.next_kwh(i, heat_kwh, t, power_kw);
                (power_kw, heat_kwh)
            })
            .unzip()
    }

    fn soc_kwh(&self, i: usize, start_kwh: f64, power_kw: &[f64]) -> f64 {
        let (cars, step_h) = (&self.fleet.v2gs, self.fleet.step_h());
        power_kw.iter().fold(start_kwh, |soc_kwh, power| {
            let (charge, discharge) = (power.max(0.0), (-power).max(0.0));
            soc_kwh + step_h * (cars.eta_charge[i] * charge - discharge / cars.eta_discharge[i])
        })
    }
}

#[expect(clippy::cast_precision_loss, reason = "numbers of steps")]
const fn real(count: usize) -> f64 {
    count as f64
}
