//! The running business: the simulated neighborhood.

pub mod sim;
