//! A header that was final when it was saved: a small file against which records are proved without a chain.

use alloy_primitives::{Address, Bytes};
use serde::{Deserialize, Serialize};

use crate::header::{BatchHeader, HeaderError};

/// Which form of the document this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SavedHeaderFormat {
    /// The first one.
    #[serde(rename = "gridtally header 1")]
    V1,
}

/// A header, and whose it is: two contracts may have headers of the same number.
///
/// Whoever saved it vouches that it was final. A header holds those before it too, since each has its parent's hash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SavedHeader {
    /// The form.
    pub format: SavedHeaderFormat,
    /// Chain on which the batch stands.
    pub chain_id: u64,
    /// The core of batch settlement.
    pub contract: Address,
    /// The encoded header, 640 bytes.
    pub header: Bytes,
}

impl SavedHeader {
    /// Returns the document.
    #[must_use]
    pub fn new(chain_id: u64, contract: Address, header: &BatchHeader) -> Self {
        let header = header.encode().to_vec().into();
        Self { format: SavedHeaderFormat::V1, chain_id, contract, header }
    }

    /// Reads the header.
    ///
    /// # Errors
    ///
    /// Returns a [`HeaderError`].
    pub fn header(&self) -> Result<BatchHeader, HeaderError> {
        BatchHeader::decode(&self.header)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_comes_back_and_nothing_else_is_read() {
        let header = BatchHeader { seq: 7, ..BatchHeader::GENESIS };
        let saved = SavedHeader::new(31_337, Address::repeat_byte(0xaa), &header);
        let text = serde_json::to_string(&saved).unwrap();
        let read = serde_json::from_str::<SavedHeader>(&text).unwrap();
        assert_eq!((&read, read.header().unwrap()), (&saved, header));
        for (from, to) in [
            ("header 1", "header 2"),
            ("\"chain_id\":31337,", ""),
            ("{\"format", "{\"surplus\":1,\"format"),
            ("31337", "-1"),
            ("0xaa", "0xa"),
        ] {
            let changed = text.replacen(from, to, 1);
            assert_ne!(changed, text);
            assert!(serde_json::from_str::<SavedHeader>(&changed).is_err(), "{changed}");
        }
        let cut = SavedHeader { header: saved.header.slice(1..), ..saved };
        assert!(cut.header().is_err());
    }
}
