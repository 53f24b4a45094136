//! Layer 2: a fleet of devices behind shared limits.

mod coordinate;
mod document;
mod master;
mod problem;
mod respond;
mod storage;
mod window;

pub use coordinate::{FleetError, FleetOptions, FleetPlan, coordinate};
pub use document::SCHEMA;
pub use master::{Limit, LimitPrices};
pub use problem::{
    Cycles, DEVICES_MAX, Evs, FEEDERS_MAX, Feeder, Fleet, FleetParts, STEPS_MAX, Tanks, V2gs,
};
pub use respond::FleetDevice;
