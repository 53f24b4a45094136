//! The crate through its public API.

mod world;

mod fault;
mod kill;
mod run;
mod store;
