//! What earlier runs recorded, against what a new run is about to record.
//!
//! What a run recorded may be settled on a chain, where nothing replaces it. A later run that said something else would
//! leave store and chain apart for ever, so it is refused before it is recorded.

use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};

use alloy_primitives::B256;
use gridtally_core::party::ParticipantNumber;
use gridtally_core::period::{SettlementPeriod, Slot};
use gridtally_settlement::{Code, PeriodRecords, RecordKey, TariffTable};

use super::error::RunError;
use super::prepared::PreparedRun;
use crate::store::{
    Fault, FaultKind, RECORDS_HEADER, RunEntry, StoreError, StoreView, StoredFile, settled_records,
};

/// A record of an earlier run with another energy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{}, slot from {start}: {computed_wh} Wh now, but the run of journal line {line} recorded {recorded_wh} Wh ({key}); \
     {CORRECTION}; what was imported since stays in the store as the newest version, and --as-of {as_of} repeats the \
     earlier run",
    place(.party.as_deref(), .metering_points)
)]
pub struct EnergyRecorded {
    /// Which record.
    pub key: RecordKey,
    /// Whose, in the store.
    pub party: Option<String>,
    /// Its metering points.
    pub metering_points: Vec<String>,
    /// Start of the slot.
    pub start: jiff::Timestamp,
    /// Computed now, Wh.
    pub computed_wh: i32,
    /// Recorded before, Wh.
    pub recorded_wh: i32,
    /// The line of the journal that acknowledges the earlier run.
    pub line: u64,
    /// The line up to which the earlier run counts.
    pub as_of: u64,
}

/// A settlement period that an earlier run settled at other prices.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "settlement period {period} from {start}: its prices hash to {computed} now, but the run of journal line {line} \
     recorded {recorded}; prices that were settled never change: what was imported since stays in the store as the newest \
     version, and --as-of {as_of} repeats the earlier run"
)]
pub struct PricesRecorded {
    /// The settlement period.
    pub period: SettlementPeriod,
    /// Its start.
    pub start: jiff::Timestamp,
    /// Hash of its tariff table, computed now.
    pub computed: B256,
    /// Hash of its tariff table, recorded before.
    pub recorded: B256,
    /// The line of the journal that acknowledges the earlier run.
    pub line: u64,
    /// The line up to which the earlier run counts.
    pub as_of: u64,
}

/// What another energy needs.
const CORRECTION: &str =
    "this needs a correction, and only a store that settles in batches takes one";

fn place(party: Option<&str>, metering_points: &[String]) -> String {
    let party = party.unwrap_or("the hub");
    if metering_points.is_empty() {
        return party.to_owned();
    }
    format!("{party}, metered at {}", metering_points.join(" and "))
}

/// The earlier runs that share settlement periods with a new one.
#[derive(Debug)]
pub(super) struct EarlierRuns<'a> {
    view: &'a StoreView,
    runs: Vec<EarlierRun<'a>>,
}

#[derive(Debug)]
struct EarlierRun<'a> {
    line: u64,
    entry: &'a RunEntry,
    /// Where the records of the next settlement period begin.
    offset: u64,
    /// Lines before them.
    lines_before: u64,
}

/// A line of `records.csv`, as far as it names a record and its energy.
struct RecordedLine {
    key: RecordKey,
    energy_wh: i32,
}

impl<'a> EarlierRuns<'a> {
    /// Finds the earlier runs that matter, and compares their prices. A run that is recorded already is only repeated:
    /// nothing is compared.
    ///
    /// # Errors
    ///
    /// [`RunError::Store`] where their files are not as they were recorded, then [`RunError::PricesRecorded`].
    pub(super) fn new(view: &'a StoreView, run: &PreparedRun) -> Result<Self, RunError> {
        let mut runs = Vec::new();
        let calendar = run.manifest().calendar;
        let tables = run.tables();
        let span = (tables.first_key_value(), tables.last_key_value());
        let (Some((&first, _)), Some((&last, _))) = span else { return Ok(Self { view, runs }) };
        if view.run_line(run.id()).is_some() {
            return Ok(Self { view, runs });
        }
        let (from, until) = (calendar.period_start(first)?, calendar.period_end(last)?);
        let shared = view
            .runs()
            .filter(|(_, entry)| entry.options.from < until && from < entry.options.until);
        for (line, entry) in shared {
            let line = line.entry.sequence;
            compare_prices(view, run, line, entry)?;
            if let Some(fault) = view.difference(&entry.records)? {
                return Err(StoreError::from(fault).into());
            }
            runs.push(EarlierRun { line, entry, offset: 0, lines_before: 0 });
        }
        Ok(Self { view, runs })
    }

    /// Compares the records of the next settlement period.
    ///
    /// # Errors
    ///
    /// [`RunError::Store`] where a file cannot be read, then [`RunError::EnergyRecorded`] with the first record that
    /// differs.
    pub(super) fn compare(
        &mut self,
        run: &PreparedRun,
        settled: &PeriodRecords,
        table: &TariffTable,
    ) -> Result<(), RunError> {
        let mut records: Vec<(RecordKey, i32)> = Vec::new();
        if !self.runs.is_empty() {
            let all = settled_records(settled, run.manifest().run, table);
            records.extend(all.map(|one| (RecordKey::from(&one.record), one.record.energy_wh)));
            records.sort_unstable();
        }
        for earlier in &mut self.runs {
            for RecordedLine { key, energy_wh } in earlier.next_period(self.view, settled.period)? {
                let found = records.binary_search_by_key(&key, |&(key, _)| key);
                let Ok(found) = found else { continue };
                let computed_wh = records[found].1;
                if computed_wh != energy_wh {
                    return Err(earlier.differs(run, key, computed_wh, energy_wh));
                }
            }
        }
        Ok(())
    }
}

fn compare_prices(
    view: &StoreView,
    run: &PreparedRun,
    line: u64,
    entry: &RunEntry,
) -> Result<(), RunError> {
    let text = view.text(&entry.manifest)?;
    let recorded = text.lines().filter_map(|line| {
        let (period, hash) = line.strip_prefix("tariff ")?.split_once(' ')?;
        Some((SettlementPeriod(period.parse().ok()?), hash.parse::<B256>().ok()?))
    });
    for (period, recorded) in recorded {
        let Some(&computed) = run.manifest().tariff_hashes.get(&period) else { continue };
        if computed != recorded {
            let start = run.manifest().calendar.period_start(period)?;
            let as_of = entry.options.as_of.unwrap_or(line);
            let recorded = PricesRecorded { period, start, computed, recorded, line, as_of };
            return Err(RunError::PricesRecorded(Box::new(recorded)));
        }
    }
    Ok(())
}

impl EarlierRun<'_> {
    /// Reads the records of a settlement period, which must not lie before one that was read. The file is opened anew
    /// each time: many runs can share a period.
    fn next_period(
        &mut self,
        view: &StoreView,
        period: SettlementPeriod,
    ) -> Result<Vec<RecordedLine>, StoreError> {
        let file = &self.entry.records;
        let failed = |source| StoreError::Io {
            action: "read",
            path: view.folder().join(&file.path),
            source,
        };
        let mut source = view.reader(file)?;
        source.seek(SeekFrom::Start(self.offset)).map_err(failed)?;
        let mut source = BufReader::new(source);
        let mut records = Vec::new();
        let mut text = String::new();
        loop {
            /// Longest line: nine numbers.
            const LINE_BYTES_MAX: u64 = 256;
            text.clear();
            let length = (&mut source).take(LINE_BYTES_MAX).read_line(&mut text).map_err(failed)?;
            if length == 0 {
                return Ok(records);
            }
            if self.lines_before > 0 || text != RECORDS_HEADER {
                let record = RecordedLine::parse(&text)
                    .ok_or_else(|| not_a_record(file, self.lines_before + 1))?;
                if record.key.period > period {
                    return Ok(records);
                }
                if record.key.period == period {
                    records.push(record);
                }
            }
            self.offset += length as u64;
            self.lines_before += 1;
        }
    }

    fn differs(
        &self,
        run: &PreparedRun,
        key: RecordKey,
        computed_wh: i32,
        recorded_wh: i32,
    ) -> RunError {
        let participant = if key.from == ParticipantNumber::HUB { key.to } else { key.from };
        let book = run.book();
        let party = book.party(participant).map(|party| party.id.clone());
        let points = book.metering_points().iter();
        let points = points.filter(|point| Some(&point.party) == party.as_ref());
        let start = match run.manifest().calendar.slot_start(key.period, key.slot) {
            Ok(start) => start,
            Err(error) => return error.into(),
        };
        RunError::EnergyRecorded(Box::new(EnergyRecorded {
            key,
            metering_points: points.map(|point| point.id.to_string()).collect(),
            party: party.map(|party| party.to_string()),
            start,
            computed_wh,
            recorded_wh,
            line: self.line,
            as_of: self.entry.options.as_of.unwrap_or(self.line),
        }))
    }
}

impl RecordedLine {
    fn parse(line: &str) -> Option<Self> {
        let mut fields = line.strip_suffix('\n')?.split(',');
        let mut next = || fields.next();
        let key = RecordKey {
            period: SettlementPeriod(next()?.parse().ok()?),
            run: next()?.parse().ok()?,
            from: ParticipantNumber(next()?.parse().ok()?),
            to: ParticipantNumber(next()?.parse().ok()?),
            code: Code::new(next()?.parse().ok()?).ok()?,
            slot: Slot(next()?.parse().ok()?),
        };
        Some(Self { key, energy_wh: next()?.parse().ok()? })
    }
}

fn not_a_record(file: &StoredFile, line: u64) -> StoreError {
    let what = "it is no record".to_owned();
    Fault {
        file: file.path.clone(),
        line: Some(line),
        last_line: None,
        kind: FaultKind::Malformed(what),
    }
    .into()
}
