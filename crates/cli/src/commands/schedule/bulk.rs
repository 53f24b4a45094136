//! Many households: one line for each, planned side by side.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use gridtally_schedule::household::{
    Household, Origin, PlanError, check, conflict, optimal_watched, preferred,
};
use gridtally_schedule::solver::Microlp;
use rayon::prelude::*;
use serde::Serialize;

use super::{Arguments, conflicts, read};
use crate::context::Context;
use crate::error::{Blame, CommandError};
use crate::output::Report;
use crate::output::number::{counted, money, to_six_decimals};
use crate::progress::{Waiting, bar};

/// How many are planned before their lines are written: memory stays small, and no core waits long.
const CHUNK: usize = 512;

/// Plans each problem and says what came of it, in the order of the command line, files of a folder by name.
pub(super) fn run(
    problems: &[PathBuf],
    arguments: &Arguments,
    context: &Context,
) -> Result<(), CommandError> {
    let files = files(problems)?;
    let progress = bar(files.len() as u64, "planning");
    let mut not_planned = 0_u64;
    for chunk in files.chunks(CHUNK) {
        let lines: Vec<Line> = chunk.par_iter().map(|path| line(path, arguments)).collect();
        progress.inc(lines.len() as u64);
        for line in lines {
            not_planned += u64::from(!line.is_planned());
            context.output.line(&line)?;
        }
    }
    progress.finish_and_clear();
    if not_planned == 0 {
        return Ok(());
    }
    let (households, not_planned) = (counted(files.len() as u64, "household"), not_planned);
    Err(CommandError::refused(anyhow!("{not_planned} of {households} have no plan")))
}

/// The files that are named, and those of a folder that end like a problem.
fn files(problems: &[PathBuf]) -> Result<Vec<PathBuf>, CommandError> {
    let mut files = Vec::new();
    for path in problems {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let unreadable = || format!("cannot read {}", path.display());
        let entries = path.read_dir().with_context(unreadable).or_environment()?;
        let entries = entries.map(|entry| entry.map(|entry| entry.path()));
        let mut inside =
            entries.collect::<io::Result<Vec<_>>>().with_context(unreadable).or_environment()?;
        inside.retain(|path| {
            let ending = path.extension().and_then(|ending| ending.to_str());
            path.is_file() && matches!(ending, Some("toml" | "json" | "gz"))
        });
        inside.sort();
        if inside.is_empty() {
            let message =
                format!("{} has no file that ends in .toml, .json or .gz", path.display());
            return Err(CommandError::refused(anyhow!(message)));
        }
        files.append(&mut inside);
    }
    Ok(files)
}

/// What came of one household.
#[derive(Debug, Serialize)]
struct Line {
    file: String,
    #[serde(flatten)]
    outcome: Outcome,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Outcome {
    Planned {
        id: String,
        currency: String,
        status: &'static str,
        optimal_cost: f64,
        preferred_cost: f64,
        savings: f64,
        bound: Option<f64>,
        gap: Option<f64>,
    },
    Infeasible {
        id: String,
        status: &'static str,
        conflicts: Vec<String>,
    },
    Refused {
        status: &'static str,
        code: Option<&'static str>,
        message: String,
        hint: Option<String>,
    },
}

fn line(path: &Path, arguments: &Arguments) -> Line {
    let outcome = outcome(path, arguments).unwrap_or_else(|error| Outcome::Refused {
        status: "refused",
        code: error.code(),
        message: error.message(),
        hint: error.advice(),
    });
    Line { file: path.display().to_string(), outcome }
}

fn outcome(path: &Path, arguments: &Arguments) -> Result<Outcome, CommandError> {
    let household: Household = read(path)?;
    let waiting = Waiting::silent(arguments.time_limit());
    match optimal_watched(&household, &[&Microlp], &arguments.options(), &waiting) {
        Ok(found) => {
            let cost = found.cost.total();
            let as_preferred = check(&household, &preferred(&household)).cost.total();
            let is_known = found.bound.is_finite();
            Ok(Outcome::Planned {
                id: household.id.clone(),
                currency: household.currency.clone(),
                status: match found.origin {
                    Origin::Preferred => "preferred",
                    Origin::Solver if found.gap() <= 1e-9 => "optimal",
                    Origin::Solver => "feasible",
                },
                optimal_cost: to_six_decimals(cost),
                preferred_cost: to_six_decimals(as_preferred),
                savings: to_six_decimals(as_preferred - cost),
                bound: is_known.then(|| to_six_decimals(found.bound)),
                gap: is_known.then(|| found.gap()),
            })
        }
        Err(PlanError::Infeasible { .. }) => {
            let found = conflict(&household, &Microlp, &waiting).or_refused()?;
            let conflicts = conflicts::sentences(&household, &found);
            Ok(Outcome::Infeasible { id: household.id.clone(), status: "infeasible", conflicts })
        }
        Err(error) => Err(CommandError::refused(error)),
    }
}

impl Line {
    const fn is_planned(&self) -> bool {
        matches!(self.outcome, Outcome::Planned { .. })
    }
}

impl Report for Line {
    fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        let file = &self.file;
        match &self.outcome {
            Outcome::Planned {
                currency,
                status,
                optimal_cost,
                preferred_cost,
                savings,
                gap,
                ..
            } => {
                let gap = gap.map_or_else(String::new, |gap| format!(", gap {:.4} %", gap * 100.0));
                writeln!(
                    out,
                    "{file}: {status}, {currency} {} for {}, saves {}{gap}",
                    money(*optimal_cost),
                    money(*preferred_cost),
                    money(*savings)
                )
            }
            Outcome::Infeasible { status, conflicts, .. } => {
                writeln!(out, "{file}: {status}, {}", conflicts.join("; "))
            }
            Outcome::Refused { status, message, .. } => {
                writeln!(out, "{file}: {status}, {message}")
            }
        }
    }
}
