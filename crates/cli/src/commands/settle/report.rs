//! What a settlement came to, for people and programs.

use std::io::{self, Write};

use alloy_primitives::{Address, B256};
use gridtally_aggregator::cycle::{
    BatchSettlement, CommittedNow, RunOptions, RunReport, Settlement,
};
use gridtally_aggregator::scenario::Filled;
use gridtally_aggregator::store::{Store, StoreError};
use gridtally_core::party::ParticipantNumber;
use gridtally_core::quantity::Currency;
use gridtally_ledger::{CallKind, GasMeasurements, HubReport};
use gridtally_settlement::Code;
use jiff::Timestamp;
use serde::Serialize;

use crate::commands::verify::VerifyReport;
use crate::error::CommandError;
use crate::output::Report;
use crate::output::number::{counted, decimal_rounded, grouped};
use crate::output::table::{Align, Table};

/// Participants that are shown as text; the JSON document has all.
const PARTICIPANTS_SHOWN: usize = 20;

/// What a settlement came to.
#[derive(Debug, Serialize)]
pub(super) struct SettleReport {
    run: B256,
    journal_line: u64,
    /// Whether the run was recorded before, with the same bytes.
    repeated: bool,
    from: Timestamp,
    until: Timestamp,
    price_shift_weeks: i32,
    periods: u32,
    currency: Currency,
    record_count: u64,
    /// Slots without a value that can be settled.
    left_out_count: u64,
    codes: Vec<CodeLine>,
    participants: Vec<ParticipantLine>,
    hub_micro: i128,
    /// Nothing where the chain was left alone.
    chain: Option<OnChain>,
    #[serde(skip_serializing_if = "Option::is_none")]
    imported: Option<ImportedFiles>,
}

/// The sums of one code.
#[derive(Debug, Serialize)]
struct CodeLine {
    code: Code,
    meaning: &'static str,
    record_count: u64,
    energy_wh: i128,
    /// What the participants' balances grew by.
    amount_micro: i128,
}

/// What the run does to one participant.
#[derive(Debug, Serialize)]
struct ParticipantLine {
    participant: ParticipantNumber,
    party: String,
    net_micro: i128,
}

/// What happened on the chain.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum OnChain {
    Direct(Box<Direct>),
    Batch(Box<InBatches>),
}

/// What was settled in batches.
#[derive(Debug, Serialize)]
pub(super) struct InBatches {
    contract: Address,
    chain_id: u64,
    settled: u64,
    /// How many of them correct what was settled before, or come late.
    corrected: u64,
    already_settled: u64,
    /// Whether records are hidden from the public.
    sealed: bool,
    /// Records that were left alone because sections of theirs were erased.
    #[serde(skip_serializing_if = "Option::is_none")]
    erased: Option<u64>,
    deposit_count: u64,
    deposited_micro: u64,
    /// Those that were committed now.
    batches: Vec<CommittedNow>,
    batch_count: u64,
    final_count: u64,
    /// When the newest batch can be final, where it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    final_from: Option<Timestamp>,
    /// What needs somebody's attention.
    warnings: Vec<String>,
    gas: GasMeasurements,
    gas_per_record: u64,
    verification: VerifyReport,
}

/// What was settled record by record.
#[derive(Debug, Serialize)]
pub(super) struct Direct {
    contract: Address,
    chain_id: u64,
    settled: u64,
    already_settled: u64,
    gas: GasMeasurements,
    gas_per_record: u64,
    verification: VerifyReport,
}

/// What a scenario's files gave.
#[derive(Debug, Serialize)]
pub(super) struct ImportedFiles {
    files: u64,
    new_count: u64,
    repeated_count: u64,
    missing_count: u64,
}

impl SettleReport {
    /// Returns the report on a run in the store.
    ///
    /// # Errors
    ///
    /// Those of reading who takes part.
    pub(super) fn new(
        store: &Store,
        options: &RunOptions,
        run: &RunReport,
        chain: Option<OnChain>,
    ) -> Result<Self, StoreError> {
        let view = store.view();
        let book = view.participants(view.last())?;
        let totals = &run.summary.totals;
        let codes = totals.codes.iter().map(|(&code, total)| CodeLine {
            code,
            meaning: meaning(code),
            record_count: total.record_count,
            energy_wh: total.energy_wh,
            amount_micro: total.amount_micro,
        });
        let participants = totals.participants.iter().map(|(&participant, position)| {
            let party =
                book.party(participant).map_or_else(String::new, |entry| entry.id.to_string());
            ParticipantLine { participant, party, net_micro: position.net_micro() }
        });
        Ok(Self {
            run: run.id,
            journal_line: run.line,
            repeated: run.is_repeated,
            from: options.from,
            until: options.until,
            price_shift_weeks: options.price_shift_weeks,
            periods: run.last_period.0 - run.first_period.0 + 1,
            currency: view.settings().currency,
            record_count: totals.record_count,
            left_out_count: totals.gap_count,
            codes: codes.collect(),
            participants: participants.collect(),
            hub_micro: totals.hub.net_micro(),
            chain,
            imported: None,
        })
    }

    /// Adds what was imported before.
    pub(super) fn with_files(mut self, imported: Option<ImportedFiles>) -> Self {
        self.imported = imported;
        self
    }

    /// Returns an error when the verification has a finding.
    ///
    /// # Errors
    ///
    /// A refusal that names the first finding.
    pub(super) fn verdict(&self) -> Result<(), CommandError> {
        self.chain.as_ref().map_or(Ok(()), |chain| chain.verification().verdict())
    }
}

impl OnChain {
    pub(super) fn direct(settled: &Settlement, verification: VerifyReport) -> Self {
        let measured = settled.chain.measured.clone();
        Self::Direct(Box::new(Direct {
            contract: settled.deployment.contract,
            chain_id: settled.deployment.chain_id,
            settled: settled.chain.settled,
            already_settled: settled.chain.already_settled,
            gas_per_record: measured.total(CallKind::SettlePacked).gas_per_item_rounded_up(),
            gas: measured,
            verification,
        }))
    }

    pub(super) fn batch(settled: &BatchSettlement, verification: VerifyReport) -> Self {
        let report = &settled.chain;
        Self::Batch(Box::new(InBatches {
            contract: settled.deployment.core,
            chain_id: settled.deployment.chain_id,
            settled: report.settled,
            corrected: report.corrected,
            already_settled: report.already_settled,
            sealed: report.is_sealed,
            erased: Some(report.erased).filter(|erased| *erased > 0),
            deposit_count: report.deposit_count,
            deposited_micro: report.deposited_micro,
            batches: report.committed.clone(),
            batch_count: report.batch_count,
            final_count: report.final_count,
            final_from: report.final_from,
            warnings: report.reports.iter().filter_map(warning).collect(),
            gas_per_record: report.measured.total(CallKind::Commit).gas_per_item_rounded_up(),
            gas: report.measured.clone(),
            verification,
        }))
    }

    fn verification(&self) -> &VerifyReport {
        match self {
            Self::Direct(direct) => &direct.verification,
            Self::Batch(batch) => &batch.verification,
        }
    }
}

/// Returns what somebody has to know of what the hub did, or could not do.
fn warning(report: &HubReport) -> Option<String> {
    match report {
        HubReport::NoAnswer { seq, demanded } => {
            Some(format!("{demanded} of batch {seq} is demanded, and nobody has its signature"))
        }
        HubReport::ForceOpen { force, request } => Some(format!(
            "participant {} forces a reading of {} Wh in settlement period {}: correct it by {} s (Unix time), or it is \
             paid out of the bond",
            request.participant, request.value_wh, force.period, request.correct_until_s
        )),
        HubReport::Answered { .. }
        | HubReport::ForceRefuted { .. }
        | HubReport::SnapshotPublished { .. }
        | HubReport::Finalized { .. } => None,
    }
}

impl ImportedFiles {
    pub(super) fn new(filled: &Filled) -> Self {
        let sum = |of: fn(&gridtally_aggregator::scenario::FilledFile) -> u64| {
            filled.files.iter().map(of).sum()
        };
        Self {
            files: filled.files.len() as u64,
            new_count: sum(|file| file.added.new_count),
            repeated_count: sum(|file| file.added.repeated_count),
            missing_count: sum(|file| {
                file.report.columns.iter().map(|column| column.missing_count).sum()
            }),
        }
    }
}

/// Returns what a code means to people.
fn meaning(code: Code) -> &'static str {
    match code {
        Code::CONSUMPTION => "drawn from the grid",
        Code::FEED_IN => "fed into the grid",
        _ => "",
    }
}

impl Report for SettleReport {
    fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        if let Some(imported) = &self.imported {
            writeln!(
                out,
                "Imported  {}: {} new values, {} known already; {} missing in gaps",
                counted(imported.files, "file"),
                grouped(imported.new_count),
                grouped(imported.repeated_count),
                grouped(imported.missing_count),
            )?;
        }
        let again = if self.repeated { ", the same bytes as before" } else { "" };
        writeln!(out, "Run       {} (journal line {}{again})", self.run, self.journal_line)?;
        writeln!(
            out,
            "Span      {} to {}, {}",
            self.from,
            self.until,
            counted(self.periods.into(), "settlement period")
        )?;
        if self.price_shift_weeks != 0 {
            writeln!(out, "Prices    those of {} weeks later", self.price_shift_weeks)?;
        }
        writeln!(
            out,
            "Records   {}, {} left out for lack of values\n",
            grouped(self.record_count),
            grouped(self.left_out_count)
        )?;
        let currency = self.currency.code();
        let money = format!("participants get, {currency}");
        let mut codes = Table::new([
            (Align::Right, "code"),
            (Align::Left, "energy"),
            (Align::Right, "records"),
            (Align::Right, "kWh"),
            (Align::Right, money.as_str()),
        ]);
        for line in &self.codes {
            codes.row([
                line.code.to_string(),
                line.meaning.to_owned(),
                grouped(line.record_count),
                decimal_rounded(line.energy_wh, 3, 1),
                decimal_rounded(line.amount_micro, 6, 2),
            ]);
        }
        codes.write(out)?;
        writeln!(out)?;
        let mut participants = Table::new([
            (Align::Right, "#"),
            (Align::Left, "participant"),
            (Align::Right, money.as_str()),
        ]);
        for line in self.participants.iter().take(PARTICIPANTS_SHOWN) {
            let net = decimal_rounded(line.net_micro, 6, 2);
            participants.row([line.participant.to_string(), line.party.clone(), net]);
        }
        let hub = decimal_rounded(self.hub_micro, 6, 2);
        participants.row(["0".to_owned(), "the aggregator".to_owned(), hub]);
        participants.write(out)?;
        let more = self.participants.len().saturating_sub(PARTICIPANTS_SHOWN);
        if more > 0 {
            writeln!(out, "  and {more} more participants; --output json has all")?;
        }
        writeln!(out)?;
        match &self.chain {
            None => return writeln!(out, "The chain was left alone."),
            Some(OnChain::Direct(chain)) => writeln!(
                out,
                "Contract  {} on chain {}: {} settled now, {} before; {} gas for a record",
                chain.contract,
                chain.chain_id,
                grouped(chain.settled),
                grouped(chain.already_settled),
                grouped(chain.gas_per_record),
            )?,
            Some(OnChain::Batch(chain)) => chain.write_text(out)?,
        }
        self.chain.as_ref().map_or(Ok(()), |chain| chain.verification().write_text(out))
    }
}

impl InBatches {
    fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(
            out,
            "Contract  {} on chain {}, in {}batches: {} settled now, {} of them corrections; {} before",
            self.contract,
            self.chain_id,
            if self.sealed { "sealed " } else { "" },
            grouped(self.settled),
            grouped(self.corrected),
            grouped(self.already_settled),
        )?;
        let gas = match self.gas_per_record {
            0 => String::new(),
            gas => format!("; {} gas for a record", grouped(gas)),
        };
        writeln!(
            out,
            "Batches   {} committed now, {} in all, {} final{gas}",
            grouped(self.batches.len() as u64),
            grouped(self.batch_count),
            grouped(self.final_count),
        )?;
        if let Some(final_from) = self.final_from {
            writeln!(
                out,
                "          only final counts: the newest can be final after {final_from}"
            )?;
        }
        if let Some(erased) = self.erased {
            writeln!(
                out,
                "          {} left alone: what the chain has of them was erased",
                counted(erased, "record")
            )?;
        }
        for warning in &self.warnings {
            writeln!(out, "Warning   {warning}")?;
        }
        Ok(())
    }
}
