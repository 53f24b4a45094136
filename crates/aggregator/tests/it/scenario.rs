//! Real homes at real prices, from a scenario file to a verified chain.

use std::path::{Path, PathBuf};

use expect_test::{Expect, expect};
use gridtally_aggregator::cycle::{
    BatchOptions, EmbeddedChain, Settlement, SettlementMode, settle_embedded, settle_in_batches,
};
use gridtally_aggregator::scenario::{Scenario, ScenarioError};
use gridtally_aggregator::store::{CHAIN_FOLDER, Store};
use gridtally_chain::CHAIN_ID_DEFAULT;
use gridtally_ledger::{Key, SendOptions, Sender};
use jiff::Timestamp;

use crate::import_data::data;
use crate::world::{at, faults};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/scenarios").join(name)
}

fn now() -> Timestamp {
    at("2026-11-01T00:00:00Z")
}

async fn settle_store(scenario: &Scenario, store: &mut Store) -> Settlement {
    let calendar = scenario.settings().unwrap().calendar;
    let chain = Some(store.view().folder().join(CHAIN_FOLDER));
    let chain = EmbeddedChain::open(chain, CHAIN_ID_DEFAULT, &calendar).unwrap();
    let options = scenario.run_options();
    let settlement = settle_embedded(store, &options, &chain, now(), &mut |_| {}).await.unwrap();
    let findings = &settlement.verification.findings;
    assert!(settlement.verification.is_sound(), "{findings:?}");
    settlement
}

/// Settles a scenario and compares what it came to.
async fn settle(name: &str, folder: &Path, expected: Expect) -> Scenario {
    let now = now();
    let scenario = Scenario::read(&fixture(name)).unwrap();
    let mut store = scenario.open_store(folder, now).unwrap();
    let filled = scenario.fill(&mut store, now, &mut |_| {}).unwrap();
    let settlement = settle_store(&scenario, &mut store).await;
    let totals = &settlement.run.summary.totals;
    let mut text = String::new();
    for file in &filled.files {
        let added = file.added;
        text += &format!("{} {}\n", file.report.file, added.new_count);
    }
    for (code, total) in &totals.codes {
        let (records, energy, amount) = (total.record_count, total.energy_wh, total.amount_micro);
        text += &format!("code {code}: {records} records, {energy} Wh, {amount} micro\n");
    }
    text += &format!("gaps {}\n", totals.gap_count);
    let chain = settlement.verification.chain.as_ref().unwrap();
    text +=
        &format!("on the chain {} tariffs, {} records\n", chain.tariff_count, chain.record_count);
    expected.assert_eq(&text);

    scenario
}

/// The sums agree to the micro-unit with those of a program in another language that reads the same files.
#[tokio::test(flavor = "multi_thread")]
async fn a_month_of_the_fontana_homes() {
    if data("README.md").is_none() {
        return;
    }
    let parent = tempfile::tempdir().unwrap();
    let expected = expect![[r#"
        ../../../shared/data/households_fontana/home_01.csv.gz 17518
        ../../../shared/data/households_fontana/home_02.csv.gz 17518
        ../../../shared/data/households_fontana/home_04.csv.gz 17518
        ../../../shared/data/households_fontana/home_05.csv.gz 17518
        ../../../shared/data/households_fontana/home_06.csv.gz 17518
        ../../../shared/data/households_fontana/home_08.csv.gz 17518
        ../../../shared/data/households_fontana/home_09.csv.gz 17518
        ../../../shared/data/households_fontana/home_10.csv.gz 17518
        ../../../shared/data/households_fontana/home_13.csv.gz 17518
        ../../../shared/data/households_fontana/home_15.csv.gz 17518
        ../../../shared/data/households_fontana/home_16.csv.gz 17518
        ../../../shared/data/prices_dayahead/dayahead_2024.csv.gz 35136
        code 1: 7920 records, 2315261 Wh, 98399687 micro
        code 32: 7920 records, 5738575 Wh, -415097128 micro
        gaps 0
        on the chain 30 tariffs, 15840 records
    "#]];
    settle("fontana.toml", &parent.path().join("store"), expected).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_month_of_the_half_hourly_homes_and_the_same_once_more() {
    if data("README.md").is_none() {
        return;
    }
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("store");
    let expected = expect![[r#"
        ../../../shared/data/households_sgsc/customer_10006414.csv.gz 36061
        ../../../shared/data/households_sgsc/customer_10006704.csv.gz 30273
        ../../../shared/data/households_sgsc/customer_10017554.csv.gz 29641
        ../../../shared/data/households_sgsc/customer_10017936.csv.gz 30652
        ../../../shared/data/households_sgsc/customer_10017994.csv.gz 29913
        ../../../shared/data/households_sgsc/customer_10018060.csv.gz 30373
        ../../../shared/data/households_sgsc/customer_10018064.csv.gz 30722
        ../../../shared/data/prices_dayahead/dayahead_2024.csv.gz 35136
        code 32: 10208 records, 1434115 Wh, -161843817 micro
        gaps 208
        on the chain 31 tariffs, 10208 records
    "#]];
    let scenario = settle("sgsc.toml", &folder, expected).await;

    // The second time everything is there already.
    let mut store = scenario.open_store(&folder, now()).unwrap();
    let last = store.view().last();
    let again = scenario.fill(&mut store, now(), &mut |_| {}).unwrap();
    assert!(again.files.iter().all(|file| file.added.line.is_none()));
    let repeated = settle_store(&scenario, &mut store).await;
    assert!(repeated.run.is_repeated);
    let records = repeated.run.summary.totals.record_count;
    assert_eq!((repeated.chain.settled, repeated.chain.already_settled), (0, records));
    assert_eq!(store.view().last(), last);
    assert_eq!(faults(&folder), Vec::<String>::new());
}

/// The same month in batches: the sums of the records are the same, and the chain's time passes most windows on the way.
#[tokio::test(flavor = "multi_thread")]
async fn a_month_of_the_half_hourly_homes_in_batches() {
    if data("README.md").is_none() {
        return;
    }
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("sgsc-batch.toml");
    let text = std::fs::read_to_string(fixture("sgsc.toml")).unwrap();
    let data = fixture("../../../shared").canonicalize().unwrap();
    let text = text.replace("../../../shared", data.to_str().unwrap());
    std::fs::write(&path, format!("mode = \"batch\"\n{text}")).unwrap();
    let scenario = Scenario::read(&path).unwrap();
    assert_eq!(scenario.mode, Some(SettlementMode::Batch));
    let mut store = scenario.open_store(&parent.path().join("store"), now()).unwrap();
    scenario.fill(&mut store, now(), &mut |_| {}).unwrap();
    let chain = Some(store.view().folder().join(CHAIN_FOLDER));
    let calendar = scenario.settings().unwrap().calendar;
    let chain = EmbeddedChain::open(chain, CHAIN_ID_DEFAULT, &calendar).unwrap();
    let sender = Sender::new(
        chain.client().await.unwrap(),
        Key::test_account(0).unwrap(),
        SendOptions::default(),
    );
    let (run, options) = (scenario.run_options(), BatchOptions::development());
    let settled =
        settle_in_batches(&mut store, &run, &sender, &options, now(), &mut |_| {}).await.unwrap();
    assert!(settled.verification.is_sound(), "{:?}", settled.verification.findings);
    let report = &settled.chain;
    expect!["31 batches, 10208 records"]
        .assert_eq(&format!("{} batches, {} records", report.batch_count, report.settled));
    // The chain's clock runs on while a batch is made: the one of a week ago is final at once, or with the next.
    assert!((23..=24).contains(&report.final_count), "{}", report.final_count);
    assert_eq!(settled.verification.chain.unwrap().record_count, 10_208);
    assert_eq!(faults(store.view().folder()), Vec::<String>::new());
}

#[test]
fn files_that_are_no_scenario_name_their_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.toml");
    let refused = |text: &str| {
        std::fs::write(&path, text).unwrap();
        Scenario::read(&path).unwrap_err().to_string().replace(path.to_str().unwrap(), "x.toml")
    };
    expect!["x.toml:2: unknown time zone, expected an IANA name such as Europe/Oslo"]
        .assert_eq(&refused("currency = \"EUR\"\nzone = \"Mars/Base\"\n"));
    let text = std::fs::read_to_string(fixture("sgsc.toml")).unwrap();
    expect!["x.toml:11: unknown field `mising`, expected one of `currency`, `zone`, `from`, `until`, `period_length_s`, `slots_per_period`, `genesis_time`, `missing`, `estimated`, `price_shift_weeks`, `mode`, `participants`, `readings`, `prices`, `tariff`"].assert_eq(&refused(&text.replace("missing = ", "mising = ")));
    expect!["x.toml:28: unknown variant `middle`, expected `start` or `end`"]
        .assert_eq(&refused(&text.replace("stamp = \"start\"", "stamp = \"middle\"")));
    assert!(matches!(
        Scenario::read(&folder.path().join("none.toml")),
        Err(ScenarioError::Unreadable { .. })
    ));
}

#[test]
fn values_that_cannot_be_used_name_their_key() {
    let text = std::fs::read_to_string(fixture("sgsc.toml")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let refused = |from: &str, to: &str| {
        let scenario: Scenario = toml::from_str(&text.replace(from, to)).unwrap();
        let store = folder.path().join(to.len().to_string());
        let mut store = match scenario.open_store(&store, now()) {
            Ok(store) => store,
            Err(error) => return error.to_string(),
        };
        scenario.fill(&mut store, now(), &mut |_| {}).unwrap_err().to_string()
    };
    expect!["49 slots do not divide a settlement period of 86400 s, or exceed 1024"]
        .assert_eq(&refused("slots_per_period = 48", "slots_per_period = 49"));
    expect![[r#"participants.homes = "Customer 1": 'C' cannot stand at position 1"#]]
        .assert_eq(&refused("\"customer_10006414\"", "\"Customer 1\""));
    expect![[r#"readings.columns = "consumption_wh=import:Joule": expected a column, channel and unit, such as consumption_wh=import:Wh"#]].assert_eq(&refused("consumption_wh=import:Wh", "consumption_wh=import:Joule"));
    expect![[r#"readings.file = "../../../shared/data/households_sgsc/all.csv.gz": give either point_column or {metering_point} in the path"#]].assert_eq(&refused("{metering_point}.csv.gz", "all.csv.gz"));
}
