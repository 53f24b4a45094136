//! Tables of readings: the first byte says how the table is to be read, the rest is the file, plain or gzip.

use gridtally_aggregator::import::csv::{
    Context, DecimalSign, EnergyUnit, Label, Layout, ReadingColumn, Repeated, Stamp, StampZone,
    readings,
};
use gridtally_aggregator::import::{Column, Limits};
use gridtally_core::calendar::Zone;
use gridtally_core::meter::Channel;
use gridtally_core::period::Resolution;
use jiff::Timestamp;

pub(crate) fn decode(bytes: &[u8]) {
    let Some((&options, file)) = bytes.split_first() else { return };
    let is_set = |bit: u8| options >> bit & 1 == 1;
    let zone = if is_set(1) { "Europe/Oslo" } else { "UTC" };
    let layout = Layout {
        separator: is_set(0).then_some(b';'),
        decimal: if is_set(0) { DecimalSign::Comma } else { DecimalSign::Point },
        time_column: "time".to_owned(),
        time_format: None,
        stamp: if is_set(2) { Stamp::End } else { Stamp::Start },
        zone: StampZone::Zone(Zone::new(zone).expect("it is in the database")),
        repeated: if is_set(3) { Repeated::ByOrder } else { Repeated::Refuse },
        resolution: if is_set(4) { Resolution::Minutes60 } else { Resolution::Minutes15 },
        label: if is_set(5) {
            Label::Fixed("home_1".parse().expect("it is a name"))
        } else {
            Label::Column("id".to_owned())
        },
        skip_refused: is_set(6),
    };
    let column = |name: &str, channel, unit| ReadingColumn { name: name.to_owned(), channel, unit };
    let columns = [
        column("import", Channel::Import, EnergyUnit::KiloWh),
        column("export", Channel::Export, EnergyUnit::Wh),
    ];
    if let Ok(read) = readings(file, &layout, &columns, &context()) {
        read.columns.values().for_each(|column| check(column, layout.resolution, 0));
        assert!(layout.skip_refused || read.report.rejection_count == 0);
    }
}

fn context() -> Context {
    Context {
        file: "seed".to_owned(),
        now: Timestamp::from_second(1_800_000_000).expect("it is in range"),
        oldest: None,
        report_zone: Zone::new("Europe/Oslo").expect("it is in the database"),
        limits: Limits {
            bytes_max: 1 << 20,
            document_bytes_max: 1 << 20,
            rows_max: 10_000,
            ..Limits::default()
        },
    }
}

/// Values ascend in time, on the grid, none of them after now, none below the least.
fn check(column: &Column, resolution: Resolution, least: i64) {
    assert_eq!(column.resolution(), resolution);
    assert!(column.rows().is_sorted_by(|a, b| a.0 < b.0));
    for &(start_s, value) in column.rows() {
        assert_eq!(start_s.rem_euclid(resolution.duration_seconds()), 0);
        assert!(start_s + resolution.duration_seconds() <= 1_800_000_000 && value >= least);
    }
    assert!(column.gaps().all(|gap| gap.from < gap.until && gap.missing_count > 0));
}
