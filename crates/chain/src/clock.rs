//! The clock of a chain, passed in so that tests and history can choose the time.

use std::sync::atomic::{AtomicU64, Ordering};

/// Where a chain reads the time from.
pub trait Clock: Send + Sync {
    /// Returns the current time in whole seconds since 1970-01-01T00:00:00Z.
    fn now_unix_s(&self) -> u64;
}

/// The clock of the computer.
#[derive(Debug, Default, Clone, Copy)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the system clock")]
    fn now_unix_s(&self) -> u64 {
        std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .map_or(0, |elapsed| elapsed.as_secs())
    }
}

/// A clock that stands still until it is moved.
///
/// ```
/// use gridtally_chain::{Clock, ManualClock};
/// let clock = ManualClock::at(1_700_000_000);
/// clock.advance(12);
/// assert_eq!(clock.now_unix_s(), 1_700_000_012);
/// ```
#[derive(Debug, Default)]
pub struct ManualClock(AtomicU64);

impl ManualClock {
    /// Returns a clock that shows `unix_s` seconds since 1970.
    #[must_use]
    pub fn at(unix_s: u64) -> Self {
        Self(AtomicU64::new(unix_s))
    }

    /// Moves the clock forward by `seconds`.
    pub fn advance(&self, seconds: u64) {
        self.0.fetch_add(seconds, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now_unix_s(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}
