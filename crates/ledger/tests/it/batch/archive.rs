//! The archive at work: a hub that cannot write it commits nothing, and a watcher reads from it what an endpoint hides.

use std::fs;
use std::slice;

use gridtally_ledger::{
    BatchArchive, BatchArchiveError, BatchLedger, BlobSource, FollowOptions, HubError, Publication,
    PublicationError, WatchReport, Watcher,
};
use gridtally_settlement::DataKind;
use serde_json::Value;

use super::hub::{hub, plan};
use super::stage::Stage;
use crate::node::Node;
use crate::proxy::{Fate, Proxy};

/// Once there is room the same call goes on: what was archived stays, and nothing was committed before.
#[tokio::test]
async fn a_hub_without_an_archive_to_write_commits_nothing_and_goes_on_later() {
    for publication in [Publication::Calldata, Publication::Blobs] {
        let mut stage = Stage::new(Node::embedded().await, 41).await;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("batches");
        // Where the folder should be there is a file.
        fs::write(&path, b"").unwrap();
        let archive = BatchArchive::new(&path);
        let mut hub = hub(&stage).with_archive(archive.clone(), publication);
        let planned = plan(&stage.next_batch().await);
        let error = hub.commit(&planned).await.unwrap_err();
        assert!(
            matches!(
                error,
                HubError::Publication(PublicationError::Archive(BatchArchiveError::Io { .. }))
            ),
            "{error}"
        );
        assert_eq!(stage.ledger.head_seq().await.unwrap(), 0);
        fs::remove_file(&path).unwrap();
        let header = hub.commit(&planned).await.unwrap();
        assert_eq!(hub.commit(&planned).await.unwrap(), header);
        assert_eq!(archive.header(header.hash()).await.unwrap(), Some(header));
    }
}

/// An endpoint that says nothing of the transactions of a batch: the archive has what they published.
#[tokio::test]
async fn what_an_endpoint_hides_is_read_from_the_archive() {
    let publications =
        [(Publication::Calldata, DataKind::Calldata), (Publication::Blobs, DataKind::Blob)];
    for (publication, kind) in publications {
        let mut stage = Stage::new(Node::embedded().await, 42).await;
        let folder = tempfile::tempdir().unwrap();
        let archive = BatchArchive::new(folder.path());
        let mut hub = hub(&stage).with_archive(archive.clone(), publication);
        let header = hub.commit(&plan(&stage.next_batch().await)).await.unwrap();
        assert_eq!(header.data_kind, kind);
        let valid = WatchReport::Valid { seq: 1, count: header.count };
        let fates = [
            Fate::Result("null"),
            Fate::Refused("pruned"),
            Fate::Edited(|transaction| {
                transaction["input"] = Value::from("0x");
                transaction["blobVersionedHashes"] = Value::Array(Vec::new());
            }),
        ];
        for fate in fates {
            let rule = fate.clone();
            let proxy = Proxy::start(&stage.node, move |method, _, _| match method {
                "eth_getTransactionByHash" | "debug_traceTransaction" => rule.clone(),
                _ => Fate::Passed,
            })
            .await;
            let watcher = async |sources| {
                let deployment = stage.ledger.deployment();
                let ledger =
                    BatchLedger::at(proxy.client.clone(), deployment.core, deployment.block).await;
                Watcher::new(ledger.unwrap(), FollowOptions::default(), None)
                    .with_blobs_from(sources)
            };
            let mut with = watcher(vec![BlobSource::Archive(archive.clone())]).await;
            assert_eq!(with.poll().await.unwrap(), slice::from_ref(&valid), "{fate:?}");
            let mut without = watcher(Vec::new()).await;
            let missing = [WatchReport::DataMissing { seq: 1 }];
            match without.poll().await {
                Ok(reports) => assert_eq!(reports, missing, "{fate:?}"),
                Err(error) => assert!(matches!(fate, Fate::Refused(_)), "{fate:?}: {error}"),
            }
        }
        // What the archive says is compared too.
        let names = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path());
        for path in names {
            let mut bytes = fs::read(&path).unwrap();
            bytes[3] ^= 1;
            fs::write(&path, bytes).unwrap();
        }
        let proxy = Proxy::start(&stage.node, |method, _, _| match method {
            "eth_getTransactionByHash" => Fate::Result("null"),
            _ => Fate::Passed,
        })
        .await;
        let deployment = stage.ledger.deployment();
        let ledger = BatchLedger::at(proxy.client.clone(), deployment.core, deployment.block);
        let watcher = Watcher::new(ledger.await.unwrap(), FollowOptions::default(), None);
        let mut damaged = watcher.with_blobs_from(vec![BlobSource::Archive(archive)]);
        let error = damaged.poll().await.unwrap_err().to_string();
        assert!(error.contains("is not what its name says"), "{error}");
    }
}
