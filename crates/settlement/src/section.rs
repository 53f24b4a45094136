//! Energies by participant and code: the columns that a period is settled from.

use gridtally_core::party::ParticipantNumber;
use gridtally_core::period::Slot;
use serde::Serialize;

use crate::code::Code;
use crate::slot_energy::{Gap, SlotEnergy};

/// The energy of one participant under one code, for consecutive slots of one settlement period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Section<'a> {
    /// Whose energy; not the hub.
    pub participant: ParticipantNumber,
    /// What it is settled as.
    pub code: Code,
    /// The slot of the first value.
    pub first_slot: Slot,
    /// One value for each slot from there on.
    pub energy: &'a [SlotEnergy],
}

/// Consecutive slots that cannot be settled, all for one reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct GapRange {
    /// Whose.
    pub participant: ParticipantNumber,
    /// Under which code.
    pub code: Code,
    /// The first of the slots.
    pub first_slot: Slot,
    /// How many, at least 1.
    pub slot_count: u16,
    /// Why.
    pub gap: Gap,
}

impl std::fmt::Display for GapRange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { participant, code, first_slot, slot_count, gap } = self;
        write!(
            f,
            "participant {participant} code {code}: {slot_count} {gap} from slot {first_slot}"
        )
    }
}

impl Section<'_> {
    /// Returns what of the section cannot be settled, in the order of its slots.
    ///
    /// ```text
    /// energy  |-500-|missing|missing|-450-|rejected|        2 missing from slot 1, 1 rejected from slot 4
    /// slot       0      1       2      3      4
    /// ```
    pub fn gaps(&self) -> impl Iterator<Item = GapRange> {
        let &Section { participant, code, first_slot, energy } = self;
        let mut slot = first_slot.0;
        energy
            .chunk_by(|left, right| left == right || (left.wh().and(right.wh())).is_some())
            .filter_map(move |chunk| {
                let first_slot = Slot(slot);
                // A period has at most 1024 slots; a longer section is refused when it is settled.
                let slot_count = u16::try_from(chunk.len()).unwrap_or(u16::MAX);
                slot = slot.saturating_add(slot_count);
                let gap = chunk[0].settled().err()?;
                Some(GapRange { participant, code, first_slot, slot_count, gap })
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn check(energy: &[SlotEnergy], expected: &Expect) {
        let (participant, code, first_slot) = (ParticipantNumber(7), Code::CONSUMPTION, Slot(10));
        let section = Section { participant, code, first_slot, energy };
        let gaps = section.gaps().map(|gap| gap.to_string() + "\n");
        expected.assert_eq(&gaps.collect::<String>());
    }

    #[test]
    fn gaps_of_one_kind_are_one_range() {
        let (one, two) = (SlotEnergy::from_wh(1).unwrap(), SlotEnergy::from_wh(2).unwrap());
        let (missing, rejected) = (SlotEnergy::MISSING, SlotEnergy::gap(Gap::Rejected));
        check(&[], &expect![""]);
        check(&[one, two, one], &expect![""]);
        check(
            &[missing, one, two, missing, missing, rejected, one, rejected],
            &expect![[r#"
                participant 7 code 32: 1 missing from slot 10
                participant 7 code 32: 2 missing from slot 13
                participant 7 code 32: 1 rejected from slot 15
                participant 7 code 32: 1 rejected from slot 17
            "#]],
        );
    }
}
