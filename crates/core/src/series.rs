//! One value for each of consecutive periods.

use jiff::Timestamp;

use crate::period::{Period, PeriodError, Resolution};

/// Values of consecutive periods: start, resolution and length are always known.
///
/// ```text
/// |--v0--|--v1--|--v2--|
/// start                end()
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Series<T> {
    first: Period,
    values: Vec<T>,
}

impl<T> Series<T> {
    /// Returns the series whose first value belongs to the period that starts at `start`.
    ///
    /// # Errors
    ///
    /// [`PeriodError::NotAligned`] when `start` is off the grid, [`PeriodError::OutOfRange`] when the last period would end
    /// beyond the calendar.
    pub fn new(
        start: Timestamp,
        resolution: Resolution,
        values: Vec<T>,
    ) -> Result<Self, PeriodError> {
        let first = Period::new(start, resolution)?;
        let series = Self { first, values };
        series.boundary(series.values.len()).ok_or(PeriodError::OutOfRange)?;
        Ok(series)
    }

    /// Returns the start of the first period.
    #[must_use]
    pub const fn start(&self) -> Timestamp {
        self.first.start()
    }

    /// Returns the end of the last period; of an empty series its start.
    ///
    /// # Panics
    ///
    /// Never: the constructor refuses a series without an end.
    #[must_use]
    pub fn end(&self) -> Timestamp {
        self.boundary(self.values.len()).expect("the constructor checks the end")
    }

    /// Returns how long each period is.
    #[must_use]
    pub const fn resolution(&self) -> Resolution {
        self.first.resolution()
    }

    /// Returns how many periods there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.values.len()
    }

    /// Returns whether there are no periods.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Returns the values in time order.
    #[must_use]
    pub fn values(&self) -> &[T] {
        &self.values
    }

    /// Returns the value that holds at an instant, or nothing outside `[start, end)`.
    #[must_use]
    pub fn at(&self, instant: Timestamp) -> Option<&T> {
        if instant < self.start() {
            return None;
        }
        let elapsed_s = instant.as_second() - self.start().as_second();
        self.values.get(usize::try_from(elapsed_s / self.resolution().duration_seconds()).ok()?)
    }

    /// Returns each period with its value, in time order.
    ///
    /// # Panics
    ///
    /// Never: the constructor checks the end of the last period.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (Period, &T)> {
        self.values.iter().enumerate().map(|(index, value)| {
            let start = self.boundary(index).expect("the constructor checks the end");
            let period = Period::new(start, self.resolution());
            (period.expect("whole periods after an aligned start"), value)
        })
    }

    /// Returns the start of period `index`, or nothing beyond the calendar.
    fn boundary(&self, index: usize) -> Option<Timestamp> {
        let offset_s =
            i64::try_from(index).ok()?.checked_mul(self.resolution().duration_seconds())?;
        Timestamp::from_second(self.start().as_second().checked_add(offset_s)?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_value_holds_for_its_whole_period() {
        let series =
            Series::new(at("2026-03-28T23:00:00Z"), Resolution::Minutes60, vec![10, 20]).unwrap();
        assert_eq!(series.at(at("2026-03-28T22:59:59.9Z")), None);
        assert_eq!(series.at(at("2026-03-28T23:00:00Z")), Some(&10));
        assert_eq!(series.at(at("2026-03-28T23:59:59Z")), Some(&10));
        assert_eq!(series.at(at("2026-03-29T00:00:00Z")), Some(&20));
        assert_eq!(series.at(at("2026-03-29T01:00:00Z")), None);
        assert_eq!(series.end(), at("2026-03-29T01:00:00Z"));
        let listed: Vec<_> =
            series.iter().map(|(period, value)| format!("{period}={value}")).collect();
        assert_eq!(listed, ["2026-03-28T23:00:00Z/PT60M=10", "2026-03-29T00:00:00Z/PT60M=20"]);
    }

    #[test]
    fn starts_off_the_grid_and_ends_beyond_time_are_refused() {
        let (start, resolution) = (at("2026-03-28T23:30:00Z"), Resolution::Minutes60);
        assert_eq!(
            Series::new(start, resolution, vec![1]),
            Err(PeriodError::NotAligned { start, resolution })
        );
        let late = at("9999-12-30T21:00:00Z");
        assert_eq!(Series::new(late, resolution, vec![0; 50]), Err(PeriodError::OutOfRange));
    }
}
