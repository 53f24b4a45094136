//! Measured gas: what the contract's tests wrote down.

use std::collections::BTreeMap;

use gridtally_settlement::{CALLDATA_RECORDS_MAX, RECORDS_PER_BLOB};
use serde::Serialize;

use super::{ONE_BY_ONE, PACKED};

/// The committed snapshots of the contracts' tests.
const SNAPSHOT: &str = include_str!("../../../../../contracts/snapshots/gas.json");
const BATCH_SNAPSHOT: &str = include_str!("../../../../../contracts/snapshots/batch-gas.json");

/// Blob gas of a blob (EIP-4844).
const BLOB_GAS: u64 = 131_072;
/// Gas of a transaction before its input.
const TRANSACTION_GAS: u64 = 21_000;
/// Least gas of a record in the input of a transaction (EIP-7623): 10 for each of its five zero bytes, 40 for each other.
const RECORD_FLOOR_GAS: u64 = 5 * 10 + 5 * 40;

/// Gas of the calls that a day consists of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Gas {
    /// Where it was measured.
    pub(super) source: &'static str,
    /// One record whose whole content is stored and told, without any check: the first ever and each later one.
    naive: (u64, u64),
    /// One record, the first and each later one of a household and day.
    settle: (u64, u64),
    /// The same, signed by the meter.
    settle_signed: (u64, u64),
    /// A transaction of so many packed records, by rising count.
    packed: Vec<(u64, u64)>,
    /// A tariff of four rows.
    pub(super) tariff: u64,
    /// A commit with so many records in calldata, few and many.
    commit_calldata: ((u64, u64), (u64, u64)),
    /// A commit with blobs, whose number changes it little.
    commit_blobs: u64,
    /// Making a batch final.
    finalize: u64,
}

/// A snapshot without the measurement that is asked for.
#[derive(Debug, thiserror::Error)]
#[error("the gas snapshot has no measurement \"{name}\"")]
pub(super) struct Unmeasured {
    name: String,
}

/// One way to settle a day.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Way {
    #[serde(rename = "way")]
    pub(super) name: &'static str,
    pub(super) transactions: u64,
    /// Gas of the whole day.
    #[serde(skip)]
    pub(super) gas: u64,
    /// Blob gas of the whole day.
    #[serde(skip)]
    pub(super) blob_gas: u64,
}

impl Way {
    /// Returns the gas of one record on average.
    pub(super) fn gas_of_record_rounded_up(&self, records: u64) -> u64 {
        self.gas.div_ceil(records.max(1))
    }
}

impl Gas {
    /// Most records that are packed into a transaction.
    pub(super) const PACKED_MAX: u64 = 500;
    /// Slots of the measured tariff.
    pub(super) const TARIFF_SLOTS: u64 = 96;

    /// Returns what the contract's tests measured last.
    ///
    /// # Errors
    ///
    /// [`Unmeasured`] where a test was renamed without this file.
    pub(super) fn committed() -> Result<Self, Unmeasured> {
        let mut snapshot: BTreeMap<String, String> = BTreeMap::new();
        for text in [SNAPSHOT, BATCH_SNAPSHOT] {
            let measured: BTreeMap<String, String> = serde_json::from_str(text)
                .map_err(|error| Unmeasured { name: error.to_string() })?;
            snapshot.extend(measured);
        }
        let gas = |name: &str| {
            let measured = snapshot.get(name).and_then(|text| text.parse::<u64>().ok());
            measured.filter(|&gas| gas > 0).ok_or_else(|| Unmeasured { name: name.to_owned() })
        };
        let packed = |count| Ok((count, gas(&format!("settlePacked days x {count}"))?));
        let commit = |count| Ok((count, gas(&format!("commitCalldata x {count}"))?));
        Ok(Self {
            source: "measured by the contracts' tests (contracts/snapshots)",
            naive: (gas("naive first")?, gas("naive next")?),
            settle: (gas("settle first")?, gas("settle next")?),
            settle_signed: (gas("settleSigned first")?, gas("settleSigned next")?),
            packed: [10, 100, Self::PACKED_MAX]
                .into_iter()
                .map(packed)
                .collect::<Result<_, _>>()?,
            tariff: gas("publishTariff 4 codes x 96 slots, one of them free")?,
            commit_calldata: (commit(5)?, commit(u64::from(CALLDATA_RECORDS_MAX))?),
            commit_blobs: gas("commitBlobs x 6")?,
            finalize: gas("finalize")?,
        })
    }

    /// Returns what a day of so many households with so many records each takes.
    pub(super) fn ways(&self, households: u64, records: u64) -> Vec<Way> {
        let total = households * records;
        let one_by_one =
            |(first, next): (u64, u64)| households * first + households * (records - 1) * next;
        let (full, rest) = (total / Self::PACKED_MAX, total % Self::PACKED_MAX);
        let packed = full * self.packed_rounded_up(Self::PACKED_MAX) + self.packed_rounded_up(rest);
        let way = |name, transactions, gas| Way { name, transactions, gas, blob_gas: 0 };
        let naive = self.naive.0 + total.saturating_sub(1) * self.naive.1;
        let mut ways = vec![
            way("naive contract", total, naive),
            way(ONE_BY_ONE, total, one_by_one(self.settle)),
            way("one by one, signed by the meter", total, one_by_one(self.settle_signed)),
            way(PACKED, total.div_ceil(Self::PACKED_MAX), packed),
            self.in_calldata(total),
        ];
        ways.extend([1, 3, 6].map(|blobs| self.in_blobs(total, blobs)));
        ways
    }

    /// Returns a day in batches whose records stand in calldata; each batch is committed and made final.
    fn in_calldata(&self, total: u64) -> Way {
        let max = u64::from(CALLDATA_RECORDS_MAX);
        let (full, rest) = (total / max, total % max);
        let batches = total.div_ceil(max);
        let rest_gas = if rest == 0 { 0 } else { self.of_calldata_batch(rest) };
        let gas = full * self.of_calldata_batch(max) + rest_gas;
        Way { name: "batch in calldata", transactions: batches, gas, blob_gas: 0 }
    }

    /// Returns a day in batches of up to so many blobs, 1, 3 or 6; the last one has as many as it needs.
    fn in_blobs(&self, total: u64, blobs: u64) -> Way {
        let name = match blobs {
            1 => "batch in a blob",
            3 => "batch in 3 blobs",
            _ => "batch in 6 blobs",
        };
        let batches = total.div_ceil(blobs * RECORDS_PER_BLOB as u64);
        let gas = batches * (self.commit_blobs + self.finalize);
        let blob_gas = total.div_ceil(RECORDS_PER_BLOB as u64) * BLOB_GAS;
        Way { name, transactions: batches, gas, blob_gas }
    }

    /// Returns the gas of one batch of so many records in calldata, committed and made final: what the contract uses, or what
    /// the input costs at least.
    pub(super) fn of_calldata_batch(&self, records: u64) -> u64 {
        let ((few, few_gas), (many, many_gas)) = self.commit_calldata;
        let slope = many_gas.saturating_sub(few_gas);
        let used = few_gas + (slope * records.saturating_sub(few)).div_ceil(many - few);
        used.max(TRANSACTION_GAS + records * RECORD_FLOOR_GAS) + self.finalize
    }

    /// Returns gas and blob gas of one batch of so many blobs, and how many records it holds.
    pub(super) fn of_batch(&self, blobs: u64) -> (u64, u64, u64) {
        (self.commit_blobs + self.finalize, blobs * BLOB_GAS, blobs * RECORDS_PER_BLOB as u64)
    }

    /// Returns the gas of a transaction of packed records: on the line between the measured sizes around it, and below
    /// the smallest on the line of the smallest two. Nothing for no records.
    fn packed_rounded_up(&self, count: u64) -> u64 {
        if count == 0 {
            return 0;
        }
        let upper = self.packed.iter().position(|&(size, _)| size >= count).unwrap_or(usize::MAX);
        let upper = upper.clamp(1, self.packed.len() - 1);
        let ((low, low_gas), (high, high_gas)) = (self.packed[upper - 1], self.packed[upper]);
        let slope = high_gas.saturating_sub(low_gas);
        if count >= low {
            low_gas + (slope * (count - low)).div_ceil(high - low)
        } else {
            low_gas.saturating_sub(slope * (low - count) / (high - low))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gas() -> Gas {
        Gas {
            source: "made up",
            naive: (200, 180),
            settle: (60, 40),
            settle_signed: (70, 50),
            packed: vec![(10, 200), (100, 1_100), (500, 4_300)],
            tariff: 9,
            commit_calldata: ((5, 100), (12_000, 24_090)),
            commit_blobs: 70,
            finalize: 30,
        }
    }

    #[test]
    fn the_committed_snapshot_has_every_measurement() {
        assert!(Gas::committed().unwrap().settle.1 > 21_000);
    }

    #[test]
    fn packed_gas_lies_on_the_line_between_measured_sizes() {
        let packed = |count| gas().packed_rounded_up(count);
        assert_eq!(
            [0, 1, 10, 55, 100, 300, 500].map(packed),
            [0, 110, 200, 650, 1_100, 2_700, 4_300]
        );
    }

    #[test]
    fn a_day_adds_up() {
        let ways = gas().ways(6, 100);
        let shown: Vec<_> = ways.iter().map(|way| (way.transactions, way.gas)).collect();
        assert_eq!(shown[0], (600, 200 + 599 * 180));
        assert_eq!(
            shown[1..4],
            [(600, 6 * 60 + 594 * 40), (600, 6 * 70 + 594 * 50), (2, 4_300 + 1_100)]
        );
        // The floor of the input is more than the contract uses here.
        assert_eq!(shown[4], (1, 21_000 + 250 * 600 + 30));
        assert_eq!(shown[5..], [(1, 100); 3]);
        assert!(ways[5..].iter().all(|way| way.blob_gas == BLOB_GAS));
        let many = gas().ways(1_000, 100);
        let shown: Vec<_> =
            many[4..].iter().map(|way| (way.transactions, way.blob_gas / BLOB_GAS)).collect();
        assert_eq!(shown, [(9, 0), (9, 9), (3, 9), (2, 9)]);
        assert_eq!(ways[3].gas_of_record_rounded_up(600), 9);
    }
}
