//! `gridtally import participants` and `gridtally import tariff`: documents that people write.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::anyhow;
use gridtally_aggregator::store::{ParticipantBook, Store};
use gridtally_core::tariff::Tariff as TariffDocument;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::commands::{StoreArguments, store_error};
use crate::context::Context;
use crate::error::CommandError;
use crate::input::read_bounded;
use crate::output::Report;
use crate::output::number::counted;

/// Largest document that is read, in bytes.
const DOCUMENT_BYTES_MAX: u64 = 256 << 20;

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
}

pub(super) fn participants(
    arguments: &Participants,
    context: &Context,
) -> Result<(), CommandError> {
    let book: ParticipantBook = read(&arguments.file)?;
    let mut store = open(&arguments.store, context)?;
    let line = store.set_participants(&book, context.now()).map_err(store_error)?;
    let parties = counted(book.parties().len() as u64, "participant");
    let points = counted(book.metering_points().len() as u64, "metering point");
    context.output.report(&DocumentReport { what: format!("{parties}, {points}"), line })
}

pub(super) fn tariff(arguments: &Tariff, context: &Context) -> Result<(), CommandError> {
    let tariff: TariffDocument = read(&arguments.file)?;
    let mut store = open(&arguments.store, context)?;
    let line = store.set_tariff(&tariff, context.now()).map_err(store_error)?;
    let versions = counted(tariff.versions().len() as u64, "version");
    let what = format!("tariff {} with {versions}", tariff.name());
    context.output.report(&DocumentReport { what, line })
}

fn open(store: &StoreArguments, context: &Context) -> Result<Store, CommandError> {
    let config = context.config(|settings| store.apply(settings))?;
    Store::open(&config.store_folder).map_err(store_error)
}

/// Reads a document of TOML.
fn read<T: DeserializeOwned>(path: &Path) -> Result<T, CommandError> {
    let bytes = read_bounded(path, DOCUMENT_BYTES_MAX)?;
    let text = String::from_utf8(bytes)
        .map_err(|_| CommandError::refused(anyhow!("{} is not UTF-8", path.display())))?;
    toml::from_str(&text).map_err(|error| {
        let before = error.span().map_or(0, |span| span.start.min(text.len()));
        let line = text.as_bytes()[..before].iter().filter(|&&byte| byte == b'\n').count() + 1;
        CommandError::refused(anyhow!("{}:{line}: {}", path.display(), error.message()))
            .hint("docs/guides/import.md shows the form.")
    })
}

impl Report for DocumentReport {
    fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "Journal line {}: {}", self.line, self.what)
    }
}
