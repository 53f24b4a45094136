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
    /// A room that is so warm, and its edges, °C.
    Room { now_c: f64, min_c: f64, max_c: f64, final_min_c: f64 },
    /// A battery with so much in it, and its edges, kWh.
    Battery { soc_kwh: f64, min_kwh: f64, max_kwh: f64, final_min_kwh: f64 },
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
                let start_kwh = fleet.tanks.state_init_kwh[i];
                let heat_kwh = ended(start_kwh, &self.states(device, start_kwh, 0, done_kw));
                // Rounding makes no tank emptier than empty.
                FleetStateOf::Tank(heat_kwh.max(0.0))
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
            FleetDevice::Room(i) => FleetStateOf::Room(ended(
                fleet.rooms.state_init_c[i],
                &self.states(device, fleet.rooms.state_init_c[i], 0, done_kw),
            )),
            FleetDevice::Battery(i) => {
                let start_kwh = fleet.batteries.soc_init_kwh[i];
                let soc_kwh = ended(start_kwh, &self.states(device, start_kwh, 0, done_kw));
                FleetStateOf::Battery(soc_kwh.max(0.0))
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
                let (power_kw, fullest) = self.fullest(device, heat_kwh, max_kwh);
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
            (FleetDevice::Room(i), FleetStateOf::Room(now_c)) => {
                let rooms = &fleet.rooms;
                let band = (rooms.state_min_c[i], rooms.state_max_c[i], rooms.state_final_min_c[i]);
                let edges = self.edges(device, now_c, band);
                let need = Need::Room {
                    now_c,
                    min_c: edges.min,
                    max_c: edges.max,
                    final_min_c: edges.final_min,
                };
                (need, missing(edges.missing * rooms.c_kwh_per_k[i]))
            }
            (FleetDevice::Battery(i), FleetStateOf::Battery(soc_kwh)) => {
                let of = &fleet.batteries;
                let band = (of.soc_min_kwh[i], of.soc_max_kwh[i], of.soc_final_min_kwh[i]);
                let edges = self.edges(device, soc_kwh, band);
                let need = Need::Battery {
                    soc_kwh,
                    min_kwh: edges.min,
                    max_kwh: edges.max,
                    final_min_kwh: edges.final_min,
                };
                (need, missing(edges.missing))
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
                let heat = self.states(device, heat_kwh, self.at, &assumed_kw);
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
            (FleetDevice::Room(i), FleetStateOf::Room(now_c)) => {
                assumed_kw.fill(power_kw);
                let warm = self.states(device, now_c, self.at, &assumed_kw);
                let coldest = warm.iter().copied().fold(f64::INFINITY, f64::min);
                let rooms = &fleet.rooms;
                let missing_k = (rooms.state_min_c[i] - coldest)
                    .max(rooms.state_final_min_c[i] - warm[warm.len() - 1]);
                missing_k * rooms.c_kwh_per_k[i]
            }
            (FleetDevice::Battery(i), FleetStateOf::Battery(soc_kwh)) => {
                assumed_kw.fill(power_kw);
                let soc = self.states(device, soc_kwh, self.at, &assumed_kw);
                fleet.batteries.soc_final_min_kwh[i] - soc[soc.len() - 1]
            }
            _ => unreachable!("states are checked before"),
        };
        let unmet = Unmet { device, missing_kwh, late_steps: 0 };
        (assumed_kw, (missing_kwh > OVERLOOKED_KWH).then_some(unmet))
    }

    fn profile(&self, i: usize) -> &[f64] {
        &self.fleet.cycle_profiles_kw[self.fleet.cycles.profile[i] as usize]
    }

    /// The edges of a room or battery that can be kept from its state on, and by how much the problem's are missed.
    fn edges(&self, device: FleetDevice, now: f64, band: (f64, f64, f64)) -> Edges {
        let (min, max, final_min) = band;
        let max = max.max(now);
        // As warm or as full as it gets.
        let (_, fullest) = self.fullest(device, now, max);
        let lowest = fullest.iter().copied().fold(f64::INFINITY, f64::min);
        let last = fullest[fullest.len() - 1];
        let spared = |value: f64| value - value.abs() * TO_SPARE;
        Edges {
            min: min.min(spared(lowest)),
            max,
            final_min: final_min.min(spared(last)),
            missing: (min - lowest).max(final_min - last),
        }
    }

    /// The state of a store at the end of each step from `first` on.
    fn states(&self, device: FleetDevice, start: f64, first: usize, power_kw: &[f64]) -> Vec<f64> {
        let mut state = start;
        let next = |(k, power): (usize, &f64)| {
            state = self.next(device, state, first + k, *power);
            state
        };
        power_kw.iter().enumerate().map(next).collect()
    }

    /// The state of a store after a step: heat or charge, kWh, or the temperature of a room, °C.
    fn next(&self, device: FleetDevice, state: f64, t: usize, power_kw: f64) -> f64 {
        let (fleet, step_h) = (self.fleet, self.fleet.step_h());
        match device {
            FleetDevice::Tank(i) => {
                let tanks = &fleet.tanks;
                let draw_kw = fleet.tank_draw_profiles_kw[tanks.draw_profile[i] as usize][t];
                let retained = (-tanks.loss_per_h[i] * step_h).exp();
                retained * state
                    + step_h * (tanks.cop[i] * power_kw - draw_kw * tanks.draw_scale[i])
            }
            FleetDevice::Room(i) => {
                let rooms = &fleet.rooms;
                let outdoor_c = fleet.room_outdoor_profiles_c[rooms.outdoor_profile[i] as usize][t];
                let ua = rooms.ua_kw_per_k[i];
                let retained = (-ua * step_h / rooms.c_kwh_per_k[i]).exp();
                let settles_at = outdoor_c + self.heat_per_kwh(device, t) * power_kw / ua;
                retained * state + (1.0 - retained) * settles_at
            }
            FleetDevice::Battery(i) => {
                let of = &fleet.batteries;
                let (charge, discharge) = (power_kw.max(0.0), (-power_kw).max(0.0));
                let stored = of.eta_charge[i] * charge - discharge / of.eta_discharge[i];
                (-of.self_discharge_per_h[i] * step_h).exp() * state + step_h * stored
            }
            FleetDevice::Ev(_) | FleetDevice::Cycle(_) | FleetDevice::V2g(_) => state,
        }
    }

    /// What a store draws at most, kW.
    fn most_kw(&self, device: FleetDevice) -> f64 {
        match device {
            FleetDevice::Tank(i) => self.fleet.tanks.p_max_kw[i],
            FleetDevice::Room(i) => self.fleet.rooms.p_max_kw[i],
            FleetDevice::Battery(i) => self.fleet.batteries.p_max_charge_kw[i],
            FleetDevice::Ev(_) | FleetDevice::Cycle(_) | FleetDevice::V2g(_) => 0.0,
        }
    }

    fn heat_per_kwh(&self, device: FleetDevice, t: usize) -> f64 {
        let FleetDevice::Room(i) = device else { return 1.0 };
        self.fleet.room_cop_profiles[self.fleet.rooms.cop_profile[i] as usize][t]
    }

    /// What a store draws that takes as much as it may, and its state at the end of each step.
    fn fullest(&self, device: FleetDevice, state: f64, max: f64) -> (Vec<f64>, Vec<f64>) {
        let most_kw = self.most_kw(device);
        let mut state = state;
        (self.at..self.fleet.steps())
            .map(|t| {
                let idle = self.next(device, state, t, 0.0);
                // The state is a line over the power.
                let for_each_kw = self.next(device, state, t, 1.0) - idle;
                let power_kw = ((max - idle) / for_each_kw).clamp(0.0, most_kw);
                state = self.next(device, state, t, power_kw);
                (power_kw, state)
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

/// Edges of a store that can be kept, and how much of those of the problem cannot.
struct Edges {
    min: f64,
    max: f64,
    final_min: f64,
    missing: f64,
}

/// Returns the state after the last of some steps, if there were any.
fn ended(start: f64, states: &[f64]) -> f64 {
    states.last().copied().unwrap_or(start)
}

#[expect(clippy::cast_precision_loss, reason = "numbers of steps")]
const fn real(count: usize) -> f64 {
    count as f64
}
