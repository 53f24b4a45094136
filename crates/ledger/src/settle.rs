//! Records onto the chain: each once, whatever fails and whenever the process dies.
//!
//! Commit order: the chain is asked which records it has; the rest is sent in the given order; a
//! record counts when its transaction's receipt tells of it. Nothing is written down here in
//! between. A process that died is followed by one that waits for what the first one sent, and asks
//! again. The contract refuses what the question was too early for.

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::{Bytes, Signature};
use alloy_sol_types::SolEvent;
use gridtally_core::explanations;
use gridtally_settlement::{DirectRecord, RecordKey};
use tracing::{info, warn};

use crate::abi::{DirectSettlement, IDirectSettlement};
use crate::deploy::{Ledger, ReadError};
use crate::gas::{CallKind, GasMeasurements, SettlementGas, TRANSACTION_GAS_MAX};
use crate::pipeline::{Pipeline, ProgressListener};
use crate::read::HistoryError;
use crate::refusal::Refusal;
use crate::send_error::SendError;
use crate::sender::{Call, Sender};
use crate::wire::Receipt;

/// How often the rest is sent again although less did not remain.
const STALLS_MAX: u32 = 3;

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
    /// From known figures, rounded up: two requests less, but a refusal costs its gas.
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
    /// Records that were settled meanwhile.
    pub settled: u64,
    /// Records that the chain had before, with the same energy.
    pub already_settled: u64,
    /// Gas of the transactions.
    pub measured: GasMeasurements,
}

/// Why records are not settled, in order of precedence. Some may be: settling the same records
/// again goes on where it stopped.
#[derive(Debug, thiserror::Error)]
pub enum SettleError {
    /// The same record stands in the input twice. Nothing was sent.
    #[error("the input has {0} twice")]
    InputDuplicate(RecordKey),
    /// What is settled already cannot be read.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// The chain cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The chain has the record with another energy. A difference is settled by a correction run.
    #[error("settled already with {settled_energy_wh} Wh, not {energy_wh}: {record}")]
    SettledDifferently {
        /// The record.
        record: RecordKey,
        /// Its energy in the input, Wh.
        energy_wh: i32,
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

explanations! {
    SettleError {
        InputDuplicate: "record-twice" "the same record stands in the input twice"
            "leave one out";
        History(error);
        Read(error);
        SettledDifferently: "record-settled-differently" "the chain has the record with another energy"
            "leave it: what was settled stays, and corrections of settled records are not part of this release";
        Send(error);
        ReceiptsIncomplete: "receipts-incomplete" "transactions were carried out, but do not tell of as many records as they carried"
            "repeat the command: the chain is asked what it has";
    }
}

/// What is to be done, and how.
struct Work<'a> {
    records: &'a [DirectRecord],
    chunk_records_max: usize,
    in_flight_max: usize,
    /// Makes the call for one chunk.
    call: &'a (dyn Fn(&[DirectRecord]) -> Call + Sync),
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
        let chunk_records_max = match options.form {
            SettleForm::One => 1,
            SettleForm::Many | SettleForm::Packed => options.chunk_records_max.max(1),
        };
        let call = |chunk: &[DirectRecord]| self.settle_call(chunk, options);
        let in_flight_max = options.in_flight_max;
        let work = Work { records, chunk_records_max, in_flight_max, call: &call };
        self.settle_work(sender, work, listener).await
    }

    /// Settles records that their meters signed, one by one, leaving out those that the chain has
    /// already. Anybody may send them. What is signed is
    /// [`DirectRecord::digest`] over [`Deployment::domain`](crate::Deployment::domain).
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
        let plain = records.iter().map(|(record, _)| *record).collect::<Vec<_>>();
        let signatures = records
            .iter()
            .map(|(record, signature)| (RecordKey::from(record), signature.as_bytes()))
            .collect::<BTreeMap<_, _>>();
        let call = |chunk: &[DirectRecord]| {
            let record = &chunk[0];
            let signature = Bytes::copy_from_slice(&signatures[&RecordKey::from(record)]);
            let call =
                DirectSettlement::settleSignedCall { record: to_contract(record), signature };
            self.call(CallKind::SettleSigned, 1, &call)
        };
        let work = Work { records: &plain, chunk_records_max: 1, in_flight_max, call: &call };
        self.settle_work(sender, work, listener).await
    }

    /// Returns whether the chain has a record, whatever its energy.
    ///
    /// # Errors
    ///
    /// Returns the [`ReadError`].
    pub async fn is_settled(&self, record: &DirectRecord) -> Result<bool, ReadError> {
        self.ask(DirectSettlement::isSettledCall { record: to_contract(record) }).await
    }

    async fn settle_work(
        &self,
        sender: &Sender,
        mut work: Work<'_>,
        listener: &mut dyn ProgressListener,
    ) -> Result<SettleSummary, SettleError> {
        check_input(work.records)?;
        // What an earlier process sent must be on the chain before it is asked.
        sender.wait_until_idle().await?;
        let gas_max = self.chunk_gas_max().await?;
        let total = work.records.len();
        let mut rest = self.unsettled(work.records).await?;
        let mut pipeline = Pipeline::new(sender, work.in_flight_max, total as u64, listener);
        let already_settled = (total - rest.len()) as u64;
        let mut stalls = 0;
        loop {
            pipeline.begin_after((total - rest.len()) as u64);
            let chunks = chunked(&rest, work.chunk_records_max, gas_max);
            let calls = chunks.iter().map(|chunk| (work.call)(chunk));
            let Err(error) = self.send_all(&mut pipeline, calls, rest.len() as u64).await else {
                break;
            };
            // What is on its way must have arrived before the chain is asked again, or somebody else
            // is told that this ended.
            pipeline.drain().await;
            if !is_passing(&error) {
                return Err(error);
            }
            let longest = chunks.iter().map(|chunk| chunk.len()).max().unwrap_or(1);
            let now = self.unsettled(work.records).await?;
            if is_too_large(&error) && longest > 1 {
                work.chunk_records_max = longest / 2;
            } else if now.len() >= rest.len() {
                stalls += 1;
                if stalls > STALLS_MAX {
                    return Err(error);
                }
            }
            rest = now;
            warn!(rest = rest.len(), %error, "settlement goes on with the rest");
        }
        let settled = total as u64 - already_settled;
        info!(settled, already_settled, "records settled");
        Ok(SettleSummary { settled, already_settled, measured: pipeline.measured })
    }

    /// Returns the records that the chain does not have, in the given order.
    async fn unsettled(&self, records: &[DirectRecord]) -> Result<Vec<DirectRecord>, SettleError> {
        let periods = records.iter().map(|record| record.period).collect::<BTreeSet<_>>();
        let periods = periods.into_iter().collect::<Vec<_>>();
        let settled = self.settled_records(&periods).await?;
        let settled = settled
            .iter()
            .map(|settled| (RecordKey::from(&settled.record), settled.record.energy_wh))
            .collect::<BTreeMap<_, _>>();
        let mut rest = Vec::with_capacity(records.len());
        for record in records {
            let key = RecordKey::from(record);
            match settled.get(&key) {
                None => rest.push(*record),
                Some(&settled_energy_wh) if settled_energy_wh != record.energy_wh => {
                    let (record, energy_wh) = (key, record.energy_wh);
                    let error =
                        SettleError::SettledDifferently { record, energy_wh, settled_energy_wh };
                    return Err(error);
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
                let records = chunk.iter().flat_map(DirectRecord::pack).collect::<Vec<_>>().into();
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
            call.gas_limit = Some(SettlementGas::of(chunk));
        }
        call
    }
}

fn check_input(records: &[DirectRecord]) -> Result<(), SettleError> {
    let mut seen = BTreeSet::new();
    for key in records.iter().map(RecordKey::from) {
        if !seen.insert(key) {
            return Err(SettleError::InputDuplicate(key));
        }
    }
    Ok(())
}

/// Cuts records into chunks of at most `records_max` whose known gas stays below `gas_max`.
fn chunked(records: &[DirectRecord], records_max: usize, gas_max: u64) -> Vec<&[DirectRecord]> {
    let mut chunks = Vec::new();
    let mut rest = records;
    while !rest.is_empty() {
        let mut gas = SettlementGas::default();
        let fits = rest.iter().take(records_max).take_while(|record| gas.add(record) <= gas_max);
        // One record alone is tried even where the figures say that it does not fit.
        let (chunk, after) = rest.split_at(fits.count().max(1));
        chunks.push(chunk);
        rest = after;
    }
    chunks
}

/// Whether the chain may have less to do, or can do it in smaller pieces, when it is asked again.
fn is_passing(error: &SettleError) -> bool {
    let SettleError::Send(send) = error else { return false };
    // Records came in between, of an earlier process perhaps; or its transaction did.
    let is_overtaken = send.refusal().is_some_and(Refusal::is_already_settled)
        || matches!(send, SendError::NonceLost { .. });
    is_overtaken || is_too_large(error)
}

fn is_too_large(error: &SettleError) -> bool {
    let SettleError::Send(error) = error else { return false };
    matches!(error, SendError::GasTooMuch { .. })
        || matches!(error.refusal(), Some(Refusal::OutOfGas { .. }))
}

fn to_contract(record: &DirectRecord) -> IDirectSettlement::Record {
    IDirectSettlement::Record {
        from: record.from.0,
        to: record.to.0,
        period: record.period.0,
        run: record.run,
        slot: record.slot.0,
        code: record.code.number(),
        energy: record.energy_wh,
    }
}

#[cfg(test)]
mod tests {
    use gridtally_core::party::ParticipantNumber;
    use gridtally_core::period::{SettlementPeriod, Slot};
    use gridtally_settlement::Code;

    use super::*;

    fn records(count: u16) -> Vec<DirectRecord> {
        let record = |slot| DirectRecord {
            period: SettlementPeriod(1),
            run: 0,
            from: ParticipantNumber(1 + u32::from(slot)),
            to: ParticipantNumber::HUB,
            code: Code::CONSUMPTION,
            slot: Slot(slot),
            energy_wh: 1,
        };
        (0..count).map(record).collect()
    }

    fn check(records_max: usize, gas_max: u64, expected: &[usize]) {
        let records = records(10);
        let chunks = chunked(&records, records_max, gas_max);
        assert_eq!(chunks.concat(), records, "all of them, in order");
        let lengths = chunks.iter().map(|chunk| chunk.len()).collect::<Vec<_>>();
        assert_eq!(lengths, expected);
    }

    #[test]
    fn chunks_respect_count_and_gas() {
        check(100, TRANSACTION_GAS_MAX, &[10]);
        check(4, TRANSACTION_GAS_MAX, &[4, 4, 2]);
        let three = SettlementGas::of(&records(3));
        check(100, three, &[3, 3, 3, 1]);
        check(100, three - 1, &[2, 2, 2, 2, 2]);
        check(100, 0, &[1; 10]);
        assert!(chunked(&[], 4, 1).is_empty());
    }
}
