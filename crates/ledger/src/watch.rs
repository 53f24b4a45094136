//! The watcher: it rebuilds a batch ledger from the chain alone, judges every batch, and strikes down what is wrong.
//!
//! ```text
//! log --> view --> published data --> rule engine --+--> valid: the parent of the next batch
//!                                                   +--> fraud: the one proof that shows it
//!                                                   +--> not what was published: demand, judge again, or let it expire
//! ```
//!
//! It needs no right and no hub. Several watchers at once do no harm: a proof of a batch that fell already is refused.

use std::collections::BTreeMap;

use alloy_primitives::B256;
use gridtally_core::explanations;
use gridtally_settlement::{
    Answers, Batch, BatchHeader, CommittedBatch, DataKind, Demand, FraudProof, LedgerState, Need,
    Place, Record, Rule, Verdict, Violation, judge,
};
use tracing::{info, warn};

use crate::batch_answer::reveal;
use crate::batch_call::Demanded;
use crate::batch_data::{BatchData, DataError};
use crate::batch_deploy::BatchLedger;
use crate::batch_event::BatchEntry;
use crate::batch_view::{BatchView, ForceKey, ForceRequest, TrackedBatch, ViewError};
use crate::blob_source::BlobSource;
use crate::client::LogFilter;
use crate::deploy::ReadError;
use crate::endpoint::EndpointError;
use crate::follow::{Cursor, FollowError, FollowOptions, Follower, Notice};
use crate::section_source::SectionSourceError;
use crate::sender::{Call, Sender};
use crate::watch_duty::{DutyTold, SnapshotVerdict};
use crate::watch_records::RecordDemands;
use crate::watch_sealed::SealedWatch;

/// States that are kept for batches that may still fall, unless all are wanted.
const STATES_MAX: usize = 64;
/// How often the log is read until it has what the contract says that it has.
const LOOKS_MAX: usize = 5;

/// Why watching cannot go on, in order of precedence. Polling again is safe.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    /// The chain cannot be followed.
    #[error(transparent)]
    Follow(#[from] FollowError),
    /// The endpoint failed.
    #[error("{0}")]
    Endpoint(#[from] EndpointError),
    /// Sections cannot be read.
    #[error(transparent)]
    Sections(#[from] SectionSourceError),
    /// A contract cannot be asked.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The published data cannot be asked for.
    #[error("{0}")]
    Data(#[from] DataError),
    /// Reading begins after the deployment.
    #[error("the contract was deployed before block {block}, where reading begins")]
    BeginsLate {
        /// The first block that was read.
        block: u64,
    },
    /// What the chain told does not fit together.
    #[error(transparent)]
    View(#[from] ViewError),
}

/// A look that was ended by an error.
#[derive(Debug)]
pub struct Interrupted {
    /// What was found before.
    pub found: Vec<WatchReport>,
    /// What ended it.
    pub error: Box<WatchError>,
}

explanations! {
    WatchError {
        Follow(error);
        Endpoint(error);
        Sections(error);
        Read(error);
        Data(error);
        BeginsLate: "watch-begins-late" "reading begins after the block in which the contract was deployed"
            "name that block with --from-block, or one before it";
        View: "chain-inconsistent" "the endpoint leaves out or invents something that the contract told"
            "ask another endpoint";
    }
}

/// What a watcher found or did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WatchReport {
    /// A batch obeys every rule that published data can tell.
    Valid {
        /// Its number.
        seq: u64,
        /// How many records it has.
        count: u32,
    },
    /// A sealed batch: it has the form of one, its accounts are those that are published as hashes, and the sections that were read
    /// are right. What others have in it was not judged.
    Sealed {
        /// Its number.
        seq: u64,
        /// How many records it has.
        count: u32,
        /// How many sections it has: one for each account.
        sections: u32,
        /// How many of them were read and judged.
        read: u32,
        /// How many were to be read and were not delivered, or not with everything.
        withheld: u32,
        /// How many were to be read, and were erased after the batch was final.
        erased: u32,
    },
    /// An open batch on accounts that a sealed one hides: the published records break no rule, as far as that can be told without
    /// balances. Balances and accounts were not judged.
    Partly {
        /// Its number.
        seq: u64,
        /// How many records it has.
        count: u32,
    },
    /// A batch breaks a rule.
    Fraud {
        /// Its number.
        seq: u64,
        /// The rule.
        rule: Rule,
        /// What breaks it.
        place: Place,
        /// What became of it.
        outcome: Outcome,
    },
    /// The trees of a batch are not what was published; this tells where.
    Demanded {
        /// Its number.
        seq: u64,
        /// What.
        demanded: Demanded,
    },
    /// The signature of a reading was to be demanded, and that was not carried out: the log says why. It says nothing against the batch.
    NotDemanded {
        /// Its number.
        seq: u64,
        /// What.
        demanded: Demanded,
    },
    /// A demand was not answered in time, and the batch is cancelled.
    Expired {
        /// Its number.
        seq: u64,
        /// What.
        demanded: Demanded,
    },
    /// Nobody can be found who has the data of a batch.
    DataMissing {
        /// Its number.
        seq: u64,
    },
    /// A participant forces a reading that the hub left out.
    Forced {
        /// Which.
        force: ForceKey,
        /// What.
        request: ForceRequest,
    },
    /// A forced reading was not refuted in time, and this watcher had it paid out of the bond.
    ForcePaid {
        /// Which.
        force: ForceKey,
        /// The transaction.
        transaction: B256,
    },
    /// A forced reading was not refuted in time, and the bond does not cover it: the hub cannot commit until it does.
    ForceDue {
        /// Which.
        force: ForceKey,
    },
    /// A batch became final although it breaks a rule; what comes after this one is judged all the same.
    Resumed {
        /// Number of the batch behind which judging goes on.
        seq: u64,
    },
    /// A batch became final although it breaks a rule, and nobody can tell what it left: no later batch is judged.
    NotJudged {
        /// Its number.
        seq: u64,
    },
    /// A complete snapshot of the accounts was judged.
    Snapshot {
        /// Number of the batch whose accounts it tells.
        seq: u64,
        /// What is known of it.
        verdict: SnapshotVerdict,
    },
}

/// What became of a batch that breaks a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// This watcher proved it wrong in this transaction.
    Cancelled(B256),
    /// Somebody else was faster.
    FallenAlready,
    /// This watcher only looks.
    Seen,
    /// The proof was not carried out, and will be tried again; the log says why.
    NotSent,
    /// It is final: nobody noticed in time.
    TooLate,
}

/// Follows one ledger and judges it.
#[derive(Debug)]
pub struct Watcher {
    ledger: BatchLedger,
    options: FollowOptions,
    follower: Follower<BatchEntry>,
    view: BatchView,
    /// Who pays for proofs and demands; without, it only looks.
    pub(crate) sender: Option<Sender>,
    /// Where blobs are looked for, in this order.
    sources: Vec<BlobSource>,
    /// The states after the batches that are valid, by sequence number.
    pub(crate) states: BTreeMap<u64, LedgerState>,
    /// How many of them are kept.
    states_max: usize,
    /// The records of the batches that may still be demanded, by sequence number.
    records: BTreeMap<u64, Vec<Record>>,
    /// Hashes of headers of which it was told what is wrong.
    reported: BTreeMap<B256, WatchReport>,
    pub(crate) duty: DutyTold,
    pub(crate) record_demands: RecordDemands,
    pub(crate) sealed: SealedWatch,
}

impl Watcher {
    /// Returns a watcher that begins with the deployment. Without `sender` it only looks.
    #[must_use]
    pub fn new(ledger: BatchLedger, options: FollowOptions, sender: Option<Sender>) -> Self {
        let (follower, view) = from_deployment(&ledger, &options);
        let states = BTreeMap::from([(0, LedgerState::genesis())]);
        Self {
            ledger,
            options,
            follower,
            view,
            sender,
            sources: Vec::new(),
            states,
            states_max: STATES_MAX,
            records: BTreeMap::new(),
            reported: BTreeMap::new(),
            duty: DutyTold::default(),
            record_demands: RecordDemands::default(),
            sealed: SealedWatch::default(),
        }
    }

    /// Looks for blobs in these places, in this order. Without one, no batch in blobs can be judged.
    #[must_use]
    pub fn with_blobs_from(mut self, sources: Vec<BlobSource>) -> Self {
        self.sources = sources;
        self
    }

    /// Keeps the state after every batch, so that records of old ones can be proved.
    #[must_use]
    pub const fn with_all_states(mut self) -> Self {
        self.states_max = usize::MAX;
        self
    }

    pub(crate) fn sources(&self) -> &[BlobSource] {
        &self.sources
    }

    /// Looks for blobs here before anywhere else.
    pub(crate) fn look_first_in(&mut self, source: BlobSource) {
        self.sources.insert(0, source);
    }

    /// Returns the ledger.
    #[must_use]
    pub const fn ledger(&self) -> &BatchLedger {
        &self.ledger
    }

    /// Returns the published records of a batch that is valid and not final, or recent and a correction run.
    #[must_use]
    pub fn records(&self, seq: u64) -> Option<&[Record]> {
        self.records.get(&seq).map(Vec::as_slice)
    }

    /// Returns what the chain told.
    #[must_use]
    pub const fn view(&self) -> &BatchView {
        &self.view
    }

    /// Returns the state after a batch that is valid and recent, or the genesis state.
    #[must_use]
    pub fn state(&self, seq: u64) -> Option<&LedgerState> {
        self.states.get(&seq)
    }

    /// Returns what was told of the first batch that is not valid, if there is one: nothing that stands on it is judged.
    #[must_use]
    pub fn stopped_at(&self) -> Option<&WatchReport> {
        let batch = self.next_unjudged()?;
        self.reported.get(&batch.header_hash)
    }

    pub(crate) fn insert_records(&mut self, seq: u64, records: Vec<Record>) {
        self.records.insert(seq, records);
    }

    /// Builds a batch of the chain again from its records, or nothing where they are not the batch, or its parent is not known.
    pub(crate) fn rebuild(&self, header: &BatchHeader, records: &[Record]) -> Option<Batch> {
        let parent = self.state(header.seq.checked_sub(1)?)?;
        self.rebuild_on(parent, header, records)
    }

    /// Polls until nothing is new. Who looks only once needs this: a poll that found something leaves an error to the next.
    ///
    /// # Errors
    ///
    /// Returns the first [`WatchError`] that any of the polls met.
    pub async fn poll_through(&mut self) -> Result<Vec<WatchReport>, Interrupted> {
        let mut found = Vec::new();
        loop {
            match self.poll().await {
                Ok(reports) if reports.is_empty() => return Ok(found),
                Ok(reports) => found.extend(reports),
                Err(error) => return Err(Interrupted { found, error: Box::new(error) }),
            }
        }
    }

    /// Reads on, judges every batch that is new, and acts. Returns what is new, in order; an error that comes after something new is
    /// met again, and returned, by the next poll.
    ///
    /// # Errors
    ///
    /// Returns the first [`WatchError`] in the order of its variants.
    pub async fn poll(&mut self) -> Result<Vec<WatchReport>, WatchError> {
        self.catch_up().await?;
        self.restore().await?;
        self.reopen_sealed()?;
        self.forget_fallen();
        let mut reports = self.look_after_duty().await?;
        while let Some(batch) = self.next_unjudged() {
            let seq = batch.header.seq;
            let report = match self.judge(&batch).await {
                Ok(report) => report,
                // What was found before it is told first; the next look meets the error again.
                Err(_) if !reports.is_empty() => return Ok(reports),
                Err(error) => return Err(error),
            };
            let is_valid = matches!(
                report,
                WatchReport::Valid { .. } | WatchReport::Sealed { .. } | WatchReport::Partly { .. }
            );
            let behind = if is_valid { None } else { self.resume(&batch, &report).await? };
            let is_told = self.reported.get(&batch.header_hash) == Some(&report);
            if !is_told {
                self.reported.insert(batch.header_hash, report.clone());
                reports.push(report);
            }
            if is_valid {
                info!(seq, "batch valid");
            } else {
                info!(seq, "batch not valid");
                let goes_on = matches!(behind, Some(WatchReport::Resumed { .. }));
                if !is_told || goes_on {
                    reports.extend(behind);
                }
                if !goes_on {
                    // What is built on it falls with it.
                    break;
                }
            }
            self.forget_fallen();
        }
        match self.pursue_sections().await {
            Ok(report) => reports.extend(report),
            Err(_) if !reports.is_empty() => {}
            Err(error) => return Err(error),
        }
        match self.demand_records().await {
            Ok(report) => reports.extend(report),
            Err(_) if !reports.is_empty() => {}
            Err(error) => return Err(error),
        }
        match self.judge_snapshot().await {
            Ok(report) => reports.extend(report),
            Err(_) if !reports.is_empty() => {}
            Err(error) => return Err(error),
        }
        Ok(reports)
    }

    /// Reads what the contract told, until there is as much as it says itself that there is. What does not fit together is forgotten:
    /// the next look reads everything again.
    async fn catch_up(&mut self) -> Result<(), WatchError> {
        let read = self.read_on().await;
        if let Err(WatchError::View(_) | WatchError::BeginsLate { .. }) = read {
            (self.follower, self.view) = from_deployment(&self.ledger, &self.options);
        }
        read
    }

    async fn read_on(&mut self) -> Result<(), WatchError> {
        let mut head = 0;
        for _ in 0..LOOKS_MAX {
            self.follow().await?;
            head = self.ledger.head_seq().await?;
            if self.view.batches().len() as u64 == head {
                return Ok(());
            }
            // A block may have come between the two questions.
        }
        Err(ViewError { what: "batch", number: head }.into())
    }

    async fn follow(&mut self) -> Result<(), WatchError> {
        loop {
            let notices = self.follower.poll().await?;
            let is_start = self.view.is_empty();
            let begins_late = match notices.notices.first() {
                Some(Notice::Applied(entry)) => is_start && !entry.event.is_deployment(),
                Some(Notice::Reverted(_)) => false,
                None => is_start && notices.is_caught_up,
            };
            if begins_late {
                return Err(WatchError::BeginsLate { block: self.ledger.deployment().block });
            }
            self.view.apply(notices.notices)?;
            if notices.is_caught_up {
                return Ok(());
            }
        }
    }

    /// Drops the states of batches that are no longer there, and of those that are long final.
    fn forget_fallen(&mut self) {
        let batches = self.view.batches();
        let stands = |seq: u64, header: &BatchHeader| {
            let place = seq.checked_sub(1).and_then(|place| usize::try_from(place).ok());
            let batch = place.and_then(|place| batches.get(place));
            seq == 0 || batch.is_some_and(|batch| batch.header == *header)
        };
        self.states.retain(|&seq, state| stands(seq, state.header()));
        self.sealed.retain(stands, self.states_max);
        if self.states.is_empty() && self.sealed.last().is_none() {
            // More fell than is kept: judge again from the beginning.
            self.states.insert(0, LedgerState::genesis());
        }
        while self.states.len() > self.states_max {
            self.states.pop_first();
        }
        let is_pending = |seq: u64| {
            let place = seq.checked_sub(1).and_then(|place| usize::try_from(place).ok());
            place.and_then(|place| batches.get(place)).is_some_and(|batch| !batch.is_final)
        };
        // Corrections refute forced readings, when they are final too.
        let (states, sealed) = (&self.states, &self.sealed);
        self.records.retain(|&seq, _| {
            let header = states.get(&seq).map(LedgerState::header);
            let header = header.or_else(|| sealed.state(seq).map(|state| &state.header));
            header.is_some_and(|header| is_pending(seq) || header.run > 0)
        });
    }

    /// Returns the first batch whose parent is judged and which is not judged yet.
    fn next_unjudged(&self) -> Option<TrackedBatch> {
        let last = self.states.last_key_value().map(|(&seq, _)| seq);
        let last = last.max(self.sealed.last())?;
        self.view.batches().get(usize::try_from(last).ok()?).cloned()
    }

    async fn judge(&mut self, batch: &TrackedBatch) -> Result<WatchReport, WatchError> {
        let (header, seq) = (&batch.header, batch.header.seq);
        let Some(data) = self.ledger.data_of(batch, &self.sources).await? else {
            return Ok(WatchReport::DataMissing { seq });
        };
        if header.data_kind == DataKind::SealedBlob {
            return self.judge_sealed(batch, &data).await;
        }
        let answers = self.answers(batch).await?;
        // The contract accepts no batch without tariff, nor one whose parent is not the last.
        let misfit = || ViewError { what: "batch", number: seq };
        let Some(parent) = self.states.get(&(seq - 1)) else {
            let parent = self.parent_of(batch);
            let judged = self.judge_veiled(batch, &parent, &data, &answers).await?;
            return Ok(judged.ok_or_else(misfit)?);
        };
        let reference = self.view.reference(header.period).ok_or_else(misfit)?;
        let committed = CommittedBatch { header, published: data.published() };
        match judge(committed, parent, &reference, &answers) {
            Verdict::Valid(state) => {
                if !batch.is_final || header.run > 0 {
                    let records = committed.published.records(header.count as usize);
                    self.records.insert(seq, records.map(|(record, _)| record).collect());
                }
                self.states.insert(seq, *state);
                Ok(WatchReport::Valid { seq, count: header.count })
            }
            Verdict::Fraud(violation) => {
                let outcome = self.prove(batch, &violation, &data).await?;
                let Violation { rule, place, .. } = *violation;
                Ok(WatchReport::Fraud { seq, rule, place, outcome })
            }
            Verdict::Demand(demand) => self.demand(batch, demanded(demand)).await,
        }
    }

    /// Returns what was revealed of a batch on demand.
    pub(crate) async fn answers(&self, batch: &TrackedBatch) -> Result<Answers, WatchError> {
        let mut answers = Answers::default();
        for (demanded, state) in self.view.demands(batch.header.seq) {
            let Some(transaction) = state.answer else { continue };
            let prover = self.ledger.deployment().demand_prover;
            for input in self.ledger.inputs_of(transaction, prover).await? {
                reveal(&mut answers, demanded, &input);
            }
        }
        Ok(answers)
    }

    async fn prove(
        &self,
        batch: &TrackedBatch,
        violation: &Violation,
        data: &BatchData,
    ) -> Result<Outcome, WatchError> {
        if batch.is_final {
            return Ok(Outcome::TooLate);
        }
        if self.sender.is_none() {
            return Ok(Outcome::Seen);
        }
        let parent = self.parent_of(batch);
        let table = self.view.table(batch.header.period);
        let table = table.ok_or(ViewError { what: "batch", number: batch.header.seq })?;
        let evidence = match &violation.proof {
            FraudProof::Data { leaf } => data.evidence(leaf.index),
            _ => None,
        };
        let call =
            self.ledger.prove_call(&violation.proof, &batch.header, &parent, table, evidence);
        self.send_proof(batch, call.expect("the data are at hand")).await
    }

    /// Sends a proof and tells what became of the batch.
    pub(crate) async fn send_proof(
        &self,
        batch: &TrackedBatch,
        call: Call,
    ) -> Result<Outcome, WatchError> {
        let Some(sender) = &self.sender else { return Ok(Outcome::Seen) };
        match sender.send(call).await {
            Ok(receipt) => Ok(Outcome::Cancelled(receipt.transaction_hash)),
            Err(error) if self.has_fallen(batch).await? => {
                info!(seq = batch.header.seq, %error, "batch fell before the proof");
                Ok(Outcome::FallenAlready)
            }
            Err(error) => {
                warn!(seq = batch.header.seq, %error, "proof not carried out");
                Ok(Outcome::NotSent)
            }
        }
    }

    pub(crate) async fn demand(
        &self,
        batch: &TrackedBatch,
        demanded: Demanded,
    ) -> Result<WatchReport, WatchError> {
        let seq = batch.header.seq;
        match self.ask(batch, demanded).await? {
            // What is wrong with the batch is told, asked for or not.
            WatchReport::NotDemanded { .. } => Ok(WatchReport::Demanded { seq, demanded }),
            report => Ok(report),
        }
    }

    /// Demands something, or lets the demand expire.
    pub(crate) async fn ask(
        &self,
        batch: &TrackedBatch,
        demanded: Demanded,
    ) -> Result<WatchReport, WatchError> {
        let seq = batch.header.seq;
        let report = WatchReport::Demanded { seq, demanded };
        let Some(sender) = &self.sender else { return Ok(report) };
        if batch.is_final {
            return Ok(report);
        }
        let Some(state) = self.view.demand(seq, demanded) else {
            let sent = sender.send(self.ledger.demand_call(&batch.header, demanded)).await;
            return match sent {
                Ok(_) => Ok(report),
                Err(error) => {
                    // Another watcher may have asked in the same moment.
                    if self.is_demanded(batch, demanded).await? {
                        return Ok(report);
                    }
                    warn!(seq, %error, "demand not carried out");
                    Ok(WatchReport::NotDemanded { seq, demanded })
                }
            };
        };
        let now_s = self.ledger.client().block_latest().await?.timestamp;
        if state.answer.is_some() || now_s <= state.deadline_s {
            return Ok(report);
        }
        let call = self.ledger.expire_call(&batch.header, &self.parent_of(batch), demanded);
        match sender.send(call).await {
            Ok(_) => Ok(WatchReport::Expired { seq, demanded }),
            Err(_) if self.has_fallen(batch).await? => Ok(WatchReport::Expired { seq, demanded }),
            Err(error) => {
                warn!(seq, %error, "expiry not carried out");
                Ok(report)
            }
        }
    }

    /// Returns the header that a batch was built on.
    pub(crate) fn parent_of(&self, batch: &TrackedBatch) -> BatchHeader {
        let place = batch.header.seq.checked_sub(2).and_then(|place| usize::try_from(place).ok());
        let parent = place.and_then(|place| self.view.batches().get(place));
        parent.map_or(BatchHeader::GENESIS, |parent| parent.header.clone())
    }

    async fn has_fallen(&self, batch: &TrackedBatch) -> Result<bool, WatchError> {
        let is_pending = self.ledger.is_pending(batch.header.seq, batch.header_hash).await;
        Ok(!is_pending?)
    }

    pub(crate) async fn is_demanded(
        &self,
        batch: &TrackedBatch,
        demanded: Demanded,
    ) -> Result<bool, WatchError> {
        Ok(self.ledger.is_demanded(batch.header_hash, demanded).await?)
    }
}

/// Returns what reads from the deployment on, and a view of nothing.
fn from_deployment(
    ledger: &BatchLedger,
    options: &FollowOptions,
) -> (Follower<BatchEntry>, BatchView) {
    let deployment = ledger.deployment();
    let filter =
        LogFilter::all_of([deployment.core, deployment.demand_prover, deployment.duty_prover]);
    let cursor = Cursor::at(deployment.block);
    let follower = Follower::of(ledger.client().clone(), filter, cursor, options.clone());
    (follower, BatchView::new(deployment.terms.calendar.slots_per_period()))
}

pub(crate) const fn demanded(demand: Demand) -> Demanded {
    match demand {
        Demand::Records(Need::Row) => Demanded::RecordRow,
        Demand::Records(Need::Group(group)) => Demanded::RecordGroup(group),
        Demand::Accounts(Need::Row) => Demanded::AccountRow,
        Demand::Accounts(Need::Group(group)) => Demanded::AccountGroup(group),
    }
}
