//! The rule engine: a batch and its parent in, and out comes "valid", or which rule breaks where with the proof, or what has
//! to be demanded to tell.

use gridtally_core::party::ParticipantNumber;

use crate::account::{Account, Accounts};
use crate::code::CodeClass;
use crate::derive::{InboxSpan, Reference, derive};
use crate::fraud_proof::FraudProof;
use crate::header::BatchHeader;
use crate::leaf::{AccountLeaf, RecordLeaf};
use crate::ledger_state::LedgerState;
use crate::opening::{KnownTree, Need, Revealed};
use crate::published::Published;
use crate::record::Record;
use crate::rule::Rule;
use crate::rules::Rules;
use crate::tree::LEAVES_MAX;

/// A batch as everybody sees it.
#[derive(Clone, Copy, Debug)]
pub struct CommittedBatch<'a> {
    /// The header from the chain.
    pub header: &'a BatchHeader,
    /// The published data, which hash to the header's data hash.
    pub published: Published<'a>,
}

/// What the hub revealed of a batch on demand.
#[derive(Clone, Debug, Default)]
pub struct Answers {
    /// Of the tree over the records.
    pub records: Revealed<RecordLeaf>,
    /// Of the tree over the accounts.
    pub accounts: Revealed<AccountLeaf>,
}

/// What is known of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It obeys every rule that published data can tell; the state after it.
    Valid(Box<LedgerState>),
    /// It breaks a rule.
    Fraud(Box<Violation>),
    /// Its trees are not what the published data say; this must be demanded to tell where.
    Demand(Demand),
}

/// A broken rule, where, and the proof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The rule.
    pub rule: Rule,
    /// What breaks it.
    pub place: Place,
    /// What shows it to the chain.
    pub proof: FraudProof,
}

/// What breaks a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The record with this index.
    Record(u32),
    /// The account of this participant.
    Account(ParticipantNumber),
    /// The inbox entry with this number.
    Inbox(u64),
    /// The section of this participant, in a sealed batch.
    Section(ParticipantNumber),
}

/// What must be demanded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Demand {
    /// Of the tree over the records.
    Records(Need),
    /// Of the tree over the accounts.
    Accounts(Need),
}

/// Judges a batch by its parent, which is valid, and by what the chain fixed before.
///
/// Of several violations that of the lowest rule counts, and of these the first: among the records (R1 to R7, R9, R13, and R11
/// for their deposits); if they are sound, deposits without a record (R11), then accounts (R8), then requests to leave (R11).
/// Signatures (R10) are not published: they are demanded record by record.
///
/// The parent's accounts must be those under its account root, and the data those behind the header's data hash.
///
/// # Source
///
/// Settlement protocol §2.7 and §2.9.
#[must_use]
pub fn judge(
    batch: CommittedBatch<'_>,
    parent: &LedgerState,
    reference: &Reference<'_>,
    answers: &Answers,
) -> Verdict {
    let rules = Rules { header: batch.header, parent: parent.header(), reference };
    Judge { published: Some(batch.published), parent, rules }.judge(batch, answers)
}

/// Judges a batch of which every leaf is known and whose trees are whole, so that only the rules are left.
pub(crate) fn judge_leaves(
    header: &BatchHeader,
    parent: &LedgerState,
    reference: &Reference<'_>,
    records: &KnownTree<RecordLeaf>,
    accounts: &KnownTree<AccountLeaf>,
) -> Option<Violation> {
    let rules = Rules { header, parent: parent.header(), reference };
    let judge = Judge { published: None, parent, rules };
    let violation = judge.records(records).or_else(|| judge.deposits(records));
    violation.or_else(|| judge.accounts(accounts, records)).or_else(|| judge.exits(accounts))
}

/// Returns the state that a batch left, whether or not it breaks a rule, or `None` where published data and answers do not tell
/// it. For a batch that nobody can strike down any more.
///
/// `answers` must be of this batch; they count only as far as they are under its roots.
#[must_use]
pub fn as_committed(
    batch: CommittedBatch<'_>,
    parent: &LedgerState,
    reference: &Reference<'_>,
    answers: &Answers,
) -> Option<LedgerState> {
    let header = batch.header;
    let rules = Rules { header, parent: parent.header(), reference };
    let published = batch.published.records(in_memory(header.count)).map(|(record, _)| record);
    let derived = derive(parent, published, rules.inbox(), reference);
    let leaves = KnownTree::new(&header.record_root, header.count, derived, &answers.records)
        .map_or_else(|_| Vec::new(), |known| known.leaves);
    let accounts = accounts_after(parent, header.account_count, &leaves);
    let accounts: Vec<AccountLeaf> = accounts.leaves().collect();
    let known =
        KnownTree::new(&header.account_root, header.account_count, accounts, &answers.accounts);
    let account =
        |leaf: &AccountLeaf| Account { balance: leaf.balance, payable_micro: leaf.payable_micro };
    let accounts = Accounts::new(known.ok()?.leaves.iter().map(account).collect());
    let state = LedgerState::restored(header.clone(), accounts);
    state.ok()
}

struct Judge<'a> {
    /// What the records are compared with; nothing where that was done already.
    published: Option<Published<'a>>,
    parent: &'a LedgerState,
    rules: Rules<'a>,
}

/// Which proof shows what a record breaks.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Record,
    Pair,
    Edge,
    Opening,
    Data,
    Forced,
}

impl Judge<'_> {
    fn judge(&self, batch: CommittedBatch<'_>, answers: &Answers) -> Verdict {
        let header = batch.header;
        let published = batch.published.records(in_memory(header.count));
        let published = published.map(|(record, _)| record);
        let derived = derive(self.parent, published, self.rules.inbox(), self.rules.reference);
        let records = KnownTree::new(&header.record_root, header.count, derived, &answers.records);
        let records = match records {
            Ok(records) => records,
            Err(need) => return Verdict::Demand(Demand::Records(need)),
        };
        if let Some(violation) = self.records(&records).or_else(|| self.deposits(&records)) {
            return Verdict::Fraud(Box::new(violation));
        }
        let accounts = accounts_after(self.parent, header.account_count, &records.leaves);
        let leaves: Vec<AccountLeaf> = accounts.leaves().collect();
        let committed =
            KnownTree::new(&header.account_root, header.account_count, leaves, &answers.accounts);
        let committed = match committed {
            Ok(committed) => committed,
            Err(need) => return Verdict::Demand(Demand::Accounts(need)),
        };
        let violation = self.accounts(&committed, &records).or_else(|| self.exits(&committed));
        match (violation, committed.into_tree()) {
            (Some(violation), _) => Verdict::Fraud(Box::new(violation)),
            (None, Some((tree, salts))) => {
                let state = LedgerState::with_tree(header.clone(), accounts, tree, salts);
                Verdict::Valid(Box::new(state))
            }
            // Not reached: what was revealed differs from what follows from the records, which is a violation.
            (None, None) => Verdict::Demand(Demand::Accounts(Need::Row)),
        }
    }

    /// Returns the violation of the lowest rule among the records that are known, and of several the first.
    fn records(&self, known: &KnownTree<RecordLeaf>) -> Option<Violation> {
        let published = self.published.map(|published| published.records(known.leaves.len()));
        let mut published = published.into_iter().flatten();
        let mut previous = None;
        let mut worst: Option<(Rule, usize, Kind)> = None;
        for (index, leaf) in known.leaves.iter().enumerate() {
            let found = self.record(index, leaf, previous, published.next());
            for (rule, kind) in found.into_iter().flatten() {
                if worst.is_none_or(|(lowest, ..)| rule < lowest) {
                    worst = Some((rule, index, kind));
                }
            }
            previous = Some(leaf);
        }
        let (rule, index, kind) = worst?;
        let place = Place::Record(u32::try_from(index).ok()?);
        Some(Violation { rule, place, proof: self.record_proof(kind, index, known)? })
    }

    /// Returns which rules a record breaks after the one before it, and which proof shows each.
    fn record(
        &self,
        index: usize,
        leaf: &RecordLeaf,
        previous: Option<&RecordLeaf>,
        published: Option<(Record, bool)>,
    ) -> [Option<(Rule, Kind)>; 6] {
        let rules = &self.rules;
        let participant = leaf.record.participant();
        let is_first = previous.is_none_or(|previous| previous.record.participant() != participant);
        let opening = is_first.then(|| self.parent.accounts().get(participant).balance);
        let number = u32::try_from(index).unwrap_or(u32::MAX);
        let by = |kind| move |rule| (rule, kind);
        [
            rules.record(leaf).map(by(Kind::Record)),
            previous.and_then(|previous| rules.pair(previous, leaf)).map(by(Kind::Pair)),
            rules.edge(number, leaf).map(by(Kind::Edge)),
            opening.and_then(|opening| rules.opening(leaf, opening)).map(by(Kind::Opening)),
            self.published.and_then(|_| rules.data(leaf, published)).map(by(Kind::Data)),
            rules.forced(leaf).map(by(Kind::Forced)),
        ]
    }

    fn record_proof(
        &self,
        kind: Kind,
        index: usize,
        known: &KnownTree<RecordLeaf>,
    ) -> Option<FraudProof> {
        let leaf = known.open(index)?;
        let previous = index.checked_sub(1).and_then(|index| known.open(index));
        Some(match kind {
            Kind::Record => FraudProof::Record { leaf },
            Kind::Pair => FraudProof::Pair { left: previous?, right: leaf },
            Kind::Edge => FraudProof::Edge { leaf },
            Kind::Opening => {
                let old = self.parent.open_account(leaf.leaf.record.participant());
                FraudProof::Opening { leaf, previous, old }
            }
            Kind::Data => FraudProof::Data { leaf },
            Kind::Forced => FraudProof::Forced { leaf },
        })
    }

    /// Returns the first deposit that the batch takes from the inbox without a record.
    fn deposits(&self, known: &KnownTree<RecordLeaf>) -> Option<Violation> {
        self.entries().find_map(|entry| {
            let key = self.rules.deposit_key(entry)?;
            let place = known.leaves.binary_search_by_key(&key, |leaf| leaf.record.key()).err()?;
            let left = place.checked_sub(1).and_then(|index| known.open(index));
            let right = known.open(place);
            let proof = FraudProof::DepositOmitted { entry, left, right };
            Some(Violation { rule: Rule::InboxHonored, place: Place::Inbox(entry), proof })
        })
    }

    /// Returns the first account that does not follow from the records.
    fn accounts(
        &self,
        committed: &KnownTree<AccountLeaf>,
        records: &KnownTree<RecordLeaf>,
    ) -> Option<Violation> {
        let mut after = 0;
        committed.leaves.iter().enumerate().find_map(|(index, leaf)| {
            let participant = leaf.participant;
            let of_smaller = after;
            after += records.leaves[after..]
                .partition_point(|leaf| leaf.record.participant() <= participant);
            let last = (after > of_smaller).then(|| &records.leaves[after - 1]);
            let new = Account { balance: leaf.balance, payable_micro: leaf.payable_micro };
            let old = self.parent.accounts().get(participant);
            let rule = self.rules.account(participant, new, old, last)?;
            let proof = FraudProof::Account {
                new: committed.open(index)?,
                old: self.parent.open_account(participant),
                last: after.checked_sub(1).and_then(|index| records.open(index)),
                next: records.open(after),
            };
            Some(Violation { rule, place: Place::Account(participant), proof })
        })
    }

    /// Returns the first request to leave that the batch takes from the inbox and does not honor.
    fn exits(&self, committed: &KnownTree<AccountLeaf>) -> Option<Violation> {
        self.entries().find_map(|entry| {
            let participant = self.rules.leaving(entry)?;
            let account = committed.open(in_memory(participant.0))?;
            let AccountLeaf { balance, payable_micro, .. } = account.leaf;
            let new = Account { balance, payable_micro };
            let rule = self.rules.left(new, self.parent.accounts().get(participant))?;
            let old = self.parent.open_account(participant);
            let proof = FraudProof::ExitIgnored { entry, account, old };
            Some(Violation { rule, place: Place::Inbox(entry), proof })
        })
    }

    /// Returns the numbers of the inbox entries that the batch takes and that are known.
    fn entries(&self) -> impl Iterator<Item = u64> {
        let InboxSpan { from, to } = self.rules.inbox();
        (from..to).take_while(|&entry| self.rules.reference.inbox.get(entry).is_some())
    }
}

/// Returns the accounts after these records, which obey the rules.
pub(crate) fn accounts_after(
    parent: &LedgerState,
    account_count: u32,
    leaves: &[RecordLeaf],
) -> Accounts {
    let mut accounts = parent.accounts().clone();
    accounts.grow(account_count.min(LEAVES_MAX));
    for of_participant in leaves.chunk_by(|a, b| a.record.participant() == b.record.participant()) {
        let last = of_participant[of_participant.len() - 1];
        let participant = last.record.participant();
        let mut account = accounts.get(participant);
        account.balance = last.balance_after;
        if last.record.code().class() == CodeClass::Withdrawal {
            account.payable_micro =
                account.payable_micro.saturating_add(last.amount.micro().unsigned_abs());
        }
        accounts.set(participant, account);
    }
    if let Some(last) = leaves.last() {
        let hub = ParticipantNumber::HUB;
        let account = Account { balance: last.hub_after, ..accounts.get(hub) };
        accounts.set(hub, account);
    }
    accounts
}

fn in_memory(index: u32) -> usize {
    usize::try_from(index).unwrap_or(usize::MAX)
}
