//! Judging sealed batches: what a participant can tell of its own section, and what an auditor can who has all of them.

use alloy_primitives::B256;
use gridtally_core::party::ParticipantNumber;

use super::known::KnownSection;
use crate::account::{Account, Accounts};
use crate::derive::{InboxSpan, Reference};
use crate::fraud_proof::FraudProof;
use crate::header::BatchHeader;
use crate::judge::{Place, Violation, judge_leaves};
use crate::leaf::{AccountLeaf, RecordLeaf};
use crate::ledger_state::LedgerState;
use crate::opening::{KnownTree, Opened};
use crate::rule::Rule;
use crate::rules::Rules;

/// A broken rule of a sealed batch, where, and the proof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedViolation {
    /// The rule.
    pub rule: Rule,
    /// What breaks it.
    pub place: Place,
    /// What shows it to the chain.
    pub proof: SealedProof,
}

impl From<Violation> for SealedViolation {
    fn from(violation: Violation) -> Self {
        let Violation { rule, place, proof } = violation;
        Self { rule, place, proof: SealedProof::Leaf(proof) }
    }
}

/// What shows the chain that a sealed batch is invalid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SealedProof {
    /// A proof that takes the leaves of any batch, here with their salts.
    Leaf(FraudProof),
    /// A proof about a section.
    Section(SectionProof),
}

/// A proof about a section, which must have been shown on demand for most of them.
///
/// # Source
///
/// docs/decisions/0010-sealed-mode.md.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SectionProof {
    /// `proveSectionOpening`: the section's first record does not start from the account before.
    Opening {
        /// The first record.
        leaf: Opened<RecordLeaf>,
        /// The account under the parent's root; none for a new account.
        old: Option<Opened<AccountLeaf>>,
    },
    /// `proveSectionAccount`: the account is not what the section makes of it.
    Account {
        /// The account as committed.
        new: Opened<AccountLeaf>,
        /// The account under the parent's root; none for a new account.
        old: Option<Opened<AccountLeaf>>,
        /// The last record; none in an empty section.
        last: Option<Opened<RecordLeaf>>,
    },
    /// `proveSectionDeposit`: a deposit has no record in its participant's section.
    Deposit {
        /// Number of the entry.
        entry: u64,
        /// Whose.
        participant: ParticipantNumber,
        /// The record of the section before the gap; none before its first.
        left: Option<Opened<RecordLeaf>>,
        /// The record of the section after the gap; none after its last.
        right: Option<Opened<RecordLeaf>>,
    },
    /// `proveSectionForeign`: a record is in the section of another, or not in its own.
    Foreign {
        /// Whose section.
        participant: ParticipantNumber,
        /// The record.
        leaf: Opened<RecordLeaf>,
    },
    /// `proveSectionsApart`: two sections overlap, or leave records between them that belong to nobody.
    Apart {
        /// The section before; none for the beginning of the batch.
        left: Option<ParticipantNumber>,
        /// The section after; none for the end of the batch.
        right: Option<ParticipantNumber>,
    },
    /// `proveSealedAccount`: the published account leaf is not the one in the tree, or has not the form of one. Its opening goes
    /// with it.
    PublishedAccount {
        /// The leaf in the tree.
        leaf: Opened<B256>,
    },
}

impl SectionProof {
    /// Returns the contract's name of the call.
    #[must_use]
    pub const fn call(&self) -> &'static str {
        match self {
            Self::Opening { .. } => "proveSectionOpening",
            Self::Account { .. } => "proveSectionAccount",
            Self::Deposit { .. } => "proveSectionDeposit",
            Self::Foreign { .. } => "proveSectionForeign",
            Self::Apart { .. } => "proveSectionsApart",
            Self::PublishedAccount { .. } => "proveSealedAccount",
        }
    }

    /// Returns whose sections must have been shown, in a batch of so many accounts: the contract knows where they lie then.
    #[must_use]
    pub fn sections(&self, account_count: u32) -> Vec<ParticipantNumber> {
        match self {
            Self::Opening { leaf, .. } => vec![leaf.leaf.record.participant()],
            Self::Account { new, .. } => vec![new.leaf.participant],
            Self::Deposit { participant, .. } | Self::Foreign { participant, .. } => {
                vec![*participant]
            }
            Self::Apart { left, right } => {
                let from = left.map_or(0, |left| left.0);
                let to = right.map_or(account_count, |right| right.0.saturating_add(1));
                (from..to.min(account_count)).map(ParticipantNumber).collect()
            }
            Self::PublishedAccount { .. } => Vec::new(),
        }
    }
}

/// The account before a batch, as far as it is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Before {
    /// The account is new.
    New,
    /// Under the parent's account root.
    Opened(Opened<AccountLeaf>),
    /// Nobody told: what follows from it cannot be judged.
    Unknown,
}

impl Before {
    /// Returns what is known of a participant's account before a batch: by the state after its parent if that is known, otherwise
    /// by what somebody says, if it is under the parent's root.
    #[must_use]
    pub fn of(
        participant: ParticipantNumber,
        parent: &BatchHeader,
        state: Option<&LedgerState>,
        told: Option<&Opened<AccountLeaf>>,
    ) -> Self {
        if participant.0 >= parent.account_count {
            return Self::New;
        }
        let of_state = state.filter(|state| state.header() == parent);
        let of_state = of_state.and_then(|state| state.open_account(participant));
        let told = told.filter(|account| {
            account.leaf.participant == participant && parent.has_account(account)
        });
        of_state.or_else(|| told.cloned()).map_or(Self::Unknown, Self::Opened)
    }

    /// Returns the account, and what opens it for a proof; `None` where it is not known.
    fn account(&self) -> Option<(Account, Option<Opened<AccountLeaf>>)> {
        match self {
            Self::New => Some((Account::default(), None)),
            Self::Opened(opened) => {
                let AccountLeaf { balance, payable_micro, .. } = opened.leaf;
                Some((Account { balance, payable_micro }, Some(opened.clone())))
            }
            Self::Unknown => None,
        }
    }
}

/// A participant's section, to be judged without anybody else's.
#[derive(Clone, Copy, Debug)]
pub struct SectionCase<'a> {
    /// The header of the batch.
    pub header: &'a BatchHeader,
    /// The header before it.
    pub parent: &'a BatchHeader,
    /// The section, which is in the batch.
    pub section: &'a KnownSection,
    /// The participant's account before the batch.
    pub before: &'a Before,
}

impl SectionCase<'_> {
    /// Judges everything about the participant: each record alone (R2 to R5), its order and balances inside the section (R1, R6,
    /// R7), the first and the last record of the batch if they are its own, the account (R8), its entries in the inbox (R11),
    /// late corrections (R13). Of several violations that of the lowest rule counts.
    ///
    /// Signatures (R10) and what crosses participants are not judged; without the account before, neither is what follows from it.
    #[must_use]
    pub fn judge(&self, reference: &Reference<'_>) -> Option<SealedViolation> {
        let rules = Rules { header: self.header, parent: self.parent, reference };
        let found = self.records(&rules).or_else(|| self.deposits(&rules));
        found.or_else(|| self.account(&rules)).or_else(|| self.exits(&rules))
    }

    fn open(&self, place: usize) -> Option<Opened<RecordLeaf>> {
        self.section.open(place, self.header.count)
    }

    fn records(&self, rules: &Rules<'_>) -> Option<SealedViolation> {
        let participant = self.section.participant();
        let leaves = &self.section.leaves;
        let before = self.before.account();
        let mut worst: Option<(Rule, usize, Kind)> = None;
        for (place, (leaf, _)) in leaves.iter().enumerate() {
            let index = u32::try_from(place).ok()?.checked_add(self.section.first)?;
            let previous = place.checked_sub(1).map(|place| &leaves[place].0);
            let opening = before.as_ref().filter(|_| place == 0);
            let is_foreign = leaf.record.participant() != participant;
            let by = |kind| move |rule| (rule, kind);
            let found = [
                rules.record(leaf).map(by(Kind::Record)),
                previous.and_then(|previous| rules.pair(previous, leaf)).map(by(Kind::Pair)),
                rules.edge(index, leaf).map(by(Kind::Edge)),
                opening
                    .and_then(|(account, _)| rules.opening(leaf, account.balance))
                    .map(by(Kind::Opening)),
                is_foreign.then_some((Rule::DataPublished, Kind::Foreign)),
                rules.forced(leaf).map(by(Kind::Forced)),
            ];
            for (rule, kind) in found.into_iter().flatten() {
                if worst.is_none_or(|(lowest, ..)| rule < lowest) {
                    worst = Some((rule, place, kind));
                }
            }
        }
        let (rule, at, kind) = worst?;
        let leaf = self.open(at)?;
        let place = Place::Record(leaf.index);
        let proof = match kind {
            Kind::Record => SealedProof::Leaf(FraudProof::Record { leaf }),
            Kind::Pair => {
                let left = at.checked_sub(1).and_then(|place| self.open(place))?;
                SealedProof::Leaf(FraudProof::Pair { left, right: leaf })
            }
            Kind::Edge => SealedProof::Leaf(FraudProof::Edge { leaf }),
            Kind::Forced => SealedProof::Leaf(FraudProof::Forced { leaf }),
            Kind::Opening => {
                let old = before.and_then(|(_, old)| old);
                SealedProof::Section(SectionProof::Opening { leaf, old })
            }
            Kind::Foreign => SealedProof::Section(SectionProof::Foreign { participant, leaf }),
        };
        Some(SealedViolation { rule, place, proof })
    }

    fn deposits(&self, rules: &Rules<'_>) -> Option<SealedViolation> {
        let participant = self.section.participant();
        let leaves = &self.section.leaves;
        entries(rules).find_map(|entry| {
            let key = rules.deposit_key(entry)?;
            let ordered = rules.reference.inbox.get(entry)?;
            if ordered.participant != participant {
                return None;
            }
            let place = leaves.binary_search_by_key(&key, |(leaf, _)| leaf.record.key()).err()?;
            let left = place.checked_sub(1).and_then(|place| self.open(place));
            let right = self.open(place);
            let proof = SectionProof::Deposit { entry, participant, left, right };
            Some(SealedViolation {
                rule: Rule::InboxHonored,
                place: Place::Inbox(entry),
                proof: SealedProof::Section(proof),
            })
        })
    }

    fn account(&self, rules: &Rules<'_>) -> Option<SealedViolation> {
        let (before, old) = self.before.account()?;
        let participant = self.section.participant();
        let last = self.section.leaves.last().map(|(leaf, _)| leaf);
        let new = account_of(&self.section.account.leaf);
        let rule = rules.account(participant, new, before, last)?;
        let last = self.section.leaves.len().checked_sub(1).and_then(|place| self.open(place));
        let proof = SectionProof::Account { new: self.section.account.clone(), old, last };
        let place = Place::Account(participant);
        Some(SealedViolation { rule, place, proof: SealedProof::Section(proof) })
    }

    fn exits(&self, rules: &Rules<'_>) -> Option<SealedViolation> {
        let (before, old) = self.before.account()?;
        entries(rules).find_map(|entry| {
            let participant = rules.leaving(entry)?;
            if participant != self.section.participant() {
                return None;
            }
            let account = self.section.account.clone();
            let rule = rules.left(account_of(&account.leaf), before)?;
            let proof = FraudProof::ExitIgnored { entry, account, old: old.clone() };
            let place = Place::Inbox(entry);
            Some(SealedViolation { rule, place, proof: SealedProof::Leaf(proof) })
        })
    }
}

/// Which proof shows what a record breaks.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Record,
    Pair,
    Edge,
    Opening,
    Foreign,
    Forced,
}

/// Judges a sealed batch of which all sections are known, by participant number, on a parent that is known and valid: by every
/// rule but R10. Returns the state after it or the violation: sections that overlap or leave records out (R9), then that of the
/// lowest rule. `None` for sections that are not those of the batch.
#[must_use]
pub fn judge_sections(
    header: &BatchHeader,
    parent: &LedgerState,
    reference: &Reference<'_>,
    sections: &[KnownSection],
) -> Option<Result<LedgerState, Box<SealedViolation>>> {
    if let Some(violation) = sections_apart(header, sections) {
        return Some(Err(Box::new(violation)));
    }
    let (leaves, salts) = sections.iter().flat_map(|section| &section.leaves).copied().unzip();
    let records = KnownTree::sealed(&header.record_root, leaves, salts)?;
    let accounts: Vec<AccountLeaf> = sections.iter().map(|section| section.account.leaf).collect();
    let salts: Vec<_> = sections.iter().filter_map(|section| section.account.salt).collect();
    let known = KnownTree::sealed(&header.account_root, accounts, salts)?;
    match judge_leaves(header, parent, reference, &records, &known) {
        Some(violation) => Some(Err(Box::new(violation.into()))),
        None => state_of_sections(header, sections).map(Ok),
    }
}

/// Returns the state after a sealed batch of which all sections are known, or `None` for sections that are not those of the batch.
/// Whether the batch is valid is not judged.
#[must_use]
pub fn state_of_sections(header: &BatchHeader, sections: &[KnownSection]) -> Option<LedgerState> {
    let in_place = (0..).zip(sections).all(|(number, section)| section.participant().0 == number);
    let salts = sections.iter().filter_map(|section| section.account.salt).collect();
    let accounts = sections.iter().map(|section| account_of(&section.account.leaf)).collect();
    in_place.then(|| LedgerState::sealed(header.clone(), Accounts::new(accounts), salts))?
}

/// Returns the first two of all sections that do not continue each other: they overlap, or leave records out (R9).
#[must_use]
pub fn sections_apart(header: &BatchHeader, sections: &[KnownSection]) -> Option<SealedViolation> {
    let mut end = 0;
    let mut left = None;
    let between = |left, right: Option<ParticipantNumber>| {
        let place = Place::Section(right.or(left).unwrap_or(ParticipantNumber::HUB));
        let proof = SealedProof::Section(SectionProof::Apart { left, right });
        Some(SealedViolation { rule: Rule::DataPublished, place, proof })
    };
    for section in sections.iter().filter(|section| !section.leaves.is_empty()) {
        if u64::from(section.first) != end {
            return between(left, Some(section.participant()));
        }
        end += section.leaves.len() as u64;
        left = Some(section.participant());
    }
    if end == u64::from(header.count) { None } else { between(left, None) }
}

/// Returns the numbers of the inbox entries that the batch takes and that are known.
fn entries(rules: &Rules<'_>) -> impl Iterator<Item = u64> {
    let InboxSpan { from, to } = rules.inbox();
    let inbox = rules.reference.inbox;
    (from..to).take_while(move |&entry| inbox.get(entry).is_some())
}

const fn account_of(leaf: &AccountLeaf) -> Account {
    Account { balance: leaf.balance, payable_micro: leaf.payable_micro }
}
