//! Plans as their users see them.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod conflict;
mod fleet;
mod friendly;
mod neighborhood;
mod oracle;
mod property;
mod random;
mod seeds;
