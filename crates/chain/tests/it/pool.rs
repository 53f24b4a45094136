//! Transactions that are refused, wait, or are replaced.

use serde_json::{Value, json};

use crate::support::{account, ask, chain, refusal, send};

fn transfer(fields: &Value) -> Value {
    let mut transaction = json!({ "from": account(0), "to": account(1), "value": "0x1" });
    for (key, value) in fields.as_object().unwrap() {
        transaction[key] = value.clone();
    }
    json!([transaction])
}

fn reason(fields: &Value) -> String {
    let chain = chain();
    send(&chain, json!({ "from": account(0), "to": account(1), "value": "0x1" }));
    chain.mine().unwrap();
    let error = refusal(&chain, "eth_sendTransaction", transfer(fields));
    error["message"].as_str().unwrap().to_owned()
}

#[test]
fn each_refusal_names_its_reason() {
    let check = |fields: Value, expected: &str| {
        let found = reason(&fields);
        assert!(found.starts_with(expected), "{found}");
    };
    check(json!({ "nonce": "0x0" }), "nonce too low: next nonce 1, tx nonce 0");
    check(json!({ "gas": "0x5207" }), "intrinsic gas too low: have 20999, want 21000");
    check(json!({ "gas": "0x1000001" }), "exceeds block gas limit");
    check(json!({ "gasPrice": "0x1" }), "max fee per gas less than block base fee");
    check(
        json!({ "maxFeePerGas": "0x77359400", "maxPriorityFeePerGas": "0x77359401" }),
        "max priority fee",
    );
    let all = "0x21e19e0c9bab2400000";
    check(json!({ "value": all, "gas": "0x5208" }), "insufficient funds for gas * price + value");
    check(json!({ "from": "0x00000000000000000000000000000000c0ffee00" }), "unknown account");
    check(json!({ "chainId": "0x1" }), "invalid chain id");
}

#[test]
fn the_same_transaction_twice_is_already_known() {
    let chain = chain();
    let raw = ask(&chain, "eth_signTransaction", transfer(&json!({})))["raw"].take();
    ask(&chain, "eth_sendRawTransaction", json!([raw]));
    let error = refusal(&chain, "eth_sendRawTransaction", json!([raw]));
    assert_eq!(error["message"], "already known");
}

#[test]
fn garbage_is_not_a_transaction() {
    let chain = chain();
    for raw in ["0x", "0x00", "0x02c0", "0x03", "0xf8", "0xc0", "0x05ffff"] {
        let error = refusal(&chain, "eth_sendRawTransaction", json!([raw]));
        assert_eq!(error["code"], -32_602, "{raw}: {error}");
    }
}

#[test]
fn what_can_no_longer_be_paid_is_dropped_without_a_block() {
    let chain = chain();
    // Each alone can be paid for: 6,000 of 10,000 ether.
    let most = json!({ "value": "0x14542ba12a337c00000", "gas": "0x5208" });
    let first = ask(&chain, "eth_sendTransaction", transfer(&most));
    let mut second = transfer(&most);
    second[0]["nonce"] = json!("0x1");
    let second = ask(&chain, "eth_sendTransaction", second);
    ask(&chain, "evm_setAutomine", json!([true]));
    let receipt = || ask(&chain, "eth_getTransactionReceipt", json!([first]));
    let receipt = std::iter::repeat_with(receipt).find(|receipt| !receipt.is_null()).unwrap();
    assert_eq!(receipt["status"], "0x1");
    chain.set_sealing(gridtally_chain::Sealing::Manual);
    assert_eq!(ask(&chain, "eth_getTransactionByHash", json!([second])), Value::Null);
    assert_eq!(chain.head().number(), 1);
}

#[test]
fn a_gap_waits_until_it_is_filled() {
    let chain = chain();
    for nonce in ["0x2", "0x1"] {
        ask(&chain, "eth_sendTransaction", transfer(&json!({ "nonce": nonce })));
    }
    assert_eq!(chain.mine().unwrap().transactions.len(), 0);
    let pending = json!([account(0), "pending"]);
    assert_eq!(ask(&chain, "eth_getTransactionCount", pending.clone()), "0x0");
    ask(&chain, "eth_sendTransaction", transfer(&json!({})));
    assert_eq!(ask(&chain, "eth_getTransactionCount", pending), "0x3");
    assert_eq!(chain.mine().unwrap().transactions.len(), 3);
}

#[test]
fn a_replacement_pays_a_tenth_more() {
    let chain = chain();
    let with_price = |gwei: u64| {
        transfer(&json!({ "nonce": "0x0", "gasPrice": format!("{:#x}", gwei * 1_000_000_000) }))
    };
    let first = ask(&chain, "eth_sendTransaction", with_price(10));
    let error = refusal(&chain, "eth_sendTransaction", with_price(10));
    assert_eq!(error["message"], "already known");
    let mut low = with_price(10);
    low[0]["gasPrice"] = json!(format!("{:#x}", 10_900_000_000_u64));
    let error = refusal(&chain, "eth_sendTransaction", low);
    assert_eq!(error["message"], "replacement transaction underpriced");
    let second = ask(&chain, "eth_sendTransaction", with_price(11));
    assert_eq!(ask(&chain, "eth_getTransactionByHash", json!([first])), Value::Null);
    let block = chain.mine().unwrap();
    assert_eq!(json!(block.transactions[0].inner().hash()), second);
}

#[test]
fn the_pending_block_shows_what_waits_without_sealing_it() {
    let chain = chain();
    let hash = ask(&chain, "eth_sendTransaction", transfer(&json!({})));
    let block = ask(&chain, "eth_getBlockByNumber", json!(["pending", false]));
    assert_eq!((&block["number"], &block["hash"]), (&json!("0x1"), &Value::Null));
    assert_eq!(block["transactions"], json!([hash]));
    let balance = ask(&chain, "eth_getBalance", json!([account(1), "pending"]));
    assert_eq!(balance, "0x21e19e0c9bab2400001");
    assert_eq!(chain.head().number(), 0);
}
