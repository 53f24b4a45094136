//! Execution without a block, and once more after a block: overrides, simulation, traces, storage ranges.

use alloy_primitives::keccak256;
use gridtally_chain::Chain;
use serde_json::{Value, json};

use crate::{
    code,
    support::{account, ask, chain, refusal, send, send_and_mine},
};

fn deploy(chain: &Chain, code: &[u8]) -> Value {
    let data = code::creation(code);
    send_and_mine(chain, json!({ "from": account(0), "data": data }))["contractAddress"].clone()
}

fn word(number: u64) -> String {
    format!("0x{number:064x}")
}

/// Code that returns slot 0, the balance of its caller, and the number, time and hash of the block before.
const VIEW: &str = "0x5f545f523331602052436040524260605260014303406080524160a0524860c05260e05ff3";

fn view(chain: &Chain, state: &Value, block: &Value) -> Vec<String> {
    let mut state = state.clone();
    let target = code::NOBODY.to_string();
    state[&target]["code"] = json!(VIEW);
    let call = json!([{ "from": account(9), "to": target }, "latest", state, block]);
    let answer = ask(chain, "eth_call", call);
    let bytes = &answer.as_str().unwrap().as_bytes()[2..];
    bytes.chunks(64).map(|word| format!("0x{}", std::str::from_utf8(word).unwrap())).collect()
}

#[test]
fn a_call_sees_what_is_assumed_and_leaves_no_trace_of_it() {
    let chain = chain();
    chain.mine().unwrap();
    let target = code::NOBODY.to_string();
    let state = json!({
        (&target): { "stateDiff": { (word(0)): word(7) } },
        (account(9)): { "balance": "0x5" },
    });
    let hash = word(99);
    let block = json!({
        "number": "0x64", "time": "0x77359400", "baseFee": "0x3", "coinbase": code::NOBODY,
        "blockHash": { "99": hash },
    });
    let seen = view(&chain, &state, &block);
    let coinbase = format!("0x{:0>64}", &code::NOBODY.to_string().to_lowercase()[2..]);
    let expected = [word(7), word(5), word(100), word(2_000_000_000), hash, coinbase, word(3)];
    assert_eq!(seen, expected);
    let seen = view(&chain, &json!({}), &json!({}));
    assert_eq!((&seen[0], &seen[2]), (&word(0), &word(1)));
    assert_eq!(ask(&chain, "eth_getCode", json!([target])), "0x");
}

#[test]
fn assumptions_that_contradict_each_other_are_refused() {
    let chain = chain();
    let call = |state: Value, block: Value| {
        refusal(&chain, "eth_call", json!([{ "to": account(1) }, "latest", state, block]))
    };
    let both = json!({ (account(1)): { "state": {}, "stateDiff": {} } });
    assert_eq!(call(both, json!(null))["code"], -32_602);
    let huge = json!({ "number": format!("0x1{}", "0".repeat(16)) });
    assert_eq!(call(json!(null), huge)["code"], -32_602);
    for wrong in
        [json!([]), json!(7), json!({ "x": {} }), json!({ (account(1)): { "balance": [] } })]
    {
        assert_eq!(call(wrong, json!(null))["code"], -32_602);
    }
}

#[test]
fn a_simulation_is_what_the_chain_then_does() {
    let chain = chain();
    let counter = deploy(&chain, &code::COUNTER);
    let failing = deploy(&chain, &code::FAILING);
    let call = |to: &Value| json!({ "from": account(0), "to": to, "gas": "0x30d40" });
    let payload = json!({
        "blockStateCalls": [
            { "calls": [call(&counter), call(&failing)] },
            { "calls": [call(&counter)], "blockOverrides": { "number": "0x5" } },
        ],
        "returnFullTransactions": true,
    });
    let blocks = ask(&chain, "eth_simulateV1", json!([payload, "latest"]));
    let numbers: Vec<_> =
        blocks.as_array().unwrap().iter().map(|block| block["number"].clone()).collect();
    assert_eq!(numbers, ["0x3", "0x4", "0x5"]);
    let (first, last) = (&blocks[0], &blocks[2]);
    assert_eq!(first["calls"][0]["logs"][0]["topics"][0], word(1));
    assert_eq!(last["calls"][0]["logs"][0]["topics"][0], word(2));
    assert_eq!(last["parentHash"], blocks[1]["hash"]);
    assert_eq!(first["transactions"][0]["from"], account(0).to_lowercase());
    let failed = &first["calls"][1];
    assert_eq!((&failed["status"], &failed["error"]["code"]), (&json!("0x0"), &json!(3)));
    assert_eq!(failed["returnData"], "0xdeadbeef");
    let used = [&first["calls"][0]["gasUsed"], &first["calls"][1]["gasUsed"]];
    assert_eq!(ask(&chain, "eth_getStorageAt", json!([counter, "0x0"])), word(0));
    let hashes = [send(&chain, call(&counter)), send(&chain, call(&failing))];
    chain.mine().unwrap();
    for (hash, used) in hashes.iter().zip(used) {
        assert_eq!(ask(&chain, "eth_getTransactionReceipt", json!([hash]))["gasUsed"], *used);
    }
}

#[test]
fn a_simulation_is_bounded_and_goes_forward_only() {
    let chain = chain();
    chain.mine().unwrap();
    let code = |payload: Value| refusal(&chain, "eth_simulateV1", json!([payload]))["code"].clone();
    let with = |overrides: Value| json!({ "blockStateCalls": [{ "blockOverrides": overrides }] });
    assert_eq!(code(json!({ "blockStateCalls": [] })), -32_602);
    assert_eq!(code(with(json!({ "number": "0x1" }))), -38_020);
    assert_eq!(code(with(json!({ "time": "0x1" }))), -38_021);
    assert_eq!(code(with(json!({ "number": "0x102" }))), -38_026);
    let transfer = json!({ "from": account(0), "to": account(1) });
    let many = json!({ "blockStateCalls": [{ "calls": vec![transfer; 1_001] }] });
    assert_eq!(code(many), -32_005);
    let greedy = json!({ "from": account(0), "to": account(1), "gas": "0xffffffffff" });
    assert_eq!(code(json!({ "blockStateCalls": [{ "calls": [greedy] }] })), -38_015);
}

#[test]
fn a_trace_shows_the_transaction_as_it_was() {
    let chain = chain();
    let counter = deploy(&chain, &code::COUNTER);
    let call = json!({ "from": account(0), "to": counter, "gas": "0x30d40" });
    send(&chain, call.clone());
    let second = send(&chain, call.clone());
    let block = chain.mine().unwrap();
    send_and_mine(&chain, call.clone());
    let steps = ask(&chain, "debug_traceTransaction", json!([second, {}]));
    let logs = steps["structLogs"].as_array().unwrap();
    let read = logs.iter().position(|step| step["op"] == "SLOAD").unwrap();
    assert_eq!(logs[read + 1]["stack"][0], "0x1", "the first transaction has counted to one");
    assert_eq!(steps["failed"], false);
    let id = format!("{:#x}", block.number());
    let tracer = json!({ "tracer": "callTracer" });
    let traces = ask(&chain, "debug_traceBlockByNumber", json!([id, tracer]));
    assert_eq!(traces[1]["txHash"], second);
    assert_eq!(
        traces[1]["result"]["gasUsed"],
        ask(&chain, "eth_getTransactionReceipt", json!([second]))["gasUsed"]
    );
    assert_eq!(ask(&chain, "debug_traceBlockByHash", json!([block.hash, tracer])), traces);
    assert_eq!(ask(&chain, "trace_block", json!([id])).as_array().unwrap().len(), 2);
    let error = refusal(&chain, "debug_traceTransaction", json!([word(1)]));
    assert_eq!(
        (&error["code"], &error["message"]),
        (&json!(-32_001), &json!("transaction not found"))
    );
    refusal(&chain, "debug_traceBlockByNumber", json!(["0x0"]));
    refusal(&chain, "debug_traceTransaction", json!([second, { "tracer": "noSuchTracer" }]));
    for tracer in ["prestateTracer", "4byteTracer", "flatCallTracer", "muxTracer", "noopTracer"] {
        let config = if tracer == "muxTracer" { json!({ "callTracer": {} }) } else { json!({}) };
        let options = json!({ "tracer": tracer, "tracerConfig": config });
        ask(&chain, "debug_traceTransaction", json!([second, options]));
    }
}

#[test]
fn a_trace_that_would_be_too_long_is_refused() {
    let chain = chain();
    let failing = deploy(&chain, &code::FAILING);
    let call = json!({ "from": account(0), "to": failing, "data": word(1), "gas": "0xf42400" });
    let error = refusal(&chain, "debug_traceCall", json!([call, "latest", {}]));
    assert!(error["message"].as_str().unwrap().contains("400000 steps"), "{error}");
    let trace = ask(&chain, "debug_traceCall", json!([call, "latest", { "tracer": "callTracer" }]));
    assert_eq!(trace["error"], "out of gas");
}

#[test]
fn storage_is_listed_as_it_was_before_a_transaction() {
    let chain = chain();
    let counter = deploy(&chain, &code::COUNTER);
    let call = |from: usize| {
        send(&chain, json!({ "from": account(from), "to": counter, "gas": "0x30d40" }));
    };
    call(0);
    chain.mine().unwrap();
    call(1);
    call(2);
    let hash = chain.mine().unwrap().hash;
    let range = |index: usize, start: &str, count: usize| {
        ask(&chain, "debug_storageRangeAt", json!([hash, index, counter, start, count]))
    };
    for (index, value) in [(0, 1), (1, 2), (2, 3)] {
        let storage = &range(index, "0x", 100)["storage"];
        assert_eq!(storage.as_object().unwrap().len(), index + 2);
        let slot = &storage[keccak256([0; 32]).to_string()];
        assert_eq!(*slot, json!({ "key": word(0), "value": word(value) }));
    }
    let mut pages = Vec::new();
    let mut start = json!("0x0");
    while let Some(from) = start.as_str() {
        let page = range(2, from, 1);
        pages.extend(page["storage"].as_object().unwrap().clone());
        start = page["nextKey"].clone();
    }
    assert_eq!(Value::Object(pages.into_iter().collect()), range(2, "0x", 100)["storage"]);
    let beyond = json!([hash, 3, counter, "0x", 1]);
    assert_eq!(refusal(&chain, "debug_storageRangeAt", beyond)["code"], -32_000);
}
