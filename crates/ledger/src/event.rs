//! What the contract tells, decoded: one [`LedgerEntry`] for each log entry.

use std::fmt;

use alloy_primitives::{Address, B256, Bytes, keccak256};
use alloy_sol_types::SolEventInterface;
use gridtally_core::explanations;
use gridtally_core::party::{self, ParticipantNumber};
use gridtally_core::period::{SettlementPeriod, Slot};
use gridtally_settlement::{Code, DirectRecord};
use serde::{Deserialize, Serialize};

use crate::abi::DirectSettlement::DirectSettlementEvents;
use crate::follow::LogEntry;
use crate::wire::{BlockRef, Log};

/// What a participant is. The contract treats all of them alike; only participant 0 is the hub.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ParticipantRole {
    /// The aggregator as counterparty; participant 0 alone.
    Hub,
    /// A household or company that uses, stores or produces energy.
    Prosumer,
    /// A grid operator.
    Dso,
    /// Another aggregator.
    Aggregator,
    /// An energy supplier.
    Supplier,
}

impl ParticipantRole {
    const ALL: [Self; 5] = [Self::Hub, Self::Prosumer, Self::Dso, Self::Aggregator, Self::Supplier];

    /// Returns the contract's number.
    pub(crate) fn number(self) -> u8 {
        match self {
            Self::Hub => 1,
            Self::Prosumer => 2,
            Self::Dso => 3,
            Self::Aggregator => 4,
            Self::Supplier => 5,
        }
    }

    pub(crate) fn of_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.number() == number)
    }
}

impl From<party::Role> for ParticipantRole {
    fn from(role: party::Role) -> Self {
        match role {
            party::Role::Prosumer => Self::Prosumer,
            party::Role::Aggregator => Self::Aggregator,
            party::Role::Dso => Self::Dso,
        }
    }
}

/// Whether a participant can pay and be paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ParticipantState {
    /// Can pay and be paid.
    Active,
    /// Cannot for the time being.
    Suspended,
    /// Cannot any more.
    Retired,
}

impl ParticipantState {
    const ALL: [Self; 3] = [Self::Active, Self::Suspended, Self::Retired];

    /// Returns the contract's number.
    pub(crate) fn number(self) -> u8 {
        match self {
            Self::Active => 1,
            Self::Suspended => 2,
            Self::Retired => 3,
        }
    }

    pub(crate) fn of_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.number() == number)
    }
}

impl fmt::Display for ParticipantState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Retired => "retired",
        })
    }
}

/// A change that the contract told. Money is in micro-units.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum LedgerEvent {
    /// A participant exists, active and without money.
    Registered {
        /// Its number.
        participant: ParticipantNumber,
        /// Address of its meter's key; zero for the hub.
        meter: Address,
        /// Who may withdraw.
        owner: Address,
        /// What it is.
        role: ParticipantRole,
    },
    /// A participant's state changed.
    StateChanged {
        /// Its number.
        participant: ParticipantNumber,
        /// The state before.
        previous: ParticipantState,
        /// The state now.
        current: ParticipantState,
    },
    /// An owner named its successor.
    OwnerProposed {
        /// The participant.
        participant: ParticipantNumber,
        /// The owner.
        owner: Address,
        /// The successor; zero takes the proposal back.
        proposed: Address,
    },
    /// The successor became the owner.
    OwnerChanged {
        /// The participant.
        participant: ParticipantNumber,
        /// The owner before.
        previous: Address,
        /// The owner now.
        current: Address,
    },
    /// The prices of a period are fixed.
    TariffPublished {
        /// The settlement period.
        period: SettlementPeriod,
        /// keccak256 of the table, checked when read.
        hash: B256,
        /// The table of `settlement-protocol.md` §2.3.
        table: Bytes,
    },
    /// Money came in.
    Deposited {
        /// Whose balance it is.
        participant: ParticipantNumber,
        /// Who paid.
        payer: Address,
        /// How much.
        amount_micro: u64,
    },
    /// Money went out.
    Withdrawn {
        /// Whose balance it was.
        participant: ParticipantNumber,
        /// Who got it.
        owner: Address,
        /// How much.
        amount_micro: u64,
    },
    /// A record was settled.
    Settled {
        /// The record.
        record: DirectRecord,
        /// What `from` paid `to`; negative where it went the other way.
        amount_micro: i64,
    },
}

/// An event and where it stands on the chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerEntry {
    /// Its block.
    pub block: BlockRef,
    /// Its transaction.
    pub transaction: B256,
    /// Its position in the block.
    pub log_index: u64,
    /// What happened.
    pub event: LedgerEvent,
}

/// Why a log entry cannot be what the contract writes, in order of precedence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// Topics or data are not those of any event.
    #[error("log entry {log_index} of block {block} is no event of the contract: {reason}")]
    Undecodable {
        /// Its block.
        block: u64,
        /// Its position in the block.
        log_index: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// A role, state or code has a number that does not exist.
    #[error("log entry {log_index} of block {block} has the unknown {what} {number}")]
    NumberUnknown {
        /// Its block.
        block: u64,
        /// Its position in the block.
        log_index: u64,
        /// Role, state or code.
        what: &'static str,
        /// The number.
        number: u8,
    },
    /// The table does not have the hash that stands beside it.
    #[error("the tariff table of period {period} has hash {computed}, the entry says {stated}")]
    TariffHashDiffers {
        /// The settlement period.
        period: SettlementPeriod,
        /// Hash of the table.
        computed: B256,
        /// Hash of the entry.
        stated: B256,
    },
}

explanations! {
    EventError {
        Undecodable: "event-undecodable" "a log entry is no event of the contract"
            "make sure that the address is that of a settlement contract, or ask another endpoint";
        NumberUnknown: "event-number-unknown" "a log entry has a role, state or code that does not exist"
            "use the release that belongs to the contract";
        TariffHashDiffers: "event-tariff-hash-differs" "a tariff on the chain does not have the hash that stands beside it"
            "ask another endpoint: this one changes what the contract told";
    }
}

impl LogEntry for LedgerEntry {
    fn decode(log: &Log) -> Result<Self, EventError> {
        let (block, log_index) = (log.block_number, log.log_index);
        let decoded = DirectSettlementEvents::decode_raw_log(&log.topics, &log.data);
        let decoded = decoded.map_err(|error| EventError::Undecodable {
            block,
            log_index,
            reason: error.to_string(),
        })?;
        let unknown = |what, number| EventError::NumberUnknown { block, log_index, what, number };
        let role =
            |number| ParticipantRole::of_number(number).ok_or_else(|| unknown("role", number));
        let state =
            |number| ParticipantState::of_number(number).ok_or_else(|| unknown("state", number));
        use DirectSettlementEvents as Decoded;
        let event = match decoded {
            Decoded::Registered(event) => LedgerEvent::Registered {
                participant: ParticipantNumber(event.participant),
                meter: event.meter,
                owner: event.owner,
                role: role(event.role)?,
            },
            Decoded::StateChanged(event) => LedgerEvent::StateChanged {
                participant: ParticipantNumber(event.participant),
                previous: state(event.previous)?,
                current: state(event.current)?,
            },
            Decoded::OwnerProposed(event) => LedgerEvent::OwnerProposed {
                participant: ParticipantNumber(event.participant),
                owner: event.owner,
                proposed: event.proposed,
            },
            Decoded::OwnerChanged(event) => LedgerEvent::OwnerChanged {
                participant: ParticipantNumber(event.participant),
                previous: event.previous,
                current: event.current,
            },
            Decoded::TariffPublished(event) => {
                let (period, stated) = (SettlementPeriod(event.period), event.hash);
                let computed = keccak256(&event.table);
                if computed != stated {
                    return Err(EventError::TariffHashDiffers { period, computed, stated });
                }
                LedgerEvent::TariffPublished { period, hash: stated, table: event.table }
            }
            Decoded::Deposited(event) => LedgerEvent::Deposited {
                participant: ParticipantNumber(event.participant),
                payer: event.payer,
                amount_micro: event.amount,
            },
            Decoded::Withdrawn(event) => LedgerEvent::Withdrawn {
                participant: ParticipantNumber(event.participant),
                owner: event.owner,
                amount_micro: event.amount,
            },
            Decoded::Settled(event) => LedgerEvent::Settled {
                record: DirectRecord {
                    from: ParticipantNumber(event.from),
                    to: ParticipantNumber(event.to),
                    period: SettlementPeriod(event.period),
                    run: event.run,
                    slot: Slot(event.slot),
                    code: Code::new(event.code).map_err(|_| unknown("code", event.code))?,
                    energy_wh: event.energy,
                },
                amount_micro: event.amount,
            },
            _ => {
                let reason = "an event of a base contract".into();
                return Err(EventError::Undecodable { block, log_index, reason });
            }
        };
        let block = BlockRef { number: block, hash: log.block_hash };
        Ok(Self { block, transaction: log.transaction_hash, log_index, event })
    }
}
