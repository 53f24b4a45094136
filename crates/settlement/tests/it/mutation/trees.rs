//! Roots that no leaves have, and trees of another shape: nobody can open them, so they fall by a demand.

use alloy_primitives::{B256, keccak256};
use gridtally_settlement::{AccountLeaf, RecordLeaf, Tree};
use rand::RngExt;

use super::super::town::Committed;
use super::Way;

pub(super) const WAYS: &[Way] = &[
    Way::of_roots("a garbage root of the records", |batch, random| {
        batch.header.record_root = B256::from(random.random::<[u8; 32]>());
        true
    }),
    Way::of_roots("a garbage root of the accounts", |batch, random| {
        batch.header.account_root = B256::from(random.random::<[u8; 32]>());
        true
    }),
    Way::of_roots("no root of the records", |batch, _| {
        batch.header.record_root = B256::ZERO;
        true
    }),
    Way::of_roots("no root of the accounts", |batch, _| {
        batch.header.account_root = B256::ZERO;
        true
    }),
    Way::of_roots("each root for the other", |batch, _| {
        let header = &mut batch.header;
        (header.record_root, header.account_root) = (header.account_root, header.record_root);
        true
    }),
    Way::of_roots("a hidden record", |batch, random| {
        let mut leaves = record_hashes(batch);
        let extra = leaves[random.random_range(0..leaves.len())];
        leaves.push(extra);
        shape(batch, |header| &mut header.record_root, root(leaves))
    }),
    Way::of_roots("a hidden account", |batch, random| {
        let mut leaves = account_hashes(batch);
        let extra = leaves[random.random_range(0..leaves.len())];
        leaves.push(extra);
        shape(batch, |header| &mut header.account_root, root(leaves))
    }),
    Way::of_roots("a record fewer in the tree", |batch, _| {
        let mut leaves = record_hashes(batch);
        leaves.pop();
        !leaves.is_empty() && shape(batch, |header| &mut header.record_root, root(leaves))
    }),
    Way::of_roots("records in another order in the tree", |batch, _| {
        let mut leaves = record_hashes(batch);
        leaves.reverse();
        shape(batch, |header| &mut header.record_root, root(leaves))
    }),
    Way::of_roots("the last node doubled instead of promoted", |batch, _| {
        let leaves = record_hashes(batch);
        shape(batch, |header| &mut header.record_root, folded(leaves, true, &[1], false))
    }),
    Way::of_roots("pairs sorted", |batch, _| {
        let leaves = record_hashes(batch);
        shape(batch, |header| &mut header.record_root, folded(leaves, false, &[1], true))
    }),
    Way::of_roots("nodes without a tag", |batch, _| {
        let leaves = record_hashes(batch);
        shape(batch, |header| &mut header.record_root, folded(leaves, false, &[], false))
    }),
    Way::of_roots("nodes with the tag of leaves", |batch, _| {
        let leaves = account_hashes(batch);
        shape(batch, |header| &mut header.account_root, folded(leaves, false, &[2], false))
    }),
    Way::of_roots("leaves with the tag of accounts", |batch, _| {
        let hash = |leaf: &RecordLeaf| {
            let mut bytes = leaf.preimage();
            bytes[0] = 2;
            keccak256(bytes)
        };
        let leaves = batch.leaves.iter().map(hash).collect();
        shape(batch, |header| &mut header.record_root, root(leaves))
    }),
    // A hub that shows the group on demand shows where it is wrong.
    Way::of_roots("a subtree for the tree", |batch, _| {
        let leaves = record_hashes(batch);
        let half = leaves.len().div_ceil(2).next_power_of_two().min(leaves.len());
        shape(batch, |header| &mut header.record_root, root(leaves[..half].to_vec()))
    }),
    Way::of_roots("a leaf of another batch", |batch, random| {
        let index = random.random_range(0..batch.leaves.len());
        let mut leaves = record_hashes(batch);
        leaves[index] = keccak256(leaves[index]);
        shape(batch, |header| &mut header.record_root, root(leaves))
    }),
];

/// Sets a root; false if it is the honest one, as a tree of one leaf has only one shape.
fn shape(
    batch: &mut Committed,
    place: impl Fn(&mut gridtally_settlement::BatchHeader) -> &mut B256,
    new: B256,
) -> bool {
    let root = place(&mut batch.header);
    let is_other = *root != new;
    *root = new;
    is_other
}

fn record_hashes(batch: &Committed) -> Vec<B256> {
    batch.leaves.iter().map(RecordLeaf::hash).collect()
}

fn account_hashes(batch: &Committed) -> Vec<B256> {
    batch.accounts.iter().map(AccountLeaf::hash).collect()
}

fn root(leaves: Vec<B256>) -> B256 {
    Tree::new(leaves).unwrap().root()
}

/// Folds leaves to a root as other kinds of trees do.
fn folded(mut nodes: Vec<B256>, doubles_last: bool, tag: &[u8], sorts: bool) -> B256 {
    while nodes.len() > 1 {
        let pair = |pair: &[B256]| {
            let (mut left, mut right) = (pair[0], *pair.last().unwrap());
            if pair.len() == 1 && !doubles_last {
                return left;
            }
            if sorts && right < left {
                (left, right) = (right, left);
            }
            keccak256([tag, left.as_slice(), right.as_slice()].concat())
        };
        nodes = nodes.chunks(2).map(pair).collect();
    }
    nodes[0]
}
