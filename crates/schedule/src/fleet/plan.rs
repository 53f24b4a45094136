//! A plan of a fleet: what every device does follows from a few prices.

use std::collections::BTreeMap;

use super::coordinate::{Coordinated, FleetError, FleetOptions, coordinate, coordinate_rest};
use super::direct::Direct;
use super::master::{Limit, LimitPrices};
use super::problem::Fleet;
use super::respond::{FleetDevice, cheapest_start};
use super::starts::{Headroom, starts};
use super::two_way::{SetOff, set_off, set_off_all};
use crate::solver::{Microlp, SolveOptions, Solver};
use crate::watch::{Keeping, Progress, Stage, Unwatched, Watch, share_of_time};

/// A plan of a fleet, with a bound that says how far it may be from the cheapest.
#[derive(Debug, Clone)]
pub struct FleetPlan {
    /// Cost of energy and wear.
    pub cost: f64,
    /// No plan costs less.
    pub bound: f64,
    /// The load of the fleet in each step, kW.
    pub load_kw: Vec<f64>,
    /// What the limits cost.
    pub prices: LimitPrices,
    /// How many rounds of prices and answers it took.
    pub rounds: usize,
    schedule: Schedule,
}

/// What says what each device does.
#[derive(Debug, Clone)]
enum Schedule {
    /// The mixture of answers that continuous devices follow, and the start of each program.
    Prices { mixture: Box<Coordinated>, starts: Vec<usize> },
    /// The power of each device, of a fleet that is small enough.
    Powers(BTreeMap<FleetDevice, Vec<f64>>),
}

impl FleetPlan {
    /// Returns how much more the plan may cost than the cheapest, relative to its bound.
    #[must_use]
    pub fn gap(&self) -> f64 {
        ((self.cost - self.bound) / self.bound.abs().max(1e-9)).max(0.0)
    }

    /// Returns what one device does, kW for each step, computed from the prices that its group answered.
    ///
    /// # Panics
    ///
    /// Panics when the device is not of this fleet.
    #[must_use]
    pub fn power_kw(&self, fleet: &Fleet, device: FleetDevice) -> Vec<f64> {
        set_off(fleet, device, self.planned_kw(fleet, device))
    }

    /// What is planned for a device: for a store the sum of what it charges and gives back, be it in one step.
    fn planned_kw(&self, fleet: &Fleet, device: FleetDevice) -> Vec<f64> {
        match (&self.schedule, device) {
            (Schedule::Powers(power_kw), device) => power_kw[&device].clone(),
            (Schedule::Prices { starts, .. }, FleetDevice::Cycle(i)) => {
                let mut power_kw = vec![0.0; fleet.steps()];
                let profile_kw = &fleet.cycle_profiles_kw[fleet.cycles.profile[i] as usize];
                power_kw[starts[i]..][..profile_kw.len()].copy_from_slice(profile_kw);
                power_kw
            }
            (Schedule::Prices { mixture, .. }, device) => mixture.power_kw(fleet, device),
        }
    }

    /// Returns the plan with the load and cost of what its stores really do. They draw less than planned in some steps and never more, so
    /// that only the reserve of load can fall short.
    fn set_off(mut self, fleet: &Fleet) -> Result<Self, FleetError> {
        let Some(SetOff { more_kw, wear }) =
            set_off_all(fleet, |device| self.planned_kw(fleet, device))
        else {
            return Ok(self);
        };
        self.load_kw.iter_mut().zip(&more_kw).for_each(|(load, more)| *load += more);
        let energy = fleet.energy_price.iter().zip(&self.load_kw);
        let energy: f64 = energy.map(|(price, load)| price * load * fleet.step_h()).sum();
        self.cost = energy + wear;
        self.bound = self.bound.min(self.cost);
        let missing = |t: usize| {
            let least_kw = fleet.up_reserve_kw[t];
            let missing_kw = least_kw - self.load_kw[t];
            let is_short =
                least_kw != 0.0 && more_kw[t] < 0.0 && missing_kw > 1e-4 + 1e-5 * least_kw.abs();
            is_short.then_some((Limit::UpReserve, t, missing_kw))
        };
        let exceeded: Vec<_> = (0..fleet.steps()).filter_map(missing).collect();
        if exceeded.is_empty() { Ok(self) } else { Err(FleetError::Reserve { exceeded }) }
    }
}

/// Fleets up to this many devices with programs are solved as a whole as well.
const DIRECT_DEVICES_MAX: usize = 500;
/// How many nodes of branch and bound that may take: what the first finds makes the next one smaller.
const DIRECT_NODES: [u64; 3] = [1_000, 4_000, 16_000];

/// Plans a fleet: continuous devices exactly by prices, programs by a start each.
///
/// # Errors
///
/// Returns the first [`FleetError`] in the order of its variants.
pub fn plan(fleet: &Fleet, options: &FleetOptions) -> Result<FleetPlan, FleetError> {
    plan_watched(fleet, options, &Unwatched)
}

/// Returns the same as [`plan`] to somebody who waits: when the time is over, the best plan so far, with its gap.
///
/// # Errors
///
/// Returns the first [`FleetError`] in the order of its variants.
pub fn plan_watched(
    fleet: &Fleet,
    options: &FleetOptions,
    watch: &dyn Watch,
) -> Result<FleetPlan, FleetError> {
    let has_programs = !fleet.cycles.profile.is_empty();
    let within_gap = |bound: f64| bound + options.gap * bound.abs();
    // What is mixed of programs is no plan, so that nobody needs it to be fair.
    let nothing = |_: f64| f64::NEG_INFINITY;
    let relaxed = if has_programs {
        // Programs lose a little later, and the rounds around their starts need time as well.
        let options = FleetOptions { gap: options.gap / 2.0, ..*options };
        coordinate(fleet, &options, &Keeping::part(watch, 2), &nothing)?
    } else {
        coordinate(fleet, options, watch, &within_gap)?
    };
    if !has_programs {
        let plan = FleetPlan {
            cost: relaxed.cost,
            bound: relaxed.bound,
            load_kw: total(&relaxed.load_by_feeder_kw),
            prices: relaxed.prices.clone(),
            rounds: relaxed.rounds,
            schedule: Schedule::Prices { mixture: Box::new(relaxed), starts: Vec::new() },
        };
        return plan.set_off(fleet);
    }
    let around_programs = Keeping::told_as(watch, Stage::Programs);
    let coordinated = with_starts(fleet, &relaxed, options, &around_programs);
    let is_close = matches!(&coordinated, Ok(plan) if plan.gap() <= options.gap);
    if is_close || fleet.devices() > DIRECT_DEVICES_MAX {
        return coordinated;
    }
    // In a small fleet the few programs that cannot be mixed weigh much.
    let mut best = coordinated.ok();
    for (done, nodes_max) in DIRECT_NODES.into_iter().enumerate() {
        watch.told(&Progress {
            stage: Stage::Whole,
            done,
            total: DIRECT_NODES.len(),
            cost: best.as_ref().map(|plan| plan.cost),
            bound: Some(relaxed.bound),
        });
        let Ok(time_limit) = share_of_time(watch, None) else { break };
        let known = best.as_ref().map_or(f64::INFINITY, |plan| plan.cost);
        let solve = SolveOptions { gap: options.gap, time_limit, nodes_max: Some(nodes_max) };
        match as_a_whole(fleet, &relaxed, known - relaxed.bound, &solve) {
            Some(whole) if whole.cost < known => {
                let is_close = whole.gap() <= options.gap;
                best = Some(whole);
                if is_close {
                    break;
                }
            }
            _ => {}
        }
    }
    best.map_or_else(|| with_starts(fleet, &relaxed, options, &around_programs), Ok)
}

/// Solves a small fleet as one program, without what cannot be part of a plan that costs at most `room` more than the bound. Returns nothing
/// where no plan is found in time.
fn as_a_whole(
    fleet: &Fleet,
    relaxed: &Coordinated,
    room: f64,
    options: &SolveOptions,
) -> Option<FleetPlan> {
    let direct = Direct::new(fleet, &relaxed.prices, room);
    let found = Microlp.solve(&direct.model, options).ok()?;
    let power_kw = direct.powers(&found);
    let mut load_kw = vec![0.0; fleet.steps()];
    for power_kw in power_kw.values() {
        load_kw.iter_mut().zip(power_kw).for_each(|(load, power)| *load += power);
    }
    let plan = FleetPlan {
        cost: found.cost,
        bound: found.bound.max(relaxed.bound).min(found.cost),
        load_kw,
        prices: relaxed.prices.clone(),
        rounds: relaxed.rounds,
        schedule: Schedule::Powers(power_kw),
    };
    plan.set_off(fleet).ok()
}

/// Gives each program a start, and plans the continuous devices around them.
fn with_starts(
    fleet: &Fleet,
    relaxed: &Coordinated,
    options: &FleetOptions,
    watch: &dyn Watch,
) -> Result<FleetPlan, FleetError> {
    let mixed = |i: usize| {
        let device = FleetDevice::Cycle(i);
        let lane = device.lane(fleet);
        let mixture = relaxed.mixture_of(fleet, device).iter();
        let start = |&(number, share): &(usize, f64)| {
            (cheapest_start(fleet, i, &relaxed.answered[number][lane]), share)
        };
        mixture.map(start).collect()
    };
    let mut room = Headroom::beside(fleet, &relaxed.continuous_by_feeder_kw);
    let starts = starts(fleet, &mut room, mixed, options.seed);
    let programs_kw = programs(fleet, &starts);
    let step_h = fleet.step_h();
    let programs_total_kw = total(&programs_kw);
    let for_programs: f64 = fleet
        .energy_price
        .iter()
        .zip(&programs_total_kw)
        .map(|(price, load)| price * load * step_h)
        .sum();
    let enough = relaxed.bound + options.gap * relaxed.bound.abs() - for_programs;
    let rest = coordinate_rest(fleet, programs_kw, relaxed, enough, options, watch)?;
    let load_kw =
        total(&rest.load_by_feeder_kw).iter().zip(&programs_total_kw).map(|(a, b)| a + b).collect();
    let cost = rest.cost + for_programs;
    let plan = FleetPlan {
        cost,
        bound: relaxed.bound.min(cost),
        load_kw,
        prices: relaxed.prices.clone(),
        rounds: relaxed.rounds + rest.rounds,
        schedule: Schedule::Prices { mixture: Box::new(rest), starts },
    };
    plan.set_off(fleet)
}

/// What the programs use on each feeder, kW.
fn programs(fleet: &Fleet, starts: &[usize]) -> Vec<Vec<f64>> {
    let mut load_kw = vec![vec![0.0; fleet.steps()]; fleet.feeders.len().max(1)];
    for (i, &start) in starts.iter().enumerate() {
        let profile_kw = &fleet.cycle_profiles_kw[fleet.cycles.profile[i] as usize];
        let load_kw = &mut load_kw[FleetDevice::Cycle(i).feeder(fleet)];
        load_kw[start..].iter_mut().zip(profile_kw).for_each(|(load, power)| *load += power);
    }
    load_kw
}

fn total(by_feeder_kw: &[Vec<f64>]) -> Vec<f64> {
    let mut sum = vec![0.0; by_feeder_kw[0].len()];
    for load_kw in by_feeder_kw {
        sum.iter_mut().zip(load_kw).for_each(|(sum, load)| *sum += load);
    }
    sum
}
