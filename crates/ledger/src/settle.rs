//! Records onto the chain: each once, whatever fails and whenever the process dies.
//!
//! Commit order: the chain is asked which records it has; the rest is sent in the given order; a
//! record counts when its transaction's receipt does. Nothing is written down here in between. A
//! process that died is followed by one that asks again, and the contract refuses what the question
//! was too early for.

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::{Bytes, Signature};
use alloy_sol_types::SolEvent;
use tracing::{info, warn};

use crate::abi::{DirectSettlement, IDirectSettlement};
use crate::deploy::{Ledger, ReadError};
use crate::gas::{CallKind, GasMeasurements, TRANSACTION_GAS_MAX};
use crate::pipeline::{Pipeline, ProgressListener};
use crate::read::HistoryError;
use crate::record::DirectRecord;
use crate::refusal::Refusal;
use crate::sender::{Call, SendError, Sender};
use crate::wire::Receipt;

/// Gas of an empty transaction with the words that it opens and closes, rounded up.
const GAS_BASE: u64 = 60_000;
/// Gas of one more record of the same parties, period, run and code, rounded up.
const GAS_RECORD: u64 = 9_000;
/// Gas of the first record of a (from, to, period, run, code, slot / 256), rounded up: a new guard
/// word (22,100), two registry words (10,000), a price word (2,100).
const GAS_GROUP: u64 = 36_000;
/// Part of the gas limit that a chunk may use by these figures, percent.
const GAS_FILL_PERCENT: u64 = 95;

/// How records are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SettleForm {
    /// Each in a transaction of its own.
    One,
    /// Many in a transaction, as structures that a block explorer can show.
    Many,
    /// Many in a transaction, packed: the cheapest.
    Packed,
}

/// Where a transaction's gas limit comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GasLimit {
    /// From the endpoint: a refusal is found before anything is paid.
    Estimated,
    /// From known figures, rounded up: one request less, but a refusal costs its gas.
    Known,
}

/// How records are settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SettleOptions {
    /// How records are sent.
    pub form: SettleForm,
    /// Most records in a transaction.
    pub chunk_records_max: usize,
    /// Most transactions on their way at a time.
    pub in_flight_max: usize,
    /// Where the gas limit comes from.
    pub gas_limit: GasLimit,
}

impl Default for SettleOptions {
    fn default() -> Self {
        Self {
            form: SettleForm::Packed,
            chunk_records_max: 500,
            in_flight_max: 8,
            gas_limit: GasLimit::Estimated,
        }
    }
}

/// What became of the records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettleSummary {
    /// Records that were settled now.
    pub settled: u64,
    /// Records that the chain had already, with the same energy.
    pub already_settled: u64,
    /// Gas of the transactions.
    pub measured: GasMeasurements,
}

/// Why records are not settled, in order of precedence. Some may be: settling the same records
/// again goes on where it stopped.
#[derive(Debug, thiserror::Error)]
pub enum SettleError {
    /// The same record stands in the input twice. Nothing was sent.
    #[error("{0:?} stands in the input twice")]
    InputDuplicate(DirectRecord),
    /// What is settled already cannot be read.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// The chain cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The chain has the record with another energy. A difference is settled by a correction run.
    #[error("{record:?} is settled already, with {settled_energy_wh} Wh")]
    SettledDifferently {
        /// The record.
        record: DirectRecord,
        /// Its energy on the chain, Wh.
        settled_energy_wh: i32,
    },
    /// A transaction failed.
    #[error(transparent)]
    Send(#[from] SendError),
    /// Transactions were carried out, but do not tell of as many records as they carried.
    #[error("transactions with {sent} records tell of {told}")]
    ReceiptsIncomplete {
        /// Records that were sent.
        sent: u64,
        /// Records that the receipts tell of.
        told: u64,
    },
}

/// What makes a record the same record: everything but its energy.
type RecordKey = (u32, u32, u32, u16, u8, u16);

fn key(record: &DirectRecord) -> RecordKey {
    (record.from, record.to, record.period, record.run, record.code, record.slot)
}

/// Records that share a word of the duplicate guard.
fn group(record: &DirectRecord) -> (u32, u32, u32, u16, u8, u16) {
    (record.from, record.to, record.period, record.run, record.code, record.slot / 256)
}

impl Ledger {
    /// Settles records in the given order, leaving out those that the chain has already.
    ///
    /// A payer needs the money when its record's turn comes: put what it is paid before what it
    /// pays. It is cheapest when records of the same parties, period, run and code follow each
    /// other with rising slots.
    ///
    /// # Errors
    ///
    /// Returns the first [`SettleError`] in the order of its variants.
    pub async fn settle(
        &self,
        sender: &Sender,
        records: &[DirectRecord],
        options: SettleOptions,
        listener: &mut dyn ProgressListener,
    ) -> Result<SettleSummary, SettleError> {
        check_input(records.iter())?;
        let mut pipeline =
            Pipeline::new(sender, options.in_flight_max, records.len() as u64, listener);
        let mut chunk_records_max = match options.form {
            SettleForm::One => 1,
            SettleForm::Many | SettleForm::Packed => options.chunk_records_max.max(1),
        };
        let gas_max = self.chunk_gas_max().await?;
        let mut rest = self.unsettled(records).await?;
        let already_settled = (records.len() - rest.len()) as u64;
        pipeline.skip(already_settled);
        loop {
            let chunks = chunked(&rest, chunk_records_max, gas_max);
            let calls = chunks.iter().map(|chunk| self.settle_call(chunk, options));
            let error = match self.send_all(&mut pipeline, calls, rest.len() as u64).await {
                Ok(()) => break,
                Err(error) => error,
            };
            // The transactions of an earlier process may have come in between, and a chunk may be
            // too large: both are no reason to stop as long as there is less to do than before.
            let before = rest.len();
            rest = self.unsettled(&rest).await?;
            if is_too_large(&error) && chunk_records_max > 1 {
                chunk_records_max = (longest(&chunks) / 2).max(1);
            } else if !(is_already_settled(&error) && rest.len() < before) {
                return Err(error);
            }
            warn!(rest = rest.len(), chunk_records_max, "settlement goes on with the rest");
        }
        let settled = records.len() as u64 - already_settled;
        info!(settled, already_settled, "records settled");
        Ok(SettleSummary { settled, already_settled, measured: pipeline.measured })
    }

    /// Settles records that their meters signed, leaving out those that the chain has already.
    /// Anybody may send them.
    ///
    /// # Errors
    ///
    /// Returns the first [`SettleError`] in the order of its variants.
    pub async fn settle_signed(
        &self,
        sender: &Sender,
        records: &[(DirectRecord, Signature)],
        in_flight_max: usize,
        listener: &mut dyn ProgressListener,
    ) -> Result<SettleSummary, SettleError> {
        check_input(records.iter().map(|(record, _)| record))?;
        let plain = records.iter().map(|(record, _)| *record).collect::<Vec<_>>();
        let rest = self.unsettled(&plain).await?;
        let missing = rest.iter().map(key).collect::<BTreeSet<_>>();
        let mut pipeline = Pipeline::new(sender, in_flight_max, records.len() as u64, listener);
        let already_settled = (records.len() - rest.len()) as u64;
        pipeline.skip(already_settled);
        let calls = records.iter().filter(|(record, _)| missing.contains(&key(record))).map(
            |(record, signature)| {
                let call = DirectSettlement::settleSignedCall {
                    record: to_contract(record),
                    signature: Bytes::copy_from_slice(&signature.as_bytes()),
                };
                self.call(CallKind::SettleSigned, 1, &call)
            },
        );
        self.send_all(&mut pipeline, calls, rest.len() as u64).await?;
        let settled = rest.len() as u64;
        Ok(SettleSummary { settled, already_settled, measured: pipeline.measured })
    }

    /// Returns whether the chain has a record, whatever its energy.
    ///
    /// # Errors
    ///
    /// Returns the [`ReadError`].
    pub async fn is_settled(&self, record: &DirectRecord) -> Result<bool, ReadError> {
        self.ask(DirectSettlement::isSettledCall { record: to_contract(record) }).await
    }

    /// Returns the records that the chain does not have, in the given order.
    async fn unsettled(&self, records: &[DirectRecord]) -> Result<Vec<DirectRecord>, SettleError> {
        let periods = records.iter().map(|record| record.period).collect::<BTreeSet<_>>();
        let periods = periods.into_iter().collect::<Vec<_>>();
        let settled = self.settled_records(&periods).await?;
        let settled = settled
            .iter()
            .map(|settled| (key(&settled.record), settled.record.energy_wh))
            .collect::<BTreeMap<_, _>>();
        let mut rest = Vec::with_capacity(records.len());
        for record in records {
            match settled.get(&key(record)) {
                None => rest.push(*record),
                Some(&settled_energy_wh) if settled_energy_wh != record.energy_wh => {
                    let record = *record;
                    return Err(SettleError::SettledDifferently { record, settled_energy_wh });
                }
                Some(_) => {}
            }
        }
        Ok(rest)
    }

    async fn send_all(
        &self,
        pipeline: &mut Pipeline<'_>,
        calls: impl Iterator<Item = Call>,
        sent: u64,
    ) -> Result<(), SettleError> {
        let mut told = 0;
        for call in calls {
            told += self.told(&pipeline.send(call).await?);
        }
        told += self.told(&pipeline.finish().await?);
        if told == sent { Ok(()) } else { Err(SettleError::ReceiptsIncomplete { sent, told }) }
    }

    /// Returns how many records receipts tell of.
    fn told(&self, receipts: &[Receipt]) -> u64 {
        let logs = receipts.iter().flat_map(|receipt| &receipt.logs);
        let contract = self.deployment().contract;
        let signature = DirectSettlement::Settled::SIGNATURE_HASH;
        logs.filter(|log| log.address == contract && log.topics.first() == Some(&signature)).count()
            as u64
    }

    async fn chunk_gas_max(&self) -> Result<u64, SettleError> {
        let block = self.client().block_latest().await.map_err(ReadError::from)?;
        Ok(block.gas_limit.min(TRANSACTION_GAS_MAX))
    }

    fn settle_call(&self, chunk: &[DirectRecord], options: SettleOptions) -> Call {
        let count = chunk.len() as u64;
        let mut call = match (options.form, chunk) {
            (SettleForm::One, [record]) => {
                let call = DirectSettlement::settleCall { record: to_contract(record) };
                self.call(CallKind::Settle, 1, &call)
            }
            (SettleForm::Packed, chunk) => {
                let records = chunk.iter().flat_map(packed).collect::<Vec<_>>().into();
                let call = DirectSettlement::settlePackedCall { records };
                self.call(CallKind::SettlePacked, count, &call)
            }
            (SettleForm::One | SettleForm::Many, chunk) => {
                let records = chunk.iter().map(to_contract).collect();
                let call = DirectSettlement::settleManyCall { records };
                self.call(CallKind::SettleMany, count, &call)
            }
        };
        if options.gas_limit == GasLimit::Known {
            call.gas_limit = Some(known_gas(chunk));
        }
        call
    }
}

fn check_input<'a>(records: impl Iterator<Item = &'a DirectRecord>) -> Result<(), SettleError> {
    let mut seen = BTreeSet::new();
    for record in records {
        if !seen.insert(key(record)) {
            return Err(SettleError::InputDuplicate(*record));
        }
    }
    Ok(())
}

/// Cuts records into chunks of at most `records_max` whose known gas stays below `gas_max`.
fn chunked(records: &[DirectRecord], records_max: usize, gas_max: u64) -> Vec<&[DirectRecord]> {
    let gas_max = gas_max / 100 * GAS_FILL_PERCENT;
    let mut chunks = Vec::new();
    let mut rest = records;
    while !rest.is_empty() {
        let mut gas = GAS_BASE;
        let mut before = None;
        let fits = rest.iter().take(records_max).take_while(|record| {
            gas += next_gas(&mut before, record);
            gas <= gas_max
        });
        // One record alone is tried even where the figures say that it does not fit.
        let length = fits.count().max(1);
        let (chunk, after) = rest.split_at(length);
        chunks.push(chunk);
        rest = after;
    }
    chunks
}

fn longest(chunks: &[&[DirectRecord]]) -> usize {
    chunks.iter().map(|chunk| chunk.len()).max().unwrap_or(1)
}

fn next_gas(before: &mut Option<RecordKey>, record: &DirectRecord) -> u64 {
    let group = Some(group(record));
    if std::mem::replace(before, group) == group { GAS_RECORD } else { GAS_RECORD + GAS_GROUP }
}

fn known_gas(chunk: &[DirectRecord]) -> u64 {
    let mut before = None;
    let records = chunk.iter().map(|record| next_gas(&mut before, record)).sum::<u64>();
    (GAS_BASE + records).min(TRANSACTION_GAS_MAX)
}

fn is_too_large(error: &SettleError) -> bool {
    let SettleError::Send(error) = error else { return false };
    matches!(error, SendError::GasTooMuch { .. })
        || matches!(error.refusal(), Some(Refusal::OutOfGas { .. }))
}

fn is_already_settled(error: &SettleError) -> bool {
    let SettleError::Send(error) = error else { return false };
    error.refusal().is_some_and(Refusal::is_already_settled)
}

fn to_contract(record: &DirectRecord) -> IDirectSettlement::Record {
    IDirectSettlement::Record {
        from: record.from,
        to: record.to,
        period: record.period,
        run: record.run,
        slot: record.slot,
        code: record.code,
        energy: record.energy_wh,
    }
}

/// temporary
fn packed(record: &DirectRecord) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(21);
    bytes.extend(record.from.to_be_bytes());
    bytes.extend(record.to.to_be_bytes());
    bytes.extend(record.period.to_be_bytes());
    bytes.extend(record.run.to_be_bytes());
    bytes.extend(record.slot.to_be_bytes());
    bytes.push(record.code);
    bytes.extend(record.energy_wh.to_be_bytes());
    bytes
}
