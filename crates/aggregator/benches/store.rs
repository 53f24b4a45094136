//! How fast readings come out of a store again, and how fast a run is computed from them.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use gridtally_aggregator::cycle::{PreparedRun, RunOptions};
use gridtally_aggregator::store::{
    Metering, ParticipantBook, PartyEntry, PointEntry, PriceSeries, ReadingSeries, Settings, Store,
};
use gridtally_core::calendar::Zone;
use gridtally_core::meter::{Channel, MeteringPointId};
use gridtally_core::party::{ParticipantNumber, Role};
use gridtally_core::period::{Resolution, SettlementCalendar};
use gridtally_core::quantity::Currency;
use gridtally_core::reading::Quality;
use jiff::Timestamp;

const HOMES: u32 = 200;
const DAYS: i64 = 7;
const SLOT_S: i64 = 900;
const DAY_S: i64 = 86_400;
const TARIFF: &str = r#"
name = "bench"
currency = "EUR"
[[version]]
valid_from = "2026-01-01T00:00:00Z"
[[version.import]]
part = "spot"
area = "NO1"
margin_micro_per_kwh = 4000
"#;

fn second(text: &str) -> i64 {
    text.parse::<Timestamp>().expect("a time").as_second()
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).expect("in the calendar")
}

/// A store with quarter-hours of a week of 200 homes, each value once or in two versions.
fn store(folder: &std::path::Path, versions: i64) -> Store {
    let from_s = second("2026-01-02T00:00:00Z");
    let calendar = SettlementCalendar::new(at(from_s - DAY_S), 86_400, 96).expect("a calendar");
    let settings = Settings::new(Currency::EUR, Zone::UTC, calendar);
    let now = at(from_s);
    let mut store = Store::create(folder, &settings, now).expect("created");
    let points: Vec<MeteringPointId> =
        (1..=HOMES).map(|home| format!("home_{home:03}").parse().expect("a name")).collect();
    let parties = (1..).zip(&points).map(|(number, point)| PartyEntry {
        id: point.as_str().parse().expect("a name"),
        role: Role::Prosumer,
        participant: ParticipantNumber(number),
        meter: None,
        owner: None,
    });
    let entries = points.iter().map(|point| PointEntry {
        id: point.clone(),
        party: point.as_str().parse().expect("a name"),
        metering: Metering::Import,
        since: None,
    });
    let book = ParticipantBook::new(parties.collect(), entries.collect()).expect("a book");
    store.set_participants(&book, now).expect("recorded");
    store.set_tariff(&toml::from_str(TARIFF).expect("a tariff"), now).expect("recorded");
    let slots = DAYS * DAY_S / SLOT_S;
    let rows = |offset: i64| -> Vec<(i64, i64)> {
        (0..slots).map(|slot| (from_s + slot * SLOT_S, offset + slot % 700)).collect()
    };
    let (area, prices) = ("NO1".parse().expect("an area"), rows(50_000));
    let resolution = Resolution::Minutes15;
    let series = PriceSeries { area: &area, resolution, rows: &prices };
    store.add_prices("bench", &[series], now).expect("added");
    for version in 0..versions {
        let rows = rows(version);
        let series: Vec<ReadingSeries<'_>> = points
            .iter()
            .map(|metering_point| ReadingSeries {
                metering_point,
                channel: Channel::Import,
                resolution,
                quality: Quality::Measured,
                rows: &rows,
            })
            .collect();
        store.add_readings("bench", &series, now).expect("added");
    }
    store
}

fn benches(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("store");
    group.sample_size(10);
    let from_s = second("2026-01-02T00:00:00Z");
    let (from, until) = (at(from_s), at(from_s + DAYS * DAY_S));
    let count = u64::from(HOMES) * u64::try_from(DAYS * DAY_S / SLOT_S).expect("positive");
    for versions in [1, 2] {
        let folder = tempfile::tempdir().expect("a folder");
        let store = store(folder.path(), versions);
        let view = store.view();
        group.throughput(Throughput::Elements(count));
        group.bench_function(format!("newest readings of {versions} versions"), |bencher| {
            bencher.iter(|| {
                let rows = view.readings(from, until, view.last());
                let read = rows.fold(0, |read, row| read + u64::from(row.is_ok()));
                assert_eq!(read, count);
            });
        });
        group.bench_function(format!("a run from {versions} versions"), |bencher| {
            bencher.iter(|| {
                let run = PreparedRun::new(view, &RunOptions::regular(from, until));
                let run = run.expect("possible");
                let records = run
                    .periods(view)
                    .map(|period| period.expect("sound").records.totals.record_count);
                assert_eq!(records.sum::<u64>(), count);
            });
        });
    }
}

criterion_group!(store_benches, benches);
criterion_main!(store_benches);
