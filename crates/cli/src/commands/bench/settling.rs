//! Records settled end to end with `settlePacked`: from records in memory to receipts that were checked.

use std::time::Duration;

use alloy_primitives::Bytes;
use anyhow::ensure;
use gridtally_ledger::{
    Calendar, Client, DirectRecord, Funding, GasLimit, GasMeasurements, Key, Ledger, Offices,
    Progress, Registration, Role, SendOptions, Sender, SettleOptions, TariffTable, TokenChoice,
};

use crate::stopwatch::Stopwatch;

/// Quarter-hours of a day.
const SLOTS: u16 = 96;
/// Seconds of a day.
const DAY_S: u32 = 86_400;
/// Consumption of energy: the household pays.
const CODE: u8 = 32;
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
    let calendar = Calendar {
        genesis_time_s: now_s + 3_600 - u64::from(DAY_S),
        period_length_s: DAY_S,
        slots_per_period: SLOTS,
    };
    let mut measured = GasMeasurements::default();
    let token = TokenChoice::Demonstration { owner: hub };
    let ledger =
        Ledger::deploy(&sender, Offices::all_held_by(hub), calendar, token, &mut measured).await?;
    let mut quiet = |_: Progress| {};
    let registrations = vec![
        Registration { meter: hub, owner: hub, role: Role::Prosumer };
        usize::try_from(households)?
    ];
    ledger.register(&sender, 1, &registrations, &mut quiet).await?;
    ledger.publish_tariffs(&sender, &[tariff()], &mut quiet).await?;
    ledger.mint(&sender, hub, FUNDS_MICRO.saturating_mul(u64::from(households))).await?;
    let funding = |participant| Funding { participant, balance_min_micro: FUNDS_MICRO };
    let fundings: Vec<Funding> = (1..=households).map(funding).collect();
    ledger.fund(&sender, &fundings, &mut quiet).await?;
    let _: serde_json::Value =
        client.endpoint().request("evm_increaseTime", [u64::from(DAY_S) + 7_200]).await?;
    let _: serde_json::Value = client.endpoint().request("evm_mine", ()).await?;

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
fn tariff() -> TariffTable {
    let mut table = vec![CODE];
    for _ in 0..SLOTS {
        table.extend(100_000_i32.to_be_bytes());
    }
    TariffTable { period: 1, table: Bytes::from(table) }
}

fn records(households: u32) -> Vec<DirectRecord> {
    let of_household = |from| {
        (0..SLOTS).map(move |slot| DirectRecord {
            from,
            to: 0,
            period: 1,
            run: 0,
            slot,
            code: CODE,
            energy_wh: 100 + i32::from(slot),
        })
    };
    (1..=households).flat_map(of_household).collect()
}
