//! One row: checked as a whole, then taken.

use std::collections::HashMap;
use std::str::FromStr;

use gridtally_core::id::IdError;
use gridtally_core::period::Period;
use gridtally_core::rejection::{Reason, Rejection};

use super::layout::{Accepted, DecimalSign, Label, Layout, Repeated, Stamp};
use super::number::Scaled;
use super::row::{Header, split};
use super::stamp::Clock;
use crate::import::column::Values;
use crate::import::report::Rejections;

/// The values of the rows that were taken.
pub(super) struct Gathered<L> {
    pub(super) labels: Vec<L>,
    /// Those of each label, one for each value column.
    pub(super) values: Vec<Vec<Values>>,
    /// All rows, taken or refused.
    pub(super) row_count: u64,
    /// Rows that are earlier than the one before them.
    pub(super) unordered_count: u64,
    /// Values of which decimals were rounded away.
    pub(super) rounded_count: u64,
}

/// A row that is refused: which column, what it says, why.
struct Faulty<'l> {
    reason: Reason,
    column: Option<&'l str>,
    value: &'l str,
    detail: Option<String>,
}

/// Takes rows one by one.
pub(super) struct Rows<'a, L, P> {
    layout: &'a Layout<L>,
    names: &'a [&'a str],
    header: Header,
    parse: P,
    clock: Clock<'a>,
    accepted: Accepted,
    gathered: Gathered<L>,
    /// Texts of labels, to their place.
    places: HashMap<Box<str>, usize>,
    /// The label of the row before, which usually is that of the next.
    last: Option<(Box<str>, usize)>,
    /// Values of the row at hand.
    row: Vec<i32>,
}

impl<'a, L, P> Rows<'a, L, P>
where
    L: FromStr<Err = IdError> + Clone,
    P: Fn(usize, &str, DecimalSign) -> Result<Scaled, Reason>,
{
    /// Returns a taker of rows below a header.
    pub(super) fn new(
        layout: &'a Layout<L>,
        names: &'a [&'a str],
        header: Header,
        parse: P,
        accepted: Accepted,
    ) -> Self {
        let mut rows = Self {
            layout,
            names,
            header,
            parse,
            clock: Clock::new(layout.time_format.as_deref(), &layout.zone, layout.repeated),
            accepted,
            gathered: Gathered {
                labels: Vec::new(),
                values: Vec::new(),
                row_count: 0,
                unordered_count: 0,
                rounded_count: 0,
            },
            places: HashMap::new(),
            last: None,
            row: Vec::new(),
        };
        if let Label::Fixed(label) = &layout.label {
            rows.add_label(label.clone());
        }
        rows
    }

    /// Returns how many labels there are.
    pub(super) const fn label_count(&self) -> usize {
        self.gathered.labels.len()
    }

    /// Returns what was taken.
    pub(super) fn finish(self) -> (Header, Gathered<L>) {
        (self.header, self.gathered)
    }

    fn add_label(&mut self, label: L) -> usize {
        self.gathered.labels.push(label);
        self.gathered.values.push(self.names.iter().map(|_| Values::default()).collect());
        self.gathered.labels.len() - 1
    }

    /// Takes a row, or refuses it. Empty lines are none.
    pub(super) fn take<'l>(
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
        self.gathered.row_count += 1;
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
        let last_start_s = self.gathered.values[place].first().and_then(Values::last_start_s);
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
            self.gathered.rounded_count += u64::from(scaled.is_rounded);
            self.row.push(scaled.value);
        }
        self.gathered.unordered_count += u64::from(last_start_s.is_some_and(|last| start_s < last));
        for (values, &value) in self.gathered.values[place].iter_mut().zip(&self.row) {
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
        if !Period::STARTS_S.contains(&start_s) {
            return Err(Reason::TimeOutOfRange);
        }
        if start_s.rem_euclid(length_s) != 0 {
            return Err(Reason::TimeNotAligned);
        }
        if start_s + length_s > self.accepted.end_max_s {
            return Err(Reason::TimeFuture);
        }
        if start_s < self.accepted.start_min_s {
            return Err(Reason::TimeTooOld);
        }
        // Where the order says which of two equal local times is meant, it has to be right.
        let is_earlier = last_start_s.is_some_and(|last| start_s < last);
        if self.layout.repeated == Repeated::ByOrder && is_earlier {
            return Err(Reason::OrderBroken);
        }
        Ok(start_s)
    }
}
