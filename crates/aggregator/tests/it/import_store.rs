//! Files into the store: what the store refuses is named by file, line and column too.

use expect_test::{Expect, expect};
use gridtally_aggregator::import::csv::{
    self, Context, DecimalSign, Label, Layout, Repeated, Stamp,
};
use gridtally_aggregator::import::{Imported, Limits, entsoe};
use gridtally_aggregator::store::{ImportTerms, Store, StoreError};
use gridtally_core::calendar::Zone;
use gridtally_core::meter::MeteringPointId;
use gridtally_core::period::Resolution;

use crate::world::{create, filled, id, now};

fn context(file: &str) -> Context {
    Context {
        file: file.to_owned(),
        now: now(),
        oldest: None,
        report_zone: Zone::UTC,
        limits: Limits::default(),
    }
}

fn layout(resolution: Resolution, label: Label<MeteringPointId>) -> Layout<MeteringPointId> {
    Layout {
        separator: None,
        decimal: DecimalSign::Point,
        time_column: "start".into(),
        time_format: None,
        stamp: Stamp::Start,
        zone: "UTC".parse().unwrap(),
        repeated: Repeated::Refuse,
        resolution,
        label,
        skip_refused: false,
    }
}

fn readings(table: &str, layout: &Layout<MeteringPointId>, columns: &[&str]) -> Imported {
    let columns: Vec<_> = columns.iter().map(|column| column.parse().unwrap()).collect();
    let read = csv::readings(table.as_bytes(), layout, &columns, &context("meters.csv"));
    Imported::Readings(read.unwrap())
}

/// A document with the prices of hours or quarters, a point in each line from line 9 on.
fn document(currency: &str, start: &str, end: &str, resolution: &str, count: usize) -> Imported {
    let area = "10YNO-2--------T";
    let points: String = (1..=count)
        .map(|position| {
            format!(
                "<Point><position>{position}</position><price.amount>1.5</price.amount></Point>\n"
            )
        })
        .collect();
    let document = format!(
        "<Publication_MarketDocument xmlns=\"urn:iec62325.351:tc57wg16:451-3:publicationdocument:7:3\">\n\
         <type>A44</type><TimeSeries>\n\
         <in_Domain.mRID>{area}</in_Domain.mRID><out_Domain.mRID>{area}</out_Domain.mRID>\n\
         <currency_Unit.name>{currency}</currency_Unit.name>\n\
         <price_Measure_Unit.name>MWH</price_Measure_Unit.name><curveType>A01</curveType>\n\
         <Period><timeInterval><start>{start}</start>\n<end>{end}</end></timeInterval>\n\
         <resolution>{resolution}</resolution>\n{points}</Period></TimeSeries></Publication_MarketDocument>"
    );
    Imported::Entsoe(entsoe::prices(document.as_bytes(), &context("prices.xml")).unwrap())
}

/// Adds a file and shows why it is refused, or what was new. A dry run says the same, and a refusal changes nothing.
#[expect(clippy::needless_pass_by_value, reason = "expectations are written in place")]
fn check(store: &mut Store, imported: &Imported, expected: Expect) {
    let shown = |added: Result<gridtally_aggregator::store::Added, StoreError>| match added {
        Ok(added) => format!("{} new\n", added.new_count),
        Err(StoreError::Refused(refused)) => {
            refused.rejections.iter().map(|rejection| format!("{rejection}\n")).collect()
        }
        Err(error) => panic!("{error}"),
    };
    let before = store.view().last();
    let tried = shown(store.view().try_imported(imported, ImportTerms::default()));
    let added = shown(store.add_imported("file", imported, ImportTerms::default(), now()));
    assert_eq!(tried, added);
    assert_eq!(store.view().last() - before, u64::from(added.ends_with(" new\n")));
    expected.assert_eq(&added);
}

#[test]
fn points_that_nobody_registered_are_named_with_their_first_row() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = filled(folder.path());
    let table = "point,start,wh\n\
        home_1,2026-01-02T00:00:00Z,1\n\
        home_9,2026-01-02T01:00:00Z,1\n\
        home_8,2026-01-02T01:00:00Z,1\n\
        home_9,2026-01-02T00:00:00Z,1\n";
    let by_column = layout(Resolution::Minutes60, Label::Column("point".into()));
    check(
        &mut store,
        &readings(table, &by_column, &["wh=import:Wh"]),
        expect![[r#"
        meters.csv:3: point "home_9": nobody registered this identifier: the file has 2 values of it [id-unknown]; import parties and metering points first
        meters.csv:4: point "home_8": nobody registered this identifier: the file has 1 value of it [id-unknown]; import parties and metering points first
    "#]],
    );
    let table = "start,wh\n\n2026-01-02T00:00:00Z,1\n";
    let fixed = layout(Resolution::Minutes60, Label::Fixed(id("home_9")));
    check(
        &mut store,
        &readings(table, &fixed, &["wh=import:Wh"]),
        expect![[r#"
        meters.csv:3: wh "home_9": nobody registered this identifier: the file has 1 value of it [id-unknown]; import parties and metering points first
    "#]],
    );
}

#[test]
fn a_channel_that_a_point_does_not_have_is_named_with_its_column() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = filled(folder.path());
    let table = "point,start,drawn,fed\n\
        home_2,2026-01-02T00:00:00Z,1,2\n\
        home_1,2026-01-02T00:00:00Z,1,2\n";
    let layout = layout(Resolution::Minutes60, Label::Column("point".into()));
    let imported = readings(table, &layout, &["drawn=import:Wh", "fed=export:Wh"]);
    check(
        &mut store,
        &imported,
        expect![[r#"
        meters.csv:3: fed "export": the metering point does not have this channel: home_1 is registered as import [channel-unknown]; leave the column out, or import it to a metering point that has the channel
    "#]],
    );
}

#[test]
fn a_row_that_overlaps_the_store_is_named_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = filled(folder.path());
    let halves = layout(Resolution::Minutes30, Label::Column("point".into()));
    // Not in order: the first in time stands in line 4.
    let table = "point,start,wh\n\
        home_2,2026-01-01T05:30:00Z,1\n\
        home_1,2026-01-01T05:00:00Z,1\n\
        home_1,2026-01-01T04:30:00Z,1\n";
    check(
        &mut store,
        &readings(table, &halves, &["wh=import:Wh"]),
        expect![[r#"
        meters.csv:4: start "2026-01-01T04:30:00Z": periods of different resolution overlap: home_1 has a value of 30 minutes from here, and one of 60 minutes from 2026-01-01T04:00:00Z in the store [periods-overlap]; keep one resolution for each day
    "#]],
    );
    // An hour that is new around a half that is known.
    let table = "point,start,wh\nhome_1,2026-01-02T00:30:00Z,1\n";
    check(
        &mut store,
        &readings(table, &halves, &["wh=import:Wh"]),
        expect![[r#"
        1 new
    "#]],
    );
    let hours = layout(Resolution::Minutes60, Label::Column("point".into()));
    let table = "point,start,wh\nhome_1,2026-01-02T01:00:00Z,1\nhome_1,2026-01-02T00:00:00Z,1\n";
    check(
        &mut store,
        &readings(table, &hours, &["wh=import:Wh"]),
        expect![[r#"
        meters.csv:3: start "2026-01-02T00:00:00Z": periods of different resolution overlap: home_1 has a value of 60 minutes from here, and one of 30 minutes from 2026-01-02T00:30:00Z in the store [periods-overlap]; keep one resolution for each day
    "#]],
    );
}

#[test]
fn prices_that_overlap_the_store_are_named_with_their_point() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = create(folder.path());
    let hours = document("EUR", "2026-01-02T00:00Z", "2026-01-02T02:00Z", "PT60M", 2);
    check(
        &mut store,
        &hours,
        expect![[r#"
        2 new
    "#]],
    );
    let quarters = document("EUR", "2026-01-02T01:30Z", "2026-01-02T02:30Z", "PT15M", 4);
    check(
        &mut store,
        &quarters,
        expect![[r#"
        prices.xml:9: Point "2026-01-02T01:30:00Z": periods of different resolution overlap: 10YNO-2--------T has a value of 15 minutes from here, and one of 60 minutes from 2026-01-02T01:00:00Z in the store [periods-overlap]; keep one resolution for each day
    "#]],
    );
}

#[test]
fn another_currency_is_named_with_its_element() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = create(folder.path());
    let document = document("NOK", "2026-01-02T00:00Z", "2026-01-02T02:00Z", "PT60M", 2);
    check(
        &mut store,
        &document,
        expect![[r#"
        prices.xml:4: currency_Unit.name "NOK": the currency is not that of the store: the store has EUR [currency-mismatch]; convert the prices, or use another store
    "#]],
    );
}

#[test]
fn an_auction_without_prices_is_named_with_those_that_have_some() {
    let folder = tempfile::tempdir().unwrap();
    let store = create(folder.path());
    let document = document("EUR", "2026-01-02T00:00Z", "2026-01-02T02:00Z", "PT60M", 2);
    let terms = ImportTerms { auction: 2, ..ImportTerms::default() };
    let refused = store.view().try_imported(&document, terms).unwrap_err();
    expect![[r#"prices.xml: classificationSequence_AttributeInstanceComponent.position "2": a period that must be there is missing: the document has no prices of this auction, but of 1 [period-missing]; name another auction with --auction"#]].assert_eq(&refused.to_string());
}
