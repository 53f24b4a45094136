//! The store as it can be read, by anybody, also while somebody writes.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use alloy_primitives::B256;
use gridtally_core::period::Period;
use gridtally_core::tariff::{PriceArea, SpotPrices, Tariff};
use gridtally_ledger::{BatchDeployment, Deployment};
use jiff::Timestamp;
use serde::de::DeserializeOwned;

use super::error::{Fault, FaultKind, StoreError, failed};
use super::journal::{
    self, Content, ErasedSections, JOURNAL_FILE, Journal, Line, RunEntry, StoredFile, TableFile,
};
use super::merge::Merge;
use super::names::Names;
use super::participants::ParticipantBook;
use super::row::{PriceRow, ReadingRow, RowText};
use super::settings::{SETTINGS_FILE, Settings};
use super::table::{difference, read_whole};
use crate::cycle::SettlementMode;

/// Longest time that a price holds, s: one that holds at an instant can have begun so long before.
pub(crate) const PRICE_LENGTH_MAX_S: i64 = 3_600;
/// Longest journal that is read.
const JOURNAL_BYTES_MAX: u64 = 512 << 20;

/// A store as it was when it was opened.
#[derive(Debug)]
pub struct StoreView {
    pub(super) folder: PathBuf,
    settings: Settings,
    pub(super) lines: Vec<Line>,
    points: Names,
    areas: Names,
}

/// Rows of readings or prices, ascending by start, the newest version of each.
#[derive(Debug)]
pub struct Newest<'a, R> {
    merge: Merge<'a, R>,
    from_s: i64,
    until_s: i64,
}

impl StoreView {
    /// Opens a store to read it. A line at the end of the journal that was never finished does not count.
    ///
    /// # Errors
    ///
    /// [`StoreError::NotAStore`], [`StoreError::UnknownFormat`], [`StoreError::Damaged`] when the journal, the settings or
    /// the book of participants are not as they were written, or [`StoreError::Io`].
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        let journal = read_journal(folder)?;
        Self::of_lines(folder, journal.lines)
    }

    pub(super) fn of_lines(folder: &Path, lines: Vec<Line>) -> Result<Self, StoreError> {
        let settings = lines.first().and_then(|line| line.entry.content.files().next());
        let Some(settings) = settings else {
            return Err(Fault::new(JOURNAL_FILE, FaultKind::Interrupted).into());
        };
        if settings.path != SETTINGS_FILE {
            let what = "the first line names other settings".to_owned();
            return Err(Fault::new(JOURNAL_FILE, FaultKind::Chain(what)).at_line(1).into());
        }
        let settings = Settings::of_toml(&whole_text(folder, settings)?)?;
        let (points, areas) = (Names::default(), Names::default());
        let mut view = Self { folder: folder.to_owned(), settings, lines, points, areas };
        view.index_names()?;
        Ok(view)
    }

    pub(super) fn index_names(&mut self) -> Result<(), StoreError> {
        let book = self.participants(self.last())?;
        self.points = Names::new(book.metering_points().iter().map(|point| point.id.as_str()));
        let areas = self.lines.iter().filter_map(|line| match &line.entry.content {
            Content::Prices { areas, .. } => Some(areas),
            _ => None,
        });
        self.areas = Names::new(areas.flatten().map(PriceArea::as_str));
        Ok(())
    }

    /// Returns the folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Returns what holds for the store.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Returns the lines of the journal, the first one at index 0.
    #[must_use]
    pub fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// Returns the number of the last line of the journal.
    #[must_use]
    pub fn last(&self) -> u64 {
        self.lines.last().map_or(0, |line| line.entry.sequence)
    }

    /// Returns the identifiers of all metering points, ascending.
    pub fn metering_points(&self) -> impl Iterator<Item = &str> {
        self.points.iter()
    }

    /// Returns the price areas, ascending.
    pub fn price_areas(&self) -> impl Iterator<Item = &str> {
        self.areas.iter()
    }

    pub(super) fn point_names(&self) -> &Names {
        &self.points
    }

    /// Returns the lines up to a line, the newest first.
    pub(super) fn newest_first(&self, as_of: u64) -> impl Iterator<Item = &Line> {
        self.lines.iter().rev().skip_while(move |line| line.entry.sequence > as_of)
    }

    /// Returns the line that named the book of participants last, up to a line.
    #[must_use]
    pub fn participants_line(&self, as_of: u64) -> Option<(&Line, &StoredFile)> {
        self.newest_first(as_of).find_map(|line| match &line.entry.content {
            Content::Participants { file } => Some((line, file)),
            _ => None,
        })
    }

    /// Returns the parties and metering points as of a line; none where nobody was registered.
    ///
    /// # Errors
    ///
    /// [`StoreError::Damaged`] or [`StoreError::Io`].
    pub fn participants(&self, as_of: u64) -> Result<ParticipantBook, StoreError> {
        let Some((_, file)) = self.participants_line(as_of) else {
            return Ok(ParticipantBook::default());
        };
        let text = whole_text(&self.folder, file)?;
        Ok(toml::from_str(&text).map_err(|error| malformed(file, &error))?)
    }

    /// Returns the lines that named a tariff last, by the tariff's name, up to a line.
    #[must_use]
    pub fn tariff_lines(&self, as_of: u64) -> BTreeMap<&str, (&Line, &StoredFile)> {
        let mut tariffs = BTreeMap::new();
        for line in self.newest_first(as_of) {
            if let Content::Tariff { name, file } = &line.entry.content {
                tariffs.entry(name.as_str()).or_insert((line, file));
            }
        }
        tariffs
    }

    /// Reads a tariff.
    ///
    /// # Errors
    ///
    /// [`StoreError::Damaged`] or [`StoreError::Io`].
    pub fn tariff(&self, file: &StoredFile) -> Result<Tariff, StoreError> {
        let text = whole_text(&self.folder, file)?;
        Ok(toml::from_str(&text).map_err(|error| malformed(file, &error))?)
    }

    /// Returns the contract that the store settles on record by record, or nothing before there is one, or in batches.
    ///
    /// # Errors
    ///
    /// [`StoreError::Damaged`] or [`StoreError::Io`].
    pub fn deployment(&self) -> Result<Option<Deployment>, StoreError> {
        self.newest_document(|content| match content {
            Content::Deployment { file } => Some(file),
            _ => None,
        })
    }

    /// Returns the contracts that the store settles on in batches, or nothing before there are any, or record by record.
    ///
    /// # Errors
    ///
    /// [`StoreError::Damaged`] or [`StoreError::Io`].
    pub fn batch_deployment(&self) -> Result<Option<BatchDeployment>, StoreError> {
        self.newest_document(|content| match content {
            Content::BatchDeployment { file } => Some(file),
            _ => None,
        })
    }

    /// Returns how the store settles, or nothing before its first deployment.
    #[must_use]
    pub fn mode(&self) -> Option<SettlementMode> {
        self.newest_first(self.last()).find_map(|line| match &line.entry.content {
            Content::Deployment { .. } => Some(SettlementMode::Direct),
            Content::BatchDeployment { .. } => Some(SettlementMode::Batch),
            _ => None,
        })
    }

    /// Returns what was erased of sealed batches, with the lines that say so, in the order of the journal.
    pub fn erased_sections(&self) -> impl Iterator<Item = (&Line, &ErasedSections)> + Clone {
        self.lines.iter().filter_map(|line| match &line.entry.content {
            Content::SectionsErased(erased) => Some((line, erased)),
            _ => None,
        })
    }

    fn newest_document<T: DeserializeOwned>(
        &self,
        file_of: impl Fn(&Content) -> Option<&StoredFile>,
    ) -> Result<Option<T>, StoreError> {
        let file = self.newest_first(self.last()).find_map(|line| file_of(&line.entry.content));
        let Some(file) = file else { return Ok(None) };
        let text = whole_text(&self.folder, file)?;
        Ok(Some(toml::from_str(&text).map_err(|error| malformed(file, &error))?))
    }

    /// Returns the runs with the lines that acknowledge them, in the order of the journal.
    pub fn runs(&self) -> impl Iterator<Item = (&Line, &RunEntry)> + Clone {
        self.lines.iter().filter_map(|line| match &line.entry.content {
            Content::Run(run) => Some((line, run.as_ref())),
            _ => None,
        })
    }

    /// Returns the line of a run.
    #[must_use]
    pub fn run_line(&self, run: B256) -> Option<&Line> {
        self.runs().find(|(_, entry)| entry.id == run).map(|(line, _)| line)
    }

    /// Returns the tables of readings with periods in `[from, until)`, up to a line, in the order of the journal.
    pub fn reading_tables(
        &self,
        from: Timestamp,
        until: Timestamp,
        as_of: u64,
    ) -> impl Iterator<Item = (&Line, &TableFile)> {
        self.tables(from, until, as_of, |content| match content {
            Content::Readings { files, .. } => Some(files),
            _ => None,
        })
    }

    /// Returns the tables of prices with periods in `[from, until)`, up to a line, in the order of the journal.
    pub fn price_tables(
        &self,
        from: Timestamp,
        until: Timestamp,
        as_of: u64,
    ) -> impl Iterator<Item = (&Line, &TableFile)> {
        self.tables(from, until, as_of, |content| match content {
            Content::Prices { files, .. } => Some(files),
            _ => None,
        })
    }

    fn tables(
        &self,
        from: Timestamp,
        until: Timestamp,
        as_of: u64,
        files: impl Fn(&Content) -> Option<&Vec<TableFile>>,
    ) -> impl Iterator<Item = (&Line, &TableFile)> {
        let lines = self.lines.iter().take_while(move |line| line.entry.sequence <= as_of);
        lines
            .filter_map(move |line| Some((line, files(&line.entry.content)?)))
            .flat_map(|(line, files)| files.iter().map(move |file| (line, file)))
            .filter(move |(_, table)| table.from < until && from < table.until)
    }

    /// Returns the newest readings of periods that start in `[from, until)`, up to a line.
    #[must_use]
    pub fn readings(
        &self,
        from: Timestamp,
        until: Timestamp,
        as_of: u64,
    ) -> Newest<'_, ReadingRow> {
        let tables = self.reading_tables(from, until, as_of).map(|(_, table)| table);
        let merge = Merge::new(&self.folder, &self.points, tables);
        Newest { merge, from_s: from.as_second(), until_s: until.as_second() }
    }

    /// Returns the newest prices of periods that start in `[from, until)`, up to a line.
    #[must_use]
    pub fn prices(&self, from: Timestamp, until: Timestamp, as_of: u64) -> Newest<'_, PriceRow> {
        let tables = self.price_tables(from, until, as_of).map(|(_, table)| table);
        let merge = Merge::new(&self.folder, &self.areas, tables);
        Newest { merge, from_s: from.as_second(), until_s: until.as_second() }
    }

    /// Returns the newest spot prices that hold in `[from, until)`, as if they were those of `shift_s` seconds before.
    ///
    /// # Errors
    ///
    /// [`StoreError::Damaged`] or [`StoreError::Io`].
    ///
    /// # Panics
    ///
    /// Never: areas of the journal are areas.
    pub fn spot_prices(
        &self,
        from: Timestamp,
        until: Timestamp,
        as_of: u64,
        shift_s: i64,
    ) -> Result<SpotPrices, StoreError> {
        let moved = |instant: Timestamp, by_s: i64| {
            Timestamp::from_second(instant.as_second().saturating_add(by_s))
        };
        let mut prices = SpotPrices::new();
        // Beyond the calendar there are no prices.
        let Ok(from) = moved(from, shift_s - PRICE_LENGTH_MAX_S) else { return Ok(prices) };
        let Ok(until) = moved(until, shift_s) else { return Ok(prices) };
        let areas: Vec<PriceArea> = self
            .areas
            .iter()
            .map(|area| area.parse().expect("areas of entries are areas"))
            .collect();
        for row in self.prices(from, until, as_of) {
            let row = row?;
            let start = Timestamp::from_second(row.start_s - shift_s);
            let period = start.ok().and_then(|start| Period::new(start, row.resolution).ok());
            if let Some(period) = period {
                prices.insert(&areas[row.area as usize], period, row.price);
            }
        }
        Ok(prices)
    }

    /// Opens a file to read it piece by piece. Its bytes are not compared with what was recorded.
    pub(crate) fn reader(&self, file: &StoredFile) -> Result<File, StoreError> {
        let path = self.folder.join(&file.path);
        File::open(&path).map_err(failed("open", &path))
    }

    /// Compares the bytes of a file with what was recorded of it. Returns where they differ.
    pub(crate) fn difference(&self, file: &StoredFile) -> Result<Option<Fault>, StoreError> {
        difference(&self.folder.join(&file.path), file)
    }

    /// Reads a file as text.
    ///
    /// # Errors
    ///
    /// [`StoreError::Damaged`] or [`StoreError::Io`].
    pub fn text(&self, file: &StoredFile) -> Result<String, StoreError> {
        whole_text(&self.folder, file)
    }
}

impl<R: RowText> Iterator for Newest<'_, R> {
    type Item = Result<R, StoreError>;

    /// Returns the next row. At the end the rest of the tables is read too, so that all their bytes were checked.
    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let row = match self.merge.next() {
                Ok(row) => row?,
                Err(error) => return Some(Err(error)),
            };
            if (self.from_s..self.until_s).contains(&row.start_s()) {
                return Some(Ok(row));
            }
        }
    }
}

pub(super) fn read_journal(folder: &Path) -> Result<Journal, StoreError> {
    let path = folder.join(JOURNAL_FILE);
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let folder = folder.to_owned();
            return Err(StoreError::NotAStore { folder });
        }
        Err(error) => return Err(failed("open", &path)(error)),
    };
    let mut bytes = Vec::new();
    file.take(JOURNAL_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(failed("read", &path))?;
    if bytes.len() as u64 > JOURNAL_BYTES_MAX {
        // Read in part, its end would look like a write that was interrupted.
        let what = format!("it has more than {JOURNAL_BYTES_MAX} bytes");
        return Err(Fault::new(JOURNAL_FILE, FaultKind::Malformed(what)).into());
    }
    Ok(journal::read(&bytes)?)
}

fn whole_text(folder: &Path, file: &StoredFile) -> Result<String, StoreError> {
    let not_text = |_| Fault::new(&file.path, FaultKind::Malformed("it is not UTF-8".to_owned()));
    Ok(String::from_utf8(read_whole(folder, file)?).map_err(not_text)?)
}

fn malformed(file: &StoredFile, error: &toml::de::Error) -> Fault {
    Fault::new(&file.path, FaultKind::Malformed(error.message().to_owned()))
}
