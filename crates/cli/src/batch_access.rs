//! How a command reaches a contract that settles in batches: by its address, at an endpoint, from the chain alone.

use alloy_primitives::Address;
use gridtally_aggregator::cycle::check_auditor;
use gridtally_aggregator::store::{BATCH_FOLDER, SECTION_FOLDER, StoreView};
use gridtally_chain::Access;
use gridtally_ledger::{
    BatchArchive, BatchDeployment, BatchLedger, BlobSource, DeployError, FollowOptions,
    SectionReader, SectionSource, SectionStore, Sender, Watcher,
};

use crate::address::address;
use crate::blob_arguments::BlobArguments;
use crate::chain_access::ChainAccess;
use crate::config::{Config, Settings};
use crate::error::{Blame, CommandError, is_unreachable};

/// Which contract, and where its chain is asked.
#[derive(Debug, clap::Args)]
pub(crate) struct BatchArguments {
    /// Address of the contract, the core of batch settlement [default: the one that the store settles on]
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    contract: Option<Address>,
    /// JSON-RPC endpoint of the chain, http or https [default: chain.endpoint, or the embedded chain of the store]
    #[arg(long, value_name = "URL")]
    endpoint: Option<String>,
    #[command(flatten)]
    blobs: BlobArguments,
    /// First block to read: that of the deployment, or one before it [default: the store's, or 0]
    #[arg(long, value_name = "BLOCK")]
    from_block: Option<u64>,
}

impl BatchArguments {
    /// Puts the flags above the other settings.
    pub(crate) fn apply(&self, settings: &mut Settings) {
        if let Some(endpoint) = &self.endpoint {
            settings.set_flag("chain.endpoint", "--endpoint", endpoint.as_str());
        }
        self.blobs.apply(settings);
    }

    /// Connects to the endpoint; without one, to the embedded chain of the store. `access` says whether anything is to be sent.
    ///
    /// # Errors
    ///
    /// A usage error where there is neither, an environment error where nobody answers.
    pub(crate) async fn chain(
        config: &Config,
        access: Access,
    ) -> Result<ChainAccess, CommandError> {
        if config.chain.endpoint.is_none() && !config.chain_folder().is_dir() {
            return Err(CommandError::usage(anyhow::anyhow!("no endpoint is named")).hint(
                "Name the chain with --endpoint; `gridtally chain` says where it listens. Or name the configuration of a store \
                 with an embedded chain with --config.",
            ));
        }
        // The chain began with the periods that the store settles.
        let store = StoreView::open(&config.store_folder).ok();
        let calendar = store.as_ref().map_or(config.calendar, |store| store.settings().calendar);
        match access {
            Access::ReadOnly => ChainAccess::open_to_read(config, &calendar).await,
            Access::ReadWrite => ChainAccess::open(config, &calendar).await,
        }
    }

    /// Returns the contract: the one that is named, or the one that the store settles on.
    ///
    /// # Errors
    ///
    /// A usage error where no contract is named, a refusal where the address is no batch settlement, an environment error
    /// where nobody answers.
    pub(crate) async fn ledger(
        &self,
        config: &Config,
        chain: &ChainAccess,
    ) -> Result<BatchLedger, CommandError> {
        let own = own_deployment(config);
        let named = self.contract.or(own.map(|own| own.core));
        let contract = named.ok_or_else(|| {
            CommandError::usage(anyhow::anyhow!("no contract is named")).hint(
                "Name the core of batch settlement with --contract, or the configuration of a store that settles in batches \
                 with --config.",
            )
        })?;
        let own = own.filter(|own| own.core == contract);
        let block = self.from_block.or(own.map(|own| own.block)).unwrap_or(0);
        let ledger = BatchLedger::at(chain.client.clone(), contract, block).await;
        let ledger = ledger.map_err(deploy_error)?;
        check_auditor(ledger.deployment(), config.batch.auditor).or_refused()?;
        Ok(ledger)
    }

    /// Returns a watcher that knows nothing yet. Where the contract is the store's own, its archive is looked through first, and
    /// what its sealed batches hide is read.
    ///
    /// # Errors
    ///
    /// A usage error where no contract is named, a refusal where the address is no batch settlement, an environment error
    /// where nobody answers.
    pub(crate) async fn watcher(
        &self,
        config: &Config,
        chain: &ChainAccess,
        sender: Option<Sender>,
    ) -> Result<Watcher, CommandError> {
        let mut sources = self.blobs.sources(config, &chain.url)?;
        let ledger = self.ledger(config, chain).await?;
        if own_deployment(config).is_some_and(|own| own.core == ledger.deployment().core) {
            let archive = BatchArchive::new(config.store_folder.join(BATCH_FOLDER));
            sources.insert(0, BlobSource::Archive(archive));
        }
        let own = own_sections(config, ledger.deployment().core);
        let mut watcher = Watcher::new(ledger, FollowOptions::default(), sender);
        if let Some(own) = own {
            watcher = watcher.with_sections(SectionSource::Store(own), SectionReader::Auditor);
        }
        Ok(watcher.with_blobs_from(sources))
    }
}

/// Lets a watcher judge everything that is there.
///
/// # Errors
///
/// An environment error where nobody answers, otherwise a refusal.
pub(crate) async fn judge_all(watcher: &mut Watcher) -> Result<(), CommandError> {
    let judged = watcher.poll_through().await;
    judged.map(drop).map_err(|interrupted| CommandError::of_chain(*interrupted.error))
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

/// Returns what the store keeps of sealed batches, where it settles on this contract and has sealed any.
pub(crate) fn own_sections(config: &Config, contract: Address) -> Option<SectionStore> {
    let folder = config.store_folder.join(SECTION_FOLDER);
    let is_own = folder.is_dir() && own_deployment(config).is_some_and(|own| own.core == contract);
    is_own.then(|| SectionStore::new(folder))
}

/// Returns where the store settles in batches, if there is a store that does.
fn own_deployment(config: &Config) -> Option<BatchDeployment> {
    StoreView::open(&config.store_folder).ok()?.batch_deployment().ok()?
}
