//! What the forms that people write have in common: numbers for steps, and clock times.

use gridtally_core::calendar::{Fold, Zone};
use jiff::civil::{DateTime, Time};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use crate::refusal::{ProblemReason, ProblemRefused};

/// How a battery and a car lose: a twentieth each way, a tenth into a car.
pub(crate) const ETA_BATTERY: f64 = 0.95;
pub(crate) const ETA_CAR: f64 = 0.9;

/// The length of a step where nothing is said, min.
pub(crate) const fn quarter() -> u32 {
    15
}

/// What a battery keeps where nothing is said, percent.
pub(crate) const fn five() -> f64 {
    5.0
}

/// One number for all, one for each hour, or one for each step.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(crate) enum Values {
    One(f64),
    Each(Vec<f64>),
}

impl Values {
    /// Returns the number for each step.
    pub(crate) fn of_steps(
        &self,
        path: &str,
        steps: usize,
        resolution_min: u32,
    ) -> Result<Vec<f64>, ProblemRefused> {
        let per_hour = 60 / resolution_min as usize;
        match self {
            Self::One(value) => Ok(vec![*value; steps]),
            Self::Each(values) if values.len() == steps => Ok(values.clone()),
            Self::Each(values) if values.len() * per_hour == steps => {
                Ok(values.iter().flat_map(|value| std::iter::repeat_n(*value, per_hour)).collect())
            }
            Self::Each(values) => {
                let reason = ProblemReason::Length { found: values.len(), expected: steps };
                Err(ProblemRefused::new(path, reason))
            }
        }
    }
}

/// Clock times as steps.
pub(crate) struct ClockTimes {
    /// The beginning of the first step.
    pub(crate) start: Timestamp,
    resolution_min: u32,
    /// What clocks show at the beginning of each step, and at the end.
    pub(crate) shown: Vec<DateTime>,
}

impl ClockTimes {
    /// Returns the steps of some hours; `resolution` is the length of one, min, and how many there are at most.
    pub(crate) fn new(
        zone: &Zone,
        start: DateTime,
        hours: u32,
        (resolution_min, steps_max): (u32, usize),
    ) -> Result<Self, ProblemRefused> {
        if resolution_min == 0 || 60 % resolution_min != 0 {
            let known = "1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30, 60";
            let reason = ProblemReason::Unknown { found: resolution_min.to_string(), known };
            return Err(ProblemRefused::new("resolution_minutes", reason));
        }
        let steps = u64::from(hours) * u64::from(60 / resolution_min);
        let steps = usize::try_from(steps).ok().filter(|steps| (1..=steps_max).contains(steps));
        let Some(steps) = steps else {
            let (found, most) = (f64::from(hours), 168.0);
            return Err(ProblemRefused::new(
                "hours",
                ProblemReason::Range { found, least: 1.0, most },
            ));
        };
        let start = zone.instant(start, None).map_err(|_| {
            let (time, date) = (start.time(), start.date());
            let is_twice = zone.instant(start, Some(Fold::First)).is_ok();
            let reason = if is_twice {
                ProblemReason::ShownTwice { time, date }
            } else {
                ProblemReason::Skipped { time, date }
            };
            ProblemRefused::new("start", reason)
        })?;
        let instant = |step: usize| -> Timestamp {
            let minutes = i64::try_from(step).expect("a horizon has ten thousand steps at most")
                * i64::from(resolution_min);
            start.saturating_add(SignedDuration::from_mins(minutes)).unwrap_or(start)
        };
        let shown = (0..=steps).map(|step| zone.local(instant(step))).collect();
        Ok(Self { start, resolution_min, shown })
    }

    pub(crate) fn steps(&self) -> usize {
        self.shown.len() - 1
    }

    pub(crate) fn series(&self, path: &str, values: &Values) -> Result<Vec<f64>, ProblemRefused> {
        values.of_steps(path, self.steps(), self.resolution_min)
    }

    /// The first step from `after` on at whose beginning clocks show a time; the end of the horizon counts.
    pub(crate) fn step(
        &self,
        path: &str,
        time: Time,
        after: usize,
    ) -> Result<usize, ProblemRefused> {
        let found = (after..self.shown.len()).find(|&step| self.shown[step].time() == time);
        if let Some(found) = found {
            let shown = self.shown[found];
            let is_twice = self.shown.iter().filter(|other| **other == shown).count() > 1;
            if is_twice {
                let reason = ProblemReason::ShownTwice { time, date: shown.date() };
                return Err(ProblemRefused::new(path, reason));
            }
            return Ok(found);
        }
        let is_over = |pair: &[DateTime]| {
            // Where clocks go forward, more than a step lies between what two steps show.
            let date = pair[0].date();
            let is_jump = pair[1].duration_since(pair[0])
                > SignedDuration::from_mins(i64::from(self.resolution_min));
            is_jump && (pair[0] < date.to_datetime(time) && date.to_datetime(time) < pair[1])
        };
        let later = &self.shown[after.min(self.steps())..];
        let reason = later.windows(2).find(|pair| is_over(pair)).map_or(
            ProblemReason::NoSuchTime { time, first: later[0], last: self.shown[self.steps()] },
            |pair| ProblemReason::Skipped { time, date: pair[0].date() },
        );
        Err(ProblemRefused::new(path, reason))
    }

    /// The steps between two clock times, whose fields have `names`.
    pub(crate) fn span(
        &self,
        path: &str,
        names: [&str; 2],
        from: Time,
        until: Time,
    ) -> Result<[usize; 2], ProblemRefused> {
        let from = self.step(&format!("{path}.{}", names[0]), from, 0)?;
        let until = self.step(&format!("{path}.{}", names[1]), until, from + 1)?;
        Ok([from, until])
    }
}
