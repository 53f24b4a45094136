//! Runs onto the embedded chain: all of it, once, whatever came before.

use std::path::Path;

use gridtally_aggregator::cycle::{
    ChainError, ChainOptions, ChainReport, ChainTime, EmbeddedChain, PreparedRun, RunError,
    RunOptions, settle_into_store, settle_on_chain,
};
use gridtally_aggregator::store::{Store, StoreView};
use gridtally_aggregator::verify::{Verification, verify};
use gridtally_chain::CHAIN_ID_DEFAULT;
use gridtally_core::meter::Channel;
use gridtally_core::party::ParticipantNumber;
use gridtally_ledger::{Client, Funding, Key, Ledger, Progress, SendOptions, Sender};
use gridtally_settlement::{DirectRecord, MissingPolicy};

use crate::world::{add_prices, add_readings, at, create, filled, now, settings, tariff};

/// A chain in this process, and the hub's account on it.
pub(crate) struct Hub {
    /// Held, for the chain ends with it.
    _chain: EmbeddedChain,
    pub(crate) client: Client,
    pub(crate) sender: Sender,
}

impl Hub {
    pub(crate) async fn start() -> Self {
        let chain = EmbeddedChain::open(None, CHAIN_ID_DEFAULT, &settings().calendar).unwrap();
        let client = chain.client().await.unwrap();
        let key = Key::test_account(0).unwrap();
        let sender = Sender::new(client.clone(), key, SendOptions::default());
        Self { _chain: chain, client, sender }
    }

    pub(crate) async fn settle(
        &self,
        store: &mut Store,
        run: &PreparedRun,
    ) -> Result<ChainReport, ChainError> {
        let options = ChainOptions::development();
        settle_on_chain(store, run, &self.sender, &options, now(), &mut |_| {}).await
    }

    pub(crate) async fn verify(&self, folder: &Path) -> Verification {
        verify(folder, Some(&self.client), &mut |_| {}).await.unwrap()
    }

    pub(crate) async fn ledger(&self, view: &StoreView) -> Ledger {
        let deployment = view.deployment().unwrap().unwrap();
        Ledger::connect(self.client.clone(), deployment).await.unwrap()
    }

    /// Does everything for a run but settling it: its time does not move, so that the first period is not over.
    pub(crate) async fn prepare(&self, store: &mut Store, run: &PreparedRun) {
        let options = ChainOptions { time: ChainTime::Runs, ..ChainOptions::development() };
        let settled = settle_on_chain(store, run, &self.sender, &options, now(), &mut |_| {}).await;
        assert!(matches!(settled, Err(ChainError::PeriodNotOver { .. })));
        let endpoint = self.client.endpoint();
        let time_s = at("2026-01-02T00:00:00Z").as_second();
        let _time: serde_json::Value =
            endpoint.request("evm_setNextBlockTimestamp", [time_s]).await.unwrap();
        let _nothing: serde_json::Value = endpoint.request("evm_mine", ()).await.unwrap();
    }

    /// Settles records as the operator can who goes around the store.
    pub(crate) async fn settle_directly(&self, view: &StoreView, records: &[DirectRecord]) {
        let options = ChainOptions::development().settle;
        let ledger = self.ledger(view).await;
        ledger.mint(&self.sender, self.sender.address(), 10_000_000).await.unwrap();
        let fundings = [0, 1, 2].map(|participant| Funding {
            participant: ParticipantNumber(participant),
            balance_min_micro: 1_000_000,
        });
        let mut quiet = |_: Progress| {};
        ledger.fund(&self.sender, &fundings, &mut quiet).await.unwrap();
        let mut quiet = |_: Progress| {};
        ledger.settle(&self.sender, records, options, &mut quiet).await.unwrap();
    }
}

pub(crate) fn period_1() -> RunOptions {
    RunOptions::regular(at("2026-01-01T04:00:00Z"), at("2026-01-01T08:00:00Z"))
}

pub(crate) fn both_periods() -> RunOptions {
    RunOptions::regular(at("2026-01-01T04:00:00Z"), at("2026-01-01T12:00:00Z"))
}

pub(crate) fn run(store: &mut Store, options: &RunOptions) -> PreparedRun {
    settle_into_store(store, options, now(), &mut |_| {}).unwrap().0
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_settled_once_and_verified() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = filled(folder.path());
    let hub = Hub::start().await;
    let run = run(&mut store, &both_periods());
    let report = hub.settle(&mut store, &run).await.unwrap();
    assert_eq!((report.settled, report.already_settled), (24, 0));
    let verified = hub.verify(folder.path()).await;
    assert!(verified.is_sound(), "{:?}", verified.findings);
    assert_eq!((verified.run_count, verified.record_count), (1, 24));
    let chain = verified.chain.unwrap();
    assert_eq!((chain.participant_count, chain.tariff_count, chain.record_count), (3, 2, 24));
    // What participants had to pay before they were paid, and what the hub had to.
    let ledger = hub.ledger(store.view()).await;
    let mut balances = Vec::new();
    for participant in 0..3 {
        let number = ParticipantNumber(participant);
        balances.push(ledger.balance(number).await.unwrap());
    }
    assert_eq!(i128::from(balances.iter().sum::<u64>()), chain.balance_micro);

    let line = store.view().last();
    let again = hub.settle(&mut store, &run).await.unwrap();
    assert_eq!((again.settled, again.already_settled), (0, 24));
    assert_eq!(store.view().last(), line);
    assert_eq!(again.measured.iter().count(), 0, "nothing was sent");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_was_interrupted_goes_on_with_the_rest() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = filled(folder.path());
    let hub = Hub::start().await;
    let first = run(&mut store, &period_1());
    let options = ChainOptions {
        publish_until: Some(at("2026-01-02T00:00:00Z")),
        ..ChainOptions::development()
    };
    let settled =
        settle_on_chain(&mut store, &first, &hub.sender, &options, now(), &mut |_| {}).await;
    assert_eq!(settled.unwrap().settled, 12);
    // Everything is forgotten but the store and the chain.
    drop(store);
    let mut store = Store::open(folder.path()).unwrap();
    let both = run(&mut store, &both_periods());
    let report = hub.settle(&mut store, &both).await.unwrap();
    assert_eq!((report.settled, report.already_settled), (12, 12));
    let verified = hub.verify(folder.path()).await;
    assert!(verified.is_sound(), "{:?}", verified.findings);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tariff_is_published_before_its_period_or_never() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = filled(folder.path());
    let hub = Hub::start().await;
    let first = run(&mut store, &period_1());
    hub.settle(&mut store, &first).await.unwrap();
    let both = run(&mut store, &both_periods());
    let error = hub.settle(&mut store, &both).await.unwrap_err().to_string();
    assert!(error.contains("period 2 started at 1767254400"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn readings_that_come_later_are_settled_later() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = create(folder.path());
    store.set_participants(&crate::world::book(), now()).unwrap();
    store.set_tariff(&tariff(0), now()).unwrap();
    add_prices(&mut store, &[100_000; 4]).unwrap();
    add_readings(&mut store, "home_1", Channel::Import, &[500, 600]).unwrap();
    let hub = Hub::start().await;
    let options = RunOptions { missing: MissingPolicy::LeaveOut, ..period_1() };
    let early = run(&mut store, &options);
    assert_eq!(hub.settle(&mut store, &early).await.unwrap().settled, 2);
    add_readings(&mut store, "home_1", Channel::Import, &[500, 600, 700, 800]).unwrap();
    let late = run(&mut store, &options);
    let report = hub.settle(&mut store, &late).await.unwrap();
    assert_eq!((report.settled, report.already_settled), (2, 2));
    let verified = hub.verify(folder.path()).await;
    assert!(verified.is_sound(), "{:?}", verified.findings);
    assert_eq!(verified.run_count, 2);

    // Another value for what is settled needs a correction: it is not recorded, so that store and chain stay together.
    add_readings(&mut store, "home_1", Channel::Import, &[501]).unwrap();
    let refused = settle_into_store(&mut store, &options, now(), &mut |_| {}).unwrap_err();
    assert!(matches!(refused, RunError::EnergyRecorded(_)), "{refused}");
    let repeated = run(&mut store, late.options());
    let report = hub.settle(&mut store, &repeated).await.unwrap();
    assert_eq!((report.settled, report.already_settled), (0, 4));
    let verified = hub.verify(folder.path()).await;
    assert!(verified.is_sound(), "{:?}", verified.findings);
    assert_eq!(verified.run_count, 2);
    // Nor is it settled twice where it is sent all the same.
    let changed = PreparedRun::new(store.view(), &options).unwrap();
    let error = hub.settle(&mut store, &changed).await.unwrap_err().to_string();
    assert!(error.contains("settled already with 500 Wh, not 501"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_period_that_is_not_over_waits() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = filled(folder.path());
    let hub = Hub::start().await;
    let run = run(&mut store, &period_1());
    let options = ChainOptions { time: ChainTime::Runs, ..ChainOptions::development() };
    let settled =
        settle_on_chain(&mut store, &run, &hub.sender, &options, now(), &mut |_| {}).await;
    let error = settled.unwrap_err().to_string();
    let expected =
        "settlement period 1 ends 2026-01-01T08:00:00Z, the chain's time is 2026-01-01T00";
    assert!(error.starts_with(expected), "{error}");
}
