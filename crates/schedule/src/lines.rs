//! Forms that people write: TOML whose mistakes are named by field and line.

use std::ops::Range;

use serde::de::DeserializeOwned;
use serde_path_to_error::{Path, Segment};
use toml::Spanned;
use toml::de::{DeTable, DeValue, Error, ValueDeserializer};

use crate::refusal::{ProblemReason, ProblemRefused};

/// Reads a form. What an element of the `tagged` arrays is, its `kind` says; its other fields are read as that variant of an enum, so that
/// a mistake is found where it stands and not at the first element.
///
/// # Errors
///
/// Returns the field that is not as the form asks, with its line.
pub(crate) fn read<T: DeserializeOwned>(text: &str, tagged: &[&str]) -> Result<T, ProblemRefused> {
    let refuse = |path: &str, error: &Error| {
        let line = error.span().map(|span| line_of(text, &span));
        let (path, message) = unknown_field(path, error.message())
            .unwrap_or_else(|| (path.to_owned(), error.message().to_owned()));
        ProblemRefused { line, ..ProblemRefused::new(path, ProblemReason::Malformed { message }) }
    };
    let mut root = DeTable::parse(text).map_err(|error| refuse(".", &error))?;
    for &name in tagged {
        let found = root.get_mut().get_mut(name).map(Spanned::get_mut);
        let Some(DeValue::Array(elements)) = found else { continue };
        for (i, element) in elements.iter_mut().enumerate() {
            tag(element).map_err(|(message, at)| {
                let reason = ProblemReason::Malformed { message: message.to_owned() };
                let refused = ProblemRefused::new(format_args!("{name}[{i}].kind"), reason);
                ProblemRefused { line: Some(line_of(text, &at)), ..refused }
            })?;
        }
    }
    let span = root.span();
    let root = Spanned::new(span, DeValue::Table(root.into_inner()));
    serde_path_to_error::deserialize(ValueDeserializer::from(root))
        .map_err(|error| refuse(&shown(error.path()), error.inner()))
}

/// Says of a field that a variant of an enum does not have what is said of one that a struct does not have.
fn unknown_field(path: &str, message: &str) -> Option<(String, String)> {
    let rest = message.strip_prefix("unexpected keys in table: ")?;
    let (unknown, known) = rest.split_once(", available keys: ")?;
    let unknown = unknown.split(", ").next()?;
    let known: Vec<String> = known.split(", ").map(|name| format!("`{name}`")).collect();
    let message = format!("unknown field `{unknown}`, expected one of {}", known.join(", "));
    Some((format!("{path}.{unknown}"), message))
}

/// Makes `{ variant = { fields } }` of `{ kind = variant, fields }`.
fn tag(element: &mut Spanned<DeValue<'_>>) -> Result<(), (&'static str, Range<usize>)> {
    let span = element.span();
    let DeValue::Table(fields) = element.get_mut() else { return Ok(()) };
    let kind = fields.remove("kind").ok_or(("missing field `kind`", span.clone()))?;
    let at = kind.span();
    let DeValue::String(kind) = kind.into_inner() else {
        return Err(("a kind is a word in quotation marks", at));
    };
    let fields = DeValue::Table(std::mem::take(fields));
    let mut variant = DeTable::new();
    variant.insert(Spanned::new(at, kind), Spanned::new(span, fields));
    *element.get_mut() = DeValue::Table(variant);
    Ok(())
}

/// A path without the variants, which the form does not show.
fn shown(path: &Path) -> String {
    let mut text = String::new();
    for segment in path {
        match segment {
            Segment::Seq { index } => text.push_str(&format!("[{index}]")),
            Segment::Map { key } if text.is_empty() => text.push_str(key),
            Segment::Map { key } => text.push_str(&format!(".{key}")),
            Segment::Enum { .. } | Segment::Unknown => {}
        }
    }
    if text.is_empty() { ".".to_owned() } else { text }
}

/// Returns the refusal with the line of its field, or of the innermost table around it that is written down.
pub(crate) fn with_line(text: &str, refused: ProblemRefused) -> ProblemRefused {
    let line = refused.line.or_else(|| line_of_path(text, &refused.path));
    ProblemRefused { line, ..refused }
}

fn line_of_path(text: &str, path: &str) -> Option<usize> {
    let root = DeTable::parse(text).ok()?;
    let mut table = root.get_ref();
    let mut at = None;
    for part in path.split('.') {
        let (name, index) = part.split_once('[').unwrap_or((part, ""));
        let Some((key, mut value)) = table.iter().find(|(key, _)| key.get_ref() == name) else {
            break;
        };
        at = Some(key.span());
        let index = index.trim_end_matches(']').parse::<usize>().ok();
        let element = value.get_ref().as_array().zip(index).and_then(|(all, i)| all.get(i));
        if let Some(element) = element {
            value = element;
            at = Some(element.span());
        }
        let Some(inner) = value.get_ref().as_table() else { break };
        table = inner;
    }
    at.map(|at| line_of(text, &at))
}

/// The line of a place, from 1.
fn line_of(text: &str, at: &Range<usize>) -> usize {
    let before = text.as_bytes().get(..at.start).unwrap_or_default();
    before.iter().filter(|byte| **byte == b'\n').count() + 1
}
