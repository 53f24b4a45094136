//! The checker: what the plans of a neighborhood cost, and what they break, computed from the plans alone.

use super::plan::Exceeded;
use super::problem::Neighborhood;
use crate::household::{self, HouseholdPlan, Violation};

/// Power beyond a limit that is overlooked, kW: plans are printed with six decimals.
const TOLERANCE_KW: f64 = 1e-4;

/// What plans cost and what they break.
#[derive(Debug, Clone, PartialEq)]
pub struct NeighborhoodCheck {
    /// What all households pay together.
    pub cost: f64,
    /// What households break of their own requirements, by their number.
    pub violations: Vec<(usize, Violation)>,
    /// The limits that are exceeded.
    pub exceeded: Vec<Exceeded>,
}

/// Returns what plans cost and break: one for each household, those of the first members first.
#[must_use]
pub fn check(neighborhood: &Neighborhood, plans: &[HouseholdPlan]) -> NeighborhoodCheck {
    let mut found = NeighborhoodCheck { cost: 0.0, violations: Vec::new(), exceeded: Vec::new() };
    let mut flow_kw = vec![vec![0.0; neighborhood.steps()]; neighborhood.limits().len()];
    let mut next = plans.iter().enumerate();
    for members in neighborhood.members() {
        for (number, plan) in next.by_ref().take(members.count) {
            let checked = household::check(&members.household, plan);
            found.cost += checked.cost.total();
            found.violations.extend(checked.violations.into_iter().map(|broken| (number, broken)));
            for (t, net_kw) in plan.net_kw(&members.household).into_iter().enumerate() {
                flow_kw[0][t] += net_kw;
                if let Some(feeder) = members.feeder {
                    flow_kw[1 + feeder][t] += net_kw;
                }
            }
        }
    }
    for (limit, (of_grid, flow_kw)) in neighborhood.limits().iter().zip(&flow_kw).enumerate() {
        for (step, (most_kw, flow_kw)) in of_grid.limit_kw.iter().zip(flow_kw).enumerate() {
            let by_kw = flow_kw - most_kw;
            if by_kw > TOLERANCE_KW {
                found.exceeded.push(Exceeded { limit, step, by_kw });
            }
        }
    }
    found
}
