//! Days and instants on the command line.

use std::str::FromStr;

use gridtally_core::calendar::{DayOutOfRange, MarketDay, Zone};
use jiff::Timestamp;
use jiff::civil::Date;

/// A local day, meaning its first instant, or an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    Day(Date),
    Instant(Timestamp),
}

impl Moment {
    /// Returns the instant; a day begins when it does in `zone`.
    ///
    /// # Errors
    ///
    /// [`DayOutOfRange`] for a day beyond the calendar.
    pub(super) fn instant(self, zone: &Zone) -> Result<Timestamp, DayOutOfRange> {
        match self {
            Self::Day(date) => Ok(MarketDay::new(date, zone.clone())?.start()),
            Self::Instant(instant) => Ok(instant),
        }
    }
}

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || "write it as 2026-10-25 or 2026-10-24T22:00:00Z".to_owned();
        if text.len() == "2026-10-25".len() {
            text.parse().map(Self::Day).map_err(|_| wrong())
        } else {
            text.parse().map(Self::Instant).map_err(|_| wrong())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_begin_at_local_midnight() {
        let oslo = Zone::new("Europe/Oslo").unwrap();
        let instant =
            |text: &str| text.parse::<Moment>().unwrap().instant(&oslo).unwrap().to_string();
        assert_eq!(instant("2026-10-25"), "2026-10-24T22:00:00Z");
        assert_eq!(instant("2026-10-26"), "2026-10-25T23:00:00Z");
        assert_eq!(instant("2026-10-25T02:00:00+01:00"), "2026-10-25T01:00:00Z");
        for text in ["yesterday", "2026-02-30", "2026-10-25T02:00:00", "25.10.2026"] {
            assert!(text.parse::<Moment>().is_err(), "{text}");
        }
    }
}
