//! Time stamps of fields, to seconds of UTC.

use gridtally_core::calendar::{Fold, LocalTimeError};
use gridtally_core::rejection::Reason;
use jiff::Timestamp;
use jiff::civil::DateTime;

use super::layout::{Repeated, StampZone};

/// Seconds in a day.
const DAY_S: i64 = 86_400;

/// Returns the Unix second of a stamp. `is_taken` says of an instant whether the rows have come that far already.
pub(super) fn unix_second(
    text: &str,
    zone: &StampZone,
    repeated: Repeated,
    is_taken: impl Fn(i64) -> bool,
) -> Result<i64, Reason> {
    if let Some(second) = plain_utc(text.as_bytes()) {
        return Ok(second);
    }
    let text = text.trim_matches([' ', '\t']);
    if text.is_empty() {
        return Err(Reason::TimeMalformed);
    }
    let has_offset = text.ends_with(['Z', 'z'])
        || text.get(11..).is_some_and(|time| time.contains(['+', '-']));
    if has_offset {
        let instant: Timestamp = text.parse().map_err(|_| Reason::TimeMalformed)?;
        return whole(instant);
    }
    // The parser of civil times would read a date alone as midnight.
    if !text.contains(':') || text.contains('[') {
        return Err(Reason::TimeMalformed);
    }
    let local: DateTime = text.parse().map_err(|_| Reason::TimeMalformed)?;
    match zone {
        StampZone::Offset(offset_s) => {
            let utc = jiff::tz::Offset::UTC.to_timestamp(local).map_err(|_| Reason::TimeOutOfRange)?;
            Ok(whole(utc)? - i64::from(*offset_s))
        }
        StampZone::Zone(zone) => match zone.instant(local, None) {
            Ok(instant) => whole(instant),
            Err(LocalTimeError::Ambiguous { .. }) if repeated == Repeated::ByOrder => {
                let fold = |fold| zone.instant(local, Some(fold)).map_err(LocalTimeError::reason);
                let first = whole(fold(Fold::First)?)?;
                if is_taken(first) { whole(fold(Fold::Second)?) } else { Ok(first) }
            }
            Err(error) => Err(error.reason()),
        },
    }
}

fn whole(instant: Timestamp) -> Result<i64, Reason> {
    let is_whole = instant.subsec_nanosecond() == 0;
    if is_whole { Ok(instant.as_second()) } else { Err(Reason::TimeNotAligned) }
}

/// `2016-08-01T07:00:00Z` of the years 1970 to 2399, the usual case; anything else is left to the slow way.
fn plain_utc(text: &[u8]) -> Option<i64> {
    let text: &[u8; 20] = text.try_into().ok()?;
    let is_form = text[4] == b'-'
        && text[7] == b'-'
        && text[10] == b'T'
        && text[13] == b':'
        && text[16] == b':'
        && text[19] == b'Z';
    let pair = |at: usize| {
        let (tens, ones) = (text[at].wrapping_sub(b'0'), text[at + 1].wrapping_sub(b'0'));
        (tens < 10 && ones < 10).then(|| i64::from(tens) * 10 + i64::from(ones))
    };
    let (century, year_of_century, month, day) = (pair(0)?, pair(2)?, pair(5)?, pair(8)?);
    let (hour, minute, second) = (pair(11)?, pair(14)?, pair(17)?);
    let year = century * 100 + year_of_century;
    let is_time = hour < 24 && minute < 60 && second < 60;
    if !is_form || !is_time || !(1970..2400).contains(&year) || !(1..=12).contains(&month) {
        return None;
    }
    (1..=month_days(year, month)).contains(&day).then(|| {
        days_since_1970(year, month, day) * DAY_S + hour * 3_600 + minute * 60 + second
    })
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
    use gridtally_core::calendar::Zone;
    use proptest::prelude::*;

    fn oslo(text: &str, repeated: Repeated, taken_s: i64) -> Result<String, Reason> {
        let zone = StampZone::Zone(Zone::new("Europe/Oslo").unwrap());
        let second = unix_second(text, &zone, repeated, |second| second <= taken_s);
        second.map(|second| Timestamp::from_second(second).unwrap().to_string())
    }

    #[test]
    fn local_times_become_utc() {
        let check = |text, expected: &str| {
            assert_eq!(oslo(text, Repeated::Refuse, 0).as_deref(), Ok(expected), "{text}");
        };
        check("2026-01-15 10:00", "2026-01-15T09:00:00Z");
        check("2026-01-15T10:00:00", "2026-01-15T09:00:00Z");
        check("2026-01-15 10:00:00.0000000", "2026-01-15T09:00:00Z");
        check("2026-06-15 10:00+05:00", "2026-06-15T05:00:00Z");
        check("2026-06-15T10:00:00Z", "2026-06-15T10:00:00Z");
    }

    #[test]
    fn times_that_are_none_are_refused_by_reason() {
        let check = |text, reason| assert_eq!(oslo(text, Repeated::Refuse, 0), Err(reason), "{text}");
        for text in ["", "2026-01-15", "15.01.2026 10:00", "2026-02-30T00:00:00Z", "2026-01-15T24:00:00Z", "x"] {
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
        let second = unix_second("2012-10-07 02:30", &zone, Repeated::Refuse, |_| false).unwrap();
        assert_eq!(Timestamp::from_second(second).unwrap().to_string(), "2012-10-06T16:30:00Z");
        assert!("+25:00".parse::<StampZone>().is_err());
        assert!("Mars/Olympus".parse::<StampZone>().is_err());
    }

    proptest! {
        #[test]
        fn the_fast_way_agrees_with_the_slow_one(second in 0_i64..13_569_465_600) {
            let text = Timestamp::from_second(second).unwrap().to_string();
            prop_assert_eq!(plain_utc(text.as_bytes()), Some(second));
        }

        #[test]
        fn any_text_is_read_or_refused(text in "[0-9TZ:+ .-]{0,30}|.{0,30}") {
            let zone = StampZone::Offset(3600);
            if let Some(second) = plain_utc(text.as_bytes()) {
                prop_assert_eq!(text.parse::<Timestamp>().unwrap().as_second(), second);
            }
            let _read = unix_second(&text, &zone, Repeated::ByOrder, |_| true);
        }
    }
}
