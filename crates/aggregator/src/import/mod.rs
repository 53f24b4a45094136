//! Reading the files that meters, gateways and markets hand out, strictly.
//!
//! Parsing is pure: bytes in, values and a report out. Nothing is stored here, and the time of day is an argument. A file is
//! either understood as a whole or refused with every faulty row named; faulty rows are passed over only where the caller
//! asks for it.

mod column;
pub mod csv;
pub mod entsoe;
mod file;
mod input;
mod report;

pub use column::{Column, FieldNames, Gap};
pub use file::{Format, Imported, Kind, file, kind_of};
pub use input::{Encoding, Limits};
pub use report::{ChangeDay, ColumnReport, Refused, Report};
