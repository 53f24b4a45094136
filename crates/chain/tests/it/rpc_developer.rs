//! What only a development chain does: states that are set, accounts that are impersonated, receipts that are awaited.

use gridtally_chain::{Chain, ChainConfig, Sealing};
use serde_json::json;
use tempfile::TempDir;

use crate::{
    code,
    support::{START_UNIX_S, account, ask, chain, config, rebuilt_root, refusal, respond, send},
};

#[test]
fn what_is_set_is_there_and_stays_after_a_restart() {
    let folder = TempDir::new().unwrap();
    let config = || ChainConfig { folder: Some(folder.path().to_owned()), ..config() };
    let address = code::NOBODY;
    let expected = {
        let chain = Chain::open(config()).unwrap();
        ask(&chain, "hardhat_setCode", json!([address, "0x5f545f5260205ff3"]));
        ask(&chain, "hardhat_setStorageAt", json!([address, "0x0", format!("0x{:064x}", 42)]));
        ask(&chain, "anvil_setNonce", json!([address, "0x9"]));
        ask(&chain, "anvil_setBalance", json!([address, "0x309"]));
        let head = chain.head();
        assert_eq!(rebuilt_root(&chain, head.number(), &[address]), head.header.state_root);
        let called = ask(&chain, "eth_call", json!([{ "to": address }]));
        assert_eq!(called, format!("0x{:064x}", 42));
        assert_eq!(ask(&chain, "eth_getTransactionCount", json!([address])), "0x9");
        assert_eq!(ask(&chain, "eth_getBalance", json!([address])), "0x309");
        assert_eq!(ask(&chain, "eth_getBalance", json!([address, "0x0"])), "0x0");
        ask(&chain, "eth_getProof", json!([address, ["0x0"]]))
    };
    let chain = Chain::open(config()).unwrap();
    assert_eq!(ask(&chain, "eth_getProof", json!([address, ["0x0"]])), expected);
}

#[test]
fn setting_a_state_uses_up_no_time() {
    let chain = chain();
    ask(&chain, "evm_setNextBlockTimestamp", json!([START_UNIX_S + 1]));
    ask(&chain, "hardhat_setBalance", json!([code::NOBODY, "0x1"]));
    assert_eq!(chain.mine().unwrap().header.timestamp, START_UNIX_S + 1);
}

#[test]
fn an_account_sends_without_its_key_while_it_is_impersonated() {
    let chain = chain();
    let data = code::creation(&code::STORING);
    let contract = send(&chain, json!({ "from": account(0), "data": data }));
    chain.mine().unwrap();
    let receipt = ask(&chain, "eth_getTransactionReceipt", json!([contract]));
    let contract = receipt["contractAddress"].clone();
    ask(&chain, "hardhat_setBalance", json!([contract, "0xde0b6b3a7640000"]));
    let transfer = json!({ "from": contract, "to": account(1), "value": "0x1" });
    let error = refusal(&chain, "eth_sendTransaction", json!([transfer]));
    assert_eq!(error, json!({ "code": -32_000, "message": "unknown account" }));
    ask(&chain, "hardhat_impersonateAccount", json!([contract]));
    let hash = send(&chain, transfer.clone());
    chain.mine().unwrap();
    let receipt = ask(&chain, "eth_getTransactionReceipt", json!([hash]));
    assert_eq!((&receipt["status"], &receipt["from"]), (&json!("0x1"), &contract));
    let trace = json!([hash, { "tracer": "callTracer" }]);
    assert_eq!(ask(&chain, "debug_traceTransaction", trace)["from"], contract);
    ask(&chain, "hardhat_stopImpersonatingAccount", json!([contract]));
    refusal(&chain, "eth_sendTransaction", json!([transfer]));
    ask(&chain, "anvil_autoImpersonateAccount", json!([true]));
    send(&chain, transfer);
}

#[test]
fn a_client_waits_for_its_receipt_but_not_for_ever() {
    let chain = Chain::open(ChainConfig { sealing: Sealing::Instant, ..config() }).unwrap();
    let transfer = json!({ "from": account(0), "to": account(1), "value": "0x1" });
    let receipt = ask(&chain, "eth_sendTransactionSync", json!([transfer]));
    assert_eq!((&receipt["status"], &receipt["blockNumber"]), (&json!("0x1"), &json!("0x1")));
    chain.set_sealing(Sealing::Manual);
    let error = refusal(&chain, "eth_sendTransactionSync", json!([transfer, 1]));
    assert_eq!(error["code"], 4);
    let waiting = ask(&chain, "eth_getTransactionByHash", json!([error["data"]]));
    assert_eq!(waiting["blockHash"], json!(null));
}

#[test]
fn a_client_that_waits_sees_the_block_of_another() {
    let chain = chain();
    let transfer = json!({ "from": account(0), "to": account(1), "value": "0x1" });
    let mut events = chain.subscribe();
    let receipt = std::thread::scope(|scope| {
        let waiting =
            scope.spawn(|| respond(&chain, "eth_sendTransactionSync", json!([transfer, 30_000])));
        // The transaction is in the pool when the event arrives; whether anybody waits for it yet does not matter.
        events.blocking_recv().unwrap();
        chain.mine().unwrap();
        waiting.join().unwrap()
    });
    assert_eq!(receipt["result"]["blockNumber"], "0x1");
}

#[test]
fn typed_data_is_signed_as_its_standard_says() {
    let chain = chain();
    let data = json!({
        "types": {
            "EIP712Domain": [{ "name": "name", "type": "string" }],
            "Mail": [{ "name": "contents", "type": "string" }],
        },
        "domain": { "name": "Ether Mail" },
        "primaryType": "Mail",
        "message": { "contents": "Hello, Bob!" },
    });
    let object = ask(&chain, "eth_signTypedData_v4", json!([account(0), data]));
    let text = ask(&chain, "eth_signTypedData_v4", json!([account(0), data.to_string()]));
    assert_eq!(object, text);
    assert_eq!(object.as_str().unwrap().len(), 132);
    for wrong in [json!({}), json!("{"), json!([]), json!({ "types": {}, "primaryType": "A" })] {
        let error = refusal(&chain, "eth_signTypedData_v4", json!([account(0), wrong]));
        assert_eq!(error["code"], -32_602, "{wrong}");
    }
    let error = refusal(&chain, "eth_signTypedData_v4", json!([code::NOBODY, data]));
    assert_eq!(error["message"], "unknown account");
}

#[test]
fn only_a_chain_without_a_folder_is_reset() {
    let chain = chain();
    let first = chain.head().hash;
    ask(&chain, "hardhat_mine", json!(["0x3"]));
    let fork = json!([{ "forking": { "jsonRpcUrl": "http://127.0.0.1:1" } }]);
    assert_eq!(refusal(&chain, "anvil_reset", fork)["code"], -32_602);
    assert_eq!(chain.head().number(), 3);
    ask(&chain, "hardhat_reset", json!([]));
    assert_eq!(chain.head().hash, first);
    let folder = TempDir::new().unwrap();
    let chain =
        Chain::open(ChainConfig { folder: Some(folder.path().to_owned()), ..config() }).unwrap();
    chain.mine().unwrap();
    assert_eq!(refusal(&chain, "hardhat_reset", json!([]))["code"], -32_000);
    assert_eq!(chain.head().number(), 1);
}

#[test]
fn several_slots_are_read_at_once() {
    let chain = chain();
    let value = format!("0x{:064x}", 7);
    ask(&chain, "hardhat_setStorageAt", json!([code::NOBODY, "0x1", value]));
    let zero = format!("0x{:064x}", 0);
    let asked = json!({ (code::NOBODY.to_string()): ["0x1", "0x2"], (account(0)): [] });
    let found = ask(&chain, "eth_getStorageValues", json!([asked, "latest"]));
    assert_eq!(found, json!({ (code::NOBODY.to_string()): [value, zero], (account(0)): [] }));
    let many = json!({ (account(0)): vec!["0x1"; 1_025] });
    assert_eq!(refusal(&chain, "eth_getStorageValues", json!([many]))["code"], -32_602);
}

#[test]
fn requests_at_the_same_time_get_nonces_of_their_own() {
    let chain = Chain::open(ChainConfig { sealing: Sealing::Instant, ..config() }).unwrap();
    let transfer = json!({ "from": account(0), "to": account(1), "value": "0x1" });
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..25 {
                    ask(&chain, "eth_sendTransactionSync", json!([transfer]));
                }
            });
        }
    });
    assert_eq!(ask(&chain, "eth_getTransactionCount", json!([account(0)])), "0x64");
}
