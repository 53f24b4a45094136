//! Positional Merkle trees: index and count are bound by the proof.

use alloy_primitives::{B256, keccak256};
use rayon::prelude::*;

/// What marks an inner node, so that no leaf can be taken for one.
const NODE_TAG: u8 = 0x01;
/// Nodes that one core computes at least, before another one helps.
const NODES_PER_CORE_MIN: usize = 1_024;
/// The level of the group roots.
const GROUP_LEVEL: usize = 8;
/// The most leaves of a batch's tree.
pub const LEAVES_MAX: u32 = 1 << 18;
/// Leaves of a group, which is revealed at once; the last group may have fewer.
pub const GROUP_LEAVES: usize = 1 << GROUP_LEVEL;

/// Returns the parent of two nodes: keccak256(0x01 | left | right).
#[must_use]
pub fn node(left: &B256, right: &B256) -> B256 {
    let mut bytes = [0; 65];
    bytes[0] = NODE_TAG;
    bytes[1..33].copy_from_slice(left.as_slice());
    bytes[33..].copy_from_slice(right.as_slice());
    keccak256(bytes)
}

/// A tree over one or more leaf hashes, with every level kept, so that any path is a few look-ups.
///
/// Neighbours are paired level by level; an odd last node is promoted unchanged (the shape of RFC 6962).
///
/// ```text
///          root
///        /      \
///      n01       2        three leaves: leaf 2 is promoted
///     /   \
///    0     1
/// ```
///
/// # Source
///
/// Settlement protocol §2.4.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tree {
    levels: Vec<Vec<B256>>,
}

impl Tree {
    /// Returns the tree over `leaves`, or `None` without any: an empty tree does not exist. Large ones use all cores.
    #[must_use]
    pub fn new(leaves: Vec<B256>) -> Option<Self> {
        if leaves.is_empty() {
            return None;
        }
        let mut levels = vec![leaves];
        loop {
            let below = &levels[levels.len() - 1];
            if below.len() == 1 {
                return Some(Self { levels });
            }
            let above =
                below.par_chunks(2).with_min_len(NODES_PER_CORE_MIN).map(|pair| match pair {
                    [left, right] => node(left, right),
                    promoted => promoted[0],
                });
            let above = above.collect();
            levels.push(above);
        }
    }

    /// Returns the leaves.
    #[must_use]
    pub fn leaves(&self) -> &[B256] {
        &self.levels[0]
    }

    /// Returns all levels, from the leaves to the root.
    pub(crate) fn levels(&self) -> impl Iterator<Item = &[B256]> {
        self.levels.iter().map(Vec::as_slice)
    }

    /// Returns the number of leaves, at least 1.
    #[must_use]
    pub fn count(&self) -> usize {
        self.levels[0].len()
    }

    /// Returns the root.
    #[must_use]
    pub fn root(&self) -> B256 {
        self.levels[self.levels.len() - 1][0]
    }

    /// Returns the path of a leaf, lowest sibling first, or `None` beyond the last leaf.
    #[must_use]
    pub fn path(&self, index: usize) -> Option<Vec<B256>> {
        if index >= self.count() {
            return None;
        }
        let siblings =
            self.levels.iter().enumerate().map(|(level, nodes)| nodes.get((index >> level) ^ 1));
        Some(siblings.flatten().copied().collect())
    }

    /// Returns the path of a group's root in the row, or `None` beyond the last group.
    #[must_use]
    pub fn group_path(&self, group: usize) -> Option<Vec<B256>> {
        Self::new(self.row().to_vec())?.path(group)
    }

    /// Returns the row: the roots of the groups of 256 leaves, which are nodes of the tree.
    #[must_use]
    pub fn row(&self) -> &[B256] {
        &self.levels[GROUP_LEVEL.min(self.levels.len() - 1)]
    }
}

/// Whether `path` leads from `leaf` at `index` of `count` leaves to `root`, and is used up exactly.
///
/// # Source
///
/// Settlement protocol §2.4; RFC 9162 §2.1.3.2.
#[must_use]
pub fn is_included(root: &B256, leaf: &B256, index: u32, count: u32, path: &[B256]) -> bool {
    if index >= count {
        return false;
    }
    let (mut place, mut last) = (index, count - 1);
    let mut hash = *leaf;
    let mut siblings = path.iter();
    while last > 0 {
        let is_right = place & 1 == 1;
        if is_right || place < last {
            let Some(sibling) = siblings.next() else { return false };
            hash = if is_right { node(sibling, &hash) } else { node(&hash, sibling) };
        }
        place >>= 1;
        last >>= 1;
    }
    siblings.next().is_none() && hash == *root
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn leaves(count: u32) -> Vec<B256> {
        (0..count).map(|index| keccak256(index.to_be_bytes())).collect()
    }

    #[test]
    fn an_empty_tree_does_not_exist() {
        assert_eq!(Tree::new(Vec::new()), None);
    }

    #[test]
    fn groups_are_nodes_of_the_tree() {
        for count in [1, 2, 255, 256, 257, 511, 600, 769] {
            let leaves = leaves(count);
            let tree = Tree::new(leaves.clone()).unwrap();
            let groups = leaves.chunks(256).map(|group| Tree::new(group.to_vec()).unwrap().root());
            let groups: Vec<_> = groups.collect();
            assert_eq!(tree.row(), groups, "{count}");
            assert_eq!(Tree::new(groups).unwrap().root(), tree.root(), "{count}");
        }
    }

    proptest! {
        #[test]
        fn every_leaf_proves_its_place_and_no_other(count in 1_u32..70, index in 0_u32..70, other in 0_u32..70) {
            let leaves = leaves(count);
            let tree = Tree::new(leaves.clone()).unwrap();
            let index = index % count;
            let place = usize::try_from(index).unwrap();
            let (root, leaf, path) = (tree.root(), leaves[place], tree.path(place).unwrap());
            prop_assert!(is_included(&root, &leaf, index, count, &path));
            if other != index {
                prop_assert!(!is_included(&root, &leaf, other, count, &path));
            }
            let mut longer = path.clone();
            longer.push(B256::ZERO);
            prop_assert!(!is_included(&root, &leaf, index, count, &longer));
            for sibling in 0..path.len() {
                let mut tampered = path.clone();
                tampered[sibling].0[0] ^= 1;
                prop_assert!(!is_included(&root, &leaf, index, count, &tampered));
            }
        }
    }
}
