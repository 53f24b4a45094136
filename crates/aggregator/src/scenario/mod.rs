//! A scenario: one file that names everything for a settlement, from meter files to the span that is settled, or everything for a plan.
//!
//! A settlement ends as an ordinary store, on which everything else works: another import, another run, verification. A plan ends as an
//! ordinary problem of a household or a fleet.

mod file;
mod fill;
mod plan;

pub use file::{Participants, PriceSource, ReadingSource, Scenario, ScenarioError};
pub use fill::{Filled, FilledFile};
pub use plan::{
    ChargersScenario, HomeCounts, HomeScenario, PlanScenarioError, RealChargers, RealHome,
    SessionCounts,
};
