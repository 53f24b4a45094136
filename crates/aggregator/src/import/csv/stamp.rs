//! Time stamps of fields, to seconds of UTC.

use std::collections::HashMap;

use gridtally_core::calendar::{Fold, LocalTimeError, Zone};
use gridtally_core::rejection::Reason;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::fmt::temporal::Pieces;

use super::layout::{Repeated, StampZone};

/// Seconds in a day.
const DAY_S: i64 = 86_400;

/// Reads stamps of one file.
pub(super) struct Clock<'a> {
    format: Option<&'a str>,
    zone: &'a StampZone,
    repeated: Repeated,
    /// Offset of local days, by days since 1970, where it is the same all day.
    offsets_s: HashMap<i64, Option<i64>>,
}

impl<'a> Clock<'a> {
    /// Days that are remembered; garbage has many.
    const DAYS_MAX: usize = 100_000;

    /// Returns the clock of a file. `format` is that of its stamps, as `strptime` has it; ISO 8601 without.
    pub(super) fn new(format: Option<&'a str>, zone: &'a StampZone, repeated: Repeated) -> Self {
        Self { format, zone, repeated, offsets_s: HashMap::new() }
    }

    /// Returns the Unix second of a stamp. `is_taken` says of an instant whether the rows have come that far already.
    pub(super) fn unix_second(
        &mut self,
        text: &str,
        is_taken: impl Fn(i64) -> bool,
    ) -> Result<i64, Reason> {
        let text = text.trim_matches([' ', '\t']);
        if let Some(format) = self.format {
            return match formatted(text, format)? {
                Formatted::Instant(instant) => whole(instant),
                Formatted::Local(local) => self.resolve(local, is_taken),
            };
        }
        if let Some((civil_s, is_utc)) = plain(text.as_bytes()) {
            if is_utc {
                return Ok(civil_s);
            }
            if let Some(offset_s) = self.offset_s(civil_s.div_euclid(DAY_S)) {
                return Ok(civil_s - offset_s);
            }
        }
        self.slowly(text, is_taken)
    }

    /// Reads any stamp of ISO 8601.
    fn slowly(&self, text: &str, is_taken: impl Fn(i64) -> bool) -> Result<i64, Reason> {
        let has_offset = text.ends_with(['Z', 'z'])
            || text.get(11..).is_some_and(|time| time.contains(['+', '-']));
        if has_offset {
            return instant(text);
        }
        // The parser of civil times would read a date alone as midnight.
        if !text.contains(':') || text.contains('[') {
            return Err(Reason::TimeMalformed);
        }
        let local = text.parse().map_err(|_| unreadable(text))?;
        self.resolve(local, is_taken)
    }

    /// Returns the Unix second of a local time.
    fn resolve(&self, local: DateTime, is_taken: impl Fn(i64) -> bool) -> Result<i64, Reason> {
        let zone = match self.zone {
            StampZone::Zone(zone) => zone,
            StampZone::Offset(offset_s) => {
                let utc = jiff::tz::Offset::UTC.to_timestamp(local);
                return Ok(whole(utc.map_err(|_| Reason::TimeOutOfRange)?)? - i64::from(*offset_s));
            }
        };
        match zone.instant(local, None) {
            Ok(instant) => whole(instant),
            Err(LocalTimeError::Ambiguous { .. }) if self.repeated == Repeated::ByOrder => {
                let fold = |fold| zone.instant(local, Some(fold)).map_err(LocalTimeError::reason);
                let first = whole(fold(Fold::First)?)?;
                if is_taken(first) { whole(fold(Fold::Second)?) } else { Ok(first) }
            }
            Err(error) => Err(error.reason()),
        }
    }

    /// Returns the offset of a local day, positive east, if it is the same all day.
    fn offset_s(&mut self, day: i64) -> Option<i64> {
        match self.zone {
            StampZone::Offset(offset_s) => Some(i64::from(*offset_s)),
            StampZone::Zone(zone) => {
                if self.offsets_s.len() >= Self::DAYS_MAX {
                    self.offsets_s.clear();
                }
                *self.offsets_s.entry(day).or_insert_with(|| offset_all_day_s(zone, day))
            }
        }
    }
}

/// Returns the offset that a local day has at every full hour, both midnights included. No zone leaves an offset and comes
/// back to it within an hour.
fn offset_all_day_s(zone: &Zone, day: i64) -> Option<i64> {
    let offset_s = |hour: i64| {
        let civil_s = day * DAY_S + hour * 3_600;
        let civil = jiff::tz::Offset::UTC.to_datetime(Timestamp::from_second(civil_s).ok()?);
        Some(civil_s - zone.instant(civil, None).ok()?.as_second())
    };
    let midnight_s = offset_s(0)?;
    (1..=24).all(|hour| offset_s(hour) == Some(midnight_s)).then_some(midnight_s)
}

/// What a stamp with a format of its own says.
enum Formatted {
    Local(DateTime),
    Instant(Timestamp),
}

/// Reads a stamp by its format: an instant where it has an offset or counts seconds since 1970 (`%s`). A zone by name is
/// refused: it may contradict that of the file.
fn formatted(text: &str, format: &str) -> Result<Formatted, Reason> {
    let parts = jiff::fmt::strtime::parse(format, text).map_err(|_| {
        // Seconds are all the same number; one that is no instant is milliseconds, say.
        let is_number = text.trim_start_matches('-').bytes().all(|byte| byte.is_ascii_digit());
        if format == "%s" && is_number { Reason::TimeOutOfRange } else { Reason::TimeMalformed }
    })?;
    match (parts.to_datetime(), parts.offset()) {
        _ if parts.iana_time_zone().is_some() => Err(Reason::TimeMalformed),
        (Ok(local), None) => Ok(Formatted::Local(local)),
        (Ok(_), Some(_)) => {
            parts.to_timestamp().map(Formatted::Instant).map_err(|_| Reason::TimeOutOfRange)
        }
        (Err(_), _) => {
            parts.to_timestamp().map(Formatted::Instant).map_err(|_| Reason::TimeMalformed)
        }
    }
}

/// Returns the Unix second of an instant of ISO 8601, which has `Z` or an offset.
pub(in crate::import) fn instant(text: &str) -> Result<i64, Reason> {
    text.parse().map_err(|_| unreadable(text)).and_then(whole)
}

/// Returns why a text of ISO 8601 cannot be read: it is none, or names a time that no calendar of ours has.
fn unreadable(text: &str) -> Reason {
    let year_digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let has_long_year = year_digits > 4 && text[year_digits..].starts_with('-');
    let is_beyond = || {
        let pieces = Pieces::parse(text).ok()?;
        let local = pieces.date().to_datetime(pieces.time()?);
        Some(pieces.to_numeric_offset()?.to_timestamp(local).is_err())
    };
    if has_long_year || is_beyond() == Some(true) {
        Reason::TimeOutOfRange
    } else {
        Reason::TimeMalformed
    }
}

fn whole(instant: Timestamp) -> Result<i64, Reason> {
    let is_whole = instant.subsec_nanosecond() == 0;
    if is_whole { Ok(instant.as_second()) } else { Err(Reason::TimeNotAligned) }
}

/// Seconds since 1970 of `2016-08-01T07:00:00Z` (and that it is UTC) or `2016-08-01 07:00`, seconds and zeros behind them
/// as you like, in the years 1970 to 2399. This is the usual case; anything else is left to the slow way.
pub(in crate::import) fn plain(text: &[u8]) -> Option<(i64, bool)> {
    let (text, is_utc) = match text {
        [civil @ .., b'Z'] => (civil, true),
        civil => (civil, false),
    };
    let (minutes, second) = match *text {
        [ref minutes @ .., b':', tens, ones] if minutes.len() == 16 => (minutes, pair(tens, ones)?),
        [_, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _] => (text, 0),
        _ => {
            let (seconds, zeros) = text.split_at_checked(20)?;
            let is_zero =
                (1..=9).contains(&zeros.len()) && zeros.iter().all(|&digit| digit == b'0');
            let &[ref minutes @ .., b':', tens, ones, b'.'] = seconds else { return None };
            (minutes, pair(tens, ones).filter(|_| is_zero)?)
        }
    };
    let &[y3, y2, y1, y0, b'-', m1, m0, b'-', d1, d0, b'T' | b' ', h1, h0, b':', n1, n0] = minutes
    else {
        return None;
    };
    let year = pair(y3, y2)? * 100 + pair(y1, y0)?;
    let (month, day, hour, minute) = (pair(m1, m0)?, pair(d1, d0)?, pair(h1, h0)?, pair(n1, n0)?);
    let is_time = hour < 24 && minute < 60 && second < 60;
    if !is_time || !(1970..2400).contains(&year) || !(1..=12).contains(&month) {
        return None;
    }
    let second_of_day = hour * 3_600 + minute * 60 + second;
    let is_date = (1..=month_days(year, month)).contains(&day);
    is_date.then(|| (days_since_1970(year, month, day) * DAY_S + second_of_day, is_utc))
}

/// The number of two digits.
fn pair(tens: u8, ones: u8) -> Option<i64> {
    let (tens, ones) = (tens.wrapping_sub(b'0'), ones.wrapping_sub(b'0'));
    (tens < 10 && ones < 10).then(|| i64::from(tens) * 10 + i64::from(ones))
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn month_days(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days of the proleptic Gregorian calendar from 1970-01-01, for years from 1970 on.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    /// Days of a common year before each month.
    const BEFORE: [i64; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
    let past = year - 1;
    let leap_days = past / 4 - past / 100 + past / 400 - (1969 / 4 - 1969 / 100 + 1969 / 400);
    let month_index = usize::try_from(month - 1).unwrap_or(0);
    let leap_day = i64::from(month > 2 && is_leap(year));
    (year - 1970) * 365 + leap_days + BEFORE[month_index] + leap_day + day - 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn oslo(text: &str, repeated: Repeated, taken_s: i64) -> Result<String, Reason> {
        let zone = StampZone::Zone(Zone::new("Europe/Oslo").unwrap());
        let second =
            Clock::new(None, &zone, repeated).unix_second(text, |second| second <= taken_s);
        second.map(|second| Timestamp::from_second(second).unwrap().to_string())
    }

    #[test]
    fn local_times_become_utc() {
        let check = |text, expected: &str| {
            assert_eq!(oslo(text, Repeated::Refuse, 0).as_deref(), Ok(expected), "{text}");
        };
        check("2026-01-15 10:00", "2026-01-15T09:00:00Z");
        check("2026-01-15T10:00:00", "2026-01-15T09:00:00Z");
        check(" 2026-01-15 10:00:00.0000000 ", "2026-01-15T09:00:00Z");
        check("2026-06-15 10:00+05:00", "2026-06-15T05:00:00Z");
        check("2026-06-15T10:00:00Z", "2026-06-15T10:00:00Z");
        check("2026-06-15T10:00Z", "2026-06-15T10:00:00Z");
        check("1969-12-31 10:00", "1969-12-31T09:00:00Z");
        // Around the jump of clocks.
        check("2026-03-29 01:59", "2026-03-29T00:59:00Z");
        check("2026-03-29 03:00", "2026-03-29T01:00:00Z");
        check("2026-10-25 03:00", "2026-10-25T02:00:00Z");
        check("2026-10-25 02:30+01:00", "2026-10-25T01:30:00Z");
    }

    #[test]
    fn times_that_are_none_are_refused_by_reason() {
        let check =
            |text, reason| assert_eq!(oslo(text, Repeated::Refuse, 0), Err(reason), "{text}");
        for text in [
            "",
            "2026-01-15",
            "15.01.2026 10:00",
            "2026-02-30T00:00:00Z",
            "2026-01-15T24:00:00Z",
            "2026-01-15 10:00:00.",
            "x",
        ] {
            check(text, Reason::TimeMalformed);
        }
        check("2026-03-29 02:30", Reason::TimeNonexistent);
        check("2026-10-25 02:30", Reason::TimeAmbiguous);
        check("2026-01-15 10:00:00.5", Reason::TimeNotAligned);
    }

    #[test]
    fn a_repeated_local_time_is_told_by_the_order_of_the_rows() {
        let before_s = "2026-10-24T23:45:00Z".parse::<Timestamp>().unwrap().as_second();
        let first = oslo("2026-10-25 02:00", Repeated::ByOrder, before_s);
        assert_eq!(first.as_deref(), Ok("2026-10-25T00:00:00Z"));
        let second = oslo("2026-10-25 02:00", Repeated::ByOrder, before_s + 900);
        assert_eq!(second.as_deref(), Ok("2026-10-25T01:00:00Z"));
    }

    #[test]
    fn a_fixed_offset_knows_no_daylight_saving() {
        let zone: StampZone = "+10:00".parse().unwrap();
        let mut clock = Clock::new(None, &zone, Repeated::Refuse);
        let second = clock.unix_second("2012-10-07 02:30", |_| false).unwrap();
        assert_eq!(Timestamp::from_second(second).unwrap().to_string(), "2012-10-06T16:30:00Z");
        assert!("+25:00".parse::<StampZone>().is_err());
        assert!("Mars/Olympus".parse::<StampZone>().is_err());
    }

    #[test]
    fn stamps_have_the_format_that_is_given() {
        let zone: StampZone = "Europe/Oslo".parse().unwrap();
        let check = |format, text, expected: Result<&str, Reason>| {
            let mut clock = Clock::new(Some(format), &zone, Repeated::Refuse);
            let second = clock.unix_second(text, |_| false);
            let instant = second.map(|second| Timestamp::from_second(second).unwrap().to_string());
            assert_eq!(instant.as_deref(), expected.as_ref().copied(), "{text}");
        };
        let day_first = "%d.%m.%Y %H:%M";
        check(day_first, "15.01.2026 10:00", Ok("2026-01-15T09:00:00Z"));
        check(day_first, "2026-01-15 10:00", Err(Reason::TimeMalformed));
        check(day_first, "29.03.2026 02:30", Err(Reason::TimeNonexistent));
        check(day_first, "25.10.2026 02:30", Err(Reason::TimeAmbiguous));
        check("%d.%m.%Y %H:%M %z", "25.10.2026 02:30 +0100", Ok("2026-10-25T01:30:00Z"));
        check("%m/%d/%Y %I:%M %p", "01/15/2026 10:15 PM", Ok("2026-01-15T21:15:00Z"));
        check("%s", "1768471200", Ok("2026-01-15T10:00:00Z"));
        check("%Y-%m-%d %H:%M %Q", "2026-01-15 10:00 Asia/Tokyo", Err(Reason::TimeMalformed));
        check("%", "15.01.2026 10:00", Err(Reason::TimeMalformed));
    }

    #[test]
    fn times_beyond_the_calendar_are_told_from_those_that_are_none() {
        use Reason::{TimeMalformed, TimeOutOfRange};
        let utc = StampZone::Zone(Zone::UTC);
        for (format, text, expected) in [
            (None, "9999-12-30T22:00:00Z", Ok(253_402_207_200)),
            (None, "9999-12-30T22:00:01Z", Err(TimeOutOfRange)),
            (None, "9999-12-31T23:00:00Z", Err(TimeOutOfRange)),
            (None, "9999-12-31T23:00:00+01:00", Err(TimeOutOfRange)),
            (None, "9999-12-31 23:00", Err(TimeOutOfRange)),
            (None, "9999-12-32T23:00:00Z", Err(TimeMalformed)),
            (None, "9999-12-31T24:30:00Z", Err(TimeMalformed)),
            (None, "10000-01-01T00:00:00Z", Err(TimeOutOfRange)),
            (None, "20266-01-15 10:00", Err(TimeOutOfRange)),
            (None, "-009999-01-01T00:00:00Z", Err(TimeOutOfRange)),
            (None, "0001-01-01T00:00:00Z", Ok(-62_135_596_800)),
            (None, "0000-01-01 00:00", Ok(-62_167_219_200)),
            (Some("%d.%m.%Y %H:%M"), "31.12.9999 23:00", Err(TimeOutOfRange)),
            (Some("%d.%m.%Y %H:%M %z"), "31.12.9999 23:00 +0000", Err(TimeOutOfRange)),
            (Some("%d.%m.%Y %H:%M %z"), "31.13.9999 23:00 +0000", Err(TimeMalformed)),
            (Some("%s"), "1768471200000", Err(TimeOutOfRange)),
            (Some("%s"), "1768471200x", Err(TimeMalformed)),
        ] {
            let second = Clock::new(format, &utc, Repeated::Refuse).unix_second(text, |_| false);
            assert_eq!(second, expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn the_fast_way_agrees_with_the_slow_one(second in 0_i64..13_569_465_600) {
            let text = Timestamp::from_second(second).unwrap().to_string();
            prop_assert_eq!(plain(text.as_bytes()), Some((second, true)));
            prop_assert_eq!(plain(text.trim_end_matches('Z').as_bytes()), Some((second, false)));
            let zone: StampZone = "Europe/Lisbon".parse().unwrap();
            let mut clock = Clock::new(None, &zone, Repeated::Refuse);
            let local = text.trim_end_matches('Z').replace('T', " ");
            let slow = clock.slowly(&local, |_| false);
            prop_assert_eq!(clock.unix_second(&local, |_| false), slow);
        }

        #[test]
        fn any_text_is_read_or_refused(text in "[0-9TZ:+ .-]{0,30}|.{0,30}") {
            let zone = StampZone::Offset(3600);
            if let Some((second, true)) = plain(text.as_bytes()) {
                prop_assert_eq!(text.parse::<Timestamp>().unwrap().as_second(), second);
            }
            for format in [None, Some("%d.%m.%Y %H:%M"), Some(text.as_str())] {
                let _read = Clock::new(format, &zone, Repeated::ByOrder).unix_second(&text, |_| true);
            }
        }
    }
}
