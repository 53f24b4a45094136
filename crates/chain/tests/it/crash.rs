//! `kill -9` under load: no acknowledged transaction is lost.

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use alloy_consensus::{SignableTransaction, TxEip1559, TxEnvelope};
use alloy_eips::eip2718::Encodable2718;
use alloy_primitives::{Address, B256, Bytes, TxKind, U256};
use alloy_signer::SignerSync;
use gridtally_chain::{Chain, ChainConfig, accounts::funded_signers};
use serde_json::{Value, json};
use tempfile::TempDir;

const ROUNDS: usize = 20;
const SENDERS: usize = 4;
/// Receipts that each sender sees in a round before the process is killed.
const SEEN_PER_SENDER: usize = 6;

/// Returns the example that serves a chain, which cargo builds beside the tests.
fn example() -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    let target = tests.parent().and_then(Path::parent).unwrap();
    let example = target.join("examples").join("serve");
    assert!(example.exists(), "{} is not built: cargo build --examples", example.display());
    example
}

fn start(folder: &Path) -> (Child, String) {
    let mut child =
        Command::new(example()).arg(folder).arg("0").stdout(Stdio::piped()).spawn().unwrap();
    let mut url = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut url).unwrap();
    (child, url.trim().to_owned())
}

async fn ask(client: &reqwest::Client, url: &str, method: &str, params: Value) -> Option<Value> {
    let request = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
    let response = client.post(url).json(&request).send().await.ok()?;
    response.json::<Value>().await.ok()?.get("result").cloned()
}

fn transfer(sender: usize, nonce: u64) -> Value {
    let tx = TxEip1559 {
        chain_id: 31_337,
        nonce,
        gas_limit: 21_000,
        max_fee_per_gas: 1_000_000_000_000,
        max_priority_fee_per_gas: 1,
        to: TxKind::Call(Address::repeat_byte(0x77)),
        value: U256::from(1),
        ..TxEip1559::default()
    };
    let signature = funded_signers()[sender].sign_hash_sync(&tx.signature_hash()).unwrap();
    json!([Bytes::from(TxEnvelope::from(tx.into_signed(signature)).encoded_2718())])
}

/// Sends transfers until the process is gone; gives every hash whose receipt was seen to `seen`.
async fn load(url: String, sender: usize, seen: tokio::sync::mpsc::UnboundedSender<B256>) {
    let client = reqwest::Client::new();
    let address = json!([funded_signers()[sender].address()]);
    let Some(nonce) = ask(&client, &url, "eth_getTransactionCount", address).await else { return };
    let nonce: U256 = serde_json::from_value(nonce).unwrap();
    for nonce in nonce.to::<u64>().. {
        let Some(hash) =
            ask(&client, &url, "eth_sendRawTransaction", transfer(sender, nonce)).await
        else {
            return;
        };
        loop {
            match ask(&client, &url, "eth_getTransactionReceipt", json!([hash])).await {
                None => return,
                Some(Value::Null) => {}
                Some(receipt) => {
                    assert_eq!(receipt["status"], "0x1");
                    break;
                }
            }
        }
        if seen.send(serde_json::from_value(hash).unwrap()).is_err() {
            return;
        }
    }
}

#[test]
fn every_acknowledged_transaction_survives_twenty_kills() {
    let folder = TempDir::new().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let mut acknowledged = Vec::new();
    for _ in 0..ROUNDS {
        let (mut child, url) = start(folder.path());
        let (send, mut seen) = tokio::sync::mpsc::unbounded_channel();
        for sender in 0..SENDERS {
            runtime.spawn(load(url.clone(), sender, send.clone()));
        }
        drop(send);
        for _ in 0..SENDERS * SEEN_PER_SENDER {
            acknowledged.push(seen.blocking_recv().expect("the process answers"));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        // What was acknowledged between the last look and the kill counts as well.
        while let Some(hash) = seen.blocking_recv() {
            acknowledged.push(hash);
        }
    }
    let config = ChainConfig { folder: Some(folder.path().to_owned()), ..ChainConfig::default() };
    let chain = Chain::open(config).unwrap();
    for hash in &acknowledged {
        let (block, index) =
            chain.transaction(*hash).unwrap().expect("an acknowledged transaction");
        assert!(block.receipts[index].is_success);
    }
    let balance = chain.state_at(chain.head().number()).unwrap();
    let receiver = balance.view().account(Address::repeat_byte(0x77)).unwrap().unwrap();
    assert!(receiver.balance >= U256::from(acknowledged.len()));
}
