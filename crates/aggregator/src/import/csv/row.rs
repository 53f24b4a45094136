//! Lines to fields, and what the header says of them.

use std::fmt;

use gridtally_core::rejection::{Reason, Rejection};

/// Splits a line without its end into fields. A field may stand in quotes; then it ends on the same line.
///
/// Doubled quotes inside a field stay doubled: no time, identifier or number has any.
pub(super) fn split<'l>(
    line: &'l str,
    separator: u8,
    fields: &mut Vec<&'l str>,
) -> Result<(), Reason> {
    fields.clear();
    if memchr::memchr(b'"', line.as_bytes()).is_none() {
        let mut start = 0;
        for (at, &byte) in line.as_bytes().iter().enumerate() {
            if byte == separator {
                fields.push(&line[start..at]);
                start = at + 1;
            }
        }
        fields.push(&line[start..]);
        return Ok(());
    }
    let mut rest = line;
    loop {
        let (field, after) = if let Some(quoted) = rest.strip_prefix('"') {
            let end = closing_quote(quoted.as_bytes()).ok_or(Reason::QuoteOpen)?;
            (&quoted[..end], &quoted[end + 1..])
        } else {
            let end = memchr::memchr(separator, rest.as_bytes()).unwrap_or(rest.len());
            rest.split_at(end)
        };
        fields.push(field);
        match after.as_bytes().first() {
            None => return Ok(()),
            Some(&byte) if byte == separator => rest = &after[1..],
            Some(_) => return Err(Reason::QuoteOpen),
        }
    }
}

/// Returns where the quote stands that is not doubled.
fn closing_quote(bytes: &[u8]) -> Option<usize> {
    let mut from = 0;
    loop {
        let at = from + memchr::memchr(b'"', bytes.get(from..)?)?;
        if bytes.get(at + 1) != Some(&b'"') {
            return Some(at);
        }
        from = at + 2;
    }
}

/// Where in a row the needed fields stand.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) separator: u8,
    pub(super) field_count: usize,
    pub(super) time: usize,
    pub(super) label: Option<usize>,
    pub(super) values: Vec<usize>,
    /// Names of all other columns.
    pub(super) ignored: Vec<String>,
}

/// Names of the columns that are needed.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub(super) separator: Option<u8>,
    pub(super) time: &'a str,
    pub(super) label: Option<&'a str>,
    pub(super) values: &'a [&'a str],
}

impl Header {
    /// Reads the first line of a table. The separator, where not given, is the one that makes the most of the wanted
    /// columns appear.
    pub(super) fn read(line: &str, wanted: Wanted<'_>) -> Result<Self, Rejection> {
        if line.trim().is_empty() {
            return Err(Rejection::new(Reason::HeaderMissing, line).at_line(1));
        }
        let separator = wanted.separator.unwrap_or_else(|| {
            let found = |separator: &u8| {
                let names = names(line, *separator).unwrap_or_default();
                wanted.all().filter(|name| names.iter().any(|other| other == name)).count()
            };
            // The last of the best is taken, so the comma wins where nothing tells.
            [b'\t', b';', b','].into_iter().max_by_key(found).unwrap_or(b',')
        });
        let names =
            names(line, separator).map_err(|reason| Rejection::new(reason, line).at_line(1))?;
        let place = |name: &str| {
            let mut places = names.iter().enumerate().filter(|(_, other)| *other == name);
            match (places.next(), places.next()) {
                (Some((place, _)), None) => Ok(place),
                (Some(_), Some(_)) => {
                    Err(Rejection::new(Reason::ColumnTwice, name).at_line(1).in_column(name))
                }
                (None, _) => Err(missing(name, &names)),
            }
        };
        let header = Self {
            separator,
            field_count: names.len(),
            time: place(wanted.time)?,
            label: wanted.label.map(place).transpose()?,
            values: wanted.values.iter().map(|name| place(name)).collect::<Result<_, _>>()?,
            ignored: names
                .iter()
                .filter(|name| !wanted.all().any(|other| other == name.as_str()))
                .cloned()
                .collect(),
        };
        Ok(header)
    }
}

impl<'a> Wanted<'a> {
    fn all(self) -> impl Iterator<Item = &'a str> {
        [Some(self.time), self.label].into_iter().flatten().chain(self.values.iter().copied())
    }
}

fn names(line: &str, separator: u8) -> Result<Vec<String>, Reason> {
    let mut fields = Vec::new();
    split(line, separator, &mut fields)?;
    Ok(fields.iter().map(|name| name.trim().replace("\"\"", "\"")).collect())
}

/// Returns the refusal of a header without a column: it is no header at all where a field begins like data.
fn missing(name: &str, names: &[String]) -> Rejection {
    let is_data =
        |name: &String| name.starts_with(|first: char| first.is_ascii_digit() || first == '-');
    let reason =
        if names.iter().any(is_data) { Reason::HeaderMissing } else { Reason::ColumnMissing };
    Rejection::new(reason, name).at_line(1).in_column(name).because(Found(names))
}

/// The first names of a header, for a message.
struct Found<'a>(&'a [String]);

impl fmt::Display for Found<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 12;
        formatter.write_str("the file has")?;
        for (at, name) in self.0.iter().take(SHOWN).enumerate() {
            let short: String = name.chars().take(40).collect();
            write!(formatter, "{} {short}", if at == 0 { "" } else { "," })?;
        }
        let more = self.0.len().saturating_sub(SHOWN);
        if more > 0 { write!(formatter, " and {more} more") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};
    use proptest::prelude::*;

    fn fields(line: &str) -> Result<Vec<&str>, Reason> {
        let mut fields = Vec::new();
        split(line, b',', &mut fields).map(|()| fields)
    }

    #[test]
    fn lines_are_split_at_separators_outside_of_quotes() {
        assert_eq!(fields(""), Ok(vec![""]));
        assert_eq!(fields("a,b,"), Ok(vec!["a", "b", ""]));
        assert_eq!(fields("\"a,b\",c"), Ok(vec!["a,b", "c"]));
        assert_eq!(fields("\"a\"\"b\",\"\""), Ok(vec!["a\"\"b", ""]));
        assert_eq!(fields("a\"b,c"), Ok(vec!["a\"b", "c"]));
        for line in ["\"a", "a,\"b", "\"a\"b,c", "\"a\"\"", "\"a\" ,b"] {
            assert_eq!(fields(line), Err(Reason::QuoteOpen), "{line}");
        }
    }

    #[expect(clippy::needless_pass_by_value, reason = "expectations are written in place")]
    fn check_header(line: &str, expected: Expect) {
        let wanted = Wanted {
            separator: None,
            time: "time",
            label: Some("id"),
            values: &["wh", "kW/h (x)"],
        };
        let text = match Header::read(line, wanted) {
            Ok(header) => format!("{header:?}"),
            Err(rejection) => rejection.to_string(),
        };
        expected.assert_eq(&text);
    }

    #[test]
    fn columns_are_found_by_name_and_the_separator_by_them() {
        check_header(
            "id;time;other;wh;kW/h (x)",
            expect![
                "Header { separator: 59, field_count: 5, time: 1, label: Some(0), values: [3, 4], ignored: [\"other\"] }"
            ],
        );
        check_header(
            "\"id\",\"a;b\", time ,wh,kW/h (x)",
            expect![
                "Header { separator: 44, field_count: 5, time: 2, label: Some(0), values: [3, 4], ignored: [\"a;b\"] }"
            ],
        );
        check_header(
            "id,time,wh",
            expect![[
                r#"line 1: kW/h (x) "kW/h (x)": a column that is needed is missing: the file has id, time, wh [column-missing]; add the column, or name the one to use"#
            ]],
        );
        check_header(
            "id,time,wh,wh,kW/h (x)",
            expect![[
                r#"line 1: wh "wh": two columns have the same name [column-twice]; rename one of them"#
            ]],
        );
        check_header(
            "home,2026-01-01T00:00:00Z,5,6",
            expect![[
                r#"line 1: time "time": the header line is missing: the file has home, 2026-01-01T00:00:00Z, 5, 6 [header-missing]; put the names of the columns in the first line"#
            ]],
        );
        check_header(
            " ",
            expect![[
                r#"line 1: " ": the header line is missing [header-missing]; put the names of the columns in the first line"#
            ]],
        );
    }

    proptest! {
        #[test]
        fn quoted_fields_round_trip(texts in prop::collection::vec("[a-z,; ]{0,6}", 1..6)) {
            let line = texts.iter().map(|text| format!("\"{text}\"")).collect::<Vec<_>>().join(",");
            prop_assert_eq!(fields(&line), Ok(texts.iter().map(String::as_str).collect()));
        }

        #[test]
        fn any_line_is_split_or_refused(line in "[a,\"é]{0,20}") {
            let _fields = fields(&line);
        }
    }
}
