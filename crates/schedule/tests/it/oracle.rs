//! Problems with answers that two other solvers and an evaluator of their own have found.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use gridtally_schedule::household::{
    Household, HouseholdPlan, PlanError, PlanOptions, Requirement, check, optimal, preferred,
};
use gridtally_schedule::solver::Microlp;
use serde::Deserialize;

#[derive(Deserialize)]
struct Oracle {
    expected: Expected,
}

#[derive(Deserialize)]
pub(crate) struct Expected {
    pub(crate) status: String,
    pub(crate) optimal_cost: Option<f64>,
    schedule_kw: Option<BTreeMap<String, Vec<f64>>>,
    preferred_cost: Option<f64>,
    preferred_import_excess_kw: Option<f64>,
    preferred_schedule_kw: Option<BTreeMap<String, Vec<f64>>>,
}

/// Returns every household oracle: its file, the problem, the answer.
pub(crate) fn households() -> Vec<(PathBuf, Household, Expected)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/oracles/household");
    let mut files: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty());
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).unwrap();
        let household = Household::from_json(&text)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let oracle: Oracle = serde_json::from_str(&text).unwrap();
        (path, household, oracle.expected)
    };
    files.into_iter().map(read).collect()
}

/// Compares costs as the oracles ask for.
pub(crate) fn is_close(found: f64, expected: f64) -> bool {
    (found - expected).abs() <= 1e-4 + 1e-6 * expected.abs()
}

fn plan_of(household: &Household, schedule_kw: &BTreeMap<String, Vec<f64>>) -> HouseholdPlan {
    let device_kw =
        household.devices.iter().map(|device| schedule_kw[&device.id].clone()).collect();
    HouseholdPlan { device_kw }
}

#[test]
fn the_checker_finds_the_published_optimal_plans_possible_and_as_dear_as_they_say() {
    for (path, household, expected) in households() {
        let (Some(schedule_kw), Some(cost)) = (&expected.schedule_kw, expected.optimal_cost) else {
            continue;
        };
        let found = check(&household, &plan_of(&household, schedule_kw));
        assert_eq!(found.violations, [], "{}", path.display());
        assert!(
            (found.cost.total() - cost).abs() < 2e-3,
            "{}: {} for {cost}",
            path.display(),
            found.cost.total()
        );
    }
}

#[test]
fn the_preferred_schedule_costs_what_it_should() {
    for (path, household, expected) in households() {
        let (Some(cost), Some(excess_kw), Some(schedule_kw)) = (
            expected.preferred_cost,
            expected.preferred_import_excess_kw,
            &expected.preferred_schedule_kw,
        ) else {
            continue;
        };
        let plan = preferred(&household);
        let theirs = plan_of(&household, schedule_kw);
        for (device, (ours, theirs)) in
            household.devices.iter().zip(plan.device_kw.iter().zip(&theirs.device_kw))
        {
            for (t, (ours, theirs)) in ours.iter().zip(theirs).enumerate() {
                assert!(
                    (ours - theirs).abs() < 1e-4,
                    "{}: {} {t}: {ours} {theirs}",
                    path.display(),
                    device.id
                );
            }
        }
        let found = check(&household, &plan);
        assert!(
            is_close(found.cost.total(), cost),
            "{}: {} for {cost}",
            path.display(),
            found.cost.total()
        );
        let is_import = |violation: &&gridtally_schedule::household::Violation| {
            violation.requirement == Requirement::ImportLimit
        };
        let by = found.violations.iter().find(is_import).map_or(0.0, |violation| violation.by);
        assert!((by - excess_kw).abs() < 1e-4, "{}: {by} for {excess_kw}", path.display());
    }
}

#[test]
fn the_optimal_plan_costs_what_it_should_and_the_impossible_is_recognized() {
    let exactly = PlanOptions { gap: 0.0, time_limit: None };
    for (path, household, expected) in households() {
        let path = path.display();
        let found = optimal(&household, &[&Microlp], &exactly);
        let Some(cost) = expected.optimal_cost else {
            assert_eq!(expected.status, "infeasible", "{path}");
            assert!(matches!(found, Err(PlanError::Infeasible { .. })), "{path}: {found:?}");
            continue;
        };
        let found = found.unwrap_or_else(|error| panic!("{path}: {error}"));
        assert_eq!(check(&household, &found.plan).violations, [], "{path}");
        assert!(is_close(found.cost.total(), cost), "{path}: {} for {cost}", found.cost.total());
        assert!(
            found.bound <= found.cost.total() && is_close(found.bound, cost),
            "{path}: {}",
            found.bound
        );
    }
}
