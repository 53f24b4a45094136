//! Ways to change a batch: in every field of every structure, small and hostile, with totals that follow or not, twice, not at all, or
//! too late; and trees that no leaves have.

mod accounts;
mod data;
mod header;
mod inbox;
mod leaves;
mod trees;

use gridtally_core::quantity::Amount;
use gridtally_settlement::{Record, RecordLeaf};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::town::{Committed, Data, hostile};
use super::watcher::{root, rows};

/// One way to change a batch.
pub(crate) struct Way {
    /// What it does, for who reads a failure.
    pub(crate) name: &'static str,
    /// Changes a batch; false where that way is not possible.
    change: fn(&mut Committed, &mut ChaCha8Rng) -> bool,
    /// Whether the roots follow what was changed.
    is_recommitted: bool,
}

impl Way {
    const fn new(name: &'static str, change: fn(&mut Committed, &mut ChaCha8Rng) -> bool) -> Self {
        Self { name, change, is_recommitted: true }
    }

    /// A way that makes roots of its own.
    const fn of_roots(
        name: &'static str,
        change: fn(&mut Committed, &mut ChaCha8Rng) -> bool,
    ) -> Self {
        Self { name, change, is_recommitted: false }
    }

    /// Changes a batch in this way; false where that is not possible.
    pub(crate) fn apply(&self, batch: &mut Committed, random: &mut ChaCha8Rng) -> bool {
        let is_changed = (self.change)(batch, random);
        if is_changed && self.is_recommitted {
            recommit(batch);
        }
        is_changed
    }
}

/// Ways in which a batch can be false although the chain took it.
pub(crate) fn ways() -> impl Iterator<Item = &'static Way> {
    [leaves::WAYS, accounts::WAYS, data::WAYS, inbox::WAYS, header::WAYS, trees::WAYS]
        .into_iter()
        .flatten()
}

/// Ways that the chain itself looks at when a batch is committed. What it lets pass is a batch like any other.
#[allow(dead_code, reason = "only a chain can refuse them")]
pub(crate) fn commitment_ways() -> impl Iterator<Item = &'static Way> {
    header::COMMITMENT_WAYS.iter()
}

fn records(leaves: &[RecordLeaf]) -> Vec<Record> {
    leaves.iter().map(|leaf| leaf.record).collect()
}

/// Publishes the records as they are committed, and lets the header say how many and between which keys.
fn republish(batch: &mut Committed) {
    let leaves = &batch.leaves;
    batch.header.count = u32::try_from(leaves.len()).unwrap();
    batch.header.first_key = leaves[0].record.key();
    batch.header.last_key = leaves[leaves.len() - 1].record.key();
    batch.data = Data::of(batch.header.data_kind, &records(leaves));
}

fn change(amount: &mut Amount, random: &mut impl Rng) {
    *amount = Amount::from_micro(hostile(random, amount.micro()));
}

/// Adds to one amount, and to every balance that follows from it.
fn shift(batch: &mut Committed, index: usize, extra: i64) {
    let leaf = &mut batch.leaves[index];
    let participant = leaf.record.participant();
    let is_reading = leaf.record.code().is_priced();
    let hub_extra = if is_reading {
        -extra
    } else if participant.0 == 0 {
        extra
    } else {
        0
    };
    leaf.amount = Amount::from_micro(leaf.amount.micro() + extra);
    for leaf in &mut batch.leaves[index..] {
        if leaf.record.participant() == participant {
            leaf.balance_after = Amount::from_micro(leaf.balance_after.micro() + extra);
        }
        leaf.hub_after = Amount::from_micro(leaf.hub_after.micro() + hub_extra);
    }
    let hub = batch.leaves[batch.leaves.len() - 1].hub_after;
    batch.header.hub_balance = hub;
    let account = &mut batch.accounts[usize::try_from(participant.0).unwrap()];
    account.balance = Amount::from_micro(account.balance.micro() + extra);
    batch.accounts[0].balance = hub;
}

/// Takes a record out of the batch, with everything else in order: all balances are as if its amount had been nothing.
fn leave_out(batch: &mut Committed, index: usize) {
    let amount = batch.leaves[index].amount.micro();
    shift(batch, index, -amount);
    batch.leaves.remove(index);
    republish(batch);
}

/// Commits what was changed: the roots follow the leaves.
pub(crate) fn recommit(batch: &mut Committed) {
    let (record_row, account_row) = rows(batch);
    batch.header.record_root = root(record_row);
    batch.header.account_root = root(account_row);
}
