//! Judging an open batch whose parent is sealed: what its published records tell without the balances before it.

use gridtally_core::quantity::Amount;

use crate::derive::{InboxSpan, Reference, hub_delta};
use crate::fraud_proof::FraudProof;
use crate::header::BatchHeader;
use crate::judge::{Answers, CommittedBatch, Demand, Place, Violation};
use crate::leaf::RecordLeaf;
use crate::opening::{Need, Opened};
use crate::record::Record;
use crate::rule::Rule;
use crate::rules::Rules;
use crate::tree::{GROUP_LEAVES, Tree};

/// What is known of an open batch on accounts that are not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PartVerdict {
    /// The published records break no rule that can be told without balances. Whether the committed trees are over them is not
    /// known.
    NothingFound,
    /// It breaks a rule.
    Fraud(Box<Violation>),
    /// The published records break a rule; this must be demanded to prove it.
    Demand(Demand),
}

/// Judges an open batch by the header of its parent, whose accounts are hidden: order (R1), participants, slots, codes and values
/// (R2, R3), that the hub's balance is what the records make of it and not negative (R5, R7), deposits (R11) and late corrections
/// (R13). Balances of participants (R5, R6), accounts (R8), and whether amounts and data are those in the tree (R4, R9) are beyond
/// it.
#[must_use]
pub fn judge_partly(
    batch: CommittedBatch<'_>,
    parent: &BatchHeader,
    reference: &Reference<'_>,
    answers: &Answers,
) -> PartVerdict {
    let rules = Rules { header: batch.header, parent, reference };
    let Some(suspects) = suspects(&batch, &rules) else { return PartVerdict::NothingFound };
    let count = usize::try_from(batch.header.count).unwrap_or(usize::MAX);
    let groups = count.div_ceil(GROUP_LEAVES);
    let root = &batch.header.record_root;
    let row = if groups == 1 { Some(vec![*root]) } else { answers.records.row.clone() };
    let row = row.filter(|row| row.len() == groups).and_then(Tree::new);
    let Some(row) = row.filter(|row| row.root() == *root) else {
        return PartVerdict::Demand(Demand::Records(Need::Row));
    };
    let mut shown = Vec::new();
    for index in suspects.places.clone() {
        let group = index / GROUP_LEAVES;
        let number = u32::try_from(group).unwrap_or(u32::MAX);
        let leaves = answers.records.groups.get(&number);
        let tree =
            leaves.and_then(|leaves| Tree::new(leaves.iter().map(RecordLeaf::hash).collect()));
        let (Some(leaves), Some(tree)) = (leaves, tree) else {
            return PartVerdict::Demand(Demand::Records(Need::Group(number)));
        };
        if row.leaves().get(group) != Some(&tree.root()) {
            return PartVerdict::Demand(Demand::Records(Need::Group(number)));
        }
        let place = index % GROUP_LEAVES;
        let (Some(&leaf), Some(mut path)) = (leaves.get(place), tree.path(place)) else {
            return PartVerdict::NothingFound;
        };
        path.extend(row.path(group).unwrap_or_default());
        let index = u32::try_from(index).unwrap_or(u32::MAX);
        shown.push(Opened { index, leaf, salt: None, path });
    }
    let published = batch.published.records(count);
    let published: Vec<(Record, bool)> = published.collect();
    let violation = violation(&rules, &suspects, &shown, &published);
    violation.map_or(PartVerdict::NothingFound, |violation| PartVerdict::Fraud(Box::new(violation)))
}

/// The records that must be shown to prove what the published ones say.
struct Suspects {
    /// The inbox entry that has no record, if it is about one.
    entry: Option<u64>,
    /// Where they stand, one or two that follow each other.
    places: std::ops::Range<usize>,
}

/// Returns the first published records that break a rule.
fn suspects(batch: &CommittedBatch<'_>, rules: &Rules<'_>) -> Option<Suspects> {
    let count = usize::try_from(batch.header.count).unwrap_or(usize::MAX);
    let published: Vec<(Record, bool)> = batch.published.records(count).collect();
    let mut hub = i128::from(rules.parent.hub_balance.micro());
    let at = |places| Some(Suspects { entry: None, places });
    for (index, (record, is_clean)) in published.iter().enumerate() {
        let previous = index.checked_sub(1).map(|place| &published[place].0);
        if previous.is_some_and(|previous| record.key() <= previous.key()) {
            return at(index - 1..index + 1);
        }
        let amount = rules.reference.amount(record, rules.inbox());
        let moved = amount.map_or(0, |amount| hub_delta(record, amount));
        hub += moved;
        let hub_after = i64::try_from(hub).map(Amount::from_micro);
        let (Some(amount), Ok(hub_after), true) = (amount, hub_after, is_clean) else {
            return at(index..index + 1);
        };
        // Zero stands for the balance, which nobody knows.
        let leaf = RecordLeaf { record: *record, amount, balance_after: Amount::ZERO, hub_after };
        let number = u32::try_from(index).unwrap_or(u32::MAX);
        let rule = rules.record(&leaf).or_else(|| rules.edge(number, &leaf));
        if rule.or_else(|| rules.forced(&leaf)).is_some() {
            return at(index..index + 1);
        }
    }
    let InboxSpan { from, to } = rules.inbox();
    (from..to).find_map(|entry| {
        let key = rules.deposit_key(entry)?;
        let place = published.binary_search_by_key(&key, |(record, _)| record.key()).err()?;
        let places = place.saturating_sub(1)..count.min(place + 1);
        Some(Suspects { entry: Some(entry), places })
    })
}

/// Returns what the leaves that were shown break.
fn violation(
    rules: &Rules<'_>,
    suspects: &Suspects,
    shown: &[Opened<RecordLeaf>],
    published: &[(Record, bool)],
) -> Option<Violation> {
    for opened in shown {
        let place = Place::Record(opened.index);
        let leaf = opened.clone();
        let there = usize::try_from(opened.index).ok().and_then(|index| published.get(index));
        let found = [
            rules.record(&leaf.leaf).map(|rule| (rule, FraudProof::Record { leaf: leaf.clone() })),
            rules
                .edge(leaf.index, &leaf.leaf)
                .map(|rule| (rule, FraudProof::Edge { leaf: leaf.clone() })),
            rules.forced(&leaf.leaf).map(|rule| (rule, FraudProof::Forced { leaf: leaf.clone() })),
            rules
                .data(&leaf.leaf, there.copied())
                .map(|rule| (rule, FraudProof::Data { leaf: leaf.clone() })),
        ];
        if let Some((rule, proof)) = found.into_iter().flatten().min_by_key(|(rule, _)| *rule) {
            return Some(Violation { rule, place, proof });
        }
    }
    if let [left, right] = shown
        && let Some(rule) = rules.pair(&left.leaf, &right.leaf)
    {
        let (left, right) = (left.clone(), right.clone());
        let place = Place::Record(right.index);
        return Some(Violation { rule, place, proof: FraudProof::Pair { left, right } });
    }
    let entry = suspects.entry?;
    let key = rules.deposit_key(entry)?;
    let left = shown.iter().rfind(|leaf| leaf.leaf.record.key() < key).cloned();
    let right = shown.iter().find(|leaf| leaf.leaf.record.key() > key).cloned();
    let proof = FraudProof::DepositOmitted { entry, left, right };
    Some(Violation { rule: Rule::InboxHonored, place: Place::Inbox(entry), proof })
}
