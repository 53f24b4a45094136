//! A scenario: one file that names everything for a settlement, from meter files to the span that is settled.
//!
//! It ends as an ordinary store, on which everything else works: another import, another run, verification.

mod file;
mod fill;

pub use file::{Participants, PriceSource, ReadingSource, Scenario, ScenarioError};
pub use fill::{Filled, FilledFile};
