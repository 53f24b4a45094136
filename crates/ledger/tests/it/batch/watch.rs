//! The watcher on the embedded chain: honest batches pass, wrong ones fall, and what nobody can open expires.

use std::slice;

use gridtally_core::quantity::Amount;
use gridtally_ledger::{
    BatchArchive, BatchLedger, BeaconNode, BlobSource, Demanded, EndpointOptions, FollowOptions,
    Outcome, Sender, WatchReport, Watcher,
};
use gridtally_settlement::{DataKind, Place, Rule, Tree, versioned_hashes};

use super::mutation::recommit;
use super::stage::{Stage, state_after};
use super::town::{Committed, Data};
use crate::node::Node;
use crate::proxy::{Fate, Proxy};
use crate::town::{brisk, key};

/// A day and a second, twice: the time for an answer is over.
const ANSWER_OVER_S: u64 = 2 * 86_400 + 1;

async fn watcher(stage: &Stage, is_active: bool) -> Watcher {
    let sender = is_active.then(|| Sender::new(stage.node.client.clone(), key(0), brisk()));
    Watcher::new(stage.ledger.clone(), FollowOptions::default(), sender)
}

/// Commits the next batch as it should be.
async fn commit_honest(stage: &mut Stage) -> Committed {
    let honest = stage.next_batch().await;
    let header = stage.commit(&honest).await.unwrap();
    stage.town.state = state_after(&honest, header.clone());
    Committed { header, ..honest }
}

/// Plans the next batch and commits another one in its place.
async fn commit_changed(stage: &mut Stage, change: impl FnOnce(&mut Committed)) -> Committed {
    let mut batch = stage.next_batch().await;
    change(&mut batch);
    let header = stage.commit(&batch).await.unwrap();
    Committed { header, ..batch }
}

#[tokio::test]
async fn honest_batches_are_valid_and_a_wrong_one_falls_before_the_next() {
    let mut stage = Stage::new(Node::embedded().await, 5).await;
    let mut watcher = watcher(&stage, true).await;
    for seq in 1..=3 {
        let batch = commit_honest(&mut stage).await;
        let count = batch.header.count;
        assert_eq!(watcher.poll().await.unwrap(), [WatchReport::Valid { seq, count }]);
        assert_eq!(watcher.state(seq), Some(&stage.town.state));
    }
    let wrong = commit_changed(&mut stage, |batch| {
        batch.header.hub_balance = Amount::from_micro(1);
    })
    .await;
    let reports = watcher.poll().await.unwrap();
    let [WatchReport::Fraud { seq: 4, rule: Rule::HubBalanceRuns, place, outcome }] = reports[..]
    else {
        panic!("{reports:?}")
    };
    assert_eq!(place, Place::Record(wrong.header.count - 1));
    assert!(matches!(outcome, Outcome::Cancelled(_)));
    assert_eq!(watcher.poll().await.unwrap(), []);
    assert_eq!(watcher.view().batches().len(), 3);
    // An honest batch takes its place.
    let batch = commit_honest(&mut stage).await;
    assert_eq!(batch.header.seq, 4);
    let count = batch.header.count;
    assert_eq!(watcher.poll().await.unwrap(), [WatchReport::Valid { seq: 4, count }]);
}

#[tokio::test]
async fn two_watchers_do_no_harm_and_one_without_key_only_looks() {
    let mut stage = Stage::new(Node::embedded().await, 6).await;
    let mut looking = watcher(&stage, false).await;
    let (mut first, mut second) = (watcher(&stage, true).await, watcher(&stage, true).await);
    commit_changed(&mut stage, |batch| {
        batch.header.hub_balance = Amount::from_micro(1);
    })
    .await;
    let outcome = |reports: &[WatchReport]| match reports {
        [WatchReport::Fraud { outcome, .. }] => Some(*outcome),
        // The other one was faster, and the batch is gone already.
        [] => None,
        other => panic!("{other:?}"),
    };
    assert_eq!(outcome(&looking.poll().await.unwrap()), Some(Outcome::Seen));
    let found = outcome(&first.poll().await.unwrap());
    assert!(matches!(found, Some(Outcome::Cancelled(_))), "{found:?}");
    assert_eq!(outcome(&second.poll().await.unwrap()), None);
    assert_eq!(outcome(&looking.poll().await.unwrap()), None);
}

#[tokio::test]
async fn a_root_that_nobody_can_open_expires() {
    let mut stage = Stage::new(Node::embedded().await, 7).await;
    let mut watcher = watcher(&stage, true).await;
    commit_changed(&mut stage, |batch| {
        batch.header.account_root = alloy_primitives::keccak256(b"nobody knows");
    })
    .await;
    let demanded = Demanded::AccountGroup(0);
    assert_eq!(watcher.poll().await.unwrap(), [WatchReport::Demanded { seq: 1, demanded }]);
    assert_eq!(watcher.poll().await.unwrap(), []);
    let now_s = stage.node.client.block_latest().await.unwrap().timestamp;
    stage.node.mine_at(now_s + ANSWER_OVER_S).await;
    assert_eq!(watcher.poll().await.unwrap(), [WatchReport::Expired { seq: 1, demanded }]);
    assert_eq!(watcher.poll().await.unwrap(), []);
    assert_eq!(watcher.view().batches(), []);
}

#[tokio::test]
async fn what_an_answer_reveals_is_proved() {
    let mut stage = Stage::new(Node::embedded().await, 8).await;
    let mut watcher = watcher(&stage, true).await;
    let wrong = commit_changed(&mut stage, |batch| {
        batch.leaves[2].balance_after = Amount::from_micro(1);
        recommit(batch);
    })
    .await;
    let demanded = Demanded::RecordGroup(0);
    assert_eq!(watcher.poll().await.unwrap(), [WatchReport::Demanded { seq: 1, demanded }]);
    // The hub answers, since it would be slashed otherwise.
    let leaves = wrong.leaves.iter().flat_map(|leaf| leaf.preimage()[1..].to_vec()).collect();
    let call = stage.ledger.answer_group_call(&wrong.header, demanded, leaves, &[]);
    stage.send(call).await.unwrap();
    let reports = watcher.poll().await.unwrap();
    let [WatchReport::Fraud { seq: 1, rule: Rule::BalanceRuns, place, outcome }] = reports[..]
    else {
        panic!("{reports:?}")
    };
    assert_eq!(place, Place::Record(2));
    assert!(matches!(outcome, Outcome::Cancelled(_)));
}

#[tokio::test]
async fn rows_and_groups_of_accounts_are_understood() {
    let mut stage = Stage::new(Node::embedded().await, 9).await;
    let mut watcher = watcher(&stage, true).await;
    let wrong = commit_changed(&mut stage, |batch| {
        batch.accounts[1].payable_micro += 10_000;
        recommit(batch);
    })
    .await;
    let demanded = Demanded::AccountGroup(0);
    assert_eq!(watcher.poll().await.unwrap(), [WatchReport::Demanded { seq: 1, demanded }]);
    let accounts = wrong.accounts.iter().flat_map(|leaf| leaf.preimage()[5..].to_vec()).collect();
    stage
        .send(stage.ledger.answer_group_call(&wrong.header, demanded, accounts, &[]))
        .await
        .unwrap();
    let hashes = wrong.accounts.iter().map(gridtally_settlement::AccountLeaf::hash).collect();
    assert_eq!(Tree::new(hashes).unwrap().root(), wrong.header.account_root);
    let reports = watcher.poll().await.unwrap();
    let [WatchReport::Fraud { seq: 1, rule: Rule::AccountsFollow, .. }] = reports[..] else {
        panic!("{reports:?}")
    };
}

/// Nobody noticed in time: it is told, and what comes after is judged on what was committed.
#[tokio::test]
async fn behind_a_wrong_batch_that_became_final_judging_goes_on() {
    let mut stage = Stage::new(Node::embedded().await, 43).await;
    let count = commit_honest(&mut stage).await.header.count;
    let wrong = commit_changed(&mut stage, |batch| {
        let micro = batch.header.hub_balance.micro() + 10_000;
        batch.header.hub_balance = Amount::from_micro(micro);
    })
    .await;
    super::hub::pass(&stage, 7 * 86_400 + 1).await;
    let first = stage.town.state.header().clone();
    for header in [&first, &wrong.header] {
        stage.send(stage.ledger.finalize_call(header)).await.unwrap();
    }
    let fraud = WatchReport::Fraud {
        seq: 2,
        rule: Rule::HubBalanceRuns,
        place: Place::Record(wrong.header.count - 1),
        outcome: Outcome::TooLate,
    };
    let mut watcher = watcher(&stage, true).await;
    let expected =
        [WatchReport::Valid { seq: 1, count }, fraud.clone(), WatchReport::Resumed { seq: 2 }];
    assert_eq!(watcher.poll().await.unwrap(), expected);
    assert_eq!(watcher.poll().await.unwrap(), []);
    // Honest on what stands there, and then dishonest again.
    stage.town.state = state_after(&wrong, wrong.header.clone());
    let count = commit_honest(&mut stage).await.header.count;
    assert_eq!(watcher.poll().await.unwrap(), [WatchReport::Valid { seq: 3, count }]);
    commit_changed(&mut stage, |batch| {
        batch.header.hub_balance = Amount::from_micro(1);
    })
    .await;
    let reports = watcher.poll().await.unwrap();
    assert!(
        matches!(reports[..], [WatchReport::Fraud { seq: 4, outcome: Outcome::Cancelled(_), .. }]),
        "{reports:?}"
    );
    assert_eq!(watcher.poll().await.unwrap(), []);
}

/// Nobody knows what is under the account root: no later batch can be judged, and that is said.
#[tokio::test]
async fn behind_a_final_batch_that_nobody_can_open_nothing_is_judged() {
    let mut stage = Stage::new(Node::embedded().await, 44).await;
    let wrong = commit_changed(&mut stage, |batch| {
        batch.header.account_root = alloy_primitives::keccak256(b"nobody knows");
    })
    .await;
    super::hub::pass(&stage, 7 * 86_400 + 1).await;
    stage.send(stage.ledger.finalize_call(&wrong.header)).await.unwrap();
    let mut watcher = watcher(&stage, true).await;
    let demanded = Demanded::AccountGroup(0);
    let expected = [WatchReport::Demanded { seq: 1, demanded }, WatchReport::NotJudged { seq: 1 }];
    assert_eq!(watcher.poll().await.unwrap(), expected);
    assert_eq!(watcher.poll().await.unwrap(), []);
}

/// A hub that is a contract hides its data from nobody: calls between contracts are traced.
#[tokio::test]
async fn a_batch_that_a_contract_commits_is_judged_too() {
    let mut stage = Stage::new(Node::embedded().await, 10).await;
    let mut watcher = watcher(&stage, true).await;
    let mut batch = stage.next_batch().await;
    batch.header.record_root = alloy_primitives::keccak256(b"nobody knows");
    // Hands everything on to the core: calldatacopy, call, stop.
    let core = stage.ledger.deployment().core;
    let code = [&hex("365f5f375f5f365f5f73")[..], core.as_slice(), &hex("5af15000")].concat();
    let hub = key(0).address();
    let code = alloy_primitives::Bytes::from(code);
    stage.node.steer("anvil_setCode", (hub, code)).await;
    let call = gridtally_ledger::Call { to: Some(hub), ..stage.commit_call(&batch) };
    Sender::new(stage.node.client.clone(), key(4), brisk()).send(call).await.unwrap();
    stage.node.steer("anvil_setCode", (hub, "0x")).await;

    let demanded = Demanded::RecordGroup(0);
    assert_eq!(watcher.poll().await.unwrap(), [WatchReport::Demanded { seq: 1, demanded }]);
}

fn hex(digits: &str) -> Vec<u8> {
    alloy_primitives::hex::decode(digits).unwrap()
}

/// Returns a watcher that reads blobs where the chain serves them.
async fn watcher_of_blobs(stage: &Stage) -> Watcher {
    let node = BeaconNode::new(&stage.node.address, EndpointOptions::default()).unwrap();
    watcher(stage, true).await.with_blobs_from(vec![BlobSource::Beacon(node)])
}

#[tokio::test]
async fn batches_in_blobs_are_judged_from_what_the_chain_serves() {
    let stage = Stage::publishing(Node::embedded().await, 15, DataKind::Blob);
    let mut stage = stage.await;
    let mut watcher = watcher_of_blobs(&stage).await;
    for seq in 1..=2 {
        let count = commit_honest(&mut stage).await.header.count;
        assert_eq!(watcher.poll().await.unwrap(), [WatchReport::Valid { seq, count }]);
        assert_eq!(watcher.state(seq), Some(&stage.town.state));
    }
    // The leaves are as they should be, but something else was published.
    commit_changed(&mut stage, |batch| {
        let Data::Blobs(blobs) = &mut batch.data else { panic!("in blobs") };
        blobs[0][11] ^= 1;
    })
    .await;
    let demanded = Demanded::RecordGroup(0);
    assert_eq!(watcher.poll().await.unwrap(), [WatchReport::Demanded { seq: 3, demanded }]);
}

#[tokio::test]
async fn a_false_amount_in_blobs_falls() {
    let stage = Stage::publishing(Node::embedded().await, 16, DataKind::Blob);
    let mut stage = stage.await;
    let mut watcher = watcher_of_blobs(&stage).await;
    commit_changed(&mut stage, |batch| {
        batch.header.hub_balance = Amount::from_micro(1);
    })
    .await;
    let reports = watcher.poll().await.unwrap();
    let [WatchReport::Fraud { seq: 1, rule: Rule::HubBalanceRuns, outcome, .. }] = reports[..]
    else {
        panic!("{reports:?}")
    };
    assert!(matches!(outcome, Outcome::Cancelled(_)));
}

#[tokio::test]
async fn blobs_that_nobody_has_are_told_and_found_later_in_an_archive() {
    let stage = Stage::publishing(Node::embedded().await, 17, DataKind::Blob);
    let mut stage = stage.await;
    let batch = commit_honest(&mut stage).await;
    let missing = WatchReport::DataMissing { seq: 1 };
    let mut without = watcher(&stage, true).await;
    assert_eq!(without.poll().await.unwrap(), slice::from_ref(&missing));

    let folder = tempfile::tempdir().unwrap();
    let archive = BatchArchive::new(folder.path().join("batches"));
    let mut watcher =
        watcher(&stage, true).await.with_blobs_from(vec![BlobSource::Archive(archive.clone())]);
    assert_eq!(watcher.poll().await.unwrap(), [missing]);
    let Data::Blobs(blobs) = &batch.data else { panic!("in blobs") };
    archive.keep_blobs(blobs, &versioned_hashes(blobs).unwrap()).await.unwrap();
    let count = batch.header.count;
    assert_eq!(watcher.poll().await.unwrap(), [WatchReport::Valid { seq: 1, count }]);
}

/// The process ends before its proof reaches the chain, or right after: the next one finds the batch standing, or gone.
#[tokio::test]
async fn a_watcher_that_dies_with_its_proof_is_followed_by_another() {
    for reaches in [false, true] {
        let mut stage = Stage::new(Node::embedded().await, 20).await;
        commit_changed(&mut stage, |batch| {
            batch.header.hub_balance = Amount::from_micro(1);
        })
        .await;
        let mut is_dead = false;
        let proxy = Proxy::start(&stage.node, move |method, _, _| {
            let is_proof = method == "eth_sendRawTransaction";
            let fate = match (is_dead, is_proof && reaches) {
                (false, true) => Fate::AnswerLost,
                (false, false) if !is_proof => Fate::Passed,
                _ => Fate::RequestLost,
            };
            is_dead |= is_proof;
            fate
        })
        .await;
        let deployment = stage.ledger.deployment();
        let ledger = BatchLedger::at(proxy.client.clone(), deployment.core, deployment.block);
        let sender = Sender::new(proxy.client.clone(), key(0), brisk());
        let options = FollowOptions::default();
        let mut dying = Watcher::new(ledger.await.unwrap(), options, Some(sender));
        assert!(dying.poll().await.is_err());

        let mut next = watcher(&stage, true).await;
        let reports = next.poll().await.unwrap();
        let has_proved = matches!(
            reports[..],
            [WatchReport::Fraud { seq: 1, outcome: Outcome::Cancelled(_), .. }]
        );
        assert_eq!(has_proved, !reaches, "{reports:?}");
        assert_eq!(next.poll().await.unwrap(), []);
        assert_eq!(next.view().batches(), []);
    }
}
