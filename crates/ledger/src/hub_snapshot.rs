//! The hub's duty to publish all accounts every 14 days.
//!
//! The chain is its memory here too: what a crash left half done is continued with the part that is missing.

use alloy_primitives::B256;
use gridtally_settlement::{Account, DataKind};
use tracing::info;

use crate::hub::{Hub, HubError, HubReport, Signatures};

/// Time from one snapshot to the next, s.
const SNAPSHOT_EVERY_S: u64 = 14 * 86_400;
/// Time in which all parts must come, s, less a quarter of an hour for the last one to be carried out.
const PARTS_WITHIN_S: u64 = 86_400 - 900;
/// Hashes of accounts of a part, where the batch is sealed: its transaction stays below the 128 KB that clients take.
const PART_HASHES_MAX: usize = 3_750;
/// Parts that are continued: 33 more, which all accounts need at most, still have numbers of 8 bits.
const BEGUN_PARTS_MAX: usize = 200;

impl<S: Signatures> Hub<S> {
    /// Publishes a snapshot of the latest final batch if it is due, in as many parts as it takes.
    pub(crate) async fn publish_snapshot(&mut self) -> Result<Option<HubReport>, HubError> {
        let now_s = self.now_s().await?;
        let snapshot_at_s = self.watcher().ledger().snapshot_at_s().await?;
        if snapshot_at_s == 0 || now_s < snapshot_at_s.saturating_add(SNAPSHOT_EVERY_S) {
            return Ok(None);
        }
        // Batches may have become final a moment ago.
        self.look().await?;
        let watcher = self.watcher();
        let ledger = watcher.ledger();
        let last = watcher.view().batches().iter().rev().find(|batch| batch.is_final);
        let Some(last) = last else { return Ok(None) };
        let until_s = ledger.snapshot_started_at_s().await?.saturating_add(PARTS_WITHIN_S);
        let begun = watcher.view().snapshot().filter(|begun| {
            let is_in_time = now_s < until_s && begun.parts.len() <= BEGUN_PARTS_MAX;
            // One that was begun so long ago that its accounts are forgotten is begun anew.
            !begun.is_complete && is_in_time && watcher.state(begun.seq).is_some()
        });
        let (seq, parts) = match begun {
            Some(begun) => (begun.seq, begun.parts.as_slice()),
            None => (last.header.seq, [].as_slice()),
        };
        let state = watcher.state(seq).ok_or(HubError::DataMissing { seq })?;
        let covered = parts.last().map_or(0, |part| part.accounts.end);
        let covered = usize::try_from(covered).unwrap_or(usize::MAX);
        let accounts = state
            .accounts()
            .leaves()
            .skip(covered)
            .map(|leaf| Account { balance: leaf.balance, payable_micro: leaf.payable_micro });
        let accounts: Vec<Account> = accounts.collect();
        let numbers = u8::try_from(parts.len()).unwrap_or(u8::MAX)..=u8::MAX;
        if state.header().data_kind == DataKind::SealedBlob {
            // Of a sealed batch nothing but hashes.
            let hashes = state.account_hashes().get(covered..).unwrap_or_default();
            let parts = hashes.chunks(PART_HASHES_MAX).map(<[B256]>::concat);
            for (number, data) in numbers.zip(parts) {
                let call = ledger.commit_snapshot_call(state.header(), number, data);
                self.sender().send(call).await?;
                info!(seq, part = number, "part of a snapshot published");
            }
            return Ok(Some(HubReport::SnapshotPublished { seq }));
        }
        let mut rest = accounts.as_slice();
        for number in numbers {
            if rest.is_empty() {
                break;
            }
            let (publication, archive) = (self.publication(), self.archive());
            let header = state.header();
            let call = ledger.snapshot_part_call(publication, header, number, rest, archive);
            let (count, call) = call.await?;
            self.sender().send(call).await?;
            info!(seq, part = number, "part of a snapshot published");
            rest = &rest[count..];
        }
        Ok(Some(HubReport::SnapshotPublished { seq }))
    }
}
