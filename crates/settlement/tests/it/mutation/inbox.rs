//! The inbox: entries left out, honored twice, for another participant, with another amount; and forced readings corrected too late.

use gridtally_core::quantity::Amount;
use gridtally_settlement::{Record, RecordLeaf};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::super::town::{Committed, record};
use super::{Way, leave_out, republish, shift};

pub(super) const WAYS: &[Way] = &[
    Way::new("one entry less in the header", |batch, _| {
        let is_possible = batch.header.inbox_to > 0;
        batch.header.inbox_to = batch.header.inbox_to.saturating_sub(1);
        is_possible
    }),
    Way::new("one entry more in the header", |batch, _| {
        batch.header.inbox_to += 1;
        true
    }),
    Way::new("a deposit left out, with everything else in order", |batch, random| {
        let Some(deposit) = any(batch, 0, random) else { return false };
        if batch.leaves.len() == 1 {
            return false;
        }
        leave_out(batch, deposit);
        true
    }),
    Way::new("a deposit honored twice, with everything else in order", |batch, random| {
        let Some(deposit) = any(batch, 0, random) else { return false };
        let old = batch.leaves[deposit].record;
        let slot = (old.slot().0 + random.random_range(1..4)) % 1_024;
        insert(batch, record(old.participant().0, 0, slot, 0), batch.leaves[deposit].amount)
    }),
    Way::new("a deposit for another participant", |batch, random| {
        let Some(deposit) = any(batch, 0, random) else { return false };
        let RecordLeaf { record: old, amount, .. } = batch.leaves[deposit];
        let other = random.random_range(0..batch.header.account_count);
        if other == old.participant().0 || batch.leaves.len() == 1 {
            return false;
        }
        leave_out(batch, deposit);
        insert(batch, record(other, 0, old.slot().0, 0), amount)
    }),
    Way::new("a deposit of another amount, with everything else in order", |batch, random| {
        let Some(deposit) = any(batch, 0, random) else { return false };
        shift(batch, deposit, random.random_range(1..1_000_000));
        true
    }),
    Way::new("a deposit that nobody made", |batch, random| {
        let participant = random.random_range(0..batch.header.account_count);
        let slot = if random.random_bool(0.5) { 1_023 } else { random.random_range(0..1_024) };
        insert(batch, record(participant, 0, slot, 0), Amount::from_micro(1_000_000))
    }),
    // So that a request to leave may be ignored.
    Way::new("a withdrawal left out, with everything else in order", |batch, random| {
        let Some(withdrawal) = any(batch, 63, random) else { return false };
        if batch.leaves.len() == 1 {
            return false;
        }
        let leaf = batch.leaves[withdrawal];
        let participant = usize::try_from(leaf.record.participant().0).unwrap();
        batch.accounts[participant].payable_micro -= leaf.amount.micro().unsigned_abs();
        leave_out(batch, withdrawal);
        true
    }),
    Way::new("a withdrawal of less, with everything else in order", |batch, random| {
        let Some(withdrawal) = any(batch, 63, random) else { return false };
        let leaf = batch.leaves[withdrawal];
        let (participant, value) = (leaf.record.participant().0, leaf.record.value());
        if value < 2 {
            return false;
        }
        let less = random.random_range(1..value);
        batch.leaves[withdrawal].record = record(participant, 63, 0, value - less);
        let given_back = i64::from(less) * 10_000;
        shift(batch, withdrawal, given_back);
        let place = usize::try_from(participant).unwrap();
        batch.accounts[place].payable_micro -= given_back.unsigned_abs();
        republish(batch);
        true
    }),
    Way::new("a late correction of a forced reading, by nothing", |batch, random| {
        if batch.late.is_empty() {
            return false;
        }
        let key = batch.late[random.random_range(0..batch.late.len())];
        let bytes = [&key.to_be_bytes()[2..], &[0; 4]].concat();
        insert(batch, Record::unpack(&bytes).unwrap(), Amount::ZERO)
    }),
];

/// Returns the index of a record with this code, if there is one.
fn any(batch: &Committed, code: u8, random: &mut ChaCha8Rng) -> Option<usize> {
    let leaves = batch.leaves.iter().enumerate();
    let places: Vec<usize> = leaves
        .filter(|(_, leaf)| leaf.record.code().number() == code)
        .map(|(place, _)| place)
        .collect();
    (!places.is_empty()).then(|| places[random.random_range(0..places.len())])
}

/// Inserts a record with its amount where its key belongs, with everything else in order; false where the key is taken.
fn insert(batch: &mut Committed, record: Record, amount: Amount) -> bool {
    let key = record.key();
    let leaves = &mut batch.leaves;
    let Err(index) = leaves.binary_search_by_key(&key, |leaf| leaf.record.key()) else {
        return false;
    };
    let before = |after: Amount, change: i64| Amount::from_micro(after.micro() - change);
    let next = leaves.get(index).copied();
    let own = next.filter(|next| next.record.participant() == record.participant());
    let place = usize::try_from(record.participant().0).unwrap();
    let balance_after = own.map_or(batch.accounts[place].balance, |next| {
        before(next.balance_after, next.amount.micro())
    });
    let hub_after = next.map_or(batch.header.hub_balance, |next| {
        let amount = next.amount.micro();
        let change = match next.record.participant().0 {
            _ if next.record.code().is_priced() => -amount,
            0 => amount,
            _ => 0,
        };
        before(next.hub_after, change)
    });
    leaves.insert(index, RecordLeaf { record, amount: Amount::ZERO, balance_after, hub_after });
    shift(batch, index, amount.micro());
    republish(batch);
    true
}
