//! Layer 2: a fleet of devices behind shared limits.

mod check;
mod coordinate;
mod direct;
mod document;
mod master;
mod plan;
mod problem;
mod respond;
mod starts;
mod storage;
mod uncontrolled;
mod window;

pub use check::{FleetCheck, check};
pub use coordinate::{FleetError, FleetOptions, lagrangian};
#[cfg(feature = "highs")]
pub(crate) use direct::as_one_program;
pub use document::SCHEMA;
pub use master::{Limit, LimitPrices};
pub use plan::{FleetPlan, plan};
pub use problem::{
    Cycles, DEVICES_MAX, Evs, FEEDERS_MAX, Feeder, Fleet, FleetParts, STEPS_MAX, Tanks, V2gs,
};
pub use respond::FleetDevice;
pub use uncontrolled::uncontrolled_ev;
