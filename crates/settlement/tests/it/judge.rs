//! The rule engine against an independent auditor: honest ledgers are valid, every mutation is found, and the proof that the
//! engine names shows the rule.

use std::collections::BTreeSet;

use alloy_primitives::{B256, keccak256};
use gridtally_core::party::ParticipantNumber;
use gridtally_core::quantity::Amount;
use gridtally_settlement::{
    Account, AccountLeaf, Accounts, Answers, BatchHeader, CommittedBatch, Demand, Evidence,
    GROUP_LEAVES, LedgerState, Need, Place, Record, RecordLeaf, Revealed, TariffTable, Tree,
    Verdict, Violation, judge,
};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::auditor::audit;
use crate::town::{Committed, Data, Town, hostile, record};

/// What a watcher learns of a batch when it may demand everything.
#[derive(Debug)]
enum Outcome {
    Valid(LedgerState),
    Fraud(Violation),
    /// A demand that nobody can answer: the batch falls when it expires.
    Unanswerable,
}

fn hashes<L>(leaves: &[L], hash: impl Fn(&L) -> B256) -> Vec<B256> {
    leaves
        .chunks(GROUP_LEAVES)
        .map(|group| Tree::new(group.iter().map(&hash).collect()).unwrap().root())
        .collect()
}

fn root(row: Vec<B256>) -> B256 {
    Tree::new(row).unwrap().root()
}

/// Judges as a watcher does: it demands what it is told to, as long as the hub can answer.
fn watch(
    batch: &Committed,
    parent: &LedgerState,
    town: &Town,
    table: &TariffTable,
) -> (Outcome, u32) {
    let reference = town.reference(table);
    let (record_row, account_row) = rows(batch);
    let mut answers = Answers::default();
    for demands in 0..6 {
        let committed = CommittedBatch { header: &batch.header, published: batch.data.published() };
        let demand = match judge(committed, parent, &reference, &answers) {
            Verdict::Valid(state) => return (Outcome::Valid(*state), demands),
            Verdict::Fraud(violation) => return (Outcome::Fraud(*violation), demands),
            Verdict::Demand(demand) => demand,
        };
        let is_answered = match demand {
            Demand::Records(need) => {
                let is_root = root(record_row.clone()) == batch.header.record_root;
                let is_count = u32::try_from(batch.leaves.len()) == Ok(batch.header.count);
                is_root
                    && is_count
                    && answer(
                        need,
                        &mut answers.records,
                        &record_row,
                        &batch.leaves,
                        RecordLeaf::hash,
                    )
            }
            Demand::Accounts(need) => {
                let is_root = root(account_row.clone()) == batch.header.account_root;
                let is_count =
                    u32::try_from(batch.accounts.len()) == Ok(batch.header.account_count);
                is_root
                    && is_count
                    && answer(
                        need,
                        &mut answers.accounts,
                        &account_row,
                        &numbered(&batch.accounts),
                        AccountLeaf::hash,
                    )
            }
        };
        if !is_answered {
            return (Outcome::Unanswerable, demands + 1);
        }
    }
    panic!("more demands than two for each tree")
}

fn rows(batch: &Committed) -> (Vec<B256>, Vec<B256>) {
    (hashes(&batch.leaves, RecordLeaf::hash), hashes(&batch.accounts, AccountLeaf::hash))
}

/// Reveals what is needed, if the contract would accept it.
fn answer<L: Clone>(
    need: Need,
    revealed: &mut Revealed<L>,
    row: &[B256],
    leaves: &[L],
    hash: impl Fn(&L) -> B256,
) -> bool {
    match need {
        Need::Row => revealed.row = Some(row.to_vec()),
        Need::Group(group) => {
            let place = usize::try_from(group).unwrap();
            let Some(leaves) = leaves.chunks(GROUP_LEAVES).nth(place) else { return false };
            if hashes(leaves, hash)[0] != row[place] {
                return false;
            }
            revealed.groups.insert(group, leaves.to_vec());
        }
    }
    true
}

/// An answer names no participants: they follow from the place.
fn numbered(accounts: &[AccountLeaf]) -> Vec<AccountLeaf> {
    let number = |(participant, leaf): (u32, &AccountLeaf)| AccountLeaf {
        participant: ParticipantNumber(participant),
        ..*leaf
    };
    (0..).zip(accounts).map(number).collect()
}

/// Commits what was changed: the roots follow the leaves.
fn recommit(batch: &mut Committed) {
    let (record_row, account_row) = rows(batch);
    batch.header.record_root = root(record_row);
    batch.header.account_root = root(account_row);
}

fn state_of(batch: &Committed) -> LedgerState {
    let account =
        |leaf: &AccountLeaf| Account { balance: leaf.balance, payable_micro: leaf.payable_micro };
    let accounts = Accounts::new(batch.accounts.iter().map(account).collect());
    LedgerState::new(batch.header.clone(), accounts)
}

#[test]
fn honest_ledgers_are_valid_and_conserve_the_escrow() {
    let (mut batches, mut corrections, mut deposits, mut withdrawals) = (0, 0, 0, 0);
    for seed in 0..20 {
        let mut town = Town::new(seed);
        for _ in 0..15 {
            let parent = town.state.clone();
            let batch = town.next_batch();
            let table = town.table(batch.header.period);
            let (outcome, demands) = watch(&batch, &parent, &town, &table);
            let Outcome::Valid(state) = outcome else { panic!("seed {seed}: {outcome:?}") };
            assert_eq!(demands, 0);
            assert_eq!(state, state_of(&batch));
            assert_eq!(audit(&batch, &parent, &town), BTreeSet::new(), "seed {seed}");
            let held: i128 = state
                .accounts()
                .leaves()
                .map(|leaf| i128::from(leaf.balance.micro()) + i128::from(leaf.payable_micro))
                .sum();
            let taken = &town.inbox[..usize::try_from(state.header().inbox_to).unwrap()];
            let deposited: i128 = taken
                .iter()
                .map(|entry| match entry.kind {
                    gridtally_settlement::InboxKind::Deposit(amount) => i128::from(amount.micro()),
                    gridtally_settlement::InboxKind::Exit => 0,
                })
                .sum();
            assert_eq!(held, deposited, "seed {seed}");
            batches += 1;
            corrections += u32::from(state.header().run > 0);
            deposits += taken.len();
            withdrawals +=
                batch.leaves.iter().filter(|leaf| leaf.record.code().number() == 63).count();
            // Sometimes the batch falls and another one takes its place.
            if !town.random.random_bool(0.1) {
                town.state = state;
            }
        }
    }
    assert_eq!(batches, 300);
    assert!(
        corrections > 20 && deposits > 100 && withdrawals > 50,
        "{corrections} {deposits} {withdrawals}"
    );
}

/// Changes a batch in one way; false where that way is not possible.
fn mutate(batch: &mut Committed, way: u32, random: &mut ChaCha8Rng) -> bool {
    let count = batch.leaves.len();
    let index = random.random_range(0..count);
    let Committed { header, leaves, accounts, data } = batch;
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
        _ => return false,
    }
    recommit(batch);
    true
}

fn records(leaves: &[RecordLeaf]) -> Vec<Record> {
    leaves.iter().map(|leaf| leaf.record).collect()
}

fn change(amount: &mut Amount, random: &mut impl Rng) {
    *amount = Amount::from_micro(hostile(random, amount.micro()));
}

fn mutated(old: &Record, random: &mut impl RngExt) -> Record {
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

#[test]
fn every_mutation_is_found_and_its_proof_shows_the_rule() {
    let mut random = ChaCha8Rng::seed_from_u64(0x6772_6964);
    let (mut found, mut rules, mut calls, mut harmless, mut unanswerable) =
        (0, BTreeSet::new(), BTreeSet::new(), 0, 0);
    for seed in 0..12 {
        let mut town = Town::new(seed);
        for _ in 0..6 {
            let parent = town.state.clone();
            let honest = town.next_batch();
            let table = town.table(honest.header.period);
            for way in 0..23 {
                for _ in 0..4 {
                    let mut batch = honest.clone();
                    if !mutate(&mut batch, way, &mut random) {
                        continue;
                    }
                    let broken = audit(&batch, &parent, &town);
                    let context =
                        format!("seed {seed}, batch {}, way {way}: {broken:?}", honest.header.seq);
                    match watch(&batch, &parent, &town, &table).0 {
                        Outcome::Valid(_) => {
                            assert!(broken.is_empty(), "{context}");
                            harmless += 1;
                        }
                        Outcome::Unanswerable => {
                            assert!(!broken.is_empty(), "{context}");
                            unanswerable += 1;
                        }
                        Outcome::Fraud(violation) => {
                            assert!(
                                broken.contains(&violation.rule.number()),
                                "{context}: {violation:?}"
                            );
                            let reference = town.reference(&table);
                            let evidence = Evidence {
                                header: &batch.header,
                                parent: parent.header(),
                                reference: &reference,
                                published: batch.data.published(),
                            };
                            assert_eq!(
                                violation.proof.rule(&evidence),
                                Some(violation.rule),
                                "{context}"
                            );
                            assert_is_nothing_elsewhere(
                                &violation, &honest, &parent, &town, &table, &context,
                            );
                            rules.insert(violation.rule.number());
                            calls.insert(violation.proof.call());
                            found += 1;
                        }
                    }
                }
            }
            town.state = state_of(&honest);
        }
    }
    assert_eq!(rules, BTreeSet::from([1, 2, 3, 4, 5, 6, 7, 8, 9, 11]));
    assert_eq!(calls.len(), 8, "{calls:?}");
    assert!(found > 3_000, "{found} found, {harmless} harmless, {unanswerable} unanswerable");
}

/// A proof against one batch says nothing against the honest one.
fn assert_is_nothing_elsewhere(
    violation: &Violation,
    honest: &Committed,
    parent: &LedgerState,
    town: &Town,
    table: &TariffTable,
    context: &str,
) {
    let reference = town.reference(table);
    let evidence = Evidence {
        header: &honest.header,
        parent: parent.header(),
        reference: &reference,
        published: honest.data.published(),
    };
    assert_eq!(violation.proof.rule(&evidence), None, "{context}");
}

#[test]
fn a_garbage_root_is_demanded_and_cannot_be_answered() {
    let mut town = Town::new(7);
    let parent = town.state.clone();
    let honest = town.next_batch();
    let table = town.table(honest.header.period);
    for tree in 0..2 {
        let mut batch = honest.clone();
        let garbage = keccak256(b"nobody knows a path");
        let BatchHeader { record_root, account_root, .. } = &mut batch.header;
        *if tree == 0 { record_root } else { account_root } = garbage;
        let (outcome, demands) = watch(&batch, &parent, &town, &table);
        assert!(matches!(outcome, Outcome::Unanswerable), "{outcome:?}");
        assert_eq!(demands, 1);
    }
}

#[test]
fn one_false_leaf_among_thousands_is_found_in_two_rounds() {
    let mut town = Town::new(3);
    town.participants = 2_000;
    let activity =
        gridtally_settlement::Activity::from(gridtally_core::period::SettlementPeriod(1));
    town.activities = gridtally_settlement::Activities::new(vec![activity; 2_000]);
    let parent = town.state.clone();
    let honest = town.next_batch();
    let table = town.table(honest.header.period);
    let index = honest.leaves.len() - 700;
    let mut batch = honest.clone();
    batch.leaves[index].balance_after = Amount::from_micro(1);
    recommit(&mut batch);
    let (outcome, demands) = watch(&batch, &parent, &town, &table);
    let Outcome::Fraud(violation) = outcome else { panic!("{outcome:?}") };
    assert_eq!(
        (violation.rule.number(), violation.place),
        (6, Place::Record(u32::try_from(index).unwrap()))
    );
    assert_eq!(demands, 2);

    let mut batch = honest;
    batch.accounts[1_234].balance = Amount::from_micro(77);
    recommit(&mut batch);
    let (outcome, demands) = watch(&batch, &parent, &town, &table);
    let Outcome::Fraud(violation) = outcome else { panic!("{outcome:?}") };
    assert_eq!(
        (violation.rule.number(), violation.place),
        (8, Place::Account(ParticipantNumber(1_234)))
    );
    assert_eq!(demands, 2);
}
