//! What shows the chain that a batch is invalid: the arguments of one call.

use alloy_primitives::B256;
use gridtally_core::quantity::Amount;

use crate::account::Account;
use crate::derive::Reference;
use crate::header::{BatchHeader, DataKind};
use crate::leaf::{AccountLeaf, RecordLeaf};
use crate::opening::{Leaf, Opened};
use crate::published::Published;
use crate::rule::Rule;
use crate::rules::Rules;
use crate::tree::is_included;

/// A proof of fraud, without what every one of them begins with: the header and its parent.
///
/// # Source
///
/// Settlement protocol §2.9.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FraudProof {
    /// `proveRecord`: the record alone breaks a rule. The tariff table goes with it.
    Record {
        /// The record.
        leaf: Opened<RecordLeaf>,
    },
    /// `provePair`: two neighbours do not follow from each other.
    Pair {
        /// The earlier.
        left: Opened<RecordLeaf>,
        /// The next.
        right: Opened<RecordLeaf>,
    },
    /// `proveEdge`: the first or the last record does not match the header.
    Edge {
        /// The first or the last.
        leaf: Opened<RecordLeaf>,
    },
    /// `proveOpening`: a participant's first record does not start from its account.
    Opening {
        /// The participant's first record.
        leaf: Opened<RecordLeaf>,
        /// The record before it, of somebody else; none before the first.
        previous: Option<Opened<RecordLeaf>>,
        /// The account under the parent's root; none for a new account.
        old: Option<Opened<AccountLeaf>>,
    },
    /// `proveAccount`: an account does not follow from the records.
    Account {
        /// The account as committed.
        new: Opened<AccountLeaf>,
        /// The account under the parent's root; none for a new account.
        old: Option<Opened<AccountLeaf>>,
        /// The participant's last record, or the last one of a smaller participant; none before the first.
        last: Option<Opened<RecordLeaf>>,
        /// The record after it, of a larger participant; none after the last.
        next: Option<Opened<RecordLeaf>>,
    },
    /// `proveBlob` or `proveCalldata`: the published data differ from the record. The opening of the field element, or the
    /// data, go with it.
    Data {
        /// The record as committed.
        leaf: Opened<RecordLeaf>,
    },
    /// `proveDepositOmitted`: a deposit that was taken from the inbox has no record.
    DepositOmitted {
        /// Number of the entry.
        entry: u64,
        /// The record before the gap; none before the first.
        left: Option<Opened<RecordLeaf>>,
        /// The record after the gap; none after the last.
        right: Option<Opened<RecordLeaf>>,
    },
    /// `proveExitIgnored`: a participant that asked to leave still has money.
    ExitIgnored {
        /// Number of the entry.
        entry: u64,
        /// The account as committed.
        account: Opened<AccountLeaf>,
        /// The account under the parent's root; none for a new account.
        old: Option<Opened<AccountLeaf>>,
    },
    /// `proveForced`: a forced reading was corrected too late.
    Forced {
        /// The correction.
        leaf: Opened<RecordLeaf>,
    },
}

impl FraudProof {
    /// Returns the contract's name of the call, for a batch that is published so.
    #[must_use]
    pub const fn call(&self, data_kind: DataKind) -> &'static str {
        match self {
            Self::Record { .. } => "proveRecord",
            Self::Pair { .. } => "provePair",
            Self::Edge { .. } => "proveEdge",
            Self::Opening { .. } => "proveOpening",
            Self::Account { .. } => "proveAccount",
            Self::Data { .. } => match data_kind {
                DataKind::Calldata => "proveCalldata",
                DataKind::Blob | DataKind::SealedBlob => "proveBlob",
            },
            Self::DepositOmitted { .. } => "proveDepositOmitted",
            Self::ExitIgnored { .. } => "proveExitIgnored",
            Self::Forced { .. } => "proveForced",
        }
    }
}

/// What a proof is judged by.
#[derive(Clone, Copy, Debug)]
pub struct Evidence<'a> {
    /// The header of the accused batch.
    pub header: &'a BatchHeader,
    /// The header before it.
    pub parent: &'a BatchHeader,
    /// What the chain fixed before.
    pub reference: &'a Reference<'a>,
    /// The published data.
    pub published: Published<'a>,
}

impl FraudProof {
    /// Returns the rule that this proof shows to be broken, or `None` for a proof that shows nothing: the contract's own
    /// decision, in advance.
    #[must_use]
    pub fn rule(&self, evidence: &Evidence<'_>) -> Option<Rule> {
        let Evidence { header, parent, reference, published } = *evidence;
        if parent.hash() != header.parent {
            return None;
        }
        let rules = Rules { header, parent, reference };
        let record = |leaf: &Opened<RecordLeaf>| leaf.is_under(&header.record_root, header.count);
        let account =
            |leaf: &Opened<AccountLeaf>| leaf.is_under(&header.account_root, header.account_count);
        let follows = |left: &Option<Opened<RecordLeaf>>, right: &Option<Opened<RecordLeaf>>| {
            neighbours(header, left.as_ref(), right.as_ref())
        };
        match self {
            Self::Record { leaf } => record(leaf).then(|| rules.record(&leaf.leaf))?,
            Self::Pair { left, right } => {
                let is_pair = record(left) && record(right) && left.index + 1 == right.index;
                is_pair.then(|| rules.pair(&left.leaf, &right.leaf))?
            }
            Self::Edge { leaf } => record(leaf).then(|| rules.edge(leaf.index, &leaf.leaf))?,
            Self::Opening { leaf, previous, old } => {
                let participant = leaf.leaf.record.participant();
                let is_first = match previous {
                    Some(previous) => {
                        record(previous)
                            && previous.index + 1 == leaf.index
                            && previous.leaf.record.participant() != participant
                    }
                    None => leaf.index == 0,
                };
                let opening = old_account(parent, participant.0, old.as_ref())?.balance;
                (record(leaf) && is_first).then(|| rules.opening(&leaf.leaf, opening))?
            }
            Self::Account { new, old, last, next } => {
                let participant = new.leaf.participant;
                let surrounds = follows(last, next)
                    && last
                        .as_ref()
                        .is_none_or(|last| last.leaf.record.participant() <= participant)
                    && next
                        .as_ref()
                        .is_none_or(|next| next.leaf.record.participant() > participant);
                let old = old_account(parent, participant.0, old.as_ref())?;
                let last = last.as_ref().map(|last| &last.leaf);
                let own = last.filter(|last| last.record.participant() == participant);
                let leaf = account_of(&new.leaf);
                (account(new) && surrounds).then(|| rules.account(participant, leaf, old, own))?
            }
            Self::Forced { leaf } => record(leaf).then(|| rules.forced(&leaf.leaf))?,
            Self::Data { leaf } => {
                let index = usize::try_from(leaf.index).ok()?;
                let there = published.records(index + 1).nth(index);
                record(leaf).then(|| rules.data(&leaf.leaf, there))?
            }
            Self::DepositOmitted { entry, left, right } => {
                let key = rules.deposit_key(*entry)?;
                let is_gap = follows(left, right)
                    && left.as_ref().is_none_or(|left| left.leaf.record.key() < key)
                    && right.as_ref().is_none_or(|right| right.leaf.record.key() > key);
                is_gap.then_some(Rule::InboxHonored)
            }
            Self::ExitIgnored { entry, account: leaf, old } => {
                let participant = rules.leaving(*entry)?;
                let is_own = leaf.leaf.participant == participant && account(leaf);
                let old = old_account(parent, participant.0, old.as_ref())?;
                is_own.then(|| rules.left(account_of(&leaf.leaf), old))?
            }
        }
    }
}

impl<L: Leaf> Opened<L> {
    /// Whether the leaf stands at its index under a root.
    #[must_use]
    pub fn is_under(&self, root: &B256, count: u32) -> bool {
        is_included(root, &self.leaf.leaf_hash(), self.index, count, &self.path)
    }
}

/// Whether two records are neighbours; none stands for what is before the first and after the last.
fn neighbours(
    header: &BatchHeader,
    left: Option<&Opened<RecordLeaf>>,
    right: Option<&Opened<RecordLeaf>>,
) -> bool {
    let is_there = |leaf: Option<&Opened<RecordLeaf>>| {
        leaf.is_none_or(|leaf| leaf.is_under(&header.record_root, header.count))
    };
    let after_left = left.map_or(Some(0), |left| left.index.checked_add(1));
    let at_right = right.map_or(header.count, |right| right.index);
    is_there(left) && is_there(right) && after_left == Some(at_right)
}

/// Returns a participant's account before the batch: as opened under the parent's root, empty for a new one, `None` for one
/// that is not shown.
fn old_account(
    parent: &BatchHeader,
    participant: u32,
    old: Option<&Opened<AccountLeaf>>,
) -> Option<Account> {
    match old {
        Some(old) => {
            let is_own = old.leaf.participant.0 == participant && old.index == participant;
            (is_own && old.is_under(&parent.account_root, parent.account_count))
                .then(|| account_of(&old.leaf))
        }
        None if participant >= parent.account_count => {
            Some(Account { balance: Amount::ZERO, payable_micro: 0 })
        }
        None => None,
    }
}

const fn account_of(leaf: &AccountLeaf) -> Account {
    Account { balance: leaf.balance, payable_micro: leaf.payable_micro }
}
