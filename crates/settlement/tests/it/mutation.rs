//! Every way to change a batch that we could think of, one at a time.

use gridtally_core::party::ParticipantNumber;
use gridtally_core::quantity::Amount;
use gridtally_settlement::{AccountLeaf, Record, RecordLeaf};
use rand::{Rng, RngExt};
use rand_chacha::ChaCha8Rng;

use super::town::{Committed, Data, hostile, record};
use super::watcher::{root, rows};

/// How many ways there are.
pub(crate) const WAYS: u32 = 24;

/// Changes a batch in one way; false where that way is not possible.
pub(crate) fn mutate(batch: &mut Committed, way: u32, random: &mut ChaCha8Rng) -> bool {
    let count = batch.leaves.len();
    let index = random.random_range(0..count);
    let Committed { header, leaves, accounts, data, late } = batch;
    let account = random.random_range(0..accounts.len());
    match way {
        0 => change(&mut leaves[index].amount, random),
        1 => change(&mut leaves[index].balance_after, random),
        2 => change(&mut leaves[index].hub_after, random),
        // A wrong amount with totals that follow from it, to the end.
        3 => {
            let extra =
                random.random_range(1..50_000) * if random.random_bool(0.5) { 1 } else { -1 };
            shift(batch, index, extra);
        }
        4 => leaves[index].record = mutated(&leaves[index].record, random),
        // The same record in the data too.
        5 => {
            leaves[index].record = mutated(&leaves[index].record, random);
            *data = Data::of(header.data_kind, &records(leaves));
        }
        6 if index > 0 => {
            leaves.swap(index - 1, index);
            *data = Data::of(header.data_kind, &records(leaves));
        }
        7 => {
            leaves.insert(index, leaves[index]);
            header.count += 1;
            *data = Data::of(header.data_kind, &records(leaves));
        }
        // Left out, with the data and without.
        8 if count > 1 => {
            leaves.remove(index);
            header.count -= 1;
            header.first_key = leaves[0].record.key();
            header.last_key = leaves[count - 2].record.key();
            *data = Data::of(header.data_kind, &records(leaves));
        }
        9 => header.first_key ^= 1 << random.random_range(0..48),
        10 => header.last_key ^= 1 << random.random_range(0..48),
        11 => change(&mut header.hub_balance, random),
        12 if header.inbox_to > 0 => header.inbox_to -= 1,
        13 => header.inbox_to += 1,
        14 => change(&mut accounts[account].balance, random),
        15 => {
            let payable = accounts[account].payable_micro.cast_signed();
            accounts[account].payable_micro = hostile(random, payable).cast_unsigned();
        }
        16 if account > 0 => accounts.swap(account - 1, account),
        17 => accounts[account].participant.0 ^= 1,
        18 => {
            let participant = ParticipantNumber(header.account_count);
            let balance = Amount::from_micro(random.random_range(0..2));
            accounts.push(AccountLeaf { participant, balance, payable_micro: 0 });
            header.account_count += 1;
        }
        19 => match data {
            Data::Calldata(bytes) => bytes[index * Record::LENGTH + 9] ^= 1,
            Data::Blobs(blobs) => blobs[0][index / 3 * 32 + 1] ^= 1,
        },
        20 => match data {
            Data::Calldata(bytes) => bytes[0] ^= 0x80,
            Data::Blobs(blobs) => blobs[0][index / 3 * 32 + 2 + index % 3 * 10] ^= 1,
        },
        // A hub that takes a deposit and writes no record, with everything else in order.
        21 => {
            let Some(deposit) = leaves.iter().position(|leaf| leaf.record.code().number() == 0)
            else {
                return false;
            };
            let amount = leaves[deposit].amount.micro();
            if count == 1 {
                return false;
            }
            shift(batch, deposit, -amount);
            batch.leaves.remove(deposit);
            batch.header.count -= 1;
            batch.header.first_key = batch.leaves[0].record.key();
            batch.header.last_key = batch.leaves[count - 2].record.key();
            batch.data = Data::of(batch.header.data_kind, &records(&batch.leaves));
        }
        // The same for a withdrawal, so that a request to leave may be ignored.
        22 => {
            let last = leaves.iter().rposition(|leaf| leaf.record.code().number() == 63);
            let Some(withdrawal) = last.filter(|_| count > 1) else { return false };
            let leaf = leaves[withdrawal];
            let participant = usize::try_from(leaf.record.participant().0).unwrap();
            shift(batch, withdrawal, -leaf.amount.micro());
            batch.leaves.remove(withdrawal);
            batch.accounts[participant].payable_micro -= leaf.amount.micro().unsigned_abs();
            batch.header.count -= 1;
            batch.header.first_key = batch.leaves[0].record.key();
            batch.header.last_key = batch.leaves[count - 2].record.key();
            batch.data = Data::of(batch.header.data_kind, &records(&batch.leaves));
        }
        // A correction of a forced reading that changes nothing but comes too late.
        23 => {
            let Some(&key) = late.first() else { return false };
            correct_late(batch, key);
        }
        _ => return false,
    }
    recommit(batch);
    true
}

/// Inserts a record of value 0 with this key, with everything else in order.
fn correct_late(batch: &mut Committed, key: u64) {
    let bytes = [&key.to_be_bytes()[2..], &[0; 4]].concat();
    let record = Record::unpack(&bytes).unwrap();
    let leaves = &mut batch.leaves;
    let index = leaves.partition_point(|leaf| leaf.record.key() < key);
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
    let leaf = RecordLeaf { record, amount: Amount::ZERO, balance_after, hub_after };
    leaves.insert(index, leaf);
    batch.header.count += 1;
    batch.header.first_key = leaves[0].record.key();
    batch.header.last_key = leaves[leaves.len() - 1].record.key();
    batch.data = Data::of(batch.header.data_kind, &records(leaves));
}

pub(crate) fn records(leaves: &[RecordLeaf]) -> Vec<Record> {
    leaves.iter().map(|leaf| leaf.record).collect()
}

pub(crate) fn change(amount: &mut Amount, random: &mut impl Rng) {
    *amount = Amount::from_micro(hostile(random, amount.micro()));
}

pub(crate) fn mutated(old: &Record, random: &mut impl RngExt) -> Record {
    let (mut participant, mut code, mut slot, mut value) =
        (old.participant().0, old.code().number(), old.slot().0, old.value());
    match random.random_range(0..6) {
        0 => participant ^= 1 << random.random_range(0..32),
        1 => code ^= 1 << random.random_range(0..6),
        2 => slot ^= 1 << random.random_range(0..10),
        3 => value ^= 1 << random.random_range(0..32),
        4 => value = i32::MIN,
        _ => code = 63,
    }
    record(participant, code, slot, value)
}

/// Adds to one amount, and to every balance that follows from it.
pub(crate) fn shift(batch: &mut Committed, index: usize, extra: i64) {
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

/// Commits what was changed: the roots follow the leaves.
pub(crate) fn recommit(batch: &mut Committed) {
    let (record_row, account_row) = rows(batch);
    batch.header.record_root = root(record_row);
    batch.header.account_root = root(account_row);
}
