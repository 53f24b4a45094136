//! The reading behind a record, as its meter signs it.

use alloy_primitives::B256;
use gridtally_core::party::ParticipantNumber;
use gridtally_core::period::{SettlementPeriod, Slot};

use crate::code::Code;
use crate::record::Record;
use crate::signature::{Domain, signed_word, unsigned_word};

/// What a meter says of one slot. The signature binds the run, so that no correction can be booked twice.
///
/// # Source
///
/// Settlement protocol §2.8.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SignedReading {
    /// Whose meter.
    pub participant: ParticipantNumber,
    /// The settlement period.
    pub period: SettlementPeriod,
    /// 0 for the first reading, R for a correction of run R.
    pub run: u32,
    /// What was metered.
    pub code: Code,
    /// The slot inside the period.
    pub slot: Slot,
    /// Energy in watt-hours; in a correction the signed difference.
    pub value_wh: i32,
}

impl SignedReading {
    /// The EIP-712 type.
    pub const TYPE: &[u8] =
        b"Reading(uint32 participant,uint32 period,uint32 run,uint8 code,uint16 slot,int32 value)";

    /// Returns the reading that stands behind a record, or `None` for deposits and withdrawals, which nobody signs.
    #[must_use]
    pub fn of_record(period: SettlementPeriod, run: u32, record: &Record) -> Option<Self> {
        record.code().is_priced().then(|| Self {
            participant: record.participant(),
            period,
            run,
            code: record.code(),
            slot: record.slot(),
            value_wh: record.value(),
        })
    }

    /// Returns the EIP-712 digest that the meter signs.
    #[must_use]
    pub fn digest(&self, domain: &Domain) -> B256 {
        let [participant, period, run] =
            [self.participant.0, self.period.0, self.run].map(|field| unsigned_word(field.into()));
        let code = unsigned_word(self.code.number().into());
        let slot = unsigned_word(self.slot.0.into());
        let value = signed_word(self.value_wh.into());
        domain.digest(Self::TYPE, &[participant, period, run, code, slot, value])
    }
}
