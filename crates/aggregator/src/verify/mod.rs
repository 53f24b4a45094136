//! Verification: everything computed again, trusting neither the store nor whoever runs it.
//!
//! ```text
//! 1. store     every byte against the journal; nothing else can be said of a store with faults
//! 2. runs      every run again from the readings: its manifest, records and gaps, line by line
//! 3. chain     the contract's registry, tariffs and records against what the runs say; balances against all events, or
//!              where the store settles in batches, every batch against the rules
//! ```
//!
//! The chain is the measure for what was paid: the store can be written anew as a whole, the chain cannot. So what the
//! operator changed in the store together with all its digests shows at the third step.

mod batches;
mod finding;
mod on_chain;
mod runs;
mod sections;

pub use finding::{Finding, RecordFinding, SlotPlace, TransactionPlace};

use std::path::Path;

use gridtally_ledger::{
    Client, DeployError, EndpointError, ExportError, HistoryError, ReadError, SectionStoreError,
    WatchError,
};
use serde::Serialize;

use crate::store::{CheckProgress, StoreError, StoreView};

/// Most findings that are listed; all are looked for.
const FINDINGS_MAX: usize = 100;

/// What was verified, and what is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Verification {
    /// Lines of the journal.
    pub line_count: u64,
    /// Files of the store.
    pub file_count: u64,
    /// Their bytes.
    pub byte_count: u64,
    /// Runs that were computed again.
    pub run_count: u64,
    /// Records that were computed again.
    pub record_count: u64,
    /// What was compared with the chain; nothing where no chain was asked or the store has no deployment.
    pub chain: Option<ChainVerification>,
    /// Everything that is not as it should be, what is wrong first first; at most a hundred.
    pub findings: Vec<Finding>,
}

/// What was compared with the chain.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct ChainVerification {
    /// The last block that was read.
    pub block: u64,
    /// Participants, the hub included.
    pub participant_count: u64,
    /// Tariffs.
    pub tariff_count: u64,
    /// Records that moved the right amount.
    pub record_count: u64,
    /// The sum of all balances, micro-units; the contract says the same.
    pub balance_micro: i128,
    /// The batches, where the store settles in them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batches: Option<BatchCounts>,
    /// What is sealed of them, where anything is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sealed: Option<SealedCounts>,
    /// Whether the ledger has ended, because its hub had stopped: nothing is settled on it any more.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_frozen: bool,
}

/// The batches of a store, all valid where there is no finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct BatchCounts {
    /// All that stand.
    pub batch_count: u64,
    /// Those whose window is over: only they count.
    pub final_count: u64,
    /// Those that correct earlier ones.
    pub correction_count: u64,
}

/// What is sealed of a store's batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct SealedCounts {
    /// Sealed batches that stand.
    pub batch_count: u64,
    /// Their sections that were erased.
    pub erased_section_count: u64,
    /// Records of the books that could not be compared, because of them.
    pub erased_record_count: u64,
}

/// How far a verification has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VerifyProgress {
    /// What is being done.
    pub step: &'static str,
    /// How much of it is done.
    pub done: u64,
    /// How much there is.
    pub total: u64,
}

/// Why a verification came to no end.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The endpoint failed.
    #[error("{0}")]
    Endpoint(#[from] EndpointError),
    /// The contract cannot be connected to.
    #[error(transparent)]
    Deploy(DeployError),
    /// The contract's history cannot be read.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// The contract cannot be asked.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Batches cannot be followed.
    #[error(transparent)]
    Watch(#[from] WatchError),
    /// The store of sections cannot be read.
    #[error(transparent)]
    Sections(#[from] SectionStoreError),
    /// What batches published cannot be read.
    #[error(transparent)]
    Published(#[from] ExportError),
}

impl Verification {
    /// Returns whether everything is as it should be.
    #[must_use]
    pub const fn is_sound(&self) -> bool {
        self.findings.is_empty()
    }

    fn add(&mut self, finding: Finding) {
        if self.findings.len() < FINDINGS_MAX {
            self.findings.push(finding);
        }
    }
}

/// Verifies a store, and what it settled on a chain where one is given.
///
/// # Errors
///
/// Returns a [`VerifyError`] where the world fails. Whatever is wrong with store or chain is a [`Finding`].
pub async fn verify(
    folder: &Path,
    client: Option<&Client>,
    progress: &mut (dyn FnMut(VerifyProgress) + Send),
) -> Result<Verification, VerifyError> {
    verify_with_blobs(folder, client, None, progress).await
}

/// As [`verify`], with the address of a beacon node that has the blobs which the store's archive does not have; without one the
/// endpoint itself is asked, as the embedded chain serves them.
///
/// # Errors
///
/// As [`verify`].
pub async fn verify_with_blobs(
    folder: &Path,
    client: Option<&Client>,
    beacon: Option<&str>,
    progress: &mut (dyn FnMut(VerifyProgress) + Send),
) -> Result<Verification, VerifyError> {
    let mut verification = Verification::default();
    let view = match StoreView::open(folder) {
        Ok(view) => view,
        Err(StoreError::Damaged(fault)) => {
            verification.add(Finding::Store { fault });
            return Ok(verification);
        }
        Err(error) => return Err(error.into()),
    };
    let check = view.check(&mut |CheckProgress { done, total }| {
        progress(VerifyProgress { step: "checking files", done, total });
    })?;
    verification.line_count = check.line_count;
    verification.file_count = check.file_count;
    verification.byte_count = check.byte_count;
    for fault in check.faults {
        verification.add(Finding::Store { fault });
    }
    if !verification.is_sound() {
        return Ok(verification);
    }
    // Without a chain to compare with, nothing is kept of a run but its sums.
    let (direct, batch) = match client {
        Some(_) => (view.deployment()?, view.batch_deployment()?),
        None => (None, None),
    };
    let is_settled = direct.is_some() || batch.is_some();
    let mut books = is_settled.then(runs::Books::default);
    runs::recompute(&view, books.as_mut(), &mut verification, progress)?;
    let (Some(client), Some(books)) = (client, books) else { return Ok(verification) };
    if let Some(deployment) = direct {
        on_chain::compare(&view, &books, client, deployment, &mut verification, progress).await?;
    }
    if let Some(deployment) = batch {
        let asked = batches::Asked { client, deployment, beacon };
        batches::compare(&view, &books, asked, &mut verification, progress).await?;
    }
    Ok(verification)
}
