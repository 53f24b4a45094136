//! What the meter of the connection showed since the problem began, as far as a capacity tariff counts it.

use super::counts_import;
use crate::bounds::{Checked, MAGNITUDE_MAX, length, within, within_each};
use crate::household::problem::Household;
use crate::household::tariff::{Capacity, DailyMaxSteps, HourSoFar, PeakPrice};

/// Most daily maxima that a tariff keeps.
const HISTORY_MAX: usize = 31;

/// Import by the clock: what is over of this hour, this day and the days before.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Metered {
    /// Mean import in the part of this clock hour that is over, kW; 0 where it just begins.
    pub hour_mean_kw: f64,
    /// The highest clock hour of this day that is over, kW; 0 where none is.
    pub day_max_kw: f64,
    /// The highest clock hour of each day that is over since the problem began, kW.
    pub days_max_kw: Vec<f64>,
}

impl Metered {
    /// Returns what counts of the imports of the first steps of a household, kW, one for each step that is over; what was metered before
    /// the problem began counts with it.
    ///
    /// # Panics
    ///
    /// Panics when there are more imports than steps.
    #[must_use]
    pub fn from_import(household: &Household, import_kw: &[f64]) -> Self {
        let at = import_kw.len();
        let horizon = &household.horizon;
        let (hour_so_far, day_so_far_kw) = so_far(&household.tariff.capacity);
        let mut found = Self { day_max_kw: day_so_far_kw, ..Self::default() };
        let is_over = |range: &std::ops::Range<usize>| range.end <= at;
        let mean = |range: std::ops::Range<usize>| {
            let over = if range.start == 0 { real(hour_so_far.steps) } else { 0.0 };
            let count = over + real(range.len());
            let sum_kw: f64 = import_kw[range].iter().map(|import| import.max(0.0)).sum();
            if count > 0.0 { (over * hour_so_far.mean_import_kw + sum_kw) / count } else { 0.0 }
        };
        let hours = horizon.hours();
        for day in horizon.days().into_iter().filter(|day| day.start <= at) {
            let so_far_kw = if day.start == 0 { day_so_far_kw } else { 0.0 };
            let of_day = hours.iter().filter(|hour| day.contains(&hour.start) && is_over(hour));
            let max_kw = of_day.cloned().map(mean).fold(so_far_kw, f64::max);
            if is_over(&day) {
                found.days_max_kw.push(max_kw);
            } else {
                found.day_max_kw = max_kw;
            }
        }
        if let Some(hour) = hours.into_iter().find(|hour| hour.contains(&at)) {
            found.hour_mean_kw = mean(hour.start..at);
        }
        found
    }

    pub(super) fn check(&self, household: &Household, at: usize) -> Checked {
        if !counts_import(&household.tariff.capacity) {
            return Ok(());
        }
        within("metered.hour_mean_kw", self.hour_mean_kw, 0.0, MAGNITUDE_MAX)?;
        within("metered.day_max_kw", self.day_max_kw, 0.0, MAGNITUDE_MAX)?;
        let days = household.horizon.days().iter().filter(|day| day.end <= at).count();
        length("metered.days_max_kw", self.days_max_kw.len(), days)?;
        within_each("metered.days_max_kw", &self.days_max_kw, 0.0, MAGNITUDE_MAX)
    }

    /// Returns the capacity tariff for the steps from `at` on.
    pub(super) fn capacity(&self, household: &Household, at: usize) -> Capacity {
        let capacity = &household.tariff.capacity;
        let labels = &household.horizon.hour_of_step;
        let of_hour = labels[..at].iter().rev().take_while(|label| **label == labels[at]).count();
        let before = if of_hour == at { so_far(capacity).0.steps } else { 0 };
        let steps = of_hour + before;
        let mean_import_kw = if steps > 0 { self.hour_mean_kw } else { 0.0 };
        let hour_so_far = HourSoFar { steps, mean_import_kw };
        match capacity {
            Capacity::Free => Capacity::Free,
            Capacity::Peak(peak) => {
                let highest = self.days_max_kw.iter().copied().fold(self.day_max_kw, f64::max);
                Capacity::Peak(PeakPrice {
                    price_per_kw: peak.price_per_kw,
                    peak_so_far_kw: peak.peak_so_far_kw.max(highest),
                    hour_so_far,
                })
            }
            Capacity::DailyMaxSteps(stepped) => {
                let mut history_daily_max_kw = stepped.history_daily_max_kw.clone();
                history_daily_max_kw.extend(&self.days_max_kw);
                if history_daily_max_kw.len() > HISTORY_MAX {
                    // Only the highest count.
                    history_daily_max_kw.sort_by(|a, b| b.total_cmp(a));
                    history_daily_max_kw.truncate(HISTORY_MAX);
                }
                Capacity::DailyMaxSteps(DailyMaxSteps {
                    history_daily_max_kw,
                    steps: stepped.steps.clone(),
                    day_so_far_kw: self.day_max_kw,
                    hour_so_far,
                })
            }
        }
    }
}

/// What was metered before the problem began: of its first hour, and the highest hour of its first day.
fn so_far(capacity: &Capacity) -> (HourSoFar, f64) {
    let day_kw = match capacity {
        Capacity::DailyMaxSteps(stepped) => stepped.day_so_far_kw,
        Capacity::Free | Capacity::Peak(_) => 0.0,
    };
    (capacity.hour_so_far(), day_kw)
}

#[expect(clippy::cast_precision_loss, reason = "numbers of steps")]
const fn real(count: usize) -> f64 {
    count as f64
}
