//! Planning a whole fleet by prices: devices answer, the master mixes their answers, and the gap between the two sides is certified.
//!
//! Any prices of the limits give a bound that no plan can be below; the cheapest mixture of answers within the limits is a plan for devices whose
//! choices can be mixed. The work ends when the two meet.
//!
//! # Source
//!
//! G. B. Dantzig and P. Wolfe, "Decomposition principle for linear programs", 1960; smoothing of prices: P. Wentges, 1997.

use std::collections::VecDeque;

use gridtally_core::explanations;

use super::fairness::Waiting;
use super::master::{Limit, LimitPrices, Master, MasterColumn, Mixture};
use super::problem::Fleet;
use super::respond::{
    FleetDevice, Group, Membership, Response, Room, groups, respond_all, respond_of,
};
use crate::watch::{Keeping, Progress, Stage, Watch};

/// How exactly to plan a fleet.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FleetOptions {
    /// Relative gap between plan and bound at which to stop.
    pub gap: f64,
    /// Most rounds of prices and answers.
    pub rounds_max: usize,
    /// From what the order is drawn in which programs give way.
    pub seed: u64,
    /// Into how many groups the devices of a kind are taken, at least one for each feeder: more need fewer rounds, each of which takes
    /// longer.
    pub groups: usize,
}

impl Default for FleetOptions {
    fn default() -> Self {
        Self { gap: 1e-4, rounds_max: 200, seed: 0, groups: 20 }
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
    groups: Vec<Group>,
    columns: Vec<MasterColumn>,
    /// The last prices that devices were asked at.
    tried: VecDeque<LimitPrices>,
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
    /// Stores would hold the reserve of load only by charging and giving back at once, which none does; there may be a plan without that.
    #[error("no plan was found that holds the reserve of load without charging and giving back at once: the best is short of it by {:.1} kW and less, in {} steps", worst_kw(exceeded), exceeded.len())]
    Reserve {
        /// In which step how much load is missing, kW.
        exceeded: Vec<(Limit, usize, f64)>,
    },
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
        Reserve: "fleet-reserve-missed" "no plan was found that holds the reserve of load without charging and giving back at once"
            "ask for less reserve in the steps that are named";
        TimeOver: "fleet-time-over" "the time was over before a plan within the limits was found"
            "allow more time; whether the limits leave enough is not known yet";
    }
}

/// Share of the best prices in the next ones.
const SMOOTHING: f64 = 0.6;
/// Most answers that are kept of a group.
const COLUMNS_MAX: usize = 40;
/// Which part of its cost a plan may spend on fairness.
const FAIR_PART: f64 = 1e-4;
/// How often exceeding a limit is made dearer before the limits are held to be too tight.
const PENALTIES_MAX: usize = 5;
/// About how many devices a sample of a large fleet has, beside its windows: it says near what prices to look.
const SAMPLE: usize = 3_000;
/// Relative gap to which the sample is planned.
const SAMPLE_GAP: f64 = 1e-3;
/// The sample leaves this part of the time at least: a half.
const SAMPLE_TIME: u32 = 2;
/// How many of the last prices are kept.
const TRIED_MAX: usize = 12;
/// For how many rounds an answer is kept that no mixture uses.
const UNUSED_MAX: usize = 4;
/// Shares below this are no use.
const USED: f64 = 1e-6;

/// Plans a fleet whose devices' choices can be mixed; what cannot be is mixed all the same, and is a bound. Among the plans that cost no more
/// than `may_cost` says of the bound, a [fair](mod@super::fairness) one is taken.
///
/// # Errors
///
/// Returns the first [`FleetError`] in the order of its variants.
pub(crate) fn coordinate(
    fleet: &Fleet,
    options: &FleetOptions,
    watch: &dyn Watch,
    may_cost: &dyn Fn(f64) -> f64,
) -> Result<Coordinated, FleetError> {
    let groups = groups(fleet, options.groups).map_err(|device| FleetError::Device { device })?;
    let nothing = vec![vec![0.0; fleet.steps()]; fleet.feeders.len().max(1)];
    let mut known = vec![LimitPrices::none(fleet)];
    let one_of = (fleet.devices() - fleet.evs.arrival.len()) / SAMPLE;
    if one_of > 1 {
        let sample = groups.iter().map(|group| group.sample(one_of)).collect();
        let mut work = Work::new(fleet, sample, nothing.clone());
        work.answer(&LimitPrices::none(fleet))?;
        let until = Until { gap: SAMPLE_GAP.max(options.gap), ..Until::close(options) };
        // What a sample cannot do the whole may be able to.
        if let Ok(rough) = work.converge(&until, &Keeping::part(watch, SAMPLE_TIME)) {
            known.extend(rough.tried);
        }
    }
    let mut work = Work::new(fleet, groups, nothing);
    for prices in &known {
        work.answer(prices)?;
    }
    work.converge(&Until { may_cost, ..Until::close(options) }, watch)
}

/// Plans the devices of a fleet that are not programs beside what its programs use on each feeder: from the answers and prices that are known,
/// until the plan costs `enough` or less, or as above. Among the plans that cost no more, a fair one is taken.
///
/// # Errors
///
/// Returns the first [`FleetError`] in the order of its variants.
pub(crate) fn coordinate_rest(
    fleet: &Fleet,
    programs_kw: Vec<Vec<f64>>,
    known: &Coordinated,
    enough: f64,
    options: &FleetOptions,
    watch: &dyn Watch,
) -> Result<Coordinated, FleetError> {
    let mut number_of = vec![None; known.groups.len()];
    let mut groups = Vec::new();
    for (group, number) in known.groups.iter().zip(&mut number_of) {
        if !group.is_of_programs() {
            *number = Some(groups.len());
            groups.push(group.clone());
        }
    }
    let of_rest = |column: &MasterColumn| {
        number_of[column.group].map(|group| MasterColumn { group, ..column.clone() })
    };
    let columns = known.columns.iter().filter_map(of_rest).collect();
    let answered = known.answered.clone();
    let mut work = Work {
        columns,
        answered,
        best: known.prices.clone(),
        ..Work::new(fleet, groups, programs_kw)
    };
    work.answer(&known.prices)?;
    work.converge(&Until { enough, may_cost: &|_| enough, ..Until::close(options) }, watch)
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

/// When to stop.
struct Until<'a> {
    /// Relative gap between plan and bound.
    gap: f64,
    /// A cost that is low enough, whatever the bound.
    enough: f64,
    /// Most rounds of prices and answers.
    rounds_max: usize,
    /// What a plan may cost for being fair, by the bound.
    may_cost: &'a dyn Fn(f64) -> f64,
}

impl Until<'_> {
    /// When plan and bound are close; nothing is spent on fairness.
    fn close(options: &FleetOptions) -> Self {
        Self {
            gap: options.gap,
            enough: f64::NEG_INFINITY,
            rounds_max: options.rounds_max,
            may_cost: &|_| f64::NEG_INFINITY,
        }
    }
}

struct Work<'a> {
    fleet: &'a Fleet,
    /// What flows besides on each feeder, apart from the base load.
    beside_kw: Vec<Vec<f64>>,
    master: Master<'a>,
    groups: Vec<Group>,
    columns: Vec<MasterColumn>,
    answered: Vec<Vec<Vec<f64>>>,
    /// The best bound so far, and the prices that gave it.
    bound: f64,
    best: LimitPrices,
    /// The last prices that devices were asked at.
    tried: VecDeque<LimitPrices>,
}

impl<'a> Work<'a> {
    fn new(fleet: &'a Fleet, groups: Vec<Group>, beside_kw: Vec<Vec<f64>>) -> Self {
        Self {
            fleet,
            master: Master::new(fleet, &beside_kw),
            beside_kw,
            groups,
            columns: Vec::new(),
            answered: Vec::new(),
            bound: f64::NEG_INFINITY,
            best: LimitPrices::none(fleet),
            tried: VecDeque::new(),
        }
    }

    /// Mixes and asks in turn until the gap is small or the cost is enough.
    fn converge(mut self, until: &Until<'_>, watch: &dyn Watch) -> Result<Coordinated, FleetError> {
        let mut penalties = 0;
        let mut rounds = 0;
        let mut exactness = 1e-5;
        loop {
            rounds += 1;
            let mixture = self
                .master
                .solve(&self.groups, &self.columns, exactness)
                .ok_or(FleetError::Master)?;
            let exceeded = self.master.exceeded(&mixture);
            let is_within = exceeded.is_empty();
            let gap = (mixture.cost - self.bound) / self.bound.abs().max(1e-9);
            exactness = (1e-3 * gap).clamp(1e-9, 1e-5);
            tracing::debug!(rounds, mixture.cost, self.bound, gap, is_within, "fleet coordinated");
            watch.told(&Progress {
                stage: Stage::Rounds,
                done: rounds,
                total: until.rounds_max,
                cost: is_within.then_some(mixture.cost),
                bound: Some(self.bound),
            });
            let is_good = gap <= until.gap || mixture.cost <= until.enough;
            let is_time_over = watch.time_left().is_some_and(|left| left.is_zero());
            let is_last = is_time_over || rounds >= until.rounds_max;
            if is_within && (is_good || is_last) {
                return self.finish(mixture, rounds, until);
            }
            if is_time_over {
                return Err(FleetError::TimeOver { exceeded });
            }
            if is_last {
                return Err(FleetError::Limits { exceeded });
            }
            let next = self.best.between(&mixture.prices, SMOOTHING);
            let is_news = self.answer(&next)?;
            if !is_news && !self.answer(&mixture.prices)? {
                if is_within {
                    return self.finish(mixture, rounds, until);
                }
                penalties += 1;
                if penalties > PENALTIES_MAX {
                    return Err(FleetError::Limits { exceeded });
                }
                self.master.raise_penalty();
            }
            // Prices are at the cost of exceeding: they cannot say more.
            let with_excess = self.master.with_excess(&mixture);
            let is_capped = with_excess - self.bound <= until.gap * self.bound.abs();
            if !is_within && is_capped && penalties < PENALTIES_MAX {
                penalties += 1;
                self.master.raise_penalty();
            }
            self.forget(&mixture);
        }
    }

    /// Takes a fair mixture among those that cost no more than they may.
    fn finish(
        mut self,
        mixture: Mixture,
        rounds: usize,
        until: &Until<'_>,
    ) -> Result<Coordinated, FleetError> {
        let cost_max = (until.may_cost)(self.bound);
        let mixture = self.fairer(&mixture, cost_max)?.unwrap_or(mixture);
        Ok(self.plan(&mixture, rounds))
    }

    /// Asks all devices. Returns whether any answer is new.
    fn answer(&mut self, prices: &LimitPrices) -> Result<bool, FleetError> {
        let seen = prices.seen(self.fleet);
        let responses = respond_all(self.fleet, &self.groups, &seen)
            .map_err(|device| FleetError::Device { device })?;
        // What flows besides takes its part of the limits; it is no reserve of more load, like programs.
        let of_programs = &seen[seen.len() / 2..];
        let of_beside = |(seen, load_kw): (&Vec<f64>, &Vec<f64>)| {
            let limits = seen.iter().zip(&self.fleet.energy_price);
            limits.zip(load_kw).map(|((seen, energy), load)| (seen - energy) * load).sum::<f64>()
        };
        let beside: f64 = of_programs.iter().zip(&self.beside_kw).map(of_beside).sum();
        let bound = bound_of(self.fleet, &self.groups, prices, &seen, &responses)
            + beside * self.fleet.step_h();
        if bound > self.bound {
            self.bound = bound;
            self.best = prices.clone();
        }
        self.tried.push_back(prices.clone());
        if self.tried.len() > TRIED_MAX {
            drop(self.tried.pop_front());
        }
        let number = self.answered.len();
        let mut is_news = false;
        for (group, response) in responses.into_iter().enumerate() {
            let is_known = self
                .columns
                .iter()
                .any(|column| column.group == group && column.response == response);
            if !is_known {
                self.columns.push(MasterColumn { group, prices: number, response, unused: 0 });
                is_news = true;
            }
        }
        self.answered.push(seen);
        Ok(is_news)
    }

    /// Forgets the answers of each group that no mixture has used for some rounds, and the least used where there are many.
    fn forget(&mut self, mixture: &Mixture) {
        let mut weights = mixture.weights.clone();
        // The newest are not in the mixture yet.
        weights.resize(self.columns.len(), 1.0);
        let mut of_group = vec![Vec::new(); self.groups.len()];
        for (k, (column, &weight)) in self.columns.iter_mut().zip(&weights).enumerate() {
            column.unused = if weight > USED { 0 } else { column.unused + 1 };
            of_group[column.group].push(k);
        }
        let mut kept: Vec<bool> =
            self.columns.iter().map(|column| column.unused <= UNUSED_MAX).collect();
        for mut numbers in of_group {
            if numbers.len() > COLUMNS_MAX {
                numbers.sort_by(|&a, &b| weights[b].total_cmp(&weights[a]).then(b.cmp(&a)));
                numbers[COLUMNS_MAX..].iter().for_each(|&k| kept[k] = false);
            }
        }
        let mut kept = kept.into_iter();
        self.columns.retain(|_| kept.next().expect("one for each"));
    }

    /// Returns a mixture that costs at most `cost_max` and in which nobody waits much longer than others, where there is one.
    fn fairer(&mut self, mixture: &Mixture, cost_max: f64) -> Result<Option<Mixture>, FleetError> {
        let room = (cost_max - mixture.cost).min(FAIR_PART * mixture.cost.abs());
        let cost_max = mixture.cost + room;
        // Less than this is not worth a stage, and is lost in rounding.
        if room <= 1e-6 * mixture.cost.abs() {
            return Ok(None);
        }
        self.columns.truncate(mixture.weights.len());
        let impossible = |device| FleetError::Device { device };
        let waiting = Waiting::new(self.fleet, &self.groups).map_err(impossible)?;
        // At prices that rise a little with time, devices that wait for nothing wait no longer.
        let mixed = |(column, weight): (&MasterColumn, &f64)| {
            weight * waiting.moment(&column.response.load_kw).abs()
        };
        let moment: f64 = self.columns.iter().zip(&mixture.weights).map(mixed).sum();
        for part in [0.1, 1.0, 10.0] {
            let rise = part * room / moment.max(1e-9);
            let mut seen = self.best.seen(self.fleet);
            for prices in &mut seen {
                waiting.raise(prices, rise);
            }
            let responses = respond_all(self.fleet, &self.groups, &seen).map_err(impossible)?;
            let prices = self.answered.len();
            let answers = responses.into_iter().enumerate();
            let columns = answers.map(|(group, response)| {
                let unused = 0;
                MasterColumn { group, prices, response, unused }
            });
            self.columns.extend(columns);
            self.answered.push(seen);
        }
        let delays = waiting.delays(&self.columns);
        let found = self.master.fair(&self.groups, &self.columns, &delays, cost_max);
        let is_fine =
            |fair: &Mixture| fair.cost <= cost_max && self.master.exceeded(fair).is_empty();
        let found = found.filter(is_fine);
        if found.is_none() {
            self.columns.truncate(mixture.weights.len());
        }
        Ok(found)
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
            groups: self.groups,
            columns: self.columns,
            tried: self.tried,
        }
    }
}
