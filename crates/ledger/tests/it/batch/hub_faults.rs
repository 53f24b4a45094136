//! A hub that dies, a chain that takes back, two hubs by mistake: no batch twice, none lost.

use gridtally_ledger::{
    BatchLedger, Demanded, FollowOptions, Hub, HubError, HubReport, Sender, Watcher,
};
use gridtally_settlement::BatchPlan;
use serde_json::Value;

use super::hub::{Meters, pass, plan};
use super::stage::Stage;
use crate::node::Node;
use crate::proxy::{Fate, Proxy};
use crate::town::{OFFICER, brisk, key};

/// The window, the days of grace after an answer, and a second.
const OVER_S: u64 = 9 * 86_400 + 1;

/// Returns a hub that knows nothing yet, behind any client.
async fn hub(stage: &Stage, client: &gridtally_ledger::Client) -> Result<Hub<Meters>, String> {
    let deployment = stage.ledger.deployment();
    let ledger = BatchLedger::at(client.clone(), deployment.core, deployment.block).await;
    let ledger = ledger.map_err(|error| error.to_string())?;
    let sender = Sender::new(client.clone(), key(OFFICER), brisk());
    let watcher = Watcher::new(ledger, FollowOptions::default(), None);
    Ok(Hub::new(watcher, sender, Meters(deployment.domain())))
}

/// What a hub does with a batch, in two halves between which it is demanded of and time passes.
async fn commit_and_answer(
    hub: &mut Hub<Meters>,
    plan: &BatchPlan,
    stage: &Stage,
) -> Result<(), HubError> {
    let header = hub.commit(plan).await?;
    for demanded in [Demanded::RecordRow, Demanded::Account(0)] {
        let is_demanded = stage.ledger.is_demanded(header.hash(), demanded).await.unwrap();
        if !is_demanded {
            stage.send(stage.ledger.demand_call(&header, demanded)).await.unwrap();
        }
    }
    hub.poll().await.map(drop)
}

/// The process ends before the n-th transaction reaches the chain, or right after: the next process finds everything on the chain.
#[tokio::test]
async fn a_hub_that_dies_at_any_effect_goes_on_where_it_was() {
    // Commit, two answers, finalize.
    for effect in 0..4 {
        for reaches in [false, true] {
            let mut stage = Stage::new(Node::embedded().await, 31).await;
            let planned = plan(&stage.next_batch().await);
            let (mut sent, mut is_dead) = (0, false);
            let proxy = Proxy::start(&stage.node, move |method, _, _| {
                if is_dead {
                    return Fate::RequestLost;
                }
                if method != "eth_sendRawTransaction" {
                    return Fate::Passed;
                }
                is_dead = sent == effect;
                sent += 1;
                match (is_dead, reaches) {
                    (false, _) => Fate::Passed,
                    (true, true) => Fate::AnswerLost,
                    (true, false) => Fate::RequestLost,
                }
            })
            .await;
            let mut dying = hub(&stage, &proxy.client).await.unwrap();
            let first = commit_and_answer(&mut dying, &planned, &stage).await;
            // An answer that was carried out is told, and the next look meets the error.
            assert_eq!(first.is_ok(), effect >= 2, "effect {effect}: {first:?}");

            let mut next = hub(&stage, &stage.node.client).await.unwrap();
            commit_and_answer(&mut next, &planned, &stage).await.unwrap();
            pass(&stage, OVER_S).await;
            if effect == 3 {
                assert!(dying.poll().await.is_err());
            }
            let reports = next.poll().await.unwrap();
            let is_final = reports == [HubReport::Finalized { seq: 1 }];
            assert!(is_final || effect == 3 && reaches && reports.is_empty(), "{reports:?}");
            let batches = next.watcher().view().batches();
            assert_eq!(batches.len(), 1);
            let mut last = hub(&stage, &stage.node.client).await.unwrap();
            assert_eq!(last.poll().await.unwrap(), []);
            assert!(last.watcher().view().batches()[0].is_final);
            assert_eq!(stage.ledger.head_seq().await.unwrap(), 1);
        }
    }
}

/// The block with the commit leaves the chain, with the demand that stood on it: the hub commits again.
#[tokio::test]
async fn a_commit_that_left_the_chain_is_made_again() {
    let mut stage = Stage::new(Node::embedded().await, 32).await;
    let mut hub = hub(&stage, &stage.node.client).await.unwrap();
    let planned = plan(&stage.next_batch().await);
    let snapshot: Value = stage.node.steer("evm_snapshot", ()).await;
    let lost = hub.commit(&planned).await.unwrap();
    assert_eq!(stage.node.steer("evm_revert", [snapshot]).await, Value::Bool(true));
    stage.node.steer("anvil_mine", ["0x3"]).await;
    let header = hub.commit(&planned).await.unwrap();
    assert_eq!((header.seq, &header.record_root), (1, &lost.record_root));
    assert_eq!(stage.ledger.head_seq().await.unwrap(), 1);
    assert_eq!(hub.watcher().view().batches().len(), 1);
}

/// Whoever starts two hubs with one key by mistake loses nothing: one of them commits, the other finds that it is done.
#[tokio::test]
async fn two_hubs_with_one_key_commit_a_batch_once() {
    let mut stage = Stage::new(Node::embedded().await, 33).await;
    for seq in 1..=3 {
        let planned = plan(&stage.next_batch().await);
        let mut one = hub(&stage, &stage.node.client).await.unwrap();
        let mut other = hub(&stage, &stage.node.client).await.unwrap();
        let (first, second) = tokio::join!(one.commit(&planned), other.commit(&planned));
        assert!(first.is_ok() || second.is_ok(), "{first:?} {second:?}");
        let mut third = hub(&stage, &stage.node.client).await.unwrap();
        let header = third.commit(&planned).await.unwrap();
        assert_eq!(header.seq, seq);
        assert_eq!(stage.ledger.head_seq().await.unwrap(), seq);
        stage.town.state = third.watcher().state(seq).unwrap().clone();
    }
}
