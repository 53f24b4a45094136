//! How a command reaches a contract that settles in batches: by its address, at an endpoint, from the chain alone.

use alloy_primitives::Address;
use gridtally_ledger::{
    BatchLedger, Client, DeployError, FollowOptions, Sender, WatchError, Watcher,
};

use crate::address::address;
use crate::blob_arguments::BlobArguments;
use crate::chain_access::{connect, shown};
use crate::config::{Config, Settings};
use crate::error::{CommandError, is_unreachable};

/// Which contract, and where its chain is asked.
#[derive(Debug, clap::Args)]
pub(crate) struct BatchArguments {
    /// Address of the contract, the core of batch settlement
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    pub(crate) contract: Address,
    /// JSON-RPC endpoint of the chain, http or https [default: chain.endpoint]
    #[arg(long, value_name = "URL")]
    endpoint: Option<String>,
    #[command(flatten)]
    blobs: BlobArguments,
    /// First block to read: that of the deployment, or one before it
    #[arg(long, default_value_t = 0, value_name = "BLOCK")]
    from_block: u64,
}

impl BatchArguments {
    /// Puts the flag above the other settings.
    pub(crate) fn apply(&self, settings: &mut Settings) {
        if let Some(endpoint) = &self.endpoint {
            settings.set_flag("chain.endpoint", "--endpoint", endpoint.as_str());
        }
    }

    /// Returns where the chain is asked, for people.
    pub(crate) fn asked(config: &Config) -> String {
        config.chain.endpoint.as_deref().map(shown).unwrap_or_default()
    }

    /// Connects.
    ///
    /// # Errors
    ///
    /// A usage error without endpoint, an environment error where nobody answers.
    pub(crate) async fn client(config: &Config) -> Result<Client, CommandError> {
        connect(config, endpoint(config)?, None).await
    }

    /// Returns a watcher that knows nothing yet.
    ///
    /// # Errors
    ///
    /// A refusal where the address is no batch settlement, an environment error where nobody answers.
    pub(crate) async fn watcher(
        &self,
        config: &Config,
        client: Client,
        sender: Option<Sender>,
    ) -> Result<Watcher, CommandError> {
        let sources = self.blobs.sources(endpoint(config)?)?;
        let ledger = BatchLedger::at(client, self.contract, self.from_block).await;
        let ledger = ledger.map_err(deploy_error)?;
        let watcher = Watcher::new(ledger, FollowOptions::default(), sender);
        Ok(watcher.with_blobs_from(sources))
    }
}

fn endpoint(config: &Config) -> Result<&str, CommandError> {
    config.chain.endpoint.as_deref().ok_or_else(|| {
        CommandError::usage(anyhow::anyhow!("no endpoint is named"))
            .hint("Name the chain with --endpoint; `gridtally chain` says where it listens.")
    })
}

/// Says whose fault it is that a contract cannot be found.
pub(crate) fn deploy_error(error: DeployError) -> CommandError {
    if is_unreachable(&error) {
        return CommandError::environment(error);
    }
    CommandError::refused(error).hint(
        "Name the core of batch settlement with --contract; a contract that settles record by record is checked by \
         gridtally verify.",
    )
}

/// Says whose fault it is that a contract cannot be watched.
pub(crate) fn watch_error(error: WatchError) -> CommandError {
    if is_unreachable(&error) {
        CommandError::environment(error)
    } else {
        CommandError::refused(error)
    }
}
