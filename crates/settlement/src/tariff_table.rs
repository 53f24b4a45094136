//! The prices of one settlement period as they are published on the chain.

use std::collections::BTreeMap;

use alloy_primitives::{B256, keccak256};
use gridtally_core::period::{SettlementCalendar, Slot};
use gridtally_core::quantity::Price;
use thiserror::Error;

use crate::code::Code;

/// The longest table, so that it still travels in one transaction.
pub const TABLE_LENGTH_MAX: usize = 49_152;

/// A price for every slot of every code in use.
///
/// Packed: for each code, ascending, `code u8 | slots x price i32`, big-endian.
///
/// # Source
///
/// Settlement protocol §2.3.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TariffTable {
    slots: u16,
    prices: BTreeMap<Code, Vec<Price>>,
}

/// Why there is no such table, in order of precedence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum TariffTableError {
    /// Slots per period are not 1 to 1024.
    #[error("{0} slots are not 1 to 1024")]
    Slots(u16),
    /// The packed length is 0, above 49,152 bytes, or not whole rows of a code and its prices.
    #[error("{length} bytes are not 1 to {TABLE_LENGTH_MAX} bytes of rows of {row} bytes")]
    Length {
        /// Bytes given.
        length: usize,
        /// Bytes of a row.
        row: usize,
    },
    /// A code is not priced: 1 to 62.
    #[error("code {0} has no price: use 1 to 62")]
    Code(u8),
    /// The codes do not ascend.
    #[error("code {0} does not come after the one before it")]
    Order(u8),
    /// A code has too few or too many prices.
    #[error("code {code} has {prices} prices instead of {slots}")]
    Prices {
        /// The code.
        code: u8,
        /// Prices given.
        prices: usize,
        /// Prices needed.
        slots: u16,
    },
}

impl TariffTable {
    /// Returns the table of these prices.
    ///
    /// # Errors
    ///
    /// Returns [`TariffTableError`], in its order.
    pub fn new(slots: u16, prices: BTreeMap<Code, Vec<Price>>) -> Result<Self, TariffTableError> {
        check_slots(slots)?;
        check_length(prices.len() * row_length(slots), slots)?;
        for (&code, row) in &prices {
            if !code.is_priced() {
                return Err(TariffTableError::Code(code.number()));
            }
            if row.len() != usize::from(slots) {
                let (code, prices) = (code.number(), row.len());
                return Err(TariffTableError::Prices { code, prices, slots });
            }
        }
        Ok(Self { slots, prices })
    }

    /// Reads a packed table.
    ///
    /// # Errors
    ///
    /// Returns [`TariffTableError`], in its order.
    pub fn unpack(slots: u16, bytes: &[u8]) -> Result<Self, TariffTableError> {
        check_slots(slots)?;
        check_length(bytes.len(), slots)?;
        let mut prices = BTreeMap::new();
        for row in bytes.chunks_exact(row_length(slots)) {
            let (number, row) = (row[0], &row[1..]);
            let code = Code::new(number).ok().filter(|code| code.is_priced());
            let code = code.ok_or(TariffTableError::Code(number))?;
            if prices.last_key_value().is_some_and(|(&last, _)| last >= code) {
                return Err(TariffTableError::Order(number));
            }
            let (words, _) = row.as_chunks::<4>();
            let row = words.iter().map(|&word| Price::from_micro_per_kwh(i32::from_be_bytes(word)));
            prices.insert(code, row.collect());
        }
        Ok(Self { slots, prices })
    }

    /// Returns the packed bytes.
    #[must_use]
    pub fn pack(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.prices.len() * row_length(self.slots));
        for (code, row) in &self.prices {
            bytes.push(code.number());
            bytes.extend(row.iter().flat_map(|price| price.micro_per_kwh().to_be_bytes()));
        }
        bytes
    }

    /// Returns the hash under which the contract knows the table.
    #[must_use]
    pub fn hash(&self) -> B256 {
        keccak256(self.pack())
    }

    /// Returns the number of slots, 1 to 1024.
    #[must_use]
    pub const fn slots(&self) -> u16 {
        self.slots
    }

    /// Returns the codes that have prices, ascending.
    pub fn codes(&self) -> impl Iterator<Item = Code> {
        self.prices.keys().copied()
    }

    /// Returns the prices of a code, one for each slot, or `None` for a code that the table lacks.
    #[must_use]
    pub fn row(&self, code: Code) -> Option<&[Price]> {
        self.prices.get(&code).map(Vec::as_slice)
    }

    /// Returns a price, or `None` for a code or slot that the table lacks.
    #[must_use]
    pub fn price(&self, code: Code, slot: Slot) -> Option<Price> {
        self.row(code)?.get(usize::from(slot.0)).copied()
    }
}

fn row_length(slots: u16) -> usize {
    1 + 4 * usize::from(slots)
}

fn check_slots(slots: u16) -> Result<(), TariffTableError> {
    let is_slots = (1..=SettlementCalendar::SLOTS_MAX).contains(&slots);
    if is_slots { Ok(()) } else { Err(TariffTableError::Slots(slots)) }
}

fn check_length(length: usize, slots: u16) -> Result<(), TariffTableError> {
    let row = row_length(slots);
    let is_length = (1..=TABLE_LENGTH_MAX).contains(&length) && length.is_multiple_of(row);
    if is_length { Ok(()) } else { Err(TariffTableError::Length { length, row }) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn refusals_come_in_order() {
        let unpack = TariffTable::unpack;
        assert_eq!(unpack(0, &[]), Err(TariffTableError::Slots(0)));
        assert_eq!(unpack(1025, &[]), Err(TariffTableError::Slots(1025)));
        assert_eq!(unpack(1, &[]), Err(TariffTableError::Length { length: 0, row: 5 }));
        assert_eq!(unpack(1, &[0; 6]), Err(TariffTableError::Length { length: 6, row: 5 }));
        let long = vec![1; 49_155];
        assert_eq!(unpack(1, &long), Err(TariffTableError::Length { length: 49_155, row: 5 }));
        assert_eq!(unpack(1, &[63, 0, 0, 0, 1]), Err(TariffTableError::Code(63)));
        assert_eq!(unpack(1, &[200, 0, 0, 0, 1]), Err(TariffTableError::Code(200)));
        let twice = [1, 0, 0, 0, 1, 1, 0, 0, 0, 1];
        assert_eq!(unpack(1, &twice), Err(TariffTableError::Order(1)));
        let short = BTreeMap::from([(Code::FEED_IN, vec![Price::ZERO])]);
        let refused = TariffTableError::Prices { code: 1, prices: 1, slots: 2 };
        assert_eq!(TariffTable::new(2, short), Err(refused));
    }

    proptest! {
        #[test]
        fn tables_come_back(
            rows in proptest::collection::btree_map(1_u8..63, proptest::collection::vec(any::<i32>(), 24), 1..6)
        ) {
            let prices = rows.into_iter().map(|(code, row)| {
                (Code::new(code).unwrap(), row.into_iter().map(Price::from_micro_per_kwh).collect())
            });
            let table = TariffTable::new(24, prices.collect()).unwrap();
            prop_assert_eq!(TariffTable::unpack(24, &table.pack()), Ok(table));
        }

        #[test]
        fn any_bytes_are_read_or_refused(slots in 0_u16..1100, bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            if let Ok(table) = TariffTable::unpack(slots, &bytes) {
                prop_assert_eq!(table.pack(), bytes);
            }
        }
    }
}
