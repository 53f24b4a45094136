//! The checkpoint: a shorter way to the same chain, and nothing more.

use std::{fs, path::Path};

use gridtally_chain::{Chain, ChainConfig, checkpoint::CHECKPOINT_FILE};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    code,
    support::{account, ask, config, rebuilt_root, send, send_and_mine},
};

fn open(folder: &Path) -> Chain {
    Chain::open(ChainConfig { folder: Some(folder.to_owned()), ..config() }).unwrap()
}

/// Calls a contract that counts and logs, and moves ether, in `blocks` blocks.
fn extend(chain: &Chain, counter: &Value, blocks: u64) {
    for _ in 0..blocks {
        send(chain, json!({ "from": account(0), "to": counter, "gas": "0x30d40" }));
        send(chain, json!({ "from": account(1), "to": code::NOBODY, "value": "0x1" }));
        chain.mine().unwrap();
    }
}

/// Returns a folder with a chain of 12 blocks and a checkpoint at block 8, and the address of its contract.
fn folder() -> (TempDir, Value) {
    let folder = TempDir::new().unwrap();
    let chain = open(folder.path());
    let data = code::creation(&code::COUNTER);
    let counter = send_and_mine(&chain, json!({ "from": account(0), "data": data }));
    let counter = counter["contractAddress"].clone();
    extend(&chain, &counter, 7);
    chain.checkpoint().unwrap();
    extend(&chain, &counter, 4);
    (folder, counter)
}

/// Returns everything that a client can learn about the chain.
fn everything(chain: &Chain, counter: &Value) -> Vec<Value> {
    let mut answers = Vec::new();
    for number in 0..=chain.head().number() {
        let id = format!("{number:#x}");
        let block = ask(chain, "eth_getBlockByNumber", json!([id, true]));
        for transaction in block["transactions"].as_array().unwrap() {
            answers.push(ask(chain, "eth_getTransactionReceipt", json!([transaction["hash"]])));
        }
        answers.push(ask(chain, "eth_getBlockByHash", json!([block["hash"], false])));
        answers.push(block);
        answers.push(ask(chain, "eth_getProof", json!([counter, ["0x0"], id])));
        answers.push(ask(chain, "eth_getProof", json!([code::NOBODY, [], id])));
        answers.push(ask(chain, "eth_getStorageAt", json!([counter, "0x0", id])));
        answers.push(ask(chain, "eth_getCode", json!([counter, id])));
        answers.push(ask(chain, "eth_call", json!([{ "to": counter }, id])));
    }
    answers.push(ask(chain, "eth_getLogs", json!([{ "fromBlock": "0x0", "address": counter }])));
    answers
}

#[test]
fn a_chain_opened_from_a_checkpoint_answers_as_before() {
    let (folder, counter) = folder();
    let with = everything(&open(folder.path()), &counter);
    fs::remove_file(folder.path().join(CHECKPOINT_FILE)).unwrap();
    let chain = open(folder.path());
    assert_eq!(everything(&chain, &counter), with);
    assert_eq!(chain.head().number(), 12);
}

#[test]
fn a_damaged_checkpoint_is_passed_over() {
    let (folder, counter) = folder();
    let path = folder.path().join(CHECKPOINT_FILE);
    let whole = fs::read(&path).unwrap();
    let expected = everything(&open(folder.path()), &counter);
    for at in [0, 8, 20, 50, 60, whole.len() / 2, whole.len() - 1] {
        let mut changed = whole.clone();
        changed[at] ^= 0x10;
        fs::write(&path, changed).unwrap();
        assert_eq!(everything(&open(folder.path()), &counter), expected, "byte {at}");
        fs::write(&path, &whole[..at]).unwrap();
        assert_eq!(everything(&open(folder.path()), &counter), expected, "cut to {at} bytes");
    }
}

#[test]
fn the_checkpoint_of_another_chain_is_passed_over() {
    let (one, counter) = folder();
    let other = TempDir::new().unwrap();
    let chain = open(other.path());
    for _ in 0..12 {
        chain.mine().unwrap();
    }
    chain.checkpoint().unwrap();
    drop(chain);
    let expected = everything(&open(one.path()), &counter);
    fs::copy(other.path().join(CHECKPOINT_FILE), one.path().join(CHECKPOINT_FILE)).unwrap();
    assert_eq!(everything(&open(one.path()), &counter), expected);
}

#[test]
fn a_checkpoint_of_blocks_that_were_reverted_is_passed_over() {
    let (folder, counter) = folder();
    let chain = open(folder.path());
    chain.revert_to(5).unwrap();
    for _ in 0..6 {
        chain.mine().unwrap();
    }
    let expected = everything(&chain, &counter);
    drop(chain);
    let chain = open(folder.path());
    assert_eq!(everything(&chain, &counter), expected);
    assert_eq!(chain.head().number(), 11);
}

#[test]
fn every_block_of_a_reopened_chain_has_the_state_of_its_header() {
    let (folder, counter) = folder();
    let chain = open(folder.path());
    let others =
        [serde_json::from_value(counter).unwrap(), code::NOBODY, alloy_primitives::Address::ZERO];
    for number in 0..=chain.head().number() {
        let root = chain.block(number).unwrap().unwrap().header.state_root;
        assert_eq!(rebuilt_root(&chain, number, &others), root, "block {number}");
    }
}
