//! Values that were recorded at another time and place, by weekday and clock: what the clocks there showed so many weeks later or earlier.

use std::path::Path;

use gridtally_core::calendar::{Fold, Zone};
use gridtally_core::meter::{Channel, MeteringPointId};
use gridtally_core::quantity::Price;
use gridtally_core::tariff::{PriceKind, SpotPrices, Tariff};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use super::PlanScenarioError;
use super::span::Span;
use crate::import::{Column, Format, Imported};
use crate::scenario::file::{PriceSource, ReadingSource, ScenarioError};
use crate::scenario::fill::import;

/// Seconds of a week.
const WEEK_S: i64 = 7 * 86_400;
/// Most homes of one source.
const HOMES_MAX: usize = 1_000;
/// Most times that the homes of a source may stand for.
const TIMES_MAX: f64 = 10_000.0;
/// How far prices and loads may be moved, weeks.
const SHIFT_WEEKS_MAX: i32 = 5_000;

/// What stands for a value that is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum MissingValue {
    /// Nothing: the scenario is refused.
    #[default]
    Refuse,
    /// The value of the week before; it is counted.
    WeekBefore,
}

/// Homes with what they drew and generated.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LoadSource {
    /// Names of the homes.
    homes: Vec<String>,
    /// How many times each of them counts.
    #[serde(default = "once")]
    times: f64,
    /// Whose clocks the homes lived by; those of the scenario where it is not given.
    clock: Option<Zone>,
    /// What was metered so many weeks later is used.
    #[serde(default)]
    shift_weeks: i32,
    #[serde(default)]
    missing: MissingValue,
    /// The files.
    table: ReadingSource,
}

const fn once() -> f64 {
    1.0
}

/// Prices of the market.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MarketSource {
    /// Whose clocks the market lives by; those of the scenario where it is not given.
    clock: Option<Zone>,
    /// The prices of so many weeks later are used.
    #[serde(default)]
    shift_weeks: i32,
    /// The file.
    table: PriceSource,
}

/// Mean powers of some homes together, kW for each step.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Load {
    pub(super) drawn_kw: Vec<f64>,
    pub(super) generated_kw: Vec<f64>,
    /// Values that were missing and stand for those of the week before.
    pub(super) filled: usize,
}

/// Where the values of a source stand.
struct Place<'a> {
    what: String,
    span: &'a Span,
    clock: &'a Zone,
    shift_weeks: i32,
    missing: MissingValue,
}

impl LoadSource {
    pub(super) fn read(
        &self,
        span: &Span,
        folder: &Path,
        now: Timestamp,
    ) -> Result<Load, PlanScenarioError> {
        let value = |key, value: String, reason: String| {
            Err(PlanScenarioError::Value { key, value, reason })
        };
        if !(1..=HOMES_MAX).contains(&self.homes.len()) {
            let reason = format!("not between 1 and {HOMES_MAX} homes");
            return value("load.homes", self.homes.len().to_string(), reason);
        }
        if !(self.times > 0.0 && self.times <= TIMES_MAX) {
            let reason = format!("not above 0 and at most {TIMES_MAX}");
            return value("load.times", self.times.to_string(), reason);
        }
        let mut points: Vec<MeteringPointId> = Vec::new();
        for home in &self.homes {
            match home.parse() {
                Ok(point) if !points.contains(&point) => points.push(point),
                Ok(_) => return value("load.homes", home.clone(), "named twice".to_owned()),
                Err(error) => {
                    let error: gridtally_core::id::IdError = error;
                    return value("load.homes", home.clone(), error.to_string());
                }
            }
        }
        let nothing = vec![0.0; span.steps()];
        let mut load = Load { drawn_kw: nothing.clone(), generated_kw: nothing, ..Load::default() };
        for (name, label) in self.table.files(points.iter().cloned())? {
            let (layout, columns) = (self.table.table.layout(label)?, self.table.columns()?);
            let format = Format::Readings { layout, columns };
            let zone = &span.horizon.zone;
            let Imported::Readings(readings) = import(folder, &name, &format, zone, now)? else {
                continue;
            };
            for ((point, channel), column) in &readings.columns {
                let sum = match channel {
                    _ if !points.contains(point) => continue,
                    Channel::Import => &mut load.drawn_kw,
                    Channel::Export => &mut load.generated_kw,
                };
                let place = Place {
                    what: format!("{point} in {name}"),
                    span,
                    clock: self.clock.as_ref().unwrap_or(&span.horizon.zone),
                    shift_weeks: self.shift_weeks,
                    missing: self.missing,
                };
                let (energies_wh, filled) = place.values(column)?;
                load.filled += filled;
                let interval_s = column.resolution().duration_seconds();
                sum.iter_mut().zip(energies_wh).for_each(|(sum, energy_wh)| {
                    *sum += self.times * mean_kw(energy_wh, interval_s);
                });
            }
        }
        Ok(load)
    }
}

impl MarketSource {
    /// Returns what the market paid in each step.
    pub(super) fn read(
        &self,
        span: &Span,
        folder: &Path,
        now: Timestamp,
    ) -> Result<SpotPrices, PlanScenarioError> {
        let columns = self.table.columns()?;
        let layout = self.table.table.layout(self.table.label(&columns)?)?;
        let format = Format::Prices { layout, columns };
        let mut spot = SpotPrices::new();
        let zone = &span.horizon.zone;
        let Imported::Prices(prices) = import(folder, &self.table.file, &format, zone, now)? else {
            return Ok(spot);
        };
        for (area, column) in &prices.columns {
            let place = Place {
                what: format!("{area} in {}", self.table.file),
                span,
                clock: self.clock.as_ref().unwrap_or(zone),
                shift_weeks: self.shift_weeks,
                missing: MissingValue::Refuse,
            };
            for (step, micro) in place.values(column)?.0.into_iter().enumerate() {
                let price = i32::try_from(micro).expect("the import reads prices of 32 bits");
                spot.insert(area, span.period(step)?, Price::from_micro_per_kwh(price));
            }
        }
        Ok(spot)
    }
}

impl Place<'_> {
    /// Returns the value of each step, and how many were missing and filled.
    fn values(&self, column: &Column) -> Result<(Vec<i64>, usize), PlanScenarioError> {
        if self.shift_weeks.abs() > SHIFT_WEEKS_MAX {
            return Err(PlanScenarioError::Value {
                key: "shift_weeks",
                value: self.shift_weeks.to_string(),
                reason: format!("not within {SHIFT_WEEKS_MAX} weeks"),
            });
        }
        let (interval_s, step_s) = (column.resolution().duration_seconds(), self.span.step_s());
        if interval_s % step_s != 0 {
            return Err(PlanScenarioError::Value {
                key: "resolution_minutes",
                value: (step_s / 60).to_string(),
                reason: format!("{} has values of {} minutes", self.what, interval_s / 60),
            });
        }
        let rows = column.rows();
        let at = |start_s: i64| {
            let place = rows.binary_search_by_key(&start_s, |row| row.0);
            place.ok().map(|place| rows[place].1)
        };
        let (mut values, mut filled, mut missing) = (Vec::new(), 0, Vec::new());
        for step in 0..self.span.steps() {
            let start_s = self.instant(step)?.map(|instant| {
                let second = instant.as_second();
                second - second.rem_euclid(interval_s)
            });
            let found = start_s.and_then(at);
            let of_week_before =
                || start_s.and_then(|start_s| at(start_s - WEEK_S)).inspect(|_| filled += 1);
            let value = match self.missing {
                MissingValue::Refuse => found,
                MissingValue::WeekBefore => found.or_else(of_week_before),
            };
            match value {
                Some(value) => values.push(value),
                None => missing.push(step),
            }
        }
        match missing.first() {
            None => Ok((values, filled)),
            Some(&step) => Err(PlanScenarioError::Missing {
                what: self.what.clone(),
                local: self.moved(step)?,
                zone: self.clock.clone(),
                count: missing.len(),
            }),
        }
    }

    /// Returns when the value of a step was recorded, or nothing where the clocks there jumped over it. Where they showed it twice, it is the
    /// first time.
    fn instant(&self, step: usize) -> Result<Option<Timestamp>, PlanScenarioError> {
        if self.shift_weeks == 0 && *self.clock == self.span.horizon.zone {
            return Ok(Some(self.span.instant(step)));
        }
        Ok(self.clock.instant(self.moved(step)?, Some(Fold::First)).ok())
    }

    fn moved(&self, step: usize) -> Result<jiff::civil::DateTime, PlanScenarioError> {
        let local = self.span.horizon.local(step);
        let weeks = SignedDuration::from_secs(i64::from(self.shift_weeks) * WEEK_S);
        local.checked_add(weeks).map_err(|error| PlanScenarioError::Value {
            key: "shift_weeks",
            value: self.shift_weeks.to_string(),
            reason: error.to_string(),
        })
    }
}

/// Returns the price of each step in the solver's numbers, currency per kWh.
pub(super) fn prices_per_kwh(
    tariff: &Tariff,
    kind: PriceKind,
    span: &Span,
    spot: &SpotPrices,
) -> Result<Vec<f64>, PlanScenarioError> {
    (0..span.steps())
        .map(|step| {
            let price = tariff.price(kind, span.period(step)?, spot)?;
            Ok(f64::from(price.micro_per_kwh()) / 1e6)
        })
        .collect()
}

/// Returns the mean power of an interval in the solver's numbers.
#[expect(clippy::cast_precision_loss, reason = "the import reads energies of 32 bits")]
fn mean_kw(energy_wh: i64, interval_s: i64) -> f64 {
    energy_wh as f64 * 3.6 / interval_s as f64
}

/// Refuses a scenario whose prices are in another currency than its tariff.
pub(super) fn same_currency(
    currency: &gridtally_core::quantity::Currency,
    tariff: &Tariff,
) -> Result<(), ScenarioError> {
    if tariff.currency() == *currency {
        return Ok(());
    }
    Err(ScenarioError::Value {
        key: "tariff.currency",
        value: tariff.currency().code().to_owned(),
        reason: format!("the scenario is in {}", currency.code()),
    })
}
