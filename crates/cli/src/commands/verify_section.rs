//! `gridtally verify --section`: a participant's part of a sealed batch, without believing the hub.

use std::io::{self, Write};
use std::path::Path;

use anyhow::{Context as _, anyhow};
use gridtally_core::party::ParticipantNumber;
use gridtally_ledger::{BatchLedger, read_section_file};
use gridtally_settlement::{CheckedSection, SectionFile, SignedReading};
use serde::Serialize;

use crate::batch_access::deploy_error;
use crate::chain_access::{connect, shown};
use crate::config::Config;
use crate::context::Context;
use crate::error::{Blame, CommandError};
use crate::output::Report;
use crate::output::number::{counted, decimal_rounded, grouped};

/// What a section shows.
#[derive(Debug, Serialize)]
struct SectionReport {
    contract: String,
    chain_id: u64,
    participant: u32,
    period: u32,
    run: u32,
    batch: u64,
    records: usize,
    /// Place of the first record in the batch.
    first: u32,
    count: u32,
    balance_before_micro: i64,
    balance_after_micro: i64,
    payable_micro: u64,
    header_hash: String,
    /// Readings with a signature of the meter; nothing where nobody was asked for its key.
    signed: Option<usize>,
    readings: usize,
    /// How the batch stands; nothing where nobody was asked.
    stands: Option<&'static str>,
    /// Who said so.
    asked: Option<String>,
}

pub(crate) fn run(path: &Path, config: &Config, context: &Context) -> Result<(), CommandError> {
    let shown_path = path.display();
    let file = read_section_file(path)
        .with_context(|| format!("{shown_path} is no section"))
        .or_refused()?
        .ok_or_else(|| CommandError::environment(anyhow!("there is no file {shown_path}")))?;
    let checked =
        file.check().with_context(|| format!("{shown_path} is not right")).or_refused()?;
    let mut report = SectionReport::new(&file, &checked);
    if let Some(endpoint) = config.chain.endpoint.as_deref() {
        context.block_on(ask(endpoint, config, &file, &checked, &mut report))?;
    }
    context.output.report(&report)?;
    if report.stands == Some("unknown") {
        return Err(CommandError::refused(anyhow!("the contract knows no such batch")).hint(
            "The batch fell, left the ring of the newest headers, or was never committed: ask for the section of one that stands.",
        ));
    }
    match report.signed {
        Some(signed) if signed < report.readings => Err(CommandError::refused(anyhow!(
            "{} of {} readings have no signature of the meter in the file",
            report.readings - signed,
            report.readings
        ))
        .hint(
            "Have them shown with gridtally watch --act --sections --participant --demand-records.",
        )),
        _ => Ok(()),
    }
}

/// Asks the contract for the meter's key, and how the batch stands.
async fn ask(
    endpoint: &str,
    config: &Config,
    file: &SectionFile,
    checked: &CheckedSection,
    report: &mut SectionReport,
) -> Result<(), CommandError> {
    let client = connect(config, endpoint, Some(file.chain_id)).await?;
    let ledger = BatchLedger::at(client, file.contract, 0).await.map_err(deploy_error)?;
    let slots = ledger.deployment().terms.calendar.slots_per_period();
    if file.slots_per_period != slots {
        let stated = file.slots_per_period;
        let what = anyhow!("the prices are read as of {stated} slots, a period has {slots}");
        return Err(CommandError::refused(what));
    }
    let header = &checked.header;
    let participant = ParticipantNumber(file.participant);
    let keys = ledger.keys_of(participant, header.run).await.map_err(CommandError::of_chain)?;
    let records = checked.section.leaves.iter().zip(&checked.signatures);
    let signed = records.filter(|(leaf, signature)| {
        let reading = SignedReading::of_record(header.period, header.run, &leaf.record);
        let (Some(reading), Some(signature)) = (reading, signature) else { return false };
        let digest = reading.digest(&file.domain());
        keys.iter().any(|key| key.check(&digest, signature).is_ok())
    });
    report.signed = Some(signed.count());
    report.asked = Some(shown(endpoint));
    let hash = header.hash();
    let is_final = ledger.is_final(header.seq, hash).await.map_err(CommandError::of_chain)?;
    let is_pending = ledger.is_pending(header.seq, hash).await.map_err(CommandError::of_chain)?;
    report.stands = Some(match (is_final, is_pending) {
        (true, _) => "final",
        (false, true) => "pending",
        (false, false) => "unknown",
    });
    Ok(())
}

impl SectionReport {
    fn new(file: &SectionFile, checked: &CheckedSection) -> Self {
        let CheckedSection { header, section, before, .. } = checked;
        let readings = section.leaves.iter().filter(|leaf| leaf.record.code().is_priced());
        Self {
            contract: file.contract.to_string(),
            chain_id: file.chain_id,
            participant: file.participant,
            period: header.period.0,
            run: header.run,
            batch: header.seq,
            records: section.leaves.len(),
            first: section.first,
            count: header.count,
            balance_before_micro: before.as_ref().map_or(0, |before| before.leaf.balance.micro()),
            balance_after_micro: section.account.balance.micro(),
            payable_micro: section.account.payable_micro,
            header_hash: header.hash().to_string(),
            signed: None,
            readings: readings.count(),
            stands: None,
            asked: None,
        }
    }
}

/// Returns micro-units as units with six decimals.
fn units(micro: i64) -> String {
    decimal_rounded(micro.into(), 6, 6)
}

impl Report for SectionReport {
    fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        let Self { participant, period, run, batch, .. } = self;
        let records = counted(self.records as u64, "record");
        writeln!(out, "section  participant {participant}, period {period}, run {run}: {records}")?;
        match self.signed {
            Some(signed) => {
                let readings = counted(self.readings as u64, "reading");
                writeln!(out, "signed   {} of {readings}", grouped(signed as u64))?;
            }
            None => writeln!(out, "signed   not checked: name an --endpoint")?,
        }
        let (before, after) = (units(self.balance_before_micro), units(self.balance_after_micro));
        writeln!(out, "balance  {before} before, {after} after it")?;
        let place = match self.records {
            0 => "no record".to_owned(),
            _ => format!("records from {} on", grouped(self.first)),
        };
        let count = grouped(self.count);
        writeln!(out, "batch    {batch}, {place} of {count}, header {}", self.header_hash)?;
        match (self.stands, &self.asked) {
            (Some(stands), Some(asked)) => writeln!(out, "stands   {stands}, says {asked}"),
            _ => writeln!(out, "stands   not asked: name an --endpoint"),
        }
    }
}
