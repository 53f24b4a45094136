//! Plans: households one by one and in bulk, fleets from a thousand cars to a million, and a fleet of all kinds.
//!
//! In a build with the feature `highs`, the same problems are given to `HiGHS` in the same run, each as one program as textbooks write it.

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail};
use gridtally_schedule::fleet::{Fleet, FleetOptions, plan};
use gridtally_schedule::household::{Household, PlanError, PlanOptions, optimal};
use gridtally_schedule::sample;
use gridtally_schedule::solver::{SolveError, SolverKind};
use rayon::prelude::*;

use crate::output::number::{grouped, rate_per_s};
use crate::stopwatch::Stopwatch;

use super::{Arguments, Folder, Measurement, Part, median, process};

/// Households with a car, a battery and panels, and with ten devices and the stepped tariff of Norway: `fixtures/plans/problems.py`.
const HOUSEHOLDS: [(&str, &str); 4] = [
    (
        "car, battery, panels: 96 steps",
        include_str!("../../../../../fixtures/plans/car-battery-panels-96.json"),
    ),
    (
        "car, battery, panels: 192 steps",
        include_str!("../../../../../fixtures/plans/car-battery-panels-192.json"),
    ),
    (
        "ten devices, stepped tariff: 96 steps",
        include_str!("../../../../../fixtures/plans/ten-devices-96.json"),
    ),
    (
        "ten devices, stepped tariff: 288 steps",
        include_str!("../../../../../fixtures/plans/ten-devices-288.json"),
    ),
];
/// Households that are planned in bulk.
const BULK: u64 = 2_000;
/// Cars of growing fleets.
const CARS: [u64; 4] = [1_000, 10_000, 100_000, 1_000_000];
/// Cars of the fleet that is also solved as one linear program.
const CARS_AS_ONE: u64 = 10_000;
/// Devices of the fleet of all kinds.
const MIXED: u64 = 100_000;
/// To this gap everything is planned.
const OPTIONS: PlanOptions = PlanOptions { gap: 1e-4, time_limit: Some(Duration::from_mins(2)) };

pub(super) fn measure(arguments: &Arguments) -> anyhow::Result<Vec<Measurement>> {
    let mut measurements = Vec::new();
    for (name, text) in HOUSEHOLDS {
        let household = Household::from_json(text)?;
        // Little work is done on the small ones alone.
        if arguments.size_percent >= 100 || household.horizon.steps() <= 96 {
            measurements.push(one_household(arguments, name, &household)?);
        }
    }
    measurements.push(bulk(arguments)?);
    measurements.push(beside_one_program(arguments)?);
    for count in CARS {
        measurements.extend(whole_way(&sample::cars(sized(arguments, count)))?);
    }
    measurements.extend(whole_way(&sample::mixed(sized(arguments, MIXED)))?);
    Ok(measurements)
}

fn sized(arguments: &Arguments, usual: u64) -> usize {
    usize::try_from(arguments.sized(usual)).unwrap_or(usize::MAX)
}

fn micros(elapsed: Duration) -> u64 {
    u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX)
}

/// Returns how long each of the rounds took, µs, after one to warm up.
fn timed(
    arguments: &Arguments,
    mut work: impl FnMut() -> anyhow::Result<()>,
) -> anyhow::Result<Vec<u64>> {
    work()?;
    let round = |_| {
        let watch = Stopwatch::start();
        work().map(|()| micros(watch.elapsed()))
    };
    (0..arguments.rounds).map(round).collect()
}

fn one_household(
    arguments: &Arguments,
    name: &str,
    household: &Household,
) -> anyhow::Result<Measurement> {
    let mut gap = 0.0;
    let ours = timed(arguments, || planned(household).map(|found| gap = found))?;
    let theirs = as_textbook(arguments, household)?;
    let what = if gap <= OPTIONS.gap {
        name.to_owned()
    } else {
        format!("{name}, stopped at a gap of {gap:.0e}")
    };
    Ok(Measurement::new(Part::Plans, what, "µs", median(ours)).against("HiGHS, usual", theirs))
}

/// Plans a household, and returns the gap.
fn planned(household: &Household) -> anyhow::Result<f64> {
    match optimal(household, &SolverKind::Microlp.first()[..1], &OPTIONS) {
        Ok(found) => Ok(found.gap()),
        Err(PlanError::NoPlan { source: SolveError::TimeOver, .. }) => Ok(f64::INFINITY),
        Err(error) => Err(error.into()),
    }
}

/// Many households, no two the same, on all cores.
fn bulk(arguments: &Arguments) -> anyhow::Result<Measurement> {
    let first = Household::from_json(HOUSEHOLDS[0].1)?;
    let count = arguments.sized(BULK);
    let other = |number: u64| {
        let factor = |step: u64| {
            1.0 + f64::from(u32::try_from((number * 7 + step * 13) % 29).unwrap_or(0)) / 100.0
        };
        let mut parts = first.clone().into_parts();
        for (t, load) in (0..).zip(&mut parts.site.load_kw) {
            *load *= factor(t);
        }
        for (t, price) in (0..).zip(&mut parts.tariff.import_price) {
            *price *= factor(t / 4);
        }
        Household::new(parts)
    };
    let households = (0..count).map(other).collect::<Result<Vec<_>, _>>()?;
    let watch = Stopwatch::start();
    households.par_iter().try_for_each(|household| planned(household).map(drop))?;
    let cores = u64::try_from(rayon::current_num_threads()).unwrap_or(1);
    let rate = rate_per_s(count, watch.elapsed()) / cores.max(1);
    let what = format!("{} such households of 96 steps in bulk", grouped(count));
    Ok(Measurement::new(Part::Plans, what, "per s and core", rate))
}

/// Ten thousand cars, in memory, beside one linear program.
fn beside_one_program(arguments: &Arguments) -> anyhow::Result<Measurement> {
    let fleet = sample::cars(sized(arguments, CARS_AS_ONE));
    let ours = timed(arguments, || {
        let found = plan(&fleet, &FleetOptions::default())?;
        if found.gap() > FleetOptions::default().gap {
            bail!("{} have a gap of {}", fleet.id, found.gap());
        }
        Ok(())
    })?;
    let what = format!("{} cars, in memory", grouped(fleet.devices() as u64));
    Ok(Measurement::new(Part::Plans, what, "µs", median(ours))
        .against("HiGHS, one LP", as_one_program(&fleet)?))
}

/// `gridtally dispatch` as its users start it: from the document to the checked plan, in a process of its own.
fn whole_way(fleet: &Fleet) -> anyhow::Result<Vec<Measurement>> {
    let folder = Folder::new()?;
    let file = folder.path().join("fleet.json");
    write(fleet, &file)?;
    let watch = Stopwatch::start();
    let mut child = Command::new(std::env::current_exe()?)
        .arg("dispatch")
        .arg(&file)
        .args(["--output", "json"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .context("cannot start this program again")?;
    let mut peak_bytes = 0;
    let status = loop {
        peak_bytes = peak_bytes.max(process::peak_resident_bytes_of(child.id()).unwrap_or(0));
        if let Some(status) = child.try_wait()? {
            break status;
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    let elapsed = watch.elapsed();
    if !status.success() {
        bail!("dispatch of {} ended with {status}", fleet.id);
    }
    let what = |of: &str| format!("{}, document to checked plan: {of}", fleet.id);
    Ok(vec![
        Measurement::new(Part::Plans, what("time"), "µs", micros(elapsed)),
        Measurement::new(Part::Plans, what("memory"), "MiB", peak_bytes >> 20),
    ])
}

fn write(fleet: &Fleet, file: &Path) -> anyhow::Result<()> {
    let (evs, tanks, cycles, cars) = (&fleet.evs, &fleet.tanks, &fleet.cycles, &fleet.v2gs);
    let rooms = &fleet.rooms;
    let feeders = fleet.feeders.iter().map(|feeder| {
        serde_json::json!({ "base_load_kw": feeder.base_load_kw, "limit_kw": feeder.limit_kw })
    });
    let document = serde_json::json!({
        "schema": gridtally_schedule::fleet::SCHEMA,
        "id": fleet.id,
        "currency": fleet.currency,
        "resolution_min": fleet.resolution_min,
        "steps": fleet.steps(),
        "start_clock_h": fleet.start_clock_h,
        "energy_price": fleet.energy_price,
        "base_load_kw": fleet.base_load_kw,
        "transformer_limit_kw": fleet.transformer_limit_kw,
        "feeders": feeders.collect::<Vec<_>>(),
        "up_reserve_kw": fleet.up_reserve_kw,
        "ev": {
            "arrival": evs.arrival, "departure": evs.departure, "p_max_kw": evs.p_max_kw,
            "energy_kwh": evs.energy_kwh, "feeder": evs.feeder,
        },
        "tank": {
            "p_max_kw": tanks.p_max_kw, "cop": tanks.cop, "loss_per_h": tanks.loss_per_h,
            "state_init_kwh": tanks.state_init_kwh, "state_max_kwh": tanks.state_max_kwh,
            "state_final_min_kwh": tanks.state_final_min_kwh, "draw_profile": tanks.draw_profile,
            "draw_scale": tanks.draw_scale, "feeder": tanks.feeder,
        },
        "tank_draw_profiles_kw": fleet.tank_draw_profiles_kw,
        "cycle": {
            "profile": cycles.profile, "earliest_start": cycles.earliest_start,
            "latest_end": cycles.latest_end, "feeder": cycles.feeder,
        },
        "cycle_profiles_kw": fleet.cycle_profiles_kw,
        "v2g": {
            "arrival": cars.arrival, "departure": cars.departure,
            "p_max_charge_kw": cars.p_max_charge_kw, "p_max_discharge_kw": cars.p_max_discharge_kw,
            "eta_charge": cars.eta_charge, "eta_discharge": cars.eta_discharge,
            "wear_per_kwh": cars.wear_per_kwh, "soc_arrival_kwh": cars.soc_arrival_kwh,
            "soc_min_kwh": cars.soc_min_kwh, "soc_max_kwh": cars.soc_max_kwh,
            "soc_target_kwh": cars.soc_target_kwh, "feeder": cars.feeder,
        },
        "room": {
            "p_max_kw": rooms.p_max_kw, "c_kwh_per_k": rooms.c_kwh_per_k,
            "ua_kw_per_k": rooms.ua_kw_per_k, "state_init_c": rooms.state_init_c,
            "state_min_c": rooms.state_min_c, "state_max_c": rooms.state_max_c,
            "state_final_min_c": rooms.state_final_min_c,
            "outdoor_profile": rooms.outdoor_profile, "cop_profile": rooms.cop_profile,
            "feeder": rooms.feeder,
        },
        "room_outdoor_profiles_c": fleet.room_outdoor_profiles_c,
        "room_cop_profiles": fleet.room_cop_profiles,
    });
    let out = File::create(file).with_context(|| format!("cannot write {}", file.display()))?;
    serde_json::to_writer(BufWriter::new(out), &document).context("cannot write the fleet")
}

#[cfg(feature = "highs")]
fn as_textbook(arguments: &Arguments, household: &Household) -> anyhow::Result<Vec<u64>> {
    let options = gridtally_schedule::solver::SolveOptions {
        gap: OPTIONS.gap,
        time_limit: OPTIONS.time_limit,
        nodes_max: None,
    };
    let highs = SolverKind::Highs.solver().context("HiGHS is built in")?;
    timed(arguments, || {
        let model = gridtally_schedule::textbook::household(household).context("no wishes")?;
        highs.solve(&model, &options).map(drop).context("HiGHS has no plan")
    })
}

#[cfg(not(feature = "highs"))]
#[expect(clippy::unnecessary_wraps, reason = "as with HiGHS")]
fn as_textbook(_: &Arguments, _: &Household) -> anyhow::Result<Vec<u64>> {
    Ok(Vec::new())
}

/// The fleet as one linear program, once.
#[cfg(feature = "highs")]
fn as_one_program(fleet: &Fleet) -> anyhow::Result<Vec<u64>> {
    let options = gridtally_schedule::solver::SolveOptions {
        gap: OPTIONS.gap,
        time_limit: None,
        nodes_max: None,
    };
    let highs = SolverKind::Highs.solver().context("HiGHS is built in")?;
    let watch = Stopwatch::start();
    let model = gridtally_schedule::textbook::fleet(fleet);
    highs.solve(&model, &options).context("HiGHS has no plan")?;
    Ok(vec![micros(watch.elapsed())])
}

#[cfg(not(feature = "highs"))]
#[expect(clippy::unnecessary_wraps, reason = "as with HiGHS")]
fn as_one_program(_: &Fleet) -> anyhow::Result<Vec<u64>> {
    Ok(Vec::new())
}
