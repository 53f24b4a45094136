//! Layer 2 from layer 1: households that share a transformer and feeders, planned together.
//!
//! Each household answers prices of the limits with its own cheapest plan, wear, tariff, wishes and integers included; the master mixes the
//! answers; what cannot be mixed is drawn and repaired; the bound is certified.

mod answer;
mod around;
mod check;
mod choose;
mod coordinate;
mod document;
mod master;
mod plan;
mod problem;
mod repair;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod whole;

pub use check::{NeighborhoodCheck, check};
pub use document::NeighborhoodDocument;
pub use plan::{
    Exceeded, MemberPlan, NeighborhoodError, NeighborhoodOptions, NeighborhoodPlan, plan,
};
pub use problem::{
    FEEDERS_MAX, GridLimit, HOUSEHOLDS_MAX, Members, Neighborhood, NeighborhoodParts,
};
