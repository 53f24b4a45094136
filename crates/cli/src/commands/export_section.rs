//! `gridtally export section`: what the hub of sealed batches delivers, each section in a file of its own.

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;

use anyhow::{Context as _, anyhow};
use gridtally_core::party::ParticipantNumber;
use gridtally_ledger::{SectionReader, SectionSource, SectionStore, Watcher, section_file_name};
use serde::Serialize;

use super::export::{judged, write_secret};
use crate::batch_access::{BatchArguments, own_sections};
use crate::context::Context;
use crate::error::{Blame, CommandError};
use crate::output::Report;
use crate::output::number::counted;

#[derive(Debug, clap::Args)]
pub(super) struct SectionExport {
    #[command(flatten)]
    batch: BatchArguments,
    /// Folder of the hub's store of sections [default: that of the store, where it settles on the contract]
    #[arg(long, value_name = "FOLDER")]
    section_store: Option<PathBuf>,
    /// Number of the batch
    #[arg(long = "batch", value_name = "NUMBER")]
    seq: u64,
    /// Number of the participant
    #[arg(long, value_name = "NUMBER", required_unless_present = "all")]
    participant: Option<u32>,
    /// Every section of the batch, for the auditor
    #[arg(long, conflicts_with = "participant")]
    all: bool,
    /// Folder to write into, named for the batch and the participant; a file that is there is not overwritten
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
}

/// What was written.
#[derive(Debug, Serialize)]
struct Written {
    batch: u64,
    header_hash: String,
    files: Vec<PathBuf>,
}

impl SectionExport {
    pub(super) fn run(&self, context: &Context) -> Result<(), CommandError> {
        let config = context.config(|settings| self.batch.apply(settings))?;
        let named = self.section_store.as_ref().map(SectionStore::new);
        let prepare = |watcher: Watcher| match &named {
            Some(store) => {
                watcher.with_sections(SectionSource::Store(store.clone()), SectionReader::Auditor)
            }
            None => watcher,
        };
        let (watcher, _chain) = context.block_on(judged(&self.batch, &config, prepare))?;
        let own = || own_sections(&config, watcher.ledger().deployment().core);
        let store = named.clone().or_else(own).ok_or_else(|| {
            CommandError::usage(anyhow!("no store of sections is named")).hint(
                "Name the folder of the hub that sealed the batch with --section-store, or the configuration of its store with \
                 --config.",
            )
        })?;
        let place = self.seq.checked_sub(1).and_then(|place| usize::try_from(place).ok());
        let batch = place.and_then(|place| watcher.view().batches().get(place));
        let batch = batch.ok_or_else(|| {
            CommandError::refused(anyhow!("there is no batch {}", self.seq))
                .hint("Name a batch that was not cancelled; gridtally watch tells the numbers.")
        })?;
        let participants = match self.participant {
            Some(participant) => vec![participant],
            None => (0..batch.header.account_count).collect(),
        };
        fs::create_dir_all(&self.out)
            .with_context(|| anyhow!("cannot make {}", self.out.display()))
            .or_environment()?;
        let mut files = Vec::new();
        for participant in participants.into_iter().map(ParticipantNumber) {
            let file = watcher.export_section(&store, self.seq, participant).or_refused()?;
            let document = serde_json::to_vec_pretty(&file).context("cannot write JSON");
            let path = self.out.join(section_file_name(&batch.header_hash, participant));
            write_secret(&path, &document.or_environment()?)?;
            files.push(path);
        }
        let header_hash = batch.header_hash.to_string();
        context.output.report(&Written { batch: self.seq, header_hash, files })
    }
}

impl Report for Written {
    fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        if let [file] = self.files.as_slice() {
            writeln!(out, "written to {}", file.display())?;
        } else {
            let files = counted(self.files.len() as u64, "section");
            writeln!(out, "{files} written, one a file")?;
        }
        writeln!(out, "batch {}, header {}", self.batch, self.header_hash)
    }
}
