//! What a run sums up to, and how much money it needs.

use std::collections::BTreeMap;

use gridtally_core::party::ParticipantNumber;
use gridtally_core::quantity::Amount;
use serde::Serialize;

use crate::code::Code;
use crate::slot_energy::Gap;

/// How a balance moves over a run: where it ends, and how low it got on the way.
///
/// Joining two positions is associative, so parts of a run can be summed apart and joined in order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Position {
    net_micro: i128,
    lowest_micro: i128,
}

impl Position {
    /// Returns what the balance changed by, micro-units.
    #[must_use]
    pub const fn net_micro(&self) -> i128 {
        self.net_micro
    }

    /// Returns the balance that is needed before, so that no record on the way overdraws it; micro-units, not negative.
    #[must_use]
    pub const fn needed_micro(&self) -> i128 {
        -self.lowest_micro
    }

    fn append(&mut self, later: Self) {
        self.lowest_micro = self.lowest_micro.min(self.net_micro + later.lowest_micro);
        self.net_micro += later.net_micro;
    }
}

/// Energy and money under one code.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CodeTotal {
    /// Records.
    pub record_count: u64,
    /// Energy, Wh.
    pub energy_wh: i128,
    /// What the participants' balances grew by, micro-units.
    pub amount_micro: i128,
}

/// The sums of a run or a part of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Records.
    pub record_count: u64,
    /// Slots that could not be settled and were left out.
    pub gap_count: u64,
    /// Those slots by participant, code and why, where there are any.
    pub gaps: BTreeMap<(ParticipantNumber, Code, Gap), u64>,
    /// Sums by code.
    pub codes: BTreeMap<Code, CodeTotal>,
    /// Each participant's balance.
    pub participants: BTreeMap<ParticipantNumber, Position>,
    /// The hub's balance.
    pub hub: Position,
}

impl Totals {
    /// Adds the totals of what comes next in the run.
    ///
    /// # Panics
    ///
    /// When the joined totals do not balance to zero, which would be a bug.
    pub fn append(&mut self, later: &Self) {
        self.record_count += later.record_count;
        self.gap_count += later.gap_count;
        for (&key, &count) in &later.gaps {
            *self.gaps.entry(key).or_default() += count;
        }
        for (&code, total) in &later.codes {
            let sum = self.codes.entry(code).or_default();
            sum.record_count += total.record_count;
            sum.energy_wh += total.energy_wh;
            sum.amount_micro += total.amount_micro;
        }
        for (&participant, &position) in &later.participants {
            self.participants.entry(participant).or_default().append(position);
        }
        self.hub.append(later.hub);
        self.assert_balanced();
    }

    /// Opens the sums of one participant and code; they are booked when the value is dropped.
    pub(crate) fn section(&mut self, participant: ParticipantNumber, code: Code) -> SectionSum<'_> {
        SectionSum {
            totals: self,
            participant,
            code,
            record_count: 0,
            energy_wh: 0,
            net_micro: 0,
            lowest_micro: 0,
            highest_micro: 0,
            gaps: [0; Gap::ALL.len()],
        }
    }

    pub(crate) fn assert_balanced(&self) {
        let participants: i128 = self.participants.values().map(Position::net_micro).sum();
        assert_eq!(participants, -self.hub.net_micro, "a run does not balance to zero");
    }
}

/// The sums of one participant and code in one period. They fit 64 bits: at most 1024 records of less than 2^53
/// micro-units each.
pub(crate) struct SectionSum<'a> {
    totals: &'a mut Totals,
    participant: ParticipantNumber,
    code: Code,
    record_count: u64,
    energy_wh: i64,
    net_micro: i64,
    lowest_micro: i64,
    highest_micro: i64,
    gaps: [u64; Gap::ALL.len()], // by place in `Gap::ALL`
}

impl SectionSum<'_> {
    pub(crate) fn add(&mut self, energy_wh: i32, amount: Amount) {
        self.record_count += 1;
        self.energy_wh += i64::from(energy_wh);
        self.net_micro += amount.micro();
        self.lowest_micro = self.lowest_micro.min(self.net_micro);
        self.highest_micro = self.highest_micro.max(self.net_micro);
    }

    pub(crate) fn add_gap(&mut self, gap: Gap) {
        self.gaps[gap as usize] += 1;
    }
}

impl Drop for SectionSum<'_> {
    fn drop(&mut self) {
        let totals = &mut *self.totals;
        for (gap, count) in Gap::ALL.into_iter().zip(self.gaps).filter(|&(_, count)| count > 0) {
            *totals.gaps.entry((self.participant, self.code, gap)).or_default() += count;
            totals.gap_count += count;
        }
        if self.record_count == 0 {
            return;
        }
        let [net_micro, lowest_micro, highest_micro] =
            [self.net_micro, self.lowest_micro, self.highest_micro].map(i128::from);
        let position = Position { net_micro, lowest_micro };
        totals.participants.entry(self.participant).or_default().append(position);
        // The hub gets the opposite of each amount, so it is lowest where the participant is highest.
        totals.hub.append(Position { net_micro: -net_micro, lowest_micro: -highest_micro });
        totals.record_count += self.record_count;
        let sum = totals.codes.entry(self.code).or_default();
        sum.record_count += self.record_count;
        sum.energy_wh += i128::from(self.energy_wh);
        sum.amount_micro += net_micro;
    }
}
