//! How long plans take: households of the oracles, and fleets of growing size.

use std::hint::black_box;
use std::io::Read as _;
use std::path::Path;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use flate2::read::GzDecoder;
use gridtally_schedule::fleet::{Fleet, FleetOptions, FleetParts, plan};
use gridtally_schedule::household::{DeviceKind, Household, PlanOptions, optimal};
use gridtally_schedule::neighborhood::{
    self, Members, Neighborhood, NeighborhoodOptions, NeighborhoodParts,
};
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

/// Homes with a car, a battery and panels, no two alike, behind a transformer that gives them `share` of the peak they would have alone.
fn street(households: u32, share: f64) -> Neighborhood {
    let one = Household::from_json(&oracle("household/16.json")).expect("a problem");
    let mut peak_kw = vec![0.0; one.horizon.steps()];
    let home = |i: u32| {
        let mut parts = one.clone().into_parts();
        let factor = 0.5 + f64::from(i * 37 % 100) / 100.0;
        parts.site.load_kw.iter_mut().for_each(|load| *load *= factor);
        for device in &mut parts.devices {
            match &mut device.kind {
                DeviceKind::Pv(pv) => pv.available_kw.iter_mut().for_each(|kw| *kw *= factor),
                DeviceKind::Ev(ev) => {
                    for session in &mut ev.sessions {
                        let missing = (session.soc_target_kwh - session.soc_arrival_kwh).max(0.0);
                        session.soc_arrival_kwh += missing * f64::from(i * 53 % 100) / 200.0;
                    }
                }
                DeviceKind::Battery(battery) => battery.p_max_charge_kw *= factor,
                _ => {}
            }
        }
        let household = Household::new(parts).expect("as possible as before");
        let name = format!("home {i}");
        Members { name, household, count: 1, feeder: None }
    };
    let members: Vec<Members> = (0..households).map(home).collect();
    for members in &members {
        let alone = optimal(&members.household, &[&Microlp], &PlanOptions::INTERACTIVE);
        let net_kw = alone.expect("a plan").plan.net_kw(&members.household);
        peak_kw.iter_mut().zip(net_kw).for_each(|(sum, net)| *sum += net);
    }
    let limit_kw = share * peak_kw.iter().copied().fold(0.0, f64::max);
    let parts = NeighborhoodParts {
        id: "street".to_owned(),
        currency: one.currency.clone(),
        transformer_limit_kw: vec![limit_kw; peak_kw.len()],
        feeders: Vec::new(),
        members,
    };
    Neighborhood::new(parts).expect("a street")
}

fn neighborhoods(c: &mut Criterion) {
    let mut group = c.benchmark_group("neighborhood");
    group.sample_size(10).measurement_time(Duration::from_secs(1));
    for households in [20, 100] {
        let street = street(households, 0.5);
        let name = BenchmarkId::new("ev, battery, pv: 96 steps to a gap of 1e-3", households);
        group.bench_with_input(name, &street, |b, street| {
            b.iter(|| neighborhood::plan(street, &NeighborhoodOptions::default()));
        });
    }
    group.finish();
}

criterion_group!(benches, households, fleets, neighborhoods);
criterion_main!(benches);
