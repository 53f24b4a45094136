//! The record of direct mode: both parties explicit, one by one on the chain.

use alloy_primitives::B256;
use gridtally_core::party::ParticipantNumber;
use gridtally_core::period::{SettlementPeriod, Slot};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::code::{Code, CodeClass};
use crate::record::Record;
use crate::signature::{Domain, signed_word, unsigned_word};

/// `from` pays `to` for the energy of one slot; a negative amount turns the flow, never the roles.
///
/// ```text
/// from u32 | to u32 | period u32 | run u16 | slot u16 | code u8 | energy i32      big-endian, 21 bytes
/// ```
///
/// # Source
///
/// Settlement protocol §2.13.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DirectRecord {
    /// The settlement period.
    pub period: SettlementPeriod,
    /// 0 for the regular settlement, from 1 on for corrections.
    pub run: u16,
    /// Who pays.
    pub from: ParticipantNumber,
    /// Who is paid.
    pub to: ParticipantNumber,
    /// Names the row of the tariff table.
    pub code: Code,
    /// The slot inside the period.
    pub slot: Slot,
    /// The energy in watt-hours; in a correction the signed difference.
    pub energy_wh: i32,
}

/// Why bytes are no direct record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum DirectRecordError {
    /// A direct record has exactly 21 bytes.
    #[error("a direct record has {length} bytes, not {0}", length = DirectRecord::LENGTH)]
    Length(usize),
    /// The code needs more than six bits.
    #[error("code {0} is not 0 to 63")]
    Code(u8),
}

impl DirectRecord {
    /// Bytes of a packed record.
    pub const LENGTH: usize = 21;

    /// Returns the direct form of a record against the hub, or `None` for deposits and withdrawals, which are calls of
    /// their own in direct mode.
    #[must_use]
    pub const fn of_record(period: SettlementPeriod, run: u16, record: &Record) -> Option<Self> {
        let hub = ParticipantNumber::HUB;
        let (from, to) = match record.code().class() {
            CodeClass::HubPays => (hub, record.participant()),
            CodeClass::ParticipantPays => (record.participant(), hub),
            CodeClass::Deposit | CodeClass::Withdrawal => return None,
        };
        let (code, slot, energy_wh) = (record.code(), record.slot(), record.value());
        Some(Self { period, run, from, to, code, slot, energy_wh })
    }

    /// Returns the 21 bytes.
    #[must_use]
    pub fn pack(&self) -> [u8; Self::LENGTH] {
        let mut bytes = [0; Self::LENGTH];
        bytes[..4].copy_from_slice(&self.from.0.to_be_bytes());
        bytes[4..8].copy_from_slice(&self.to.0.to_be_bytes());
        bytes[8..12].copy_from_slice(&self.period.0.to_be_bytes());
        bytes[12..14].copy_from_slice(&self.run.to_be_bytes());
        bytes[14..16].copy_from_slice(&self.slot.0.to_be_bytes());
        bytes[16] = self.code.number();
        bytes[17..].copy_from_slice(&self.energy_wh.to_be_bytes());
        bytes
    }

    /// Reads 21 bytes.
    ///
    /// # Errors
    ///
    /// Returns [`DirectRecordError`], in its order.
    pub fn unpack(bytes: &[u8]) -> Result<Self, DirectRecordError> {
        let bytes: &[u8; Self::LENGTH] =
            bytes.try_into().map_err(|_| DirectRecordError::Length(bytes.len()))?;
        let word = |at: usize| {
            u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
        };
        let half = |at: usize| u16::from_be_bytes([bytes[at], bytes[at + 1]]);
        Ok(Self {
            from: ParticipantNumber(word(0)),
            to: ParticipantNumber(word(4)),
            period: SettlementPeriod(word(8)),
            run: half(12),
            slot: Slot(half(14)),
            code: Code::new(bytes[16]).map_err(|_| DirectRecordError::Code(bytes[16]))?,
            energy_wh: i32::from_be_bytes([bytes[17], bytes[18], bytes[19], bytes[20]]),
        })
    }

    /// Returns the party whose meter signs: of `to` where energy was delivered (codes 1 to 31), of `from` where it was
    /// consumed (32 to 62), or `None` for codes without energy.
    #[must_use]
    pub const fn signing_party(&self) -> Option<ParticipantNumber> {
        match self.code.class() {
            CodeClass::HubPays => Some(self.to),
            CodeClass::ParticipantPays => Some(self.from),
            CodeClass::Deposit | CodeClass::Withdrawal => None,
        }
    }

    /// Returns the EIP-712 digest that a meter signs.
    #[must_use]
    pub fn digest(&self, domain: &Domain) -> B256 {
        const TYPE: &[u8] = b"Settlement(uint32 from,uint32 to,uint32 period,uint16 run,uint16 slot,uint8 code,int32 energy)";
        let fields = [self.from.0, self.to.0, self.period.0, self.run.into(), self.slot.0.into()];
        let [from, to, period, run, slot] = fields.map(|field| unsigned_word(field.into()));
        let code = unsigned_word(self.code.number().into());
        let energy = signed_word(self.energy_wh.into());
        domain.digest(TYPE, &[from, to, period, run, slot, code, energy])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signature::{address_of, recover, sign};
    use alloy_primitives::Address;
    use k256::ecdsa::SigningKey;
    use proptest::prelude::*;

    fn any_record() -> impl Strategy<Value = DirectRecord> {
        (any::<[u32; 3]>(), any::<[u16; 2]>(), 0_u8..64, any::<i32>()).prop_map(
            |([from, to, period], [run, slot], code, energy_wh)| DirectRecord {
                from: ParticipantNumber(from),
                to: ParticipantNumber(to),
                period: SettlementPeriod(period),
                run,
                slot: Slot(slot),
                code: Code::new(code).unwrap(),
                energy_wh,
            },
        )
    }

    proptest! {
        #[test]
        fn direct_records_come_back(record in any_record()) {
            prop_assert_eq!(DirectRecord::unpack(&record.pack()), Ok(record));
        }

        #[test]
        fn a_signature_names_its_signer_and_only_for_its_record(
            record in any_record(), other in any_record(), secret in 1_u64..,
        ) {
            let mut bytes = [0; 32];
            bytes[24..].copy_from_slice(&secret.to_be_bytes());
            let key = SigningKey::from_slice(&bytes).unwrap();
            let address = address_of(key.verifying_key());
            let domain = Domain { chain_id: 31337, contract: Address::repeat_byte(7) };
            let signature = sign(&record.digest(&domain), &key);
            prop_assert_eq!(recover(&record.digest(&domain), &signature), Ok(address));
            if other != record {
                prop_assert_ne!(recover(&other.digest(&domain), &signature), Ok(address));
            }
            let elsewhere = Domain { chain_id: 1, ..domain };
            prop_assert_ne!(recover(&record.digest(&elsewhere), &signature), Ok(address));
        }
    }
}
