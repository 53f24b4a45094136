//! Spot prices by area, and what they say about a period of another resolution.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::id::{IdError, short_name};
use crate::period::{Period, Resolution};
use crate::quantity::Price;
use crate::rounding::divide_half_away;

/// A price area: `NO2`, or an EIC such as `10YNO-2--------T`. 1 to 40 characters of `A-Z`, `a-z`, `0-9`, `-`, `_`, `.`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct PriceArea(Box<str>);

impl PriceArea {
    /// Returns the text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for PriceArea {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        short_name(text, |byte| byte.is_ascii_alphabetic()).map(|name| Self(name.into()))
    }
}

impl TryFrom<String> for PriceArea {
    type Error = IdError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<PriceArea> for String {
    fn from(area: PriceArea) -> Self {
        area.0.into()
    }
}

impl fmt::Display for PriceArea {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

/// Spot prices of any number of areas. A price that is not there is missing, not zero.
///
/// The market time unit may change in the course of time: each price has its own resolution.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SpotPrices {
    areas: BTreeMap<PriceArea, BTreeMap<Timestamp, (Resolution, Price)>>,
}

impl SpotPrices {
    /// Returns a collection without prices.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the price of a period, or replaces the one that starts then.
    pub fn insert(&mut self, area: &PriceArea, period: Period, price: Price) {
        if !self.areas.contains_key(area) {
            self.areas.insert(area.clone(), BTreeMap::new());
        }
        if let Some(prices) = self.areas.get_mut(area) {
            prices.insert(period.start(), (period.resolution(), price));
        }
    }

    /// Returns the areas.
    pub fn areas(&self) -> impl Iterator<Item = &PriceArea> {
        self.areas.keys()
    }

    /// Returns the price that applies to a period: that of the market's period around it, or the arithmetic mean of those
    /// inside it, weighted by time and rounded half away from zero. Nothing when any of them is missing.
    #[must_use]
    pub fn price(&self, area: &PriceArea, period: Period) -> Option<Price> {
        let prices = self.areas.get(area)?;
        let (mut covered_s, mut weighted) = (0_i64, 0_i128);
        let (start_s, end_s) = (period.start().as_second(), period.end().as_second());
        while start_s + covered_s < end_s {
            let from = Timestamp::from_second(start_s + covered_s).ok()?;
            let (&market_start, &(resolution, price)) = prices.range(..=from).next_back()?;
            let market_end_s = market_start.as_second() + resolution.duration_seconds();
            let until_s = market_end_s.min(end_s);
            let part_s = until_s - (start_s + covered_s);
            if part_s <= 0 {
                return None;
            }
            weighted += i128::from(price.micro_per_kwh()) * i128::from(part_s);
            covered_s += part_s;
        }
        let mean = divide_half_away(weighted, i128::from(covered_s));
        i32::try_from(mean).ok().map(Price::from_micro_per_kwh)
    }
}
