//! Contracts: deployed, called, reverting.

use serde_json::json;

use crate::{
    code,
    support::{account, ask, chain, refusal, send_and_mine},
};

/// Creation code of a contract whose code is `runtime`: copy it to memory and return it.
fn creation_code(runtime: &str) -> String {
    let length = runtime.len() / 2;
    format!("0x60{length:02x}600c60003960{length:02x}6000f3{runtime}")
}

#[test]
fn a_contract_is_deployed_and_answers() {
    let chain = chain();
    // Returns 42.
    let data = creation_code("602a60005260206000f3");
    let receipt = send_and_mine(&chain, json!({ "from": account(0), "data": data }));
    assert_eq!(receipt["status"], "0x1");
    let call = json!([{ "to": receipt["contractAddress"], "data": "0x" }]);
    let word = format!("0x{:064x}", 42);
    assert_eq!(ask(&chain, "eth_call", call), word.as_str());
}

#[test]
fn a_revert_carries_its_data() {
    let chain = chain();
    // Reverts with the four bytes of a custom error.
    let data = creation_code("63deadbeef6000526004601cfd");
    let receipt = send_and_mine(&chain, json!({ "from": account(0), "data": data }));
    let call = json!([{ "to": receipt["contractAddress"] }]);
    for method in ["eth_call", "eth_estimateGas"] {
        let error = refusal(&chain, method, call.clone());
        assert_eq!((&error["code"], &error["data"]), (&json!(3), &json!("0xdeadbeef")), "{method}");
    }
}

#[test]
fn calls_nest_as_deep_as_their_gas_allows() {
    let chain = chain();
    // Calls itself with all gas that is left, then counts the calls that came to their end in slot 0.
    let data = creation_code("5f5f5f5f5f305af1505f54600101805f555f5260205ff3");
    let receipt = send_and_mine(&chain, json!({ "from": account(0), "data": data }));
    let call = json!([{ "to": receipt["contractAddress"], "gas": "0x3938700" }]);
    let output = ask(&chain, "eth_call", call);
    let depth = u64::from_str_radix(&output.as_str().unwrap()[2..], 16).unwrap();
    assert!((100..=1_024).contains(&depth), "{depth}");
}

#[test]
fn a_transfer_moves_ether_and_costs_21000_gas() {
    let chain = chain();
    let transfer = json!({ "from": account(0), "to": account(1), "value": "0xde0b6b3a7640000" });
    assert_eq!(ask(&chain, "eth_estimateGas", json!([transfer])), "0x5208");
    let receipt = send_and_mine(&chain, transfer);
    assert_eq!(receipt["gasUsed"], "0x5208");
    let balance = ask(&chain, "eth_getBalance", json!([account(1)]));
    assert_eq!(balance, "0x21e27c1806e59a40000");
}

#[test]
fn a_trace_that_is_too_long_is_refused() {
    let chain = chain();
    let data = code::creation(&code::FAILING);
    let receipt = send_and_mine(&chain, json!({ "from": account(0), "data": data }));
    // Never ends, and uses all of its gas.
    let call =
        json!({ "to": receipt["contractAddress"], "data": code::word(1), "gas": "0x1000000" });
    let error = refusal(&chain, "debug_traceCall", json!([call, "latest"]));
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("trace has more than 400000 steps"), "{message}");
    let frame = ask(&chain, "debug_traceCall", json!([call, "latest", { "tracer": "callTracer" }]));
    assert_eq!((&frame["gasUsed"], &frame["error"]), (&json!("0x1000000"), &json!("out of gas")));
}

#[test]
fn the_highest_nonce_creates_nothing() {
    let chain = chain();
    let sender = account(3);
    let set = |nonce: u64| {
        ask(&chain, "anvil_setNonce", json!([sender, format!("{nonce:#x}")]));
    };
    // Code that returns one byte of code.
    let create = json!({ "from": sender, "data": "0x60015ff3" });
    let message = |method: &str| {
        refusal(&chain, method, json!([create, "latest"]))["message"].as_str().unwrap().to_owned()
    };
    set(u64::MAX - 1);
    assert_eq!(ask(&chain, "eth_call", json!([create])), "0x00");
    set(u64::MAX);
    for method in ["eth_call", "eth_estimateGas", "eth_createAccessList", "debug_traceCall"] {
        assert_eq!(message(method), "nonce uint64 overflow", "{method}");
    }
    // Calls create nothing, so they go on; a transaction has no nonce left.
    let call = json!({ "from": sender, "to": account(1) });
    assert_eq!(ask(&chain, "eth_call", json!([call])), "0x");
    let send = json!([{ "from": sender, "to": account(1), "gas": "0x5208" }]);
    let refused = refusal(&chain, "eth_sendTransaction", send);
    assert_eq!(refused["message"], "nonce has max value: tx nonce 18446744073709551615");
    assert_eq!(ask(&chain, "txpool_status", json!([]))["pending"], "0x0");
}
