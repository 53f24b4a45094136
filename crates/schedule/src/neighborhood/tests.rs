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
    let kinds =
        random::Kinds { steps: 12, only_on_off: seed % 3 == 0, ordinary_prices: seed % 4 != 0 };
    let feeders = dice.random_range(0..=2_usize);
    let mut members = Vec::new();
    let mut alone_kw = vec![0.0; kinds.steps];
    for i in 0..dice.random_range(1..=2_u64) {
        let household = random::household(seed * 10 + i, kinds);
        let alone = optimal(&household, &[&Microlp], &PlanOptions::REPORTED).ok()?;
        let count = if seed % 5 == 0 { 2 } else { 1 };
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
    let (mut planned, mut possible, mut lost, mut unrepaired, mut binding) = (0, 0, 0.0, 0, 0);
    for seed in 0..150 {
        let Some(neighborhood) = neighborhood(seed, 0.55..1.05) else { continue };
        let least = least_cost(&neighborhood);
        let found = plan(&neighborhood, &NeighborhoodOptions::default());
        match (&found, least) {
            (Ok(found), Some(least)) => {
                let tolerance = 1e-5 * (1.0 + least.abs());
                assert!(found.bound <= least + tolerance, "{seed}: {} {least}", found.bound);
                assert!(found.cost >= least - tolerance, "{seed}: {} {least}", found.cost);
                let checked = check(&neighborhood, &plans(found));
                assert!(checked.exceeded.is_empty() && checked.violations.is_empty(), "{seed}");
                assert!((checked.cost - found.cost).abs() < 1e-9, "{seed}");
                lost += (found.cost - least) / (1.0 + least.abs());
                if std::env::var("SHOW").is_ok() {
                    eprintln!(
                        "{seed}: {:.4} {least:.4} {:.4} alone {:.4} r{}",
                        found.bound, found.cost, found.cost_alone, found.rounds
                    );
                }
                planned += 1;
                binding += usize::from(found.cost > found.cost_alone + 1e-6);
            }
            (Err(NeighborhoodError::Limits { exceeded }), None) => assert!(!exceeded.is_empty()),
            (Err(NeighborhoodError::NotRepaired { .. }), least) => {
                if least.is_some() {
                    unrepaired += 1;
                    eprintln!("unrepaired {seed}");
                }
            }
            (Err(error), _) => {
                eprintln!("{seed}: {error} although {least:?}");
                unrepaired += 1000;
            }
            (Ok(_), None) => panic!("{seed}: the whole problem is impossible, its plan is not"),
        }
        possible += usize::from(least.is_some());
    }
    eprintln!("{planned} of {possible}, {binding} bind, lost {lost}, unrepaired {unrepaired}");
    panic!();
}
