//! Plans for a household, for households behind shared limits, and for a fleet.
//!
//! A problem is read and checked ([`household::Household`]), planned, and every plan is judged by a checker
//! ([`household::check`]) that shares no code with the solvers. Inside this crate powers, prices and states are floating-point numbers:
//! kW, kWh and currency per kWh. It knows no money beyond prices, no chain and no HTTP.

// Households by chance are written once, for tests from outside and from inside.
#[cfg(test)]
extern crate self as gridtally_schedule;

pub mod fleet;
pub mod household;
pub mod neighborhood;

pub mod sample;
pub mod solver;

#[cfg(feature = "highs")]
pub mod textbook;

mod bounds;
mod json;
mod lines;
mod refusal;
mod watch;
mod written;

pub use refusal::{ProblemReason, ProblemRefused};
pub use watch::{Progress, Stage, Unwatched, Watch};
