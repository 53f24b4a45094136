//! `gridtally dispatch`: what every device of a fleet does within the limits of the grid.

mod again;
mod picture;
mod report;
mod set_points;

use std::path::PathBuf;

use anyhow::Context as _;
use gridtally_schedule::fleet::dispatch::Record;
use gridtally_schedule::fleet::{
    Fleet, FleetDevice, FleetError, FleetOptions, FleetPlan, check, plan,
};

use self::report::{DispatchReport, ExceededReport};
use crate::context::Context;
use crate::error::{Blame, CommandError};
use crate::input::read_bounded;

/// Largest problem that is read, in bytes after unpacking: a million devices.
const FILE_BYTES_MAX: u64 = 1 << 30;

/// Plan a fleet within the limits of its grid, with a bound on what any other plan could save
///
/// Devices answer prices, which are changed until the limits are kept and nothing more is to be saved. Where the limits leave too little,
/// they are named by step and amount, and the exit code is 1.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The problem: JSON of the schema gridtally-fleet-1, or gzip of it
    #[arg(value_name = "PROBLEM")]
    problem: PathBuf,
    /// Draw the load under its limit, over the prices, into this file
    #[arg(long, value_name = "FILE.svg", value_parser = crate::arguments::svg_file)]
    plot: Option<PathBuf>,
    /// Write what each device is told into this file: CSV of set-points with their steps, version and status
    #[arg(long, value_name = "FILE.csv", value_parser = csv_file)]
    set_points: Option<PathBuf>,
    /// Relative gap between plan and bound at which to stop
    #[arg(long, value_name = "GAP", default_value_t = FleetOptions::default().gap, value_parser = crate::arguments::gap)]
    gap: f64,
    /// Draws the order in which programs give way to others
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    seed: u64,
    #[command(flatten)]
    again: again::AgainArguments,
}

pub(crate) fn run(arguments: &Arguments, context: &Context) -> Result<(), CommandError> {
    let content = read_bounded(&arguments.problem, FILE_BYTES_MAX)?;
    let shown = arguments.problem.display();
    let text =
        str::from_utf8(&content).with_context(|| format!("{shown} is not UTF-8")).or_refused()?;
    let fleet = Fleet::from_json(text).map_err(|refused| {
        CommandError::refused(anyhow::Error::new(refused).context(shown.to_string()))
    })?;
    drop(content);
    let options =
        FleetOptions { gap: arguments.gap, seed: arguments.seed, ..FleetOptions::default() };
    if arguments.again.is_asked() {
        return again::run(&fleet, &options, arguments, context);
    }
    let found = match plan(&fleet, &options) {
        Ok(found) => found,
        Err(error) => {
            if let FleetError::Limits { exceeded } = &error {
                context.output.report(&ExceededReport::new(&fleet, exceeded))?;
            }
            return Err(CommandError::refused(error));
        }
    };
    let checked = check(&fleet, powers(&fleet, &found));
    if let Some(path) = &arguments.set_points {
        set_points::write(path, &Record::first(&fleet, &found))?;
    }
    if let Some(path) = &arguments.plot {
        let svg = picture::svg(&fleet, &found).context("cannot draw the picture").or_refused()?;
        std::fs::write(path, svg)
            .with_context(|| format!("cannot write {}", path.display()))
            .or_environment()?;
    }
    let report = DispatchReport::new(&fleet, &found, &checked);
    context.output.report(&report)?;
    report.verdict()
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
