//! What is known of a participant's part of a sealed batch: from the hub's delivery, from what it showed on demand, or from both.

use std::collections::BTreeMap;

use alloy_primitives::B256;
use gridtally_core::party::ParticipantNumber;

use super::elements::SealedElements;
use super::judge::{SealedProof, SealedViolation, SectionProof};
use super::range::path_in_range;
use super::{SealedSection, is_range_included, section_element};
use crate::header::BatchHeader;
use crate::judge::Place;
use crate::leaf::{AccountLeaf, RecordLeaf, Salt};
use crate::opening::Opened;
use crate::rule::Rule;

/// A section of which every record is known, and the account after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownSection {
    /// Index of the first leaf, 0 for an empty section.
    pub first: u32,
    /// The records, in order, with their salts.
    pub leaves: Vec<(RecordLeaf, Salt)>,
    /// The nodes beside the range, none for an empty section.
    pub path: Vec<B256>,
    /// The account after the batch; also says whose section it is.
    pub account: Opened<AccountLeaf>,
}

impl KnownSection {
    /// Returns whose section it is.
    #[must_use]
    pub const fn participant(&self) -> ParticipantNumber {
        self.account.leaf.participant
    }

    /// Returns the hashes of the records as they stand in the tree.
    #[must_use]
    pub fn hashes(&self) -> Vec<B256> {
        self.leaves.iter().map(|(leaf, salt)| leaf.sealed_hash(salt)).collect()
    }

    /// Returns the record at a place of the section with its path in a batch of so many records.
    #[must_use]
    pub fn open(&self, place: usize, count: u32) -> Option<Opened<RecordLeaf>> {
        let &(leaf, salt) = self.leaves.get(place)?;
        let path = path_in_range(&self.hashes(), self.first, count, &self.path, place)?;
        let index = self.first.checked_add(u32::try_from(place).ok()?)?;
        Some(Opened { index, leaf, salt: Some(salt), path })
    }
}

impl From<&SealedSection> for KnownSection {
    fn from(section: &SealedSection) -> Self {
        let SealedSection { key, first, leaves, path, account, account_path } = section;
        let index = |place: usize| first.saturating_add(u32::try_from(place).unwrap_or(u32::MAX));
        let indexed = leaves.iter().enumerate().map(|(place, leaf)| (index(place), leaf));
        let account = Opened {
            index: account.participant.0,
            leaf: *account,
            salt: Some(key.account_salt()),
            path: account_path.clone(),
        };
        Self {
            first: *first,
            leaves: indexed.map(|(index, leaf)| (*leaf, key.salt(index))).collect(),
            path: path.clone(),
            account,
        }
    }
}

/// What the hub showed of a section on demand: where it lies, and the hashes of its records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShownSection {
    /// Index of the first leaf, 0 for an empty section.
    pub first: u32,
    /// The hashes of its leaves.
    pub hashes: Vec<B256>,
    /// The nodes beside the range.
    pub path: Vec<B256>,
}

/// What the hub showed of a sealed batch on demand. Only what fits the batch counts.
#[derive(Clone, Debug, Default)]
pub struct SectionAnswers {
    /// Sections, by participant number.
    pub sections: BTreeMap<ParticipantNumber, ShownSection>,
    /// Accounts, by participant number.
    pub accounts: BTreeMap<ParticipantNumber, Opened<AccountLeaf>>,
    /// Records, by index.
    pub records: BTreeMap<u32, Opened<RecordLeaf>>,
}

/// Something of a sealed batch that must be demanded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SectionNeed {
    /// Where the section of a participant lies, and the hashes of its records.
    Section(ParticipantNumber),
    /// A participant's account.
    Account(ParticipantNumber),
    /// A record of a participant's section.
    Record {
        /// Whose.
        participant: ParticipantNumber,
        /// Its index in the batch.
        index: u32,
    },
}

/// Why a section is not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SectionGap {
    /// This must be demanded.
    Needs(Vec<SectionNeed>),
    /// What was delivered and what was shown contradict each other, and that is a proof.
    Violation(Box<SealedViolation>),
}

/// Puts together what is known of a participant's section.
///
/// What was delivered counts where it is in the batch and where the blobs have its digest; otherwise what is shown on demand, with
/// the records that were delivered, as far as they are those that were shown.
///
/// # Errors
///
/// Returns what is missing, or the proof of what is wrong.
pub fn know_section(
    header: &BatchHeader,
    elements: &SealedElements,
    participant: ParticipantNumber,
    delivered: Option<&SealedSection>,
    answers: &SectionAnswers,
) -> Result<KnownSection, SectionGap> {
    let needs = |needs| Err(SectionGap::Needs(needs));
    let element = elements.section(participant).copied().unwrap_or_default();
    let delivered = delivered.filter(|section| section.account.participant == participant);
    let account = answers
        .accounts
        .get(&participant)
        .filter(|account| account.leaf.participant == participant && header.has_account(account));
    let delivered = delivered.filter(|section| section.check(header).is_ok());
    let delivered = delivered.map(KnownSection::from);
    let shown =
        answers.sections.get(&participant).filter(|shown| is_shown(header, &element, shown));
    if let Some(known) = &delivered {
        if section_element(&known.hashes()) == element {
            return Ok(known.clone());
        }
        // The published digest is of something else. Where that lies must be shown.
        let Some(shown) = shown else { return needs(vec![SectionNeed::Section(participant)]) };
        let end = u64::from(shown.first) + shown.hashes.len() as u64;
        let is_inside = |index: u32| index >= shown.first && u64::from(index) < end;
        let outside = (known.first..).zip(0..known.leaves.len());
        let mut outside = outside.filter(|(index, _)| !is_inside(*index));
        if let Some((_, place)) = outside.next()
            && let Some(leaf) = known.open(place, header.count)
        {
            let proof = SectionProof::Foreign { participant, leaf };
            return Err(SectionGap::Violation(Box::new(SealedViolation {
                rule: Rule::DataPublished,
                place: Place::Section(participant),
                proof: SealedProof::Section(proof),
            })));
        }
    }
    let Some(shown) = shown else { return needs(vec![SectionNeed::Section(participant)]) };
    let mut missing = Vec::new();
    let mut leaves = Vec::new();
    for (index, hash) in (shown.first..).zip(&shown.hashes) {
        let of_delivery = delivered.as_ref().and_then(|known| {
            let place = usize::try_from(index.checked_sub(known.first)?).ok()?;
            known.leaves.get(place).copied()
        });
        let of_answer = answers.records.get(&index);
        let of_answer = of_answer.and_then(|record| Some((record.leaf, record.salt?)));
        let mut found = [of_delivery, of_answer].into_iter().flatten();
        match found.find(|(leaf, salt)| leaf.sealed_hash(salt) == *hash) {
            Some(found) => leaves.push(found),
            None => missing.push(SectionNeed::Record { participant, index }),
        }
    }
    let account = account.cloned().or_else(|| delivered.map(|known| known.account));
    let Some(account) = account else {
        missing.insert(0, SectionNeed::Account(participant));
        return needs(missing);
    };
    if !missing.is_empty() {
        return needs(missing);
    }
    Ok(KnownSection { first: shown.first, leaves, path: shown.path.clone(), account })
}

/// Whether a section that was shown is in the batch, and the one of which the blobs have the digest.
fn is_shown(header: &BatchHeader, element: &B256, shown: &ShownSection) -> bool {
    let is_there = if shown.hashes.is_empty() {
        shown.first == 0 && shown.path.is_empty()
    } else {
        let ShownSection { first, hashes, path } = shown;
        is_range_included(&header.record_root, hashes, *first, header.count, path)
    };
    is_there && section_element(&shown.hashes) == *element
}
