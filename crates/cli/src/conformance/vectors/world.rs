//! What the batches of a document are settled in: contract, meters, tariffs, inbox.

use std::collections::BTreeMap;

use alloy_primitives::B256;
use alloy_signer_local::PrivateKeySigner;
use gridtally_core::party::ParticipantNumber;
use gridtally_core::period::SettlementPeriod;
use gridtally_core::quantity::Amount;
use gridtally_settlement::{
    Activities, Activity, Domain, ForcedReadings, InboxEntry, InboxKind, InboxRange, MeterKey,
    Reference, TariffTable, sign,
};
use serde_json::{Value, json};

use super::{Answer, Input, Refused, answer, broken, read_table, text};

pub(super) struct World {
    pub(super) domain: Domain,
    pub(super) tables: BTreeMap<SettlementPeriod, TariffTable>,
    pub(super) meters: BTreeMap<ParticipantNumber, Meter>,
    inbox: Vec<InboxEntry>,
    activities: Activities,
    forced: ForcedReadings,
}

/// A meter with its key.
pub(super) struct Meter(PrivateKeySigner);

impl Meter {
    /// Returns the signature over a digest, which this meter's key checks.
    pub(super) fn signature(&self, digest: &B256) -> Value {
        let signature = sign(digest, self.0.credential());
        let is_signed = MeterKey::Secp256k1(self.0.address()).check(digest, &signature).is_ok();
        if is_signed { text(signature) } else { broken("the signature is refused") }
    }
}

impl World {
    /// Reads them, and answers for what follows from them alone.
    pub(super) fn read(root: &Input<'_>, answers: &mut Vec<Answer>) -> Result<Self, Refused> {
        let params = root.get("params");
        let chain_id = params.get("chainId").integer("from 0")?;
        let contract = params.get("contract").array::<20>()?.into();
        let slots = params.get("slotsPerPeriod").integer("from 1 to 1024")?;
        let mut tables = BTreeMap::new();
        for case in root.get("tariffs").items()? {
            let period = SettlementPeriod(case.get("period").integer("of 32 bits")?);
            tables.insert(period, read_table(&case, slots)?);
        }
        let mut meters = BTreeMap::new();
        for case in root.get("meters").items()? {
            let participant = ParticipantNumber(case.get("participant").integer("of 32 bits")?);
            let secret = case.get("privateKey");
            let signer = PrivateKeySigner::from_bytes(&secret.hash()?);
            let signer = signer.map_err(|_| secret.refused("a private key"))?;
            answer(answers, &case.get("address"), json!(signer.address().to_string()));
            meters.insert(participant, Meter(signer));
        }
        let mut inbox = Vec::new();
        for case in root.get("inbox").items()? {
            let participant = ParticipantNumber(case.get("participant").integer("of 32 bits")?);
            let is_deposit = case.get("kind").word(&[("deposit", true), ("exit", false)])?;
            let amount = case.get("amount").integer("from 0")?;
            let deposit = InboxKind::Deposit(Amount::from_micro(amount));
            let kind = if is_deposit { deposit } else { InboxKind::Exit };
            inbox.push(InboxEntry { participant, kind });
        }
        // Nothing is said of it: whoever has a meter is active.
        let last = meters.last_key_value().map_or(0, |(participant, _)| participant.0);
        let activity = |number| {
            let is_known = meters.contains_key(&ParticipantNumber(number));
            let first = SettlementPeriod(if is_known { 1 } else { u32::MAX });
            Activity::from(first)
        };
        let activities = Activities::new((1..=last.min(1 << 18)).map(activity).collect());
        // Nor of forced readings: there are none.
        let forced = ForcedReadings::default();
        Ok(Self {
            domain: Domain { chain_id, contract },
            tables,
            meters,
            inbox,
            activities,
            forced,
        })
    }

    pub(super) fn reference<'a>(&'a self, table: &'a TariffTable) -> Reference<'a> {
        let inbox = InboxRange { first: 0, entries: &self.inbox };
        Reference { table, activities: &self.activities, inbox, forced: &self.forced }
    }

    pub(super) fn table(
        &self,
        period: SettlementPeriod,
        place: &Input<'_>,
    ) -> Result<&TariffTable, Refused> {
        self.tables.get(&period).ok_or_else(|| place.refused("a period with a tariff"))
    }
}
