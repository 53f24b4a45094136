//! What the import understood, as the store takes it.

use gridtally_core::reading::Quality;
use gridtally_core::rejection::{Reason, Rejection};
use jiff::Timestamp;

use super::error::StoreError;
use super::series::{Added, Part, PriceSeries, ReadingSeries, SeriesError, SeriesRefused};
use super::view::StoreView;
use super::writer::Store;
use crate::import::entsoe::{self, AUCTION_ELEMENT, CURRENCY_ELEMENT};
use crate::import::{Column, Imported, csv};

/// What a file does not say itself of its values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImportTerms {
    /// How readings came to be.
    pub quality: Quality,
    /// Auction of the day-ahead market whose prices are spot prices; documents can have several.
    pub auction: u32,
}

impl Default for ImportTerms {
    /// Returns measured readings, and the first auction.
    fn default() -> Self {
        Self { quality: Quality::Measured, auction: 1 }
    }
}

impl Store {
    /// Adds what was in a file: all of it or nothing. A refusal names the file, the line and the column.
    ///
    /// # Errors
    ///
    /// [`StoreError::Refused`] with [`Reason::CurrencyMismatch`] for a document in another currency,
    /// [`Reason::PeriodMissing`] for one without prices of the auction; otherwise as [`Self::add_readings`] and
    /// [`Self::add_prices`].
    pub fn add_imported(
        &mut self,
        source: &str,
        imported: &Imported,
        terms: ImportTerms,
        now: Timestamp,
    ) -> Result<Added, StoreError> {
        match Series::new(imported, terms, self.view())? {
            Series::Readings(series) => self.write_readings(source, &series, now),
            Series::Prices(series) => self.write_prices(source, &series, now),
        }
        .map_err(|error| placed(error, imported, terms))
    }
}

impl StoreView {
    /// Returns what would become of what was in a file, without adding it.
    ///
    /// # Errors
    ///
    /// As [`Store::add_imported`].
    pub fn try_imported(
        &self,
        imported: &Imported,
        terms: ImportTerms,
    ) -> Result<Added, StoreError> {
        match Series::new(imported, terms, self)? {
            Series::Readings(series) => self.would_add_readings(&series),
            Series::Prices(series) => self.would_add_prices(&series),
        }
        .map_err(|error| placed(error, imported, terms))
    }
}

/// The series of a file, in the order of [`columns`].
enum Series<'a> {
    Readings(Vec<ReadingSeries<'a>>),
    Prices(Vec<PriceSeries<'a>>),
}

impl<'a> Series<'a> {
    fn new(
        imported: &'a Imported,
        terms: ImportTerms,
        view: &StoreView,
    ) -> Result<Self, StoreError> {
        let prices = |(area, column): (&'a _, &'a Column)| PriceSeries {
            area,
            resolution: column.resolution(),
            rows: column.rows(),
        };
        Ok(match imported {
            Imported::Readings(readings) => Self::Readings(reading_series(readings, terms.quality)),
            Imported::Prices(table) => Self::Prices(table.columns.iter().map(prices).collect()),
            Imported::Entsoe(document) => {
                let checked = check_document(document, terms, view);
                checked.map_err(|rejection| rejection.in_file(&document.report.file))?;
                Self::Prices(document.of_auction(terms.auction).map(prices).collect())
            }
        })
    }
}

fn reading_series(readings: &csv::Readings, quality: Quality) -> Vec<ReadingSeries<'_>> {
    let columns = readings.columns.iter();
    let series = columns.map(|((metering_point, channel), column)| ReadingSeries {
        metering_point,
        channel: *channel,
        resolution: column.resolution(),
        quality,
        rows: column.rows(),
    });
    series.collect()
}

/// Checks that a document has prices of the store's currency, and of the auction.
fn check_document(
    document: &entsoe::Prices,
    terms: ImportTerms,
    view: &StoreView,
) -> Result<(), Rejection> {
    let expected = view.settings().currency;
    if document.currency != expected {
        let rejection = Rejection::new(Reason::CurrencyMismatch, document.currency.code());
        return Err(rejection
            .at_line(document.currency_line)
            .in_column(CURRENCY_ELEMENT)
            .because(format_args!("the store has {}", expected.code())));
    }
    let auctions = document.auctions();
    if !auctions.contains(&terms.auction) {
        let auctions: Vec<String> = auctions.iter().map(ToString::to_string).collect();
        let rejection = Rejection::new(Reason::PeriodMissing, &terms.auction.to_string());
        return Err(rejection
            .in_column(AUCTION_ELEMENT)
            .because(format_args!(
                "the document has no prices of this auction, but of {}",
                auctions.join(", ")
            ))
            .with_remedy("name another auction with --auction"));
    }
    Ok(())
}

/// Returns the columns of a file, in the order of its series.
fn columns(imported: &Imported, terms: ImportTerms) -> Vec<&Column> {
    match imported {
        Imported::Readings(readings) => readings.columns.values().collect(),
        Imported::Prices(prices) => prices.columns.values().collect(),
        Imported::Entsoe(prices) => {
            prices.of_auction(terms.auction).map(|(_, column)| column).collect()
        }
    }
}

/// Names file, line and column of what is refused.
fn placed(error: SeriesError, imported: &Imported, terms: ImportTerms) -> StoreError {
    let columns = columns(imported, terms);
    error.placed(|SeriesRefused { series, part, rejection }| {
        let rejection = rejection.in_file(&imported.report().file);
        let Some(column) = columns.get(series) else { return rejection };
        let fields = column.fields();
        let (line, field) = match part {
            Part::Label => (column.first_line(), fields.label.as_ref().unwrap_or(&fields.value)),
            Part::Values => (column.first_line(), &fields.value),
            Part::Time(start_s) => (column.line_at(start_s), &fields.time),
            Part::Value(start_s) => (column.line_at(start_s), &fields.value),
        };
        let rejection = rejection.in_column(field.clone());
        line.into_iter().fold(rejection, Rejection::at_line)
    })
}
