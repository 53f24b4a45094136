//! The running business: what is metered goes into a store, what is settled comes out of it and goes onto a chain, and
//! everything can be checked again by anybody.
//!
//! ```text
//! sim, import --> store --> cycle --> chain
//!                   |                   |
//!                   +----> verify <-----+
//! ```
//!
//! The crate composes the others and serves nothing: no HTTP, no terminal. Time is an argument.

pub mod toml_text;

pub mod import;

pub mod sim;

pub mod store;

pub mod cycle;

pub mod verify;

pub mod scenario;

pub mod demo;
