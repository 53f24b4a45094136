//! The parameters of a request, read one by one.

use alloy_eips::{BlockId, BlockNumberOrTag};
use alloy_primitives::{B256, Bytes, U256};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::RpcError;

/// Parameters by position.
#[derive(Debug)]
pub struct Params {
    values: std::vec::IntoIter<Value>,
    position: usize,
}

impl Params {
    /// Returns the parameters of a request; a request without any has none.
    ///
    /// # Errors
    ///
    /// Returns an error when they are not given by position.
    pub fn new(params: Value) -> Result<Self, RpcError> {
        match params {
            Value::Null => Ok(Self { values: Vec::new().into_iter(), position: 0 }),
            Value::Array(values) => Ok(Self { values: values.into_iter(), position: 0 }),
            Value::Object(map) if map.is_empty() => {
                Ok(Self { values: Vec::new().into_iter(), position: 0 })
            }
            _ => Err(RpcError::invalid_params("params is not an array")),
        }
    }

    /// Returns the next parameter as it is; nothing when it is missing or null.
    pub fn raw(&mut self) -> Option<Value> {
        self.position += 1;
        self.values.next().filter(|value| !value.is_null())
    }

    /// Returns the next parameter; nothing when it is missing or null.
    ///
    /// # Errors
    ///
    /// Returns an error that names the position when the parameter has another form.
    pub fn optional<T: DeserializeOwned>(&mut self) -> Result<Option<T>, RpcError> {
        let value = self.raw();
        let position = self.position;
        value
            .map(|value| {
                serde_json::from_value(value).map_err(|error| {
                    RpcError::invalid_params(format!("parameter {position}: {error}"))
                })
            })
            .transpose()
    }

    /// Returns the next parameter.
    ///
    /// # Errors
    ///
    /// Returns an error that names the position when the parameter is missing or has another form.
    pub fn required<T: DeserializeOwned>(&mut self) -> Result<T, RpcError> {
        let value = self.optional()?;
        value.ok_or_else(|| {
            RpcError::invalid_params(format!(
                "missing value for required parameter {}",
                self.position
            ))
        })
    }

    /// Returns the next parameter as a block, the latest when it is missing.
    ///
    /// # Errors
    ///
    /// Returns an error that names the position when the parameter has another form.
    pub fn block(&mut self) -> Result<BlockId, RpcError> {
        Ok(self.optional()?.unwrap_or(BlockId::Number(BlockNumberOrTag::Latest)))
    }

    /// Returns the next parameter as a whole number, written as a number, in decimal or in hexadecimal.
    ///
    /// # Errors
    ///
    /// Returns an error that names the position when the parameter is missing or not a number up to 2^64 - 1.
    pub fn number(&mut self) -> Result<u64, RpcError> {
        let value = self.optional_number()?;
        value.ok_or_else(|| {
            RpcError::invalid_params(format!(
                "missing value for required parameter {}",
                self.position
            ))
        })
    }

    /// Returns the next parameter as a whole number; nothing when it is missing or null.
    ///
    /// # Errors
    ///
    /// Returns an error that names the position when the parameter is not a number up to 2^64 - 1.
    pub fn optional_number(&mut self) -> Result<Option<u64>, RpcError> {
        let Some(value) = self.raw() else { return Ok(None) };
        let number = match &value {
            Value::Number(number) => number.as_u64(),
            Value::String(text) => {
                text.parse::<U256>().ok().and_then(|number| number.try_into().ok())
            }
            _ => None,
        };
        let position = self.position;
        let wrong =
            || RpcError::invalid_params(format!("parameter {position}: not a number: {value}"));
        number.map(Some).ok_or_else(wrong)
    }

    /// Returns the next parameter as a storage slot: 32 bytes, or a number that clients wrote shorter.
    ///
    /// # Errors
    ///
    /// Returns an error that names the position when the parameter is missing or has another form.
    pub fn slot(&mut self) -> Result<B256, RpcError> {
        let text: String = self.required()?;
        slot(&text).ok_or_else(|| {
            RpcError::invalid_params(format!("parameter {}: not a slot", self.position))
        })
    }

    /// Returns the next parameter as bytes.
    ///
    /// # Errors
    ///
    /// Returns an error that names the position when the parameter is missing or has another form.
    pub fn bytes(&mut self) -> Result<Bytes, RpcError> {
        self.required()
    }
}

/// Reads a storage slot.
pub(crate) fn slot(text: &str) -> Option<B256> {
    if let Ok(slot) = text.parse() {
        return Some(slot);
    }
    text.parse::<U256>().ok().map(B256::from)
}
