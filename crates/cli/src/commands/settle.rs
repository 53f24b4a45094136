//! `gridtally settle`: readings and tariffs become records, the records payments on a chain.

mod report;
mod span;

use std::path::PathBuf;

use gridtally_aggregator::cycle::{
    BatchError, BatchOptions, ChainError, ChainOptions, ChainTime, CycleProgress, Money, RunError,
    RunOptions, Sealing, SettlementError, SettlementMode, settle, settle_in_batches,
    settle_into_store,
};
use gridtally_aggregator::scenario::{Scenario, ScenarioError};
use gridtally_aggregator::store::Store;
use gridtally_settlement::{EstimatedPolicy, MissingPolicy};
use jiff::{SignedDuration, Timestamp};

use self::report::{ImportedFiles, OnChain, SettleReport};
use self::span::Moment;
use crate::chain_access::{ChainAccess, ChainArguments};
use crate::commands::verify::{VerifyReport, verify_error};
use crate::commands::{StoreArguments, store_error};
use crate::config::Config;
use crate::context::Context;
use crate::error::{Blame, CommandError, is_unreachable};
use crate::progress::Steps;

/// How far ahead tariffs are published where nothing else is said: prices are known a day ahead.
const PUBLISHED_AHEAD: SignedDuration = SignedDuration::from_hours(48);

/// Settle a span of time: compute its records, publish tariffs, settle on the chain, verify
///
/// Doing it again settles nothing twice and goes on where it stopped. The embedded chain's clock is moved past each period,
/// so history settles there; on an endpoint a period must be over. In batches, values that were corrected since are settled
/// as correction runs.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// First day or instant, such as 2026-10-25 or 2026-10-24T22:00:00Z; days are those of the store's time zone
    #[arg(long, value_name = "TIME", required_unless_present = "scenario", requires = "until")]
    from: Option<Moment>,
    /// First day or instant after it
    #[arg(long, value_name = "TIME", requires = "from")]
    until: Option<Moment>,
    /// Settle what this file describes (files, participants, tariff, span) into a store of its own
    #[arg(long, value_name = "FILE", conflicts_with_all = ["from", "until", "missing", "estimated", "price_shift_weeks", "tariff", "as_of"])]
    scenario: Option<PathBuf>,
    /// What to do with missing values: refuse the run, or leave_out these slots and count them
    #[arg(long, value_name = "refuse|leave_out", default_value = "refuse", value_parser = missing)]
    missing: MissingPolicy,
    /// What to do with estimated values
    #[arg(long, value_name = "settle|refuse", default_value = "settle", value_parser = estimated)]
    estimated: EstimatedPolicy,
    /// Use the prices of so many weeks later, for history at later prices
    #[arg(long, value_name = "WEEKS", default_value_t = 0, value_parser = clap::value_parser!(i32).range(-5_000..=5_000))]
    price_shift_weeks: i32,
    /// Name of the tariff, where the store has several
    #[arg(long, value_name = "NAME")]
    tariff: Option<String>,
    /// Line of the journal up to which readings, prices and tariffs count [default: all]
    #[arg(long, value_name = "LINE")]
    as_of: Option<u64>,
    /// Publish tariffs of later periods until then, as far as prices are known [default: 48 hours after the span]
    #[arg(long, value_name = "TIME")]
    publish_until: Option<Moment>,
    /// direct: each record moves money by itself; batch: thousands in a transaction, final after a week [default: that of the
    /// scenario, of settlement.mode, of the store; direct for a new one]
    #[arg(long, value_name = "direct|batch")]
    mode: Option<SettlementMode>,
    /// In batches: who can read the records: open, everybody; sealed, participants and the auditor that the deployment names
    /// [default: settlement.records, or as the ledger's batches are; sealed for a new one with an auditor]
    #[arg(long, value_name = "open|sealed", conflicts_with = "no_chain")]
    records: Option<Sealing>,
    /// In batches: move the clock of a development chain over the windows of all batches; what can be is made final in any case
    #[arg(long)]
    finalize: bool,
    /// In batches: beacon node that has the blobs which the store's archive does not have [default: the endpoint]
    #[arg(long, value_name = "URL")]
    beacon: Option<String>,
    /// Compute and record the run, but leave the chain alone
    #[arg(long, conflicts_with_all = ["endpoint", "publish_until", "move_time", "finalize", "beacon"])]
    no_chain: bool,
    /// Treat the endpoint as a development chain: move its clock past each period, issue demonstration money
    #[arg(long, requires = "endpoint")]
    move_time: bool,
    #[command(flatten)]
    store: StoreArguments,
    #[command(flatten)]
    chain: ChainArguments,
}

pub(crate) fn run(arguments: &Arguments, context: &Context) -> Result<(), CommandError> {
    let scenario = arguments.scenario.as_deref().map(Scenario::read).transpose();
    let scenario = scenario.map_err(scenario_error)?;
    let config = context.config(|settings| {
        if let Some(name) = arguments.scenario.as_ref().and_then(|path| path.file_stem()) {
            let folder = format!("{}-store", name.to_string_lossy());
            settings.set_flag("store.folder", "--scenario", folder);
        }
        arguments.store.apply(settings);
        arguments.chain.apply(settings);
    })?;
    let mut steps = Steps::default();
    let mut told = |of: CycleProgress| steps.told(of.step, of.done, of.total);
    let now = context.now();
    let (mut store, options, imported) = match &scenario {
        Some(scenario) => {
            let mut store =
                scenario.open_store(&config.store_folder, now).map_err(scenario_error)?;
            let filled = scenario.fill(&mut store, now, &mut told).map_err(scenario_error)?;
            (store, scenario.run_options(), Some(ImportedFiles::new(&filled)))
        }
        None => {
            let store = Store::open(&config.store_folder).map_err(store_error)?;
            let options = arguments.options(&store)?;
            (store, options, None)
        }
    };
    let asked = arguments.mode.or(scenario.as_ref().and_then(|scenario| scenario.mode));
    let mode = SettlementMode::of(store.view(), asked.or(config.mode)).or_refused()?;
    if arguments.finalize && mode == SettlementMode::Direct {
        let what = anyhow::anyhow!("records that are settled one by one are final at once");
        return Err(
            CommandError::usage(what).hint("Leave --finalize out, or settle with --mode batch.")
        );
    }
    if arguments.records == Some(Sealing::Sealed) && mode == SettlementMode::Direct {
        let what = anyhow::anyhow!("records that are settled one by one are public");
        return Err(CommandError::usage(what)
            .hint("Settle with --mode batch, where batches can be sealed."));
    }
    let report = if arguments.no_chain {
        let settled = settle_into_store(&mut store, &options, now, &mut told);
        let (_, run) = settled.map_err(|error| settlement_error(error.into()))?;
        SettleReport::new(&store, &options, &run, None).or_refused()?
    } else {
        let work = arguments.settle(mode, &config, &mut store, &options, now, &mut told);
        context.block_on(work)?
    };
    steps.finish();
    let report = report.with_files(imported);
    context.output.report(&report)?;
    report.verdict()
}

impl Arguments {
    fn options(&self, store: &Store) -> Result<RunOptions, CommandError> {
        let zone = &store.view().settings().zone;
        let (Some(from), Some(until)) = (&self.from, &self.until) else {
            unreachable!("the command line asks for both, or for a scenario");
        };
        Ok(RunOptions {
            from: from.instant(zone).or_usage()?,
            until: until.instant(zone).or_usage()?,
            missing: self.missing,
            estimated: self.estimated,
            price_shift_weeks: self.price_shift_weeks,
            tariff: self.tariff.clone(),
            as_of: self.as_of,
        })
    }

    async fn settle(
        &self,
        mode: SettlementMode,
        config: &Config,
        store: &mut Store,
        options: &RunOptions,
        now: Timestamp,
        told: &mut (dyn FnMut(CycleProgress) + Send),
    ) -> Result<SettleReport, CommandError> {
        let settings = store.view().settings();
        let publish_until = match &self.publish_until {
            Some(moment) => moment.instant(&settings.zone).or_usage()?,
            None => options.until.saturating_add(PUBLISHED_AHEAD).unwrap_or(options.until),
        };
        let access = ChainAccess::open(config, &settings.calendar).await?;
        let sender = access.sender(config)?;
        let is_development = access.is_embedded() || self.move_time;
        let time = if is_development { ChainTime::Moved } else { ChainTime::Runs };
        let money = if is_development { Money::Demonstration } else { Money::OfParticipants };
        let publish_until = Some(publish_until);
        match mode {
            SettlementMode::Direct => {
                let chain_options =
                    ChainOptions { time, money, publish_until, ..ChainOptions::development() };
                let settled = settle(store, options, &sender, &chain_options, now, told).await;
                let settled = settled.map_err(settlement_error)?;
                let contract = Some(settled.deployment.contract);
                let verified =
                    VerifyReport::new(settled.verification.clone(), Some(&access), contract);
                let on_chain = OnChain::direct(&settled, verified);
                SettleReport::new(store, options, &settled.run, Some(on_chain)).or_refused()
            }
            SettlementMode::Batch => {
                let batch_options = BatchOptions {
                    time,
                    money,
                    publish_until,
                    slash_unit_micro: config.batch.slash_unit_micro,
                    demand_bond_micro: config.batch.demand_bond_micro,
                    sealing: self.records.or(config.sealing),
                    auditor: config.batch.auditor,
                    finalizes: self.finalize,
                    beacon: Some(self.beacon.clone().unwrap_or_else(|| access.url.clone())),
                    ..BatchOptions::development()
                };
                let settled =
                    settle_in_batches(store, options, &sender, &batch_options, now, told).await;
                let settled = settled.map_err(settlement_error)?;
                let contract = Some(settled.deployment.core);
                let verified =
                    VerifyReport::new(settled.verification.clone(), Some(&access), contract);
                let on_chain = OnChain::batch(&settled, verified);
                SettleReport::new(store, options, &settled.run, Some(on_chain)).or_refused()
            }
        }
    }
}

/// Says whose fault a settlement without end is.
fn settlement_error(error: SettlementError) -> CommandError {
    match error {
        SettlementError::Store(error)
        | SettlementError::Run(RunError::Store(error))
        | SettlementError::Chain(
            ChainError::Store(error) | ChainError::Run(RunError::Store(error)),
        )
        | SettlementError::Batch(
            BatchError::Store(error) | BatchError::Run(RunError::Store(error)),
        ) => store_error(error),
        SettlementError::Verify(error) => verify_error(error),
        SettlementError::Embedded(_) => CommandError::environment(error),
        SettlementError::Key(_) => CommandError::usage(error),
        SettlementError::Chain(ref chain) if is_unreachable(chain) => {
            CommandError::environment(error)
                .hint("What was settled stays settled: the same command goes on from there.")
        }
        SettlementError::Batch(ref chain) if is_unreachable(chain) => {
            CommandError::environment(error)
                .hint("What was settled stays settled: the same command goes on from there.")
        }
        SettlementError::Run(_) | SettlementError::Chain(_) | SettlementError::Batch(_) => {
            CommandError::refused(error)
        }
    }
}

fn scenario_error(error: ScenarioError) -> CommandError {
    match error {
        ScenarioError::Store(error) => store_error(error),
        ScenarioError::Unreadable { .. } => CommandError::environment(error),
        ScenarioError::OtherStore { .. } => {
            CommandError::refused(error).hint("Name an empty folder with --store.")
        }
        _ => CommandError::refused(error),
    }
}

fn missing(text: &str) -> Result<MissingPolicy, String> {
    match text {
        "refuse" => Ok(MissingPolicy::Refuse),
        "leave_out" => Ok(MissingPolicy::LeaveOut),
        _ => Err("give refuse or leave_out".to_owned()),
    }
}

fn estimated(text: &str) -> Result<EstimatedPolicy, String> {
    match text {
        "settle" => Ok(EstimatedPolicy::Settle),
        "refuse" => Ok(EstimatedPolicy::Refuse),
        _ => Err("give settle or refuse".to_owned()),
    }
}
