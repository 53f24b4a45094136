//! A neighborhood that does not exist: households with meters, and the day-ahead prices of their days.
//!
//! For demonstrations, tests and benches. The same seed gives the same bytes on every machine and in every version: the
//! model uses integers and its own random numbers only.
//!
//! ```text
//! power drawn = base load + cooking and evening + heat pump + car - sun
//! import      = what the meter draws from the grid;  export = what it feeds in; never both in one quarter-hour
//! ```
//!
//! The model is that of late October at 60 degrees north: cold nights, nine hours of low sun. It is meant to look like
//! a neighborhood, not to predict one.

mod dice;
mod household;
mod neighborhood;
mod price;
mod tidy;

pub use household::{Device, Household};
pub use neighborhood::{Metered, Neighborhood, NeighborhoodError, NeighborhoodOptions};
