//! What the hub must do, on the embedded chain: forced readings are refuted, paid, or make a late correction fall.

use std::sync::Arc;

use gridtally_core::party::ParticipantNumber;
use gridtally_core::period::SettlementPeriod;
use gridtally_ledger::{
    BatchArchive, BeaconNode, BlobSidecar, BlobSource, EndpointOptions, FollowOptions, ForceKey,
    Hub, HubError, HubReport, Outcome, Publication, Sender, SnapshotVerdict, WatchReport, Watcher,
};
use gridtally_settlement::{
    Account, BatchPlan, BatchRefused, KeyGap, Place, Record, Rule, SignedReading, build_batch,
    pack_snapshot, pack_snapshot_blobs,
};

use super::hub::{Meters, hub, pass, plan};
use super::stage::Stage;
use super::town::record;
use crate::node::Node;
use crate::town::{brisk, key};

const DAY_S: u64 = 86_400;
/// What the forced reading is about, Wh.
const VALUE_WH: i32 = 1_000;

/// A ledger all of whose batches are final, with a reading that no batch has.
struct Scene {
    stage: Stage,
    hub: Hub<Meters>,
    /// The plan of the second batch.
    second: BatchPlan,
    period: SettlementPeriod,
    reading: Record,
}

impl Scene {
    /// Settles two periods, the second without readings, and lets both become final. The reading is of period 2, which may have
    /// been skipped.
    async fn new(seed: u64, is_skipped: bool) -> Self {
        let mut stage = Stage::new(Node::embedded().await, seed).await;
        // Everybody is active in the period that the reading is of.
        let period = SettlementPeriod(2);
        let mut hub = hub(&stage);
        let first = plan(&stage.next_batch().await);
        hub.commit(&first).await.unwrap();
        let last = if is_skipped { 3 } else { 2 };
        pass(&stage, u64::from(last - 1) * DAY_S).await;
        // The reading's key lies between these two, if its period is settled at all.
        let records = vec![record(0, 63, 0, 0), record(1, 63, 0, 0)];
        let second = BatchPlan { records, ..plan_of(&stage, last, 0, first.inbox_to) };
        hub.commit(&second).await.unwrap();
        pass(&stage, 7 * DAY_S + 1).await;
        let finalized = [1, 2].map(|seq| HubReport::Finalized { seq });
        assert_eq!(hub.poll().await.unwrap(), finalized);
        let table = &stage.town.tables[&period];
        let slots = 0..super::town::SLOTS;
        let mut candidates = slots.map(|slot| record(1, 1, slot, VALUE_WH));
        let is_credit = |record: &Record| {
            table.price(record.code(), record.slot()).unwrap().micro_per_kwh() > 0
        };
        let reading = candidates.find(is_credit).unwrap();
        Self { stage, hub, second, period, reading }
    }

    fn force(&self) -> ForceKey {
        ForceKey { period: self.period, key: self.reading.key() }
    }

    fn amount_micro(&self) -> u64 {
        let table = &self.stage.town.tables[&self.period];
        let price = table.price(self.reading.code(), self.reading.slot()).unwrap();
        u64::try_from(price.micro_per_kwh()).unwrap()
    }

    /// The participant shows its reading, and the gap that it falls into.
    async fn force_reading(&self) {
        let watcher = self.hub.watcher();
        let parent = watcher.state(1).unwrap().header();
        let header = watcher.state(2).unwrap().header();
        let key = self.reading.key();
        let reference = watcher.view().reference(header.period).unwrap();
        let batch = build_batch(&self.second, watcher.state(1).unwrap(), &reference).unwrap();
        assert_eq!(batch.record_tree.root(), header.record_root);
        let gap = KeyGap::find(header, parent, &batch.leaves, &batch.record_tree, self.period, key)
            .unwrap();
        let reading = SignedReading::of_record(self.period, 0, &self.reading).unwrap();
        let domain = self.stage.ledger.deployment().domain();
        let signature = super::hub::signed(&reading, &domain);
        let table = &self.stage.town.tables[&self.period];
        let ledger = &self.stage.ledger;
        let call = ledger.force_reading_call(&gap, self.period, &self.reading, signature, table);
        self.stage.send(call).await.unwrap();
    }

    fn watcher(&self) -> Watcher {
        let sender = Sender::new(self.stage.node.client.clone(), key(0), brisk());
        Watcher::new(self.stage.ledger.clone(), FollowOptions::default(), Some(sender))
    }

    /// Returns the plan of the correction run that settles the reading.
    fn correction(&self) -> BatchPlan {
        let last = self.hub.watcher().view().batches().last().unwrap();
        let (run, inbox_to) = (last.header.last_run + 1, last.header.inbox_to);
        let plan = plan_of(&self.stage, self.period.0, run, inbox_to);
        BatchPlan { records: vec![self.reading], ..plan }
    }
}

fn plan_of(stage: &Stage, period: u32, run: u32, inbox_to: u64) -> BatchPlan {
    let account_count = stage.town.participants + 1;
    let period = SettlementPeriod(period);
    BatchPlan { period, run, part: 0, account_count, inbox_to, records: Vec::new() }
}

#[tokio::test]
async fn a_correction_refutes_a_forced_reading() {
    let mut scene = Scene::new(21, false).await;
    scene.force_reading().await;
    let force = scene.force();
    let reports = scene.hub.poll().await.unwrap();
    let [HubReport::ForceOpen { force: told, request }] = reports[..] else {
        panic!("{reports:?}")
    };
    assert_eq!(
        (told, request.value_wh, request.amount_micro),
        (force, VALUE_WH, scene.amount_micro())
    );
    assert_eq!(scene.hub.poll().await.unwrap(), []);

    let plan = scene.correction();
    scene.hub.commit(&plan).await.unwrap();
    assert_eq!(scene.hub.poll().await.unwrap(), [HubReport::ForceRefuted { seq: 3, force }]);
    assert_eq!(scene.hub.poll().await.unwrap(), []);
    assert_eq!(scene.hub.watcher().view().forces().count(), 0);
}

#[tokio::test]
async fn what_is_not_refuted_is_paid_out_of_the_bond_and_honored() {
    let mut scene = Scene::new(22, true).await;
    let mut watcher = scene.watcher();
    watcher.poll().await.unwrap();
    scene.force_reading().await;
    let force = scene.force();
    let reports = watcher.poll().await.unwrap();
    assert!(matches!(reports[..], [WatchReport::Forced { force: told, .. }] if told == force));
    pass(&scene.stage, 7 * DAY_S - 60).await;
    assert_eq!(watcher.poll().await.unwrap(), []);
    pass(&scene.stage, 60).await;
    let reports = watcher.poll().await.unwrap();
    assert!(matches!(reports[..], [WatchReport::ForcePaid { force: told, .. }] if told == force));
    assert_eq!(watcher.poll().await.unwrap(), []);

    // The next batch takes the amount in like a deposit.
    scene.stage.node.steer("anvil_mine", ["0x41"]).await;
    let state = scene.hub.watcher().state(2).unwrap().clone();
    let participant = ParticipantNumber(1);
    let before = state.accounts().get(participant).balance.micro();
    let plan = plan_of(&scene.stage, 4, 0, state.header().inbox_to + 1);
    let plan = BatchPlan { records: vec![record(1, 0, 0, 0)], ..plan };
    scene.hub.commit(&plan).await.unwrap();
    let after = scene.hub.watcher().state(3).unwrap().accounts().get(participant).balance.micro();
    assert_eq!(u64::try_from(after - before).unwrap(), scene.amount_micro());
    assert_eq!(watcher.poll().await.unwrap(), [WatchReport::Valid { seq: 3, count: 1 }]);
}

#[tokio::test]
async fn what_the_bond_does_not_cover_is_paid_once_it_does() {
    let mut scene = Scene::new(27, false).await;
    let (code, slot) = (scene.reading.code().number(), scene.reading.slot().0);
    scene.reading = record(1, code, slot, i32::MAX);
    let mut watcher = scene.watcher();
    scene.force_reading().await;
    watcher.poll().await.unwrap();
    pass(&scene.stage, 7 * DAY_S).await;
    let force = scene.force();
    assert_eq!(watcher.poll().await.unwrap(), [WatchReport::ForceDue { force }]);
    assert_eq!(watcher.poll().await.unwrap(), []);
    let raise = scene.stage.ledger.bond_call(400 * super::stage::SLASH_MICRO);
    scene.stage.send(raise).await.unwrap();
    let reports = watcher.poll().await.unwrap();
    assert!(matches!(reports[..], [WatchReport::ForcePaid { force: told, .. }] if told == force));
    assert_eq!(watcher.poll().await.unwrap(), []);
}

#[tokio::test]
async fn a_late_correction_of_a_forced_reading_falls() {
    let mut scene = Scene::new(23, false).await;
    let mut watcher = scene.watcher();
    scene.force_reading().await;
    pass(&scene.stage, DAY_S + 1).await;
    // An honest hub refuses it.
    let plan = scene.correction();
    let refused = scene.hub.commit(&plan).await.unwrap_err();
    let HubError::Refused(refused) = refused else { panic!("{refused}") };
    assert_eq!(refused, BatchRefused::Record { index: 0, rule: Rule::ForcedOnce });

    // This one commits it all the same.
    let state = scene.hub.watcher().state(2).unwrap();
    let reference = scene.hub.watcher().view().reference(scene.period).unwrap();
    let batch = build_batch(&plan, state, &reference).unwrap();
    let data = gridtally_settlement::pack_calldata(plan.records.clone());
    let call = scene.stage.ledger.commit_calldata_call(&batch.commitment, data);
    scene.stage.send(call).await.unwrap();
    let reports = watcher.poll().await.unwrap();
    let [.., WatchReport::Fraud { seq: 3, rule: Rule::ForcedOnce, place, outcome }] = reports[..]
    else {
        panic!("{reports:?}")
    };
    assert_eq!(place, Place::Record(0));
    assert!(matches!(outcome, Outcome::Cancelled(_)), "{outcome:?}");
    let fallen = watcher.poll().await.unwrap();
    assert_eq!(fallen, []);
    assert_eq!(watcher.view().batches().len(), 2);
}

/// The states of more than 64 batches are not kept: an old correction is found in the archive, or computed from the chain, and the
/// headers lead from one that the contract still has down to it.
#[tokio::test]
async fn a_correction_that_is_long_past_refutes_too() {
    for has_archive in [true, false] {
        let mut scene = Scene::new(28, false).await;
        let folder = tempfile::tempdir().unwrap();
        let archive = BatchArchive::new(folder.path());
        if has_archive {
            scene.hub = hub(&scene.stage).with_archive(archive.clone(), Publication::Calldata);
            assert_eq!(scene.hub.poll().await.unwrap(), []);
        }
        let plan = scene.correction();
        let corrected = scene.hub.commit(&plan).await.unwrap();
        let more = async |scene: &mut Scene, count: usize| {
            for _ in 0..count {
                let plan = BatchPlan { records: vec![record(0, 63, 0, 0)], ..scene.correction() };
                scene.hub.commit(&plan).await.unwrap();
            }
        };
        // No more than 32 may be pending.
        for _ in 0..2 {
            more(&mut scene, 29).await;
            pass(&scene.stage, 7 * DAY_S + 1).await;
            scene.hub.poll().await.unwrap();
        }
        scene.force_reading().await;
        more(&mut scene, 30).await;
        let (force, seq) = (scene.force(), corrected.seq);
        // A new process, which knows only the chain, and the archive if there is one.
        let mut new = hub(&scene.stage);
        if has_archive {
            new = new.with_archive(archive, Publication::Calldata);
        }
        let reports = new.poll().await.unwrap();
        assert_eq!(reports, [HubReport::ForceRefuted { seq, force }], "archive: {has_archive}");
        assert!(new.watcher().state(seq).is_none(), "it is forgotten");
        assert_eq!(new.poll().await.unwrap(), []);
        assert_eq!(new.watcher().view().forces().count(), 0);
    }
}

/// Blobs are cheaper than so many bytes of calldata, where a chain takes them; the archive has them before the chain.
#[tokio::test]
async fn a_snapshot_is_published_where_it_is_cheaper() {
    for (publication, is_in_blobs) in
        [(Publication::Cheapest, true), (Publication::Blobs, true), (Publication::Calldata, false)]
    {
        let mut scene = Scene::new(29, false).await;
        let folder = tempfile::tempdir().unwrap();
        let archive = BatchArchive::new(folder.path());
        scene.hub = hub(&scene.stage).with_archive(archive.clone(), publication);
        pass(&scene.stage, SNAPSHOT_DUE_S).await;
        assert_eq!(scene.hub.poll().await.unwrap(), [HubReport::SnapshotPublished { seq: 2 }]);
        let node = BeaconNode::new(&scene.stage.node.address, EndpointOptions::default()).unwrap();
        for source in [BlobSource::Beacon(node), BlobSource::Archive(archive.clone())] {
            let mut watcher = scene.watcher().with_blobs_from(vec![source]);
            let reports = watcher.poll().await.unwrap();
            let verdict = SnapshotVerdict::True;
            assert_eq!(reports.last(), Some(&WatchReport::Snapshot { seq: 2, verdict }));
            let part = &watcher.view().snapshot().unwrap().parts[0];
            let hashes = archive.blob_hashes(part.data_hash).await.unwrap();
            assert_eq!(hashes.is_some(), is_in_blobs);
            let data = archive.snapshot(part.data_hash).await.unwrap();
            assert_eq!(data.is_some(), !is_in_blobs);
        }
    }
}

/// Time to the next snapshot, s.
const SNAPSHOT_DUE_S: u64 = 14 * DAY_S;

impl Scene {
    /// Returns the accounts after the second batch.
    fn accounts(&self) -> Vec<Account> {
        let state = self.hub.watcher().state(2).unwrap();
        let account = |leaf: gridtally_settlement::AccountLeaf| Account {
            balance: leaf.balance,
            payable_micro: leaf.payable_micro,
        };
        state.accounts().leaves().map(account).collect()
    }

    /// Publishes a part of a snapshot of the second batch, as the hub's key may.
    async fn publish(&self, part: u8, accounts: &[Account]) {
        let header = self.hub.watcher().state(2).unwrap().header();
        let data = pack_snapshot(accounts.iter().copied());
        self.stage.send(self.stage.ledger.commit_snapshot_call(header, part, data)).await.unwrap();
    }
}

#[tokio::test]
async fn a_snapshot_is_published_when_it_is_due_and_a_ledger_goes_on_from_it() {
    let mut scene = Scene::new(24, false).await;
    assert_eq!(scene.hub.poll().await.unwrap(), []);
    pass(&scene.stage, SNAPSHOT_DUE_S).await;
    let mut watcher = scene.watcher();
    assert_eq!(scene.hub.poll().await.unwrap(), [HubReport::SnapshotPublished { seq: 2 }]);
    assert_eq!(scene.hub.poll().await.unwrap(), []);
    let verdict = SnapshotVerdict::True;
    let reports = watcher.poll().await.unwrap();
    assert_eq!(reports.last(), Some(&WatchReport::Snapshot { seq: 2, verdict }));

    let plan = plan_of(&scene.stage, 3, 0, scene.second.inbox_to);
    let records = vec![record(0, 63, 0, 0)];
    scene.hub.commit(&BatchPlan { records, ..plan }).await.unwrap();
    let mut restored = scene.watcher().from_snapshot();
    let valid = WatchReport::Valid { seq: 3, count: 1 };
    assert_eq!(
        restored.poll().await.unwrap(),
        [valid.clone(), WatchReport::Snapshot { seq: 2, verdict }]
    );
    assert_eq!(restored.state(3), scene.hub.watcher().state(3));
    assert_eq!(restored.state(1), None);
    assert_eq!(watcher.poll().await.unwrap(), [valid]);
}

#[tokio::test]
async fn a_snapshot_that_a_crash_cut_short_is_continued() {
    let scene = Scene::new(25, false).await;
    pass(&scene.stage, SNAPSHOT_DUE_S).await;
    let accounts = scene.accounts();
    scene.publish(0, &accounts[..1]).await;
    let mut watcher = scene.watcher();
    let reports = watcher.poll().await.unwrap();
    assert!(!reports.iter().any(|report| matches!(report, WatchReport::Snapshot { .. })));
    // A new hub that knows only the chain.
    let mut hub = hub(&scene.stage);
    assert_eq!(hub.poll().await.unwrap(), [HubReport::SnapshotPublished { seq: 2 }]);
    let verdict = SnapshotVerdict::True;
    assert_eq!(watcher.poll().await.unwrap(), [WatchReport::Snapshot { seq: 2, verdict }]);
    let parts = &watcher.view().snapshot().unwrap().parts;
    let covered: Vec<_> = parts.iter().map(|part| part.accounts.clone()).collect();
    assert_eq!(covered, [0..1, 1..u32::try_from(accounts.len()).unwrap()]);
    assert_eq!(hub.poll().await.unwrap(), []);
}

#[tokio::test]
async fn a_false_snapshot_is_struck_down_and_restores_nothing() {
    let mut scene = Scene::new(26, false).await;
    pass(&scene.stage, SNAPSHOT_DUE_S).await;
    let mut accounts = scene.accounts();
    let last = accounts.len() - 1;
    accounts[last].payable_micro += 10_000;
    scene.publish(0, &accounts[..last]).await;
    scene.publish(1, &accounts[last..]).await;
    // Who begins with it finds that it is not what the header says, and judges everything.
    let ledger = scene.stage.ledger.clone();
    let mut looking = Watcher::new(ledger, FollowOptions::default(), None).from_snapshot();
    let looked = looking.poll().await.unwrap();
    let mut watcher = scene.watcher();
    let reports = watcher.poll().await.unwrap();
    let participant = ParticipantNumber(u32::try_from(last).unwrap());
    let Some(WatchReport::Snapshot { seq: 2, verdict }) = reports.last() else {
        panic!("{reports:?}")
    };
    let SnapshotVerdict::False { participant: found, cancelled: Some(_) } = *verdict else {
        panic!("{verdict:?}")
    };
    assert_eq!(found, participant);
    assert_eq!(watcher.poll().await.unwrap(), []);
    assert_eq!(watcher.view().snapshot(), None);
    let valid =
        |seq: u64| WatchReport::Valid { seq, count: watcher.state(seq).unwrap().header().count };
    let verdict = SnapshotVerdict::False { participant, cancelled: None };
    assert_eq!(looked, [valid(1), valid(2), WatchReport::Snapshot { seq: 2, verdict }]);
    // A true one takes its place at once.
    assert_eq!(scene.hub.poll().await.unwrap(), [HubReport::SnapshotPublished { seq: 2 }]);
    let verdict = SnapshotVerdict::True;
    assert_eq!(watcher.poll().await.unwrap(), [WatchReport::Snapshot { seq: 2, verdict }]);
    // The next one of the same accounts is judged again.
    pass(&scene.stage, SNAPSHOT_DUE_S).await;
    scene.publish(0, &accounts).await;
    let reports = watcher.poll().await.unwrap();
    let [WatchReport::Snapshot { seq: 2, verdict: SnapshotVerdict::False { cancelled, .. } }] =
        reports[..]
    else {
        panic!("{reports:?}")
    };
    assert!(cancelled.is_some());
}

/// In blobs a part begins at the first field element, whichever account it begins with.
#[tokio::test]
async fn a_snapshot_in_blobs_is_judged_too() {
    let scene = Scene::new(27, false).await;
    pass(&scene.stage, SNAPSHOT_DUE_S).await;
    let truth = scene.accounts();
    let mut lie = truth.clone();
    let last = lie.len() - 1;
    lie[last].payable_micro += 10_000;
    let node = BeaconNode::new(&scene.stage.node.address, EndpointOptions::default()).unwrap();
    let mut watcher = scene.watcher().with_blobs_from(vec![BlobSource::Beacon(node)]);
    for (accounts, is_true) in [(lie, false), (truth, true)] {
        // The first account in calldata, the others in a blob.
        scene.publish(0, &accounts[..1]).await;
        let header = scene.hub.watcher().state(2).unwrap().header().clone();
        let sidecar = BlobSidecar::new(&pack_snapshot_blobs(&accounts[1..])).unwrap();
        let ledger = &scene.stage.ledger;
        let call = ledger.commit_snapshot_blobs_call(&header, 1, Arc::new(sidecar));
        scene.stage.send(call).await.unwrap();
        let reports = watcher.poll().await.unwrap();
        let Some(WatchReport::Snapshot { seq: 2, verdict }) = reports.last() else {
            panic!("{reports:?}")
        };
        match verdict {
            SnapshotVerdict::True => assert!(is_true),
            SnapshotVerdict::False { participant, cancelled: Some(_) } => {
                assert!(!is_true);
                assert_eq!(participant.0, u32::try_from(last).unwrap());
            }
            other => panic!("{other:?}"),
        }
    }
    let node = BeaconNode::new(&scene.stage.node.address, EndpointOptions::default()).unwrap();
    let mut restored =
        scene.watcher().from_snapshot().with_blobs_from(vec![BlobSource::Beacon(node)]);
    restored.poll().await.unwrap();
    assert_eq!(restored.state(2), scene.hub.watcher().state(2));
    assert_eq!(restored.state(1), None);
}
