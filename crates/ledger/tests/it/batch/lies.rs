//! Endpoints that reorder, repeat, drop and invent, beacon nodes that lie or are silent, clocks that are off: a watcher says what is
//! wrong or comes to the same verdict, and once the truth is told, it goes on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use alloy_primitives::hex;
use gridtally_ledger::{
    BatchArchive, BatchLedger, BeaconNode, BlobSource, FollowOptions, Hub, HubReport, Outcome,
    Sender, WatchReport, Watcher,
};
use gridtally_settlement::{BLOB_LENGTH, DataKind, versioned_hashes};
use serde_json::Value;

use super::hub::{Meters, pass, plan};
use super::stage::{Stage, state_after};
use super::town::{Committed, Data};
use crate::hostile::{Hostile, Reply, impatient};
use crate::node::Node;
use crate::proxy::{Fate, Proxy};
use crate::town::{OFFICER, brisk, key};

/// What becomes of a true answer.
type Lie = fn(&mut Value);

async fn commit(stage: &mut Stage) -> Committed {
    let honest = stage.next_batch().await;
    let header = stage.commit(&honest).await.unwrap();
    stage.town.state = state_after(&honest, header.clone());
    Committed { header, ..honest }
}

/// Returns a ledger behind a proxy that lies as long as the flag is set.
async fn behind(
    stage: &Stage,
    method: &'static str,
    lie: Lie,
) -> (BatchLedger, Proxy, Arc<AtomicBool>) {
    let lies = Arc::new(AtomicBool::new(true));
    let flag = Arc::clone(&lies);
    let proxy = Proxy::start(&stage.node, move |asked, _, _| {
        if asked == method && flag.load(Ordering::SeqCst) {
            Fate::Edited(lie)
        } else {
            Fate::Passed
        }
    })
    .await;
    let deployment = *stage.ledger.deployment();
    lies.store(false, Ordering::SeqCst);
    let ledger = BatchLedger::at(proxy.client.clone(), deployment.core, deployment.block).await;
    lies.store(true, Ordering::SeqCst);
    (ledger.unwrap(), proxy, lies)
}

fn logs(value: &mut Value) -> &mut Vec<Value> {
    value.as_array_mut().unwrap()
}

#[tokio::test]
async fn an_endpoint_that_reorders_repeats_or_drops_leads_nobody_astray() {
    let ways: [(&str, Lie); 6] = [
        ("reversed", |value| logs(value).reverse()),
        ("repeated", |value| {
            let again = logs(value).clone();
            logs(value).extend(again);
        }),
        ("the last one dropped", |value| {
            logs(value).pop();
        }),
        ("the first one dropped", |value| {
            if !logs(value).is_empty() {
                logs(value).remove(0);
            }
        }),
        ("all dropped", |value| logs(value).clear()),
        ("two exchanged", |value| {
            let count = logs(value).len();
            if count > 1 {
                logs(value).swap(count - 1, count - 2);
            }
        }),
    ];
    let mut stage = Stage::new(Node::embedded().await, 51).await;
    let mut truth = Vec::new();
    for seq in 1..=2 {
        let count = commit(&mut stage).await.header.count;
        truth.push(WatchReport::Valid { seq, count });
    }
    for (name, lie) in ways {
        let (ledger, _proxy, lies) = behind(&stage, "eth_getLogs", lie).await;
        let mut watcher = Watcher::new(ledger, FollowOptions::default(), None);
        let mut told = Vec::new();
        for _ in 0..2 {
            match watcher.poll().await {
                Ok(reports) => told.extend(reports),
                Err(error) => assert!(!error.to_string().is_empty(), "{name}"),
            }
        }
        assert!(truth.starts_with(&told), "{name}: {told:?}");
        lies.store(false, Ordering::SeqCst);
        told.extend(watcher.poll().await.unwrap_or_else(|error| panic!("{name}: {error}")));
        assert_eq!(told, truth, "{name}");
        assert_eq!(watcher.state(2), Some(&stage.town.state), "{name}");
    }
}

#[tokio::test]
async fn a_beacon_node_that_lies_or_is_silent_does_not_stop_a_watcher_with_an_archive() {
    let stage = Stage::publishing(Node::embedded().await, 52, DataKind::Blob);
    let mut stage = stage.await;
    let batch = commit(&mut stage).await;
    let valid = [WatchReport::Valid { seq: 1, count: batch.header.count }];
    let folder = tempfile::tempdir().unwrap();
    let archive = BatchArchive::new(folder.path());
    let Data::Blobs(blobs) = &batch.data else { panic!("in blobs") };
    archive.keep_blobs(blobs, &versioned_hashes(blobs).unwrap()).await.unwrap();
    let body = |text: &str| Reply::Body(text.to_owned());
    let genesis = || body(r#"{"data":{"genesis_time":"0"}}"#);
    let spec = || body(r#"{"data":{"SECONDS_PER_SLOT":"12"}}"#);
    let other = format!(r#"{{"data":["{}"]}}"#, hex::encode_prefixed([0; BLOB_LENGTH]));
    let scripts = [
        vec![genesis(), spec(), body(&other)],
        vec![genesis(), spec(), body(r#"{"data":["0x00"]}"#)],
        vec![genesis(), spec(), body("{}")],
        vec![genesis(), spec(), Reply::Drop],
        vec![genesis(), spec(), Reply::Endless],
        vec![genesis(), body("[]")],
        vec![Reply::Silence],
        vec![Reply::Status(500)],
    ];
    for script in scripts {
        let server = Hostile::start(script.clone());
        let beacon = || {
            let options = gridtally_ledger::EndpointOptions {
                answer_bytes_max: 1 << 20,
                request_timeout: Duration::from_millis(300),
                ..impatient()
            };
            BlobSource::Beacon(BeaconNode::new(&server.address, options).unwrap())
        };
        let watcher = |sources| {
            let options = FollowOptions::default();
            Watcher::new(stage.ledger.clone(), options, None).with_blobs_from(sources)
        };
        let alone = watcher(vec![beacon()]).poll().await;
        assert!(alone.is_err(), "{alone:?}");
        let mut with = watcher(vec![beacon(), BlobSource::Archive(archive.clone())]);
        assert_eq!(with.poll().await.unwrap(), valid);
    }
}

/// Only the chain's time counts, and what is too early is refused by the contract: an endpoint whose clock is off costs time, no batch.
#[tokio::test]
async fn a_clock_that_is_off_makes_nothing_final_too_early_and_loses_nothing() {
    let future: Lie = |block| shift(block, 30 * 86_400);
    let past: Lie = |block| shift(block, -30 * 86_400);
    for lie in [future, past] {
        let mut stage = Stage::new(Node::embedded().await, 53).await;
        let planned = plan(&stage.next_batch().await);
        let (ledger, proxy, lies) = behind(&stage, "eth_getBlockByNumber", lie).await;
        let sender = Sender::new(proxy.client.clone(), key(OFFICER), brisk());
        let watcher = Watcher::new(ledger.clone(), FollowOptions::default(), None);
        let mut hub = Hub::new(watcher, sender, Meters(ledger.deployment().domain()));
        let header = hub.commit(&planned).await.unwrap();
        assert_eq!(hub.poll().await.unwrap(), []);
        assert!(!hub.watcher().view().batches()[0].is_final);
        pass(&stage, 7 * 86_400 + 1).await;
        let reports = hub.poll().await.unwrap();
        lies.store(false, Ordering::SeqCst);
        let later = hub.poll().await.unwrap();
        let all = [reports, later].concat();
        let finals = all.iter().filter(|report| matches!(report, HubReport::Finalized { seq: 1 }));
        assert_eq!(finals.count(), 1, "{all:?}");
        // A true snapshot that comes early harms nobody.
        let is_harmless = |report: &HubReport| {
            matches!(report, HubReport::Finalized { .. } | HubReport::SnapshotPublished { .. })
        };
        assert!(all.iter().all(is_harmless), "{all:?}");
        assert_eq!(hub.watcher().view().batches()[0].header, header);
    }
}

fn shift(block: &mut Value, seconds: i64) {
    let text = block["timestamp"].as_str().unwrap();
    let time_s = i64::from_str_radix(text.trim_start_matches("0x"), 16).unwrap() + seconds;
    block["timestamp"] = Value::from(format!("{time_s:#x}"));
}

/// Deposits have no hash that a header keeps: an endpoint that invents one raises a false alarm, but the contract believes nobody.
#[tokio::test]
async fn an_endpoint_that_invents_makes_no_watcher_cancel_an_honest_batch() {
    let mut stage = Stage::new(Node::embedded().await, 55).await;
    for _ in 0..2 {
        commit(&mut stage).await;
    }
    let lie: Lie = |value| {
        for log in logs(value) {
            let data = log["data"].as_str().unwrap().to_owned();
            if data.len() > 2 {
                let end = if data.ends_with('0') { "1" } else { "0" };
                log["data"] = Value::from(format!("{}{end}", &data[..data.len() - 1]));
            }
        }
    };
    let (ledger, proxy, _lies) = behind(&stage, "eth_getLogs", lie).await;
    let sender = Sender::new(proxy.client.clone(), key(0), brisk());
    let mut watcher = Watcher::new(ledger, FollowOptions::default(), Some(sender));
    for _ in 0..3 {
        if let Ok(reports) = watcher.poll().await {
            let is_cancelled = |report: &WatchReport| {
                matches!(report, WatchReport::Fraud { outcome: Outcome::Cancelled(_), .. })
            };
            assert!(!reports.iter().any(is_cancelled), "{reports:?}");
        }
    }
    assert_eq!(stage.ledger.head_seq().await.unwrap(), 2);
    let mut honest = Watcher::new(stage.ledger.clone(), FollowOptions::default(), None);
    honest.poll().await.unwrap();
    assert_eq!(honest.state(2), Some(&stage.town.state));
}

/// Whoever acts while an endpoint lies about what is pending strikes nothing down that is right.
#[tokio::test]
async fn a_lying_endpoint_makes_no_watcher_cancel_an_honest_batch() {
    let mut stage = Stage::new(Node::embedded().await, 54).await;
    let batch = commit(&mut stage).await;
    // The published bytes are not those that were committed: one value is another.
    let lie: Lie = |transaction| {
        let Some(input) = transaction["input"].as_str().map(str::to_owned) else { return };
        if input.len() > 200 {
            let place = input.len() - 66;
            let digit = if &input[place..=place] == "0" { "1" } else { "0" };
            let changed = format!("{}{digit}{}", &input[..place], &input[place + 1..]);
            transaction["input"] = Value::from(changed);
        }
    };
    let (ledger, proxy, lies) = behind(&stage, "eth_getTransactionByHash", lie).await;
    let sender = Sender::new(proxy.client.clone(), key(0), brisk());
    let mut watcher = Watcher::new(ledger, FollowOptions::default(), Some(sender));
    let told = watcher.poll().await.unwrap();
    assert_eq!(told, [WatchReport::DataMissing { seq: 1 }]);
    lies.store(false, Ordering::SeqCst);
    let count = batch.header.count;
    assert_eq!(watcher.poll().await.unwrap(), [WatchReport::Valid { seq: 1, count }]);
}
