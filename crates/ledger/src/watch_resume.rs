//! What the watcher does about the past: it goes on behind a batch that became final although it breaks a rule, and computes old
//! states again.

use gridtally_settlement::{
    Answers, Batch, BatchHeader, BatchPlan, CommittedBatch, LedgerState, Record, Verdict,
    as_committed, build_batch, judge,
};
use tracing::warn;

use crate::batch_view::TrackedBatch;
use crate::watch::{Outcome, WatchError, WatchReport, Watcher};

impl Watcher {
    /// Finds the state behind a batch that is final and not valid: as it was committed, where published data and answers tell it,
    /// or else from a newer snapshot. Returns what to report, or nothing where there is nothing to go on from.
    pub(crate) async fn resume(
        &mut self,
        batch: &TrackedBatch,
        report: &WatchReport,
    ) -> Result<Option<WatchReport>, WatchError> {
        let seq = batch.header.seq;
        let is_settled = match report {
            WatchReport::Fraud { outcome, .. } => *outcome == Outcome::TooLate,
            // Nobody has to answer any more.
            WatchReport::Demanded { .. } => batch.is_final,
            _ => false,
        };
        if !is_settled {
            return Ok(None);
        }
        if let Some(state) = self.state_as_committed(batch).await? {
            self.states.insert(seq, state);
            return Ok(Some(WatchReport::Resumed { seq }));
        }
        let snapshot = self.view().snapshot();
        if let Some(snapshot) =
            snapshot.filter(|snapshot| snapshot.is_complete && snapshot.seq >= seq)
            && let Some(state) = self.state_of_snapshot(snapshot).await?
        {
            let seq = snapshot.seq;
            self.states.insert(seq, state);
            return Ok(Some(WatchReport::Resumed { seq }));
        }
        Ok(Some(WatchReport::NotJudged { seq }))
    }

    async fn state_as_committed(
        &self,
        batch: &TrackedBatch,
    ) -> Result<Option<LedgerState>, WatchError> {
        let Some((_, parent)) = self.states.last_key_value() else { return Ok(None) };
        let Some(reference) = self.view().reference(batch.header.period) else { return Ok(None) };
        let Some(data) = self.ledger().data_of(batch, self.sources()).await? else {
            return Ok(None);
        };
        let answers = self.answers(batch).await?;
        let committed = CommittedBatch { header: &batch.header, published: data.published() };
        Ok(as_committed(committed, parent, &reference, &answers))
    }

    /// Returns the state after a batch that is valid: from memory, or computed from the last one before it that is there, or else
    /// from the first batch on. `None` where data are missing or a batch on the way is not valid.
    pub(crate) async fn recompute(&self, seq: u64) -> Result<Option<LedgerState>, WatchError> {
        let known = self.states.range(..=seq).next_back().map(|(_, state)| state.clone());
        let mut state = known.unwrap_or_else(LedgerState::genesis);
        while state.header().seq < seq {
            let place = usize::try_from(state.header().seq).unwrap_or(usize::MAX);
            let Some(batch) = self.view().batches().get(place) else { return Ok(None) };
            let Some(data) = self.ledger().data_of(batch, self.sources()).await? else {
                warn!(seq = batch.header.seq, "its published data cannot be found");
                return Ok(None);
            };
            let Some(reference) = self.view().reference(batch.header.period) else {
                return Ok(None);
            };
            let committed = CommittedBatch { header: &batch.header, published: data.published() };
            match judge(committed, &state, &reference, &Answers::default()) {
                Verdict::Valid(after) => state = *after,
                Verdict::Fraud(_) | Verdict::Demand(_) => return Ok(None),
            }
        }
        Ok(Some(state))
    }

    /// Builds a batch of the chain again on its parent, or nothing where the records are not the batch.
    pub(crate) fn rebuild_on(
        &self,
        parent: &LedgerState,
        header: &BatchHeader,
        records: &[Record],
    ) -> Option<Batch> {
        let reference = self.view().reference(header.period)?;
        let plan = BatchPlan {
            period: header.period,
            run: header.run,
            part: header.part,
            account_count: header.account_count,
            inbox_to: header.inbox_to,
            records: records.to_vec(),
        };
        let built = build_batch(&plan, parent, &reference).ok()?;
        (built.commitment.record_root == header.record_root).then_some(built)
    }
}
