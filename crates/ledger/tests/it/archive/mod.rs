//! The archive of what batches published, in a folder and in object storage.

mod bucket;
mod folder;
mod storage;

use std::fs;
use std::path::Path;

use alloy_primitives::B256;
use gridtally_core::quantity::Amount;
use gridtally_ledger::{BatchArchive, BatchArchiveError};
use gridtally_settlement::{
    BatchHeader, Record, RecordLeaf, Tree, blobs_hash, calldata_hash, snapshot_hash,
};

use crate::blob_source::{blob, hash};

/// Keeps blobs, calldata and signatures, and damages each of them. `folder` is where the files of the archive are in the end.
async fn keeps_what_it_has_and_says_what_is_wrong(archive: &BatchArchive, folder: &Path) {
    let blobs = [blob(1), blob(2)];
    let hashes = blobs.each_ref().map(hash);
    assert_eq!(archive.blobs(&hashes).await.unwrap(), None);
    archive.keep_blobs(&blobs, &hashes).await.unwrap();
    archive.keep_blobs(&blobs, &hashes).await.unwrap();
    assert_eq!(archive.blobs(&hashes).await.unwrap().unwrap(), blobs);
    let turned = [hashes[1], hashes[0]];
    assert_eq!(archive.blobs(&turned).await.unwrap().unwrap(), [blob(2), blob(1)]);
    archive.keep_calldata(b"0123456789").await.unwrap();
    let data_hash = calldata_hash(b"0123456789");
    assert_eq!(archive.calldata(data_hash).await.unwrap().unwrap(), b"0123456789");
    assert_eq!(archive.calldata(B256::ZERO).await.unwrap(), None);
    assert_eq!(archive.blob_hashes(blobs_hash(&hashes)).await.unwrap().unwrap(), hashes);
    assert_eq!(archive.blob_hashes(B256::ZERO).await.unwrap(), None);
    archive.keep_snapshot(&[0; 30]).await.unwrap();
    let snapshot_hash = snapshot_hash(&[0; 30]);
    assert_eq!(archive.snapshot(snapshot_hash).await.unwrap().unwrap(), [0; 30]);
    let header = BatchHeader { seq: 3, ..BatchHeader::GENESIS };
    archive.keep_header(&header).await.unwrap();
    assert_eq!(archive.header(header.hash()).await.unwrap().unwrap(), header);
    let leaf = |balance| RecordLeaf {
        record: Record::unpack(&[0; 10]).unwrap(),
        amount: Amount::ZERO,
        balance_after: Amount::from_micro(balance),
        hub_after: Amount::from_micro(-balance),
    };
    let leaves = [leaf(1), leaf(2), leaf(3)];
    let tree = Tree::new(leaves.iter().map(RecordLeaf::hash).collect()).unwrap();
    archive.keep_leaves(tree.root(), &leaves).await.unwrap();
    let (found, found_tree) = archive.leaves(tree.root()).await.unwrap().unwrap();
    assert_eq!((found.as_slice(), found_tree.root()), (leaves.as_slice(), tree.root()));
    let root = B256::repeat_byte(7);
    let set = |byte| [None, Some(vec![byte; 65])];
    for byte in [1, 2, 1] {
        archive.keep_signatures(root, &set(byte)).await.unwrap();
    }
    let mut signatures = archive.signatures(root, 2, 1).await.unwrap();
    signatures.sort_unstable();
    assert_eq!(signatures, [vec![1; 65], vec![2; 65]]);
    assert_eq!(archive.signatures(B256::ZERO, 2, 1).await.unwrap(), Vec::<Vec<u8>>::new());

    let damaged = |error: BatchArchiveError, name: &str| {
        let BatchArchiveError::Differs { place } = &error else { panic!("{error}") };
        assert!(place.ends_with(name), "{error}");
    };
    let second = format!("{}.blob", hashes[1]);
    let path = folder.join(&second);
    let whole = fs::read(&path).unwrap();
    let mut changed = whole.clone();
    changed[77] ^= 1;
    for bytes in [&whole[..whole.len() - 1], &changed, &[whole.clone(), vec![0]].concat(), &[]] {
        fs::write(&path, bytes).unwrap();
        damaged(archive.blobs(&hashes).await.unwrap_err(), &second);
        // What is there is never overwritten.
        damaged(archive.keep_blobs(&blobs, &hashes).await.unwrap_err(), &second);
        assert_eq!(fs::read(&path).unwrap(), bytes);
    }
    let calldata = format!("{data_hash}.calldata");
    fs::write(folder.join(&calldata), b"0123456780").unwrap();
    damaged(archive.calldata(data_hash).await.unwrap_err(), &calldata);
    damaged(archive.keep_calldata(b"0123456789").await.unwrap_err(), &calldata);
    let damage = |name: String| {
        let mut bytes = fs::read(folder.join(&name)).unwrap();
        bytes[1] ^= 1;
        fs::write(folder.join(&name), bytes).unwrap();
        name
    };
    let name = damage(format!("{}.header", header.hash()));
    damaged(archive.header(header.hash()).await.unwrap_err(), &name);
    let name = damage(format!("{}.leaves", tree.root()));
    damaged(archive.leaves(tree.root()).await.unwrap_err(), &name);
    let name = damage(format!("{snapshot_hash}.snapshot"));
    damaged(archive.snapshot(snapshot_hash).await.unwrap_err(), &name);
    let name = damage(format!("{}.blobs", blobs_hash(&hashes)));
    damaged(archive.blob_hashes(blobs_hash(&hashes)).await.unwrap_err(), &name);
}
