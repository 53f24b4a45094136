//! `gridtally demo`: a neighborhood lives through two days and settles on the embedded chain.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use gridtally_aggregator::cycle::CycleProgress;
use gridtally_aggregator::demo::{BatchSummary, DemoError, DemoRecord, DemoSummary, run_demo};
use gridtally_aggregator::sim::NeighborhoodOptions;
use gridtally_aggregator::store::CHAIN_FOLDER;
use serde::Serialize;

use crate::chain_access::ServedNote;
use crate::commands::cost::Market;
use crate::commands::{chain, store_error};
use crate::config::FILE_NAME;
use crate::context::Context;
use crate::error::{Blame, CommandError};
use crate::output::Report;
use crate::output::number::{counted, decimal_rounded, duration, grouped};
use crate::output::table::{Align, Table};
use crate::progress::Steps;
use crate::stopwatch::Stopwatch;

/// Where the store is, below the demonstration's folder.
const STORE_FOLDER: &str = "store";
/// Says that a folder may be deleted by the next demonstration.
const MARK_FILE: &str = "made-by-gridtally-demo";

/// Let a neighborhood of 30 households settle two days on the embedded chain, and verify it
///
/// Readings and prices are simulated (the same seed gives the same), everything after that is the real thing: store, records,
/// contract, chain, verification. On a terminal the chain stays up afterwards, so that other programs can connect to it.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Folder of the demonstration; that of an earlier one is replaced
    #[arg(long, value_name = "FOLDER", default_value = "gridtally-demo")]
    folder: PathBuf,
    /// Households, 1 to 500: a day of theirs fits into one batch
    #[arg(long, value_name = "COUNT", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=500))]
    households: u32,
    /// Another seed, another neighborhood
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,
    /// Keep the chain up until Ctrl-C, also where standard output is no terminal
    #[arg(long, conflicts_with = "exit")]
    serve: bool,
    /// End when everything is verified, also on a terminal
    #[arg(long)]
    exit: bool,
}

/// What came out.
#[derive(Debug, Serialize)]
struct DemoReport {
    folder: PathBuf,
    /// How this program was called, to call it again.
    program: String,
    elapsed_ms: u64,
    #[serde(flatten)]
    summary: DemoSummary,
}

pub(crate) fn run(arguments: &Arguments, context: &Context) -> Result<(), CommandError> {
    let serves = arguments.serve || (!arguments.exit && io::stdout().is_terminal());
    let _ours = make_room(&arguments.folder)?;
    context.block_on(async {
        let watch = Stopwatch::start();
        let options = NeighborhoodOptions {
            household_count: arguments.households,
            seed: arguments.seed,
            ..NeighborhoodOptions::default()
        };
        let store = arguments.folder.join(STORE_FOLDER);
        let mut steps = Steps::default();
        let mut told = |of: CycleProgress| steps.told(of.step, of.done, of.total);
        let demo = run_demo(&store, options, context.now(), &mut told).await;
        steps.finish();
        let demo = demo.map_err(demo_error)?;
        let report = DemoReport {
            folder: arguments.folder.clone(),
            program: program(),
            elapsed_ms: u64::try_from(watch.elapsed().as_millis()).unwrap_or(u64::MAX),
            summary: demo.summary,
        };
        context.output.report(&report)?;
        if let Some(finding) = demo.settlement.verification.findings.first() {
            return Err(CommandError::refused(anyhow!("{finding}")));
        }
        if serves {
            let _note = ServedNote::write(&store.join(CHAIN_FOLDER), &demo.chain.url())?;
            context.output.step(&format!(
                "The chain answers at {} (chain id {}) until Ctrl-C.",
                demo.chain.url(),
                report.summary.chain_id
            ))?;
            chain::interrupted().await?;
        }
        Ok(())
    })
}

/// Makes the folder with its configuration. Only what an earlier demonstration left is deleted for it. While the file that is
/// returned is open, no other demonstration takes the folder.
fn make_room(folder: &Path) -> Result<File, CommandError> {
    let earlier = match OpenOptions::new().write(true).open(folder.join(MARK_FILE)) {
        Ok(mark) => Some(locked(mark, folder)?),
        Err(_) => None,
    };
    let is_empty = fs::read_dir(folder).map_or(true, |mut entries| entries.next().is_none());
    if earlier.is_some() {
        check_unused(folder)?;
        // Aside first: a process that dies while it deletes leaves nothing that looks like a folder of somebody's.
        let aside = folder.with_extension("deleted");
        let removed = fs::rename(folder, &aside).and_then(|()| fs::remove_dir_all(&aside));
        removed.with_context(|| format!("cannot replace {}", folder.display())).or_environment()?;
    } else if !is_empty {
        let what = anyhow!("{} is not empty and not from a demonstration", folder.display());
        return Err(CommandError::refused(what).hint("Name another folder with --folder."));
    }
    let failed = || format!("cannot write {}", folder.display());
    let made = fs::create_dir_all(folder).and_then(|()| {
        // Not cut: another demonstration may have made it a moment ago.
        OpenOptions::new().write(true).create(true).truncate(false).open(folder.join(MARK_FILE))
    });
    let mut mark = locked(made.with_context(failed).or_environment()?, folder)?;
    let configuration = format!("[store]\nfolder = \"{STORE_FOLDER}\"\n");
    mark.write_all(b"The next gridtally demo deletes this folder.\n")
        .and_then(|()| fs::write(folder.join(FILE_NAME), configuration))
        .with_context(failed)
        .or_environment()?;
    Ok(mark)
}

/// Takes the mark of a folder for this process.
fn locked(mark: File, folder: &Path) -> Result<File, CommandError> {
    match mark.try_lock() {
        Ok(()) => Ok(mark),
        Err(TryLockError::WouldBlock) => Err(in_use(folder)),
        Err(TryLockError::Error(error)) => Err(CommandError::environment(
            anyhow::Error::new(error).context(format!("cannot lock {}", folder.display())),
        )),
    }
}

fn in_use(folder: &Path) -> CommandError {
    let what = anyhow!("another program works with the demonstration in {}", folder.display());
    CommandError::environment(what).hint("End it, or name another folder with --folder.")
}

/// Makes sure that nobody works with an earlier demonstration.
fn check_unused(folder: &Path) -> Result<(), CommandError> {
    let store = folder.join(STORE_FOLDER);
    for lock in [store.join("lock"), store.join(CHAIN_FOLDER).join("lock")] {
        let Ok(lock) = File::open(lock) else { continue };
        if matches!(lock.try_lock(), Err(TryLockError::WouldBlock)) {
            return Err(in_use(folder));
        }
    }
    Ok(())
}

/// Says whose fault it is.
fn demo_error(error: DemoError) -> CommandError {
    match error {
        DemoError::Store(error) => store_error(error),
        DemoError::Embedded(_) | DemoError::History(_) => CommandError::environment(error),
        // A full disk or a rate limit in the middle.
        _ => CommandError::of_chain(error),
    }
}

/// Returns how this program is called from the working folder.
fn program() -> String {
    let called = std::env::args().next().unwrap_or_default();
    let here = std::env::current_dir().ok();
    let path = std::env::current_exe().ok();
    let below =
        here.zip(path).and_then(|(here, path)| path.strip_prefix(here).map(Path::to_owned).ok());
    below.map_or(called, |path| path.display().to_string())
}

impl Report for DemoReport {
    fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        let summary = &self.summary;
        let days: Vec<String> =
            summary.days.iter().map(|day| format!("{} ({} hours)", day.date, day.hours)).collect();
        writeln!(
            out,
            "{} lived through {}.\n",
            counted(summary.household_count.into(), "household"),
            days.join(" and ")
        )?;
        let micro = |amount: i128| decimal_rounded(amount, 6, 2);
        let mut table = Table::new([(Align::Left, "what"), (Align::Right, "how much")]);
        for (what, how_much) in [
            ("meter readings of a quarter-hour", grouped(summary.reading_count)),
            ("settlement records, each on the chain", grouped(summary.record_count)),
            ("drawn from the grid, kWh", decimal_rounded(summary.import_wh, 3, 1)),
            ("fed into the grid, kWh", decimal_rounded(summary.export_wh, 3, 1)),
            ("households paid, EUR", micro(summary.paid_micro)),
            ("households were paid, EUR", micro(summary.received_micro)),
            ("left with the aggregator, EUR", micro(summary.hub_micro)),
            ("gains and losses together, EUR", micro(summary.balance_micro)),
            ("gas of a record", grouped(summary.gas_per_record)),
            ("from readings to verified records", duration(Duration::from_millis(self.elapsed_ms))),
        ] {
            table.row([what.to_owned(), how_much]);
        }
        table.write(out)?;
        writeln!(out, "\nWhat a record costs where gas has a price:")?;
        for market in Market::presets() {
            let usd = decimal_rounded(market.micro_usd_rounded(summary.gas_per_record), 6, 6);
            writeln!(out, "  {:<18} USD {usd}", market.name())?;
        }
        writeln!(out, "\nSome of the records, from the readings and from the chain:")?;
        write_records(out, &summary.records)?;
        if summary.is_verified {
            writeln!(
                out,
                "\nVerified: every byte of the store, every amount computed again, every record compared with\n\
                 contract {}.",
                summary.contract
            )?;
        }
        self.write_batches(out)?;
        self.write_next(out)
    }
}

impl DemoReport {
    fn write_batches(&self, out: &mut dyn Write) -> io::Result<()> {
        let BatchSummary {
            contract,
            batch_count,
            record_count,
            gas_per_record,
            blob_gas_per_record,
            fraud,
            claim,
        } = &self.summary.batch;
        let eur = |micro: i128| decimal_rounded(micro, 6, 2);
        writeln!(out, "\nThe same in batches, on contract {contract}:\n")?;
        let mut table = Table::new([(Align::Left, "what"), (Align::Right, "how much")]);
        for (what, how_much) in [
            ("batches, each one transaction, all final", grouped(*batch_count)),
            ("records in them, deposits counted", grouped(*record_count)),
            ("gas of a record", grouped(*gas_per_record)),
            ("blob gas of a record", grouped(*blob_gas_per_record)),
        ] {
            table.row([what.to_owned(), how_much]);
        }
        table.write(out)?;
        writeln!(
            out,
            "\nOn purpose batch {} first took EUR {} too much from {}. A watcher that knows only\n\
             the chain found it (rule {}) and struck it down with one transaction of {} gas; the\n\
             aggregator lost EUR {} of its bond. The true batch took its place. A week of the chain's\n\
             time later all were final, and {} was paid the EUR {} that it had withdrawn.",
            fraud.seq,
            eur(fraud.stolen_micro.into()),
            fraud.party,
            fraud.rule,
            grouped(fraud.gas),
            eur(fraud.slashed_micro.into()),
            claim.party,
            eur(claim.amount_micro.into()),
        )
    }

    fn write_next(&self, out: &mut dyn Write) -> io::Result<()> {
        let (program, folder) = (&self.program, self.folder.display());
        let config = format!("--config {folder}/{FILE_NAME}");
        writeln!(out, "\nNext:")?;
        for (what, command) in [
            ("verify it yourself", format!("{program} verify {config}")),
            (
                "change a reading, verify again",
                format!("sed -i '2s/,15,./,15,9/' {folder}/{STORE_FOLDER}/readings/*.csv"),
            ),
            ("Remix, MetaMask, ethers, cast", format!("{program} chain {config}")),
            ("what it costs", format!("{program} cost")),
            (
                "a month of real homes",
                format!("{program} settle --scenario fixtures/scenarios/fontana.toml"),
            ),
        ] {
            writeln!(out, "  {what:<32}{command}")?;
        }
        Ok(())
    }
}

fn write_records(out: &mut dyn Write, records: &[DemoRecord]) -> io::Result<()> {
    let mut table = Table::new([
        (Align::Left, "household"),
        (Align::Left, "quarter-hour from (UTC)"),
        (Align::Right, "Wh"),
        (Align::Right, "EUR / kWh"),
        (Align::Left, "flow"),
        (Align::Right, "EUR, readings"),
        (Align::Right, "EUR, chain"),
        (Align::Right, "block"),
    ]);
    for record in records {
        let flow = if record.is_feed_in { "is paid" } else { "pays" };
        table.row([
            record.party.to_string(),
            record.start.to_string(),
            grouped(record.energy_wh),
            decimal_rounded(record.price_micro_per_kwh.into(), 6, 6),
            flow.to_owned(),
            decimal_rounded(record.recomputed_micro.into(), 6, 6),
            decimal_rounded(record.chain_micro.into(), 6, 6),
            grouped(record.block),
        ]);
    }
    table.write(out)
}

#[cfg(test)]
mod tests {
    use std::io;

    use gridtally_aggregator::demo::BatchDemoError;
    use gridtally_ledger::{BatchArchiveError, EndpointError, PublicationError};

    use super::*;
    use crate::error::ErrorKind;

    #[test]
    fn a_full_disk_or_a_rate_limit_in_the_middle_is_the_environments_fault() {
        let (path, source) = (PathBuf::from("a.blob"), io::ErrorKind::StorageFull.into());
        let full = PublicationError::from(BatchArchiveError::Io { path, source });
        let endpoint = "http://127.0.0.1:8545".to_owned();
        let limit =
            EndpointError::Status { endpoint, method: "eth_call", status: 429, attempts: 5 };
        for (error, kind) in [
            (BatchDemoError::from(full), ErrorKind::Environment),
            (BatchDemoError::from(limit), ErrorKind::Environment),
            (BatchDemoError::NothingToForge, ErrorKind::Refused),
        ] {
            assert_eq!(demo_error(error.into()).kind, kind);
        }
    }

    #[test]
    fn two_demonstrations_do_not_share_a_folder() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("demo");
        for _ in 0..2 {
            let ours = make_room(&folder).unwrap();
            let refused = make_room(&folder).unwrap_err();
            assert_eq!(refused.kind, ErrorKind::Environment);
            assert!(refused.message().contains("another program works"), "{refused}");
            assert!(folder.join(FILE_NAME).exists());
            drop(ours);
        }
    }
}
