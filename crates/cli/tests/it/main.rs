//! The binary as its users meet it: output and exit code of every command, and the repository as it describes itself.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![expect(clippy::print_stdout, reason = "tests on real data say that they were left out")]

mod access;
mod bench;
mod chain;
mod completions;
mod config;
mod conformance;
mod cost;
mod demo;
mod dispatch_again;
mod documents;
mod neighborhood;
mod reference;
mod run;
mod schedule;
mod schedule_rest;
mod sealed;
mod server;
mod settle;
mod settle_batch;
#[cfg(test)]
mod settle_sealed;
mod tidy;
mod unseen;
mod usage;
mod watch;
