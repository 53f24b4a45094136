//! The neighborhood as files, as meters and markets would hand them in.

use std::io::{self, Write};

use gridtally_core::calendar::MarketDay;
use gridtally_core::quantity::Energy;
use gridtally_core::series::Series;

use super::{Metered, Neighborhood};

impl Neighborhood {
    /// Writes the readings of one day as tidy CSV: household by household, interval starts in UTC, energy in Wh.
    ///
    /// Returns how many rows were written.
    ///
    /// # Errors
    ///
    /// What `out` answers.
    pub fn write_readings(&self, day: &MarketDay, out: &mut impl Write) -> io::Result<u64> {
        writeln!(out, "metering_point,channel,start,energy_wh,quality")?;
        let mut rows = 0;
        for household in self.households() {
            let Metered { import, export } = self.metered(household);
            let point = household.metering_point.as_str();
            rows += write_channel(out, point, "import", day, &import)?;
            if let Some(export) = export {
                rows += write_channel(out, point, "export", day, &export)?;
            }
        }
        Ok(rows)
    }

    /// Writes the prices of all days as tidy CSV: interval starts in UTC, EUR per MWh with two decimals.
    ///
    /// Returns how many rows were written.
    ///
    /// # Errors
    ///
    /// What `out` answers.
    pub fn write_prices(&self, out: &mut impl Write) -> io::Result<u64> {
        writeln!(out, "start,price_eur_per_mwh")?;
        let prices = self.prices();
        let mut rows = 0;
        for (period, price) in prices.iter() {
            // 1,000 micro-units per kWh are 1 EUR per MWh, ten of them a hundredth.
            let cents = i64::from(price.micro_per_kwh()) / 10;
            let sign = if cents < 0 { "-" } else { "" };
            let (units, rest) = (cents.abs() / 100, cents.abs() % 100);
            writeln!(out, "{},{sign}{units}.{rest:02}", period.start())?;
            rows += 1;
        }
        Ok(rows)
    }
}

fn write_channel(
    out: &mut impl Write,
    metering_point: &str,
    channel: &str,
    day: &MarketDay,
    series: &Series<Energy>,
) -> io::Result<u64> {
    let mut rows = 0;
    let of_day = series
        .iter()
        .skip_while(|(period, _)| period.start() < day.start())
        .take_while(|(period, _)| period.start() < day.end());
    for (period, energy) in of_day {
        let start = period.start();
        writeln!(out, "{metering_point},{channel},{start},{},measured", energy.wh())?;
        rows += 1;
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::super::NeighborhoodOptions;
    use super::*;
    use expect_test::expect;

    #[test]
    fn files_hold_every_quarter_hour_of_their_day() {
        let neighborhood = Neighborhood::new(NeighborhoodOptions::default()).unwrap();
        let mut rows = Vec::new();
        for day in neighborhood.days() {
            let mut file = Vec::new();
            rows.push(neighborhood.write_readings(day, &mut file).unwrap());
            assert_eq!(
                file.iter().filter(|&&byte| byte == b'\n').count() as u64,
                rows.last().unwrap() + 1
            );
        }
        // 30 import and 10 export channels; 100 and 96 quarter-hours.
        assert_eq!(rows, [4_000, 3_840]);
    }

    #[test]
    fn rows_are_tidy() {
        let options = NeighborhoodOptions { household_count: 1, ..NeighborhoodOptions::default() };
        let neighborhood = Neighborhood::new(options).unwrap();
        let (mut readings, mut prices) = (Vec::new(), Vec::new());
        neighborhood.write_readings(&neighborhood.days()[1], &mut readings).unwrap();
        assert_eq!(neighborhood.write_prices(&mut prices).unwrap(), 196);
        let beginning = |file: Vec<u8>, lines: usize| -> String {
            String::from_utf8(file).unwrap().split_inclusive('\n').take(lines).collect()
        };
        expect![[r#"
            metering_point,channel,start,energy_wh,quality
            707057500000000018,import,2026-10-25T23:00:00Z,66,measured
            707057500000000018,import,2026-10-25T23:15:00Z,60,measured
        "#]]
        .assert_eq(&beginning(readings, 3));
        expect![[r#"
            start,price_eur_per_mwh
            2026-10-24T22:00:00Z,17.88
            2026-10-24T22:15:00Z,15.81
            2026-10-24T22:30:00Z,15.25
            2026-10-24T22:45:00Z,15.61
            2026-10-24T23:00:00Z,9.40
            2026-10-24T23:15:00Z,8.34
            2026-10-24T23:30:00Z,8.07
            2026-10-24T23:45:00Z,5.09
            2026-10-25T00:00:00Z,1.33
            2026-10-25T00:15:00Z,0.70
            2026-10-25T00:30:00Z,1.73
            2026-10-25T00:45:00Z,1.56
            2026-10-25T01:00:00Z,1.40
            2026-10-25T01:15:00Z,2.32
            2026-10-25T01:30:00Z,0.87
        "#]]
        .assert_eq(&beginning(prices, 16));
    }
}
