//! The demonstration: a neighborhood lives through two days, one of them with 25 hours, and settles on a chain.
//!
//! ```text
//! sim --> readings, prices --> store --> run --> embedded chain --> verification --> DemoSummary
//!                        \--> batch store --> batches, a fraud, a watcher ---------/
//! ```

mod batch;

use std::collections::BTreeMap;
use std::path::Path;

use alloy_primitives::{Address, B256};
use gridtally_chain::CHAIN_ID_DEFAULT;
use gridtally_core::meter::{Channel, MeteringPointId};
use gridtally_core::party::{ParticipantNumber, PartyId, Role};
use gridtally_core::period::{Resolution, SettlementCalendar, SettlementCalendarError};
use gridtally_core::quantity::Currency;
use gridtally_core::reading::Quality;
use gridtally_core::tariff::{PriceArea, Tariff};
use gridtally_ledger::{CallKind, GasMeasurements, HistoryError, SettledRecord};
use gridtally_settlement::{Code, RecordKey, Settled};
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

pub use self::batch::{BatchDemoError, BatchSummary, ClaimSummary, FraudSummary};

use crate::cycle::{
    CycleProgress, EmbeddedChain, EmbeddedError, PreparedRun, RunError, RunOptions, Settlement,
    SettlementError, settle_embedded,
};
use crate::sim::{Neighborhood, NeighborhoodError, NeighborhoodOptions};
use crate::store::{
    CHAIN_FOLDER, Metering, ParticipantBook, ParticipantError, PartyEntry, PointEntry, PriceSeries,
    ReadingSeries, Settings, Store, StoreError, settled_records,
};

/// Where the store that settles record by record lies, below the folder of the demonstration.
pub const STORE_FOLDER: &str = "store";
/// Where the store that settles in batches lies.
pub const BATCH_STORE_FOLDER: &str = "batch-store";
/// Quarter-hours of a settlement period.
const SLOTS: u16 = 96;
/// Length of a settlement period, s.
const PERIOD_LENGTH_S: u32 = 86_400;
/// Whose spot prices hold.
const AREA: &str = "NO1";
/// Records that the summary shows.
const RECORDS_SHOWN: usize = 4;
/// What the households pay and are paid: the spot price with a margin and a network charge by day, spot for feed-in.
const TARIFF: &str = r#"
name = "neighborhood"
currency = "EUR"

[[version]]
valid_from = "2020-01-01T00:00:00Z"

[[version.import]]
part = "spot"
area = "NO1"
margin_micro_per_kwh = 4000

[[version.import]]
part = "time_of_use"
zone = "Europe/Oslo"
holidays = "norway"
otherwise_micro_per_kwh = 21000

[[version.import.band]]
days = ["working_day"]
from = "06:00"
until = "22:00"
price_micro_per_kwh = 32000

[[version.export]]
part = "spot"
area = "NO1"
margin_micro_per_kwh = -2000
"#;

/// A demonstration that was run; its chain goes on as long as this is held.
#[derive(Debug)]
pub struct Demo {
    /// What came out.
    pub summary: DemoSummary,
    /// What was settled.
    pub settlement: Settlement,
    /// The chain, ready for anybody who connects.
    pub chain: EmbeddedChain,
}

/// What a newcomer wants to know of a demonstration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DemoSummary {
    /// Households.
    pub household_count: u32,
    /// Local days with their hours.
    pub days: Vec<DemoDay>,
    /// Readings of quarter-hours.
    pub reading_count: u64,
    /// The settlement run.
    pub run: B256,
    /// Records, all on the chain.
    pub record_count: u64,
    /// Energy drawn from the grid, Wh.
    pub import_wh: i128,
    /// Energy fed into the grid, Wh.
    pub export_wh: i128,
    /// What households paid, micro-units; negative where prices turned it.
    pub paid_micro: i128,
    /// What households were paid, micro-units.
    pub received_micro: i128,
    /// What is left with the aggregator, micro-units.
    pub hub_micro: i128,
    /// All changes of balances together: 0.
    pub balance_micro: i128,
    /// Gas of everything that was sent.
    pub measured: GasMeasurements,
    /// Gas of a record, packed, rounded up.
    pub gas_per_record: u64,
    /// Where the contract stands.
    pub contract: Address,
    /// The chain's id.
    pub chain_id: u64,
    /// Whether verification found nothing.
    pub is_verified: bool,
    /// Some of the records: what the readings give, and what the chain moved.
    pub records: Vec<DemoRecord>,
    /// The same in batches.
    pub batch: BatchSummary,
}

/// A local day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct DemoDay {
    /// The date.
    pub date: Date,
    /// Its hours: 23, 24 or 25.
    pub hours: i64,
}

/// One record on both sides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DemoRecord {
    /// The household.
    pub party: PartyId,
    /// Whether it fed in; else it drew.
    pub is_feed_in: bool,
    /// Start of the quarter-hour.
    pub start: Timestamp,
    /// The energy, Wh.
    pub energy_wh: i32,
    /// The price, micro-units per kWh.
    pub price_micro_per_kwh: i32,
    /// What the readings give, micro-units.
    pub recomputed_micro: i64,
    /// What the chain moved, micro-units.
    pub chain_micro: i64,
    /// The block.
    pub block: u64,
    /// The transaction.
    pub transaction: B256,
}

/// Why a demonstration came to no end. In the order of its steps.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// There is no such neighborhood.
    #[error(transparent)]
    Neighborhood(#[from] NeighborhoodError),
    /// Its days are no settlement periods.
    #[error(transparent)]
    Calendar(#[from] SettlementCalendarError),
    /// Its households are no participants.
    #[error(transparent)]
    Participants(#[from] ParticipantError),
    /// The store fails.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is no chain.
    #[error(transparent)]
    Embedded(#[from] EmbeddedError),
    /// The settlement came to no end.
    #[error(transparent)]
    Settlement(#[from] SettlementError),
    /// The run cannot be computed again.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The chain cannot be read.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// Batches came to no end.
    #[error(transparent)]
    Batch(#[from] BatchDemoError),
}

/// Runs the demonstration in an empty folder: two stores, one for each way to settle, each with its chain in its folder `chain`.
///
/// # Errors
///
/// Returns the first [`DemoError`]; the variants stand in the order of the steps.
pub async fn run_demo(
    folder: &Path,
    options: NeighborhoodOptions,
    now: Timestamp,
    progress: &mut (dyn FnMut(CycleProgress) + Send),
) -> Result<Demo, DemoError> {
    let neighborhood = Neighborhood::new(options.clone())?;
    // Prices of one day more: the settlement period in which the last hour lies needs prices for all its slots.
    let day_count = options.day_count + 1;
    let priced = Neighborhood::new(NeighborhoodOptions { day_count, ..options.clone() })?;
    let days = neighborhood.days();
    let (Some(first), Some(last)) = (days.first(), days.last()) else {
        unreachable!("a neighborhood has a day");
    };
    let (from, until) = (first.start(), last.end());
    let genesis = from - SignedDuration::from_secs(i64::from(PERIOD_LENGTH_S));
    let calendar = SettlementCalendar::new(genesis, PERIOD_LENGTH_S, SLOTS)?;
    let settings = Settings::new(Currency::EUR, options.zone.clone(), calendar);
    let (direct, in_batches) = (folder.join(STORE_FOLDER), folder.join(BATCH_STORE_FOLDER));
    let mut store = Store::create(&direct, &settings, now)?;
    let reading_count = fill(&mut store, &neighborhood, &priced, now, progress)?;

    let chain = Some(direct.join(CHAIN_FOLDER));
    let chain = EmbeddedChain::open(chain, CHAIN_ID_DEFAULT, &calendar)?;
    let run_options = RunOptions::regular(from, until);
    let settlement = settle_embedded(&mut store, &run_options, &chain, now, progress).await?;
    let records = shown_records(&store, &run_options, &settlement, &chain).await?;
    let mut batch_store = Store::create(&in_batches, &settings, now)?;
    fill(&mut batch_store, &neighborhood, &priced, now, progress)?;
    let batch_chain = Some(in_batches.join(CHAIN_FOLDER));
    let batch_chain = EmbeddedChain::open(batch_chain, CHAIN_ID_DEFAULT, &calendar)?;
    let batch = batch::show(&mut batch_store, &run_options, &batch_chain, now, progress).await?;

    let totals = &settlement.run.summary.totals;
    let of_code = |code| totals.codes.get(&code).copied().unwrap_or_default();
    let (consumption, feed_in) = (of_code(Code::CONSUMPTION), of_code(Code::FEED_IN));
    let participants: i128 = totals.participants.values().map(|sum| sum.net_micro()).sum();
    let measured = settlement.chain.measured.clone();
    let summary = DemoSummary {
        household_count: options.household_count,
        days: days.iter().map(|day| DemoDay { date: day.date(), hours: day.hours() }).collect(),
        reading_count,
        run: settlement.run.id,
        record_count: totals.record_count,
        import_wh: consumption.energy_wh,
        export_wh: feed_in.energy_wh,
        paid_micro: -consumption.amount_micro,
        received_micro: feed_in.amount_micro,
        hub_micro: totals.hub.net_micro(),
        balance_micro: participants + totals.hub.net_micro(),
        gas_per_record: measured.total(CallKind::SettlePacked).gas_per_item_rounded_up(),
        measured,
        contract: settlement.deployment.contract,
        chain_id: settlement.deployment.chain_id,
        is_verified: settlement.verification.is_sound(),
        records,
        batch,
    };
    Ok(Demo { summary, settlement, chain })
}

/// Puts the neighborhood into the store. Returns the number of readings.
fn fill(
    store: &mut Store,
    neighborhood: &Neighborhood,
    priced: &Neighborhood,
    now: Timestamp,
    progress: &mut (dyn FnMut(CycleProgress) + Send),
) -> Result<u64, StoreError> {
    store.set_participants(&book(neighborhood)?, now)?;
    let tariff: Tariff = toml::from_str(TARIFF).expect("the tariff of the demonstration is one");
    store.set_tariff(&tariff, now)?;
    let area: PriceArea = AREA.parse().expect("NO1 is a price area");
    let prices = priced.prices();
    let rows: Vec<(i64, i64)> = prices
        .iter()
        .map(|(period, price)| (period.start().as_second(), price.micro_per_kwh().into()))
        .collect();
    let resolution = Resolution::Minutes15;
    store.add_prices("simulation", &[PriceSeries { area: &area, resolution, rows: &rows }], now)?;

    let mut channels = Vec::new();
    let total = neighborhood.households().len() as u64;
    for (done, household) in (1..).zip(neighborhood.households()) {
        let metered = neighborhood.metered(household);
        let series = [(Channel::Import, Some(metered.import)), (Channel::Export, metered.export)];
        for (channel, series) in series {
            let Some(series) = series else { continue };
            let rows: Vec<(i64, i64)> = series
                .iter()
                .map(|(period, energy)| (period.start().as_second(), energy.wh()))
                .collect();
            channels.push((MeteringPointId::from(household.metering_point), channel, rows));
        }
        progress(CycleProgress { step: "metering", done, total });
    }
    let series: Vec<ReadingSeries<'_>> = channels
        .iter()
        .map(|(metering_point, channel, rows)| ReadingSeries {
            metering_point,
            channel: *channel,
            resolution,
            quality: Quality::Measured,
            rows,
        })
        .collect();
    Ok(store.add_readings("simulation", &series, now)?.new_count)
}

fn book(neighborhood: &Neighborhood) -> Result<ParticipantBook, ParticipantError> {
    let (mut parties, mut points) = (Vec::new(), Vec::new());
    for household in neighborhood.households() {
        let name = format!("household_{:02}", household.number);
        let id: PartyId = name.parse().expect("a short name");
        let metering =
            if household.has_panels() { Metering::ImportExport } else { Metering::Import };
        let point = household.metering_point.into();
        points.push(PointEntry { id: point, party: id.clone(), metering, since: None });
        let participant = ParticipantNumber(household.number);
        parties.push(PartyEntry {
            id,
            role: Role::Prosumer,
            participant,
            meter: None,
            owner: None,
        });
    }
    ParticipantBook::new(parties, points)
}

/// Returns some records as the readings give them and as the chain has them: a household that feeds in, and some that draw.
async fn shown_records(
    store: &Store,
    options: &RunOptions,
    settlement: &Settlement,
    chain: &EmbeddedChain,
) -> Result<Vec<DemoRecord>, DemoError> {
    let run = PreparedRun::new(store.view(), options)?;
    let calendar = run.manifest().calendar;
    let ledger = settlement.ledger(chain).await?;
    let mut periods = run.periods(store.view());
    let Some(period) = periods.next().transpose()? else { return Ok(Vec::new()) };
    let on_chain = ledger.settled_records(&[period.records.period]).await?;
    let on_chain: BTreeMap<RecordKey, &SettledRecord> =
        on_chain.iter().map(|settled| (RecordKey::from(&settled.record), settled)).collect();
    let all: Vec<Settled> =
        settled_records(&period.records, run.manifest().run, period.table).collect();
    // Of each household the quarter-hour with the most energy: of the first that feeds in, and of the first ones that draw.
    let mut most: BTreeMap<(Code, ParticipantNumber), Settled> = BTreeMap::new();
    for &settled in &all {
        let record = settled.record;
        let participant = if record.code == Code::FEED_IN { record.to } else { record.from };
        let kept = most.entry((record.code, participant)).or_insert(settled);
        if record.energy_wh > kept.record.energy_wh {
            *kept = settled;
        }
    }
    let of_code = |code| most.iter().filter(move |(key, _)| key.0 == code).map(|(_, most)| most);
    let fed_in = of_code(Code::FEED_IN).max_by_key(|settled| settled.record.energy_wh);
    let drawn = of_code(Code::CONSUMPTION).take(RECORDS_SHOWN - 1);
    let mut shown = Vec::new();
    for Settled { record, amount } in fed_in.into_iter().chain(drawn) {
        let is_feed_in = record.code == Code::FEED_IN;
        let participant = if is_feed_in { record.to } else { record.from };
        let party = run.book().party(participant);
        let price = period.table.price(record.code, record.slot);
        let found = on_chain.get(&RecordKey::from(record));
        let (Some(party), Some(price), Some(found)) = (party, price, found) else { continue };
        shown.push(DemoRecord {
            party: party.id.clone(),
            is_feed_in,
            start: calendar.slot_start(record.period, record.slot)?,
            energy_wh: record.energy_wh,
            price_micro_per_kwh: price.micro_per_kwh(),
            recomputed_micro: amount.micro(),
            chain_micro: found.amount.micro(),
            block: found.block.number,
            transaction: found.transaction,
        });
    }
    Ok(shown)
}
