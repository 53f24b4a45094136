//! How a household answers prices, and what it does within what others leave.

use super::problem::Neighborhood;
use crate::household::{
    Beside, Headroom, Household, HouseholdPlan, PlanError, PlanOptions, check, optimal_beside,
};
use crate::solver::{Microlp, Solver};

/// After so many nodes of branch and bound a household answers with the best plan so far, and with the bound that is proved.
const NODES_MAX: u64 = 5_000;

/// A plan of one household.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Answer {
    pub(super) plan: HouseholdPlan,
    /// Its exchange with the grid, kW.
    pub(super) net_kw: Vec<f64>,
    /// What it costs by the household's own tariff.
    pub(super) cost: f64,
}

impl Answer {
    /// Returns a plan with what the checker says that it costs.
    pub(super) fn new(household: &Household, plan: HouseholdPlan) -> Self {
        let cost = check(household, &plan).cost.total();
        Self { net_kw: plan.net_kw(household), plan, cost }
    }

    /// Returns whether another plan comes to the same for everyone.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        let is_close = |a: f64, b: f64| (a - b).abs() <= 1e-7 * (1.0 + a.abs());
        is_close(self.cost, other.cost)
            && self.net_kw.iter().zip(&other.net_kw).all(|(a, b)| is_close(*a, *b))
    }
}

/// Returns the prices that members see of the limits that they are behind, currency per kWh.
pub(super) fn seen(neighborhood: &Neighborhood, members: usize, prices: &[Vec<f64>]) -> Vec<f64> {
    let mut seen = vec![0.0; neighborhood.steps()];
    for limit in neighborhood.behind(members) {
        seen.iter_mut().zip(&prices[limit]).for_each(|(sum, price)| *sum += price);
    }
    seen
}

/// Returns the cheapest plan of a household at prices of limits, and a bound of its cost at its own tariff and those prices together.
pub(super) fn answer(
    household: &Household,
    seen: &[f64],
    gap: f64,
) -> Result<(Answer, f64), PlanError> {
    let beside = Beside { headroom: None, nodes_max: Some(NODES_MAX) };
    let found = optimal_beside(&household.priced(seen), &beside, &SOLVERS, &options(gap))?;
    Ok((Answer::new(household, found.plan), found.bound))
}

/// Returns the cheapest plan of a household at prices of limits, where drawing more than the headroom costs what it says.
pub(super) fn answer_within(
    household: &Household,
    seen: &[f64],
    headroom: &Headroom,
    gap: f64,
) -> Result<Answer, PlanError> {
    let beside = Beside { headroom: Some(headroom), nodes_max: Some(NODES_MAX) };
    let found = optimal_beside(&household.priced(seen), &beside, &SOLVERS, &options(gap))?;
    Ok(Answer::new(household, found.plan))
}

const SOLVERS: [&dyn Solver; 1] = [&Microlp];

/// Without a limit of time, so that the answer is the same on every machine.
const fn options(gap: f64) -> PlanOptions {
    PlanOptions { gap, time_limit: None }
}
