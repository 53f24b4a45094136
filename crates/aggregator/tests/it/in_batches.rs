//! Runs onto the embedded chain in batches: all of it, once, whatever came before, and corrected later.

use std::path::Path;

use expect_test::{Expect, expect};
use gridtally_aggregator::cycle::{
    BatchError, BatchOptions, BatchSettlement, ChainError, ChainTime, EmbeddedChain, Money,
    RunError, RunOptions, SettlementError, settle_in_batches,
};
use gridtally_aggregator::demo::{BATCH_STORE_FOLDER, run_demo};
use gridtally_aggregator::sim::NeighborhoodOptions;
use gridtally_aggregator::store::{ParticipantBook, PartyEntry, ReadingSeries, Store};
use gridtally_aggregator::verify::{Verification, verify};
use gridtally_chain::CHAIN_ID_DEFAULT;
use gridtally_core::meter::Channel;
use gridtally_core::period::Resolution;
use gridtally_core::reading::Quality;
use gridtally_ledger::{
    BatchArchive, BatchLedger, BlobSource, Client, FollowOptions, HubReport, Key, Publication,
    SendOptions, Sender, WINDOW_S, Watcher,
};
use gridtally_settlement::MissingPolicy;

use crate::on_chain::{Hub, both_periods, period_1, run};
use crate::world::{
    add_prices, add_readings, at, book, create, faults, filled, now, settings, tariff,
};

/// A chain in this process, and the hub's account on it.
pub(crate) struct Ledger {
    /// Held, for the chain ends with it.
    _chain: EmbeddedChain,
    pub(crate) client: Client,
    sender: Sender,
}

/// In calldata, which is the faster way to test.
fn options() -> BatchOptions {
    BatchOptions { publication: Publication::Calldata, ..BatchOptions::development() }
}

impl Ledger {
    pub(crate) async fn start() -> Self {
        let chain = EmbeddedChain::open(None, CHAIN_ID_DEFAULT, &settings().calendar).unwrap();
        let client = chain.client().await.unwrap();
        let key = Key::test_account(0).unwrap();
        let sender = Sender::new(client.clone(), key, SendOptions::default());
        Self { _chain: chain, client, sender }
    }

    pub(crate) async fn settle_as(
        &self,
        store: &mut Store,
        run: &RunOptions,
        options: &BatchOptions,
    ) -> Result<BatchSettlement, SettlementError> {
        settle_in_batches(store, run, &self.sender, options, now(), &mut |_| {}).await
    }

    pub(crate) async fn settle(&self, store: &mut Store, run: &RunOptions) -> BatchSettlement {
        let settled = self.settle_as(store, run, &options()).await.unwrap();
        let findings = &settled.verification.findings;
        assert!(findings.is_empty(), "{findings:?}");
        settled
    }

    pub(crate) async fn refuse(
        &self,
        store: &mut Store,
        run: &RunOptions,
        options: &BatchOptions,
    ) -> String {
        self.settle_as(store, run, options).await.unwrap_err().to_string()
    }

    pub(crate) async fn verify(&self, folder: &Path) -> Verification {
        verify(folder, Some(&self.client), &mut |_| {}).await.unwrap()
    }

    pub(crate) async fn watcher(&self, store: &Store) -> Watcher {
        let mut watcher = self.new_watcher(store).await;
        watcher.poll().await.unwrap();
        watcher
    }

    /// A watcher that has not looked yet, with the archive of the store.
    pub(crate) async fn new_watcher(&self, store: &Store) -> Watcher {
        let deployment = store.view().batch_deployment().unwrap().unwrap();
        let ledger = BatchLedger::connect(self.client.clone(), deployment).await.unwrap();
        let archive = BatchArchive::new(store.view().folder().join("batches"));
        let watcher = Watcher::new(ledger, FollowOptions::default(), None);
        watcher.with_blobs_from(vec![BlobSource::Archive(archive)])
    }
}

/// Shows what a settlement did: `period.run/part: records`.
pub(crate) fn shown(settled: &BatchSettlement) -> String {
    let report = &settled.chain;
    let batches = report.committed.iter().map(|batch| {
        format!("{}.{}/{}: {}", batch.period, batch.run, batch.part, batch.record_count)
    });
    let batches = batches.collect::<Vec<_>>().join(", ");
    let verified = settled.verification.chain.as_ref().unwrap();
    format!(
        "{batches}; settled {} corrected {} already {} deposits {}; equal {} batches {:?}",
        report.settled,
        report.corrected,
        report.already_settled,
        report.deposit_count,
        verified.record_count,
        verified.batches.unwrap()
    )
}

#[expect(clippy::needless_pass_by_value, reason = "expectations are written in place")]
pub(crate) fn check(settled: &BatchSettlement, expected: Expect) {
    expected.assert_eq(&shown(settled));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_settled_once_and_verified() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = filled(folder.path());
    let ledger = Ledger::start().await;
    let settled = ledger.settle(&mut store, &both_periods()).await;
    // Two homes and the hub; a deposit of everybody who pays before it is paid.
    check(
        &settled,
        expect![
            "1.0/0: 14, 2.0/0: 12; settled 24 corrected 0 already 0 deposits 2; equal 24 batches BatchCounts { batch_count: 2, final_count: 0, correction_count: 0 }"
        ],
    );
    let chain = settled.verification.chain.unwrap();
    assert_eq!((chain.participant_count, chain.tariff_count, chain.record_count), (3, 2, 24));
    assert!(folder.path().join("batches").is_dir());

    let line = store.view().last();
    let (block, nothing) = (ledger.client.block_number().await.unwrap(), "nothing was sent");
    let again = ledger.settle(&mut store, &both_periods()).await;
    check(
        &again,
        expect![
            "; settled 0 corrected 0 already 24 deposits 0; equal 24 batches BatchCounts { batch_count: 2, final_count: 0, correction_count: 0 }"
        ],
    );
    assert_eq!(store.view().last(), line);
    assert_eq!(ledger.client.block_number().await.unwrap(), block, "{nothing}");
    assert_eq!(again.chain.measured.iter().count(), 0, "{nothing}");
    assert_eq!(faults(folder.path()), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn windows_are_skipped_only_when_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = filled(folder.path());
    let ledger = Ledger::start().await;
    let settled = ledger.settle(&mut store, &both_periods()).await;
    assert_eq!((settled.chain.batch_count, settled.chain.final_count), (2, 0));
    let now_s = ledger.client.block_latest().await.unwrap().timestamp;
    let end_s = u64::try_from(at("2026-01-01T12:00:00Z").as_second()).unwrap();
    assert!(now_s < end_s + 60, "time went to the end of period 2, not further");
    let final_from = settled.chain.final_from.unwrap().as_second();
    assert!(u64::try_from(final_from).unwrap() < now_s + WINDOW_S + 60);

    let finalizing = BatchOptions { finalizes: true, ..options() };
    let settled = ledger.settle_as(&mut store, &both_periods(), &finalizing).await.unwrap();
    assert_eq!((settled.chain.batch_count, settled.chain.final_count), (2, 2));
    assert_eq!(settled.chain.final_from, None);
    let is_final = |report: &&HubReport| matches!(report, HubReport::Finalized { .. });
    assert_eq!(settled.chain.reports.iter().filter(is_final).count(), 2);
    assert!(settled.verification.is_sound());
    // What is final is read from the archive, and settled no more than before.
    check(
        &ledger.settle(&mut store, &both_periods()).await,
        expect![
            "; settled 0 corrected 0 already 24 deposits 0; equal 24 batches BatchCounts { batch_count: 2, final_count: 2, correction_count: 0 }"
        ],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn corrected_readings_become_a_correction_run() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = filled(folder.path());
    let ledger = Ledger::start().await;
    ledger.settle(&mut store, &both_periods()).await;
    let before = store.view().last();
    // Less in period 1, more in period 2, and one that fed in more than it drew.
    add_readings(&mut store, "home_1", Channel::Import, &[400, 600, 0, 700, 950]).unwrap();
    add_readings(&mut store, "home_2", Channel::Export, &[0, 1000]).unwrap();
    let settled = ledger.settle(&mut store, &both_periods()).await;
    check(
        &settled,
        expect![
            "1.1/0: 3, 2.2/0: 1; settled 4 corrected 4 already 20 deposits 0; equal 24 batches BatchCounts { batch_count: 4, final_count: 0, correction_count: 2 }"
        ],
    );
    check(
        &ledger.settle(&mut store, &both_periods()).await,
        expect![
            "; settled 0 corrected 0 already 24 deposits 0; equal 24 batches BatchCounts { batch_count: 4, final_count: 0, correction_count: 2 }"
        ],
    );
    // A second correction of the same slot, back to the first value: a reversal.
    add_readings(&mut store, "home_1", Channel::Import, &[500]).unwrap();
    check(
        &ledger.settle(&mut store, &period_1()).await,
        expect![
            "1.3/0: 1; settled 1 corrected 1 already 11 deposits 0; equal 24 batches BatchCounts { batch_count: 5, final_count: 0, correction_count: 3 }"
        ],
    );
    // Nobody goes back by mistake.
    let old = RunOptions { as_of: Some(before - 1), ..both_periods() };
    let refused = ledger.refuse(&mut store, &old, &options()).await;
    expect!["journal line 12 settles a part of this span as of line 11, later than line 7"]
        .assert_eq(&refused);
    assert!(ledger.verify(folder.path()).await.is_sound());
}

#[tokio::test(flavor = "multi_thread")]
async fn readings_that_come_late_are_settled_late() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = create(folder.path());
    store.set_participants(&book(), now()).unwrap();
    store.set_tariff(&tariff(0), now()).unwrap();
    add_prices(&mut store, &[100_000; 8]).unwrap();
    add_readings(&mut store, "home_1", Channel::Import, &[500, 600]).unwrap();
    let ledger = Ledger::start().await;
    let leaving_out = |run: RunOptions| RunOptions { missing: MissingPolicy::LeaveOut, ..run };
    check(
        &ledger.settle(&mut store, &leaving_out(both_periods())).await,
        expect![
            "1.0/0: 3; settled 2 corrected 0 already 0 deposits 1; equal 2 batches BatchCounts { batch_count: 1, final_count: 0, correction_count: 0 }"
        ],
    );
    // Slots after the last that was settled come in a further part, those before it would come in a run.
    add_readings(&mut store, "home_1", Channel::Import, &[500, 600, 700, 800, 1]).unwrap();
    check(
        &ledger.settle(&mut store, &leaving_out(both_periods())).await,
        expect![
            "1.0/1: 2, 2.0/0: 1; settled 3 corrected 0 already 2 deposits 0; equal 5 batches BatchCounts { batch_count: 3, final_count: 0, correction_count: 0 }"
        ],
    );
    // Period 2 was settled, so what is late of period 1 is a correction run.
    add_readings(&mut store, "home_2", Channel::Import, &[10, 20, 30, 40]).unwrap();
    add_readings(&mut store, "home_2", Channel::Export, &[0, 0, 0, 0]).unwrap();
    check(
        &ledger.settle(&mut store, &leaving_out(both_periods())).await,
        expect![
            "1.1/0: 9; settled 8 corrected 8 already 5 deposits 1; equal 13 batches BatchCounts { batch_count: 4, final_count: 0, correction_count: 1 }"
        ],
    );
    assert!(ledger.verify(folder.path()).await.is_sound());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_period_that_does_not_fit_is_settled_in_parts() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = filled(folder.path());
    let ledger = Ledger::start().await;
    let options = BatchOptions { records_max: Some(9), ..options() };
    let settled = ledger.settle_as(&mut store, &both_periods(), &options).await.unwrap();
    check(
        &settled,
        expect![
            "1.0/0: 5, 1.0/1: 9, 2.0/0: 4, 2.0/1: 8; settled 24 corrected 0 already 0 deposits 2; equal 24 batches BatchCounts { batch_count: 4, final_count: 0, correction_count: 0 }"
        ],
    );
    assert!(settled.verification.is_sound());
    add_readings(&mut store, "home_1", Channel::Import, &[1, 1, 1, 1]).unwrap();
    add_readings(&mut store, "home_2", Channel::Import, &[2000, 2000, 2000, 2000]).unwrap();
    let settled = ledger.settle_as(&mut store, &both_periods(), &options).await.unwrap();
    check(
        &settled,
        expect![
            "1.1/0: 9; settled 9 corrected 9 already 15 deposits 0; equal 24 batches BatchCounts { batch_count: 5, final_count: 0, correction_count: 1 }"
        ],
    );
    assert!(settled.verification.is_sound());
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_every_block_it_settles_everything_once() {
    let folder = tempfile::tempdir().unwrap();
    drop(filled(folder.path()));
    let ledger = Ledger::start().await;
    let (mut kills, mut block) = (0, 0);
    let settled = loop {
        // Everything is forgotten but the store and the chain.
        let mut store = Store::open(folder.path()).unwrap();
        // A deployment that was not recorded begins anew, so it must be given its five blocks from time to time.
        let until = block + 1 + kills % 7;
        let next_block = async {
            while ledger.client.block_number().await.unwrap() < until {
                tokio::task::yield_now().await;
            }
        };
        let run = both_periods();
        tokio::select! {
            biased;
            () = next_block => kills += 1,
            settled = ledger.settle(&mut store, &run) => break settled,
        }
        block = ledger.client.block_number().await.unwrap();
        assert!(kills < 200, "it does not come forward");
    };
    assert!(kills > 5, "{kills}");
    let store = Store::open(folder.path()).unwrap();
    let watcher = ledger.watcher(&store).await;
    let batches = watcher.view().batches();
    let counts: Vec<u32> = batches.iter().map(|batch| batch.header.count).collect();
    assert_eq!(settled.chain.already_settled + settled.chain.settled, 24);
    let fresh = tempfile::tempdir().unwrap();
    let mut other = filled(fresh.path());
    let whole = Ledger::start().await.settle(&mut other, &both_periods()).await;
    let whole: Vec<u32> = whole.chain.committed.iter().map(|batch| batch.record_count).collect();
    assert_eq!(counts, whole, "the same batches as without being killed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_keeps_to_its_mode() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = filled(folder.path());
    let direct = Hub::start().await;
    let prepared = run(&mut store, &period_1());
    direct.settle(&mut store, &prepared).await.unwrap();
    let ledger = Ledger::start().await;
    let refused = ledger.refuse(&mut store, &period_1(), &options()).await;
    expect!["the store settles in mode direct, not batch"].assert_eq(&refused);

    let folder = tempfile::tempdir().unwrap();
    let mut store = filled(folder.path());
    ledger.settle(&mut store, &period_1()).await;
    let prepared = run(&mut store, &period_1());
    let refused = direct.settle(&mut store, &prepared).await.unwrap_err();
    assert!(matches!(refused, ChainError::Mode(_)), "{refused}");
    // Prices that were settled never change, in either mode.
    add_prices(&mut store, &[100_001]).unwrap();
    let refused = ledger.settle_as(&mut store, &period_1(), &options()).await.unwrap_err();
    assert!(
        matches!(refused, SettlementError::Batch(BatchError::Publish(_)))
            || matches!(refused, SettlementError::Run(RunError::PricesRecorded(_))),
        "{refused}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_settled_is_refused_by_its_reason() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = filled(folder.path());
    let ledger = Ledger::start().await;
    let runs = BatchOptions { time: ChainTime::Runs, ..options() };
    expect![
        "settlement period 1 ends 2026-01-01T08:00:00Z, the chain's time is 2026-01-01T00:00:11Z"
    ]
    .assert_eq(&ledger.refuse(&mut store, &period_1(), &runs).await);
    let own = BatchOptions { money: Money::OfParticipants, ..options() };
    let folder = tempfile::tempdir().unwrap();
    let mut store = filled(folder.path());
    expect!["2 participants have to pay in first, participant 1 1000000 micro-units"]
        .assert_eq(&ledger.refuse(&mut store, &period_1(), &own).await);
    let other =
        Sender::new(ledger.client.clone(), Key::test_account(1).unwrap(), SendOptions::default());
    let refused =
        settle_in_batches(&mut store, &period_1(), &other, &own, now(), &mut |_| {}).await;
    let refused = refused.unwrap_err();
    assert!(matches!(refused, SettlementError::Batch(BatchError::NotHub { .. })), "{refused}");

    // A meter with a key of its own has signed nothing that the store knows.
    let folder = tempfile::tempdir().unwrap();
    let mut store = create(folder.path());
    let (mut parties, points) = (book().parties().to_vec(), book().metering_points().to_vec());
    let meter = Some(other.address());
    parties[0] = PartyEntry { meter, ..parties[0].clone() };
    store.set_participants(&ParticipantBook::new(parties, points).unwrap(), now()).unwrap();
    store.set_tariff(&tariff(0), now()).unwrap();
    add_prices(&mut store, &[100_000; 4]).unwrap();
    add_readings(&mut store, "home_1", Channel::Import, &[1, 2, 3, 4]).unwrap();
    add_readings(&mut store, "home_2", Channel::Import, &[1, 2, 3, 4]).unwrap();
    add_readings(&mut store, "home_2", Channel::Export, &[0; 4]).unwrap();
    expect!["the meter of home_1 signs with a key of its own (0x70997970C51812dc3A010C7d01b50e0d17dc79C8), and the store has no signature of it"].assert_eq(&ledger.refuse(&mut store, &period_1(), &options()).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn verification_finds_what_is_wrong_on_either_side() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = filled(folder.path());
    let ledger = Ledger::start().await;
    ledger.settle(&mut store, &both_periods()).await;
    // A file of the archive that somebody changed.
    let archive = folder.path().join("batches");
    let of_data = |path: &Path| path.extension().is_some_and(|ending| ending == "calldata");
    let mut files = std::fs::read_dir(&archive).unwrap().map(|entry| entry.unwrap().path());
    let file = files.find(|path| of_data(path)).unwrap();
    let whole = std::fs::read(&file).unwrap();
    std::fs::write(&file, &whole[1..]).unwrap();
    let found = ledger.verify(folder.path()).await.findings;
    assert!(found[0].to_string().starts_with("the archive of batches: "), "{found:?}");
    std::fs::write(&file, &whole).unwrap();
    assert!(ledger.verify(folder.path()).await.is_sound());
    // Readings that were corrected and computed, but not settled: the chain is the measure.
    add_readings(&mut store, "home_1", Channel::Import, &[501]).unwrap();
    run(&mut store, &period_1());
    let found = ledger.verify(folder.path()).await.findings;
    let found: Vec<String> = found.iter().map(ToString::to_string).collect();
    // The transaction has another hash each time.
    let found = found.join("\n");
    expect!["period 1 slot 0 code 32 from 1 to 0 run 0: the books say 501 Wh, the chain says 500 Wh (home_1, metered at home_1, slot from 2026-01-01T04:00:00Z, 110000 micro-units per kWh"].assert_eq(found.split(", transaction").next().unwrap_or_default());
    // The chain of somebody else.
    let other = Ledger::start().await;
    let found = other.verify(folder.path()).await.findings;
    assert!(found[0].to_string().starts_with("the contract is not the one of the store"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reading_of_a_day_of_23_hours_is_corrected() {
    let folder = tempfile::tempdir().unwrap();
    let neighborhood = NeighborhoodOptions {
        household_count: 2,
        first_day: "2026-03-28".parse().unwrap(),
        ..NeighborhoodOptions::default()
    };
    let demo = run_demo(folder.path(), neighborhood, now(), &mut |_| {}).await.unwrap();
    let hours: Vec<i64> = demo.summary.days.iter().map(|day| day.hours).collect();
    assert_eq!(hours, [24, 23]);
    assert!(demo.summary.batch.is_verified);
    let count = demo.summary.record_count;
    drop(demo);

    let folder = folder.path().join(BATCH_STORE_FOLDER);
    let mut store = Store::open(&folder).unwrap();
    let calendar = store.view().settings().calendar;
    // The demonstration's chain ends in the background.
    let chain = loop {
        let chain = Some(folder.join("chain"));
        if let Ok(chain) = EmbeddedChain::open(chain, CHAIN_ID_DEFAULT, &calendar) {
            break chain;
        }
        tokio::task::yield_now().await;
    };
    let client = chain.client().await.unwrap();
    let key = Key::test_account(0).unwrap();
    let sender = Sender::new(client.clone(), key, SendOptions::default());
    let ledger = Ledger { _chain: chain, client, sender };
    // 03:00 of local time, the instant after 01:59: the hour that this night does not have.
    let start = at("2026-03-29T01:00:00Z").as_second();
    let book = store.view().participants(store.view().last()).unwrap();
    let point = book.metering_points().last().unwrap().id.clone();
    let series = ReadingSeries {
        metering_point: &point,
        channel: Channel::Import,
        resolution: Resolution::Minutes15,
        quality: Quality::Measured,
        rows: &[(start, 77)],
    };
    assert_eq!(store.add_readings("corrected", &[series], now()).unwrap().changed_count, 1);
    let run = RunOptions::regular(at("2026-03-27T23:00:00Z"), at("2026-03-29T22:00:00Z"));
    let settled = ledger.settle(&mut store, &run).await;
    let report = &settled.chain;
    assert_eq!((report.settled, report.corrected, report.already_settled), (1, 1, count - 1));
    assert_eq!(report.committed[0].record_count, 1);
}
