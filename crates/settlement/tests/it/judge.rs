//! The rule engine against an independent auditor: honest ledgers are valid, every mutation is found, and the proof that the
//! engine names shows the rule.

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::keccak256;
use gridtally_core::party::ParticipantNumber;
use gridtally_core::period::SettlementPeriod;
use gridtally_core::quantity::Amount;
use gridtally_settlement::{
    Account, AccountLeaf, Accounts, Activities, Activity, BatchHeader, Evidence, InboxKind,
    LedgerState, Place, TariffTable, Violation,
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::auditor::audit;
use crate::mutation::{recommit, ways};
use crate::size::times;
use crate::town::{Committed, Town};
use crate::watcher::{Outcome, watch};

pub(crate) fn state_of(batch: &Committed) -> LedgerState {
    let account =
        |leaf: &AccountLeaf| Account { balance: leaf.balance, payable_micro: leaf.payable_micro };
    let accounts = Accounts::new(batch.accounts.iter().map(account).collect());
    LedgerState::new(batch.header.clone(), accounts)
}

#[test]
fn honest_ledgers_are_valid_and_conserve_the_escrow() {
    let (mut batches, mut corrections, mut deposits, mut withdrawals) = (0, 0, 0, 0);
    for seed in 0..20 * u64::from(times()) {
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
                    InboxKind::Deposit(amount) => i128::from(amount.micro()),
                    InboxKind::Exit => 0,
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
    assert_eq!(batches, 300 * times());
    assert!(
        corrections > 20 && deposits > 100 && withdrawals > 50,
        "{corrections} {deposits} {withdrawals}"
    );
}

/// How often each way is tried with each batch.
const REPEATED: u32 = 1;

/// What became of the mutations.
#[derive(Debug, Default)]
struct Tally {
    tried: u32,
    found: u32,
    harmless: u32,
    unanswerable: u32,
    rules: BTreeSet<u8>,
    calls: BTreeSet<&'static str>,
    /// By the name of the way: how often it was a fraud.
    frauds: BTreeMap<&'static str, u32>,
}

#[test]
fn every_mutation_is_found_and_its_proof_shows_the_rule() {
    let mut random = ChaCha8Rng::seed_from_u64(0x6772_6964);
    let mut tally = Tally::default();
    for seed in 0..12 * times() {
        let mut town = Town::new(u64::from(seed));
        for _ in 0..6 {
            let parent = town.state.clone();
            let honest = town.next_batch();
            let table = town.table(honest.header.period);
            for way in ways() {
                for _ in 0..REPEATED {
                    let mut batch = honest.clone();
                    if !way.apply(&mut batch, &mut random) {
                        continue;
                    }
                    let broken = audit(&batch, &parent, &town);
                    let context = format!(
                        "seed {seed}, batch {}, {}: {broken:?}",
                        honest.header.seq, way.name
                    );
                    tally.tried += 1;
                    *tally.frauds.entry(way.name).or_default() += u32::from(!broken.is_empty());
                    match watch(&batch, &parent, &town, &table).0 {
                        Outcome::Valid(_) => {
                            assert!(broken.is_empty(), "{context}");
                            tally.harmless += 1;
                        }
                        Outcome::Unanswerable(demand) => {
                            assert!(!broken.is_empty(), "{context}: {demand:?}");
                            tally.unanswerable += 1;
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
                            tally.rules.insert(violation.rule.number());
                            tally.calls.insert(violation.proof.call(batch.header.data_kind));
                            tally.found += 1;
                        }
                    }
                }
            }
            town.state = state_of(&honest);
        }
    }
    assert_eq!(tally.rules, BTreeSet::from([1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 13]));
    assert_eq!(tally.calls.len(), 10, "{:?}", tally.calls);
    let idle: Vec<&str> = ways()
        .map(|way| way.name)
        .filter(|name| tally.frauds.get(name).is_none_or(|&frauds| frauds == 0))
        .collect();
    assert_eq!(idle, ["a blob after the last record"], "every other way is a fraud at times");
    let Tally { tried, found, harmless, unanswerable, .. } = tally;
    assert!(found > 1_500, "{found} found");
    println!(
        "proved: the rule engine and an auditor agree on {tried} mutations in {} ways: {found} shown by a proof, \
         {unanswerable} by a demand that nobody can answer, {harmless} harmless",
        ways().count()
    );
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
        assert!(matches!(outcome, Outcome::Unanswerable(_)), "{outcome:?}");
        assert_eq!(demands, 1);
    }
}

#[test]
fn one_false_leaf_among_thousands_is_found_in_two_rounds() {
    let mut town = Town::new(3);
    town.participants = 2_000;
    let activity = Activity::from(SettlementPeriod(1));
    town.activities = Activities::new(vec![activity; 2_000]);
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
