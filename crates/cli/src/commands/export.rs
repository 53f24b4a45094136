//! `gridtally export`: what a participant takes home: the proof of a record, a header.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use gridtally_chain::Access;
use gridtally_core::party::ParticipantNumber;
use gridtally_core::period::{SettlementPeriod, Slot};
use gridtally_ledger::{WantedRecord, Watcher};
use gridtally_settlement::{BatchHeader, Code, SavedHeader};
use serde::Serialize;

use crate::batch_access::{BatchArguments, judge_all};
use crate::chain_access::ChainAccess;
use crate::commands::export_section::SectionExport;
use crate::config::Config;
use crate::context::Context;
use crate::error::{Blame, CommandError};
use crate::output::Report;
use crate::section_arguments::SectionArguments;

/// Write the proof of a record, or a header, to a file: made from the chain alone
///
/// Every batch is judged on the way, as `gridtally watch` does. `gridtally verify --proof` checks the file, without asking anybody.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// The proof of one record, with everything that shows it
    Proof(ProofArguments),
    /// The sections of a sealed batch, for its participants or for the auditor: from the store of the hub that sealed it
    Section(SectionExport),
    /// The header of the newest final batch: what a record of it, or of one before it, is checked against
    Header(HeaderArguments),
}

#[derive(Debug, clap::Args)]
struct HeaderArguments {
    #[command(flatten)]
    batch: BatchArguments,
    /// File to write; one that is there is not overwritten
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

#[derive(Debug, clap::Args)]
struct ProofArguments {
    #[command(flatten)]
    batch: BatchArguments,
    #[command(flatten)]
    sections: SectionArguments,
    /// Number of the participant
    #[arg(long, value_name = "NUMBER")]
    participant: u32,
    /// The settlement period
    #[arg(long, value_name = "NUMBER")]
    period: u32,
    /// The slot in the period, from 0
    #[arg(long, value_name = "NUMBER")]
    slot: u16,
    /// What was metered, where the slot has several records: 1 feed-in, 32 consumption
    #[arg(long, value_name = "NUMBER", value_parser = code)]
    code: Option<Code>,
    /// 0 for the regular record, or the number of a correction run
    #[arg(long, default_value_t = 0, value_name = "NUMBER")]
    run: u32,
    /// File to write; one that is there is not overwritten
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// What was written.
#[derive(Debug, Serialize)]
struct Exported {
    file: PathBuf,
    batch: u64,
    /// Whether the batch was final. A proof of a pending one is worth nothing when the batch falls.
    is_final: bool,
    header_hash: String,
}

fn code(text: &str) -> Result<Code, String> {
    let number = text.parse::<u8>().map_err(|error| error.to_string())?;
    Code::new(number).map_err(|error| error.to_string())
}

pub(crate) fn run(arguments: &Arguments, context: &Context) -> Result<(), CommandError> {
    match &arguments.what {
        What::Proof(arguments) => arguments.run(context),
        What::Header(arguments) => arguments.run(context),
        What::Section(arguments) => arguments.run(context),
    }
}

/// Returns a watcher that has judged every batch and kept what it knows of each, and the chain, which must stay open while it is asked.
pub(super) async fn judged(
    batch: &BatchArguments,
    config: &Config,
    prepare: impl FnOnce(Watcher) -> Watcher,
) -> Result<(Watcher, ChainAccess), CommandError> {
    let chain = BatchArguments::chain(config, Access::ReadOnly).await?;
    let watcher = batch.watcher(config, &chain, None).await?;
    let mut watcher = prepare(watcher.with_all_states());
    judge_all(&mut watcher).await?;
    Ok((watcher, chain))
}

impl ProofArguments {
    fn run(&self, context: &Context) -> Result<(), CommandError> {
        let config = context.config(|settings| self.batch.apply(settings))?;
        let participant = ParticipantNumber(self.participant);
        let (report, document) = context.block_on(async {
            let prepare = |watcher| self.sections.apply(watcher, [participant]);
            let (watcher, _chain) = judged(&self.batch, &config, prepare).await?;
            self.proof(&watcher).await
        })?;
        write_new(&self.out, &document)?;
        context.output.report(&report)
    }

    async fn proof(&self, watcher: &Watcher) -> Result<(Exported, Vec<u8>), CommandError> {
        let wanted = WantedRecord {
            participant: ParticipantNumber(self.participant),
            period: SettlementPeriod(self.period),
            run: self.run,
            slot: Slot(self.slot),
            code: self.code,
        };
        let proof = watcher.export_record(&wanted).await.map_err(CommandError::of_chain)?;
        let proved = proof.check().or_refused()?;
        let batches = watcher.view().batches().iter();
        let mut finals = batches.filter(|batch| batch.is_final);
        let is_final = finals.any(|batch| batch.header == *proved.header());
        let document = serde_json::to_vec_pretty(&proof).context("cannot write JSON");
        let report = Exported::of(&self.out, proved.header(), is_final);
        Ok((report, document.or_environment()?))
    }
}

impl HeaderArguments {
    fn run(&self, context: &Context) -> Result<(), CommandError> {
        let config = context.config(|settings| self.batch.apply(settings))?;
        let (watcher, _chain) =
            context.block_on(judged(&self.batch, &config, |watcher| watcher))?;
        let (report, document) = self.header(&watcher)?;
        write_new(&self.out, &document)?;
        context.output.report(&report)
    }

    fn header(&self, watcher: &Watcher) -> Result<(Exported, Vec<u8>), CommandError> {
        let batches = watcher.view().batches().iter();
        let last = batches.rev().find(|batch| batch.is_final).ok_or_else(|| {
            CommandError::refused(anyhow!("no batch is final yet"))
                .hint("Wait until the window of seven days is over.")
        })?;
        let domain = watcher.ledger().deployment().domain();
        let saved = SavedHeader::new(domain.chain_id, domain.contract, &last.header);
        let document = serde_json::to_vec_pretty(&saved).context("cannot write JSON");
        Ok((Exported::of(&self.out, &last.header, true), document.or_environment()?))
    }
}

impl Exported {
    fn of(file: &Path, header: &BatchHeader, is_final: bool) -> Self {
        let (file, batch) = (file.to_owned(), header.seq);
        Self { file, batch, is_final, header_hash: header.hash().to_string() }
    }
}

/// Writes a file that was not there, which others may read as far as the user lets them.
fn write_new(path: &Path, document: &[u8]) -> Result<(), CommandError> {
    write_with(OpenOptions::new(), path, document)
}

/// Writes a file that was not there, which its owner alone may read: with a section key everything in the section can be understood.
pub(super) fn write_secret(path: &Path, document: &[u8]) -> Result<(), CommandError> {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    write_with(options, path, document)
}

fn write_with(mut options: OpenOptions, path: &Path, document: &[u8]) -> Result<(), CommandError> {
    let failed = |error: io::Error| {
        let is_there = error.kind() == io::ErrorKind::AlreadyExists;
        let error = anyhow::Error::new(error).context(format!("cannot write {}", path.display()));
        let error = CommandError::environment(error);
        if is_there { error.hint("Name another file: one that is there is kept.") } else { error }
    };
    let mut file = options.write(true).create_new(true).open(path).map_err(failed)?;
    let written = file.write_all(document).and_then(|()| file.write_all(b"\n"));
    written.and_then(|()| file.sync_all()).map_err(|error| {
        // Half a document would be in the way of the next attempt.
        fs::remove_file(path).unwrap_or_default();
        failed(error)
    })
}

impl Report for Exported {
    fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        let finality = if self.is_final { "final" } else { "pending: only final counts" };
        writeln!(out, "written to {}", self.file.display())?;
        writeln!(out, "batch {}, {finality}, header {}", self.batch, self.header_hash)
    }
}
