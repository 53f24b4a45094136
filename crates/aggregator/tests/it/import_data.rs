//! Real meters and markets import with the counts that the READMEs of their folders state.

use std::path::PathBuf;

use gridtally_aggregator::import::csv::{
    Context, DecimalSign, EnergyUnit, Label, Layout, PriceColumn, PriceUnit, Prices, ReadingColumn,
    Readings, Repeated, Stamp,
};
use gridtally_aggregator::import::{
    ColumnReport, Encoding, Format, Imported, Limits, Refused, Report, file,
};
use gridtally_core::calendar::Zone;
use gridtally_core::meter::{Channel, MeteringPointId};
use gridtally_core::period::Resolution;
use gridtally_core::rejection::Reason;
use gridtally_core::tariff::PriceArea;

/// Returns the path of a file of real data, or nothing where there are none.
pub(crate) fn data(name: &str) -> Option<PathBuf> {
    let shared = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    if !shared.exists() {
        println!("left out: {name}, because ../shared is not there");
        return None;
    }
    Some(shared.join("data").join(name))
}

pub(crate) fn context(file: &str, zone: &str) -> Context {
    Context {
        file: file.into(),
        now: "2026-11-25T00:00:00Z".parse().unwrap(),
        oldest: None,
        report_zone: Zone::new(zone).unwrap(),
        limits: Limits::default(),
    }
}

fn layout<L>(label: Label<L>, resolution: Resolution) -> Layout<L> {
    Layout {
        separator: None,
        decimal: DecimalSign::Point,
        time_column: "start_utc".into(),
        time_format: None,
        stamp: Stamp::Start,
        zone: "UTC".parse().unwrap(),
        repeated: Repeated::Refuse,
        resolution,
        label,
        skip_refused: false,
    }
}

fn point(name: &str) -> Label<MeteringPointId> {
    Label::Fixed(name.parse().unwrap())
}

/// Consumption is drawn, photovoltaic power is fed in: both are metered by themselves.
fn energy(name: &str) -> ReadingColumn {
    let channel = if name.starts_with("pv") { Channel::Export } else { Channel::Import };
    ReadingColumn { name: name.into(), channel, unit: EnergyUnit::Wh }
}

fn readings(
    path: &str,
    layout: Layout<MeteringPointId>,
    columns: Vec<ReadingColumn>,
    zone: &str,
) -> Option<Result<Readings, Refused>> {
    let format = Format::Readings { layout, columns };
    let imported = file(&data(path)?, &format, &context(path, zone));
    Some(imported.map(|imported| match imported {
        Imported::Readings(readings) => readings,
        other => panic!("{path}: {other:?}"),
    }))
}

fn prices(
    path: &str,
    layout: Layout<PriceArea>,
    columns: &[(&str, Option<&str>)],
    zone: &str,
) -> Option<Prices> {
    let columns = columns.iter().map(|(name, area)| PriceColumn {
        name: (*name).into(),
        area: area.map(|area| area.parse().unwrap()),
        unit: PriceUnit::PerMwh,
    });
    let format = Format::Prices { layout, columns: columns.collect() };
    match file(&data(path)?, &format, &context(path, zone)) {
        Ok(Imported::Prices(prices)) => Some(prices),
        other => panic!("{path}: {other:?}"),
    }
}

/// Rows of a small table beside the data, by name of column.
fn table(path: &str) -> Option<Vec<std::collections::BTreeMap<String, String>>> {
    let mut reader = csv::Reader::from_path(data(path)?).unwrap();
    Some(reader.deserialize().map(|row| row.unwrap()).collect())
}

/// Values, gaps, missing intervals.
fn counts(column: &ColumnReport) -> (usize, u64, u64) {
    (column.value_count, column.gap_count, column.missing_count)
}

/// A sum of watt-hours in kilowatt-hours with one decimal, as the tables write it.
fn kwh(sum_wh: i128) -> String {
    let tenths = (sum_wh + 50) / 100;
    format!("{}.{}", tenths / 10, tenths % 10)
}

/// Date, hours, values of the days on which clocks change.
fn change_days(column: &ColumnReport) -> Vec<(String, i64, usize)> {
    let days = column.change_days.iter();
    days.map(|day| (day.date.to_string(), day.hours, day.value_count)).collect()
}

fn is_clean(report: &Report) -> bool {
    report.repeated_count == 0 && report.unordered_count == 0 && report.rejection_count == 0
}

#[test]
fn the_fontana_homes_have_a_year_with_one_hour_missing() {
    let Some(homes) = table("households_fontana/homes.csv") else { return };
    assert_eq!(homes.len(), 11);
    for home in homes {
        let name = home["home"].as_str();
        let path = format!("households_fontana/{name}.csv.gz");
        let columns = vec![energy("consumption_wh"), energy("pv_wh")];
        let layout = layout(point(name), Resolution::Minutes60);
        let readings =
            readings(&path, layout, columns, "America/Los_Angeles").unwrap().expect("a good file");
        let report = &readings.report;
        assert!(is_clean(report), "{path}: {report:?}");
        assert_eq!((report.encoding, report.row_count), (Encoding::Gzip, 8_759));
        let [import, export] = report.columns.as_slice() else { panic!("{report:?}") };
        assert_eq!((counts(import), counts(export)), ((8_759, 1, 1), (8_759, 1, 1)));
        assert_eq!(import.value_count.to_string(), home["rows"]);
        assert_eq!(import.gaps[0].from.to_string(), "2016-11-06T09:00:00Z");
        assert_eq!(
            (kwh(import.sum), kwh(export.sum)),
            (home["consumption_kwh"].clone(), home["pv_kwh"].clone())
        );
        let days = [("2016-11-06".to_owned(), 25, 24), ("2017-03-12".to_owned(), 23, 23)];
        assert_eq!(change_days(import), days);
        let import = &readings.columns[&(name.parse().unwrap(), Channel::Import)];
        let max_wh = import.rows().iter().map(|&(_, wh)| wh).max().unwrap();
        assert_eq!(max_wh.to_string(), home["max_hour_wh"]);
    }
}

#[test]
fn the_sgsc_customers_have_the_gaps_that_their_table_states() {
    let Some(customers) = table("households_sgsc/customers.csv") else { return };
    assert_eq!(customers.len(), 7);
    for customer in customers {
        let name = format!("customer_{}", customer["customer"]);
        let path = format!("households_sgsc/{name}.csv.gz");
        let layout = layout(point(&name), Resolution::Minutes30);
        let readings = readings(&path, layout, vec![energy("consumption_wh")], "Australia/Sydney")
            .unwrap()
            .expect("a good file");
        let report = &readings.report;
        assert!(is_clean(report), "{path}: {report:?}");
        let [column] = report.columns.as_slice() else { panic!("{report:?}") };
        let stated = |name: &str| customer[name].parse::<u64>().unwrap();
        let rows = usize::try_from(stated("rows")).unwrap();
        assert_eq!(counts(column), (rows, stated("gaps"), stated("missing_intervals")), "{path}");
        assert_eq!(kwh(column.sum), customer["consumption_kwh"]);
        let short = |instant: Option<jiff::Timestamp>| {
            instant.unwrap().strftime("%Y-%m-%dT%H:%MZ").to_string()
        };
        assert_eq!(short(column.from), customer["first"]);
        let last = column.until.map(|until| until - jiff::Span::new().minutes(30));
        assert_eq!(short(last), customer["last"]);
        let column = readings.columns.values().next().unwrap();
        let zeros = column.rows().iter().filter(|&&(_, wh)| wh == 0).count();
        assert_eq!(zeros.to_string(), customer["zero_rows"]);
        assert_eq!(
            column.rows().iter().map(|&(_, wh)| wh).max().unwrap().to_string(),
            customer["max_wh"]
        );
    }
}

#[test]
fn the_ausgrid_home_misses_its_repeated_hour() {
    let path = "household_ausgrid_12/customer_12.csv.gz";
    let columns = vec![energy("consumption_wh"), energy("pv_wh")];
    let layout = layout(point("customer_12"), Resolution::Minutes30);
    let Some(readings) = readings(path, layout, columns, "Australia/Sydney") else { return };
    let report = readings.expect("a good file").report;
    assert!(is_clean(&report), "{report:?}");
    let [import, export] = report.columns.as_slice() else { panic!("{report:?}") };
    assert_eq!((counts(import), counts(export)), ((17_566, 1, 2), (17_566, 1, 2)));
    assert_eq!((import.sum / 1_000, export.sum / 1_000), (5_938, 1_296));
    let days = [("2011-10-02".to_owned(), 23, 46), ("2012-04-01".to_owned(), 25, 48)];
    assert_eq!(change_days(import), days);
}

/// The London extract as published: label column, text values with blanks, local stamps with seven decimals.
fn london_raw(skip_refused: bool) -> Option<Result<Readings, Refused>> {
    let mut layout = layout(Label::Column("LCLid".into()), Resolution::Minutes30);
    layout.time_column = "DateTime".into();
    layout.skip_refused = skip_refused;
    let name = "KWH/hh (per half hour)".into();
    let column = ReadingColumn { name, channel: Channel::Import, unit: EnergyUnit::KiloWh };
    readings("household_lcl_mac000002/raw_MAC000002.csv.gz", layout, vec![column], "Europe/London")
}

#[test]
fn the_london_extract_is_refused_for_one_row_and_says_which() {
    let Some(refused) = london_raw(false) else { return };
    let refused = refused.unwrap_err();
    assert_eq!(refused.count, 1);
    let rejection = &refused.rejections[0];
    assert_eq!((rejection.line, rejection.reason), (Some(3_242), Reason::TimeNotAligned));
    assert_eq!(rejection.column.as_deref(), Some("DateTime"));
    assert_eq!(rejection.value.as_str(), "2012-12-19 12:37:27.0000000");
}

#[test]
fn the_london_extract_without_that_row_is_the_cleaned_file() {
    let Some(raw) = london_raw(true) else { return };
    let raw = raw.expect("one row is passed over");
    let report = &raw.report;
    assert_eq!(report.row_count, 24_158);
    assert_eq!((report.repeated_count, report.rejection_count), (17, 1));
    // Values such as 1.0779999, counted in binary fractions before they were written.
    assert_eq!(report.rounded_count, 117);
    let [column] = report.columns.as_slice() else { panic!("{report:?}") };
    assert_eq!((counts(column), kwh(column.sum)), ((24_140, 5, 52), "6095.7".into()));

    let path = "household_lcl_mac000002/mac000002.csv.gz";
    let layout = layout(point("MAC000002"), Resolution::Minutes30);
    let columns = vec![energy("consumption_wh")];
    let cleaned = readings(path, layout, columns, "Europe/London").unwrap().expect("a good file");
    assert!(is_clean(&cleaned.report), "{:?}", cleaned.report);
    let values = |readings: Readings| -> Vec<_> {
        let columns = readings.columns.into_iter();
        columns.map(|(key, column)| (key, column.resolution(), column.rows().to_vec())).collect()
    };
    assert!(values(cleaned) == values(raw), "the same values, whatever lines they stand in");
}

/// Four areas of 2024, one column each.
fn prices_2024() -> Option<Prices> {
    let columns = [
        ("no2_eur_mwh", Some("NO2")),
        ("se3_eur_mwh", Some("SE3")),
        ("dk2_eur_mwh", Some("DK2")),
        ("de_eur_mwh", Some("DE")),
    ];
    let layout = layout(Label::Fixed("NO2".parse().unwrap()), Resolution::Minutes60);
    prices("prices_dayahead/dayahead_2024.csv.gz", layout, &columns, "Europe/Copenhagen")
}

#[test]
fn day_ahead_prices_of_2024_are_complete_with_both_odd_days() {
    let Some(prices) = prices_2024() else { return };
    assert!(is_clean(&prices.report), "{:?}", prices.report);
    for column in &prices.report.columns {
        assert_eq!(counts(column), (8_784, 0, 0), "{}", column.name);
        let days = [("2024-03-31".to_owned(), 23, 23), ("2024-10-27".to_owned(), 25, 25)];
        assert_eq!(change_days(column), days);
    }
    let values =
        |area: &str| prices.columns[&area.parse().unwrap()].rows().iter().map(|&(_, price)| price);
    assert_eq!(values("SE3").filter(|&price| price < 0).count(), 652);
    assert_eq!(values("DE").max(), Some(2_325_830));
    assert_eq!(values("NO2").next(), Some(53_790));
}

#[test]
fn day_ahead_prices_of_2020_and_2021_are_complete() {
    let layout = layout(Label::Fixed("DK2".parse().unwrap()), Resolution::Minutes60);
    let path = "prices_dayahead/dayahead_dk2_2020_2021.csv.gz";
    let columns = [("dk2_eur_mwh", None)];
    let Some(prices) = prices(path, layout, &columns, "Europe/Copenhagen") else { return };
    assert!(is_clean(&prices.report), "{:?}", prices.report);
    let [column] = prices.report.columns.as_slice() else { panic!("{:?}", prices.report) };
    assert_eq!((column.name.as_str(), counts(column)), ("DK2", (17_544, 0, 0)));
    let hours: Vec<_> =
        change_days(column).into_iter().map(|(_, hours, values)| (hours, values)).collect();
    assert_eq!(hours, [(23, 23), (25, 25), (23, 23), (25, 25)]);
}

/// The publisher's rows: semicolon, decimal comma, an area in each row, newest first.
fn prices_as_published(time_column: &str, zone: &str) -> Option<Result<Imported, Refused>> {
    let path = "prices_dayahead/raw_elspotprices_dst_days.csv";
    let mut layout = layout(Label::Column("PriceArea".into()), Resolution::Minutes60);
    layout.time_column = time_column.into();
    layout.zone = zone.parse().unwrap();
    layout.decimal = DecimalSign::Comma;
    let column = PriceColumn { name: "SpotPriceEUR".into(), area: None, unit: PriceUnit::PerMwh };
    let format = Format::Prices { layout, columns: vec![column] };
    Some(file(&data(path)?, &format, &context(path, "Europe/Copenhagen")))
}

#[test]
fn published_rows_are_those_of_the_year_to_the_cent() {
    let Some(published) = prices_as_published("HourUTC", "UTC") else { return };
    let Imported::Prices(published) = published.expect("a good file") else { panic!("prices") };
    let report = &published.report;
    assert_eq!((report.separator, report.row_count, report.repeated_count), (Some(';'), 192, 0));
    assert_eq!(report.columns_ignored, ["HourDK", "SpotPriceDKK"]);
    // Two areas, and every row but the first of each comes before the one above it.
    assert_eq!(report.unordered_count, 190);
    for column in &report.columns {
        let days = [("2024-03-31".to_owned(), 23, 23), ("2024-10-27".to_owned(), 25, 25)];
        assert_eq!(
            (column.value_count, column.gap_count, change_days(column)),
            (96, 1, days.to_vec())
        );
    }
    let year = prices_2024().unwrap();
    for (area, column) in &published.columns {
        let all = &year.columns[area];
        for &(start_s, price) in column.rows() {
            let at = all.rows().binary_search_by_key(&start_s, |&(start_s, _)| start_s).unwrap();
            // Micro-units per kWh are thousandths of a euro per MWh; a cent is ten of them.
            assert!((all.rows()[at].1 - price).abs() <= 5, "{area} {start_s}");
        }
    }
}

#[test]
fn published_local_hours_are_refused_where_they_exist_twice() {
    let Some(refused) = prices_as_published("HourDK", "Europe/Copenhagen") else { return };
    let refused = refused.unwrap_err();
    let reasons: Vec<_> = refused.rejections.iter().map(|rejection| rejection.reason).collect();
    // Two areas, two hours that are called 02:00.
    assert_eq!(reasons, [Reason::TimeAmbiguous; 4], "{refused:?}");
    assert!(
        refused
            .rejections
            .iter()
            .all(|rejection| rejection.value.as_str() == "2024-10-27 02:00:00")
    );
}

#[test]
fn the_day_ahead_column_among_imbalance_prices_is_that_of_the_year() {
    let path = "prices_imbalance/dk2_imbalance.csv.gz";
    let layout = layout(Label::Fixed("DK2".parse().unwrap()), Resolution::Minutes60);
    let columns = [("dayahead_eur_mwh", None)];
    let Some(prices) = prices(path, layout, &columns, "Europe/Copenhagen") else { return };
    assert!(is_clean(&prices.report), "{:?}", prices.report);
    let [column] = prices.report.columns.as_slice() else { panic!("{:?}", prices.report) };
    // 2024-10-02T22:00Z to 2024-10-28T23:00Z.
    assert_eq!(counts(column), (625, 0, 0));
    assert_eq!(change_days(column), [("2024-10-27".to_owned(), 25, 25)]);
    let area = "DK2".parse().unwrap();
    let year = &prices_2024().unwrap().columns[&area];
    for row in prices.columns[&area].rows() {
        assert!(year.rows().binary_search(row).is_ok(), "{row:?}");
    }
}
