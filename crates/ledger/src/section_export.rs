//! What the hub delivers to a participant and to the auditor: the document of a section.

use gridtally_core::explanations;
use gridtally_core::party::ParticipantNumber;
use gridtally_settlement::{
    BatchHeader, BlobMalformed, DataKind, PublishedDigest, SealedElements, SectionFile,
    open_element, versioned_hashes,
};

use crate::section_store::{SectionStore, SectionStoreError};
use crate::watch::Watcher;

/// Why a section cannot be delivered, in order of precedence.
#[derive(Debug, thiserror::Error)]
pub enum SectionExportError {
    /// There is no such sealed batch.
    #[error("there is no sealed batch {seq}")]
    NotSealed {
        /// The number that was named.
        seq: u64,
    },
    /// The store does not have it.
    #[error(transparent)]
    Store(#[from] SectionStoreError),
    /// The account before is not known.
    #[error("the account of participant {participant} before batch {seq} is not known here")]
    BeforeUnknown {
        /// Number of the batch.
        seq: u64,
        /// Whose.
        participant: u32,
    },
    /// The blobs of the store have no commitment.
    #[error(transparent)]
    Malformed(#[from] BlobMalformed),
}

explanations! {
    SectionExportError {
        NotSealed: "section-batch-not-sealed" "no sealed batch has this number"
            "name the number of a batch that stands; what open batches hold is public, see gridtally export proof";
        Store(error);
        BeforeUnknown: "section-before-unknown" "the account before the batch is not known: its section was erased"
            "deliver sections before anything of their parents is erased";
        Malformed: "section-blob-malformed" "the hashes in the store of sections make no blob"
            "restore the file of the batch from a copy of the store";
    }
}

impl Watcher {
    /// Returns the document of a participant's section, from the hub's store. The watcher reads sections from that store too.
    ///
    /// # Errors
    ///
    /// Returns the first [`SectionExportError`] in the order of its variants.
    pub fn export_section(
        &self,
        store: &SectionStore,
        seq: u64,
        participant: ParticipantNumber,
    ) -> Result<SectionFile, SectionExportError> {
        let place = seq.checked_sub(1).and_then(|place| usize::try_from(place).ok());
        let batch = place.and_then(|place| self.view().batches().get(place));
        let batch = batch.filter(|batch| batch.header.data_kind == DataKind::SealedBlob);
        let batch = batch.ok_or(SectionExportError::NotSealed { seq })?;
        let (header, parent) = (&batch.header, self.parent_of(batch));
        let missing = || SectionStoreError::Missing { seq, participant: participant.0 };
        let kept = store.batch(header)?.ok_or_else(missing)?;
        let section = kept.section(participant).ok_or_else(missing)?;
        let before = self.account_after(seq - 1, participant);
        if before.is_none() && participant.0 < parent.account_count {
            return Err(SectionExportError::BeforeUnknown { seq, participant: participant.0 });
        }
        // The contract accepts no batch without tariff.
        let table = self.view().table(header.period);
        let table = table.ok_or(SectionExportError::NotSealed { seq })?;
        let blobs = kept.blobs();
        let (blob, element) = SealedElements::section_place(participant);
        let opening = open_element(blobs.get(blob).ok_or(BlobMalformed)?, element)?;
        let published = PublishedDigest {
            versioned_hashes: versioned_hashes(&blobs)?,
            commitment: opening.commitment,
            proof: opening.proof,
        };
        let signatures = kept.signatures(participant).unwrap_or_default();
        let domain = self.ledger().deployment().domain();
        let headers: (&BatchHeader, &BatchHeader) = (header, &parent);
        let checked = (&section, before.as_ref());
        Ok(SectionFile::new(&domain, headers, checked, signatures, table, published))
    }
}
