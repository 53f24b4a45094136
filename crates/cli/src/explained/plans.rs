//! What is said where a problem is refused or no plan is found.

use gridtally_aggregator::scenario::PlanScenarioError;
use gridtally_core::explanation::{Explained, Explanation};
use gridtally_schedule::fleet::FleetError;
use gridtally_schedule::household::PlanError;
use gridtally_schedule::neighborhood::NeighborhoodError;
use gridtally_schedule::{ProblemReason, ProblemRefused};

use super::{Said, of};

/// Returns what these errors say, with the names of their types.
pub(super) fn explained() -> [(&'static str, &'static [Explanation]); 5] {
    [
        ("ProblemRefused", ProblemReason::EXPLANATIONS),
        ("PlanError", PlanError::EXPLANATIONS),
        ("FleetError", FleetError::EXPLANATIONS),
        ("PlanScenarioError", PlanScenarioError::EXPLANATIONS),
        ("NeighborhoodError", NeighborhoodError::EXPLANATIONS),
    ]
}

/// Returns what an error says if it is one of these.
pub(super) fn explanation(error: Said<'_>) -> Option<Explanation> {
    None.or_else(|| of(error, |refused: &ProblemRefused| refused.reason.explanation()))
        // It says more than the error of the household that is its source.
        .or_else(|| of(error, NeighborhoodError::explanation))
        .or_else(|| of(error, PlanError::explanation))
        .or_else(|| of(error, FleetError::explanation))
        .or_else(|| of(error, PlanScenarioError::explanation))
}
