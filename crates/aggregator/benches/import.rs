//! How fast tables are imported, beside what the csv crate needs to split the same bytes into fields.
//!
//! `cargo bench -p gridtally-aggregator --bench import` prints both and their ratio, measured in the same run on one core.

use std::fmt::Write as _;
use std::hint::black_box;
use std::time::Instant;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use gridtally_aggregator::import::Limits;
use gridtally_aggregator::import::csv::{
    Context, DecimalSign, EnergyUnit, Label, Layout, PriceColumn, PriceUnit, ReadingColumn,
    Repeated, Stamp, StampZone, prices, readings,
};
use gridtally_core::calendar::Zone;
use gridtally_core::id::Gsrn;
use gridtally_core::meter::{Channel, MeteringPointId};
use gridtally_core::period::Resolution;
use gridtally_core::tariff::PriceArea;
use jiff::Timestamp;

/// Rows of each table.
const ROWS: usize = 1_000_000;
/// Metering points, one after the other.
const POINTS: usize = 100;
/// 2024-01-01T00:00:00Z.
const FIRST_S: i64 = 1_704_067_200;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).expect("a time of this century")
}

/// A year or so of quarters of a hundred metering points: label, time in UTC, import and export.
fn table_utc() -> String {
    let mut table = String::from("metering_point,start_utc,import_wh,export_wh\n");
    for row in 0..ROWS {
        let point = Gsrn::from_body(&format!("7070575{:010}", row / (ROWS / POINTS)));
        let point = point.expect("a body of digits");
        let quarter = i64::try_from(row % (ROWS / POINTS)).expect("a small number");
        let start = at(FIRST_S + quarter * 900);
        let (import, export) = (row * 7919 % 4_000, row * 104_729 % 977);
        writeln!(table, "{point},{start},{import},{export}").expect("strings grow");
    }
    table
}

/// The same in kilowatt-hours with a decimal comma, by the clock of Oslo without offset.
fn table_local() -> String {
    let oslo = Zone::new("Europe/Oslo").expect("a zone");
    let mut table = String::from("Målepunkt;Tid;kWh\n");
    for row in 0..ROWS {
        let point = Gsrn::from_body(&format!("7070575{:010}", row / (ROWS / POINTS)));
        let point = point.expect("a body of digits");
        let quarter = i64::try_from(row % (ROWS / POINTS)).expect("a small number");
        let start = oslo.local(at(FIRST_S + quarter * 900));
        let wh = row * 7919 % 4_000;
        let time = start.strftime("%Y-%m-%d %H:%M");
        writeln!(table, "{point};{time};{},{:03}", wh / 1_000, wh % 1_000).expect("strings grow");
    }
    table
}

fn table_prices() -> String {
    let mut table = String::from("start_utc,no2_eur_mwh,se3_eur_mwh\n");
    for row in 0..ROWS {
        let start = at(FIRST_S - i64::try_from(row).expect("a small number") * 900);
        let (a, b) = (row * 7919 % 30_000, row * 104_729 % 9_000);
        writeln!(table, "{start},{}.{:02},-{}.{:02}", a / 100, a % 100, b / 100, b % 100)
            .expect("strings grow");
    }
    table
}

fn context() -> Context {
    Context {
        file: "bench.csv".into(),
        now: at(FIRST_S + 86_400 * 10_000),
        oldest: None,
        report_zone: Zone::UTC,
        limits: Limits::default(),
    }
}

fn layout<L>(time_column: &str, zone: &str, label: Label<L>) -> Layout<L> {
    Layout {
        separator: None,
        decimal: DecimalSign::Point,
        time_column: time_column.into(),
        time_format: None,
        stamp: Stamp::Start,
        zone: zone.parse::<StampZone>().expect("a zone"),
        repeated: Repeated::Refuse,
        resolution: Resolution::Minutes15,
        label,
        skip_refused: false,
    }
}

fn reading_column(name: &str, channel: Channel, unit: EnergyUnit) -> ReadingColumn {
    ReadingColumn { name: name.into(), channel, unit }
}

fn import_utc(table: &str) -> usize {
    let layout =
        layout("start_utc", "UTC", Label::<MeteringPointId>::Column("metering_point".into()));
    let columns = [
        reading_column("import_wh", Channel::Import, EnergyUnit::Wh),
        reading_column("export_wh", Channel::Export, EnergyUnit::Wh),
    ];
    let readings = readings(table.as_bytes(), &layout, &columns, &context()).expect("a good table");
    readings.columns.values().map(|column| column.len()).sum()
}

fn import_local(table: &str) -> usize {
    let mut layout =
        layout("Tid", "Europe/Oslo", Label::<MeteringPointId>::Column("Målepunkt".into()));
    layout.decimal = DecimalSign::Comma;
    // The quarters end before clocks go back.
    let columns = [reading_column("kWh", Channel::Import, EnergyUnit::KiloWh)];
    let readings = readings(table.as_bytes(), &layout, &columns, &context()).expect("a good table");
    readings.columns.values().map(|column| column.len()).sum()
}

fn import_prices(table: &str) -> usize {
    let layout =
        layout("start_utc", "UTC", Label::Fixed("NO2".parse::<PriceArea>().expect("an area")));
    let column = |name: &str, area: &str| PriceColumn {
        name: name.into(),
        area: area.parse().ok(),
        unit: PriceUnit::PerMwh,
    };
    let columns = [column("no2_eur_mwh", "NO2"), column("se3_eur_mwh", "SE3")];
    let prices = prices(table.as_bytes(), &layout, &columns, &context()).expect("a good table");
    prices.columns.values().map(|column| column.len()).sum()
}

/// The csv crate at its fastest: fields as bytes, one record that is used again.
fn split_only(table: &str) -> usize {
    let mut reader = csv::Reader::from_reader(table.as_bytes());
    let mut record = csv::ByteRecord::new();
    let mut fields = 0;
    while reader.read_byte_record(&mut record).expect("a good table") {
        fields += record.len();
    }
    fields
}

fn bench(criterion: &mut Criterion) {
    let utc = table_utc();
    let local = table_local();
    let prices = table_prices();
    assert_eq!(import_utc(&utc), 2 * ROWS);
    assert_eq!(import_local(&local), ROWS);
    assert_eq!(import_prices(&prices), 2 * ROWS);
    let rows = u64::try_from(ROWS).expect("a small number");
    let mut group = criterion.benchmark_group("import");
    group.sample_size(10).throughput(Throughput::Elements(rows));
    group.bench_function("readings, UTC, two channels", |run| {
        run.iter(|| import_utc(black_box(&utc)));
    });
    group.bench_function("readings, local time, decimal comma", |run| {
        run.iter(|| import_local(black_box(&local)));
    });
    group.bench_function("prices, two areas, newest first", |run| {
        run.iter(|| import_prices(black_box(&prices)));
    });
    group.bench_function("csv crate, splitting only, two channels", |run| {
        run.iter(|| split_only(black_box(&utc)));
    });
    group.finish();
    print_ratio(&utc);
}

/// Prints rows per second of both, the best of some runs taken in turns, and their ratio.
#[expect(clippy::print_stdout, reason = "the ratio is the result of this bench")]
#[expect(clippy::disallowed_methods, reason = "a bench measures by the clock of the machine")]
#[expect(clippy::cast_precision_loss, reason = "rounded for people")]
fn print_ratio(table: &str) {
    let (mut import, mut split) = (f64::INFINITY, f64::INFINITY);
    for _ in 0..10 {
        let start = Instant::now();
        black_box(import_utc(black_box(table)));
        import = import.min(start.elapsed().as_secs_f64());
        let start = Instant::now();
        black_box(split_only(black_box(table)));
        split = split.min(start.elapsed().as_secs_f64());
    }
    let per_second = |seconds: f64| ROWS as f64 / seconds / 1e6;
    println!(
        "imported {:.1} million rows/s, split by the csv crate {:.1} million rows/s, ratio {:.2} (at least 0.125)",
        per_second(import),
        per_second(split),
        split / import
    );
}

criterion_group!(benches, bench);
criterion_main!(benches);
