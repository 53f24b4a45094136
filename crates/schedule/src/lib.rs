//! Plans for a household and for a fleet.
//!
//! A problem is read and checked ([`household::Household`]), planned, and every plan is judged by a checker
//! ([`household::check`]) that shares no code with the solvers. Inside this crate powers, prices and states are floating-point numbers:
//! kW, kWh and currency per kWh. It knows no money beyond prices, no chain and no HTTP.

pub mod fleet;
pub mod household;

pub mod sample;
pub mod solver;

#[cfg(feature = "highs")]
pub mod textbook;

mod bounds;
mod json;
mod refusal;

pub use refusal::{ProblemReason, ProblemRefused};
