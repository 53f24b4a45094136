//! What the watcher does beyond judging batches: forced readings that were not refuted are paid, snapshots are judged, and a
//! ledger goes on from one.

use std::collections::BTreeSet;

use alloy_primitives::B256;
use gridtally_core::party::ParticipantNumber;
use gridtally_settlement::{BatchHeader, DataKind, LedgerState, unpack_snapshot};
use tracing::{info, warn};

use crate::batch_data::BatchData;
use crate::batch_event::{BatchEntry, BatchEvent};
use crate::batch_view::{ForceKey, TrackedSnapshot};
use crate::snapshot_sealed::restored_sealed;
use crate::watch::{WatchError, WatchReport, Watcher};

/// Time to refute, after that in which a correction may be committed, s.
const REFUTE_AFTER_CORRECTION_S: u64 = 6 * 86_400;

/// What was told already.
#[derive(Debug, Default)]
pub(crate) struct DutyTold {
    forced: BTreeSet<ForceKey>,
    /// Which snapshot was judged last, by the transaction of its last part, and what was told of it.
    snapshot: Option<(B256, SnapshotVerdict)>,
    /// Whether a snapshot takes the place of all batches before it.
    is_from_snapshot: bool,
}

/// What is known of a complete snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SnapshotVerdict {
    /// It says what the header's account root says.
    True,
    /// It says something else of an account.
    False {
        /// Of whose.
        participant: ParticipantNumber,
        /// The transaction in which this watcher proved it; none where it only looks, or the proof was not carried out.
        cancelled: Option<B256>,
    },
    /// The data of a part cannot be found.
    DataMissing,
}

impl Watcher {
    /// Reports requests that are new, and has those paid that nobody refuted in time.
    ///
    /// Where the bond does not cover a reading it becomes due, and is paid as soon as the bond does.
    pub(crate) async fn look_after_duty(&mut self) -> Result<Vec<WatchReport>, WatchError> {
        let open: Vec<_> = self.view().forces().collect();
        self.duty.forced.retain(|told| open.iter().any(|(force, _)| force == told));
        let mut reports = Vec::new();
        for &(force, request) in &open {
            if self.duty.forced.insert(force) {
                reports.push(WatchReport::Forced { force, request });
            }
        }
        let Some(sender) = self.sender.as_ref().filter(|_| !open.is_empty()) else {
            return Ok(reports);
        };
        let now_s = self.ledger().client().block_latest().await?.timestamp;
        for (force, request) in open {
            let from_s = request.correct_until_s.saturating_add(REFUTE_AFTER_CORRECTION_S);
            let is_possible = !request.is_due || self.is_covered(request.amount_micro).await?;
            if now_s < from_s || !is_possible {
                continue;
            }
            match sender.send(self.ledger().accept_force_call(force)).await {
                Ok(receipt) => {
                    let transaction = receipt.transaction_hash;
                    let prover = [self.ledger().deployment().duty_prover];
                    let told = BatchEntry::all_of(&receipt, &prover).unwrap_or_default();
                    let is_paid = |entry: &BatchEntry| {
                        matches!(entry.event, BatchEvent::ForceAccepted { .. })
                    };
                    reports.push(if told.iter().any(is_paid) {
                        WatchReport::ForcePaid { force, transaction }
                    } else {
                        WatchReport::ForceDue { force }
                    });
                }
                // Somebody else was faster, or refuted it in the last moment; the next look tells.
                Err(error) => warn!(period = force.period.0, key = force.key, %error, "not paid"),
            }
        }
        Ok(reports)
    }

    /// Whether the bond covers an amount and a slash for each pending batch.
    async fn is_covered(&self, amount_micro: u64) -> Result<bool, WatchError> {
        let ledger = self.ledger();
        let pending = self.view().batches().iter().filter(|batch| !batch.is_final).count() as u64;
        let locked_micro = ledger.deployment().terms.slash_unit_micro.saturating_mul(pending);
        Ok(ledger.bonded_micro().await? >= amount_micro.saturating_add(locked_micro))
    }

    /// Lets the watcher begin with the newest complete snapshot, if there is one: it needs no data of the batches before.
    ///
    /// The accounts must be those under the account root of a final batch; whether that batch was valid is not judged.
    #[must_use]
    pub const fn from_snapshot(mut self) -> Self {
        self.duty.is_from_snapshot = true;
        self
    }

    /// Replaces the genesis state by that of a snapshot, once.
    pub(crate) async fn restore(&mut self) -> Result<(), WatchError> {
        if !self.duty.is_from_snapshot {
            return Ok(());
        }
        if let Some(snapshot) = self.view().snapshot().filter(|snapshot| snapshot.is_complete)
            && let Some(data) = self.snapshot_parts(snapshot).await?
            && let Some(header) = self.header_of(snapshot)
        {
            let seq = snapshot.seq;
            if header.data_kind == DataKind::SealedBlob {
                if let Some(state) = restored_sealed(&header, snapshot, &data) {
                    info!(seq, "begun with the hashes of a snapshot");
                    self.sealed.insert(state);
                }
            } else if let Some(state) = restored(header, &accounts_of(snapshot, &data)) {
                info!(seq, "begun with a snapshot");
                self.states.insert(seq, state);
            }
        }
        self.duty.is_from_snapshot = false;
        Ok(())
    }

    /// Returns the state that a snapshot tells, if its data are there and are the accounts of its batch; nothing for that of a sealed
    /// batch, which tells hashes.
    pub(crate) async fn state_of_snapshot(
        &self,
        snapshot: &TrackedSnapshot,
    ) -> Result<Option<LedgerState>, WatchError> {
        let Some(data) = self.snapshot_parts(snapshot).await? else { return Ok(None) };
        let header = self.header_of(snapshot);
        let open = header.filter(|header| header.data_kind != DataKind::SealedBlob);
        Ok(open.and_then(|header| restored(header, &accounts_of(snapshot, &data))))
    }

    /// Returns the header of the final batch that a snapshot is of.
    fn header_of(&self, snapshot: &TrackedSnapshot) -> Option<BatchHeader> {
        let place = usize::try_from(snapshot.seq.checked_sub(1)?).ok()?;
        let batch = self.view().batches().get(place)?;
        let is_its = batch.is_final && batch.header_hash == snapshot.header_hash;
        is_its.then(|| batch.header.clone())
    }

    /// Returns the data of all parts, or `None` if one cannot be found.
    async fn snapshot_parts(
        &self,
        snapshot: &TrackedSnapshot,
    ) -> Result<Option<Vec<BatchData>>, WatchError> {
        let mut parts = Vec::new();
        for part in &snapshot.parts {
            match self.ledger().snapshot_data(part, self.sources()).await? {
                Some(data) => parts.push(data),
                None => return Ok(None),
            }
        }
        Ok(Some(parts))
    }

    /// Judges the newest complete snapshot by the accounts of its batch, as far as they are known.
    pub(crate) async fn judge_snapshot(&mut self) -> Result<Option<WatchReport>, WatchError> {
        let Some(snapshot) = self.view().snapshot().filter(|snapshot| snapshot.is_complete) else {
            return Ok(None);
        };
        // The same accounts may be published again, and told otherwise.
        let Some(published) = snapshot.parts.last().map(|part| part.transaction) else {
            return Ok(None);
        };
        let seq = snapshot.seq;
        let place = seq.checked_sub(1).and_then(|place| usize::try_from(place).ok());
        let header = place.and_then(|place| self.view().batches().get(place));
        let Some(header) = header.map(|batch| &batch.header) else { return Ok(None) };
        let sealed = match header.data_kind {
            DataKind::SealedBlob => self.sealed_tree(seq),
            DataKind::Calldata | DataKind::Blob => None,
        };
        let state = self.state(seq);
        if sealed.is_none() && state.is_none() {
            return Ok(None);
        }
        let judged = self.duty.snapshot.filter(|&(judged, _)| judged == published);
        let is_settled = match judged {
            Some((_, SnapshotVerdict::True)) => true,
            // It may be possible to act later, as long as there is time.
            Some((_, SnapshotVerdict::False { .. })) => {
                self.sender.is_none() || !self.ledger().is_snapshot_disputable().await?
            }
            Some((_, SnapshotVerdict::DataMissing)) | None => false,
        };
        if is_settled {
            return Ok(None);
        }
        let verdict = match self.snapshot_parts(snapshot).await? {
            Some(data) => match (&sealed, state) {
                (Some(tree), _) => self.compare_sealed(snapshot, header, tree, data).await,
                (None, Some(state)) => self.compare(snapshot, state, data).await,
                (None, None) => return Ok(None),
            },
            None => SnapshotVerdict::DataMissing,
        };
        let told = Some((published, verdict));
        if self.duty.snapshot == told {
            return Ok(None);
        }
        self.duty.snapshot = told;
        Ok(Some(WatchReport::Snapshot { seq, verdict }))
    }

    /// Compares a snapshot with the accounts that it should tell, and proves it false.
    async fn compare(
        &self,
        snapshot: &TrackedSnapshot,
        state: &LedgerState,
        data: Vec<BatchData>,
    ) -> SnapshotVerdict {
        for ((number, part), data) in (0..).zip(&snapshot.parts).zip(data) {
            let accounts = &part.accounts;
            let found = data.snapshot().false_account(state, accounts.start, accounts.end);
            let Some(account) = found else { continue };
            let participant = account.leaf.participant;
            let mut cancelled = None;
            let index = participant.0.saturating_sub(accounts.start) as usize;
            if let Some(sender) = &self.sender
                && let Some(evidence) = data.snapshot_evidence(index)
            {
                let ledger = self.ledger();
                let call = ledger.prove_snapshot_call(state.header(), number, &account, evidence);
                match sender.send(call).await {
                    Ok(receipt) => cancelled = Some(receipt.transaction_hash),
                    Err(error) => warn!(seq = snapshot.seq, %error, "proof not carried out"),
                }
            }
            return SnapshotVerdict::False { participant, cancelled };
        }
        SnapshotVerdict::True
    }
}

fn restored(header: BatchHeader, data: &[u8]) -> Option<LedgerState> {
    let seq = header.seq;
    let restored =
        unpack_snapshot(data).and_then(|accounts| LedgerState::restored(header, accounts));
    restored.inspect_err(|error| warn!(seq, %error, "false snapshot")).ok()
}

/// Returns the accounts of all parts, one after the other, as calldata holds them.
fn accounts_of(snapshot: &TrackedSnapshot, data: &[BatchData]) -> Vec<u8> {
    let parts = snapshot.parts.iter().zip(data);
    let accounts = parts.flat_map(|(part, data)| data.snapshot().accounts(part.accounts.len()));
    accounts.flat_map(|(bytes, _)| bytes).collect()
}
