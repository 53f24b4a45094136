//! A committed tree as far as its leaves are known: whole where they can be computed, else by what the hub had to reveal.

use std::collections::BTreeMap;
use std::ops::Range;

use alloy_primitives::B256;
use rayon::prelude::*;

use crate::leaf::{AccountLeaf, RecordLeaf};
use crate::tree::{GROUP_LEAVES, Tree};

/// A leaf with its place and its path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened<L> {
    /// Index of the leaf, from 0.
    pub index: u32,
    /// The leaf.
    pub leaf: L,
    /// Its path, lowest sibling first.
    pub path: Vec<B256>,
}

/// What has a hash that stands in a tree.
pub trait Leaf: Copy + Sync {
    /// Returns the hash.
    fn leaf_hash(&self) -> B256;
}

impl Leaf for RecordLeaf {
    fn leaf_hash(&self) -> B256 {
        self.hash()
    }
}

impl Leaf for AccountLeaf {
    fn leaf_hash(&self) -> B256 {
        self.hash()
    }
}

/// What the hub revealed of one tree on demand.
#[derive(Clone, Debug)]
pub struct Revealed<L> {
    /// The roots of all groups.
    pub row: Option<Vec<B256>>,
    /// The leaves of single groups.
    pub groups: BTreeMap<u32, Vec<L>>,
}

impl<L> Default for Revealed<L> {
    fn default() -> Self {
        Self { row: None, groups: BTreeMap::new() }
    }
}

/// What has to be revealed before more can be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// The roots of all groups.
    Row,
    /// The leaves of a group.
    Group(u32),
}

/// A committed tree and its first leaves, of which only the last group can differ from what was computed.
#[derive(Clone, Debug)]
pub(crate) struct KnownTree<L> {
    pub(crate) leaves: Vec<L>,
    row: Tree,
}

impl<L: Leaf> KnownTree<L> {
    /// Returns the tree under `root` over `count` leaves, of which `computed` are expected, as far as they go.
    ///
    /// What was revealed is believed only where it hashes to the root.
    pub(crate) fn new(
        root: &B256,
        count: u32,
        computed: Vec<L>,
        revealed: &Revealed<L>,
    ) -> Result<Self, Need> {
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        let roots = group_roots(&computed);
        if computed.len() == count
            && let Some(row) = Tree::new(roots.clone())
            && row.root() == *root
        {
            return Ok(Self { leaves: computed, row });
        }
        let groups = count.div_ceil(GROUP_LEAVES);
        let row = if groups == 1 { Some(vec![*root]) } else { revealed.row.clone() };
        let row = row.filter(|row| row.len() == groups).and_then(Tree::new);
        let row = row.filter(|row| row.root() == *root).ok_or(Need::Row)?;
        let whole_roots = roots.iter().enumerate().take_while(|&(group, _)| {
            let end = group_range(group, count).end;
            end <= computed.len()
        });
        let same = whole_roots.zip(row.leaves()).take_while(|&((_, ours), theirs)| ours == theirs);
        let group = same.count();
        let number = u32::try_from(group).unwrap_or(u32::MAX);
        let range = group_range(group, count);
        let leaves = revealed.groups.get(&number).filter(|leaves| {
            leaves.len() == range.len() && group_roots(leaves).first() == row.leaves().get(group)
        });
        let leaves = leaves.ok_or(Need::Group(number))?;
        let mut known = computed;
        known.truncate(range.start);
        known.extend_from_slice(leaves);
        Ok(Self { leaves: known, row })
    }

    /// Returns a known leaf with its path.
    pub(crate) fn open(&self, index: usize) -> Option<Opened<L>> {
        let leaf = *self.leaves.get(index)?;
        let group = index / GROUP_LEAVES;
        let range = group_range(group, self.leaves.len());
        let hashes = self.leaves[range.clone()].iter().map(Leaf::leaf_hash).collect();
        let mut path = Tree::new(hashes)?.path(index - range.start)?;
        path.extend(self.row.path(group)?);
        Some(Opened { index: u32::try_from(index).ok()?, leaf, path })
    }
}

fn group_range(group: usize, count: usize) -> Range<usize> {
    let start = group * GROUP_LEAVES;
    start..count.min(start + GROUP_LEAVES)
}

/// Returns the roots of all groups of leaves, the last group being shorter; computed on all cores.
pub(crate) fn group_roots<L: Leaf>(leaves: &[L]) -> Vec<B256> {
    let root = |group: &[L]| {
        let hashes = group.iter().map(Leaf::leaf_hash).collect();
        Tree::new(hashes).expect("a group has leaves").root()
    };
    leaves.par_chunks(GROUP_LEAVES).map(root).collect()
}
