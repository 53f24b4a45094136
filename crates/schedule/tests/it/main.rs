//! Plans as their users see them.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod conflict;
mod dispatch;
mod fleet;
mod friendly;
mod friendly_fleet;
mod neighborhood;
mod oracle;
mod property;
mod random;
mod reason;
mod refused;
mod rest;
mod seeds;
mod watched;
