//! Recorded sessions of chargers: what they would do unplanned, and what the best plan within the limit is.

use std::path::Path;

use anyhow::Context as _;
use gridtally_aggregator::scenario::{
    ChargersScenario, PlanScenarioError, RealChargers, ScenarioError,
};
use gridtally_schedule::fleet::dispatch::Record;
use gridtally_schedule::fleet::{FleetPlan, check, uncontrolled_ev_kw};
use jiff::Timestamp;

use super::real_report::RealReport;
use super::{Arguments, plan_within, powers, real_picture, set_points};
use crate::context::Context;
use crate::error::{Blame, CommandError};

/// Loads of the transformer, kW for each step.
pub(super) struct Compared<'a> {
    pub(super) chargers: &'a RealChargers,
    pub(super) plan: &'a FleetPlan,
    /// With cars that charge on arrival.
    pub(super) on_arrival_kw: Vec<f64>,
    /// With cars as planned.
    pub(super) planned_kw: Vec<f64>,
    /// What charging on arrival costs, without the other load.
    pub(super) cost_on_arrival: f64,
}

/// Part of a limit that a load may be above it and still count as at it.
const OVERLOOKED: f64 = 1e-5;

impl<'a> Compared<'a> {
    fn new(chargers: &'a RealChargers, plan: &'a FleetPlan) -> Self {
        let fleet = &chargers.fleet;
        let cars_kw = uncontrolled_ev_kw(fleet);
        let cost = cars_kw.iter().zip(&fleet.energy_price).map(|(power, price)| power * price);
        let cost_on_arrival = cost.sum::<f64>() * fleet.step_h();
        let with_others = |cars_kw: &[f64]| {
            fleet.base_load_kw.iter().zip(cars_kw).map(|(base, cars)| base + cars).collect()
        };
        Self {
            chargers,
            plan,
            on_arrival_kw: with_others(&cars_kw),
            planned_kw: with_others(&plan.load_kw),
            cost_on_arrival,
        }
    }

    /// Returns how long a load is above the limit, h.
    pub(super) fn hours_above(&self, load_kw: &[f64]) -> f64 {
        let fleet = &self.chargers.fleet;
        let is_above = |&(load, limit): &(&f64, &f64)| *load > limit * (1.0 + OVERLOOKED);
        let steps = load_kw.iter().zip(&fleet.transformer_limit_kw).filter(is_above).count();
        f64::from(u32::try_from(steps).unwrap_or(u32::MAX)) * fleet.step_h()
    }
}

pub(super) fn run(
    path: &Path,
    arguments: &Arguments,
    context: &Context,
) -> Result<(), CommandError> {
    let chargers = ChargersScenario::read(path)
        .and_then(|scenario| scenario.build(Timestamp::now()))
        .map_err(plan_scenario_error)?;
    let fleet = &chargers.fleet;
    let found = plan_within(fleet, arguments, context)?.plan;
    let checked = check(fleet, powers(fleet, &found));
    let compared = Compared::new(&chargers, &found);
    let report = RealReport::new(&compared, &checked);
    // No device is told what the checker does not let pass.
    if let Some(path) = arguments.set_points.as_ref().filter(|_| report.verdict().is_ok()) {
        set_points::write(path, fleet, &Record::first(fleet, &found))?;
    }
    if let Some(path) = &arguments.plot {
        let svg = real_picture::svg(&compared).context("cannot draw the picture").or_refused()?;
        crate::output::picture::write(path, &svg)?;
    }
    context.output.report(&report)?;
    report.verdict()
}

/// Says whose fault it is that recorded data make no problem.
pub(in crate::commands) fn plan_scenario_error(error: PlanScenarioError) -> CommandError {
    match error {
        PlanScenarioError::Scenario(ScenarioError::Unreadable { .. }) => {
            CommandError::environment(error)
        }
        // These say best themselves what helps.
        PlanScenarioError::Scenario(ScenarioError::Refused(refused)) => {
            CommandError::refused(refused)
        }
        PlanScenarioError::Problem(refused) => CommandError::refused(refused),
        _ => CommandError::refused(error),
    }
}
