//! `gridtally import participants` and `gridtally import tariff`: documents that people write.

use std::io::{self, Write};
use std::path::PathBuf;

use gridtally_aggregator::store::{Recorded, Store, StoreError, read_participants, read_tariff};
use gridtally_core::rejection::{Reason, Rejection};
use serde::Serialize;

use crate::commands::{StoreArguments, store_error};
use crate::context::Context;
use crate::error::CommandError;
use crate::output::Report;
use crate::output::number::counted;

/// Import who takes part: parties and their metering points (TOML)
///
/// The document is the whole list. Who is in the store stays what it is; only new ones come.
#[derive(Debug, clap::Args)]
pub(super) struct Participants {
    /// The document; docs/guides/import.md shows one
    file: PathBuf,
    #[command(flatten)]
    store: StoreArguments,
}

/// Import a tariff: prices composed of parts, each version with its time of validity (TOML)
///
/// It takes the place of the tariff with its name, for runs from now on.
#[derive(Debug, clap::Args)]
pub(super) struct Tariff {
    /// The document; docs/guides/import.md shows one
    file: PathBuf,
    #[command(flatten)]
    store: StoreArguments,
}

/// What was acknowledged.
#[derive(Debug, Serialize)]
struct DocumentReport {
    what: String,
    /// The line of the journal.
    line: u64,
    /// Whether the store had the same already.
    repeated: bool,
}

impl DocumentReport {
    fn new(what: String, Recorded { line, is_repeated }: Recorded) -> Self {
        Self { what, line, repeated: is_repeated }
    }
}

pub(super) fn participants(
    arguments: &Participants,
    context: &Context,
) -> Result<(), CommandError> {
    let document = read_participants(&arguments.file).map_err(rejected)?;
    let book = &document.content;
    let mut store = open(&arguments.store, context)?;
    let recorded = store.set_participants(book, context.now());
    let recorded = recorded.map_err(|error| refused_by_store(document.refused_by_store(error)))?;
    let parties = counted(book.parties().len() as u64, "participant");
    let points = counted(book.metering_points().len() as u64, "metering point");
    context.output.report(&DocumentReport::new(format!("{parties}, {points}"), recorded))
}

pub(super) fn tariff(arguments: &Tariff, context: &Context) -> Result<(), CommandError> {
    let document = read_tariff(&arguments.file).map_err(rejected)?;
    let tariff = &document.content;
    let mut store = open(&arguments.store, context)?;
    let recorded = store.set_tariff(tariff, context.now());
    let recorded = recorded.map_err(|error| refused_by_store(document.refused_by_store(error)))?;
    let versions = counted(tariff.versions().len() as u64, "version");
    let what = format!("tariff {} with {versions}", tariff.name());
    context.output.report(&DocumentReport::new(what, recorded))
}

fn open(store: &StoreArguments, context: &Context) -> Result<Store, CommandError> {
    let config = context.config(|settings| store.apply(settings))?;
    Store::open(&config.store_folder).map_err(store_error)
}

/// Says whose fault it is that a document is not taken.
fn rejected(rejection: Rejection) -> CommandError {
    match rejection.reason {
        Reason::FileUnreadable => CommandError::environment(rejection),
        _ => CommandError::refused(rejection).hint("docs/guides/import.md shows the form."),
    }
}

/// Says whose fault it is that the store does not take a document.
fn refused_by_store(error: StoreError) -> CommandError {
    match error {
        StoreError::Refused(refused) => CommandError::refused(refused)
            .hint("docs/reference/rejections.md explains the reasons."),
        error => store_error(error),
    }
}

impl Report for DocumentReport {
    fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        if self.repeated {
            return writeln!(
                out,
                "Known already since journal line {}, nothing new: {}",
                self.line, self.what
            );
        }
        writeln!(out, "Journal line {}: {}", self.line, self.what)
    }
}
