//! Every run again, from the readings.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};

use gridtally_core::period::SettlementPeriod;
use gridtally_settlement::{RecordKey, Settled, TariffTable};

use super::finding::Finding;
use super::{Verification, VerifyError, VerifyProgress};
use crate::cycle::{PreparedRun, RunError};
use crate::store::{
    GAPS_HEADER, Line, RECORDS_HEADER, RunEntry, StoreError, StoreView, StoredFile, gap_lines,
    record_lines, settled_records,
};

/// What all runs together say, computed from the readings. Where runs overlap, the later one holds.
#[derive(Debug, Default)]
pub(super) struct Books {
    pub(super) records: BTreeMap<RecordKey, Settled>,
    pub(super) tables: BTreeMap<SettlementPeriod, TariffTable>,
}

/// Computes all runs again, compares their files, and adds what they say to the books where these are asked for.
pub(super) fn recompute(
    view: &StoreView,
    mut books: Option<&mut Books>,
    verification: &mut Verification,
    progress: &mut (dyn FnMut(VerifyProgress) + Send),
) -> Result<(), VerifyError> {
    let total = view.runs().count() as u64;
    for (done, (line, entry)) in (1..).zip(view.runs()) {
        recompute_run(view, line, entry, books.as_deref_mut(), verification)?;
        verification.run_count += 1;
        progress(VerifyProgress { step: "computing runs again", done, total });
    }
    Ok(())
}

fn recompute_run(
    view: &StoreView,
    line: &Line,
    entry: &RunEntry,
    mut books: Option<&mut Books>,
    verification: &mut Verification,
) -> Result<(), VerifyError> {
    let RunEntry { id, options, manifest, records, gaps } = entry;
    let not_repeatable =
        |reason: String| Finding::RunNotRepeatable { run: *id, line: line.entry.sequence, reason };
    // A run must not use what was recorded after it.
    if options.as_of.is_none_or(|as_of| as_of >= line.entry.sequence) {
        let reason = format!("it names journal line {:?}, which is not before it", options.as_of);
        verification.add(not_repeatable(reason));
        return Ok(());
    }
    let run = match PreparedRun::new(view, options) {
        Ok(run) => run.as_of_version(code_version(&view.text(manifest)?)),
        Err(RunError::Store(error @ StoreError::Io { .. })) => return Err(error.into()),
        Err(error) => {
            verification.add(not_repeatable(error.to_string()));
            return Ok(());
        }
    };
    let mut recorded = Recorded::open(view, manifest)?;
    if let Some(finding) = recorded.compare(&run.manifest().canonical())?.or(recorded.end()?) {
        verification.add(finding);
        return Ok(());
    }
    if run.id() != *id {
        verification.add(not_repeatable(format!("its manifest names run {}", run.id())));
        return Ok(());
    }
    let (mut records, mut gaps) = (Recorded::open(view, records)?, Recorded::open(view, gaps)?);
    let mut finding = records.compare(RECORDS_HEADER)?.or(gaps.compare(GAPS_HEADER)?);
    for period in run.periods(view) {
        let period = match period {
            Ok(period) => period,
            Err(RunError::Store(error @ StoreError::Io { .. })) => return Err(error.into()),
            Err(error) => {
                verification.add(not_repeatable(error.to_string()));
                return Ok(());
            }
        };
        let number = period.records.period;
        let lines = record_lines(&period.records, run.manifest().run, period.table);
        if finding.is_none() {
            finding = records.compare(&lines)?;
        }
        let lines = gap_lines(number, period.gaps.iter().copied());
        if finding.is_none() {
            finding = gaps.compare(&lines)?;
        }
        verification.record_count += period.records.totals.record_count;
        let Some(books) = books.as_deref_mut() else { continue };
        for settled in settled_records(&period.records, run.manifest().run, period.table) {
            books.records.insert(RecordKey::from(&settled.record), settled);
        }
        books.tables.insert(number, period.table.clone());
    }
    if finding.is_none() {
        finding = records.end()?.or(gaps.end()?);
    }
    finding.into_iter().for_each(|finding| verification.add(finding));
    Ok(())
}

/// Returns the version that a manifest names; another program computes it again.
fn code_version(manifest: &str) -> String {
    let line = manifest.lines().find_map(|line| line.strip_prefix("code_version "));
    line.unwrap_or_default().trim_matches('"').to_owned()
}

/// A recorded file that is compared line by line with what is computed again.
struct Recorded<'a> {
    file: &'a StoredFile,
    source: BufReader<Box<dyn Read>>,
    line: u64,
}

impl<'a> Recorded<'a> {
    fn open(view: &StoreView, file: &'a StoredFile) -> Result<Self, StoreError> {
        let source: Box<dyn Read> = Box::new(view.reader(file)?);
        Ok(Self { file, source: BufReader::new(source), line: 0 })
    }

    /// Compares the next lines with those computed again. Returns the first difference.
    fn compare(&mut self, computed: &str) -> Result<Option<Finding>, StoreError> {
        for computed in computed.lines() {
            let recorded = self.next()?;
            if recorded.as_deref() != Some(computed) {
                return Ok(Some(self.differs(recorded.unwrap_or_default(), computed.to_owned())));
            }
        }
        Ok(None)
    }

    /// Compares the end: nothing more may be recorded.
    fn end(&mut self) -> Result<Option<Finding>, StoreError> {
        let recorded = self.next()?;
        Ok(recorded.map(|recorded| self.differs(recorded, String::new())))
    }

    fn next(&mut self) -> Result<Option<String>, StoreError> {
        /// Longest line of a manifest: a name and a derivation, quoted.
        const LINE_BYTES_MAX: u64 = 4_096;
        self.line += 1;
        let mut text = Vec::new();
        let read = (&mut self.source).take(LINE_BYTES_MAX).read_until(b'\n', &mut text);
        read.map_err(|source| StoreError::Io {
            action: "read",
            path: self.file.path.clone().into(),
            source,
        })?;
        let text = text.strip_suffix(b"\n").unwrap_or(&text);
        let is_over = text.is_empty();
        Ok((!is_over).then(|| String::from_utf8_lossy(text).into_owned()))
    }

    fn differs(&self, recorded: String, computed: String) -> Finding {
        let (file, file_line) = (self.file.path.clone(), self.line);
        Finding::RunDiffers { file, file_line, recorded, computed }
    }
}
