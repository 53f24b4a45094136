//! `kill -9` under load, and a disk that takes nothing more: no acknowledged block is lost.

use std::time::Duration;

use alloy_consensus::{SignableTransaction, TxEip1559, TxEnvelope};
use alloy_eips::eip2718::Encodable2718;
use alloy_primitives::{Address, B256, Bytes, TxKind, U256};
use alloy_signer::SignerSync;
use gridtally_chain::{Chain, ChainConfig, accounts::funded_signers};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use crate::{
    process::{Process, post},
    support::rebuilt_root,
};

const ROUNDS: usize = 20;
const SENDERS: usize = 4;
/// Receipts that each sender sees in a round before the process is killed.
const SEEN_PER_SENDER: usize = 6;
const RECEIVER: Address = Address::repeat_byte(0x77);

/// What a client was told: this transaction is in this block.
#[derive(Debug)]
struct Acknowledged {
    transaction: B256,
    number: u64,
    block: B256,
}

fn transfer(sender: usize, nonce: u64) -> Value {
    let tx = TxEip1559 {
        chain_id: 31_337,
        nonce,
        gas_limit: 21_000,
        max_fee_per_gas: 1_000_000_000_000,
        max_priority_fee_per_gas: 1,
        to: TxKind::Call(RECEIVER),
        value: U256::from(1),
        ..TxEip1559::default()
    };
    let signature = funded_signers()[sender].sign_hash_sync(&tx.signature_hash()).unwrap();
    json!([Bytes::from(TxEnvelope::from(tx.into_signed(signature)).encoded_2718())])
}

async fn ask(client: &reqwest::Client, url: &str, method: &str, params: Value) -> Option<Value> {
    post(client, url, method, params).await?.get("result").cloned()
}

fn number(value: &Value) -> u64 {
    serde_json::from_value::<U256>(value.clone()).unwrap().to()
}

/// Sends transfers until the process is gone; gives everything that was acknowledged to `seen`.
async fn load(url: String, sender: usize, seen: UnboundedSender<Acknowledged>) {
    let client = reqwest::Client::new();
    let address = json!([funded_signers()[sender].address()]);
    let Some(first) = ask(&client, &url, "eth_getTransactionCount", address).await else { return };
    for nonce in number(&first).. {
        let Some(hash) =
            ask(&client, &url, "eth_sendRawTransaction", transfer(sender, nonce)).await
        else {
            return;
        };
        let receipt = loop {
            match ask(&client, &url, "eth_getTransactionReceipt", json!([hash])).await {
                None => return,
                Some(Value::Null) => {}
                Some(receipt) => break receipt,
            }
        };
        assert_eq!(receipt["status"], "0x1");
        let acknowledged = Acknowledged {
            transaction: serde_json::from_value(hash).unwrap(),
            number: number(&receipt["blockNumber"]),
            block: serde_json::from_value(receipt["blockHash"].clone()).unwrap(),
        };
        if seen.send(acknowledged).is_err() {
            return;
        }
    }
}

fn open(folder: &TempDir) -> Chain {
    let config = ChainConfig { folder: Some(folder.path().to_owned()), ..ChainConfig::default() };
    Chain::open(config).unwrap()
}

fn check_root(chain: &Chain) {
    let head = chain.head();
    let rebuilt = rebuilt_root(chain, head.number(), &[RECEIVER, Address::ZERO]);
    assert_eq!(rebuilt, head.header.state_root);
}

#[test]
fn every_acknowledged_block_survives_twenty_kills() {
    let folder = TempDir::new().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let mut acknowledged = Vec::new();
    for round in 0..ROUNDS {
        let mut process = Process::start(folder.path());
        let (send, mut seen) = unbounded_channel();
        for sender in 0..SENDERS {
            runtime.spawn(load(process.url.clone(), sender, send.clone()));
        }
        drop(send);
        for _ in 0..SENDERS * SEEN_PER_SENDER {
            acknowledged.push(seen.blocking_recv().expect("the process answers"));
        }
        process.kill();
        // What was acknowledged between the last look and the kill counts as well.
        while let Some(last) = seen.blocking_recv() {
            acknowledged.push(last);
        }
        // Some rounds begin from a checkpoint.
        if round % 4 == 3 {
            open(&folder).checkpoint().unwrap();
        }
    }
    let chain = open(&folder);
    for seen in &acknowledged {
        let (block, index) = chain.transaction(seen.transaction).unwrap().unwrap();
        assert_eq!((block.number(), block.hash), (seen.number, seen.block), "{seen:?}");
        assert!(block.receipts[index].is_success);
    }
    let mut transfers = 0;
    for number in 1..=chain.head().number() {
        let block = chain.block(number).unwrap().unwrap();
        transfers += block.transactions.len();
        let state = chain.state_at(number).unwrap();
        let receiver = state.view().account(RECEIVER).unwrap().unwrap_or_default();
        assert_eq!(receiver.balance, U256::from(transfers), "block {number}");
    }
    assert!(transfers >= acknowledged.len());
    check_root(&chain);
}

/// Seals blocks until the disk takes no more, and returns the last block that was acknowledged.
#[cfg(unix)]
async fn fill(url: &str) -> (u64, String) {
    let client = reqwest::Client::new();
    let mut nonce = 0;
    let mut last = 0;
    loop {
        ask(&client, url, "eth_sendRawTransaction", transfer(0, nonce)).await.unwrap();
        nonce += 1;
        let mined = post(&client, url, "evm_mine", json!([])).await.unwrap();
        let head = ask(&client, url, "eth_blockNumber", json!([])).await.unwrap();
        if let Some(error) = mined.get("error") {
            let reason = error["message"].as_str().unwrap().to_owned();
            // Nothing of the refused block is left, and everything before it can be read.
            assert!(number(&head) >= last);
            let balance = ask(&client, url, "eth_getBalance", json!([RECEIVER])).await.unwrap();
            let block =
                ask(&client, url, "eth_getBlockByNumber", json!([head, false])).await.unwrap();
            let proof =
                ask(&client, url, "eth_getProof", json!([RECEIVER, [], head])).await.unwrap();
            assert_eq!(proof["balance"], balance);
            assert_eq!(block["number"], head);
            return (number(&head), reason);
        }
        last = number(&head);
    }
}

#[cfg(unix)]
#[test]
fn a_full_disk_refuses_blocks_and_loses_none() {
    let folder = TempDir::new().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut process = Process::start_with_little_room(folder.path(), 64);
    let (head, reason) = runtime.block_on(fill(&process.url));
    assert!(reason.ends_with("blocks.log"), "{reason}");
    assert!(head > 5, "{head}");
    process.kill();
    let chain = open(&folder);
    assert_eq!(chain.head().number(), head);
    check_root(&chain);
    chain.mine().unwrap();
}

/// Sends transfers, each when the one before it is in a block, until one gets into none. Returns its nonce and what
/// whoever waited for it was told.
#[cfg(unix)]
async fn fill_waiting(client: &reqwest::Client, url: &str) -> (u64, Value) {
    for nonce in 0.. {
        let mut params = transfer(0, nonce);
        // Much longer than the test gives it: who waits is told, or the test fails.
        params.as_array_mut().unwrap().push(json!(30_000));
        let answer = post(client, url, "eth_sendRawTransactionSync", params);
        let answer = tokio::time::timeout(Duration::from_secs(15), answer).await;
        let mut answer = answer.expect("an answer before the wait is over").unwrap();
        if answer.get("error").is_some() {
            return (nonce, answer["error"].take());
        }
    }
    unreachable!("no file grows for ever")
}

#[cfg(unix)]
#[test]
fn whoever_waits_for_a_transaction_on_a_full_disk_is_told_at_once() {
    let folder = TempDir::new().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut process = Process::start_with_little_room(folder.path(), 64);
    let sealed = runtime.block_on(async {
        let (client, url) = (reqwest::Client::new(), process.url.as_str());
        let (nonce, told) = fill_waiting(&client, url).await;
        let check = |error: &Value| {
            let reason = error["message"].as_str().unwrap();
            assert!(reason.starts_with("no block can be sealed: "), "{error}");
            assert!(reason.contains("blocks.log"), "{error}");
            assert_eq!(error["code"], -32_603);
        };
        check(&told);
        // Whoever asks for the receipt of what waits is told, and whoever sends the next.
        let hash = ask(&client, url, "txpool_content", json!([])).await.unwrap();
        let sender = funded_signers()[0].address().to_string();
        let hash = hash["pending"][sender][nonce.to_string()]["hash"].clone();
        assert!(hash.is_string(), "the transaction goes on waiting");
        let receipt = post(&client, url, "eth_getTransactionReceipt", json!([hash])).await.unwrap();
        check(&receipt["error"]);
        let next = post(&client, url, "eth_sendRawTransaction", transfer(0, nonce + 1)).await;
        check(&next.unwrap()["error"]);
        // What nobody knows is no matter of the disk.
        let nobody = json!([B256::repeat_byte(9)]);
        let receipt = post(&client, url, "eth_getTransactionReceipt", nobody).await.unwrap();
        assert_eq!(receipt["result"], Value::Null, "{receipt}");
        assert!(receipt.get("error").is_none(), "{receipt}");
        nonce
    });
    assert!(sealed > 5, "{sealed}");
    process.kill();
    let chain = open(&folder);
    assert_eq!(chain.head().number(), sealed);
    check_root(&chain);
}
