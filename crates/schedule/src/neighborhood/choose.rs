//! From shares of answers to one plan for each household.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::answer::Answer;
use super::coordinate::Coordinated;
use super::master::real;
use super::problem::{Members, Neighborhood};
use crate::household::{HouseholdPlan, check};

/// Shares below this are rounding.
const SHARE_MIN: f64 = 1e-5;

/// Returns the plan of each household, those of the first members first. Where the mixture of their answers is a plan that the checker lets
/// pass and that costs no more, it is theirs; elsewhere each household takes one of the answers, drawn so that members take each as often as
/// its share says.
pub(super) fn choose(
    neighborhood: &Neighborhood,
    coordinated: &Coordinated,
    seed: u64,
) -> Vec<Answer> {
    let mut dice = ChaCha8Rng::seed_from_u64(seed);
    let mut chosen = Vec::with_capacity(neighborhood.households());
    for (g, members) in neighborhood.members().iter().enumerate() {
        let shares = coordinated.shares[g].iter().zip(&coordinated.answers[g]);
        let used: Vec<(f64, &Answer)> =
            shares.filter(|(share, _)| **share > SHARE_MIN).map(|(s, a)| (*s, a)).collect();
        // The same draws for the same neighborhood, whoever needs them.
        let offset = f64::from(dice.next_u32()) / (f64::from(u32::MAX) + 1.0);
        if let Some(mixed) = mixed(members, &used) {
            chosen.extend(std::iter::repeat_n(mixed, members.count));
            continue;
        }
        let all: f64 = used.iter().map(|(share, _)| share).sum();
        for i in 0..members.count {
            let place = all * (real(i) + offset) / real(members.count);
            let mut upto = 0.0;
            let found = used.iter().find(|(share, _)| {
                upto += share;
                upto > place
            });
            let (_, answer) = found.or(used.last()).expect("shares add up to one");
            chosen.push((*answer).clone());
        }
    }
    chosen
}

fn mixed(members: &Members, used: &[(f64, &Answer)]) -> Option<Answer> {
    let household = &members.household;
    let mut plan = HouseholdPlan::at_rest(household);
    let all: f64 = used.iter().map(|(share, _)| share).sum();
    let mut cost = 0.0;
    for (share, answer) in used {
        cost += share / all * answer.cost;
        for (sums, powers) in plan.device_kw.iter_mut().zip(&answer.plan.device_kw) {
            sums.iter_mut().zip(powers).for_each(|(sum, power)| *sum += share / all * power);
        }
    }
    let is_possible = check(household, &plan).violations.is_empty();
    let mixed = is_possible.then(|| Answer::new(household, plan))?;
    (mixed.cost <= cost + 1e-6 * (1.0 + cost.abs())).then_some(mixed)
}
