//! One settlement period: readings and prices in, priced records out.

use alloy_primitives::{B256, Keccak256};
use gridtally_core::party::ParticipantNumber;
use gridtally_core::period::{SettlementPeriod, Slot};
use gridtally_core::quantity::{Amount, Price};
use thiserror::Error;

use crate::amount::priced_truncated;
use crate::code::{Code, CodeClass};
use crate::record::Record;
use crate::section::Section;
use crate::slot_energy::{Gap, MissingPolicy};
use crate::tariff_table::TariffTable;
use crate::total::Totals;

/// Records that are packed before they are hashed.
const HASHED_AT_ONCE: usize = 1_024;

/// A record and what it moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PricedRecord {
    /// The record.
    pub record: Record,
    /// What the participant's balance grows by; the hub gets the opposite.
    pub amount: Amount,
}

/// The records of one settlement period, in key order, with their totals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeriodRecords {
    /// The period.
    pub period: SettlementPeriod,
    /// The records, ascending by (participant, code, slot).
    pub records: Vec<PricedRecord>,
    /// Sums, positions and gaps.
    pub totals: Totals,
}

/// Why a period cannot be settled, in order of precedence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PeriodRefused {
    /// Period 0 is never settled.
    #[error("period 0 is never settled")]
    PeriodZero,
    /// The sections do not ascend by (participant, code), or overlap.
    #[error(
        "participant {participant} code {code} slot {slot} does not come after the one before it"
    )]
    Order {
        /// The participant.
        participant: ParticipantNumber,
        /// The code.
        code: Code,
        /// The first slot.
        slot: Slot,
    },
    /// The hub cannot settle with itself.
    #[error("participant 0 is the hub and cannot settle with itself")]
    Hub,
    /// The period's tariff has no price for the code.
    #[error("the tariff of period {period} has no price for code {code}")]
    NoPrice {
        /// The period.
        period: SettlementPeriod,
        /// The code.
        code: Code,
    },
    /// The section goes beyond the period's last slot.
    #[error("participant {participant} code {code} has values beyond slot {slots}")]
    TooManySlots {
        /// The participant.
        participant: ParticipantNumber,
        /// The code.
        code: Code,
        /// Slots of a period.
        slots: u16,
    },
    /// A slot has nothing that can be settled, and the policy is to refuse.
    #[error("participant {participant} code {code} period {period} slot {slot} is {gap}")]
    Gap {
        /// The period.
        period: SettlementPeriod,
        /// The participant.
        participant: ParticipantNumber,
        /// The code.
        code: Code,
        /// The slot.
        slot: Slot,
        /// Why.
        gap: Gap,
    },
}

/// Returns the records of one period: each value priced with the period's table, truncated toward zero.
///
/// `sections` ascend by (participant, code, first slot). Periods are independent of each other, so that callers may settle
/// several at once and join the totals in order.
///
/// # Errors
///
/// Returns [`PeriodRefused`]; for each section in turn, in its order. Nothing is settled then.
///
/// ```
/// use std::collections::BTreeMap;
/// use gridtally_core::{party::ParticipantNumber, period::{SettlementPeriod, Slot}, quantity::Price};
/// use gridtally_settlement::{Code, MissingPolicy, Section, SlotEnergy, TariffTable, settle_period};
///
/// let prices = vec![Price::from_micro_per_kwh(500_000); 24];
/// let table = TariffTable::new(24, BTreeMap::from([(Code::CONSUMPTION, prices)]))?;
/// let energy = [SlotEnergy::from_wh(1200)?, SlotEnergy::MISSING];
/// let home = Section {
///     participant: ParticipantNumber(1), code: Code::CONSUMPTION, first_slot: Slot(7), energy: &energy,
/// };
/// let settled = settle_period(SettlementPeriod(3), &table, [home], MissingPolicy::LeaveOut)?;
/// assert_eq!(settled.records[0].amount.micro(), -600_000); // 1.2 kWh at 0.50: the participant pays
/// assert_eq!((settled.totals.record_count, settled.totals.gap_count), (1, 1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn settle_period<'a>(
    period: SettlementPeriod,
    table: &TariffTable,
    sections: impl IntoIterator<Item = Section<'a>>,
    missing: MissingPolicy,
) -> Result<PeriodRecords, PeriodRefused> {
    if period.0 == 0 {
        return Err(PeriodRefused::PeriodZero);
    }
    let mut settled = PeriodRecords { period, records: Vec::new(), totals: Totals::default() };
    let mut free_from: Option<(ParticipantNumber, Code, usize)> = None;
    for section in sections {
        let Section { participant, code, first_slot, energy } = section;
        let first = usize::from(first_slot.0);
        if free_from.is_some_and(|free| (participant, code, first) < free) {
            return Err(PeriodRefused::Order { participant, code, slot: first_slot });
        }
        free_from = Some((participant, code, first + energy.len()));
        if participant == ParticipantNumber::HUB {
            return Err(PeriodRefused::Hub);
        }
        let prices = table.row(code).ok_or(PeriodRefused::NoPrice { period, code })?;
        let prices = prices
            .get(first..first + energy.len())
            .ok_or(PeriodRefused::TooManySlots { participant, code, slots: table.slots() })?;
        settle_section(&mut settled, section, prices, missing)?;
    }
    settled.totals.assert_balanced();
    Ok(settled)
}

fn settle_section(
    settled: &mut PeriodRecords,
    section: Section<'_>,
    prices: &[Price],
    missing: MissingPolicy,
) -> Result<(), PeriodRefused> {
    let Section { participant, code, first_slot, energy } = section;
    let period = settled.period;
    let sign = if code.class() == CodeClass::HubPays { 1 } else { -1 };
    settled.records.reserve(energy.len());
    let mut sum = settled.totals.section(participant, code);
    for ((slot, energy), &price) in (first_slot.0..).map(Slot).zip(energy).zip(prices) {
        let energy_wh = match energy.settled() {
            Ok(energy_wh) => energy_wh,
            Err(gap) if missing == MissingPolicy::Refuse => {
                return Err(PeriodRefused::Gap { period, participant, code, slot, gap });
            }
            Err(gap) => {
                sum.add_gap(gap);
                continue;
            }
        };
        let amount = Amount::from_micro(sign * priced_truncated(energy_wh, price).micro());
        let record = Record::new(participant, code, slot, energy_wh);
        settled
            .records
            .push(PricedRecord { record: record.expect("a table has at most 1024 slots"), amount });
        sum.add(energy_wh, amount);
    }
    Ok(())
}

/// Returns the correction of a period: for each key the signed difference between two versions of its records, priced
/// with that period's table. What is equal needs none.
///
/// Both versions ascend by key, as [`settle_period`] returns them. A record that is only in `before` is taken back, one
/// that is only in `after` is settled in full.
///
/// # Errors
///
/// Returns [`PeriodRefused::PeriodZero`] or [`PeriodRefused::NoPrice`].
///
/// # Panics
///
/// When a value is negative, which no regular settlement has, so that a difference always fits.
///
/// # Source
///
/// Settlement protocol §2.8.
pub fn correct_period(
    period: SettlementPeriod,
    table: &TariffTable,
    before: &[PricedRecord],
    after: &[PricedRecord],
) -> Result<PeriodRecords, PeriodRefused> {
    if period.0 == 0 {
        return Err(PeriodRefused::PeriodZero);
    }
    let mut settled = PeriodRecords { period, records: Vec::new(), totals: Totals::default() };
    let (mut before, mut after) = (before.iter().peekable(), after.iter().peekable());
    loop {
        let key = |priced: &&PricedRecord| priced.record.key();
        let next = [before.peek().map(key), after.peek().map(key)].into_iter().flatten().min();
        let Some(next) = next else { break };
        let old = before.next_if(|priced| priced.record.key() == next);
        let new = after.next_if(|priced| priced.record.key() == next);
        let record = old.or(new).expect("one of them has the key").record;
        let value =
            |priced: Option<&PricedRecord>| priced.map_or(0, |priced| priced.record.value());
        assert!(value(old) >= 0 && value(new) >= 0, "a settled value is negative");
        let difference = value(new) - value(old);
        if difference == 0 {
            continue;
        }
        let (participant, code, slot) = (record.participant(), record.code(), record.slot());
        let price = table.price(code, slot).ok_or(PeriodRefused::NoPrice { period, code })?;
        let sign = if code.class() == CodeClass::HubPays { 1 } else { -1 };
        let amount = Amount::from_micro(sign * priced_truncated(difference, price).micro());
        let record =
            Record::new(participant, code, slot, difference).expect("the slot was valid before");
        settled.records.push(PricedRecord { record, amount });
        settled.totals.section(participant, code).add(difference, amount);
    }
    settled.totals.assert_balanced();
    Ok(settled)
}

impl PeriodRecords {
    /// Returns the keccak-256 hash of the packed records, ten bytes each, in order.
    #[must_use]
    pub fn hash(&self) -> B256 {
        let mut hasher = Keccak256::new();
        // Several records at once: the hash takes 136 bytes a step, and each call has its cost.
        let mut bytes = Vec::with_capacity(HASHED_AT_ONCE * Record::LENGTH);
        for records in self.records.chunks(HASHED_AT_ONCE) {
            bytes.clear();
            bytes.extend(records.iter().flat_map(|priced| priced.record.pack()));
            hasher.update(&bytes);
        }
        hasher.finalize()
    }
}
