//! Measured gas: what the contract's tests wrote down.

use std::collections::BTreeMap;

use serde::Serialize;

/// The committed snapshot of the contract's tests.
const SNAPSHOT: &str = include_str!("../../../../../contracts/snapshots/gas.json");

/// Gas of the calls that a day consists of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Gas {
    /// Where it was measured.
    pub(super) source: &'static str,
    /// One record, the first and each later one of a household and day.
    settle: (u64, u64),
    /// The same, signed by the meter.
    settle_signed: (u64, u64),
    /// A transaction of so many packed records, by rising count.
    packed: Vec<(u64, u64)>,
    /// A tariff of four rows.
    pub(super) tariff: u64,
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
        let snapshot: BTreeMap<String, String> = serde_json::from_str(SNAPSHOT)
            .map_err(|error| Unmeasured { name: error.to_string() })?;
        let gas = |name: &str| {
            let measured = snapshot.get(name).and_then(|text| text.parse::<u64>().ok());
            measured.filter(|&gas| gas > 0).ok_or_else(|| Unmeasured { name: name.to_owned() })
        };
        let packed = |count| Ok((count, gas(&format!("settlePacked days x {count}"))?));
        Ok(Self {
            source: "measured by the contract's tests (contracts/snapshots/gas.json)",
            settle: (gas("settle first")?, gas("settle next")?),
            settle_signed: (gas("settleSigned first")?, gas("settleSigned next")?),
            packed: [10, 100, Self::PACKED_MAX]
                .into_iter()
                .map(packed)
                .collect::<Result<_, _>>()?,
            tariff: gas("publishTariff 4 codes x 96 slots, one of them free")?,
        })
    }

    /// Returns what a day of so many households with so many records each takes.
    pub(super) fn ways(&self, households: u64, records: u64) -> Vec<Way> {
        let total = households * records;
        let one_by_one =
            |(first, next): (u64, u64)| households * first + households * (records - 1) * next;
        let (full, rest) = (total / Self::PACKED_MAX, total % Self::PACKED_MAX);
        let packed = full * self.packed_rounded_up(Self::PACKED_MAX) + self.packed_rounded_up(rest);
        vec![
            Way { name: "one by one", transactions: total, gas: one_by_one(self.settle) },
            Way {
                name: "one by one, signed by the meter",
                transactions: total,
                gas: one_by_one(self.settle_signed),
            },
            Way { name: "packed", transactions: total.div_ceil(Self::PACKED_MAX), gas: packed },
        ]
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
            settle: (60, 40),
            settle_signed: (70, 50),
            packed: vec![(10, 200), (100, 1_100), (500, 4_300)],
            tariff: 9,
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
        assert_eq!(shown, [(600, 6 * 60 + 594 * 40), (600, 6 * 70 + 594 * 50), (2, 4_300 + 1_100)]);
        assert_eq!(ways[2].gas_of_record_rounded_up(600), 9);
    }
}
