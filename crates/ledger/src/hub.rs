//! The hub of a batch ledger: it commits batches, answers what is demanded of them, and makes them final.
//!
//! The chain is its memory. After a crash it reads the chain again and goes on; a batch that is there already is not committed
//! twice, because each commit names the header that it was built on.

use gridtally_core::explanations;
use gridtally_settlement::{
    Batch, BatchHeader, BatchPlan, BatchRefused, Opened, RecordLeaf, SignedReading, build_batch,
    pack_calldata,
};
use tracing::info;

use crate::batch_call::Demanded;
use crate::batch_deploy::BatchLedger;
use crate::batch_view::TrackedBatch;
use crate::deploy::ReadError;
use crate::event::EventError;
use crate::send_error::SendError;
use crate::sender::{Call, Sender};
use crate::watch::{WatchError, WatchReport, Watcher};

/// Time for proofs, from the commit on, s.
const WINDOW_S: u64 = 7 * 86_400;

/// Where the hub finds what meters signed.
pub trait Signatures {
    /// Returns the meter's signature over a reading, or `None` for one that nobody handed in.
    fn signature(&self, reading: &SignedReading) -> Option<Vec<u8>>;
}

/// Why the hub cannot go on, in order of precedence. Trying again is safe.
#[derive(Debug, thiserror::Error)]
pub enum HubError {
    /// The chain cannot be followed, or tells what cannot be.
    #[error(transparent)]
    Watch(#[from] WatchError),
    /// A batch on the chain is not valid, and so none can be built on it.
    #[error("batch {seq} on the chain is not valid")]
    ParentInvalid {
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
        Refused: "batch-refused" "the batch would break a rule"
            "correct the records as the message says";
        NoTariff: "batch-no-tariff" "no prices were published for the period of the batch"
            "publish prices before a period begins; this one can never be settled";
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
    /// A demand cannot be answered: nobody handed in the signature.
    NoAnswer {
        /// Number of the batch.
        seq: u64,
        /// What.
        demanded: Demanded,
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
}

impl<S: Signatures> Hub<S> {
    /// Returns a hub that knows the chain through `watcher`, which only looks.
    #[must_use]
    pub const fn new(watcher: Watcher, sender: Sender, signatures: S) -> Self {
        Self { watcher, sender, signatures }
    }

    /// Returns what the hub knows of the chain.
    #[must_use]
    pub const fn watcher(&self) -> &Watcher {
        &self.watcher
    }

    /// Builds a batch on the newest one and commits it with its records in calldata. If the newest batch is this very one, as
    /// after a crash, nothing is sent.
    ///
    /// # Errors
    ///
    /// Returns the first [`HubError`] in the order of its variants.
    pub async fn commit(&mut self, plan: &BatchPlan) -> Result<BatchHeader, HubError> {
        self.look().await?;
        if let Some(batch) = self.watcher.view().batches().last()
            && let Ok(rebuilt) = self.rebuild(batch, Some(plan))
            && rebuilt.commitment.record_root == batch.header.record_root
        {
            return Ok(batch.header.clone());
        }
        let seq = self.watcher.view().batches().len() as u64;
        let parent = self.watcher.state(seq).ok_or(HubError::ParentInvalid { seq })?;
        let reference = self.watcher.view().reference(plan.period);
        let reference = reference.ok_or(HubError::NoTariff { period: plan.period.0 })?;
        let batch = build_batch(plan, parent, &reference)?;
        let data = pack_calldata(plan.records.iter().copied());
        let call = self.watcher.ledger().commit_calldata_call(&batch.commitment, data);
        let receipt = self.sender.send(call).await?;
        info!(seq = seq + 1, count = batch.commitment.count, "batch committed");
        self.look().await?;
        let committed = self
            .watcher
            .view()
            .batches()
            .iter()
            .find(|batch| batch.transaction == receipt.transaction_hash);
        let header = committed.map(|batch| batch.header.clone());
        // It was carried out, and fell since, or its block left the chain.
        header.ok_or(HubError::ParentInvalid { seq: seq + 1 })
    }

    /// Answers every open demand, and makes the next batch final once it can be.
    ///
    /// # Errors
    ///
    /// Returns the first [`HubError`] in the order of its variants.
    pub async fn poll(&mut self) -> Result<Vec<HubReport>, HubError> {
        self.look().await?;
        let mut reports = Vec::new();
        for batch in self.pending() {
            reports.extend(self.answer(&batch).await?);
        }
        let ledger = self.watcher.ledger();
        for batch in self.pending() {
            let seq = batch.header.seq;
            let now_s = ledger.client().block_latest().await.map_err(ReadError::from)?.timestamp;
            if now_s < batch.header.committed_at + WINDOW_S {
                break;
            }
            match self.sender.send(ledger.finalize_call(&batch.header)).await {
                Ok(_) => reports.push(HubReport::Finalized { seq }),
                // Demands are open, or the days of grace after an answer are not over.
                Err(SendError::Refused { .. }) => break,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(reports)
    }

    async fn look(&mut self) -> Result<(), HubError> {
        let reports = self.watcher.poll().await?;
        let invalid = reports.iter().find_map(|report| match report {
            WatchReport::Valid { .. } => None,
            WatchReport::Fraud { seq, .. }
            | WatchReport::Demanded { seq, .. }
            | WatchReport::Expired { seq, .. }
            | WatchReport::DataMissing { seq } => Some(*seq),
        });
        invalid.map_or(Ok(()), |seq| Err(HubError::ParentInvalid { seq }))
    }

    fn pending(&self) -> Vec<TrackedBatch> {
        let batches = self.watcher.view().batches().iter();
        batches.filter(|batch| !batch.is_final).cloned().collect()
    }

    /// Builds a batch of the chain again, from its published records or from the plan that it is compared with.
    fn rebuild(&self, batch: &TrackedBatch, plan: Option<&BatchPlan>) -> Result<Batch, HubError> {
        let header = &batch.header;
        let seq = header.seq;
        let parent = self.watcher.state(seq - 1).ok_or(HubError::ParentInvalid { seq: seq - 1 })?;
        let reference = self.watcher.view().reference(header.period);
        let reference = reference.ok_or(HubError::NoTariff { period: header.period.0 })?;
        let records = match plan {
            Some(plan) => plan.records.clone(),
            None => self.watcher.records(seq).ok_or(HubError::ParentInvalid { seq })?.to_vec(),
        };
        let plan = BatchPlan {
            period: header.period,
            run: header.run,
            part: header.part,
            account_count: header.account_count,
            inbox_to: header.inbox_to,
            records,
        };
        Ok(build_batch(&plan, parent, &reference)?)
    }

    async fn answer(&self, batch: &TrackedBatch) -> Result<Vec<HubReport>, HubError> {
        let seq = batch.header.seq;
        let open = self.watcher.view().demands(seq).filter(|(_, state)| state.answer.is_none());
        let open: Vec<Demanded> = open.map(|(demanded, _)| demanded).collect();
        if open.is_empty() {
            return Ok(Vec::new());
        }
        let built = self.rebuild(batch, None)?;
        let mut reports = Vec::new();
        for demanded in open {
            let ledger = self.watcher.ledger();
            let call = ledger.answer_call(&batch.header, &built, demanded, &self.signatures);
            let Some(call) = call else {
                reports.push(HubReport::NoAnswer { seq, demanded });
                continue;
            };
            self.sender.send(call).await?;
            reports.push(HubReport::Answered { seq, demanded });
        }
        Ok(reports)
    }
}

impl BatchLedger {
    /// Returns the answer to a demand on a batch, or `None` where the batch has no such thing or nobody handed in the signature.
    #[must_use]
    pub fn answer_call(
        &self,
        header: &BatchHeader,
        batch: &Batch,
        demanded: Demanded,
        signatures: &impl Signatures,
    ) -> Option<Call> {
        Some(match demanded {
            Demanded::Record(index) => {
                let leaf = open_record(batch, index)?;
                let record = &leaf.leaf.record;
                let signature = match SignedReading::of_record(header.period, header.run, record) {
                    Some(reading) => signatures.signature(&reading)?,
                    None => Vec::new(),
                };
                self.answer_record_call(header, &leaf, signature)
            }
            Demanded::Account(index) => {
                let participant = gridtally_core::party::ParticipantNumber(index);
                let leaf = batch.accounts.leaf(participant)?;
                let path = batch.account_tree.path(usize::try_from(index).ok()?)?;
                self.answer_account_call(header, &Opened { index, leaf, path })
            }
            Demanded::RecordRow => self.answer_row_call(header, demanded, batch.record_tree.row()),
            Demanded::AccountRow => {
                self.answer_row_call(header, demanded, batch.account_tree.row())
            }
            Demanded::RecordGroup(group) => {
                let group = usize::try_from(group).ok()?;
                let leaves = batch.leaves.chunks(gridtally_settlement::GROUP_LEAVES).nth(group)?;
                let packed = leaves.iter().flat_map(|leaf| leaf.preimage()[1..].to_vec()).collect();
                let path = batch.record_tree.group_path(group)?;
                self.answer_group_call(header, demanded, packed, &path)
            }
            Demanded::AccountGroup(group) => {
                let group = usize::try_from(group).ok()?;
                let leaves: Vec<_> = batch.accounts.leaves().collect();
                let leaves = leaves.chunks(gridtally_settlement::GROUP_LEAVES).nth(group)?;
                let packed = leaves.iter().flat_map(|leaf| leaf.preimage()[5..].to_vec()).collect();
                let path = batch.account_tree.group_path(group)?;
                self.answer_group_call(header, demanded, packed, &path)
            }
            // Open batches have no sections, and this hub seals none.
            Demanded::Section(_) => return None,
        })
    }
}

fn open_record(batch: &Batch, index: u32) -> Option<Opened<RecordLeaf>> {
    let place = usize::try_from(index).ok()?;
    let leaf = *batch.leaves.get(place)?;
    Some(Opened { index, leaf, path: batch.record_tree.path(place)? })
}
