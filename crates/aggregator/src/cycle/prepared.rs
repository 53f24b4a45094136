//! A run with everything that it uses fixed: inputs, tariff tables, name.

use std::collections::BTreeMap;

use alloy_primitives::B256;
use gridtally_core::meter::Channel;
use gridtally_core::party::ParticipantNumber;
use gridtally_core::period::{Period, Resolution, SettlementCalendar, SettlementPeriod, Slot};
use gridtally_core::quantity::Price;
use gridtally_core::tariff::{PriceKind, PriceUnavailable, SpotPrices, Tariff};
use gridtally_settlement::{
    Code, GapRange, PeriodReadings, PeriodRecords, PeriodRefused, RunManifest, SlotEnergyError,
    TariffTable, settle_period,
};
use jiff::Timestamp;

use super::error::RunError;
use super::exchange::PointSlots;
use super::options::RunOptions;
use crate::store::{
    Line, Metering, Newest, PRICE_LENGTH_MAX_S, ParticipantBook, ReadingRow, StoreError, StoreView,
    StoredFile,
};

/// Most settlement periods in a run: ten years of days.
pub(super) const PERIODS_MAX: u32 = 3_660;
/// Seconds of a week.
const WEEK_S: i64 = 604_800;
/// What the exchange of a gross metering point is, as runs name it among their inputs.
const GROSS_DERIVATION: &str = "for each slot: import = max(0, consumption - generation), \
                                export = max(0, generation - consumption)";

/// A run that can be computed: the same inputs give the same bytes.
#[derive(Debug)]
pub struct PreparedRun {
    manifest: RunManifest,
    options: RunOptions,
    book: ParticipantBook,
    tables: BTreeMap<SettlementPeriod, TariffTable>,
}

/// The settlement periods of a run, computed one after another.
#[derive(Debug)]
pub struct RunPeriods<'a> {
    run: &'a PreparedRun,
    readings: std::iter::Peekable<Newest<'a, ReadingRow>>,
    slots: PointSlots,
    /// Place in the run's book by place in the store's list of metering points.
    places: Vec<Option<usize>>,
    periods: std::collections::btree_map::Iter<'a, SettlementPeriod, TariffTable>,
    is_over: bool,
}

/// One settlement period of a run.
#[derive(Debug)]
pub struct RunPeriod<'a> {
    /// Its records.
    pub records: PeriodRecords,
    /// The prices they were settled with.
    pub table: &'a TariffTable,
    /// What could not be settled.
    pub gaps: Vec<GapRange>,
}

impl PreparedRun {
    /// Fixes what a run uses.
    ///
    /// # Errors
    ///
    /// In the order of [`RunError`].
    ///
    /// # Panics
    ///
    /// Never: a run uses participants and a tariff.
    pub fn new(view: &StoreView, options: &RunOptions) -> Result<Self, RunError> {
        let calendar = view.settings().calendar;
        let (first, last) = periods_of(&calendar, options)?;
        let resolution = slot_resolution(&calendar)?;
        let as_of = options.as_of.unwrap_or(view.last());
        if as_of == 0 || as_of > view.last() {
            let (sequence, last) = (as_of, view.last());
            return Err(StoreError::NoSuchLine { sequence, last }.into());
        }
        let mut used: BTreeMap<u64, &Line> = BTreeMap::new();
        let mut inputs = BTreeMap::new();
        let mut use_file = |line: &'_ Line, file: &StoredFile| {
            let name = format!("line {:06} {}", line.entry.sequence, file.path);
            inputs.insert(name, file.fingerprint.sha256.to_string());
        };

        let (line, file) = view.participants_line(as_of).ok_or(RunError::NobodyRegistered)?;
        use_file(line, file);
        used.insert(line.entry.sequence, line);
        let book = view.participants(as_of)?;
        let (line, file) = tariff_line(view, options, as_of)?;
        use_file(line, file);
        used.insert(line.entry.sequence, line);
        let tariff = view.tariff(file)?;

        let whole = (calendar.period_start(first)?, calendar.period_end(last)?);
        let shift_s = i64::from(options.price_shift_weeks) * WEEK_S;
        let priced = (moved(whole.0, shift_s - PRICE_LENGTH_MAX_S)?, moved(whole.1, shift_s)?);
        for (line, table) in view.price_tables(priced.0, priced.1, as_of) {
            use_file(line, &table.file);
            used.insert(line.entry.sequence, line);
        }
        for (line, table) in view.reading_tables(options.from, options.until, as_of) {
            use_file(line, &table.file);
            used.insert(line.entry.sequence, line);
        }
        let spot = view.spot_prices(whole.0, whole.1, as_of, shift_s)?;
        let tables = (first.0..=last.0)
            .map(SettlementPeriod)
            .map(|period| Ok((period, table_of(&calendar, period, resolution, &tariff, &spot)?)))
            .collect::<Result<BTreeMap<_, _>, RunError>>()
            .map_err(|error| spot_missing(error, view))?;

        // Up to the newest line that is used: later ones about other things do not make this another run.
        let newest = used.last_key_value().map(|(_, line)| *line);
        let newest = newest.expect("a run uses participants and a tariff");
        let as_of = newest.entry.sequence;
        inputs.insert(format!("journal up to line {as_of:06}"), newest.digest.to_string());
        if book.metering_points().iter().any(|point| point.metering == Metering::Gross) {
            inputs.insert("exchange of gross metering points".into(), GROSS_DERIVATION.into());
        }
        let options = RunOptions {
            tariff: Some(tariff.name().to_owned()),
            as_of: Some(as_of),
            ..options.clone()
        };
        let manifest = RunManifest {
            code_version: env!("CARGO_PKG_VERSION").to_owned(),
            calendar,
            from: options.from,
            until: options.until,
            run: 0,
            missing: options.missing,
            estimated: options.estimated,
            price_shift_weeks: options.price_shift_weeks,
            inputs,
            tariff_hashes: tables.iter().map(|(&period, table)| (period, table.hash())).collect(),
        };
        Ok(Self { manifest, options, book, tables })
    }

    /// Returns the run as a program of another version names it. Whether that one computed the same is what verification
    /// finds out.
    #[must_use]
    pub fn as_of_version(mut self, code_version: String) -> Self {
        self.manifest.code_version = code_version;
        self
    }

    /// Returns what the run uses.
    #[must_use]
    pub const fn manifest(&self) -> &RunManifest {
        &self.manifest
    }

    /// Returns what was asked for, with tariff and line fixed.
    #[must_use]
    pub const fn options(&self) -> &RunOptions {
        &self.options
    }

    /// Returns the name of the run.
    #[must_use]
    pub fn id(&self) -> B256 {
        self.manifest.id().0
    }

    /// Returns who takes part.
    #[must_use]
    pub const fn book(&self) -> &ParticipantBook {
        &self.book
    }

    /// Returns the prices of each settlement period, all its slots.
    #[must_use]
    pub const fn tables(&self) -> &BTreeMap<SettlementPeriod, TariffTable> {
        &self.tables
    }

    /// Returns the prices of the settlement periods that follow the run up to an instant, as far as they are known: a tariff
    /// must be published before its period starts, so it is published as soon as it can be.
    ///
    /// # Errors
    ///
    /// As [`Self::new`]; a price that is not known yet is no error, but the end.
    pub fn tables_ahead(
        &self,
        view: &StoreView,
        until: Timestamp,
    ) -> Result<BTreeMap<SettlementPeriod, TariffTable>, RunError> {
        let calendar = self.manifest.calendar;
        let mut tables = BTreeMap::new();
        let Some((last, _)) = self.tables.last_key_value() else { return Ok(tables) };
        let (first, resolution) = (SettlementPeriod(last.0 + 1), slot_resolution(&calendar)?);
        let start = calendar.period_start(first)?;
        if until <= start {
            return Ok(tables);
        }
        let (_, file) = tariff_line(view, &self.options, view.last())?;
        let tariff = view.tariff(file)?;
        let shift_s = i64::from(self.options.price_shift_weeks) * WEEK_S;
        let spot = view.spot_prices(start, until, view.last(), shift_s)?;
        for period in (first.0..=last.0.saturating_add(PERIODS_MAX)).map(SettlementPeriod) {
            if calendar.period_end(period)? > until {
                break;
            }
            match table_of(&calendar, period, resolution, &tariff, &spot) {
                Ok(table) => drop(tables.insert(period, table)),
                Err(RunError::Price(_)) => break,
                Err(error) => return Err(error),
            }
        }
        Ok(tables)
    }

    /// Computes the settlement periods one after another, from the readings of the store.
    #[must_use]
    pub fn periods<'a>(&'a self, view: &'a StoreView) -> RunPeriods<'a> {
        let RunOptions { from, until, as_of, .. } = self.options;
        let place_of: BTreeMap<&str, usize> = self
            .book
            .metering_points()
            .iter()
            .enumerate()
            .map(|(place, point)| (point.id.as_str(), place))
            .collect();
        let places = view.metering_points().map(|id| place_of.get(id).copied()).collect();
        RunPeriods {
            run: self,
            readings: view.readings(from, until, as_of.unwrap_or(view.last())).peekable(),
            slots: PointSlots::new(&self.book),
            places,
            periods: self.tables.iter(),
            is_over: false,
        }
    }
}

impl<'a> Iterator for RunPeriods<'a> {
    type Item = Result<RunPeriod<'a>, RunError>;

    /// Returns the next period; nothing more after an error.
    fn next(&mut self) -> Option<Self::Item> {
        if self.is_over {
            return None;
        }
        let Some((&period, table)) = self.periods.next() else {
            self.is_over = true;
            // What is left starts after the span; reading it checks the bytes of the tables that were used.
            return self.readings.find_map(Result::err).map(|error| Err(error.into()));
        };
        let result = self.settle(period, table);
        self.is_over = result.is_err();
        Some(result)
    }
}

impl<'a> RunPeriods<'a> {
    fn settle(
        &mut self,
        period: SettlementPeriod,
        table: &'a TariffTable,
    ) -> Result<RunPeriod<'a>, RunError> {
        let calendar = self.run.manifest.calendar;
        let (from, until) = (self.run.options.from, self.run.options.until);
        let in_span: Vec<(Slot, Timestamp)> = (0..calendar.slots_per_period())
            .map(|slot| Ok((Slot(slot), calendar.slot_start(period, Slot(slot))?)))
            .filter(|slot: &Result<_, RunError>| {
                slot.as_ref().map_or(true, |(_, start)| (from..until).contains(start))
            })
            .collect::<Result<_, RunError>>()?;
        let mut readings = PeriodReadings::new();
        for ((participant, code), since) in self.expected() {
            let first = in_span.iter().find(|(_, start)| since.is_none_or(|since| since <= *start));
            if let (Some((first, _)), Some((last, _))) = (first, in_span.last()) {
                readings.expect(participant, code, first.0..last.0 + 1)?;
            }
        }
        for (slot, start) in in_span {
            self.read_slot(period, start)?;
            let exchange = self.slots.exchange();
            let exchange = exchange.map_err(|(place, source)| self.unfit(place, period, source))?;
            for ((participant, code), energy) in exchange {
                readings.add(participant, code, slot, energy)?;
            }
        }
        let missing = self.run.options.missing;
        let records = settle_period(period, table, readings.sections(), missing)
            .map_err(|refused| self.slot_missing(refused))?;
        let gaps = readings.gaps().collect();
        Ok(RunPeriod { records, table, gaps })
    }

    /// Names whose slot it is and when, where a slot is refused.
    fn slot_missing(&self, refused: PeriodRefused) -> RunError {
        let PeriodRefused::Gap { period, participant, code, slot, gap } = refused else {
            return refused.into();
        };
        let channel = if code == Code::FEED_IN { Channel::Export } else { Channel::Import };
        let book = &self.run.book;
        let start = self.run.manifest.calendar.slot_start(period, slot);
        let (Some(party), Ok(from)) = (book.party(participant), start) else {
            return refused.into();
        };
        let owned = book.metering_points().iter().zip(book.owners());
        let points = owned
            .filter(|(point, owner)| *owner == participant && point.metering.has(channel))
            .map(|(point, _)| point.id.to_string())
            .collect();
        let party = party.id.clone();
        RunError::SlotMissing { party, channel, points, from, period, slot, gap }
    }

    /// Returns who settles under what, and since when: each party with metering points draws, some feed in.
    fn expected(&self) -> BTreeMap<(ParticipantNumber, Code), Option<Timestamp>> {
        let book = &self.run.book;
        let mut expected: BTreeMap<(ParticipantNumber, Code), Option<Timestamp>> = BTreeMap::new();
        for (point, participant) in book.metering_points().iter().zip(book.owners()) {
            let feeds_in = point.metering.has(Channel::Export);
            let codes = [Some(Code::CONSUMPTION), feeds_in.then_some(Code::FEED_IN)];
            for code in codes.into_iter().flatten() {
                let since = expected.entry((participant, code)).or_insert(point.since);
                // Nothing is earlier than any instant: the point always counts.
                *since = (*since).min(point.since);
            }
        }
        expected
    }

    /// Reads what was metered in one slot.
    fn read_slot(&mut self, period: SettlementPeriod, start: Timestamp) -> Result<(), RunError> {
        let slot_length_s = self.run.manifest.calendar.slot_length_s();
        let end_s = start.as_second() + i64::from(slot_length_s);
        self.slots.clear(start, slot_length_s);
        loop {
            match self.readings.next_if(|row| row.as_ref().map_or(true, |row| row.start_s < end_s))
            {
                None => return Ok(()),
                Some(row) => self.read_row(period, row?, slot_length_s)?,
            }
        }
    }

    fn read_row(
        &mut self,
        period: SettlementPeriod,
        row: ReadingRow,
        slot_length_s: u32,
    ) -> Result<(), RunError> {
        // Registered later than the run's line: not known then.
        let Some(place) = self.places[row.point as usize] else { return Ok(()) };
        if row.resolution.duration_seconds() > i64::from(slot_length_s) {
            let point = self.run.book.metering_points()[place].id.clone();
            let (channel, resolution) = (row.channel, row.resolution);
            return Err(RunError::ReadingTooLong { point, channel, resolution, slot_length_s });
        }
        let added = self.slots.add(place, &row, self.run.options.estimated);
        added.map_err(|source| self.unfit(place, period, source))
    }

    fn unfit(&self, place: usize, period: SettlementPeriod, source: SlotEnergyError) -> RunError {
        let point = self.run.book.metering_points()[place].id.clone();
        RunError::Energy { point, period, source }
    }
}

/// Says which prices the store has, where one is missing.
fn spot_missing(error: RunError, view: &StoreView) -> RunError {
    match error {
        RunError::Price(PriceUnavailable::SpotMissing { area, period }) => {
            let (from, until) = (period.start(), period.end());
            let zone = &view.settings().zone;
            let local = format!("{} {zone}", zone.local(from).strftime("%Y-%m-%d %H:%M"));
            let areas = view.price_areas().map(ToOwned::to_owned).collect();
            RunError::SpotMissing { area, from, until, local, areas }
        }
        error => error,
    }
}

fn tariff_line<'a>(
    view: &'a StoreView,
    options: &RunOptions,
    as_of: u64,
) -> Result<(&'a Line, &'a StoredFile), RunError> {
    let tariffs = view.tariff_lines(as_of);
    let found = match &options.tariff {
        Some(name) => tariffs.get(name.as_str()).copied(),
        None if tariffs.len() > 1 => {
            let names = tariffs.keys().map(ToString::to_string).collect();
            return Err(RunError::TariffAmbiguous { names });
        }
        None => tariffs.values().next().copied(),
    };
    found.ok_or_else(|| RunError::TariffMissing { name: options.tariff.clone() })
}

/// Returns the first and the last settlement period of a span.
fn periods_of(
    calendar: &SettlementCalendar,
    options: &RunOptions,
) -> Result<(SettlementPeriod, SettlementPeriod), RunError> {
    let RunOptions { from, until, .. } = *options;
    if from >= until {
        return Err(RunError::EmptySpan { from, until });
    }
    let (genesis, slot_length_s) = (calendar.genesis_time(), calendar.slot_length_s());
    for instant in [from, until] {
        let elapsed_s = instant.as_second() - genesis.as_second();
        let is_aligned = elapsed_s.rem_euclid(i64::from(slot_length_s)) == 0;
        if !is_aligned || instant.subsec_nanosecond() != 0 {
            return Err(RunError::NotAligned { instant, slot_length_s, genesis });
        }
    }
    let (first, _) = calendar.locate(from)?;
    let before_end = moved(until, -1)?;
    let (last, _) = calendar.locate(before_end)?;
    if first.0 == 0 {
        return Err(RunError::PeriodZero { first: calendar.period_start(SettlementPeriod(1))? });
    }
    let count = last.0 - first.0 + 1;
    if count > PERIODS_MAX { Err(RunError::TooManyPeriods { count }) } else { Ok((first, last)) }
}

fn slot_resolution(calendar: &SettlementCalendar) -> Result<Resolution, RunError> {
    let slot_length_s = calendar.slot_length_s();
    let minutes = Some(slot_length_s / 60).filter(|_| slot_length_s.is_multiple_of(60));
    minutes
        .and_then(|minutes| Resolution::from_minutes(minutes).ok())
        .ok_or(RunError::SlotLength { slot_length_s })
}

fn moved(instant: Timestamp, by_s: i64) -> Result<Timestamp, RunError> {
    let second = instant.as_second().saturating_add(by_s);
    let outside = gridtally_core::period::SettlementCalendarError::Outside { instant };
    Timestamp::from_second(second).map_err(|_| outside.into())
}

/// Returns the prices of a settlement period: what is drawn, and what is fed in where the tariff buys it.
fn table_of(
    calendar: &SettlementCalendar,
    period: SettlementPeriod,
    resolution: Resolution,
    tariff: &Tariff,
    spot: &SpotPrices,
) -> Result<TariffTable, RunError> {
    let mut rows = BTreeMap::new();
    for (code, kind) in [(Code::FEED_IN, PriceKind::Export), (Code::CONSUMPTION, PriceKind::Import)]
    {
        let mut row: Vec<Price> = Vec::new();
        let mut not_offered = None;
        for slot in 0..calendar.slots_per_period() {
            let start = calendar.slot_start(period, Slot(slot))?;
            let slot = Period::new(start, resolution);
            let slot = slot.map_err(|_| RunError::NotAligned {
                instant: start,
                slot_length_s: calendar.slot_length_s(),
                genesis: calendar.genesis_time(),
            })?;
            match tariff.price(kind, slot, spot) {
                Ok(price) => row.push(price),
                Err(error @ PriceUnavailable::NotOffered { .. }) => not_offered = Some(error),
                Err(error) => return Err(error.into()),
            }
        }
        match not_offered {
            None => drop(rows.insert(code, row)),
            // No price in the whole period: whoever has such energy is refused when it is settled.
            Some(_) if row.is_empty() => {}
            Some(error) => return Err(error.into()),
        }
    }
    Ok(TariffTable::new(calendar.slots_per_period(), rows)?)
}
