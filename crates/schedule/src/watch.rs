//! Whoever waits for long work: hears how far it is, and says how much time is left.

use std::time::Duration;

/// The one who waits. Time is the caller's: nothing here reads a clock.
pub trait Watch {
    /// Returns how much time is left for all that is still to be done; `None` for as long as it takes.
    fn time_left(&self) -> Option<Duration> {
        None
    }

    /// Is told how far the work is.
    fn told(&self, _progress: &Progress) {}
}

/// Nobody waits: the work takes as long as it takes.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unwatched;

impl Watch for Unwatched {}

/// How far long work is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Progress {
    /// What is being done.
    pub stage: Stage,
    /// How much of it is done.
    pub done: usize,
    /// How much there is at most.
    pub total: usize,
    /// What the best plan so far costs.
    pub cost: Option<f64>,
    /// What no plan costs less than, as far as is known.
    pub bound: Option<f64>,
}

/// What long work is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The cheapest plan of a household, bracket by bracket of its tariff.
    Brackets,
    /// What each device saves alone.
    Shares,
    /// Why each device does what it does.
    Reasons,
    /// Which demands cannot be met together.
    Conflict,
    /// What would do instead of a demand.
    Nearest,
    /// Rounds of prices and answers of a fleet.
    Rounds,
    /// The same around programs that have a start each.
    Programs,
    /// A small fleet as one program.
    Whole,
}

impl Progress {
    /// Returns the progress of a stage of which nothing is known but how much is done.
    #[must_use]
    pub const fn counted(stage: Stage, done: usize, total: usize) -> Self {
        Self { stage, done, total, cost: None, bound: None }
    }

    /// Returns how much more the best plan so far may cost than the cheapest, relative to its cost.
    #[must_use]
    pub fn gap(&self) -> Option<f64> {
        let (cost, bound) = (self.cost?, self.bound?);
        Some(((cost - bound) / cost.abs().max(1e-9)).max(0.0))
    }
}

/// Returns the time that one solve has: what is left, and not more than a limit of its own; nothing where no time is left.
pub(crate) fn share_of_time(
    watch: &dyn Watch,
    limit: Option<Duration>,
) -> Result<Option<Duration>, TimeOver> {
    let left = watch.time_left();
    if left.is_some_and(|left| left.is_zero()) {
        return Err(TimeOver);
    }
    Ok(left.into_iter().chain(limit).min())
}

/// There is no time left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TimeOver;

/// Who waits, with some of the time kept for what comes later.
pub(crate) struct Keeping<'a> {
    watch: &'a dyn Watch,
    kept: Option<Duration>,
    told_as: Option<Stage>,
}

impl<'a> Keeping<'a> {
    /// Returns who waits, with a part of the time that is left kept, `1 / divisor` of it.
    pub(crate) fn part(watch: &'a dyn Watch, divisor: u32) -> Self {
        Self { watch, kept: watch.time_left().map(|left| left / divisor), told_as: None }
    }

    /// Returns who waits, and is told of another stage.
    pub(crate) fn told_as(watch: &'a dyn Watch, stage: Stage) -> Self {
        Self { watch, kept: None, told_as: Some(stage) }
    }
}

impl Watch for Keeping<'_> {
    fn time_left(&self) -> Option<Duration> {
        let kept = self.kept.unwrap_or_default();
        self.watch.time_left().map(|left| left.saturating_sub(kept))
    }

    fn told(&self, progress: &Progress) {
        let stage = self.told_as.unwrap_or(progress.stage);
        self.watch.told(&Progress { stage, ..*progress });
    }
}
