//! The steps that are planned.

use gridtally_core::calendar::{Fold, Zone};
use gridtally_core::period::{Period, Resolution};
use gridtally_schedule::household::Horizon;
use jiff::civil::DateTime;
use jiff::{SignedDuration, Timestamp};

use super::PlanScenarioError;

/// Most days that are planned at once.
const DAYS_MAX: u32 = 21;

/// Whole days of steps from a local time on.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Span {
    pub(super) horizon: Horizon,
    pub(super) resolution: Resolution,
}

impl Span {
    /// Returns the steps from a local time to the same time some days later: a day on which clocks change has more or fewer of them.
    pub(super) fn new(
        from: DateTime,
        days: u32,
        zone: &Zone,
        resolution_minutes: u32,
    ) -> Result<Self, PlanScenarioError> {
        let resolution = Resolution::from_minutes(resolution_minutes).map_err(|error| {
            let value = resolution_minutes.to_string();
            PlanScenarioError::Value { key: "resolution_minutes", value, reason: error.to_string() }
        })?;
        if !(1..=DAYS_MAX).contains(&days) {
            let reason = format!("not between 1 and {DAYS_MAX}");
            return Err(PlanScenarioError::Value { key: "days", value: days.to_string(), reason });
        }
        let of_from = |reason: String| PlanScenarioError::Value {
            key: "from",
            value: from.to_string(),
            reason,
        };
        if from.minute() != 0 || from.second() != 0 || from.subsec_nanosecond() != 0 {
            return Err(of_from("not on the hour".to_owned()));
        }
        let start =
            zone.instant(from, Some(Fold::First)).map_err(|error| of_from(error.to_string()))?;
        let until = from
            .checked_add(SignedDuration::from_hours(24 * i64::from(days)))
            .map_err(|error| of_from(error.to_string()))?;
        let end =
            zone.instant(until, Some(Fold::First)).map_err(|error| of_from(error.to_string()))?;
        let steps = (end.as_second() - start.as_second()) / resolution.duration_seconds();
        let steps = usize::try_from(steps).expect("the end comes after the start");
        let horizon = Horizon::new(start, zone.clone(), resolution_minutes, steps);
        Ok(Self { horizon, resolution })
    }

    pub(super) fn steps(&self) -> usize {
        self.horizon.steps()
    }

    pub(super) fn step_s(&self) -> i64 {
        self.resolution.duration_seconds()
    }

    /// Returns when a step begins; the number of steps is the end.
    pub(super) fn instant(&self, step: usize) -> Timestamp {
        let later_s = i64::try_from(step).expect("a span has few steps") * self.step_s();
        self.horizon.start.saturating_add(SignedDuration::from_secs(later_s)).expect("time goes on")
    }

    /// Returns the step that begins when clocks show a time, where there is one; the end of the span counts.
    pub(super) fn step_at(&self, local: DateTime) -> Option<usize> {
        let instant = self.horizon.zone.instant(local, Some(Fold::First)).ok()?;
        let after_s = instant.as_second() - self.horizon.start.as_second();
        let step = usize::try_from(after_s / self.step_s()).ok()?;
        (after_s >= 0 && after_s % self.step_s() == 0 && step <= self.steps()).then_some(step)
    }

    pub(super) fn period(&self, step: usize) -> Result<Period, PlanScenarioError> {
        Period::new(self.instant(step), self.resolution).map_err(|error| PlanScenarioError::Value {
            key: "from",
            value: self.instant(step).to_string(),
            reason: error.to_string(),
        })
    }
}
