//! Readings to priced, balanced, hashed records, on all cores: in memory, and as a stream that no memory would hold.

use std::collections::BTreeMap;
use std::num::NonZero;
use std::ops::Range;
use std::thread;
use std::time::Duration;

use gridtally_core::party::ParticipantNumber;
use gridtally_core::period::{SettlementPeriod, Slot};
use gridtally_core::quantity::{Energy, Price};
use gridtally_core::reading::Quality;
use gridtally_settlement::{
    Code, EstimatedPolicy, MissingPolicy, PeriodReadings, RunSummary, SlotEnergy, TariffTable,
    settle_period,
};

use crate::output::number::{grouped, rate_per_s};
use crate::stopwatch::Stopwatch;

use super::{Arguments, Measurement, Part, median, process};

/// Readings that are settled from memory.
const IN_MEMORY_READINGS: u64 = 5_000_000;
/// Readings that are settled as a stream.
const STREAMED_READINGS: u64 = 100_000_000;
/// Quarter-hours of a day.
pub(super) const SLOTS: u16 = 96;
/// Households that settle in each period, each with both codes.
const HOUSEHOLDS: u32 = 250;
pub(super) const CODES: [Code; 2] = [Code::FEED_IN, Code::CONSUMPTION];
/// Readings of a period: both codes of each household.
const PERIOD_READINGS: u32 = HOUSEHOLDS * 2 * SLOTS as u32;

/// What was settled, and in which time.
#[derive(Debug, Clone, Copy)]
struct Priced {
    records: u64,
    elapsed: Duration,
}

/// One reading, as a meter reports it.
#[derive(Clone, Copy)]
pub(super) struct Row {
    pub(super) participant: ParticipantNumber,
    pub(super) code: Code,
    pub(super) slot: Slot,
    pub(super) energy: Option<Energy>,
    pub(super) quality: Quality,
}

pub(super) fn measure(arguments: &Arguments) -> Vec<Measurement> {
    let periods = |readings: u64| {
        let periods = arguments.sized(readings).div_ceil(PERIOD_READINGS.into());
        u32::try_from(periods).unwrap_or(u32::MAX)
    };
    let measurement =
        |what: &str, unit, value| Measurement::new(Part::Settlement, what, unit, value);
    // The stream comes before what is in memory: the peak of memory is that of the process so far.
    let streamed = stream(periods(STREAMED_READINGS));
    let peak_bytes = process::peak_resident_bytes().unwrap_or(0);
    let in_memory_periods = periods(IN_MEMORY_READINGS);
    let rates = (0..arguments.rounds).map(|_| {
        let priced = in_memory(in_memory_periods);
        rate_per_s(priced.records, priced.elapsed)
    });
    let rate = median(rates.collect());
    let what = format!("{} readings streamed to balanced records", grouped(streamed.records));
    vec![
        measurement("readings in memory to balanced records", "records/s", rate),
        measurement(&what, "records/s", rate_per_s(streamed.records, streamed.elapsed)),
        measurement("peak of resident memory of the stream", "MiB", peak_bytes >> 20),
    ]
}

/// Settles so many periods whose readings are in memory, in the order in which meters report: each meter, then the next
/// slot.
fn in_memory(periods: u32) -> Priced {
    let readings: Vec<Vec<Row>> =
        (1..=periods).map(|period| rows(period, HOUSEHOLDS).collect()).collect();
    on_all_cores(periods, |period| {
        let place = usize::try_from(period - 1).unwrap_or(usize::MAX);
        readings.get(place).into_iter().flatten().copied()
    })
}

/// Settles so many periods whose readings are made on the way, so that no more than one period of each core is in memory.
fn stream(periods: u32) -> Priced {
    on_all_cores(periods, |period| rows(period, HOUSEHOLDS))
}

fn on_all_cores<R: Iterator<Item = Row>>(periods: u32, rows: impl Fn(u32) -> R + Sync) -> Priced {
    let table = table();
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let cores = u32::try_from(cores).unwrap_or(u32::MAX).clamp(1, periods.max(1));
    let watch = Stopwatch::start();
    let run = thread::scope(|scope| {
        let workers: Vec<_> = (0..cores)
            .map(|core| {
                let share = |core: u32| 1 + u64::from(periods) * u64::from(core) / u64::from(cores);
                let share = share(core)..share(core + 1);
                let (table, rows) = (&table, &rows);
                scope.spawn(move || settle_range(share, table, rows))
            })
            .collect();
        let mut run = RunSummary::default();
        for worker in workers {
            run.join(&worker.join().expect("the readings are complete"));
        }
        run
    });
    Priced { records: run.totals.record_count, elapsed: watch.elapsed() }
}

fn settle_range<R: Iterator<Item = Row>>(
    periods: Range<u64>,
    table: &TariffTable,
    rows: impl Fn(u32) -> R,
) -> RunSummary {
    let mut summary = RunSummary::default();
    for period in periods {
        let period = u32::try_from(period).expect("periods are numbered with 32 bits");
        let mut readings = PeriodReadings::new();
        for number in 1..=HOUSEHOLDS {
            for code in CODES {
                readings.expect(ParticipantNumber(number), code, 0..SLOTS).expect("each once");
            }
        }
        for Row { participant, code, slot, energy, quality } in rows(period) {
            let energy = SlotEnergy::of_reading(energy, quality, EstimatedPolicy::Refuse);
            let energy = energy.expect("a household draws little");
            readings.add(participant, code, slot, energy).expect("it is expected");
        }
        let settled = settle_period(
            SettlementPeriod(period),
            table,
            readings.sections(),
            MissingPolicy::Refuse,
        );
        summary.append(&settled.expect("the readings are complete"));
    }
    summary
}

/// Returns the readings of so many households in a period, in the order in which meters report.
pub(super) fn rows(period: u32, households: u32) -> impl Iterator<Item = Row> {
    (0..SLOTS).flat_map(move |slot| {
        (1..=households).flat_map(move |number| {
            CODES.map(|code| {
                let seed =
                    period * 31 + number * 17 + u32::from(slot) * 7 + u32::from(code.number());
                let quality =
                    if seed.is_multiple_of(50) { Quality::Corrected } else { Quality::Measured };
                let energy_wh = seed.wrapping_mul(2_654_435_761) >> 21; // up to 2 kWh, by Knuth's hash
                let energy = Some(Energy::from_wh(energy_wh.into()));
                Row {
                    participant: ParticipantNumber(number),
                    code,
                    slot: Slot(slot),
                    energy,
                    quality,
                }
            })
        })
    })
}

pub(super) fn table() -> TariffTable {
    let prices = |offset: i32| {
        (0..i32::from(SLOTS)).map(|slot| Price::from_micro_per_kwh(offset + slot * 1_717)).collect()
    };
    let rows =
        BTreeMap::from([(Code::FEED_IN, prices(-60_000)), (Code::CONSUMPTION, prices(400_000))]);
    TariffTable::new(SLOTS, rows).expect("two rows of one length")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reading_becomes_a_record_wherever_it_comes_from() {
        let records = u64::from(PERIOD_READINGS) * 3;
        assert_eq!((in_memory(3).records, stream(3).records), (records, records));
    }
}
