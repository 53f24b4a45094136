//! `gridtally conformance`.

use std::io::Write;

use expect_test::expect;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use crate::run::Terminal;

const VECTORS: &str = include_str!("../../../../fixtures/vectors/settlement-a.json");

#[test]
fn the_settlement_vectors_agree_plain_and_packed() {
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(VECTORS.as_bytes()).unwrap();
    let terminal = Terminal::new()
        .file("vectors.json", VECTORS)
        .file("vectors.json.gz", packed.finish().unwrap());
    for file in ["vectors.json", "vectors.json.gz"] {
        let output = terminal.output(&format!("conformance {file}"));
        assert_eq!(output.status.code(), Some(0), "{file}");
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert!(report["checks"].as_u64().unwrap() > 100);
        assert_eq!(report["failed"], json!([]));
    }
}

#[test]
fn a_changed_answer_is_found() {
    let mut document: Value = serde_json::from_str(VECTORS).unwrap();
    document["codec"][0]["record"] = json!("0x00000000000000000000");
    let terminal = Terminal::new().file("changed.json", document.to_string());
    let output = terminal.output("conformance changed.json");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["failed"][0]["at"], json!("/codec/0/record"));
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn what_is_no_document_is_refused() {
    let terminal = Terminal::new()
        .file("empty.json", "")
        .file("other.json", "{\"a\": 1, \"b\": 2}")
        .file("cut.gz", [0x1f, 0x8b, 8]);
    terminal.check("conformance nowhere.json", &expect![[""]]);
    terminal.check("conformance empty.json", &expect![[""]]);
    terminal.check("conformance other.json", &expect![[""]]);
    terminal.check("conformance cut.gz", &expect![[""]]);
}
