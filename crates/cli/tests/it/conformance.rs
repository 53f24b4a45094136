//! `gridtally conformance`.

use std::io::{Read, Write};

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
    document["codec"][1]["record"] = json!("0x00000001040000000001");
    let terminal = Terminal::new().file("changed.json", document.to_string());
    terminal.check(
        "conformance changed.json",
        &expect![[r#"
            {
              "kind": "settlement-vectors",
              "checks": 696,
              "failed": [
                {
                  "at": "/codec/1/record",
                  "document": "0x00000001040000000001",
                  "computed": "0x00000001040000000000"
                }
              ],
              "failed_count": 1,
              "not_checked": []
            }
            -- stderr
            error: 1 of 696 answers differ
            -- exit 1
        "#]],
    );
}

#[test]
fn what_is_no_document_is_refused() {
    let twice = VECTORS.replacen("\"slot\": 0,", "\"slot\": 0, \"slot\": 0,", 1);
    let terminal = Terminal::new()
        .file("empty.json", "")
        .file("other.json", "{\"a\": 1, \"b\": 2}")
        .file("dso.json", "{\"schema\": \"gridtally-dso-1\"}")
        .file("nothing.json", "{\"codec\": []}")
        .file("twice.json", twice)
        .file("deep.json", "[".repeat(1 << 20))
        .file("cut.gz", [0x1f, 0x8b, 8]);
    terminal.check(
        "conformance nowhere.json",
        &expect![[r#"
        -- stderr
        error: cannot read nowhere.json: No such file or directory (os error 2)
        -- exit 3
    "#]],
    );
    terminal.check("conformance empty.json", &expect![[r#"
        -- stderr
        error: empty.json: the document is not strict JSON: EOF while parsing a value at line 1 column 0
        -- exit 1
    "#]]);
    terminal.check("conformance other.json", &expect![[r#"
        -- stderr
        error: other.json: this is no vector or oracle document that is known: its keys are ["a", "b"]
        -- exit 1
    "#]]);
    terminal.check(
        "conformance dso.json",
        &expect![[r#"
        -- stderr
        error: dso.json: documents of schema "gridtally-dso-1" are not checked by this version
        -- exit 1
    "#]],
    );
    terminal.check(
        "conformance nothing.json",
        &expect![[r#"
        -- stderr
        error: nothing.json: /codec: expected at least one item
        -- exit 1
    "#]],
    );
    terminal.check("conformance twice.json", &expect![[r#"
        -- stderr
        error: twice.json: the document is not strict JSON: the key "slot" stands twice at line 15 column 20
        -- exit 1
    "#]]);
    terminal.check("conformance deep.json", &expect![[r#"
        -- stderr
        error: deep.json: the document is not strict JSON: recursion limit exceeded at line 1 column 128
        -- exit 1
    "#]]);
    terminal.check(
        "conformance cut.gz",
        &expect![[r#"
        -- stderr
        error: cut.gz is a damaged gzip file: unexpected end of file
        -- exit 1
    "#]],
    );
}

/// A small file that unpacks to more than any document has.
#[test]
fn a_document_without_end_is_refused() {
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    std::io::copy(&mut std::io::repeat(b'[').take((64 << 20) + 1), &mut packed).unwrap();
    let terminal = Terminal::new().file("huge.json.gz", packed.finish().unwrap());
    terminal.check(
        "conformance huge.json.gz",
        &expect![[r#"
        -- stderr
        error: huge.json.gz has more than 67108864 bytes
        -- exit 1
    "#]],
    );
}
