//! What a verification finds, with everything that somebody needs to look it up.

use std::fmt;

use alloy_primitives::B256;
use gridtally_core::party::{ParticipantNumber, PartyId};
use gridtally_core::period::{SettlementPeriod, Slot};
use gridtally_ledger::SettledRecord;
use gridtally_settlement::{Code, Difference};
use jiff::Timestamp;
use serde::Serialize;

use crate::store::Fault;

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(tag = "finding", rename_all = "snake_case")]
pub enum Finding {
    /// Bytes of the store are not those that were recorded.
    #[error("{fault}")]
    Store {
        /// Where and what.
        fault: Fault,
    },
    /// A run cannot be computed again from what it used.
    #[error("run {run} (journal line {line}) cannot be computed again: {reason}")]
    RunNotRepeatable {
        /// The run.
        run: B256,
        /// Its line of the journal.
        line: u64,
        /// Why.
        reason: String,
    },
    /// A run computed again gives another file.
    #[error("{file}:{file_line}: recorded {recorded:?}, computed again {computed:?}")]
    RunDiffers {
        /// The file.
        file: String,
        /// The first line that differs, from 1.
        file_line: u64,
        /// As recorded; empty where the file ends.
        recorded: String,
        /// As computed again; empty where there is no such line.
        computed: String,
    },
    /// The contract is not the one that the store names.
    #[error("the contract is not the one of the store: {reason}")]
    Deployment {
        /// What is different.
        reason: String,
    },
    /// The chain has another participant under a number, or none, or one that nobody registered.
    #[error("participant {participant}{}: {reason}", named(.party.as_ref()))]
    Participant {
        /// The number.
        participant: ParticipantNumber,
        /// Who has this number in the store.
        party: Option<PartyId>,
        /// What is different.
        reason: String,
    },
    /// The chain has no tariff for a settlement period.
    #[error("settlement period {period} ({start}) has no tariff on the chain")]
    TariffMissing {
        /// The period.
        period: SettlementPeriod,
        /// Its start.
        start: Timestamp,
    },
    /// The chain has another tariff for a settlement period.
    #[error(
        "the tariff of settlement period {period} differs first for code {code} in slot {slot} ({start}): \
         the tariff in the store gives {}, the chain has {}",
        priced(*.store_micro_per_kwh), priced(*.chain_micro_per_kwh)
    )]
    TariffDiffers {
        /// The period.
        period: SettlementPeriod,
        /// The first code that differs.
        code: Code,
        /// The first slot that differs.
        slot: Slot,
        /// Start of the slot.
        start: Timestamp,
        /// The price from the store; nothing where the code has none.
        store_micro_per_kwh: Option<i32>,
        /// The price on the chain; nothing where the code has none.
        chain_micro_per_kwh: Option<i32>,
    },
    /// A batch on the chain breaks a rule, or cannot be judged.
    #[error("batch {seq}: {reason}")]
    Batch {
        /// Its number.
        seq: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// A file of the store's archive of batches is not what its name says.
    #[error("the archive of batches: {reason}")]
    Archive {
        /// Which file, and why.
        reason: String,
    },
    /// What sealed batches hide is not there, or is there although it was to be erased.
    #[error("the store of sections: {reason}")]
    Sections {
        /// What, and of which batch.
        reason: String,
    },
    /// A record on the chain is not the one that the readings give.
    #[error("{0}")]
    Record(Box<RecordFinding>),
    /// A balance is not the sum of what was paid in, settled and paid out.
    #[error(
        "participant {participant} has {actual_micro} micro-units, its payments sum to {expected_micro}"
    )]
    Balance {
        /// Whose.
        participant: ParticipantNumber,
        /// The sum of all events.
        expected_micro: u64,
        /// What the contract says.
        actual_micro: u64,
    },
    /// The contract holds another amount than all balances together.
    #[error("the balances sum to {expected_micro} micro-units, the contract says {actual_micro}")]
    Escrow {
        /// The sum of all balances.
        expected_micro: u64,
        /// What the contract says.
        actual_micro: u64,
    },
}

/// A record that differs, with the place of its slot and of its transaction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RecordFinding {
    /// How it differs.
    pub difference: Difference,
    /// Which slot of whom.
    pub place: SlotPlace,
    /// The transaction that settled it, where the chain has it.
    pub transaction: Option<TransactionPlace>,
}

/// A slot in the terms of people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SlotPlace {
    /// The participant against the hub, or who pays.
    pub participant: ParticipantNumber,
    /// Its name in the store.
    pub party: Option<PartyId>,
    /// Its metering points.
    pub metering_points: Vec<String>,
    /// Start of the slot.
    pub start: Option<Timestamp>,
    /// The price in the store's tariff, micro-units per kWh.
    pub price_micro_per_kwh: Option<i32>,
}

/// Where a record stands on the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct TransactionPlace {
    /// Number of the block.
    pub block: u64,
    /// Hash of the transaction.
    pub transaction: B256,
    /// Position of the event in the block, where the record has one of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_index: Option<u64>,
}

impl From<&SettledRecord> for TransactionPlace {
    fn from(settled: &SettledRecord) -> Self {
        let &SettledRecord { block, transaction, log_index, .. } = settled;
        Self { block: block.number, transaction, log_index: Some(log_index) }
    }
}

impl fmt::Display for RecordFinding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { difference, place, transaction } = self;
        write!(formatter, "{difference} (")?;
        if let Some(party) = &place.party {
            write!(formatter, "{party}, ")?;
        }
        if !place.metering_points.is_empty() {
            write!(formatter, "metered at {}, ", place.metering_points.join(" and "))?;
        }
        if let Some(start) = place.start {
            write!(formatter, "slot from {start}, ")?;
        }
        match place.price_micro_per_kwh {
            Some(price) => write!(formatter, "{price} micro-units per kWh")?,
            None => write!(formatter, "without a price in the store")?,
        }
        if let Some(TransactionPlace { block, transaction, log_index }) = transaction {
            write!(formatter, ", transaction {transaction} in block {block}")?;
            if let Some(log_index) = log_index {
                write!(formatter, ", event {log_index}")?;
            }
        }
        formatter.write_str(")")
    }
}

fn priced(micro_per_kwh: Option<i32>) -> String {
    micro_per_kwh.map_or("no price".to_owned(), |price| format!("{price} micro-units per kWh"))
}

fn named(party: Option<&PartyId>) -> String {
    party.map_or_else(String::new, |party| format!(" ({party})"))
}
