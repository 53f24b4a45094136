//! The same settlement, durably stored: by us with both trees, by PostgreSQL without any proof.
//!
//! Both get the same readings and start from the same balances; at the end every balance must be the same.

use anyhow::{Context as _, ensure};

use crate::output::number::{grouped, rate_per_s};

use self::batches::{PERIOD_RECORDS, Publication};
use self::cluster::{Cluster, Programs};
use super::{Arguments, Folder, Measurement, Part};

mod batches;
mod cluster;
mod script;

pub(super) use self::cluster::Programs as PostgresPrograms;

/// Records that are settled again and again.
const RECORDS: u64 = 1_000_000;
/// Records that are settled once.
const MANY_RECORDS: u64 = 10_000_000;
/// How others are called.
const REFERENCE: &str = "PostgreSQL";

/// Measures both sides in turns.
///
/// # Errors
///
/// When PostgreSQL does not run, a file cannot be written, or the two sides end with different balances.
pub(super) fn measure(
    arguments: &Arguments,
    programs: &Programs,
) -> anyhow::Result<Vec<Measurement>> {
    let cluster = Cluster::start(programs)?;
    // The first use of KZG reads its setup, which a hub does once.
    batches::store(1, Publication::Commitments, Folder::new()?.path())?;
    let mut measurements = measure_size(
        arguments,
        &cluster,
        RECORDS,
        arguments.rounds,
        &[Publication::Packed, Publication::Commitments, Publication::CellProofs],
    )?;
    measurements.extend(measure_size(
        arguments,
        &cluster,
        MANY_RECORDS,
        1,
        &[Publication::Packed, Publication::Commitments],
    )?);
    Ok(measurements)
}

fn measure_size(
    arguments: &Arguments,
    cluster: &Cluster,
    records: u64,
    rounds: u32,
    publications: &[Publication],
) -> anyhow::Result<Vec<Measurement>> {
    let periods = arguments.sized(records).div_ceil(PERIOD_RECORDS.into());
    let periods = u32::try_from(periods).unwrap_or(u32::MAX);
    let records = u64::from(periods) * u64::from(PERIOD_RECORDS);
    let script = script::write(periods)?;
    let mut theirs = Vec::new();
    let mut ours = vec![Vec::new(); publications.len()];
    for _ in 0..rounds {
        cluster.run(&script::fresh())?;
        let elapsed = cluster.run_file(&script)?;
        theirs.push(rate_per_s(records, elapsed));
        let expected = script::balances(&cluster.run(script::BALANCES)?)?;
        for (&publication, rates) in publications.iter().zip(&mut ours) {
            let folder = Folder::new()?;
            let stored = batches::store(periods, publication, folder.path())
                .context("cannot store the batches")?;
            ensure!(
                stored.balances_micro == expected,
                "the balances after {records} records differ from PostgreSQL's"
            );
            rates.push(rate_per_s(records, stored.elapsed));
        }
    }
    let measurement = |(publication, rates): (&Publication, Vec<u64>)| {
        let what = format!("{} records stored, {}", grouped(records), publication.said());
        Measurement::new(Part::Postgres, what, "records/s", super::median(rates))
            .against(REFERENCE, theirs.clone())
    };
    Ok(publications.iter().zip(ours).map(measurement).collect())
}
