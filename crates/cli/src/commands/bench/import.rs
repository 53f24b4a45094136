//! Rows of a table to checked, sorted readings, on one core, beside what the csv crate needs to split them into fields.

use std::fmt::Write as _;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use gridtally_aggregator::import::Limits;
use gridtally_aggregator::import::csv::{
    self, DecimalSign, EnergyUnit, Label, Layout, ReadingColumn, Repeated, Stamp, StampZone,
};
use gridtally_core::calendar::Zone;
use gridtally_core::id::Gsrn;
use gridtally_core::meter::{Channel, MeteringPointId};
use gridtally_core::period::Resolution;
use jiff::Timestamp;

use crate::output::number::{grouped, rate_per_s};
use crate::stopwatch::Stopwatch;

use super::{Arguments, Measurement, Part, median};

/// Rows of the table.
const ROWS: u64 = 1_000_000;
/// Rows of a metering point, one after the other: a hundred days of quarter-hours.
const POINT_ROWS: u64 = 9_600;
/// 2024-01-01T00:00:00Z.
const FIRST_S: i64 = 1_704_067_200;
const QUARTER_S: i64 = 900;

pub(super) fn measure(arguments: &Arguments) -> anyhow::Result<Vec<Measurement>> {
    let rows = arguments.sized(ROWS);
    let table = table(rows)?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..arguments.rounds {
        ours.push(rate_per_s(rows, imported(&table, rows)?));
        theirs.push(rate_per_s(rows, split(&table, rows)?));
    }
    let what = format!("{} rows of two channels to checked readings", grouped(rows));
    let measurement = Measurement::new(Part::Import, what, "rows/s", median(ours));
    Ok(vec![measurement.against("csv crate, split only", theirs)])
}

/// Label, time in UTC, import and export.
fn table(rows: u64) -> anyhow::Result<String> {
    let mut table = String::from("metering_point,start_utc,import_wh,export_wh\n");
    for row in 0..rows {
        let point = Gsrn::from_body(&format!("7070575{:010}", row / POINT_ROWS))?;
        let quarter = i64::try_from(row % POINT_ROWS)?;
        let start = Timestamp::from_second(FIRST_S + quarter * QUARTER_S)?;
        let (import, export) = (row * 7_919 % 4_000, row * 104_729 % 977);
        writeln!(table, "{point},{start},{import},{export}")?;
    }
    Ok(table)
}

fn imported(table: &str, rows: u64) -> anyhow::Result<Duration> {
    let label: Label<MeteringPointId> = Label::Column("metering_point".into());
    let layout = Layout {
        separator: None,
        decimal: DecimalSign::Point,
        time_column: "start_utc".into(),
        time_format: None,
        stamp: Stamp::Start,
        zone: "UTC".parse::<StampZone>().context("UTC is a zone")?,
        repeated: Repeated::Refuse,
        resolution: Resolution::Minutes15,
        label,
        skip_refused: false,
    };
    let column =
        |name: &str, channel| ReadingColumn { name: name.into(), channel, unit: EnergyUnit::Wh };
    let columns = [column("import_wh", Channel::Import), column("export_wh", Channel::Export)];
    let context = csv::Context {
        file: "bench.csv".into(),
        now: Timestamp::from_second(FIRST_S + 2 * i64::try_from(POINT_ROWS)? * QUARTER_S)?,
        oldest: None,
        report_zone: Zone::UTC,
        limits: Limits::default(),
    };
    let watch = Stopwatch::start();
    let readings = csv::readings(table.as_bytes(), &layout, &columns, &context);
    let elapsed = watch.elapsed();
    let readings = readings.ok().context("the table is refused")?;
    let values: usize = readings.columns.values().map(|column| column.len()).sum();
    ensure!(u64::try_from(values)? == 2 * rows, "{values} values of {rows} rows");
    Ok(elapsed)
}

/// The csv crate at its fastest: fields as bytes, one record that is used again.
fn split(table: &str, rows: u64) -> anyhow::Result<Duration> {
    let watch = Stopwatch::start();
    let mut reader = ::csv::Reader::from_reader(table.as_bytes());
    let (mut record, mut fields) = (::csv::ByteRecord::new(), 0);
    while reader.read_byte_record(&mut record)? {
        fields += record.len();
    }
    let elapsed = watch.elapsed();
    ensure!(u64::try_from(fields)? == 4 * rows, "{fields} fields of {rows} rows");
    Ok(elapsed)
}
