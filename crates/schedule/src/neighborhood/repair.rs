//! Plans that exceed limits together give way, and plans that gave way too much come back.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use rayon::prelude::*;

use super::answer::{Answer, answer_within, seen};
use super::plan::Exceeded;
use super::problem::Neighborhood;
use crate::household::Headroom;

/// Excess that is overlooked, kW: half of what the checker overlooks.
const TOLERANCE_KW: f64 = 5e-5;
/// How many households plan at the same time against the same others. It is part of the answer, so it does not follow the machine.
const BATCH: usize = 8;
/// How often exceeding a limit is made four times dearer, so that those give way first for whom that is cheapest.
const REPAIRS_MAX: usize = 10;
/// How often every household may look for what the others leave.
const IMPROVEMENTS_MAX: usize = 4;
/// What is gained at least by a change, currency.
const GAIN_MIN: f64 = 1e-6;

/// The plans of all households, and what flows.
pub(super) struct Street<'a> {
    neighborhood: &'a Neighborhood,
    /// Which members each household is one of.
    members_of: Vec<usize>,
    answers: Vec<Answer>,
    /// Through each limit, kW.
    flow_kw: Vec<Vec<f64>>,
    /// What members see of the prices of limits.
    seen: Vec<Vec<f64>>,
    /// The order in which households come.
    order: Vec<usize>,
    gap: f64,
    dearest: f64,
}

impl<'a> Street<'a> {
    pub(super) fn new(
        neighborhood: &'a Neighborhood,
        answers: Vec<Answer>,
        prices: &[Vec<f64>],
        seed: u64,
        gap: f64,
    ) -> Self {
        let members_of: Vec<usize> = neighborhood
            .members()
            .iter()
            .enumerate()
            .flat_map(|(g, members)| std::iter::repeat_n(g, members.count))
            .collect();
        let seen: Vec<Vec<f64>> =
            (0..neighborhood.members().len()).map(|g| seen(neighborhood, g, prices)).collect();
        let mut flow_kw = vec![vec![0.0; neighborhood.steps()]; neighborhood.limits().len()];
        for (answer, &g) in answers.iter().zip(&members_of) {
            for limit in neighborhood.behind(g) {
                add(&mut flow_kw[limit], &answer.net_kw, 1.0);
            }
        }
        let of_energy = neighborhood.members().iter().flat_map(|members| {
            let tariff = &members.household.tariff;
            tariff.import_price.iter().chain(&tariff.export_price)
        });
        let dearest = of_energy
            .chain(seen.iter().flatten())
            .fold(0.01, |dearest: f64, price| dearest.max(price.abs()));
        let order = shuffled(answers.len(), seed);
        Self { neighborhood, members_of, answers, flow_kw, seen, order, gap, dearest }
    }

    pub(super) fn into_answers(self) -> Vec<Answer> {
        self.answers
    }

    pub(super) fn cost(&self) -> f64 {
        self.answers.iter().map(|answer| answer.cost).sum()
    }

    /// Returns which limits are exceeded.
    pub(super) fn exceeded(&self) -> Vec<Exceeded> {
        let mut exceeded = Vec::new();
        for (limit, of_grid) in self.neighborhood.limits().iter().enumerate() {
            for (step, most_kw) in of_grid.limit_kw.iter().enumerate() {
                let by_kw = self.flow_kw[limit][step] - most_kw;
                if by_kw > TOLERANCE_KW {
                    exceeded.push(Exceeded { limit, step, by_kw });
                }
            }
        }
        exceeded
    }

    /// Plans households again, each against what the others leave, at the prices of the limits, until all limits are kept.
    pub(super) fn repair(&mut self) {
        let mut excess_price = self.dearest;
        for _ in 0..REPAIRS_MAX {
            let exceeded = self.exceeded();
            if exceeded.is_empty() {
                return;
            }
            let is_behind = |&i: &usize| {
                let mut behind = self.neighborhood.behind(self.members_of[i]);
                behind.any(|limit| exceeded.iter().any(|exceeded| exceeded.limit == limit))
            };
            let order: Vec<usize> = self.order.iter().copied().filter(is_behind).collect();
            let seen = self.seen.clone();
            for batch in order.chunks(BATCH) {
                if self.exceeded().is_empty() {
                    return;
                }
                self.plan_again(batch, &seen, excess_price);
            }
            excess_price *= 4.0;
        }
    }

    /// Plans households again, each within what the others leave, as long as that saves something or until the cost is `enough`.
    pub(super) fn improve(&mut self, alone: &[f64], enough: f64) {
        let nothing = vec![vec![0.0; self.neighborhood.steps()]; self.neighborhood.members().len()];
        let excess_price = 1e3 * self.dearest;
        for _ in 0..IMPROVEMENTS_MAX {
            let pays_more = |&i: &usize| {
                self.answers[i].cost > alone[self.members_of[i]] + GAIN_MIN.max(self.gap * 1e-2)
            };
            let order: Vec<usize> = self.order.iter().copied().filter(pays_more).collect();
            let mut is_better = false;
            for batch in order.chunks(BATCH) {
                if self.cost() <= enough {
                    return;
                }
                is_better |= self.plan_again(batch, &nothing, excess_price);
            }
            if !is_better {
                return;
            }
        }
    }

    /// Plans some households at the same time, then takes the new plans one by one where they still gain. Returns whether any did.
    fn plan_again(&mut self, batch: &[usize], seen: &[Vec<f64>], excess_price: f64) -> bool {
        let street = &*self;
        let again = |&i: &usize| {
            let g = street.members_of[i];
            let household = &street.neighborhood.members()[g].household;
            let headroom = Headroom { net_kw: street.headroom_kw(i), excess_price };
            answer_within(household, &seen[g], &headroom, street.gap).ok()
        };
        let found: Vec<_> = batch.par_iter().map(again).collect();
        let mut is_better = false;
        for (&i, answer) in batch.iter().zip(found) {
            let Some(answer) = answer else { continue };
            if self.gain(i, &answer, &seen[self.members_of[i]], excess_price) > GAIN_MIN {
                self.take(i, answer);
                is_better = true;
            }
        }
        is_better
    }

    /// What others leave a household of the limits that it is behind, kW.
    fn headroom_kw(&self, i: usize) -> Vec<f64> {
        let mut headroom_kw = vec![f64::INFINITY; self.neighborhood.steps()];
        for limit in self.neighborhood.behind(self.members_of[i]) {
            let of_grid = &self.neighborhood.limits()[limit].limit_kw;
            for (t, least) in headroom_kw.iter_mut().enumerate() {
                let others_kw = self.flow_kw[limit][t] - self.answers[i].net_kw[t];
                *least = least.min(of_grid[t] - others_kw);
            }
        }
        headroom_kw
    }

    /// What is gained by another plan of a household: cost, what it takes of the limits at their prices, and what exceeds them.
    fn gain(&self, i: usize, new: &Answer, seen: &[f64], excess_price: f64) -> f64 {
        let old = &self.answers[i];
        let (mut taken, mut excess_kw) = (0.0, 0.0);
        for (t, price) in seen.iter().enumerate() {
            let change_kw = new.net_kw[t] - old.net_kw[t];
            taken += price * change_kw;
            for limit in self.neighborhood.behind(self.members_of[i]) {
                let most_kw = self.neighborhood.limits()[limit].limit_kw[t] + TOLERANCE_KW;
                let flow_kw = self.flow_kw[limit][t];
                excess_kw +=
                    (flow_kw + change_kw - most_kw).max(0.0) - (flow_kw - most_kw).max(0.0);
            }
        }
        let step_h = self.neighborhood.step_h();
        old.cost - new.cost - (taken + excess_price * excess_kw) * step_h
    }

    fn take(&mut self, i: usize, new: Answer) {
        for limit in self.neighborhood.behind(self.members_of[i]) {
            add(&mut self.flow_kw[limit], &self.answers[i].net_kw, -1.0);
            add(&mut self.flow_kw[limit], &new.net_kw, 1.0);
        }
        self.answers[i] = new;
    }
}

fn add(sums: &mut [f64], values: &[f64], sign: f64) {
    sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += sign * value);
}

/// Returns the numbers below `count` in an order that anyone can draw again from the seed.
fn shuffled(count: usize, seed: u64) -> Vec<usize> {
    let mut dice = ChaCha8Rng::seed_from_u64(seed);
    let mut keyed: Vec<(u64, usize)> = (0..count).map(|i| (dice.next_u64(), i)).collect();
    keyed.sort_unstable();
    keyed.into_iter().map(|(_, i)| i).collect()
}
