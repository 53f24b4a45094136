//! Readings and prices into the store: what is new, what replaces another value, what is known already.

use std::collections::BTreeMap;
use std::path::Path;

use gridtally_core::meter::{Channel, MeteringPointId};
use gridtally_core::period::{Period, Resolution};
use gridtally_core::quantity::{Energy, Price};
use gridtally_core::reading::Quality;
use gridtally_core::rejection::{Reason, Rejection};
use gridtally_core::tariff::PriceArea;
use jiff::Timestamp;
use serde::Serialize;
use tracing::info;

use super::error::StoreError;
use super::journal::{Content, TableFile};
use super::merge::Merge;
use super::names::Names;
use super::row::{PriceRow, ReadingRow, Row, RowText};
use super::utc::{is_same_month, push_utc};
use super::view::StoreView;
use super::writer::Store;
use crate::import::Refused;

/// Readings of one channel of one metering point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadingSeries<'a> {
    /// Where it was metered.
    pub metering_point: &'a MeteringPointId,
    /// What was counted.
    pub channel: Channel,
    /// Length of each period.
    pub resolution: Resolution,
    /// How the values came to be; not missing.
    pub quality: Quality,
    /// Start of each period (Unix time, s) and its energy in Wh, in any order.
    pub rows: &'a [(i64, i64)],
}

/// Spot prices of one area.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PriceSeries<'a> {
    /// The area.
    pub area: &'a PriceArea,
    /// Length of each period.
    pub resolution: Resolution,
    /// Start of each period (Unix time, s) and its price in micro-units per kWh, in any order.
    pub rows: &'a [(i64, i64)],
}

/// What became of values that were given to the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Added {
    /// Values for periods without one before.
    pub new_count: u64,
    /// Values that replace another; both are kept.
    pub changed_count: u64,
    /// Values that the store has already.
    pub repeated_count: u64,
    /// The line of the journal that acknowledges them; none when there was nothing to add.
    pub line: Option<u64>,
}

/// Rows to be written, with what they are to the store.
#[derive(Debug)]
struct Plan<R> {
    added: Added,
    rows: Vec<R>,
}

/// Why series are not taken.
#[derive(Debug)]
pub(super) enum SeriesError {
    /// The store fails.
    Store(StoreError),
    /// Series are refused: each with its first value that is.
    Refused(Vec<SeriesRefused>),
}

/// A series that is refused. Where its values come from is for the caller to know.
#[derive(Debug)]
pub(super) struct SeriesRefused {
    /// Its place among those that were given.
    pub(super) series: usize,
    pub(super) part: Part,
    pub(super) rejection: Rejection,
}

/// What of a series is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// What it is about: the metering point.
    Label,
    /// All its values: the channel.
    Values,
    /// The time of the value that starts then, Unix time, s.
    Time(i64),
    /// The value that starts then, Unix time, s.
    Value(i64),
}

impl SeriesRefused {
    /// Returns whether nobody registered this metering point.
    fn is_of(&self, id: &MeteringPointId) -> bool {
        self.part == Part::Label && self.rejection.value.as_str() == id.as_str()
    }
}

impl From<StoreError> for SeriesError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<SeriesRefused> for SeriesError {
    fn from(refused: SeriesRefused) -> Self {
        Self::Refused(vec![refused])
    }
}

impl SeriesError {
    /// Returns the error of the store; `placed` says where in a file a refused value stands.
    pub(super) fn placed(self, placed: impl Fn(SeriesRefused) -> Rejection) -> StoreError {
        match self {
            Self::Store(error) => error,
            Self::Refused(series) => {
                let mut rejections: Vec<Rejection> = series.into_iter().map(placed).collect();
                rejections.sort_by_key(|rejection| rejection.line);
                let count = rejections.len() as u64;
                StoreError::Refused(Refused { rejections, count })
            }
        }
    }

    /// Returns the error of the store, for values that come from no file.
    fn unplaced(self) -> StoreError {
        self.placed(|refused| refused.rejection)
    }
}

impl StoreView {
    /// Returns what would become of readings, without adding them.
    ///
    /// # Errors
    ///
    /// As [`Store::add_readings`].
    pub fn try_readings(&self, series: &[ReadingSeries<'_>]) -> Result<Added, StoreError> {
        self.would_add_readings(series).map_err(SeriesError::unplaced)
    }

    pub(super) fn would_add_readings(
        &self,
        series: &[ReadingSeries<'_>],
    ) -> Result<Added, SeriesError> {
        Ok(self.plan_readings(series)?.added)
    }

    /// Returns what would become of prices, without adding them.
    ///
    /// # Errors
    ///
    /// As [`Store::add_prices`].
    pub fn try_prices(&self, series: &[PriceSeries<'_>]) -> Result<Added, StoreError> {
        self.would_add_prices(series).map_err(SeriesError::unplaced)
    }

    pub(super) fn would_add_prices(
        &self,
        series: &[PriceSeries<'_>],
    ) -> Result<Added, SeriesError> {
        Ok(self.plan_prices(&self.names_with(series), series)?.added)
    }

    fn plan_readings(&self, series: &[ReadingSeries<'_>]) -> Result<Plan<ReadingRow>, SeriesError> {
        let book = self.participants(self.last())?;
        let points: BTreeMap<_, _> =
            book.metering_points().iter().map(|point| (&point.id, point)).collect();
        let mut rows = Vec::with_capacity(series.iter().map(|series| series.rows.len()).sum());
        let mut refused = Vec::new();
        for (index, series) in series.iter().enumerate() {
            let &ReadingSeries { metering_point: id, channel, resolution, quality, .. } = series;
            let refuse = |part, rejection| SeriesRefused { series: index, part, rejection };
            let place = self.point_names().place(id.as_str().as_bytes(), 0);
            let (Some(point), Some(place)) = (points.get(id), place) else {
                // Its other channel says the same.
                if refused.last().is_some_and(|last: &SeriesRefused| last.is_of(id)) {
                    continue;
                }
                let count = series.rows.len();
                let rejection = Rejection::new(Reason::IdUnknown, id.as_str());
                let values = if count == 1 { "value" } else { "values" };
                let detail = format!("the file has {count} {values} of it");
                refused.push(refuse(Part::Label, rejection.because(detail)));
                continue;
            };
            if !point.metering.has(channel) {
                let rejection = Rejection::new(Reason::ChannelUnknown, &channel.to_string());
                let detail = format!("{id} is registered as {}", point.metering);
                refused.push(refuse(Part::Values, rejection.because(detail)));
                continue;
            }
            for &(start_s, energy_wh) in series.rows {
                if let Err(rejection) = check_start(start_s, resolution) {
                    refused.push(refuse(Part::Time(start_s), rejection));
                    break;
                }
                if energy_wh < 0 {
                    let rejection = Rejection::new(Reason::EnergyNegative, &energy_wh.to_string());
                    let rejection = rejection.because(format!("{id} {channel}"));
                    refused.push(refuse(Part::Value(start_s), rejection));
                    break;
                }
                let energy = Some(Energy::from_wh(energy_wh));
                let point = place;
                rows.push(ReadingRow { start_s, point, channel, resolution, energy, quality });
            }
        }
        if !refused.is_empty() {
            return Err(SeriesError::Refused(refused));
        }
        let series_of = |row: &ReadingRow| {
            let id = self.point_names().name(row.point);
            series.iter().position(|series| {
                series.metering_point.as_str() == id
                    && (series.channel, series.resolution) == (row.channel, row.resolution)
            })
        };
        let tables = span_of(&rows).map(|(from, until)| {
            self.reading_tables(from, until, self.last()).map(|(_, table)| table)
        });
        let planned = plan(self.folder(), self.point_names(), rows, tables.into_iter().flatten());
        planned.map_err(|error| error.of_series(series_of))
    }

    fn plan_prices(
        &self,
        names: &Names,
        series: &[PriceSeries<'_>],
    ) -> Result<Plan<PriceRow>, SeriesError> {
        let mut rows = Vec::with_capacity(series.iter().map(|series| series.rows.len()).sum());
        for (index, series) in series.iter().enumerate() {
            let refuse = |part, rejection| SeriesRefused { series: index, part, rejection };
            let place = names.place(series.area.as_str().as_bytes(), 0);
            let area = place.expect("the names are those of the series too");
            let resolution = series.resolution;
            for &(start_s, price) in series.rows {
                check_start(start_s, resolution)
                    .map_err(|rejection| refuse(Part::Time(start_s), rejection))?;
                let micro = i32::try_from(price).map_err(|_| {
                    let rejection = Rejection::new(Reason::NumberOutOfRange, &price.to_string());
                    refuse(Part::Value(start_s), rejection)
                })?;
                let price = Price::from_micro_per_kwh(micro);
                rows.push(PriceRow { start_s, area, resolution, price });
            }
        }
        let tables = span_of(&rows).map(|(from, until)| {
            self.price_tables(from, until, self.last()).map(|(_, table)| table)
        });
        let series_of = |row: &PriceRow| {
            let area = names.name(row.area);
            series.iter().position(|series| {
                series.area.as_str() == area && series.resolution == row.resolution
            })
        };
        let planned = plan(self.folder(), names, rows, tables.into_iter().flatten());
        planned.map_err(|error| error.of_series(series_of))
    }

    fn names_with(&self, series: &[PriceSeries<'_>]) -> Names {
        Names::new(self.price_areas().chain(series.iter().map(|series| series.area.as_str())))
    }
}

impl Store {
    /// Adds readings: all of them or none. A value that the store has already is counted and not written again; another
    /// value for a period becomes its newest version.
    ///
    /// # Errors
    ///
    /// [`StoreError::Refused`] with [`Reason::IdUnknown`] for a metering point that is not registered,
    /// [`Reason::ChannelUnknown`] for a channel that it does not have, [`Reason::TimeOutOfRange`],
    /// [`Reason::TimeNotAligned`], [`Reason::EnergyNegative`], [`Reason::PeriodTwice`], [`Reason::PeriodsOverlap`];
    /// otherwise [`StoreError::Damaged`], [`StoreError::Interrupted`] or [`StoreError::Io`].
    pub fn add_readings(
        &mut self,
        source: &str,
        series: &[ReadingSeries<'_>],
        now: Timestamp,
    ) -> Result<Added, StoreError> {
        self.write_readings(source, series, now).map_err(SeriesError::unplaced)
    }

    pub(super) fn write_readings(
        &mut self,
        source: &str,
        series: &[ReadingSeries<'_>],
        now: Timestamp,
    ) -> Result<Added, SeriesError> {
        let Plan { added, rows } = self.view().plan_readings(series)?;
        let names = self.view().point_names().clone();
        let source = source.to_owned();
        let Added { new_count, changed_count, .. } = added;
        let line = self.write_rows(&rows, &names, now, |files| Content::Readings {
            source,
            new_count,
            changed_count,
            files,
        })?;
        info!(new_count, changed_count, "readings added");
        Ok(Added { line, ..added })
    }

    /// Adds spot prices: all of them or none, as [`Self::add_readings`].
    ///
    /// # Errors
    ///
    /// [`StoreError::Refused`] with [`Reason::TimeOutOfRange`], [`Reason::TimeNotAligned`], [`Reason::NumberOutOfRange`],
    /// [`Reason::PeriodTwice`], [`Reason::PeriodsOverlap`]; otherwise as [`Self::add_readings`].
    pub fn add_prices(
        &mut self,
        source: &str,
        series: &[PriceSeries<'_>],
        now: Timestamp,
    ) -> Result<Added, StoreError> {
        self.write_prices(source, series, now).map_err(SeriesError::unplaced)
    }

    pub(super) fn write_prices(
        &mut self,
        source: &str,
        series: &[PriceSeries<'_>],
        now: Timestamp,
    ) -> Result<Added, SeriesError> {
        let names = self.view().names_with(series);
        let Plan { added, rows } = self.view().plan_prices(&names, series)?;
        let mut areas: Vec<PriceArea> = series.iter().map(|series| series.area.clone()).collect();
        areas.sort();
        areas.dedup();
        let source = source.to_owned();
        let Added { new_count, changed_count, .. } = added;
        let line = self.write_rows(&rows, &names, now, |files| Content::Prices {
            source,
            new_count,
            changed_count,
            areas,
            files,
        })?;
        info!(new_count, changed_count, "prices added");
        Ok(Added { line, ..added })
    }

    /// Writes rows into one table for each month of UTC and acknowledges them. Nothing is written where there are none.
    fn write_rows<R: RowText>(
        &mut self,
        rows: &[R],
        names: &Names,
        now: Timestamp,
        content: impl FnOnce(Vec<TableFile>) -> Content,
    ) -> Result<Option<u64>, StoreError> {
        if rows.is_empty() {
            return Ok(None);
        }
        let (mut placed, mut tables) = (Vec::new(), Vec::new());
        for rows in rows.chunk_by(|left, right| is_same_month(left.start_s(), right.start_s())) {
            let mut file = self.incoming()?;
            file.write(R::HEADER.as_bytes())?;
            let mut line = Vec::new();
            for row in rows {
                line.clear();
                row.write(names, &mut line);
                file.write(&line)?;
            }
            let about = format!("{}-", month(rows[0].start_s()));
            let file = file.finish()?.named(R::FOLDER, &about, "csv");
            let (from, until) = span_of(rows).expect("a month has rows");
            tables.push(TableFile { from, until, file: file.stored.clone() });
            placed.push(file);
        }
        self.acknowledge(placed, content(tables), now).map(Some)
    }
}

/// Returns the month of UTC, `2026-01` say.
fn month(start_s: i64) -> String {
    utc(start_s)[..7].to_owned()
}

fn span_of<R: Row>(rows: &[R]) -> Option<(Timestamp, Timestamp)> {
    let from = rows.iter().map(Row::start_s).min()?;
    let until = rows.iter().map(|row| row.start_s() + row.resolution().duration_seconds()).max()?;
    Some((Timestamp::from_second(from).ok()?, Timestamp::from_second(until).ok()?))
}

fn check_start(start_s: i64, resolution: Resolution) -> Result<(), Rejection> {
    if !Period::STARTS_S.contains(&start_s) {
        return Err(Rejection::new(Reason::TimeOutOfRange, &start_s.to_string()));
    }
    if start_s % resolution.duration_seconds() != 0 {
        return Err(Rejection::new(Reason::TimeNotAligned, &utc(start_s)));
    }
    Ok(())
}

fn utc(second: i64) -> String {
    let mut text = Vec::new();
    push_utc(second, &mut text);
    String::from_utf8_lossy(&text).into_owned()
}

/// Why rows are not taken.
#[derive(Debug)]
enum RowError<R> {
    /// The store fails.
    Store(StoreError),
    /// A row that was given is refused.
    Refused { row: R, rejection: Rejection },
}

impl<R> From<StoreError> for RowError<R> {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl<R: Row> RowError<R> {
    /// Names the series that the refused row was given in.
    fn of_series(self, series_of: impl Fn(&R) -> Option<usize>) -> SeriesError {
        match self {
            Self::Store(error) => SeriesError::Store(error),
            Self::Refused { row, rejection } => match series_of(&row) {
                Some(series) => {
                    let part = Part::Time(row.start_s());
                    SeriesRefused { series, part, rejection }.into()
                }
                None => SeriesError::Store(rejection.into()),
            },
        }
    }
}

/// Sorts rows and compares them with what the store has.
fn plan<'a, R: RowText>(
    folder: &'a Path,
    names: &'a Names,
    mut rows: Vec<R>,
    tables: impl Iterator<Item = &'a TableFile>,
) -> Result<Plan<R>, RowError<R>> {
    let mut added = Added::default();
    rows.sort_unstable_by_key(Row::key);
    let mut merge: Merge<'_, R> = Merge::new(folder, names, tables);
    let mut known = merge.next()?;
    let mut ends = Ends(BTreeMap::new());
    let mut before: Option<R> = None;
    let mut kept = 0;
    for index in 0..rows.len() {
        let row = rows[index];
        if let Some(before) = before.filter(|before| before.key() == row.key()) {
            if before != row {
                let rejection = Rejection::new(Reason::PeriodTwice, &utc(row.start_s()));
                let rejection = rejection.because(names.name(row.place()));
                return Err(RowError::Refused { row, rejection });
            }
            added.repeated_count += 1;
            continue;
        }
        before = Some(row);
        while let Some(earlier) = known.filter(|known| known.key() < row.key()) {
            ends.pass(earlier, Source::Known, names)?;
            known = merge.next()?;
        }
        let same_key = known.filter(|known| known.key() == row.key());
        if let Some(known) = same_key.filter(|known| known.resolution() != row.resolution()) {
            return Err(overlap(row, known, Source::Known, names));
        }
        if same_key.is_some() {
            known = merge.next()?;
        }
        ends.pass(row, Source::Given, names)?;
        match same_key {
            Some(same) if same == row => {
                added.repeated_count += 1;
                continue;
            }
            Some(_) => added.changed_count += 1,
            None => added.new_count += 1,
        }
        rows[kept] = row;
        kept += 1;
    }
    while let Some(later) = known {
        ends.pass(later, Source::Known, names)?;
        known = merge.next()?;
    }
    rows.truncate(kept);
    Ok(Plan { added, rows })
}

/// Where a row comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    /// It is to be added.
    Given,
    /// The store has it.
    Known,
}

/// The last period of each series.
#[derive(Debug)]
struct Ends<R>(BTreeMap<(u32, u8), (R, Source)>);

impl<R: Row> Ends<R> {
    /// Takes note of a row, which must not begin before the last one of its series ended.
    fn pass(&mut self, row: R, source: Source, names: &Names) -> Result<(), RowError<R>> {
        let (start_s, place, channel) = row.key();
        let last = self.0.insert((place, channel), (row, source));
        let Some((last, last_source)) = last.filter(|(last, _)| start_s < end_s(last)) else {
            return Ok(());
        };
        // What the store has does not overlap, so one of them is given.
        Err(match source {
            Source::Given => overlap(row, last, last_source, names),
            Source::Known => overlap(last, row, source, names),
        })
    }
}

fn end_s<R: Row>(row: &R) -> i64 {
    row.start_s() + row.resolution().duration_seconds()
}

/// Refuses a row that was given for another one that it overlaps.
fn overlap<R: Row>(row: R, other: R, source: Source, names: &Names) -> RowError<R> {
    let place = match source {
        Source::Given => "before it",
        Source::Known => "in the store",
    };
    let detail = format!(
        "{} has a value of {} minutes from here, and one of {} minutes from {} {place}",
        names.name(row.place()),
        row.resolution().minutes(),
        other.resolution().minutes(),
        utc(other.start_s())
    );
    let rejection = Rejection::new(Reason::PeriodsOverlap, &utc(row.start_s())).because(detail);
    RowError::Refused { row, rejection }
}
