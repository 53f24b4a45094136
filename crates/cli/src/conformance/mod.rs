//! Vector and oracle documents: every answer recomputed from the inputs, then compared with the one in the document.

mod input;
mod vectors;

use serde::Serialize;
use serde_json::Value;
use thiserror::Error;

/// How many failures are listed; all are counted.
const FAILURES_LISTED: usize = 100;

/// What came out.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// The kind of document.
    pub(crate) kind: &'static str,
    /// Answers that were recomputed and compared.
    pub(crate) checks: usize,
    /// The first answers that differ, at most 100.
    pub(crate) failed: Vec<Failure>,
    /// How many differ.
    pub(crate) failed_count: usize,
    /// Parts of the document that this version does not recompute.
    pub(crate) not_checked: Vec<String>,
}

/// An answer in the document that is not what its inputs give.
#[derive(Debug, Serialize)]
pub(crate) struct Failure {
    /// Where it stands, as a JSON pointer (RFC 6901).
    pub(crate) at: String,
    /// What the document says; nothing where it says nothing.
    pub(crate) document: Option<Value>,
    /// What the inputs give.
    pub(crate) computed: Value,
}

/// Why a document cannot be checked, in order of precedence.
#[derive(Debug, Error)]
pub(crate) enum Refused {
    /// No kind of document has these keys.
    #[error("this is no vector or oracle document that is known: its keys are {0:?}")]
    UnknownKind(Vec<String>),
    /// An input is missing or not what it must be.
    #[error("{at}: expected {expected}")]
    Input {
        /// Where, as a JSON pointer.
        at: String,
        /// What should stand there.
        expected: String,
    },
}

/// A value that the inputs give, and where the document has its own.
struct Answer {
    at: String,
    computed: Value,
}

/// Recomputes every answer of a document and compares.
///
/// # Errors
///
/// Returns [`Refused`], in its order; inputs in the order of the document's parts.
pub(crate) fn check(document: &Value) -> Result<Report, Refused> {
    let keys = document.as_object().map(|object| object.keys().cloned().collect::<Vec<_>>());
    let keys = keys.unwrap_or_default();
    if !vectors::is_document(document) {
        return Err(Refused::UnknownKind(keys.into_iter().take(10).collect()));
    }
    let answers = vectors::answers(document)?;
    let not_checked =
        keys.into_iter().filter(|key| !vectors::COVERED.contains(&key.as_str())).collect();
    Ok(compare(vectors::KIND, document, answers, not_checked))
}

fn compare(
    kind: &'static str,
    document: &Value,
    answers: Vec<Answer>,
    not_checked: Vec<String>,
) -> Report {
    let checks = answers.len();
    let failures = answers.into_iter().filter_map(|Answer { at, computed }| {
        let stated = document.pointer(&at);
        let is_same = stated.is_some_and(|stated| normalized(stated) == normalized(&computed));
        (!is_same).then(|| Failure { at, document: stated.cloned(), computed })
    });
    let mut failed: Vec<Failure> = failures.collect();
    let failed_count = failed.len();
    failed.truncate(FAILURES_LISTED);
    Report { kind, checks, failed, failed_count, not_checked }
}

/// Hexadecimal letters may be large or small; everything else is compared as it stands.
fn normalized(value: &Value) -> Value {
    match value {
        Value::String(text) if text.starts_with("0x") => Value::String(text.to_ascii_lowercase()),
        Value::Array(values) => values.iter().map(normalized).collect(),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn vectors() -> Value {
        serde_json::from_str(include_str!("../../../../fixtures/vectors/settlement-a.json"))
            .unwrap()
    }

    #[test]
    fn the_vectors_agree_and_say_what_was_not_checked() {
        let report = check(&vectors()).unwrap();
        assert_eq!(report.failed_count, 0, "{:#?}", report.failed);
        assert!(report.checks > 100, "{}", report.checks);
        assert!(report.not_checked.contains(&"batches".to_owned()));
        assert!(!report.not_checked.contains(&"trees".to_owned()));
    }

    /// Each answer of the document, changed, is found at its place.
    #[test]
    fn every_changed_answer_is_found() {
        let original = vectors();
        let answers = vectors::answers(&original).unwrap();
        for (position, answer) in answers.iter().enumerate().step_by(7) {
            let mut changed = original.clone();
            *changed.pointer_mut(&answer.at).unwrap() = json!("0xdead");
            match check(&changed) {
                Ok(report) => assert!(report.failed_count > 0, "{position} {}", answer.at),
                Err(Refused::Input { .. }) => {} // an answer that is the input of another one
                Err(refused) => panic!("{refused}"),
            }
        }
    }

    #[test]
    fn what_is_no_document_is_refused() {
        for document in [json!(null), json!([]), json!({}), json!({ "codec": 1 }), json!("codec")] {
            assert!(matches!(check(&document), Err(Refused::UnknownKind(_))), "{document}");
        }
    }

    #[test]
    fn a_broken_input_is_named() {
        let mut document = vectors();
        document["codec"][3]["slot"] = json!(1024);
        let refused = check(&document).unwrap_err();
        assert_eq!(refused.to_string(), "/codec/3/slot: expected an integer from 0 to 1023");
    }
}
