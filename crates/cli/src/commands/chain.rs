//! `gridtally chain`: the embedded chain as a program of its own, for every Ethereum client.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::PathBuf;

use alloy_signer_local::PrivateKeySigner;
use gridtally_chain::accounts::{MNEMONIC, funded_signers};
use gridtally_chain::archive::ArchiveError;
use gridtally_chain::block_log::LogError;
use gridtally_chain::{Chain, ChainServer, Exposure, OpenError, Sealing, ServeError, ServeOptions};
use gridtally_core::decimal::parse_scaled;
use jiff::Timestamp;
use serde::Serialize;

use crate::chain_access::ServedNote;
use crate::config::{ChainConfig, Config};
use crate::context::Context;
use crate::error::{Blame, CommandError};
use crate::output::Report;
use crate::output::table::{Align, Table};

/// Where a chain without a store is kept.
const FOLDER_ALONE: &str = "gridtally-chain";

/// Run the embedded Ethereum chain until Ctrl-C
///
/// Remix, MetaMask, ethers, viem, web3.js and cast connect to it like to any other: JSON-RPC over HTTP and WebSocket on one
/// port. Ten accounts with 10,000 ether each are unlocked; their keys are known to everybody.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Folder of the chain, made where there is none [default: chain.folder, or that of the store, or gridtally-chain]
    #[arg(long, value_name = "FOLDER", conflicts_with = "in_memory")]
    folder: Option<PathBuf>,
    /// Keep nothing on disk
    #[arg(long)]
    in_memory: bool,
    /// Address and port to listen on; port 0 takes a free one [default: 127.0.0.1:8545, or chain.listen]
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
    /// Chain id; a folder of another one is refused [default: 31337, or chain.chain_id]
    #[arg(long, value_name = "ID")]
    chain_id: Option<u64>,
    /// Seconds between blocks; 0 seals as soon as a transaction arrives [default: 0, or chain.seal_interval_ms]
    #[arg(long, value_name = "SECONDS", value_parser = interval_ms)]
    interval: Option<u64>,
    /// Time of the first block, such as 2026-10-24T00:00:00Z; the chain's clock starts there [default: now]
    #[arg(long, value_name = "TIME", value_parser = genesis_time)]
    genesis_time: Option<u64>,
    /// Listen on an address that others can reach, although everybody knows the keys
    #[arg(long)]
    force_public: bool,
    /// Let pages of this origin ask too, such as `https://app.example.org`; pages of this computer, browser extensions and
    /// Remix always may. May be given several times
    #[arg(long = "allow-origin", value_name = "ORIGIN")]
    origins: Vec<String>,
}

/// What a client needs to connect.
#[derive(Debug, Serialize)]
struct ChainReport {
    endpoint: String,
    websocket: String,
    chain_id: u64,
    folder: Option<PathBuf>,
    head: u64,
    mnemonic: &'static str,
    accounts: Vec<Account>,
}

/// A funded account.
#[derive(Debug, Serialize)]
struct Account {
    address: String,
    private_key: String,
}

pub(crate) fn run(arguments: &Arguments, context: &Context) -> Result<(), CommandError> {
    let config = context.config(|settings| {
        if let Some(folder) = &arguments.folder {
            settings.set_flag("chain.folder", "--folder", folder.display().to_string());
        }
        if let Some(listen) = arguments.listen {
            settings.set_flag("chain.listen", "--listen", listen.to_string());
        }
        if let Some(chain_id) = arguments.chain_id {
            let chain_id = i64::try_from(chain_id).unwrap_or(i64::MAX);
            settings.set_flag("chain.chain_id", "--chain-id", chain_id);
        }
        if let Some(interval_ms) = arguments.interval {
            let interval_ms = i64::try_from(interval_ms).unwrap_or(i64::MAX);
            settings.set_flag("chain.seal_interval_ms", "--interval", interval_ms);
        }
    })?;
    let folder = (!arguments.in_memory).then(|| folder_of(&config));
    let ChainConfig { listen, chain_id, seal_interval, .. } = config.chain;
    let exposure = if arguments.force_public { Exposure::Anyone } else { Exposure::Loopback };
    let chain = open(gridtally_chain::ChainConfig {
        folder: folder.clone(),
        chain_id,
        genesis_time_unix_s: arguments.genesis_time,
        sealing: seal_interval.map_or(Sealing::Instant, Sealing::Interval),
        ..gridtally_chain::ChainConfig::default()
    })?;
    let options = ServeOptions { exposure, origins: arguments.origins.clone() };
    let server = serve(&chain, listen, options)?;
    let note = folder.as_deref().map(|folder| ServedNote::write(folder, &server.url()));
    let _note = note.transpose()?;
    context.output.report(&ChainReport::new(&chain, &server, folder))?;
    context.block_on(interrupted())?;
    server.shutdown();
    context.output.note(&format!("The chain ends at block {}.", chain.head().number()));
    Ok(())
}

/// Returns the folder of the chain: that of the store where there is one, else one in the working folder.
fn folder_of(config: &Config) -> PathBuf {
    if config.chain.folder.is_none() && !config.store_folder.exists() {
        return PathBuf::from(FOLDER_ALONE);
    }
    config.chain_folder()
}

/// Opens a chain.
///
/// # Errors
///
/// A refusal where the folder holds another chain, an environment error where it cannot be used.
pub(crate) fn open(config: gridtally_chain::ChainConfig) -> Result<Chain, CommandError> {
    Chain::open(config).map_err(open_error)
}

/// Says whose fault it is that a chain does not open.
pub(crate) fn open_error(error: OpenError) -> CommandError {
    match error {
        OpenError::OtherChainId { .. }
        | OpenError::OtherGenesisTime { .. }
        | OpenError::OtherGenesis { .. } => CommandError::refused(error),
        OpenError::Log(ref log) | OpenError::Archive(ArchiveError::Log(ref log)) => match log {
            LogError::NoChain { .. }
            | LogError::NotALog { .. }
            | LogError::Damaged { .. }
            | LogError::Unfinished { .. } => CommandError::refused(error),
            LogError::InUse { .. }
            | LogError::InUseByReaders { .. }
            | LogError::Closed { .. }
            | LogError::Io { .. } => CommandError::environment(error),
        },
        OpenError::StateRoot { .. } | OpenError::Archive(ArchiveError::Unreadable { .. }) => {
            CommandError::refused(error)
        }
        OpenError::Blobs(_) | OpenError::Thread(_) => CommandError::environment(error),
    }
}

/// Serves a chain.
///
/// # Errors
///
/// A usage error where others could reach it, an environment error where the port is taken.
fn serve(
    chain: &Chain,
    listen: SocketAddr,
    options: ServeOptions,
) -> Result<ChainServer, CommandError> {
    chain.serve_with(listen, options).map_err(|error| match error {
        ServeError::Exposed(_) => CommandError::usage(error),
        ServeError::Bind { .. } | ServeError::Start(_) => CommandError::environment(error),
    })
}

/// Waits for Ctrl-C or a request to end.
///
/// # Errors
///
/// An environment error where the system delivers no signals.
pub(crate) async fn interrupted() -> Result<(), CommandError> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate()).or_environment()?;
        tokio::select! {
            done = tokio::signal::ctrl_c() => done.or_environment(),
            _ = terminate.recv() => Ok(()),
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await.or_environment()
}

impl ChainReport {
    fn new(chain: &Chain, server: &ChainServer, folder: Option<PathBuf>) -> Self {
        let account = |signer: &PrivateKeySigner| Account {
            address: signer.address().to_string(),
            private_key: signer.to_bytes().to_string(),
        };
        Self {
            endpoint: server.url(),
            websocket: server.ws_url(),
            chain_id: chain.chain_id(),
            folder,
            head: chain.head().number(),
            mnemonic: MNEMONIC,
            accounts: funded_signers().iter().map(account).collect(),
        }
    }
}

impl Report for ChainReport {
    fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        let kept = self
            .folder
            .as_ref()
            .map_or_else(|| "in memory only".to_owned(), |folder| folder.display().to_string());
        writeln!(out, "Embedded Ethereum chain, block {}\n", self.head)?;
        writeln!(out, "  HTTP       {}", self.endpoint)?;
        writeln!(out, "  WebSocket  {}", self.websocket)?;
        writeln!(out, "  chain id   {}", self.chain_id)?;
        writeln!(out, "  kept       {kept}\n")?;
        writeln!(
            out,
            "WARNING: everybody knows these keys. Never send them anything of value on another chain.\n"
        )?;
        let mut addresses = Table::new([
            (Align::Right, "#"),
            (Align::Left, "account, unlocked, 10,000 ETH at the start"),
        ]);
        let mut keys = Table::new([(Align::Right, "#"), (Align::Left, "private key")]);
        for (index, account) in self.accounts.iter().enumerate() {
            addresses.row([index.to_string(), account.address.clone()]);
            keys.row([index.to_string(), account.private_key.clone()]);
        }
        addresses.write(out)?;
        writeln!(out)?;
        keys.write(out)?;
        writeln!(out, "\n  mnemonic   {}\n", self.mnemonic)?;
        writeln!(out, "Ctrl-C ends it; what is on disk stays.")
    }
}

/// Reads seconds with up to three decimals as milliseconds, at most a day.
fn interval_ms(text: &str) -> Result<u64, String> {
    let us = parse_scaled(text, 6).map_err(|error| error.to_string())?;
    u64::try_from(us)
        .ok()
        .filter(|&us| us <= 86_400_000_000 && us.is_multiple_of(1_000))
        .map(|us| us / 1_000)
        .ok_or_else(|| "give seconds from 0 to 86400 with at most three decimals".to_owned())
}

/// Reads an RFC 3339 time as seconds since 1970.
fn genesis_time(text: &str) -> Result<u64, String> {
    let time: Timestamp =
        text.parse().map_err(|_| "write it as 2026-10-24T00:00:00Z".to_owned())?;
    u64::try_from(time.as_second()).map_err(|_| "give a time since 1970".to_owned())
}
