//! `gridtally bench`, with little work: that it measures, not how fast this machine is.

use serde_json::Value;

use crate::run::Terminal;

#[test]
fn readings_stream_to_records_in_little_memory() {
    let output = Terminal::new()
        .output("bench settlement --rounds 1 --size-percent 1 --without-anvil --output json");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let value = |unit: &str| {
        let all = report["measurements"].as_array().unwrap().iter();
        let of_unit = all.filter(|measurement| measurement["unit"] == unit);
        of_unit.map(|measurement| measurement["value"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    let rates = value("records/s");
    assert_eq!(rates.len(), 2);
    assert!(rates.iter().all(|&rate| rate > 0), "{rates:?}");
    // A million readings take 24 MB as rows.
    assert!((1..1_000).contains(&value("MiB")[0]), "{report}");
    assert_eq!(report["size_percent"], 1);
}

#[test]
fn rows_are_imported_beside_the_csv_crate() {
    let output = Terminal::new().output("bench import --rounds 1 --size-percent 1 --output json");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let measurement = &report["measurements"][0];
    assert_eq!(measurement["unit"], "rows/s");
    assert!(measurement["value"].as_u64().unwrap() > 0, "{report}");
    assert!(measurement["reference"]["value"].as_u64().unwrap() > 0, "{report}");
}

#[test]
fn a_grown_chain_starts() {
    let output = Terminal::new().output("bench start --rounds 1 --size-percent 1 --output json");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let measurements = report["measurements"].as_array().unwrap();
    assert_eq!(measurements.len(), 6, "{report}");
    let sealed_per_s = &measurements[0];
    assert!(sealed_per_s["value"].as_u64().unwrap() > 0, "{report}");
}

#[test]
fn batches_are_stored_beside_postgresql() {
    let output = Terminal::new().output("bench postgres --rounds 1 --size-percent 1 --output json");
    let messages = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{messages}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let measurements = report["measurements"].as_array().unwrap();
    if let Some(why) = messages.lines().find(|line| line.contains("left out")) {
        eprintln!("{why}");
        assert!(measurements.is_empty(), "{report}");
        return;
    }
    // The balances of both sides were compared on the way.
    let shown: Vec<_> =
        measurements.iter().map(|measured| measured["what"].as_str().unwrap()).collect();
    assert_eq!(
        shown,
        [
            "73,728 records stored, with both trees",
            "73,728 records stored, with trees and KZG commitments",
            "73,728 records stored, with trees, commitments and cell proofs",
            "147,456 records stored, with both trees",
            "147,456 records stored, with trees and KZG commitments",
        ]
    );
    for measured in measurements {
        assert_eq!(measured["reference"]["name"], "PostgreSQL");
        assert!(measured["value"].as_u64().unwrap() > 0, "{report}");
        assert!(measured["reference"]["value"].as_u64().unwrap() > 0, "{report}");
    }
}

#[test]
fn households_and_fleets_are_planned() {
    let output = Terminal::new().output("bench plans --rounds 1 --size-percent 1 --output json");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let measurements = report["measurements"].as_array().unwrap();
    // Two households, many in bulk, cars in memory; time and memory of five fleets.
    assert_eq!(measurements.len(), 14, "{report}");
    assert!(
        measurements.iter().all(|measurement| measurement["value"].as_u64() > Some(0)),
        "{report}"
    );
}
