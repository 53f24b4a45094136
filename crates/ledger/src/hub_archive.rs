//! What the hub keeps in its archive beside what it publishes, and what it finds there again.

use gridtally_settlement::{
    Batch, BatchHeader, BatchPlan, DataKind, Opened, Record, RecordLeaf, SignedReading,
};
use tracing::warn;

use crate::archive::{BatchArchive, BatchArchiveError};
use crate::batch_data::from_archives;
use crate::batch_view::{ForceKey, ForceRequest, TrackedBatch};
use crate::hub::{Hub, HubError, Signatures};
use crate::publication::PublicationError;
use crate::watch::WatchError;

/// The newest batches whose headers are kept if they are not; older ones were kept before.
const HEADERS_MAX: usize = 64;
/// The contract keeps this many headers. Some of them leave while a transaction waits.
const RING: u64 = 64 - 8;

impl<S: Signatures> Hub<S> {
    /// Keeps leaves and signatures of a batch that is about to be committed.
    pub(crate) async fn keep_batch(
        &self,
        plan: &BatchPlan,
        batch: &Batch,
    ) -> Result<(), PublicationError> {
        let Some(archive) = self.archive() else { return Ok(()) };
        let record_root = batch.commitment.record_root;
        archive.keep_leaves(record_root, &batch.leaves).await?;
        archive.keep_signatures(record_root, &self.signatures_of(plan)).await?;
        Ok(())
    }

    /// Keeps the headers that the chain made of the newest batches, each once.
    pub(crate) async fn keep_headers(&mut self) -> Result<(), PublicationError> {
        let Some(archive) = self.archive().cloned() else { return Ok(()) };
        let newest = self.watcher().view().batches().iter().rev().take(HEADERS_MAX);
        let newest: Vec<TrackedBatch> = newest.cloned().collect();
        for TrackedBatch { header, header_hash, .. } in newest {
            if !self.is_header_kept(header_hash) {
                archive.keep_header(&header).await?;
                self.note_header_kept(header_hash);
            }
        }
        Ok(())
    }

    /// Returns what meters signed of a plan, a place for each record.
    pub(crate) fn signatures_of(&self, plan: &BatchPlan) -> Vec<Option<Vec<u8>>> {
        let reading = |record| SignedReading::of_record(plan.period, plan.run, record);
        let signature = |record| self.signatures().signature(&reading(record)?);
        plan.records.iter().map(signature).collect()
    }

    /// Returns a record of a correction run that was committed in time and has the key of a forced reading, with the headers that
    /// lead to it: from what is in memory, or else from archive and chain.
    pub(crate) async fn correction(
        &self,
        force: ForceKey,
        request: &ForceRequest,
    ) -> Result<Option<(Vec<BatchHeader>, Opened<RecordLeaf>)>, HubError> {
        let in_time = |header: &BatchHeader| {
            let is_run = header.run > 0 && header.period == force.period;
            is_run && header.committed_at <= request.correct_until_s
        };
        let batches = self.watcher().view().batches().iter();
        let runs: Vec<&TrackedBatch> = batches.filter(|batch| in_time(&batch.header)).collect();
        // A run after a batch that fell alone cannot be: the newest one is as good as any, and nearest to the ring of headers.
        for batch in runs.into_iter().rev() {
            if let Some(leaf) = self.leaf_of(batch, force.key).await? {
                return Ok(Some((self.headers_down_to(batch), leaf)));
            }
        }
        Ok(None)
    }

    /// Returns the record of a batch that has this key.
    async fn leaf_of(
        &self,
        batch: &TrackedBatch,
        key: u64,
    ) -> Result<Option<Opened<RecordLeaf>>, HubError> {
        let (header, watcher) = (&batch.header, self.watcher());
        let open = |records: &[Record], open: &dyn Fn(u32) -> Option<Opened<RecordLeaf>>| {
            let index = records.binary_search_by_key(&key, Record::key).ok()?;
            open(u32::try_from(index).ok()?)
        };
        if let Some(records) = watcher.records(header.seq) {
            if let Some(kept) = self.kept(header)? {
                return Ok(open(records, &|index| kept.open_record(index).map(|(leaf, _)| leaf)));
            }
            if let Some(built) = watcher.rebuild(header, records) {
                return Ok(open(records, &|index| built.open_record(index)));
            }
        }
        let kept = async |archive: &BatchArchive| archive.leaves(header.record_root).await;
        match from_archives(watcher.sources(), kept).await {
            Ok(Some((leaves, tree))) => {
                let records: Vec<Record> = leaves.iter().map(|leaf| leaf.record).collect();
                let opened = open(&records, &|index| {
                    let place = usize::try_from(index).ok()?;
                    let (leaf, path) = (*leaves.get(place)?, tree.path(place)?);
                    Some(Opened { index, leaf, salt: None, path })
                });
                return Ok(opened);
            }
            Ok(None) => {}
            Err(error) => warn!(seq = header.seq, %error, "leaves not found in the archive"),
        }
        if header.data_kind == DataKind::SealedBlob {
            return Ok(None);
        }
        let data = watcher.ledger().data_of(batch, watcher.sources()).await;
        let Some(data) = data.map_err(WatchError::from)? else { return Ok(None) };
        let records = data.published().records(usize::try_from(header.count).unwrap_or(usize::MAX));
        let records: Vec<Record> = records.map(|(record, _)| record).collect();
        if records.binary_search_by_key(&key, Record::key).is_err() {
            return Ok(None);
        }
        let Some(parent) = watcher.recompute(header.seq.saturating_sub(1)).await? else {
            return Ok(None);
        };
        let built = watcher.rebuild_on(&parent, header, &records);
        Ok(built.and_then(|built| open(&records, &|index| built.open_record(index))))
    }

    /// Returns the headers from one that the contract still has down to this batch's, from child to parent.
    fn headers_down_to(&self, batch: &TrackedBatch) -> Vec<BatchHeader> {
        let batches = self.watcher().view().batches();
        let last = batches.last().map_or(0, |last| last.header.seq);
        let first = batch.header.seq.max((last + 1).saturating_sub(RING));
        let between = batches.iter().rev().map(|batch| &batch.header);
        let between = between.filter(|header| (batch.header.seq..=first).contains(&header.seq));
        between.cloned().collect()
    }
}

impl From<BatchArchiveError> for HubError {
    fn from(error: BatchArchiveError) -> Self {
        Self::Publication(error.into())
    }
}
