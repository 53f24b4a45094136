//! A chain in a process of its own, so that ours and anvil are measured alike.

use std::io;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail};
use gridtally_ledger::{Client, EndpointOptions};

use crate::stopwatch::Stopwatch;

/// Longest time until a chain answers.
const START_MAX: Duration = Duration::from_secs(30);
/// Pause between questions whether it answers.
const PAUSE: Duration = Duration::from_millis(5);

/// Which program runs the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Program {
    /// This binary, with its chain on disk.
    Embedded,
    /// Foundry's anvil, found here.
    Anvil(PathBuf),
}

impl Program {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Embedded => "embedded",
            Self::Anvil(_) => "anvil",
        }
    }

    /// Finds anvil among the installed programs or the contracts' npm modules below the working folder.
    pub(super) fn anvil() -> Option<Self> {
        let installed = std::env::var_os("PATH").unwrap_or_default();
        let folders =
            std::env::split_paths(&installed).chain([PathBuf::from("contracts/node_modules/.bin")]);
        let found = folders.map(|folder| folder.join("anvil")).find(|path| path.is_file())?;
        found.canonicalize().ok().map(|path| Self::Anvil(native(path)))
    }
}

/// The npm package starts the real program from a script; the script would hide its memory.
fn native(path: PathBuf) -> PathBuf {
    let modules = path.ancestors().find(|folder| folder.ends_with("node_modules/@foundry-rs"));
    let platform = format!("anvil-{}-{}/bin/anvil", std::env::consts::OS, architecture());
    modules.map(|modules| modules.join(platform)).filter(|path| path.is_file()).unwrap_or(path)
}

fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

/// A running chain; dropping it ends the process.
#[derive(Debug)]
pub(super) struct Running {
    child: Child,
    pub(super) client: Client,
    /// From starting the process to its first answer.
    pub(super) started_after: Duration,
}

impl Running {
    /// Starts a fresh chain that seals at once and waits until it answers.
    ///
    /// # Errors
    ///
    /// When the program cannot be started, ends early or does not answer.
    pub(super) async fn start(program: &Program, folder: &Path) -> anyhow::Result<Self> {
        let port = free_port().context("no free port on the loopback address")?;
        let mut command = match program {
            Program::Embedded => {
                let mut command = Command::new(std::env::current_exe()?);
                command.args([
                    "chain",
                    "--output",
                    "json",
                    "--listen",
                    &format!("127.0.0.1:{port}"),
                ]);
                command.arg("--folder").arg(folder);
                command
            }
            Program::Anvil(path) => {
                let mut command = Command::new(path);
                command.args(["--silent", "--host", "127.0.0.1", "--port", &port.to_string()]);
                command.args(["--hardfork", "osaka"]);
                command
            }
        };
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let watch = Stopwatch::start();
        let mut child =
            command.spawn().with_context(|| format!("cannot start {}", program.name()))?;
        let address = format!("http://127.0.0.1:{port}");
        let options = EndpointOptions { attempts: 1, ..EndpointOptions::default() };
        loop {
            if let Ok(client) = Client::connect(&address, None, options.clone()).await {
                return Ok(Self { child, client, started_after: watch.elapsed() });
            }
            if let Some(status) = child.try_wait()? {
                bail!("{} ended with {status} before it answered", program.name());
            }
            if watch.elapsed() > START_MAX {
                child.kill()?;
                bail!("{} did not answer within {} s", program.name(), START_MAX.as_secs());
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Returns the resident memory in bytes, where the system tells.
    pub(super) fn resident_bytes(&self) -> Option<u64> {
        status_bytes(&self.child.id().to_string(), "VmRSS:")
    }
}

/// Returns the most memory that this process had resident so far, in bytes, where the system tells.
pub(super) fn peak_resident_bytes() -> Option<u64> {
    status_bytes("self", "VmHWM:")
}

/// Returns the most memory that a process had resident so far, in bytes, while it runs and where the system tells.
pub(super) fn peak_resident_bytes_of(process: u32) -> Option<u64> {
    status_bytes(&process.to_string(), "VmHWM:")
}

fn status_bytes(process: &str, name: &str) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().strip_suffix(" kB")?.parse::<u64>().ok().map(|kib| kib * 1_024)
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to end.
        self.child.kill().unwrap_or_default();
        self.child.wait().map(drop).unwrap_or_default();
    }
}

fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
