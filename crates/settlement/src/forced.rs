//! Readings that participants forced: what the hub left out, and may correct for one day only.

use std::collections::BTreeMap;

use gridtally_core::party::ParticipantNumber;
use gridtally_core::period::SettlementPeriod;

use crate::header::{BatchHeader, DataKind};
use crate::leaf::RecordLeaf;
use crate::opening::Opened;
use crate::sealed::KnownSection;
use crate::tree::Tree;

/// Bits of a key below the participant.
const PARTICIPANT_SHIFT: u32 = 16;

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
/// beside    |left|  key  | ...        the last record of the participant's section, or the first: of a sealed batch
/// empty            key                the participant has no record in a sealed batch
/// before    parent's last key | key | first key of the batch
/// ```
///
/// What lies beside a section, or in an empty one, the contract accepts once the section was shown on demand: only then it knows
/// where the section ends. Nobody has to know a record of somebody else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyGap<'a> {
    /// The batch.
    pub header: &'a BatchHeader,
    /// The batch before it.
    pub parent: &'a BatchHeader,
    /// The record before the key; none where the gap lies before the batch, or the key before the section.
    pub left: Option<Opened<RecordLeaf>>,
    /// The record after the key; none where the gap lies before the batch, or the key after the section.
    pub right: Option<Opened<RecordLeaf>>,
    /// Whose section of the batch must have been shown on demand; none where the batch alone tells.
    pub section: Option<ParticipantNumber>,
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
        if let Some(gap) = Self::before(header, parent, period, key) {
            return Some(gap);
        }
        if !Self::is_within(header, parent, period) {
            return None;
        }
        let right = leaves.binary_search_by_key(&key, |leaf| leaf.record.key()).err()?;
        let open = |place: usize| {
            let index = u32::try_from(place).ok()?;
            Some(Opened { index, leaf: *leaves.get(place)?, salt: None, path: tree.path(place)? })
        };
        let (left, right) = (Some(open(right.checked_sub(1)?)?), Some(open(right)?));
        Some(Self { header, parent, left, right, section: None })
    }

    /// Returns the gap of a sealed batch in which the key of a period lies, as its participant sees it, who knows nothing but its own
    /// section; `None` where this batch shows none, or the section is somebody else's.
    #[must_use]
    pub fn find_sealed(
        header: &'a BatchHeader,
        parent: &'a BatchHeader,
        section: &KnownSection,
        period: SettlementPeriod,
        key: u64,
    ) -> Option<Self> {
        if let Some(gap) = Self::before(header, parent, period, key) {
            return Some(gap);
        }
        let participant = section.participant();
        let is_inside = header.first_key < key && key < header.last_key;
        if !Self::is_within(header, parent, period)
            || header.data_kind != DataKind::SealedBlob
            || key >> PARTICIPANT_SHIFT != u64::from(participant.0)
            || !is_inside
        {
            return None;
        }
        let leaves = section.leaves.as_slice();
        let right = leaves.binary_search_by_key(&key, |(leaf, _)| leaf.record.key()).err()?;
        let open = |place: usize| section.open(place, header.count);
        let left = right.checked_sub(1).and_then(open);
        let right = open(right);
        let is_between = left.is_some() && right.is_some();
        let section = Some(participant).filter(|_| !is_between);
        Some(Self { header, parent, left, right, section })
    }

    /// Returns the gap before a batch, if the key lies in it.
    fn before(
        header: &'a BatchHeader,
        parent: &'a BatchHeader,
        period: SettlementPeriod,
        key: u64,
    ) -> Option<Self> {
        let wanted = (period, key);
        let is_there = Self::is_regular(header, parent)
            && period.0 > 0
            && wanted > (parent.reg_period, parent.reg_last_key)
            && wanted < (header.period, header.first_key);
        is_there.then_some(Self { header, parent, left: None, right: None, section: None })
    }

    fn is_within(header: &BatchHeader, parent: &BatchHeader, period: SettlementPeriod) -> bool {
        Self::is_regular(header, parent) && period.0 > 0 && period == header.period
    }

    fn is_regular(header: &BatchHeader, parent: &BatchHeader) -> bool {
        header.run == 0 && header.parent == parent.hash()
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
        assert_eq!(found.section, None);
        Some(match (found.left, found.right) {
            (None, None) => "before",
            (None, _) | (_, None) => "beside",
            (Some(left), Some(right)) => {
                let is_there = |leaf: &Opened<RecordLeaf>| leaf.is_under(&header.record_root, 3);
                assert!(is_there(&left) && is_there(&right) && left.index + 1 == right.index);
                assert!(left.leaf.record.key() < key && key < right.leaf.record.key());
                "between"
            }
        })
    }

    /// The gap that participant 1 sees in a sealed batch of period 3, in which it has the slots 2 and 4, participant 2 nothing, and
    /// participants 0 and 3 a record each.
    fn sealed_gap(participant: u32, slot: u16) -> Option<&'static str> {
        let key =
            |participant: u32, slot: u16| u64::from(participant) << 16 | 1 << 10 | u64::from(slot);
        let leaf = |key: u64| {
            let bytes = [&key.to_be_bytes()[2..], &[0; 4]].concat();
            let record = Record::unpack(&bytes).unwrap();
            let zero = Amount::ZERO;
            RecordLeaf { record, amount: zero, balance_after: zero, hub_after: zero }
        };
        let keys = [key(0, 9), key(1, 2), key(1, 4), key(3, 0)];
        let salt = crate::sealed::SectionKey::new([7; 32]);
        let leaves: Vec<_> =
            (0..).zip(keys.map(leaf)).map(|(at, leaf)| (leaf, salt.salt(at))).collect();
        let hashes: Vec<_> = leaves.iter().map(|(leaf, salt)| leaf.sealed_hash(salt)).collect();
        let tree = Tree::new(hashes).unwrap();
        let range = match participant {
            0 => 0..1,
            1 => 1..3,
            2 => 0..0,
            _ => 3..4,
        };
        let leaf_of = |number: u32| crate::leaf::AccountLeaf {
            participant: ParticipantNumber(number),
            balance: Amount::ZERO,
            payable_micro: 0,
        };
        let account =
            Opened { index: participant, leaf: leaf_of(participant), salt: None, path: Vec::new() };
        let path = if range.is_empty() {
            Some(Vec::new())
        } else {
            crate::sealed::range_path(&tree, range.clone())
        };
        let section = KnownSection {
            first: u32::try_from(range.start).unwrap(),
            leaves: leaves[range].to_vec(),
            path: path.unwrap(),
            account,
        };
        let parent = BatchHeader::GENESIS;
        let header = BatchHeader {
            parent: parent.hash(),
            period: SettlementPeriod(3),
            data_kind: DataKind::SealedBlob,
            count: 4,
            first_key: keys[0],
            last_key: keys[3],
            record_root: tree.root(),
            ..BatchHeader::GENESIS
        };
        let wanted = key(participant, slot);
        let found = KeyGap::find_sealed(&header, &parent, &section, header.period, wanted)?;
        let is_there = |leaf: &Opened<RecordLeaf>| leaf.is_under(&header.record_root, 4);
        assert!(found.left.iter().chain(&found.right).all(is_there));
        assert!(found.left.as_ref().is_none_or(|left| left.leaf.record.key() < wanted));
        assert!(found.right.as_ref().is_none_or(|right| wanted < right.leaf.record.key()));
        let is_alone = found.left.is_some() && found.right.is_some();
        let is_before = wanted < keys[0];
        let shown = Some(ParticipantNumber(participant)).filter(|_| !is_alone && !is_before);
        assert_eq!(found.section, shown);
        let other = KnownSection {
            account: Opened { leaf: leaf_of(9), ..section.account.clone() },
            ..section
        };
        let other = KeyGap::find_sealed(&header, &parent, &other, header.period, wanted);
        assert_eq!(other.is_some(), is_before, "somebody else's section shows nothing");
        Some(match (found.left, found.right) {
            (None, None) if is_before => "before",
            (None, None) => "empty",
            (Some(_), Some(_)) => "between",
            (Some(_), None) => "after its last",
            (None, Some(_)) => "before its first",
        })
    }

    #[test]
    fn a_participant_sees_its_gap_in_a_sealed_batch_by_its_own_section() {
        let cases = [(1, 1), (1, 2), (1, 3), (1, 5), (2, 0), (0, 8), (0, 10), (3, 1)];
        let found = cases.map(|(participant, slot)| sealed_gap(participant, slot));
        let expected = [
            Some("before its first"),
            None,
            Some("between"),
            Some("after its last"),
            Some("empty"),
            Some("before"),
            Some("after its last"),
            // Beyond the batch another one may have it.
            None,
        ];
        assert_eq!(found, expected);
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
