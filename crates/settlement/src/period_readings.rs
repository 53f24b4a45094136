//! The readings of one settlement period, in whatever order they come.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::ops::Range;

use gridtally_core::party::ParticipantNumber;
use gridtally_core::period::{SettlementCalendar, Slot};
use thiserror::Error;

use crate::code::Code;
use crate::section::{GapRange, Section};
use crate::slot_energy::SlotEnergy;

/// Collects the energies of one settlement period into sections.
///
/// First say who settles under what ([`Self::expect`]), then add what is known: what was expected and never came is
/// missing. The order in which values are added never matters.
///
/// ```
/// use gridtally_core::{party::ParticipantNumber, period::Slot};
/// use gridtally_settlement::{Code, PeriodReadings, SlotEnergy};
///
/// let home = ParticipantNumber(1);
/// let mut readings = PeriodReadings::new();
/// readings.expect(home, Code::CONSUMPTION, 0..96)?;
/// readings.add(home, Code::CONSUMPTION, Slot(3), SlotEnergy::from_wh(250)?)?;
/// let gaps: Vec<_> = readings.gaps().map(|gap| gap.to_string()).collect();
/// assert_eq!(gaps[0], "participant 1 code 32: 3 missing from slot 0");
/// assert_eq!(gaps[1], "participant 1 code 32: 92 missing from slot 4");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct PeriodReadings {
    columns: Vec<Column>,
    /// Where in `columns`.
    places: BTreeMap<(ParticipantNumber, Code), usize>,
    /// Where the last value went: the next one mostly goes there or one further, whether values come meter by meter or
    /// slot by slot.
    last: usize,
}

#[derive(Clone, Debug)]
struct Column {
    participant: ParticipantNumber,
    code: Code,
    first_slot: u16,
    energy: Vec<SlotEnergy>,
}

/// Why a value does not belong to a period's readings, in order of precedence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ReadingRefused {
    /// The slots are none, or go beyond what any period has.
    #[error(
        "participant {participant} code {code}: slots {first} to {end} are not some of 0 to {max}",
        max = SettlementCalendar::SLOTS_MAX
    )]
    Slots {
        /// The participant.
        participant: ParticipantNumber,
        /// The code.
        code: Code,
        /// The first slot.
        first: u16,
        /// The first slot after them.
        end: u16,
    },
    /// Two metering points would settle as one: add them up before.
    #[error("participant {participant} code {code} is expected twice")]
    ExpectedTwice {
        /// The participant.
        participant: ParticipantNumber,
        /// The code.
        code: Code,
    },
    /// Nobody expects a value there.
    #[error("participant {participant} code {code} slot {slot} is not expected")]
    NotExpected {
        /// The participant.
        participant: ParticipantNumber,
        /// The code.
        code: Code,
        /// The slot.
        slot: Slot,
    },
    /// Another value is there already. Which version holds is for the store to say.
    #[error("participant {participant} code {code} slot {slot} has two different values")]
    Contradiction {
        /// The participant.
        participant: ParticipantNumber,
        /// The code.
        code: Code,
        /// The slot.
        slot: Slot,
    },
}

impl PeriodReadings {
    /// Returns readings that nothing is expected of.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Expects values of a participant under a code for these slots, half-open. They are missing until they are added.
    ///
    /// # Errors
    ///
    /// Returns [`ReadingRefused::Slots`], then [`ReadingRefused::ExpectedTwice`].
    pub fn expect(
        &mut self,
        participant: ParticipantNumber,
        code: Code,
        slots: Range<u16>,
    ) -> Result<(), ReadingRefused> {
        if slots.is_empty() || slots.end > SettlementCalendar::SLOTS_MAX {
            let Range { start: first, end } = slots;
            return Err(ReadingRefused::Slots { participant, code, first, end });
        }
        let Entry::Vacant(place) = self.places.entry((participant, code)) else {
            return Err(ReadingRefused::ExpectedTwice { participant, code });
        };
        place.insert(self.columns.len());
        let energy = vec![SlotEnergy::MISSING; slots.len()];
        self.columns.push(Column { participant, code, first_slot: slots.start, energy });
        Ok(())
    }

    /// Adds a value. The same value again, and a missing one, change nothing.
    ///
    /// # Errors
    ///
    /// Returns [`ReadingRefused::NotExpected`], then [`ReadingRefused::Contradiction`].
    pub fn add(
        &mut self,
        participant: ParticipantNumber,
        code: Code,
        slot: Slot,
        energy: SlotEnergy,
    ) -> Result<(), ReadingRefused> {
        let known = self.column(participant, code).and_then(|column| {
            let place = slot.0.checked_sub(column.first_slot)?;
            column.energy.get_mut(usize::from(place))
        });
        let known = known.ok_or(ReadingRefused::NotExpected { participant, code, slot })?;
        if *known == SlotEnergy::MISSING {
            *known = energy;
        } else if energy != SlotEnergy::MISSING && energy != *known {
            return Err(ReadingRefused::Contradiction { participant, code, slot });
        }
        Ok(())
    }

    fn column(&mut self, participant: ParticipantNumber, code: Code) -> Option<&mut Column> {
        let is_it = |place: &usize| {
            let column = self.columns.get(*place);
            column.is_some_and(|column| column.participant == participant && column.code == code)
        };
        let near = [self.last, self.last + 1].into_iter().find(is_it);
        self.last = near.or_else(|| self.places.get(&(participant, code)).copied())?;
        self.columns.get_mut(self.last)
    }

    /// Returns the sections, ascending by (participant, code), as [`settle_period`](crate::settle_period) takes them.
    pub fn sections(&self) -> impl Iterator<Item = Section<'_>> {
        self.places.values().map(|&place| {
            let Column { participant, code, first_slot, energy } = &self.columns[place];
            let (participant, code, first_slot) = (*participant, *code, Slot(*first_slot));
            Section { participant, code, first_slot, energy }
        })
    }

    /// Returns everything that cannot be settled, by participant, code and slot.
    pub fn gaps(&self) -> impl Iterator<Item = GapRange> {
        self.sections().flat_map(|section| section.gaps().collect::<Vec<_>>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::slot_energy::Gap;
    use proptest::prelude::*;

    const HOME: ParticipantNumber = ParticipantNumber(1);
    const CODE: Code = Code::CONSUMPTION;

    fn wh(energy_wh: i64) -> SlotEnergy {
        SlotEnergy::from_wh(energy_wh).unwrap()
    }

    #[test]
    fn refusals_come_in_order() {
        let mut readings = PeriodReadings::new();
        let (participant, code) = (HOME, CODE);
        for (first, end) in [(5, 5), (0, 1025), (1024, 1025)] {
            let refused = ReadingRefused::Slots { participant, code, first, end };
            assert_eq!(readings.expect(HOME, CODE, first..end), Err(refused));
        }
        readings.expect(HOME, CODE, 2..4).unwrap();
        let twice = ReadingRefused::ExpectedTwice { participant, code };
        assert_eq!(readings.expect(HOME, CODE, 8..9), Err(twice));
        for slot in [Slot(0), Slot(1), Slot(4), Slot(u16::MAX)] {
            let refused = ReadingRefused::NotExpected { participant, code, slot };
            assert_eq!(readings.add(HOME, CODE, slot, wh(1)), Err(refused));
        }
        let slot = Slot(2);
        let refused = ReadingRefused::NotExpected { participant, code: Code::FEED_IN, slot };
        assert_eq!(readings.add(HOME, Code::FEED_IN, slot, wh(1)), Err(refused));
        readings.add(HOME, CODE, slot, wh(1)).unwrap();
        let refused = ReadingRefused::Contradiction { participant, code, slot };
        assert_eq!(readings.add(HOME, CODE, slot, wh(2)), Err(refused));
        assert_eq!(readings.add(HOME, CODE, slot, SlotEnergy::gap(Gap::Rejected)), Err(refused));
    }

    #[test]
    fn the_same_value_again_and_a_missing_one_change_nothing() {
        let mut readings = PeriodReadings::new();
        readings.expect(HOME, CODE, 0..1).unwrap();
        for energy in [SlotEnergy::MISSING, wh(5), SlotEnergy::MISSING, wh(5)] {
            readings.add(HOME, CODE, Slot(0), energy).unwrap();
        }
        assert_eq!(readings.sections().next().unwrap().energy, [wh(5)]);
    }

    proptest! {
        /// Whoever comes first, participant, code or slot: the sections are the same, and ascend.
        #[test]
        fn the_order_of_values_never_matters(
            values in proptest::collection::btree_map((1_u32..5, 1_u8..4, 0_u16..6), 0_i64..900, 0..40),
            shuffle in any::<u64>(),
        ) {
            let collect = |values: &[((u32, u8, u16), i64)]| {
                let mut readings = PeriodReadings::new();
                for number in 1..5 {
                    for code in 1..4 {
                        readings.expect(ParticipantNumber(number), Code::new(code).unwrap(), 0..6).unwrap();
                    }
                }
                for &((number, code, slot), energy_wh) in values {
                    let code = Code::new(code).unwrap();
                    readings.add(ParticipantNumber(number), code, Slot(slot), wh(energy_wh)).unwrap();
                }
                readings
            };
            let mut values: Vec<_> = values.into_iter().collect();
            let readings = collect(&values);
            values.sort_by_key(|&((number, code, slot), _)| {
                (u64::from(number) << 32 | u64::from(code) << 16 | u64::from(slot)).wrapping_mul(shuffle | 1)
            });
            let again = collect(&values);
            prop_assert!(again.sections().eq(readings.sections()));
            let keys: Vec<_> = readings.sections().map(|section| (section.participant, section.code)).collect();
            prop_assert!(keys.is_sorted());
            let missing: u64 = readings.gaps().map(|gap| u64::from(gap.slot_count)).sum();
            prop_assert_eq!(missing, 72 - values.len() as u64);
        }
    }
}
