//! The hub that seals its batches: nothing of a record is published, and everything is kept until it is erased.
//!
//! ```text
//! plan --> batch --> keys --> sealed batch --> store of sections --> archive (blobs) --> commit
//! ```
//!
//! A commit that died before its transaction finds its keys in the store again and makes the very same batch; one that died after it
//! finds the batch on the chain.

use std::sync::Arc;

use gridtally_core::explanations;
use gridtally_core::party::ParticipantNumber;
use gridtally_settlement::{
    Batch, BatchHeader, BatchPlan, BlobMalformed, DataKind, GROUP_LEAVES, SealRefused, SealedBatch,
    SealedElements, SignedReading, open_element, versioned_hashes,
};
use tracing::info;

use crate::batch_call::Demanded;
use crate::batch_deploy::BatchLedger;
use crate::blob_sidecar::BlobSidecar;
use crate::hub::{Hub, HubError, Prepared, Signatures};
use crate::publication::PublicationError;
use crate::section_source::{SectionReader, SectionSource};
use crate::section_store::{KeptBatch, SectionStore, SectionStoreError};
use crate::sender::Call;

/// Why a batch cannot be sealed, in order of precedence.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The hub has no store of sections.
    #[error("this hub has no store of sections, and would forget what it sealed")]
    NoStore,
    /// The contract takes no sealed batches.
    #[error("the deployment names no auditor, and its contract takes no sealed batch")]
    NoAuditor,
    /// The batch does not fit.
    #[error(transparent)]
    Refused(#[from] SealRefused),
    /// The store of sections cannot be used.
    #[error(transparent)]
    Store(#[from] SectionStoreError),
}

explanations! {
    SealError {
        NoStore: "seal-no-store" "the hub has no store of sections"
            "name a folder for it, which nobody else can read";
        NoAuditor: "seal-no-auditor" "the contract was deployed without an auditor, and takes no sealed batch"
            "publish in the open where the participants agree, or deploy with an auditor";
        Refused: "seal-refused" "the batch cannot be sealed: too many accounts, or too many records of one participant"
            "put what is beyond 2,048 records of a participant into the next batch of the period";
        Store(error);
    }
}

impl<S: Signatures> Hub<S> {
    /// Keeps what it seals in this store, and reads sealed batches from it.
    #[must_use]
    pub fn with_sections(mut self, store: SectionStore) -> Self {
        let source = SectionSource::Store(store.clone());
        self.watcher_mut().read_sections(source, SectionReader::Auditor);
        self.set_sections(store);
        self
    }

    /// Builds a batch on the newest one, with the withdrawals that it pays out, and commits it sealed. If the newest batch is this
    /// very one, as after a crash, nothing is sent.
    ///
    /// # Errors
    ///
    /// Returns the first [`HubError`] in the order of its variants.
    pub async fn commit_sealed(&mut self, plan: &BatchPlan) -> Result<BatchHeader, HubError> {
        let store = self.sections().cloned().ok_or(SealError::NoStore)?;
        if self.watcher().ledger().deployment().terms.offices.auditor.is_none() {
            return Err(SealError::NoAuditor.into());
        }
        let (seq, plan, batch) = match self.prepare(plan).await? {
            Prepared::There(header) => return Ok(*header),
            Prepared::Next { seq, plan, batch } => (seq, plan, *batch),
        };
        let sealed = self.sealed(&store, batch)?;
        let kept = KeptBatch::new(&sealed, &self.signatures_of(&plan));
        let known = store.batches_on(&sealed.commitment.expected_parent);
        let known = known.map_err(SealError::from)?;
        let is_known = known.iter().any(|known| known.commitment() == kept.commitment());
        if !is_known {
            store.keep(&kept).map_err(SealError::from)?;
        }
        let blobs = sealed.blobs();
        let work = move || BlobSidecar::new(&blobs).map(|sidecar| (blobs, sidecar));
        let computed = tokio::task::spawn_blocking(work).await;
        let (blobs, sidecar) =
            computed.unwrap_or(Err(BlobMalformed)).map_err(PublicationError::from)?;
        if let Some(archive) = self.archive() {
            let archived = archive.keep_blobs(&blobs, sidecar.versioned_hashes()).await;
            archived.map_err(PublicationError::from)?;
        }
        let ledger = self.watcher().ledger();
        let call = ledger.commit_sealed_call(&sealed.commitment, Arc::new(sidecar));
        let header = self.carry_out(seq, call).await?;
        info!(seq, count = header.count, "sealed batch committed");
        Ok(header)
    }

    /// Seals a batch: with the keys of an earlier attempt at the same batch if there was one, otherwise with new ones.
    fn sealed(&self, store: &SectionStore, batch: Batch) -> Result<SealedBatch, SealError> {
        for kept in store.batches_on(&batch.commitment.expected_parent)? {
            let is_like = |sealed: &SealedBatch| sealed.commitment == *kept.commitment();
            let sealed = kept.keys().map(|keys| SealedBatch::new(batch.clone(), keys));
            if let Some(Ok(sealed)) = sealed
                && is_like(&sealed)
            {
                return Ok(sealed);
            }
        }
        let accounts = usize::try_from(batch.accounts.count()).unwrap_or(usize::MAX);
        Ok(SealedBatch::new(batch, SectionStore::new_keys(accounts))?)
    }

    /// Returns what is kept of a sealed batch of the chain, or `None` for an open one or one that is not here.
    pub(crate) fn kept(&self, header: &BatchHeader) -> Result<Option<KeptBatch>, HubError> {
        match self.sections().filter(|_| header.data_kind == DataKind::SealedBlob) {
            Some(store) => Ok(store.batch(header).map_err(SealError::from)?),
            None => Ok(None),
        }
    }
}

impl BatchLedger {
    /// Returns the answer to a demand on a sealed batch, or `None` where the section was erased, the batch has no such thing, or
    /// nobody handed in the signature.
    #[must_use]
    pub fn answer_sealed_call(
        &self,
        header: &BatchHeader,
        kept: &KeptBatch,
        demanded: Demanded,
        signatures: &impl Signatures,
    ) -> Option<Call> {
        Some(match demanded {
            Demanded::Record(index) => {
                let (leaf, signature) = kept.open_record(index)?;
                let reading =
                    SignedReading::of_record(header.period, header.run, &leaf.leaf.record);
                let signature = match reading {
                    Some(reading) => {
                        let shown = signatures.signature(&reading);
                        shown.or_else(|| signature.map(<[u8]>::to_vec))?
                    }
                    None => Vec::new(),
                };
                self.answer_record_call(header, &leaf, signature)
            }
            Demanded::Account(index) => {
                let account = kept.open_account(ParticipantNumber(index))?;
                self.answer_account_call(header, &account)
            }
            Demanded::RecordRow | Demanded::AccountRow => {
                let is_records = demanded == Demanded::RecordRow;
                let tree = if is_records { kept.record_tree() } else { kept.account_tree() };
                self.answer_row_call(header, demanded, tree.row())
            }
            Demanded::RecordGroup(group) | Demanded::AccountGroup(group) => {
                let is_records = matches!(demanded, Demanded::RecordGroup(_));
                let tree = if is_records { kept.record_tree() } else { kept.account_tree() };
                let group = usize::try_from(group).ok()?;
                let hashes = tree.leaves().chunks(GROUP_LEAVES).nth(group)?;
                let path = tree.group_path(group)?;
                self.answer_sealed_group_call(header, demanded, hashes, &path)
            }
            Demanded::Section(participant) => {
                let participant = ParticipantNumber(participant);
                let section = kept.section(participant)?;
                let blobs = kept.blobs();
                let versioned = versioned_hashes(&blobs).ok()?;
                let (blob, element) = SealedElements::section_place(participant);
                let opening = open_element(blobs.get(blob)?, element).ok()?;
                self.answer_section_call(header, &section, &versioned, &opening)
            }
        })
    }
}
