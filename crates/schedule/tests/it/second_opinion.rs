//! Random problems as textbooks write them, solved as a whole by another solver: plans must agree with it.
//!
//! `GRIDTALLY_PROVE_TIMES` tries so many times as many, `GRIDTALLY_PROVE_SEED` others.

#![expect(clippy::print_stderr, reason = "it says how much it proved")]

use gridtally_schedule::fleet::{FleetError, FleetOptions, plan};
use gridtally_schedule::household::{PlanError, PlanOptions, check, optimal};
use gridtally_schedule::solver::{Highs, Microlp, Model, SolveError, SolveOptions, Solver};
use gridtally_schedule::textbook;

use crate::fleet::assert_sound;
use crate::oracle::{households, is_close};
use crate::random::{Kinds, household};
use crate::random_fleet::fleet;

const EXACTLY: PlanOptions = PlanOptions { gap: 0.0, time_limit: None };

/// Calls `try_one` with so many seeds on all cores, and says how many problems had a plan.
fn prove(what: &str, count: u64, try_one: impl Fn(u64) -> bool + Sync) {
    let number =
        |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().expect("a number"));
    let count = count * number("GRIDTALLY_PROVE_TIMES").unwrap_or(1);
    let first = number("GRIDTALLY_PROVE_SEED").unwrap_or(0);
    let next = std::sync::atomic::AtomicU64::new(0);
    let planned = std::sync::atomic::AtomicU64::new(0);
    std::thread::scope(|scope| {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        for _ in 0..cores {
            scope.spawn(|| {
                loop {
                    let offset = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    if offset >= count {
                        break;
                    }
                    let found = u64::from(try_one(first + offset));
                    planned.fetch_add(found, std::sync::atomic::Ordering::Relaxed);
                }
            });
        }
    });
    let planned = planned.into_inner();
    eprintln!("proved: {what}: {count} agree with HiGHS, of which {planned} can be planned");
    assert!(planned * 4 > count && planned < count, "{planned} of {count} can be planned");
}

/// Returns what the cheapest plan costs, `None` where there is none.
fn cheapest(model: &Model, of: &str) -> Option<f64> {
    let options = SolveOptions { gap: 0.0, time_limit: None, nodes_max: None };
    match Highs.solve(model, &options) {
        Ok(solution) => Some(solution.cost),
        Err(SolveError::Infeasible) => None,
        Err(error) => panic!("{of}: {error}"),
    }
}

fn assert_close(found: f64, expected: f64, of: &str) {
    let difference = (found - expected).abs();
    assert!(difference <= 2e-5 * (1.0 + expected.abs()), "{of}: {found} for {expected}");
}

#[test]
fn a_household_costs_what_another_solver_finds() {
    prove("households", 400, |seed| {
        let kinds = Kinds {
            steps: [12, 16, 24][usize::try_from(seed % 3).expect("small")],
            only_on_off: false,
            ordinary_prices: seed % 2 == 0,
        };
        let household = household(seed, kinds);
        let model = textbook::household(&household).expect("no wishes");
        let expected = cheapest(&model, &household.id);
        match optimal(&household, &[&Microlp], &EXACTLY) {
            Ok(found) => {
                assert_eq!(check(&household, &found.plan).violations, [], "{}", household.id);
                let expected = expected.unwrap_or_else(|| panic!("{}: a plan", household.id));
                assert_close(found.cost.total(), expected, &household.id);
            }
            Err(PlanError::Infeasible { .. }) => assert_eq!(expected, None, "{}", household.id),
            Err(error) => panic!("{}: {error:?}", household.id),
        }
        expected.is_some()
    });
}

#[test]
fn a_household_planned_by_another_solver_costs_the_same() {
    prove("households planned by HiGHS", 100, |seed| {
        let household =
            household(seed, Kinds { steps: 16, only_on_off: false, ordinary_prices: false });
        let cost = |solver: &dyn Solver| match optimal(&household, &[solver], &EXACTLY) {
            Ok(found) => Some(found.cost.total()),
            Err(PlanError::Infeasible { .. }) => None,
            Err(error) => panic!("{}: {error:?}", household.id),
        };
        match (cost(&Microlp), cost(&Highs)) {
            (Some(ours), Some(theirs)) => assert_close(ours, theirs, &household.id),
            (ours, theirs) => assert_eq!(ours, theirs, "{}", household.id),
        }
        cost(&Highs).is_some()
    });
}

#[test]
fn the_oracles_cost_the_same_as_textbooks_write_them() {
    for (path, household, expected) in households() {
        let Some(model) = textbook::household(&household) else { continue };
        let found = cheapest(&model, &household.id);
        match (found, expected.optimal_cost) {
            (Some(found), Some(cost)) => {
                assert!(is_close(found, cost), "{}: {found} for {cost}", path.display());
            }
            (found, cost) => assert_eq!(found, cost, "{}", path.display()),
        }
    }
}

#[test]
fn a_fleet_costs_what_another_solver_finds() {
    prove("fleets", 400, |seed| {
        let fleet = fleet(seed, false);
        let expected = cheapest(&textbook::fleet(&fleet), &fleet.id);
        match plan(&fleet, &FleetOptions { gap: 1e-6, ..FleetOptions::default() }) {
            Ok(found) => {
                let expected = expected.unwrap_or_else(|| panic!("{}: a plan", fleet.id));
                assert_close(found.cost, expected, &fleet.id);
                assert!(found.bound <= expected + 1e-5, "{}: {}", fleet.id, found.bound);
                assert_sound(&fleet, &found);
            }
            Err(FleetError::Device { .. } | FleetError::Limits { .. }) => {
                assert_eq!(expected, None, "{}", fleet.id);
            }
            Err(error) => panic!("{}: {error}", fleet.id),
        }
        expected.is_some()
    });
}

#[test]
fn a_fleet_with_programs_is_not_below_and_little_above_what_another_solver_finds() {
    prove("fleets with programs", 200, |seed| {
        let fleet = fleet(seed, true);
        let expected = cheapest(&textbook::fleet(&fleet), &fleet.id);
        match plan(&fleet, &FleetOptions::default()) {
            Ok(found) => {
                let expected = expected.unwrap_or_else(|| panic!("{}: a plan", fleet.id));
                // As much as the checker overlooks.
                let tolerance = 2e-5 * (1.0 + expected.abs());
                let dearer = found.cost - expected;
                assert_sound(&fleet, &found);
                assert!(found.bound <= expected + tolerance, "{}: {}", fleet.id, found.bound);
                assert!(dearer >= -tolerance, "{}: by {dearer}", fleet.id);
                assert!(dearer <= 1e-3 * (1.0 + expected.abs()), "{}: by {dearer}", fleet.id);
            }
            Err(FleetError::Device { .. } | FleetError::Limits { .. }) => {
                assert_eq!(expected, None, "{}", fleet.id);
            }
            Err(error) => panic!("{}: {error}", fleet.id),
        }
        expected.is_some()
    });
}
