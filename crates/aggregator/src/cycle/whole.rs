//! The whole way on the embedded chain: run, chain, verification.

use gridtally_ledger::{Deployment, Key, KeyError, Ledger, SendOptions, Sender};
use jiff::Timestamp;

use super::batch::BatchError;
use super::embedded::{EmbeddedChain, EmbeddedError};
use super::error::RunError;
use super::on_chain::{ChainError, ChainOptions, ChainReport, check_tariffs, settle_on_chain};
use super::options::RunOptions;
use super::prepared::PreparedRun;
use super::record::{CycleProgress, RunReport, settle_into_store};
use crate::store::{Store, StoreError};
use crate::verify::{Verification, VerifyError, verify};

/// What became of a settlement on the embedded chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settlement {
    /// The run.
    pub run: RunReport,
    /// What it did on the chain.
    pub chain: ChainReport,
    /// Where the contract stands.
    pub deployment: Deployment,
    /// What an independent look at store and chain says.
    pub verification: Verification,
}

/// Why a settlement came to no end. Doing it again goes on where it stopped.
#[derive(Debug, thiserror::Error)]
pub enum SettlementError {
    /// The chain cannot be asked.
    #[error(transparent)]
    Embedded(#[from] EmbeddedError),
    /// The key cannot be used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The run is not possible.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The run is not on the chain as a whole.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// The run is not on the chain as a whole, in batches.
    #[error(transparent)]
    Batch(#[from] BatchError),
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The verification came to no end.
    #[error(transparent)]
    Verify(#[from] VerifyError),
}

/// Computes a run, puts it onto the chain that `sender` speaks to, and verifies both.
///
/// # Errors
///
/// Returns the first [`SettlementError`]; the variants stand in the order of the steps.
pub async fn settle(
    store: &mut Store,
    options: &RunOptions,
    sender: &Sender,
    chain_options: &ChainOptions,
    now: Timestamp,
    progress: &mut (dyn FnMut(CycleProgress) + Send),
) -> Result<Settlement, SettlementError> {
    let prepared = PreparedRun::new(store.view(), options)?;
    check_tariffs(store, &prepared, sender.client()).await?;
    let (run, run_report) = settle_into_store(store, options, now, progress)?;
    let chain_report = settle_on_chain(store, &run, sender, chain_options, now, progress).await?;
    let folder = store.view().folder().to_owned();
    let mut told = |of: crate::verify::VerifyProgress| {
        progress(CycleProgress { step: of.step, done: of.done, total: of.total });
    };
    let verification = verify(&folder, Some(sender.client()), &mut told).await?;
    let deployment = store.view().deployment()?.ok_or(StoreError::NotAStore { folder })?;
    Ok(Settlement { run: run_report, chain: chain_report, deployment, verification })
}

/// Settles on an embedded chain as its first development account.
///
/// # Errors
///
/// As [`settle`], and [`SettlementError::Embedded`] where the chain does not answer.
pub async fn settle_embedded(
    store: &mut Store,
    options: &RunOptions,
    chain: &EmbeddedChain,
    now: Timestamp,
    progress: &mut (dyn FnMut(CycleProgress) + Send),
) -> Result<Settlement, SettlementError> {
    let sender = Sender::new(chain.client().await?, Key::test_account(0)?, SendOptions::default());
    settle(store, options, &sender, &ChainOptions::development(), now, progress).await
}

impl Settlement {
    /// Connects to the contract.
    ///
    /// # Errors
    ///
    /// As [`Ledger::connect`].
    pub async fn ledger(&self, chain: &EmbeddedChain) -> Result<Ledger, SettlementError> {
        let client = chain.client().await?;
        Ok(Ledger::connect(client, self.deployment).await.map_err(ChainError::from)?)
    }
}
