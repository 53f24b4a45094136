//! Reading a document's inputs strictly.

use serde_json::Value;

use super::Refused;
use super::document::quoted;

/// A place in a document.
#[derive(Clone)]
pub(super) struct Input<'a> {
    pub(super) at: String,
    value: Option<&'a Value>,
}

impl<'a> Input<'a> {
    pub(super) fn root(document: &'a Value) -> Self {
        Self { at: String::new(), value: Some(document) }
    }

    /// Returns the member of an object, which need not exist.
    pub(super) fn get(&self, key: &str) -> Self {
        let value = self.value.and_then(|value| value.get(key));
        Self { at: format!("{}/{}", self.at, key.replace('~', "~0").replace('/', "~1")), value }
    }

    /// Whether the document has anything there.
    pub(super) fn is_given(&self) -> bool {
        self.value.is_some()
    }

    /// Returns the items of a list that is not empty: nothing to check would look like nothing wrong.
    pub(super) fn some_items(&self) -> Result<Vec<Self>, Refused> {
        let items = self.items()?;
        if items.is_empty() { Err(self.refused("at least one item")) } else { Ok(items) }
    }

    pub(super) fn items(&self) -> Result<Vec<Self>, Refused> {
        let items = self.value.and_then(Value::as_array).ok_or_else(|| self.refused("a list"))?;
        let place =
            |(index, value)| Self { at: format!("{}/{index}", self.at), value: Some(value) };
        Ok(items.iter().enumerate().map(place).collect())
    }

    pub(super) fn members(&self) -> Result<Vec<(&'a str, Self)>, Refused> {
        let members =
            self.value.and_then(Value::as_object).ok_or_else(|| self.refused("an object"))?;
        Ok(members.keys().map(|key| (key.as_str(), self.get(key))).collect())
    }

    /// Returns an integer that fits the type, written as a number.
    pub(super) fn integer<T: TryFrom<i64>>(&self, range: &str) -> Result<T, Refused> {
        let integer =
            self.value.and_then(Value::as_i64).and_then(|integer| T::try_from(integer).ok());
        integer.ok_or_else(|| self.refused(&format!("an integer {range}")))
    }

    /// Returns a 64-bit integer, written as a string of decimal digits, since JSON numbers may lose some.
    pub(super) fn decimal<T: std::str::FromStr + ToString>(&self) -> Result<T, Refused> {
        let text = self.value.and_then(Value::as_str);
        let number = text.and_then(|text| text.parse::<T>().ok().filter(|n| n.to_string() == text));
        number.ok_or_else(|| self.refused("an integer of 64 bits as a string"))
    }

    /// Returns one of the words that may stand here.
    pub(super) fn word<T: Copy>(&self, words: &[(&str, T)]) -> Result<T, Refused> {
        let text = self.value.and_then(Value::as_str);
        let word = words.iter().find(|(word, _)| Some(*word) == text).map(|&(_, value)| value);
        let all: Vec<&str> = words.iter().map(|&(word, _)| word).collect();
        word.ok_or_else(|| self.refused(&all.join(" or ")))
    }

    /// Returns bytes, written as `0x` and an even number of hexadecimal digits.
    pub(super) fn bytes(&self) -> Result<Vec<u8>, Refused> {
        let digits = self.value.and_then(Value::as_str).and_then(|text| text.strip_prefix("0x"));
        digits
            .and_then(|digits| alloy_primitives::hex::decode(digits).ok())
            .ok_or_else(|| self.refused("0x and hexadecimal digits"))
    }

    /// Returns 32 bytes.
    pub(super) fn hash(&self) -> Result<alloy_primitives::B256, Refused> {
        self.array().map(<[u8; 32]>::into)
    }

    /// Returns so many bytes.
    pub(super) fn array<const N: usize>(&self) -> Result<[u8; N], Refused> {
        <[u8; N]>::try_from(self.bytes()?).map_err(|_| self.refused(&format!("{N} bytes")))
    }

    pub(super) fn refused(&self, expected: &str) -> Refused {
        Refused::Input { at: quoted(&self.at), expected: expected.to_owned() }
    }
}
