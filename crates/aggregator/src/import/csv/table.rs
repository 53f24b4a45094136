//! The rows of a table, to values by label and column.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::str::FromStr;

use gridtally_core::id::IdError;
use gridtally_core::rejection::{Reason, Rejection};
use jiff::Timestamp;

use super::layout::{Context, DecimalSign, Label, Layout, Repeated, Stamp};
use super::number::Scaled;
use super::row::{Header, Wanted, split};
use super::stamp::Clock;
use crate::import::column::{Column, Conflict, Sorted, Values};
use crate::import::input::{Encoding, Text};
use crate::import::report::{ColumnReport, Refused, Rejections, Report};

/// What was read, not yet in order.
pub(super) struct Table<L> {
    labels: Vec<L>,
    /// Those of each label, one for each value column.
    values: Vec<Vec<Values>>,
    value_names: Vec<String>,
    encoding: Encoding,
    separator: u8,
    columns_ignored: Vec<String>,
    row_count: u64,
    unordered_count: u64,
    rounded_count: u64,
    rejections: Rejections,
}

/// Reads all rows. `parse` reads the field of a value column, by its place in `names`; intervals that end after `end_max_s`
/// are refused.
pub(super) fn read<L: FromStr<Err = IdError> + Clone>(
    mut text: Text<'_>,
    layout: &Layout<L>,
    names: &[&str],
    parse: impl Fn(usize, &str, DecimalSign) -> Result<Scaled, Reason>,
    end_max_s: i64,
    context: &Context,
) -> Result<Table<L>, Refused> {
    let mut rejections = Rejections::new(&context.file, context.limits.rejections_max);
    let encoding = text.encoding();
    let (line_bytes_max, rows_max) = (text.limits().line_bytes_max, text.limits().rows_max);
    let mut rows: Option<Rows<'_, L, _>> = None;
    let mut fault = None;
    'file: loop {
        let lines = match text.lines() {
            Ok(Some(lines)) => lines,
            Ok(None) => break,
            Err(rejection) => {
                fault = Some(rejection);
                break;
            }
        };
        let mut fields = Vec::new();
        let mut rest = lines.text;
        let mut line_number = lines.first_line;
        while !rest.is_empty() {
            let line = next_line(&mut rest);
            if line.len() > line_bytes_max {
                let long = Rejection::new(Reason::LineTooLong, line).at_line(line_number);
                fault = Some(long.because(format_args!("more than {line_bytes_max} bytes")));
                break 'file;
            }
            match &mut rows {
                None => match Header::read(line, wanted(layout, names)) {
                    Ok(header) => rows = Some(Rows::new(layout, names, header, &parse, end_max_s)),
                    Err(rejection) => {
                        fault = Some(rejection);
                        break 'file;
                    }
                },
                Some(rows) => rows.take(line_number, line, &mut fields, &mut rejections),
            }
            line_number += 1;
        }
        if rejections.is_hopeless() {
            let detail = format!("{} rows were refused, the rest was not read", rejections.count());
            fault = Some(Rejection::new(Reason::DocumentMalformed, "").because(detail));
            break;
        }
        if line_number > rows_max.saturating_add(2) {
            let detail = format!("more than {rows_max} rows");
            fault = Some(Rejection::new(Reason::RowsTooMany, "").because(detail));
            break;
        }
    }
    let Some(rows) = rows.filter(|_| fault.is_none()) else {
        let fault = fault.unwrap_or_else(|| Rejection::new(Reason::FileEmpty, ""));
        return Err(rejections.refused_with(fault));
    };
    if rejections.count() > 0 && !layout.skip_refused {
        return Err(rejections.into_refused());
    }
    if rows.row_count == 0 {
        let empty = Rejection::new(Reason::FileEmpty, "").because("there is a header and no row");
        return Err(rejections.refused_with(empty));
    }
    Ok(Table {
        labels: rows.labels,
        values: rows.values,
        value_names: names.iter().map(ToString::to_string).collect(),
        encoding,
        separator: rows.header.separator,
        columns_ignored: rows.header.ignored,
        row_count: rows.row_count,
        unordered_count: rows.unordered_count,
        rounded_count: rows.rounded_count,
        rejections,
    })
}

/// Takes a line, without its end, from the text.
fn next_line<'t>(rest: &mut &'t str) -> &'t str {
    let end = memchr::memchr(b'\n', rest.as_bytes());
    let (line, after) = end.map_or((*rest, ""), |end| (&rest[..end], &rest[end + 1..]));
    *rest = after;
    line.strip_suffix('\r').unwrap_or(line)
}

fn wanted<'a, L>(layout: &'a Layout<L>, values: &'a [&'a str]) -> Wanted<'a> {
    let label = match &layout.label {
        Label::Fixed(_) => None,
        Label::Column(name) => Some(name.as_str()),
    };
    Wanted { separator: layout.separator, time: &layout.time_column, label, values }
}

/// A row that is refused: which column, what it says, why.
struct Faulty<'l> {
    reason: Reason,
    column: Option<&'l str>,
    value: &'l str,
    detail: Option<String>,
}

/// Takes rows one by one.
struct Rows<'a, L, P> {
    layout: &'a Layout<L>,
    names: &'a [&'a str],
    header: Header,
    parse: P,
    clock: Clock<'a>,
    end_max_s: i64,
    labels: Vec<L>,
    values: Vec<Vec<Values>>,
    /// Texts of labels, to their place.
    places: HashMap<Box<str>, usize>,
    /// The label of the row before, which usually is that of the next.
    last: Option<(Box<str>, usize)>,
    row_count: u64,
    unordered_count: u64,
    rounded_count: u64,
    /// Values of the row at hand.
    row: Vec<i32>,
}

impl<'a, L, P> Rows<'a, L, P>
where
    L: FromStr<Err = IdError> + Clone,
    P: Fn(usize, &str, DecimalSign) -> Result<Scaled, Reason>,
{
    fn new(
        layout: &'a Layout<L>,
        names: &'a [&'a str],
        header: Header,
        parse: P,
        end_max_s: i64,
    ) -> Self {
        let mut rows = Self {
            layout,
            names,
            header,
            parse,
            clock: Clock::new(&layout.zone, layout.repeated),
            end_max_s,
            labels: Vec::new(),
            values: Vec::new(),
            places: HashMap::new(),
            last: None,
            row_count: 0,
            unordered_count: 0,
            rounded_count: 0,
            row: Vec::new(),
        };
        if let Label::Fixed(label) = &layout.label {
            rows.add_label(label.clone());
        }
        rows
    }

    fn add_label(&mut self, label: L) -> usize {
        self.labels.push(label);
        self.values.push(self.names.iter().map(|_| Values::default()).collect());
        self.labels.len() - 1
    }

    /// Takes a row, or refuses it. Empty lines are none.
    fn take<'l>(
        &mut self,
        line_number: u64,
        line: &'l str,
        fields: &mut Vec<&'l str>,
        rejections: &mut Rejections,
    ) where
        'a: 'l,
    {
        if line.is_empty() {
            return;
        }
        self.row_count += 1;
        if let Err(faulty) = self.try_take(line_number, line, fields) {
            rejections.push(|| {
                let mut rejection =
                    Rejection::new(faulty.reason, faulty.value).at_line(line_number);
                rejection.column = faulty.column.map(Box::from);
                rejection.detail = faulty.detail.map(String::into_boxed_str);
                rejection
            });
        }
    }

    /// Checks label, time and values, in this order, and adds the row if all are right.
    fn try_take<'l>(
        &mut self,
        line_number: u64,
        line: &'l str,
        fields: &mut Vec<&'l str>,
    ) -> Result<(), Faulty<'l>>
    where
        'a: 'l,
    {
        let layout = self.layout;
        let whole = |reason, detail| Faulty { reason, column: None, value: line, detail };
        split(line, self.header.separator, fields).map_err(|reason| whole(reason, None))?;
        if fields.len() != self.header.field_count {
            let detail = format!("{} instead of {}", fields.len(), self.header.field_count);
            return Err(whole(Reason::FieldCount, Some(detail)));
        }
        let place = match (&layout.label, self.header.label) {
            (Label::Column(name), Some(at)) => self.place(fields[at]).map_err(|error| Faulty {
                reason: error.reason(),
                column: Some(name),
                value: fields[at],
                detail: Some(error.to_string()),
            })?,
            _ => 0,
        };
        let stamp = fields[self.header.time];
        let last_start_s = self.values[place].first().and_then(Values::last_start_s);
        let start_s = self.start_s(stamp, last_start_s).map_err(|reason| Faulty {
            reason,
            column: Some(&layout.time_column),
            value: stamp,
            detail: None,
        })?;
        self.row.clear();
        for (index, (&at, name)) in self.header.values.iter().zip(self.names).enumerate() {
            let scaled = (self.parse)(index, fields[at], layout.decimal);
            let scaled = scaled.map_err(|reason| Faulty {
                reason,
                column: Some(name),
                value: fields[at],
                detail: None,
            })?;
            self.rounded_count += u64::from(scaled.is_rounded);
            self.row.push(scaled.value);
        }
        self.unordered_count += u64::from(last_start_s.is_some_and(|last| start_s < last));
        for (values, &value) in self.values[place].iter_mut().zip(&self.row) {
            values.push(start_s, value, line_number);
        }
        Ok(())
    }

    /// Returns the place of a label, which may be new.
    fn place(&mut self, text: &str) -> Result<usize, IdError> {
        if let Some((last, place)) = &self.last
            && **last == *text
        {
            return Ok(*place);
        }
        let place = match self.places.get(text) {
            Some(&place) => place,
            None => {
                let place = self.add_label(text.parse()?);
                self.places.insert(text.into(), place);
                place
            }
        };
        self.last = Some((text.into(), place));
        Ok(place)
    }

    /// Returns the start of the interval, in Unix seconds.
    fn start_s(&mut self, stamp: &str, last_start_s: Option<i64>) -> Result<i64, Reason> {
        let length_s = self.layout.resolution.duration_seconds();
        let stamp_is_after_s = match self.layout.stamp {
            Stamp::Start => 0,
            Stamp::End => length_s,
        };
        let is_taken =
            |instant_s| last_start_s.is_some_and(|last| last >= instant_s - stamp_is_after_s);
        let start_s = self.clock.unix_second(stamp, is_taken)? - stamp_is_after_s;
        if start_s.rem_euclid(length_s) != 0 {
            return Err(Reason::TimeNotAligned);
        }
        if start_s + length_s > self.end_max_s {
            return Err(Reason::TimeFuture);
        }
        if Timestamp::from_second(start_s).is_err() {
            return Err(Reason::TimeOutOfRange);
        }
        // Where the order says which of two equal local times is meant, it has to be right.
        let is_earlier = last_start_s.is_some_and(|last| start_s < last);
        if self.layout.repeated == Repeated::ByOrder && is_earlier {
            return Err(Reason::OrderBroken);
        }
        Ok(start_s)
    }
}

/// Returns the values in order, by `key` of label and value column, which `name` writes; and the report.
pub(super) fn series<L, K: Ord>(
    table: Table<L>,
    layout: &Layout<L>,
    key: impl Fn(&L, usize) -> K,
    name: impl Fn(&K) -> String,
    context: &Context,
) -> Result<(BTreeMap<K, Column>, Report), Refused> {
    let mut rejections = table.rejections;
    let skipped_count = rejections.count();
    let mut columns = BTreeMap::new();
    let mut repeated_count = 0;
    for (label, values) in table.labels.iter().zip(table.values) {
        for (index, values) in values.into_iter().enumerate() {
            let Sorted { column, repeated_count: repeated, conflicts } =
                values.sorted(layout.resolution, rejections.room().max(1));
            // All columns of a label have the same rows.
            repeated_count += if index == 0 { repeated } else { 0 };
            for conflict in conflicts {
                rejections.push(|| twice(conflict, &table.value_names[index]));
            }
            if column.is_empty() {
                continue;
            }
            match columns.entry(key(label, index)) {
                Entry::Vacant(entry) => {
                    entry.insert(column);
                }
                Entry::Occupied(entry) => {
                    let detail = format!("{} is given by two columns", name(entry.key()));
                    rejections.push(|| Rejection::new(Reason::ColumnTwice, "").because(detail));
                }
            }
        }
    }
    if rejections.count() > skipped_count {
        return Err(rejections.into_refused());
    }
    let reports = columns
        .iter()
        .map(|(key, column)| ColumnReport::new(name(key), column, &context.report_zone))
        .collect();
    let report = Report {
        file: context.file.clone(),
        encoding: table.encoding,
        separator: Some(char::from(table.separator)),
        columns_ignored: table.columns_ignored,
        notes: Vec::new(),
        row_count: table.row_count,
        repeated_count,
        unordered_count: table.unordered_count,
        rounded_count: table.rounded_count,
        rejection_count: rejections.count(),
        rejections: rejections.into_first(),
        columns: reports,
    };
    Ok((columns, report))
}

/// Returns the refusal of the second of two rows for one interval.
fn twice(conflict: Conflict, column: &str) -> Rejection {
    let Conflict { start_s, first: (first_line, first), second: (line, value) } = conflict;
    let start = Timestamp::from_second(start_s).map_or_else(|_| String::new(), |at| at.to_string());
    Rejection::new(Reason::PeriodTwice, &value.to_string())
        .at_line(line)
        .in_column(column)
        .because(format_args!("the interval from {start} has {first} in line {first_line}"))
}
