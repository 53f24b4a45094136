//! The ten bytes of a record.

use gridtally_core::party::ParticipantNumber;
use gridtally_core::period::Slot;
use thiserror::Error;

use crate::code::Code;

/// The slot needs ten bits.
const SLOT_BITS: u16 = 10;
/// Slots that a record can name.
const SLOTS_MAX: u16 = 1 << SLOT_BITS;

/// A settlement record between the hub and a participant: what the chain keeps of one slot.
///
/// ```text
/// participant u32 | code (6 bits) slot (10 bits) | value i32        big-endian, 10 bytes
/// ```
///
/// `value` is watt-hours for priced codes, hundredths of the currency unit for a withdrawal, 0 for a deposit.
///
/// # Source
///
/// Settlement protocol §2.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Record {
    participant: ParticipantNumber,
    code: Code,
    slot: Slot,
    value: i32,
}

/// Why bytes or fields are no record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum RecordError {
    /// A record has exactly ten bytes.
    #[error("a record has {length} bytes, not {0}", length = Record::LENGTH)]
    Length(usize),
    /// The slot needs more than ten bits.
    #[error("slot {0} is not 0 to 1023")]
    Slot(u16),
}

impl Record {
    /// Bytes of a packed record.
    pub const LENGTH: usize = 10;

    /// Returns the record of these fields.
    ///
    /// # Errors
    ///
    /// Returns [`RecordError::Slot`] for a slot above 1023.
    pub const fn new(
        participant: ParticipantNumber,
        code: Code,
        slot: Slot,
        value: i32,
    ) -> Result<Self, RecordError> {
        if slot.0 < SLOTS_MAX {
            Ok(Self { participant, code, slot, value })
        } else {
            Err(RecordError::Slot(slot.0))
        }
    }

    /// Returns the participant; the other party is the hub.
    #[must_use]
    pub const fn participant(&self) -> ParticipantNumber {
        self.participant
    }

    /// Returns the code.
    #[must_use]
    pub const fn code(&self) -> Code {
        self.code
    }

    /// Returns the slot inside the settlement period, 0 to 1023.
    #[must_use]
    pub const fn slot(&self) -> Slot {
        self.slot
    }

    /// Returns the value; its unit depends on the code.
    #[must_use]
    pub const fn value(&self) -> i32 {
        self.value
    }

    /// Returns the first six bytes as a number. Key order is (participant, code, slot).
    #[must_use]
    pub fn key(&self) -> u64 {
        u64::from(self.participant.0) << 16 | u64::from(self.code_and_slot())
    }

    /// Returns the ten bytes.
    #[must_use]
    pub fn pack(&self) -> [u8; Self::LENGTH] {
        let mut bytes = [0; Self::LENGTH];
        bytes[..4].copy_from_slice(&self.participant.0.to_be_bytes());
        bytes[4..6].copy_from_slice(&self.code_and_slot().to_be_bytes());
        bytes[6..].copy_from_slice(&self.value.to_be_bytes());
        bytes
    }

    /// Reads ten bytes. Every pattern of ten bytes is a record, if not a valid one.
    ///
    /// # Errors
    ///
    /// Returns [`RecordError::Length`] for another number of bytes.
    pub fn unpack(bytes: &[u8]) -> Result<Self, RecordError> {
        let &[p0, p1, p2, p3, k0, k1, v0, v1, v2, v3] = bytes else {
            return Err(RecordError::Length(bytes.len()));
        };
        let code_and_slot = u16::from_be_bytes([k0, k1]);
        Ok(Self {
            participant: ParticipantNumber(u32::from_be_bytes([p0, p1, p2, p3])),
            code: Code::of_top_bits(k0),
            slot: Slot(code_and_slot % SLOTS_MAX),
            value: i32::from_be_bytes([v0, v1, v2, v3]),
        })
    }

    fn code_and_slot(&self) -> u16 {
        u16::from(self.code.number()) << SLOT_BITS | self.slot.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_record() -> impl Strategy<Value = Record> {
        (any::<u32>(), 0_u8..64, 0_u16..1024, any::<i32>()).prop_map(
            |(participant, code, slot, value)| {
                let code = Code::new(code).unwrap();
                Record::new(ParticipantNumber(participant), code, Slot(slot), value).unwrap()
            },
        )
    }

    #[test]
    fn a_slot_beyond_ten_bits_is_refused() {
        let hub = ParticipantNumber::HUB;
        assert_eq!(Record::new(hub, Code::FEED_IN, Slot(1024), 0), Err(RecordError::Slot(1024)));
        assert_eq!(Record::unpack(&[0; 9]), Err(RecordError::Length(9)));
    }

    proptest! {
        #[test]
        fn records_come_back(record in any_record()) {
            prop_assert_eq!(Record::unpack(&record.pack()), Ok(record));
        }

        #[test]
        fn key_order_is_byte_order(a in any_record(), b in any_record()) {
            prop_assert_eq!(a.key().cmp(&b.key()), a.pack()[..6].cmp(&b.pack()[..6]));
        }
    }
}
