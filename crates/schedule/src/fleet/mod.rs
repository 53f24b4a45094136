//! Layer 2: a fleet of devices behind shared limits.

mod check;
mod columns;
mod coordinate;
mod direct;
pub mod dispatch;
mod document;
mod fairness;
mod friendly;
mod master;
mod names;
mod plan;
mod problem;
#[cfg(test)]
mod random;
mod respond;
mod starts;
mod storage;
mod two_way;
mod uncontrolled;
mod window;

pub use check::{FleetCheck, check};
pub use columns::{Batteries, Cycles, Evs, Rooms, Tanks, V2gs};
pub use coordinate::{FleetError, FleetOptions, lagrangian};
#[cfg(feature = "highs")]
pub(crate) use direct::as_one_program;
pub use document::SCHEMA;
pub use fairness::{Fairness, fairness};
pub use friendly::ReadBeside;
pub use master::{Limit, LimitPrices};
pub use names::FleetNames;
pub use plan::{FleetPlan, plan, plan_watched};
pub use problem::{DEVICES_MAX, FEEDERS_MAX, Feeder, Fleet, FleetParts, STEPS_MAX};
pub use respond::FleetDevice;
pub use uncontrolled::{uncontrolled_ev, uncontrolled_ev_kw};
