//! What nobody should send: each gets an error with its code, and the chain goes on.

use std::{collections::BTreeSet, path::Path};

use gridtally_chain::{Chain, Sealing};
use proptest::{prelude::*, test_runner::TestRunner};
use serde_json::{Value, json};

use crate::{
    code,
    support::{account, ask, chain, refusal, respond},
};

/// Returns every method that the sources name.
pub(crate) fn methods() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/rpc");
    let sources = std::fs::read_dir(folder).unwrap();
    let sources = sources.map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap());
    let prefixes = [
        "eth", "net", "web3", "debug", "trace", "txpool", "evm", "anvil", "hardhat", "personal",
        "rpc",
    ];
    let is_method = |word: &str| match word.split_once('_') {
        Some((prefix, name)) => {
            prefixes.contains(&prefix)
                && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        }
        None => false,
    };
    let found: BTreeSet<_> = sources
        .flat_map(|source| source.split('"').map(str::to_owned).collect::<Vec<_>>())
        .filter(|word| is_method(word) && word != "eth_subscription")
        .collect();
    found.into_iter().collect()
}

/// Checks that a response is a result, or an error that says what is wrong.
fn check(chain: &Chain, method: &str, params: &Value) {
    let response = respond(chain, method, params.clone());
    if response.get("result").is_some() {
        return;
    }
    let shown: String = params.to_string().chars().take(300).collect();
    let code = response["error"]["code"].as_i64();
    let code = code.unwrap_or_else(|| panic!("{method} {shown}: {response}"));
    assert_ne!(code, -32_603, "{method} {shown}: {response}");
    assert!(!response["error"]["message"].as_str().unwrap().is_empty(), "{method} {shown}");
}

#[test]
fn every_method_survives_wrong_parameters() {
    let chain = chain();
    let methods = methods();
    assert!(methods.len() > 120, "{} methods", methods.len());
    for method in methods.iter().filter(|method| !method.ends_with("subscribe")) {
        let known = respond(&chain, method, json!([]));
        assert_ne!(known["error"]["code"], -32_601, "{method}: {known}");
    }
    let everything = json!({ "from": account(0), "to": account(1), "data": "0x", "tracer": "x" });
    let deep = (0..100).fold(json!(0), |value, _| json!([value]));
    let long = "f".repeat(100_000);
    for value in [
        json!(null),
        json!(-1),
        json!(1.5),
        json!(u64::MAX),
        json!(true),
        json!(""),
        json!("0x"),
        json!("latest"),
        json!("🙂"),
        json!(format!("0x{long}")),
        json!(format!("0x{}", "ff".repeat(20))),
        json!(format!("0x{}", "ff".repeat(32))),
        json!(format!("0x{}", "f".repeat(16))),
        json!({}),
        json!([]),
        everything,
        deep,
    ] {
        for method in &methods {
            for count in 1..=4 {
                check(&chain, method, &json!(vec![value.clone(); count]));
            }
            check(&chain, method, &value);
        }
    }
    chain.set_sealing(Sealing::Manual);
    chain.mine().unwrap();
}

fn any_json() -> impl Strategy<Value = Value> {
    let words = [
        "from",
        "to",
        "data",
        "gas",
        "value",
        "latest",
        "pending",
        "0x0",
        "0x1",
        "address",
        "topics",
        "tracer",
        "callTracer",
        "prestateTracer",
        "stateOverrides",
        "blockStateCalls",
        "calls",
        "logs",
        "newHeads",
        "fromBlock",
        "toBlock",
        "blockHash",
        "balance",
        "state",
        "accessList",
        "type",
    ];
    let word = prop::sample::select(words.to_vec());
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(|number| json!(format!("{number:#x}"))),
        word.clone().prop_map(Value::from),
        prop::collection::vec(any::<u8>(), 0..40)
            .prop_map(|bytes| json!(alloy_primitives::hex::encode_prefixed(bytes))),
        (0..10_usize).prop_map(|index| json!(account(index))),
    ];
    leaf.prop_recursive(3, 24, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            prop::collection::vec((word.clone(), inner), 0..5).prop_map(|entries| {
                Value::Object(entries.into_iter().map(|(key, v)| (key.to_owned(), v)).collect())
            }),
        ]
    })
}

#[test]
fn every_method_survives_whatever_json_there_is() {
    let chain = chain();
    let methods = methods();
    let strategy = (prop::sample::select(methods), prop::collection::vec(any_json(), 0..5));
    let mut runner = TestRunner::new(ProptestConfig { cases: 4_096, ..ProptestConfig::default() });
    let survives = |(method, params): (String, Vec<Value>)| {
        check(&chain, &method, &Value::Array(params));
        Ok(())
    };
    runner.run(&strategy, survives).unwrap();
}

#[test]
fn batches_and_their_responses_are_bounded() {
    let chain = chain();
    let request = json!({ "id": 1, "method": "eth_chainId" });
    let answer = |count: usize| chain.dispatch(json!(vec![request.clone(); count])).unwrap();
    assert_eq!(answer(1_000).as_array().unwrap().len(), 1_000);
    let refused = answer(1_001);
    assert_eq!(refused["error"]["code"], -32_600);
    assert_eq!(
        refused["error"]["message"],
        "invalid request: 1001 requests in a batch, at most 1000"
    );
    let code = format!("0x{}", "fe".repeat(64 << 10));
    ask(&chain, "hardhat_setCode", json!([code::NOBODY, code]));
    let requests: Vec<_> = (0..600)
        .map(|id| json!({ "id": id, "method": "eth_getCode", "params": [code::NOBODY] }))
        .collect();
    let answers = chain.dispatch(Value::Array(requests)).unwrap();
    assert_eq!((&answers[0]["id"], &answers[0]["result"]), (&json!(0), &json!(code)));
    assert_eq!(
        (&answers[599]["id"], &answers[599]["error"]["code"]),
        (&json!(599), &json!(-32_003))
    );
    let answered = answers.as_array().unwrap().iter().filter(|one| one["error"].is_null()).count();
    assert_eq!(answered, (64 << 20) / (code.len() + 40));
}

#[test]
fn a_small_text_does_not_become_a_large_value() {
    let chain = chain();
    let answer = |text: &str| -> Value {
        serde_json::from_slice(&chain.dispatch_text(text.as_bytes()).unwrap()).unwrap()
    };
    let wide = format!(r#"{{"id":1,"method":"eth_call","params":[{}0]}}"#, "0,".repeat(250_000));
    let refused = answer(&wide);
    assert_eq!(refused["error"]["code"], -32_700);
    assert!(refused["error"]["message"].as_str().unwrap().contains("more than 250000 values"));
    assert_eq!(answer(&"[".repeat(1 << 20))["error"]["code"], -32_700);
    let deep = format!(r#"{{"id":1,"method":"eth_call","params":{}}}"#, "{\"a\":".repeat(200));
    assert_eq!(answer(&deep)["error"]["code"], -32_700);
}

#[test]
fn large_questions_have_bounded_answers() {
    let chain = chain();
    chain.mine().unwrap();
    let max = format!("{:#x}", u64::MAX);
    let all = json!([{ "fromBlock": "0x0", "toBlock": max }]);
    assert_eq!(ask(&chain, "eth_getLogs", all), json!([]));
    let code = |method: &str, params: Value| refusal(&chain, method, params)["code"].clone();
    assert_eq!(code("eth_getLogs", json!([{ "fromBlock": max, "toBlock": "0x0" }])), -32_602);
    assert_eq!(code("eth_getLogs", json!([{ "blockHash": format!("0x{:064x}", 1) }])), -32_001);
    let history = ask(&chain, "eth_feeHistory", json!([max, "latest", [50.0]]));
    assert_eq!(history["reward"].as_array().unwrap().len(), 2);
    assert_eq!(code("eth_feeHistory", json!([1, "latest", vec![1.0; 101]])), -32_602);
    assert_eq!(code("eth_feeHistory", json!([1, "latest", [50.0, 10.0]])), -32_602);
    assert_eq!(code("hardhat_mine", json!(["0x2711"])), -32_602);
    assert_eq!(code("evm_mine", json!([{ "blocks": max }])), -32_602);
    assert_eq!(code("evm_increaseTime", json!([max])), -32_602);
    assert_eq!(code("evm_setNextBlockTimestamp", json!([253_402_300_800_u64])), -32_602);
    assert_eq!(code("hardhat_mine", json!(["0x3", max])), -32_602);
    assert_eq!(code("eth_getProof", json!([code::NOBODY, vec!["0x1"; 1_025]])), -32_602);
    let long = format!("0x{}", "00".repeat((64 << 10) + 1));
    assert_eq!(code("hardhat_setCode", json!([code::NOBODY, long])), -32_602);
    assert_eq!(code("eth_getBalance", json!([code::NOBODY, max])), -32_001);
    assert_eq!(code("debug_storageRangeAt", json!(["0x1", max, code::NOBODY, "0x", max])), -32_000);
}

#[test]
fn code_that_never_ends_is_ended() {
    let chain = chain();
    let loops = json!({ "code": "0x5b5f56" });
    let call = json!([{ "to": code::NOBODY, "gas": format!("{:#x}", u64::MAX) }, "latest", { code::NOBODY.to_string(): loops }]);
    let error = refusal(&chain, "eth_call", call.clone());
    assert_eq!((&error["code"], &error["message"]), (&json!(-32_000), &json!("out of gas")));
    let error = refusal(&chain, "eth_estimateGas", call);
    assert!(error["message"].as_str().unwrap().starts_with("gas required exceeds allowance"));
}

#[test]
fn errors_repeat_little_of_what_was_sent() {
    let chain = chain();
    let long = "x".repeat(2 << 20);
    for method in methods() {
        for value in [json!(long), json!({ long.as_str(): 1 }), json!({ "from": long })] {
            let response = respond(&chain, &method, json!([value, value]));
            // web3_sha3 and the like take every text and answer with something short, or refuse.
            assert!(response.to_string().len() < 8_192, "{method}: {}", response["error"]["code"]);
        }
    }
    let error = respond(&chain, &long, json!([]));
    assert_eq!((&error["error"]["code"], error.to_string().len() < 512), (&json!(-32_601), true));
    let error = chain.dispatch(json!({ "id": long, "method": "eth_chainId" })).unwrap();
    assert_eq!(error["id"], Value::Null);
    assert_eq!(error["error"]["message"], "invalid request: id is longer than 1024 bytes");
    let whole = chain.dispatch(json!({ "id": "x".repeat(1_024), "method": "eth_chainId" }));
    assert_eq!(whole.unwrap()["result"], "0x7a69");
}
