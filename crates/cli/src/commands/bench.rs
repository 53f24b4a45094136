//! `gridtally bench`: the numbers of docs/performance.md, on the machine it runs on.

use std::io::{self, Write};
use std::path::Path;

use anyhow::Context as _;
use clap::ValueEnum;
use serde::Serialize;

use crate::context::Context;
use crate::error::{Blame, CommandError};
use crate::output::Report;
use crate::output::number::{decimal_rounded, grouped};
use crate::output::table::{Align, Table};

use self::postgres::PostgresPrograms;
use self::process::Program;

mod chain;
mod import;
mod plans;
mod postgres;
mod process;
mod settlement;
mod start;
mod transfers;

/// Measure how fast this machine imports, settles and seals
///
/// Where anvil (in PATH, or by npm below contracts/) and PostgreSQL are installed, the same work is given to them in the same run.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// What to measure [default: everything]
    #[arg(value_enum, value_name = "PART")]
    parts: Vec<Part>,
    /// How often each part is measured; the median counts
    #[arg(long, default_value_t = 3, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=99))]
    rounds: u32,
    /// Size of the work, in percent of the usual
    #[arg(long, default_value_t = 100, value_name = "PERCENT", value_parser = clap::value_parser!(u64).range(1..=10_000))]
    size_percent: u64,
    /// Leave anvil out
    #[arg(long)]
    without_anvil: bool,
}

/// What can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "snake_case")]
enum Part {
    /// Readings and prices to balanced records, in memory and as a stream
    // First of all: its peak of memory is that of the process so far.
    Settlement,
    /// Readings to balanced records with both trees on the disk, beside PostgreSQL
    Postgres,
    /// Rows of a table to checked readings, beside what the csv crate needs to split them
    Import,
    /// Records to checked receipts with settlePacked, over HTTP
    Chain,
    /// Transfers of ether over HTTP, start of a fresh chain, memory
    Transfers,
    /// Start, memory and files of a chain with 200,000 transactions
    Start,
    /// Plans of households and of fleets up to a million cars, beside HiGHS where it is built in
    Plans,
}

/// One number, and the same of somebody else.
#[derive(Debug, Clone, Serialize)]
struct Measurement {
    part: Part,
    what: String,
    unit: &'static str,
    value: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    reference: Option<Reference>,
}

impl Measurement {
    /// Returns a number that stands alone.
    fn new(part: Part, what: impl Into<String>, unit: &'static str, value: u64) -> Self {
        Self { part, what: what.into(), unit, value, reference: None }
    }

    /// Puts the median of what somebody else reached beside it, if it was measured.
    fn against(self, name: &'static str, values: Vec<u64>) -> Self {
        let reference = (!values.is_empty()).then(|| Reference { name, value: median(values) });
        Self { reference, ..self }
    }
}

/// What somebody else reached in the same run.
#[derive(Debug, Clone, Serialize)]
struct Reference {
    name: &'static str,
    value: u64,
}

/// The result.
#[derive(Debug, Serialize)]
struct BenchReport {
    version: &'static str,
    optimized: bool,
    cores: usize,
    rounds: u32,
    size_percent: u64,
    measurements: Vec<Measurement>,
}

pub(crate) fn run(arguments: &Arguments, context: &Context) -> Result<(), CommandError> {
    let parts = match arguments.parts.as_slice() {
        [] => Part::value_variants(),
        parts => parts,
    };
    if cfg!(debug_assertions) {
        context.output.note("This is a build without optimization: its numbers mean little.");
    }
    let anvil = Program::anvil().filter(|_| !arguments.without_anvil);
    let postgres = PostgresPrograms::find();
    let others = Others { anvil: anvil.as_ref(), postgres: postgres.as_ref().ok() };
    let mut measurements = Vec::new();
    for &part in parts {
        context.output.note(&format!("Measuring: {}.", help_of(part)));
        if let (Part::Postgres, Err(why)) = (part, &postgres) {
            context.output.note(why);
            continue;
        }
        let measured = async { measure(part, arguments, others).await.or_environment() };
        measurements.extend(context.block_on(measured)?);
    }
    context.output.report(&BenchReport {
        version: env!("CARGO_PKG_VERSION"),
        optimized: !cfg!(debug_assertions),
        cores: std::thread::available_parallelism().map_or(1, usize::from),
        rounds: arguments.rounds,
        size_percent: arguments.size_percent,
        measurements,
    })
}

/// Who is given the same work, where installed.
#[derive(Clone, Copy)]
struct Others<'a> {
    anvil: Option<&'a Program>,
    postgres: Option<&'a PostgresPrograms>,
}

async fn measure(
    part: Part,
    arguments: &Arguments,
    others: Others<'_>,
) -> anyhow::Result<Vec<Measurement>> {
    let Others { anvil, postgres } = others;
    match part {
        Part::Import => import::measure(arguments),
        Part::Settlement => Ok(settlement::measure(arguments)),
        Part::Postgres => postgres
            .map_or_else(|| Ok(Vec::new()), |programs| postgres::measure(arguments, programs)),
        Part::Chain => chain::measure(arguments, anvil).await,
        Part::Transfers => transfers::measure(arguments, anvil).await,
        Part::Start => start::measure(arguments).await,
        Part::Plans => plans::measure(arguments),
    }
}

fn help_of(part: Part) -> String {
    let value = part.to_possible_value().expect("no part is skipped");
    value.get_help().map(ToString::to_string).unwrap_or_default()
}

impl Arguments {
    /// Returns how much work is done instead of the usual.
    fn sized(&self, usual: u64) -> u64 {
        (usual * self.size_percent / 100).max(1)
    }
}

/// A folder for one chain, removed afterwards.
#[derive(Debug)]
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> anyhow::Result<Self> {
        tempfile::tempdir().map(Self).context("cannot create a folder for the chain")
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

/// Returns the value in the middle, the lower one of two; 0 of none.
fn median(mut values: Vec<u64>) -> u64 {
    values.sort_unstable();
    values.get(values.len().saturating_sub(1) / 2).copied().unwrap_or(0)
}

impl Report for BenchReport {
    fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        let build = if self.optimized { "optimized" } else { "not optimized" };
        writeln!(
            out,
            "gridtally {}, {build}, {} cores, median of {} rounds\n",
            self.version, self.cores, self.rounds
        )?;
        let mut table = Table::new([
            (Align::Left, "what"),
            (Align::Right, "gridtally"),
            (Align::Left, "unit"),
            (Align::Left, "against"),
            (Align::Right, "theirs"),
            (Align::Right, "ratio"),
        ]);
        for measurement in &self.measurements {
            let (name, theirs, ratio) = match &measurement.reference {
                Some(Reference { name, value }) => {
                    let hundredths =
                        i128::from(measurement.value) * 100 / i128::from(*value).max(1);
                    ((*name).to_owned(), grouped(*value), decimal_rounded(hundredths, 2, 2))
                }
                None => Default::default(),
            };
            table.row([
                measurement.what.clone(),
                grouped(measurement.value),
                measurement.unit.to_owned(),
                name,
                theirs,
                ratio,
            ]);
        }
        table.write(out)
    }
}
