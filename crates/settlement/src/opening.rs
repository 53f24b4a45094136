//! A committed tree as far as its leaves are known: whole where they can be computed, else by what the hub had to reveal.

use std::collections::BTreeMap;
use std::ops::Range;

use alloy_primitives::B256;
use rayon::prelude::*;

use crate::header::{BatchHeader, DataKind};
use crate::leaf::{AccountLeaf, RecordLeaf, Salt};
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
    /// What is hashed with it in a sealed batch; none in an open one.
    pub salt: Option<Salt>,
    /// Its path, lowest sibling first.
    pub path: Vec<B256>,
}

/// What has a hash that stands in a tree.
pub trait Leaf: Copy + Sync {
    /// Returns the hash.
    fn leaf_hash(&self) -> B256;

    /// Returns the hash in a sealed batch.
    fn sealed_leaf_hash(&self, salt: &Salt) -> B256;
}

impl Leaf for RecordLeaf {
    fn leaf_hash(&self) -> B256 {
        self.hash()
    }

    fn sealed_leaf_hash(&self, salt: &Salt) -> B256 {
        self.sealed_hash(salt)
    }
}

impl Leaf for AccountLeaf {
    fn leaf_hash(&self) -> B256 {
        self.hash()
    }

    fn sealed_leaf_hash(&self, salt: &Salt) -> B256 {
        self.sealed_hash(salt)
    }
}

/// A leaf of which nothing but the hash is known.
impl Leaf for B256 {
    fn leaf_hash(&self) -> B256 {
        *self
    }

    fn sealed_leaf_hash(&self, _: &Salt) -> B256 {
        *self
    }
}

impl<L: Leaf> Opened<L> {
    /// Returns the hash that stands in the tree.
    #[must_use]
    pub fn hash(&self) -> B256 {
        self.salt.map_or_else(|| self.leaf.leaf_hash(), |salt| self.leaf.sealed_leaf_hash(&salt))
    }
}

impl BatchHeader {
    /// Whether a record is in the batch, hashed as the batch hashes its leaves.
    #[must_use]
    pub fn has_record(&self, record: &Opened<RecordLeaf>) -> bool {
        self.is_salted(record.salt) && record.is_under(&self.record_root, self.count)
    }

    /// Whether an account is in the batch at its participant's number, hashed as the batch hashes its leaves.
    #[must_use]
    pub fn has_account(&self, account: &Opened<AccountLeaf>) -> bool {
        self.is_salted(account.salt)
            && account.index == account.leaf.participant.0
            && account.is_under(&self.account_root, self.account_count)
    }

    fn is_salted(&self, salt: Option<Salt>) -> bool {
        salt.is_some() == (self.data_kind == DataKind::SealedBlob)
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
    /// Of each leaf in a sealed batch.
    salts: Option<Vec<Salt>>,
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
            return Ok(Self { leaves: computed, salts: None, nodes: Nodes::Whole(tree) });
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
        Ok(Self { leaves: known, salts: None, nodes: Nodes::AboveGroups(row) })
    }

    /// Returns the whole tree over these leaves with their salts, or `None` where it does not have this root.
    pub(crate) fn sealed(root: &B256, leaves: Vec<L>, salts: Vec<Salt>) -> Option<Self> {
        if leaves.len() != salts.len() {
            return None;
        }
        let hashes = sealed_hashes(&leaves, &salts);
        let tree = Tree::new(hashes).filter(|tree| tree.root() == *root)?;
        Some(Self { leaves, salts: Some(salts), nodes: Nodes::Whole(tree) })
    }

    /// Returns the tree, if all of it is known, and the salts of its leaves.
    pub(crate) fn into_tree(self) -> Option<(Tree, Option<Vec<Salt>>)> {
        match self.nodes {
            Nodes::Whole(tree) => Some((tree, self.salts)),
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
        let salt = self.salts.as_ref().and_then(|salts| salts.get(index)).copied();
        Some(Opened { index: u32::try_from(index).ok()?, leaf, salt, path })
    }
}

fn group_range(group: usize, count: usize) -> Range<usize> {
    let start = group.saturating_mul(GROUP_LEAVES).min(count);
    start..count.min(start.saturating_add(GROUP_LEAVES))
}

fn group_root(hashes: &[B256]) -> B256 {
    Tree::new(hashes.to_vec()).map(|tree| tree.root()).unwrap_or_default()
}

/// Returns the hashes of leaves with their salts; of many on all cores.
pub(crate) fn sealed_hashes<L: Leaf>(leaves: &[L], salts: &[Salt]) -> Vec<B256> {
    let salted = leaves.par_iter().zip(salts).with_min_len(LEAVES_PER_CORE_MIN);
    salted.map(|(leaf, salt)| leaf.sealed_leaf_hash(salt)).collect()
}

/// Returns the hashes of leaves; of many on all cores.
pub(crate) fn leaf_hashes<L: Leaf>(leaves: &[L]) -> Vec<B256> {
    leaves.par_iter().with_min_len(LEAVES_PER_CORE_MIN).map(Leaf::leaf_hash).collect()
}
