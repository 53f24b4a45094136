//! Dispatch: what each device is told, what it answers, and who does more when one does less.
//!
//! Set-points are never edited. A re-plan gives those that change in a newer version, which supersedes the older ones in the steps that it
//! covers; the rest stays in force.

mod document;
mod need;
mod part;
mod record;
mod replan;
mod report;
mod status;

pub use document::STATE_SCHEMA;
pub use need::Unmet;
pub use record::{Record, SetPoint};
pub use replan::{Change, Replan, ReplanError, ReplanOptions, replan};
pub use report::{FleetState, FleetStateOf, Standing, StateReport};
pub use status::Status;
