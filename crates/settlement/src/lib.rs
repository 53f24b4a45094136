//! Settlement, pure: readings and tariffs in, records out, and everything that a record becomes on the chain.
//!
//! [`PeriodReadings`] collects the readings of one settlement period, [`settle_period`] prices them; a [`RunManifest`] names what a run of several used.
//! [`DirectRecord`] is the form in which a record is settled one by one; [`Tree`] and the leaves are the form in which many
//! are committed at once. [`first_difference`] is the comparison behind every verification.
//!
//! The crate does no I/O, knows no clock and no chain client, uses no floats, and gives the same bytes for the same input.
//! It follows the settlement protocol, sections 2.1 to 2.4 and 2.13.
#![deny(clippy::float_arithmetic)]

mod code;
mod record;

mod amount;
mod tariff_table;

mod period_readings;
mod section;
mod slot_energy;

mod period;
mod total;

mod run;

mod direct;

mod leaf;
mod tree;

mod comparison;

pub use amount::{participant_amount, priced_truncated};
pub use code::{Code, CodeClass, CodeError};
pub use comparison::{Difference, RecordKey, Settled, first_difference};
pub use direct::{
    DirectRecord, DirectRecordError, Domain, SignatureError, address_of, recover, sign,
};
pub use leaf::{AccountLeaf, RecordLeaf};
pub use period::{PeriodRecords, PeriodRefused, PricedRecord, correct_period, settle_period};
pub use period_readings::{PeriodReadings, ReadingRefused};
pub use record::{Record, RecordError};
pub use run::{RunId, RunManifest, RunSummary};
pub use section::{GapRange, Section};
pub use slot_energy::{EstimatedPolicy, Gap, MissingPolicy, SlotEnergy, SlotEnergyError};
pub use tariff_table::{TABLE_LENGTH_MAX, TariffTable, TariffTableError};
pub use total::{CodeTotal, Position, Totals};
pub use tree::{Tree, is_included, node};
