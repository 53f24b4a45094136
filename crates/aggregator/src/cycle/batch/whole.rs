//! The whole way in batches: run, chain, verification.

use gridtally_ledger::{BatchDeployment, Sender};
use jiff::Timestamp;

use super::error::BatchError;
use super::registry::{check_signers, missing_tables};
use super::sealing::Sealing;
use super::settler::{BatchSettler, check_blobs};
use super::{BatchOptions, BatchReport};
use crate::cycle::mode::SettlementMode;
use crate::cycle::options::RunOptions;
use crate::cycle::prepared::PreparedRun;
use crate::cycle::record::{CycleProgress, RunReport, settle_into_store_as};
use crate::cycle::whole::SettlementError;
use crate::store::{Store, StoreView};
use crate::verify::{Verification, VerifyProgress, verify_with_blobs};

/// What became of a settlement in batches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchSettlement {
    /// The run.
    pub run: RunReport,
    /// What it did on the chain.
    pub chain: BatchReport,
    /// Where the contracts stand.
    pub deployment: BatchDeployment,
    /// What an independent look at store and chain says.
    pub verification: Verification,
}

/// Computes a run, puts it onto the chain that `sender` speaks to in batches, and verifies both.
///
/// Nothing is recorded that the chain can never take. Killed anywhere and done again it settles nothing twice; what is
/// another value than before becomes a correction run.
///
/// # Errors
///
/// Returns the first [`SettlementError`], in the order of the steps.
pub async fn settle_in_batches(
    store: &mut Store,
    options: &RunOptions,
    sender: &Sender,
    batch_options: &BatchOptions,
    now: Timestamp,
    progress: &mut (dyn FnMut(CycleProgress) + Send),
) -> Result<BatchSettlement, SettlementError> {
    let mode = SettlementMode::Batch;
    mode.check(store.view()).map_err(BatchError::from)?;
    let prepared = PreparedRun::new(store.view(), options)?;
    check_newest(store.view(), options, &prepared)?;
    let there = match store.view().batch_deployment()? {
        Some(deployment) => {
            let settler =
                BatchSettler::open(store.view(), deployment, sender, batch_options).await?;
            settler.check(store.view(), &prepared).await?;
            Some(settler)
        }
        None => {
            check_new(&prepared, sender, batch_options).await?;
            None
        }
    };
    let (run, run_report) = settle_into_store_as(mode, store, options, now, progress)?;
    let settler = match there {
        Some(settler) => settler,
        None => BatchSettler::deploy(store, sender, batch_options, now).await?,
    };
    let deployment = settler.deployment();
    let chain_report = settler.settle(store.view(), &run, progress).await?;
    let folder = store.view().folder().to_owned();
    let mut told = |of: VerifyProgress| {
        progress(CycleProgress { step: of.step, done: of.done, total: of.total });
    };
    let beacon = batch_options.beacon.as_deref();
    let verification = verify_with_blobs(&folder, Some(sender.client()), beacon, &mut told).await?;
    Ok(BatchSettlement { run: run_report, chain: chain_report, deployment, verification })
}

/// Makes sure that contracts which are yet to be deployed could take a run.
async fn check_new(
    run: &PreparedRun,
    sender: &Sender,
    options: &BatchOptions,
) -> Result<(), BatchError> {
    match (options.sealing, options.auditor) {
        (Some(Sealing::Sealed), None) => return Err(BatchError::NoAuditor),
        (Some(Sealing::Open), _) | (None, None) => {}
        (_, Some(_)) => check_blobs(sender).await?,
    }
    check_signers(run.book(), sender.address())?;
    let now_s = sender.client().block_latest().await?.timestamp;
    missing_tables(&run.manifest().calendar, now_s, |_| None, run.tables()).map(drop)
}

/// Refuses a run as of an older line where a later one settles a part of its span: it would undo the corrections.
fn check_newest(
    view: &StoreView,
    options: &RunOptions,
    run: &PreparedRun,
) -> Result<(), SettlementError> {
    if options.as_of.is_none() {
        return Ok(());
    }
    let newest = PreparedRun::new(view, &RunOptions { as_of: None, ..options.clone() })?;
    if newest.id() == run.id() {
        return Ok(());
    }
    let as_of = run.options().as_of.unwrap_or(0);
    let shared = view.runs().filter(|(_, entry)| {
        entry.options.from < options.until && options.from < entry.options.until
    });
    for (line, entry) in shared {
        if let Some(newer) = entry.options.as_of.filter(|newer| *newer > as_of) {
            let line = line.entry.sequence;
            return Err(BatchError::Superseded { line, newer, as_of }.into());
        }
    }
    Ok(())
}
