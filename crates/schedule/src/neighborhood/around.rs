//! Around programs whose times are set, what else a household does can be mixed: cars, batteries and heaters are coordinated once more.

use super::answer::Answer;
use super::choose::choose;
use super::coordinate::{Fit, coordinate};
use super::plan::NeighborhoodOptions;
use super::problem::{Members, Neighborhood, NeighborhoodParts};
use crate::household::{Capacity, Cycle, DeviceKind, Household, HouseholdPlan, check};

/// Returns plans in which every household runs its programs when it does in the chosen plans, and stays within the bracket of its capacity
/// tariff; the rest is the cheapest for all. `None` where that does not fit into the limits.
pub(super) fn around(
    neighborhood: &Neighborhood,
    chosen: &[Answer],
    options: &NeighborhoodOptions,
) -> Option<Vec<Answer>> {
    let mut members = Vec::new();
    let mut rest = chosen;
    for alike in neighborhood.members() {
        let (of_these, others) = rest.split_at(alike.count);
        rest = others;
        for same in of_these.chunk_by(|a, b| a == b) {
            members.push(Members {
                name: members.len().to_string(),
                household: fixed(&alike.household, &same[0].plan)?,
                count: same.len(),
                feeder: alike.feeder,
            });
        }
    }
    let mut limits = neighborhood.limits().iter();
    let fixed = Neighborhood::new(NeighborhoodParts {
        id: neighborhood.id().to_owned(),
        currency: neighborhood.currency().to_owned(),
        transformer_limit_kw: limits.next()?.limit_kw.clone(),
        feeders: limits.cloned().collect(),
        members,
    })
    .ok()?;
    let coordinated = coordinate(&fixed, options).ok().filter(|found| found.fit == Fit::Within)?;
    let plans = choose(&fixed, &coordinated, options.seed).into_iter();
    let members = neighborhood.members().iter();
    let households = members.flat_map(|alike| std::iter::repeat_n(&alike.household, alike.count));
    Some(plans.zip(households).map(|(answer, one)| Answer::new(one, answer.plan)).collect())
}

/// Returns a household that can only do as a plan does where the choice is one of several.
fn fixed(household: &Household, plan: &HouseholdPlan) -> Option<Household> {
    let cost = check(household, plan).cost;
    let mut parts = household.clone().into_parts();
    for (device, power_kw) in parts.devices.iter_mut().zip(&plan.device_kw) {
        match &mut device.kind {
            DeviceKind::Cycle(cycle) => {
                let start = start(cycle, power_kw)?;
                cycle.earliest_start = start;
                cycle.latest_end = start + cycle.profile_kw.len();
                cycle.preferred_start = start;
                cycle.after = None;
            }
            DeviceKind::Interruptible(load) => {
                let [first, end] = load.window;
                if first == end {
                    continue;
                }
                let is_on = |power: &f64| *power > load.power_kw / 2.0;
                let step = |power: &f64| if is_on(power) { load.power_kw } else { 0.0 };
                device.kind = DeviceKind::Cycle(Cycle {
                    profile_kw: power_kw[first..end].iter().map(step).collect(),
                    earliest_start: first,
                    latest_end: end,
                    preferred_start: first,
                    after: None,
                });
            }
            _ => {}
        }
    }
    if let Capacity::DailyMaxSteps(stepped) = &mut parts.tariff.capacity {
        let bracket = stepped.steps.iter().position(|step| step.fee >= cost.capacity - 1e-9)?;
        // Below it nothing is cheaper, so that what is mixed costs no more than its parts.
        stepped.steps.drain(..bracket);
        stepped.steps.truncate(1);
    }
    Household::new(parts).ok()
}

fn start(cycle: &Cycle, power_kw: &[f64]) -> Option<usize> {
    let far = |start: usize| -> f64 {
        let powers = power_kw[start..].iter().zip(&cycle.profile_kw);
        powers.map(|(power, profile)| (power - profile).abs()).sum()
    };
    cycle.starts().min_by(|a, b| far(*a).total_cmp(&far(*b)))
}
