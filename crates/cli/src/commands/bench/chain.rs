//! Records settled end to end with `settlePacked`: from records in memory to receipts that were checked.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use gridtally_core::party::ParticipantNumber;
use gridtally_core::period::{SettlementCalendar, SettlementPeriod, Slot};
use gridtally_core::quantity::Price;
use gridtally_ledger::{
    Client, Funding, GasLimit, GasMeasurements, Key, Ledger, Offices, ParticipantRole, Progress,
    Registration, SendOptions, Sender, SettleOptions, TokenChoice,
};
use gridtally_settlement::{Code, DirectRecord, TariffTable};
use jiff::Timestamp;

use crate::output::number::{grouped, rate_per_s};
use crate::stopwatch::Stopwatch;

use super::process::{Program, Running};
use super::{Arguments, Folder, Measurement, Part, median};

/// Quarter-hours of a day.
const SLOTS: u16 = 96;
/// Seconds of a day.
const DAY_S: u32 = 86_400;
/// The period that is settled.
const PERIOD: SettlementPeriod = SettlementPeriod(1);
/// Money for everybody, micro-units.
const FUNDS_MICRO: u64 = 1_000_000_000;

/// What was measured.
#[derive(Debug, Clone, Copy)]
struct Settled {
    records: u64,
    elapsed: Duration,
    gas: u64,
}

pub(super) async fn measure(
    arguments: &Arguments,
    anvil: Option<&Program>,
) -> anyhow::Result<Vec<Measurement>> {
    let households = u32::try_from(arguments.sized(200)).unwrap_or(u32::MAX);
    let (mut ours, mut theirs, mut gas) = (Vec::new(), Vec::new(), 0);
    for _ in 0..arguments.rounds {
        let settled = settled_on(&Program::Embedded, households).await?;
        ours.push(rate_per_s(settled.records, settled.elapsed));
        gas = settled.gas / settled.records.max(1);
        if let Some(anvil) = anvil {
            let settled = settled_on(anvil, households).await?;
            theirs.push(rate_per_s(settled.records, settled.elapsed));
        }
    }
    let records = grouped(u64::from(households) * u64::from(SLOTS));
    let what = format!("{records} records with settlePacked, end to end");
    Ok(vec![
        Measurement::new(Part::Chain, what, "records/s", median(ours)).against("anvil", theirs),
        Measurement::new(Part::Chain, "gas of such a record", "gas", gas),
    ])
}

async fn settled_on(program: &Program, households: u32) -> anyhow::Result<Settled> {
    let folder = Folder::new()?;
    let running = Running::start(program, folder.path()).await?;
    let settled = run(&running.client, households).await;
    settled.with_context(|| format!("settling on {}", program.name()))
}

/// Deploys a contract for `households`, and settles a day of quarter-hours of each.
///
/// # Errors
///
/// When the endpoint fails or the contract refuses.
async fn run(client: &Client, households: u32) -> anyhow::Result<Settled> {
    let key = Key::test_account(0)?;
    let hub = key.address();
    let sender = Sender::new(client.clone(), key, SendOptions::default());
    // Period 1 starts in an hour, so that its prices can still be fixed.
    let now_s = client.block_latest().await?.timestamp;
    let genesis_time = Timestamp::from_second(i64::try_from(now_s)? + 3_600 - i64::from(DAY_S))?;
    let calendar = SettlementCalendar::new(genesis_time, DAY_S, SLOTS)?;
    let mut measured = GasMeasurements::default();
    let token = TokenChoice::Demonstration { owner: hub };
    let ledger =
        Ledger::deploy(&sender, Offices::all_held_by(hub), calendar, token, &mut measured).await?;
    let mut quiet = |_: Progress| {};
    let registrations =
        vec![
            Registration { meter: hub, owner: hub, role: ParticipantRole::Prosumer };
            usize::try_from(households)?
        ];
    ledger.register(&sender, ParticipantNumber(1), &registrations, &mut quiet).await?;
    ledger.publish_tariffs(&sender, &BTreeMap::from([(PERIOD, tariff()?)]), &mut quiet).await?;
    ledger.mint(&sender, hub, FUNDS_MICRO.saturating_mul(u64::from(households))).await?;
    let funding = |participant| Funding { participant, balance_min_micro: FUNDS_MICRO };
    let fundings: Vec<Funding> = (1..=households).map(ParticipantNumber).map(funding).collect();
    ledger.fund(&sender, &fundings, &mut quiet).await?;
    let later_s = u64::from(DAY_S) + 7_200;
    client.endpoint().request::<serde_json::Value>("evm_increaseTime", [later_s]).await?;
    client.endpoint().request::<serde_json::Value>("evm_mine", ()).await?;

    let records = records(households);
    let options = SettleOptions { gas_limit: GasLimit::Known, ..SettleOptions::default() };
    let watch = Stopwatch::start();
    let summary = ledger.settle(&sender, &records, options, &mut quiet).await?;
    let elapsed = watch.elapsed();
    ensure!(summary.settled == records.len() as u64, "{} records were settled", summary.settled);
    let gas = summary.measured.iter().map(|(_, total)| total.gas).sum();
    Ok(Settled { records: summary.settled, elapsed, gas })
}

/// One row: 0.10 at every slot.
fn tariff() -> anyhow::Result<TariffTable> {
    let prices = vec![Price::from_micro_per_kwh(100_000); SLOTS.into()];
    Ok(TariffTable::new(SLOTS, BTreeMap::from([(Code::CONSUMPTION, prices)]))?)
}

fn records(households: u32) -> Vec<DirectRecord> {
    let of_household = |number| {
        (0..SLOTS).map(move |slot| DirectRecord {
            from: ParticipantNumber(number),
            to: ParticipantNumber::HUB,
            period: PERIOD,
            run: 0,
            slot: Slot(slot),
            code: Code::CONSUMPTION,
            energy_wh: 100 + i32::from(slot),
        })
    };
    (1..=households).flat_map(of_household).collect()
}
