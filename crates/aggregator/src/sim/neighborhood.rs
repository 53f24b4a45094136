//! All households together, day by day.

use gridtally_core::calendar::{DayOutOfRange, MarketDay, Zone};
use gridtally_core::period::{PeriodError, Resolution};
use gridtally_core::quantity::{Energy, Price};
use gridtally_core::series::Series;
use jiff::civil::{Date, date};

use super::dice::Dice;
use super::household::{Household, Life};
use super::price;

/// Purposes of random numbers; households use their number.
const PURPOSE_WEATHER: u64 = 1 << 32;
const PURPOSE_PRICES: u64 = 2 << 32;
const PURPOSE_LIFE: u64 = 3 << 32;

/// What the neighborhood is like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NeighborhoodOptions {
    /// Another seed, another neighborhood.
    pub seed: u64,
    /// How many households, 1 to 100,000.
    pub household_count: u32,
    /// The first local day.
    pub first_day: Date,
    /// How many local days, 1 to 366.
    pub day_count: u32,
    /// Where it lies: what its clocks show.
    pub zone: Zone,
}

impl Default for NeighborhoodOptions {
    /// The neighborhood of the demonstration: 30 households in Oslo, Sunday 25 October 2026 (25 hours) and the Monday
    /// after it.
    fn default() -> Self {
        Self {
            seed: 1,
            household_count: 30,
            first_day: date(2026, 10, 25),
            day_count: 2,
            zone: Zone::new("Europe/Oslo").expect("Oslo is in the database"),
        }
    }
}

/// Why there is no such neighborhood. In order of precedence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NeighborhoodError {
    /// Nobody lives there, or more than the model counts.
    #[error("{household_count} households are not between 1 and 100000")]
    HouseholdCount {
        /// The number as given.
        household_count: u32,
    },
    /// No days, or more than a year.
    #[error("{day_count} days are not between 1 and 366")]
    DayCount {
        /// The number as given.
        day_count: u32,
    },
    /// A day beyond the calendar.
    #[error(transparent)]
    Day(#[from] DayOutOfRange),
    /// The days do not start at a whole quarter-hour of UTC.
    #[error(transparent)]
    Period(#[from] PeriodError),
}

/// A neighborhood that does not exist, with the days it lives through.
///
/// ```
/// use gridtally_aggregator::sim::{Neighborhood, NeighborhoodOptions};
///
/// let neighborhood = Neighborhood::new(NeighborhoodOptions::default())?;
/// let metered = neighborhood.metered(&neighborhood.households()[0]);
/// assert_eq!(metered.import.len(), 100 + 96); // 25 October has 25 hours
/// # Ok::<(), gridtally_aggregator::sim::NeighborhoodError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Neighborhood {
    options: NeighborhoodOptions,
    households: Vec<Household>,
    days: Vec<MarketDay>,
}

/// What the meter of one household shows, quarter-hour by quarter-hour; no value is negative.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metered {
    /// Energy drawn from the grid.
    pub import: Series<Energy>,
    /// Energy fed into the grid; nothing where there are no panels.
    pub export: Option<Series<Energy>>,
}

impl Neighborhood {
    /// Lets people move in. Their meters are read later, household by household, so that a large one needs little memory.
    ///
    /// # Errors
    ///
    /// In the order of [`NeighborhoodError`].
    pub fn new(options: NeighborhoodOptions) -> Result<Self, NeighborhoodError> {
        let NeighborhoodOptions { seed, household_count, first_day, day_count, ref zone } = options;
        if !(1..=100_000).contains(&household_count) {
            return Err(NeighborhoodError::HouseholdCount { household_count });
        }
        if !(1..=366).contains(&day_count) {
            return Err(NeighborhoodError::DayCount { day_count });
        }
        let mut days = Vec::new();
        let mut date = first_day;
        for index in 0..day_count {
            if index > 0 {
                date = date.tomorrow().map_err(|_| DayOutOfRange { date })?;
            }
            let day = MarketDay::new(date, zone.clone())?;
            day.period_count(Resolution::Minutes15)?;
            days.push(day);
        }
        let households = (1..=household_count)
            .map(|number| Household::new(number, &mut Dice::new(seed, u64::from(number))))
            .collect();
        Ok(Self { options, households, days })
    }

    /// Returns the households in the order of their numbers, which start at 1.
    #[must_use]
    pub fn households(&self) -> &[Household] {
        &self.households
    }

    /// Returns the local days in order.
    #[must_use]
    pub fn days(&self) -> &[MarketDay] {
        &self.days
    }

    /// Reads the meter of a household over all days.
    ///
    /// # Panics
    ///
    /// Never: the constructor checks that all days lie on the grid.
    #[must_use]
    pub fn metered(&self, household: &Household) -> Metered {
        let seed = self.options.seed;
        let dice = Dice::new(seed, PURPOSE_LIFE + u64::from(household.number));
        let mut life = Life::new(household, dice);
        let mut weather = Dice::new(seed, PURPOSE_WEATHER);
        let (mut import, mut export) = (Vec::new(), Vec::new());
        for day in &self.days {
            let sky_percent = weather.between(10, 100);
            for period in day.periods(Resolution::Minutes15).expect("checked on construction") {
                let local = self.options.zone.local(period.start());
                let minute_utc = period.start().as_second().rem_euclid(86_400) / 60;
                let power = life.quarter_hour(local, minute_utc, sky_percent);
                let energy = power.energy_rounded(Resolution::Minutes15);
                import.push(energy.max(Energy::ZERO));
                export.push(Energy::from_wh((-energy.wh()).max(0)));
            }
        }
        let export = household.has_panels().then(|| self.series(export));
        Metered { import: self.series(import), export }
    }

    /// Returns the day-ahead prices of all days, EUR.
    ///
    /// # Panics
    ///
    /// Never: the constructor checks that all days lie on the grid.
    #[must_use]
    pub fn prices(&self) -> Series<Price> {
        let mut dice = Dice::new(self.options.seed, PURPOSE_PRICES);
        let mut prices = Vec::new();
        for day in &self.days {
            for period in day.periods(Resolution::Minutes15).expect("checked on construction") {
                let local = self.options.zone.local(period.start());
                prices.push(price::quarter_hour(local, &mut dice));
            }
        }
        self.series(prices)
    }

    fn series<T>(&self, values: Vec<T>) -> Series<T> {
        let series = Series::new(self.days[0].start(), Resolution::Minutes15, values);
        series.expect("days follow each other on the grid")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};
    use std::fmt::Write;

    fn neighborhood() -> Neighborhood {
        Neighborhood::new(NeighborhoodOptions::default()).unwrap()
    }

    fn wh(series: &Series<Energy>) -> i64 {
        Energy::checked_sum(series.values().iter().copied()).unwrap().wh()
    }

    #[test]
    fn a_neighborhood_looks_like_one() {
        let neighborhood = neighborhood();
        let mut text = String::new();
        let (mut import_wh, mut export_wh) = (0, 0);
        for household in neighborhood.households() {
            let metered = neighborhood.metered(household);
            let fed_in = metered.export.as_ref().map(wh);
            if household.number <= 6 {
                let imported = wh(&metered.import);
                let point = household.metering_point;
                writeln!(text, "{point}: {imported} Wh drawn, {fed_in:?} Wh fed in").unwrap();
            }
            import_wh += wh(&metered.import);
            export_wh += fed_in.unwrap_or(0);
        }
        writeln!(text, "all: {import_wh} Wh drawn, {export_wh} Wh fed in").unwrap();
        let prices = neighborhood.prices();
        let range = (prices.values().iter().min().unwrap(), prices.values().iter().max().unwrap());
        writeln!(text, "prices: {} to {}", range.0, range.1).unwrap();
        check(
            &text,
            &expect![[r#"
            707057500000000018: 26117 Wh drawn, None Wh fed in
            707057500000000025: 93834 Wh drawn, None Wh fed in
            707057500000000032: 72447 Wh drawn, Some(5652) Wh fed in
            707057500000000049: 43047 Wh drawn, None Wh fed in
            707057500000000056: 66921 Wh drawn, None Wh fed in
            707057500000000063: 96273 Wh drawn, Some(9673) Wh fed in
            all: 1868196 Wh drawn, 90839 Wh fed in
            prices: -3860 micro/kWh to 146280 micro/kWh
        "#]],
        );
    }

    fn check(actual: &str, expected: &Expect) {
        expected.assert_eq(actual);
    }

    #[test]
    fn meters_never_show_both_directions_in_one_quarter_hour() {
        let neighborhood = neighborhood();
        for household in neighborhood.households() {
            let metered = neighborhood.metered(household);
            assert_eq!(metered.export.is_some(), household.number.is_multiple_of(3));
            let Some(export) = metered.export else { continue };
            for (import, export) in metered.import.values().iter().zip(export.values()) {
                assert!(import.wh() == 0 || export.wh() == 0);
                assert!(import.wh() >= 0 && export.wh() >= 0);
            }
        }
    }

    #[test]
    fn one_more_household_changes_nobody_else() {
        let options = NeighborhoodOptions { household_count: 31, ..NeighborhoodOptions::default() };
        let larger = Neighborhood::new(options).unwrap();
        let smaller = neighborhood();
        assert_eq!(larger.households()[..30], *smaller.households());
        let household = &smaller.households()[17];
        assert_eq!(larger.metered(household), smaller.metered(household));
        assert_eq!(larger.prices(), smaller.prices());
    }

    #[test]
    fn another_seed_is_another_neighborhood() {
        let other =
            Neighborhood::new(NeighborhoodOptions { seed: 2, ..NeighborhoodOptions::default() });
        assert_ne!(other.unwrap().prices(), neighborhood().prices());
    }

    #[test]
    fn the_spring_day_has_23_hours() {
        let first_day = date(2026, 3, 29);
        let options = NeighborhoodOptions { first_day, day_count: 1, ..Default::default() };
        assert_eq!(Neighborhood::new(options).unwrap().prices().len(), 92);
    }

    #[test]
    fn neighborhoods_out_of_bounds_are_refused_in_order() {
        let refused = |household_count, day_count, first_day| {
            let options = NeighborhoodOptions {
                household_count,
                day_count,
                first_day,
                ..NeighborhoodOptions::default()
            };
            Neighborhood::new(options).unwrap_err().to_string()
        };
        let last = Date::MAX;
        assert_eq!(refused(0, 0, last), "0 households are not between 1 and 100000");
        assert_eq!(refused(1, 367, last), "367 days are not between 1 and 366");
        assert_eq!(refused(1, 1, last), "the day 9999-12-31 lies outside the calendar");
    }
}
