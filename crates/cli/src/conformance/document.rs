//! Reading a document strictly: what two programs could read in two ways is refused.

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// Most values of a document, nested ones counted: they take more memory than their text.
const VALUES_MAX: u32 = 2_000_000;
/// Characters that a message quotes of a document.
const QUOTED_MAX: usize = 60;

/// Reads JSON (RFC 8259) in which no object has a key twice.
///
/// # Errors
///
/// Says what is wrong, with line and column: no JSON, text after it, deeper than 127 levels, a key that stands twice, more
/// than 2 million values.
pub(super) fn read(content: &[u8]) -> Result<Value, serde_json::Error> {
    let mut json = serde_json::Deserializer::from_slice(content);
    let value = Strict { left: &Cell::new(VALUES_MAX) }.deserialize(&mut json)?;
    json.end()?;
    Ok(value)
}

/// Returns the beginning of a text from a document, for a message.
pub(super) fn quoted(text: &str) -> String {
    match text.char_indices().nth(QUOTED_MAX) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

#[derive(Clone, Copy)]
struct Strict<'a> {
    left: &'a Cell<u32>,
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        let left = self.left.get().checked_sub(1);
        let left =
            left.ok_or_else(|| D::Error::custom(format!("more than {VALUES_MAX} values")))?;
        self.left.set(left);
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("not a finite number"))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = items.next_element_seed(self)? {
            values.push(value);
        }
        Ok(values.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut values = Map::new();
        while let Some(key) = members.next_key::<String>()? {
            if values.contains_key(&key) {
                return Err(A::Error::custom(format!("the key {:?} stands twice", quoted(&key))));
            }
            let value = members.next_value_seed(self)?;
            values.insert(key, value);
        }
        Ok(values.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(content: impl AsRef<[u8]>, message: &str) {
        assert_eq!(read(content.as_ref()).unwrap_err().to_string(), message);
    }

    #[test]
    fn json_is_read_as_it_stands() {
        let text = r#"{"a":[null,true,-1,18446744073709551615,1.5,"\u00e5"],"b":{}}"#;
        assert_eq!(read(text.as_bytes()).unwrap().to_string(), text.replace("\\u00e5", "å"));
    }

    #[test]
    fn what_can_be_read_in_two_ways_is_refused() {
        check(r#"{"a": 1, "b": 2, "a": 1}"#, r#"the key "a" stands twice at line 1 column 20"#);
        check(
            r#"[{"a": {"b": 1, "\u0062": 1}}]"#,
            r#"the key "b" stands twice at line 1 column 24"#,
        );
        check("{} {}", "trailing characters at line 1 column 4");
    }

    #[test]
    fn what_is_no_json_is_refused() {
        check("", "EOF while parsing a value at line 1 column 0");
        check("[1, NaN]", "expected value at line 1 column 5");
        check("[1,]", "trailing comma at line 1 column 4");
        check("\u{feff}{}", "expected value at line 1 column 1");
        check([b'"', 0xff, b'"'], "invalid unicode code point at line 1 column 2");
        check("[1e999]", "number out of range at line 1 column 6");
    }

    #[test]
    fn depth_and_size_are_bounded() {
        check("[".repeat(1 << 20), "recursion limit exceeded at line 1 column 128");
        let many = format!("[{}0]", "0,".repeat(VALUES_MAX as usize));
        let message = read(many.as_bytes()).unwrap_err().to_string();
        assert!(message.starts_with("more than 2000000 values at line 1"), "{message}");
        let key = "k".repeat(1_000);
        let message =
            read(format!(r#"{{"{key}":1,"{key}":1}}"#).as_bytes()).unwrap_err().to_string();
        assert!(message.len() < 150, "{message}");
    }
}
