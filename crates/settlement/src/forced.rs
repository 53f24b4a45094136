//! Readings that participants forced: what the hub left out, and may correct for one day only.

use std::collections::BTreeMap;

use gridtally_core::period::SettlementPeriod;

use crate::header::BatchHeader;
use crate::leaf::RecordLeaf;
use crate::opening::Opened;
use crate::tree::Tree;

/// The readings of all periods that were forced and not refuted, by the key of their record.
///
/// # Source
///
/// Settlement protocol §2.9, `forceReading`; decision 0009.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ForcedReadings(BTreeMap<(SettlementPeriod, u64), u64>);

impl ForcedReadings {
    /// Takes in a request: a correction of this key may be committed until `correct_until_s`, Unix time, included.
    pub fn request(&mut self, period: SettlementPeriod, key: u64, correct_until_s: u64) {
        self.0.insert((period, key), correct_until_s);
    }

    /// Forgets a request that a correction refuted; whether there was one.
    pub fn refute(&mut self, period: SettlementPeriod, key: u64) -> bool {
        self.0.remove(&(period, key)).is_some()
    }

    /// Returns until when a correction of this key may be committed, Unix time, s, included; `None` for a key without limit.
    #[must_use]
    pub fn correct_until_s(&self, period: SettlementPeriod, key: u64) -> Option<u64> {
        self.0.get(&(period, key)).copied()
    }

    /// Whether a correction of this key that is committed at this time comes too late.
    #[must_use]
    pub fn is_late(&self, period: SettlementPeriod, key: u64, committed_at_s: u64) -> bool {
        self.correct_until_s(period, key).is_some_and(|until| committed_at_s > until)
    }
}

/// Where a final regular batch shows that no regular batch has a key, or can have it later.
///
/// ```text
/// between   |left|  key  |right|      two neighbours of the batch, in its own period
/// before    parent's last key | key | first key of the batch
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyGap<'a> {
    /// The batch.
    pub header: &'a BatchHeader,
    /// The batch before it.
    pub parent: &'a BatchHeader,
    /// The records around the key; none where the gap lies before the batch.
    pub neighbors: Option<(Opened<RecordLeaf>, Opened<RecordLeaf>)>,
}

impl<'a> KeyGap<'a> {
    /// Returns the gap of a batch in which the key of a period lies, or `None` where this batch shows none: another one may.
    #[must_use]
    pub fn find(
        header: &'a BatchHeader,
        parent: &'a BatchHeader,
        leaves: &[RecordLeaf],
        tree: &Tree,
        period: SettlementPeriod,
        key: u64,
    ) -> Option<Self> {
        if header.run != 0 || header.parent != parent.hash() || period.0 == 0 {
            return None;
        }
        let wanted = (period, key);
        let is_after_parent = wanted > (parent.reg_period, parent.reg_last_key);
        if is_after_parent && wanted < (header.period, header.first_key) {
            return Some(Self { header, parent, neighbors: None });
        }
        if period != header.period {
            return None;
        }
        let right = leaves.binary_search_by_key(&key, |leaf| leaf.record.key()).err()?;
        let open = |place: usize| {
            let index = u32::try_from(place).ok()?;
            Some(Opened { index, leaf: *leaves.get(place)?, salt: None, path: tree.path(place)? })
        };
        let neighbors = Some((open(right.checked_sub(1)?)?, open(right)?));
        Some(Self { header, parent, neighbors })
    }
}

#[cfg(test)]
mod tests {
    use gridtally_core::quantity::Amount;

    use super::*;
    use crate::record::Record;

    #[test]
    fn a_correction_is_late_from_the_second_after_the_day_on_and_only_of_that_key() {
        let (period, other) = (SettlementPeriod(3), SettlementPeriod(4));
        let mut forced = ForcedReadings::default();
        assert!(!forced.is_late(period, 7, u64::MAX));
        forced.request(period, 7, 100);
        assert_eq!([100, 101].map(|at_s| forced.is_late(period, 7, at_s)), [false, true]);
        assert!(!forced.is_late(period, 8, 101) && !forced.is_late(other, 7, 101));
        assert!(forced.refute(period, 7) && !forced.refute(period, 7));
        assert!(!forced.is_late(period, 7, 101));
    }
    /// The gap that a batch of period 3 with keys 10, 20 and 30 shows, whose parent ended with key 50 of period 1.
    fn gap(period: u32, key: u64) -> Option<&'static str> {
        let leaf = |key: u64| {
            let bytes = [&key.to_be_bytes()[2..], &[0; 4]].concat();
            let record = Record::unpack(&bytes).unwrap();
            let zero = Amount::ZERO;
            RecordLeaf { record, amount: zero, balance_after: zero, hub_after: zero }
        };
        let leaves = [10, 20, 30].map(leaf);
        let tree = Tree::new(leaves.iter().map(RecordLeaf::hash).collect()).unwrap();
        let parent = BatchHeader {
            reg_period: SettlementPeriod(1),
            reg_last_key: 50,
            ..BatchHeader::GENESIS
        };
        let header = BatchHeader {
            parent: parent.hash(),
            period: SettlementPeriod(3),
            count: 3,
            first_key: 10,
            last_key: 30,
            record_root: tree.root(),
            ..BatchHeader::GENESIS
        };
        let found = KeyGap::find(&header, &parent, &leaves, &tree, SettlementPeriod(period), key)?;
        let run = BatchHeader { run: 1, ..header.clone() };
        assert_eq!(
            KeyGap::find(&run, &parent, &leaves, &tree, SettlementPeriod(period), key),
            None
        );
        Some(match found.neighbors {
            None => "before",
            Some((left, right)) => {
                let is_there = |leaf: &Opened<RecordLeaf>| leaf.is_under(&header.record_root, 3);
                assert!(is_there(&left) && is_there(&right) && left.index + 1 == right.index);
                assert!(left.leaf.record.key() < key && key < right.leaf.record.key());
                "between"
            }
        })
    }

    #[test]
    fn a_gap_lies_between_two_records_or_before_the_batch_and_nowhere_else() {
        let cases = [
            (0, 60),
            (1, 50),
            (1, 51),
            (2, 0),
            (3, 9),
            (3, 10),
            (3, 11),
            (3, 29),
            (3, 31),
            (4, 15),
        ];
        let found = cases.map(|(period, key)| gap(period, key));
        let (before, between) = (Some("before"), Some("between"));
        let expected = [None, None, before, before, before, None, between, between, None, None];
        assert_eq!(found, expected);
    }
}
