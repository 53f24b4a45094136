//! Prices and answers in turn, until the cheapest mixture of answers and the bound meet.
//!
//! # Source
//!
//! G. B. Dantzig and P. Wolfe, "Decomposition principle for linear programs", 1960; smoothing of prices: P. Wentges, 1997.

use rayon::prelude::*;

use super::answer::{Answer, answer, seen};
use super::master::{Mixture, real, solve};
use super::plan::{NeighborhoodError, NeighborhoodOptions};
use super::problem::Neighborhood;

/// A mixture of answers, within the limits where one was found.
#[derive(Debug, Clone)]
pub(super) struct Coordinated {
    /// For each members their answers; the first is what they would do alone.
    pub(super) answers: Vec<Vec<Answer>>,
    /// For each members, the share of each of their answers.
    pub(super) shares: Vec<Vec<f64>>,
    /// No plan costs less.
    pub(super) bound: f64,
    /// The prices of limits that gave the bound.
    pub(super) prices: Vec<Vec<f64>>,
    pub(super) rounds: usize,
    pub(super) fit: Fit,
}

/// How a mixture fits into the limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fit {
    /// It keeps them.
    Within,
    /// It does not, after as many rounds as there may be.
    NotYet,
    /// None does: whatever exceeding them may cost, it is done.
    Never,
}

/// Share of the best prices in the next ones.
const SMOOTHING: f64 = 0.5;
/// Most answers that are kept of each members; where these are few and many, a mixture needs more, up to one for each limit and step.
const ANSWERS_MAX: usize = 16;
/// What a kWh beyond a limit costs at first, and at most, as a multiple of the dearest price of energy.
const PENALTY: (f64, f64) = (0.25, 100.0);

/// Returns the cheapest mixture of plans, within the limits where they leave enough, as if those of a household could be mixed; it is a bound all the same.
///
/// # Errors
///
/// Returns a household that has no plan of its own, and a failure of the solver.
pub(super) fn coordinate(
    neighborhood: &Neighborhood,
    options: &NeighborhoodOptions,
) -> Result<Coordinated, NeighborhoodError> {
    let members = neighborhood.members();
    let dearest = members
        .iter()
        .flat_map(|members| &members.household.tariff.import_price)
        .fold(0.01, |dearest: f64, price| dearest.max(price.abs()));
    let nothing = vec![vec![0.0; neighborhood.steps()]; neighborhood.limits().len()];
    let mut work = Work {
        neighborhood,
        gap: options.answer_gap(),
        answers: vec![Vec::new(); members.len()],
        bound: f64::NEG_INFINITY,
        best: nothing.clone(),
    };
    work.ask(&nothing)?;
    let mut penalty = PENALTY.0 * dearest;
    let mut rounds = 0;
    let (mixture, fit) = loop {
        rounds += 1;
        let mixture =
            solve(neighborhood, &work.answers, penalty).ok_or(NeighborhoodError::Master)?;
        let is_within = mixture.exceeded.is_empty();
        let excess_kw: f64 = mixture.exceeded.iter().map(|(.., kw)| kw).sum();
        let value = mixture.cost + penalty * excess_kw * neighborhood.step_h();
        let is_close = value - work.bound <= options.gap * work.bound.abs().max(1e-9);
        let is_dearest = penalty >= PENALTY.1 * dearest;
        match (is_within, is_close) {
            (true, true) => break (mixture, Fit::Within),
            (false, true) if is_dearest => break (mixture, Fit::Never),
            _ if rounds >= options.rounds_max => {
                let fit = if is_within { Fit::Within } else { Fit::NotYet };
                break (mixture, fit);
            }
            _ => {}
        }
        let next = between(&work.best, &mixture.prices);
        let is_news = work.ask(&next)? || work.ask(&mixture.prices)?;
        if !is_news && is_within {
            break (mixture, Fit::Within);
        }
        if !is_news && is_dearest {
            break (mixture, Fit::NotYet);
        }
        if !is_within {
            penalty = (penalty * if is_news { 2.0 } else { 10.0 }).min(PENALTY.1 * dearest);
        }
        work.forget(&mixture);
    };
    // Answers that came after the mixture have no share in it.
    let mut shares = mixture.shares;
    for (shares, answers) in shares.iter_mut().zip(&work.answers) {
        shares.resize(answers.len(), 0.0);
    }
    Ok(Coordinated {
        answers: work.answers,
        shares,
        bound: work.bound,
        prices: work.best,
        rounds,
        fit,
    })
}

fn between(best: &[Vec<f64>], newest: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let mix = |(a, b): (&f64, &f64)| SMOOTHING * a + (1.0 - SMOOTHING) * b;
    let mixed = |(a, b): (&Vec<f64>, &Vec<f64>)| a.iter().zip(b).map(mix).collect();
    best.iter().zip(newest).map(mixed).collect()
}

struct Work<'a> {
    neighborhood: &'a Neighborhood,
    /// Relative gap of the answers.
    gap: f64,
    answers: Vec<Vec<Answer>>,
    /// The best bound so far, and the prices that gave it.
    bound: f64,
    best: Vec<Vec<f64>>,
}

impl Work<'_> {
    /// Asks all households, at the same time. Returns whether any answer is new.
    fn ask(&mut self, prices: &[Vec<f64>]) -> Result<bool, NeighborhoodError> {
        let neighborhood = self.neighborhood;
        let ask = |(g, members): (usize, &super::problem::Members)| {
            let seen = seen(neighborhood, g, prices);
            answer(&members.household, &seen, self.gap).map_err(|source| {
                NeighborhoodError::Household { name: members.name.clone(), source }
            })
        };
        let found: Vec<_> = neighborhood.members().par_iter().enumerate().map(ask).collect();
        let mut bound = -worth(neighborhood, prices);
        let mut is_news = false;
        let members = neighborhood.members();
        for (g, found) in found.into_iter().enumerate() {
            let (answer, at_least) = found?;
            bound += real(members[g].count) * at_least;
            if !self.answers[g].iter().any(|known| known.is_like(&answer)) {
                self.answers[g].push(answer);
                is_news = true;
            }
        }
        if bound > self.bound {
            self.bound = bound;
            self.best = prices.to_vec();
        }
        Ok(is_news)
    }

    /// Keeps of each members what they would do alone, and the most used and the newest answers.
    fn forget(&mut self, mixture: &Mixture) {
        let rows = self.neighborhood.steps() * self.neighborhood.limits().len();
        let answers_max = ANSWERS_MAX.max(2 * rows / self.answers.len());
        for (answers, shares) in self.answers.iter_mut().zip(&mixture.shares) {
            if answers.len() <= answers_max {
                continue;
            }
            // The newest are not in the mixture yet.
            let share = |k: usize| match k {
                0 => f64::INFINITY,
                k => shares.get(k).copied().unwrap_or(1.0),
            };
            let mut order: Vec<usize> = (0..answers.len()).collect();
            order.sort_by(|&a, &b| share(b).total_cmp(&share(a)).then(b.cmp(&a)));
            let mut kept = vec![false; answers.len()];
            order[..answers_max].iter().for_each(|&k| kept[k] = true);
            let mut kept = kept.into_iter();
            answers.retain(|_| kept.next().expect("one for each"));
        }
    }
}

/// Returns what the limits are worth at prices, currency.
fn worth(neighborhood: &Neighborhood, prices: &[Vec<f64>]) -> f64 {
    let limits = neighborhood.limits().iter().zip(prices);
    let worth: f64 = limits
        .flat_map(|(limit, prices)| limit.limit_kw.iter().zip(prices))
        .map(|(limit_kw, price)| limit_kw * price)
        .sum();
    worth * neighborhood.step_h()
}
