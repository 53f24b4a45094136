//! Runs from a store: what they settle, what they name, what they repeat.

use expect_test::{Expect, expect};
use gridtally_aggregator::cycle::{RunError, RunOptions, settle_into_store};
use gridtally_aggregator::store::{
    Metering, ParticipantBook, PartyEntry, PointEntry, ReadingSeries, Settings, Store, StoreError,
};
use gridtally_aggregator::verify::verify;
use gridtally_core::meter::Channel;
use gridtally_core::party::{ParticipantNumber, Role};
use gridtally_core::period::{Resolution, SettlementCalendar};
use gridtally_core::reading::Quality;
use gridtally_settlement::{EstimatedPolicy, MissingPolicy};

use crate::world::{
    add_prices, add_readings, at, book, create, faults, fill, filled, hourly, id, now, period_1_s,
    tariff,
};

fn both_periods() -> RunOptions {
    RunOptions::regular(at("2026-01-01T04:00:00Z"), at("2026-01-01T12:00:00Z"))
}

/// Settles and returns the files of the run.
fn settle(store: &mut Store, options: &RunOptions) -> Result<[String; 3], RunError> {
    let (run, _) = settle_into_store(store, options, now(), &mut |_| {})?;
    let (_, entry) = store.view().runs().find(|(_, entry)| entry.id == run.id()).unwrap();
    Ok([&entry.manifest, &entry.records, &entry.gaps].map(|file| store.view().text(file).unwrap()))
}

fn check(store: &mut Store, options: &RunOptions, expected: &Expect) {
    expected.assert_eq(&match settle(store, options) {
        Ok([_, records, gaps]) => records + &gaps,
        Err(error) => format!("{error}\n"),
    });
}

#[test]
fn readings_become_priced_records_and_gross_meters_are_netted() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = filled(folder.path());
    check(
        &mut store,
        &both_periods(),
        &expect![[r#"
        period,run,from,to,code,slot,energy_wh,price_micro_per_kwh,amount_micro
        1,0,1,0,32,0,500,110000,55000
        1,0,1,0,32,1,600,100000,60000
        1,0,1,0,32,2,0,-10000,0
        1,0,1,0,32,3,700,120000,84000
        1,0,0,2,1,0,0,100000,0
        1,0,0,2,1,1,0,90000,0
        1,0,0,2,1,2,0,-20000,0
        1,0,0,2,1,3,600,110000,66000
        1,0,2,0,32,0,900,110000,99000
        1,0,2,0,32,1,500,100000,50000
        1,0,2,0,32,2,0,-10000,0
        1,0,2,0,32,3,0,120000,0
        2,0,1,0,32,0,800,90000,72000
        2,0,1,0,32,1,1,80000,80
        2,0,1,0,32,2,2,70000,140
        2,0,1,0,32,3,3,60000,180
        2,0,0,2,1,0,0,80000,0
        2,0,0,2,1,1,0,70000,0
        2,0,0,2,1,2,100,60000,6000
        2,0,0,2,1,3,0,50000,0
        2,0,2,0,32,0,100,90000,9000
        2,0,2,0,32,1,100,80000,8000
        2,0,2,0,32,2,0,70000,0
        2,0,2,0,32,3,100,60000,6000
        period,participant,code,first_slot,slot_count,gap
    "#]],
    );
    assert_eq!(faults(folder.path()), Vec::<String>::new());
}

#[test]
fn a_run_repeats_to_the_same_bytes_whatever_comes_later() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = filled(folder.path());
    let first = settle(&mut store, &both_periods()).unwrap();
    let last = store.view().last();
    assert_eq!(settle(&mut store, &both_periods()).unwrap(), first);
    // What lies outside the span makes no other run; a new version inside it would.
    let later = [500, 600, 0, 700, 800, 1, 2, 3, 4];
    add_readings(&mut store, "home_1", Channel::Import, &later).unwrap();
    let (_, report) = settle_into_store(&mut store, &both_periods(), now(), &mut |_| {}).unwrap();
    assert!(report.is_repeated && report.line == last);
    add_readings(&mut store, "home_1", Channel::Import, &[501]).unwrap();
    settle(&mut store, &both_periods()).unwrap_err();
    let as_of = RunOptions { as_of: Some(last - 1), ..both_periods() };
    assert_eq!(settle(&mut store, &as_of).unwrap(), first);
    expect![[r#"
        gridtally-run 1
        code_version "0.1.0"
        genesis_time 2026-01-01T00:00:00Z
        period_length_s 14400
        slots_per_period 4
        from 2026-01-01T04:00:00Z
        until 2026-01-01T12:00:00Z
        run 0
        missing refuse
        estimated settle
        price_shift_weeks 0
        input "exchange of gross metering points" "for each slot: import = max(0, consumption - generation), export = max(0, generation - consumption)"
        input "journal up to line 000007" "e2c79992c27414666ffa2ac438de192aa1c1755875d8405ba15188622c7481cd"
        input "line 000002 participants/da5c3e4338d2ae683d3802bc37850b30.toml" "da5c3e4338d2ae683d3802bc37850b303d8e6fb334f8925c74f4b7404c6b54d2"
        input "line 000003 tariffs/e71a1002afb91172b6a0c376970c806e.toml" "e71a1002afb91172b6a0c376970c806e8dc0e155ca501a3d5c0504deb09b3905"
        input "line 000004 prices/2026-01-bd3e2c5a9b5372ac71533fccf9af105e.csv" "bd3e2c5a9b5372ac71533fccf9af105ef8288d0196eb8a69a7e6777a63b2adae"
        input "line 000005 readings/2026-01-2fba015c869e87dadca65beb553178e0.csv" "2fba015c869e87dadca65beb553178e0878296bdc12884a7ad6e9aba44d6b305"
        input "line 000006 readings/2026-01-975fcb933455bfa312605d9e718c1e75.csv" "975fcb933455bfa312605d9e718c1e75295357b3055027cfa741f31f457b4411"
        input "line 000007 readings/2026-01-d7e442178736c488721d983d5fbe6388.csv" "d7e442178736c488721d983d5fbe6388b40a3817c7af7d006577b69ed1901d37"
        tariff 1 0xd3237e84d6f85f2cb78735f2a22d127217ce007fdf4c078488973942afed730d
        tariff 2 0x4d0078a38a7d93703c9bcbaa087db1dab28b5fdce2ddedb02061cf8bcc78fce7
    "#]].assert_eq(&first[0]);
}

/// Changes a store after a run, checks that a run of `span` is refused and leaves everything as it was, and returns why.
fn contradiction(change: fn(&mut Store), span: &RunOptions) -> String {
    let folder = tempfile::tempdir().unwrap();
    let mut store = filled(folder.path());
    let as_of = store.view().last();
    let first = settle(&mut store, &both_periods()).unwrap();
    change(&mut store);
    let last = store.view().last();
    let refused = settle(&mut store, span).unwrap_err().to_string();
    assert_eq!(settle(&mut store, span).unwrap_err().to_string(), refused);
    assert_eq!((store.view().last(), store.view().runs().count()), (last, 1));
    let earlier = RunOptions { as_of: Some(as_of), ..both_periods() };
    assert_eq!(settle(&mut store, &earlier).unwrap(), first);
    assert_eq!(store.view().last(), last);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let verified = runtime.block_on(verify(folder.path(), None, &mut |_| {})).unwrap();
    assert_eq!((verified.findings, verified.run_count), (Vec::new(), 1));
    refused
}

#[test]
fn a_run_with_another_energy_than_an_earlier_one_is_refused() {
    let change = |store: &mut Store| {
        let values = [500, 600, 0, 700, 800, 7];
        add_readings(store, "home_1", Channel::Import, &values).unwrap();
    };
    let refused = contradiction(change, &both_periods());
    expect!["home_1, metered at home_1, slot from 2026-01-01T09:00:00Z: 7 Wh now, but the run of journal line 8 recorded 1 Wh (period 2 slot 1 code 32 from 1 to 0 run 0); this needs a correction, and only a store that settles in batches takes one; what was imported since stays in the store as the newest version, and --as-of 7 repeats the earlier run"].assert_eq(&refused);
    // Another span with the same slot is no way around it.
    let second = RunOptions::regular(at("2026-01-01T09:00:00Z"), at("2026-01-01T12:00:00Z"));
    assert_eq!(contradiction(change, &second), refused);
}

#[test]
fn a_run_with_other_prices_than_an_earlier_one_is_refused() {
    let change = |store: &mut Store| {
        store.set_tariff(&tariff(20_000), now()).unwrap();
    };
    expect!["settlement period 1 from 2026-01-01T04:00:00Z: its prices hash to 0x9605aee9d57dda6d6b4b56f54b2f90b100951d47ef3c2f0b3da322230f5ec0da now, but the run of journal line 8 recorded 0xd3237e84d6f85f2cb78735f2a22d127217ce007fdf4c078488973942afed730d; prices that were settled never change: what was imported since stays in the store as the newest version, and --as-of 7 repeats the earlier run"].assert_eq(&contradiction(change, &both_periods()));
    // The prices of a period are one table: those of slots outside the span count as well.
    let change = |store: &mut Store| {
        let values = [100_000, 90_000, -20_000, 110_000, 80_000, 70_000, 60_000, 50_001];
        add_prices(store, &values).unwrap();
    };
    let second = RunOptions::regular(at("2026-01-01T08:00:00Z"), at("2026-01-01T09:00:00Z"));
    let refused = contradiction(change, &second);
    assert!(refused.starts_with("settlement period 2 from 2026-01-01T08:00:00Z: "), "{refused}");
}

#[test]
fn a_run_beside_a_changed_one_is_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = filled(folder.path());
    let first = RunOptions::regular(at("2026-01-01T04:00:00Z"), at("2026-01-01T08:00:00Z"));
    settle(&mut store, &first).unwrap();
    add_readings(&mut store, "home_1", Channel::Import, &[501]).unwrap();
    // What was settled is changed, what follows is not: it settles, and so does a slot more of the same readings.
    let second = RunOptions::regular(at("2026-01-01T08:00:00Z"), at("2026-01-01T12:00:00Z"));
    settle(&mut store, &second).unwrap();
    let wider = RunOptions::regular(at("2026-01-01T05:00:00Z"), at("2026-01-01T12:00:00Z"));
    settle(&mut store, &wider).unwrap();
    assert_eq!(store.view().runs().count(), 3);
}

#[test]
fn an_earlier_run_that_was_tampered_with_is_damage_and_no_contradiction() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = filled(folder.path());
    settle(&mut store, &both_periods()).unwrap();
    let path = store.view().runs().next().unwrap().1.records.path.clone();
    let file = folder.path().join(&path);
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("1,0,1,0,32,1,600,", "1,0,1,0,32,1,601,")).unwrap();
    add_readings(&mut store, "home_1", Channel::Import, &[501]).unwrap();
    let error = settle(&mut store, &both_periods()).unwrap_err();
    assert!(matches!(error, RunError::Store(StoreError::Damaged(_))), "{error}");
}

#[test]
fn gaps_are_refused_or_left_out_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = create(folder.path());
    store.set_participants(&book(), now()).unwrap();
    store.set_tariff(&tariff(0), now()).unwrap();
    add_prices(&mut store, &[100_000; 4]).unwrap();
    add_readings(&mut store, "home_1", Channel::Import, &[500, 600]).unwrap();
    add_readings(&mut store, "home_2", Channel::Import, &[500, 600, 700, 800]).unwrap();
    add_readings(&mut store, "home_2", Channel::Export, &[0, 0, 0]).unwrap();
    let span = RunOptions::regular(at("2026-01-01T04:00:00Z"), at("2026-01-01T08:00:00Z"));
    check(
        &mut store,
        &span,
        &expect![[r#"
            home_1 import at home_1: the slot from 2026-01-01T06:00:00Z (slot 2 of settlement period 1) is missing
        "#]],
    );
    let left_out = RunOptions { missing: MissingPolicy::LeaveOut, ..span };
    check(
        &mut store,
        &left_out,
        &expect![[r#"
        period,run,from,to,code,slot,energy_wh,price_micro_per_kwh,amount_micro
        1,0,1,0,32,0,500,100000,50000
        1,0,1,0,32,1,600,100000,60000
        1,0,0,2,1,0,0,100000,0
        1,0,0,2,1,1,0,100000,0
        1,0,0,2,1,2,0,100000,0
        1,0,2,0,32,0,500,100000,50000
        1,0,2,0,32,1,600,100000,60000
        1,0,2,0,32,2,700,100000,70000
        period,participant,code,first_slot,slot_count,gap
        1,1,32,2,2,missing
        1,2,1,3,1,missing
        1,2,32,3,1,missing
    "#]],
    );
}

#[test]
fn prices_of_later_weeks_can_be_used() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = filled(folder.path());
    let shifted = RunOptions { price_shift_weeks: 1, ..both_periods() };
    check(
        &mut store,
        &shifted,
        &expect![[r#"
            no spot price of NO2 from 2026-01-01T04:00:00Z to 2026-01-01T05:00:00Z (from 2026-01-01 05:00 Europe/Oslo); the store has prices of NO2; a settlement period needs prices for all its slots before it can be published
        "#]],
    );
    let area = "NO2".parse().unwrap();
    let week_s = 7 * 86_400;
    let rows: Vec<(i64, i64)> =
        crate::world::hourly(&[1_000; 8]).iter().map(|&(s, price)| (s + week_s, price)).collect();
    let resolution = gridtally_core::period::Resolution::Minutes60;
    let series = gridtally_aggregator::store::PriceSeries { area: &area, resolution, rows: &rows };
    store.add_prices("later", &[series], now()).unwrap();
    let [manifest, records, _] = settle(&mut store, &shifted).unwrap();
    assert!(manifest.contains("\nprice_shift_weeks 1\n"), "{manifest}");
    assert!(records.contains("\n1,0,1,0,32,0,500,11000,5500\n"), "{records}");
}

#[test]
fn runs_that_are_not_possible_are_refused_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = create(folder.path());
    let refused = |store: &mut Store, from: &str, until: &str| {
        let options = RunOptions::regular(at(from), at(until));
        settle(store, &options).unwrap_err().to_string()
    };
    let day = "2026-01-01T04:00:00Z";
    expect!["2026-01-01T04:00:00Z to 2026-01-01T04:00:00Z is no span of time"]
        .assert_eq(&refused(&mut store, day, day));
    expect!["2026-01-01T05:30:00Z is not the start of a slot: slots have 3600 s since 2026-01-01T00:00:00Z"]
        .assert_eq(&refused(&mut store, day, "2026-01-01T05:30:00Z"));
    expect!["2025-01-01T00:00:00Z lies outside the settlement calendar"].assert_eq(&refused(
        &mut store,
        "2025-01-01T00:00:00Z",
        day,
    ));
    expect![
        "the span begins in period 0, which is never settled: period 1 starts 2026-01-01T04:00:00Z"
    ]
    .assert_eq(&refused(&mut store, "2026-01-01T03:00:00Z", day));
    expect!["43830 settlement periods are more than 3660"].assert_eq(&refused(
        &mut store,
        day,
        "2046-01-01T04:00:00Z",
    ));
    let until = "2026-01-01T08:00:00Z";
    expect!["nobody is registered, import participants first"]
        .assert_eq(&refused(&mut store, day, until));
    store.set_participants(&book(), now()).unwrap();
    expect!["the store has no tariff, import one first"]
        .assert_eq(&refused(&mut store, day, until));
    store.set_tariff(&tariff(0), now()).unwrap();
    expect!["no spot price of NO2 from 2026-01-01T04:00:00Z to 2026-01-01T05:00:00Z (from 2026-01-01 05:00 Europe/Oslo); the store has no prices at all; a settlement period needs prices for all its slots before it can be published"]
        .assert_eq(&refused(&mut store, day, until));
    fill(&mut store).unwrap();
    let other = RunOptions {
        tariff: Some("industry".to_owned()),
        ..RunOptions::regular(at(day), at(until))
    };
    expect!["the store has no tariff named industry, import one first"]
        .assert_eq(&settle(&mut store, &other).unwrap_err().to_string());
    let future = RunOptions { as_of: Some(99), ..RunOptions::regular(at(day), at(until)) };
    expect!["the journal has 8 lines, there is no line 99"]
        .assert_eq(&settle(&mut store, &future).unwrap_err().to_string());
}

#[test]
fn shorter_readings_are_added_up_and_their_quality_counts() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = create(folder.path());
    let party = |name: &str, participant| PartyEntry {
        id: name.parse().unwrap(),
        role: Role::Prosumer,
        participant: ParticipantNumber(participant),
        meter: None,
        owner: None,
    };
    let point = |name: &str, metering| PointEntry {
        id: id(name),
        party: "home_1".parse().unwrap(),
        metering,
        since: None,
    };
    let points = vec![point("house", Metering::Import), point("garage", Metering::ImportExport)];
    let book = ParticipantBook::new(vec![party("home_1", 1)], points).unwrap();
    store.set_participants(&book, now()).unwrap();
    store.set_tariff(&tariff(0), now()).unwrap();
    add_prices(&mut store, &[100_000; 4]).unwrap();
    // Two points of one party are one sum: house in halves, garage in hours.
    let halves = |values: &[i64]| -> Vec<(i64, i64)> {
        (0..).zip(values).map(|(half, &value)| (period_1_s() + half * 1_800, value)).collect()
    };
    let mut add = |point: &str, channel, resolution, quality, rows: &[(i64, i64)]| {
        let series =
            ReadingSeries { metering_point: &id(point), channel, resolution, quality, rows };
        store.add_readings("test", &[series], now()).unwrap();
    };
    let (halfhour, hour) = (Resolution::Minutes30, Resolution::Minutes60);
    let house = halves(&[1, 2, 30, 40, 500, 600, 7_000]);
    add("house", Channel::Import, halfhour, Quality::Measured, &house);
    let late = halves(&[0, 0, 0, 41])[3];
    add("house", Channel::Import, halfhour, Quality::Rejected, &[late]);
    let garage = hourly(&[10_000, 20_000, 30_000, 40_000]);
    add("garage", Channel::Import, hour, Quality::Estimated, &garage);
    add("garage", Channel::Export, hour, Quality::Measured, &garage[..1]);
    let options = RunOptions {
        missing: MissingPolicy::LeaveOut,
        ..RunOptions::regular(at("2026-01-01T04:00:00Z"), at("2026-01-01T08:00:00Z"))
    };
    check(
        &mut store,
        &options,
        &expect![[r#"
        period,run,from,to,code,slot,energy_wh,price_micro_per_kwh,amount_micro
        1,0,0,1,1,0,10000,100000,1000000
        1,0,1,0,32,0,10003,100000,1000300
        1,0,1,0,32,2,31100,100000,3110000
        period,participant,code,first_slot,slot_count,gap
        1,1,1,1,3,missing
        1,1,32,1,1,rejected
        1,1,32,3,1,missing
    "#]],
    );
    let final_only = RunOptions { estimated: EstimatedPolicy::Refuse, ..options };
    check(
        &mut store,
        &final_only,
        &expect![[r#"
        period,run,from,to,code,slot,energy_wh,price_micro_per_kwh,amount_micro
        1,0,0,1,1,0,10000,100000,1000000
        period,participant,code,first_slot,slot_count,gap
        1,1,1,1,3,missing
        1,1,32,0,1,estimated
        1,1,32,1,1,rejected
        1,1,32,2,1,estimated
        1,1,32,3,1,missing
    "#]],
    );
}

#[test]
fn a_metering_point_counts_since_it_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = filled(folder.path());
    let before = settle(&mut store, &both_periods()).unwrap();
    // A third home moves in during the second period; what was settled before stays as it is.
    let (mut parties, mut points) = (book().parties().to_vec(), book().metering_points().to_vec());
    parties.push(PartyEntry {
        id: "home_3".parse().unwrap(),
        participant: ParticipantNumber(3),
        ..parties[0].clone()
    });
    points.push(PointEntry {
        id: id("home_3"),
        party: "home_3".parse().unwrap(),
        metering: Metering::Import,
        since: Some(at("2026-01-01T09:30:00Z")),
    });
    let book = ParticipantBook::new(parties, points).unwrap();
    store.set_participants(&book, now()).unwrap();
    let rows = [(period_1_s() + 6 * 3_600, 60), (period_1_s() + 7 * 3_600, 70)];
    let series = ReadingSeries {
        metering_point: &id("home_3"),
        channel: Channel::Import,
        resolution: Resolution::Minutes60,
        quality: Quality::Measured,
        rows: &rows,
    };
    store.add_readings("test", &[series], now()).unwrap();
    let after = settle(&mut store, &both_periods()).unwrap();
    let added: Vec<&str> =
        after[1].lines().filter(|line| !before[1].contains(&format!("{line}\n"))).collect();
    assert_eq!(added, ["2,0,3,0,32,2,60,70000,4200", "2,0,3,0,32,3,70,60000,4200"]);
    assert_eq!(after[1].lines().count(), before[1].lines().count() + 2);
}

#[test]
fn readings_longer_than_a_slot_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let calendar = SettlementCalendar::new(at("2026-01-01T00:00:00Z"), 14_400, 8).unwrap();
    let settings = Settings { calendar, ..crate::world::settings() };
    let mut store = Store::create(folder.path(), &settings, now()).unwrap();
    fill(&mut store).unwrap();
    let error = settle(&mut store, &both_periods()).unwrap_err().to_string();
    assert_eq!(error, "home_1 import has readings of PT60M, longer than a slot of 1800 s");
}
