//! A plan of a neighborhood: one plan for each household, all limits kept, and a bound of what another could save.

use gridtally_core::explanations;

use super::around::around;
use super::check::check;
use super::choose::choose;
use super::coordinate::{Coordinated, Fit, coordinate};
use super::master::real;
use super::problem::Neighborhood;
use super::repair::Street;
use crate::household::{HouseholdPlan, PlanError};

/// How exactly to plan a neighborhood.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NeighborhoodOptions {
    /// Relative gap between plan and bound at which to stop.
    pub gap: f64,
    /// Most rounds of prices and answers.
    pub rounds_max: usize,
    /// From what is drawn who takes which of several plans, and who gives way first.
    pub seed: u64,
}

impl Default for NeighborhoodOptions {
    fn default() -> Self {
        Self { gap: 1e-3, rounds_max: 200, seed: 0 }
    }
}

impl NeighborhoodOptions {
    /// Returns how exactly a household answers: what it leaves open is part of the whole gap.
    pub(super) fn answer_gap(&self) -> f64 {
        0.1 * self.gap
    }
}

/// What one household does.
#[derive(Debug, Clone, PartialEq)]
pub struct MemberPlan {
    /// Which members it is one of, by number.
    pub members: usize,
    /// Its plan.
    pub plan: HouseholdPlan,
    /// Its exchange with the grid in each step, kW.
    pub net_kw: Vec<f64>,
    /// What it pays by its own tariff.
    pub cost: f64,
    /// What it would pay if there were no shared limits.
    pub cost_alone: f64,
}

/// A plan for each household.
#[derive(Debug, Clone, PartialEq)]
pub struct NeighborhoodPlan {
    /// The households, those of the first members first.
    pub households: Vec<MemberPlan>,
    /// What all pay together.
    pub cost: f64,
    /// No plans within the limits cost less; minus infinity where nothing is known.
    pub bound: f64,
    /// What all would pay together without shared limits.
    pub cost_alone: f64,
    /// What flows through each limit, kW: the transformer, then the feeders.
    pub flow_kw: Vec<Vec<f64>>,
    /// The same without shared limits.
    pub flow_alone_kw: Vec<Vec<f64>>,
    /// What each limit costs in each step, currency per kWh.
    pub prices: Vec<Vec<f64>>,
    /// How many rounds of prices and answers it took.
    pub rounds: usize,
}

impl NeighborhoodPlan {
    /// Returns how much more the plans may cost than the cheapest, relative to the bound: infinite where nothing is known.
    #[must_use]
    pub fn gap(&self) -> f64 {
        if self.bound == f64::NEG_INFINITY {
            return f64::INFINITY;
        }
        ((self.cost - self.bound) / self.bound.abs().max(1e-9)).max(0.0)
    }
}

/// A limit that is exceeded.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Exceeded {
    /// Which: 0 is the transformer's, then the feeders'.
    pub limit: usize,
    /// When.
    pub step: usize,
    /// By how much, kW.
    pub by_kw: f64,
}

/// Why there is no plan of a neighborhood, in order of precedence.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum NeighborhoodError {
    /// A household cannot be planned even alone.
    #[error("household {name:?} has no plan, whatever the limits")]
    Household {
        /// Which.
        name: String,
        /// Why.
        #[source]
        source: PlanError,
    },
    /// The limits leave too little for what the households need.
    #[error("the limits leave too little: the best plans exceed them by {:.2} kW and less, in {} steps", worst_kw(exceeded), exceeded.len())]
    Limits {
        /// What the best plans exceed: raised by so much, the limits would do.
        exceeded: Vec<Exceeded>,
    },
    /// No plans were found that keep the limits, which may be enough all the same.
    #[error("no plans were found that keep the limits: the best exceed them by {:.2} kW and less, in {} steps", worst_kw(exceeded), exceeded.len())]
    NotRepaired {
        /// What the best plans exceed: raised by so much, the limits would do.
        exceeded: Vec<Exceeded>,
    },
    /// The solver of the master problem failed.
    #[error("the master problem of the neighborhood was not solved")]
    Master,
}

fn worst_kw(exceeded: &[Exceeded]) -> f64 {
    exceeded.iter().map(|exceeded| exceeded.by_kw).fold(0.0, f64::max)
}

explanations! {
    NeighborhoodError {
        Household: "neighborhood-household" "a household has no plan of its own, whatever the limits"
            "plan it alone with gridtally schedule, which names the wishes in conflict";
        Limits: "neighborhood-limits-exceeded" "the limits leave too little for what the households need"
            "raise the limits by what is named, or ask less of the households";
        NotRepaired: "neighborhood-not-repaired" "no plans were found that keep the limits, which may be enough all the same"
            "raise the limits by what is named, or try another seed";
        Master: "neighborhood-not-coordinated" "the master problem was not solved"
            "check the sizes of loads and limits; report the problem";
    }
}

/// How often plans are drawn until they can be mended.
const DRAWS_MAX: u64 = 4;

/// Plans all households within the limits that they share.
///
/// # Errors
///
/// Returns the first [`NeighborhoodError`] in the order of its variants.
pub fn plan(
    neighborhood: &Neighborhood,
    options: &NeighborhoodOptions,
) -> Result<NeighborhoodPlan, NeighborhoodError> {
    let coordinated = coordinate(neighborhood, options)?;
    let alone: Vec<f64> = coordinated.answers.iter().map(|answers| answers[0].cost).collect();
    let enough = coordinated.bound + options.gap * coordinated.bound.abs();
    let mut street = repaired(neighborhood, &coordinated, options, enough)?;
    street.improve(&alone, enough);
    let members_of = neighborhood.members().iter().enumerate();
    let members_of = members_of.flat_map(|(g, members)| std::iter::repeat_n(g, members.count));
    let households: Vec<MemberPlan> = street
        .into_answers()
        .into_iter()
        .zip(members_of)
        .map(|(answer, members)| MemberPlan {
            members,
            plan: answer.plan,
            net_kw: answer.net_kw,
            cost: answer.cost,
            cost_alone: alone[members],
        })
        .collect();
    // A plan leaves only with the word of the checker.
    let plans: Vec<HouseholdPlan> =
        households.iter().map(|household| household.plan.clone()).collect();
    let checked = check(neighborhood, &plans);
    if !checked.exceeded.is_empty() {
        return Err(NeighborhoodError::NotRepaired { exceeded: checked.exceeded });
    }
    let counts = neighborhood.members().iter().map(|members| real(members.count));
    let alone_kw = |g: usize| &coordinated.answers[g][0].net_kw;
    Ok(NeighborhoodPlan {
        cost: checked.cost,
        bound: coordinated.bound.min(checked.cost),
        cost_alone: alone.iter().zip(counts).map(|(cost, count)| cost * count).sum(),
        flow_kw: flow_kw(neighborhood, households.iter().map(|one| (one.members, &one.net_kw))),
        flow_alone_kw: flow_kw(
            neighborhood,
            households.iter().map(|one| (one.members, alone_kw(one.members))),
        ),
        prices: coordinated.prices,
        rounds: coordinated.rounds,
        households,
    })
}

/// Draws a plan for each household and mends what exceeds the limits together, several times where that fails.
fn repaired<'a>(
    neighborhood: &'a Neighborhood,
    coordinated: &Coordinated,
    options: &NeighborhoodOptions,
    enough: f64,
) -> Result<Street<'a>, NeighborhoodError> {
    let mut least = Vec::new();
    for draw in 0..DRAWS_MAX {
        let seed = options.seed.wrapping_add(draw);
        let of = |answers| {
            let gap = options.answer_gap();
            Street::new(neighborhood, answers, &coordinated.prices, seed, gap)
        };
        let chosen = choose(neighborhood, coordinated, seed);
        let street = of(chosen.clone());
        if street.exceeded().is_empty() && street.cost() <= enough {
            return Ok(street);
        }
        for answers in around(neighborhood, &chosen, options).into_iter().chain([chosen]) {
            let mut street = of(answers);
            street.repair();
            let exceeded = street.exceeded();
            if exceeded.is_empty() {
                return Ok(street);
            }
            if least.is_empty() || worst_kw(&exceeded) < worst_kw(&least) {
                least = exceeded;
            }
        }
    }
    Err(match coordinated.fit {
        Fit::Never => NeighborhoodError::Limits { exceeded: least },
        Fit::Within | Fit::NotYet => NeighborhoodError::NotRepaired { exceeded: least },
    })
}

/// Returns what flows through each limit, kW.
fn flow_kw<'a>(
    neighborhood: &Neighborhood,
    net_kw: impl Iterator<Item = (usize, &'a Vec<f64>)>,
) -> Vec<Vec<f64>> {
    let mut flow_kw = vec![vec![0.0; neighborhood.steps()]; neighborhood.limits().len()];
    for (members, net_kw) in net_kw {
        for limit in neighborhood.behind(members) {
            flow_kw[limit].iter_mut().zip(net_kw).for_each(|(flow, net)| *flow += net);
        }
    }
    flow_kw
}
