//! How long plans take: households of the oracles, and fleets of growing size.

use std::hint::black_box;
use std::io::Read as _;
use std::path::Path;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use flate2::read::GzDecoder;
use gridtally_schedule::fleet::{Fleet, FleetOptions, FleetParts, plan};
use gridtally_schedule::household::{Household, PlanOptions, optimal};
use gridtally_schedule::solver::Microlp;

fn oracle(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/oracles").join(name);
    let content = std::fs::read(&path).expect("an oracle");
    if path.extension().is_none_or(|extension| extension != "gz") {
        return String::from_utf8(content).expect("text");
    }
    let mut text = String::new();
    GzDecoder::new(content.as_slice()).read_to_string(&mut text).expect("gzip");
    text
}

fn households(c: &mut Criterion) {
    let mut group = c.benchmark_group("household");
    group.sample_size(10);
    for (name, file) in [
        ("ev, battery, pv: 96 steps", "household/16.json"),
        ("ev, battery, pv: 192 steps", "household/19.json"),
        ("eight devices, stepped tariff: 48 steps", "household/48.json"),
        ("six devices, stepped tariff: 96 steps", "household/23.json"),
        ("export dearer than import: 96 steps", "household/27.json"),
    ] {
        let household = Household::from_json(&oracle(file)).expect("a problem");
        group.bench_function(name, |b| {
            b.iter(|| optimal(black_box(&household), &[&Microlp], &PlanOptions::INTERACTIVE));
        });
    }
    group.finish();
}

/// The fleet of five thousand cars so many times over, behind limits as many times as large.
fn copies(parts: &FleetParts, times: usize) -> Fleet {
    let mut parts = parts.clone();
    let factor = f64::from(u32::try_from(times).expect("small"));
    for series in
        [&mut parts.base_load_kw, &mut parts.transformer_limit_kw, &mut parts.up_reserve_kw]
    {
        series.iter_mut().for_each(|value| *value *= factor);
    }
    let evs = &mut parts.evs;
    (evs.arrival, evs.departure) = (evs.arrival.repeat(times), evs.departure.repeat(times));
    (evs.p_max_kw, evs.energy_kwh) = (evs.p_max_kw.repeat(times), evs.energy_kwh.repeat(times));
    evs.feeder = evs.feeder.repeat(times);
    Fleet::new(parts).expect("as possible as before")
}

fn fleets(c: &mut Criterion) {
    let fleet = Fleet::from_json(&oracle("fleet/08.json.gz")).expect("a problem").into_parts();
    let mut group = c.benchmark_group("fleet");
    group.sample_size(10).measurement_time(Duration::from_secs(1));
    for times in [1, 20, 200] {
        let fleet = copies(&fleet, times);
        let name = BenchmarkId::new("cars to a gap of 1e-4", fleet.devices());
        group.bench_with_input(name, &fleet, |b, fleet| {
            b.iter(|| plan(fleet, &FleetOptions::default()));
        });
    }
    group.finish();
}

criterion_group!(benches, households, fleets);
criterion_main!(benches);
