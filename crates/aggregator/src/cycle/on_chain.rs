//! A run onto a chain: whatever is missing there, and nothing twice.

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::U256;
use gridtally_core::party::{ParticipantNumber, Role};
use gridtally_core::period::{SettlementCalendarError, SettlementPeriod};
use gridtally_ledger::{
    CallKind, Client, DeployError, EndpointError, FundError, Funding, GasMeasurements,
    HistoryError, Ledger, Offices, ParticipantRole, Progress, PublishError, ReadError,
    RegisterError, Registration, SendError, Sender, SettleError, SettleOptions, TokenChoice,
};
use gridtally_settlement::{DirectRecord, RecordKey, Settled};
use jiff::Timestamp;
use tracing::info;

use super::error::RunError;
use super::mode::{ModeDiffers, SettlementMode};
use super::prepared::PreparedRun;
use super::record::CycleProgress;
use super::time::{ChainTime, reach_time};
use crate::store::{ParticipantBook, Store, StoreError, settled_records};

/// Where the money comes from that participants need before they can pay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Money {
    /// The demonstration token, of which the sender issues what is needed.
    Demonstration,
    /// The sender's tokens: it tops up balances as far as they last.
    OfSender,
    /// Participants bring it themselves; nobody is topped up.
    OfParticipants,
}

/// How a run goes onto a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChainOptions {
    /// Who moves its time.
    pub time: ChainTime,
    /// Where the money comes from.
    pub money: Money,
    /// Which token a new deployment pays with.
    pub token: Option<alloy_primitives::Address>,
    /// Until when tariffs of later periods are published as well, as far as prices are known.
    pub publish_until: Option<Timestamp>,
    /// How records are sent.
    pub settle: SettleOptions,
}

impl ChainOptions {
    /// Returns the options for a development chain: its time is moved, its money is issued.
    #[must_use]
    pub fn development() -> Self {
        let settle = SettleOptions::default();
        let (time, money) = (ChainTime::Moved, Money::Demonstration);
        Self { time, money, token: None, publish_until: None, settle }
    }
}

/// What a run did on a chain.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ChainReport {
    /// Records that were settled now.
    pub settled: u64,
    /// Records that the chain had already.
    pub already_settled: u64,
    /// Gas of everything that was sent.
    pub measured: GasMeasurements,
}

/// Why a run did not go onto a chain as a whole. Doing it again goes on where it stopped.
#[derive(Debug, thiserror::Error)]
pub enum ChainError {
    /// The store cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The run cannot be computed.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The store settles in batches.
    #[error(transparent)]
    Mode(#[from] ModeDiffers),
    /// There is no deployment to work with.
    #[error(transparent)]
    Deploy(#[from] DeployError),
    /// Participants are not registered.
    #[error(transparent)]
    Register(#[from] RegisterError),
    /// Tariffs are not published.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// The chain cannot be read.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// The contract cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The endpoint failed.
    #[error("{0}")]
    Endpoint(#[from] EndpointError),
    /// Money was not issued.
    #[error(transparent)]
    Mint(#[from] SendError),
    /// Somebody needs more money than a balance can hold.
    #[error(
        "participant {participant} needs {needed_micro} micro-units, more than a balance holds"
    )]
    FundsOutOfRange {
        /// Who.
        participant: ParticipantNumber,
        /// How much.
        needed_micro: i128,
    },
    /// Participants are not funded.
    #[error(transparent)]
    Fund(#[from] FundError),
    /// A period is not over yet.
    #[error("settlement period {period} ends {end}, the chain's time is {now}")]
    PeriodNotOver {
        /// The period.
        period: SettlementPeriod,
        /// Its end.
        end: Timestamp,
        /// Time of the newest block.
        now: Timestamp,
    },
    /// Records are not settled.
    #[error(transparent)]
    Settle(#[from] SettleError),
}

impl From<SettlementCalendarError> for ChainError {
    fn from(error: SettlementCalendarError) -> Self {
        Self::Run(error.into())
    }
}

/// Puts a run onto a chain: deploys the contract where the store has none, registers participants, publishes tariffs
/// before their periods, funds, settles.
///
/// Commit order: the deployment is recorded in the store before anything else is sent to it, so that a crash leaves at most
/// a contract that nobody uses. After that the chain itself is the memory.
///
/// # Errors
///
/// Returns the first [`ChainError`]; the variants stand in the order of the steps.
pub async fn settle_on_chain(
    store: &mut Store,
    run: &PreparedRun,
    sender: &Sender,
    options: &ChainOptions,
    now: Timestamp,
    progress: &mut (dyn FnMut(CycleProgress) + Send),
) -> Result<ChainReport, ChainError> {
    let mut report = ChainReport::default();
    let ledger = ledger(store, sender, options, now, &mut report.measured).await?;

    let registrations = registrations(run.book(), ledger.deployment().offices);
    let first = ParticipantNumber(1);
    let mut told = |step, of: Progress| {
        progress(CycleProgress { step, done: of.done, total: of.total });
    };
    let mut listener = |of: Progress| told("registering participants", of);
    let measured = ledger.register(sender, first, &registrations, &mut listener).await?;
    report.measured.merge(&measured);
    let mut listener = |of: Progress| told("publishing tariffs", of);
    let mut tables = run.tables().clone();
    if let Some(until) = options.publish_until {
        tables.extend(run.tables_ahead(store.view(), until)?);
    }
    let measured = ledger.publish_tariffs(sender, &tables, &mut listener).await?;
    report.measured.merge(&measured);

    let fundings = fundings(store, run, &ledger).await?;
    if options.money != Money::OfParticipants {
        if options.money == Money::Demonstration {
            issue(&ledger, sender, &fundings, &mut report.measured).await?;
        }
        let mut listener = |of: Progress| told("funding participants", of);
        report.measured.merge(&ledger.fund(sender, &fundings, &mut listener).await?);
    }

    let total = run.tables().len() as u64;
    let manifest = run.manifest();
    for (done, period) in (1..).zip(run.periods(store.view())) {
        let period = period?;
        let number = period.records.period;
        reach(&ledger, number, manifest.calendar.period_end(number)?, options.time).await?;
        let records: Vec<DirectRecord> =
            settled_records(&period.records, manifest.run, period.table)
                .map(|settled| settled.record)
                .collect();
        let mut quiet = |_: Progress| {};
        let summary = ledger.settle(sender, &records, options.settle, &mut quiet).await?;
        report.settled += summary.settled;
        report.already_settled += summary.already_settled;
        report.measured.merge(&summary.measured);
        progress(CycleProgress { step: "settling on the chain", done, total });
    }
    let (settled, already_settled) = (report.settled, report.already_settled);
    info!(run_id = %run.id(), settled, already_settled, "run is on the chain");
    Ok(report)
}

/// Returns the store's deployment, or makes one and records it.
async fn ledger(
    store: &mut Store,
    sender: &Sender,
    options: &ChainOptions,
    now: Timestamp,
    measured: &mut GasMeasurements,
) -> Result<Ledger, ChainError> {
    SettlementMode::Direct.check(store.view())?;
    if let Some(deployment) = store.view().deployment()? {
        return Ok(Ledger::connect(sender.client().clone(), deployment).await?);
    }
    let hub = sender.address();
    let token =
        options.token.map_or(TokenChoice::Demonstration { owner: hub }, TokenChoice::Existing);
    let calendar = store.view().settings().calendar;
    let offices = Offices::all_held_by(hub);
    let ledger = Ledger::deploy(sender, offices, calendar, token, measured).await?;
    store.set_deployment(ledger.deployment(), now)?;
    Ok(ledger)
}

/// Makes sure that the chain has the tariffs of a run, or still takes them. A run that it can never take is not recorded:
/// it would leave store and chain apart for ever.
///
/// # Errors
///
/// [`ChainError::Deploy`], [`ChainError::Read`], then [`ChainError::Publish`] for the first period that is too late or has
/// other prices.
pub(super) async fn check_tariffs(
    store: &Store,
    run: &PreparedRun,
    client: &Client,
) -> Result<(), ChainError> {
    let Some(deployment) = store.view().deployment()? else { return Ok(()) };
    let ledger = Ledger::connect(client.clone(), deployment).await?;
    let now_s = client.block_latest().await?.timestamp;
    for (&period, table) in run.tables() {
        let wanted = table.hash();
        match ledger.tariff_hash(period).await? {
            Some(published) if published == wanted => {}
            Some(published) => {
                return Err(PublishError::Differs { period, published, wanted }.into());
            }
            None => {
                let start_s = deployment.calendar.period_start(period)?.as_second();
                let starts_at_s = u64::try_from(start_s).unwrap_or(0);
                if now_s >= starts_at_s {
                    return Err(PublishError::PeriodStarted { period, starts_at_s, now_s }.into());
                }
            }
        }
    }
    Ok(())
}

/// Returns what the contract's registry is to know of the parties, in the order of their numbers.
pub(crate) fn registrations(book: &ParticipantBook, offices: Offices) -> Vec<Registration> {
    let parties = book.parties().iter();
    let registrations = parties.map(|party| Registration {
        meter: party.meter.unwrap_or(offices.hub),
        owner: party.owner.unwrap_or(offices.hub),
        role: match party.role {
            Role::Prosumer => ParticipantRole::Prosumer,
            Role::Aggregator => ParticipantRole::Aggregator,
            Role::Dso => ParticipantRole::Dso,
        },
    });
    registrations.collect()
}

/// Returns what each participant must have before the records that the chain lacks are settled in order.
async fn fundings(
    store: &Store,
    run: &PreparedRun,
    ledger: &Ledger,
) -> Result<Vec<Funding>, ChainError> {
    let periods: Vec<SettlementPeriod> = run.tables().keys().copied().collect();
    let there = ledger.settled_records(&periods).await?;
    let there: BTreeSet<RecordKey> =
        there.iter().map(|settled| RecordKey::from(&settled.record)).collect();
    /// A balance over time, relative to its start.
    #[derive(Default)]
    struct Balance {
        now: i128,
        lowest: i128,
    }
    let mut balances: BTreeMap<ParticipantNumber, Balance> = BTreeMap::new();
    for period in run.periods(store.view()) {
        let period = period?;
        for Settled { record, amount } in
            settled_records(&period.records, run.manifest().run, period.table)
        {
            if there.contains(&RecordKey::from(&record)) {
                continue;
            }
            let amount = i128::from(amount.micro());
            for (participant, change) in [(record.from, -amount), (record.to, amount)] {
                let balance = balances.entry(participant).or_default();
                balance.now += change;
                balance.lowest = balance.lowest.min(balance.now);
            }
        }
    }
    let needed = balances.into_iter().filter(|(_, balance)| balance.lowest < 0);
    needed
        .map(|(participant, balance)| {
            let needed_micro = -balance.lowest;
            let balance_min_micro = u64::try_from(needed_micro)
                .map_err(|_| ChainError::FundsOutOfRange { participant, needed_micro })?;
            Ok(Funding { participant, balance_min_micro })
        })
        .collect()
}

/// Issues what the sender needs to top balances up.
async fn issue(
    ledger: &Ledger,
    sender: &Sender,
    fundings: &[Funding],
    measured: &mut GasMeasurements,
) -> Result<(), ChainError> {
    let mut needed = U256::ZERO;
    for funding in fundings {
        let balance = ledger.balance(funding.participant).await?;
        needed += U256::from(funding.balance_min_micro.saturating_sub(balance));
    }
    let missing = needed.saturating_sub(ledger.token_balance(sender.address()).await?);
    let Ok(missing_micro) = u64::try_from(missing) else {
        let needed_micro = i128::MAX;
        return Err(ChainError::FundsOutOfRange {
            participant: ParticipantNumber::HUB,
            needed_micro,
        });
    };
    if missing_micro > 0 {
        let receipt = ledger.mint(sender, sender.address(), missing_micro).await?;
        measured.add_receipt(CallKind::Mint, 1, &receipt);
    }
    Ok(())
}

/// Sees to it that a settlement period is over on the chain.
async fn reach(
    ledger: &Ledger,
    period: SettlementPeriod,
    end: Timestamp,
    time: ChainTime,
) -> Result<(), ChainError> {
    match reach_time(ledger.client(), end, time).await? {
        None => Ok(()),
        Some(now) => Err(ChainError::PeriodNotOver { period, end, now }),
    }
}
