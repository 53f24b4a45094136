//! The chain that this process runs itself, for history and for trying things out.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use gridtally_chain::{Access, Chain, ChainConfig, ChainServer, Exposure, OpenError, ServeError};
use gridtally_core::period::SettlementCalendar;
use gridtally_ledger::{Client, ConnectError, EndpointOptions};

/// A chain of our own whose time starts with the settlement calendar, so that tariffs can be published before their periods
/// even where these are long over.
#[derive(Debug)]
pub struct EmbeddedChain {
    server: ChainServer,
    chain: Chain,
}

/// Why there is no embedded chain. In order of precedence.
#[derive(Debug, thiserror::Error)]
pub enum EmbeddedError {
    /// The chain cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The chain cannot be served.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// The chain does not answer.
    #[error(transparent)]
    Connect(#[from] ConnectError),
}

impl EmbeddedChain {
    /// Opens a chain in a folder, or one that is lost with the process, and serves it on a free port of this machine.
    ///
    /// # Errors
    ///
    /// [`EmbeddedError::Open`], then [`EmbeddedError::Serve`].
    pub fn open(
        folder: Option<PathBuf>,
        chain_id: u64,
        calendar: &SettlementCalendar,
    ) -> Result<Self, EmbeddedError> {
        Self::open_as(Access::ReadWrite, folder, chain_id, calendar)
    }

    /// Opens a chain that is there already, without changing a byte of its folder, and serves it on a free port of this
    /// machine.
    ///
    /// # Errors
    ///
    /// [`EmbeddedError::Open`], then [`EmbeddedError::Serve`].
    pub fn open_to_read(
        folder: PathBuf,
        chain_id: u64,
        calendar: &SettlementCalendar,
    ) -> Result<Self, EmbeddedError> {
        Self::open_as(Access::ReadOnly, Some(folder), chain_id, calendar)
    }

    fn open_as(
        access: Access,
        folder: Option<PathBuf>,
        chain_id: u64,
        calendar: &SettlementCalendar,
    ) -> Result<Self, EmbeddedError> {
        let genesis_s = calendar.genesis_time().as_second();
        let config = ChainConfig {
            folder,
            access,
            chain_id,
            genesis_time_unix_s: Some(u64::try_from(genesis_s).unwrap_or(0)),
            ..ChainConfig::default()
        };
        let chain = Chain::open(config)?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let server = chain.serve(address, Exposure::Loopback)?;
        Ok(Self { server, chain })
    }

    /// Returns the URL under which the chain answers.
    #[must_use]
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// Returns the chain itself.
    #[must_use]
    pub const fn chain(&self) -> &Chain {
        &self.chain
    }

    /// Connects to the chain as any other client would.
    ///
    /// # Errors
    ///
    /// [`EmbeddedError::Connect`].
    pub async fn client(&self) -> Result<Client, EmbeddedError> {
        let (url, chain_id) = (self.url(), self.chain.chain_id());
        Ok(Client::connect(&url, Some(chain_id), EndpointOptions::default()).await?)
    }
}
