//! Periods of UTC time: the market's ([`Period`], [`Resolution`]) and the settlement protocol's ([`SettlementCalendar`]).

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// How long a period is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Resolution {
    /// Ten minutes.
    Minutes10,
    /// A quarter of an hour, the European market time unit.
    Minutes15,
    /// Half an hour, as in Great Britain and Australia.
    Minutes30,
    /// An hour.
    Minutes60,
}

/// A resolution that is not supported.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown resolution, expected PT10M, PT15M, PT30M or PT60M")]
pub struct ResolutionError;

impl Resolution {
    /// All resolutions, shortest first.
    pub const ALL: [Self; 4] = [Self::Minutes10, Self::Minutes15, Self::Minutes30, Self::Minutes60];

    /// Returns the length in minutes; it divides 60.
    #[must_use]
    pub const fn minutes(self) -> u32 {
        match self {
            Self::Minutes10 => 10,
            Self::Minutes15 => 15,
            Self::Minutes30 => 30,
            Self::Minutes60 => 60,
        }
    }

    /// Returns the length in seconds.
    #[must_use]
    pub const fn duration_seconds(self) -> i64 {
        match self {
            Self::Minutes10 => 600,
            Self::Minutes15 => 900,
            Self::Minutes30 => 1_800,
            Self::Minutes60 => 3_600,
        }
    }

    /// Returns the resolution of that many minutes.
    ///
    /// # Errors
    ///
    /// Returns [`ResolutionError`] for anything but 10, 15, 30 and 60.
    pub fn from_minutes(minutes: u32) -> Result<Self, ResolutionError> {
        Self::ALL
            .into_iter()
            .find(|resolution| resolution.minutes() == minutes)
            .ok_or(ResolutionError)
    }
}

impl fmt::Display for Resolution {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "PT{}M", self.minutes())
    }
}

impl FromStr for Resolution {
    type Err = ResolutionError;

    /// Reads an ISO 8601 duration; the hour is `PT60M` or `PT1H`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "PT10M" => Ok(Self::Minutes10),
            "PT15M" => Ok(Self::Minutes15),
            "PT30M" => Ok(Self::Minutes30),
            "PT60M" | "PT1H" => Ok(Self::Minutes60),
            _ => Err(ResolutionError),
        }
    }
}

impl TryFrom<String> for Resolution {
    type Error = ResolutionError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Resolution> for String {
    fn from(resolution: Resolution) -> Self {
        resolution.to_string()
    }
}

/// One period of the market: half-open `[start, end)` in UTC, aligned to its resolution.
///
/// ```text
/// 10:00        10:15        10:30
///   |--period----|--next------|
///   start        end (belongs to the next one)
/// ```
///
/// Its text is the start and the resolution: `2026-01-15T10:00:00Z/PT15M`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Period {
    start: Timestamp,
    resolution: Resolution,
}

/// Why there is no such period. In order of precedence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PeriodError {
    /// The text is not `<start>/<resolution>`.
    #[error("expected a start in UTC and a resolution, such as 2026-01-15T10:00:00Z/PT15M")]
    NotAPeriod,
    /// The start does not lie on the grid of the resolution.
    #[error("{start} is not the start of a {resolution} period in UTC")]
    NotAligned {
        /// The start as given.
        start: Timestamp,
        /// The resolution as given.
        resolution: Resolution,
    },
    /// The end would lie beyond the year 9999.
    #[error("the period ends beyond the calendar")]
    OutOfRange,
}

impl Period {
    /// Starts of periods that files and stores may have, Unix time, s: from 1970 on, and early enough for an hour to end
    /// before the last instant that there is, 9999-12-30T22:00:00Z.
    pub const STARTS_S: RangeInclusive<i64> = 0..=253_402_207_200 - 3_600;

    /// Returns the period that starts then.
    ///
    /// # Errors
    ///
    /// [`PeriodError::NotAligned`] when the start is off the grid, [`PeriodError::OutOfRange`] at the end of time.
    pub fn new(start: Timestamp, resolution: Resolution) -> Result<Self, PeriodError> {
        let aligned = start.as_second().rem_euclid(resolution.duration_seconds()) == 0
            && start.subsec_nanosecond() == 0;
        if !aligned {
            return Err(PeriodError::NotAligned { start, resolution });
        }
        match Timestamp::from_second(start.as_second() + resolution.duration_seconds()) {
            Ok(_) => Ok(Self { start, resolution }),
            Err(_) => Err(PeriodError::OutOfRange),
        }
    }

    /// Returns the period that contains an instant.
    ///
    /// # Errors
    ///
    /// [`PeriodError::OutOfRange`] at either end of time.
    pub fn containing(instant: Timestamp, resolution: Resolution) -> Result<Self, PeriodError> {
        let second = instant.as_second() - i64::from(instant.subsec_nanosecond() < 0);
        let start = second - second.rem_euclid(resolution.duration_seconds());
        let start = Timestamp::from_second(start).map_err(|_| PeriodError::OutOfRange)?;
        Self::new(start, resolution)
    }

    /// Returns the first instant that belongs to the period.
    #[must_use]
    pub const fn start(self) -> Timestamp {
        self.start
    }

    /// Returns the first instant after the period.
    ///
    /// # Panics
    ///
    /// Never: the constructor refuses a period without an end.
    #[must_use]
    pub fn end(self) -> Timestamp {
        Timestamp::from_second(self.start.as_second() + self.resolution.duration_seconds())
            .expect("the constructor checks the end")
    }

    /// Returns how long the period is.
    #[must_use]
    pub const fn resolution(self) -> Resolution {
        self.resolution
    }

    /// Returns whether the instant lies in `[start, end)`.
    #[must_use]
    pub fn contains(self, instant: Timestamp) -> bool {
        self.start <= instant && instant < self.end()
    }

    /// Returns the period that starts where this one ends, or nothing at the end of time.
    #[must_use]
    pub fn next(self) -> Option<Self> {
        Self::new(self.end(), self.resolution).ok()
    }
}

impl fmt::Display for Period {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.start, self.resolution)
    }
}

impl FromStr for Period {
    type Err = PeriodError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (start, resolution) = text.split_once('/').ok_or(PeriodError::NotAPeriod)?;
        let start = start.parse().map_err(|_| PeriodError::NotAPeriod)?;
        let resolution = resolution.parse().map_err(|_| PeriodError::NotAPeriod)?;
        Self::new(start, resolution)
    }
}

impl TryFrom<String> for Period {
    type Error = PeriodError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Period> for String {
    fn from(period: Period) -> Self {
        period.to_string()
    }
}

/// Number of a settlement period: a fixed span of UTC since the calendar's genesis, a day, say. Not the market day.
///
/// Period 0 is never settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SettlementPeriod(pub u32);

impl fmt::Display for SettlementPeriod {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// Number of a slot inside a settlement period, from 0: slot 40 of a day of quarter-hours starts at 10:00 UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Slot(pub u16);

impl fmt::Display for Slot {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// How the settlement protocol counts time: genesis, length of a period, slots in it. All UTC, no daylight saving.
///
/// ```text
/// genesis                 genesis + length        genesis + 2 x length
///   |--period 0-------------|--period 1-------------|
///   |slot 0|slot 1|  ...    |slot 0|slot 1|  ...    |
/// ```
///
/// Holds: genesis is a whole second not before 1970, a period is 1 s to 7 days and divides evenly into 1 to 1024 slots.
///
/// # Source
///
/// Settlement protocol, section 2.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "UncheckedCalendar")]
pub struct SettlementCalendar {
    genesis_time: Timestamp,
    period_length_s: u32,
    slots_per_period: u16,
}

/// The same fields before they were checked.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UncheckedCalendar {
    genesis_time: Timestamp,
    period_length_s: u32,
    slots_per_period: u16,
}

/// Why there is no such calendar, period or slot. In order of precedence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SettlementCalendarError {
    /// The genesis is before 1970 or not a whole second.
    #[error("genesis time {genesis_time} is not a whole second since 1970")]
    Genesis {
        /// The genesis as given.
        genesis_time: Timestamp,
    },
    /// The period is empty or longer than seven days.
    #[error("a settlement period of {period_length_s} s is not between 1 s and 7 days")]
    PeriodLength {
        /// The length as given.
        period_length_s: u32,
    },
    /// No slots, more than 1024, or a period that they do not divide.
    #[error(
        "{slots_per_period} slots do not divide a settlement period of {period_length_s} s, or exceed 1024"
    )]
    Slots {
        /// The length as given.
        period_length_s: u32,
        /// The slots as given.
        slots_per_period: u16,
    },
    /// The instant is before genesis or beyond the last period.
    #[error("{instant} lies outside the settlement calendar")]
    Outside {
        /// The instant as given.
        instant: Timestamp,
    },
    /// The period lies beyond the year 9999.
    #[error("settlement period {period} lies beyond the calendar")]
    PeriodOutOfRange {
        /// The period as given.
        period: SettlementPeriod,
    },
    /// The slot is not in the period.
    #[error("slot {slot} does not exist, a settlement period has {slots_per_period}")]
    SlotOutOfRange {
        /// The slot as given.
        slot: Slot,
        /// How many slots a period has.
        slots_per_period: u16,
    },
}

impl SettlementCalendar {
    /// Longest settlement period: seven days, in seconds.
    pub const PERIOD_LENGTH_MAX_S: u32 = 604_800;
    /// Most slots in a settlement period.
    pub const SLOTS_MAX: u16 = 1_024;

    /// Returns the calendar that counts from `genesis_time`.
    ///
    /// # Errors
    ///
    /// The first three variants of [`SettlementCalendarError`], in their order.
    pub fn new(
        genesis_time: Timestamp,
        period_length_s: u32,
        slots_per_period: u16,
    ) -> Result<Self, SettlementCalendarError> {
        if genesis_time.as_second() < 0 || genesis_time.subsec_nanosecond() != 0 {
            return Err(SettlementCalendarError::Genesis { genesis_time });
        }
        if period_length_s == 0 || period_length_s > Self::PERIOD_LENGTH_MAX_S {
            return Err(SettlementCalendarError::PeriodLength { period_length_s });
        }
        let slots_fit = (1..=Self::SLOTS_MAX).contains(&slots_per_period)
            && period_length_s.is_multiple_of(u32::from(slots_per_period));
        if !slots_fit {
            return Err(SettlementCalendarError::Slots { period_length_s, slots_per_period });
        }
        Ok(Self { genesis_time, period_length_s, slots_per_period })
    }

    /// Returns the start of period 0.
    #[must_use]
    pub const fn genesis_time(&self) -> Timestamp {
        self.genesis_time
    }

    /// Returns the length of a period in seconds, 1 to 604 800.
    #[must_use]
    pub const fn period_length_s(&self) -> u32 {
        self.period_length_s
    }

    /// Returns how many slots a period has, 1 to 1024.
    #[must_use]
    pub const fn slots_per_period(&self) -> u16 {
        self.slots_per_period
    }

    /// Returns the length of a slot in seconds; it divides the period.
    #[must_use]
    pub const fn slot_length_s(&self) -> u32 {
        self.period_length_s / self.slots_per_period as u32
    }

    /// Returns the period and the slot that contain an instant.
    ///
    /// # Errors
    ///
    /// [`SettlementCalendarError::Outside`] before genesis and after 2^32 periods.
    ///
    /// # Panics
    ///
    /// Never: the constructor keeps the slots below 1025.
    pub fn locate(
        &self,
        instant: Timestamp,
    ) -> Result<(SettlementPeriod, Slot), SettlementCalendarError> {
        let outside = SettlementCalendarError::Outside { instant };
        if instant < self.genesis_time {
            return Err(outside);
        }
        let elapsed_s = instant.as_second() - self.genesis_time.as_second();
        let length_s = i64::from(self.period_length_s);
        let period = u32::try_from(elapsed_s / length_s).map_err(|_| outside)?;
        let slot = elapsed_s % length_s / i64::from(self.slot_length_s());
        let slot = u16::try_from(slot).expect("a period has at most 1024 slots");
        Ok((SettlementPeriod(period), Slot(slot)))
    }

    /// Returns the first instant of a period.
    ///
    /// # Errors
    ///
    /// [`SettlementCalendarError::PeriodOutOfRange`] beyond the year 9999.
    pub fn period_start(
        &self,
        period: SettlementPeriod,
    ) -> Result<Timestamp, SettlementCalendarError> {
        self.instant(period, 0)
    }

    /// Returns the first instant after a period.
    ///
    /// # Errors
    ///
    /// [`SettlementCalendarError::PeriodOutOfRange`] beyond the year 9999.
    pub fn period_end(
        &self,
        period: SettlementPeriod,
    ) -> Result<Timestamp, SettlementCalendarError> {
        self.instant(period, self.period_length_s)
    }

    /// Returns the first instant of a slot.
    ///
    /// # Errors
    ///
    /// [`SettlementCalendarError::PeriodOutOfRange`], then [`SettlementCalendarError::SlotOutOfRange`].
    pub fn slot_start(
        &self,
        period: SettlementPeriod,
        slot: Slot,
    ) -> Result<Timestamp, SettlementCalendarError> {
        let start = self.instant(period, u32::from(slot.0) * self.slot_length_s());
        if start.is_ok() && slot.0 >= self.slots_per_period {
            return Err(SettlementCalendarError::SlotOutOfRange {
                slot,
                slots_per_period: self.slots_per_period,
            });
        }
        start
    }

    fn instant(
        &self,
        period: SettlementPeriod,
        offset_s: u32,
    ) -> Result<Timestamp, SettlementCalendarError> {
        // At most 2^32 periods of 2^20 seconds: no overflow in 64 bits.
        let elapsed_s = i64::from(period.0) * i64::from(self.period_length_s) + i64::from(offset_s);
        Timestamp::from_second(self.genesis_time.as_second() + elapsed_s)
            .map_err(|_| SettlementCalendarError::PeriodOutOfRange { period })
    }
}

impl TryFrom<UncheckedCalendar> for SettlementCalendar {
    type Error = SettlementCalendarError;

    fn try_from(unchecked: UncheckedCalendar) -> Result<Self, Self::Error> {
        Self::new(unchecked.genesis_time, unchecked.period_length_s, unchecked.slots_per_period)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn periods_that_start_at_the_ends_of_the_calendar_have_an_end() {
        let last_s = *Period::STARTS_S.end();
        let at = |second| Timestamp::from_second(second).unwrap();
        assert_eq!(at(*Period::STARTS_S.start()).to_string(), "1970-01-01T00:00:00Z");
        let last = Period::new(at(last_s), Resolution::Minutes60).unwrap();
        assert_eq!(last.end().as_second(), Timestamp::MAX.as_second());
        assert_eq!(last.next(), None);
    }

    #[test]
    fn periods_are_half_open_and_aligned() {
        let period = Period::new(at("2026-01-15T10:00:00Z"), Resolution::Minutes15).unwrap();
        assert!(period.contains(at("2026-01-15T10:00:00Z")));
        assert!(period.contains(at("2026-01-15T10:14:59.999Z")));
        assert!(!period.contains(period.end()));
        assert_eq!(period.next().unwrap().start(), period.end());
        assert_eq!(period.to_string(), "2026-01-15T10:00:00Z/PT15M");
        for start in ["2026-01-15T10:05:00Z", "2026-01-15T10:00:00.5Z", "2026-01-15T10:00:01Z"] {
            let (start, resolution) = (at(start), Resolution::Minutes15);
            assert_eq!(
                Period::new(start, resolution),
                Err(PeriodError::NotAligned { start, resolution })
            );
        }
        assert_eq!("2026-01-15T10:00:00Z".parse::<Period>(), Err(PeriodError::NotAPeriod));
        assert_eq!(
            Period::containing(Timestamp::MAX, Resolution::Minutes60),
            Err(PeriodError::OutOfRange)
        );
    }

    #[test]
    fn hours_have_two_names() {
        assert_eq!("PT1H".parse(), Ok(Resolution::Minutes60));
        assert_eq!(Resolution::Minutes60.to_string(), "PT60M");
        assert_eq!("PT5M".parse::<Resolution>(), Err(ResolutionError));
        assert_eq!(Resolution::from_minutes(30), Ok(Resolution::Minutes30));
    }

    #[test]
    fn instants_map_to_periods_and_slots() {
        let calendar = SettlementCalendar::new(at("2026-01-01T00:00:00Z"), 86_400, 96).unwrap();
        let located = calendar.locate(at("2026-01-03T10:00:00Z")).unwrap();
        assert_eq!(located, (SettlementPeriod(2), Slot(40)));
        assert_eq!(calendar.locate(at("2026-01-03T10:14:59.9Z")).unwrap(), located);
        assert_eq!(calendar.slot_start(located.0, located.1).unwrap(), at("2026-01-03T10:00:00Z"));
        assert_eq!(calendar.period_end(SettlementPeriod(2)).unwrap(), at("2026-01-04T00:00:00Z"));
        let before = at("2025-12-31T23:59:59Z");
        assert_eq!(
            calendar.locate(before),
            Err(SettlementCalendarError::Outside { instant: before })
        );
        let slot = SettlementCalendarError::SlotOutOfRange { slot: Slot(96), slots_per_period: 96 };
        assert_eq!(calendar.slot_start(SettlementPeriod(2), Slot(96)), Err(slot));
        let period = SettlementPeriod(u32::MAX);
        // Two reasons apply; the first is reported.
        let beyond = SettlementCalendarError::PeriodOutOfRange { period };
        assert_eq!(calendar.slot_start(period, Slot(96)), Err(beyond));
    }

    #[test]
    fn impossible_calendars_are_refused_in_order() {
        let genesis = at("2026-01-01T00:00:00Z");
        for (genesis_time, length, slots, reason) in [
            (
                "1969-12-31T00:00:00Z",
                0,
                0,
                "genesis time 1969-12-31T00:00:00Z is not a whole second since 1970",
            ),
            (
                "2026-01-01T00:00:00Z",
                0,
                0,
                "a settlement period of 0 s is not between 1 s and 7 days",
            ),
            (
                "2026-01-01T00:00:00Z",
                604_801,
                0,
                "a settlement period of 604801 s is not between 1 s and 7 days",
            ),
            (
                "2026-01-01T00:00:00Z",
                86_400,
                0,
                "0 slots do not divide a settlement period of 86400 s, or exceed 1024",
            ),
            (
                "2026-01-01T00:00:00Z",
                86_400,
                97,
                "97 slots do not divide a settlement period of 86400 s, or exceed 1024",
            ),
            (
                "2026-01-01T00:00:00Z",
                86_400,
                1_350,
                "1350 slots do not divide a settlement period of 86400 s, or exceed 1024",
            ),
        ] {
            let error = SettlementCalendar::new(at(genesis_time), length, slots).unwrap_err();
            assert_eq!(error.to_string(), reason);
        }
        let json =
            serde_json::to_string(&SettlementCalendar::new(genesis, 86_400, 96).unwrap()).unwrap();
        assert_eq!(
            json,
            r#"{"genesis_time":"2026-01-01T00:00:00Z","period_length_s":86400,"slots_per_period":96}"#
        );
        assert!(serde_json::from_str::<SettlementCalendar>(&json.replace("96", "97")).is_err());
    }

    proptest! {
        #[test]
        fn period_text_round_trips(second in -5_000_000_000_i64..5_000_000_000, nano in -999_999_999..1_000_000_000) {
            for resolution in Resolution::ALL {
                prop_assert_eq!(resolution.to_string().parse(), Ok(resolution));
                let Ok(instant) = Timestamp::new(second, nano) else { continue };
                let period = Period::containing(instant, resolution).unwrap();
                prop_assert!(period.contains(instant));
                prop_assert_eq!(period.to_string().parse(), Ok(period));
            }
        }

        #[test]
        fn slots_cover_time_without_gaps(second in 0_i64..4_000_000_000, slots in 1_u16..=1_024, slot_length_s in 1_u32..500) {
            let genesis = at("1970-01-01T00:00:00Z");
            let calendar = SettlementCalendar::new(genesis, u32::from(slots) * slot_length_s, slots).unwrap();
            let instant = Timestamp::from_second(second).unwrap();
            let (period, slot) = calendar.locate(instant).unwrap();
            let start = calendar.slot_start(period, slot).unwrap();
            prop_assert!(start <= instant);
            prop_assert!(second - start.as_second() < i64::from(slot_length_s));
        }
    }
}
