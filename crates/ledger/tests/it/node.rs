//! Chains to test against, each test with its own: the embedded one, and anvil.

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use gridtally_chain::{Chain, ChainConfig, ChainServer, Exposure};
use gridtally_ledger::{Client, EndpointOptions};
use serde::Serialize;
use serde_json::Value;

/// The time at which both chains start: 2025-10-01T00:00:00Z.
pub(crate) const START_UNIX_S: u64 = 1_759_276_800;

/// A running chain; dropping it ends it.
pub(crate) struct Node {
    /// A connection to it.
    pub(crate) client: Client,
    /// Where it listens.
    pub(crate) address: String,
    _running: Running,
}

enum Running {
    Embedded { _server: ChainServer },
    Anvil(Child),
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Self::Anvil(child) = self {
            child.kill().expect("it was started here");
            child.wait().expect("it was started here");
        }
    }
}

impl Node {
    /// Starts an embedded chain in memory that seals at once.
    pub(crate) async fn embedded() -> Self {
        let config =
            ChainConfig { genesis_time_unix_s: Some(START_UNIX_S), ..ChainConfig::default() };
        let chain = Chain::open(config).expect("a new chain in memory");
        let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let server = chain.serve(loopback, Exposure::Loopback).expect("a free port");
        Self::connect(server.url(), Running::Embedded { _server: server }).await
    }

    /// Starts anvil, which seals at once, on a port of its own choice.
    pub(crate) async fn anvil() -> Self {
        let time = START_UNIX_S.to_string();
        let arguments = ["--port", "0", "--hardfork", "osaka", "--timestamp", &time];
        let mut command = Command::new(anvil());
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("anvil starts");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let running = Running::Anvil(child);
        let address = loop {
            let line = lines.next().expect("anvil says where it listens").expect("text");
            if let Some(address) = line.strip_prefix("Listening on ") {
                break format!("http://{address}");
            }
        };
        // What it writes later is read, so that it never waits for a full pipe.
        std::thread::spawn(move || lines.for_each(drop));
        Self::connect(address, running).await
    }

    async fn connect(address: String, running: Running) -> Self {
        let client = Client::connect(&address, Some(31_337), EndpointOptions::default()).await;
        Self { client: client.expect("it listens"), address, _running: running }
    }

    /// Sends a request of developers' tools, such as `evm_mine`.
    pub(crate) async fn steer(&self, method: &'static str, params: impl Serialize) -> Value {
        self.client.endpoint().request(method, params).await.expect(method)
    }

    /// Makes the next block come at this time, and makes it.
    pub(crate) async fn mine_at(&self, unix_s: u64) {
        self.steer("evm_setNextBlockTimestamp", [unix_s]).await;
        self.steer("evm_mine", ()).await;
    }
}

/// Does the same on both chains and compares what comes out.
pub(crate) async fn on_both<T: PartialEq + std::fmt::Debug>(work: impl AsyncFn(&Node) -> T) -> T {
    let embedded = work(&Node::embedded().await).await;
    let anvil = work(&Node::anvil().await).await;
    assert_eq!(embedded, anvil, "embedded chain and anvil");
    embedded
}

/// Finds the program itself: the npm package's script would outlive its end.
fn anvil() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../chain/tests/compat");
    let packages = folder.join("node_modules/@foundry-rs");
    let found = std::fs::read_dir(&packages).ok().and_then(|mut entries| {
        entries.find_map(|entry| {
            let path = entry.ok()?.path().join("bin/anvil");
            (path.is_file() && is_native(&path)).then_some(path)
        })
    });
    found.unwrap_or_else(|| panic!("anvil is missing: npm ci --prefix {}", folder.display()))
}

fn is_native(path: &Path) -> bool {
    let package = path.ancestors().nth(2).and_then(Path::file_name);
    package.is_some_and(|name| name.to_string_lossy().starts_with("anvil-"))
}
