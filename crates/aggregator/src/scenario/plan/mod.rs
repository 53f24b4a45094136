//! Problems of the planner from what meters, chargers and markets recorded.

mod appliance;
mod battery;
mod by_clock;
mod chargers;
mod home;
mod sessions;
mod span;

use gridtally_core::calendar::Zone;
use gridtally_core::explanations;
use gridtally_core::tariff::PriceUnavailable;
use gridtally_schedule::ProblemRefused;
use jiff::civil::DateTime;

use super::file::ScenarioError;
pub use chargers::{ChargersScenario, RealChargers, SessionCounts};
pub use home::{HomeCounts, HomeScenario, RealHome};

/// Why recorded data make no problem, in order of precedence.
#[derive(Debug, thiserror::Error)]
pub enum PlanScenarioError {
    /// The scenario or one of its files cannot be used.
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    /// A key of the scenario has a value that cannot be.
    #[error("{key} = {value}: {reason}")]
    Value {
        /// Its key.
        key: &'static str,
        /// The value.
        value: String,
        /// What is wrong.
        reason: String,
    },
    /// A file has nothing of what the scenario names.
    #[error("{file} has no {what}")]
    Nothing {
        /// The file.
        file: String,
        /// What was looked for.
        what: String,
    },
    /// A value that a step needs is missing.
    #[error("{what} has no value for {local} by the clocks of {}, and {count} steps have none in all", zone.name())]
    Missing {
        /// Whose value.
        what: String,
        /// The first time without one.
        local: DateTime,
        /// Whose clocks show it.
        zone: Zone,
        /// How many steps have none.
        count: usize,
    },
    /// The tariff has no price for a step.
    #[error(transparent)]
    Price(#[from] PriceUnavailable),
    /// What the data say cannot be planned.
    #[error(transparent)]
    Problem(#[from] ProblemRefused),
}

explanations! {
    PlanScenarioError {
        Scenario: "plan-scenario" "the scenario of a plan or one of its files cannot be used"
            "correct what is named; fixtures/scenarios has scenarios that work";
        Value: "plan-scenario-value" "a key of the scenario of a plan has a value that cannot be"
            "correct the value";
        Nothing: "plan-scenario-nothing" "a file has nothing of what the scenario of a plan names"
            "compare the name with the file, and the span with the time that the file covers";
        Missing: "plan-scenario-missing" "a step has no value, and missing is never zero"
            "take another span or shift, or say missing = \"week_before\" to take the value of the week before";
        Price: "plan-scenario-price" "the tariff has no price for a step"
            "give the tariff a version that is valid then, with import and export, and the market's prices of its areas";
        Problem: "plan-scenario-problem" "what the data say cannot be planned"
            "correct the field that is named in the scenario";
    }
}
