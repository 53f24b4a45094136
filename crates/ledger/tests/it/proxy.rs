//! A connection to a real chain that loses, delays and falsifies what a rule says.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;

use gridtally_ledger::{Client, EndpointOptions};
use serde_json::Value;

use crate::hostile::read_request;
use crate::node::Node;

/// What becomes of one request.
#[derive(Debug, Clone)]
pub(crate) enum Fate {
    /// The chain gets it, the client gets the answer.
    Passed,
    /// The chain goes back to this snapshot; then the request passes.
    PassedAfterRevert(Value),
    /// The chain never gets it.
    RequestLost,
    /// The chain gets it, the client never hears of it.
    AnswerLost,
    /// The chain never gets it, the client gets this result.
    Result(&'static str),
    /// The chain gets it, the client gets the result with this change.
    Edited(fn(&mut Value)),
    /// The chain never gets it, the client is refused with this message.
    Refused(&'static str),
}

/// Says what becomes of the nth (from 0) request of a method, given its parameters.
type Rule = dyn FnMut(&str, usize, &Value) -> Fate + Send;

struct Shared {
    upstream: String,
    rule: Mutex<Box<Rule>>,
    counts: Mutex<BTreeMap<String, usize>>,
    /// Read by requests under way, written while the chain goes back.
    under_way: RwLock<()>,
}

/// The connection. Its threads end with the test process.
pub(crate) struct Proxy {
    /// A client behind it.
    pub(crate) client: Client,
    shared: Arc<Shared>,
}

impl Proxy {
    /// Starts one in front of a chain. The rule begins to work once the client is connected.
    pub(crate) async fn start(
        node: &Node,
        rule: impl FnMut(&str, usize, &Value) -> Fate + Send + 'static,
    ) -> Self {
        let upstream = node.address.trim_start_matches("http://").to_owned();
        let passed: Box<Rule> = Box::new(|_, _, _| Fate::Passed);
        let shared = Arc::new(Shared {
            upstream,
            rule: Mutex::new(passed),
            counts: Mutex::default(),
            under_way: RwLock::default(),
        });
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = format!("http://{}", listener.local_addr().expect("bound"));
        let inner = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let inner = Arc::clone(&inner);
                // Whoever leaves early ends its connection.
                std::thread::spawn(move || serve(stream, &inner).unwrap_or_default());
            }
        });
        let options = EndpointOptions {
            request_timeout: Duration::from_secs(20),
            attempts: 3,
            pause_first: Duration::from_millis(1),
            ..EndpointOptions::default()
        };
        let client = Client::connect(&address, None, options).await.expect("the chain answers");
        shared.counts.lock().expect("no panic while locked").clear();
        *shared.rule.lock().expect("no panic while locked") = Box::new(rule);
        Self { client, shared }
    }

    /// Returns how many requests of a method came.
    pub(crate) fn count(&self, method: &str) -> usize {
        let counts = self.shared.counts.lock().expect("no panic while locked");
        counts.get(method).copied().unwrap_or(0)
    }
}

impl Shared {
    fn pass(&self, body: &str) -> std::io::Result<String> {
        let _under_way = self.under_way.read().expect("no panic while locked");
        forward(&self.upstream, body)
    }

    /// Takes the chain back while nothing else happens to it: anvil keeps the money of a transaction that it is just
    /// putting into a block.
    fn revert(&self, snapshot: &Value) -> std::io::Result<()> {
        let _alone = self.under_way.write().expect("no panic while locked");
        while self.ask("txpool_status", &[])?["pending"] != "0x0" {
            std::thread::sleep(Duration::from_millis(1));
        }
        let answer = self.ask("evm_revert", std::slice::from_ref(snapshot))?;
        assert_eq!(answer, Value::Bool(true), "evm_revert");
        Ok(())
    }

    /// Sends a request of developers' tools, without a runtime.
    fn ask(&self, method: &str, params: &[Value]) -> std::io::Result<Value> {
        let body =
            serde_json::json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let answer: Value = serde_json::from_str(&forward(&self.upstream, &body.to_string())?)?;
        Ok(answer["result"].clone())
    }
}

fn serve(mut client: TcpStream, shared: &Shared) -> std::io::Result<()> {
    loop {
        let body = read_request(&mut client)?;
        let request: Value = serde_json::from_str(&body)?;
        let method = request["method"].as_str().unwrap_or_default().to_owned();
        let index = {
            let mut counts = shared.counts.lock().expect("no panic while locked");
            let count = counts.entry(method.clone()).or_default();
            *count += 1;
            *count - 1
        };
        let fate =
            shared.rule.lock().expect("no panic while locked")(&method, index, &request["params"]);
        let id = &request["id"];
        let answer = match fate {
            Fate::RequestLost => return Ok(()),
            Fate::Passed => shared.pass(&body)?,
            Fate::PassedAfterRevert(snapshot) => {
                shared.revert(&snapshot)?;
                shared.pass(&body)?
            }
            Fate::AnswerLost => return shared.pass(&body).map(drop),
            Fate::Edited(change) => {
                let mut answer: Value = serde_json::from_str(&shared.pass(&body)?)?;
                change(&mut answer["result"]);
                answer.to_string()
            }
            Fate::Result(result) => format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#),
            Fate::Refused(message) => format!(
                r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":-32000,"message":"{message}"}}}}"#
            ),
        };
        let length = answer.len();
        // In one piece: small pieces wait for each other's acknowledgement.
        let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{answer}");
        client.write_all(answer.as_bytes())?;
    }
}

/// Asks the chain and returns the body of its answer.
fn forward(upstream: &str, body: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(upstream)?;
    let length = body.len();
    let request = format!(
        "POST / HTTP/1.0\r\nhost: {upstream}\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    // HTTP/1.0 knows no chunks: what comes after the head is the body.
    Ok(answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default())
}
