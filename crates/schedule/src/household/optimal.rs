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

/// How exactly to plan, and how long to try.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PlanOptions {
    /// Relative gap at which a plan is good enough; 0 proves that nothing is cheaper.
    pub gap: f64,
    /// After this the best plan so far is the answer, with its gap.
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

/// Returns the cheapest plan that the solvers find, each tried when the one before it fails. Every plan is judged by the checker before it
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
    optimal_beside(household, &Beside::default(), solvers, options)
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
    let mut failure = SolveError::TimeOver;
    for &solver in solvers {
        match (Search { household, beside, solver, options }).run() {
            Ok(found) => return Ok(found),
            Err(SolveError::Infeasible) => {
                return Err(PlanError::Infeasible { household: household.id.clone() });
            }
            Err(error) => {
                tracing::warn!(household = household.id, %error, "solver failed");
                failure = error;
            }
        }
    }
    let plan = preferred(household);
    let found = check(household, &plan);
    if found.violations.is_empty() {
        let (cost, bound) = (found.cost, f64::NEG_INFINITY);
        return Ok(OptimalPlan { plan, cost, bound, origin: Origin::Preferred });
    }
    Err(PlanError::NoPlan { household: household.id.clone(), source: failure })
}

struct Search<'a> {
    household: &'a Household,
    beside: &'a Beside<'a>,
    solver: &'a dyn Solver,
    options: &'a PlanOptions,
}

impl Search<'_> {
    fn run(&self) -> Result<OptimalPlan, SolveError> {
        match &self.household.tariff.capacity {
            Capacity::Free | Capacity::Peak(_) => self.solve(None),
            Capacity::DailyMaxSteps(stepped) => self.cheapest_bracket(stepped),
        }
    }

    /// Solves for one bracket of a stepped tariff after the other, from the widest down. What is spent beside the fee can only grow where
    /// the bracket is narrower, so that a bracket need not be solved whose fee and the last cost are more than the best plan's; and
    /// below one that is impossible all are.
    fn cheapest_bracket(&self, stepped: &DailyMaxSteps) -> Result<OptimalPlan, SolveError> {
        let mut best: Option<OptimalPlan> = None;
        let mut bound = f64::INFINITY;
        let mut beside_fee = f64::NEG_INFINITY;
        let mut reached_kw = f64::INFINITY;
        for (k, step) in stepped.steps.iter().enumerate().rev() {
            // The plan of a wider bracket stays within this one.
            let is_reached = k > 0 && reached_kw <= stepped.steps[k - 1].upto_kw;
            if is_reached {
                continue;
            }
            let best_cost = best.as_ref().map_or(f64::INFINITY, |best| self.total(best));
            if beside_fee + step.fee >= best_cost {
                bound = bound.min(beside_fee + step.fee);
                continue;
            }
            match self.solve(Some(step.upto_kw)) {
                Ok(found) => {
                    beside_fee = beside_fee.max(found.bound);
                    bound = bound.min(found.bound + step.fee);
                    reached_kw = self.metric_kw(stepped, &found.plan);
                    if self.total(&found) < best_cost {
                        best = Some(found);
                    }
                }
                Err(SolveError::Infeasible) => break,
                Err(error) => return Err(error),
            }
        }
        let best = best.ok_or(SolveError::Infeasible)?;
        Ok(OptimalPlan { bound: bound.min(self.total(&best)), ..best })
    }

    /// What a plan costs, with what it pays for exceeding the headroom.
    fn total(&self, found: &OptimalPlan) -> f64 {
        found.cost.total() + self.excess_cost(&found.plan)
    }

    fn excess_cost(&self, plan: &HouseholdPlan) -> f64 {
        self.beside.headroom.map_or(0.0, |headroom| headroom.excess_cost(self.household, plan))
    }

    fn metric_kw(&self, stepped: &DailyMaxSteps, plan: &HouseholdPlan) -> f64 {
        let net_kw = plan.net_kw(self.household);
        let hours = self.household.horizon.hours();
        let mean = |hour: &std::ops::Range<usize>| {
            let steps = u32::try_from(hour.len()).expect("an hour has 60 steps at most");
            net_kw[hour.clone()].iter().map(|net| net.max(0.0)).sum::<f64>() / f64::from(steps)
        };
        let day_max = |day: std::ops::Range<usize>| {
            hours.iter().filter(|hour| day.contains(&hour.start)).map(mean).fold(0.0, f64::max)
        };
        let maxima: Vec<f64> = self.household.horizon.days().into_iter().map(day_max).collect();
        stepped.metric_kw(&maxima)
    }

    /// Solves without the pairs of charge and discharge being exclusive, then with those exclusive that the solution uses both of, until
    /// there are none. Each time is a relaxation of the whole, so that the last solution is exact.
    fn solve(&self, upto_kw: Option<f64>) -> Result<OptimalPlan, SolveError> {
        let mut formulation = Formulation::new(self.household, upto_kw, self.beside.headroom);
        let options = SolveOptions {
            gap: self.options.gap,
            time_limit: self.options.time_limit,
            nodes_max: self.beside.nodes_max,
        };
        let solution = loop {
            let solution = self.solver.solve(&formulation.model, &options)?;
            if !formulation.exclude(&solution) {
                break solution;
            }
        };
        let plan = formulation.plan(&solution);
        let found = check(self.household, &plan);
        if let Some(violation) = found.violations.first() {
            let message =
                format!("its plan breaks {:?} by {}", violation.requirement, violation.by);
            return Err(SolveError::Failed { message });
        }
        // Rounding must not make a bound of what it bounds.
        let bound = solution.bound.min(found.cost.total() + self.excess_cost(&plan));
        Ok(OptimalPlan { plan, cost: found.cost, bound, origin: Origin::Solver })
    }
}
