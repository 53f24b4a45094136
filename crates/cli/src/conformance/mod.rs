//! Vector and oracle documents: every answer recomputed from the inputs, then compared with the one in the document.

mod document;
mod input;
mod oracles;
mod vectors;

use serde::Serialize;
use serde_json::{Value, json};
use thiserror::Error;

use self::document::quoted;

/// How many failures are listed, and how many parts that are not checked.
const LISTED_MAX: usize = 100;
/// The longest answer of a document that is shown, as JSON.
const SHOWN_BYTES_MAX: usize = 16 << 10;

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
    /// It is not JSON, or JSON that can be read in two ways.
    #[error("the document is not strict JSON")]
    NotJson(#[from] serde_json::Error),
    /// Its schema is none of ours.
    #[error("documents of schema {0:?} are not checked by this version")]
    UnknownSchema(String),
    /// No kind of document has these keys.
    #[error("this is no vector or oracle document that is known: its keys are {0:?}")]
    UnknownKind(Vec<String>),
    /// The problem of an oracle is refused.
    #[error(transparent)]
    Problem(#[from] gridtally_schedule::ProblemRefused),
    /// An input is missing or not what it must be.
    #[error("{}: expected {expected}", if at.is_empty() { "the document" } else { at })]
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

/// Reads a document, recomputes every answer from its inputs, and compares. At least one answer is compared.
///
/// # Errors
///
/// Returns [`Refused`], in its order; inputs in the order of the document's parts.
pub(crate) fn check(content: &[u8]) -> Result<Report, Refused> {
    let document = document::read(content)?;
    if let Some(report) =
        str::from_utf8(content).ok().and_then(|text| oracles::check(&document, text))
    {
        return report;
    }
    let keys = document.as_object().into_iter().flat_map(|object| object.keys());
    if !is_vectors(&document)? {
        return Err(Refused::UnknownKind(keys.take(10).map(|key| quoted(key)).collect()));
    }
    let answers = vectors::answers(&document)?;
    let others = keys.filter(|key| !vectors::COVERED.contains(&key.as_str()));
    let not_checked = others.take(LISTED_MAX).map(|key| quoted(key)).collect();
    Ok(compare(vectors::KIND, &document, answers, not_checked))
}

/// The schema decides where the document names one, else the keys.
fn is_vectors(document: &Value) -> Result<bool, Refused> {
    match document.get("schema") {
        None => Ok(vectors::is_document(document)),
        Some(Value::String(schema)) if schema == vectors::SCHEMA => Ok(true),
        Some(Value::String(schema)) => Err(Refused::UnknownSchema(quoted(schema))),
        Some(_) => Err(Refused::Input { at: "/schema".into(), expected: "a text".into() }),
    }
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
        (!is_same).then(|| Failure { at, document: stated.map(shown), computed })
    });
    let mut failed: Vec<Failure> = failures.collect();
    let failed_count = failed.len();
    failed.truncate(LISTED_MAX);
    Report { kind, checks, failed, failed_count, not_checked }
}

/// A wrong answer may be of any size.
fn shown(stated: &Value) -> Value {
    let bytes = stated.to_string().len();
    if bytes > SHOWN_BYTES_MAX { json!(format!("{bytes} bytes of JSON")) } else { stated.clone() }
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
mod tests;
