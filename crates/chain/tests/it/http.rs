//! The chain over HTTP: what clients send, and what nobody should.

use gridtally_chain::{Chain, ChainServer, Exposure, REQUEST_BYTES_MAX, ServeError};
use serde_json::{Value, json};

use crate::support::chain;

fn serve(chain: &Chain) -> ChainServer {
    chain.serve(([127, 0, 0, 1], 0).into(), Exposure::Loopback).unwrap()
}

/// Posts a body and returns status and answer.
fn post(server: &ChainServer, body: impl Into<reqwest::Body>) -> (u16, Value) {
    let request = reqwest::Client::new().post(server.url()).body(body);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        (status, serde_json::from_slice(&response.bytes().await.unwrap()).unwrap_or_default())
    })
}

fn answer(body: &str) -> Value {
    post(&serve(&chain()), body.to_owned()).1
}

#[test]
fn requests_are_answered_with_their_id() {
    for id in ["1", "0", "-7", "1.5", "\"abc\"", "null"] {
        let request =
            format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"eth_chainId","params":[]}}"#);
        let expected: Value = serde_json::from_str(id).unwrap();
        assert_eq!(
            answer(&request),
            json!({ "jsonrpc": "2.0", "id": expected, "result": "0x7a69" })
        );
    }
}

#[test]
fn batches_are_answered_in_order() {
    let answers = answer(
        r#"[{"id":1,"method":"eth_chainId"},{"method":"net_version"},7,{"id":2,"method":"nope"}]"#,
    );
    assert_eq!(answers[0]["result"], "0x7a69");
    assert_eq!(answers[1]["error"]["code"], -32_600);
    assert_eq!(answers[2]["error"]["code"], -32_601);
    assert_eq!(answers.as_array().unwrap().len(), 3);
}

#[test]
fn malformed_requests_get_their_codes() {
    let code = |body: &str| answer(body)["error"]["code"].clone();
    for body in ["", "{", "nul", "\u{0}", "{\"id\":1,\"method\":\"eth_chainId\""] {
        assert_eq!(code(body), -32_700, "{body}");
    }
    for body in ["[]", "1", "null", "{}", "{\"id\":1}", "{\"id\":{},\"method\":\"a\"}"] {
        assert_eq!(code(body), -32_600, "{body}");
    }
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(code(&deep), -32_700);
    assert_eq!(code(r#"{"id":1,"method":"eth_getBalance","params":["0x12"]}"#), -32_602);
    assert_eq!(code(r#"{"id":1,"method":"eth_getBalance","params":"latest"}"#), -32_602);
    assert_eq!(code(r#"{"id":1,"method":"eth_getBalance"}"#), -32_602);
}

#[test]
fn a_body_that_is_too_large_is_refused() {
    let server = serve(&chain());
    let (status, answer) = post(&server, vec![b' '; REQUEST_BYTES_MAX + 1]);
    assert_eq!((status, &answer["error"]["code"]), (413, &json!(-32_600)));
    let message = answer["error"]["message"].as_str().unwrap();
    assert!(message.contains("larger than 16777216 bytes"), "{message}");
    let (status, answer) = post(&server, r#"{"id":1,"method":"eth_blockNumber"}"#);
    assert_eq!((status, &answer["result"]), (200, &json!("0x0")));
}

#[test]
fn addresses_that_others_can_reach_are_refused_unless_forced() {
    let chain = chain();
    let address = ([0, 0, 0, 0], 0).into();
    let error = chain.serve(address, Exposure::Loopback).unwrap_err();
    assert!(matches!(error, ServeError::Exposed(found) if found == address));
    chain.serve(address, Exposure::Anyone).unwrap();
}

#[test]
fn a_stopped_server_frees_its_port() {
    let chain = chain();
    let server = serve(&chain);
    let address = server.local_addr();
    server.shutdown();
    chain.serve(address, Exposure::Loopback).unwrap();
}
