//! `gridtally verify --proof`: one record, from the reading to a final header, without believing anybody.

use std::io::{self, Write};
use std::path::Path;

use alloy_primitives::Address;
use anyhow::{Context as _, anyhow};
use gridtally_core::party::ParticipantNumber;
use gridtally_ledger::{BatchLedger, ReadError};
use gridtally_settlement::{BatchHeader, Code, ProvedRecord, RecordProof};
use serde::Serialize;

use crate::batch_access::deploy_error;
use crate::chain_access::{connect, shown};
use crate::config::Config;
use crate::context::Context;
use crate::error::{Blame, CommandError};
use crate::input::read_bounded;
use crate::output::Report;
use crate::output::number::{counted, decimal_rounded, grouped};

/// Largest proof that is read, in bytes after unpacking: its headers for more than a century.
const PROOF_BYTES_MAX: u64 = 64 << 20;
/// Largest header that is read: hexadecimal with room for spaces.
const HEADER_BYTES_MAX: u64 = 4_096;

/// What a proof shows, step by step.
#[derive(Debug, Serialize)]
struct ProofReport {
    contract: String,
    chain_id: u64,
    participant: u32,
    period: u32,
    run: u32,
    slot: u16,
    code: u8,
    value: i32,
    price_micro_per_kwh: Option<i32>,
    amount_micro: i64,
    balance_after_micro: i64,
    batch: u64,
    index: u32,
    count: u32,
    header_hash: String,
    /// Headers from the one that is known to be final down to the record's.
    headers: usize,
    /// Whether the meter's signature was checked; nothing where none is in the proof, or nobody was asked for the meter's key.
    is_signed: Option<bool>,
    /// Whether the batch is final; nothing where nobody was asked.
    is_final: Option<bool>,
    /// Who said so.
    asked: Option<String>,
}

pub(crate) fn run(
    proof: &Path,
    header: Option<&Path>,
    contract: Option<Address>,
    config: &Config,
    context: &Context,
) -> Result<(), CommandError> {
    let shown_path = proof.display();
    let bytes = read_bounded(proof, PROOF_BYTES_MAX)?;
    let proof: RecordProof = serde_json::from_slice(&bytes)
        .with_context(|| format!("{shown_path} is no proof of a record"))
        .or_refused()?;
    let proved =
        proof.check().with_context(|| format!("{shown_path} shows nothing")).or_refused()?;
    check_contract(&proof, contract)?;
    let mut report = ProofReport::new(&proof, &proved);
    if let Some(header) = header {
        check_saved(header, &proved)?;
        (report.is_final, report.asked) = (Some(true), Some(header.display().to_string()));
    } else if let Some(endpoint) = config.chain.endpoint.as_deref() {
        context.block_on(ask(endpoint, config, &proof, &proved, &mut report))?;
    }
    context.output.report(&report)?;
    match (report.is_signed, report.is_final) {
        (Some(false), _) => Err(CommandError::refused(anyhow!(
            "neither the meter's key nor, in a correction, that of the metering operator signed the reading"
        ))),
        (_, Some(false)) => Err(CommandError::refused(anyhow!("the batch is not final"))
            .hint("Wait until its window of seven days is over; if it fell, the record was never settled.")),
        _ => Ok(()),
    }
}

/// Makes sure that a proof is about the contract that somebody else names: whoever made it may have a contract of their own,
/// which calls everything final.
fn check_contract(proof: &RecordProof, contract: Option<Address>) -> Result<(), CommandError> {
    let stated = proof.contract;
    match contract {
        Some(contract) if contract != stated => {
            let what = anyhow!("the proof is about contract {stated}, not about {contract}");
            Err(CommandError::refused(what).hint(
                "Let nobody pay by it, or name the contract that it is about with --contract.",
            ))
        }
        _ => Ok(()),
    }
}

/// Compares the newest header of a proof with one that was saved when it was final.
fn check_saved(path: &Path, proved: &ProvedRecord) -> Result<(), CommandError> {
    let bytes = read_bounded(path, HEADER_BYTES_MAX)?;
    let text = String::from_utf8_lossy(&bytes);
    let saved = alloy_primitives::hex::decode(text.trim()).map_err(anyhow::Error::from);
    let saved = saved.and_then(|saved| Ok(BatchHeader::decode(&saved)?));
    let saved =
        saved.with_context(|| format!("{} holds no header", path.display())).or_refused()?;
    if proved.headers.contains(&saved) {
        return Ok(());
    }
    let what = anyhow!("header {} is none of those in the proof", saved.hash());
    Err(CommandError::refused(what)
        .hint("Save the header of the record's batch, or of one after it."))
}

/// Asks the contract for the meter's key, and whether the batch is final.
async fn ask(
    endpoint: &str,
    config: &Config,
    proof: &RecordProof,
    proved: &ProvedRecord,
    report: &mut ProofReport,
) -> Result<(), CommandError> {
    let client = connect(config, endpoint, Some(proof.chain_id)).await?;
    let ledger = BatchLedger::at(client, proof.contract, 0).await.map_err(deploy_error)?;
    let slots = ledger.deployment().terms.calendar.slots_per_period();
    if proof.slots_per_period != slots {
        let stated = proof.slots_per_period;
        let what = anyhow!("the prices are read as of {stated} slots, a period has {slots}");
        return Err(CommandError::refused(what));
    }
    if proof.signature.is_some() {
        let participant = ParticipantNumber(proof.participant);
        let keys = ledger
            .keys_of(participant, proved.header().run)
            .await
            .map_err(CommandError::of_chain)?;
        let checked = keys.iter().filter_map(|key| proof.check_signature(proved, key));
        let checked: Vec<bool> = checked.map(|checked| checked.is_ok()).collect();
        report.is_signed = (!checked.is_empty()).then(|| checked.contains(&true));
    }
    report.asked = Some(shown(endpoint));
    report.is_final = match ledger.verify_record(&proved.headers, &proved.leaf).await {
        Ok(()) => Some(true),
        Err(ReadError::Refused { .. }) => Some(false),
        Err(error) => return Err(CommandError::of_chain(error)),
    };
    Ok(())
}

impl ProofReport {
    fn new(proof: &RecordProof, proved: &ProvedRecord) -> Self {
        let header = proved.header();
        Self {
            contract: proof.contract.to_string(),
            chain_id: proof.chain_id,
            participant: proof.participant,
            period: header.period.0,
            run: header.run,
            slot: proof.slot,
            code: proof.code,
            value: proof.value,
            price_micro_per_kwh: proved.price.map(|price| price.micro_per_kwh()),
            amount_micro: proof.amount_micro,
            balance_after_micro: proof.balance_after_micro,
            batch: header.seq,
            index: proof.index,
            count: header.count,
            header_hash: header.hash().to_string(),
            headers: proved.headers.len(),
            is_signed: None,
            is_final: None,
            asked: None,
        }
    }

    fn unit(&self) -> &'static str {
        let is_energy = Code::new(self.code).is_ok_and(Code::is_priced);
        if is_energy { " Wh" } else { "" }
    }
}

/// Returns micro-units as units with six decimals.
fn units(micro: i64) -> String {
    decimal_rounded(micro.into(), 6, 6)
}

impl Report for ProofReport {
    fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        let Self { participant, period, run, slot, code, value, .. } = self;
        let signed = match self.is_signed {
            Some(true) => "signed by the meter",
            Some(false) => "NOT signed by the meter",
            None => "signature not checked",
        };
        writeln!(
            out,
            "reading  participant {participant}, period {period}, run {run}, slot {slot}, code {code}: {value}{}, {signed}",
            self.unit()
        )?;
        let amount = units(self.amount_micro);
        match self.price_micro_per_kwh {
            Some(price) => {
                writeln!(out, "amount   {amount} at {} per kWh", units(price.into()))?;
            }
            None => writeln!(out, "amount   {amount}")?,
        }
        writeln!(out, "balance  {} after it", units(self.balance_after_micro))?;
        writeln!(
            out,
            "batch    {}, record {} of {}, header {}",
            self.batch,
            grouped(self.index),
            grouped(self.count),
            self.header_hash
        )?;
        writeln!(out, "contract {} on chain {}", self.contract, self.chain_id)?;
        let headers = counted(self.headers as u64, "header");
        match (self.is_final, &self.asked) {
            (Some(true), Some(asked)) => {
                writeln!(out, "final    yes, through {headers}, says {asked}")
            }
            (Some(false), Some(asked)) => writeln!(out, "final    NO, says {asked}"),
            _ => writeln!(out, "final    not asked: name an --endpoint, or a saved --header"),
        }
    }
}
