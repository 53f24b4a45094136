//! What an endpoint may do wrong, and what is said about it.

use alloy_primitives::U64;
use gridtally_ledger::{BlockId, Client, ConnectError, Endpoint};

use crate::hostile::{Hostile, Reply, impatient, result};

async fn check(script: Vec<Reply>, expected: &str, requests: usize) {
    let server = Hostile::start(script);
    let endpoint = Endpoint::new(&server.address, impatient()).expect("a valid address");
    let text = match endpoint.request::<U64>("eth_blockNumber", ()).await {
        Ok(number) => format!("block {number}"),
        Err(error) => error.to_string().replace(&server.address, "it"),
    };
    assert!(text.contains(expected), "{text}");
    assert_eq!(server.requests(), requests, "{text}");
}

fn body(text: &str) -> Reply {
    Reply::Body(text.into())
}

#[tokio::test]
async fn broken_connections_and_busy_endpoints_are_asked_again() {
    check(vec![result("\"0x5\"")], "block 5", 1).await;
    check(vec![Reply::Drop, Reply::Drop, result("\"0x5\"")], "block 5", 3).await;
    check(vec![Reply::Status(503), Reply::Status(429), result("\"0x5\"")], "block 5", 3).await;
    check(vec![Reply::Silence, result("\"0x5\"")], "block 5", 2).await;
}

#[tokio::test]
async fn patience_ends() {
    check(vec![Reply::Drop], "it is unreachable (eth_blockNumber, 3 attempts)", 3).await;
    check(vec![Reply::Raw(b"garbage\r\n\r\n")], "it is unreachable", 3).await;
    check(
        vec![Reply::Status(503)],
        "it answered eth_blockNumber with HTTP status 503 (3 attempts)",
        3,
    )
    .await;
    check(vec![Reply::Silence], "it did not answer eth_blockNumber within 500 ms", 3).await;
    check(vec![Reply::Raw(b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{\"j")], "unreachable", 3)
        .await;
}

#[tokio::test]
async fn wrong_answers_are_refused_at_once() {
    let huge = "x".repeat(100_001);
    check(vec![body(&huge)], "it answered eth_blockNumber with more than 100000 bytes", 1).await;
    check(vec![Reply::Endless], "with more than 100000 bytes", 1).await;
    check(vec![body("garbage")], "it gave no valid answer to eth_blockNumber: not JSON-RPC", 1)
        .await;
    let other = r#"{"jsonrpc":"2.0","id":99,"result":"0x5"}"#;
    check(vec![body(other)], "the answer to another request than 1", 1).await;
    check(vec![body("[]")], "the answer to another request", 1).await;
    check(vec![result("\"5 blocks\"")], "result of another form", 1).await;
    check(vec![result("\"0x10000000000000000\"")], "result of another form", 1).await;
    check(vec![result("null")], "result of another form", 1).await;
    check(vec![Reply::Status(404)], "HTTP status 404", 1).await;
    check(vec![Reply::Status(302)], "HTTP status 302", 1).await;
    let error = r#"{"id":{id},"error":{"code":-32601,"message":"no such\nmethod"}}"#;
    check(vec![body(error)], "it refused eth_blockNumber: no suchmethod (code -32601)", 1).await;
}

#[tokio::test]
async fn an_endpoint_that_is_not_there_is_unreachable() {
    // Bound and closed again: nobody listens there.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = format!("http://{}", listener.local_addr().expect("bound"));
    drop(listener);
    let error = Client::connect(&address, None, impatient()).await.expect_err("nobody listens");
    let expected = format!("{address} is unreachable (eth_chainId, 3 attempts)");
    assert_eq!(error.to_string(), expected);
}

#[tokio::test]
async fn another_chain_than_expected_is_refused() {
    let server = Hostile::start(vec![result("\"0x7a69\"")]);
    let error = Client::connect(&server.address, Some(1), impatient()).await.expect_err("another");
    assert!(
        matches!(error, ConnectError::WrongChain { expected: 1, found: 31_337, .. }),
        "{error}"
    );
    let client = Client::connect(&server.address, Some(31_337), impatient()).await.expect("right");
    assert_eq!(client.chain_id(), 31_337);
}

#[tokio::test]
async fn blocks_with_missing_or_oversize_members_are_refused() {
    let server = Hostile::start(vec![
        result("\"0x1\""),
        result("null"),
        result(r#"{"number":"0x1"}"#),
        result(r#"{"number":"0x1ffffffffffffffff","hash":"0x00"}"#),
    ]);
    let client = Client::connect(&server.address, None, impatient()).await.expect("reachable");
    assert_eq!(client.block(BlockId::Number(7)).await.expect("null is an answer"), None);
    for _ in 0..2 {
        let error = client.block(BlockId::Latest).await.expect_err("not a block").to_string();
        assert!(error.contains("result of another form"), "{error}");
    }
    assert!(server.bodies()[1].contains(r#""params":["0x7",false]"#), "{:?}", server.bodies());
}
