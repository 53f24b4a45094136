//! A chain served by the real binary, and the smallest client for it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::run::Terminal;

/// A running command that serves a chain; dropping it ends the process.
pub(crate) struct Server {
    child: Child,
    /// What it said when it was ready.
    pub(crate) report: Value,
}

impl Server {
    /// Starts a command with `--output json` and waits for its first document.
    pub(crate) fn start(terminal: &Terminal, arguments: &str) -> Self {
        let mut command = terminal.command(&format!("{arguments} --output json"));
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut document = String::new();
        let mut lines = BufReader::new(child.stdout.as_mut().unwrap()).lines();
        while let Some(line) = lines.next().transpose().unwrap() {
            document.push_str(&line);
            if line == "}" {
                break;
            }
        }
        let report = serde_json::from_str(&document).unwrap_or_else(|error| {
            let mut messages = String::new();
            child.stderr.as_mut().unwrap().read_to_string(&mut messages).unwrap();
            panic!("{arguments}: {error}: {document}{messages}")
        });
        Self { child, report }
    }

    /// Asks it over HTTP and returns the result.
    pub(crate) fn ask(&self, method: &str, params: Value) -> Value {
        let address = self.report["endpoint"].as_str().unwrap().strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(address).unwrap();
        let body =
            json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }).to_string();
        let length = body.len();
        write!(
            stream,
            "POST / HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let body = answer.split_once("\r\n\r\n").unwrap().1;
        let answer: Value = serde_json::from_str(body).unwrap();
        answer["result"].clone()
    }

    /// Asks it to end, as a service manager does, and returns its exit code and messages.
    pub(crate) fn terminate(mut self) -> (Option<i32>, String) {
        let status = Command::new("kill").arg(self.child.id().to_string()).status().unwrap();
        assert!(status.success());
        let code = self.child.wait().unwrap().code();
        let mut messages = String::new();
        self.child.stderr.as_mut().unwrap().read_to_string(&mut messages).unwrap();
        (code, messages)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().unwrap_or_default();
        self.child.wait().map(drop).unwrap_or_default();
    }
}
