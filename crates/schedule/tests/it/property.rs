//! What holds for every household: random ones, and tiny ones of which every plan is tried.

use gridtally_schedule::household::{
    Capacity, DeviceKind, Household, HouseholdParts, HouseholdPlan, OptimalPlan, PlanError,
    PlanOptions, check, optimal, preferred,
};
use gridtally_schedule::solver::Microlp;

use crate::random::{Kinds, household};

const EXACTLY: PlanOptions = PlanOptions { gap: 0.0, time_limit: None };

/// How many households: `GRIDTALLY_CASES` for more.
fn cases() -> u64 {
    std::env::var("GRIDTALLY_CASES").map_or(40, |cases| cases.parse().expect("a number"))
}

fn planned(household: &Household) -> Option<OptimalPlan> {
    match optimal(household, &[&Microlp], &EXACTLY) {
        Ok(found) => Some(found),
        Err(PlanError::Infeasible { .. }) => None,
        Err(error) => panic!("{}: {error}", household.id),
    }
}

fn changed(household: &Household, change: impl FnOnce(&mut HouseholdParts)) -> Household {
    let mut parts = household.clone().into_parts();
    change(&mut parts);
    Household::new(parts).expect("still possible")
}

fn check_all(ordinary_prices: bool, holds: impl Fn(&Household, &OptimalPlan)) {
    let kinds = Kinds { steps: 16, only_on_off: false, ordinary_prices };
    let mut planned_count = 0;
    for seed in 0..cases() {
        let household = household(seed, kinds);
        if let Some(found) = planned(&household) {
            planned_count += 1;
            holds(&household, &found);
        }
    }
    assert!(planned_count * 2 > cases(), "most households can be planned: {planned_count}");
}

fn assert_close(found: f64, expected: f64, of: &str) {
    assert!(
        (found - expected).abs() <= 1e-5 * (1.0 + expected.abs()),
        "{of}: {found} for {expected}"
    );
}

#[test]
fn a_plan_is_possible_not_below_its_bound_and_not_above_the_preferred_one() {
    check_all(false, |household, found| {
        assert_eq!(check(household, &found.plan).violations, [], "{}", household.id);
        let cost = found.cost.total();
        assert!(found.bound <= cost, "{}: {} above {cost}", household.id, found.bound);
        assert_close(found.bound, cost, &household.id);
        let preferred = check(household, &preferred(household));
        if preferred.violations.is_empty() {
            // The checker overlooks a little.
            assert!(cost <= preferred.cost.total() + 1e-2, "{}: {cost}", household.id);
        }
    });
}

#[test]
fn a_tighter_limit_is_never_cheaper() {
    check_all(false, |household, found| {
        let tighter = changed(household, |parts| {
            parts.site.import_limit_kw *= 0.6;
            parts.site.export_limit_kw *= 0.6;
        });
        if let Some(tight) = planned(&tighter) {
            assert!(
                tight.cost.total() >= found.bound - 1e-6,
                "{}: {}",
                household.id,
                tight.cost.total()
            );
        }
    });
}

#[test]
fn other_names_and_another_order_change_nothing() {
    check_all(false, |household, found| {
        let other = changed(household, |parts| {
            parts.devices.reverse();
            parts.devices.iter_mut().for_each(|device| device.id = format!("the {}", device.id));
        });
        let other = planned(&other).expect("as possible as before");
        assert_close(other.cost.total(), found.cost.total(), &household.id);
    });
}

#[test]
fn another_year_changes_nothing() {
    check_all(false, |household, found| {
        let later = changed(household, |parts| {
            parts.horizon.start = "2026-07-01T00:00:00Z".parse().expect("a time");
            parts.horizon.day_of_step.iter_mut().for_each(|day| *day += 5);
            parts.horizon.hour_of_step.iter_mut().for_each(|hour| *hour += 120);
        });
        assert_eq!(
            planned(&later).expect("as possible as before").plan,
            found.plan,
            "{}",
            household.id
        );
    });
}

#[test]
fn three_times_the_prices_are_three_times_the_cost() {
    check_all(false, |household, found| {
        let dearer = changed(household, |parts| {
            let tariff = &mut parts.tariff;
            tariff
                .import_price
                .iter_mut()
                .chain(&mut tariff.export_price)
                .for_each(|price| *price *= 3.0);
            match &mut tariff.capacity {
                Capacity::Free => {}
                Capacity::Peak(peak) => peak.price_per_kw *= 3.0,
                Capacity::DailyMaxSteps(stepped) => {
                    stepped.steps.iter_mut().for_each(|step| step.fee *= 3.0);
                }
            }
            for device in &mut parts.devices {
                match &mut device.kind {
                    DeviceKind::Ev(ev) => ev.wear_per_kwh *= 3.0,
                    DeviceKind::Battery(battery) => {
                        battery.wear_per_kwh *= 3.0;
                        battery.terminal_value_per_kwh *= 3.0;
                    }
                    DeviceKind::Thermal(thermal) => {
                        thermal.discomfort_price =
                            thermal.discomfort_price.map(|price| price * 3.0);
                    }
                    _ => {}
                }
            }
        });
        let dearer = planned(&dearer).expect("as possible as before");
        assert_close(dearer.cost.total(), 3.0 * found.cost.total(), &household.id);
    });
}

#[test]
fn one_device_less_that_only_uses_never_costs_more() {
    let only_uses = |kind: &DeviceKind| match kind {
        DeviceKind::Ev(ev) => ev.p_max_discharge_kw <= 0.0,
        DeviceKind::Pv(_) | DeviceKind::Battery(_) => false,
        _ => true,
    };
    check_all(true, |household, found| {
        for i in (0..household.devices.len()).filter(|&i| only_uses(&household.devices[i].kind)) {
            let fewer = changed(household, |parts| drop(parts.devices.remove(i)));
            // Fixed panels may give more than may be fed in.
            if let Some(fewer) = planned(&fewer) {
                assert!(fewer.bound <= found.cost.total() + 1e-6, "{}: without {i}", household.id);
            }
        }
    });
}

#[test]
fn no_plan_of_a_tiny_household_is_cheaper() {
    let kinds = Kinds { steps: 8, only_on_off: true, ordinary_prices: false };
    let mut tried = 0_u64;
    for seed in 0..cases() {
        let household = household(seed, kinds);
        let mut cheapest = f64::INFINITY;
        for_each_plan(&household, &mut HouseholdPlan::at_rest(&household), 0, &mut |plan| {
            tried += 1;
            let found = check(&household, plan);
            if found.violations.is_empty() {
                cheapest = cheapest.min(found.cost.total());
            }
        });
        match planned(&household) {
            Some(found) => assert_close(found.cost.total(), cheapest, &household.id),
            None => assert_eq!(cheapest, f64::INFINITY, "{}", household.id),
        }
    }
    assert!(tried > 100 * cases(), "{tried} plans");
}

/// Calls `visit` with every way to run the devices from number `i` on.
fn for_each_plan(
    household: &Household,
    plan: &mut HouseholdPlan,
    i: usize,
    visit: &mut dyn FnMut(&HouseholdPlan),
) {
    let Some(device) = household.devices.get(i) else { return visit(plan) };
    let steps = household.horizon.steps();
    match &device.kind {
        DeviceKind::Cycle(cycle) => {
            for start in cycle.starts() {
                plan.device_kw[i].fill(0.0);
                plan.device_kw[i][start..start + cycle.profile_kw.len()]
                    .copy_from_slice(&cycle.profile_kw);
                for_each_plan(household, plan, i + 1, visit);
            }
        }
        DeviceKind::Interruptible(load) => {
            for mask in 0_u32..1 << steps {
                if mask.count_ones() as usize == load.on_steps {
                    for (t, power) in plan.device_kw[i].iter_mut().enumerate() {
                        *power = if mask >> t & 1 == 1 { load.power_kw } else { 0.0 };
                    }
                    for_each_plan(household, plan, i + 1, visit);
                }
            }
        }
        other => unreachable!("{other:?} is not on or off"),
    }
    plan.device_kw[i].fill(0.0);
}
