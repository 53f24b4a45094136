//! Ranges of leaves of a positional tree: that these are the leaves from here on, and no others.

use std::ops::Range;

use alloy_primitives::B256;

use crate::tree::{Tree, node};

/// Returns the nodes beside a range of leaves, level by level: the one before it where the range begins on the right of a
/// pair, then the one after it where it ends on the left of one. `None` for an empty range or one beyond the last leaf.
///
/// # Source
///
/// docs/decisions/0010-sealed-mode.md.
#[must_use]
pub fn range_path(tree: &Tree, range: Range<usize>) -> Option<Vec<B256>> {
    if range.is_empty() || range.end > tree.count() {
        return None;
    }
    // The siblings of the two ends: where the range covers a sibling, or the level ends, nothing is needed.
    let (mut first, mut last) = (range.start, range.end - 1);
    let mut path = Vec::new();
    for level in tree.levels() {
        if first % 2 == 1 {
            path.push(level[first - 1]);
        }
        if last.is_multiple_of(2) {
            path.extend(level.get(last + 1));
        }
        first /= 2;
        last /= 2;
    }
    Some(path)
}

/// Whether `leaves` are those from `first` on, of `count` under `root`, and `path` is used up by showing it.
///
/// For one leaf the path is that of [`is_included`](crate::is_included). The contract's `PositionalTree.isRangeAt`.
#[must_use]
pub fn is_range_included(
    root: &B256,
    leaves: &[B256],
    first: u32,
    count: u32,
    path: &[B256],
) -> bool {
    let room = count.checked_sub(first).and_then(|room| usize::try_from(room).ok());
    if leaves.is_empty() || room.is_none_or(|room| leaves.len() > room) {
        return false;
    }
    let (Ok(mut first), Ok(count)) = (usize::try_from(first), usize::try_from(count)) else {
        return false;
    };
    let mut last = count - 1;
    let mut nodes = leaves.to_vec();
    let mut beside = path.iter();
    while last > 0 {
        if first % 2 == 1 {
            let Some(before) = beside.next() else { return false };
            nodes.insert(0, *before);
            first -= 1;
        }
        let end = first + nodes.len() - 1;
        if end.is_multiple_of(2) && end < last {
            let Some(after) = beside.next() else { return false };
            nodes.push(*after);
        }
        let above = nodes.chunks(2).map(|pair| match pair {
            [left, right] => node(left, right),
            promoted => promoted[0],
        });
        nodes = above.collect();
        first /= 2;
        last /= 2;
    }
    beside.next().is_none() && nodes[0] == *root
}

/// Returns the path of the leaf at `place` of `leaves`, which are those from `first` on of `count` with `path` beside them; `None`
/// where the path is too short, or there is no such leaf.
pub(super) fn path_in_range(
    leaves: &[B256],
    first: u32,
    count: u32,
    path: &[B256],
    place: usize,
) -> Option<Vec<B256>> {
    if place >= leaves.len() {
        return None;
    }
    let mut first = usize::try_from(first).ok()?;
    let mut last = usize::try_from(count).ok()?.checked_sub(1)?;
    let (mut nodes, mut at) = (leaves.to_vec(), first + place);
    let (mut beside, mut siblings) = (path.iter(), Vec::new());
    while last > 0 {
        if first % 2 == 1 {
            nodes.insert(0, *beside.next()?);
            first -= 1;
        }
        let end = first + nodes.len() - 1;
        if end.is_multiple_of(2) && end < last {
            nodes.push(*beside.next()?);
        }
        siblings.extend((at ^ 1).checked_sub(first).and_then(|sibling| nodes.get(sibling)));
        let above = nodes.chunks(2).map(|pair| match pair {
            [left, right] => node(left, right),
            promoted => promoted[0],
        });
        nodes = above.collect();
        (first, last, at) = (first / 2, last / 2, at / 2);
    }
    Some(siblings)
}

#[cfg(test)]
mod tests {
    use alloy_primitives::keccak256;
    use proptest::prelude::*;

    use super::*;

    fn tree(count: u32) -> Tree {
        Tree::new((0..count).map(|index| keccak256(index.to_be_bytes())).collect()).unwrap()
    }

    #[test]
    fn every_range_of_every_small_tree_proves_its_place_and_no_other() {
        for count in 1..=17_u32 {
            let tree = tree(count);
            let root = tree.root();
            for first in 0..count {
                for end in first + 1..=count {
                    let range = usize::try_from(first).unwrap()..usize::try_from(end).unwrap();
                    let path = range_path(&tree, range.clone()).unwrap();
                    let leaves = &tree.leaves()[range.clone()];
                    for place in 0..leaves.len() {
                        let of_leaf = path_in_range(leaves, first, count, &path, place);
                        assert_eq!(of_leaf, tree.path(range.start + place));
                    }
                    let is_at = |place: u32| is_range_included(&root, leaves, place, count, &path);
                    assert!(is_at(first), "{first}..{end} of {count}");
                    let others = (0..=count).filter(|place| *place != first);
                    assert!(!others.into_iter().any(is_at), "{first}..{end} of {count}");
                    if leaves.len() == 1 {
                        assert_eq!(tree.path(range.start), Some(path));
                    }
                }
            }
        }
    }

    #[test]
    fn an_empty_range_and_one_beyond_the_end_have_no_path() {
        let tree = tree(3);
        assert_eq!(range_path(&tree, 1..1), None);
        assert_eq!(range_path(&tree, 2..4), None);
        assert!(!is_range_included(&tree.root(), &[], 0, 3, &[]));
        assert!(!is_range_included(&tree.root(), tree.leaves(), 0, 2, &[]));
        assert!(!is_range_included(&tree.root(), tree.leaves(), u32::MAX, 3, &[]));
        assert!(!is_range_included(&tree.root(), tree.leaves(), 0, 0, &[]));
    }

    proptest! {
        #[test]
        fn a_changed_leaf_or_path_proves_nothing(
            count in 1_u32..300, a in 0_u32..300, b in 0_u32..300, place in any::<usize>()
        ) {
            let tree = tree(count);
            let (a, b) = (a % count, b % count);
            let (first, end) = (a.min(b), a.max(b) + 1);
            let range = usize::try_from(first).unwrap()..usize::try_from(end).unwrap();
            let path = range_path(&tree, range.clone()).unwrap();
            let mut leaves = tree.leaves()[range].to_vec();
            let root = tree.root();
            prop_assert!(is_range_included(&root, &leaves, first, count, &path));
            let mut longer = path.clone();
            longer.push(B256::ZERO);
            prop_assert!(!is_range_included(&root, &leaves, first, count, &longer));
            if let Some((_, shorter)) = path.split_last() {
                prop_assert!(!is_range_included(&root, &leaves, first, count, shorter));
            }
            let place = place % leaves.len();
            leaves[place][31] ^= 1;
            prop_assert!(!is_range_included(&root, &leaves, first, count, &path));
        }
    }
}
