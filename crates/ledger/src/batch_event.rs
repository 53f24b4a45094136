//! What batch settlement tells in its log, as far as batches can be rebuilt and judged from it.

use alloy_primitives::{Address, B256, Bytes};
use alloy_sol_types::SolEventInterface;
use gridtally_core::party::ParticipantNumber;
use gridtally_core::period::SettlementPeriod;
use gridtally_core::quantity::Amount;
use gridtally_settlement::{BatchHeader, DataKind};

use crate::abi::batch::BatchSettlement::BatchSettlementEvents;
use crate::abi::batch::IBatchSettlement;
use crate::event::EventError;
use crate::wire::{Log, Receipt};

/// Something that the core told.
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
        /// 0 deposit, 1 exit, 2 forced reading.
        kind: u8,
        /// Whose account.
        participant: ParticipantNumber,
        /// How much.
        amount: Amount,
    },
    /// Something that no batch depends on.
    Other,
}

impl BatchEvent {
    /// Decodes a log entry of the core.
    ///
    /// # Errors
    ///
    /// Returns the first [`EventError`] in the order of its variants.
    pub fn of(log: &Log) -> Result<Self, EventError> {
        let (block, log_index) = (log.block_number, log.log_index);
        let undecodable = |reason: String| EventError::Undecodable { block, log_index, reason };
        let unknown = |what, number| EventError::NumberUnknown { block, log_index, what, number };
        let decoded = BatchSettlementEvents::decode_raw_log(&log.topics, &log.data)
            .map_err(|error| undecodable(error.to_string()))?;
        use BatchSettlementEvents as Decoded;
        Ok(match decoded {
            Decoded::Committed(event) => {
                let kind = event.header.dataKind;
                let header = header_of(&event.header).ok_or_else(|| unknown("data kind", kind))?;
                if header.hash() != event.headerHash {
                    return Err(undecodable("the header does not have the hash beside it".into()));
                }
                Self::Committed { header_hash: event.headerHash, header: Box::new(header) }
            }
            Decoded::Finalized(event) => {
                Self::Finalized { seq: event.seq, header_hash: event.headerHash }
            }
            Decoded::Cancelled(event) => Self::Cancelled {
                seq: event.seq,
                challenger: event.challenger,
                reason: event.reason,
            },
            Decoded::Registered(event) => Self::Registered {
                participant: ParticipantNumber(event.participant),
                meter: event.meter,
                from: SettlementPeriod(event.fromPeriod),
            },
            Decoded::Retired(event) => Self::Retired {
                participant: ParticipantNumber(event.participant),
                last: SettlementPeriod(event.lastPeriod),
            },
            Decoded::TariffPublished(event) => {
                Self::TariffPublished { period: SettlementPeriod(event.period), table: event.table }
            }
            Decoded::InboxAdded(event) => Self::InboxAdded {
                entry: event.entry,
                kind: event.kind,
                participant: ParticipantNumber(event.participant),
                // All deposits together stay up to 2^62.
                amount: Amount::from_micro(
                    i64::try_from(event.amount)
                        .map_err(|_| undecodable("an amount beyond 2^63".into()))?,
                ),
            },
            _ => Self::Other,
        })
    }

    /// Decodes what a receipt has of the core.
    ///
    /// # Errors
    ///
    /// Returns the first [`EventError`] in the order of its variants.
    pub fn all_of(receipt: &Receipt, core: Address) -> Result<Vec<Self>, EventError> {
        receipt.logs.iter().filter(|log| log.address == core).map(Self::of).collect()
    }
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
