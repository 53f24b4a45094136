//! The hub of a batch ledger: it commits batches, answers what is demanded of them, and makes them final.
//!
//! The chain is its memory. After a crash it reads the chain again and goes on; a batch that is there already is not committed
//! twice, because each commit names the header that it was built on.

use std::collections::BTreeSet;

use alloy_primitives::B256;
use gridtally_core::explanations;
use gridtally_settlement::{
    Batch, BatchHeader, BatchPlan, BatchRefused, Record, Reference, Rule, SignedReading,
    WithdrawalPolicy, build_batch, with_withdrawals,
};
use tracing::{info, warn};

use crate::archive::BatchArchive;
use crate::batch_call::Demanded;
use crate::batch_view::{ForceKey, ForceRequest, TrackedBatch};
use crate::blob_source::BlobSource;
use crate::deploy::ReadError;
use crate::event::EventError;
use crate::hub_sealed::SealError;
use crate::publication::{Publication, PublicationError};
use crate::section_store::SectionStore;
use crate::send_error::SendError;
use crate::sender::{Call, Sender};
use crate::watch::{Outcome, WatchError, WatchReport, Watcher};

/// Most batches whose windows may be open at a time.
pub const PENDING_MAX: u64 = 32;

/// Time for proofs, from the commit on, s.
pub const WINDOW_S: u64 = 7 * 86_400;

/// Time for a commit to be carried out, s: a correction of a forced reading that would be late by then is not sent.
const COMMIT_WITHIN_S: u64 = 900;

/// Where the hub finds what meters signed.
pub trait Signatures {
    /// Returns the meter's signature over a reading, or `None` for one that nobody handed in.
    fn signature(&self, reading: &SignedReading) -> Option<Vec<u8>>;
}

/// Why the hub cannot go on, in order of precedence. Trying again is safe.
#[derive(Debug, thiserror::Error)]
pub enum HubError {
    /// The chain cannot be followed, or tells what cannot be.
    #[error("{0}")]
    Watch(#[from] WatchError),
    /// A batch on the chain is not valid, and so none can be built on it.
    #[error("batch {seq} on the chain is not valid")]
    ParentInvalid {
        /// Its number.
        seq: u64,
    },
    /// Nobody can be found who has what a batch published, and so none can be built on it.
    #[error("nobody has what batch {seq} published")]
    DataMissing {
        /// Its number.
        seq: u64,
    },
    /// A commit was carried out, and is not there any more: it fell, or its block left the chain.
    #[error("batch {seq} was committed, and is not on the chain any more")]
    CommitLost {
        /// Its number.
        seq: u64,
    },
    /// The plan breaks a rule.
    #[error(transparent)]
    Refused(#[from] BatchRefused),
    /// No prices were published for the period.
    #[error("period {period} has no tariff")]
    NoTariff {
        /// The period.
        period: u32,
    },
    /// The batch cannot be sealed.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The records cannot be published.
    #[error("{0}")]
    Publication(#[from] PublicationError),
    /// A contract cannot be asked.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A transaction was not carried out.
    #[error(transparent)]
    Send(#[from] SendError),
    /// What the contract told of a commit cannot be read.
    #[error(transparent)]
    Event(#[from] EventError),
}

explanations! {
    HubError {
        Watch(error);
        ParentInvalid: "batch-parent-invalid" "a batch on the chain breaks a rule, and none can be built on it"
            "prove it wrong with gridtally watch --act, then commit again";
        DataMissing: "batch-data-missing" "nobody has what a batch published, and none can be built on it"
            "name an archive or a beacon node that has it";
        CommitLost: "batch-commit-lost" "a commit was carried out, and fell or left the chain with its block"
            "do the same again: it goes on from what the chain has";
        Refused: "batch-refused" "the batch would break a rule"
            "correct the records as the message says";
        NoTariff: "batch-no-tariff" "no prices were published for the period of the batch"
            "publish prices before a period begins; this one can never be settled";
        Seal(error);
        Publication(error);
        Read(error);
        Send(error);
        Event(error);
    }
}

/// What the hub did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HubReport {
    /// A demand was answered.
    Answered {
        /// Number of the batch.
        seq: u64,
        /// What.
        demanded: Demanded,
    },
    /// A demand cannot be answered: nobody handed in a signature of the meter, the section was erased, or the contract refuses what there
    /// is.
    NoAnswer {
        /// Number of the batch.
        seq: u64,
        /// What.
        demanded: Demanded,
    },
    /// A forced reading was refuted with a correction of this batch.
    ForceRefuted {
        /// Number of the batch.
        seq: u64,
        /// Which reading.
        force: ForceKey,
    },
    /// A forced reading stands in no correction run that is known: it will be paid out of the bond, unless a run that is committed in
    /// time has it.
    ForceOpen {
        /// Which reading.
        force: ForceKey,
        /// What it is about.
        request: ForceRequest,
    },
    /// All accounts after a final batch are published.
    SnapshotPublished {
        /// Number of the batch.
        seq: u64,
    },
    /// A batch became final.
    Finalized {
        /// Number of the batch.
        seq: u64,
    },
}

/// Commits, answers and finalizes with one key.
#[derive(Debug)]
pub struct Hub<S> {
    watcher: Watcher,
    sender: Sender,
    signatures: S,
    publication: Publication,
    archive: Option<BatchArchive>,
    /// Hashes of the headers that are in the archive.
    headers_kept: BTreeSet<B256>,
    /// Where what is sealed is kept.
    sections: Option<SectionStore>,
    withdrawals: WithdrawalPolicy,
    /// Forced readings of which it was told that nothing refutes them.
    alerted: BTreeSet<ForceKey>,
}

impl<S: Signatures> Hub<S> {
    /// Returns a hub that knows the chain through `watcher`, which only looks. It publishes in calldata: without an archive blobs
    /// would be lost after some 18 days.
    #[must_use]
    pub const fn new(watcher: Watcher, sender: Sender, signatures: S) -> Self {
        Self {
            watcher,
            sender,
            signatures,
            publication: Publication::Calldata,
            archive: None,
            headers_kept: BTreeSet::new(),
            sections: None,
            withdrawals: WithdrawalPolicy::LEAVING_ONLY,
            alerted: BTreeSet::new(),
        }
    }

    /// Publishes in this way, and keeps what is published in an archive before it is committed.
    #[must_use]
    pub fn with_archive(mut self, archive: BatchArchive, publication: Publication) -> Self {
        self.watcher.look_first_in(BlobSource::Archive(archive.clone()));
        (self.archive, self.publication) = (Some(archive), publication);
        self
    }

    /// Adds to each batch the withdrawals of this policy; without, only those of participants who asked to leave.
    #[must_use]
    pub const fn paying_out(mut self, policy: WithdrawalPolicy) -> Self {
        self.withdrawals = policy;
        self
    }

    /// As [`paying_out`](Self::paying_out), for the batches from here on.
    pub const fn pay_out(&mut self, policy: WithdrawalPolicy) {
        self.withdrawals = policy;
    }

    /// Returns what the hub knows of the chain.
    #[must_use]
    pub const fn watcher(&self) -> &Watcher {
        &self.watcher
    }

    /// Builds a batch on the newest one, with the withdrawals that it pays out, and commits it. If the newest batch is this very
    /// one, as after a crash, nothing is sent.
    ///
    /// # Errors
    ///
    /// Returns the first [`HubError`] in the order of its variants.
    pub async fn commit(&mut self, plan: &BatchPlan) -> Result<BatchHeader, HubError> {
        let (seq, plan, batch) = match self.prepare(plan).await? {
            Prepared::There(header) => return Ok(*header),
            Prepared::Next { seq, plan, batch } => (seq, plan, *batch),
        };
        self.keep_batch(&plan, &batch).await?;
        let call = self
            .watcher
            .ledger()
            .publishing_call(
                self.publication,
                &batch.commitment,
                &plan.records,
                self.archive.as_ref(),
            )
            .await?;
        self.carry_out(seq, call).await
    }

    /// Builds the batch of a plan on the newest one, unless that is this very one.
    pub(crate) async fn prepare(&mut self, plan: &BatchPlan) -> Result<Prepared, HubError> {
        self.wait_and_look().await?;
        let seq = self.watcher.view().batches().len() as u64;
        let reference = self.watcher.view().reference(plan.period);
        let reference = reference.ok_or(HubError::NoTariff { period: plan.period.0 })?;
        let planned_on =
            |parent| with_withdrawals(plan.clone(), parent, &reference, &self.withdrawals);
        if let Some(batch) = self.watcher.view().batches().last()
            && is_for(plan, &batch.header)
            && let Some(before) = self.watcher.state(seq - 1)
            && self.holds(&batch.header, &planned_on(before).records)?
        {
            return Ok(Prepared::There(Box::new(batch.header.clone())));
        }
        let parent = self.watcher.state(seq).ok_or(HubError::ParentInvalid { seq })?;
        let plan = planned_on(parent);
        let batch = Box::new(build_batch(&plan, parent, &reference)?);
        let now_s = self.now_s().await?;
        check_forced(&plan, &reference, now_s)?;
        Ok(Prepared::Next { seq: seq + 1, plan, batch })
    }

    /// Whether a batch of the chain has these records.
    fn holds(&self, header: &BatchHeader, records: &[Record]) -> Result<bool, HubError> {
        Ok(match self.kept(header)? {
            Some(kept) => kept.holds(records),
            None => self.watcher.rebuild(header, records).is_some(),
        })
    }

    /// Sends a commit and returns the header that the chain made.
    pub(crate) async fn carry_out(
        &mut self,
        seq: u64,
        call: Call,
    ) -> Result<BatchHeader, HubError> {
        let count = call.items;
        let receipt = self.sender.send(call).await?;
        info!(seq, count, "batch committed");
        self.look().await?;
        let committed = self
            .watcher
            .view()
            .batches()
            .iter()
            .find(|batch| batch.transaction == receipt.transaction_hash);
        let header = committed.map(|batch| batch.header.clone());
        header.ok_or(HubError::CommitLost { seq })
    }

    /// Answers every open demand, and makes the next batch final once it can be.
    ///
    /// # Errors
    ///
    /// Returns the first [`HubError`] in the order of its variants.
    pub async fn poll(&mut self) -> Result<Vec<HubReport>, HubError> {
        self.wait_and_look().await?;
        let mut reports = Vec::new();
        match self.work(&mut reports).await {
            // What was done before it is told first; the next time meets the error again.
            Err(error) if !reports.is_empty() => warn!(%error, "not everything was done"),
            done => done?,
        }
        Ok(reports)
    }

    async fn work(&mut self, reports: &mut Vec<HubReport>) -> Result<(), HubError> {
        for batch in self.pending() {
            self.answer(&batch, reports).await?;
        }
        reports.extend(self.refute().await?);
        for batch in self.pending() {
            let seq = batch.header.seq;
            let now_s = self.now_s().await?;
            if now_s < batch.header.committed_at + WINDOW_S {
                break;
            }
            match self.sender.send(self.watcher.ledger().finalize_call(&batch.header)).await {
                Ok(_) => reports.push(HubReport::Finalized { seq }),
                // Demands are open, or the days of grace after an answer are not over.
                Err(SendError::Refused { .. }) => break,
                Err(error) => return Err(error.into()),
            }
        }
        reports.extend(self.publish_snapshot().await?);
        Ok(())
    }

    /// Looks once nothing of the key is on its way: an earlier process may have sent something before it died, and a
    /// re-organization may have taken something back.
    async fn wait_and_look(&mut self) -> Result<(), HubError> {
        self.sender.wait_until_idle().await?;
        self.look().await
    }

    pub(crate) const fn watcher_mut(&mut self) -> &mut Watcher {
        &mut self.watcher
    }

    pub(crate) const fn sections(&self) -> Option<&SectionStore> {
        self.sections.as_ref()
    }

    pub(crate) fn set_sections(&mut self, store: SectionStore) {
        self.sections = Some(store);
    }

    /// Returns who pays for the hub's transactions.
    #[must_use]
    pub const fn sender(&self) -> &Sender {
        &self.sender
    }

    pub(crate) const fn signatures(&self) -> &S {
        &self.signatures
    }

    pub(crate) const fn archive(&self) -> Option<&BatchArchive> {
        self.archive.as_ref()
    }

    pub(crate) const fn publication(&self) -> Publication {
        self.publication
    }

    pub(crate) fn is_header_kept(&self, hash: B256) -> bool {
        self.headers_kept.contains(&hash)
    }

    pub(crate) fn note_header_kept(&mut self, hash: B256) {
        self.headers_kept.insert(hash);
    }

    pub(crate) async fn now_s(&self) -> Result<u64, HubError> {
        let block = self.watcher.ledger().client().block_latest().await;
        Ok(block.map_err(ReadError::from)?.timestamp)
    }

    pub(crate) async fn look(&mut self) -> Result<(), HubError> {
        let reports = self.watcher.poll().await?;
        let invalid = reports.iter().find_map(|report| match report {
            WatchReport::Valid { .. }
            | WatchReport::Sealed { .. }
            | WatchReport::Partly { .. }
            | WatchReport::Forced { .. }
            | WatchReport::ForcePaid { .. }
            | WatchReport::ForceDue { .. }
            | WatchReport::NotDemanded { .. }
            | WatchReport::Snapshot { .. }
            // What is final stays; the watcher goes on behind it, or says that it cannot.
            | WatchReport::Fraud { outcome: Outcome::TooLate, .. }
            | WatchReport::Resumed { .. } => None,
            WatchReport::NotJudged { seq }
            | WatchReport::Fraud { seq, .. }
            | WatchReport::Demanded { seq, .. }
            | WatchReport::Expired { seq, .. } => Some(HubError::ParentInvalid { seq: *seq }),
            WatchReport::DataMissing { seq } => Some(HubError::DataMissing { seq: *seq }),
        });
        self.keep_headers().await?;
        invalid.map_or(Ok(()), Err)
    }

    /// Refutes what corrections settled, and tells once of every other reading that is forced.
    async fn refute(&mut self) -> Result<Vec<HubReport>, HubError> {
        let open: Vec<_> = self.watcher.view().forces().collect();
        self.alerted.retain(|told| open.iter().any(|(force, _)| force == told));
        let mut reports = Vec::new();
        for (force, request) in open.into_iter().filter(|(_, request)| !request.is_due) {
            if let Some((headers, leaf)) = self.correction(force, &request).await? {
                let call = self.watcher.ledger().refute_force_call(&headers, force, &leaf);
                match self.sender.send(call).await {
                    Ok(_) => {
                        let seq = headers.last().map_or(0, |header| header.seq);
                        reports.push(HubReport::ForceRefuted { seq, force });
                        continue;
                    }
                    // Somebody else was faster, or so many headers do not fit into a transaction.
                    Err(SendError::Refused { .. }) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            if self.alerted.insert(force) {
                reports.push(HubReport::ForceOpen { force, request });
            }
        }
        Ok(reports)
    }

    fn pending(&self) -> Vec<TrackedBatch> {
        let batches = self.watcher.view().batches().iter();
        batches.filter(|batch| !batch.is_final).cloned().collect()
    }
}

/// What there is to do with a plan.
pub(crate) enum Prepared {
    /// Nothing: its batch is on the chain.
    There(Box<BatchHeader>),
    /// This is its batch, to be committed.
    Next {
        /// The number that it will have.
        seq: u64,
        /// The plan with its withdrawals.
        plan: BatchPlan,
        /// The batch.
        batch: Box<Batch>,
    },
}

/// Whether a header says of its batch what a plan says; the records are another question.
fn is_for(plan: &BatchPlan, header: &BatchHeader) -> bool {
    let &BatchPlan { period, run, part, account_count, inbox_to, .. } = plan;
    (period, run, part) == (header.period, header.run, header.part)
        && (account_count, inbox_to) == (header.account_count, header.inbox_to)
}

/// Refuses a correction of a forced reading that might be carried out too late.
fn check_forced(
    plan: &BatchPlan,
    reference: &Reference<'_>,
    now_s: u64,
) -> Result<(), BatchRefused> {
    let committed_at_s = now_s.saturating_add(COMMIT_WITHIN_S);
    let is_late =
        |record: &Record| reference.forced.is_late(plan.period, record.key(), committed_at_s);
    match plan.records.iter().position(is_late).filter(|_| plan.run > 0) {
        Some(index) => Err(BatchRefused::Record { index, rule: Rule::ForcedOnce }),
        None => Ok(()),
    }
}
