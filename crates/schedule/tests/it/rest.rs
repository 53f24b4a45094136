//! Plans that go on: what is left of a household while its time runs.

use gridtally_schedule::household::{
    CycleOrder, CycleState, DeviceKind, DeviceState, EvState, Household, HouseholdPlan, Measured,
    PlanError, PlanOptions, Rest, Wish, check, optimal,
};
use gridtally_schedule::solver::Microlp;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::random::{Kinds, household};

const EXACTLY: PlanOptions = PlanOptions { gap: 0.0, time_limit: None };
const KINDS: Kinds = Kinds { steps: 16, only_on_off: false, ordinary_prices: false };

fn cases() -> u64 {
    std::env::var("GRIDTALLY_CASES").map_or(40, |cases| cases.parse().expect("a number"))
}

fn planned(household: &Household) -> Option<HouseholdPlan> {
    match optimal(household, &[&Microlp], &EXACTLY) {
        Ok(found) => Some(found.plan),
        Err(PlanError::Infeasible { .. }) => None,
        Err(error) => panic!("{}: {error:?}", household.id),
    }
}

/// Returns the household of a seed with wishes and an order of programs.
fn wishing(seed: u64) -> Household {
    let mut dice = ChaCha8Rng::seed_from_u64(seed);
    let mut parts = household(seed, KINDS).into_parts();
    let mut before: Option<String> = None;
    for device in &mut parts.devices {
        let id = device.id.clone();
        let first = dice.random_range(0..12);
        let steps = [first, first + dice.random_range(1..4)];
        match &mut device.kind {
            DeviceKind::Cycle(cycle) => {
                cycle.after = before.replace(id).map(|id| CycleOrder {
                    id,
                    min_gap_steps: dice.random_range(0..2),
                    max_gap_steps: dice.random_range(4..12),
                });
            }
            DeviceKind::Battery(_) => {
                parts.wishes.push(Wish::Holds { device: id, soc_kwh: 5.0, steps });
            }
            DeviceKind::Pv(_) => {}
            _ if dice.random_bool(0.2) => {
                parts.wishes.push(Wish::NotFromBattery { device: id });
            }
            _ => parts.wishes.push(Wish::Rests { device: id, steps }),
        }
    }
    Household::new(parts).expect("wishes of the right devices")
}

/// Returns the plan of the whole that goes on with the plan of the rest.
fn joined(
    household: &Household,
    done: &HouseholdPlan,
    at: usize,
    rest: &Household,
    plan: &HouseholdPlan,
) -> HouseholdPlan {
    let mut whole = done.clone();
    for (device, power_kw) in household.devices.iter().zip(&mut whole.device_kw) {
        power_kw[at..].fill(0.0);
        if let Some(i) = rest.devices.iter().position(|other| other.id == device.id) {
            power_kw[at..].copy_from_slice(&plan.device_kw[i]);
        }
    }
    whole
}

#[test]
fn what_is_left_at_the_start_is_the_whole() {
    for seed in 0..cases() {
        let household = wishing(seed);
        let Some(plan) = planned(&household) else { continue };
        let rest = household.from_step(0, &Measured::after(&household, &plan, 0)).unwrap();
        assert_eq!(rest, Rest { household, missed: Vec::new() });
    }
}

#[test]
fn a_new_plan_of_the_rest_costs_what_the_old_one_would() {
    let mut compared = 0;
    for seed in 0..cases() {
        let household = wishing(seed);
        let Some(plan) = planned(&household) else { continue };
        let cost = check(&household, &plan).cost.total();
        for at in [1, 3, 4, 7, 8, 11, 15] {
            let of = format!("{} from {at}", household.id);
            let measured = Measured::after(&household, &plan, at);
            let rest = household.from_step(at, &measured).unwrap_or_else(|e| panic!("{of}: {e}"));
            assert_eq!(rest.missed, [], "{of}");
            let again = planned(&rest.household).unwrap_or_else(|| panic!("{of}: impossible"));
            let whole = joined(&household, &plan, at, &rest.household, &again);
            let found = check(&household, &whole);
            assert_eq!(found.violations, [], "{of}");
            let tolerance = 1e-4 * (1.0 + cost.abs());
            assert!((found.cost.total() - cost).abs() <= tolerance, "{of}: {found:?} for {cost}");
            compared += 1;
        }
    }
    assert!(compared > 3 * cases(), "{compared}");
}

/// What chance makes of the state that was planned.
fn deviated(household: &Household, measured: &Measured, at: usize, seed: u64) -> Measured {
    let mut dice = ChaCha8Rng::seed_from_u64(seed);
    let mut measured = measured.clone();
    for state in measured.devices.values_mut() {
        match state {
            DeviceState::Cycle(cycle @ CycleState::Waiting) if dice.random_bool(0.3) => {
                *cycle = CycleState::Started(dice.random_range(0..at));
            }
            DeviceState::Cycle(cycle) if dice.random_bool(0.3) => *cycle = CycleState::Waiting,
            DeviceState::Cycle(_) => {}
            DeviceState::Interruptible { on_steps, running_steps } => {
                *on_steps = dice.random_range(0..=(*on_steps + 1).min(at));
                *running_steps = dice.random_range(0..=*on_steps);
            }
            DeviceState::Modulating { taken_kwh } => *taken_kwh *= dice.random_range(0.0..1.6),
            DeviceState::Ev(EvState::Plugged { soc_kwh }) if dice.random_bool(0.8) => {
                *soc_kwh = (*soc_kwh * dice.random_range(0.0..1.5)).min(60.0);
            }
            DeviceState::Ev(ev) => *ev = EvState::Away,
            DeviceState::Battery { soc_kwh } => *soc_kwh = dice.random_range(0.0..10.0),
            DeviceState::Thermal { state } => *state += dice.random_range(-3.0..3.0),
        }
    }
    measured.metered.hour_mean_kw *= dice.random_range(0.0..2.0);
    measured.metered.day_max_kw *= dice.random_range(0.0..2.0);
    assert!(at < household.horizon.steps());
    measured
}

#[test]
fn whatever_is_measured_the_rest_is_planned_or_limits_are_in_conflict() {
    let (mut planned_count, mut tried, mut missed) = (0, 0, 0);
    for seed in 0..cases() {
        let household = wishing(seed);
        let Some(plan) = planned(&household) else { continue };
        for at in [2, 5, 8, 13] {
            let of = format!("{} from {at}", household.id);
            let measured = Measured::after(&household, &plan, at);
            let measured = deviated(&household, &measured, at, seed);
            let rest = household.from_step(at, &measured).unwrap_or_else(|e| panic!("{of}: {e}"));
            tried += 1;
            missed += rest.missed.len();
            match optimal(&rest.household, &[&Microlp], &EXACTLY) {
                Ok(found) => {
                    planned_count += 1;
                    assert_eq!(check(&rest.household, &found.plan).violations, [], "{of}");
                }
                Err(PlanError::Infeasible { .. }) => {
                    // No device alone is impossible: without the limits of the house there is a plan.
                    let mut parts = rest.household.clone().into_parts();
                    parts.site.import_limit_kw = 1e3;
                    parts.site.export_limit_kw = 1e3;
                    parts.site.export_only_pv = false;
                    parts.tariff.capacity = gridtally_schedule::household::Capacity::Free;
                    // Nor are wishes that may be given up.
                    parts.wishes.clear();
                    let alone = Household::new(parts).unwrap();
                    assert!(planned(&alone).is_some(), "{of}: {:?}", rest.missed);
                }
                Err(error) => panic!("{of}: {error}"),
            }
        }
    }
    assert!(planned_count * 10 > tried * 8, "{planned_count} of {tried}");
    assert!(missed > 0);
}

#[test]
fn a_state_that_is_written_is_read_back() {
    for seed in 0..cases() {
        let household = wishing(seed);
        let Some(plan) = planned(&household) else { continue };
        for at in [0, 1, 6, 8] {
            let measured = Measured::after(&household, &plan, at);
            let text = measured.to_toml(&household, at);
            let read = Measured::from_toml(&text, &household, at)
                .unwrap_or_else(|error| panic!("{error} in {text}"));
            assert_eq!(read.devices.len(), measured.devices.len());
            // Six decimals are written.
            assert_eq!(read.to_toml(&household, at), text);
        }
    }
}
