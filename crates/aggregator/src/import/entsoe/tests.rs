use expect_test::{Expect, expect};
use gridtally_core::calendar::Zone;
use gridtally_core::rejection::Reason;
use proptest::prelude::*;

use super::*;
use crate::import::Limits;

fn context() -> Context {
    Context {
        file: "prices.xml".into(),
        now: "2026-03-28T12:00:00Z".parse().unwrap(),
        oldest: None,
        report_zone: Zone::new("Europe/Oslo").unwrap(),
        limits: Limits::default(),
    }
}

/// A series of Norwegian prices; `auction` may be empty.
fn series(curve: &str, auction: &str, periods: &str) -> String {
    let position = "classificationSequence_AttributeInstanceComponent.position";
    let auction = match auction {
        "" => String::new(),
        number => format!("<{position}>{number}</{position}>"),
    };
    format!(
        "<TimeSeries><in_Domain.mRID codingScheme=\"A01\">10YNO-2--------T</in_Domain.mRID>\
         <out_Domain.mRID codingScheme=\"A01\">10YNO-2--------T</out_Domain.mRID>{auction}\
         <currency_Unit.name>EUR</currency_Unit.name><price_Measure_Unit.name>MWH</price_Measure_Unit.name>\
         <curveType>{curve}</curveType>\n{periods}</TimeSeries>"
    )
}

/// A period of points, written `1=45.10 5=60.25`.
fn period(start: &str, end: &str, resolution: &str, points: &str) -> String {
    let points = points.split_whitespace().map(|point| {
        let (position, amount) = point.split_once('=').unwrap();
        format!(
            "<Point><position>{position}</position><price.amount>{amount}</price.amount></Point>"
        )
    });
    let points: String = points.collect();
    format!(
        "<Period><timeInterval><start>{start}</start><end>{end}</end></timeInterval>\
         <resolution>{resolution}</resolution>{points}</Period>\n"
    )
}

fn document(series: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <Publication_MarketDocument xmlns=\"urn:iec62325.351:tc57wg16:451-3:publicationdocument:7:3\">\
         <type>A44</type>\n{series}</Publication_MarketDocument>"
    )
}

/// Returns each column with its values, or the rejections.
fn outcome(xml: &str) -> String {
    match prices(xml.as_bytes(), &context()) {
        Ok(prices) => {
            let mut lines: Vec<String> = Vec::new();
            for (product, column) in &prices.columns {
                let values: Vec<_> =
                    column.rows().iter().map(|(_, price)| price.to_string()).collect();
                lines.push(format!("{product} {}: {}", prices.currency, values.join(" ")));
            }
            lines.extend(prices.report.notes.clone());
            lines.extend(prices.report.rejections.iter().map(ToString::to_string));
            lines.join("\n")
        }
        Err(refused) => {
            assert!(refused.count >= 1);
            refused.rejections.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
        }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "expectations are written in place")]
fn check(xml: &str, expected: Expect) {
    expected.assert_eq(&outcome(xml));
}

/// The short day of March 2026.
const DAY: (&str, &str) = ("2026-03-28T23:00Z", "2026-03-29T22:00Z");
/// Three hours in January.
const HOURS: (&str, &str) = ("2026-01-15T10:00Z", "2026-01-15T13:00Z");

#[test]
fn omitted_points_are_filled_to_the_end_of_a_short_day() {
    let points = "1=45.10 2=44.00 5=60.25 20=38.00";
    let xml = document(&series("A03", "", &period(DAY.0, DAY.1, "PT60M", points)));
    let prices = prices(xml.as_bytes(), &context()).unwrap();
    let (_, column) = prices.of_auction(1).next().unwrap();
    assert_eq!((column.len(), column.sum()), (23, 1_232_850)); // TV-06
    let values: Vec<i64> = column.rows().iter().map(|&(_, price)| price).collect();
    assert_eq!(values[..5], [45_100, 44_000, 44_000, 44_000, 60_250]);
    assert_eq!(values[18..], [60_250, 38_000, 38_000, 38_000, 38_000]);
    assert_eq!(column.gaps().count(), 0);
    let days = &prices.report.columns[0].change_days;
    assert_eq!((days[0].hours, days[0].period_count, days[0].value_count), (23, 23, 23));
}

#[test]
fn a_period_without_its_first_position_is_refused() {
    let xml = document(&series("A03", "", &period(DAY.0, DAY.1, "PT60M", "2=44.00 5=60.25")));
    check(
        &xml,
        expect![[
            r#"prices.xml:4: position "": a period that must be there is missing: position 1 of 23 is missing [period-missing]; ask the source for the missing periods"#
        ]],
    );
}

#[test]
fn a_complete_curve_has_a_point_for_each_interval() {
    let xml = |points| document(&series("A01", "", &period(HOURS.0, HOURS.1, "PT60M", points)));
    check(
        &xml("3=-0.5 1=1 2=2.001"),
        expect!["10YNO-2--------T auction 1 PT60M EUR: 1000 2001 -500"],
    );
    check(
        &xml("1=1 3=3"),
        expect![[
            r#"prices.xml:4: position "": a period that must be there is missing: position 2 of 3 is missing [period-missing]; ask the source for the missing periods"#
        ]],
    );
    check(
        &xml("1=1 2=2 3=3 4=4"),
        expect![[
            r#"prices.xml:4: position "4": the position lies outside its period: the period has 3 intervals [position-outside]; check start, end and resolution of the period"#
        ]],
    );
}

#[test]
fn a_point_beyond_the_end_is_passed_over_and_named() {
    let points = "1=1 4=4";
    check(
        &document(&series("A03", "", &period(HOURS.0, HOURS.1, "PT1H", points))),
        expect![[r#"
        10YNO-2--------T auction 1 PT60M EUR: 1000 1000 1000
        prices.xml:4: position "4": the position lies outside its period: the period has 3 intervals [position-outside]; check start, end and resolution of the period"#]],
    );
}

#[test]
fn auctions_stay_apart_and_resolutions_may_follow_each_other() {
    let hours = period("2026-01-15T10:00Z", "2026-01-15T12:00Z", "PT60M", "1=1 2=2");
    let quarters = period("2026-01-15T12:00Z", "2026-01-15T13:00Z", "PT15M", "1=3 3=4");
    let all_quarters = period(HOURS.0, HOURS.1, "PT15M", "1=7 12=8");
    let first = series("A03", "1", &(hours + &quarters));
    check(
        &document(&(first + &series("A03", "2", &all_quarters))),
        expect![[r#"
        10YNO-2--------T auction 1 PT15M EUR: 3000 3000 4000 4000
        10YNO-2--------T auction 1 PT60M EUR: 1000 2000
        10YNO-2--------T auction 2 PT15M EUR: 7000 7000 7000 7000 7000 7000 7000 7000 7000 7000 7000 8000"#]],
    );
}

#[test]
fn prices_of_one_auction_neither_overlap_nor_differ() {
    let hours = series("A03", "1", &period(HOURS.0, HOURS.1, "PT60M", "1=1 2=2"));
    let overlapping = period("2026-01-15T12:30Z", "2026-01-15T14:00Z", "PT30M", "1=1");
    check(
        &document(&format!("{hours}\n{}", series("A03", "1", &overlapping))),
        expect![[
            r#"prices.xml:7: Period "2026-01-15T12:30Z": periods of different resolution overlap: PT30M here, PT60M from 2026-01-15T12:00:00Z in line 4 [periods-overlap]; keep one resolution for each day"#
        ]],
    );
    let around = period("2026-01-15T12:00Z", "2026-01-15T14:00Z", "PT60M", "1=2 2=5");
    check(
        &document(&format!("{hours}\n{}", series("A03", "", &around))),
        expect!["10YNO-2--------T auction 1 PT60M EUR: 1000 2000 2000 5000"],
    );
    let other = period("2026-01-15T12:00Z", "2026-01-15T14:00Z", "PT60M", "1=2.5 2=5");
    check(
        &document(&format!("{hours}\n{}", series("A03", "", &other))),
        expect![[
            r#"prices.xml:7: price.amount "2500": the file gives a period twice with different values: 2500 micro-EUR/kWh from 2026-01-15T12:00:00Z, but 2000 in line 4 [period-twice]; keep one of the rows"#
        ]],
    );
    let twice = period(HOURS.0, HOURS.1, "PT60M", "1=1 2=2 2=3");
    check(
        &document(&series("A03", "1", &twice)),
        expect![[
            r#"prices.xml:4: position "2": the file gives a period twice with different values [period-twice]; keep one of the rows"#
        ]],
    );
}

#[test]
fn faults_are_named_with_their_line() {
    let good = document(&series("A03", "", &period(HOURS.0, HOURS.1, "PT60M", "1=1")));
    let with = |from: &str, to: &str| {
        assert!(good.contains(from), "{from}");
        good.replacen(from, to, 1)
    };
    for (from, to, expected) in [
        (
            "10YNO-2--------T</in",
            "10YNO-2--------U</in",
            expect![[
                r#"prices.xml:3: in_Domain.mRID "10YNO-2--------U": the check digit is wrong: check digit T expected, U found [id-check-digit]; compare the identifier with its source, a digit was mistyped or lost"#
            ]],
        ),
        (
            "10YNO-2--------T</out",
            "10XNO-2--------T</out",
            expect![[
                r#"prices.xml:3: out_Domain.mRID "10XNO-2--------T": the check digit is wrong: check digit 6 expected, T found [id-check-digit]; compare the identifier with its source, a digit was mistyped or lost"#
            ]],
        ),
        (
            "10YNO-2--------T</out",
            "10XNO-2--------6</out",
            expect![[
                r#"prices.xml:3: out_Domain.mRID "10XNO-2--------6": the identifier has a character that is not allowed: the code of an area has Y at position 3 [id-character]; give the prices of an area"#
            ]],
        ),
        (
            "EUR",
            "Euro",
            expect![[
                r#"prices.xml:3: currency_Unit.name "Euro": the currency is not that of the store: a currency is three capital letters, such as EUR or NOK [currency-mismatch]; convert the prices, or use another store"#
            ]],
        ),
        (
            "MWH",
            "MAW",
            expect![[
                r#"prices.xml:3: price_Measure_Unit.name "MAW": the unit is not supported [unit-unknown]; give prices per MWh or kWh"#
            ]],
        ),
        (
            "A03",
            "A02",
            expect![[
                r#"prices.xml:3: curveType "A02": this kind of document is not imported: curve types A01 and A03 are read [document-kind]; give a document of readings or prices"#
            ]],
        ),
        (
            "PT60M",
            "P1D",
            expect![[
                r#"prices.xml:4: resolution "P1D": the resolution is not supported: unknown resolution, expected PT10M, PT15M, PT30M or PT60M [resolution-unknown]; use PT10M, PT15M, PT30M or PT60M"#
            ]],
        ),
        (
            "T10:00Z",
            "T10:30Z",
            expect![[
                r#"prices.xml:4: start "2026-01-15T10:30Z": the time does not lie on the grid of the resolution [time-not-aligned]; check the resolution, and whether stamps mark start or end"#
            ]],
        ),
        (
            "T10:00Z",
            "T10:00",
            expect![[
                r#"prices.xml:4: start "2026-01-15T10:00": the time cannot be read [time-malformed]; write it as 2026-01-15T10:00:00Z, or give its format"#
            ]],
        ),
        (
            "T13:00Z",
            "T10:00Z",
            expect![[
                r#"prices.xml:4: end "2026-01-15T10:00Z": the document does not follow its format: a period ends after it starts, at most 400 days later [document-malformed]; ask its sender for a valid document"#
            ]],
        ),
        (
            "2026-01-15T13:00Z",
            "2027-03-15T13:00Z",
            expect![[
                r#"prices.xml:4: end "2027-03-15T13:00Z": the document does not follow its format: a period ends after it starts, at most 400 days later [document-malformed]; ask its sender for a valid document"#
            ]],
        ),
        (
            "2026-01-15T13:00Z",
            "2026-03-31T00:00Z",
            expect![[
                r#"prices.xml:4: Period "2026-03-31T00:00Z": the period is not over yet: prices are known a day ahead [time-future]; check the clock of the source and the time zone of the file"#
            ]],
        ),
        (
            ">1</price",
            ">1,5</price",
            expect![[
                r#"prices.xml:4: price.amount "1,5": the value has a decimal comma [number-comma]; write a decimal point, or give the decimal separator"#
            ]],
        ),
        (
            ">1</price",
            ">NaN</price",
            expect![[
                r#"prices.xml:4: price.amount "NaN": the value is not a finite number [number-not-finite]; leave the row out: missing is not zero"#
            ]],
        ),
        (
            ">1</price",
            ">2147483.648</price",
            expect![[
                r#"prices.xml:4: price.amount "2147483.648": the value is out of range [number-out-of-range]; check the unit of the column"#
            ]],
        ),
        (
            ">1</position",
            ">0</position",
            expect![[
                r#"prices.xml:4: position "0": the position lies outside its period: the period has 3 intervals [position-outside]; check start, end and resolution of the period"#
            ]],
        ),
        (
            ">1</position",
            ">99999999999999999999999</position",
            expect![[
                r#"prices.xml:4: position "": a period that must be there is missing: position 1 of 3 is missing [period-missing]; ask the source for the missing periods"#
            ]],
        ),
        (
            ">1</position",
            ">1</position><position>2</position",
            expect![[
                r#"prices.xml:4: position "": the document does not follow its format: the element stands twice [document-malformed]; ask its sender for a valid document"#
            ]],
        ),
        (
            "<type>A44",
            "<type>A25",
            expect![[
                r#"prices.xml:2: "Publication_MarketDocument": this kind of document is not imported: type A25 instead of A44, prices [document-kind]; give a Publication_MarketDocument of type A44"#
            ]],
        ),
        (
            ":7:3\"",
            ":8:0\"",
            expect![[
                r#"prices.xml:2: "Publication_MarketDocument": this kind of document is not imported: the namespace "urn:iec62325.351:tc57wg16:451-3:publicationdocument:8:0" instead of urn:iec62325.351:tc57wg16:451-3:publicationdocument:7:0 to 3 [document-kind]; give a Publication_MarketDocument of type A44"#
            ]],
        ),
        (
            "<curveType>",
            "<contract_MarketAgreement.type>A07</contract_MarketAgreement.type><curveType>",
            expect![[
                r#"prices.xml:3: contract_MarketAgreement.type "A07": this kind of document is not imported: not a day-ahead contract, which is A01 [document-kind]; give a document of readings or prices"#
            ]],
        ),
        (
            "</Period>",
            "</period>",
            expect![
                "prices.xml:4: the document does not follow its format: ill-formed document: expected `</Period>`, but `</period>` was found [document-malformed]; ask its sender for a valid document"
            ],
        ),
        (
            "</Publication_MarketDocument>",
            "",
            expect![
                "prices.xml:5: the document does not follow its format: it ends inside of Publication_MarketDocument [document-malformed]; ask its sender for a valid document"
            ],
        ),
    ] {
        check(&with(from, to), expected);
    }
}

#[test]
fn nothing_is_expanded_or_fetched() {
    let good = document(&series("A03", "", &period(HOURS.0, HOURS.1, "PT60M", "1=1")));
    let dtd = "<!DOCTYPE x [<!ENTITY e SYSTEM \"file:///etc/passwd\">]>";
    for xml in [
        good.replacen("?>", &format!("?>{dtd}"), 1),
        good.replacen("EUR", "&e;", 1),
        format!("{dtd}<x>&e;</x>"),
    ] {
        let refused = prices(xml.as_bytes(), &context()).unwrap_err();
        assert_eq!(refused.rejections[0].reason, Reason::DocumentUnsafe, "{refused}");
    }
    // Characters by number and the five names of XML itself are text.
    let same = good.replacen("EUR", "&#69;UR", 1).replacen("MWH", "<![CDATA[MWH]]>", 1);
    assert_eq!(outcome(&same), outcome(&good));
}

#[test]
fn depth_size_and_intervals_are_bounded() {
    let deep = document(&"<x>".repeat(100_000));
    check(
        &deep,
        expect![
            "prices.xml:3: the document does not follow its format: elements lie more than 16 deep [document-malformed]; ask its sender for a valid document"
        ],
    );
    let limits = Limits { document_bytes_max: 1_000, ..Limits::default() };
    let long = document(&" ".repeat(2_000));
    let refused = prices(long.as_bytes(), &Context { limits, ..context() }).unwrap_err();
    assert_eq!(refused.rejections[0].reason, Reason::FileTooLarge);
    // A year of quarters from one point, again and again, in a few kilobytes.
    let years: String = (1..=99)
        .flat_map(|auction| (2023..=2024).map(move |year| (auction, year)))
        .map(|(auction, year)| {
            let (start, end) =
                (format!("{year}-01-01T00:00Z"), format!("{}-01-01T00:00Z", year + 1));
            series("A03", &auction.to_string(), &period(&start, &end, "PT15M", "1=1"))
        })
        .collect();
    let refused = prices(document(&years).as_bytes(), &context()).unwrap_err();
    assert_eq!(refused.rejections[0].reason, Reason::RowsTooMany);
}

#[test]
fn other_documents_are_refused_by_name() {
    let acknowledgement = "<Acknowledgement_MarketDocument><Reason><code>999</code>\
        <text>No matching data found &amp; more</text></Reason></Acknowledgement_MarketDocument>";
    check(
        acknowledgement,
        expect![[
            r#"prices.xml:1: "Acknowledgement_MarketDocument": this kind of document is not imported: an answer without data, reason 999: No matching data found & more [document-kind]; give a Publication_MarketDocument of type A44"#
        ]],
    );
    check(
        "<GL_MarketDocument><type>A65</type></GL_MarketDocument>",
        expect![[
            r#"prices.xml:1: "GL_MarketDocument": this kind of document is not imported: load (type A65) [document-kind]; give a Publication_MarketDocument of type A44"#
        ]],
    );
    check(
        "<a/>",
        expect![[
            r#"prices.xml:1: "a": this kind of document is not imported: not a document that gridtally knows [document-kind]; give a Publication_MarketDocument of type A44"#
        ]],
    );
    check(
        "<Publication_MarketDocument><type>A44</type></Publication_MarketDocument>",
        expect![[
            r#"prices.xml:1: "Publication_MarketDocument": this kind of document is not imported: the namespace "" instead of urn:iec62325.351:tc57wg16:451-3:publicationdocument:7:0 to 3 [document-kind]; give a Publication_MarketDocument of type A44"#
        ]],
    );
    check(
        &document(""),
        expect![[
            r#"prices.xml:2: TimeSeries "": the document does not follow its format: the element is missing [document-malformed]; ask its sender for a valid document"#
        ]],
    );
    check(
        "prices",
        expect![
            "prices.xml:1: the document does not follow its format: there is no element [document-malformed]; ask its sender for a valid document"
        ],
    );
    check("", expect!["prices.xml: the file is empty [file-empty]; export it again"]);
}

proptest! {
    #[test]
    fn any_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _outcome = prices(&bytes[..], &context());
    }

    #[test]
    fn any_cut_or_changed_document_is_answered(
        from in 0_usize..900,
        length in 0_usize..40,
        insert in "[<>/&;!\\[\\]a-zA-Z0-9:.\"'= -]{0,12}",
    ) {
        let mut xml = document(&series("A03", "1", &period(HOURS.0, HOURS.1, "PT60M", "1=1 3=2")));
        let from = from.min(xml.len());
        xml.replace_range(from..(from + length).min(xml.len()), &insert);
        let _outcome = prices(xml.as_bytes(), &context());
    }

    #[test]
    fn changes_and_complete_curves_say_the_same(prices in prop::collection::vec(-300_i32..300, 1..96)) {
        let end = jiff::Timestamp::from_second(1_768_435_200 + 900 * i64::try_from(prices.len()).unwrap()).unwrap();
        let texts: Vec<String> = prices.iter().map(|price| format!("{}.5", price / 100)).collect();
        let complete: String = (0..).zip(&texts).map(|(at, text): (usize, _)| format!("{}={text} ", at + 1)).collect();
        let changes: String = (0..).zip(&texts)
            .filter(|&(at, text): &(usize, _)| at == 0 || texts[at - 1] != **text)
            .map(|(at, text)| format!("{}={text} ", at + 1)).collect();
        let xml = |curve, points: &str| {
            document(&series(curve, "", &period("2026-01-15T00:00Z", &end.to_string(), "PT15M", points)))
        };
        let (complete, changes) = (outcome(&xml("A01", &complete)), outcome(&xml("A03", &changes)));
        prop_assert!(complete.starts_with("10YNO"), "{}", complete);
        prop_assert_eq!(complete, changes);
    }
}
