//! Neighborhoods by chance, against the whole problem as one program.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::whole::least_cost;
use super::*;
use crate::household::{HouseholdPlan, PlanOptions, optimal};
use crate::solver::Microlp;

#[path = "../../tests/it/random.rs"]
mod random;

/// Returns a neighborhood of a few households of twelve steps, some of them alike, behind limits from tight to loose.
fn neighborhood(seed: u64, tightness: std::ops::Range<f64>) -> Option<Neighborhood> {
    let mut dice = ChaCha8Rng::seed_from_u64(seed);
    let kinds = random::Kinds {
        steps: 12,
        only_on_off: seed.is_multiple_of(3),
        ordinary_prices: !seed.is_multiple_of(4),
    };
    let feeders = dice.random_range(0..=2_usize);
    let mut members = Vec::new();
    let mut alone_kw = vec![0.0; kinds.steps];
    for i in 0..dice.random_range(1..=2_u64) {
        let household = random::household(seed * 10 + i, kinds);
        let alone = optimal(&household, &[&Microlp], &PlanOptions::REPORTED).ok()?;
        let count = if seed.is_multiple_of(5) { 2 } else { 1 };
        for (sum, net) in alone_kw.iter_mut().zip(alone.plan.net_kw(&household)) {
            *sum += f64::from(u8::try_from(count).unwrap()) * net;
        }
        let feeder = (feeders > 0).then(|| dice.random_range(0..feeders));
        members.push(Members { name: format!("home {i}"), household, count, feeder });
    }
    let peak_kw = alone_kw.iter().copied().fold(0.5, f64::max);
    let limit_kw =
        |dice: &mut ChaCha8Rng| vec![peak_kw * dice.random_range(tightness.clone()); kinds.steps];
    let feeder = |f| GridLimit { name: format!("feeder {f}"), limit_kw: limit_kw(&mut dice) };
    let feeders = (0..feeders).map(feeder).collect();
    let parts = NeighborhoodParts {
        id: format!("seed {seed}"),
        currency: "EUR".to_owned(),
        transformer_limit_kw: limit_kw(&mut dice),
        feeders,
        members,
    };
    Some(Neighborhood::new(parts).unwrap())
}

fn plans(found: &NeighborhoodPlan) -> Vec<HouseholdPlan> {
    found.households.iter().map(|household| household.plan.clone()).collect()
}

#[test]
fn plans_are_between_the_bound_and_little_above_the_whole_problem() {
    let (mut planned, mut impossible, mut not_repaired, mut binding, mut lost) = (0, 0, 0, 0, 0.0);
    for seed in 0..100 {
        let Some(neighborhood) = neighborhood(seed, 0.55..1.05) else { continue };
        let least = least_cost(&neighborhood);
        let found = match (plan(&neighborhood, &NeighborhoodOptions::default()), least) {
            (Ok(found), Some(_)) => found,
            (Err(NeighborhoodError::Limits { exceeded }), None) => {
                assert!(!exceeded.is_empty(), "{seed}");
                impossible += 1;
                continue;
            }
            // One household after the other does not find every exchange of programs.
            (Err(NeighborhoodError::NotRepaired { exceeded }), least) => {
                assert!(!exceeded.is_empty(), "{seed}");
                not_repaired += usize::from(least.is_some());
                impossible += usize::from(least.is_none());
                continue;
            }
            (found, least) => panic!("{seed}: {found:?} although {least:?}"),
        };
        let least = least.unwrap();
        let tolerance = 1e-5 * (1.0 + least.abs());
        assert!(found.bound <= least + tolerance, "{seed}: {} {least}", found.bound);
        assert!(found.cost >= least - tolerance, "{seed}: {} {least}", found.cost);
        let checked = check(&neighborhood, &plans(&found));
        assert!(checked.exceeded.is_empty() && checked.violations.is_empty(), "{seed}");
        assert!((checked.cost - found.cost).abs() < 1e-9, "{seed}");
        planned += 1;
        binding += usize::from(found.cost > found.cost_alone + 1e-6);
        lost += (found.cost - least) / (1.0 + least.abs());
    }
    assert!(planned >= 65 && binding >= 60 && impossible >= 5, "{planned} {binding} {impossible}");
    assert!(not_repaired <= 3, "{not_repaired}");
    assert!(lost / f64::from(planned) < 0.01, "{lost}");
}

#[test]
fn a_loose_limit_leaves_everyone_alone() {
    for seed in 0..30 {
        let Some(neighborhood) = neighborhood(seed, 1e3..1e4) else { continue };
        let options = NeighborhoodOptions { gap: 1e-5, ..NeighborhoodOptions::default() };
        let found = plan(&neighborhood, &options).unwrap();
        for one in &found.households {
            let household = &neighborhood.members()[one.members].household;
            let alone = optimal(household, &[&Microlp], &PlanOptions::REPORTED).unwrap();
            let tolerance = 1e-4 * (1.0 + alone.cost.total().abs());
            assert!((one.cost - alone.cost.total()).abs() <= tolerance, "{seed}");
            assert_eq!(one.cost.to_bits(), one.cost_alone.to_bits(), "{seed}");
        }
        assert!(found.prices.iter().flatten().all(|price| *price == 0.0), "{seed}");
        assert_eq!((found.rounds, found.flow_kw), (1, found.flow_alone_kw), "{seed}");
    }
}

#[test]
fn a_tighter_limit_is_never_cheaper() {
    let mut compared = 0;
    for seed in 0..40 {
        let Some(loose) = neighborhood(seed, 0.7..1.05) else { continue };
        let tight = tighter(&loose, 0.9);
        let options = NeighborhoodOptions::default();
        let (Ok(loose), Ok(tight)) = (plan(&loose, &options), plan(&tight, &options)) else {
            continue;
        };
        // Both bounds are within the gap of what they bound, which grows.
        let tolerance = 2.0 * options.gap * (1.0 + loose.bound.abs());
        assert!(tight.cost >= loose.bound - 1e-6 * (1.0 + loose.bound.abs()), "{seed}");
        assert!(tight.bound >= loose.bound - tolerance, "{seed}: {} {}", tight.bound, loose.bound);
        compared += 1;
    }
    assert!(compared >= 20, "{compared}");
}

#[test]
fn the_plan_is_the_same_on_any_number_of_threads() {
    let on = |threads: usize, neighborhood: &Neighborhood| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| plan(neighborhood, &NeighborhoodOptions::default()))
    };
    for seed in [3, 15, 20, 45, 60, 66] {
        let Some(neighborhood) = neighborhood(seed, 0.6..1.0) else { continue };
        assert_eq!(on(1, &neighborhood), on(3, &neighborhood), "{seed}");
    }
}

fn tighter(neighborhood: &Neighborhood, share: f64) -> Neighborhood {
    let mut limits = neighborhood.limits().to_vec();
    limits.iter_mut().flat_map(|limit| &mut limit.limit_kw).for_each(|kw| *kw *= share);
    let transformer = limits.remove(0);
    Neighborhood::new(NeighborhoodParts {
        id: neighborhood.id().to_owned(),
        currency: neighborhood.currency().to_owned(),
        transformer_limit_kw: transformer.limit_kw,
        feeders: limits,
        members: neighborhood.members().to_vec(),
    })
    .unwrap()
}
