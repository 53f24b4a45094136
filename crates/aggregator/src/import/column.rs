//! Values of one thing over time, with gaps where there are none.

use gridtally_core::period::Resolution;
use jiff::Timestamp;
use serde::Serialize;

/// Values by start, ascending, each start once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    resolution: Resolution,
    rows: Vec<(i64, i64)>,
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
    /// Returns the column of rows (start in Unix seconds, value), which ascend by start.
    pub(super) fn new(resolution: Resolution, rows: Vec<(i64, i64)>) -> Self {
        debug_assert!(rows.is_sorted_by(|a, b| a.0 < b.0), "starts must ascend");
        Self { resolution, rows }
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

/// Gathers rows in whatever order they come.
#[derive(Debug, Default)]
pub struct Values {
    rows: Vec<(i64, i64)>,
    is_unsorted: bool,
}

impl Values {
    /// Returns the start of the row that came last.
    pub(super) fn last_start_s(&self) -> Option<i64> {
        self.rows.last().map(|&(start_s, _)| start_s)
    }

    /// Adds a row. Returns whether it comes in order.
    pub(super) fn push(&mut self, start_s: i64, value: i64) -> bool {
        let in_order = self.last_start_s().is_none_or(|last| last < start_s);
        self.is_unsorted |= !in_order;
        self.rows.push((start_s, value));
        in_order
    }

    /// Returns the rows in order without repetitions, how many were repeated, and the starts that have two values.
    pub(super) fn finish(mut self, resolution: Resolution) -> (Column, u64, Vec<i64>) {
        let (mut repeated, mut conflicts) = (0, Vec::new());
        if self.is_unsorted {
            self.rows.sort_by_key(|&(start_s, _)| start_s);
            self.rows.dedup_by(|next, kept| {
                let is_same_start = next.0 == kept.0;
                if is_same_start && next.1 == kept.1 {
                    repeated += 1;
                } else if is_same_start && conflicts.last() != Some(&kept.0) {
                    conflicts.push(kept.0);
                }
                is_same_start
            });
        }
        (Column::new(resolution, self.rows), repeated, conflicts)
    }
}
