//! Filters: every change once, and only so many of them.

use std::sync::Arc;

use gridtally_chain::{Chain, ChainConfig, ManualClock};
use serde_json::{Value, json};

use crate::{
    code,
    support::{START_UNIX_S, account, ask, chain, config, refusal, send, send_and_mine},
};

/// Returns a contract that logs at every call.
fn counter(chain: &Chain) -> Value {
    let data = code::creation(&code::COUNTER);
    send_and_mine(chain, json!({ "from": account(0), "data": data }))["contractAddress"].clone()
}

fn call(chain: &Chain, counter: &Value) -> Value {
    send_and_mine(chain, json!({ "from": account(0), "to": counter, "gas": "0x30d40" }))
}

fn changes(chain: &Chain, filter: &Value) -> Vec<Value> {
    ask(chain, "eth_getFilterChanges", json!([filter])).as_array().unwrap().clone()
}

#[test]
fn a_log_filter_reports_each_event_once_and_in_its_range() {
    let chain = chain();
    let counter = counter(&chain);
    let all = ask(&chain, "eth_newFilter", json!([{ "address": counter }]));
    let others = ask(&chain, "eth_newFilter", json!([{ "address": account(1) }]));
    let until = ask(&chain, "eth_newFilter", json!([{ "fromBlock": "0x0", "toBlock": "0x3" }]));
    let receipts = [call(&chain, &counter), call(&chain, &counter), call(&chain, &counter)];
    let logs: Vec<_> = receipts.iter().map(|receipt| receipt["logs"][0].clone()).collect();
    assert_eq!(changes(&chain, &all), logs);
    assert!(changes(&chain, &all).is_empty());
    assert!(changes(&chain, &others).is_empty());
    assert_eq!(changes(&chain, &until), logs[..2]);
    let range = json!([{ "address": counter, "fromBlock": "0x3", "toBlock": "latest" }]);
    let range = ask(&chain, "eth_newFilter", range);
    assert_eq!(ask(&chain, "eth_getFilterLogs", json!([range])), json!(logs[1..]));
}

#[test]
fn blocks_that_take_the_place_of_others_are_reported_as_well() {
    let chain = chain();
    let counter = counter(&chain);
    let logs = ask(&chain, "eth_newFilter", json!([{}]));
    let blocks = ask(&chain, "eth_newBlockFilter", json!([]));
    let snapshot = ask(&chain, "evm_snapshot", json!([]));
    call(&chain, &counter);
    assert_eq!((changes(&chain, &logs).len(), changes(&chain, &blocks).len()), (1, 1));
    ask(&chain, "evm_revert", json!([snapshot]));
    let receipts = [call(&chain, &counter), call(&chain, &counter)];
    let expected: Vec<_> = receipts.iter().map(|receipt| receipt["logs"][0].clone()).collect();
    assert_eq!(changes(&chain, &logs), expected);
    let expected: Vec<_> = receipts.iter().map(|receipt| receipt["blockHash"].clone()).collect();
    assert_eq!(changes(&chain, &blocks), expected);
}

#[test]
fn waiting_transactions_are_reported_even_when_they_wait_no_longer() {
    let chain = chain();
    let transfer = json!({ "from": account(0), "to": account(1), "value": "0x1" });
    send(&chain, transfer.clone());
    let filter = ask(&chain, "eth_newPendingTransactionFilter", json!([]));
    let first = send_and_mine(&chain, transfer.clone())["transactionHash"].clone();
    let second = send(&chain, transfer);
    assert_eq!(changes(&chain, &filter), [first, second]);
    assert!(changes(&chain, &filter).is_empty());
}

#[test]
fn filters_are_removed_or_forgotten() {
    let clock = Arc::new(ManualClock::at(START_UNIX_S));
    let chain =
        Chain::open(ChainConfig { clock: Arc::clone(&clock) as Arc<_>, ..config() }).unwrap();
    let removed = ask(&chain, "eth_newBlockFilter", json!([]));
    assert_eq!(ask(&chain, "eth_uninstallFilter", json!([removed])), true);
    assert_eq!(ask(&chain, "eth_uninstallFilter", json!([removed])), false);
    let used = ask(&chain, "eth_newBlockFilter", json!([]));
    let forgotten = ask(&chain, "eth_newBlockFilter", json!([]));
    clock.advance(200);
    changes(&chain, &used);
    clock.advance(200);
    changes(&chain, &used);
    for filter in [removed, forgotten] {
        let error = refusal(&chain, "eth_getFilterChanges", json!([filter]));
        assert_eq!(error, json!({ "code": -32_000, "message": "filter not found" }));
    }
    let error = refusal(&chain, "eth_getFilterLogs", json!([used]));
    assert_eq!(error["message"], "filter is not a log filter");
}

#[test]
fn the_number_of_filters_is_bounded() {
    let chain = chain();
    let mut filters: Vec<_> =
        (0..1_024).map(|_| ask(&chain, "eth_newFilter", json!([{}]))).collect();
    let error = refusal(&chain, "eth_newFilter", json!([{}]));
    assert_eq!(error["code"], -32_005);
    assert_eq!(error["message"], "too many filters: 1024 are kept, remove some");
    ask(&chain, "eth_uninstallFilter", json!([filters.pop()]));
    ask(&chain, "eth_newFilter", json!([{}]));
    let topics = vec!["0x".to_owned() + &"00".repeat(32); 1_025];
    let numbered: Vec<_> = (0..1_025).map(|number| format!("0x{number:064x}")).collect();
    ask(&chain, "eth_getLogs", json!([{ "topics": [topics] }]));
    let error = refusal(&chain, "eth_getLogs", json!([{ "topics": [numbered] }]));
    assert_eq!(error["code"], -32_602);
}
