//! A committed tree as far as its leaves are known: whole where they can be computed, else by what the hub had to reveal.

use std::collections::BTreeMap;
use std::ops::Range;

use alloy_primitives::B256;
use rayon::prelude::*;

use crate::leaf::{AccountLeaf, RecordLeaf};
use crate::tree::{GROUP_LEAVES, Tree};

/// Leaves that one core hashes at least, before another one helps.
const LEAVES_PER_CORE_MIN: usize = 1_024;

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
    nodes: Nodes,
}

/// Which nodes of a tree are known.
#[derive(Clone, Debug)]
enum Nodes {
    /// All.
    Whole(Tree),
    /// Those above the groups.
    AboveGroups(Tree),
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
        let hashes = leaf_hashes(&computed);
        if computed.len() == count
            && let Some(tree) = Tree::new(hashes.clone())
            && tree.root() == *root
        {
            return Ok(Self { leaves: computed, nodes: Nodes::Whole(tree) });
        }
        let groups = count.div_ceil(GROUP_LEAVES);
        let row = if groups == 1 { Some(vec![*root]) } else { revealed.row.clone() };
        let row = row.filter(|row| row.len() == groups).and_then(Tree::new);
        let row = row.filter(|row| row.root() == *root).ok_or(Need::Row)?;
        let computed_group = |group: usize| hashes.get(group_range(group, count)).map(group_root);
        let is_same = |group: &usize| computed_group(*group).as_ref() == row.leaves().get(*group);
        let group = (0..groups).find(|group| !is_same(group)).unwrap_or(groups);
        let number = u32::try_from(group).unwrap_or(u32::MAX);
        let range = group_range(group, count);
        let leaves = revealed.groups.get(&number).filter(|leaves| {
            leaves.len() == range.len()
                && Some(&group_root(&leaf_hashes(leaves))) == row.leaves().get(group)
        });
        let leaves = leaves.ok_or(Need::Group(number))?;
        let mut known = computed;
        known.truncate(range.start);
        known.extend_from_slice(leaves);
        Ok(Self { leaves: known, nodes: Nodes::AboveGroups(row) })
    }

    /// Returns the tree, if all of it is known.
    pub(crate) fn into_tree(self) -> Option<Tree> {
        match self.nodes {
            Nodes::Whole(tree) => Some(tree),
            Nodes::AboveGroups(_) => None,
        }
    }

    /// Returns a known leaf with its path.
    pub(crate) fn open(&self, index: usize) -> Option<Opened<L>> {
        let leaf = *self.leaves.get(index)?;
        let path = match &self.nodes {
            Nodes::Whole(tree) => tree.path(index)?,
            Nodes::AboveGroups(row) => {
                let group = index / GROUP_LEAVES;
                let range = group_range(group, self.leaves.len());
                let hashes = leaf_hashes(&self.leaves[range.clone()]);
                let mut path = Tree::new(hashes)?.path(index - range.start)?;
                path.extend(row.path(group)?);
                path
            }
        };
        Some(Opened { index: u32::try_from(index).ok()?, leaf, path })
    }
}

fn group_range(group: usize, count: usize) -> Range<usize> {
    let start = group.saturating_mul(GROUP_LEAVES).min(count);
    start..count.min(start.saturating_add(GROUP_LEAVES))
}

fn group_root(hashes: &[B256]) -> B256 {
    Tree::new(hashes.to_vec()).map(|tree| tree.root()).unwrap_or_default()
}

/// Returns the hashes of leaves; of many on all cores.
pub(crate) fn leaf_hashes<L: Leaf>(leaves: &[L]) -> Vec<B256> {
    leaves.par_iter().with_min_len(LEAVES_PER_CORE_MIN).map(Leaf::leaf_hash).collect()
}
