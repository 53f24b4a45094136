//! `gridtally dispatch`: what every device of a fleet does within the limits of the grid.

mod neighborhood;
mod picture;
mod report;

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
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
/// Devices, or households with devices and wishes of their own, answer prices, which are changed until the limits are kept and nothing more is
/// to be saved. Where the limits leave too little, they are named by step and amount, and the exit code is 1.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The problem: JSON of the schema gridtally-fleet-1, or gzip of it; or TOML as in examples/street.toml, which names files of households
    #[arg(value_name = "PROBLEM")]
    problem: PathBuf,
    /// Draw the load under its limit, over the prices, into this file
    #[arg(long, value_name = "FILE.svg", value_parser = crate::arguments::svg_file)]
    plot: Option<PathBuf>,
    /// Write what each device does into this file: CSV of device (for households, of household and device), step and kW, without the steps in which it does nothing
    #[arg(long, value_name = "FILE.csv", value_parser = csv_file)]
    set_points: Option<PathBuf>,
    /// Relative gap between plan and bound at which to stop, 0.0001 where nothing is said, 0.001 for households
    #[arg(long, value_name = "GAP", value_parser = crate::arguments::gap)]
    gap: Option<f64>,
    /// Draws the order in which programs or households give way to others
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    seed: u64,
}

pub(crate) fn run(arguments: &Arguments, context: &Context) -> Result<(), CommandError> {
    let content = read_bounded(&arguments.problem, FILE_BYTES_MAX)?;
    let shown = arguments.problem.display();
    let text =
        str::from_utf8(&content).with_context(|| format!("{shown} is not UTF-8")).or_refused()?;
    match Kind::of(&arguments.problem) {
        Kind::Fleet => {}
        Kind::Neighborhood => return neighborhood::run(text, arguments, context),
    }
    let fleet = Fleet::from_json(text).map_err(|refused| {
        CommandError::refused(anyhow::Error::new(refused).context(shown.to_string()))
    })?;
    drop(content);
    let default = FleetOptions::default();
    let gap = arguments.gap.unwrap_or(default.gap);
    let options = FleetOptions { gap, seed: arguments.seed, ..default };
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
        write_set_points(path, &fleet, &found)
            .with_context(|| format!("cannot write {}", path.display()))
            .or_environment()?;
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

/// What a problem describes.
enum Kind {
    /// Devices, column by column.
    Fleet,
    /// Households, by their files.
    Neighborhood,
}

impl Kind {
    fn of(problem: &Path) -> Self {
        let is_toml = problem.extension().is_some_and(|extension| extension == "toml");
        if is_toml { Self::Neighborhood } else { Self::Fleet }
    }
}

fn powers<'a>(
    fleet: &'a Fleet,
    found: &'a FleetPlan,
) -> impl Iterator<Item = (FleetDevice, Vec<f64>)> {
    fleet.each_device().map(|device| (device, found.power_kw(fleet, device)))
}

fn write_set_points(path: &Path, fleet: &Fleet, found: &FleetPlan) -> std::io::Result<()> {
    let mut out = BufWriter::new(File::create(path)?);
    writeln!(out, "device,number,step,power_kw")?;
    for (device, power_kw) in powers(fleet, found) {
        let (kind, number) = match device {
            FleetDevice::Ev(i) => ("ev", i),
            FleetDevice::Tank(i) => ("tank", i),
            FleetDevice::Cycle(i) => ("cycle", i),
            FleetDevice::V2g(i) => ("v2g", i),
        };
        for (step, power) in power_kw.iter().enumerate().filter(|(_, power)| power.abs() > 5e-7) {
            writeln!(out, "{kind},{number},{step},{power:.6}")?;
        }
    }
    out.flush()
}

/// Reads the name of a file of set-points: another ending may be that of the problem.
fn csv_file(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    let is_csv = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("csv"));
    is_csv.then_some(path).ok_or_else(|| "give a name that ends in .csv".to_owned())
}
