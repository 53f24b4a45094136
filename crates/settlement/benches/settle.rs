//! Readings in memory to priced, balanced, hashed records: how many a second, against two others in the same run.
//!
//! A record starts as a reading with its quality, in the order in which meters report (every meter, then the next slot),
//! and ends in the totals of the run. `rows` sorts the readings in on the way; `columns` is the same work for a store
//! that keeps each meter's values together. The peers are the lower bound of any implementation, a copy of the readings
//! and of the records, and the simplest program that gives the same sums: one map entry for each record.

use std::collections::BTreeMap;
use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use gridtally_core::party::ParticipantNumber;
use gridtally_core::period::{SettlementPeriod, Slot};
use gridtally_core::quantity::{Energy, Price};
use gridtally_core::reading::Quality;
use gridtally_settlement::{
    Code, EstimatedPolicy, MissingPolicy, PeriodReadings, PeriodRecords, PricedRecord, RunSummary,
    SlotEnergy, TariffTable, settle_period,
};
use rayon::prelude::*;

const SLOTS: u16 = 96;
const PARTICIPANTS: u32 = 1_000;
const CODES: [Code; 2] = [Code::FEED_IN, Code::CONSUMPTION];
const PERIODS: u32 = 8;
const RECORDS: u64 = PERIODS as u64 * PARTICIPANTS as u64 * CODES.len() as u64 * SLOTS as u64;

/// A reading as a row: 32 bytes.
#[derive(Clone, Copy)]
struct Row {
    participant: ParticipantNumber,
    code: Code,
    slot: Slot,
    energy: Option<Energy>,
    quality: Quality,
}

fn rows(period: u32) -> Vec<Row> {
    let each = |slot: u16| {
        (1..=PARTICIPANTS).flat_map(move |number| {
            CODES.map(|code| {
                let seed =
                    period * 31 + number * 17 + u32::from(slot) * 7 + u32::from(code.number());
                let quality = match seed % 50 {
                    0 => Quality::EstimatedFinal,
                    1 => Quality::Corrected,
                    _ => Quality::Measured,
                };
                let energy =
                    Some(Energy::from_wh(i64::from(seed.wrapping_mul(2_654_435_761) >> 21)));
                Row {
                    participant: ParticipantNumber(number),
                    code,
                    slot: Slot(slot),
                    energy,
                    quality,
                }
            })
        })
    };
    (0..SLOTS).flat_map(each).collect()
}

fn table() -> TariffTable {
    let row = |offset: i32| {
        (0..i32::from(SLOTS)).map(move |slot| Price::from_micro_per_kwh(offset + 1_717 * slot))
    };
    let rows = BTreeMap::from([
        (Code::FEED_IN, row(-60_000).collect()),
        (Code::CONSUMPTION, row(400_000).collect()),
    ]);
    TariffTable::new(SLOTS, rows).expect("it is valid")
}

fn energy(row: &Row) -> SlotEnergy {
    SlotEnergy::of_reading(row.energy, row.quality, EstimatedPolicy::Refuse).expect("it is small")
}

fn settle(period: u32, rows: &[Row], table: &TariffTable) -> PeriodRecords {
    let mut readings = PeriodReadings::new();
    for number in 1..=PARTICIPANTS {
        for code in CODES {
            readings.expect(ParticipantNumber(number), code, 0..SLOTS).expect("each comes once");
        }
    }
    for row in rows {
        readings.add(row.participant, row.code, row.slot, energy(row)).expect("it is expected");
    }
    let settled =
        settle_period(SettlementPeriod(period), table, readings.sections(), MissingPolicy::Refuse);
    settled.expect("nothing is missing")
}

fn run(periods: &[Vec<Row>], table: &TariffTable) -> RunSummary {
    let numbered: Vec<_> = (1_u32..).zip(periods).collect();
    let settled: Vec<_> = numbered
        .into_par_iter()
        .map(|(period, rows)| RunSummary::of(&settle(period, rows, table)))
        .collect();
    let mut summary = RunSummary::default();
    settled.iter().for_each(|settled| summary.join(settled));
    summary
}

/// One map entry for each reading, one for each balance; the sum of the hub.
fn naive(periods: &[Vec<Row>], table: &TariffTable) -> i128 {
    let mut hub = 0;
    for rows in periods {
        let (mut energies, mut balances) = (BTreeMap::new(), BTreeMap::<u32, i128>::new());
        for row in rows {
            energies.insert((row.participant, row.code, row.slot), row.energy);
        }
        for ((participant, code, slot), energy) in energies {
            let price = table.price(code, slot).expect("both codes have prices").micro_per_kwh();
            let energy_wh = energy.expect("nothing is missing").wh();
            let amount = i128::from(energy_wh) * i128::from(price) / 1_000;
            let amount = if code == Code::FEED_IN { amount } else { -amount };
            *balances.entry(participant.0).or_default() += amount;
            hub -= amount;
        }
        assert_eq!(balances.values().sum::<i128>() + hub, 0);
        hub = 0;
    }
    hub
}

fn benches(criterion: &mut Criterion) {
    let table = table();
    let periods: Vec<Vec<Row>> = (1..=PERIODS).map(rows).collect();
    let mut group = criterion.benchmark_group("readings_to_records");
    group.sample_size(10);
    group.throughput(Throughput::Elements(RECORDS));
    for cores in [1, 2] {
        let pool =
            rayon::ThreadPoolBuilder::new().num_threads(cores).build().expect("threads start");
        group.bench_function(format!("rows_on_{cores}"), |bencher| {
            bencher.iter(|| pool.install(|| run(&periods, &table)));
        });
    }
    group.bench_function("naive_map_on_1", |bencher| bencher.iter(|| naive(&periods, &table)));
    let settled: Vec<_> =
        (1..).zip(&periods).map(|(period, rows)| settle(period, rows, &table)).collect();
    group.bench_function("copy_on_1", |bencher| {
        bencher.iter(|| {
            for (rows, settled) in periods.iter().zip(&settled) {
                black_box::<Vec<Row>>(black_box(rows).clone());
                black_box::<Vec<PricedRecord>>(black_box(&settled.records).clone());
            }
        });
    });
    group.finish();
}

criterion_group!(settlement, benches);
criterion_main!(settlement);
