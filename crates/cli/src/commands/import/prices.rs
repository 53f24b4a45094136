//! `gridtally import prices`: market prices from tables and ENTSO-E documents.

use std::path::PathBuf;

use anyhow::anyhow;
use gridtally_aggregator::import::csv::{self, Label, PriceColumn, PriceUnit};
use gridtally_aggregator::import::{FileKind, entsoe};
use gridtally_aggregator::store::PriceSeries;
use gridtally_core::tariff::PriceArea;

use super::columns::{TableArguments, column};
use super::report::Files;
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
    #[arg(long = "column", value_name = "NAME=AREA:UNIT", value_parser = price_column)]
    columns: Vec<PriceColumn>,
    /// Read and check, but store nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    table: TableArguments,
    #[command(flatten)]
    store: StoreArguments,
}

pub(super) fn run(arguments: &Arguments, context: &Context) -> Result<(), CommandError> {
    let mut files = Files::open(&arguments.store, arguments.dry_run, context)?;
    for path in &arguments.files {
        let prices = match files.kind(path)? {
            FileKind::Xml => {
                let currency = files.currency();
                files.read(path, |source, around| entsoe::prices(source, currency, around))?
            }
            FileKind::Table => {
                if arguments.columns.is_empty() {
                    return Err(CommandError::usage(anyhow!("{} is a table and needs --column", path.display()))
                        .hint("Write --column NAME=AREA:per_MWh, such as --column NO2=NO2:per_MWh."));
                }
                // Every column names its area, so no row needs a label.
                let label = Label::Fixed(arguments.columns[0].area.clone().expect("checked where it was parsed"));
                let layout = arguments.table.layout(label).or_usage()?;
                files.read(path, |source, around| {
                    csv::prices(source, &layout, &arguments.columns, around)
                })?
            }
        };
        let Some(prices) = prices else { continue };
        let series: Vec<PriceSeries<'_>> = prices
            .columns
            .iter()
            .map(|(area, column)| PriceSeries {
                area,
                resolution: column.resolution(),
                rows: column.rows(),
            })
            .collect();
        files.keep(
            prices.report,
            |store, source, now| store.add_prices(&series, source, now),
            |view| view.try_prices(&series),
        )?;
    }
    files.finish().show(context)
}

fn price_column(text: &str) -> Result<PriceColumn, String> {
    let (name, area, unit): (_, PriceArea, _) =
        column(text, "NO2=NO2:per_MWh", &["per_MWh", "per_kWh"])?;
    Ok(PriceColumn { name, area: Some(area), unit: [PriceUnit::PerMwh, PriceUnit::PerKwh][unit] })
}
