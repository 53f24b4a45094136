//! Tables whose rows are not values over time: sessions, programs, parameters of devices.

use std::fs::File;
use std::path::Path;

use gridtally_core::rejection::{Reason, Rejection};
use jiff::Timestamp;

use super::layout::{DecimalSign, EnergyUnit, Repeated, StampZone};
use super::number::energy_wh;
use super::row::{Header, Wanted, split};
use super::stamp::Clock;
use crate::import::input::{Limits, Text, unreadable};
use crate::import::report::{Refused, Rejections};

/// Most rows of such a table, and most bytes of it.
const LIMITS: Limits = Limits {
    bytes_max: 256 << 20,
    document_bytes_max: 0,
    rows_max: 2_000_000,
    labels_max: 0,
    line_bytes_max: 16 << 10,
    rejections_max: 100,
};

/// One row: the fields of the columns that were asked for.
pub(crate) struct Record<'r> {
    pub(crate) line: u64,
    columns: &'r [&'r str],
    fields: Vec<&'r str>,
}

/// Reads a table, plain or gzip, row by row. Every row is looked at, whether it is needed or not.
///
/// # Errors
///
/// Every faulty row, as `take` and the fields of [`Record`] refuse it.
pub(crate) fn records(
    path: &Path,
    name: &str,
    columns: &[&str],
    mut take: impl FnMut(&Record<'_>) -> Result<(), Rejection>,
) -> Result<(), Refused> {
    let mut rejections = Rejections::new(name, LIMITS.rejections_max);
    match rows(path, columns, &mut take, &mut rejections) {
        Err(fault) => Err(rejections.refused_with(fault)),
        Ok(()) if rejections.count() > 0 => Err(rejections.into_refused()),
        Ok(()) => Ok(()),
    }
}

fn rows(
    path: &Path,
    columns: &[&str],
    take: &mut dyn FnMut(&Record<'_>) -> Result<(), Rejection>,
    rejections: &mut Rejections,
) -> Result<(), Rejection> {
    let (time, values) = columns.split_first().expect("a table has columns");
    let wanted = Wanted { separator: None, time, label: None, values };
    let mut text = Text::open(File::open(path).map_err(|error| unreadable(&error))?, LIMITS)?;
    let mut header: Option<Header> = None;
    while let Some(lines) = text.lines()? {
        for (line, row) in lines.numbered() {
            let Some(header) = &header else {
                header = Some(Header::read(row, wanted)?);
                continue;
            };
            if row.is_empty() {
                continue;
            }
            if line - 1 > LIMITS.rows_max {
                let many = Rejection::new(Reason::RowsTooMany, "").at_line(line);
                return Err(many.because(format_args!("more than {} rows", LIMITS.rows_max)));
            }
            if let Err(rejection) = taken(row, line, header, columns, take) {
                rejections.push(|| rejection.at_line(line));
            }
        }
        if rejections.is_hopeless() {
            let hopeless = Rejection::new(Reason::DocumentMalformed, "");
            return Err(hopeless.because("most rows are refused, the rest was not read"));
        }
    }
    Ok(())
}

fn taken(
    row: &str,
    line: u64,
    header: &Header,
    columns: &[&str],
    take: &mut dyn FnMut(&Record<'_>) -> Result<(), Rejection>,
) -> Result<(), Rejection> {
    let mut all = Vec::new();
    split(row, header.separator, &mut all).map_err(|reason| Rejection::new(reason, row))?;
    if all.len() != header.field_count {
        let detail = format!("{} instead of {}", all.len(), header.field_count);
        return Err(Rejection::new(Reason::FieldCount, row).because(detail));
    }
    let fields = std::iter::once(header.time).chain(header.values.iter().copied());
    take(&Record { line, columns, fields: fields.map(|at| all[at]).collect() })
}

impl<'r> Record<'r> {
    /// Returns the text of a column, by its place among those asked for.
    pub(crate) fn text(&self, place: usize) -> &'r str {
        self.fields[place]
    }

    /// Returns the refusal of a field.
    pub(crate) fn refused(&self, place: usize, reason: Reason) -> Rejection {
        Rejection::new(reason, self.fields[place]).in_column(self.columns[place])
    }

    /// Reads an instant of UTC.
    pub(crate) fn instant(&self, place: usize) -> Result<Timestamp, Rejection> {
        let refused = |reason| self.refused(place, reason);
        let utc: StampZone = "UTC".parse().expect("UTC is a zone");
        let second = Clock::new(None, &utc, Repeated::Refuse)
            .unix_second(self.fields[place], |_| false)
            .map_err(refused)?;
        Timestamp::from_second(second).map_err(|_| refused(Reason::TimeOutOfRange))
    }

    /// Reads a whole number that is not negative: watt-hours, watts, places.
    pub(crate) fn whole(&self, place: usize) -> Result<u32, Rejection> {
        let refused = |reason| match reason {
            // Nothing is fed in here.
            Reason::EnergyNegative => self.refused(place, Reason::NumberOutOfRange),
            reason => self.refused(place, reason),
        };
        let scaled = energy_wh(self.fields[place], EnergyUnit::Wh, DecimalSign::Point);
        let value = scaled.map_err(refused)?.value;
        u32::try_from(value).map_err(|_| refused(Reason::NumberOutOfRange))
    }

    /// Reads a whole number, or nothing where there is nothing.
    pub(crate) fn whole_or_nothing(&self, place: usize) -> Result<Option<u32>, Rejection> {
        if self.fields[place].is_empty() { Ok(None) } else { self.whole(place).map(Some) }
    }

    /// Reads a decimal number that is positive and not above a million.
    pub(crate) fn positive(&self, place: usize) -> Result<f64, Rejection> {
        let text = self.fields[place];
        if text.is_empty() {
            return Err(self.refused(place, Reason::NumberEmpty));
        }
        let is_plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        let value = text.parse::<f64>().ok().filter(|_| is_plain);
        let value = value.ok_or_else(|| self.refused(place, Reason::NumberMalformed))?;
        if value > 0.0 && value <= 1e6 {
            return Ok(value);
        }
        Err(self.refused(place, Reason::NumberOutOfRange).because("not between 0 and a million"))
    }
}
