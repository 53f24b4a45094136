//! The time that a household plan covers.

use gridtally_core::calendar::Zone;
use jiff::civil::DateTime;
use jiff::{SignedDuration, Timestamp};

/// Steps of one length from an instant on, with the calendar day and the clock hour of each.
///
/// A local day of 23 or 25 hours has fewer or more steps than others, and nothing else is special about it.
#[derive(Debug, Clone, PartialEq)]
pub struct Horizon {
    /// Beginning of the first step.
    pub start: Timestamp,
    /// Where its clocks are.
    pub zone: Zone,
    /// Length of a step, min; it divides an hour.
    pub resolution_min: u32,
    /// The local calendar day of each step, as a number that does not fall; `len()` is the number of steps.
    pub day_of_step: Vec<u32>,
    /// The clock hour of each step since the start, as a number that does not fall.
    pub hour_of_step: Vec<u32>,
}

impl Horizon {
    /// Returns a horizon of so many steps, with the days and hours that the clocks of the zone show. The hour that is shown twice when clocks
    /// go back is two hours.
    #[must_use]
    pub fn new(start: Timestamp, zone: Zone, resolution_min: u32, steps: usize) -> Self {
        let labels = Vec::with_capacity(steps);
        let (day_of_step, hour_of_step) = (labels.clone(), labels);
        let mut horizon = Self { start, zone, resolution_min, day_of_step, hour_of_step };
        let (mut day, mut hour) = (0, 0);
        for step in 0..steps {
            if let Some(before) = step.checked_sub(1) {
                let (a, b) = (horizon.local(before), horizon.local(step));
                day += u32::from(a.date() != b.date());
                hour += u32::from(a.hour() != b.hour() || b.minute() <= a.minute());
            }
            horizon.day_of_step.push(day);
            horizon.hour_of_step.push(hour);
        }
        horizon
    }

    /// Returns how many steps there are.
    #[must_use]
    pub fn steps(&self) -> usize {
        self.day_of_step.len()
    }

    /// Returns the length of a step, h.
    #[must_use]
    pub fn step_h(&self) -> f64 {
        f64::from(self.resolution_min) / 60.0
    }

    /// Returns what clocks show at the beginning of a step, or at the end of the horizon for the number of steps.
    ///
    /// # Panics
    ///
    /// Panics when there are more steps than a household may have.
    #[must_use]
    pub fn local(&self, step: usize) -> DateTime {
        self.zone.local(self.instant(step))
    }

    /// Returns the beginning of a step, or the end of the horizon for the number of steps; the last instant there is where it would be later,
    /// which no [`Household`](super::Household) has.
    ///
    /// # Panics
    ///
    /// Panics when there are more steps than a household may have.
    #[must_use]
    pub fn instant(&self, step: usize) -> Timestamp {
        self.start.checked_add(self.later(step)).unwrap_or(Timestamp::MAX)
    }

    /// Returns whether the horizon ends before calendars do, some eight thousand years away.
    pub(crate) fn is_within_time(&self) -> bool {
        self.start.checked_add(self.later(self.steps())).is_ok()
    }

    fn later(&self, step: usize) -> SignedDuration {
        let minutes = i64::try_from(step).expect("a horizon has ten thousand steps at most");
        SignedDuration::from_mins(minutes * i64::from(self.resolution_min))
    }

    /// Returns the half-open ranges of steps that share a clock hour, in order.
    #[must_use]
    pub fn hours(&self) -> Vec<std::ops::Range<usize>> {
        runs(&self.hour_of_step)
    }

    /// Returns the half-open ranges of steps that share a calendar day, in order.
    #[must_use]
    pub fn days(&self) -> Vec<std::ops::Range<usize>> {
        runs(&self.day_of_step)
    }
}

fn runs(labels: &[u32]) -> Vec<std::ops::Range<usize>> {
    let mut start = 0;
    labels
        .chunk_by(|a, b| a == b)
        .map(|run| {
            let range = start..start + run.len();
            start = range.end;
            range
        })
        .collect()
}
