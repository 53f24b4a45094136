//! Readings in memory to priced, balanced records, against copying the same bytes.

use std::collections::BTreeMap;
use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use gridtally_core::party::ParticipantNumber;
use gridtally_core::period::{SettlementPeriod, Slot};
use gridtally_core::quantity::Price;
use gridtally_settlement::{
    Code, MissingPolicy, PricedRecord, RunSummary, Section, SlotEnergy, TariffTable, settle_period,
};
use rayon::prelude::*;

const SLOTS: u16 = 96;
const PARTICIPANTS: u32 = 1_000;
const PERIODS: u32 = 10;

fn settle(criterion: &mut Criterion) {
    let prices =
        (0..i32::from(SLOTS)).map(|slot| Price::from_micro_per_kwh(400_000 + 1_717 * slot));
    let table = TariffTable::new(SLOTS, BTreeMap::from([(Code::CONSUMPTION, prices.collect())]))
        .expect("it is valid");
    let energy: Vec<SlotEnergy> = (0..PARTICIPANTS * u32::from(SLOTS))
        .map(|n| SlotEnergy::from_wh(i64::from(n * 7 % 1_999)).expect("it is small"))
        .collect();
    let sections = || {
        (1..).zip(energy.chunks(usize::from(SLOTS))).map(|(number, energy)| Section {
            participant: ParticipantNumber(number),
            code: Code::CONSUMPTION,
            first_slot: Slot(0),
            energy,
        })
    };
    let mut group = criterion.benchmark_group("settle");
    group.sample_size(20);
    group.throughput(Throughput::Elements(
        u64::from(PARTICIPANTS) * u64::from(SLOTS) * u64::from(PERIODS),
    ));
    group.bench_function("records_two_cores", |bencher| {
        bencher.iter(|| {
            let mut summary = RunSummary::default();
            let settled: Vec<_> = (1..=PERIODS)
                .into_par_iter()
                .map(|period| {
                    let settled = settle_period(
                        SettlementPeriod(period),
                        &table,
                        sections(),
                        MissingPolicy::Refuse,
                    );
                    settled.expect("the readings are complete")
                })
                .collect();
            settled.iter().for_each(|settled| summary.append(settled));
            summary
        });
    });
    let settled = settle_period(SettlementPeriod(1), &table, sections(), MissingPolicy::Refuse)
        .expect("it is valid");
    group.bench_function("copy_of_the_records", |bencher| {
        bencher.iter(|| {
            for _period in 0..PERIODS {
                let copy: Vec<PricedRecord> = black_box(&settled.records).clone();
                black_box(copy);
            }
        });
    });
    group.finish();
}

criterion_group!(benches, settle);
criterion_main!(benches);
