//! The cheapest plan of a household, with a bound that says how far it may be from the cheapest there is.

use std::time::Duration;

use gridtally_core::explanations;

use super::check::{Cost, check};
use super::formulation::Formulation;
use super::headroom::Headroom;
use super::plan::HouseholdPlan;
use super::preferred::preferred;
use super::problem::Household;
use super::tariff::{Capacity, DailyMaxSteps};
use crate::solver::{SolveError, SolveOptions, Solver};
use crate::watch::{Progress, Stage, Unwatched, Watch, share_of_time};

/// How exactly to plan, and how long to try.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PlanOptions {
    /// Relative gap at which a plan is good enough; 0 proves that nothing is cheaper.
    pub gap: f64,
    /// After this a single solve ends with the best so far, and its gap. A [`Watch`] limits the work as a whole.
    pub time_limit: Option<Duration>,
}

impl PlanOptions {
    /// For a person who waits: a gap of 1e-4, ten seconds.
    pub const INTERACTIVE: Self = Self { gap: 1e-4, time_limit: Some(Duration::from_secs(10)) };
    /// For savings that are reported: a gap of 1e-6, a minute.
    pub const REPORTED: Self = Self { gap: 1e-6, time_limit: Some(Duration::from_secs(60)) };
}

/// A plan that the checker found possible, and how good it is.
#[derive(Debug, Clone, PartialEq)]
pub struct OptimalPlan {
    /// The plan.
    pub plan: HouseholdPlan,
    /// What it costs, as the checker says.
    pub cost: Cost,
    /// No plan costs less; minus infinity where nothing is known.
    pub bound: f64,
    /// Where it comes from.
    pub origin: Origin,
    /// Whether the time was over before the gap was reached that was asked for.
    pub is_cut_short: bool,
    /// What solvers said that failed on the way, in order; that time was over is not among it.
    pub failures: Vec<SolveError>,
}

/// Where a plan comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// A solver.
    Solver,
    /// The preferred schedule, because no solver gave a plan in time that the checker found possible.
    Preferred,
}

impl OptimalPlan {
    /// Returns how much more it may cost than the cheapest plan, relative to its cost: infinite where nothing is known.
    #[must_use]
    pub fn gap(&self) -> f64 {
        let cost = self.cost.total();
        ((cost - self.bound) / cost.abs().max(1e-9)).max(0.0)
    }
}

/// Why there is no plan, in order of precedence.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum PlanError {
    /// The wishes cannot be met together.
    #[error("the wishes of {household:?} cannot be met together")]
    Infeasible {
        /// Name of the problem.
        household: String,
    },
    /// No solver gave a plan, and the preferred schedule breaks a limit.
    #[error("no plan was found for {household:?}, and its preferred schedule breaks a limit")]
    NoPlan {
        /// Name of the problem.
        household: String,
        /// What the last solver said.
        #[source]
        source: SolveError,
    },
}

explanations! {
    PlanError {
        Infeasible: "plan-infeasible" "the wishes of a household cannot be met together"
            "give up or loosen one of the wishes that are named";
        NoPlan: "plan-not-found" "no plan was found in time, and the preferred schedule breaks a limit"
            "allow more time, or loosen a wish";
    }
}

/// Returns the cheapest plan that the solvers find, each tried where the one before it fails. Every plan is judged by the checker before it
/// leaves; where no solver gives one that passes, the preferred schedule is the answer if it is possible.
///
/// # Errors
///
/// Returns the first [`PlanError`] in the order of its variants.
pub fn optimal(
    household: &Household,
    solvers: &[&dyn Solver],
    options: &PlanOptions,
) -> Result<OptimalPlan, PlanError> {
    optimal_watched(household, solvers, options, &Unwatched)
}

/// Returns the same as [`optimal`] to somebody who waits: when the time is over, the best plan so far, with the bound that is proved by then.
///
/// # Errors
///
/// Returns the first [`PlanError`] in the order of its variants.
pub fn optimal_watched(
    household: &Household,
    solvers: &[&dyn Solver],
    options: &PlanOptions,
    watch: &dyn Watch,
) -> Result<OptimalPlan, PlanError> {
    search(household, &Beside::default(), solvers, options, watch)
}

/// What a household that is planned together with others minds besides itself.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Beside<'a> {
    /// What the others leave of the limits that they share.
    pub(crate) headroom: Option<&'a Headroom>,
    /// After so many nodes of branch and bound the best plan is the answer, on every machine the same.
    pub(crate) nodes_max: Option<u64>,
}

/// Returns the cheapest plan as [`optimal`] does, beside others: the bound is one of the cost and of what is paid for exceeding the headroom.
pub(crate) fn optimal_beside(
    household: &Household,
    beside: &Beside<'_>,
    solvers: &[&dyn Solver],
    options: &PlanOptions,
) -> Result<OptimalPlan, PlanError> {
    search(household, beside, solvers, options, &Unwatched)
}

fn search(
    household: &Household,
    beside: &Beside<'_>,
    solvers: &[&dyn Solver],
    options: &PlanOptions,
    watch: &dyn Watch,
) -> Result<OptimalPlan, PlanError> {
    let failures = Vec::new();
    let mut search =
        Search { household, beside, solvers, options, watch, failures, is_time_over: false };
    let bracket = match &household.tariff.capacity {
        Capacity::Free | Capacity::Peak(_) => search.solve(None),
        Capacity::DailyMaxSteps(stepped) => search.cheapest_bracket(stepped),
    };
    let Bracket::Open { plan, bound } = bracket else {
        return Err(PlanError::Infeasible { household: household.id.clone() });
    };
    let Search { failures, is_time_over, .. } = search;
    if let Some(Judged { plan, cost, total }) = plan {
        // Rounding must not make a bound of what it bounds.
        let bound = bound.min(total);
        let origin = Origin::Solver;
        let mut found = OptimalPlan { plan, cost, bound, origin, is_cut_short: false, failures };
        found.is_cut_short = is_time_over || found.gap() > options.gap + GAP_OF_ROUNDING;
        return Ok(found);
    }
    let plan = preferred(household);
    let found = check(household, &plan);
    if found.violations.is_empty() {
        let (cost, origin) = (found.cost, Origin::Preferred);
        let bound = bound.min(cost.total());
        return Ok(OptimalPlan { plan, cost, bound, origin, is_cut_short: is_time_over, failures });
    }
    let source = failures.into_iter().next_back().unwrap_or(SolveError::TimeOver);
    Err(PlanError::NoPlan { household: household.id.clone(), source })
}

/// Solver and checker round differently: so much more than was asked for is not a sign that time was over.
const GAP_OF_ROUNDING: f64 = 1e-6;

/// A plan that the checker found possible.
struct Judged {
    plan: HouseholdPlan,
    cost: Cost,
    /// With what it pays for exceeding the headroom.
    total: f64,
}

/// What is known of the plans that stay within a bracket of the capacity tariff, or of all.
enum Bracket {
    /// There are none.
    Empty,
    /// The best that was found, and what none costs less than; without the fee where the tariff has brackets.
    Open { plan: Option<Judged>, bound: f64 },
}

struct Search<'a> {
    household: &'a Household,
    beside: &'a Beside<'a>,
    solvers: &'a [&'a dyn Solver],
    options: &'a PlanOptions,
    watch: &'a dyn Watch,
    failures: Vec<SolveError>,
    is_time_over: bool,
}

impl Search<'_> {
    /// Solves for one bracket of a stepped tariff after the other, from the widest down. What is spent beside the fee can only grow where
    /// the bracket is narrower, so that what bounds a wider bracket bounds a narrower one with its own fee: none need be solved whose
    /// bound is more than the best plan, and below one that is impossible all are.
    fn cheapest_bracket(&mut self, stepped: &DailyMaxSteps) -> Bracket {
        let mut best: Option<Judged> = None;
        let mut bound = f64::INFINITY;
        let mut beside_fee = f64::NEG_INFINITY;
        let mut reached_kw = f64::INFINITY;
        let mut is_empty = true;
        let (brackets, least_fee) = (stepped.steps.len(), stepped.steps[0].fee);
        for (k, step) in stepped.steps.iter().enumerate().rev() {
            let best_cost = best.as_ref().map_or(f64::INFINITY, |best| best.total);
            self.watch.told(&Progress {
                stage: Stage::Brackets,
                done: brackets - 1 - k,
                total: brackets,
                cost: best.as_ref().map(|best| best.total),
                bound: Some(bound.min(beside_fee + least_fee)).filter(|bound| bound.is_finite()),
            });
            // The plan of a wider bracket stays within this one.
            let is_reached = k > 0 && reached_kw <= stepped.steps[k - 1].upto_kw;
            if is_reached || beside_fee + step.fee >= best_cost {
                bound = bound.min(beside_fee + step.fee);
                continue;
            }
            let Bracket::Open { plan, bound: of_bracket } = self.solve(Some(step.upto_kw)) else {
                break;
            };
            is_empty = false;
            beside_fee = beside_fee.max(of_bracket);
            bound = bound.min(beside_fee + step.fee);
            if let Some(found) = plan {
                reached_kw = self.metric_kw(stepped, &found.plan);
                if found.total < best_cost {
                    best = Some(found);
                }
            }
        }
        if is_empty { Bracket::Empty } else { Bracket::Open { plan: best, bound } }
    }

    fn metric_kw(&self, stepped: &DailyMaxSteps, plan: &HouseholdPlan) -> f64 {
        let net_kw = plan.net_kw(self.household);
        let hours = self.household.horizon.hours();
        let mean = |hour: &std::ops::Range<usize>| {
            let count =
                |n: usize| f64::from(u32::try_from(n).expect("an hour has 60 steps at most"));
            let over = if hour.start == 0 { count(stepped.hour_so_far.steps) } else { 0.0 };
            let sum_kw = net_kw[hour.clone()].iter().map(|net| net.max(0.0)).sum::<f64>();
            (over * stepped.hour_so_far.mean_import_kw + sum_kw) / (over + count(hour.len()))
        };
        let day_max = |day: std::ops::Range<usize>| {
            let so_far_kw = if day.start == 0 { stepped.day_so_far_kw } else { 0.0 };
            let hours = hours.iter().filter(|hour| day.contains(&hour.start));
            hours.map(mean).fold(so_far_kw, f64::max)
        };
        let maxima: Vec<f64> = self.household.horizon.days().into_iter().map(day_max).collect();
        stepped.metric_kw(&maxima)
    }

    /// Solves with one solver after the other until one does not fail.
    fn solve(&mut self, upto_kw: Option<f64>) -> Bracket {
        let (mut plan, mut bound) = (None, f64::NEG_INFINITY);
        for &solver in self.solvers {
            let mut formulation = Formulation::new(self.household, upto_kw, self.beside.headroom);
            match self.solve_by(solver, &mut formulation, &mut plan, &mut bound) {
                Ok(()) => break,
                Err(SolveError::Infeasible) => return Bracket::Empty,
                Err(error) => {
                    tracing::warn!(household = self.household.id, %error, "solver failed");
                    match error {
                        SolveError::TimeOver => self.is_time_over = true,
                        error => self.failures.push(error),
                    }
                }
            }
        }
        Bracket::Open { plan, bound }
    }

    /// Solves without the pairs of charge and discharge being exclusive, then with those exclusive that the solution uses both of, until
    /// there are none. Each time is a relaxation of the whole, so that each has a bound, the last solution is exact, and the one before is
    /// a plan where the checker says so.
    fn solve_by(
        &self,
        solver: &dyn Solver,
        formulation: &mut Formulation,
        best: &mut Option<Judged>,
        bound: &mut f64,
    ) -> Result<(), SolveError> {
        // A solver that fails later on has proved nothing.
        let mut proved = f64::NEG_INFINITY;
        loop {
            let time_limit = share_of_time(self.watch, self.options.time_limit);
            let solution = time_limit.map_err(|_| SolveError::TimeOver).and_then(|time_limit| {
                let nodes_max = self.beside.nodes_max;
                let options = SolveOptions { gap: self.options.gap, time_limit, nodes_max };
                solver.solve(&formulation.model, &options)
            });
            if let Err(SolveError::TimeOver) = solution {
                *bound = bound.max(proved);
            }
            let solution = solution?;
            let plan = formulation.plan(&solution);
            let is_last = !formulation.exclude(&solution);
            let found = check(self.household, &plan);
            let excess_cost = |headroom: &Headroom| headroom.excess_cost(self.household, &plan);
            let total = found.cost.total() + self.beside.headroom.map_or(0.0, excess_cost);
            match found.violations.first() {
                None if best.as_ref().is_none_or(|best| total < best.total) => {
                    *best = Some(Judged { plan, cost: found.cost, total });
                }
                Some(violation) if is_last => {
                    let message =
                        format!("its plan breaks {:?} by {}", violation.requirement, violation.by);
                    return Err(SolveError::Failed { message });
                }
                _ => {}
            }
            proved = proved.max(solution.bound);
            if is_last {
                *bound = bound.max(proved);
                return Ok(());
            }
        }
    }
}
