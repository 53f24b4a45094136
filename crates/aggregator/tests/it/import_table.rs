//! Tables are understood as a whole or refused with every faulty row named.

use std::fmt::Write as _;
use std::io::{Read, Write as _};

use expect_test::{Expect, expect};
use gridtally_aggregator::import::csv::{
    Context, DecimalSign, EnergyUnit, Label, Layout, PriceColumn, PriceUnit, ReadingColumn,
    Readings, Repeated, Stamp, prices, readings,
};
use gridtally_aggregator::import::{Format, Limits, Refused, file};
use gridtally_core::calendar::Zone;
use gridtally_core::meter::{Channel, MeteringPointId};
use gridtally_core::period::Resolution;
use gridtally_core::rejection::Reason;
use gridtally_core::tariff::PriceArea;
use jiff::Timestamp;
use proptest::prelude::*;

fn context() -> Context {
    Context {
        file: "meters.csv".into(),
        now: "2026-11-25T00:00:00Z".parse().unwrap(),
        oldest: None,
        report_zone: Zone::new("Europe/Oslo").unwrap(),
        limits: Limits::default(),
    }
}

/// Quarters of metering points in a column `point`, stamped at their start in UTC in a column `start`.
fn layout() -> Layout<MeteringPointId> {
    Layout {
        separator: None,
        decimal: DecimalSign::Point,
        time_column: "start".into(),
        time_format: None,
        stamp: Stamp::Start,
        zone: "UTC".parse().unwrap(),
        repeated: Repeated::Refuse,
        resolution: Resolution::Minutes15,
        label: Label::Column("point".into()),
        skip_refused: false,
    }
}

/// The same for a single metering point with local hours.
fn oslo(repeated: Repeated) -> Layout<MeteringPointId> {
    Layout {
        zone: "Europe/Oslo".parse().unwrap(),
        repeated,
        resolution: Resolution::Minutes60,
        label: Label::Fixed("home".parse().unwrap()),
        ..layout()
    }
}

fn wh(name: &str, channel: Channel) -> ReadingColumn {
    ReadingColumn { name: name.into(), channel, unit: EnergyUnit::Wh }
}

fn import(table: &[u8], layout: &Layout<MeteringPointId>) -> Result<Readings, Refused> {
    readings(table, layout, &[wh("wh", Channel::Import)], &context())
}

/// Each column with start and value of its rows; counts that are not zero; rejections.
fn text(outcome: &Result<Readings, Refused>) -> String {
    let mut text = String::new();
    let rejections = match outcome {
        Ok(readings) => {
            for ((point, channel), column) in &readings.columns {
                write!(text, "{point} {channel}:").unwrap();
                for &(start_s, wh) in column.rows() {
                    write!(text, " {}={wh}", Timestamp::from_second(start_s).unwrap()).unwrap();
                }
                text.push('\n');
            }
            let report = &readings.report;
            for column in report.columns.iter().filter(|column| column.gap_count > 0) {
                writeln!(text, "{} lacks {}", column.name, column.missing_count).unwrap();
            }
            for (name, count) in
                [("repeated", report.repeated_count), ("unordered", report.unordered_count)]
            {
                if count > 0 {
                    writeln!(text, "{name} {count}").unwrap();
                }
            }
            assert_eq!(report.rejection_count, u64::try_from(report.rejections.len()).unwrap());
            &report.rejections
        }
        Err(refused) => {
            assert_eq!(refused.count, u64::try_from(refused.rejections.len()).unwrap());
            &refused.rejections
        }
    };
    for rejection in rejections {
        writeln!(text, "{rejection}").unwrap();
    }
    text
}

#[expect(clippy::needless_pass_by_value, reason = "expectations are written in place")]
fn check(table: &str, layout: &Layout<MeteringPointId>, expected: Expect) {
    expected.assert_eq(&text(&import(table.as_bytes(), layout)));
}

#[test]
fn rows_come_in_any_order_and_repeat_themselves() {
    check(
        "point,start,wh\n\
         b,2026-01-15T10:15:00Z,4\n\
         a,2026-01-15T10:30:00Z,3\n\
         a,2026-01-15T10:00:00Z,1\n\
         a,2026-01-15T10:30:00Z,3\n",
        &layout(),
        expect![[r#"
            a import: 2026-01-15T10:00:00Z=1 2026-01-15T10:30:00Z=3
            b import: 2026-01-15T10:15:00Z=4
            a import lacks 1
            repeated 1
            unordered 1
        "#]],
    );
}

#[test]
fn exports_of_spreadsheets_are_read() {
    let commas = Layout { decimal: DecimalSign::Comma, ..layout() };
    let table = "\u{feff}\"point\";\"start\";\"wh\";\"note; more\"\r\n\
                 \"a\";\"2026-01-15 10:00\";\"1,0\";\"a;b\"\r\n\
                 a;2026-01-15 10:15:00;2;\r\n\r\n";
    check(
        table,
        &commas,
        expect![[r#"
        a import: 2026-01-15T10:00:00Z=1 2026-01-15T10:15:00Z=2
    "#]],
    );
    check(
        &table.replace(';', "\t"),
        &commas,
        expect![[r#"
        a import: 2026-01-15T10:00:00Z=1 2026-01-15T10:15:00Z=2
    "#]],
    );
}

#[test]
fn local_dates_are_read_by_their_format() {
    let format = Some("%d-%m-%Y %H:%M".into());
    check(
        "start;wh\n15-01-2026 10:00;1\n01/15/2026 11:00;2\n",
        &Layout { time_format: format, skip_refused: true, ..oslo(Repeated::Refuse) },
        expect![[r#"
            home import: 2026-01-15T09:00:00Z=1
            meters.csv:3: start "01/15/2026 11:00": the time cannot be read [time-malformed]; write it as 2026-01-15T10:00:00Z, or give its format
        "#]],
    );
}

#[test]
fn stamps_mark_the_end_where_the_caller_says_so() {
    let ends = Layout { stamp: Stamp::End, zone: "+10:00".parse().unwrap(), ..layout() };
    check(
        "point,start,wh\na,2012-10-07 02:30,7\n",
        &ends,
        expect![[r#"
        a import: 2012-10-06T16:15:00Z=7
    "#]],
    );
}

#[test]
fn every_faulty_row_is_named_for_its_first_fault() {
    check(
        "point,start,wh\n\
         a,2026-01-15T10:00:00Z,1,1\n\
         a,2026-01-15T10:00:00Z\n\
         \"a,2026-01-15T10:00:00Z,1\n\
         7.07057500012346E+17,x,y\n\
         70705750001234567,x,y\n\
         'home,x,y\n\
         707057500012345672,x,y\n\
         a,15.01.2026 10:00,y\n\
         a,2026-13-15T10:00:00Z,y\n\
         a,2026-01-15T10:07:00Z,y\n\
         a,2026-11-25T00:00:00Z,y\n\
         a,2026-01-15T10:00:00Z,\n\
         a,2026-01-15T10:00:00Z,-\n\
         a,2026-01-15T10:00:00Z,NaN\n\
         a,2026-01-15T10:00:00Z,1e3\n\
         a,2026-01-15T10:00:00Z,\"1,5\"\n\
         a,2026-01-15T10:00:00Z,1\u{a0}000\n\
         a,2026-01-15T10:00:00Z,2147483648\n\
         a,2026-01-15T10:00:00Z,0.5\n\
         a,2026-01-15T10:00:00Z,-1\n\
         Total,,12\n",
        &layout(),
        expect![[r#"
            meters.csv:2: "a,2026-01-15T10:00:00Z,1,1": the row has more or fewer fields than the header: 4 instead of 3 [field-count]; check separators and quotes in this row
            meters.csv:3: "a,2026-01-15T10:00:00Z": the row has more or fewer fields than the header: 2 instead of 3 [field-count]; check separators and quotes in this row
            meters.csv:4: "\"a,2026-01-15T10:00:00Z,1": a quoted field does not end as it must [quote-open]; check the quotes in this row, a field ends on its line
            meters.csv:5: point "7.07057500012346E+17": the identifier is in scientific notation, so digits are lost: scientific notation, the last digits are lost [id-scientific]; export again with the column formatted as text
            meters.csv:6: point "70705750001234567": the identifier has the wrong length: 17 characters instead of 18 [id-length]; compare it with its source, leading zeros may be lost
            meters.csv:7: point "\'home": the identifier has a character that is not allowed: '\\'' cannot stand at position 1 [id-character]; remove blanks and separators
            meters.csv:8: point "707057500012345672": the check digit is wrong: check digit 1 expected, 2 found [id-check-digit]; compare the identifier with its source, a digit was mistyped or lost
            meters.csv:9: start "15.01.2026 10:00": the time cannot be read [time-malformed]; write it as 2026-01-15T10:00:00Z, or give its format
            meters.csv:10: start "2026-13-15T10:00:00Z": the time cannot be read [time-malformed]; write it as 2026-01-15T10:00:00Z, or give its format
            meters.csv:11: start "2026-01-15T10:07:00Z": the time does not lie on the grid of the resolution [time-not-aligned]; check the resolution, and whether stamps mark start or end
            meters.csv:12: start "2026-11-25T00:00:00Z": the period is not over yet [time-future]; check the clock of the source and the time zone of the file
            meters.csv:13: wh "": the value is empty [number-empty]; leave the row out: missing is not zero
            meters.csv:14: wh "-": the value is empty [number-empty]; leave the row out: missing is not zero
            meters.csv:15: wh "NaN": the value is not a finite number [number-not-finite]; leave the row out: missing is not zero
            meters.csv:16: wh "1e3": the value has an exponent [number-exponent]; write all digits
            meters.csv:17: wh "1,5": the value has a decimal comma [number-comma]; write a decimal point, or give the decimal separator
            meters.csv:18: wh "1\u{a0}000": the value is not a decimal number [number-malformed]; write digits, with a point where there are decimals
            meters.csv:19: wh "2147483648": the value is out of range [number-out-of-range]; check the unit of the column
            meters.csv:20: wh "0.5": the value has decimals, but watt-hours are whole numbers [number-not-whole]; give the column as kWh if it holds kilowatt-hours, else round it
            meters.csv:21: wh "-1": energy in an import or export channel is negative [energy-negative]; give feed-in as the export channel
            meters.csv:22: start "": the time cannot be read [time-malformed]; write it as 2026-01-15T10:00:00Z, or give its format
        "#]],
    );
}

#[test]
fn years_at_the_ends_of_the_calendar_are_out_of_range() {
    let rows: String = [
        "-009999-01-01T00:00:00Z",
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00Z",
        "0001-01-01T00:07:00Z",
        "1969-12-31T23:45:00Z",
        "1970-01-01T00:00:00Z",
        "9999-12-30T21:00:00Z",
        "9999-12-30T22:00:00Z",
        "9999-12-31T23:45:00Z",
        "10000-01-01T00:00:00Z",
        "2026-01-15T10:00:00",
    ]
    .map(|start| format!("a,{start},1\n"))
    .concat();
    check(
        &format!("point,start,wh\n{rows}"),
        &layout(),
        expect![[r#"
            meters.csv:2: start "-009999-01-01T00:00:00Z": the time lies outside the calendar of 1970 to 9999 [time-out-of-range]; check the year
            meters.csv:3: start "0000-01-01T00:00:00Z": the time lies outside the calendar of 1970 to 9999 [time-out-of-range]; check the year
            meters.csv:4: start "0001-01-01T00:00:00Z": the time lies outside the calendar of 1970 to 9999 [time-out-of-range]; check the year
            meters.csv:5: start "0001-01-01T00:07:00Z": the time lies outside the calendar of 1970 to 9999 [time-out-of-range]; check the year
            meters.csv:6: start "1969-12-31T23:45:00Z": the time lies outside the calendar of 1970 to 9999 [time-out-of-range]; check the year
            meters.csv:8: start "9999-12-30T21:00:00Z": the period is not over yet [time-future]; check the clock of the source and the time zone of the file
            meters.csv:9: start "9999-12-30T22:00:00Z": the time lies outside the calendar of 1970 to 9999 [time-out-of-range]; check the year
            meters.csv:10: start "9999-12-31T23:45:00Z": the time lies outside the calendar of 1970 to 9999 [time-out-of-range]; check the year
            meters.csv:11: start "10000-01-01T00:00:00Z": the time lies outside the calendar of 1970 to 9999 [time-out-of-range]; check the year
        "#]],
    );
}

#[test]
fn one_faulty_row_refuses_the_file_unless_it_may_be_passed_over() {
    let table = "point,start,wh\na,2026-01-15T10:00:00Z,1\na,2026-01-15T10:15:00Z,x\na,2026-01-15T10:30:00Z,3\n";
    check(
        table,
        &layout(),
        expect![[r#"
        meters.csv:3: wh "x": the value is not a decimal number [number-malformed]; write digits, with a point where there are decimals
    "#]],
    );
    let skipping = Layout { skip_refused: true, ..layout() };
    check(
        table,
        &skipping,
        expect![[r#"
        a import: 2026-01-15T10:00:00Z=1 2026-01-15T10:30:00Z=3
        a import lacks 1
        meters.csv:3: wh "x": the value is not a decimal number [number-malformed]; write digits, with a point where there are decimals
    "#]],
    );
}

#[test]
fn two_values_for_an_interval_refuse_the_file_always() {
    let table = "point,start,wh\na,2026-01-15T10:00:00Z,1\nb,2026-01-15T10:00:00Z,1\na,2026-01-15T10:00:00Z,2\n";
    let skipping = Layout { skip_refused: true, ..layout() };
    check(
        table,
        &skipping,
        expect![[r#"
        meters.csv:4: wh "2": the file gives a period twice with different values: the interval from 2026-01-15T10:00:00Z has 1 in line 2 [period-twice]; keep one of the rows
    "#]],
    );
}

#[test]
fn local_hours_that_do_not_exist_or_exist_twice_are_refused() {
    check(
        "start,wh\n2026-03-29 01:00,1\n2026-03-29 02:00,2\n2026-03-29 03:00,3\n\
         2026-10-25 01:00,4\n2026-10-25 02:00,5\n2026-10-25 02:00,6\n2026-10-25 03:00,7\n",
        &oslo(Repeated::Refuse),
        expect![[r#"
            meters.csv:3: start "2026-03-29 02:00": the local time does not exist, clocks jump over it [time-nonexistent]; check the time zone of the file
            meters.csv:6: start "2026-10-25 02:00": the local time exists twice, clocks go back [time-ambiguous]; add an offset, or give the file in UTC
            meters.csv:7: start "2026-10-25 02:00": the local time exists twice, clocks go back [time-ambiguous]; add an offset, or give the file in UTC
        "#]],
    );
}

#[test]
fn an_offset_tells_two_equal_local_hours_apart() {
    check(
        "start,wh\n2026-10-25T02:00:00+01:00,6\n2026-10-25T02:00:00+02:00,5\n",
        &oslo(Repeated::Refuse),
        expect![[r#"
            home import: 2026-10-25T00:00:00Z=5 2026-10-25T01:00:00Z=6
            unordered 1
        "#]],
    );
}

#[test]
fn strict_order_tells_two_equal_local_hours_apart() {
    check(
        "start,wh\n2026-10-25 01:00,4\n2026-10-25 02:00,5\n2026-10-25 02:00,6\n2026-10-25 03:00,7\n",
        &oslo(Repeated::ByOrder),
        expect![[r#"
            home import: 2026-10-24T23:00:00Z=4 2026-10-25T00:00:00Z=5 2026-10-25T01:00:00Z=6 2026-10-25T02:00:00Z=7
        "#]],
    );
    let ends = Layout { stamp: Stamp::End, ..oslo(Repeated::ByOrder) };
    check(
        "start,wh\n2026-10-25 02:00,4\n2026-10-25 02:00,5\n2026-10-25 03:00,6\n",
        &ends,
        expect![[r#"
            home import: 2026-10-24T23:00:00Z=4 2026-10-25T00:00:00Z=5 2026-10-25T01:00:00Z=6
        "#]],
    );
    check(
        "start,wh\n2026-10-25 03:00,7\n2026-10-25 02:00,6\n",
        &oslo(Repeated::ByOrder),
        expect![[r#"
            meters.csv:3: start "2026-10-25 02:00": the row is earlier than the one before it [order-broken]; sort the file by time
        "#]],
    );
}

#[test]
fn days_of_23_and_25_hours_are_counted() {
    let oslo = Zone::new("Europe/Oslo").unwrap();
    let mut table = String::from("start,wh\n");
    let first_s = "2026-03-28T23:00:00Z".parse::<Timestamp>().unwrap().as_second();
    let until_s = "2026-10-25T23:00:00Z".parse::<Timestamp>().unwrap().as_second();
    for start_s in (first_s..until_s).step_by(3_600) {
        let local = oslo.local(Timestamp::from_second(start_s).unwrap());
        writeln!(table, "{},1", local.strftime("%Y-%m-%d %H:%M")).unwrap();
    }
    let readings = import(table.as_bytes(), &self::oslo(Repeated::ByOrder)).unwrap();
    let days = readings.report.columns[0].change_days.iter();
    let days: Vec<_> = days.map(|day| (day.date.to_string(), day.hours, day.value_count)).collect();
    assert_eq!(days, [("2026-03-29".into(), 23, 23), ("2026-10-25".to_owned(), 25, 25)]);
    assert_eq!(readings.report.columns[0].gap_count, 0);
}

#[test]
fn what_is_no_table_is_refused_before_its_rows() {
    let refused = |bytes: &[u8]| text(&import(bytes, &layout()));
    let all: String = [
        &b""[..],
        b"\n",
        b"point,start,wh\n",
        b"point;start\n",
        b"a,2026-01-15T10:00:00Z,1\n",
        b"\xff\xfep\0o\0",
        b"point,start,wh,navn\na,2026-01-15T10:00:00Z,1,Bj\xf8rn\n",
        b"PK\x03\x04\x14\0",
    ]
    .into_iter()
    .map(refused)
    .collect();
    expect![[r#"
        meters.csv: the file is empty [file-empty]; export it again
        meters.csv:1: the header line is missing [header-missing]; put the names of the columns in the first line
        meters.csv: the file is empty: there is a header and no row [file-empty]; export it again
        meters.csv:1: wh "wh": a column that is needed is missing: the file has point, start [column-missing]; add the column, or name the one to use
        meters.csv:1: start "start": the header line is missing: the file has a, 2026-01-15T10:00:00Z, 1 [header-missing]; put the names of the columns in the first line
        meters.csv: the text is not UTF-8: the text is UTF-16 [encoding-not-utf8]; export it as UTF-8, spreadsheets offer 'CSV UTF-8'
        meters.csv:2: "a,2026-01-15T10:00:00Z,1,Bj�rn": the text is not UTF-8: there is the byte 0xf8, as in Latin-1 or Windows-1252 [encoding-not-utf8]; export it as UTF-8, spreadsheets offer 'CSV UTF-8'
        meters.csv: "PK": this kind of document is not imported: a ZIP archive or a spreadsheet's own format [document-kind]; unpack it, or export it as CSV
    "#]].assert_eq(&all);
}

#[test]
fn endless_garbage_is_given_up_soon() {
    /// Rows that are all wrong, 10 GB of them; counts what was taken.
    struct Garbage<'a> {
        line: &'a [u8],
        taken: u64,
    }
    impl Read for Garbage<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            for (at, byte) in buffer.iter_mut().enumerate() {
                *byte = self.line[(usize::try_from(self.taken).unwrap() + at) % self.line.len()];
            }
            let left = (10 << 30) - self.taken;
            let count = buffer.len().min(usize::try_from(left).unwrap());
            self.taken += u64::try_from(count).unwrap();
            Ok(count)
        }
    }
    for line in [&b"x\n"[..], b"a,b,c\n", b"\x00", b"no line end", b"\xff\n", b"\n"] {
        let header = b"point,start,wh\n";
        let mut garbage = Garbage { line, taken: 0 };
        let limits = Limits { rows_max: 1_000_000, ..Limits::default() };
        let context = Context { limits, ..context() };
        let columns = [wh("wh", Channel::Import)];
        let refused =
            readings(header.chain(&mut garbage), &layout(), &columns, &context).unwrap_err();
        assert!(refused.rejections.len() <= limits.rejections_max + 1);
        assert!(garbage.taken < 4 << 20, "{line:?}: {} bytes read", garbage.taken);
    }
}

#[test]
fn rows_identifiers_and_age_are_limited() {
    let table = "point,start,wh\na,2026-01-15T10:00:00Z,1\nb,2026-01-15T10:00:00Z,1\nb,2026-01-15T10:00:00Z,1\n";
    let outcome = |limits, oldest: Option<&str>| {
        let oldest = oldest.map(|oldest| oldest.parse().unwrap());
        let columns = [wh("wh", Channel::Import)];
        let context = Context { limits, oldest, ..context() };
        match readings(table.as_bytes(), &layout(), &columns, &context) {
            Ok(readings) => Ok(readings.report.row_count),
            Err(refused) => Err((refused.rejections[0].reason, refused.count)),
        }
    };
    let limits = Limits { rows_max: 3, labels_max: 2, ..Limits::default() };
    assert_eq!(outcome(limits, Some("2026-01-15T10:00:00Z")), Ok(3));
    assert_eq!(outcome(Limits { rows_max: 2, ..limits }, None), Err((Reason::RowsTooMany, 1)));
    assert_eq!(outcome(Limits { labels_max: 1, ..limits }, None), Err((Reason::RowsTooMany, 1)));
    assert_eq!(outcome(limits, Some("2026-01-15T10:00:01Z")), Err((Reason::TimeTooOld, 3)));
}

#[test]
fn both_channels_are_read_and_each_only_once() {
    let table = "point,start,drawn,fed\na,2026-01-15T10:00:00Z,1,2\n";
    let columns = [wh("drawn", Channel::Import), wh("fed", Channel::Export)];
    let both = readings(table.as_bytes(), &layout(), &columns, &context());
    expect![[r#"
        a import: 2026-01-15T10:00:00Z=1
        a export: 2026-01-15T10:00:00Z=2
    "#]]
    .assert_eq(&text(&both));
    let columns = [wh("drawn", Channel::Import), wh("fed", Channel::Import)];
    let twice = readings(table.as_bytes(), &layout(), &columns, &context());
    expect![[r#"
        meters.csv:1: fed "fed": two columns have the same name: a import is given by two columns [column-twice]; import one of them
    "#]].assert_eq(&text(&twice));
}

#[test]
fn prices_may_be_negative_and_of_tomorrow() {
    let layout = Layout {
        label: Label::Column("area".into()),
        resolution: Resolution::Minutes60,
        zone: "UTC".parse().unwrap(),
        separator: None,
        decimal: DecimalSign::Point,
        time_column: "start".into(),
        time_format: None,
        stamp: Stamp::Start,
        repeated: Repeated::Refuse,
        skip_refused: false,
    };
    let column = PriceColumn { name: "price".into(), area: None, unit: PriceUnit::PerMwh };
    let read =
        |table: &str| prices(table.as_bytes(), &layout, std::slice::from_ref(&column), &context());
    let good = read("area,start,price\nNO2,2026-11-25T22:00:00Z,-12.3455\n").unwrap();
    let area: PriceArea = "NO2".parse().unwrap();
    assert_eq!(good.columns[&area].rows()[0].1, -12_346);
    let late = read("area,start,price\nNO2,2026-11-27T00:00:00Z,1\n").unwrap_err();
    assert_eq!(late.rejections[0].reason, Reason::TimeFuture);
}

#[test]
fn a_packed_file_is_read_by_its_path_and_a_cut_one_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("meters.csv.gz");
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    let mut table = String::from("point,start,wh\n");
    for quarter in 0..5_000 {
        writeln!(table, "a,{},{quarter}", Timestamp::from_second(quarter * 900).unwrap()).unwrap();
    }
    packer.write_all(table.as_bytes()).unwrap();
    let packed = packer.finish().unwrap();
    let format = Format::Readings { layout: layout(), columns: vec![wh("wh", Channel::Import)] };
    std::fs::write(&path, &packed).unwrap();
    let imported = file(&path, &format, &context()).unwrap();
    assert_eq!(imported.report().columns[0].value_count, 5_000);
    std::fs::write(&path, &packed[..packed.len() / 2]).unwrap();
    let refused = file(&path, &format, &context()).unwrap_err();
    assert_eq!(refused.rejections[0].reason, Reason::CompressionBroken);
    assert_eq!(refused.rejections[0].file.as_deref(), Some("meters.csv"));
}

/// Any choice of how a table is laid out.
fn any_layout() -> impl Strategy<Value = Layout<MeteringPointId>> {
    let zone =
        prop_oneof![Just("UTC"), Just("Europe/Oslo"), Just("-03:30"), Just("Australia/Lord_Howe")];
    let separator = prop_oneof![Just(None), Just(Some(b';')), Just(Some(b','))];
    (zone, separator, any::<[bool; 5]>()).prop_map(|(zone, separator, choice)| Layout {
        separator,
        decimal: if choice[0] { DecimalSign::Point } else { DecimalSign::Comma },
        stamp: if choice[1] { Stamp::Start } else { Stamp::End },
        zone: zone.parse().unwrap(),
        repeated: if choice[2] { Repeated::Refuse } else { Repeated::ByOrder },
        label: if choice[3] {
            Label::Column("point".into())
        } else {
            Label::Fixed("home".parse().unwrap())
        },
        skip_refused: choice[4],
        ..layout()
    })
}

proptest! {
    #[test]
    fn any_bytes_are_answered(
        bytes in prop::collection::vec(any::<u8>(), 0..300),
        layout in any_layout(),
    ) {
        let _outcome = import(&bytes, &layout);
    }

    #[test]
    fn any_rows_are_answered(
        rows in "([a-c]?[,;]?(20[0-9]{2}-[01][0-9]-[0-3][0-9][T ][0-2][0-9]:[0-5][05](:00)?Z?)?[,;]?[-0-9.,\"eN]{0,4}\r?\n){0,8}",
        layout in any_layout(),
    ) {
        for separator in [",", ";"] {
            let header = ["point", "start", "wh"].join(separator);
            let _outcome = import(format!("{header}\n{rows}").as_bytes(), &layout);
        }
    }

    #[test]
    fn what_is_written_is_read(
        values in prop::collection::btree_map((0_u8..3, 0_i64..40_000), 0_i32..=i32::MAX, 1..60),
        layout in any_layout(),
        seed in any::<u64>(),
    ) {
        let layout = Layout {
            label: Label::Column("point".into()),
            repeated: Repeated::Refuse,
            decimal: DecimalSign::Point,
            ..layout
        };
        let mut rows: Vec<_> = values.iter().collect();
        // Any order will do.
        rows.sort_by_key(|((point, quarter), _)| (u64::from(*point) + u64::try_from(*quarter).unwrap()).wrapping_mul(seed | 1));
        let separator = char::from(layout.separator.unwrap_or(b'\t'));
        let mut table = format!("wh{separator}start{separator}point\n");
        for ((point, quarter), wh) in rows {
            let shift_s = if layout.stamp == Stamp::End { 900 } else { 0 };
            let stamp = Timestamp::from_second(quarter * 900 + shift_s).unwrap();
            writeln!(table, "{wh}{separator}{stamp}{separator}p{point}").unwrap();
        }
        let readings = import(table.as_bytes(), &layout).unwrap();
        let read: std::collections::BTreeMap<_, _> = readings.columns.iter().flat_map(|((point, _), column)| {
            let point = point.as_str()[1..].parse::<u8>().unwrap();
            column.rows().iter().map(move |&(start_s, wh)| ((point, start_s / 900), i32::try_from(wh).unwrap()))
        }).collect();
        prop_assert_eq!(read, values);
    }
}
