//! `gridtally watch`: a batch ledger rebuilt from the chain alone, judged, and struck down where it is wrong.

use std::io::{self, Write};
use std::time::Duration;

use gridtally_chain::Access;
use gridtally_core::party::ParticipantNumber;
use gridtally_ledger::{
    Demanded, Interrupted, Key, Outcome, SectionReader, SendOptions, Sender, SnapshotVerdict,
    WatchReport, Watcher,
};
use gridtally_settlement::Place;
use serde::Serialize;

use crate::batch_access::BatchArguments;
use crate::config::Config;
use crate::context::Context;
use crate::error::{Blame, CommandError, is_unreachable};
use crate::output::Report;
use crate::output::number::{counted, grouped};
use crate::section_arguments::SectionArguments;

/// What to do where nobody has the data of a batch.
pub(crate) const DATA_MISSING: &str = "Name an archive of batches with --archive, another beacon node with --beacon, or begin with \
                            the hub's snapshot of the accounts: --from-snapshot.";

/// Judge every batch that a contract settles, from the chain alone, and strike down what is wrong
///
/// Only what is final counts: a batch can be struck down for seven days. Without --act nothing is sent, and no key is needed.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    batch: BatchArguments,
    /// Prove, demand and let expire, paid by the configured key
    #[arg(long)]
    act: bool,
    /// Have the readings of these participants shown with their signatures, batch by batch
    #[arg(long, value_name = "NUMBER", value_delimiter = ',', requires = "act")]
    demand_records: Vec<u32>,
    #[command(flatten)]
    sections: SectionArguments,
    /// Whose sections are read and judged, each as far as it is about the participant itself [default: all, as the auditor]
    #[arg(long, value_name = "NUMBER", value_delimiter = ',', requires = "sections")]
    participant: Vec<u32>,
    /// Judge what is there now, then end: exit code 1 unless all of it is valid
    #[arg(long)]
    once: bool,
    /// Begin with the newest snapshot of the accounts, and judge only what came after its batch
    #[arg(long)]
    from_snapshot: bool,
    /// Pause between looks, in seconds
    #[arg(long, default_value_t = 2, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pause: u64,
}

/// Something that was found or done, one JSON document a line.
#[derive(Debug, Serialize)]
struct Finding {
    /// Number of the batch; none for a reading that is forced.
    #[serde(skip_serializing_if = "Option::is_none")]
    seq: Option<u64>,
    #[serde(flatten)]
    told: Told,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case", tag = "verdict")]
enum Told {
    Valid {
        records: u32,
    },
    Sealed {
        records: u32,
        sections: u32,
        read: u32,
        withheld: u32,
        #[serde(skip_serializing_if = "is_none")]
        erased: u32,
    },
    Partly {
        records: u32,
    },
    Fraud {
        rule: String,
        place: String,
        outcome: &'static str,
        transaction: Option<String>,
    },
    Demanded {
        what: String,
    },
    /// A reading is to be shown with its signature; nothing is wrong yet.
    Asked {
        what: String,
    },
    NotDemanded {
        what: String,
    },
    Expired {
        what: String,
    },
    DataMissing,
    Resumed,
    NotJudged,
    Forced {
        participant: u32,
        period: u32,
        key: u64,
        energy_wh: i32,
        amount_micro: u64,
    },
    ForcePaid {
        period: u32,
        key: u64,
        transaction: String,
    },
    ForceDue {
        period: u32,
        key: u64,
    },
    SnapshotTrue,
    SnapshotFalse {
        participant: u32,
        transaction: Option<String>,
    },
    SnapshotMissing,
}

impl Told {
    /// Whether it says nothing against a batch or a snapshot.
    const fn is_sound(&self) -> bool {
        use Told::{
            Asked, ForceDue, ForcePaid, Forced, Partly, Resumed, Sealed, SnapshotTrue, Valid,
        };
        matches!(
            self,
            Valid { .. }
                | Resumed
                | Sealed { withheld: 0, .. }
                | Partly { .. }
                | Asked { .. }
                | Forced { .. }
                | ForcePaid { .. }
                | ForceDue { .. }
                | SnapshotTrue
        )
    }

    /// Whether something of the batch is hidden from this watcher, and was not judged.
    const fn is_in_part(&self) -> bool {
        matches!(self, Self::Sealed { .. } | Self::Partly { .. })
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
const fn is_none(count: &u32) -> bool {
    *count == 0
}

/// What was judged, for `--once`.
#[derive(Debug, Serialize)]
struct WatchSummary {
    contract: String,
    asked: String,
    /// Whether every batch was judged, and nothing is wrong with any, as far as it can be read.
    sound: bool,
    /// Whether all batches were looked at, before something failed.
    complete: bool,
    /// Batches of which something is sealed and was not judged.
    judged_in_part: usize,
    batches: usize,
    final_batches: usize,
    /// Whether the ledger has ended, because its hub had stopped.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    frozen: bool,
    findings: Vec<Finding>,
}

pub(crate) fn run(arguments: &Arguments, context: &Context) -> Result<(), CommandError> {
    let config = context.config(|settings| arguments.batch.apply(settings))?;
    context.block_on(arguments.watch(&config, context))
}

impl Arguments {
    async fn watch(&self, config: &Config, context: &Context) -> Result<(), CommandError> {
        let access = if self.act { Access::ReadWrite } else { Access::ReadOnly };
        let chain = BatchArguments::chain(config, access).await?;
        let sender = if self.act {
            let key = Key::load(&config.chain.key).or_usage()?;
            Some(Sender::new(chain.client.clone(), key, SendOptions::default()))
        } else {
            None
        };
        let mut watcher = self.batch.watcher(config, &chain, sender).await?;
        if self.from_snapshot {
            watcher = watcher.from_snapshot();
        }
        let reader = match self.participant.as_slice() {
            [] => SectionReader::Auditor,
            own => {
                SectionReader::Participants(own.iter().copied().map(ParticipantNumber).collect())
            }
        };
        watcher = self.sections.read(watcher, reader);
        let participants = self.demand_records.iter().copied().map(ParticipantNumber);
        watcher = watcher.demanding_records_of(participants);
        let asked = chain.shown.clone();
        if self.once {
            return self.look_once(&mut watcher, asked, context).await;
        }
        let contract = watcher.ledger().deployment().core;
        context.output.note(&format!("Watching {contract} at {asked}. Ctrl-C ends it."));
        loop {
            match watcher.poll().await {
                Ok(reports) => {
                    for report in &reports {
                        context.output.line(&Finding::of(report))?;
                    }
                }
                // The chain is there for years; an endpoint may be away for a while.
                Err(error) if is_unreachable(&error) => context.output.note(&format!("{error}.")),
                Err(error) => return Err(CommandError::of_chain(error)),
            }
            tokio::time::sleep(Duration::from_secs(self.pause)).await;
        }
    }

    async fn look_once(
        &self,
        watcher: &mut Watcher,
        asked: String,
        context: &Context,
    ) -> Result<(), CommandError> {
        let (reports, interrupted) = match watcher.poll_through().await {
            Ok(found) => (found, None),
            Err(Interrupted { found, error }) => (found, Some(CommandError::of_chain(*error))),
        };
        let findings: Vec<Finding> = reports.iter().map(Finding::of).collect();
        let interrupted = match interrupted {
            Some(error) if findings.is_empty() => return Err(error),
            interrupted => interrupted,
        };
        let complete = interrupted.is_none();
        let batches = watcher.view().batches();
        let summary = WatchSummary {
            contract: watcher.ledger().deployment().core.to_string(),
            asked,
            sound: complete && findings.iter().all(|finding| finding.told.is_sound()),
            complete,
            judged_in_part: findings.iter().filter(|finding| finding.told.is_in_part()).count(),
            batches: batches.len(),
            final_batches: batches.iter().filter(|batch| batch.is_final).count(),
            frozen: watcher.view().is_frozen(),
            findings,
        };
        context.output.report(&summary)?;
        if let Some(error) = interrupted {
            return Err(error);
        }
        let Some(finding) = summary.findings.iter().find(|finding| !finding.told.is_sound()) else {
            return Ok(());
        };
        let error = CommandError::refused(anyhow::anyhow!("{}", finding.text()));
        Err(match finding.told {
            Told::DataMissing => error.hint(DATA_MISSING),
            _ => error,
        })
    }
}

/// Says in words what a watcher found.
pub(crate) fn words(report: &WatchReport) -> String {
    Finding::of(report).text()
}

impl Finding {
    fn of(report: &WatchReport) -> Self {
        let (seq, told) = match report {
            WatchReport::Valid { seq, count } => (seq, Told::Valid { records: *count }),
            &WatchReport::Sealed { ref seq, count, sections, read, withheld, erased } => {
                (seq, Told::Sealed { records: count, sections, read, withheld, erased })
            }
            WatchReport::Partly { seq, count } => (seq, Told::Partly { records: *count }),
            WatchReport::Fraud { seq, rule, place, outcome } => {
                let place = match place {
                    Place::Record(index) => format!("record {}", grouped(*index)),
                    Place::Account(participant) => format!("account {participant}"),
                    Place::Inbox(entry) => format!("inbox entry {}", grouped(*entry)),
                    Place::Section(participant) => format!("the section of {participant}"),
                };
                let (outcome, transaction) = match outcome {
                    Outcome::Cancelled(transaction) => ("cancelled", Some(transaction.to_string())),
                    Outcome::FallenAlready => ("fallen_already", None),
                    Outcome::Seen => ("seen", None),
                    Outcome::NotSent => ("not_sent", None),
                    Outcome::TooLate => ("too_late", None),
                };
                (seq, Told::Fraud { rule: rule.to_string(), place, outcome, transaction })
            }
            WatchReport::Demanded { seq, demanded: demanded @ Demanded::Record(_) } => {
                (seq, Told::Asked { what: demanded.to_string() })
            }
            WatchReport::NotDemanded { seq, demanded } => {
                (seq, Told::NotDemanded { what: demanded.to_string() })
            }
            WatchReport::Demanded { seq, demanded } => {
                (seq, Told::Demanded { what: demanded.to_string() })
            }
            WatchReport::Expired { seq, demanded } => {
                (seq, Told::Expired { what: demanded.to_string() })
            }
            WatchReport::DataMissing { seq } => (seq, Told::DataMissing),
            WatchReport::Resumed { seq } => (seq, Told::Resumed),
            WatchReport::NotJudged { seq } => (seq, Told::NotJudged),
            WatchReport::Snapshot { seq, verdict } => {
                let told = match verdict {
                    SnapshotVerdict::True => Told::SnapshotTrue,
                    SnapshotVerdict::False { participant, cancelled } => Told::SnapshotFalse {
                        participant: participant.0,
                        transaction: cancelled.map(|transaction| transaction.to_string()),
                    },
                    SnapshotVerdict::DataMissing => Told::SnapshotMissing,
                };
                (seq, told)
            }
            WatchReport::Forced { force, request } => {
                let told = Told::Forced {
                    participant: request.participant.0,
                    period: force.period.0,
                    key: force.key,
                    energy_wh: request.value_wh,
                    amount_micro: request.amount_micro,
                };
                return Self { seq: None, told };
            }
            WatchReport::ForceDue { force } => {
                let told = Told::ForceDue { period: force.period.0, key: force.key };
                return Self { seq: None, told };
            }
            WatchReport::ForcePaid { force, transaction } => {
                let (period, key) = (force.period.0, force.key);
                let told = Told::ForcePaid { period, key, transaction: transaction.to_string() };
                return Self { seq: None, told };
            }
        };
        Self { seq: Some(*seq), told }
    }

    fn text(&self) -> String {
        let said = match &self.told {
            Told::Valid { records } => format!("valid, {}", counted((*records).into(), "record")),
            Told::Sealed { records, sections, read, withheld, erased } => {
                let form = format!("sealed, {}", counted((*records).into(), "record"));
                let of = grouped(*sections);
                let read = match read {
                    0 => "contents not judged".to_owned(),
                    read if read == sections => format!("all {of} sections judged"),
                    read => format!("{} of {of} sections judged, the others not", grouped(*read)),
                };
                let missing = match withheld {
                    0 => String::new(),
                    some => format!(", {} not delivered", counted((*some).into(), "section")),
                };
                let erased = match erased {
                    0 => String::new(),
                    some => format!(", {} erased", counted((*some).into(), "section")),
                };
                format!("{form}: {read}{erased}{missing}")
            }
            Told::Partly { records } => format!(
                "open on sealed accounts, {}: balances and accounts not judged",
                counted((*records).into(), "record")
            ),
            Told::Fraud { rule, place, outcome, transaction } => {
                let outcome = match (*outcome, transaction) {
                    ("cancelled", Some(transaction)) => format!("struck down by {transaction}"),
                    ("fallen_already", _) => "struck down by somebody else".to_owned(),
                    ("not_sent", _) => "pending, the proof was not carried out".to_owned(),
                    ("too_late", _) => "FINAL, and can no longer be struck down".to_owned(),
                    _ => "pending, nothing was sent".to_owned(),
                };
                format!("{place} breaks {rule}: {outcome}")
            }
            Told::Demanded { what } => {
                format!("not what was published; {what} must be shown to tell where")
            }
            Told::Asked { what } => {
                format!("{what} is to be shown with the meter's signature, within two days")
            }
            Told::NotDemanded { what } => format!(
                "{what} could not be demanded, nor the readings after it; the log says why: the contract must be allowed to draw \
                 the bond of a demand"
            ),
            Told::Expired { what } => format!("{what} was not shown in time: cancelled"),
            Told::DataMissing => "its published data cannot be found".to_owned(),
            Told::Resumed => {
                "WRONG AND FINAL up to here: taken as it was committed, and judged on from here"
                    .to_owned()
            }
            Told::NotJudged => {
                "WRONG AND FINAL, and nobody can tell what it left: NO LATER BATCH IS JUDGED"
                    .to_owned()
            }
            Told::SnapshotTrue => "its snapshot is true".to_owned(),
            Told::SnapshotFalse { participant, transaction } => {
                let outcome = match transaction {
                    Some(transaction) => format!("struck down by {transaction}"),
                    None => "nothing was carried out".to_owned(),
                };
                format!("its snapshot is false for account {participant}: {outcome}")
            }
            Told::SnapshotMissing => "the data of its snapshot cannot be found".to_owned(),
            Told::Forced { participant, period, key, energy_wh, amount_micro } => format!(
                "participant {participant} forces a reading of {energy_wh} Wh, worth {amount_micro} micro-units \
                 (period {period}, key {key})"
            ),
            Told::ForceDue { period, key } => format!(
                "not refuted in time, and not covered by the bond: the hub cannot commit until it is (period {period}, \
                 key {key})"
            ),
            Told::ForcePaid { period, key, transaction } => format!(
                "not refuted in time, paid out of the bond by {transaction} (period {period}, key {key})"
            ),
        };
        match self.seq {
            Some(seq) => format!("batch {seq}: {said}"),
            None => format!("forced reading: {said}"),
        }
    }
}

impl Report for Finding {
    fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "{}", self.text())
    }
}

impl Report for WatchSummary {
    fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        for finding in &self.findings {
            finding.write_text(out)?;
        }
        writeln!(out, "contract {} at {}", self.contract, self.asked)?;
        if self.frozen {
            writeln!(
                out,
                "FROZEN: its hub had stopped; gridtally claim --exit takes out what there is"
            )?;
        }
        writeln!(
            out,
            "batches: {}, final: {}: {}",
            grouped(self.batches as u64),
            grouped(self.final_batches as u64),
            match (self.sound, self.judged_in_part) {
                _ if !self.complete => "not all judged".to_owned(),
                (false, _) => "not all valid".to_owned(),
                (true, 0) => "all valid".to_owned(),
                (true, some) => format!("nothing wrong, {} judged in part", grouped(some as u64)),
            }
        )
    }
}
