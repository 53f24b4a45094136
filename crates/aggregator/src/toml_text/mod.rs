//! TOML that people write: where a fault stands, and what it is in their words.

mod words;

use std::ops::Range;

use gridtally_core::id::IdError;
use serde::de::DeserializeOwned;
use toml::de::{DeTable, DeValue};

pub use words::syntax_in_words;
use words::value_in_words;

/// Lists and tables inside each other that are looked into.
const DEPTH_MAX: usize = 32;

/// What is wrong with a TOML text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TomlFault {
    /// Where it stands, where that can be said.
    pub place: TomlPlace,
    /// What is wrong, as people say it.
    pub detail: String,
    /// What kind of fault it is.
    pub kind: TomlFaultKind,
}

/// What kind of fault a TOML text has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TomlFaultKind {
    /// It is no TOML.
    Syntax,
    /// An identifier is none.
    Id(IdError),
    /// It says something else than it should.
    Value,
}

/// Why a text is no value of its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TextFault {
    /// It is no identifier.
    Id(IdError),
    /// It is something else that the key does not take, as reading it says.
    Value(String),
}

impl TextFault {
    /// Whether reading the text says this message.
    fn says(&self, message: &str) -> bool {
        match self {
            Self::Id(error) => error.to_string() == message,
            Self::Value(said) => said == message,
        }
    }
}

/// Where something stands in a TOML text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TomlPlace {
    /// The line, from 1.
    pub line: Option<u64>,
    /// The key with those of the tables around it, such as `party.id`; places in lists are left out.
    pub key: Option<String>,
    /// The value as written, a text without its quotes; of a text that is no TOML, the line.
    pub value: String,
}

/// A step from a table or list to what is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step<'a> {
    /// To the value of a key.
    Key(&'a str),
    /// To the entry of a list at this place, from 0.
    Entry(usize),
}

/// Reads a TOML text.
///
/// `check` says of a key and a text why the text is no value of the key, where it knows.
///
/// # Errors
///
/// [`TomlFault`], the first of the text.
pub fn read<T: DeserializeOwned>(
    text: &str,
    check: impl Fn(&str, &str) -> Option<TextFault>,
) -> Result<T, TomlFault> {
    let table = match DeTable::parse(text) {
        Ok(table) => table,
        Err(error) => {
            let at = error.span().map_or(text.len(), |span| span.start);
            let line = line_at(text, at);
            let value = text.lines().nth(line - 1).unwrap_or_default().trim().to_owned();
            let detail = if value.ends_with('=') {
                "there is no value after =".to_owned()
            } else {
                syntax_in_words(error.message())
            };
            let place = TomlPlace { line: Some(line as u64), key: None, value };
            return Err(TomlFault { place, detail, kind: TomlFaultKind::Syntax });
        }
    };
    toml::from_str(text).map_err(|error| {
        let leaves = Leaves::of(table.get_ref());
        let span = error.span().filter(|span| span.end < text.len() || span.start > 0);
        let message = error.message();
        let missing = message.strip_prefix("missing field `");
        let missing = missing.and_then(|rest| rest.split_once('`')).map(|(key, _)| key);
        let leaf = span.as_ref().filter(|_| missing.is_none());
        let leaf = leaf.and_then(|span| leaves.meant(span, message, &check));
        let place = match (leaf, span) {
            (Some(leaf), _) => leaf.place(text),
            (None, span) => {
                let table = span.as_ref().and_then(|span| leaves.table_at(span));
                let names = [table.as_deref(), missing].map(Option::unwrap_or_default);
                let key = names.join(".").trim_matches('.').to_owned();
                TomlPlace {
                    line: span.map(|span| line_at(text, span.start) as u64),
                    key: Some(key).filter(|key| !key.is_empty()),
                    value: String::new(),
                }
            }
        };
        let kind = match leaf.and_then(|leaf| check(&leaf.key, leaf.text?)) {
            Some(TextFault::Id(error)) => TomlFaultKind::Id(error),
            Some(TextFault::Value(_)) | None => TomlFaultKind::Value,
        };
        TomlFault { detail: value_in_words(message, &place.value), place, kind }
    })
}

/// Returns whether a TOML text has no key at all.
#[must_use]
pub fn is_empty(text: &str) -> bool {
    DeTable::parse(text).is_ok_and(|table| table.get_ref().is_empty())
}

/// Returns where the value stands that a path leads to, or nothing where there is none.
#[must_use]
pub fn place_of(text: &str, path: &[Step<'_>]) -> Option<TomlPlace> {
    let table = DeTable::parse(text).ok()?;
    let (first, rest) = path.split_first()?;
    let Step::Key(name) = first else { return None };
    let (key, mut value) = table.get_ref().iter().find(|(key, _)| key.get_ref() == name)?;
    let (mut names, mut at) = ((*name).to_owned(), key.span());
    for step in rest {
        (at, value) = match (step, value.get_ref()) {
            (Step::Key(name), DeValue::Table(table)) => {
                let (key, value) = table.iter().find(|(key, _)| key.get_ref() == name)?;
                names = format!("{names}.{name}");
                (key.span(), value)
            }
            (Step::Entry(place), DeValue::Array(list)) => {
                let value = list.get(*place)?;
                (value.span(), value)
            }
            _ => return None,
        };
    }
    let line = Some(line_at(text, at.start) as u64);
    Some(TomlPlace { line, key: Some(names), value: shown(text, value.get_ref(), value.span()) })
}

/// Returns where a text stands as the value of a key, such as `participants.homes`, or in the list that is its value.
#[must_use]
pub fn place_of_value(text: &str, key: &str, value: &str) -> Option<TomlPlace> {
    let table = DeTable::parse(text).ok()?;
    let leaves = Leaves::of(table.get_ref());
    let is_it =
        |leaf: &&Leaf<'_>| leaf.key == key && shown(text, leaf.value, leaf.span.clone()) == value;
    leaves.0.iter().find(is_it).map(|leaf| leaf.place(text))
}

/// A value that is neither table nor list.
struct Leaf<'t> {
    /// With those of the tables around it.
    key: String,
    key_span: Range<usize>,
    value: &'t DeValue<'t>,
    /// Of the value.
    span: Range<usize>,
    /// The value where it is a text.
    text: Option<&'t str>,
    /// The tables and lists around it, from the outside.
    around: Vec<Around>,
}

/// A table or list.
#[derive(Clone)]
struct Around {
    key: String,
    key_span: Range<usize>,
    span: Range<usize>,
}

impl Leaf<'_> {
    fn place(&self, text: &str) -> TomlPlace {
        TomlPlace {
            line: Some(line_at(text, self.span.start) as u64),
            key: Some(self.key.clone()),
            value: shown(text, self.value, self.span.clone()),
        }
    }
}

/// All values of a text that are neither tables nor lists.
struct Leaves<'t>(Vec<Leaf<'t>>);

impl<'t> Leaves<'t> {
    fn of(table: &'t DeTable<'t>) -> Self {
        let mut leaves = Self(Vec::new());
        leaves.add_table(table, "", &[]);
        leaves
    }

    fn add_table(&mut self, table: &'t DeTable<'t>, name: &str, around: &[Around]) {
        for (key, value) in table {
            let dot = if name.is_empty() { "" } else { "." };
            let name = format!("{name}{dot}{}", key.get_ref());
            self.add(&name, key.span(), value.get_ref(), value.span(), around);
        }
    }

    fn add(
        &mut self,
        name: &str,
        key_span: Range<usize>,
        value: &'t DeValue<'t>,
        span: Range<usize>,
        around: &[Around],
    ) {
        if around.len() == DEPTH_MAX {
            return;
        }
        let inside = || {
            let mut inside = around.to_vec();
            inside.push(Around {
                key: name.to_owned(),
                key_span: key_span.clone(),
                span: span.clone(),
            });
            inside
        };
        match value {
            DeValue::Table(table) => self.add_table(table, name, &inside()),
            DeValue::Array(list) => {
                let inside = inside();
                for entry in list {
                    self.add(name, key_span.clone(), entry.get_ref(), entry.span(), &inside);
                }
            }
            DeValue::String(text) => {
                let (key, text) = (name.to_owned(), Some(text.as_ref()));
                self.0.push(Leaf { key, key_span, value, span, text, around: around.to_vec() });
            }
            _ => {
                let key = name.to_owned();
                self.0.push(Leaf {
                    key,
                    key_span,
                    value,
                    span,
                    text: None,
                    around: around.to_vec(),
                });
            }
        }
    }

    /// Returns the value that an error means: the one at its span; or, where the error names a table, the one in it that
    /// the message quotes or whose text is no value of its key.
    fn meant(
        &self,
        span: &Range<usize>,
        message: &str,
        check: impl Fn(&str, &str) -> Option<TextFault>,
    ) -> Option<&Leaf<'t>> {
        let is_at = |outer: &Range<usize>| outer.start <= span.start && span.end <= outer.end;
        let here = self.0.iter().find(|leaf| is_at(&leaf.span) || is_at(&leaf.key_span));
        here.or_else(|| {
            let named = |begin| message.strip_prefix(begin)?.split_once('`').map(|(name, _)| name);
            let (unknown, variant) = (named("unknown field `"), named("unknown variant `"));
            let is_inside =
                |leaf: &&Leaf<'_>| leaf.around.iter().any(|around| around.span == *span);
            self.0.iter().filter(is_inside).find(|leaf| {
                let fault = leaf.text.and_then(|text| check(&leaf.key, text));
                fault.is_some_and(|fault| fault.says(message))
                    || variant.is_some() && leaf.text == variant
                    || leaf.key.rsplit('.').next() == unknown
                    || quoted(leaf.value).is_some_and(|quoted| message.contains(&quoted))
            })
        })
    }

    /// Returns the key of the table or list at a span.
    fn table_at(&self, span: &Range<usize>) -> Option<String> {
        let mut around = self.0.iter().flat_map(|leaf| &leaf.around);
        around
            .find(|around| around.span == *span || around.key_span == *span)
            .map(|around| around.key.clone())
    }
}

/// Returns how messages quote a value.
fn quoted(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(format!("{text:?}")),
        DeValue::Integer(number) => Some(format!("integer `{}`", number.as_str())),
        DeValue::Boolean(value) => Some(format!("boolean `{value}`")),
        DeValue::Float(number) => Some(format!("floating point `{}`", number.as_str())),
        DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => None,
    }
}

/// Returns a value as people wrote it; of a table or a list nothing.
fn shown(text: &str, value: &DeValue<'_>, span: Range<usize>) -> String {
    match value {
        DeValue::String(value) => value.to_string(),
        DeValue::Table(_) | DeValue::Array(_) => String::new(),
        _ => text.get(span).unwrap_or_default().to_owned(),
    }
}

/// Returns the line of an offset, from 1.
fn line_at(text: &str, offset: usize) -> usize {
    let before = &text.as_bytes()[..offset.min(text.len())];
    1 + before.iter().filter(|&&byte| byte == b'\n').count()
}

#[cfg(test)]
mod tests;
