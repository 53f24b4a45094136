//! The time on the chain: the clock it is given, moved as developers ask.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::clock::Clock;

/// Decides the timestamps of blocks.
pub(crate) struct ChainTime {
    clock: Arc<dyn Clock>,
    settings: Mutex<Settings>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Settings {
    offset_s: i64,
    next: Option<u64>,
}

impl ChainTime {
    /// Returns a time that runs with `clock`, or from `start` on when given.
    pub(crate) fn new(clock: Arc<dyn Clock>, start: Option<u64>) -> Self {
        let time = Self { clock, settings: Mutex::default() };
        if let Some(start) = start {
            time.set_now(start);
        }
        time
    }

    /// Returns the time now in seconds since 1970.
    pub(crate) fn now(&self) -> u64 {
        self.clock.now_unix_s().saturating_add_signed(self.settings().offset_s)
    }

    /// Makes the time be `unix_s` now and run on from there.
    pub(crate) fn set_now(&self, unix_s: u64) {
        let now = i128::from(self.clock.now_unix_s());
        let offset = i128::from(unix_s) - now;
        self.settings().offset_s =
            i64::try_from(offset).unwrap_or(if offset < 0 { i64::MIN } else { i64::MAX });
    }

    /// Moves the time forward and returns by how many seconds it is now ahead of the clock.
    pub(crate) fn advance(&self, seconds: u64) -> i64 {
        let mut settings = self.settings();
        settings.offset_s = settings.offset_s.saturating_add_unsigned(seconds);
        settings.offset_s
    }

    /// Sets the timestamp of the next block.
    pub(crate) fn set_next(&self, unix_s: u64) {
        self.settings().next = Some(unix_s);
    }

    /// Returns the timestamp of a block after one with `parent`, without using up a set one.
    pub(crate) fn peek(&self, parent: u64) -> u64 {
        let next = self.settings().next;
        next.unwrap_or_else(|| self.now()).max(parent.saturating_add(1))
    }

    /// Returns the timestamp of the block that is sealed now after one with `parent`. A set timestamp is used up,
    /// and the time runs on from it.
    pub(crate) fn take(&self, parent: u64) -> u64 {
        let timestamp = self.peek(parent);
        if self.settings().next.take().is_some() {
            self.set_now(timestamp);
        }
        timestamp
    }

    /// Returns what [`Self::restore`] needs to bring the present settings back.
    pub(crate) fn offset(&self) -> i64 {
        self.settings().offset_s
    }

    /// Brings an earlier offset back.
    pub(crate) fn restore(&self, offset_s: i64) {
        *self.settings() = Settings { offset_s, next: None };
    }

    fn settings(&self) -> MutexGuard<'_, Settings> {
        self.settings.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for ChainTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChainTime").field("settings", &self.settings).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;

    #[test]
    fn blocks_are_later_than_their_parents_and_follow_the_clock() {
        let clock = Arc::new(ManualClock::at(1_000));
        let time = ChainTime::new(Arc::clone(&clock) as Arc<dyn Clock>, None);
        assert_eq!(time.take(0), 1_000);
        assert_eq!(time.take(1_000), 1_001);
        clock.advance(500);
        assert_eq!(time.take(1_001), 1_500);
        assert_eq!(time.advance(60), 60);
        assert_eq!(time.take(1_500), 1_560);
        time.set_next(9_000);
        assert_eq!(time.take(1_560), 9_000);
        clock.advance(1);
        assert_eq!(time.take(9_000), 9_001);
    }

    #[test]
    fn a_chain_can_start_in_the_past() {
        let clock: Arc<dyn Clock> = Arc::new(ManualClock::at(1_700_000_000));
        assert_eq!(ChainTime::new(clock, Some(1_300_000_000)).take(1_300_000_000), 1_300_000_001);
    }
}
