//! Everything that was registered, read from the chain alone: what `verify` compares with and what
//! `cost` is computed from. Nothing here trusts a store.

use std::collections::BTreeMap;

use alloy_primitives::{Address, B256, U256};
use alloy_sol_types::{SolCall, SolEvent};
use gridtally_core::explanations;
use gridtally_core::party::ParticipantNumber;
use gridtally_core::period::SettlementPeriod;
use gridtally_core::quantity::Amount;
use gridtally_settlement::{DirectRecord, Settled, TariffTable};
use serde::{Deserialize, Serialize};

use crate::abi::DirectSettlement;
use crate::client::{BlockId, LogFilter};
use crate::deploy::Ledger;
use crate::endpoint::EndpointError;
use crate::event::{EventError, LedgerEntry, LedgerEvent, ParticipantState};
use crate::follow::{FollowError, entries, logs_bounded};
use crate::gas::{CallKind, GasMeasurements};
use crate::register::Participant;
use crate::wire::BlockRef;

/// Most blocks in one question for logs; halved where the endpoint finds it too many.
const RANGE_BLOCKS_MAX: u64 = 2_000;
/// Most periods that a question for logs names one by one.
const PERIODS_NAMED_MAX: usize = 32;

/// A record as it was settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettledRecord {
    /// The record.
    pub record: DirectRecord,
    /// What `from` paid `to`; negative where it went the other way.
    pub amount: Amount,
    /// The block of the settlement.
    pub block: BlockRef,
    /// The transaction of the settlement.
    pub transaction: B256,
    /// The position in the block.
    pub log_index: u64,
}

impl From<&SettledRecord> for Settled {
    fn from(settled: &SettledRecord) -> Self {
        Self { record: settled.record, amount: settled.amount }
    }
}

/// A tariff as it was published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishedTariff {
    /// keccak256 of the table, checked.
    pub hash: B256,
    /// The prices.
    pub table: TariffTable,
    /// The block of the publication.
    pub block: BlockRef,
}

/// Why the chain cannot be read, in order of precedence.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// The endpoint failed.
    #[error("{0}")]
    Endpoint(#[from] EndpointError),
    /// An entry of the contract is not of the expected form, or was not asked for.
    #[error(transparent)]
    Entry(FollowError),
    /// The entries contradict each other: the endpoint left some out.
    #[error("log entry {log_index} of block {block} does not follow from those before: {reason}")]
    Contradiction {
        /// Its block.
        block: u64,
        /// Its position in the block.
        log_index: u64,
        /// What does not fit.
        reason: &'static str,
    },
}

explanations! {
    HistoryError {
        Endpoint(error);
        Entry(error);
        Contradiction: "history-contradiction" "the entries of the contract contradict each other: the endpoint left some out"
            "ask another endpoint, one that keeps the whole history";
    }
}

impl From<FollowError> for HistoryError {
    fn from(error: FollowError) -> Self {
        match error {
            FollowError::Endpoint(error) => Self::Endpoint(error),
            error => Self::Entry(error),
        }
    }
}

impl From<EventError> for HistoryError {
    fn from(error: EventError) -> Self {
        Self::Entry(error.into())
    }
}

/// Everything that the contract ever told, up to one block. Balances are recomputed from deposits,
/// withdrawals and records, not asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct History {
    /// The last block that was read.
    pub block: u64,
    /// All participants by number, the hub included.
    pub participants: BTreeMap<ParticipantNumber, Participant>,
    /// All tariffs by period.
    pub tariffs: BTreeMap<SettlementPeriod, PublishedTariff>,
    /// All records in the order of settlement.
    pub records: Vec<SettledRecord>,
}

impl Ledger {
    /// Reads everything from the deployment to a block, or to the newest one.
    ///
    /// # Errors
    ///
    /// Returns the first [`HistoryError`] in the order of its variants.
    pub async fn history(&self, to: Option<u64>) -> Result<History, HistoryError> {
        let to = match to {
            Some(to) => to,
            None => self.client().block_number().await?,
        };
        let mut history = History { block: to, ..History::default() };
        let filter = LogFilter::all_of([self.deployment().contract]);
        let slots = self.deployment().calendar.slots_per_period();
        let mut range_blocks = RANGE_BLOCKS_MAX;
        let mut from = self.deployment().block;
        while from <= to {
            let (last, logs) =
                logs_bounded(self.client(), &filter, from, to, &mut range_blocks).await?;
            for entry in entries::<LedgerEntry>(&filter, logs, from, last)? {
                history.apply(entry, slots)?;
            }
            from = last + 1;
        }
        Ok(history)
    }

    /// Reads all records of some periods, in the order of settlement.
    ///
    /// # Errors
    ///
    /// Returns the first [`HistoryError`] in the order of its variants.
    pub async fn settled_records(
        &self,
        periods: &[SettlementPeriod],
    ) -> Result<Vec<SettledRecord>, HistoryError> {
        let Some(first) = periods.iter().min() else { return Ok(Vec::new()) };
        let named = (periods.len() <= PERIODS_NAMED_MAX).then(|| {
            periods.iter().map(|period| B256::from(U256::from(period.0))).collect::<Vec<_>>()
        });
        let signature = Some(vec![DirectSettlement::Settled::SIGNATURE_HASH]);
        let filter = LogFilter {
            addresses: vec![self.deployment().contract],
            topics: vec![signature, None, None, named],
        };
        let to = self.client().block_number().await?;
        // No slot of a period is settled before the period starts.
        let starts_at_s = self.deployment().period_start_s(*first);
        let mut from = self.block_at(starts_at_s, to).await?;
        let mut range_blocks = RANGE_BLOCKS_MAX;
        let mut records = Vec::new();
        while from <= to {
            let (last, logs) =
                logs_bounded(self.client(), &filter, from, to, &mut range_blocks).await?;
            let settled = entries(&filter, logs, from, last)?.into_iter().filter_map(settled);
            records.extend(settled.filter(|settled| periods.contains(&settled.record.period)));
            from = last + 1;
        }
        Ok(records)
    }

    /// Returns the first block, from the deployment's to `last`, whose time is `time_s` (Unix, s)
    /// or later; `last + 1` if there is none.
    ///
    /// # Errors
    ///
    /// Returns the [`EndpointError`].
    pub async fn block_at(&self, time_s: u64, last: u64) -> Result<u64, EndpointError> {
        let (mut low, mut high) = (self.deployment().block, last.saturating_add(1));
        while low < high {
            let middle = low + (high - low) / 2;
            match self.client().block(BlockId::Number(middle)).await? {
                Some(block) if block.timestamp < time_s => low = middle + 1,
                _ => high = middle,
            }
        }
        Ok(low)
    }

    /// Reads what the settling transactions of records used and paid, by kind of call.
    ///
    /// Transactions that did not call the contract itself (a wallet contract's, say) are left out:
    /// their gas is not that of the records alone.
    ///
    /// # Errors
    ///
    /// Returns the [`EndpointError`].
    pub async fn settlement_costs(
        &self,
        records: &[SettledRecord],
    ) -> Result<GasMeasurements, EndpointError> {
        let mut counts = BTreeMap::<B256, u64>::new();
        for record in records {
            *counts.entry(record.transaction).or_default() += 1;
        }
        let mut measured = GasMeasurements::default();
        for (hash, count) in counts {
            let Some(transaction) = self.client().transaction(hash).await? else { continue };
            let kind = self.settling_kind(transaction.to, &transaction.input);
            let (Some(kind), Some(receipt)) = (kind, self.client().receipt(hash).await?) else {
                continue;
            };
            measured.add_receipt(kind, count, &receipt);
        }
        Ok(measured)
    }

    fn settling_kind(&self, to: Option<Address>, input: &[u8]) -> Option<CallKind> {
        if to != Some(self.deployment().contract) {
            return None;
        }
        let selector: [u8; 4] = input.get(..4)?.try_into().ok()?;
        match selector {
            DirectSettlement::settleCall::SELECTOR => Some(CallKind::Settle),
            DirectSettlement::settleManyCall::SELECTOR => Some(CallKind::SettleMany),
            DirectSettlement::settlePackedCall::SELECTOR => Some(CallKind::SettlePacked),
            DirectSettlement::settleSignedCall::SELECTOR => Some(CallKind::SettleSigned),
            _ => None,
        }
    }
}

fn settled(entry: LedgerEntry) -> Option<SettledRecord> {
    let LedgerEntry { block, transaction, log_index, event } = entry;
    match event {
        LedgerEvent::Settled { record, amount_micro } => {
            let amount = Amount::from_micro(amount_micro);
            Some(SettledRecord { record, amount, block, transaction, log_index })
        }
        _ => None,
    }
}

impl History {
    /// Applies the next entry.
    fn apply(&mut self, entry: LedgerEntry, slots: u16) -> Result<(), HistoryError> {
        let (block, log_index) = (entry.block.number, entry.log_index);
        let contradiction = |reason| HistoryError::Contradiction { block, log_index, reason };
        match &entry.event {
            LedgerEvent::Registered { participant, meter, owner, role } => {
                let known = Participant {
                    number: *participant,
                    meter: *meter,
                    owner: *owner,
                    role: *role,
                    state: ParticipantState::Active,
                    balance_micro: 0,
                };
                if self.participants.insert(*participant, known).is_some() {
                    return Err(contradiction("the participant exists"));
                }
            }
            LedgerEvent::StateChanged { participant, current, .. } => {
                let known = self.participants.get_mut(participant);
                known.ok_or_else(|| contradiction(UNKNOWN))?.state = *current;
            }
            LedgerEvent::OwnerProposed { .. } => {}
            LedgerEvent::OwnerChanged { participant, current, .. } => {
                let known = self.participants.get_mut(participant);
                known.ok_or_else(|| contradiction(UNKNOWN))?.owner = *current;
            }
            LedgerEvent::TariffPublished { period, hash, table } => {
                let table = TariffTable::unpack(slots, table)
                    .map_err(|_| contradiction("the table does not fit the calendar"))?;
                let tariff = PublishedTariff { hash: *hash, table, block: entry.block };
                if self.tariffs.insert(*period, tariff).is_some() {
                    return Err(contradiction("the period has prices"));
                }
            }
            LedgerEvent::Deposited { participant, amount_micro, .. } => {
                self.pay(*participant, i128::from(*amount_micro)).map_err(contradiction)?;
            }
            LedgerEvent::Withdrawn { participant, amount_micro, .. } => {
                self.pay(*participant, -i128::from(*amount_micro)).map_err(contradiction)?;
            }
            LedgerEvent::Settled { record, amount_micro } => {
                let amount = i128::from(*amount_micro);
                self.pay(record.from, -amount).map_err(contradiction)?;
                self.pay(record.to, amount).map_err(contradiction)?;
                self.records.extend(settled(entry));
            }
        }
        Ok(())
    }

    fn pay(
        &mut self,
        participant: ParticipantNumber,
        amount_micro: i128,
    ) -> Result<(), &'static str> {
        let known = self.participants.get_mut(&participant).ok_or(UNKNOWN)?;
        let balance = i128::from(known.balance_micro) + amount_micro;
        known.balance_micro = u64::try_from(balance).map_err(|_| "the balance is out of range")?;
        Ok(())
    }
}

const UNKNOWN: &str = "the participant is unknown";
