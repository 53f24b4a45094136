//! A run onto a chain in batches: whatever is missing there, and nothing twice.
//!
//! ```text
//! store's run --> work: what the chain lacks --> deposits --> batch, batch, ... correction runs --> a week later: final
//!                    ^                                             |
//!                    +----------- published records <--------------+
//! ```
//!
//! The chain is the only memory: what it has of a period is read from the published records, and the difference to the run
//! is settled. A correction is a run that says the difference. Open and sealed batches differ in the commit alone
//! ([`settler::BatchSettler::commit`]), and in where their records are read: on the chain, or in the store of sections.

mod erase;
mod error;
mod funds;
mod plan;
mod registry;
mod sealing;
mod settler;
mod sign;
mod whole;

pub use erase::{EraseError, Erased, ErasedIn, Erasure};
pub use error::BatchError;
pub use sealing::{NoSealing, Sealing};
pub use settler::check_auditor;
pub use whole::{BatchSettlement, settle_in_batches};

pub(crate) use plan::SettledKeys;
pub(crate) use settler::{beacon_of, settled_keys};
pub(crate) use sign::signing_key;

use gridtally_core::period::SettlementPeriod;
use gridtally_ledger::{GasMeasurements, HubReport, Publication};
use gridtally_settlement::WithdrawalPolicy;
use jiff::Timestamp;

use super::on_chain::{ChainOptions, Money};
use super::time::ChainTime;

/// What a cancelled batch costs the hub of a new deployment, micro-units.
pub const SLASH_UNIT_MICRO: u64 = 5_000_000_000;
/// Bond of a demand for one leaf of a new deployment, micro-units.
pub const DEMAND_BOND_MICRO: u64 = 25_000_000;

/// How a run goes onto a chain in batches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchOptions {
    /// Who moves the time of the chain.
    pub time: ChainTime,
    /// Where the money of participants comes from; the hub's own, and its bond, come from its tokens.
    pub money: Money,
    /// Which token a new deployment pays with.
    pub token: Option<alloy_primitives::Address>,
    /// Until when tariffs of later periods are published as well, as far as prices are known.
    pub publish_until: Option<Timestamp>,
    /// What a cancelled batch costs the hub, where contracts are deployed; micro-units.
    pub slash_unit_micro: u64,
    /// Bond of a demand for one leaf, where contracts are deployed; micro-units.
    pub demand_bond_micro: u64,
    /// Whether records are hidden from the public; `None` for as before, and for a new ledger as it names an auditor or not.
    pub sealing: Option<Sealing>,
    /// Who audits sealed batches, where contracts are deployed; those that are there must name the same.
    pub auditor: Option<alloy_primitives::Address>,
    /// The smallest deposit that is made for somebody who lacks money, micro-units.
    pub deposit_least_micro: u64,
    /// How records are published.
    pub publication: Publication,
    /// Most records of a batch; `None` for as many as the way of publication takes.
    pub records_max: Option<usize>,
    /// What the hub pays out in the last batch, besides to those who asked to leave.
    pub withdrawals: WithdrawalPolicy,
    /// Whether time is moved over the windows of all batches, where it is ours to move.
    pub finalizes: bool,
    /// Where blobs are found that the store's archive does not have, http or https; `None` for the endpoint itself.
    pub beacon: Option<String>,
}

impl BatchOptions {
    /// Returns the options for a development chain: its time is moved, its money is issued.
    #[must_use]
    pub fn development() -> Self {
        let ChainOptions { time, money, token, publish_until, .. } = ChainOptions::development();
        Self {
            time,
            money,
            token,
            publish_until,
            slash_unit_micro: SLASH_UNIT_MICRO,
            demand_bond_micro: DEMAND_BOND_MICRO,
            sealing: None,
            auditor: None,
            deposit_least_micro: 0,
            publication: Publication::Cheapest,
            records_max: None,
            withdrawals: WithdrawalPolicy::LEAVING_ONLY,
            finalizes: false,
            beacon: None,
        }
    }
}

/// What a run did on a chain.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BatchReport {
    /// Whether batches are sealed.
    pub is_sealed: bool,
    /// The batches that were committed now, in order.
    pub committed: Vec<CommittedNow>,
    /// Records of readings that were settled now, corrections among them.
    pub settled: u64,
    /// Records of correction runs that were settled now.
    pub corrected: u64,
    /// Records that the chain had already, as they are wanted.
    pub already_settled: u64,
    /// Records that were left alone: the section of their participant in a batch of the period was erased, and nobody knows what it
    /// settled.
    pub erased: u64,
    /// Deposits that were made for somebody now.
    pub deposit_count: u64,
    /// What they were, together, micro-units.
    pub deposited_micro: u64,
    /// Batches on the chain, all.
    pub batch_count: u64,
    /// Batches whose window is over.
    pub final_count: u64,
    /// When the newest batch can be final, where it is not.
    pub final_from: Option<Timestamp>,
    /// What else the hub did, or could not do.
    pub reports: Vec<HubReport>,
    /// Gas of everything that was sent, but for what the hub does besides committing.
    pub measured: GasMeasurements,
}

/// A batch that was committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct CommittedNow {
    /// Its number.
    pub seq: u64,
    /// The settlement period.
    pub period: SettlementPeriod,
    /// 0 for a regular batch, R for the R-th correction run.
    pub run: u32,
    /// Which part of its period.
    pub part: u16,
    /// All its records: readings, deposits, withdrawals.
    pub record_count: u32,
}
