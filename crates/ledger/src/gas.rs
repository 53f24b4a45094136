//! What calls cost: measured from receipts, and limits that hold whatever they cost.

use std::collections::BTreeMap;
use std::fmt;

use gridtally_settlement::{DirectRecord, RecordKey};
use serde::{Deserialize, Serialize};

use crate::wire::Receipt;

/// Most gas that one transaction may use (EIP-7825).
pub const TRANSACTION_GAS_MAX: u64 = 16_777_216;

/// Gas of an empty transaction with the words that it opens and closes, rounded up.
const GAS_BASE: u64 = 60_000;
/// Gas of one more record of the same parties, period, run and code, rounded up.
const GAS_RECORD: u64 = 9_000;
/// Gas of the first record of a (from, to, period, run, code, slot / 256), rounded up: a new guard
/// word (22,100), two registry words (10,000), a price word (2,100).
const GAS_GROUP: u64 = 36_000;
/// Slots that share a word of the duplicate guard.
const GROUP_SLOTS: u16 = 256;

/// Most gas that records settled in one transaction can use, in any form: the sum over figures that
/// hold for every record. What is not used is not paid.
#[derive(Debug, Default)]
pub(crate) struct SettlementGas {
    records: u64,
    group: Option<RecordKey>,
}

impl SettlementGas {
    /// Returns the gas of a transaction with these records.
    pub(crate) fn of(records: &[DirectRecord]) -> u64 {
        let mut gas = Self::default();
        records.iter().map(|record| gas.add(record)).last().unwrap_or(GAS_BASE)
    }

    /// Adds a record and returns the gas of the transaction so far.
    pub(crate) fn add(&mut self, record: &DirectRecord) -> u64 {
        let mut group = RecordKey::from(record);
        group.slot.0 /= GROUP_SLOTS;
        if self.group.replace(group) != Some(group) {
            self.records += GAS_GROUP;
        }
        self.records += GAS_RECORD;
        GAS_BASE + self.records
    }
}

/// The calls whose gas is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallKind {
    /// Deployment of a contract.
    Deploy,
    /// One participant registered.
    Register,
    /// Many participants registered.
    RegisterMany,
    /// Another change of the registry: status, payout address.
    RegistryChange,
    /// A tariff table published.
    PublishTariff,
    /// Tokens issued (demonstration token only).
    Mint,
    /// The contract allowed to draw tokens.
    Approve,
    /// Tokens moved into a participant's balance.
    Deposit,
    /// Tokens moved out of a participant's balance.
    Withdraw,
    /// One record.
    Settle,
    /// Many records, as structures.
    SettleMany,
    /// Many records, packed.
    SettlePacked,
    /// One record signed by a meter.
    SettleSigned,
    /// The hub's bond raised.
    Bond,
    /// A batch committed.
    Commit,
    /// A batch made final.
    Finalize,
    /// A batch proved wrong.
    Prove,
    /// Something of a batch demanded.
    Demand,
    /// A demand answered, or found not to be.
    Answer,
    /// What became payable claimed.
    Claim,
    /// A reading forced, refuted or paid.
    Force,
    /// A part of a snapshot published.
    Snapshot,
}

impl CallKind {
    /// Returns the name that output and JSON use.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Deploy => "deploy",
            Self::Register => "register",
            Self::RegisterMany => "register_many",
            Self::RegistryChange => "registry_change",
            Self::PublishTariff => "publish_tariff",
            Self::Mint => "mint",
            Self::Approve => "approve",
            Self::Deposit => "deposit",
            Self::Withdraw => "withdraw",
            Self::Settle => "settle",
            Self::SettleMany => "settle_many",
            Self::SettlePacked => "settle_packed",
            Self::SettleSigned => "settle_signed",
            Self::Bond => "bond",
            Self::Commit => "commit",
            Self::Finalize => "finalize",
            Self::Prove => "prove",
            Self::Demand => "demand",
            Self::Answer => "answer",
            Self::Claim => "claim",
            Self::Force => "force",
            Self::Snapshot => "snapshot",
        }
    }
}

impl fmt::Display for CallKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Gas of all calls of one kind together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GasTotal {
    /// Number of transactions.
    pub transactions: u64,
    /// Number of records, participants or tables in them.
    pub items: u64,
    /// Gas used.
    pub gas: u64,
    /// Fees paid, wei: gas times its price, added up.
    pub fee_wei: u128,
}

impl GasTotal {
    /// Returns the gas of one item, rounded up, or 0 where nothing was measured.
    #[must_use]
    pub fn gas_per_item_rounded_up(&self) -> u64 {
        if self.items == 0 { 0 } else { self.gas.div_ceil(self.items) }
    }
}

/// Gas measured from receipts, by kind of call.
///
/// ```
/// use gridtally_ledger::{CallKind, GasMeasurements};
///
/// let mut measured = GasMeasurements::default();
/// measured.add(CallKind::SettlePacked, 100, 606_700, 1_000_000_000);
/// assert_eq!(measured.total(CallKind::SettlePacked).gas_per_item_rounded_up(), 6_067);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GasMeasurements(BTreeMap<CallKind, GasTotal>);

impl GasMeasurements {
    /// Adds one transaction with `items` records, participants or tables in it.
    pub fn add(&mut self, kind: CallKind, items: u64, gas: u64, gas_price_wei: u128) {
        let total = self.0.entry(kind).or_default();
        total.transactions += 1;
        total.items += items;
        total.gas = total.gas.saturating_add(gas);
        let fee_wei = u128::from(gas).saturating_mul(gas_price_wei);
        total.fee_wei = total.fee_wei.saturating_add(fee_wei);
    }

    /// Adds what a receipt tells.
    pub fn add_receipt(&mut self, kind: CallKind, items: u64, receipt: &Receipt) {
        self.add(kind, items, receipt.gas_used, receipt.effective_gas_price.unwrap_or(0));
    }

    /// Adds everything that others measured.
    pub fn merge(&mut self, others: &Self) {
        for (kind, other) in &others.0 {
            let total = self.0.entry(*kind).or_default();
            total.transactions += other.transactions;
            total.items += other.items;
            total.gas = total.gas.saturating_add(other.gas);
            total.fee_wei = total.fee_wei.saturating_add(other.fee_wei);
        }
    }

    /// Returns the sum for one kind of call, zeros where there was none.
    #[must_use]
    pub fn total(&self, kind: CallKind) -> GasTotal {
        self.0.get(&kind).copied().unwrap_or_default()
    }

    /// Returns all kinds that were measured, in the order of [`CallKind`].
    pub fn iter(&self) -> impl Iterator<Item = (CallKind, GasTotal)> + '_ {
        self.0.iter().map(|(kind, total)| (*kind, *total))
    }
}

#[cfg(test)]
mod tests {
    use gridtally_core::party::ParticipantNumber;
    use gridtally_core::period::{SettlementPeriod, Slot};
    use gridtally_settlement::Code;

    use super::*;

    /// What the contract's own tests measured.
    const SNAPSHOT: &str = include_str!("../../../contracts/snapshots/gas.json");

    fn record(from: u32, to: u32, slot: u16) -> DirectRecord {
        DirectRecord {
            period: SettlementPeriod(1),
            run: 0,
            from: ParticipantNumber(from),
            to: ParticipantNumber(to),
            code: Code::CONSUMPTION,
            slot: Slot(slot),
            energy_wh: 100,
        }
    }

    /// Household after household, slot after slot.
    fn days(count: u32) -> Vec<DirectRecord> {
        let slot = |index| u16::try_from(index % 96).expect("below 96");
        (0..count).map(|index| record(1 + index / 96, 0, slot(index))).collect()
    }

    /// One payer, a new receiver for each record.
    fn receivers(count: u32) -> Vec<DirectRecord> {
        (1..=count).map(|to| record(0, to, 0)).collect()
    }

    #[test]
    fn known_gas_covers_what_the_contract_was_measured_to_use() {
        let snapshot: BTreeMap<String, String> = serde_json::from_str(SNAPSHOT).expect("JSON");
        let check = |name: &str, records: &[DirectRecord]| {
            let measured = snapshot[name].parse::<u64>().expect("a number");
            let known = SettlementGas::of(records);
            assert!(known > measured, "{name}: {known} is less than {measured}");
            assert!(known < 3 * measured, "{name}: {known} is far above {measured}");
        };
        for name in ["settle first", "settle next", "settleSigned first", "settleSigned next"] {
            check(name, &days(1));
        }
        for count in [10, 100, 500] {
            check(&format!("settlePacked days x {count}"), &days(count));
            check(&format!("settleMany days x {count}"), &days(count));
            check(&format!("settleMany receivers first x {count}"), &receivers(count));
            check(&format!("settleMany receivers next x {count}"), &receivers(count));
        }
    }

    #[test]
    fn slots_share_a_word_of_the_guard_within_256() {
        let of = |slots: &[u16]| {
            SettlementGas::of(&slots.iter().map(|slot| record(1, 0, *slot)).collect::<Vec<_>>())
        };
        assert_eq!(of(&[0]), GAS_BASE + GAS_GROUP + GAS_RECORD);
        assert_eq!(of(&[0, 255]), GAS_BASE + GAS_GROUP + 2 * GAS_RECORD);
        assert_eq!(of(&[255, 256]), GAS_BASE + 2 * GAS_GROUP + 2 * GAS_RECORD);
        assert_eq!(of(&[]), GAS_BASE);
    }
}
