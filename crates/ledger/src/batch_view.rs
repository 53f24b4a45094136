//! What the chain told of a batch ledger, as far as it stands: registry, tariffs, inbox, batches and demands.

use std::collections::BTreeMap;
use std::ops::Range;

use alloy_primitives::B256;
use gridtally_core::party::ParticipantNumber;
use gridtally_core::period::SettlementPeriod;
use gridtally_settlement::{
    Activities, Activity, BatchHeader, ForcedReadings, InboxEntry, InboxRange, Reference,
    TariffTable,
};

use crate::batch_call::Demanded;
use crate::batch_event::{BatchEntry, BatchEvent};
use crate::follow::Notice;

/// Blocks after which an entry of the inbox may be taken.
///
/// # Source
///
/// Settlement protocol §2.9.
pub const INBOX_DEPTH: u64 = 64;

/// A batch on the chain that was not cancelled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrackedBatch {
    /// Its header.
    pub header: BatchHeader,
    /// Its hash.
    pub header_hash: B256,
    /// The transaction that committed it.
    pub transaction: B256,
    /// Number of the block.
    pub block: u64,
    /// Whether its window is over.
    pub is_final: bool,
}

/// How a demand stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DemandState {
    /// Until when it must be answered, Unix time, s.
    pub deadline_s: u64,
    /// The transaction that answered it.
    pub answer: Option<B256>,
}

/// What names a reading that is forced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ForceKey {
    /// Its period.
    pub period: SettlementPeriod,
    /// Key of its record.
    pub key: u64,
}

/// A reading that is forced and neither paid nor refuted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ForceRequest {
    /// Whose.
    pub participant: ParticipantNumber,
    /// Energy, Wh.
    pub value_wh: i32,
    /// What the hub owes for it, micro-units.
    pub amount_micro: u64,
    /// Until when a correction may be committed, Unix time, s, included.
    pub correct_until_s: u64,
    /// Whether the time to refute is over and the bond did not cover it.
    pub is_due: bool,
}

/// A part of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotPart {
    /// The accounts that it tells, half open.
    pub accounts: Range<u32>,
    /// Hash of its data.
    pub data_hash: B256,
    /// The transaction that published it.
    pub transaction: B256,
    /// Number of the block.
    pub block: u64,
}

/// A snapshot of all accounts after a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrackedSnapshot {
    /// Number of the batch.
    pub seq: u64,
    /// Hash of its header.
    pub header_hash: B256,
    /// Its parts, which continue each other.
    pub parts: Vec<SnapshotPart>,
    /// Whether all parts are there.
    pub is_complete: bool,
}

/// Why the chain's words do not fit together: the endpoint leaves something out, or invents it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} {number} does not follow what the chain told before")]
pub struct ViewError {
    /// What.
    pub what: &'static str,
    /// Its number.
    pub number: u64,
}

/// The view; it can take back what left the chain.
#[derive(Debug, Clone)]
pub struct BatchView {
    slots: u16,
    /// Everything that was told, so that it can be told again without its end.
    entries: Vec<BatchEntry>,
    told: Told,
}

/// What follows from the entries.
#[derive(Debug, Clone)]
struct Told {
    activities: Vec<Activity>,
    tables: BTreeMap<SettlementPeriod, TariffTable>,
    inbox: Vec<InboxEntry>,
    /// The block of each entry.
    inbox_blocks: Vec<u64>,
    /// By sequence number, from 1.
    batches: Vec<TrackedBatch>,
    demands: BTreeMap<(u64, Demanded), DemandState>,
    /// Whether the ledger has ended.
    is_frozen: bool,
    /// The same activities, as the rule engine asks for them.
    registry: Activities,
    forces: BTreeMap<ForceKey, ForceRequest>,
    /// Those that are not refuted, as the rule engine asks for them.
    forced: ForcedReadings,
    /// The last one that was begun, unless it was disproved.
    snapshot: Option<TrackedSnapshot>,
}

impl BatchView {
    /// Returns the view of a ledger of which nothing is known yet, with so many slots in a period.
    #[must_use]
    pub fn new(slots: u16) -> Self {
        Self { slots, entries: Vec::new(), told: Told::new() }
    }

    /// Takes in what happened.
    ///
    /// # Errors
    ///
    /// Returns [`ViewError`] for the first entry that does not fit; the view is of no use then.
    pub fn apply(
        &mut self,
        notices: impl IntoIterator<Item = Notice<BatchEntry>>,
    ) -> Result<(), ViewError> {
        let mut is_stale = false;
        for notice in notices {
            match notice {
                Notice::Applied(entry) => {
                    if !is_stale {
                        self.told.apply(&entry, self.slots)?;
                    }
                    self.entries.push(entry);
                }
                Notice::Reverted(_) => {
                    self.entries.pop();
                    is_stale = true;
                }
            }
        }
        if is_stale {
            self.told = Told::new();
            for entry in &self.entries {
                self.told.apply(entry, self.slots)?;
            }
        }
        self.told.registry = Activities::new(self.told.activities.clone());
        Ok(())
    }

    /// Whether the contract has told nothing yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Returns the batches that were not cancelled, by sequence number, from 1.
    #[must_use]
    pub fn batches(&self) -> &[TrackedBatch] {
        &self.told.batches
    }

    /// Returns the inbox, from its first entry on.
    #[must_use]
    pub fn inbox(&self) -> &[InboxEntry] {
        &self.told.inbox
    }

    /// Returns up to which entry a batch in a block may take the inbox: entries must be some blocks old, so that no
    /// re-organization takes them out of a batch.
    #[must_use]
    pub fn inbox_ripe_to(&self, block: u64) -> u64 {
        let is_ripe = |entry: &u64| entry.saturating_add(INBOX_DEPTH) <= block;
        self.told.inbox_blocks.partition_point(is_ripe) as u64
    }

    /// Returns the block in which the last entry of the inbox came, or `None` while it is empty.
    #[must_use]
    pub fn inbox_last_block(&self) -> Option<u64> {
        self.told.inbox_blocks.last().copied()
    }

    /// Returns how many participants are registered, the hub among them: the accounts that a batch may have.
    #[must_use]
    pub fn participant_count(&self) -> u32 {
        u32::try_from(self.told.activities.len()).map_or(u32::MAX, |count| count.saturating_add(1))
    }

    /// Returns when each participant is active.
    #[must_use]
    pub const fn registry(&self) -> &Activities {
        &self.told.registry
    }

    /// Returns the batches that are final.
    #[must_use]
    pub fn final_batches(&self) -> &[TrackedBatch] {
        let batches = &self.told.batches;
        &batches[..batches.partition_point(|batch| batch.is_final)]
    }

    /// Whether the ledger has ended: then nothing is pending, and nothing comes after.
    #[must_use]
    pub const fn is_frozen(&self) -> bool {
        self.told.is_frozen
    }

    /// Returns how a demand on a batch stands, or `None` where nobody demanded it.
    #[must_use]
    pub fn demand(&self, seq: u64, demanded: Demanded) -> Option<DemandState> {
        self.told.demands.get(&(seq, demanded)).copied()
    }

    /// Returns the demands on a batch.
    pub fn demands(&self, seq: u64) -> impl Iterator<Item = (Demanded, DemandState)> {
        let all = self.told.demands.iter().filter(move |((of, _), _)| *of == seq);
        all.map(|(&(_, demanded), &state)| (demanded, state))
    }

    /// Returns the readings that were forced and neither paid nor refuted, by period and key.
    pub fn forces(&self) -> impl Iterator<Item = (ForceKey, ForceRequest)> {
        self.told.forces.iter().map(|(&key, &request)| (key, request))
    }

    /// Returns the snapshot that was published last, unless it was disproved; it may be incomplete.
    #[must_use]
    pub const fn snapshot(&self) -> Option<&TrackedSnapshot> {
        self.told.snapshot.as_ref()
    }

    /// Returns the prices of a period.
    #[must_use]
    pub fn table(&self, period: SettlementPeriod) -> Option<&TariffTable> {
        self.told.tables.get(&period)
    }

    /// Returns what the chain fixed for the batches of a period, or `None` without tariff.
    #[must_use]
    pub fn reference(&self, period: SettlementPeriod) -> Option<Reference<'_>> {
        let inbox = InboxRange { first: 0, entries: &self.told.inbox };
        let Told { registry: activities, forced, .. } = &self.told;
        Some(Reference { table: self.table(period)?, activities, inbox, forced })
    }
}

impl Told {
    fn new() -> Self {
        Self {
            activities: Vec::new(),
            tables: BTreeMap::new(),
            inbox: Vec::new(),
            inbox_blocks: Vec::new(),
            batches: Vec::new(),
            demands: BTreeMap::new(),
            is_frozen: false,
            registry: Activities::default(),
            forces: BTreeMap::new(),
            forced: ForcedReadings::default(),
            snapshot: None,
        }
    }

    fn apply(&mut self, entry: &BatchEntry, slots: u16) -> Result<(), ViewError> {
        let misfit = |what, number| ViewError { what, number };
        match &entry.event {
            // The hub is registered by the constructor and has no activity.
            BatchEvent::Registered { participant: ParticipantNumber(0), .. } => {}
            BatchEvent::Registered { participant, from, .. } => {
                let number = participant.0.into();
                if number != self.activities.len() as u64 + 1 {
                    return Err(misfit("participant", number));
                }
                self.activities.push(Activity::from(*from));
            }
            BatchEvent::Retired { participant, last } => {
                let place =
                    usize::try_from(participant.0).ok().and_then(|place| place.checked_sub(1));
                let activity = place.and_then(|place| self.activities.get_mut(place));
                let activity =
                    activity.ok_or_else(|| misfit("participant", participant.0.into()))?;
                activity.last = *last;
            }
            BatchEvent::TariffPublished { period, table } => {
                let table = TariffTable::unpack(slots, table)
                    .map_err(|_| misfit("tariff of period", period.0.into()))?;
                self.tables.insert(*period, table);
            }
            BatchEvent::InboxAdded { entry: number, ordered } => {
                if *number != self.inbox.len() as u64 {
                    return Err(misfit("inbox entry", *number));
                }
                self.inbox.push(*ordered);
                self.inbox_blocks.push(entry.block.number);
            }
            BatchEvent::Committed { header_hash, header } => {
                let parent = self
                    .batches
                    .last()
                    .map_or(BatchHeader::GENESIS.hash(), |last| last.header_hash);
                let is_next = header.seq == self.batches.len() as u64 + 1;
                if !is_next || header.parent != parent {
                    return Err(misfit("batch", header.seq));
                }
                self.batches.push(TrackedBatch {
                    header: (**header).clone(),
                    header_hash: *header_hash,
                    transaction: entry.transaction,
                    block: entry.block.number,
                    is_final: false,
                });
            }
            BatchEvent::Finalized { seq, header_hash } => {
                let batch = self.batch_mut(*seq).filter(|batch| batch.header_hash == *header_hash);
                batch.ok_or_else(|| misfit("final batch", *seq))?.is_final = true;
            }
            BatchEvent::Cancelled { seq, .. } => {
                if self.batch_mut(*seq).is_none_or(|batch| batch.is_final) {
                    return Err(misfit("cancelled batch", *seq));
                }
                let kept = usize::try_from(*seq - 1).unwrap_or(usize::MAX);
                self.batches.truncate(kept);
                self.demands.retain(|(of, _), _| of < seq);
            }
            BatchEvent::Frozen { seq, header_hash } => {
                let is_last_final = match seq {
                    0 => self.batches.first().is_none_or(|batch| !batch.is_final),
                    _ => {
                        let last = self.batch_mut(*seq);
                        last.is_some_and(|batch| {
                            batch.is_final && batch.header_hash == *header_hash
                        })
                    }
                };
                if !is_last_final {
                    return Err(misfit("frozen batch", *seq));
                }
                self.batches.truncate(usize::try_from(*seq).unwrap_or(usize::MAX));
                self.demands.retain(|(of, _), _| of <= seq);
                self.is_frozen = true;
            }
            BatchEvent::Demanded { seq, demanded, deadline_s } => {
                let state = DemandState { deadline_s: *deadline_s, answer: None };
                self.demands.insert((*seq, *demanded), state);
            }
            BatchEvent::Answered { seq, demanded } => {
                let state = self.demands.get_mut(&(*seq, *demanded));
                let state = state.ok_or_else(|| misfit("answer on batch", *seq))?;
                state.answer = Some(entry.transaction);
            }
            &BatchEvent::ForceRequested {
                participant,
                period,
                key,
                value_wh,
                amount_micro,
                correct_until_s,
            } => {
                let request = ForceRequest {
                    participant,
                    value_wh,
                    amount_micro,
                    correct_until_s,
                    is_due: false,
                };
                self.forces.insert(ForceKey { period, key }, request);
                self.forced.request(period, key, correct_until_s);
            }
            // The chain knows no request by another name: what is refuted, paid or due was requested.
            &BatchEvent::ForceRefuted { period, key, .. } => {
                self.forces.remove(&ForceKey { period, key });
                if !self.forced.refute(period, key) {
                    return Err(misfit("refuted reading", key));
                }
            }
            &BatchEvent::ForceAccepted { period, key } => {
                let request = self.forces.remove(&ForceKey { period, key });
                request.ok_or_else(|| misfit("paid reading", key))?;
            }
            &BatchEvent::ForceDue { period, key } => {
                let request = self.forces.get_mut(&ForceKey { period, key });
                request.ok_or_else(|| misfit("due reading", key))?.is_due = true;
            }
            BatchEvent::SnapshotCommitted { seq, header_hash, part, accounts, data_hash } => {
                let (accounts, data_hash) = (accounts.clone(), *data_hash);
                let (transaction, block) = (entry.transaction, entry.block.number);
                let part_of = SnapshotPart { accounts, data_hash, transaction, block };
                let begun = TrackedSnapshot {
                    seq: *seq,
                    header_hash: *header_hash,
                    parts: Vec::new(),
                    is_complete: false,
                };
                let snapshot = match self.snapshot.take().filter(|_| *part > 0) {
                    Some(snapshot) => snapshot,
                    None => begun,
                };
                let end = snapshot.parts.last().map_or(0, |last| last.accounts.end);
                let is_next = usize::from(*part) == snapshot.parts.len()
                    && snapshot.header_hash == *header_hash
                    && part_of.accounts.start == end
                    && part_of.accounts.end >= end;
                if !is_next {
                    return Err(misfit("snapshot of batch", *seq));
                }
                self.snapshot.insert(snapshot).parts.push(part_of);
            }
            BatchEvent::SnapshotCompleted => {
                let snapshot = self.snapshot.as_mut();
                snapshot.ok_or_else(|| misfit("snapshot of batch", 0))?.is_complete = true;
            }
            BatchEvent::SnapshotCancelled => self.snapshot = None,
            BatchEvent::Other => {}
        }
        Ok(())
    }

    fn batch_mut(&mut self, seq: u64) -> Option<&mut TrackedBatch> {
        self.batches.get_mut(usize::try_from(seq.checked_sub(1)?).ok()?)
    }
}
