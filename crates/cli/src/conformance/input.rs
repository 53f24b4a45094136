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

    /// Returns bytes, written as `0x` and an even number of hexadecimal digits.
    pub(super) fn bytes(&self) -> Result<Vec<u8>, Refused> {
        let digits = self.value.and_then(Value::as_str).and_then(|text| text.strip_prefix("0x"));
        digits
            .and_then(|digits| alloy_primitives::hex::decode(digits).ok())
            .ok_or_else(|| self.refused("0x and hexadecimal digits"))
    }

    /// Returns 32 bytes.
    pub(super) fn hash(&self) -> Result<alloy_primitives::B256, Refused> {
        let bytes = self.bytes()?;
        <[u8; 32]>::try_from(bytes).map(Into::into).map_err(|_| self.refused("32 bytes"))
    }

    pub(super) fn refused(&self, expected: &str) -> Refused {
        Refused::Input { at: quoted(&self.at), expected: expected.to_owned() }
    }
}
