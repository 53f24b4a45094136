//! The files of a settlement run.

use std::fmt::Write;

use alloy_primitives::B256;
use gridtally_core::period::SettlementPeriod;
use gridtally_settlement::{
    DirectRecord, GapRange, PeriodRecords, RunManifest, Settled, TariffTable, priced_truncated,
};
use jiff::Timestamp;

use super::error::StoreError;
use super::journal::{Content, RunEntry};
use super::writer::{IncomingFile, Store};
use crate::cycle::PreparedRun;

/// First line of `records.csv`.
pub(crate) const RECORDS_HEADER: &str =
    "period,run,from,to,code,slot,energy_wh,price_micro_per_kwh,amount_micro\n";
/// First line of `gaps.csv`.
pub(crate) const GAPS_HEADER: &str = "period,participant,code,first_slot,slot_count,gap\n";

/// The files of a run while they are written, settlement period by settlement period.
#[derive(Debug)]
pub struct RunWriter {
    run: u16,
    records: IncomingFile,
    gaps: IncomingFile,
}

impl Store {
    /// Begins to write the files of a run.
    ///
    /// # Errors
    ///
    /// [`StoreError::Interrupted`] or [`StoreError::Io`].
    pub fn begin_run(&mut self, manifest: &RunManifest) -> Result<RunWriter, StoreError> {
        let (mut records, mut gaps) = (self.incoming()?, self.incoming()?);
        records.write(RECORDS_HEADER.as_bytes())?;
        gaps.write(GAPS_HEADER.as_bytes())?;
        Ok(RunWriter { run: manifest.run, records, gaps })
    }

    /// Acknowledges a run. A run that is recorded already must have the same bytes; then nothing changes. Returns the
    /// number of the line.
    ///
    /// # Errors
    ///
    /// [`StoreError::RunDiffers`], [`StoreError::Interrupted`] or [`StoreError::Io`].
    pub fn finish_run(
        &mut self,
        run: &PreparedRun,
        writer: RunWriter,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        let (manifest, id) = (run.manifest(), run.id());
        let mut file = self.incoming()?;
        file.write(manifest.canonical().as_bytes())?;
        let place = |name: &str| format!("{}/{name}", run_folder(id));
        let manifest_file = file.finish()?.at(place("manifest"));
        let records = writer.records.finish()?.at(place("records.csv"));
        let gaps = writer.gaps.finish()?.at(place("gaps.csv"));
        if let Some(line) = self.view().run_line(id) {
            let recorded = line.entry.content.files();
            let computed = [&manifest_file, &records, &gaps];
            for (recorded, computed) in recorded.zip(computed) {
                if recorded.fingerprint.sha256 != computed.stored.fingerprint.sha256 {
                    let (run, file) = (id.to_string(), recorded.path.clone());
                    return Err(StoreError::RunDiffers { run, file });
                }
            }
            let sequence = line.entry.sequence;
            self.discard([manifest_file, records, gaps])?;
            return Ok(sequence);
        }
        let entry = RunEntry {
            id,
            options: run.options().clone(),
            manifest: manifest_file.stored.clone(),
            records: records.stored.clone(),
            gaps: gaps.stored.clone(),
        };
        let content = Content::Run(Box::new(entry));
        self.acknowledge(vec![manifest_file, records, gaps], content, now)
    }
}

impl RunWriter {
    /// Writes the records and the gaps of the next settlement period.
    ///
    /// # Errors
    ///
    /// [`StoreError::Io`].
    pub fn write(
        &mut self,
        settled: &PeriodRecords,
        table: &TariffTable,
        gaps: impl IntoIterator<Item = GapRange>,
    ) -> Result<(), StoreError> {
        self.records.write(record_lines(settled, self.run, table).as_bytes())?;
        self.gaps.write(gap_lines(settled.period, gaps).as_bytes())
    }
}

/// Returns the records of a period as they stand on the chain, with what moves from `from` to `to`.
///
/// # Panics
///
/// Never: a run has no deposits and no withdrawals, and prices for all its codes.
pub(crate) fn settled_records<'a>(
    settled: &'a PeriodRecords,
    run: u16,
    table: &'a TariffTable,
) -> impl Iterator<Item = Settled> + 'a {
    settled.records.iter().map(move |priced| {
        let record = DirectRecord::of_record(settled.period, run, &priced.record);
        let record = record.expect("a run has priced codes only");
        let price = table.price(record.code, record.slot).expect("it was priced with this table");
        Settled { record, amount: priced_truncated(record.energy_wh, price) }
    })
}

/// Returns the lines of `records.csv` for one period.
pub(crate) fn record_lines(settled: &PeriodRecords, run: u16, table: &TariffTable) -> String {
    let mut text = String::new();
    for Settled { record, amount } in settled_records(settled, run, table) {
        let DirectRecord { period, run, from, to, code, slot, energy_wh } = record;
        let price = table.price(code, slot).expect("it was priced with this table");
        let (price, amount) = (price.micro_per_kwh(), amount.micro());
        let line =
            writeln!(text, "{period},{run},{from},{to},{code},{slot},{energy_wh},{price},{amount}");
        line.expect("memory can be written to");
    }
    text
}

/// Returns the lines of `gaps.csv` for one period.
pub(crate) fn gap_lines(
    period: SettlementPeriod,
    gaps: impl IntoIterator<Item = GapRange>,
) -> String {
    let mut text = String::new();
    for GapRange { participant, code, first_slot, slot_count, gap } in gaps {
        let line = writeln!(text, "{period},{participant},{code},{first_slot},{slot_count},{gap}");
        line.expect("memory can be written to");
    }
    text
}

/// Returns the folder name of a run.
pub(crate) fn run_folder(id: B256) -> String {
    format!("runs/{}", alloy_primitives::hex::encode(id))
}
