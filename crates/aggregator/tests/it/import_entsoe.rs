//! Documents of ENTSO-E's platform: every interval of price documents, all others refused by name.

use std::path::PathBuf;

use expect_test::expect;
use gridtally_aggregator::import::entsoe::Prices;
use gridtally_aggregator::import::{Format, Imported, Kind, Limits, file, kind_of};
use gridtally_core::period::Period;
use gridtally_core::quantity::Price;
use gridtally_core::rejection::Reason;
use gridtally_core::tariff::SpotPrices;
use jiff::Timestamp;

use crate::import_data::{context, data};

fn sample(name: &str) -> Option<PathBuf> {
    data(&format!("format_fixtures/entsoe/{name}"))
}

fn prices(name: &str) -> Option<Prices> {
    match file(&sample(name)?, &Format::Entsoe, &context(name, "Europe/Brussels")) {
        Ok(Imported::Entsoe(prices)) => Some(prices),
        other => panic!("{name}: {other:?}"),
    }
}

/// Each column: product, first instant, values, missing intervals, first and last price.
fn columns(prices: &Prices) -> String {
    let columns = prices.report.columns.iter().zip(prices.columns.values());
    let lines = columns.map(|(report, column)| {
        let price = |row: Option<&(i64, i64)>| row.map_or(0, |&(_, price)| price);
        format!(
            "{} from {} {} values, {} missing, {} to {} micro{}/kWh\n",
            report.name,
            report.from.map(|from| from.to_string()).unwrap_or_default(),
            report.value_count,
            report.missing_count,
            price(column.rows().first()),
            price(column.rows().last()),
            prices.currency,
        )
    });
    let rest = prices.report.notes.iter().map(|note| format!("{note}\n"));
    let refused = prices.report.rejections.iter().map(|rejection| format!("{rejection}\n"));
    lines.chain(rest).chain(refused).collect()
}

#[test]
fn price_documents_give_every_interval_of_their_periods() {
    if data("format_fixtures/entsoe").is_none() {
        return;
    }
    let all: String = [
        "ES_day_ahead_price.xml",
        "FR_prices.xml",
        "day_ahead_BE_15M_avg.xml",
        "day_ahead_BE_15M_exact4.xml",
        "day_ahead_BE_60M.xml",
        "day_ahead_BE_60M_15M_mix.xml",
        "day_ahead_DE_60M_15M_overlap.xml",
        "publication.a03curvetype.xml",
    ]
    .iter()
    .map(|name| format!("{name}\n{}", columns(&prices(name).unwrap())))
    .collect();
    expect![[r#"
        ES_day_ahead_price.xml
        10YES-REE------0 auction 1 PT15M from 2025-09-30T22:00:00Z 192 values, 0 missing, 105100 to 103270 microEUR/kWh
        10YES-REE------0 auction 1 PT60M from 2025-09-28T22:00:00Z 48 values, 0 missing, 51600 to 101500 microEUR/kWh
        FR_prices.xml
        10YFR-RTE------C auction 1 PT60M from 2023-05-06T22:00:00Z 48 values, 0 missing, 106780 to 104040 microEUR/kWh
        day_ahead_BE_15M_avg.xml
        10YBE----------2 auction 1 PT15M from 2024-10-05T22:00:00Z 20 values, 0 missing, 55350 to 28370 microEUR/kWh
        10YBE----------2 auction 1 PT60M from 2024-10-06T03:00:00Z 2 values, 0 missing, 64980 to 64980 microEUR/kWh
        day_ahead_BE_15M_avg.xml:67: position "3": the position lies outside its period: the period has 2 intervals [position-outside]; check start, end and resolution of the period
        day_ahead_BE_15M_exact4.xml
        10YBE----------2 auction 1 PT15M from 2024-10-05T22:00:00Z 4 values, 0 missing, 55350 to 31860 microEUR/kWh
        day_ahead_BE_60M.xml
        10YBE----------2 auction 1 PT60M from 2024-10-07T22:00:00Z 24 values, 0 missing, 64980 to 50000 microEUR/kWh
        day_ahead_BE_60M_15M_mix.xml
        10YBE----------2 auction 1 PT15M from 2024-10-05T22:00:00Z 192 values, 0 missing, 55350 to 77180 microEUR/kWh
        10YBE----------2 auction 1 PT60M from 2024-10-07T22:00:00Z 24 values, 0 missing, 64980 to 50000 microEUR/kWh
        day_ahead_DE_60M_15M_overlap.xml
        10Y1001A1001A82H auction 1 PT60M from 2024-10-05T22:00:00Z 48 values, 0 missing, 67040 to 79120 microEUR/kWh
        10Y1001A1001A82H auction 2 PT15M from 2024-10-05T22:00:00Z 192 values, 0 missing, 98100 to 70390 microEUR/kWh
        publication.a03curvetype.xml
        10YSK-SEPS-----K_10YCZ-CEPS-----N auction 1 PT60M from 2024-01-01T00:00:00Z 6 values, 0 missing, 50000 to 60000 microEUR/kWh
        price_Measure_Unit.name repeats the currency EUR, read as per MWh
    "#]].assert_eq(&all);
}

#[test]
fn omitted_points_have_the_price_before_them() {
    let Some(prices) = prices("publication.a03curvetype.xml") else { return };
    let (area, column) = prices.of_auction(1).next().unwrap();
    assert_eq!(area.as_str(), "10YSK-SEPS-----K_10YCZ-CEPS-----N");
    let values: Vec<i64> = column.rows().iter().map(|&(_, price)| price).collect();
    assert_eq!(values, [50_000, 50_000, 55_000, 55_000, 55_000, 60_000]);
}

#[test]
fn points_in_any_order_are_read_by_position() {
    let Some(prices) = prices("day_ahead_BE_15M_avg.xml") else { return };
    let values: Vec<Vec<i64>> = prices
        .of_auction(1)
        .map(|(_, column)| column.rows().iter().map(|&(_, price)| price).collect())
        .collect();
    let quarters =
        [vec![55_350, 40_320, 31_860, 28_710], vec![44_220; 6], vec![28_370; 10]].concat();
    assert_eq!(values, [quarters, vec![64_980; 2]]);
}

#[test]
fn an_hour_costs_the_mean_of_its_quarters() {
    let Some(prices) = prices("day_ahead_BE_15M_avg.xml") else { return };
    let mut spot = SpotPrices::new();
    for (area, column) in prices.of_auction(1) {
        for &(start_s, price) in column.rows() {
            let start = Timestamp::from_second(start_s).unwrap();
            let period = Period::new(start, column.resolution()).unwrap();
            spot.insert(area, period, Price::from_micro_per_kwh(i32::try_from(price).unwrap()));
        }
    }
    let area = spot.areas().next().unwrap();
    let hour = |text: &str| spot.price(area, text.parse().unwrap()).map(Price::micro_per_kwh);
    // 55.35, 40.32, 31.86 and 28.71 EUR/MWh.
    assert_eq!(hour("2024-10-05T22:00:00Z/PT60M"), Some(39_060));
    assert_eq!(hour("2024-10-06T04:00:00Z/PT60M"), Some(64_980));
    assert_eq!(hour("2024-10-06T05:00:00Z/PT60M"), None);
}

#[test]
fn the_two_german_auctions_of_a_day_are_not_merged() {
    let Some(prices) = prices("day_ahead_DE_60M_15M_overlap.xml") else { return };
    let lengths = |auction| -> Vec<(String, usize)> {
        let columns = prices.of_auction(auction);
        columns.map(|(_, column)| (column.resolution().to_string(), column.len())).collect()
    };
    assert_eq!(lengths(1), [("PT60M".to_owned(), 48)]);
    assert_eq!(lengths(2), [("PT15M".to_owned(), 192)]);
    assert!(lengths(3).is_empty());
}

#[test]
fn other_documents_are_refused_by_name() {
    if data("format_fixtures/entsoe").is_none() {
        return;
    }
    let refusals: String = [
        "DK-DK1_consumption.xml",
        "DK-DK2_consumption_forecast.xml",
        "SE-SE3_generation_forecast.xml",
        "acknowledgement.invalidrequest.xml",
        "balancing.xml",
        "gl.load.singlepoint.xml",
        "invalid.xml",
    ]
    .iter()
    .map(|name| {
        let imported = file(&sample(name).unwrap(), &Format::Entsoe, &context(name, "UTC"));
        let refused = imported.unwrap_err();
        assert_eq!((refused.count, refused.rejections[0].reason), (1, Reason::DocumentKind));
        format!("{refused}\n")
    })
    .collect();
    expect![[r#"
        DK-DK1_consumption.xml:2: "GL_MarketDocument": this kind of document is not imported: load, realised (type A65) [document-kind]; give a Publication_MarketDocument of type A44
        DK-DK2_consumption_forecast.xml:2: "GL_MarketDocument": this kind of document is not imported: load, day ahead (type A65) [document-kind]; give a Publication_MarketDocument of type A44
        SE-SE3_generation_forecast.xml:2: "GL_MarketDocument": this kind of document is not imported: generation forecast, day ahead (type A71) [document-kind]; give a Publication_MarketDocument of type A44
        acknowledgement.invalidrequest.xml:2: "Acknowledgement_MarketDocument": this kind of document is not imported: an answer without data, reason 999: No matching data found [document-kind]; give a Publication_MarketDocument of type A44
        balancing.xml:1: "Balancing_MarketDocument": this kind of document is not imported: balancing (type A86) [document-kind]; give a Publication_MarketDocument of type A44
        gl.load.singlepoint.xml:2: "GL_MarketDocument": this kind of document is not imported: load, realised (type A65) [document-kind]; give a Publication_MarketDocument of type A44
        invalid.xml:2: "Unknown_MarketDocument": this kind of document is not imported: not a document that gridtally knows [document-kind]; give a Publication_MarketDocument of type A44
    "#]].assert_eq(&refusals);
}

#[test]
fn attacks_by_external_entities_are_refused() {
    let Some(folder) = data("format_fixtures/uftp/v3") else { return };
    let mut found = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().to_lowercase();
        if name.contains("xxe") {
            let refused = file(&path, &Format::Entsoe, &context(&name, "UTC")).unwrap_err();
            assert_eq!(refused.rejections[0].reason, Reason::DocumentUnsafe, "{refused}");
            found += 1;
        }
    }
    assert_eq!(found, 2);
}

#[test]
fn a_document_is_told_from_a_table() {
    let Some(document) = sample("FR_prices.xml") else { return };
    assert_eq!(kind_of(&document, Limits::default()), Ok(Kind::Document));
    let table = data("households_fontana/home_01.csv.gz").unwrap();
    assert_eq!(kind_of(&table, Limits::default()), Ok(Kind::Table));
    let refused = file(&table, &Format::Entsoe, &context("home_01.csv.gz", "UTC")).unwrap_err();
    assert_eq!(refused.rejections[0].reason, Reason::DocumentKind);
    let missing = kind_of(&document.with_extension("none"), Limits::default()).unwrap_err();
    assert_eq!(missing.rejections[0].reason, Reason::FileUnreadable);
}
