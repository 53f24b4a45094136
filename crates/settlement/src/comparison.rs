//! What the chain registered, against what the readings say.

use std::collections::BTreeMap;

use gridtally_core::party::ParticipantNumber;
use gridtally_core::period::{SettlementPeriod, Slot};
use gridtally_core::quantity::Amount;
use serde::Serialize;
use thiserror::Error;

use crate::code::Code;
use crate::direct::DirectRecord;

/// A direct record with the amount that moved from `from` to `to`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Settled {
    /// The record.
    pub record: DirectRecord,
    /// What `from` paid `to`; negative where the money went the other way.
    pub amount: Amount,
}

/// What names a record: everything but its energy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct RecordKey {
    /// The settlement period.
    pub period: SettlementPeriod,
    /// The run.
    pub run: u16,
    /// Who pays.
    pub from: ParticipantNumber,
    /// Who is paid.
    pub to: ParticipantNumber,
    /// The code.
    pub code: Code,
    /// The slot.
    pub slot: Slot,
}

impl From<&DirectRecord> for RecordKey {
    fn from(record: &DirectRecord) -> Self {
        let &DirectRecord { period, run, from, to, code, slot, energy_wh: _ } = record;
        Self { period, run, from, to, code, slot }
    }
}

impl std::fmt::Display for RecordKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { period, run, from, to, code, slot } = self;
        write!(f, "period {period} slot {slot} code {code} from {from} to {to} run {run}")
    }
}

/// How a record on the chain differs from the one in the books.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error, Serialize)]
#[serde(tag = "difference", rename_all = "snake_case")]
pub enum Difference {
    /// The books have it, the chain does not.
    #[error("{key}: {energy_wh} Wh are in the books but not on the chain")]
    NotOnChain {
        /// Which record.
        key: RecordKey,
        /// The energy in the books.
        energy_wh: i32,
    },
    /// The chain has it, the books do not.
    #[error("{key}: {energy_wh} Wh are on the chain but not in the books")]
    NotInBooks {
        /// Which record.
        key: RecordKey,
        /// The energy on the chain.
        energy_wh: i32,
    },
    /// One side has it twice.
    #[error("{key}: it stands there twice")]
    Twice {
        /// Which record.
        key: RecordKey,
    },
    /// The energies differ.
    #[error("{key}: the books say {books_wh} Wh, the chain says {chain_wh} Wh")]
    Energy {
        /// Which record.
        key: RecordKey,
        /// The energy in the books.
        books_wh: i32,
        /// The energy on the chain.
        chain_wh: i32,
    },
    /// The amounts differ.
    #[error("{key}: recomputed {books_micro} micro-units, the chain moved {chain_micro}")]
    Amount {
        /// Which record.
        key: RecordKey,
        /// The recomputed amount.
        books_micro: i64,
        /// The amount that moved.
        chain_micro: i64,
    },
}

/// Returns the first difference between the books and the chain by (period, run, from, to, code, slot), in whatever order
/// the records come, or `None` when both say the same.
#[must_use]
pub fn first_difference(
    books: impl IntoIterator<Item = Settled>,
    chain: impl IntoIterator<Item = Settled>,
) -> Option<Difference> {
    let mut sides: BTreeMap<RecordKey, (Side, Side)> = BTreeMap::new();
    for settled in books {
        sides.entry((&settled.record).into()).or_default().0.add(settled);
    }
    for settled in chain {
        sides.entry((&settled.record).into()).or_default().1.add(settled);
    }
    sides.into_iter().find_map(|(key, (books, chain))| difference(key, books, chain))
}

/// What one side has under a key.
#[derive(Default)]
enum Side {
    #[default]
    Nothing,
    Once(Settled),
    Twice,
}

impl Side {
    fn add(&mut self, settled: Settled) {
        *self = if matches!(self, Self::Nothing) { Self::Once(settled) } else { Self::Twice };
    }
}

fn difference(key: RecordKey, books: Side, chain: Side) -> Option<Difference> {
    match (books, chain) {
        (Side::Twice, _) | (_, Side::Twice) => Some(Difference::Twice { key }),
        (Side::Once(books), Side::Nothing) => {
            Some(Difference::NotOnChain { key, energy_wh: books.record.energy_wh })
        }
        (Side::Nothing, Side::Once(chain)) => {
            Some(Difference::NotInBooks { key, energy_wh: chain.record.energy_wh })
        }
        (Side::Once(books), Side::Once(chain)) => {
            let (books_wh, chain_wh) = (books.record.energy_wh, chain.record.energy_wh);
            let (books_micro, chain_micro) = (books.amount.micro(), chain.amount.micro());
            if books_wh != chain_wh {
                Some(Difference::Energy { key, books_wh, chain_wh })
            } else if books_micro != chain_micro {
                Some(Difference::Amount { key, books_micro, chain_micro })
            } else {
                None
            }
        }
        (Side::Nothing, Side::Nothing) => None,
    }
}
