//! The parts of which a price is composed.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{PriceArea, PriceUnavailable, SpotPrices};
use crate::calendar::Zone;
use crate::holiday::{DayType, HolidayCalendar};
use crate::period::Period;
use crate::quantity::Price;

/// Minutes of a day by the clock, which no change of clocks alters.
const DAY_MINUTES: u16 = 24 * 60;

/// One part of a price; the parts are added.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "part", rename_all = "snake_case", deny_unknown_fields)]
pub enum PricePart {
    /// The market's spot price of an area, plus a margin.
    Spot {
        /// The price area.
        area: PriceArea,
        /// Added to the spot price; negative for buy-back below spot.
        #[serde(rename = "margin_micro_per_kwh")]
        margin: Price,
    },
    /// The same price at any time.
    Fixed {
        /// The price.
        #[serde(rename = "price_micro_per_kwh")]
        price: Price,
    },
    /// A price by local time and kind of day.
    TimeOfUse(TimeOfUse),
}

/// A price by local time: that of the first band which applies when the period starts, otherwise `otherwise`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimeOfUse {
    /// Whose clocks count.
    pub zone: Zone,
    /// Whose holidays count.
    pub holidays: HolidayCalendar,
    /// The price outside all bands.
    #[serde(rename = "otherwise_micro_per_kwh")]
    pub otherwise: Price,
    /// The bands, the first that applies counts.
    #[serde(default, rename = "band", skip_serializing_if = "Vec::is_empty")]
    pub bands: Vec<Band>,
}

/// Local times `[from, until)` on some kinds of days.
///
/// When `until` is not after `from`, the band goes on after midnight: 22:00 to 06:00 holds from 00:00 to 06:00 and from 22:00
/// to 24:00 of the same local date. Equal times are the whole day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Band {
    /// On which days.
    pub days: BTreeSet<DayType>,
    /// First local time.
    pub from: MinuteOfDay,
    /// First local time after it.
    pub until: MinuteOfDay,
    /// The price.
    #[serde(rename = "price_micro_per_kwh")]
    pub price: Price,
}

impl PricePart {
    /// Returns what this part adds to the price of a period, in micro-units per kilowatt-hour: at most 33 bits.
    pub(super) fn micro_per_kwh(
        &self,
        period: Period,
        spot: &SpotPrices,
    ) -> Result<i64, PriceUnavailable> {
        match self {
            Self::Spot { area, margin } => {
                let missing = || PriceUnavailable::SpotMissing { area: area.clone(), period };
                let price = spot.price(area, period).ok_or_else(missing)?;
                Ok(i64::from(price.micro_per_kwh()) + i64::from(margin.micro_per_kwh()))
            }
            Self::Fixed { price } => Ok(i64::from(price.micro_per_kwh())),
            Self::TimeOfUse(part) => Ok(i64::from(part.price(period).micro_per_kwh())),
        }
    }

    /// Returns the least and the most that this part can add, in micro-units per kilowatt-hour; `None` where the market says.
    pub(super) fn bounds(&self) -> Option<(i64, i64)> {
        match self {
            Self::Spot { .. } => None,
            Self::Fixed { price } => {
                Some((price.micro_per_kwh().into(), price.micro_per_kwh().into()))
            }
            Self::TimeOfUse(part) => {
                let bands = part.bands.iter().map(|band| band.price);
                let prices = bands.chain([part.otherwise]).map(Price::micro_per_kwh);
                let (least, most) = prices.fold((i32::MAX, i32::MIN), |(least, most), price| {
                    (least.min(price), most.max(price))
                });
                Some((least.into(), most.into()))
            }
        }
    }
}

impl TimeOfUse {
    /// Returns the place of the first band that never applies, from 0: it has no day that the calendar knows, or the bands before
    /// it take all of its times.
    pub(super) fn unused_band(&self) -> Option<usize> {
        let mut taken = [[false; DAY_MINUTES as usize]; 3];
        self.bands.iter().position(|band| {
            let is_known = |day: &&DayType| {
                **day != DayType::Holiday || self.holidays != HolidayCalendar::None
            };
            let mut is_unused = true;
            for &day in band.days.iter().filter(is_known) {
                for span in band.spans() {
                    let times = &mut taken[day as usize][span];
                    is_unused &= times.iter().all(|taken| *taken);
                    times.fill(true);
                }
            }
            is_unused
        })
    }

    fn price(&self, period: Period) -> Price {
        let local = self.zone.local(period.start());
        let day_type = self.holidays.day_type(local.date());
        let minute = MinuteOfDay::of(local.time());
        let band =
            self.bands.iter().find(|band| band.days.contains(&day_type) && band.contains(minute));
        band.map_or(self.otherwise, |band| band.price)
    }
}

impl Band {
    /// Returns its minutes of a day: up to midnight and, where it goes on, after it.
    fn spans(&self) -> [Range<usize>; 2] {
        let (from, until) = (usize::from(self.from.0), usize::from(self.until.0));
        if from < until { [from..until, 0..0] } else { [from..DAY_MINUTES.into(), 0..until] }
    }

    fn contains(&self, minute: MinuteOfDay) -> bool {
        if self.from < self.until {
            self.from <= minute && minute < self.until
        } else {
            self.from <= minute || minute < self.until
        }
    }
}

/// A local time of day in whole minutes, `00:00` to `23:59`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct MinuteOfDay(u16);

/// A text that is not a time of day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected a time of day such as 06:00, at most 23:59")]
pub struct MinuteOfDayError;

impl MinuteOfDay {
    fn of(time: jiff::civil::Time) -> Self {
        Self(u16::from(time.hour().unsigned_abs()) * 60 + u16::from(time.minute().unsigned_abs()))
    }
}

impl fmt::Display for MinuteOfDay {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:02}:{:02}", self.0 / 60, self.0 % 60)
    }
}

impl FromStr for MinuteOfDay {
    type Err = MinuteOfDayError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let &[hour_10, hour_1, b':', minute_10, minute_1] = text.as_bytes() else {
            return Err(MinuteOfDayError);
        };
        let number = |tens: u8, ones: u8| {
            let both = tens.is_ascii_digit() && ones.is_ascii_digit();
            both.then(|| u16::from(tens - b'0') * 10 + u16::from(ones - b'0'))
        };
        match (number(hour_10, hour_1), number(minute_10, minute_1)) {
            (Some(hour), Some(minute)) if hour < 24 && minute < 60 => Ok(Self(hour * 60 + minute)),
            _ => Err(MinuteOfDayError),
        }
    }
}

impl TryFrom<String> for MinuteOfDay {
    type Error = MinuteOfDayError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<MinuteOfDay> for String {
    fn from(minute: MinuteOfDay) -> Self {
        minute.to_string()
    }
}
