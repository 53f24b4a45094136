//! What a sealed batch publishes, read back, and what everybody can tell from it.

use alloy_primitives::B256;
use gridtally_core::party::ParticipantNumber;

use super::batch::ELEMENTS_PER_BLOB;
use super::judge::{SealedProof, SealedViolation, SectionProof};
use crate::header::BatchHeader;
use crate::judge::Place;
use crate::opening::{KnownTree, Need, Revealed};
use crate::published::BlobBytes;
use crate::rule::Rule;
use crate::tree::{LEAVES_MAX, Tree};

const ELEMENT_LENGTH: usize = 32;

/// The field elements of a sealed batch: of each participant its section's, then of each its account leaf.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedElements {
    sections: Vec<B256>,
    accounts: Vec<B256>,
}

impl SealedElements {
    /// Returns the elements that the blobs of a batch with so many accounts hold, or `None` where they are too few.
    ///
    /// Whether they are the batch's blobs is for the caller to check, and each is below the order of the field only then.
    #[must_use]
    pub fn read(blobs: &[BlobBytes], account_count: u32) -> Option<Self> {
        let count = usize::try_from(account_count.min(LEAVES_MAX)).ok()?;
        let elements = blobs.iter().flat_map(|blob| blob.chunks_exact(ELEMENT_LENGTH));
        let mut sections: Vec<B256> = elements.take(2 * count).map(B256::from_slice).collect();
        if sections.len() != 2 * count {
            return None;
        }
        let accounts = sections.split_off(count);
        Some(Self { sections, accounts })
    }

    /// Returns what is published of a participant's section, or `None` without an account.
    #[must_use]
    pub fn section(&self, participant: ParticipantNumber) -> Option<&B256> {
        self.sections.get(usize::try_from(participant.0).ok()?)
    }

    /// Returns what is published of a participant's account, or `None` without one.
    #[must_use]
    pub fn account(&self, participant: ParticipantNumber) -> Option<&B256> {
        self.accounts.get(usize::try_from(participant.0).ok()?)
    }

    /// Returns what is published of all accounts, by participant number.
    #[must_use]
    pub fn accounts(&self) -> &[B256] {
        &self.accounts
    }

    /// Returns in which blob, and where in it, the element of a section stands.
    #[must_use]
    pub const fn section_place(participant: ParticipantNumber) -> (usize, usize) {
        place(participant.0 as usize)
    }

    /// Returns in which blob, and where in it, the element of an account stands, of so many accounts.
    #[must_use]
    pub const fn account_place(
        participant: ParticipantNumber,
        account_count: u32,
    ) -> (usize, usize) {
        place(account_count as usize + participant.0 as usize)
    }
}

const fn place(element: usize) -> (usize, usize) {
    (element / ELEMENTS_PER_BLOB, element % ELEMENTS_PER_BLOB)
}

/// Judges what everybody can tell of a sealed batch: that its account tree is the one over the published account leaves, each of
/// which has the form of one. Returns that tree.
///
/// # Errors
///
/// Returns what must be revealed to tell more, or the violation of R9 with its proof.
pub fn judge_account_leaves(
    header: &BatchHeader,
    elements: &SealedElements,
    revealed: &Revealed<B256>,
) -> Result<Tree, Result<Need, Box<SealedViolation>>> {
    let published = elements.accounts();
    let (root, count) = (&header.account_root, header.account_count);
    let known = KnownTree::new(root, count, published.to_vec(), revealed).map_err(Ok)?;
    let is_element = |leaf: &B256| leaf[0] == 0;
    let differs = |(leaf, element): (&B256, &B256)| leaf != element || !is_element(leaf);
    let wrong = known.leaves.iter().zip(published).position(differs);
    if let Some(opened) = wrong.and_then(|index| known.open(index)) {
        let participant = ParticipantNumber(opened.index);
        return Err(Err(Box::new(SealedViolation {
            rule: Rule::DataPublished,
            place: Place::Account(participant),
            proof: SealedProof::Section(SectionProof::PublishedAccount { leaf: opened }),
        })));
    }
    // Without one that differs, the tree is the one that was computed.
    known.into_tree().map(|(tree, _)| tree).ok_or(Ok(Need::Row))
}
