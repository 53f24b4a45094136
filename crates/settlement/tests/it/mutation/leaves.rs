//! Records: their four fields, amount and both running balances, their order, and records too many or too few.

use gridtally_core::quantity::Amount;
use gridtally_settlement::Record;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::super::town::{Committed, record};
use super::{Way, change, leave_out, republish, shift};

pub(super) const WAYS: &[Way] = &[
    Way::new("an amount", |batch, random| {
        let index = any(batch, random);
        change(&mut batch.leaves[index].amount, random);
        true
    }),
    Way::new("a balance after a record", |batch, random| {
        let index = any(batch, random);
        change(&mut batch.leaves[index].balance_after, random);
        true
    }),
    Way::new("the hub's balance after a record", |batch, random| {
        let index = any(batch, random);
        change(&mut batch.leaves[index].hub_after, random);
        true
    }),
    Way::new("an amount, and all that follows", |batch, random| {
        let index = any(batch, random);
        let sign = if random.random_bool(0.5) { 1 } else { -1 };
        shift(batch, index, random.random_range(1..50_000) * sign);
        true
    }),
    Way::new("an amount by one, and all that follows", |batch, random| {
        let index = any(batch, random);
        shift(batch, index, if random.random_bool(0.5) { 1 } else { -1 });
        true
    }),
    Way::new("the balances of one participant from a record on", |batch, random| {
        let index = any(batch, random);
        let participant = batch.leaves[index].record.participant();
        for leaf in &mut batch.leaves[index..] {
            if leaf.record.participant() == participant {
                leaf.balance_after = Amount::from_micro(leaf.balance_after.micro() + 1);
            }
        }
        let place = usize::try_from(participant.0).unwrap();
        let account = &mut batch.accounts[place];
        account.balance = Amount::from_micro(account.balance.micro() + 1);
        true
    }),
    Way::new("the hub's balances from a record on", |batch, random| {
        let index = any(batch, random);
        for leaf in &mut batch.leaves[index..] {
            leaf.hub_after = Amount::from_micro(leaf.hub_after.micro() + 1);
        }
        let hub = batch.leaves[batch.leaves.len() - 1].hub_after;
        batch.header.hub_balance = hub;
        batch.accounts[0].balance = hub;
        true
    }),
    Way::new("a participant, beside the data", |b, r| replace(b, r, Field::Participant, false)),
    Way::new("a participant", |b, r| replace(b, r, Field::Participant, true)),
    Way::new("a code, beside the data", |b, r| replace(b, r, Field::Code, false)),
    Way::new("a code", |b, r| replace(b, r, Field::Code, true)),
    Way::new("a slot, beside the data", |b, r| replace(b, r, Field::Slot, false)),
    Way::new("a slot", |b, r| replace(b, r, Field::Slot, true)),
    Way::new("a value, beside the data", |b, r| replace(b, r, Field::Value, false)),
    Way::new("a value", |b, r| replace(b, r, Field::Value, true)),
    Way::new("the least value", |b, r| replace(b, r, Field::ValueLeast, true)),
    Way::new("the largest value", |b, r| replace(b, r, Field::ValueLargest, true)),
    Way::new("a reading made a withdrawal", |b, r| replace(b, r, Field::Withdrawal, true)),
    Way::new("any ten bytes", |b, r| replace(b, r, Field::All, true)),
    Way::new("two neighbours changed places", |batch, random| {
        let index = any(batch, random);
        if index == 0 {
            return false;
        }
        batch.leaves.swap(index - 1, index);
        republish(batch);
        true
    }),
    Way::new("a record twice", |batch, random| {
        let index = any(batch, random);
        batch.leaves.insert(index, batch.leaves[index]);
        republish(batch);
        true
    }),
    Way::new("a record twice, and all that follows", |batch, random| {
        let index = any(batch, random);
        let leaf = batch.leaves[index];
        let amount = leaf.amount.micro();
        batch.leaves[index].amount = Amount::ZERO;
        shift(batch, index, amount);
        batch.leaves.insert(index, leaf);
        republish(batch);
        true
    }),
    Way::new("a record left out", |batch, random| {
        let index = any(batch, random);
        if batch.leaves.len() == 1 {
            return false;
        }
        batch.leaves.remove(index);
        republish(batch);
        true
    }),
    Way::new("a reading left out, and all that follows", |batch, random| {
        let index = any(batch, random);
        let is_possible = batch.leaves.len() > 1 && batch.leaves[index].record.code().is_priced();
        if is_possible {
            leave_out(batch, index);
        }
        is_possible
    }),
    Way::new("a record of a participant without account", |batch, _| {
        let mut leaf = batch.leaves[batch.leaves.len() - 1];
        leaf.record = record(batch.header.account_count, 63, 0, 0);
        (leaf.amount, leaf.balance_after) = (Amount::ZERO, Amount::ZERO);
        batch.leaves.push(leaf);
        republish(batch);
        true
    }),
    Way::new("a withdrawal of more than there is", |batch, random| {
        let index = any(batch, random);
        let participant = batch.leaves[index].record.participant();
        let mut own = batch.leaves.iter();
        let Some(last) = own.rposition(|leaf| leaf.record.participant() == participant) else {
            return false;
        };
        if batch.leaves[last].record.code().number() == 63 {
            return false;
        }
        let mut leaf = batch.leaves[last];
        let hundredths = leaf.balance_after.micro() / 10_000 + 1;
        leaf.record = record(participant.0, 63, 0, i32::try_from(hundredths).unwrap_or(i32::MAX));
        leaf.amount = Amount::ZERO;
        batch.leaves.insert(last + 1, leaf);
        let taken = i64::from(leaf.record.value()) * 10_000;
        shift(batch, last + 1, -taken);
        let place = usize::try_from(participant.0).unwrap();
        batch.accounts[place].payable_micro += taken.unsigned_abs();
        republish(batch);
        true
    }),
];

fn any(batch: &Committed, random: &mut ChaCha8Rng) -> usize {
    random.random_range(0..batch.leaves.len())
}

/// What of a record is replaced.
enum Field {
    Participant,
    Code,
    Slot,
    Value,
    ValueLeast,
    ValueLargest,
    Withdrawal,
    All,
}

/// Replaces a record by another one, in the data too or only in the tree.
fn replace(
    batch: &mut Committed,
    random: &mut ChaCha8Rng,
    field: Field,
    is_published: bool,
) -> bool {
    let index = any(batch, random);
    let old = batch.leaves[index].record;
    let (mut participant, mut code, mut slot, mut value) =
        (old.participant().0, old.code().number(), old.slot().0, old.value());
    match field {
        Field::Participant => participant ^= 1 << random.random_range(0..32),
        Field::Code => code ^= 1 << random.random_range(0..6),
        Field::Slot => slot ^= 1 << random.random_range(0..10),
        Field::Value => value ^= 1 << random.random_range(0..32),
        Field::ValueLeast => value = i32::MIN,
        Field::ValueLargest => value = i32::MAX,
        Field::Withdrawal => code = 63,
        Field::All => {}
    }
    let new = match field {
        Field::All => Record::unpack(&random.random::<[u8; Record::LENGTH]>()).unwrap(),
        _ => record(participant, code, slot, value),
    };
    batch.leaves[index].record = new;
    if is_published {
        let (first_key, last_key) = (batch.header.first_key, batch.header.last_key);
        republish(batch);
        // Sometimes the header still says what was there.
        if random.random_bool(0.2) {
            (batch.header.first_key, batch.header.last_key) = (first_key, last_key);
        }
    }
    new != old
}
