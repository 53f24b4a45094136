//! Ledgers with open and sealed batches, and snapshots of sealed ones: nobody cries fraud over what it cannot see, and what can be
//! seen to be wrong falls.

use gridtally_core::party::ParticipantNumber;
use gridtally_core::quantity::Amount;
use gridtally_ledger::{
    Demanded, HubReport, Outcome, SectionReader, SectionSource, SnapshotVerdict, WatchReport,
};
use gridtally_settlement::{Rule, WithdrawalPolicy};

use super::hub::{pass, plan};
use super::sealed::commit_honest;
use super::sealed_stage::{HOUSEHOLD, OWN, SealedStage};
use super::stage::state_after;
use super::town::Committed;

const WINDOW_OVER_S: u64 = 7 * 86_400 + 1;
const SNAPSHOT_DUE_S: u64 = 14 * 86_400 + 1;

/// Commits the next batch in the open, changed.
async fn commit_open(stage: &mut SealedStage, change: impl FnOnce(&mut Committed)) -> Committed {
    let mut batch = stage.stage.next_batch().await;
    change(&mut batch);
    let header = stage.stage.commit(&batch).await.unwrap();
    Committed { header, ..batch }
}

async fn commit_open_honest(stage: &mut SealedStage) -> Committed {
    let batch = commit_open(stage, |_| {}).await;
    stage.stage.town.state = state_after(&batch, batch.header.clone());
    batch
}

/// What a report says of which batch.
fn said(report: &WatchReport) -> String {
    match report {
        WatchReport::Valid { seq, .. } => format!("{seq} valid"),
        WatchReport::Sealed { seq, read, withheld, .. } => {
            format!("{seq} sealed {read} {withheld}")
        }
        WatchReport::Partly { seq, .. } => format!("{seq} partly"),
        WatchReport::Demanded { seq, demanded } => format!("{seq} {demanded}"),
        WatchReport::Fraud { seq, rule, outcome: Outcome::Cancelled(_), .. } => {
            format!("{seq} fell by {rule}")
        }
        other => format!("{other:?}"),
    }
}

async fn told(watcher: &mut gridtally_ledger::Watcher) -> Vec<String> {
    watcher.poll().await.unwrap().iter().map(said).collect()
}

#[tokio::test]
async fn open_and_sealed_batches_follow_each_other() {
    let mut stage = SealedStage::new(71).await;
    commit_open_honest(&mut stage).await;
    commit_honest(&mut stage, 1).await;
    commit_open_honest(&mut stage).await;
    commit_honest(&mut stage, 1).await;
    let read = stage.stage.town.state.header().account_count;
    let public = ["1 valid", "2 sealed 0 0", "3 partly", "4 sealed 0 0"];
    assert_eq!(told(&mut stage.public(None)).await, public);
    assert_eq!(told(&mut stage.auditor()).await, ["1 valid", "2 valid", "3 valid", "4 valid"]);
    // Whoever reads for everybody, in whatever order, judges as the auditor does.
    let everybody = (0..read).rev().chain([0, 1, 999]).map(ParticipantNumber).collect();
    let mut everybody = stage.reading(SectionReader::Participants(everybody));
    assert_eq!(told(&mut everybody).await, ["1 valid", "2 valid", "3 valid", "4 valid"]);
    let own = ["1 valid", "2 sealed 1 0", "3 partly", "4 sealed 1 0"];
    assert_eq!(told(&mut stage.own()).await, own);
    assert!(read > 1);

    // What the public can see to be wrong, it has shown and proves.
    let wrong = commit_open(&mut stage, |batch| {
        batch.header.hub_balance = Amount::from_micro(1);
    })
    .await;
    let mut watcher = stage.public(Some(HOUSEHOLD));
    let reports = told(&mut watcher).await;
    assert_eq!(reports.last().unwrap(), "5 group 0 of the records");
    let leaves = wrong.leaves.iter().flat_map(|leaf| leaf.preimage()[1..].to_vec()).collect();
    let demanded = Demanded::RecordGroup(0);
    let call = stage.stage.ledger.answer_group_call(&wrong.header, demanded, leaves, &[]);
    stage.stage.send(call).await.unwrap();
    assert_eq!(told(&mut watcher).await, [format!("5 fell by {}", Rule::HubBalanceRuns)]);
    // The auditor needs no demand.
    assert_eq!(told(&mut stage.auditor()).await.len(), 4);
}

/// The hub publishes hashes, and anybody compares them.
#[tokio::test]
async fn snapshots_of_sealed_batches_are_published_and_judged() {
    let mut stage = SealedStage::new(72).await;
    commit_honest(&mut stage, 2).await;
    let mut hub = stage.hub();
    pass(&stage.stage, WINDOW_OVER_S).await;
    hub.poll().await.unwrap();
    let header = hub.watcher().view().batches()[1].header.clone();
    pass(&stage.stage, SNAPSHOT_DUE_S).await;

    // A false one falls, whoever looks.
    let ledger = &stage.stage.ledger;
    let hashes = hub.watcher().state(2).unwrap().account_hashes().concat();
    stage
        .stage
        .tentatively(async || {
            let mut wrong = hashes.clone();
            wrong[40] ^= 1;
            stage.stage.send(ledger.commit_snapshot_call(&header, 0, wrong)).await.unwrap();
            let reports = stage.public(Some(HOUSEHOLD)).poll().await.unwrap();
            let Some(WatchReport::Snapshot { seq: 2, verdict }) = reports.last() else {
                panic!("{reports:?}")
            };
            let SnapshotVerdict::False { participant, cancelled } = verdict else {
                panic!("{verdict:?}")
            };
            assert_eq!(*participant, OWN);
            assert!(cancelled.is_some());
        })
        .await;

    let reports = stage.hub().poll().await.unwrap();
    assert_eq!(reports, [HubReport::SnapshotPublished { seq: 2 }]);
    for mut watcher in [stage.public(None), stage.auditor(), stage.public(None).from_snapshot()] {
        let reports = watcher.poll().await.unwrap();
        let verdict = SnapshotVerdict::True;
        assert_eq!(reports.last(), Some(&WatchReport::Snapshot { seq: 2, verdict }));
    }
    // From a snapshot on, what came before is not looked at.
    commit_honest(&mut stage, 1).await;
    let mut watcher = stage.public(None).from_snapshot();
    assert_eq!(told(&mut watcher).await[0], "3 sealed 0 0");
}

/// Withdrawals by the policy work on sealed accounts, and a hub goes on after old sections are erased.
#[tokio::test]
async fn a_hub_goes_on_after_it_erased_old_sections() {
    let mut stage = SealedStage::new(73).await;
    commit_honest(&mut stage, 2).await;
    pass(&stage.stage, WINDOW_OVER_S).await;
    stage.hub().poll().await.unwrap();
    let mut hub = stage.hub();
    hub.poll().await.unwrap();
    let first = hub.watcher().view().batches()[0].header.clone();
    let all: Vec<_> = (0..first.account_count).map(ParticipantNumber).collect();
    stage.store().erase(&first, &all).unwrap();
    // It says so, and what it cannot read does not count as withheld.
    let source = SectionSource::Store(stage.store());
    let mut reader = stage.public(None).with_sections(source, SectionReader::Auditor);
    let reports = reader.poll().await.unwrap();
    let erased = |report: &WatchReport| matches!(report, WatchReport::Sealed { seq: 1, withheld: 0, read: 0, erased, .. } if *erased == first.account_count);
    assert!(erased(&reports[0]), "{reports:?}");
    let planned = plan(&stage.stage.next_batch().await);
    let mut hub = stage.hub().paying_out(WithdrawalPolicy::LEAVING_ONLY);
    let header = hub.commit_sealed(&planned).await.unwrap();
    assert_eq!(header.seq, 3);
    assert_eq!(stage.hub().commit_sealed(&planned).await.unwrap(), header);
}
