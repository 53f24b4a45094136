//! Blobs as a beacon node serves them: whole, after a restart, and for as long as consensus keeps them.

use std::{fs, path::Path, sync::Arc};

use alloy_eips::eip4844::{BYTES_PER_BLOB, c_kzg::ethereum_kzg_settings, kzg_to_versioned_hash};
use alloy_primitives::{B256, hex};
use gridtally_chain::{
    Chain, ChainConfig, ChainServer, Exposure, ManualClock, blob_store::BLOB_RETENTION_S,
    block_log::LOG_FILE,
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    blobs::{encoded_with_nonce, sidecar},
    support::{START_UNIX_S, account, ask, config, send},
};

fn in_folder(folder: &Path) -> ChainConfig {
    ChainConfig { folder: Some(folder.to_owned()), ..config() }
}

/// Seals a block with a transaction of so many blobs, the `nonce`-th of its sender, and returns their versioned hashes.
fn publish(chain: &Chain, blobs: usize, nonce: u64) -> Vec<B256> {
    let sidecar = sidecar(blobs);
    let hashes = sidecar.versioned_hashes().collect();
    ask(chain, "eth_sendRawTransaction", encoded_with_nonce(sidecar.into(), nonce));
    assert_eq!(chain.mine().unwrap().transactions.len(), 1);
    hashes
}

fn serve(chain: &Chain) -> ChainServer {
    chain.serve(([127, 0, 0, 1], 0).into(), Exposure::Loopback).unwrap()
}

fn get(server: &ChainServer, route: &str) -> (u16, Value) {
    let request = reqwest::Client::new().get(format!("{}{route}", server.url()));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        (status, serde_json::from_slice(&response.bytes().await.unwrap()).unwrap_or_default())
    })
}

/// Returns the versioned hashes of the blobs in an answer, computed from their bytes.
fn hashes_of(answer: &Value) -> Vec<B256> {
    let blobs = answer["data"].as_array().unwrap().iter();
    let hash = |blob: &Value| {
        let bytes = hex::decode(blob.as_str().unwrap()).unwrap();
        assert_eq!(bytes.len(), BYTES_PER_BLOB);
        let blob = alloy_eips::eip4844::c_kzg::Blob::from_bytes(&bytes).unwrap();
        let commitment = ethereum_kzg_settings(0).blob_to_kzg_commitment(&blob).unwrap();
        kzg_to_versioned_hash(commitment.to_bytes().as_ref())
    };
    blobs.map(hash).collect()
}

/// Returns the route to the blobs of a block, as a client finds it: from the time of the block and the start of the chain.
fn route(server: &ChainServer, chain: &Chain, number: u64) -> String {
    let start = &get(server, "/eth/v1/beacon/genesis").1["data"]["genesis_time"];
    let start: u64 = start.as_str().unwrap().parse().unwrap();
    let spec = get(server, "/eth/v1/config/spec").1;
    let slot_s: u64 = spec["data"]["SECONDS_PER_SLOT"].as_str().unwrap().parse().unwrap();
    let time = chain.block(number).unwrap().unwrap().header.timestamp;
    format!("/eth/v1/beacon/blobs/{}", (time - start) / slot_s)
}

#[test]
fn blobs_are_found_by_slot_root_and_hash() {
    let chain = Chain::open(config()).unwrap();
    let hashes = publish(&chain, 3, 0);
    send(&chain, json!({ "from": account(1), "to": account(2), "value": "0x1" }));
    let plain = chain.mine().unwrap();
    let server = serve(&chain);

    let by_slot = route(&server, &chain, 1);
    let (status, answer) = get(&server, &by_slot);
    assert_eq!((status, hashes_of(&answer)), (200, hashes.clone()));
    let root = format!("/eth/v1/beacon/blobs/{}", chain.block(1).unwrap().unwrap().hash);
    assert_eq!(get(&server, &root).1, answer);

    let two = format!("{by_slot}?versioned_hashes={},{}", hashes[2], hashes[0]);
    assert_eq!(hashes_of(&get(&server, &two).1), [hashes[0], hashes[2]]);
    let one = format!("{by_slot}?versioned_hashes={}", hashes[1]);
    assert_eq!(hashes_of(&get(&server, &one).1), [hashes[1]]);
    let none = format!("{by_slot}?versioned_hashes={}", B256::ZERO);
    assert_eq!(get(&server, &none).1["data"], json!([]));

    let plain = format!("/eth/v1/beacon/blobs/{}", plain.hash);
    assert_eq!(get(&server, &plain).1["data"], json!([]));
    assert_eq!(get(&server, "/eth/v1/beacon/blobs/head").1["data"], json!([]));
}

#[test]
fn what_makes_no_sense_is_refused() {
    let chain = Chain::open(config()).unwrap();
    let server = serve(&chain);
    let status = |route: &str| {
        let (status, answer) = get(&server, route);
        assert_eq!(answer["code"], status, "{route}");
        status
    };
    for route in ["", "-1", "+1", "1.5", "0x12", "tail", "99999999999999999999999"] {
        assert_eq!(status(&format!("/eth/v1/beacon/blobs/{route}")), 400, "{route}");
    }
    for route in ["17", "18446744073709551615", &B256::ZERO.to_string()] {
        assert_eq!(status(&format!("/eth/v1/beacon/blobs/{route}")), 404, "{route}");
    }
    for query in ["indices=0", "versioned_hashes=", "versioned_hashes=0x1", "&x"] {
        assert_eq!(status(&format!("/eth/v1/beacon/blobs/head?{query}")), 400, "{query}");
    }
    assert_eq!(status("/eth/v1/node/health"), 404);
}

#[test]
fn a_chain_that_is_opened_again_has_its_blobs() {
    let folder = TempDir::new().unwrap();
    let hashes = {
        let chain = Chain::open(in_folder(folder.path())).unwrap();
        let hashes = publish(&chain, 2, 0);
        publish(&chain, 1, 1);
        hashes
    };
    // A crash before the second block was in the log, and what an earlier one left.
    let blobs = folder.path().join("blobs");
    let log = folder.path().join(LOG_FILE);
    let len = fs::metadata(&log).unwrap().len();
    fs::OpenOptions::new().write(true).open(&log).unwrap().set_len(len - 1).unwrap();
    fs::copy(blobs.join("1.blobs"), blobs.join("7.blobs")).unwrap();
    fs::write(blobs.join("stray"), "x").unwrap();

    let chain = Chain::open(in_folder(folder.path())).unwrap();
    assert_eq!(chain.head().number(), 1);
    let names = fs::read_dir(&blobs).unwrap().map(|entry| entry.unwrap().file_name());
    assert_eq!(names.collect::<Vec<_>>(), ["1.blobs"]);
    let server = serve(&chain);
    assert_eq!(hashes_of(&get(&server, &route(&server, &chain, 1)).1), hashes);
    let again = publish(&chain, 6, 1);
    assert_eq!(hashes_of(&get(&server, &route(&server, &chain, 2)).1), again);
}

#[test]
fn a_damaged_file_is_told_and_harms_nothing_else() {
    let folder = TempDir::new().unwrap();
    let chain = Chain::open(in_folder(folder.path())).unwrap();
    publish(&chain, 1, 0);
    let path = folder.path().join("blobs/1.blobs");
    let whole = fs::read(&path).unwrap();
    let server = serve(&chain);
    let route = route(&server, &chain, 1);
    let mut changed = whole.clone();
    changed[5_000] ^= 1;
    for damaged in [&whole[..whole.len() - 1], &whole[..20], &changed] {
        fs::write(&path, damaged).unwrap();
        let (status, answer) = get(&server, &route);
        assert_eq!(status, 500);
        assert!(answer["message"].as_str().unwrap().contains("1.blobs is damaged"), "{answer}");
    }
    fs::remove_file(&path).unwrap();
    assert_eq!(get(&server, &route).0, 404);
    publish(&chain, 1, 1);
}

#[test]
fn blobs_are_kept_as_long_as_consensus_keeps_them() {
    let folder = TempDir::new().unwrap();
    let clock = Arc::new(ManualClock::at(START_UNIX_S));
    for config in [config(), in_folder(folder.path())] {
        let chain = Chain::open(ChainConfig { clock: Arc::clone(&clock) as _, ..config }).unwrap();
        publish(&chain, 1, 0);
        clock.advance(BLOB_RETENTION_S);
        publish(&chain, 1, 1);
        let kept = |number| chain.blobs(&chain.block(number).unwrap().unwrap()).unwrap();
        assert!(kept(1).is_some() && kept(2).is_some());
        clock.advance(2);
        chain.mine().unwrap();
        assert!(kept(1).is_none() && kept(2).is_some());
        let server = serve(&chain);
        assert_eq!(get(&server, &route(&server, &chain, 1)).0, 404);
    }
    let names = fs::read_dir(folder.path().join("blobs")).unwrap();
    assert_eq!(names.count(), 1);
}

#[test]
fn blobs_of_blocks_that_were_taken_back_are_gone() {
    let folder = TempDir::new().unwrap();
    let chain = Chain::open(in_folder(folder.path())).unwrap();
    publish(&chain, 1, 0);
    publish(&chain, 2, 1);
    chain.revert_to(1).unwrap();
    let names = fs::read_dir(folder.path().join("blobs")).unwrap();
    assert_eq!(names.count(), 1);
    publish(&chain, 3, 1);
    let blobs = chain.blobs(&chain.head()).unwrap().unwrap();
    assert_eq!(blobs.len(), 3);
}
