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

    fn add(&mut self, amount: Amount) {
        self.net_micro += i128::from(amount.micro());
        self.lowest_micro = self.lowest_micro.min(self.net_micro);
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
        let position = self.participants.get(&participant).copied().unwrap_or_default();
        let hub = self.hub;
        SectionSum {
            totals: self,
            participant,
            code,
            position,
            hub,
            total: CodeTotal::default(),
            gaps: [0; Gap::ALL.len()],
        }
    }

    pub(crate) fn assert_balanced(&self) {
        let participants: i128 = self.participants.values().map(Position::net_micro).sum();
        assert_eq!(participants, -self.hub.net_micro, "a run does not balance to zero");
    }
}

/// The sums of one participant and code, kept out of the maps while they grow.
pub(crate) struct SectionSum<'a> {
    totals: &'a mut Totals,
    participant: ParticipantNumber,
    code: Code,
    position: Position,
    hub: Position,
    total: CodeTotal,
    gaps: [u64; Gap::ALL.len()], // by place in `Gap::ALL`
}

impl SectionSum<'_> {
    pub(crate) fn add(&mut self, energy_wh: i32, amount: Amount) {
        self.position.add(amount);
        self.hub.add(Amount::from_micro(-amount.micro()));
        self.total.record_count += 1;
        self.total.energy_wh += i128::from(energy_wh);
        self.total.amount_micro += i128::from(amount.micro());
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
        if self.total.record_count == 0 {
            return;
        }
        totals.participants.insert(self.participant, self.position);
        totals.hub = self.hub;
        totals.record_count += self.total.record_count;
        let sum = totals.codes.entry(self.code).or_default();
        sum.record_count += self.total.record_count;
        sum.energy_wh += self.total.energy_wh;
        sum.amount_micro += self.total.amount_micro;
    }
}
