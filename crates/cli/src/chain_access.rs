//! How a command reaches the chain that its store settles on.

use std::fs;
use std::path::{Path, PathBuf};

use gridtally_aggregator::cycle::{EmbeddedChain, EmbeddedError};
use gridtally_aggregator::store::StoreView;
use gridtally_chain::archive::{ArchiveError, head_on_disk};
use gridtally_chain::block_log::LogError;
use gridtally_chain::{Access, OpenError};
use gridtally_core::period::SettlementCalendar;
use gridtally_ledger::{BlockId, Client, ConnectError, EndpointOptions, Key, SendOptions, Sender};

use crate::config::Config;
use crate::error::{Blame, CommandError};

/// Says in a chain's folder where the program that has it open serves it.
const ENDPOINT_FILE: &str = "endpoint";
/// How often the last block is compared while somebody may be writing the next one.
const LOOKS_MAX: usize = 5;
/// An address is short.
const ENDPOINT_BYTES_MAX: usize = 256;

/// A chain that can be asked; an embedded one runs as long as this is held.
#[derive(Debug)]
pub(crate) struct ChainAccess {
    pub(crate) client: Client,
    /// Where the answers come from, for people.
    pub(crate) shown: String,
    /// Where they come from, for programs: it may hold a secret.
    pub(crate) url: String,
    is_embedded: bool,
    _chain: Option<EmbeddedChain>,
}

/// Which endpoint, where it is not the configured one.
#[derive(Debug, clap::Args)]
pub(crate) struct ChainArguments {
    /// JSON-RPC endpoint of the chain, http or https [default: the embedded chain, or chain.endpoint]
    #[arg(long, value_name = "URL")]
    endpoint: Option<String>,
}

impl ChainArguments {
    /// Puts the flag above the other settings.
    pub(crate) fn apply(&self, settings: &mut crate::config::Settings) {
        if let Some(endpoint) = &self.endpoint {
            settings.set_flag("chain.endpoint", "--endpoint", endpoint.as_str());
        }
    }
}

impl ChainAccess {
    /// Connects to the configured endpoint; without one, opens the embedded chain of the store, or connects to the program
    /// that has it open.
    ///
    /// # Errors
    ///
    /// An environment error where nobody answers, a refusal where it is another chain, or where the store has settled and its chain
    /// is gone: a new one in its place would be in the way of a copy.
    pub(crate) async fn open(
        config: &Config,
        calendar: &SettlementCalendar,
    ) -> Result<Self, CommandError> {
        if config.chain.endpoint.is_none() && is_settled(config) {
            check_chain(&config.chain_folder())?;
        }
        Self::open_as(Access::ReadWrite, config, calendar).await
    }

    /// Connects like [`ChainAccess::open`], but never changes a byte of an embedded chain: it is evidence.
    ///
    /// # Errors
    ///
    /// As [`ChainAccess::open`], and a refusal where the folder holds no whole chain.
    pub(crate) async fn open_to_read(
        config: &Config,
        calendar: &SettlementCalendar,
    ) -> Result<Self, CommandError> {
        Self::open_as(Access::ReadOnly, config, calendar).await
    }

    async fn open_as(
        access: Access,
        config: &Config,
        calendar: &SettlementCalendar,
    ) -> Result<Self, CommandError> {
        if let Some(endpoint) = &config.chain.endpoint {
            let client = connect(config, endpoint, None).await?;
            let (shown, url) = (shown(endpoint), endpoint.clone());
            return Ok(Self { client, shown, url, is_embedded: false, _chain: None });
        }
        let (folder, chain_id) = (config.chain_folder(), config.chain.chain_id);
        let opened = match access {
            Access::ReadWrite => EmbeddedChain::open(Some(folder.clone()), chain_id, calendar),
            Access::ReadOnly => EmbeddedChain::open_to_read(folder.clone(), chain_id, calendar),
        };
        match opened {
            Ok(chain) => {
                if access == Access::ReadWrite {
                    // A note of a process that was killed would lead others to whoever listens there now.
                    fs::remove_file(folder.join(ENDPOINT_FILE)).unwrap_or_default();
                }
                let client = connect(config, &chain.url(), Some(chain_id)).await?;
                let shown = format!("the embedded chain in {}", folder.display());
                let url = chain.url();
                Ok(Self { client, shown, url, is_embedded: true, _chain: Some(chain) })
            }
            Err(EmbeddedError::Open(error @ OpenError::Log(LogError::InUse { .. }))) => {
                let in_use = CommandError::environment(error);
                let Some(endpoint) = served_at(&folder) else { return Err(in_use) };
                let client = match connect(config, &endpoint, Some(chain_id)).await {
                    Ok(client) if serves(&client, &folder).await => client,
                    _ => {
                        return Err(in_use.hint(format!(
                            "Its folder names {endpoint}, but this very chain is not served there."
                        )));
                    }
                };
                let shown = format!("the embedded chain at {endpoint}");
                let url = endpoint;
                Ok(Self { client, shown, url, is_embedded: true, _chain: None })
            }
            Err(EmbeddedError::Open(error)) => Err(crate::commands::chain::open_error(error)),
            Err(error) => Err(CommandError::environment(error)),
        }
    }

    /// Returns whether the chain is the embedded one, whose time we move and whose money we issue.
    pub(crate) fn is_embedded(&self) -> bool {
        self.is_embedded
    }

    /// Returns a sender: the first development account on the embedded chain, the configured key elsewhere.
    ///
    /// # Errors
    ///
    /// A usage error where there is no key.
    pub(crate) fn sender(&self, config: &Config) -> Result<Sender, CommandError> {
        let key = if self.is_embedded {
            Key::test_account(0).or_environment()?
        } else {
            Key::load(&config.chain.key).or_usage()?
        };
        Ok(Sender::new(self.client.clone(), key, SendOptions::default()))
    }
}

/// Connects to an endpoint, as the configuration says.
///
/// # Errors
///
/// An environment error where nobody answers, a refusal where it is another chain.
pub(crate) async fn connect(
    config: &Config,
    endpoint: &str,
    chain_id: Option<u64>,
) -> Result<Client, CommandError> {
    let options = EndpointOptions {
        request_timeout: config.chain.request_timeout,
        attempts: config.chain.attempts,
        ..EndpointOptions::default()
    };
    Client::connect(endpoint, chain_id, options).await.map_err(|error| match error {
        ConnectError::WrongChain { .. } => CommandError::refused(error),
        ConnectError::Endpoint(_) => CommandError::environment(error),
    })
}

/// An address may hold an access key in its path, so only its origin is shown.
pub(crate) fn shown(endpoint: &str) -> String {
    let after_scheme = endpoint.find("://").map_or(0, |at| at + 3);
    let end = endpoint[after_scheme..].find('/').map_or(endpoint.len(), |at| after_scheme + at);
    let origin = &endpoint[..end];
    match origin.rfind('@') {
        Some(at) => format!("{}{}", &endpoint[..after_scheme], &origin[at + 1..]),
        None => origin.to_owned(),
    }
}

/// Returns where the program that has a chain's folder open serves it, as its note says.
fn served_at(folder: &Path) -> Option<String> {
    let text = fs::read_to_string(folder.join(ENDPOINT_FILE)).ok()?;
    let text = text.trim();
    let is_address = text.starts_with("http://") && text.len() <= ENDPOINT_BYTES_MAX;
    is_address.then(|| text.to_owned())
}

/// Returns whether an endpoint serves the chain in a folder: it has the last block that is written there, and none after it.
/// The note of a process that was killed may name a port where another chain listens now.
async fn serves(client: &Client, folder: &Path) -> bool {
    for _ in 0..LOOKS_MAX {
        // A block that is being written, or taken back, is there at the next look.
        if let Ok(latest) = client.block_number().await
            && let Ok((number, hash)) = head_on_disk(folder)
            && latest <= number
            && let Ok(Some(block)) = client.block(BlockId::Number(number)).await
            && block.hash == hash
        {
            return true;
        }
    }
    false
}

/// Whether a store has settled on a chain.
fn is_settled(config: &Config) -> bool {
    let has_settled = |view: StoreView| {
        let direct = view.deployment().ok().flatten();
        direct.is_some() || view.batch_deployment().ok().flatten().is_some()
    };
    StoreView::open(&config.store_folder).is_ok_and(has_settled)
}

/// Makes sure that a folder has a chain.
fn check_chain(folder: &Path) -> Result<(), CommandError> {
    match head_on_disk(folder) {
        Err(ArchiveError::Log(error @ LogError::NoChain { .. })) => {
            let elsewhere = "Or name the --endpoint of the chain that the store settled on.";
            Err(crate::commands::chain::open_error(OpenError::Log(error)).hint(elsewhere))
        }
        // What else may be wrong with it is said by whoever opens it.
        _ => Ok(()),
    }
}

/// Says in a chain's folder where it is served, as long as this is held.
#[derive(Debug)]
pub(crate) struct ServedNote(PathBuf);

impl ServedNote {
    /// Writes the note.
    ///
    /// # Errors
    ///
    /// An environment error where the folder cannot be written.
    pub(crate) fn write(folder: &Path, url: &str) -> Result<Self, CommandError> {
        let path = folder.join(ENDPOINT_FILE);
        fs::write(&path, format!("{url}\n")).or_environment()?;
        Ok(Self(path))
    }
}

impl Drop for ServedNote {
    fn drop(&mut self) {
        // A note that stays behind leads nobody astray: what is served there is compared with the folder.
        fs::remove_file(&self.0).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_shown_without_what_may_be_secret() {
        let cases = [
            ("https://example.org/v3/KEY", "https://example.org"),
            ("https://user:KEY@example.org:8545", "https://example.org:8545"),
            ("http://127.0.0.1:8545", "http://127.0.0.1:8545"),
        ];
        for (endpoint, expected) in cases {
            assert_eq!(shown(endpoint), expected);
        }
    }
}
