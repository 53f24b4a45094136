//! The chain over WebSocket: subscriptions, and clients that do not behave.

use std::future::Future;

use futures::{SinkExt, StreamExt};
use gridtally_chain::{Chain, ChainServer, Exposure, MESSAGE_BYTES_MAX};
use serde_json::{Value, json};
use tokio::{net::TcpStream, runtime::Runtime};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Message, client::IntoClientRequest, protocol::frame::coding::CloseCode},
};

use crate::{
    code,
    support::{account, ask, chain, refusal, send, send_and_mine},
};

struct Client {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    asked: u64,
    /// Notifications that came while an answer was awaited.
    told: Vec<Value>,
}

impl Client {
    async fn connect(server: &ChainServer) -> Self {
        let (socket, _) = connect_async(server.ws_url()).await.unwrap();
        Self { socket, asked: 0, told: Vec::new() }
    }

    async fn send(&mut self, text: impl Into<String>) {
        self.socket.send(Message::text(text.into())).await.unwrap();
    }

    async fn receive(&mut self) -> Value {
        loop {
            match self.socket.next().await.unwrap().unwrap() {
                Message::Text(text) => return serde_json::from_str(&text).unwrap(),
                Message::Ping(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// Sends a request and returns the whole answer.
    async fn respond(&mut self, method: &str, params: Value) -> Value {
        self.asked += 1;
        let id = self.asked;
        self.send(json!({ "id": id, "method": method, "params": params }).to_string()).await;
        loop {
            let message = self.receive().await;
            if message["id"] == id {
                return message;
            }
            self.told.push(message);
        }
    }

    async fn subscribe(&mut self, params: Value) -> Value {
        self.respond("eth_subscribe", params).await["result"].clone()
    }

    /// Returns the next notification as subscription and result.
    async fn told(&mut self) -> (Value, Value) {
        let message = if self.told.is_empty() { self.receive().await } else { self.told.remove(0) };
        assert_eq!(message["method"], "eth_subscription");
        (message["params"]["subscription"].clone(), message["params"]["result"].clone())
    }

    /// Reads until the connection ends and returns code and reason, when it is told any.
    async fn end(mut self) -> Option<(CloseCode, String)> {
        while let Some(Ok(message)) = self.socket.next().await {
            if let Message::Close(frame) = message {
                return frame.map(|frame| (frame.code, frame.reason.to_string()));
            }
        }
        None
    }
}

fn run<T>(test: impl AsyncFnOnce(&Chain, &ChainServer) -> T) -> T {
    let chain = chain();
    let server = serve(&chain);
    block_on(test(&chain, &server))
}

fn serve(chain: &Chain) -> ChainServer {
    chain.serve(([127, 0, 0, 1], 0).into(), Exposure::Loopback).unwrap()
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    Runtime::new().unwrap().block_on(future)
}

#[test]
fn a_client_is_told_what_it_subscribed_to() {
    run(async |chain, server| {
        let data = code::creation(&code::COUNTER);
        let counter = send_and_mine(chain, json!({ "from": account(0), "data": data }));
        let counter = counter["contractAddress"].clone();
        let call = json!({ "from": account(0), "to": counter, "gas": "0x30d40" });
        let mut client = Client::connect(server).await;
        let heads = client.subscribe(json!(["newHeads"])).await;
        let logs = client.subscribe(json!(["logs", { "address": counter }])).await;
        let none = client.subscribe(json!(["logs", { "address": account(0) }])).await;
        let pending = client.subscribe(json!(["newPendingTransactions"])).await;
        let whole = client.subscribe(json!(["newPendingTransactions", true])).await;
        let hash = send(chain, call);
        assert_eq!(client.told().await, (pending, hash.clone()));
        let (subscription, transaction) = client.told().await;
        assert_eq!((subscription, &transaction["hash"]), (whole, &hash));
        let block = chain.mine().unwrap();
        let header = ask(chain, "eth_getHeaderByNumber", json!(["latest"]));
        assert_eq!(header["hash"], block.hash.to_string());
        assert_eq!(client.told().await, (heads.clone(), header));
        let log = ask(chain, "eth_getLogs", json!([{}]))[0].clone();
        assert_eq!(client.told().await, (logs, log));
        for (subscription, known) in [(&heads, true), (&heads, false), (&none, true)] {
            let answer = client.respond("eth_unsubscribe", json!([subscription])).await;
            assert_eq!(answer["result"], known);
        }
        chain.mine().unwrap();
        assert_eq!(client.respond("eth_blockNumber", json!([])).await["result"], "0x3");
        assert!(client.told.is_empty());
    });
}

#[test]
fn subscriptions_are_bounded_and_need_a_socket() {
    run(async |chain, server| {
        let mut client = Client::connect(server).await;
        for _ in 0..128 {
            client.subscribe(json!(["newHeads"])).await;
        }
        let answer = client.respond("eth_subscribe", json!(["newHeads"])).await;
        assert_eq!(answer["error"]["code"], -32_005);
        for wrong in [json!([]), json!(["news"]), json!([7]), json!(["logs", "x"])] {
            let answer = client.respond("eth_subscribe", wrong).await;
            assert_eq!(answer["error"]["code"], -32_602, "{answer}");
        }
        assert_eq!(refusal(chain, "eth_subscribe", json!(["newHeads"]))["code"], -32_601);
        assert_eq!(refusal(chain, "eth_unsubscribe", json!(["0x1"]))["code"], -32_601);
    });
}

#[test]
fn a_client_that_talks_nonsense_is_answered() {
    run(async |_, server| {
        let mut client = Client::connect(server).await;
        for (text, code) in [("", -32_700), ("{", -32_700), ("7", -32_600), ("[]", -32_600)] {
            client.send(text).await;
            assert_eq!(client.receive().await["error"]["code"], code, "{text:?}");
        }
        let request = br#"{"id":1,"method":"eth_chainId"}"#.to_vec();
        client.socket.send(Message::binary(request)).await.unwrap();
        assert_eq!(client.receive().await["result"], "0x7a69");
        client.socket.send(Message::binary(vec![0xff; 100])).await.unwrap();
        assert_eq!(client.receive().await["error"]["code"], -32_700);
        client.send(r#"{"method":"eth_chainId"}"#).await;
        let answer = client.respond("net_version", json!([])).await;
        assert_eq!(answer["result"], "31337", "a request without id is not answered");
    });
}

#[test]
fn a_message_that_is_too_large_ends_its_connection_only() {
    run(async |_, server| {
        let mut client = Client::connect(server).await;
        let mut other = Client::connect(server).await;
        // The server may end the connection before everything is sent.
        let sent = client.socket.send(Message::text(" ".repeat(MESSAGE_BYTES_MAX + 1))).await;
        if sent.is_ok() {
            client.end().await;
        }
        assert_eq!(other.respond("eth_chainId", json!([])).await["result"], "0x7a69");
    });
}

#[test]
fn a_client_that_does_not_read_is_left_behind() {
    run(async |chain, server| {
        let mut client = Client::connect(server).await;
        for _ in 0..128 {
            client.subscribe(json!(["newHeads"])).await;
        }
        // More blocks than the chain keeps for subscribers, told 128 times each: more than any buffer takes.
        ask(chain, "hardhat_mine", json!(["0x1200"]));
        let mut other = Client::connect(server).await;
        assert_eq!(other.respond("eth_blockNumber", json!([])).await["result"], "0x1200");
        // It is told why when it reads at last; when that is too late, the connection just ends.
        if let Some((code, reason)) = client.end().await {
            assert_eq!(code, CloseCode::Policy);
            assert!(reason.starts_with("fell behind"), "{reason}");
        }
    });
}

#[test]
fn a_server_that_ends_says_so() {
    let chain = chain();
    let server = serve(&chain);
    block_on(async {
        let mut client = Client::connect(&server).await;
        client.subscribe(json!(["newHeads"])).await;
        tokio::task::spawn_blocking(|| server.shutdown()).await.unwrap();
        let (code, reason) = client.end().await.unwrap();
        assert_eq!((code, reason.as_str()), (CloseCode::Away, "the chain is closed"));
    });
}

#[test]
fn pages_of_strangers_cannot_connect() {
    run(async |_, server| {
        for (origin, allowed) in [
            ("http://localhost:3000", true),
            ("https://remix.ethereum.org", true),
            ("https://evil.example", false),
            ("null", false),
        ] {
            let mut request = server.ws_url().into_client_request().unwrap();
            request.headers_mut().insert("origin", origin.parse().unwrap());
            assert_eq!(connect_async(request).await.is_ok(), allowed, "{origin}");
        }
    });
}

#[test]
fn pages_of_strangers_are_not_answered() {
    run(async |_, server| {
        let ask = async |host: &str, origin: &str| {
            let mut request = reqwest::Client::new().post(server.url());
            request = request.header("origin", origin).body(r#"{"id":1,"method":"evm_mine"}"#);
            if !host.is_empty() {
                request = request.header("host", host);
            }
            let response = request.send().await.unwrap();
            let allowed = response.headers().get("access-control-allow-origin").cloned();
            let allowed = allowed.map(|value| value.to_str().unwrap().to_owned());
            (response.status().as_u16(), allowed)
        };
        let remix = "https://remix.ethereum.org";
        assert_eq!(ask("", remix).await, (200, Some(remix.to_owned())));
        assert_eq!(ask("", "https://evil.example").await, (403, None));
        assert_eq!(ask("evil.example", "http://evil.example").await, (403, None));
        assert_eq!(ask("localhost:1", "http://localhost").await.0, 200);
    });
}
