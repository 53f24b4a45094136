//! `gridtally dispatch` of households that share a transformer.

mod picture;
mod report;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::{Context as _, anyhow};
use gridtally_schedule::ProblemRefused;
use gridtally_schedule::household::{Household, HouseholdPlan};
use gridtally_schedule::neighborhood::{
    Neighborhood, NeighborhoodDocument, NeighborhoodError, NeighborhoodOptions, NeighborhoodPlan,
    check, plan,
};

use self::report::{ExceededReport, NeighborhoodReport};
use super::Arguments;
use crate::context::Context;
use crate::error::{Blame, CommandError};
use crate::input::read_bounded;

/// Largest file of a household that is read, in bytes after unpacking.
const FILE_BYTES_MAX: u64 = 16 << 20;

/// Plans the households that a document names.
pub(super) fn run(
    document: NeighborhoodDocument,
    path: &Path,
    arguments: &Arguments,
    context: &Context,
) -> Result<(), CommandError> {
    if arguments.again.is_asked() || arguments.time_limit_s.is_some() {
        return Err(CommandError::usage(anyhow!(
            "--now and --time-limit-s are for fleets of devices, not for households"
        )));
    }
    let neighborhood = read(document, path)?;
    let default = NeighborhoodOptions::default();
    let gap = arguments.gap.unwrap_or(default.gap);
    let options = NeighborhoodOptions { gap, seed: arguments.seed, ..default };
    let found = match plan(&neighborhood, &options) {
        Ok(found) => found,
        Err(error) => {
            if let NeighborhoodError::Limits { exceeded }
            | NeighborhoodError::NotRepaired { exceeded } = &error
            {
                context.output.report(&ExceededReport::new(&neighborhood, exceeded))?;
            }
            return Err(CommandError::refused(error));
        }
    };
    let plans: Vec<HouseholdPlan> = found.households.iter().map(|one| one.plan.clone()).collect();
    let checked = check(&neighborhood, &plans);
    let report = NeighborhoodReport::new(&neighborhood, &found, &checked);
    // No household is told what the checker does not let pass.
    if let Some(path) = arguments.set_points.as_ref().filter(|_| report.verdict().is_ok()) {
        write_set_points(path, &neighborhood, &found)
            .with_context(|| format!("cannot write {}", path.display()))
            .or_environment()?;
    }
    if let Some(path) = &arguments.plot {
        let svg =
            picture::svg(&neighborhood, &found).context("cannot draw the picture").or_refused()?;
        crate::output::picture::write(path, &svg)?;
    }
    context.output.report(&report)?;
    report.verdict()
}

/// Reads the files that a document names, each once.
fn read(document: NeighborhoodDocument, path: &Path) -> Result<Neighborhood, CommandError> {
    let refused = |refused: ProblemRefused| {
        CommandError::refused(anyhow::Error::new(refused).context(path.display().to_string()))
    };
    let folder = path.parent().unwrap_or_else(|| Path::new(""));
    let mut known: BTreeMap<String, Household> = BTreeMap::new();
    let mut households = Vec::new();
    for file in document.files() {
        if !known.contains_key(file) {
            known.insert(file.to_owned(), household(&folder.join(file))?);
        }
        households.push(known[file].clone());
    }
    document.with(households).map_err(refused)
}

fn household(path: &Path) -> Result<Household, CommandError> {
    let content = read_bounded(path, FILE_BYTES_MAX)?;
    let shown = path.display();
    let text =
        str::from_utf8(&content).with_context(|| format!("{shown} is not UTF-8")).or_refused()?;
    let is_toml = path.extension().is_some_and(|extension| extension == "toml");
    let household = if is_toml { Household::from_toml(text) } else { Household::from_json(text) };
    household.map_err(|refused| {
        CommandError::refused(anyhow::Error::new(refused).context(shown.to_string()))
    })
}

/// Returns what each household is called, those of the first members first.
fn names(neighborhood: &Neighborhood) -> Vec<String> {
    let mut names = Vec::with_capacity(neighborhood.households());
    for members in neighborhood.members() {
        match members.count {
            1 => names.push(members.name.clone()),
            count => names.extend((1..=count).map(|number| format!("{} {number}", members.name))),
        }
    }
    names
}

fn write_set_points(
    path: &Path,
    neighborhood: &Neighborhood,
    found: &NeighborhoodPlan,
) -> std::io::Result<()> {
    let mut out = BufWriter::new(File::create(path)?);
    writeln!(out, "household,device,step,power_kw")?;
    for (name, one) in names(neighborhood).iter().zip(&found.households) {
        let devices = &neighborhood.members()[one.members].household.devices;
        for (device, power_kw) in devices.iter().zip(&one.plan.device_kw) {
            let (name, device) = (field(name), field(&device.id));
            for (step, power) in power_kw.iter().enumerate().filter(|(_, power)| power.abs() > 5e-7)
            {
                writeln!(out, "{name},{device},{step},{power:.6}")?;
            }
        }
    }
    out.flush()
}

/// Returns a field of CSV, quoted where it must be.
fn field(text: &str) -> String {
    let is_plain = !text.contains([',', '"']);
    if is_plain { text.to_owned() } else { format!("\"{}\"", text.replace('"', "\"\"")) }
}
