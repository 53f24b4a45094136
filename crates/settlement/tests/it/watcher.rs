//! A watcher of one batch whose hub answers what it can.

use alloy_primitives::B256;
use gridtally_core::party::ParticipantNumber;
use gridtally_settlement::{
    AccountLeaf, Answers, CommittedBatch, Demand, GROUP_LEAVES, LedgerState, Need, RecordLeaf,
    Revealed, TariffTable, Tree, Verdict, Violation, judge,
};

use super::town::{Committed, Town};

/// What a watcher learns of a batch when it may demand everything.
#[derive(Debug)]
pub(crate) enum Outcome {
    Valid(LedgerState),
    Fraud(Violation),
    /// A demand that nobody can answer: the batch falls when it expires.
    Unanswerable(Demand),
}

pub(crate) fn hashes<L>(leaves: &[L], hash: impl Fn(&L) -> B256) -> Vec<B256> {
    leaves
        .chunks(GROUP_LEAVES)
        .map(|group| Tree::new(group.iter().map(&hash).collect()).unwrap().root())
        .collect()
}

pub(crate) fn root(row: Vec<B256>) -> B256 {
    Tree::new(row).unwrap().root()
}

/// Judges as a watcher does: it demands what it is told to, as long as the hub can answer.
pub(crate) fn watch(
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
            return (Outcome::Unanswerable(demand), demands + 1);
        }
    }
    panic!("more demands than two for each tree")
}

pub(crate) fn rows(batch: &Committed) -> (Vec<B256>, Vec<B256>) {
    (hashes(&batch.leaves, RecordLeaf::hash), hashes(&batch.accounts, AccountLeaf::hash))
}

/// Reveals what is needed, if the contract would accept it.
pub(crate) fn answer<L: Clone>(
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
pub(crate) fn numbered(accounts: &[AccountLeaf]) -> Vec<AccountLeaf> {
    let number = |(participant, leaf): (u32, &AccountLeaf)| AccountLeaf {
        participant: ParticipantNumber(participant),
        ..*leaf
    };
    (0..).zip(accounts).map(number).collect()
}
