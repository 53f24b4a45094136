//! What is said of a plan is so.

use gridtally_schedule::Unwatched;
use gridtally_schedule::household::{
    Alternative, Change, DeviceKind, Household, HouseholdPlan, PlanError, PlanOptions, Role, check,
    optimal, preferred, reasons,
};
use gridtally_schedule::solver::Microlp;

use crate::oracle::households;
use crate::random::{Kinds, household};

/// Computes every reason again with the checker, and returns how many there were.
fn check_reasons(household: &Household) -> usize {
    let options = PlanOptions { gap: 1e-6, ..PlanOptions::INTERACTIVE };
    let plan = match optimal(household, &[&Microlp], &options) {
        Ok(found) => found.plan,
        Err(PlanError::Infeasible { .. }) => return 0,
        Err(error) => panic!("{}: {error}", household.id),
    };
    let preferred = preferred(household);
    let planned = check(household, &plan).cost;
    let mut count = 0;
    for (i, found) in reasons(household, &plan, &preferred, &Unwatched).into_iter().enumerate() {
        let found = found.expect("nobody waits");
        let with = |power_kw: Vec<f64>| {
            let mut other = plan.clone();
            other.device_kw[i] = power_kw;
            check(household, &other)
        };
        let at_rest = with(vec![0.0; household.horizon.steps()]).cost;
        assert_close(found.cost.total(), planned.total() - at_rest.total(), household);
        for other in &found.instead {
            count += 1;
            assert_is_what_it_says(household, (&plan, &preferred), i, other);
            let judged = with(other.power_kw.clone());
            let parts = |cost: &gridtally_schedule::household::Cost| {
                [cost.energy, cost.wear, cost.discomfort, cost.capacity, cost.terminal]
            };
            for ((part, then), now) in
                parts(&other.difference).iter().zip(parts(&judged.cost)).zip(parts(&planned))
            {
                assert_close(*part, then - now, household);
            }
            let is_found = |broken| judged.violations.contains(broken);
            assert!(other.breaks.as_ref().is_none_or(is_found), "{}: {other:?}", household.id);
            assert_eq!(other.breaks.is_none(), judged.violations.is_empty(), "{}", household.id);
            let beside_fee = other.difference.total() - other.difference.capacity;
            match other.role {
                Role::Next => assert_eq!(other.breaks, None, "{}: {other:?}", household.id),
                Role::HeldBack if other.change != Change::GivesAll => {
                    assert!(beside_fee < 0.0, "{}: {other:?}", household.id);
                    assert!(other.breaks.is_some() || other.difference.total() > 0.0);
                }
                _ => {}
            }
            if other.breaks.is_none() {
                // The plan is the cheapest: nothing that is possible costs less.
                let slack = 1e-2 + 1e-5 * planned.total().abs();
                assert!(other.difference.total() > -slack, "{}: {other:?}", household.id);
            }
        }
    }
    count
}

/// The powers of an alternative are those that its words describe.
fn assert_is_what_it_says(
    household: &Household,
    (plan, preferred): (&HouseholdPlan, &HouseholdPlan),
    i: usize,
    other: &Alternative,
) {
    let planned_kw = &plan.device_kw[i];
    let moved = |kwh: f64, from: usize, to: usize| {
        let kw = kwh / household.horizon.step_h();
        let mut moved_kw = planned_kw.clone();
        moved_kw[from] -= kw;
        moved_kw[to] += kw;
        moved_kw
    };
    let expected: Vec<f64> = match other.change {
        Change::AsPreferred => preferred.device_kw[i].clone(),
        Change::Rests => vec![0.0; planned_kw.len()],
        Change::DrawsNothing => planned_kw.iter().map(|power| power.min(0.0)).collect(),
        Change::GivesNothing => planned_kw.iter().map(|power| power.max(0.0)).collect(),
        Change::GivesAll => match &household.devices[i].kind {
            DeviceKind::Pv(pv) => pv.available_kw.iter().map(|power| -power).collect(),
            other => unreachable!("{other:?} gives nothing"),
        },
        Change::StartsAt(start) => {
            let profile_kw = match &household.devices[i].kind {
                DeviceKind::Cycle(cycle) => cycle.profile_kw.clone(),
                DeviceKind::Interruptible(load) => vec![load.power_kw; load.on_steps],
                other => unreachable!("{other:?} does not start"),
            };
            let mut started_kw = vec![0.0; planned_kw.len()];
            started_kw[start..start + profile_kw.len()].copy_from_slice(&profile_kw);
            started_kw
        }
        Change::Draws { kwh, from, to } => moved(kwh, from, to),
        Change::Gives { kwh, from, to } => moved(-kwh, from, to),
    };
    for (found, expected) in other.power_kw.iter().zip(expected) {
        assert!((found - expected).abs() < 1e-9, "{}: {other:?}", household.id);
    }
}

fn assert_close(found: f64, expected: f64, household: &Household) {
    assert!((found - expected).abs() < 1e-9, "{}: {found} for {expected}", household.id);
}

#[test]
fn every_reason_of_random_households_is_computed_again() {
    let kinds = Kinds { steps: 16, only_on_off: false, ordinary_prices: false };
    let count: usize = (0..60).map(|seed| check_reasons(&household(seed, kinds))).sum();
    assert!(count > 300, "{count} reasons");
}

#[test]
fn every_reason_of_oracles_is_computed_again() {
    let some = households().into_iter().step_by(8);
    let count: usize = some.map(|(_, household, _)| check_reasons(&household)).sum();
    assert!(count > 50, "{count} reasons");
}
