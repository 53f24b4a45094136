//! Plans as their users see them.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod conflict;
mod fleet;
mod friendly;
mod oracle;
mod property;
mod random;
#[cfg(feature = "highs")]
mod random_fleet;
#[cfg(feature = "highs")]
mod second_opinion;
mod seeds;
