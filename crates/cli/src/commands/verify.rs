//! `gridtally verify`: everything computed again, trusting neither the store nor whoever runs it.

use std::io::{self, Write};
use std::path::PathBuf;

use alloy_primitives::Address;
use anyhow::anyhow;
use gridtally_aggregator::store::StoreView;
use gridtally_aggregator::verify::{
    Finding, Verification, VerifyError, VerifyProgress, verify_with_blobs,
};
use serde::Serialize;

use crate::address::address;
use crate::chain_access::{ChainAccess, ChainArguments};
use crate::commands::{StoreArguments, store_error, verify_proof, verify_section};
use crate::config::Config;
use crate::context::Context;
use crate::error::{CommandError, is_unreachable};
use crate::output::Report;
use crate::output::number::{counted, decimal_rounded, grouped};
use crate::progress::Steps;

/// What to do about a store without a contract.
const NOTHING_SETTLED: &str =
    "Nothing was settled yet, or lines of the journal are missing: compare it with a copy.";

/// Findings that are shown as text; the JSON document has all that were kept.
const FINDINGS_SHOWN: usize = 10;

/// Check every byte of a store, compute every record again and compare it with the chain
///
/// The first finding is the first thing that is wrong. Exit code 1 when there is one.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    store: StoreArguments,
    #[command(flatten)]
    chain: ChainArguments,
    /// Address of the contract that the store must have settled on, or the proof must be about, as somebody else names it
    /// [default: the word of the store or proof]
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    contract: Option<Address>,
    /// In batches: beacon node that has the blobs which the store's archive does not have [default: the endpoint]
    #[arg(long, value_name = "URL")]
    beacon: Option<String>,
    /// Check the store alone
    #[arg(long, conflicts_with_all = ["endpoint", "contract", "beacon"])]
    no_chain: bool,
    /// Check the proof of one record instead, as `gridtally export proof` writes it: with --endpoint whether it is final, too
    #[arg(long, value_name = "FILE", conflicts_with_all = ["store", "no_chain", "beacon"])]
    proof: Option<PathBuf>,
    /// Check a section of a sealed batch instead, as `gridtally export section` writes it: with --endpoint its batch and signatures, too
    #[arg(long, value_name = "FILE", conflicts_with_all = ["store", "contract", "no_chain", "proof"])]
    section: Option<PathBuf>,
    /// A header, in hexadecimal, that was final when it was saved: the proof is checked against it, and nobody is asked
    #[arg(long, value_name = "FILE", requires = "proof", conflicts_with = "endpoint")]
    header: Option<PathBuf>,
}

/// What was verified.
#[derive(Debug, Serialize)]
pub(crate) struct VerifyReport {
    /// Where the chain was asked; nothing where it was not.
    asked: Option<String>,
    /// Whether the store names a contract.
    is_settled: bool,
    /// The contract that the store names.
    contract: Option<String>,
    /// Whether there is no finding.
    sound: bool,
    #[serde(flatten)]
    verification: Verification,
}

pub(crate) fn run(arguments: &Arguments, context: &Context) -> Result<(), CommandError> {
    let config = context.config(|settings| {
        arguments.store.apply(settings);
        arguments.chain.apply(settings);
    })?;
    if let Some(proof) = &arguments.proof {
        let saved = arguments.header.as_deref();
        return verify_proof::run(proof, saved, arguments.contract, &config, context);
    }
    if let Some(section) = &arguments.section {
        return verify_section::run(section, &config, context);
    }
    let mut steps = Steps::default();
    let report = context.block_on(arguments.look(&config, &mut steps))?;
    steps.finish();
    context.output.report(&report)?;
    report.verdict()
}

impl Arguments {
    async fn look(&self, config: &Config, steps: &mut Steps) -> Result<VerifyReport, CommandError> {
        let folder = &config.store_folder;
        // What is wrong with the store shows below, with its place.
        let view = StoreView::open(folder).ok();
        let named = view.as_ref().and_then(contract_of);
        if view.is_some() {
            self.check_contract(config, named)?;
        }
        let access = match view {
            Some(view) if named.is_some() && !self.no_chain => {
                Some(ChainAccess::open_to_read(config, &view.settings().calendar).await?)
            }
            _ => None,
        };
        let client = access.as_ref().map(|access| &access.client);
        let mut told = |of: VerifyProgress| steps.told(of.step, of.done, of.total);
        let url = access.as_ref().map(|access| access.url.clone());
        let beacon = self.beacon.clone().or(url);
        let verification = verify_with_blobs(folder, client, beacon.as_deref(), &mut told).await;
        let verification = verification.map_err(verify_error)?;
        Ok(VerifyReport::new(verification, access.as_ref(), named))
    }

    /// Makes sure that the store names a contract where one is to be asked, and the one that somebody else names.
    fn check_contract(&self, config: &Config, named: Option<Address>) -> Result<(), CommandError> {
        let folder = config.store_folder.display();
        match (named, self.contract) {
            (Some(named), Some(contract)) if named != contract => {
                let what =
                    anyhow!("the store in {folder} settled on contract {named}, not on {contract}");
                Err(CommandError::refused(what).hint(
                    "Name the store that settled on that contract; what this one settled shows without --contract.",
                ))
            }
            (None, Some(contract)) => {
                let what =
                    anyhow!("the store in {folder} names no contract, so not {contract} either");
                Err(CommandError::refused(what).hint(NOTHING_SETTLED))
            }
            (None, None) if config.chain.endpoint.is_some() => {
                let what =
                    anyhow!("the store in {folder} names no contract to ask the endpoint for");
                Err(CommandError::refused(what).hint(NOTHING_SETTLED))
            }
            _ => Ok(()),
        }
    }
}

/// Returns the contract that a store names, in whatever mode it settles.
pub(crate) fn contract_of(view: &StoreView) -> Option<Address> {
    let direct = view.deployment().ok().flatten().map(|deployment| deployment.contract);
    let batch = || view.batch_deployment().ok().flatten().map(|deployment| deployment.core);
    direct.or_else(batch)
}

/// Says whose fault a verification without end is.
pub(crate) fn verify_error(error: VerifyError) -> CommandError {
    match error {
        VerifyError::Store(error) => store_error(error),
        ref failed if is_unreachable(failed) => CommandError::environment(error),
        _ => CommandError::refused(error),
    }
}

impl VerifyReport {
    pub(crate) fn new(
        verification: Verification,
        access: Option<&ChainAccess>,
        contract: Option<Address>,
    ) -> Self {
        let asked = access.map(|access| access.shown.clone());
        let (is_settled, sound) = (contract.is_some(), verification.is_sound());
        let contract = contract.map(|contract| contract.to_string());
        Self { asked, is_settled, contract, sound, verification }
    }

    /// Returns an error when there is a finding.
    ///
    /// # Errors
    ///
    /// A refusal that names the first finding.
    pub(crate) fn verdict(&self) -> Result<(), CommandError> {
        match self.verification.findings.first() {
            None => Ok(()),
            Some(finding) => Err(CommandError::refused(anyhow!("{finding}")).hint(hint(finding))),
        }
    }
}

fn hint(finding: &Finding) -> &'static str {
    match finding {
        Finding::Store { .. } => {
            "Bytes of the store were changed or lost: restore the file from a copy."
        }
        Finding::RunNotRepeatable { .. } | Finding::RunDiffers { .. } => {
            "The records do not follow from the readings and tariffs of this store."
        }
        Finding::Deployment { .. } | Finding::Participant { .. } => {
            "The chain knows other parties than the store."
        }
        Finding::TariffMissing { .. } => {
            "A run is recorded but not settled: run settle again, before its periods begin."
        }
        Finding::TariffDiffers { .. } => "The chain settled at other prices than the store names.",
        Finding::Batch { .. } => {
            "Whoever watches can strike it down as long as it is pending: gridtally watch --act."
        }
        Finding::Archive { .. } => {
            "Restore the file from another copy of the archive: blobs leave the chain after some 18 days."
        }
        Finding::Sections { .. } => {
            "Restore the folder sections of the store from a copy; an erasure that was interrupted is done again: gridtally erase section."
        }
        Finding::Record(_) => {
            "What was settled is not what the readings give; where settle was interrupted, run it again."
        }
        Finding::Balance { .. } | Finding::Escrow { .. } => {
            "The contract does not keep its own books: this must never happen."
        }
    }
}

impl Report for VerifyReport {
    fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        let Verification { line_count, file_count, byte_count, run_count, record_count, .. } =
            self.verification;
        writeln!(
            out,
            "Store   {} and {}, {} bytes: every byte compared with its hash",
            counted(line_count, "journal line"),
            counted(file_count, "file"),
            grouped(byte_count),
        )?;
        if self.verification.findings.iter().any(|finding| matches!(finding, Finding::Store { .. }))
        {
            writeln!(out, "Runs    not looked at: the store comes first")?;
            writeln!(out, "Chain   not looked at: the store comes first")?;
            return self.write_findings(out);
        }
        writeln!(
            out,
            "Runs    {}, {} computed again from the readings",
            counted(run_count, "run"),
            counted(record_count, "record"),
        )?;
        match (&self.verification.chain, &self.asked) {
            (Some(chain), Some(asked)) => {
                let contract = self.contract.as_deref().unwrap_or_default();
                let holds = decimal_rounded(chain.balance_micro, 6, 2);
                writeln!(out, "Chain   {asked}, block {}", grouped(chain.block))?;
                writeln!(out, "        contract {contract}, which holds {holds}")?;
                writeln!(
                    out,
                    "        {}, {}, {}",
                    counted(chain.participant_count, "participant"),
                    counted(chain.tariff_count, "tariff"),
                    counted(chain.record_count, "equal record"),
                )?;
                if let Some(batches) = &chain.batches {
                    writeln!(
                        out,
                        "        batches: {}, final: {}, corrections: {}; each judged by the rules",
                        grouped(batches.batch_count),
                        grouped(batches.final_count),
                        grouped(batches.correction_count),
                    )?;
                }
                if chain.is_frozen {
                    writeln!(
                        out,
                        "        FROZEN: its hub had stopped; gridtally claim --exit takes out what there is"
                    )?;
                }
                if let Some(sealed) = &chain.sealed {
                    let erased = match sealed.erased_section_count {
                        0 => String::new(),
                        some => format!(
                            "; {} erased, so {} not compared",
                            counted(some, "section"),
                            counted(sealed.erased_record_count, "record")
                        ),
                    };
                    writeln!(out, "        sealed: {}{erased}", grouped(sealed.batch_count))?;
                }
            }
            _ if self.is_settled => writeln!(out, "Chain   not asked, as --no-chain says")?,
            _ => writeln!(out, "Chain   not asked: nothing was settled on one yet")?,
        }
        self.write_findings(out)
    }
}

impl VerifyReport {
    fn write_findings(&self, out: &mut dyn Write) -> io::Result<()> {
        let findings = &self.verification.findings;
        if findings.is_empty() {
            return writeln!(out, "\nNothing is wrong.");
        }
        writeln!(out, "\n{}:", counted(findings.len() as u64, "finding"))?;
        for finding in findings.iter().take(FINDINGS_SHOWN) {
            writeln!(out, "  {finding}")?;
        }
        Ok(())
    }
}
