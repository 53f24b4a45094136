//! `gridtally bench`: the numbers of docs/performance.md, on the machine it runs on.

use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use clap::ValueEnum;
use serde::Serialize;

use crate::context::Context;
use crate::error::{Blame, CommandError};
use crate::output::Report;
use crate::output::number::{decimal_rounded, grouped, rate_per_s};
use crate::output::table::{Align, Table};

use self::process::{Program, Running};

mod pricing;
mod process;
mod settling;
mod transfers;

/// Readings that are settled from memory.
const IN_MEMORY_READINGS: u64 = 5_000_000;
/// Readings that are settled as a stream.
const STREAMED_READINGS: u64 = 100_000_000;

/// Measure how fast this machine settles and seals
///
/// Where anvil is installed (in PATH, or by npm below contracts/), the same work is given to it in the same run.
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
    Settlement,
    /// Records to checked receipts with settlePacked, over HTTP
    Chain,
    /// Transfers of ether over HTTP, start of a fresh chain, memory
    Transfers,
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
    let mut measurements = Vec::new();
    for &part in parts {
        context.output.note(&format!("Measuring: {}.", help_of(part)));
        let measured = match part {
            Part::Settlement => settlement(arguments),
            Part::Chain => context.block_on(chain(arguments, anvil.as_ref()))?,
            Part::Transfers => context.block_on(sealing(arguments, anvil.as_ref()))?,
        };
        measurements.extend(measured);
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

fn settlement(arguments: &Arguments) -> Vec<Measurement> {
    let periods = |readings: u64| {
        let periods = arguments.sized(readings).div_ceil(pricing::PERIOD_READINGS.into());
        u32::try_from(periods).unwrap_or(u32::MAX)
    };
    let measurement = |what: String, unit, value| Measurement {
        part: Part::Settlement,
        what,
        unit,
        value,
        reference: None,
    };
    // The stream comes first: the peak of memory is that of the process so far.
    let streamed = pricing::stream(periods(STREAMED_READINGS));
    let peak_bytes = process::peak_resident_bytes().unwrap_or(0);
    let in_memory = periods(IN_MEMORY_READINGS);
    let rates = (0..arguments.rounds).map(|_| {
        let priced = pricing::in_memory(in_memory);
        rate_per_s(priced.records, priced.elapsed)
    });
    let what = format!("{} readings streamed to balanced records", grouped(streamed.records));
    vec![
        measurement(
            "readings in memory to balanced records".to_owned(),
            "records/s",
            median(rates.collect()),
        ),
        measurement(what, "records/s", rate_per_s(streamed.records, streamed.elapsed)),
        measurement("peak of resident memory of the stream".to_owned(), "MiB", peak_bytes >> 20),
    ]
}

async fn chain(
    arguments: &Arguments,
    anvil: Option<&Program>,
) -> Result<Vec<Measurement>, CommandError> {
    let households = u32::try_from(arguments.sized(200)).unwrap_or(u32::MAX);
    let (mut ours, mut theirs, mut gas) = (Vec::new(), Vec::new(), 0);
    for _ in 0..arguments.rounds {
        let settled = settled_on(&Program::Embedded, households).await.or_environment()?;
        ours.push(rate_per_s(settled.records, settled.elapsed));
        gas = settled.gas / settled.records.max(1);
        if let Some(anvil) = anvil {
            let settled = settled_on(anvil, households).await.or_environment()?;
            theirs.push(rate_per_s(settled.records, settled.elapsed));
        }
    }
    let records = u64::from(households) * 96;
    Ok(vec![
        Measurement {
            part: Part::Chain,
            what: format!("{} records with settlePacked, end to end", grouped(records)),
            unit: "records/s",
            value: median(ours),
            reference: reference(theirs),
        },
        Measurement {
            part: Part::Chain,
            what: "gas of such a record".to_owned(),
            unit: "gas",
            value: gas,
            reference: None,
        },
    ])
}

async fn settled_on(program: &Program, households: u32) -> anyhow::Result<settling::Settled> {
    let folder = Folder::new()?;
    let running = Running::start(program, folder.path()).await?;
    let settled = settling::run(&running.client, households).await;
    settled.with_context(|| format!("settling on {}", program.name()))
}

/// What one chain showed in one round.
#[derive(Debug, Clone, Copy)]
struct Sealing {
    rate_per_s: u64,
    start: Duration,
    resident_bytes: u64,
}

async fn sealing(
    arguments: &Arguments,
    anvil: Option<&Program>,
) -> Result<Vec<Measurement>, CommandError> {
    // Beyond some hundreds at once anvil stops sealing until another transaction comes.
    let (compared, alone) = (arguments.sized(500), arguments.sized(20_000));
    let (mut ours, mut theirs, mut many) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..arguments.rounds {
        ours.push(sealed_on(&Program::Embedded, compared).await.or_environment()?);
        if let Some(anvil) = anvil {
            theirs.push(sealed_on(anvil, compared).await.or_environment()?);
        }
        many.push(sealed_on(&Program::Embedded, alone).await.or_environment()?);
    }
    let measurement =
        |what: String, unit, ours: &[Sealing], theirs: &[Sealing], value: fn(&Sealing) -> u64| {
            Measurement {
                part: Part::Transfers,
                what,
                unit,
                value: median(ours.iter().map(value).collect()),
                reference: reference(theirs.iter().map(value).collect()),
            }
        };
    let transfers = |count| format!("{} transfers of ether, ten senders", grouped(count));
    let rate = |sealing: &Sealing| sealing.rate_per_s;
    let start_ms = |sealing: &Sealing| u64::try_from(sealing.start.as_millis()).unwrap_or(u64::MAX);
    let resident_mib = |sealing: &Sealing| sealing.resident_bytes >> 20;
    let start = "fresh chain, process start to first answer".to_owned();
    let resident = |count| format!("resident memory after {} transfers", grouped(count));
    Ok(vec![
        measurement(transfers(compared), "transfers/s", &ours, &theirs, rate),
        measurement(start, "ms", &ours, &theirs, start_ms),
        measurement(resident(compared), "MiB", &ours, &theirs, resident_mib),
        measurement(transfers(alone), "transfers/s", &many, &[], rate),
        measurement(resident(alone), "MiB", &many, &[], resident_mib),
    ])
}

async fn sealed_on(program: &Program, count: u64) -> anyhow::Result<Sealing> {
    let folder = Folder::new()?;
    let running = Running::start(program, folder.path()).await?;
    let elapsed = transfers::run(&running.client, count).await;
    let elapsed = elapsed.with_context(|| format!("sending transfers to {}", program.name()))?;
    Ok(Sealing {
        rate_per_s: rate_per_s(count, elapsed),
        start: running.started_after,
        resident_bytes: running.resident_bytes().unwrap_or(0),
    })
}

/// A folder for one chain, removed afterwards.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> anyhow::Result<Self> {
        tempfile::tempdir().map(Self).context("cannot create a folder for the chain")
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

fn reference(values: Vec<u64>) -> Option<Reference> {
    (!values.is_empty()).then(|| Reference { name: "anvil", value: median(values) })
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
