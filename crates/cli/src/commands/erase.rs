//! `gridtally erase`: what is no longer to be understood by anybody.

use std::collections::BTreeSet;
use std::io::{self, Write};

use anyhow::anyhow;
use gridtally_aggregator::cycle::{EraseError, Erased, ErasedIn, Erasure};
use gridtally_aggregator::store::Store;
use gridtally_chain::Access;
use gridtally_core::party::ParticipantNumber;
use gridtally_core::period::SettlementPeriod;
use serde::Serialize;

use crate::batch_access::{BatchArguments, judge_all};
use crate::commands::{StoreArguments, store_error};
use crate::context::Context;
use crate::error::{CommandError, is_unreachable};
use crate::output::Report;
use crate::output::number::counted;

/// Erase what sealed batches hide, for good
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Sections of sealed batches: their keys, records and signatures. What is public of them stays, and nobody can tell what it says
    ///
    /// Only sections of batches that are final, and not the newest final one: before, they can be demanded, and money is claimed by
    /// them. Nothing is erased without --yes. Readings in the store and copies of the folder are another matter.
    Section(SectionErasure),
}

#[derive(Debug, clap::Args)]
struct SectionErasure {
    #[command(flatten)]
    store: StoreArguments,
    #[command(flatten)]
    batch: BatchArguments,
    /// Numbers of the batches
    #[arg(
        long = "batch",
        value_name = "NUMBER",
        value_delimiter = ',',
        required_unless_present = "period",
        conflicts_with = "period"
    )]
    batches: Vec<u64>,
    /// All batches of this settlement period, corrections among them
    #[arg(long, value_name = "NUMBER")]
    period: Option<u32>,
    /// Numbers of the participants
    #[arg(long, value_name = "NUMBER", value_delimiter = ',', required_unless_present = "all")]
    participant: Vec<u32>,
    /// The sections of all participants, the hub's too
    #[arg(long, conflicts_with = "participant")]
    all: bool,
    /// Do it; without, only what would be erased is said
    #[arg(long)]
    yes: bool,
}

/// What is, or would be, erased.
#[derive(Debug, Serialize)]
struct ErasureReport {
    contract: String,
    batches: Vec<BatchLine>,
    participants: Vec<u32>,
    /// Line of the journal that says so; nothing where nothing was erased.
    journal_line: Option<u64>,
    /// Files that were deleted besides: of attempts and of batches that fell.
    #[serde(skip_serializing_if = "Option::is_none")]
    attempts: Option<u64>,
}

/// The sections of one batch.
#[derive(Debug, Serialize)]
struct BatchLine {
    batch: u64,
    period: u32,
    run: u32,
    sections: usize,
}

pub(crate) fn run(arguments: &Arguments, context: &Context) -> Result<(), CommandError> {
    match &arguments.what {
        What::Section(section) => section.run(context),
    }
}

impl SectionErasure {
    fn run(&self, context: &Context) -> Result<(), CommandError> {
        let config = context.config(|settings| {
            self.store.apply(settings);
            self.batch.apply(settings);
        })?;
        let mut store = Store::open(&config.store_folder).map_err(store_error)?;
        let (contract, erasure) = context.block_on(async {
            let chain = BatchArguments::chain(&config, Access::ReadOnly).await?;
            let mut watcher = self.batch.watcher(&config, &chain, None).await?;
            judge_all(&mut watcher).await?;
            let which = match self.period {
                Some(period) => ErasedIn::Period(SettlementPeriod(period)),
                None => ErasedIn::Batches(self.batches.iter().copied().collect()),
            };
            let participants: BTreeSet<ParticipantNumber> =
                self.participant.iter().copied().map(ParticipantNumber).collect();
            let participants = (!self.all).then_some(&participants);
            let view = watcher.view();
            let erasure = Erasure::find(store.view(), view, &which, participants);
            let contract = watcher.ledger().deployment().core;
            Ok((contract, erasure.map_err(erase_error)?))
        })?;
        let mut report = ErasureReport::new(contract.to_string(), &erasure);
        if self.yes {
            let erased = erasure.carry_out(&mut store, context.now()).map_err(erase_error)?;
            let Erased { line, attempt_count, .. } = erased;
            report.journal_line = Some(line);
            report.attempts = Some(attempt_count).filter(|count| *count > 0);
        }
        context.output.report(&report)?;
        if self.yes {
            return Ok(());
        }
        Err(CommandError::refused(anyhow!("nothing was erased"))
            .hint("What is erased cannot be brought back. Say the same with --yes to do it."))
    }
}

fn erase_error(error: EraseError) -> CommandError {
    match error {
        EraseError::Store(error) => store_error(error),
        ref failed if is_unreachable(failed) => CommandError::environment(error),
        _ => CommandError::refused(error),
    }
}

impl ErasureReport {
    fn new(contract: String, erasure: &Erasure) -> Self {
        let batches = erasure.batches().map(|(header, sections)| BatchLine {
            batch: header.seq,
            period: header.period.0,
            run: header.run,
            sections,
        });
        let participants = erasure.participants().iter().map(|participant| participant.0).collect();
        let batches = batches.collect();
        Self { contract, batches, participants, journal_line: None, attempts: None }
    }
}

impl Report for ErasureReport {
    fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        for BatchLine { batch, period, run, sections } in &self.batches {
            let sections = counted(*sections as u64, "section");
            writeln!(out, "batch {batch}, settlement period {period}, run {run}: {sections}")?;
        }
        let participants = counted(self.participants.len() as u64, "participant");
        let total: usize = self.batches.iter().map(|batch| batch.sections).sum();
        let total = counted(total as u64, "section");
        match self.journal_line {
            Some(line) => writeln!(
                out,
                "{total} of {participants} erased: keys, records and signatures (journal line {line})"
            )?,
            None => writeln!(
                out,
                "{total} of {participants} would be erased: keys, records and signatures"
            )?,
        }
        if let Some(attempts) = self.attempts {
            let files = counted(attempts, "file");
            writeln!(out, "{files} deleted besides, of batches that never stood or fell")?;
        }
        Ok(())
    }
}
