//! A household of recorded data: as its people would run it, and as planned.

use std::path::Path;

use anyhow::Context as _;
use gridtally_aggregator::scenario::{HomeScenario, RealHome};
use gridtally_schedule::household::{
    Check, HouseholdPlan, OptimalPlan, PlanError, check, conflict, optimal_watched, preferred,
};
use gridtally_schedule::solver::{Microlp, Solver};
use jiff::Timestamp;

use super::conflicts::ConflictReport;
use super::real_report::RealHomeReport;
use super::{Arguments, real_picture};
use crate::commands::dispatch::plan_scenario_error;
use crate::context::Context;
use crate::error::{Blame, CommandError};
use crate::progress::Waiting;

/// Both schedules of a home.
pub(super) struct Both<'a> {
    pub(super) home: &'a RealHome,
    pub(super) found: &'a OptimalPlan,
    pub(super) preferred: (&'a HouseholdPlan, &'a Check),
}

pub(super) fn run(
    path: &Path,
    arguments: &Arguments,
    context: &Context,
) -> Result<(), CommandError> {
    let home = HomeScenario::read(path)
        .and_then(|scenario| scenario.build(Timestamp::now()))
        .map_err(plan_scenario_error)?;
    let household = &home.household;
    let solvers: [&dyn Solver; 1] = [&Microlp];
    let waiting = Waiting::new(arguments.time_limit());
    let preferred_plan = preferred(household);
    let preferred_check = check(household, &preferred_plan);
    let found = match optimal_watched(household, &solvers, &arguments.options(), &waiting) {
        Ok(found) => found,
        Err(error @ PlanError::Infeasible { .. }) => {
            let conflicts = conflict(household, &Microlp, &waiting).or_refused()?;
            drop(waiting);
            context.output.report(&ConflictReport::new(household, &conflicts))?;
            return Err(CommandError::refused(error));
        }
        Err(error) => return Err(CommandError::refused(error)),
    };
    drop(waiting);
    let both = Both { home: &home, found: &found, preferred: (&preferred_plan, &preferred_check) };
    if let Some(path) = &arguments.plot {
        let svg = real_picture::svg(&both).context("cannot draw the picture").or_refused()?;
        crate::output::picture::write(path, &svg)?;
    }
    context.output.report(&RealHomeReport::new(&both))
}
