//! Readings and prices to balanced records, in memory, on all cores.

use std::collections::BTreeMap;
use std::num::NonZero;
use std::thread;
use std::time::Duration;

use gridtally_core::party::ParticipantNumber;
use gridtally_core::period::{SettlementPeriod, Slot};
use gridtally_core::quantity::Price;
use gridtally_settlement::{
    Code, MissingPolicy, Section, SlotEnergy, TariffTable, settle_period,
};

use crate::stopwatch::Stopwatch;

/// Quarter-hours of a day.
const SLOTS: u16 = 96;
/// Households that settle in each period, each with consumption and feed-in.
const HOUSEHOLDS: u32 = 250;

/// Settles `periods` periods of 48,000 records, and returns how many records that were and how long it took.
pub(super) fn run(periods: u32) -> (u64, Duration) {
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    let threads = u32::try_from(threads).unwrap_or(u32::MAX).min(periods);
    let energy: Vec<SlotEnergy> = (0..i64::from(SLOTS))
        .map(|slot| SlotEnergy::from_wh(100 + slot * 37 % 900).expect("a household draws little"))
        .collect();
    let prices = |offset: i32| {
        (0..i32::from(SLOTS)).map(|slot| Price::from_micro_per_kwh(offset + slot * 911)).collect()
    };
    let rows = BTreeMap::from([(Code::FEED_IN, prices(-3_000)), (Code::CONSUMPTION, prices(50_000))]);
    let table = TariffTable::new(SLOTS, rows).expect("two rows of one length");
    let watch = Stopwatch::start();
    let records = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|first| {
                let (table, energy) = (&table, energy.as_slice());
                scope.spawn(move || {
                    let periods = (1 + first..=periods).step_by(threads as usize);
                    periods.map(|period| settle(period, table, energy)).sum::<u64>()
                })
            })
            .collect();
        workers.into_iter().map(|worker| worker.join().expect("the input is valid")).sum()
    });
    (records, watch.elapsed())
}

fn settle(period: u32, table: &TariffTable, energy: &[SlotEnergy]) -> u64 {
    let sections = (1..=HOUSEHOLDS).flat_map(|number| {
        [Code::FEED_IN, Code::CONSUMPTION].map(|code| Section {
            participant: ParticipantNumber(number),
            code,
            first_slot: Slot(0),
            energy,
        })
    });
    let settled = settle_period(SettlementPeriod(period), table, sections, MissingPolicy::Refuse);
    settled.expect("the input is valid").records.len() as u64
}
