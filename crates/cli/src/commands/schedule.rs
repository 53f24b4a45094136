//! `gridtally schedule`: what a household's wishes cost, and what the best schedule saves.

mod bulk;
pub(super) mod clock;
mod conflicts;
mod picture;
mod real;
mod real_picture;
mod real_report;
mod reasons;
mod report;
mod rest;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use gridtally_schedule::household::{
    Household, PlanError, PlanOptions, Rest, check, conflict, optimal_watched, preferred, reasons,
    shares,
};
use gridtally_schedule::solver::SolverKind;

use self::conflicts::ConflictReport;
use self::report::{Planned, ScheduleReport};
use self::rest::NowArguments;
use crate::context::Context;
use crate::error::{Blame, CommandError};
use crate::input::read_bounded;
use crate::progress::Waiting;

/// Largest problem that is read, in bytes after unpacking.
const FILE_BYTES_MAX: u64 = 64 << 20;

/// Plan a household: the cheapest schedule of its devices, beside the one that its people prefer, with the reasons
///
/// Every plan is judged by a checker that shares nothing with the solver. Where the wishes cannot be met together, those in conflict are
/// named, with what would be possible instead, and the exit code is 1.
///
/// Several problems, or a folder of them, are planned side by side: one line for each, in order, as text or JSON. A problem that is
/// refused or impossible does not stop the others; the exit code is 1 when there was one.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The problem: TOML as in examples/household.toml where the name ends in .toml, else JSON of the schema gridtally-household-1, or gzip of it; or several, or folders of them
    #[arg(value_name = "PROBLEM", required_unless_present = "scenario")]
    problems: Vec<PathBuf>,
    /// Plan the household of recorded data that this file describes, as in fixtures/scenarios/home.toml
    #[arg(long, value_name = "FILE", conflicts_with = "problems")]
    scenario: Option<PathBuf>,
    /// Draw both schedules over the prices into this file
    #[arg(long, value_name = "FILE.svg|png", value_parser = crate::output::picture::picture_file)]
    plot: Option<PathBuf>,
    /// Relative gap at which a plan is good enough; 0 proves that none is cheaper
    #[arg(long, value_name = "GAP", default_value_t = PlanOptions::INTERACTIVE.gap, value_parser = crate::arguments::gap)]
    gap: f64,
    /// Seconds for each household after which the best plan so far is the answer, with its gap
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    time_limit_s: u64,
    /// Which solver is tried first: microlp, or highs where it was built in; where it fails, the other one that there is
    #[arg(long, value_name = "SOLVER", default_value_t = SolverKind::Microlp)]
    solver: SolverKind,
    #[command(flatten)]
    now: NowArguments,
}

impl Arguments {
    fn options(&self) -> PlanOptions {
        PlanOptions { gap: self.gap, time_limit: None }
    }

    fn time_limit(&self) -> Option<Duration> {
        Some(Duration::from_secs(self.time_limit_s))
    }
}

pub(crate) fn run(arguments: &Arguments, context: &Context) -> Result<(), CommandError> {
    if let Some(scenario) = &arguments.scenario {
        return real::run(scenario, arguments, context);
    }
    match arguments.problems.as_slice() {
        [one] if !one.is_dir() => run_one(one, arguments, context),
        _ if arguments.plot.is_some() || arguments.now.is_given() => {
            Err(CommandError::usage(anyhow!("--plot and --now are for one problem, not several")))
        }
        several => bulk::run(several, arguments, context),
    }
}

fn run_one(path: &Path, arguments: &Arguments, context: &Context) -> Result<(), CommandError> {
    let Rest { household, missed } = arguments.now.rest(read(path)?)?;
    let solvers = arguments.solver.first();
    let options = arguments.options();
    let waiting = Waiting::new(arguments.time_limit());
    let preferred_plan = preferred(&household);
    let preferred_check = check(&household, &preferred_plan);
    match optimal_watched(&household, &solvers, &options, &waiting) {
        Ok(found) => {
            let reasons = reasons(&household, &found.plan, &preferred_plan, &waiting);
            let shares =
                shares(&household, &preferred_plan, &solvers, &options, &waiting).or_refused()?;
            drop(waiting);
            arguments.now.write(&household, &found.plan)?;
            let planned = Planned {
                household: &household,
                missed: &missed,
                found: &found,
                preferred: (&preferred_plan, &preferred_check),
                shares: &shares,
                reasons: &reasons,
            };
            if let Some(path) = &arguments.plot {
                let svg = picture::svg(&planned).context("cannot draw the picture").or_refused()?;
                crate::output::picture::write(path, &svg)?;
            }
            context.output.report(&ScheduleReport::new(&planned))
        }
        Err(error @ PlanError::Infeasible { .. }) => {
            let found = conflict(&household, solvers[0], &waiting).or_refused()?;
            drop(waiting);
            let report = ConflictReport::new(&household, &found).with_missed(&household, &missed);
            context.output.report(&report)?;
            Err(CommandError::refused(error))
        }
        Err(error) => Err(CommandError::refused(error)),
    }
}

/// Reads a household from JSON, or from TOML where the name of the file says so.
fn read(path: &Path) -> Result<Household, CommandError> {
    let content = read_bounded(path, FILE_BYTES_MAX)?;
    let shown = path.display();
    let text =
        str::from_utf8(&content).with_context(|| format!("{shown} is not UTF-8")).or_refused()?;
    let is_toml = path.extension().is_some_and(|extension| extension == "toml");
    if is_toml && crate::input::has_key(text, "transformer_limit_kw") {
        let what = "has a transformer, so it is a fleet or a street and no household";
        return Err(CommandError::refused(anyhow!(
            "{shown} {what}: plan it with gridtally dispatch"
        )));
    }
    let household = if is_toml { Household::from_toml(text) } else { Household::from_json(text) };
    household.map_err(|refused| {
        CommandError::refused(anyhow::Error::new(refused).context(shown.to_string()))
    })
}
