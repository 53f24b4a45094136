//! Honest batches to probe: final and pending ones, with corrections, deposits, exits, forced readings, a snapshot, and demands that were
//! answered or are open.

use std::sync::Arc;

use gridtally_ledger::{
    BatchData, BeaconNode, BlobSidecar, BlobSource, DataEvidence, Demanded, EndpointOptions,
    FollowOptions, Hub, HubReport, Watcher,
};
use gridtally_settlement::{
    Account, AccountLeaf, BatchHeader, DataKind, ElementOpening, RecordLeaf, TariffTable, Tree,
    open_element, pack_snapshot, pack_snapshot_blobs, versioned_hashes,
};

use super::super::hub::Meters;
use super::super::stage::Stage;
use super::super::town::Data;
use crate::node::Node;

/// Time to answer a demand, s.
const ANSWER_S: u64 = 2 * 86_400;
/// Batches that become final before the others come.
const FINAL: usize = 2;
/// Batches that stay pending, corrections among them.
const PENDING: usize = 5;

/// A batch with everything that a proof may take from it.
pub(crate) struct Honest {
    pub(crate) header: BatchHeader,
    pub(crate) parent: BatchHeader,
    pub(crate) leaves: Vec<RecordLeaf>,
    pub(crate) records: Tree,
    pub(crate) accounts: Vec<AccountLeaf>,
    pub(crate) account_tree: Tree,
    pub(crate) data: BatchData,
    /// Of each element with records, in blobs.
    pub(crate) openings: Vec<ElementOpening>,
    pub(crate) table: TariffTable,
}

pub(crate) struct Ground {
    pub(crate) stage: Stage,
    pub(crate) batches: Vec<Honest>,
    /// What a snapshot of the last final batch published.
    pub(crate) snapshot: BatchData,
    pub(crate) snapshot_openings: Vec<ElementOpening>,
    /// What the contracts keep.
    pub(crate) state_before: (u64, u64),
}

impl Ground {
    pub(crate) async fn new(kind: DataKind, seed: u64) -> Self {
        let mut stage = Stage::publishing(Node::embedded().await, seed, kind).await;
        stage.town.corrects = Some(false);
        for _ in 0..FINAL {
            next(&mut stage).await;
        }
        stage.finalize_all().await;
        stage.force_readings(6).await;
        let snapshot = publish_snapshot(&stage, kind).await;
        // These come in time.
        stage.town.corrects = Some(true);
        for _ in 0..2 {
            next(&mut stage).await;
        }
        stage.end_corrections().await;
        // And these have none of the forced readings.
        stage.town.corrects = None;
        for _ in 2..PENDING {
            next(&mut stage).await;
        }
        let snapshot_openings = openings(&snapshot, stage.town.participants + 1, 2);
        let batches = stage.settled.iter().map(|(batch, parent)| {
            let data = match &batch.data {
                Data::Calldata(data) => BatchData::Calldata(data.clone()),
                Data::Blobs(blobs) => in_blobs(blobs.clone()),
            };
            let hashes = batch.leaves.iter().map(RecordLeaf::hash).collect();
            let account_hashes = batch.accounts.iter().map(AccountLeaf::hash).collect();
            Honest {
                openings: openings(&data, batch.header.count, 3),
                header: batch.header.clone(),
                parent: parent.clone(),
                leaves: batch.leaves.clone(),
                records: Tree::new(hashes).unwrap(),
                accounts: batch.accounts.clone(),
                account_tree: Tree::new(account_hashes).unwrap(),
                data,
                table: stage.town.tables[&batch.header.period].clone(),
            }
        });
        let batches = batches.collect();
        let mut ground = Self { stage, batches, snapshot, snapshot_openings, state_before: (0, 0) };
        ground.demand_and_answer().await;
        ground.state_before = ground.state().await;
        ground
    }

    /// The first pending batch.
    pub(crate) fn demanded(&self) -> &Honest {
        &self.batches[FINAL]
    }

    pub(crate) fn last_final(&self) -> &Honest {
        &self.batches[FINAL - 1]
    }

    /// Lets the hub answer demands whose time then ends, and opens others that are not due.
    async fn demand_and_answer(&self) {
        let batch = self.demanded();
        let ledger = &self.stage.ledger;
        let answered = [Demanded::Record(0), Demanded::Account(0), Demanded::RecordGroup(0)];
        let open = [
            Demanded::Record(batch.header.count - 1),
            Demanded::Account(1),
            Demanded::RecordRow,
            Demanded::AccountRow,
            Demanded::AccountGroup(0),
        ];
        for demanded in answered {
            self.stage.send(ledger.demand_call(&batch.header, demanded)).await.unwrap();
        }
        let beacon = BeaconNode::new(&self.stage.node.address, EndpointOptions::default()).unwrap();
        let watcher = Watcher::new(ledger.clone(), FollowOptions::default(), None)
            .with_blobs_from(vec![BlobSource::Beacon(beacon)]);
        let meters = Meters(ledger.deployment().domain());
        let reports = Hub::new(watcher, self.stage.officer(), meters).poll().await.unwrap();
        let count = reports.iter().filter(|report| matches!(report, HubReport::Answered { .. }));
        assert_eq!(count.count(), answered.len(), "{reports:?}");
        self.stage.pass(ANSWER_S + 1).await;
        for demanded in open {
            self.stage.send(ledger.demand_call(&batch.header, demanded)).await.unwrap();
        }
    }

    /// The head and the bond.
    pub(crate) async fn state(&self) -> (u64, u64) {
        let ledger = &self.stage.ledger;
        (ledger.head_seq().await.unwrap(), ledger.bonded_micro().await.unwrap())
    }
}

async fn next(stage: &mut Stage) {
    stage.town.deposit(1, 3);
    if stage.settled.len() == FINAL + 1 {
        stage.town.leave(1);
    }
    let batch = stage.next_batch().await;
    stage.settle(&batch).await;
}

fn in_blobs(blobs: Vec<gridtally_settlement::BlobBytes>) -> BatchData {
    let versioned_hashes = versioned_hashes(&blobs).unwrap();
    BatchData::Blobs { blobs, versioned_hashes }
}

/// Opens every element of the first blob that holds something, `each` to an element.
fn openings(data: &BatchData, count: u32, each: u32) -> Vec<ElementOpening> {
    match data {
        BatchData::Calldata(_) => Vec::new(),
        BatchData::Blobs { blobs, .. } => {
            let elements = 0..usize::try_from(count.div_ceil(each)).unwrap();
            elements.map(|element| open_element(&blobs[0], element).unwrap()).collect()
        }
    }
}

/// Publishes the accounts of the last final batch, as they are.
async fn publish_snapshot(stage: &Stage, kind: DataKind) -> BatchData {
    let (batch, _) = &stage.settled[stage.finalized - 1];
    let account =
        |leaf: &AccountLeaf| Account { balance: leaf.balance, payable_micro: leaf.payable_micro };
    let accounts: Vec<Account> = batch.accounts.iter().map(account).collect();
    let ledger = &stage.ledger;
    if kind == DataKind::Calldata {
        let data = pack_snapshot(accounts);
        let call = ledger.commit_snapshot_call(&batch.header, 0, data.clone());
        stage.send(call).await.unwrap();
        return BatchData::Calldata(data);
    }
    let blobs = pack_snapshot_blobs(&accounts);
    let sidecar = Arc::new(BlobSidecar::new(&blobs).unwrap());
    let call = ledger.commit_snapshot_blobs_call(&batch.header, 0, sidecar);
    stage.send(call).await.unwrap();
    in_blobs(blobs)
}

impl Honest {
    /// Returns what goes with a proof of differing data about this element, where there is one.
    pub(crate) fn evidence(&self, element: usize) -> Option<DataEvidence<'_>> {
        evidence(&self.data, &self.openings, element)
    }
}

/// Returns what goes with a proof about this element, where there is one.
pub(crate) fn evidence<'a>(
    data: &'a BatchData,
    openings: &[ElementOpening],
    element: usize,
) -> Option<DataEvidence<'a>> {
    Some(match data {
        BatchData::Calldata(data) => DataEvidence::Calldata(data),
        BatchData::Blobs { versioned_hashes, .. } => {
            let opening = Box::new(openings.get(element)?.clone());
            DataEvidence::Blob { versioned_hashes, opening }
        }
    })
}
