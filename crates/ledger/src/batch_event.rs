//! What batch settlement tells in its log, as far as batches can be rebuilt, judged and opened from it.

use std::ops::Range;

use alloy_primitives::{Address, B256, Bytes, keccak256};
use alloy_sol_types::SolEventInterface;
use gridtally_core::party::ParticipantNumber;
use gridtally_core::period::SettlementPeriod;
use gridtally_core::quantity::Amount;
use gridtally_settlement::{BatchHeader, DataKind, InboxEntry, InboxKind};

use crate::abi::batch::BatchSettlement::BatchSettlementEvents;
use crate::abi::batch::IBatchSettlement;
use crate::abi::demand::DemandProver::DemandProverEvents;
use crate::abi::duty::DutyProver::DutyProverEvents;
use crate::batch_call::Demanded;
use crate::event::EventError;
use crate::follow::LogEntry;
use crate::wire::{BlockRef, Log, Receipt};

/// Something that batch settlement told, with its place on the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchEntry {
    /// The block.
    pub block: BlockRef,
    /// The transaction.
    pub transaction: B256,
    /// Position in the block.
    pub log_index: u64,
    /// What was told.
    pub event: BatchEvent,
}

/// Something that the core, the demand prover or the duty prover told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BatchEvent {
    /// A batch is pending.
    Committed {
        /// Its hash.
        header_hash: B256,
        /// Its header.
        header: Box<BatchHeader>,
    },
    /// A batch is final.
    Finalized {
        /// Its number.
        seq: u64,
        /// Its hash.
        header_hash: B256,
    },
    /// A batch and all after it are cancelled.
    Cancelled {
        /// Number of the first of them.
        seq: u64,
        /// Who proved it wrong.
        challenger: Address,
        /// The contract's number of the proof.
        reason: u8,
    },
    /// A participant is registered.
    Registered {
        /// Its number.
        participant: ParticipantNumber,
        /// Address of its meter; zero with a key on P-256.
        meter: Address,
        /// First period in which it is active.
        from: SettlementPeriod,
    },
    /// A participant's last period is fixed.
    Retired {
        /// Its number.
        participant: ParticipantNumber,
        /// The last period.
        last: SettlementPeriod,
    },
    /// The prices of a period are fixed.
    TariffPublished {
        /// The period.
        period: SettlementPeriod,
        /// The packed table.
        table: Bytes,
    },
    /// The ledger has to take something in.
    InboxAdded {
        /// Number of the entry.
        entry: u64,
        /// What.
        ordered: InboxEntry,
    },
    /// Something of a batch must be shown.
    Demanded {
        /// Number of the batch.
        seq: u64,
        /// What.
        demanded: Demanded,
        /// Until when, Unix time, s.
        deadline_s: u64,
    },
    /// It was shown, in the transaction of this entry.
    Answered {
        /// Number of the batch.
        seq: u64,
        /// What.
        demanded: Demanded,
    },
    /// A participant forces a reading that the hub left out.
    ForceRequested {
        /// Whose.
        participant: ParticipantNumber,
        /// The period.
        period: SettlementPeriod,
        /// Key of the record that is missing.
        key: u64,
        /// Energy, Wh.
        value_wh: i32,
        /// What the hub owes for it, micro-units.
        amount_micro: u64,
        /// Until when a correction may be committed, Unix time, s, included.
        correct_until_s: u64,
    },
    /// A correction settles a forced reading.
    ForceRefuted {
        /// The period.
        period: SettlementPeriod,
        /// Key of the record.
        key: u64,
        /// Whether for ever: else the reading may be forced again.
        is_final: bool,
    },
    /// The amount of a forced reading is in the inbox.
    ForceAccepted {
        /// The period.
        period: SettlementPeriod,
        /// Key of the record.
        key: u64,
    },
    /// The bond does not cover a forced reading.
    ForceDue {
        /// The period.
        period: SettlementPeriod,
        /// Key of the record.
        key: u64,
    },
    /// A part of a snapshot was published, in the transaction of this entry.
    SnapshotCommitted {
        /// Number of the batch whose accounts it tells.
        seq: u64,
        /// Hash of its header.
        header_hash: B256,
        /// Number of the part.
        part: u8,
        /// The accounts, half open.
        accounts: Range<u32>,
        /// Hash of the data.
        data_hash: B256,
    },
    /// All parts of the snapshot are there.
    SnapshotCompleted,
    /// The snapshot was false and does not count.
    SnapshotCancelled,
    /// The ledger ended with a final batch; what was pending after it is dropped.
    Frozen {
        /// Number of the final batch.
        seq: u64,
        /// Its hash.
        header_hash: B256,
    },
    /// Something that no batch depends on.
    Other,
}

impl BatchEvent {
    /// Whether it is the first thing that the core tells: its constructor registers the hub.
    pub(crate) fn is_deployment(&self) -> bool {
        matches!(self, Self::Registered { participant: ParticipantNumber::HUB, .. })
    }
}

impl LogEntry for BatchEntry {
    fn decode(log: &Log) -> Result<Self, EventError> {
        let block = BlockRef { number: log.block_number, hash: log.block_hash };
        let (transaction, log_index) = (log.transaction_hash, log.log_index);
        let is_of = |selectors: &[[u8; 32]]| {
            log.topics.first().is_some_and(|topic| selectors.contains(&topic.0))
        };
        let event = if is_of(DemandProverEvents::SELECTORS) {
            demand_event(log)?
        } else if is_of(DutyProverEvents::SELECTORS) {
            duty_event(log)?
        } else {
            core_event(log)?
        };
        Ok(Self { block, transaction, log_index, event })
    }
}

impl BatchEntry {
    /// Decodes what a receipt has of these contracts.
    ///
    /// # Errors
    ///
    /// Returns the first [`EventError`] in the order of its variants.
    pub fn all_of(receipt: &Receipt, contracts: &[Address]) -> Result<Vec<Self>, EventError> {
        let theirs = receipt.logs.iter().filter(|log| contracts.contains(&log.address));
        theirs.map(Self::decode).collect()
    }
}

fn undecodable(log: &Log, reason: impl ToString) -> EventError {
    let (block, log_index) = (log.block_number, log.log_index);
    EventError::Undecodable { block, log_index, reason: reason.to_string() }
}

fn unknown(log: &Log, what: &'static str, number: u8) -> EventError {
    let (block, log_index) = (log.block_number, log.log_index);
    EventError::NumberUnknown { block, log_index, what, number }
}

fn demand_event(log: &Log) -> Result<BatchEvent, EventError> {
    let decoded = DemandProverEvents::decode_raw_log(&log.topics, &log.data)
        .map_err(|error| undecodable(log, error))?;
    let demanded = |kind, index| {
        Demanded::of_kind_and_index(kind, index).ok_or_else(|| unknown(log, "demand", kind))
    };
    Ok(match decoded {
        DemandProverEvents::Demanded(event) => BatchEvent::Demanded {
            seq: event.seq,
            demanded: demanded(event.kind, event.index)?,
            deadline_s: event.deadline.to(),
        },
        DemandProverEvents::Answered(event) => {
            BatchEvent::Answered { seq: event.seq, demanded: demanded(event.kind, event.index)? }
        }
        DemandProverEvents::DemandSettled(_) | DemandProverEvents::SectionShown(_) => {
            BatchEvent::Other
        }
    })
}

fn duty_event(log: &Log) -> Result<BatchEvent, EventError> {
    let decoded = DutyProverEvents::decode_raw_log(&log.topics, &log.data)
        .map_err(|error| undecodable(log, error))?;
    Ok(match decoded {
        DutyProverEvents::ForceRequested(event) => BatchEvent::ForceRequested {
            participant: ParticipantNumber(event.participant),
            period: SettlementPeriod(event.period),
            key: event.key.to(),
            value_wh: event.value,
            amount_micro: event.amount,
            correct_until_s: u64::try_from(event.correctUntil)
                .map_err(|_| undecodable(log, "a time beyond 2^64"))?,
        },
        DutyProverEvents::ForceRefuted(event) => BatchEvent::ForceRefuted {
            period: SettlementPeriod(event.period),
            key: event.key.to(),
            is_final: event.isFinal,
        },
        DutyProverEvents::ForceAccepted(event) => BatchEvent::ForceAccepted {
            period: SettlementPeriod(event.period),
            key: event.key.to(),
        },
        DutyProverEvents::ForceDue(event) => {
            BatchEvent::ForceDue { period: SettlementPeriod(event.period), key: event.key.to() }
        }
        DutyProverEvents::SnapshotCommitted(event) => BatchEvent::SnapshotCommitted {
            seq: event.seq,
            header_hash: event.headerHash,
            part: event.part,
            accounts: event.first..event.end,
            data_hash: event.dataHash,
        },
        DutyProverEvents::SnapshotCompleted(_) => BatchEvent::SnapshotCompleted,
    })
}

fn core_event(log: &Log) -> Result<BatchEvent, EventError> {
    let decoded = BatchSettlementEvents::decode_raw_log(&log.topics, &log.data)
        .map_err(|error| undecodable(log, error))?;
    use BatchSettlementEvents as Decoded;
    Ok(match decoded {
        Decoded::Committed(event) => {
            let kind = event.header.dataKind;
            let header = header_of(&event.header).ok_or_else(|| unknown(log, "data kind", kind))?;
            if header.hash() != event.headerHash {
                return Err(undecodable(log, "the header does not have the hash beside it"));
            }
            BatchEvent::Committed { header_hash: event.headerHash, header: Box::new(header) }
        }
        Decoded::Finalized(event) => {
            BatchEvent::Finalized { seq: event.seq, header_hash: event.headerHash }
        }
        Decoded::Cancelled(event) => BatchEvent::Cancelled {
            seq: event.seq,
            challenger: event.challenger,
            reason: event.reason,
        },
        Decoded::Registered(event) => BatchEvent::Registered {
            participant: ParticipantNumber(event.participant),
            meter: event.meter,
            from: SettlementPeriod(event.fromPeriod),
        },
        Decoded::Retired(event) => BatchEvent::Retired {
            participant: ParticipantNumber(event.participant),
            last: SettlementPeriod(event.lastPeriod),
        },
        Decoded::TariffPublished(event) => {
            let (period, stated) = (SettlementPeriod(event.period), event.hash);
            let computed = keccak256(&event.table);
            if computed != stated {
                return Err(EventError::TariffHashDiffers { period, computed, stated });
            }
            BatchEvent::TariffPublished { period, table: event.table }
        }
        Decoded::InboxAdded(event) => {
            // All deposits together stay up to 2^62.
            let amount = i64::try_from(event.amount)
                .map_err(|_| undecodable(log, "an amount beyond 2^63"))?;
            let amount = Amount::from_micro(amount);
            BatchEvent::InboxAdded {
                entry: event.entry,
                ordered: InboxEntry {
                    participant: ParticipantNumber(event.participant),
                    kind: match event.kind {
                        // A forced reading is honoured like a deposit.
                        0 | 2 => InboxKind::Deposit(amount),
                        1 => InboxKind::Exit,
                        other => return Err(unknown(log, "kind of inbox entry", other)),
                    },
                },
            }
        }
        Decoded::SnapshotCancelled(_) => BatchEvent::SnapshotCancelled,
        Decoded::Frozen(event) => {
            BatchEvent::Frozen { seq: event.seq, header_hash: event.headerHash }
        }
        _ => BatchEvent::Other,
    })
}

fn header_of(header: &IBatchSettlement::Header) -> Option<BatchHeader> {
    let data_kind = match header.dataKind {
        0 => DataKind::Calldata,
        1 => DataKind::Blob,
        2 => DataKind::SealedBlob,
        _ => return None,
    };
    Some(BatchHeader {
        seq: header.seq,
        parent: header.parent,
        period: SettlementPeriod(header.period),
        run: header.run,
        part: header.part,
        count: header.count,
        first_key: header.firstKey.to(),
        last_key: header.lastKey.to(),
        reg_period: SettlementPeriod(header.regPeriod),
        reg_last_key: header.regLastKey.to(),
        last_run: header.lastRun,
        record_root: header.recordRoot,
        account_root: header.accountRoot,
        account_count: header.accountCount,
        hub_balance: Amount::from_micro(header.hubBalance),
        inbox_to: header.inboxTo,
        tariff_hash: header.tariffHash,
        data_hash: header.dataHash,
        data_kind,
        committed_at: header.committedAt,
    })
}
