//! Versions, idempotence, refusals, and every byte of every file.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use expect_test::expect;
use gridtally_aggregator::store::{Added, ReadingSeries, Recorded, Store, StoreError, StoreView};
use gridtally_core::meter::Channel;
use gridtally_core::period::Resolution;
use gridtally_core::reading::Quality;
use proptest::collection::vec;
use proptest::prelude::*;

use crate::world::{
    HOUR_S, add_prices, add_readings, at, book, create, faults, fill, filled, id, now, period_1_s,
    readings_text, settings, tariff,
};

#[test]
fn the_same_value_is_counted_and_another_value_is_a_new_version() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = create(folder.path());
    store.set_participants(&book(), now()).unwrap();
    let added = |new_count, changed_count, repeated_count, line| Added {
        new_count,
        changed_count,
        repeated_count,
        line,
    };
    let mut add =
        |values: &[i64]| add_readings(&mut store, "home_1", Channel::Import, values).unwrap();
    assert_eq!(add(&[500, 600]), added(2, 0, 0, Some(3)));
    assert_eq!(add(&[500, 600]), added(0, 0, 2, None));
    assert_eq!(add(&[500, 650, 700]), added(1, 1, 1, Some(4)));
    // Back to what it was: a third version, whose file has the name of none before it.
    assert_eq!(add(&[500, 600, 700]), added(0, 1, 2, Some(5)));
    let view = store.view();
    expect![[r#"
        2026-01-01T04:00:00Z home_1 import 500 Wh
        2026-01-01T05:00:00Z home_1 import 600 Wh
        2026-01-01T06:00:00Z home_1 import 700 Wh
    "#]]
    .assert_eq(&readings_text(view));
    let as_of = |line| -> Vec<i64> {
        view.readings(at("2026-01-01T05:00:00Z"), at("2026-01-01T06:00:00Z"), line)
            .map(|row| row.unwrap().energy.unwrap().wh())
            .collect()
    };
    assert_eq!([as_of(2), as_of(3), as_of(4), as_of(5)], [vec![], vec![600], vec![650], vec![600]]);
    assert_eq!(faults(folder.path()), Vec::<String>::new());
}

#[test]
fn a_file_that_comes_back_is_named_twice() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = create(folder.path());
    store.set_participants(&book(), now()).unwrap();
    for value in [500, 600, 500, 600] {
        add_readings(&mut store, "home_1", Channel::Import, &[value]).unwrap();
    }
    assert_eq!(fs::read_dir(folder.path().join("readings")).unwrap().count(), 2);
    assert!(readings_text(store.view()).ends_with("600 Wh\n"));
    drop(store);
    let store = Store::open(folder.path()).unwrap();
    assert!(readings_text(store.view()).ends_with("600 Wh\n"));
    assert_eq!(faults(folder.path()), Vec::<String>::new());
}

#[test]
fn tables_are_cut_by_month() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = create(folder.path());
    store.set_participants(&book(), now()).unwrap();
    let start_s = at("2026-01-31T22:00:00Z").as_second();
    let rows: Vec<(i64, i64)> = (0..4).rev().map(|hour| (start_s + hour * HOUR_S, hour)).collect();
    let series = ReadingSeries {
        metering_point: &id("home_1"),
        channel: Channel::Import,
        resolution: Resolution::Minutes60,
        quality: Quality::Estimated,
        rows: &rows,
    };
    assert_eq!(store.add_readings("x.csv", &[series], now()).unwrap().new_count, 4);
    let view = store.view();
    let tables: Vec<String> = view
        .reading_tables(at("2026-01-01T00:00:00Z"), at("2026-03-01T00:00:00Z"), view.last())
        .map(|(_, table)| {
            let text = view.text(&table.file).unwrap();
            format!("{} {}\n{text}", &table.file.path[..16], table.until)
        })
        .collect();
    expect![[r#"
        readings/2026-01 2026-02-01T00:00:00Z
        start,metering_point,channel,minutes,energy_wh,quality
        2026-01-31T22:00:00Z,home_1,import,60,0,estimated
        2026-01-31T23:00:00Z,home_1,import,60,1,estimated
        readings/2026-02 2026-02-01T02:00:00Z
        start,metering_point,channel,minutes,energy_wh,quality
        2026-02-01T00:00:00Z,home_1,import,60,2,estimated
        2026-02-01T01:00:00Z,home_1,import,60,3,estimated
    "#]]
    .assert_eq(&tables.concat());
}

#[test]
fn values_that_do_not_fit_are_refused_and_nothing_is_added() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = create(folder.path());
    let mut refused = |point: &str, channel, resolution, rows: &[(i64, i64)]| {
        let (metering_point, quality) = (&id(point), Quality::Measured);
        let series = ReadingSeries { metering_point, channel, resolution, quality, rows };
        if store.view().last() == 1 {
            let early = store.add_readings("test", &[series], now()).unwrap_err();
            assert!(early.to_string().contains("id-unknown"), "{early}");
            store.set_participants(&book(), now()).unwrap();
            add_readings(&mut store, "home_1", Channel::Import, &[1, 2]).unwrap();
        }
        let before = store.view().last();
        let StoreError::Refused(refused) =
            store.add_readings("test", &[series], now()).unwrap_err()
        else {
            panic!("refused for another reason")
        };
        assert_eq!(store.view().last(), before);
        refused.rejections[0].reason.code()
    };
    let (hour, half) = (Resolution::Minutes60, Resolution::Minutes30);
    let (import, start_s) = (Channel::Import, period_1_s());
    assert_eq!(refused("home_3", import, hour, &[]), "id-unknown");
    assert_eq!(refused("home_1", Channel::Export, hour, &[]), "channel-unknown");
    assert_eq!(refused("home_1", import, hour, &[(-3_600, 1)]), "time-out-of-range");
    assert_eq!(refused("home_1", import, hour, &[(i64::MAX, 1)]), "time-out-of-range");
    assert_eq!(refused("home_1", import, hour, &[(start_s + 1, 1)]), "time-not-aligned");
    assert_eq!(refused("home_1", import, hour, &[(start_s, -1)]), "energy-negative");
    let twice = [(start_s + 7_200, 1), (start_s + 7_200, 2)];
    assert_eq!(refused("home_1", import, hour, &twice), "period-twice");
    // Inside an hour that is known; and an hour around a half that is new.
    assert_eq!(refused("home_1", import, half, &[(start_s, 1)]), "periods-overlap");
    assert_eq!(refused("home_1", import, half, &[(start_s + 1_800, 1)]), "periods-overlap");
}

#[test]
fn an_hour_around_known_halves_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = create(folder.path());
    store.set_participants(&book(), now()).unwrap();
    let mut add = |resolution, start_s| {
        let series = ReadingSeries {
            metering_point: &id("home_1"),
            channel: Channel::Import,
            resolution,
            quality: Quality::Measured,
            rows: &[(start_s, 5)],
        };
        store.add_readings("test", &[series], now()).map(|added| added.new_count)
    };
    assert_eq!(add(Resolution::Minutes30, period_1_s() + 1_800).unwrap(), 1);
    let error = add(Resolution::Minutes60, period_1_s()).unwrap_err();
    assert!(error.to_string().contains("periods-overlap"), "{error}");
    assert_eq!(add(Resolution::Minutes60, period_1_s() + 3_600).unwrap(), 1);
}

#[test]
fn a_dry_run_says_what_would_become_of_values() {
    let folder = tempfile::tempdir().unwrap();
    let store = filled(folder.path());
    let rows = [(period_1_s(), 500), (period_1_s() + HOUR_S, 5), (period_1_s() + 9 * HOUR_S, 5)];
    let series = ReadingSeries {
        metering_point: &id("home_1"),
        channel: Channel::Import,
        resolution: Resolution::Minutes60,
        quality: Quality::Measured,
        rows: &rows,
    };
    let before = store.view().last();
    let tried = store.view().try_readings(&[series]).unwrap();
    let expected = Added { new_count: 1, changed_count: 1, repeated_count: 1, line: None };
    assert_eq!(tried, expected);
    assert_eq!(store.view().last(), before);
}

#[test]
fn documents_are_recorded_once_and_must_fit() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = filled(folder.path());
    let last = store.view().last();
    fill(&mut store).unwrap();
    assert_eq!(store.view().last(), last, "the same again adds nothing");
    let again = store.set_participants(&crate::world::book(), now()).unwrap();
    assert_eq!(again, Recorded { line: 2, is_repeated: true });
    let changed = store.set_tariff(&crate::world::tariff(1), now()).unwrap();
    assert_eq!(changed, Recorded { line: last + 1, is_repeated: false });
    let nobody = gridtally_aggregator::store::ParticipantBook::default();
    let error = store.set_participants(&nobody, now()).unwrap_err().to_string();
    assert_eq!(error, "party home_1 is missing: a later list may add parties, and leaves none out");
    let text = toml::to_string(&crate::world::tariff(0)).unwrap().replace("EUR", "NOK");
    let error = store.set_tariff(&toml::from_str(&text).unwrap(), now()).unwrap_err();
    assert!(error.to_string().contains("currency-mismatch"), "{error}");
    assert!(add_prices(&mut store, &[i64::MAX]).unwrap_err().to_string().contains("range"));
}

#[test]
fn a_store_is_created_once_and_written_by_one() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("new");
    assert!(matches!(StoreView::open(&folder), Err(StoreError::NotAStore { .. })));
    assert!(matches!(Store::open(&folder), Err(StoreError::NotAStore { .. })));
    let store = create(&folder);
    let again = Store::create(&folder, &settings(), now());
    assert!(matches!(again, Err(StoreError::NotEmpty { .. })));
    assert!(matches!(Store::open(&folder), Err(StoreError::Locked { .. })));
    assert!(StoreView::open(&folder).is_ok(), "readers do not mind");
    drop(store);
    assert!(Store::open(&folder).is_ok());
}

#[test]
fn a_line_that_was_never_finished_does_not_count() {
    let folder = tempfile::tempdir().unwrap();
    let store = filled(folder.path());
    let (last, before) = (store.view().last(), readings_text(store.view()));
    drop(store);
    let journal = folder.path().join("journal");
    let mut bytes = fs::read(&journal).unwrap();
    bytes.extend(b"0123 {\"sequence\"");
    fs::write(&journal, bytes).unwrap();
    fs::write(folder.path().join("readings/2026-01-orphan.csv"), "x").unwrap();
    fs::write(folder.path().join("incoming/7"), "x").unwrap();
    let found = faults(folder.path());
    assert_eq!(found.len(), 2, "{found:?}");
    let store = Store::open(folder.path()).unwrap();
    assert_eq!((store.view().last(), readings_text(store.view())), (last, before));
    assert_eq!(faults(folder.path()), Vec::<String>::new());
    assert!(folder.path().join("set_aside/2026-01-orphan.csv").exists());
}

#[test]
fn an_acknowledged_line_is_never_cut() {
    let folder = tempfile::tempdir().unwrap();
    let store = filled(folder.path());
    let (last, before) = (store.view().last(), readings_text(store.view()));
    drop(store);
    let journal = folder.path().join("journal");
    let original = fs::read(&journal).unwrap();
    let without_end = &original[..original.len() - 1];

    // Something else in place of the line end is damage: nobody opens the store, nothing is cut, nothing set aside.
    for rest in [b"\x0b".as_slice(), b" ", b"\x8a", b"\r0123 {\"sequence\""] {
        let changed = [without_end, rest].concat();
        fs::write(&journal, &changed).unwrap();
        let error = Store::open(folder.path()).unwrap_err();
        assert!(matches!(error, StoreError::Damaged(_)), "{error}");
        let expected = format!(
            "journal:{last}: the line is not as this program writes it: \
             something else stands where its line end was"
        );
        assert!(faults(folder.path())[0].ends_with(&expected), "{:?}", faults(folder.path()));
        assert_eq!(fs::read(&journal).unwrap(), changed);
        assert_eq!(fs::read_dir(folder.path().join("set_aside")).unwrap().count(), 0);
    }

    // A line end that is missing is completed.
    fs::write(&journal, without_end).unwrap();
    let view = StoreView::open(folder.path()).unwrap();
    assert_eq!((view.last(), readings_text(&view)), (last, before.clone()));
    assert_eq!(
        faults(folder.path()),
        [format!(
            "journal:{last}: the line is not as this program writes it: \
             its line end is missing, opening the store to write completes it"
        )]
    );
    let mut store = Store::open(folder.path()).unwrap();
    assert_eq!((store.view().last(), readings_text(store.view())), (last, before));
    assert_eq!(fs::read(&journal).unwrap(), original);
    assert_eq!(faults(folder.path()), Vec::<String>::new());
    store.set_tariff(&tariff(1), now()).unwrap();
    drop(store);
    assert_eq!(StoreView::open(folder.path()).unwrap().last(), last + 1);
}

/// Returns the files of a store, without those that hold nothing.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(self::files(&path));
        } else if path.file_name().unwrap() != "lock" {
            files.push(path);
        }
    }
    files.sort();
    files
}

#[test]
fn every_changed_byte_is_found_and_located() {
    let folder = tempfile::tempdir().unwrap();
    drop(filled(folder.path()));
    assert_eq!(faults(folder.path()), Vec::<String>::new());
    let mut count = 0;
    for file in files(folder.path()) {
        let original = fs::read(&file).unwrap();
        let name = file.strip_prefix(folder.path()).unwrap().to_str().unwrap();
        // All bytes of short files; of the long journal a sample, for its own test changes each byte.
        let step = original.len().div_ceil(300).max(1);
        for position in (0..original.len()).step_by(step).chain([original.len() - 1]) {
            let mut changed = original.clone();
            changed[position] ^= 1;
            fs::write(&file, &changed).unwrap();
            let found = faults(folder.path());
            assert!(!found.is_empty(), "byte {position} of {name} changed unseen");
            let line = original[..position].iter().filter(|&&byte| byte == b'\n').count() + 1;
            let located = format!("{name}:{line}");
            assert!(
                found.iter().any(|fault| fault.starts_with(&located)),
                "byte {position} of {name}: {found:?}"
            );
            count += 1;
        }
        for other in [&original[..original.len() - 1], &[original.as_slice(), b"\n"].concat()] {
            fs::write(&file, other).unwrap();
            assert!(!faults(folder.path()).is_empty(), "{name} has another length unseen");
        }
        fs::remove_file(&file).unwrap();
        assert!(!faults(folder.path()).is_empty(), "{name} is gone unseen");
        fs::write(&file, original).unwrap();
    }
    assert!(count > 1_000);
    for foreign in ["readings/new.csv", "other.txt", "runs/x/y"] {
        let path = folder.path().join(foreign);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, "x").unwrap();
        assert_eq!(
            faults(folder.path()),
            [format!("{foreign}: the file does not belong into a store")]
        );
        fs::remove_file(&path).unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Against a map that is overwritten, import by import.
    #[test]
    fn what_holds_as_of_a_line_is_what_a_map_says(
        imports in vec(vec((0_i64..1_500, 0_i64..4), 1..60), 1..6),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let mut store = create(folder.path());
        store.set_participants(&book(), now()).unwrap();
        let mut map: BTreeMap<i64, i64> = BTreeMap::new();
        let mut maps = BTreeMap::new();
        for import in imports {
            let given: BTreeMap<i64, i64> =
                import.into_iter().map(|(hour, wh)| (period_1_s() + hour * HOUR_S, wh)).collect();
            let rows: Vec<(i64, i64)> = given.iter().rev().map(|(&s, &wh)| (s, wh)).collect();
            let series = ReadingSeries {
                metering_point: &id("home_1"),
                channel: Channel::Import,
                resolution: Resolution::Minutes60,
                quality: Quality::Measured,
                rows: &rows,
            };
            let added = store.add_readings("test", &[series], now()).unwrap();
            let count = |is: fn(Option<&i64>, i64) -> bool| {
                given.iter().filter(|(start, wh)| is(map.get(start), **wh)).count() as u64
            };
            prop_assert_eq!(added.new_count, count(|known, _| known.is_none()));
            prop_assert_eq!(added.repeated_count, count(|known, wh| known == Some(&wh)));
            prop_assert_eq!(
                added.changed_count,
                count(|known, wh| known.is_some_and(|&known| known != wh))
            );
            prop_assert_eq!(added.line.is_some(), added.new_count + added.changed_count > 0);
            map.extend(given);
            maps.insert(store.view().last(), map.clone());
        }
        drop(store);
        let view = StoreView::open(folder.path()).unwrap();
        let (from, until) = (at("2026-01-01T00:00:00Z"), at("2027-01-01T00:00:00Z"));
        for (line, map) in maps {
            let found: Vec<(i64, i64)> = view
                .readings(from, until, line)
                .map(|row| row.map(|row| (row.start_s, row.energy.unwrap().wh())).unwrap())
                .collect();
            prop_assert_eq!(found, map.into_iter().collect::<Vec<_>>());
        }
        prop_assert_eq!(faults(folder.path()), Vec::<String>::new());
    }
}
