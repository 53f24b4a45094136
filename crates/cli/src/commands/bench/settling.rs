//! Records settled end to end with `settlePacked`: from records in memory to receipts that were checked.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::ensure;
use gridtally_core::party::ParticipantNumber;
use gridtally_core::period::{SettlementCalendar, SettlementPeriod, Slot};
use gridtally_core::quantity::Price;
use gridtally_ledger::{
    Client, Funding, GasLimit, GasMeasurements, Key, Ledger, Offices, ParticipantRole, Progress,
    Registration, SendOptions, Sender, SettleOptions, TokenChoice,
};
use gridtally_settlement::{Code, DirectRecord, TariffTable};
use jiff::Timestamp;

use crate::stopwatch::Stopwatch;

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
pub(super) struct Settled {
    pub(super) records: u64,
    pub(super) elapsed: Duration,
    pub(super) gas: u64,
}

/// Deploys a contract for `households`, and settles a day of quarter-hours of each.
///
/// # Errors
///
/// When the endpoint fails or the contract refuses.
pub(super) async fn run(client: &Client, households: u32) -> anyhow::Result<Settled> {
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
