//! A run computed and recorded in the store.

use alloy_primitives::B256;
use gridtally_core::period::SettlementPeriod;
use gridtally_settlement::RunSummary;
use jiff::Timestamp;
use tracing::info;

use super::error::RunError;
use super::mode::SettlementMode;
use super::options::RunOptions;
use super::prepared::PreparedRun;
use super::recorded::EarlierRuns;
use crate::store::Store;

/// How far a run has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CycleProgress {
    /// What is being done.
    pub step: &'static str,
    /// How much of it is done.
    pub done: u64,
    /// How much there is.
    pub total: u64,
}

/// What a run came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunReport {
    /// Its name.
    pub id: B256,
    /// The line of the journal that acknowledges it.
    pub line: u64,
    /// Whether it was recorded before, with the same bytes.
    pub is_repeated: bool,
    /// The first settlement period.
    pub first_period: SettlementPeriod,
    /// The last settlement period.
    pub last_period: SettlementPeriod,
    /// Sums and hashes.
    pub summary: RunSummary,
}

/// Computes a run and records it in the store. Repeating it gives the same bytes, or the store says where they differ.
/// Nothing is recorded that contradicts an earlier run, for that may be settled on a chain; where the store settles in
/// batches another energy is no contradiction, but settled as a correction.
///
/// # Errors
///
/// In the order of [`RunError`].
///
/// # Panics
///
/// Never: a run has a settlement period.
pub fn settle_into_store(
    store: &mut Store,
    options: &RunOptions,
    now: Timestamp,
    progress: &mut (dyn FnMut(CycleProgress) + Send),
) -> Result<(PreparedRun, RunReport), RunError> {
    let mode = store.view().mode().unwrap_or(SettlementMode::Direct);
    settle_into_store_as(mode, store, options, now, progress)
}

/// As [`settle_into_store`], for a store that settles in this mode or is about to.
pub(super) fn settle_into_store_as(
    mode: SettlementMode,
    store: &mut Store,
    options: &RunOptions,
    now: Timestamp,
    progress: &mut (dyn FnMut(CycleProgress) + Send),
) -> Result<(PreparedRun, RunReport), RunError> {
    let run = PreparedRun::new(store.view(), options)?;
    let mut writer = store.begin_run(run.manifest())?;
    let mut summary = RunSummary::default();
    let total = run.tables().len() as u64;
    let mut earlier = EarlierRuns::new(store.view(), &run)?;
    for (done, period) in (1..).zip(run.periods(store.view())) {
        let period = period?;
        if mode == SettlementMode::Direct {
            earlier.compare(&run, &period.records, period.table)?;
        }
        writer.write(&period.records, period.table, period.gaps)?;
        summary.append(&period.records);
        progress(CycleProgress { step: "settling", done, total });
    }
    let before = store.view().last();
    let line = store.finish_run(&run, writer, now)?;
    let (first, last) = (run.tables().first_key_value(), run.tables().last_key_value());
    let (Some((&first_period, _)), Some((&last_period, _))) = (first, last) else {
        unreachable!("a span has a settlement period");
    };
    let (id, record_count) = (run.id(), summary.totals.record_count);
    info!(run_id = %id, record_count, "run recorded");
    let is_repeated = line <= before;
    Ok((run, RunReport { id, line, is_repeated, first_period, last_period, summary }))
}
