//! A chain in a process of its own, for what cannot be done to the process of the tests.

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use serde_json::{Value, json};

/// A chain served by another process. Dropping it kills the process.
pub(crate) struct Process {
    child: Child,
    pub(crate) url: String,
}

impl Process {
    /// Serves the chain in `folder`.
    pub(crate) fn start(folder: &Path) -> Self {
        Self::spawn(Command::new(example()).arg(folder).arg("0"))
    }

    /// Serves the chain in `folder`; no file can grow beyond `blocks` times 512 bytes.
    #[cfg(unix)]
    pub(crate) fn start_with_little_room(folder: &Path, blocks: u64) -> Self {
        // POSIX counts in blocks of 512 bytes. A write beyond the limit fails once the signal is ignored.
        let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"");
        Self::spawn(
            Command::new("/bin/sh").args(["-c", &script]).arg(example()).arg(folder).arg("0"),
        )
    }

    fn spawn(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut url = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut url).unwrap();
        Self { child, url: url.trim().to_owned() }
    }

    /// Ends the process as `kill -9` does.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may be gone already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Returns the example that serves a chain, which cargo builds beside the tests.
fn example() -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    let target = tests.parent().and_then(Path::parent).unwrap();
    let example = target.join("examples").join("serve");
    assert!(example.exists(), "{} is not built: cargo build --examples", example.display());
    example
}

/// Sends a request and returns the whole answer, or nothing when the process is gone.
pub(crate) async fn post(
    client: &reqwest::Client,
    url: &str,
    method: &str,
    params: Value,
) -> Option<Value> {
    let request = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
    let response = client.post(url).json(&request).send().await.ok()?;
    response.json::<Value>().await.ok()
}
