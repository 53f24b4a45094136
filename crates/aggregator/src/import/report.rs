//! What an import found.

use gridtally_core::calendar::Zone;
use gridtally_core::explanation::{Explained, Explanation};
use gridtally_core::rejection::{Reason, Rejection};
use jiff::Timestamp;
use jiff::civil::Date;
use serde::Serialize;

use super::column::{Column, Gap};
use super::input::Encoding;

/// Gaps that are listed; all are counted.
const GAPS_LISTED: usize = 100;
/// Days on which clocks change that are looked at: thirty years.
const CHANGE_DAYS_MAX: usize = 60;

/// A file that was not understood as a whole: nothing of it was taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{}", first(.rejections), more(.count))]
pub struct Refused {
    /// The first rejections, in the order of the file.
    pub rejections: Vec<Rejection>,
    /// How many there are.
    pub count: u64,
}

impl Explained for Refused {
    /// As of a single rejection.
    const EXPLANATIONS: &'static [Explanation] = Rejection::EXPLANATIONS;

    /// Returns what the first rejection says. There always is one.
    fn explanation(&self) -> Explanation {
        self.rejections.first().map_or_else(
            || Rejection::new(Reason::DocumentMalformed, "").explanation(),
            Rejection::explanation,
        )
    }
}

impl From<Rejection> for Refused {
    fn from(rejection: Rejection) -> Self {
        Self { rejections: vec![rejection], count: 1 }
    }
}

/// Gathers rejections up to a limit, and counts the others.
#[derive(Debug)]
pub(super) struct Rejections {
    file: String,
    first: Vec<Rejection>,
    count: u64,
    kept_max: usize,
}

impl Rejections {
    /// Rejections for each one that is kept, after which a file is given up.
    const COUNTED_PER_KEPT: u64 = 100;

    /// Returns an empty list for a file.
    pub(super) fn new(file: &str, kept_max: usize) -> Self {
        Self { file: file.to_owned(), first: Vec::new(), count: 0, kept_max: kept_max.max(1) }
    }

    /// Adds a rejection; it is made only when it is kept.
    pub(super) fn push(&mut self, rejection: impl FnOnce() -> Rejection) {
        if self.first.len() < self.kept_max {
            self.first.push(rejection().in_file(&self.file));
        }
        self.count += 1;
    }

    /// Returns how many there are.
    pub(super) const fn count(&self) -> u64 {
        self.count
    }

    /// Returns how many more would be kept.
    pub(super) fn room(&self) -> usize {
        self.kept_max.saturating_sub(self.first.len())
    }

    /// Returns whether there are so many that reading on is useless.
    pub(super) fn is_hopeless(&self) -> bool {
        let kept_max = u64::try_from(self.kept_max).unwrap_or(u64::MAX);
        self.count >= kept_max.saturating_mul(Self::COUNTED_PER_KEPT)
    }

    /// Returns those that were kept.
    pub(super) fn into_first(self) -> Vec<Rejection> {
        self.first
    }

    /// Returns the refusal of the file.
    pub(super) fn into_refused(mut self) -> Refused {
        self.first.sort_by_key(|rejection| rejection.line);
        Refused { rejections: self.first, count: self.count }
    }

    /// Returns the refusal of the file with one more rejection.
    pub(super) fn refused_with(mut self, last: Rejection) -> Refused {
        self.kept_max += 1;
        self.push(|| last);
        self.into_refused()
    }
}

fn first(rejections: &[Rejection]) -> String {
    rejections.first().map_or_else(String::new, ToString::to_string)
}

fn more(count: &u64) -> String {
    if *count > 1 { format!(" (and {} more)", count - 1) } else { String::new() }
}

/// How a file was understood and what was in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Name of the file, as the user gave it.
    pub file: String,
    /// How it was packed.
    pub encoding: Encoding,
    /// What separates the fields of a table.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub separator: Option<char>,
    /// Columns of a table that were not asked for.
    pub columns_ignored: Vec<String>,
    /// What was understood in another way than written.
    pub notes: Vec<String>,
    /// Rows of a table, or points of a document.
    pub row_count: u64,
    /// Rows that repeat an earlier one.
    pub repeated_count: u64,
    /// Rows that are earlier than the one before them.
    pub unordered_count: u64,
    /// Values with more decimals than are kept, rounded half away from zero.
    pub rounded_count: u64,
    /// Rows that were refused and passed over.
    pub rejection_count: u64,
    /// The first of them.
    pub rejections: Vec<Rejection>,
    /// What the values are of, one entry for each.
    pub columns: Vec<ColumnReport>,
}

/// One column of values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ColumnReport {
    /// Metering point and channel, or price area.
    pub name: String,
    /// Values.
    pub value_count: usize,
    /// First instant.
    pub from: Option<Timestamp>,
    /// First instant after the last value.
    pub until: Option<Timestamp>,
    /// Length of a period.
    pub resolution: gridtally_core::period::Resolution,
    /// Gaps between the first and the last value.
    pub gap_count: u64,
    /// Periods in these gaps.
    pub missing_count: u64,
    /// The first gaps, at most 100.
    pub gaps: Vec<Gap>,
    /// Sum of the values: Wh, or micro-units per kWh.
    pub sum: i128,
    /// Days of 23 or 25 hours.
    pub change_days: Vec<ChangeDay>,
}

/// A day on which clocks change, and what the file has of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChangeDay {
    /// The local date.
    pub date: Date,
    /// Its hours.
    pub hours: i64,
    /// Periods that it has.
    pub period_count: usize,
    /// Values that the file has for it.
    pub value_count: usize,
}

impl ColumnReport {
    /// Returns the report on a column; `zone` says whose clocks change.
    pub(super) fn new(name: String, column: &Column, zone: &Zone) -> Self {
        let length_s = column.resolution().duration_seconds();
        let ends = column.rows().first().zip(column.rows().last());
        let ends = ends.map(|(first, last)| (first.0, last.0 + length_s));
        let instant = |second: i64| Timestamp::from_second(second).ok();
        Self {
            name,
            value_count: column.len(),
            from: ends.and_then(|(from_s, _)| instant(from_s)),
            until: ends.and_then(|(_, until_s)| instant(until_s)),
            resolution: column.resolution(),
            gap_count: u64::try_from(column.gaps().count()).unwrap_or(u64::MAX),
            missing_count: column.gaps().map(|gap| gap.missing_count).sum(),
            gaps: column.gaps().take(GAPS_LISTED).collect(),
            sum: column.sum(),
            change_days: change_days(column, zone),
        }
    }
}

fn change_days(column: &Column, zone: &Zone) -> Vec<ChangeDay> {
    let rows = column.rows();
    let (Some(&(first_s, _)), Some(&(last_s, _))) = (rows.first(), rows.last()) else {
        return Vec::new();
    };
    let mut days = Vec::new();
    let mut instant = Timestamp::from_second(first_s).ok();
    while let Some(day) = instant.and_then(|instant| zone.market_day(instant).ok()) {
        if day.start().as_second() > last_s || days.len() == CHANGE_DAYS_MAX {
            break;
        }
        if day.hours() != 24 {
            let place =
                |instant: Timestamp| rows.partition_point(|&(s, _)| s < instant.as_second());
            let period_count = day.period_count(column.resolution()).unwrap_or(0);
            days.push(ChangeDay {
                date: day.date(),
                hours: day.hours(),
                period_count: usize::try_from(period_count).unwrap_or(usize::MAX),
                value_count: place(day.end()) - place(day.start()),
            });
        }
        instant = Some(day.end());
    }
    days
}
