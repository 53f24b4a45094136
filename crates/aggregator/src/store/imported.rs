//! What the import understood, as the store takes it.

use gridtally_core::reading::Quality;
use gridtally_core::rejection::{Reason, Rejection};
use jiff::Timestamp;

use super::error::StoreError;
use super::series::{Added, PriceSeries, ReadingSeries};
use super::view::StoreView;
use super::writer::Store;
use crate::import::{Column, Imported, csv};

/// Auction of the day-ahead market whose prices are spot prices; documents can have several.
const AUCTION: u32 = 1;

impl Store {
    /// Adds what was in a file: all of it or nothing. `quality` says how readings came to be.
    ///
    /// # Errors
    ///
    /// [`StoreError::Refused`] with [`Reason::CurrencyMismatch`] for a document in another currency; otherwise as
    /// [`Self::add_readings`] and [`Self::add_prices`].
    pub fn add_imported(
        &mut self,
        source: &str,
        imported: &Imported,
        quality: Quality,
        now: Timestamp,
    ) -> Result<Added, StoreError> {
        match imported {
            Imported::Readings(readings) => {
                self.add_readings(source, &reading_series(readings, quality), now)
            }
            Imported::Prices(_) | Imported::Entsoe(_) => {
                let series = self.view().price_series(imported)?;
                self.add_prices(source, &series, now)
            }
        }
    }
}

impl StoreView {
    /// Returns what would become of what was in a file, without adding it.
    ///
    /// # Errors
    ///
    /// As [`Store::add_imported`].
    pub fn try_imported(&self, imported: &Imported, quality: Quality) -> Result<Added, StoreError> {
        match imported {
            Imported::Readings(readings) => self.try_readings(&reading_series(readings, quality)),
            Imported::Prices(_) | Imported::Entsoe(_) => {
                self.try_prices(&self.price_series(imported)?)
            }
        }
    }

    fn price_series<'a>(&self, imported: &'a Imported) -> Result<Vec<PriceSeries<'a>>, StoreError> {
        let series = |(area, column): (&'a _, &'a Column)| PriceSeries {
            area,
            resolution: column.resolution(),
            rows: column.rows(),
        };
        match imported {
            Imported::Readings(_) => Ok(Vec::new()),
            Imported::Prices(prices) => Ok(prices.columns.iter().map(series).collect()),
            Imported::Entsoe(prices) => {
                let expected = self.settings().currency;
                if prices.currency != expected {
                    let found = prices.currency.code();
                    let what = format!("the store has {}", expected.code());
                    let rejection = Rejection::new(Reason::CurrencyMismatch, found).because(what);
                    return Err(rejection.in_file(&prices.report.file).into());
                }
                Ok(prices.of_auction(AUCTION).map(series).collect())
            }
        }
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
