use super::*;
use serde_json::json;

const VECTORS: &str = include_str!("../../../../fixtures/vectors/settlement-a.json");

fn vectors() -> Value {
    serde_json::from_str(VECTORS).unwrap()
}

fn check_value(document: &Value) -> Result<Report, Refused> {
    check(document.to_string().as_bytes())
}

#[test]
fn the_vectors_agree_in_every_part() {
    let report = check(VECTORS.as_bytes()).unwrap();
    assert_eq!(report.failed_count, 0, "{:#?}", report.failed);
    assert_eq!((report.kind, report.checks), ("settlement-vectors", 696));
    assert_eq!(report.not_checked, [""; 0]);
}

#[test]
fn each_part_is_checked_alone_and_under_its_schema() {
    let whole = vectors();
    for part in ["codec", "amounts", "trees", "tariffs"] {
        let document =
            json!({ "schema": vectors::SCHEMA, "params": whole["params"], part: whole[part] });
        let report = check_value(&document).unwrap();
        assert_eq!(report.failed_count, 0, "{part}");
        assert_eq!(report.not_checked, [""; 0]);
        assert!(report.checks > 0, "{part}");
    }
}

/// Without a single answer, the inputs give the same: no answer is an input of itself or of another one.
#[test]
fn answers_are_not_inputs() {
    let whole = vectors();
    let answers = vectors::answers(&whole).unwrap();
    let mut bare = whole.clone();
    for answer in &answers {
        *bare.pointer_mut(&answer.at).unwrap() = Value::Null;
    }
    let report = check_value(&bare).unwrap();
    assert_eq!((report.checks, report.failed_count), (answers.len(), answers.len()));
    assert_eq!(report.failed.len(), LISTED_MAX);
    for (failure, answer) in report.failed.iter().zip(&answers) {
        assert_eq!((&failure.at, &failure.computed), (&answer.at, &answer.computed));
        assert_eq!(Some(&answer.computed), whole.pointer(&answer.at));
    }
}

/// Returns answers that are wrong by little or by much.
fn wrong(answer: &Value) -> Vec<Value> {
    let mut wrong =
        vec![json!(null), json!([]), json!("0x"), json!({ "a": answer }), json!([answer])];
    match answer {
        Value::Number(number) => {
            let number = number.as_i64().unwrap();
            wrong.extend([json!(number + 1), json!(-number - 1), json!(number.to_string())]);
        }
        Value::String(text) => {
            let last = text.chars().last().unwrap();
            let other = if last == '0' { '1' } else { '0' };
            wrong.push(json!(format!("{}{other}", &text[..text.len() - 1])));
            wrong.extend([
                json!(format!("{text}0")),
                json!(format!("-{text}")),
                json!(format!(" {text}")),
            ]);
        }
        Value::Bool(flag) => wrong.push(json!(!flag)),
        Value::Array(items) => {
            if let [first, rest @ ..] = items.as_slice() {
                wrong.push(json!(rest));
                wrong.push(json!([items.clone(), vec![first.clone()]].concat()));
            }
        }
        other => panic!("no answer is {other}"),
    }
    wrong.retain(|wrong| wrong != answer);
    wrong
}

#[test]
fn every_wrong_answer_is_found_at_its_place() {
    let mut document = vectors();
    let answers = vectors::answers(&document).unwrap();
    for answer in &answers {
        for wrong in wrong(&answer.computed) {
            let right = std::mem::replace(document.pointer_mut(&answer.at).unwrap(), wrong.clone());
            let recomputed = Answer { at: answer.at.clone(), computed: answer.computed.clone() };
            let report = compare(vectors::KIND, &document, vec![recomputed], vec![]);
            let found: Vec<_> = report.failed.iter().map(|failure| failure.at.as_str()).collect();
            assert_eq!(found, [answer.at.as_str()], "{wrong}");
            *document.pointer_mut(&answer.at).unwrap() = right;
        }
    }
    assert_eq!(document, vectors());
}

#[test]
fn a_missing_answer_is_a_failure() {
    let mut document = vectors();
    document["amounts"][2].as_object_mut().unwrap().remove("amount");
    let report = check_value(&document).unwrap();
    assert_eq!(report.failed_count, 1);
    assert_eq!(
        (report.failed[0].at.as_str(), &report.failed[0].document),
        ("/amounts/2/amount", &None)
    );
}

#[test]
fn a_huge_wrong_answer_is_not_repeated() {
    let mut document = vectors();
    document["codec"][0]["record"] = json!("0".repeat(1 << 20));
    let report = check_value(&document).unwrap();
    assert_eq!(report.failed[0].document, Some(json!("1048578 bytes of JSON")));
}

/// The first reason in the order of `Refused`, and the first place in the order of the parts.
#[test]
fn what_cannot_be_checked_is_refused() {
    let check = |content: &str, message: &str| {
        assert_eq!(check(content.as_bytes()).unwrap_err().to_string(), message, "{content}");
    };
    check("", "the document is not strict JSON");
    check(r#"{"codec": [], "codec": []}"#, "the document is not strict JSON");
    let schema = "documents of schema \"gridtally-dso-1\" are not checked by this version";
    check(r#"{"schema": "gridtally-dso-1", "codec": []}"#, schema);
    check(r#"{"schema": 1}"#, "/schema: expected a text");
    for content in ["null", "[]", "{}", "7", r#""codec""#, r#"[["codec", []]]"#] {
        let message = "this is no vector or oracle document that is known: its keys are []";
        check(content, message);
    }
    check(
        r#"{"a": 1, "b": 2}"#,
        "this is no vector or oracle document that is known: its keys are [\"a\", \"b\"]",
    );
    // Nothing to check is never a success.
    check(
        r#"{"schema": "gridtally-settlement-vectors-1"}"#,
        "the document: expected codec, amounts, trees, tariffs or batches",
    );
    check(r#"{"codec": []}"#, "/codec: expected at least one item");
    check(r#"{"codec": {}}"#, "/codec: expected a list");
    check(r#"{"codec": 1, "amounts": []}"#, "/codec: expected a list");
    check(r#"{"codec": null}"#, "/codec: expected a list");
    check(r#"{"trees": [{"leaves": []}]}"#, "/trees/0/leaves: expected at least one item");
}

#[test]
fn a_broken_input_is_named() {
    let check = |at: &str, value: Value, message: &str| {
        let mut document = vectors();
        *document.pointer_mut(at).unwrap() = value;
        assert_eq!(check_value(&document).unwrap_err().to_string(), message);
    };
    check("/codec/3", json!(5), "/codec/3/participant: expected an integer of 32 bits");
    check("/codec/3/slot", json!(1024), "/codec/3/slot: expected an integer from 0 to 1023");
    check("/codec/3/slot", json!(-1), "/codec/3/slot: expected an integer from 0 to 1023");
    check("/codec/3/value", json!(1.5), "/codec/3/value: expected an integer of 32 bits");
    check("/codec/3/value", json!("5"), "/codec/3/value: expected an integer of 32 bits");
    check("/codec/3/code", json!(64), "/codec/3/code: expected an integer from 0 to 63");
    check("/amounts/0/code", json!(0), "/amounts/0/code: expected a code from 1 to 63");
    check(
        "/amounts/0/price",
        json!(1_u64 << 31),
        "/amounts/0/price: expected an integer of 32 bits",
    );
    check("/trees/0/leaves/0", json!("0x00"), "/trees/0/leaves/0: expected 32 bytes");
    check(
        "/trees/0/leaves/0",
        json!("00"),
        "/trees/0/leaves/0: expected 0x and hexadecimal digits",
    );
    check(
        "/trees/2/paths/0/index",
        json!(3),
        "/trees/2/paths/0/index: expected the index of a leaf",
    );
    check("/trees/2/paths", json!(null), "/trees/2/paths: expected a list");
    check("/params", json!({}), "/params/slotsPerPeriod: expected an integer from 1 to 1024");
    let codes = |value: Value, message: &str| check("/tariffs/0/codes", value, message);
    codes(json!([]), "/tariffs/0/codes: expected an object");
    codes(
        json!({}),
        "/tariffs/0/codes: expected a tariff table: 0 bytes are not 1 to 49152 bytes of rows of 97 bytes",
    );
    codes(json!({ "01": [] }), "/tariffs/0/codes/01: expected a code from 1 to 62 as its key");
    codes(
        json!({ "63": vec![1; 24] }),
        "/tariffs/0/codes: expected a tariff table: code 63 has no price: use 1 to 62",
    );
    codes(
        json!({ "1": [1] }),
        "/tariffs/0/codes: expected a tariff table: code 1 has 1 prices instead of 24",
    );
    let long = "k".repeat(100);
    let shown =
        format!("/tariffs/0/codes/{}...: expected a code from 1 to 62 as its key", &long[..43]);
    codes(json!({ long: [] }), &shown);
}

/// The seeds of the fuzz target, so that they run without a fuzzer too.
#[test]
fn every_seed_is_checked_or_refused() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/seeds/conformance");
    let mut outcomes = Vec::new();
    for seed in std::fs::read_dir(folder).unwrap() {
        let report = check(&std::fs::read(seed.unwrap().path()).unwrap());
        outcomes.push(report.map(|report| report.checks > 0).ok());
    }
    outcomes.sort_unstable();
    assert_eq!(outcomes, [None, Some(true), Some(true)]);
}
