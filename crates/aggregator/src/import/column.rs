//! Values of one thing over time, with gaps where there are none.

use gridtally_core::period::Resolution;
use jiff::Timestamp;
use serde::Serialize;

/// Values by start, ascending, each start once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    resolution: Resolution,
    rows: Vec<(i64, i64)>,
    /// The line of each row; lines beyond 32 bits are not told apart.
    lines: Vec<u32>,
    fields: FieldNames,
}

/// What a file calls the parts of a value: columns of a table, elements of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldNames {
    /// What the value is about; nothing where the whole file is about one thing.
    pub label: Option<Box<str>>,
    /// When it is.
    pub time: Box<str>,
    /// The value.
    pub value: Box<str>,
}

/// Periods without a value between two that have one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Gap {
    /// First instant without a value.
    pub from: Timestamp,
    /// First instant with a value again.
    pub until: Timestamp,
    /// Periods between them.
    pub missing_count: u64,
}

impl Column {
    /// Returns the column of rows (start in Unix seconds, value), which ascend by start, and of the lines they come from.
    pub(super) fn new(
        resolution: Resolution,
        rows: Vec<(i64, i64)>,
        lines: Vec<u32>,
        fields: FieldNames,
    ) -> Self {
        debug_assert!(rows.is_sorted_by(|a, b| a.0 < b.0), "starts must ascend");
        debug_assert_eq!(rows.len(), lines.len(), "each row has its line");
        Self { resolution, rows, lines, fields }
    }

    /// Returns the length of each period.
    #[must_use]
    pub const fn resolution(&self) -> Resolution {
        self.resolution
    }

    /// Returns the number of values.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.rows.len()
    }

    /// Returns whether there are no values.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Returns each start, in Unix seconds, with its value, ascending.
    #[must_use]
    pub fn rows(&self) -> &[(i64, i64)] {
        &self.rows
    }

    /// Returns the line that the value of a start comes from, from 1.
    #[must_use]
    pub fn line_at(&self, start_s: i64) -> Option<u64> {
        let place = self.rows.binary_search_by_key(&start_s, |&(start_s, _)| start_s).ok()?;
        self.lines.get(place).map(|&line| line.into())
    }

    /// Returns the first line that a value comes from, from 1.
    #[must_use]
    pub fn first_line(&self) -> Option<u64> {
        self.lines.iter().min().map(|&line| line.into())
    }

    /// Returns what the file calls the parts of the values.
    #[must_use]
    pub const fn fields(&self) -> &FieldNames {
        &self.fields
    }

    /// Returns the gaps between the first and the last value, in order.
    pub fn gaps(&self) -> impl Iterator<Item = Gap> {
        let length_s = self.resolution.duration_seconds();
        self.rows.windows(2).filter_map(move |pair| {
            let (from_s, until_s) = (pair[0].0 + length_s, pair[1].0);
            let missing_count = u64::try_from((until_s - from_s) / length_s).ok()?;
            let from = Timestamp::from_second(from_s).ok()?;
            let until = Timestamp::from_second(until_s).ok()?;
            (from < until).then_some(Gap { from, until, missing_count })
        })
    }

    /// Returns the sum of all values.
    #[must_use]
    pub fn sum(&self) -> i128 {
        self.rows.iter().map(|&(_, value)| i128::from(value)).sum()
    }
}

/// A value and the line that it comes from; 16 bytes, because files have millions of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Row {
    start_s: i64,
    value: i32,
    /// Lines beyond 32 bits are not told apart.
    line: u32,
}

/// Gathers rows in whatever order they come.
#[derive(Debug, Default)]
pub(super) struct Values {
    rows: Vec<Row>,
    is_unsorted: bool,
}

/// One start with two values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Conflict {
    pub(super) start_s: i64,
    pub(super) first: (u64, i32),
    pub(super) second: (u64, i32),
}

/// What rows became.
#[derive(Debug)]
pub(super) struct Sorted {
    pub(super) column: Column,
    /// Rows that repeat an earlier one.
    pub(super) repeated_count: u64,
    /// Starts that have two values, in order.
    pub(super) conflicts: Vec<Conflict>,
}

impl Values {
    /// Returns the start of the row that came last.
    pub(super) fn last_start_s(&self) -> Option<i64> {
        self.rows.last().map(|row| row.start_s)
    }

    /// Adds a row from a line.
    pub(super) fn push(&mut self, start_s: i64, value: i32, line: u64) {
        self.is_unsorted |= self.last_start_s().is_some_and(|last| last >= start_s);
        let line = u32::try_from(line).unwrap_or(u32::MAX);
        self.rows.push(Row { start_s, value, line });
    }

    /// Returns the rows in order without repetitions; of conflicting rows the first, and at most `conflicts_max` conflicts.
    pub(super) fn sorted(
        mut self,
        resolution: Resolution,
        fields: FieldNames,
        conflicts_max: usize,
    ) -> Sorted {
        let (mut repeated_count, mut conflicts) = (0, Vec::new());
        if self.is_unsorted {
            // Already sorted runs, forward or backward, are found by the sort.
            self.rows.sort_by_key(|row| (row.start_s, row.line));
            self.rows.dedup_by(|next, kept| {
                if next.start_s != kept.start_s {
                    return false;
                }
                if next.value == kept.value {
                    repeated_count += 1;
                } else if conflicts.len() < conflicts_max {
                    let place = |row: &Row| (u64::from(row.line), row.value);
                    conflicts.push(Conflict {
                        start_s: kept.start_s,
                        first: place(kept),
                        second: place(next),
                    });
                }
                true
            });
        }
        let lines = self.rows.iter().map(|row| row.line).collect();
        // Rows and pairs have the same size, so the memory is used again.
        let rows = self.rows.into_iter().map(|row| (row.start_s, i64::from(row.value))).collect();
        let column = Column::new(resolution, rows, lines, fields);
        Sorted { column, repeated_count, conflicts }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields() -> FieldNames {
        FieldNames { label: None, time: "start".into(), value: "wh".into() }
    }

    #[test]
    fn rows_are_sorted_repetitions_counted_and_conflicts_named() {
        let mut values = Values::default();
        for (line, (start_s, value)) in
            (2..).zip([(1800, 3), (0, 1), (900, 2), (0, 1), (900, 9), (900, 2)])
        {
            values.push(start_s, value, line);
        }
        let sorted = values.sorted(Resolution::Minutes15, fields(), 10);
        assert_eq!(sorted.column.rows(), [(0, 1), (900, 2), (1800, 3)]);
        let lines = [0, 900, 1800, 2700].map(|start_s| sorted.column.line_at(start_s));
        assert_eq!(lines, [Some(3), Some(4), Some(2), None]);
        assert_eq!(sorted.column.first_line(), Some(2));
        assert_eq!(sorted.repeated_count, 2);
        let conflict = Conflict { start_s: 900, first: (4, 2), second: (6, 9) };
        assert_eq!(sorted.conflicts, [conflict]);
    }

    #[test]
    fn gaps_lie_between_values() {
        let rows = vec![(0, 1), (900, 1), (3600, 1)];
        let column = Column::new(Resolution::Minutes15, rows, vec![2, 3, 4], fields());
        let gaps: Vec<_> = column.gaps().collect();
        let at = |second| Timestamp::from_second(second).unwrap();
        assert_eq!(gaps, [Gap { from: at(1800), until: at(3600), missing_count: 2 }]);
    }
}
