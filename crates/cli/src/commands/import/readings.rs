//! `gridtally import readings`: energy of metering points.

use std::path::PathBuf;

use anyhow::anyhow;
use gridtally_aggregator::import;
use gridtally_aggregator::import::csv::{self, Label, ReadingColumn};
use gridtally_aggregator::store::ImportTerms;
use gridtally_core::meter::MeteringPointId;
use gridtally_core::reading::Quality;

use super::columns::TableArguments;
use super::report::{Files, Imported, Sum};
use crate::commands::StoreArguments;
use crate::context::Context;
use crate::error::{Blame, CommandError};

/// Import meter readings from tables (CSV, plain or gzip)
///
/// Example: `gridtally import readings home_01.csv.gz --point home_01 --stamp start --clock UTC --resolution 60
/// --column consumption_wh=import:Wh`
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The files; each is imported as a whole or not at all
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The metering point that all rows are about
    #[arg(long, value_name = "ID", conflicts_with = "point_column")]
    point: Option<MeteringPointId>,
    /// Name of the column with the metering point [default: the file's name without its endings is the metering point]
    #[arg(long, value_name = "NAME")]
    point_column: Option<String>,
    /// A column of energy; units are Wh and kWh. May be given several times
    #[arg(long = "column", required = true, value_name = "NAME=import|export:UNIT")]
    columns: Vec<ReadingColumn>,
    /// How the values came to be
    #[arg(long, value_name = "QUALITY", default_value = "measured", value_parser = quality)]
    quality: Quality,
    /// Read and check, but store nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    table: TableArguments,
    #[command(flatten)]
    store: StoreArguments,
}

pub(super) fn run(arguments: &Arguments, context: &Context) -> Result<(), CommandError> {
    let mut files = Files::open(&arguments.store, arguments.dry_run, Sum::Energy, context)?;
    for path in &arguments.files {
        let label = match (&arguments.point, &arguments.point_column) {
            (Some(point), _) => Label::Fixed(point.clone()),
            (None, Some(column)) => Label::Column(column.clone()),
            (None, None) => Label::Fixed(point_of(path)?),
        };
        let layout = arguments.table.layout(label).or_usage()?;
        let table = files.read(path, |source, around| {
            csv::readings(source, &layout, &arguments.columns, around)
                .map(import::Imported::Readings)
        })?;
        let Some(table) = table else { continue };
        files.keep(table, ImportTerms { quality: arguments.quality, ..ImportTerms::default() })?;
    }
    let imported: Imported = files.finish();
    imported.show(context)
}

/// Returns the metering point that a file is named after.
fn point_of(path: &std::path::Path) -> Result<MeteringPointId, CommandError> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let stem = name.split('.').next().unwrap_or_default();
    stem.parse().map_err(|error| {
        CommandError::usage(anyhow!(
            "{}: no metering point is called {stem:?}: {error}",
            path.display()
        ))
        .hint("Name it with --point, or the column that has it with --point-column.")
    })
}

fn quality(text: &str) -> Result<Quality, String> {
    let quality: Quality = text.parse().map_err(|error| format!("{error}"))?;
    if quality == Quality::Missing {
        return Err("missing values are rows that are not there".to_owned());
    }
    Ok(quality)
}
