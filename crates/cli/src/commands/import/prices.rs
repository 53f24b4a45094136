//! `gridtally import prices`: market prices from tables and ENTSO-E documents.

use std::path::{Path, PathBuf};

use anyhow::anyhow;
use gridtally_aggregator::import::csv::{self, Label, PriceColumn};
use gridtally_aggregator::import::{Imported, Kind, entsoe};
use gridtally_aggregator::store::ImportTerms;

use super::columns::TableArguments;
use super::report::{Files, Sum};
use crate::commands::StoreArguments;
use crate::context::Context;
use crate::error::{Blame, CommandError};

/// Import market prices from ENTSO-E documents (XML) and tables (CSV), plain or gzip
///
/// A document says itself what it holds. A table needs the flags below: `gridtally import prices dayahead.csv.gz --stamp start
/// --clock UTC --resolution 60 --column NO2=NO2:per_MWh`
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The files; each is imported as a whole or not at all
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// A column of prices in whole units of the currency; units are per_MWh and per_kWh. May be given several times
    #[arg(long = "column", value_name = "NAME=AREA:UNIT")]
    columns: Vec<PriceColumn>,
    /// Which auction of a document: an area may have several on one day, with prices of their own
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    auction: u32,
    /// Read and check, but store nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    table: TableArguments,
    #[command(flatten)]
    store: StoreArguments,
}

pub(super) fn run(arguments: &Arguments, context: &Context) -> Result<(), CommandError> {
    let mut files = Files::open(&arguments.store, arguments.dry_run, Sum::Price, context)?;
    for path in &arguments.files {
        let Some(kind) = files.kind(path) else { continue };
        match kind {
            Kind::Document => document(path, arguments.auction, &mut files)?,
            Kind::Table => table(path, arguments, &mut files)?,
        }
    }
    files.finish().show(context)
}

fn document(path: &Path, auction: u32, files: &mut Files) -> Result<(), CommandError> {
    let read = |source, around: &_| entsoe::prices(source, around).map(Imported::Entsoe);
    let Some(prices) = files.read(path, read)? else { return Ok(()) };
    files.keep(prices, ImportTerms { auction, ..ImportTerms::default() })
}

fn table(path: &Path, arguments: &Arguments, files: &mut Files) -> Result<(), CommandError> {
    let Some(area) = arguments.columns.first().and_then(|column| column.area.clone()) else {
        let what = anyhow!("{} is a table and needs --column", path.display());
        return Err(CommandError::usage(what)
            .hint("Write --column NAME=AREA:per_MWh, such as --column no2_eur_mwh=NO2:per_MWh."));
    };
    // Every column names its own area, so this label is never looked at.
    let layout = arguments.table.layout(Label::Fixed(area)).or_usage()?;
    let read = files.read(path, |source, around| {
        csv::prices(source, &layout, &arguments.columns, around).map(Imported::Prices)
    })?;
    let Some(prices) = read else { return Ok(()) };
    files.keep(prices, ImportTerms::default())
}
