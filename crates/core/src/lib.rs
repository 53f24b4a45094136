//! The vocabulary of gridtally: quantities as integers, periods and calendars, identifiers with check digits, parties,
//! meters, readings with quality, and tariffs.
//!
//! An invalid value of these types cannot be built. There is no floating point, no clock and no I/O in this crate; time
//! zones come from the bundled database, so that the same input gives the same answer on every machine.
//!
//! It does not settle anything: records and their encoding are the business of `gridtally-settlement`.

#![deny(clippy::float_arithmetic)]

pub mod quantity;

pub mod period;

pub mod series;

pub mod calendar;
pub mod holiday;

pub mod id;
pub mod party;

pub mod meter;
pub mod reading;

pub mod tariff;

pub mod decimal;
pub mod rounding;
pub mod split;

pub mod explanation;
pub mod rejection;
