//! Receipts and log events of blocks with several transactions.

use gridtally_chain::Chain;
use serde_json::{Value, json};

use crate::support::{account, ask, chain, refusal, send, send_and_mine};

/// Creation code of a contract that logs its input's first word as a topic, with its own caller as data.
///
/// `CALLER PUSH0 MSTORE  PUSH0 CALLDATALOAD  PUSH1 32 PUSH0 LOG1 STOP`
const LOGGER: &str = "0x600d80600b6000396000f3335f525f3560205fa100";

fn logger(chain: &Chain) -> Value {
    let data = LOGGER;
    let receipt = send_and_mine(chain, json!({ "from": account(0), "data": data }));
    assert_eq!(receipt["status"], "0x1");
    receipt["contractAddress"].clone()
}

fn topic(number: usize) -> String {
    format!("0x{number:064x}")
}

/// Seals three blocks with four transactions each, every one of which logs its number as a topic.
fn chain_with_logs() -> (Chain, Value, Vec<Value>) {
    let chain = chain();
    let logger = logger(&chain);
    let mut hashes = Vec::new();
    for block in 0..3 {
        for index in 0..4 {
            let data = topic(4 * block + index);
            hashes.push(send(
                &chain,
                json!({ "from": account(index), "to": logger, "data": data, "gas": "0x186a0" }),
            ));
        }
        chain.mine().unwrap();
    }
    (chain, logger, hashes)
}

fn topics(logs: &Value) -> Vec<usize> {
    let logs = logs.as_array().unwrap().iter();
    let topic = |log: &Value| usize::from_str_radix(&log["topics"][0].as_str().unwrap()[2..], 16);
    logs.map(|log| topic(log).unwrap()).collect()
}

#[test]
fn every_transaction_of_a_block_has_its_receipt_and_its_logs() {
    let (chain, _, hashes) = chain_with_logs();
    for (number, hash) in hashes.iter().enumerate() {
        let receipt = ask(&chain, "eth_getTransactionReceipt", json!([hash]));
        assert_eq!(topics(&receipt["logs"]), [number]);
        assert_eq!(receipt["transactionIndex"], format!("{:#x}", number % 4));
        assert_eq!(receipt["logs"][0]["logIndex"], format!("{:#x}", number % 4));
        assert_eq!(receipt["blockNumber"], format!("{:#x}", 2 + number / 4));
    }
    let receipts = ask(&chain, "eth_getBlockReceipts", json!(["0x3"]));
    let numbers: Vec<_> =
        receipts.as_array().unwrap().iter().flat_map(|receipt| topics(&receipt["logs"])).collect();
    assert_eq!(numbers, [4, 5, 6, 7]);
}

#[test]
fn filters_select_by_block_address_and_topic() {
    let (chain, logger, _) = chain_with_logs();
    let select = |filter: Value| topics(&ask(&chain, "eth_getLogs", json!([filter])));
    let all: Vec<usize> = (0..12).collect();
    assert_eq!(select(json!({ "fromBlock": "earliest", "toBlock": "latest" })), all);
    assert_eq!(select(json!({ "fromBlock": "0x0", "address": logger })), all);
    assert_eq!(select(json!({ "address": logger })), [8, 9, 10, 11], "the latest block alone");
    assert_eq!(select(json!({ "fromBlock": "0x3", "toBlock": "0x3" })), [4, 5, 6, 7]);
    let either = json!({ "fromBlock": "0x1", "topics": [[topic(2), topic(9)]] });
    assert_eq!(select(either), [2, 9]);
    assert_eq!(select(json!({ "fromBlock": "0x1", "topics": [topic(99)] })), [0; 0]);
    assert_eq!(select(json!({ "fromBlock": "0x1", "topics": [null, topic(1)] })), [0; 0]);
    assert_eq!(select(json!({ "fromBlock": "0x1", "address": account(0) })), [0; 0]);
    let hash = ask(&chain, "eth_getBlockByNumber", json!(["0x2", false]))["hash"].take();
    assert_eq!(select(json!({ "blockHash": hash })), [0, 1, 2, 3]);
}

#[test]
fn an_upside_down_range_is_refused() {
    let (chain, ..) = chain_with_logs();
    let filter = json!([{ "fromBlock": "0x3", "toBlock": "0x1" }]);
    assert_eq!(refusal(&chain, "eth_getLogs", filter)["code"], -32_602);
}

#[test]
fn reverted_logs_are_gone() {
    let (chain, ..) = chain_with_logs();
    chain.revert_to(3).unwrap();
    let logs = ask(&chain, "eth_getLogs", json!([{ "fromBlock": "0x0" }]));
    assert_eq!(topics(&logs), [0, 1, 2, 3, 4, 5, 6, 7]);
}
