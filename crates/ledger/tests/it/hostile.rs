//! A TCP server that answers each request as its script says.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gridtally_ledger::EndpointOptions;

/// How one request is answered. `{id}` in a text becomes the id of the request.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    /// Status 200 and this body.
    Body(String),
    /// Another status and an empty body.
    Status(u16),
    /// These bytes, whatever they are, then the end of the connection.
    Raw(&'static [u8]),
    /// The end of the connection.
    Drop,
    /// Headers, then zeros until the client leaves.
    Endless,
    /// Nothing until the client leaves.
    Silence,
}

/// A JSON-RPC result.
pub(crate) fn result(json: &str) -> Reply {
    Reply::Body(format!(r#"{{"jsonrpc":"2.0","id":{{id}},"result":{json}}}"#))
}

/// The server. Its thread ends with the test process.
pub(crate) struct Hostile {
    /// Where it listens.
    pub(crate) address: String,
    requests: Arc<AtomicUsize>,
    bodies: Arc<Mutex<Vec<String>>>,
}

impl Hostile {
    /// Answers request by request from `script`, and the last reply for ever after.
    pub(crate) fn start(script: Vec<Reply>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = format!("http://{}", listener.local_addr().expect("bound"));
        let requests = Arc::new(AtomicUsize::new(0));
        let bodies = Arc::new(Mutex::new(Vec::new()));
        let (counter, log) = (Arc::clone(&requests), Arc::clone(&bodies));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (script, counter, log) =
                    (script.clone(), Arc::clone(&counter), Arc::clone(&log));
                let Ok(stream) = stream else { return };
                std::thread::spawn(move || {
                    // The client leaves when it wants to: errors of the connection end it.
                    let _ended = serve(stream, &script, &counter, &log);
                });
            }
        });
        Self { address, requests, bodies }
    }

    /// How many requests came.
    pub(crate) fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }

    /// The bodies of all requests.
    pub(crate) fn bodies(&self) -> Vec<String> {
        self.bodies.lock().expect("no panic while locked").clone()
    }
}

fn serve(
    mut stream: TcpStream,
    script: &[Reply],
    counter: &AtomicUsize,
    log: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    loop {
        let body = read_request(&mut stream)?;
        let id = body.split("\"id\":").nth(1).and_then(|rest| rest.split([',', '}']).next());
        let id = id.unwrap_or("0").to_owned();
        log.lock().expect("no panic while locked").push(body);
        let index = counter.fetch_add(1, Ordering::SeqCst).min(script.len() - 1);
        match &script[index] {
            Reply::Body(text) => {
                let text = text.replace("{id}", &id);
                let length = text.len();
                write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{text}")?;
            }
            Reply::Status(status) => {
                write!(stream, "HTTP/1.1 {status} X\r\ncontent-length: 0\r\n\r\n")?;
            }
            Reply::Raw(bytes) => return stream.write_all(bytes),
            Reply::Drop => return Ok(()),
            Reply::Endless => {
                write!(stream, "HTTP/1.1 200 OK\r\n\r\n")?;
                loop {
                    stream.write_all(&[b'0'; 4096])?;
                }
            }
            Reply::Silence => {
                stream.read_exact(&mut [0])?;
            }
        }
    }
}

/// Reads one request and returns its body.
pub(crate) fn read_request(stream: &mut TcpStream) -> std::io::Result<String> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head).to_lowercase();
    let length = head.split("content-length: ").nth(1).and_then(|rest| rest.split("\r\n").next());
    let mut body = vec![0; length.and_then(|length| length.parse().ok()).unwrap_or(0)];
    stream.read_exact(&mut body)?;
    Ok(String::from_utf8_lossy(&body).into_owned())
}

/// Little patience, so that refusals come soon.
pub(crate) fn impatient() -> EndpointOptions {
    EndpointOptions {
        connect_timeout: Duration::from_millis(500),
        request_timeout: Duration::from_millis(500),
        attempts: 3,
        pause_first: Duration::from_millis(1),
        pause_max: Duration::from_millis(2),
        answer_bytes_max: 100_000,
    }
}
