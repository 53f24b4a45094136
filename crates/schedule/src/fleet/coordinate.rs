//! Planning a whole fleet by prices: devices answer, the master mixes their answers, and the gap between the two sides is certified.
//!
//! Any prices of the limits give a bound that no plan can be below; the cheapest mixture of answers within the limits is a plan for devices whose
//! choices can be mixed. The work ends when the two meet.
//!
//! # Source
//!
//! G. B. Dantzig and P. Wolfe, "Decomposition principle for linear programs", 1960; smoothing of prices: P. Wentges, 1997.

use gridtally_core::explanations;

use super::master::{Limit, LimitPrices, Master, MasterColumn, Mixture};
use super::problem::Fleet;
use super::respond::{
    FleetDevice, Group, Membership, Response, Room, groups, respond_all, respond_of,
};
use crate::watch::{Progress, Stage, Watch};

/// How exactly to plan a fleet.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FleetOptions {
    /// Relative gap between plan and bound at which to stop.
    pub gap: f64,
    /// Most rounds of prices and answers.
    pub rounds_max: usize,
    /// From what the order is drawn in which programs give way.
    pub seed: u64,
    /// Into how many groups the devices of a kind on a feeder are taken: more need fewer rounds, each of which takes longer.
    pub groups_per_feeder: usize,
}

impl Default for FleetOptions {
    fn default() -> Self {
        Self { gap: 1e-4, rounds_max: 200, seed: 0, groups_per_feeder: 20 }
    }
}

/// A mixture of answers within the limits.
#[derive(Debug, Clone)]
pub(crate) struct Coordinated {
    /// Cost of energy and wear.
    pub(crate) cost: f64,
    /// No plan costs less.
    pub(crate) bound: f64,
    /// The load of each feeder in each step, kW.
    pub(crate) load_by_feeder_kw: Vec<Vec<f64>>,
    /// The same without programs.
    pub(crate) continuous_by_feeder_kw: Vec<Vec<f64>>,
    /// What the limits cost.
    pub(crate) prices: LimitPrices,
    /// How many rounds it took.
    pub(crate) rounds: usize,
    /// The prices that devices answered, by [lane](FleetDevice::lane).
    pub(crate) answered: Vec<Vec<Vec<f64>>>,
    /// For each group, which answers it mixes, with their shares.
    mixture: Vec<Vec<(usize, f64)>>,
    membership: Membership,
}

impl Coordinated {
    /// Returns what a device does that is not a program, kW for each step: the mixture of its answers.
    pub(crate) fn power_kw(&self, fleet: &Fleet, device: FleetDevice) -> Vec<f64> {
        let mut room = Room::default();
        let mut power_kw = vec![0.0; fleet.steps()];
        let lane = device.lane(fleet);
        for &(number, share) in self.mixture_of(fleet, device) {
            let prices = &self.answered[number][lane];
            let answer = respond_of(fleet, device, prices, &mut room).expect("it answered before");
            power_kw.iter_mut().zip(answer).for_each(|(sum, power)| *sum += share * power);
        }
        power_kw
    }

    /// Returns which prices a device answers, with the share of each.
    pub(crate) fn mixture_of(&self, fleet: &Fleet, device: FleetDevice) -> &[(usize, f64)] {
        &self.mixture[self.membership.group_of(fleet, device)]
    }
}

/// Why there is no plan of a fleet, in order of precedence.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum FleetError {
    /// A device cannot do what it needs, whatever the limits.
    #[error("{device} cannot do what it needs in the time that it has")]
    Device {
        /// Which.
        device: FleetDevice,
    },
    /// The limits leave too little for what the devices need.
    #[error("the limits are exceeded by {:.1} kW and less, in {} steps", worst_kw(exceeded), exceeded.len())]
    Limits {
        /// Which limit, in which step, by how much, kW.
        exceeded: Vec<(Limit, usize, f64)>,
    },
    /// Prices of limits are not one for each limit and step, or negative.
    #[error("a price that is not negative is needed for each limit and step")]
    Prices,
    /// The solver of the master problem failed.
    #[error("the master problem was not solved")]
    Master,
    /// The time was over before a plan within the limits was found; there may be one.
    #[error("no plan within the limits was found in time: the best exceeds them by {:.1} kW and less, in {} steps", worst_kw(exceeded), exceeded.len())]
    TimeOver {
        /// Which limit the best exceeds, in which step, by how much, kW.
        exceeded: Vec<(Limit, usize, f64)>,
    },
}

fn worst_kw(exceeded: &[(Limit, usize, f64)]) -> f64 {
    exceeded.iter().map(|(.., kw)| *kw).fold(0.0, f64::max)
}

explanations! {
    FleetError {
        Device: "fleet-device-impossible" "a device cannot do what it needs, whatever the limits"
            "give it more time or power, or ask less of it";
        Limits: "fleet-limits-exceeded" "the limits leave too little for what the devices need"
            "loosen the limits that are named, or ask less of the devices";
        Prices: "fleet-prices" "prices of limits are not one for each limit and step, or negative"
            "give one price for each limit and step";
        Master: "fleet-not-coordinated" "the master problem was not solved"
            "check the sizes of loads and limits; report the problem";
        TimeOver: "fleet-time-over" "the time was over before a plan within the limits was found"
            "allow more time; whether the limits leave enough is not known yet";
    }
}

/// Share of the best prices in the next ones.
const SMOOTHING: f64 = 0.6;
/// Most answers that are kept of a group.
const COLUMNS_MAX: usize = 40;
/// How often exceeding a limit is made dearer before the limits are held to be too tight.
const PENALTIES_MAX: usize = 3;

/// Plans a fleet whose devices' choices can be mixed; what cannot be is mixed all the same, and is a bound.
///
/// # Errors
///
/// Returns the first [`FleetError`] in the order of its variants.
pub(crate) fn coordinate(
    fleet: &Fleet,
    options: &FleetOptions,
    watch: &dyn Watch,
) -> Result<Coordinated, FleetError> {
    let groups =
        groups(fleet, options.groups_per_feeder).map_err(|device| FleetError::Device { device })?;
    let mut work = Work {
        fleet,
        master: Master::new(fleet),
        groups,
        columns: Vec::new(),
        answered: Vec::new(),
        bound: f64::NEG_INFINITY,
        best: LimitPrices::none(fleet),
    };
    work.answer(&LimitPrices::none(fleet))?;
    let mut penalties = 0;
    let mut rounds = 0;
    let mixture = loop {
        rounds += 1;
        let mixture = work.master.solve(&work.groups, &work.columns).ok_or(FleetError::Master)?;
        let is_within = work.master.exceeded(&mixture).is_empty();
        let gap = (mixture.cost - work.bound) / work.bound.abs().max(1e-9);
        if is_within && gap <= options.gap {
            break mixture;
        }
        watch.told(&Progress {
            stage: Stage::Rounds,
            done: rounds - 1,
            total: options.rounds_max,
            cost: is_within.then_some(mixture.cost),
            bound: Some(work.bound),
        });
        if watch.time_left().is_some_and(|left| left.is_zero()) {
            // Once a mixture is within the limits, so is every later one.
            if is_within {
                break mixture;
            }
            return Err(FleetError::TimeOver { exceeded: work.master.exceeded(&mixture) });
        }
        if rounds >= options.rounds_max {
            if is_within {
                break mixture;
            }
            return Err(FleetError::Limits { exceeded: work.master.exceeded(&mixture) });
        }
        let next = work.best.between(&mixture.prices, SMOOTHING);
        let is_news = work.answer(&next)?;
        if !is_news && !work.answer(&mixture.prices)? {
            if is_within {
                break mixture;
            }
            penalties += 1;
            if penalties > PENALTIES_MAX {
                return Err(FleetError::Limits { exceeded: work.master.exceeded(&mixture) });
            }
            work.master.raise_penalty();
        }
        work.forget(&mixture);
    };
    Ok(work.plan(&mixture, rounds))
}

/// Returns the bound that prices of limits give: what devices pay at their cheapest answers, less what the limits are worth. No plan costs
/// less.
///
/// # Errors
///
/// Returns [`FleetError::Prices`] when there is not one price for each limit and step, and [`FleetError::Device`].
pub fn lagrangian(fleet: &Fleet, prices: &LimitPrices) -> Result<f64, FleetError> {
    let steps = fleet.steps();
    let is_series =
        |series: &Vec<f64>| series.len() == steps && series.iter().all(|price| *price >= 0.0);
    let are_feeders =
        prices.feeders.len() == fleet.feeders.len() && prices.feeders.iter().all(is_series);
    if !are_feeders
        || ![&prices.transformer, &prices.up_reserve, &prices.down_reserve]
            .into_iter()
            .all(is_series)
    {
        return Err(FleetError::Prices);
    }
    let groups = groups(fleet, 1).map_err(|device| FleetError::Device { device })?;
    let seen = prices.seen(fleet);
    let responses =
        respond_all(fleet, &groups, &seen).map_err(|device| FleetError::Device { device })?;
    Ok(bound_of(fleet, &groups, prices, &seen, &responses))
}

fn bound_of(
    fleet: &Fleet,
    groups: &[Group],
    prices: &LimitPrices,
    seen: &[Vec<f64>],
    responses: &[Response],
) -> f64 {
    let for_limits = |(group, response): (&Group, &Response)| {
        let limits = seen[group.lane(fleet)].iter().zip(&fleet.energy_price);
        let paid =
            limits.zip(&response.load_kw).map(|((seen, energy), load)| (seen - energy) * load);
        response.cost + paid.sum::<f64>() * fleet.step_h()
    };
    groups.iter().zip(responses).map(for_limits).sum::<f64>() - prices.worth(fleet)
}

struct Work<'a> {
    fleet: &'a Fleet,
    master: Master<'a>,
    groups: Vec<Group>,
    columns: Vec<MasterColumn>,
    answered: Vec<Vec<Vec<f64>>>,
    /// The best bound so far, and the prices that gave it.
    bound: f64,
    best: LimitPrices,
}

impl Work<'_> {
    /// Asks all devices. Returns whether any answer is new.
    fn answer(&mut self, prices: &LimitPrices) -> Result<bool, FleetError> {
        let seen = prices.seen(self.fleet);
        let responses = respond_all(self.fleet, &self.groups, &seen)
            .map_err(|device| FleetError::Device { device })?;
        let bound = bound_of(self.fleet, &self.groups, prices, &seen, &responses);
        if bound > self.bound {
            self.bound = bound;
            self.best = prices.clone();
        }
        let number = self.answered.len();
        let mut is_news = false;
        for (group, response) in responses.into_iter().enumerate() {
            let is_known = self
                .columns
                .iter()
                .any(|column| column.group == group && column.response == response);
            if !is_known {
                self.columns.push(MasterColumn { group, prices: number, response });
                is_news = true;
            }
        }
        self.answered.push(seen);
        Ok(is_news)
    }

    /// Keeps the most used and the newest answers of each group.
    fn forget(&mut self, mixture: &Mixture) {
        let mut weights = mixture.weights.clone();
        // The newest are not in the mixture yet.
        weights.resize(self.columns.len(), 1.0);
        let mut kept = vec![true; self.columns.len()];
        for group in 0..self.groups.len() {
            let mut numbers: Vec<usize> =
                (0..self.columns.len()).filter(|&k| self.columns[k].group == group).collect();
            if numbers.len() > COLUMNS_MAX {
                numbers.sort_by(|&a, &b| weights[b].total_cmp(&weights[a]).then(b.cmp(&a)));
                numbers[COLUMNS_MAX..].iter().for_each(|&k| kept[k] = false);
            }
        }
        let mut kept = kept.into_iter();
        self.columns.retain(|_| kept.next().expect("one for each"));
    }

    fn plan(self, mixture: &Mixture, rounds: usize) -> Coordinated {
        let feeders = self.fleet.feeders.len().max(1);
        let nothing = vec![vec![0.0; self.fleet.steps()]; feeders];
        let (mut load_by_feeder_kw, mut continuous_by_feeder_kw) = (nothing.clone(), nothing);
        let mut of_group = vec![Vec::new(); self.groups.len()];
        for (column, &weight) in self.columns.iter().zip(&mixture.weights) {
            if weight <= 0.0 {
                continue;
            }
            let group = &self.groups[column.group];
            let mut sums = vec![&mut load_by_feeder_kw[group.feeder]];
            if !group.is_of_programs() {
                sums.push(&mut continuous_by_feeder_kw[group.feeder]);
            }
            for sum in sums {
                sum.iter_mut()
                    .zip(&column.response.load_kw)
                    .for_each(|(sum, load)| *sum += weight * load);
            }
            of_group[column.group].push((column.prices, weight));
        }
        Coordinated {
            cost: mixture.cost,
            bound: self.bound.min(mixture.cost),
            load_by_feeder_kw,
            continuous_by_feeder_kw,
            prices: self.best,
            rounds,
            answered: self.answered,
            mixture: of_group,
            membership: Membership::new(&self.groups),
        }
    }
}
