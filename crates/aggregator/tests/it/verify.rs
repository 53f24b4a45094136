//! Whatever is changed, in the store or on the chain, is found and named.

use std::fs;
use std::path::Path;

use expect_test::expect;
use gridtally_aggregator::store::{Store, StoreView};
use gridtally_aggregator::verify::{Finding, verify};
use gridtally_core::meter::Channel;
use gridtally_core::party::ParticipantNumber;
use gridtally_core::period::{SettlementPeriod, Slot};
use gridtally_settlement::{Code, DirectRecord, Record};

use crate::on_chain::{Hub, both_periods, period_1, run};
use crate::world::{add_readings, filled, now, tariff};

async fn findings(folder: &Path) -> Vec<String> {
    let verified = verify(folder, None, &mut |_| {}).await.unwrap();
    verified.findings.iter().map(ToString::to_string).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_byte_of_every_file_counts() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = filled(folder.path());
    run(&mut store, &both_periods());
    drop(store);
    assert_eq!(findings(folder.path()).await, Vec::<String>::new());
    let view = StoreView::open(folder.path()).unwrap();
    let named = view.lines().iter().flat_map(|line| line.entry.content.files());
    let files: Vec<String> =
        named.map(|file| file.path.clone()).chain(["journal".to_owned()]).collect();
    assert_eq!(files.len(), 11);
    for file in files {
        let path = folder.path().join(&file);
        let original = fs::read(&path).unwrap();
        let step = original.len().div_ceil(40).max(1);
        for position in (0..original.len()).step_by(step).chain([original.len() - 1]) {
            let mut changed = original.clone();
            changed[position] ^= 4;
            fs::write(&path, &changed).unwrap();
            let found = findings(folder.path()).await;
            let line = original[..position].iter().filter(|&&byte| byte == b'\n').count() + 1;
            let located = format!("{file}:{line}");
            assert!(found.iter().any(|found| found.starts_with(&located)), "{located}: {found:?}");
        }
        fs::write(&path, original).unwrap();
    }
    assert_eq!(findings(folder.path()).await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_recorded_with_other_records_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = filled(folder.path());
    let run = gridtally_aggregator::cycle::PreparedRun::new(store.view(), &period_1()).unwrap();
    let mut writer = store.begin_run(run.manifest()).unwrap();
    for period in run.periods(store.view()) {
        let mut period = period.unwrap();
        let record = &mut period.records.records[1].record;
        let more = record.value() + 1;
        *record = Record::new(record.participant(), record.code(), record.slot(), more).unwrap();
        writer.write(&period.records, period.table, period.gaps).unwrap();
    }
    store.finish_run(&run, writer, now()).unwrap();
    let found = findings(folder.path()).await;
    let file = format!("runs/{}/records.csv", alloy_primitives::hex::encode(run.id()));
    assert_eq!(
        found,
        [format!(
            "{file}:3: recorded \"1,0,1,0,32,1,601,100000,60100\", \
             computed again \"1,0,1,0,32,1,600,100000,60000\""
        )]
    );
}

fn record(participant: u32, slot: u16, energy_wh: i32) -> DirectRecord {
    DirectRecord {
        period: SettlementPeriod(1),
        run: 0,
        from: ParticipantNumber(participant),
        to: ParticipantNumber::HUB,
        code: Code::CONSUMPTION,
        slot: Slot(slot),
        energy_wh,
    }
}

/// What the operator does on the chain before the run is settled there.
enum Cheat {
    Record(DirectRecord),
    MissingRecord,
}

/// Settles the first period with a cheat and returns what verification finds, with addresses and hashes left out.
async fn cheated(cheat: Cheat) -> String {
    let folder = tempfile::tempdir().unwrap();
    let mut store = filled(folder.path());
    let hub = Hub::start().await;
    let run = run(&mut store, &period_1());
    let missing = match cheat {
        Cheat::Record(_) => None,
        Cheat::MissingRecord => Some(record(1, 1, 600)),
    };
    let mut records = Vec::new();
    for period in run.periods(store.view()) {
        let period = period.unwrap();
        let all = period.records.records.iter().map(|priced| {
            DirectRecord::of_record(period.records.period, 0, &priced.record).unwrap()
        });
        records.extend(all.filter(|record| Some(*record) != missing));
    }
    if let Cheat::Record(cheat) = cheat {
        let key = |record: &DirectRecord| (record.from, record.to, record.code, record.slot);
        records.retain(|record| key(record) != key(&cheat));
        records.push(cheat);
    }
    hub.prepare(&mut store, &run).await;
    hub.settle_directly(store.view(), &records).await;
    let verified = hub.verify(folder.path()).await;
    let found: Vec<String> = verified.findings.iter().map(ToString::to_string).collect();
    let text = found.join("\n");
    // The hash of the transaction depends on the time of its block.
    match text.split_once("transaction 0x") {
        Some((before, after)) => {
            let (_, after) = after.split_once(" in block ").unwrap();
            let (_, after) = after.split_once(", ").unwrap();
            format!("{before}transaction X in block N, {after}")
        }
        None => text,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_amount_of_energy_is_found() {
    expect!["period 1 slot 1 code 32 from 1 to 0 run 0: the books say 600 Wh, the chain says 601 Wh (home_1, metered at home_1, slot from 2026-01-01T05:00:00Z, 100000 micro-units per kWh, transaction X in block N, event 11)"].assert_eq(&cheated(Cheat::Record(record(1, 1, 601))).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_record_is_found() {
    expect!["period 1 slot 1 code 32 from 1 to 0 run 0: 600 Wh are in the books but not on the chain (home_1, metered at home_1, slot from 2026-01-01T05:00:00Z, 100000 micro-units per kWh)"].assert_eq(&cheated(Cheat::MissingRecord).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_nobody_metered_is_found() {
    let extra = DirectRecord { code: Code::FEED_IN, ..record(1, 1, 5) };
    expect!["period 1 slot 1 code 1 from 1 to 0 run 0: 5 Wh are on the chain but not in the books (home_1, metered at home_1, slot from 2026-01-01T05:00:00Z, 90000 micro-units per kWh, transaction X in block N, event 12)"].assert_eq(&cheated(Cheat::Record(extra)).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_written_anew_does_not_agree_with_the_chain() {
    let honest = tempfile::tempdir().unwrap();
    let mut store = filled(honest.path());
    let hub = Hub::start().await;
    let run_honest = run(&mut store, &period_1());
    hub.settle(&mut store, &run_honest).await.unwrap();
    let deployment = store.view().deployment().unwrap().unwrap();

    let check = async |change: fn(&mut Store)| {
        let folder = tempfile::tempdir().unwrap();
        let mut store = filled(folder.path());
        change(&mut store);
        run(&mut store, &period_1());
        store.set_deployment(&deployment, now()).unwrap();
        let verified = hub.verify(folder.path()).await;
        verified.findings
    };
    assert_eq!(check(|_| {}).await, []);
    let found = check(|store| {
        add_readings(store, "home_1", Channel::Import, &[499]).unwrap();
    })
    .await;
    let [Finding::Record(found)] = &found[..] else { panic!("{found:?}") };
    expect![
        "period 1 slot 0 code 32 from 1 to 0 run 0: the books say 499 Wh, the chain says 500 Wh"
    ]
    .assert_eq(&found.difference.to_string());
    assert_eq!(found.place.metering_points, ["home_1"]);
    let found = check(|store| {
        store.set_tariff(&tariff(9_999), now()).unwrap();
    })
    .await;
    let [Finding::TariffDiffers { .. }, Finding::Record(record)] = &found[..] else {
        panic!("{found:?}")
    };
    expect!["the tariff of settlement period 1 differs first for code 32 in slot 0 (2026-01-01T04:00:00Z): the tariff in the store gives 109999 micro-units per kWh, the chain has 110000 micro-units per kWh"].assert_eq(&found[0].to_string());
    expect!["period 1 slot 0 code 32 from 1 to 0 run 0: recomputed 54999 micro-units, the chain moved 55000"].assert_eq(&record.difference.to_string());
}
