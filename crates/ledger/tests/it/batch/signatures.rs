//! A participant's watcher has its readings shown with their signatures: a hub that cannot show one loses the batch.

use gridtally_core::party::ParticipantNumber;
use gridtally_ledger::{
    Demanded, FollowOptions, Hub, HubReport, Sender, Signatures, WatchReport, Watcher,
};
use gridtally_settlement::SignedReading;

use super::hub::{hub, pass};
use super::stage::{Stage, state_after};
use super::town::Committed;
use crate::node::Node;
use crate::town::{brisk, key};

/// Two days and a second: the time for an answer is over.
const ANSWER_OVER_S: u64 = 2 * 86_400 + 1;

/// A hub that invented its readings.
struct NoMeters;

impl Signatures for NoMeters {
    fn signature(&self, _: &SignedReading) -> Option<Vec<u8>> {
        None
    }
}

/// Commits honest batches until one has a reading, and returns it.
async fn with_readings(stage: &mut Stage) -> Committed {
    loop {
        let honest = stage.next_batch().await;
        let header = stage.commit(&honest).await.unwrap();
        stage.town.state = state_after(&honest, header.clone());
        if honest.leaves.iter().any(|leaf| leaf.record.code().is_priced()) {
            return Committed { header, ..honest };
        }
    }
}

/// Returns a watcher for everybody in a batch, and the demands that it is going to make.
fn watcher(stage: &Stage, batch: &Committed) -> (Watcher, Vec<WatchReport>) {
    let sender = Sender::new(stage.node.client.clone(), key(0), brisk());
    let watcher = Watcher::new(stage.ledger.clone(), FollowOptions::default(), Some(sender));
    let everybody = (1..batch.header.account_count).map(ParticipantNumber);
    let seq = batch.header.seq;
    let records = (0..).zip(batch.leaves.iter().map(|leaf| leaf.record));
    let readings = records.filter(|(_, record)| record.code().is_priced());
    let demands = readings.map(|(index, _)| {
        let demanded = Demanded::Record(index);
        WatchReport::Demanded { seq, demanded }
    });
    (watcher.demanding_records_of(everybody), demands.collect())
}

async fn of_batch(watcher: &mut Watcher, seq: u64) -> Vec<WatchReport> {
    let reports = watcher.poll().await.unwrap();
    let is_about = |report: &WatchReport| matches!(report, WatchReport::Demanded { seq: of, .. } | WatchReport::Expired { seq: of, .. } if *of == seq);
    reports.into_iter().filter(is_about).collect()
}

#[tokio::test]
async fn every_reading_is_shown_sixteen_at_a_time() {
    let mut stage = Stage::new(Node::embedded().await, 41).await;
    let batch = with_readings(&mut stage).await;
    let (mut watcher, expected) = watcher(&stage, &batch);
    let mut hub = hub(&stage);
    let mut told = Vec::new();
    while told.len() < expected.len() {
        let new = of_batch(&mut watcher, batch.header.seq).await;
        assert!((1..=16).contains(&new.len()), "{new:?}");
        told.extend(new);
        let answers = hub.poll().await.unwrap();
        assert!(answers.iter().all(|report| matches!(report, HubReport::Answered { .. })));
    }
    assert_eq!(told, expected);
    assert_eq!(of_batch(&mut watcher, batch.header.seq).await, []);
    assert!(watcher.view().demands(batch.header.seq).all(|(_, state)| state.answer.is_some()));
}

#[tokio::test]
async fn a_reading_that_no_meter_signed_costs_the_batch() {
    let mut stage = Stage::new(Node::embedded().await, 42).await;
    let batch = with_readings(&mut stage).await;
    let seq = batch.header.seq;
    let (mut watcher, _) = watcher(&stage, &batch);
    let knowing = Watcher::new(stage.ledger.clone(), FollowOptions::default(), None);
    let mut hub = Hub::new(knowing, stage.officer(), NoMeters);
    assert!(!of_batch(&mut watcher, seq).await.is_empty());
    let answers = hub.poll().await.unwrap();
    assert!(answers.iter().all(|report| matches!(report, HubReport::NoAnswer { .. })));
    pass(&stage, ANSWER_OVER_S).await;
    let reports = of_batch(&mut watcher, seq).await;
    assert!(matches!(reports.last(), Some(WatchReport::Expired { .. })), "{reports:?}");
    watcher.poll().await.unwrap();
    assert!(watcher.view().batches().iter().all(|batch| batch.header.seq < seq));
}

/// Hands in what no meter signed.
struct Wrong;

impl Signatures for Wrong {
    fn signature(&self, _: &SignedReading) -> Option<Vec<u8>> {
        Some(vec![7; 65])
    }
}

/// A wrong signature ended all of the hub's work: no other demand was answered, and every batch with one fell.
#[tokio::test]
async fn a_wrong_signature_keeps_no_other_demand_from_its_answer() {
    let mut stage = Stage::new(Node::embedded().await, 44).await;
    let batch = with_readings(&mut stage).await;
    let seq = batch.header.seq;
    let (mut watcher, _) = watcher(&stage, &batch);
    assert!(!of_batch(&mut watcher, seq).await.is_empty());
    let row = Demanded::AccountRow;
    stage.send(stage.ledger.demand_call(&batch.header, row)).await.unwrap();
    let knowing = Watcher::new(stage.ledger.clone(), FollowOptions::default(), None);
    let reports = Hub::new(knowing, stage.officer(), Wrong).poll().await.unwrap();
    assert!(reports.contains(&HubReport::Answered { seq, demanded: row }), "{reports:?}");
    let not_shown = reports.iter().filter(|report| matches!(report, HubReport::NoAnswer { .. }));
    assert_eq!(not_shown.count(), reports.len() - 1, "{reports:?}");
}
