//! A deployment to test with: a hub, two households, prices for some days.

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::Address;
use gridtally_core::party::ParticipantNumber;
use gridtally_core::period::{SettlementCalendar, SettlementPeriod, Slot};
use gridtally_core::quantity::Price;
use gridtally_ledger::{
    Client, DeployError, Funding, GasMeasurements, Key, Ledger, Offices, ParticipantRole, Progress,
    Registration, SendOptions, Sender, TokenChoice,
};
use gridtally_settlement::{Code, DirectRecord, TariffTable};
use jiff::Timestamp;

use crate::node::{Node, START_UNIX_S};

/// Slots of a period.
pub(crate) const SLOTS: u16 = 96;
/// Length of a period, s.
pub(crate) const DAY_S: u32 = 86_400;
/// What everybody holds at first, micro-units.
pub(crate) const FUNDS_MICRO: u64 = 50_000_000;
/// Price of consumption, micro-units per kWh.
pub(crate) const CONSUMPTION_PRICE: i32 = 250_000;
/// Price of feed-in, micro-units per kWh.
pub(crate) const FEED_IN_PRICE: i32 = 80_000;

/// The hub.
pub(crate) const HUB: ParticipantNumber = ParticipantNumber::HUB;
/// The first household.
pub(crate) const ALICE: ParticipantNumber = ParticipantNumber(1);
/// The second household.
pub(crate) const BOB: ParticipantNumber = ParticipantNumber(2);

/// Test accounts: who holds the offices, and whose meters sign.
pub(crate) const OFFICER: u32 = 0;
pub(crate) const ALICE_KEY: u32 = 1;
pub(crate) const BOB_KEY: u32 = 2;

/// Listens to nothing.
pub(crate) fn quiet(_: Progress) {}

/// Short pauses, so that tests are quick, and enough questions that a busy machine keeps up.
pub(crate) fn brisk() -> SendOptions {
    SendOptions {
        poll_pause_first: std::time::Duration::from_millis(1),
        poll_pause_max: std::time::Duration::from_millis(50),
        polls_max: 200,
        ..SendOptions::default()
    }
}

/// Returns a key that everybody knows.
pub(crate) fn key(index: u32) -> Key {
    Key::test_account(index).expect("below 10")
}

/// Returns a sender for a test account.
pub(crate) fn sender(client: &Client, index: u32) -> Sender {
    Sender::new(client.clone(), key(index), brisk())
}

/// Period 0 starts with the chain.
pub(crate) fn calendar() -> SettlementCalendar {
    let genesis = Timestamp::from_second(i64::try_from(START_UNIX_S).expect("small"));
    SettlementCalendar::new(genesis.expect("in range"), DAY_S, SLOTS).expect("quarter-hours")
}

/// Consumption and feed-in at one price each.
pub(crate) fn table() -> TariffTable {
    let row = |price| vec![Price::from_micro_per_kwh(price); usize::from(SLOTS)];
    let rows = BTreeMap::from([
        (Code::FEED_IN, row(FEED_IN_PRICE)),
        (Code::CONSUMPTION, row(CONSUMPTION_PRICE)),
    ]);
    TariffTable::new(SLOTS, rows).expect("complete")
}

/// Returns a record of consumption, paid to the hub.
pub(crate) fn consumption(from: ParticipantNumber, slot: u16, energy_wh: i32) -> DirectRecord {
    let (period, slot) = (SettlementPeriod(1), Slot(slot));
    DirectRecord { period, run: 0, from, to: HUB, code: Code::CONSUMPTION, slot, energy_wh }
}

/// Returns a record of feed-in, paid by the hub.
pub(crate) fn feed_in(to: ParticipantNumber, slot: u16, energy_wh: i32) -> DirectRecord {
    let (period, slot) = (SettlementPeriod(1), Slot(slot));
    DirectRecord { period, run: 0, from: HUB, to, code: Code::FEED_IN, slot, energy_wh }
}

/// Returns a day of consumption of both households.
pub(crate) fn day() -> Vec<DirectRecord> {
    let of = |from| (0..SLOTS).map(move |slot| consumption(from, slot, 100 + i32::from(slot)));
    of(ALICE).chain(of(BOB)).collect()
}

/// A deployment and who holds its offices.
pub(crate) struct Town {
    pub(crate) ledger: Ledger,
    pub(crate) officer: Sender,
}

impl Town {
    /// Deploys, with all offices in one hand.
    pub(crate) async fn deploy(client: &Client, measured: &mut GasMeasurements) -> Self {
        let officer = sender(client, OFFICER);
        let offices = Offices::all_held_by(officer.address());
        let token = TokenChoice::Demonstration { owner: officer.address() };
        let ledger = Ledger::deploy(&officer, offices, calendar(), token, measured).await;
        Self { ledger: ledger.expect("deployed"), officer }
    }

    /// Deploys, registers, publishes prices for three days, pays in, and lets the first day end.
    pub(crate) async fn ready(node: &Node) -> Self {
        let town = Self::deploy(&node.client, &mut GasMeasurements::default()).await;
        let Self { ledger, officer } = &town;
        let registrations = [ALICE_KEY, BOB_KEY].map(household);
        ledger.register(officer, ALICE, &registrations, &mut quiet).await.expect("registered");
        ledger.publish_tariffs(officer, &tables(3), &mut quiet).await.expect("published");
        ledger.mint(officer, officer.address(), 10 * FUNDS_MICRO).await.expect("minted");
        ledger.fund(officer, &fundings(), &mut quiet).await.expect("funded");
        node.mine_at(START_UNIX_S + 2 * u64::from(DAY_S)).await;
        town
    }

    /// Returns the deployment as another process sees it.
    pub(crate) async fn seen_through(&self, client: &Client) -> Result<Ledger, DeployError> {
        Ledger::connect(client.clone(), *self.ledger.deployment()).await
    }

    /// Returns what the hub, Alice and Bob hold.
    pub(crate) async fn balances(&self) -> [u64; 3] {
        let mut balances = [0; 3];
        for (balance, participant) in balances.iter_mut().zip([HUB, ALICE, BOB]) {
            *balance = self.ledger.balance(participant).await.expect("readable");
        }
        balances
    }
}

/// A household whose meter and owner are one test account.
pub(crate) fn household(index: u32) -> Registration {
    let address: Address = key(index).address();
    Registration { meter: address, owner: address, role: ParticipantRole::Prosumer }
}

/// The same prices for the periods 1 to `count`.
pub(crate) fn tables(count: u32) -> BTreeMap<SettlementPeriod, TariffTable> {
    (1..=count).map(|period| (SettlementPeriod(period), table())).collect()
}

/// The same money for everybody.
pub(crate) fn fundings() -> Vec<Funding> {
    let funding = |participant| Funding { participant, balance_min_micro: FUNDS_MICRO };
    [HUB, ALICE, BOB].map(funding).to_vec()
}

/// Returns what the balances of [`Town::balances`] must be after these records, computed here.
pub(crate) fn balances_after(records: &[DirectRecord]) -> [u64; 3] {
    let mut balances = [i64::try_from(FUNDS_MICRO).expect("small"); 3];
    for record in records {
        let price = if record.code == Code::FEED_IN { FEED_IN_PRICE } else { CONSUMPTION_PRICE };
        let amount = i64::from(record.energy_wh) * i64::from(price) / 1_000;
        balances[record.from.0 as usize] -= amount;
        balances[record.to.0 as usize] += amount;
    }
    balances.map(|balance| u64::try_from(balance).expect("nobody overdraws"))
}

/// Asserts that the chain has exactly these records, each once, and the money that follows.
pub(crate) async fn assert_settled_once(town: &Town, records: &[DirectRecord]) {
    let history = town.ledger.history(None).await.expect("readable");
    let found = history.records.iter().map(|settled| settled.record).collect::<BTreeSet<_>>();
    let expected = records.iter().copied().collect::<BTreeSet<_>>();
    let missing = expected.difference(&found).collect::<Vec<_>>();
    assert!(missing.is_empty(), "not on the chain up to block {}: {missing:?}", history.block);
    let unasked = found.difference(&expected).collect::<Vec<_>>();
    assert!(unasked.is_empty(), "only on the chain: {unasked:?}");
    assert_eq!(history.records.len(), found.len(), "each once");
    let balances = town.balances().await;
    assert_eq!(balances, balances_after(records), "the money follows the records");
}
