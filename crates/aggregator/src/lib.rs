//! The running business: import of files, the simulated neighborhood.

pub mod import;

pub mod sim;
