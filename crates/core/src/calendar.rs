//! Time zones, local times that exist once, twice or never, and market days of 23, 24 or 25 hours.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{AmbiguousOffset, Offset, TimeZone, TimeZoneDatabase};
use serde::{Deserialize, Serialize};

use crate::period::{Period, PeriodError, Resolution};
use crate::rejection::Reason;

/// A time zone by its IANA name, from the database inside the program: every machine gives the same answer.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Zone(TimeZone);

/// A time zone that is not in the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("unknown time zone, expected an IANA name such as Europe/Oslo")]
pub struct ZoneError;

/// Which of two equal local times is meant, when clocks go back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fold {
    /// The earlier one, still in summer time.
    First,
    /// The later one, an hour of UTC further.
    Second,
}

/// Why a local time is not an instant. In order of precedence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LocalTimeError {
    /// Clocks jump over it.
    #[error("{local} does not exist, clocks jump over it")]
    Nonexistent {
        /// The local time.
        local: DateTime,
    },
    /// Clocks show it twice.
    #[error("{local} exists twice, clocks go back; add an offset")]
    Ambiguous {
        /// The local time.
        local: DateTime,
    },
    /// The zone does not have this offset then.
    #[error("{local} has no offset {offset} in this zone")]
    Offset {
        /// The local time.
        local: DateTime,
        /// The offset as given.
        offset: Offset,
    },
    /// Too close to the ends of the calendar.
    #[error("{local} lies outside the calendar")]
    OutOfRange {
        /// The local time.
        local: DateTime,
    },
}

impl LocalTimeError {
    /// Returns the documented reason.
    #[must_use]
    pub const fn reason(self) -> Reason {
        match self {
            Self::Nonexistent { .. } => Reason::TimeNonexistent,
            Self::Ambiguous { .. } => Reason::TimeAmbiguous,
            Self::Offset { .. } => Reason::TimeMalformed,
            Self::OutOfRange { .. } => Reason::TimeOutOfRange,
        }
    }
}

impl Zone {
    /// Coordinated Universal Time.
    pub const UTC: Self = Self(TimeZone::UTC);

    /// Returns the zone of that name; the name is case-sensitive.
    ///
    /// # Errors
    ///
    /// [`ZoneError`] when the database does not know it.
    pub fn new(name: &str) -> Result<Self, ZoneError> {
        if name == "UTC" {
            return Ok(Self::UTC);
        }
        let zone = TimeZoneDatabase::bundled().get(name).map_err(|_| ZoneError)?;
        if zone.iana_name() == Some(name) { Ok(Self(zone)) } else { Err(ZoneError) }
    }

    /// Returns the IANA name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.iana_name().unwrap_or("UTC")
    }

    /// Returns the local date and time of an instant.
    #[must_use]
    pub fn local(&self, instant: Timestamp) -> DateTime {
        self.0.to_datetime(instant)
    }

    /// Returns the instant of a local time that exists once; `fold` says which one is meant where it exists twice.
    ///
    /// ```
    /// use gridtally_core::calendar::{Fold, Zone};
    ///
    /// let oslo = Zone::new("Europe/Oslo")?;
    /// let second = oslo.instant("2026-10-25T02:00".parse()?, Some(Fold::Second))?;
    /// assert_eq!(second.to_string(), "2026-10-25T01:00:00Z");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`LocalTimeError::Nonexistent`], [`LocalTimeError::Ambiguous`] without `fold`, [`LocalTimeError::OutOfRange`].
    pub fn instant(
        &self,
        local: DateTime,
        fold: Option<Fold>,
    ) -> Result<Timestamp, LocalTimeError> {
        let offset = match self.0.to_ambiguous_timestamp(local).offset() {
            AmbiguousOffset::Unambiguous { offset } => offset,
            AmbiguousOffset::Gap { .. } => return Err(LocalTimeError::Nonexistent { local }),
            AmbiguousOffset::Fold { before, after } => match fold {
                Some(Fold::First) => before,
                Some(Fold::Second) => after,
                None => return Err(LocalTimeError::Ambiguous { local }),
            },
        };
        offset.to_timestamp(local).map_err(|_| LocalTimeError::OutOfRange { local })
    }

    /// Returns the instant of a local time with its offset from UTC.
    ///
    /// # Errors
    ///
    /// [`LocalTimeError::Nonexistent`], [`LocalTimeError::Offset`] when the zone has another offset then,
    /// [`LocalTimeError::OutOfRange`].
    pub fn instant_with_offset(
        &self,
        local: DateTime,
        offset: Offset,
    ) -> Result<Timestamp, LocalTimeError> {
        let is_right = match self.0.to_ambiguous_timestamp(local).offset() {
            AmbiguousOffset::Unambiguous { offset: only } => offset == only,
            AmbiguousOffset::Gap { .. } => return Err(LocalTimeError::Nonexistent { local }),
            AmbiguousOffset::Fold { before, after } => offset == before || offset == after,
        };
        if !is_right {
            return Err(LocalTimeError::Offset { local, offset });
        }
        offset.to_timestamp(local).map_err(|_| LocalTimeError::OutOfRange { local })
    }

    /// Returns the market day that contains an instant.
    ///
    /// # Errors
    ///
    /// [`DayOutOfRange`] at the ends of the calendar.
    pub fn market_day(&self, instant: Timestamp) -> Result<MarketDay, DayOutOfRange> {
        MarketDay::new(self.local(instant).date(), self.clone())
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Zone({self})")
    }
}

impl FromStr for Zone {
    type Err = ZoneError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::new(name)
    }
}

impl TryFrom<String> for Zone {
    type Error = ZoneError;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        Self::new(&name)
    }
}

impl From<Zone> for String {
    fn from(zone: Zone) -> Self {
        zone.name().to_owned()
    }
}

/// A day from local midnight to local midnight: 23, 24 or 25 hours of UTC.
///
/// The market day of a price area and the local day of a customer are different days when their zones differ.
///
/// ```
/// use gridtally_core::calendar::{MarketDay, Zone};
/// use gridtally_core::period::Resolution;
///
/// let autumn = MarketDay::new("2026-10-25".parse()?, Zone::new("Europe/Oslo")?)?;
/// assert_eq!(autumn.period_count(Resolution::Minutes15)?, 100);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MarketDay {
    date: Date,
    zone: Zone,
    start: Timestamp,
    end: Timestamp,
}

/// A day too close to the ends of the calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the day {date} lies outside the calendar")]
pub struct DayOutOfRange {
    /// The date as given.
    pub date: Date,
}

impl MarketDay {
    /// Returns the day of that local date. Where clocks jump over midnight, it starts with the jump.
    ///
    /// # Errors
    ///
    /// [`DayOutOfRange`] at the ends of the calendar.
    pub fn new(date: Date, zone: Zone) -> Result<Self, DayOutOfRange> {
        let out_of_range = DayOutOfRange { date };
        let midnight = |date: Date| {
            zone.0.to_ambiguous_timestamp(date.to_datetime(Time::midnight())).compatible().ok()
        };
        let start = midnight(date).ok_or(out_of_range)?;
        let end = date.tomorrow().ok().and_then(midnight).ok_or(out_of_range)?;
        Ok(Self { date, zone, start, end })
    }

    /// Returns the local date.
    #[must_use]
    pub const fn date(&self) -> Date {
        self.date
    }

    /// Returns the zone.
    #[must_use]
    pub const fn zone(&self) -> &Zone {
        &self.zone
    }

    /// Returns the first instant of the day.
    #[must_use]
    pub const fn start(&self) -> Timestamp {
        self.start
    }

    /// Returns the first instant after the day.
    #[must_use]
    pub const fn end(&self) -> Timestamp {
        self.end
    }

    /// Returns the length in whole hours: 23, 24 or 25 in Europe.
    #[must_use]
    pub fn hours(&self) -> i64 {
        (self.end.as_second() - self.start.as_second()) / 3_600
    }

    /// Returns how many periods the day has.
    ///
    /// # Errors
    ///
    /// [`PeriodError::NotAligned`] when the day does not start and end on the grid: in India, hours do not.
    ///
    /// # Panics
    ///
    /// Never: a day has a few hundred periods.
    pub fn period_count(&self, resolution: Resolution) -> Result<u32, PeriodError> {
        Period::new(self.start, resolution)?;
        Period::new(self.end, resolution)?;
        let count = (self.end.as_second() - self.start.as_second()) / resolution.duration_seconds();
        Ok(u32::try_from(count).expect("a day has few periods"))
    }

    /// Returns the periods of the day, in order.
    ///
    /// # Errors
    ///
    /// [`PeriodError::NotAligned`] when the day does not start and end on the grid.
    pub fn periods(
        &self,
        resolution: Resolution,
    ) -> Result<impl Iterator<Item = Period> + use<>, PeriodError> {
        let count = self.period_count(resolution)?;
        let first = Period::new(self.start, resolution)?;
        Ok(std::iter::successors(Some(first), |period| period.next()).take(count as usize))
    }

    /// Returns the number of the period that contains an instant, from 1, or nothing on another day.
    ///
    /// This is the index of the market's imbalance settlement period (ISP): hour 02 counts twice in autumn.
    #[must_use]
    pub fn isp_index(&self, instant: Timestamp, resolution: Resolution) -> Option<u32> {
        if instant < self.start || instant >= self.end {
            return None;
        }
        let elapsed_s = instant.as_second() - self.start.as_second();
        u32::try_from(elapsed_s / resolution.duration_seconds() + 1).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn zone(name: &str) -> Zone {
        name.parse().unwrap()
    }

    fn day(date: &str, name: &str) -> MarketDay {
        MarketDay::new(date.parse().unwrap(), zone(name)).unwrap()
    }

    fn counts(day: &MarketDay) -> Vec<u32> {
        Resolution::ALL
            .iter()
            .rev()
            .map(|&resolution| day.period_count(resolution).unwrap())
            .collect()
    }

    #[test]
    fn market_days_have_23_24_or_25_hours() {
        // TV-03; counts at 60, 30, 15 and 10 minutes.
        for (name, date, start, end, expected) in [
            (
                "Europe/Oslo",
                "2026-01-15",
                "2026-01-14T23:00:00Z",
                "2026-01-15T23:00:00Z",
                [24, 48, 96, 144],
            ),
            (
                "Europe/Oslo",
                "2026-03-29",
                "2026-03-28T23:00:00Z",
                "2026-03-29T22:00:00Z",
                [23, 46, 92, 138],
            ),
            (
                "Europe/Oslo",
                "2026-10-25",
                "2026-10-24T22:00:00Z",
                "2026-10-25T23:00:00Z",
                [25, 50, 100, 150],
            ),
            (
                "Europe/Oslo",
                "2027-03-28",
                "2027-03-27T23:00:00Z",
                "2027-03-28T22:00:00Z",
                [23, 46, 92, 138],
            ),
            (
                "Europe/Bucharest",
                "2026-10-25",
                "2026-10-24T21:00:00Z",
                "2026-10-25T22:00:00Z",
                [25, 50, 100, 150],
            ),
            (
                "Europe/Bucharest",
                "2026-03-29",
                "2026-03-28T22:00:00Z",
                "2026-03-29T21:00:00Z",
                [23, 46, 92, 138],
            ),
            (
                "Europe/Istanbul",
                "2026-10-25",
                "2026-10-24T21:00:00Z",
                "2026-10-25T21:00:00Z",
                [24, 48, 96, 144],
            ),
            (
                "Europe/Istanbul",
                "2026-03-29",
                "2026-03-28T21:00:00Z",
                "2026-03-29T21:00:00Z",
                [24, 48, 96, 144],
            ),
        ] {
            let day = day(date, name);
            assert_eq!(
                (day.start().to_string(), day.end().to_string()),
                (start.into(), end.into())
            );
            assert_eq!(counts(&day), expected, "{name} {date}");
            assert_eq!(
                day.periods(Resolution::Minutes15).unwrap().last().unwrap().end(),
                day.end()
            );
        }
    }

    #[test]
    fn months_have_their_hours() {
        let hours = |month: i8| -> i64 {
            let first = jiff::civil::date(2026, month, 1);
            let dates =
                (1..=first.days_in_month()).map(|day| first.with().day(day).build().unwrap());
            dates.map(|date| MarketDay::new(date, zone("Europe/Oslo")).unwrap().hours()).sum()
        };
        assert_eq!((hours(3), hours(10)), (743, 745)); // TV-03
    }

    #[test]
    fn isp_indexes_follow_the_clock_changes() {
        // TV-04: local time in Oslo, its offset where needed, the index at 15 minutes.
        let oslo = zone("Europe/Oslo");
        for (local, offset, utc, index) in [
            ("2026-10-25T01:45", None, "2026-10-24T23:45:00Z", 8),
            ("2026-10-25T02:00", Some(2), "2026-10-25T00:00:00Z", 9),
            ("2026-10-25T02:00", Some(1), "2026-10-25T01:00:00Z", 13),
            ("2026-10-25T03:00", None, "2026-10-25T02:00:00Z", 17),
            ("2026-10-25T23:45", None, "2026-10-25T22:45:00Z", 100),
            ("2026-03-29T01:45", None, "2026-03-29T00:45:00Z", 8),
            ("2026-03-29T03:00", None, "2026-03-29T01:00:00Z", 9),
            ("2026-03-29T23:45", None, "2026-03-29T21:45:00Z", 92),
            ("2026-06-10T18:00", None, "2026-06-10T16:00:00Z", 73),
        ] {
            let local: DateTime = local.parse().unwrap();
            let instant = match offset {
                Some(hours) => oslo.instant_with_offset(local, jiff::tz::offset(hours)),
                None => oslo.instant(local, None),
            }
            .unwrap();
            assert_eq!(instant.to_string(), utc);
            let day = oslo.market_day(instant).unwrap();
            assert_eq!(day.isp_index(instant, Resolution::Minutes15), Some(index), "{local}");
        }
        let hour = oslo.instant("2026-06-10T18:00".parse().unwrap(), None).unwrap();
        assert_eq!(oslo.market_day(hour).unwrap().isp_index(hour, Resolution::Minutes60), Some(19));
        let day = day("2026-06-10", "Europe/Oslo");
        assert_eq!(day.isp_index(day.end(), Resolution::Minutes60), None);
    }

    #[test]
    fn local_times_that_do_not_exist_once_are_refused() {
        let oslo = zone("Europe/Oslo");
        let local: DateTime = "2026-03-29T02:30".parse().unwrap();
        assert_eq!(
            oslo.instant(local, Some(Fold::First)),
            Err(LocalTimeError::Nonexistent { local })
        );
        let offset = jiff::tz::offset(1);
        assert_eq!(
            oslo.instant_with_offset(local, offset),
            Err(LocalTimeError::Nonexistent { local })
        );
        let local: DateTime = "2026-10-25T02:30".parse().unwrap();
        assert_eq!(oslo.instant(local, None), Err(LocalTimeError::Ambiguous { local }));
        let offset = jiff::tz::offset(3);
        assert_eq!(
            oslo.instant_with_offset(local, offset),
            Err(LocalTimeError::Offset { local, offset })
        );
        // Turkey keeps summer time.
        assert!(zone("Europe/Istanbul").instant(local, None).is_ok());
        let local = DateTime::MAX;
        assert_eq!(
            zone("Pacific/Honolulu").instant(local, None),
            Err(LocalTimeError::OutOfRange { local })
        );
    }

    #[test]
    fn zones_are_known_by_their_exact_name() {
        assert_eq!(zone("Europe/Oslo").to_string(), "Europe/Oslo");
        assert_eq!(zone("UTC"), Zone::UTC);
        for name in ["", "europe/oslo", "Oslo", "+01:00", "CET-1CEST", "../Oslo"] {
            assert_eq!(Zone::new(name), Err(ZoneError), "{name}");
        }
        assert_eq!(serde_json::to_string(&zone("Asia/Kolkata")).unwrap(), "\"Asia/Kolkata\"");
    }

    #[test]
    fn days_off_the_grid_are_refused() {
        let india = day("2026-01-15", "Asia/Kolkata");
        assert!(matches!(
            india.period_count(Resolution::Minutes60),
            Err(PeriodError::NotAligned { .. })
        ));
        assert_eq!(india.period_count(Resolution::Minutes30), Ok(48));
        assert!(MarketDay::new(Date::MAX, Zone::UTC).is_err());
    }

    proptest! {
        #[test]
        fn local_times_round_trip(second in 0_i64..4_000_000_000) {
            let instant = Timestamp::from_second(second).unwrap();
            for name in ["Europe/Oslo", "Europe/Bucharest", "Europe/Istanbul", "America/Los_Angeles"] {
                let zone = zone(name);
                let local = zone.local(instant);
                let candidates = [Fold::First, Fold::Second].map(|fold| zone.instant(local, Some(fold)).unwrap());
                prop_assert!(candidates.contains(&instant));
                let day = zone.market_day(instant).unwrap();
                prop_assert!(day.start() <= instant && instant < day.end());
            }
        }
    }
}
