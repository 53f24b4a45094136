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
#[cfg(feature = "highs")]
mod random_fleet;
mod reason;
mod refused;
mod rest;
#[cfg(feature = "highs")]
mod second_opinion;
mod seeds;
mod watched;
