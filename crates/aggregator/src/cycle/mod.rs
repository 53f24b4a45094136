//! The settlement cycle: from what the store knows to records, and from records to payments on a chain.
//!
//! ```text
//! RunOptions --> PreparedRun --> records, period by period --> a run in the store
//!                     |                     |
//!                     +--> tariff tables    +--> OnChain: register, publish, fund, settle
//! ```
//!
//! The first half is pure apart from reading the store, and gives the same bytes for the same inputs. The second half
//! keeps nothing: after a crash it asks the chain what is done, and does the rest.

mod batch;
mod embedded;
mod error;
mod exchange;
mod mode;
mod on_chain;
mod options;
mod prepared;
mod record;
mod recorded;
mod time;
mod whole;

pub use batch::{
    BatchError, BatchOptions, BatchReport, BatchSettlement, CommittedNow, DEMAND_BOND_MICRO,
    EraseError, Erased, ErasedIn, Erasure, NoSealing, SLASH_UNIT_MICRO, Sealing, check_auditor,
    settle_in_batches,
};
pub(crate) use batch::{SettledKeys, beacon_of, settled_keys, signing_key};
pub use embedded::{EmbeddedChain, EmbeddedError};
pub use error::RunError;
pub use mode::{ModeDiffers, NoMode, SettlementMode};
pub(crate) use on_chain::registrations;
pub use on_chain::{ChainError, ChainOptions, ChainReport, Money, settle_on_chain};
pub use options::RunOptions;
pub use prepared::{PreparedRun, RunPeriod, RunPeriods};
pub use record::{CycleProgress, RunReport, settle_into_store};
pub use recorded::{EnergyRecorded, PricesRecorded};
pub use time::ChainTime;
pub(crate) use time::{mine, move_time_to};
pub use whole::{Settlement, SettlementError, settle, settle_embedded};
