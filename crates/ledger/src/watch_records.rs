//! The watcher for participants: it has their records shown with the signatures that nobody publishes (R10).

use std::collections::BTreeSet;

use alloy_primitives::B256;
use gridtally_core::party::ParticipantNumber;
use gridtally_settlement::DataKind;

use crate::batch_call::Demanded;
use crate::batch_view::TrackedBatch;
use crate::watch::{WatchError, WatchReport, Watcher};

/// Time for demands, from the commit on, s.
const WINDOW_S: u64 = 7 * 86_400;
/// Open demands on a batch beyond which the contract doubles the bond.
const OPEN_MAX: usize = 16;

/// Whose records are to be shown, and what was told of it.
#[derive(Debug, Default)]
pub(crate) struct RecordDemands {
    participants: BTreeSet<ParticipantNumber>,
    /// By header hash: a number would be told of a batch that took the place of another.
    told: BTreeSet<(B256, u32)>,
}

impl RecordDemands {
    /// Whether the records of a participant are to be shown with their signatures.
    pub(crate) fn is_of(&self, participant: ParticipantNumber) -> bool {
        self.participants.contains(&participant)
    }
}

impl Watcher {
    /// Has every reading of these participants shown with its signature, batch by batch; for that it needs a sender. No more
    /// are open at a time than the contract takes at the single bond.
    #[must_use]
    pub fn demanding_records_of(
        mut self,
        participants: impl IntoIterator<Item = ParticipantNumber>,
    ) -> Self {
        self.record_demands.participants.extend(participants);
        self
    }

    /// Demands what is due, and lets expire what was not shown in time.
    pub(crate) async fn demand_records(&mut self) -> Result<Vec<WatchReport>, WatchError> {
        let mut reports = Vec::new();
        if self.record_demands.participants.is_empty() || self.sender.is_none() {
            return Ok(reports);
        }
        let now_s = self.ledger().client().block_latest().await?.timestamp;
        let pending: Vec<TrackedBatch> =
            self.view().batches().iter().filter(|batch| is_due(batch)).cloned().collect();
        for batch in pending {
            let seq = batch.header.seq;
            let demands = self.view().demands(seq).filter(|(_, state)| state.answer.is_none());
            let mut open = demands.count();
            for index in self.wanted(seq) {
                let demanded = Demanded::Record(index);
                let state = self.view().demand(seq, demanded);
                match state {
                    Some(state) if state.answer.is_some() => continue,
                    None if open >= OPEN_MAX || now_s >= batch.header.committed_at + WINDOW_S => {
                        continue;
                    }
                    None => open += 1,
                    Some(_) => {}
                }
                let report = self.ask(&batch, demanded).await?;
                if matches!(report, WatchReport::NotDemanded { .. }) {
                    // The others would fail as this one did: for want of money, or of the right to draw it.
                    if self.record_demands.told.insert((batch.header_hash, index)) {
                        reports.push(report);
                    }
                    return Ok(reports);
                }
                let is_expired = matches!(report, WatchReport::Expired { .. });
                if self.record_demands.told.insert((batch.header_hash, index)) || is_expired {
                    reports.push(report);
                }
                if is_expired {
                    // The batch fell, and all that stood on it.
                    return Ok(reports);
                }
            }
        }
        Ok(reports)
    }

    /// Returns the places of the readings that are to be shown.
    fn wanted(&self, seq: u64) -> Vec<u32> {
        let records = (0..).zip(self.records(seq).unwrap_or_default());
        let wanted = records.filter(|(_, record)| {
            record.code().is_priced()
                && self.record_demands.participants.contains(&record.participant())
        });
        wanted.map(|(index, _)| index).collect()
    }
}

/// Whether single records of a batch can be demanded: those of a sealed one are demanded with their section.
fn is_due(batch: &TrackedBatch) -> bool {
    !batch.is_final && batch.header.data_kind != DataKind::SealedBlob
}
