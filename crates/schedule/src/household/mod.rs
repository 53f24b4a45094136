//! Layer 1: one household, its wishes, and what the best schedule saves.

mod check;
mod conflict;
mod device;
mod document;
mod formulation;
mod friendly;
mod headroom;
mod horizon;
mod optimal;
mod plan;
mod preferred;
mod problem;
mod reason;
mod rest;
mod share;
mod site;
mod tariff;
mod wish;

pub use check::{Check, Cost, Requirement, Violation, check};
pub use conflict::{Conflict, Conflicting, Demand, Nearest, conflict};
pub use device::{
    Battery, Cycle, CycleOrder, Device, DeviceKind, Ev, EvSession, Interruptible, Modulating,
    PreferredMode, Pv, Room, SocMinBy, Tank, Thermal, ThermalModel, ThermalStep,
};
pub use document::SCHEMA;
#[cfg(test)]
pub(crate) use formulation::Formulation;
pub(crate) use headroom::Headroom;
pub use horizon::Horizon;
pub(crate) use optimal::{Beside, optimal_beside};
pub use optimal::{OptimalPlan, Origin, PlanError, PlanOptions, optimal, optimal_watched};
pub use plan::HouseholdPlan;
pub use preferred::preferred;
pub use problem::{DEVICES_MAX, Household, HouseholdParts, STEPS_MAX};
pub use reason::{Alternative, Change, DeviceReasons, Role, reasons};
pub use rest::{CycleState, DeviceState, EvState, Measured, Metered, Rest};
pub use share::shares;
pub use site::Site;
pub use tariff::{Capacity, CapacityStep, DailyMaxSteps, HourSoFar, PeakPrice, Tariff};
pub use wish::Wish;
