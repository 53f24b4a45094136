//! Who signs readings that come from files.
//!
//! A meter that signs has a key of its own. Data that were imported have no such signature: whoever runs the metering vouches
//! for them. So a party without a meter key is registered with the metering operator's key, which signs its readings when they
//! are settled, and corrections for everybody: the contract accepts it for both. A reader sees from the registry who signed.

use alloy_primitives::Address;
use gridtally_ledger::{Sender, Signatures};
use gridtally_settlement::{Domain, SignedReading};

use crate::store::PartyEntry;

/// Signs with the key of the metering operator, which is the hub's.
#[derive(Debug)]
pub(super) struct OperatorSignatures {
    pub(super) operator: Sender,
    pub(super) domain: Domain,
}

impl Signatures for OperatorSignatures {
    /// Signs every reading that is asked for: those of meters with keys of their own are refused before.
    fn signature(&self, reading: &SignedReading) -> Option<Vec<u8>> {
        Some(self.operator.sign_digest(reading.digest(&self.domain)))
    }
}

/// Returns the key that signs the readings of a party: its meter's, or the metering operator's.
pub(crate) fn signing_key(party: &PartyEntry, operator: Address) -> Address {
    party.meter.unwrap_or(operator)
}
