//! Erasing sections of sealed batches: afterwards nobody can tell what their public part says.
//!
//! ```text
//! what is asked for --> each batch final, and not the newest such? --> line of the journal --> attempts --> section by section
//! ```
//!
//! The line comes first: killed in between, the same erasure goes on, and until then `verify` says that it is not done.

use std::collections::BTreeSet;

use alloy_primitives::B256;
use gridtally_core::party::ParticipantNumber;
use gridtally_core::period::SettlementPeriod;
use gridtally_ledger::{BatchView, SectionStore, SectionStoreError, WINDOW_S};
use gridtally_settlement::{BatchHeader, DataKind};
use jiff::Timestamp;
use tracing::info;

use super::settler::instant;
use crate::store::{ErasedBatch, ErasedSections, SECTION_FOLDER, Store, StoreError, StoreView};

/// Which batches sections are erased of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ErasedIn {
    /// Those with these numbers.
    Batches(BTreeSet<u64>),
    /// Those of a settlement period, corrections among them.
    Period(SettlementPeriod),
}

/// Why sections cannot be erased, in order of precedence.
#[derive(Debug, thiserror::Error)]
pub enum EraseError {
    /// There is no such sealed batch.
    #[error("there is no sealed batch {seq}")]
    NotSealed {
        /// The number that was named.
        seq: u64,
    },
    /// The period has no sealed batch.
    #[error("there is no sealed batch of settlement period {period}")]
    NoBatch {
        /// The period that was named.
        period: SettlementPeriod,
    },
    /// Sections of the batch can still be demanded.
    #[error(
        "batch {seq} is pending: what it hides can be demanded, and its window is open until {until} at least"
    )]
    Pending {
        /// Its number.
        seq: u64,
        /// When its window is over.
        until: Timestamp,
    },
    /// Its accounts are those that participants claim by, and that the next batches are built on.
    #[error(
        "batch {seq} is the newest final one: participants are paid by the accounts in its sections"
    )]
    NewestFinal {
        /// Its number.
        seq: u64,
    },
    /// The store of sections does not have the batch.
    #[error("the sections of batch {seq} are not here")]
    Missing {
        /// Its number.
        seq: u64,
    },
    /// Everything that is asked for was erased before.
    #[error("there is nothing to erase: these sections were erased before, or never were")]
    Nothing,
    /// The store of sections cannot be used.
    #[error(transparent)]
    Sections(#[from] SectionStoreError),
    /// The store cannot be written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Sections that can be erased.
#[derive(Debug, Clone)]
pub struct Erasure {
    sections: SectionStore,
    batches: Vec<ErasedBatchSections>,
    participants: BTreeSet<ParticipantNumber>,
    /// The headers that stand, and on which others may come.
    standing: Vec<BatchHeader>,
    open_parents: Vec<B256>,
}

/// The sections of one batch that are erased.
#[derive(Debug, Clone)]
struct ErasedBatchSections {
    header: BatchHeader,
    participants: Vec<ParticipantNumber>,
}

/// What was erased.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Erased {
    /// The line of the journal that says so.
    pub line: u64,
    /// Sections that were erased now.
    pub section_count: u64,
    /// Files that were deleted, of attempts and batches that do not stand.
    pub attempt_count: u64,
}

impl Erasure {
    /// Finds what is to be erased: the sections of some participants, or of all with `None`.
    ///
    /// # Errors
    ///
    /// Returns the first [`EraseError`] in the order of its variants.
    pub fn find(
        view: &StoreView,
        chain: &BatchView,
        which: &ErasedIn,
        participants: Option<&BTreeSet<ParticipantNumber>>,
    ) -> Result<Self, EraseError> {
        let headers = chosen(chain, which)?;
        let finals = chain.final_batches();
        let newest_final = finals.last().map_or(0, |batch| batch.header.seq);
        for header in &headers {
            let seq = header.seq;
            if seq > newest_final {
                let until = instant(header.committed_at.saturating_add(WINDOW_S));
                return Err(EraseError::Pending { seq, until });
            }
            if seq == newest_final {
                return Err(EraseError::NewestFinal { seq });
            }
        }
        let sections = SectionStore::new(view.folder().join(SECTION_FOLDER));
        let (mut batches, mut all) = (Vec::new(), BTreeSet::new());
        for header in headers {
            let missing = || EraseError::Missing { seq: header.seq };
            let kept = sections.batch(&header)?.ok_or_else(missing)?;
            let is_wanted = |participant: &ParticipantNumber| {
                participants.is_none_or(|participants| participants.contains(participant))
            };
            let there = (0..header.account_count).map(ParticipantNumber).filter(is_wanted);
            all.extend(there.clone());
            let present: Vec<_> = there.filter(|one| !kept.is_erased(*one)).collect();
            if !present.is_empty() {
                batches.push(ErasedBatchSections { header, participants: present });
            }
        }
        if batches.is_empty() {
            return Err(EraseError::Nothing);
        }
        let standing: Vec<_> = chain.batches().iter().map(|batch| batch.header.clone()).collect();
        // Whatever may come to the chain again is kept: all that was to be committed on the newest final batch, or after it.
        let open = standing.iter().filter(|header| header.seq >= newest_final);
        let open_parents = open.map(BatchHeader::hash).collect();
        Ok(Self { sections, batches, participants: all, standing, open_parents })
    }

    /// Returns the batches, each with how many of its sections would be erased.
    pub fn batches(&self) -> impl Iterator<Item = (&BatchHeader, usize)> {
        self.batches.iter().map(|batch| (&batch.header, batch.participants.len()))
    }

    /// Returns whose sections they are.
    #[must_use]
    pub const fn participants(&self) -> &BTreeSet<ParticipantNumber> {
        &self.participants
    }

    /// Erases them for good, once the journal says so.
    ///
    /// # Errors
    ///
    /// [`EraseError::Sections`] or [`EraseError::Store`]: the same erasure again goes on where this one stopped.
    pub fn carry_out(&self, store: &mut Store, now: Timestamp) -> Result<Erased, EraseError> {
        let of_header = |batch: &ErasedBatchSections| {
            let header = &batch.header;
            ErasedBatch { seq: header.seq, header_hash: header.hash() }
        };
        let erased = ErasedSections {
            batches: self.batches.iter().map(of_header).collect(),
            participants: self.participants.iter().copied().collect(),
        };
        let said = store.view().erased_sections().find(|(_, said)| **said == erased);
        let line = match said.map(|(line, _)| line.entry.sequence) {
            Some(line) => line,
            None => store.record_erasure(erased, now)?,
        };
        // Before the sections: killed after those, the same erasure would find nothing to do.
        let attempts = self.sections.forget_attempts(&self.standing, &self.open_parents)?;
        let mut section_count = 0;
        for ErasedBatchSections { header, participants } in &self.batches {
            self.sections.erase(header, participants)?;
            section_count += participants.len() as u64;
            info!(seq = header.seq, count = participants.len(), "sections erased");
        }
        Ok(Erased { line, section_count, attempt_count: attempts as u64 })
    }
}

/// Returns the headers of the batches that are asked for, in order.
fn chosen(chain: &BatchView, which: &ErasedIn) -> Result<Vec<BatchHeader>, EraseError> {
    let is_sealed = |header: &&BatchHeader| header.data_kind == DataKind::SealedBlob;
    let sealed = chain.batches().iter().map(|batch| &batch.header).filter(is_sealed);
    match which {
        ErasedIn::Batches(wanted) => {
            let found: Vec<_> =
                sealed.filter(|header| wanted.contains(&header.seq)).cloned().collect();
            let is_there = |seq: &u64| found.iter().any(|header| header.seq == *seq);
            match wanted.iter().find(|seq| !is_there(seq)) {
                Some(&seq) => Err(EraseError::NotSealed { seq }),
                None => Ok(found),
            }
        }
        &ErasedIn::Period(period) => {
            let found: Vec<_> = sealed.filter(|header| header.period == period).cloned().collect();
            if found.is_empty() { Err(EraseError::NoBatch { period }) } else { Ok(found) }
        }
    }
}
