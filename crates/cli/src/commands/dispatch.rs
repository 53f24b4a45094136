//! `gridtally dispatch`: what every device of a fleet does within the limits of the grid.

mod again;
mod neighborhood;
mod picture;
mod real;
mod real_picture;
mod real_report;
mod report;
mod set_points;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use gridtally_schedule::Watch as _;
use gridtally_schedule::fleet::dispatch::Record;
use gridtally_schedule::fleet::{
    Fleet, FleetDevice, FleetError, FleetOptions, FleetPlan, check, plan_watched,
};
use gridtally_schedule::neighborhood::NeighborhoodDocument;

pub(in crate::commands) use self::real::plan_scenario_error;
use self::report::{DispatchReport, ExceededReport};
use crate::context::Context;
use crate::error::{Blame, CommandError};
use crate::input::read_bounded;
use crate::progress::Waiting;

/// Largest problem that is read, in bytes after unpacking: a million devices.
const FILE_BYTES_MAX: u64 = 1 << 30;

/// Largest table that a problem may name, in bytes.
const TABLE_BYTES_MAX: u64 = 16 << 20;

/// Plan a fleet within the limits of its grid, with a bound on what any other plan could save
///
/// Devices, or households with devices and wishes of their own, answer prices, which are changed until the limits are kept and nothing more is
/// to be saved. Where the limits leave too little, they are named by step and amount, and the exit code is 1.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The problem: TOML as in examples/fleet.toml, or examples/street.toml, which names files of households; else JSON of the schema gridtally-fleet-1, or gzip of it
    #[arg(value_name = "PROBLEM", required_unless_present = "scenario")]
    problem: Option<PathBuf>,
    /// Plan the recorded sessions of chargers that this file describes, as in fixtures/scenarios/chargers.toml, beside charging on arrival
    #[arg(long, value_name = "FILE", conflicts_with = "problem")]
    scenario: Option<PathBuf>,
    /// Draw the load under its limit, over the prices, into this file
    #[arg(long, value_name = "FILE.svg|png", value_parser = crate::output::picture::picture_file)]
    plot: Option<PathBuf>,
    /// Write what each device is told into this file: CSV of set-points with their steps, version and status; of households, of household, device, step and kW
    #[arg(long, value_name = "FILE.csv", value_parser = csv_file)]
    set_points: Option<PathBuf>,
    /// Relative gap between plan and bound at which to stop, 0.0001 where nothing is said, 0.001 for households
    #[arg(long, value_name = "GAP", value_parser = crate::arguments::gap)]
    gap: Option<f64>,
    /// Seconds after which the best plan so far is the answer, with its gap; without a plan within the limits the exit code is 1. Not for households
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    time_limit_s: Option<u64>,
    /// Draws the order in which programs or households give way to others
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    seed: u64,
    #[command(flatten)]
    again: again::AgainArguments,
}

impl Arguments {
    fn options(&self) -> FleetOptions {
        let default = FleetOptions::default();
        FleetOptions { gap: self.gap.unwrap_or(default.gap), seed: self.seed, ..default }
    }
}

pub(crate) fn run(arguments: &Arguments, context: &Context) -> Result<(), CommandError> {
    if let Some(scenario) = &arguments.scenario {
        return real::run(scenario, arguments, context);
    }
    let problem = arguments.problem.as_ref().expect("clap asks for it");
    let fleet = match read(problem)? {
        Problem::Fleet(fleet) => *fleet,
        Problem::Neighborhood(document) => {
            return neighborhood::run(document, problem, arguments, context);
        }
    };
    if arguments.again.is_asked() {
        return again::run(&fleet, arguments, context);
    }
    let Found { plan: found, is_cut_short } = plan_within(&fleet, arguments, context)?;
    let checked = check(&fleet, powers(&fleet, &found));
    let report = DispatchReport::new(&fleet, &found, &checked, is_cut_short);
    // No device is told what the checker does not let pass.
    if let Some(path) = arguments.set_points.as_ref().filter(|_| report.verdict().is_ok()) {
        set_points::write(path, &fleet, &Record::first(&fleet, &found))?;
    }
    if let Some(path) = &arguments.plot {
        let svg = picture::svg(&fleet, &found).context("cannot draw the picture").or_refused()?;
        crate::output::picture::write(path, &svg)?;
    }
    context.output.report(&report)?;
    report.verdict()
}

/// A plan, and whether the time was over before it was as good as asked for.
struct Found {
    plan: FleetPlan,
    is_cut_short: bool,
}

/// Plans a fleet; where its limits leave too little, reports by how much.
fn plan_within(
    fleet: &Fleet,
    arguments: &Arguments,
    context: &Context,
) -> Result<Found, CommandError> {
    let waiting = Waiting::new(arguments.time_limit_s.map(Duration::from_secs));
    let planned = plan_watched(fleet, &arguments.options(), &waiting);
    let is_time_over = waiting.time_left().is_some_and(|left| left.is_zero());
    drop(waiting);
    let error = match planned {
        Ok(plan) => {
            let is_cut_short = is_time_over && plan.gap() > arguments.options().gap;
            return Ok(Found { plan, is_cut_short });
        }
        Err(error) => error,
    };
    let exceeded = match &error {
        FleetError::Limits { exceeded } => Some(("infeasible", exceeded)),
        FleetError::Reserve { exceeded } => Some(("reserve-missed", exceeded)),
        FleetError::TimeOver { exceeded } => Some(("time-over", exceeded)),
        _ => None,
    };
    if let Some((status, exceeded)) = exceeded {
        context.output.report(&ExceededReport::new(fleet, status, exceeded))?;
    }
    Err(CommandError::refused(error))
}

/// What a problem describes.
enum Problem {
    /// Devices.
    Fleet(Box<Fleet>),
    /// Households, by their files.
    Neighborhood(NeighborhoodDocument),
}

/// Reads a problem: TOML where the name of the file says so, which names households or devices, else a fleet as JSON.
fn read(path: &Path) -> Result<Problem, CommandError> {
    let content = read_bounded(path, FILE_BYTES_MAX)?;
    let shown = path.display();
    let text =
        str::from_utf8(&content).with_context(|| format!("{shown} is not UTF-8")).or_refused()?;
    let is_toml = path.extension().is_some_and(|extension| extension == "toml");
    if is_toml && crate::input::has_key(text, "import_limit_kw") {
        let what = "has a connection, so it is a household and no fleet or street";
        return Err(CommandError::refused(anyhow!(
            "{shown} {what}: plan it with gridtally schedule"
        )));
    }
    let problem = if !is_toml {
        Fleet::from_json(text).map(Box::new).map(Problem::Fleet)
    } else if NeighborhoodDocument::is_one(text) {
        NeighborhoodDocument::read(text).map(Problem::Neighborhood)
    } else {
        let fleet = Fleet::from_toml(text, &mut |name| read_beside(path, name));
        fleet.map(Box::new).map(Problem::Fleet)
    };
    problem.map_err(|refused| {
        CommandError::refused(anyhow::Error::new(refused).context(shown.to_string()))
    })
}

/// Reads a table that a problem names, from the folder of the problem.
fn read_beside(problem: &Path, name: &str) -> Result<String, String> {
    let folder = problem.parent().unwrap_or(Path::new("."));
    let content = read_bounded(&folder.join(name), TABLE_BYTES_MAX)
        .map_err(|error| format!("{:#}", anyhow::Error::new(error)))?;
    String::from_utf8(content).map_err(|_| "it is not UTF-8".to_owned())
}

fn powers<'a>(
    fleet: &'a Fleet,
    found: &'a FleetPlan,
) -> impl Iterator<Item = (FleetDevice, Vec<f64>)> {
    fleet.each_device().map(|device| (device, found.power_kw(fleet, device)))
}

/// Reads the name of a file of set-points: another ending may be that of the problem.
fn csv_file(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    let is_csv = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("csv"));
    is_csv.then_some(path).ok_or_else(|| "give a name that ends in .csv".to_owned())
}
