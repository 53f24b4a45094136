//! The settlement crate through its public interface.
#![expect(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod auditor;
mod direct;
mod judge;
mod mutation;
mod oracle;
mod period;
mod run;
mod sealed;
mod seeds;
mod size;
mod town;
mod vectors;
mod watcher;
