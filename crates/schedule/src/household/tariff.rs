//! What a household pays for exchange with the grid.

use serde::Deserialize;

/// All-in prices of each step, and what the capacity costs.
#[derive(Debug, Clone, PartialEq)]
pub struct Tariff {
    /// Price of energy from the grid, currency per kWh; may be negative; one for each step.
    pub import_price: Vec<f64>,
    /// Price of energy fed in, currency per kWh; may be negative, and above the import price; one for each step.
    pub export_price: Vec<f64>,
    /// What the highest import costs.
    pub capacity: Capacity,
}

/// What the highest mean import over a clock hour costs.
#[derive(Debug, Clone, PartialEq)]
pub enum Capacity {
    /// Nothing.
    Free,
    /// A price for each kW above the highest hour of the month so far.
    Peak(PeakPrice),
    /// A fee by the mean of the highest days of the month.
    DailyMaxSteps(DailyMaxSteps),
}

/// A price for the highest hour of the month, as far as it is above the highest so far.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PeakPrice {
    /// Currency per kW.
    pub price_per_kw: f64,
    /// The highest hour so far, kW.
    pub peak_so_far_kw: f64,
    /// What is metered of the hour in which the problem begins.
    #[serde(default)]
    pub hour_so_far: HourSoFar,
}

/// What is metered already of the clock hour in which a problem begins: it counts in the mean of that hour.
#[derive(Debug, Clone, Copy, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HourSoFar {
    /// How many steps of the hour are over.
    pub steps: usize,
    /// Mean import in these, kW.
    pub mean_import_kw: f64,
}

/// The stepped grid tariff of Norway: the metric is the mean of the three largest daily maxima of clock-hour imports.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DailyMaxSteps {
    /// The maxima of earlier days of the month, kW.
    pub history_daily_max_kw: Vec<f64>,
    /// The fees, rising in `upto_kw`.
    pub steps: Vec<CapacityStep>,
    /// The highest hour so far of the day in which the problem begins, kW.
    #[serde(default)]
    pub day_so_far_kw: f64,
    /// What is metered of the hour in which the problem begins.
    #[serde(default)]
    pub hour_so_far: HourSoFar,
}

/// One bracket of a stepped tariff.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CapacityStep {
    /// The largest metric that belongs to the bracket, kW.
    pub upto_kw: f64,
    /// What the month costs in it, currency.
    pub fee: f64,
}

impl Capacity {
    /// Returns what is metered of the hour in which the problem begins.
    #[must_use]
    pub fn hour_so_far(&self) -> HourSoFar {
        match self {
            Self::Free => HourSoFar::default(),
            Self::Peak(peak) => peak.hour_so_far,
            Self::DailyMaxSteps(stepped) => stepped.hour_so_far,
        }
    }
}

/// How many daily maxima count.
const DAYS_COUNTED: usize = 3;

impl DailyMaxSteps {
    /// Returns the mean of the three largest daily maxima, kW, of all where there are fewer.
    #[must_use]
    pub fn metric_kw(&self, daily_max_kw: &[f64]) -> f64 {
        let mut all: Vec<f64> =
            self.history_daily_max_kw.iter().chain(daily_max_kw).copied().collect();
        all.sort_by(|a, b| b.total_cmp(a));
        all.truncate(DAYS_COUNTED);
        let counted = all.iter().map(|_| 1.0).sum::<f64>().max(1.0);
        all.iter().sum::<f64>() / counted
    }

    /// Returns how many daily maxima count when `days` are added to the history.
    #[must_use]
    pub fn counted(&self, days: usize) -> usize {
        (self.history_daily_max_kw.len() + days).min(DAYS_COUNTED)
    }

    /// Returns the first bracket that holds a metric, or `None` above the last one.
    #[must_use]
    pub fn step(&self, metric_kw: f64) -> Option<CapacityStep> {
        self.steps.iter().find(|step| metric_kw <= step.upto_kw).copied()
    }
}
