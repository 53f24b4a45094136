//! `gridtally schedule`: what a household's wishes cost, and what the best schedule saves.

mod clock;
mod picture;
mod report;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use gridtally_schedule::household::{
    Household, PlanError, PlanOptions, check, conflict, optimal, preferred, shares,
};
use gridtally_schedule::solver::SolverKind;

use self::report::{ConflictReport, Planned, ScheduleReport};
use crate::context::Context;
use crate::error::{Blame, CommandError};
use crate::input::read_bounded;

/// Largest problem that is read, in bytes after unpacking.
const FILE_BYTES_MAX: u64 = 64 << 20;

/// Plan a household: the cheapest schedule of its devices, beside the one that its people prefer
///
/// Every plan is judged by a checker that shares nothing with the solver. Where the wishes cannot be met together, those in conflict are
/// named, with what would be possible instead, and the exit code is 1.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The problem: TOML as in examples/household.toml where the name ends in .toml, else JSON of the schema gridtally-household-1, or gzip of it
    #[arg(value_name = "PROBLEM")]
    problem: PathBuf,
    /// Draw both schedules over the prices into this file
    #[arg(long, value_name = "FILE.svg", value_parser = crate::arguments::svg_file)]
    plot: Option<PathBuf>,
    /// Relative gap at which a plan is good enough; 0 proves that none is cheaper
    #[arg(long, value_name = "GAP", default_value_t = PlanOptions::INTERACTIVE.gap, value_parser = crate::arguments::gap)]
    gap: f64,
    /// Seconds after which the best plan so far is the answer, with its gap
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    time_limit_s: u64,
    /// Which solver is tried first: microlp, or highs where it was built in; where it fails, the other one that there is
    #[arg(long, value_name = "SOLVER", default_value_t = SolverKind::Microlp)]
    solver: SolverKind,
}

pub(crate) fn run(arguments: &Arguments, context: &Context) -> Result<(), CommandError> {
    let content = read_bounded(&arguments.problem, FILE_BYTES_MAX)?;
    let shown = arguments.problem.display();
    let text =
        str::from_utf8(&content).with_context(|| format!("{shown} is not UTF-8")).or_refused()?;
    let is_toml = arguments.problem.extension().is_some_and(|extension| extension == "toml");
    let household = if is_toml { Household::from_toml(text) } else { Household::from_json(text) };
    let household = household.map_err(|refused| {
        CommandError::refused(anyhow::Error::new(refused).context(shown.to_string()))
    })?;
    let solvers = arguments.solver.first();
    let time_limit = Some(Duration::from_secs(arguments.time_limit_s));
    let options = PlanOptions { gap: arguments.gap, time_limit };
    let preferred_plan = preferred(&household);
    let preferred_check = check(&household, &preferred_plan);
    match optimal(&household, &solvers, &options) {
        Ok(found) => {
            let shares = shares(&household, &preferred_plan, &solvers, &options).or_refused()?;
            let planned = Planned {
                household: &household,
                found: &found,
                preferred: (&preferred_plan, &preferred_check),
                shares: &shares,
            };
            if let Some(path) = &arguments.plot {
                let svg = picture::svg(&planned).context("cannot draw the picture").or_refused()?;
                std::fs::write(path, svg)
                    .with_context(|| format!("cannot write {}", path.display()))
                    .or_environment()?;
            }
            context.output.report(&ScheduleReport::new(&planned))
        }
        Err(error @ PlanError::Infeasible { .. }) => {
            let conflicts = conflict(&household, solvers[0]).or_refused()?;
            context.output.report(&ConflictReport::new(&household, &conflicts))?;
            Err(CommandError::refused(error))
        }
        Err(error) => Err(CommandError::refused(error)),
    }
}
