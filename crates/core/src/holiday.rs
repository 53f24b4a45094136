//! Public holidays and what they make of a day.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use jiff::ToSpan;
use jiff::civil::{Date, Weekday, date};
use serde::{Deserialize, Serialize};

/// What tariffs make of a local day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DayType {
    /// Monday to Friday, not a holiday.
    WorkingDay,
    /// Saturday or Sunday, not a holiday.
    Weekend,
    /// A public holiday, whatever its weekday.
    Holiday,
}

/// Whose public holidays count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HolidayCalendar {
    /// No holidays.
    None,
    /// The public holidays of Norway.
    Norway,
}

/// A holiday calendar that is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("unknown holiday calendar, expected none or norway")]
pub struct HolidayCalendarError;

impl HolidayCalendar {
    /// Returns the holidays of a year, in order; two holidays on one day are one date.
    ///
    /// ```
    /// use gridtally_core::holiday::HolidayCalendar;
    ///
    /// let first = HolidayCalendar::Norway.holidays(2026).first().copied();
    /// assert_eq!(first, Some(jiff::civil::date(2026, 1, 1)));
    /// ```
    ///
    /// # Panics
    ///
    /// When the year is not within 1583 to 9999, which is a bug of the caller.
    #[must_use]
    pub fn holidays(self, year: i16) -> BTreeSet<Date> {
        match self {
            Self::None => BTreeSet::new(),
            Self::Norway => norwegian_holidays(year),
        }
    }

    /// Returns what kind of day a local date is. Before 1583, when the calendar began, no day is a holiday.
    #[must_use]
    pub fn day_type(self, day: Date) -> DayType {
        if day.year() >= FIRST_YEAR && self.holidays(day.year()).contains(&day) {
            return DayType::Holiday;
        }
        match day.weekday() {
            Weekday::Saturday | Weekday::Sunday => DayType::Weekend,
            _ => DayType::WorkingDay,
        }
    }
}

impl fmt::Display for HolidayCalendar {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::None => "none",
            Self::Norway => "norway",
        })
    }
}

impl FromStr for HolidayCalendar {
    type Err = HolidayCalendarError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "none" => Ok(Self::None),
            "norway" => Ok(Self::Norway),
            _ => Err(HolidayCalendarError),
        }
    }
}

/// First whole year of the Gregorian calendar.
const FIRST_YEAR: i16 = 1583;

/// The public holidays of Norway; Sundays that are holidays anyway (Easter, Whit Sunday) are named too.
fn norwegian_holidays(year: i16) -> BTreeSet<Date> {
    let easter = easter_sunday(year);
    // Maundy Thursday, Good Friday, Easter, Easter Monday, Ascension Day, Whit Sunday, Whit Monday.
    let movable = [-3, -2, 0, 1, 39, 49, 50].map(|days| easter.saturating_add(days.days()));
    let fixed = [(1, 1), (5, 1), (5, 17), (12, 25), (12, 26)];
    let fixed = fixed.map(|(month, day)| date(year, month, day));
    movable.into_iter().chain(fixed).collect()
}

/// Returns the date of Easter Sunday in the western churches.
///
/// # Panics
///
/// When the year is not within 1583 to 9999, which is a bug of the caller.
///
/// # Source
///
/// The anonymous algorithm of 1876, as in J. Meeus, Astronomical Algorithms, chapter 8.
#[must_use]
pub fn easter_sunday(year: i16) -> Date {
    assert!((FIRST_YEAR..=9999).contains(&year), "no Gregorian Easter in {year}");
    let golden = year % 19;
    let (century, in_century) = (year / 100, year % 100);
    let (leap_centuries, rest) = (century / 4, century % 4);
    let correction = (century - (century + 8) / 25 + 1) / 3;
    let epact = (19 * golden + century - leap_centuries - correction + 15) % 30;
    let weekday = (32 + 2 * rest + 2 * (in_century / 4) - epact - in_century % 4) % 7;
    let late = (golden + 11 * epact + 22 * weekday) / 451;
    let days = epact + weekday - 7 * late + 114;
    let small = |number: i16| i8::try_from(number).expect("a month or a day of a month");
    date(year, small(days / 31), small(days % 31 + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn norway(year: i16) -> String {
        let holidays = HolidayCalendar::Norway.holidays(year);
        let listed: Vec<_> =
            holidays.iter().map(|day| day.strftime("%-d %b").to_string()).collect();
        listed.join(", ")
    }

    #[test]
    fn norwegian_holidays_are_known() {
        // TV-05. In 2027, 17 May is both the national day and Whit Monday.
        let in_2026 = "1 Jan, 2 Apr, 3 Apr, 5 Apr, 6 Apr, 1 May, 14 May, 17 May, 24 May, 25 May, 25 Dec, 26 Dec";
        assert_eq!(norway(2026), in_2026);
        let in_2027 =
            "1 Jan, 25 Mar, 26 Mar, 28 Mar, 29 Mar, 1 May, 6 May, 16 May, 17 May, 25 Dec, 26 Dec";
        assert_eq!(norway(2027), in_2027);
    }

    #[test]
    fn holidays_come_before_weekends() {
        let day_type = |text: &str| HolidayCalendar::Norway.day_type(text.parse().unwrap());
        assert_eq!(day_type("2026-05-14"), DayType::Holiday);
        assert_eq!(day_type("2026-05-17"), DayType::Holiday); // a Sunday
        assert_eq!(day_type("2026-05-16"), DayType::Weekend);
        assert_eq!(day_type("2026-05-15"), DayType::WorkingDay);
        assert_eq!(day_type("1066-12-25"), DayType::WorkingDay); // a Monday in the proleptic calendar
        assert_eq!(HolidayCalendar::None.day_type(date(2026, 5, 14)), DayType::WorkingDay);
    }

    /// Easter by its definition: the first Sunday after the ecclesiastical full moon on or after 21 March
    /// (Clavius, as in D. Knuth, The Art of Computer Programming, volume 1, section 1.3.2, exercise 14).
    fn easter_by_epact(year: i16) -> Date {
        let (year, century) = (i32::from(year), i32::from(year) / 100 + 1);
        let golden = year % 19 + 1;
        let mut epact =
            (11 * golden + 20 + (8 * century + 5) / 25 - 5 - (3 * century / 4 - 12)).rem_euclid(30);
        if (epact == 25 && golden > 11) || epact == 24 {
            epact += 1;
        }
        let moon = if epact < 24 { 44 - epact } else { 74 - epact };
        let start = date(i16::try_from(year).unwrap(), 3, 1);
        let mut day = start.saturating_add((moon - 1).days()).tomorrow().unwrap();
        while day.weekday() != Weekday::Sunday {
            day = day.tomorrow().unwrap();
        }
        day
    }

    #[test]
    fn easter_agrees_with_its_definition() {
        for year in FIRST_YEAR..=4000 {
            assert_eq!(easter_sunday(year), easter_by_epact(year), "{year}");
        }
        // The earliest and the latest Easter there is.
        assert_eq!(
            (easter_sunday(2285), easter_sunday(2038)),
            (date(2285, 3, 22), date(2038, 4, 25))
        );
        let _last = easter_sunday(9999);
    }
}
