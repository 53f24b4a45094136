//! The hub on the embedded chain: no batch twice, no demand unanswered, and what is final is paid.

use gridtally_core::party::ParticipantNumber;
use gridtally_core::period::SettlementPeriod;
use gridtally_ledger::{
    BatchArchive, BatchEvent, BlobSource, Demanded, FollowOptions, Hub, HubError, HubReport,
    Publication, SendError, Signatures, WantedRecord, Watcher,
};
use gridtally_settlement::{
    BatchPlan, Code, DataKind, Domain, Rule, SignedReading, WithdrawalPolicy, pack_calldata,
};

use super::stage::{Stage, state_after};
use super::town::{Committed, Data, record};
use crate::node::Node;
use crate::town::key;

/// The window and a second.
const WINDOW_OVER_S: u64 = 7 * 86_400 + 1;
/// The days of grace after an answer, and a second.
const GRACE_OVER_S: u64 = 2 * 86_400 + 1;

/// The meters of a stage, which all have one key.
pub(crate) struct Meters(pub(crate) Domain);

impl Signatures for Meters {
    fn signature(&self, reading: &SignedReading) -> Option<Vec<u8>> {
        Some(signed(reading, &self.0))
    }
}

/// Returns the signature of the meters over a reading.
pub(crate) fn signed(reading: &SignedReading, domain: &Domain) -> Vec<u8> {
    key(1).sign(reading.digest(domain)).as_bytes().to_vec()
}

/// Returns a hub that knows nothing yet, as after a start.
pub(crate) fn hub(stage: &Stage) -> Hub<Meters> {
    let watcher = Watcher::new(stage.ledger.clone(), FollowOptions::default(), None);
    Hub::new(watcher, stage.officer(), Meters(stage.ledger.deployment().domain()))
}

pub(crate) fn plan(batch: &Committed) -> BatchPlan {
    BatchPlan {
        period: batch.header.period,
        run: batch.header.run,
        part: batch.header.part,
        account_count: batch.header.account_count,
        inbox_to: batch.header.inbox_to,
        records: batch.leaves.iter().map(|leaf| leaf.record).collect(),
    }
}

pub(crate) async fn pass(stage: &Stage, seconds: u64) {
    let now_s = stage.node.client.block_latest().await.unwrap().timestamp;
    stage.node.mine_at(now_s + seconds).await;
}

#[tokio::test]
async fn a_batch_is_committed_once_however_often_it_is_asked_for() {
    let mut stage = Stage::new(Node::embedded().await, 11).await;
    let mut first = hub(&stage);
    for seq in 1..=3 {
        let planned = plan(&stage.next_batch().await);
        let header = first.commit(&planned).await.unwrap();
        assert_eq!(first.commit(&planned).await.unwrap(), header);
        // A hub that was killed after the commit, and one that was started by mistake.
        assert_eq!(hub(&stage).commit(&planned).await.unwrap(), header);
        assert_eq!(first.watcher().view().batches().len() as u64, seq);
        stage.town.state = first.watcher().state(seq).unwrap().clone();
    }
}

/// Two periods with the same records, a heartbeat say, are two batches: the second was once taken for the first.
#[tokio::test]
async fn the_same_records_in_the_next_period_are_another_batch() {
    let mut stage = Stage::new(Node::embedded().await, 15).await;
    let mut hub = hub(&stage);
    let first = plan(&stage.next_batch().await);
    hub.commit(&first).await.unwrap();
    let heartbeat = |period| BatchPlan {
        period: SettlementPeriod(period),
        records: vec![record(0, 63, 0, 0)],
        ..first.clone()
    };
    for period in [2, 3] {
        stage.period_over(SettlementPeriod(period)).await;
        let header = hub.commit(&heartbeat(period)).await.unwrap();
        assert_eq!((header.period.0, header.seq), (period, period.into()));
    }
}

/// Nobody has to ask the hub to honor an exit, and what it sweeps leaves what the policy retains.
#[tokio::test]
async fn withdrawals_are_planned_by_the_policy_and_for_who_leaves() {
    let mut stage = Stage::new(Node::embedded().await, 16).await;
    let participants = stage.town.participants;
    assert!(participants > 1, "one who leaves, one who stays");
    let mut planned = plan(&stage.next_batch().await);
    planned.records.retain(|record| record.code() == Code::DEPOSIT);
    hub(&stage).commit(&planned).await.unwrap();
    stage.send(stage.ledger.request_exit_call(ParticipantNumber(1))).await.unwrap();
    stage.node.steer("anvil_mine", ["0x41"]).await;
    stage.period_over(SettlementPeriod(2)).await;
    let policy =
        WithdrawalPolicy { sweeps: true, retained_micro: 1_000_000_000, least_hundredths: 10 };
    let next = BatchPlan {
        period: SettlementPeriod(2),
        inbox_to: planned.inbox_to + 1,
        records: Vec::new(),
        ..planned
    };
    let mut paying = hub(&stage).paying_out(policy);
    let header = paying.commit(&next).await.unwrap();
    // After a crash it is there already.
    assert_eq!(hub(&stage).paying_out(policy).commit(&next).await.unwrap(), header);
    let state = paying.watcher().state(2).unwrap();
    let account = |number| state.accounts().get(ParticipantNumber(number));
    let before = paying.watcher().state(1).unwrap();
    let held = |number| before.accounts().get(ParticipantNumber(number)).balance.micro();
    assert_eq!(account(1).balance.micro(), held(1) % 10_000);
    for number in 2..=participants {
        assert_eq!(account(number).balance.micro(), 1_000_000_000 + held(number) % 10_000);
        let withdrawn = held(number) - account(number).balance.micro();
        assert_eq!(account(number).payable_micro, u64::try_from(withdrawn).unwrap());
    }
    assert_eq!(account(0).payable_micro, 0, "the hub keeps its own");
}

#[tokio::test]
async fn a_plan_that_breaks_a_rule_is_refused_before_anything_is_sent() {
    let mut stage = Stage::new(Node::embedded().await, 12).await;
    let mut planned = plan(&stage.next_batch().await);
    planned.records.push(record(u32::MAX, 63, 0, 1));
    let mut hub = hub(&stage);
    let refused = hub.commit(&planned).await.unwrap_err();
    let HubError::Refused(refused) = refused else { panic!("{refused}") };
    assert!(refused.to_string().ends_with(&Rule::ParticipantActive.to_string()), "{refused}");
    assert_eq!(hub.watcher().view().batches(), []);
}

#[tokio::test]
async fn every_demand_is_answered_and_what_is_final_is_paid() {
    let mut stage = Stage::new(Node::embedded().await, 13).await;
    let mut hub = hub(&stage);
    let mut planned = plan(&stage.next_batch().await);
    // Deposits only, and participant 1 takes a part of its own back.
    planned.records.retain(|record| record.code().number() == 0);
    let after = planned.records.partition_point(|record| record.participant().0 <= 1);
    planned.records.insert(after, record(1, 63, 0, 7_500));
    let header = hub.commit(&planned).await.unwrap();
    let demands = [
        Demanded::Record(header.count - 1),
        Demanded::Account(1),
        Demanded::RecordRow,
        Demanded::AccountRow,
        Demanded::RecordGroup(0),
        Demanded::AccountGroup(0),
    ];
    for demanded in demands {
        stage.send(stage.ledger.demand_call(&header, demanded)).await.unwrap();
    }
    let reports = hub.poll().await.unwrap();
    assert_eq!(reports, demands.map(|demanded| HubReport::Answered { seq: 1, demanded }));
    assert_eq!(hub.poll().await.unwrap(), []);

    pass(&stage, WINDOW_OVER_S).await;
    pass(&stage, GRACE_OVER_S).await;
    assert_eq!(hub.poll().await.unwrap(), [HubReport::Finalized { seq: 1 }]);
    assert_eq!(hub.poll().await.unwrap(), []);

    let participant = ParticipantNumber(1);
    let account = hub.watcher().state(1).unwrap().open_account(participant).unwrap();
    assert_eq!(account.leaf.payable_micro, 75_000_000);
    stage.send(stage.ledger.claim_call(&header, &account)).await.unwrap();
    let again = stage.send(stage.ledger.claim_call(&header, &account)).await;
    assert!(matches!(again, Err(SendError::Refused { .. })), "paid once");
}

#[tokio::test]
async fn a_reading_is_shown_with_the_signature_of_its_meter() {
    let mut stage = Stage::new(Node::embedded().await, 14).await;
    let mut hub = hub(&stage);
    // The first batch only takes deposits in; readings come with the next ones.
    let mut reading = None;
    let mut header = None;
    while reading.is_none() {
        let batch = stage.next_batch().await;
        let committed = hub.commit(&plan(&batch)).await.unwrap();
        reading = batch.leaves.iter().position(|leaf| leaf.record.code().is_priced());
        let seq = committed.seq;
        stage.town.state = hub.watcher().state(seq).unwrap().clone();
        header = Some(committed);
    }
    let header = header.unwrap();
    let index = u32::try_from(reading.unwrap()).unwrap();
    let demanded = Demanded::Record(index);
    stage.send(stage.ledger.demand_call(&header, demanded)).await.unwrap();
    assert_eq!(hub.poll().await.unwrap(), [HubReport::Answered { seq: header.seq, demanded }]);

    // What was shown once goes into the proof of the record.
    let record = hub.watcher().records(header.seq).unwrap()[reading.unwrap()];
    let wanted = WantedRecord {
        participant: record.participant(),
        period: header.period,
        run: header.run,
        slot: record.slot(),
        code: Some(record.code()),
    };
    let mut watcher = Watcher::new(stage.ledger.clone(), FollowOptions::default(), None);
    watcher.poll().await.unwrap();
    let proof = watcher.export_record(&wanted).await.unwrap();
    let meter = stage.ledger.meter_of(record.participant()).await.unwrap().unwrap();
    let proved = proof.check().unwrap();
    assert_eq!(proof.check_signature(&proved, &meter), Some(Ok(())));
}

/// What a hub publishes is in its archive before it is on the chain, whichever way it takes.
#[tokio::test]
async fn a_hub_publishes_in_the_cheapest_way_and_archives_first() {
    let mut stage = Stage::new(Node::embedded().await, 18).await;
    let folder = tempfile::tempdir().unwrap();
    let archive = BatchArchive::new(folder.path());
    let publications = [Publication::Cheapest, Publication::Calldata, Publication::Blobs];
    let kinds = [DataKind::Blob, DataKind::Calldata, DataKind::Blob];
    for (publication, kind) in publications.into_iter().zip(kinds) {
        let mut hub = hub(&stage).with_archive(archive.clone(), publication);
        let planned = plan(&stage.next_batch().await);
        let header = hub.commit(&planned).await.unwrap();
        assert_eq!(header.data_kind, kind);
        assert_eq!(hub.commit(&planned).await.unwrap(), header);
        if kind == DataKind::Calldata {
            let data = archive.calldata(header.data_hash).await.unwrap().unwrap();
            assert_eq!(archive.header(header.hash()).await.unwrap().unwrap(), header);
            let (leaves, tree) = archive.leaves(header.record_root).await.unwrap().unwrap();
            assert_eq!(leaves.len(), planned.records.len());
            assert_eq!(tree.root(), header.record_root);
            assert_eq!(data, pack_calldata(planned.records.iter().copied()));
        }
        stage.town.state = hub.watcher().state(header.seq).unwrap().clone();
    }
    let files = std::fs::read_dir(folder.path()).unwrap();
    let names: Vec<_> =
        files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    let count = |ending: &str| names.iter().filter(|name| name.ends_with(ending)).count();
    let endings = [".signatures", ".leaves", ".header", ".calldata", ".blob", ".blobs"];
    assert_eq!(endings.map(count), [3, 3, 3, 1, 2, 2], "{names:?}");
}

/// Six blobs in one transaction, as full batches have them, within the ceiling of gas.
#[tokio::test]
async fn a_commit_with_six_blobs_stays_within_its_ceiling() {
    let mut stage = Stage::publishing(Node::embedded().await, 19, DataKind::Blob).await;
    for blobs in [1, 6] {
        let mut batch = stage.next_batch().await;
        let Data::Blobs(published) = &mut batch.data else { panic!("in blobs") };
        published.resize(blobs, published[0].clone());
        let receipt = stage.send(stage.commit_call(&batch)).await.unwrap();
        assert!(receipt.gas_used <= 80_000, "{blobs} blobs: {} gas", receipt.gas_used);
        let header = stage.events(&receipt).into_iter().find_map(|event| match event {
            BatchEvent::Committed { header, .. } => Some(*header),
            _ => None,
        });
        stage.town.state = state_after(&batch, header.unwrap());
    }
}

/// Hands in what no meter signed.
struct Wrong;

impl Signatures for Wrong {
    fn signature(&self, _: &SignedReading) -> Option<Vec<u8>> {
        Some(vec![7; 65])
    }
}

/// A hub whose meters' signatures are lost, all but those in its archive.
struct Lost;

impl Signatures for Lost {
    fn signature(&self, _: &SignedReading) -> Option<Vec<u8>> {
        None
    }
}

#[tokio::test]
async fn signatures_in_the_archive_answer_demands_and_stand_in_proofs() {
    let mut stage = Stage::new(Node::embedded().await, 14).await;
    let folder = tempfile::tempdir().unwrap();
    let archive = BatchArchive::new(folder.path());
    let mut first = hub(&stage).with_archive(archive.clone(), Publication::Calldata);
    let (header, index, record) = loop {
        let batch = stage.next_batch().await;
        let header = first.commit(&plan(&batch)).await.unwrap();
        stage.town.state = first.watcher().state(header.seq).unwrap().clone();
        let reading = batch.leaves.iter().position(|leaf| leaf.record.code().is_priced());
        if let Some(place) = reading {
            break (header, u32::try_from(place).unwrap(), batch.leaves[place].record);
        }
    };
    let watcher = Watcher::new(stage.ledger.clone(), FollowOptions::default(), None);
    let mut looking = watcher.with_blobs_from(vec![BlobSource::Archive(archive.clone())]);
    looking.poll().await.unwrap();
    let wanted = WantedRecord {
        participant: record.participant(),
        period: header.period,
        run: header.run,
        slot: record.slot(),
        code: Some(record.code()),
    };
    let proof = looking.export_record(&wanted).await.unwrap();
    let meter = stage.ledger.meter_of(record.participant()).await.unwrap().unwrap();
    assert_eq!(proof.check_signature(&proof.check().unwrap(), &meter), Some(Ok(())));

    let demanded = Demanded::Record(index);
    stage.send(stage.ledger.demand_call(&header, demanded)).await.unwrap();
    let new_hub = || {
        let watcher = Watcher::new(stage.ledger.clone(), FollowOptions::default(), None);
        Hub::new(watcher, stage.officer(), Lost)
    };
    let seq = header.seq;
    let reports = new_hub().poll().await.unwrap();
    assert_eq!(reports, [HubReport::NoAnswer { seq, demanded }]);
    // What somebody hands in that no meter signed is not shown: the archive has better.
    let watcher = Watcher::new(stage.ledger.clone(), FollowOptions::default(), None);
    let archived = Hub::new(watcher, stage.officer(), Wrong);
    let mut archived = archived.with_archive(archive, Publication::Calldata);
    assert_eq!(archived.poll().await.unwrap(), [HubReport::Answered { seq, demanded }]);
}
