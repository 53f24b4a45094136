//! Dispatch: a day in which devices fail, deviate, join and leave by chance.

use std::collections::{BTreeMap, BTreeSet};

use gridtally_schedule::fleet::dispatch::{
    Change, FleetState, FleetStateOf, Record, Replan, ReplanOptions, SetPoint, Standing,
    StateReport, Status, replan,
};
use gridtally_schedule::fleet::{
    Batteries, Cycles, Evs, Fleet, FleetDevice, FleetOptions, FleetParts, Limit, Rooms, Tanks,
    V2gs, check, plan,
};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const STEPS: usize = 24;
const END: u32 = 24;
const EVS: usize = 14;

fn cases() -> u64 {
    std::env::var("GRIDTALLY_CASES").map_or(8, |cases| cases.parse().expect("a number"))
}

fn series(dice: &mut impl Rng, least: f64, most: f64) -> Vec<f64> {
    (0..STEPS).map(|_| dice.random_range(least..most)).collect()
}

fn each<T>(count: usize, mut of: impl FnMut() -> T) -> Vec<T> {
    (0..count).map(|_| of()).collect()
}

/// Returns a fleet by chance; its cars are in the order in which they are known.
fn fleet(seed: u64) -> FleetParts {
    let dice = &mut ChaCha8Rng::seed_from_u64(seed);
    let mut arrival: Vec<u32> = each(EVS, || dice.random_range(0..16));
    arrival.sort_unstable();
    let departure: Vec<u32> =
        arrival.iter().map(|arrival| dice.random_range(arrival + 4..=END)).collect();
    let energy_kwh = arrival
        .iter()
        .zip(&departure)
        .map(|(arrival, departure)| {
            7.0 * f64::from(departure - arrival) * dice.random_range(0.1..0.6)
        })
        .collect();
    FleetParts {
        id: format!("seed {seed}"),
        currency: "EUR".to_owned(),
        resolution_min: 60,
        start_clock_h: 12,
        energy_price: series(dice, 0.2, 2.0),
        base_load_kw: series(dice, 5.0, 15.0),
        transformer_limit_kw: series(dice, 60.0, 80.0),
        down_reserve_kw: (0..STEPS).map(|t| if t % 8 == 5 { 4.0 } else { 0.0 }).collect(),
        up_reserve_kw: (0..STEPS).map(|t| if t % 6 == 3 { 3.0 } else { 0.0 }).collect(),
        evs: Evs { arrival, departure, p_max_kw: vec![7.0; EVS], energy_kwh, feeder: vec![0; EVS] },
        tanks: Tanks {
            p_max_kw: vec![3.0; 5],
            cop: each(5, || dice.random_range(1.0..3.0)),
            loss_per_h: vec![0.01; 5],
            state_init_kwh: each(5, || dice.random_range(2.0..8.0)),
            state_max_kwh: vec![12.0; 5],
            state_final_min_kwh: each(5, || dice.random_range(1.0..5.0)),
            draw_profile: vec![0; 5],
            draw_scale: each(5, || dice.random_range(0.2..1.0)),
            feeder: vec![0; 5],
        },
        tank_draw_profiles_kw: vec![series(dice, 0.0, 2.0)],
        cycles: Cycles {
            profile: vec![0, 1, 0, 1],
            earliest_start: each(4, || dice.random_range(0..8)),
            latest_end: each(4, || dice.random_range(14..=END)),
            feeder: vec![0; 4],
        },
        cycle_profiles_kw: vec![vec![2.0, 1.0, 2.5], vec![1.5, 0.5]],
        v2gs: V2gs {
            arrival: each(3, || dice.random_range(0..6)),
            departure: each(3, || dice.random_range(16..=END)),
            p_max_charge_kw: vec![7.0; 3],
            p_max_discharge_kw: vec![5.0; 3],
            eta_charge: vec![0.93; 3],
            eta_discharge: vec![0.92; 3],
            wear_per_kwh: vec![0.05; 3],
            soc_arrival_kwh: each(3, || dice.random_range(10.0..30.0)),
            soc_min_kwh: vec![5.0; 3],
            soc_max_kwh: vec![50.0; 3],
            soc_target_kwh: each(3, || dice.random_range(20.0..40.0)),
            feeder: vec![0; 3],
        },
        rooms: Rooms {
            p_max_kw: vec![2.5; 3],
            c_kwh_per_k: each(3, || dice.random_range(4.0..8.0)),
            ua_kw_per_k: each(3, || dice.random_range(0.08..0.14)),
            state_init_c: each(3, || dice.random_range(20.3..22.0)),
            state_min_c: vec![20.0; 3],
            state_max_c: vec![22.5; 3],
            state_final_min_c: vec![20.2; 3],
            outdoor_profile: vec![0; 3],
            cop_profile: vec![0; 3],
            feeder: vec![0; 3],
        },
        room_outdoor_profiles_c: vec![series(dice, -4.0, 6.0)],
        room_cop_profiles: vec![series(dice, 2.5, 3.5)],
        batteries: Batteries {
            p_max_charge_kw: vec![4.0; 2],
            p_max_discharge_kw: vec![4.0; 2],
            eta_charge: vec![0.95; 2],
            eta_discharge: vec![0.95; 2],
            self_discharge_per_h: vec![0.001; 2],
            wear_per_kwh: vec![0.03; 2],
            soc_init_kwh: each(2, || dice.random_range(2.0..8.0)),
            soc_min_kwh: vec![1.0; 2],
            soc_max_kwh: vec![10.0; 2],
            soc_final_min_kwh: each(2, || dice.random_range(1.0..6.0)),
            feeder: vec![0; 2],
        },
        ..FleetParts::default()
    }
}

/// What is known of the fleet at a step: cars join when they arrive.
fn known(parts: &FleetParts, at: usize) -> Fleet {
    let mut parts = parts.clone();
    let evs = &mut parts.evs;
    let count = evs.arrival.iter().filter(|arrival| **arrival as usize <= at.max(4)).count();
    evs.arrival.truncate(count);
    evs.departure.truncate(count);
    evs.p_max_kw.truncate(count);
    evs.energy_kwh.truncate(count);
    evs.feeder.truncate(count);
    Fleet::new(parts).expect("chance keeps within the possible")
}

/// The state of a device after what it drew, by the physics of the problem.
fn state(fleet: &FleetParts, device: FleetDevice, drawn_kw: &[f64]) -> FleetStateOf {
    match device {
        FleetDevice::Ev(_) => FleetStateOf::Ev(drawn_kw.iter().sum()),
        FleetDevice::Tank(i) => {
            let tanks = &fleet.tanks;
            let next = |heat: f64, (t, power): (usize, &f64)| {
                heat * (-tanks.loss_per_h[i]).exp() + tanks.cop[i] * power
                    - fleet.tank_draw_profiles_kw[0][t] * tanks.draw_scale[i]
            };
            let heat = drawn_kw.iter().enumerate().fold(tanks.state_init_kwh[i], next);
            FleetStateOf::Tank(heat)
        }
        FleetDevice::Cycle(_) => {
            FleetStateOf::Cycle(drawn_kw.iter().position(|power| *power > 1e-6))
        }
        FleetDevice::V2g(i) => {
            let cars = &fleet.v2gs;
            let stored = |power: &f64| {
                cars.eta_charge[i] * power.max(0.0) - (-power).max(0.0) / cars.eta_discharge[i]
            };
            let soc: f64 = cars.soc_arrival_kwh[i] + drawn_kw.iter().map(stored).sum::<f64>();
            FleetStateOf::V2g(soc)
        }
        FleetDevice::Room(i) => {
            let rooms = &fleet.rooms;
            let kept = (-rooms.ua_kw_per_k[i] / rooms.c_kwh_per_k[i]).exp();
            let next = |celsius: f64, (t, power): (usize, &f64)| {
                let heated = fleet.room_cop_profiles[0][t] * power / rooms.ua_kw_per_k[i];
                kept * celsius + (1.0 - kept) * (fleet.room_outdoor_profiles_c[0][t] + heated)
            };
            FleetStateOf::Room(drawn_kw.iter().enumerate().fold(rooms.state_init_c[i], next))
        }
        FleetDevice::Battery(i) => {
            let of = &fleet.batteries;
            let next = |soc: f64, power: &f64| {
                let given = (-power).max(0.0) / of.eta_discharge[i];
                soc * (-of.self_discharge_per_h[i]).exp() + of.eta_charge[i] * power.max(0.0)
                    - given
            };
            FleetStateOf::Battery(drawn_kw.iter().fold(of.soc_init_kwh[i], next))
        }
    }
}

/// A day as it went.
#[derive(Debug, PartialEq)]
struct Day {
    replans: Vec<Replan>,
    drawn_kw: BTreeMap<FleetDevice, Vec<f64>>,
    /// Who failed or left.
    out: BTreeSet<FleetDevice>,
    /// Who was said to miss something.
    named: BTreeSet<FleetDevice>,
}

fn live(parts: &FleetParts, seed: u64) -> Day {
    let dice = &mut ChaCha8Rng::seed_from_u64(1_000 + seed);
    let first = known(parts, 0);
    let mut record =
        Record::first(&first, &plan(&first, &FleetOptions::default()).expect("possible"));
    let mut drawn_kw: BTreeMap<FleetDevice, Vec<f64>> =
        parts.each_device().map(|device| (device, Vec::new())).collect();
    let mut deviated = BTreeSet::new();
    let mut standing = BTreeMap::new();
    let mut day = Day {
        replans: Vec::new(),
        drawn_kw: BTreeMap::new(),
        out: BTreeSet::new(),
        named: BTreeSet::new(),
    };
    for at in 0..STEPS {
        let fleet = known(parts, at);
        for device in fleet.each_device() {
            let is_there = match device {
                FleetDevice::Ev(i) => {
                    (fleet.evs.arrival[i] as usize..fleet.evs.departure[i] as usize).contains(&at)
                }
                FleetDevice::V2g(i) => {
                    (fleet.v2gs.arrival[i] as usize..fleet.v2gs.departure[i] as usize).contains(&at)
                }
                _ => true,
            };
            if at > 0 && is_there && !day.out.contains(&device) && dice.random_bool(0.01) {
                let status =
                    [Status::Failed, Status::Refused, Status::Expired][dice.random_range(0..3)];
                let power_kw = Some(dice.random_range(0.0..3.0));
                let is_car = matches!(device, FleetDevice::Ev(_) | FleetDevice::V2g(_));
                let how = if is_car && dice.random_bool(0.4) {
                    Standing::Left
                } else {
                    Standing::Out { status, power_kw }
                };
                standing.insert(device, how);
                day.out.insert(device);
            }
        }
        let reports = fleet.each_device().filter_map(|device| {
            let standing = standing.get(&device).copied();
            // A meter shows an empty store as empty.
            let measured = || match state(parts, device, &drawn_kw[&device]) {
                FleetStateOf::Tank(kwh) => FleetStateOf::Tank(kwh.max(0.0)),
                FleetStateOf::V2g(kwh) => FleetStateOf::V2g(kwh.max(0.0)),
                other => other,
            };
            let state = deviated.contains(&device).then(measured);
            (standing.is_some() || state.is_some()).then_some(StateReport {
                device,
                standing,
                state,
            })
        });
        let reports = FleetState { devices: reports.collect() };
        let options = ReplanOptions::default();
        let next = replan(&fleet, at, &record, &reports, &options)
            .unwrap_or_else(|error| panic!("{} at {at}: {error:?}", parts.id));
        day.named.extend(next.unmet.iter().map(|unmet| unmet.device));
        let mut load_kw = fleet.base_load_kw[at];
        for device in parts.each_device() {
            let told = next.record.told_kw(device, STEPS)[at].unwrap_or(0.0);
            let drawn = drawn_kw.get_mut(&device).expect("each device");
            let power = match standing.get(&device) {
                Some(Standing::Left) => 0.0,
                Some(Standing::Out { power_kw: Some(power_kw), .. }) => match device {
                    // A car draws no more than it needs, while it is there.
                    FleetDevice::Ev(i) => {
                        let is_there = at < parts.evs.departure[i] as usize;
                        let left = parts.evs.energy_kwh[i] - drawn.iter().sum::<f64>();
                        if is_there { power_kw.min(left).max(0.0) } else { 0.0 }
                    }
                    FleetDevice::V2g(i) if at >= parts.v2gs.departure[i] as usize => 0.0,
                    FleetDevice::Cycle(i) => {
                        // As it is assumed: for what is left of the program, or of its window.
                        let length =
                            parts.cycle_profiles_kw[parts.cycles.profile[i] as usize].len();
                        let window = parts.cycles.earliest_start[i] as usize
                            ..parts.cycles.latest_end[i] as usize;
                        match drawn.iter().position(|power| *power > 1e-6) {
                            Some(start) if at < start + length => *power_kw,
                            None if window.contains(&at) => *power_kw,
                            _ => 0.0,
                        }
                    }
                    _ => *power_kw,
                },
                _ => told,
            };
            load_kw += power;
            // Some do less than they are told, and are measured.
            let is_short = at + 1 < STEPS
                && !standing.contains_key(&device)
                && !matches!(device, FleetDevice::Cycle(_))
                && power > 0.5
                && dice.random_bool(0.04);
            drawn.push(if is_short { power * 0.6 } else { power });
            // What a store misses in the very step in which it falls short, nobody could have named.
            let is_empty = match (device, state(parts, device, drawn)) {
                (FleetDevice::Tank(_), FleetStateOf::Tank(heat_kwh)) => heat_kwh < 0.0,
                (FleetDevice::V2g(i), FleetStateOf::V2g(soc_kwh)) => {
                    soc_kwh < parts.v2gs.soc_min_kwh[i]
                }
                (FleetDevice::Room(i), FleetStateOf::Room(celsius)) => {
                    celsius < parts.rooms.state_min_c[i]
                }
                _ => false,
            };
            if is_short && is_empty {
                drawn[at] = power;
            }
            if is_short || standing.contains_key(&device) {
                deviated.insert(device);
            }
        }
        let said: f64 = next
            .exceeded
            .iter()
            .filter(|(limit, step, _)| *limit == Limit::Transformer && *step == at)
            .map(|(.., kw)| kw)
            .sum();
        let limit_kw = fleet.transformer_limit_kw[at];
        assert!(
            load_kw <= limit_kw + said + 1e-2,
            "{} at {at}: {load_kw} over {limit_kw} and {said}",
            parts.id
        );
        record = next.record.clone();
        day.replans.push(next);
    }
    day.drawn_kw = drawn_kw;
    day
}

#[test]
fn a_day_with_failures_goes_on_within_its_limits() {
    let (mut out, mut named, mut changes) = (0, 0, 0);
    for seed in 0..cases() {
        let parts = fleet(seed);
        let day = live(&parts, seed);
        (out, named) = (out + day.out.len(), named + day.named.len());
        changes += day.replans.iter().map(|replan| replan.changes.len()).sum::<usize>();
        // Everybody gets what it needs, or has been named.
        let whole = Fleet::new(parts.clone()).expect("possible");
        let powers = || day.drawn_kw.iter().map(|(device, drawn)| (*device, drawn.clone()));
        for (device, by) in check(&whole, powers()).devices {
            assert!(
                day.named.contains(&device) || day.out.contains(&device),
                "{}: {device} misses {by}",
                parts.id
            );
        }
        assert_not_cheaper_than_knowing_all(&parts, &day);
        assert!(live(&parts, seed) == day, "{}: the same day goes the same way", parts.id);
    }
    assert!(out > 0 && named > 0 && changes > 0, "{out} {named} {changes}");
}

/// Who knows from the beginning what each device will do and need plans no dearer than what happened.
fn assert_not_cheaper_than_knowing_all(parts: &FleetParts, day: &Day) {
    let whole = Fleet::new(parts.clone()).expect("possible");
    let powers = || day.drawn_kw.iter().map(|(device, drawn)| (*device, drawn.clone()));
    let is_met: BTreeSet<FleetDevice> = {
        let broken: BTreeSet<FleetDevice> =
            check(&whole, powers()).devices.into_iter().map(|(device, _)| device).collect();
        whole.each_device().filter(|device| !broken.contains(device)).collect()
    };
    let mut known = parts.clone();
    let mut realized = 0.0;
    let mut load_kw = parts.base_load_kw.clone();
    for (device, drawn) in &day.drawn_kw {
        load_kw.iter_mut().zip(drawn).for_each(|(load, power)| *load += power);
        if is_met.contains(device) {
            let energy: f64 =
                drawn.iter().zip(&parts.energy_price).map(|(kw, price)| kw * price).sum();
            let given: f64 = drawn.iter().map(|kw| (-kw).max(0.0)).sum();
            let wear = match device {
                FleetDevice::V2g(i) => parts.v2gs.wear_per_kwh[*i],
                FleetDevice::Battery(i) => parts.batteries.wear_per_kwh[*i],
                _ => 0.0,
            };
            realized += energy + wear * given;
        } else {
            known.base_load_kw.iter_mut().zip(drawn).for_each(|(base, power)| *base += power);
        }
    }
    known
        .transformer_limit_kw
        .iter_mut()
        .zip(&load_kw)
        .for_each(|(limit, load)| *limit = limit.max(*load));
    known.up_reserve_kw.fill(0.0);
    known.down_reserve_kw.fill(0.0);
    fn keep<T: Clone>(column: &mut Vec<T>, is_kept: &[bool]) {
        let mut kept = is_kept.iter();
        column.retain(|_| *kept.next().expect("one for each"));
    }
    let of = |device: fn(usize) -> FleetDevice, count: usize| -> Vec<bool> {
        (0..count).map(|i| is_met.contains(&device(i))).collect()
    };
    let evs = of(FleetDevice::Ev, parts.evs.arrival.len());
    let column = &mut known.evs;
    [&mut column.arrival, &mut column.departure, &mut column.feeder]
        .into_iter()
        .for_each(|column| keep(column, &evs));
    [&mut column.p_max_kw, &mut column.energy_kwh]
        .into_iter()
        .for_each(|column| keep(column, &evs));
    let tanks = of(FleetDevice::Tank, parts.tanks.cop.len());
    let column = &mut known.tanks;
    [&mut column.draw_profile, &mut column.feeder]
        .into_iter()
        .for_each(|column| keep(column, &tanks));
    [
        &mut column.p_max_kw,
        &mut column.cop,
        &mut column.loss_per_h,
        &mut column.state_init_kwh,
        &mut column.state_max_kwh,
        &mut column.state_final_min_kwh,
        &mut column.draw_scale,
    ]
    .into_iter()
    .for_each(|column| keep(column, &tanks));
    let cycles = of(FleetDevice::Cycle, parts.cycles.profile.len());
    let column = &mut known.cycles;
    [&mut column.profile, &mut column.earliest_start, &mut column.latest_end, &mut column.feeder]
        .into_iter()
        .for_each(|column| keep(column, &cycles));
    let v2gs = of(FleetDevice::V2g, parts.v2gs.arrival.len());
    let column = &mut known.v2gs;
    [&mut column.arrival, &mut column.departure, &mut column.feeder]
        .into_iter()
        .for_each(|column| keep(column, &v2gs));
    [
        &mut column.p_max_charge_kw,
        &mut column.p_max_discharge_kw,
        &mut column.eta_charge,
        &mut column.eta_discharge,
        &mut column.wear_per_kwh,
        &mut column.soc_arrival_kwh,
        &mut column.soc_min_kwh,
        &mut column.soc_max_kwh,
        &mut column.soc_target_kwh,
    ]
    .into_iter()
    .for_each(|column| keep(column, &v2gs));
    let rooms = of(FleetDevice::Room, parts.rooms.p_max_kw.len());
    let column = &mut known.rooms;
    [&mut column.outdoor_profile, &mut column.cop_profile, &mut column.feeder]
        .into_iter()
        .for_each(|column| keep(column, &rooms));
    [
        &mut column.p_max_kw,
        &mut column.c_kwh_per_k,
        &mut column.ua_kw_per_k,
        &mut column.state_init_c,
        &mut column.state_min_c,
        &mut column.state_max_c,
        &mut column.state_final_min_c,
    ]
    .into_iter()
    .for_each(|column| keep(column, &rooms));
    let batteries = of(FleetDevice::Battery, parts.batteries.soc_init_kwh.len());
    let column = &mut known.batteries;
    keep(&mut column.feeder, &batteries);
    [
        &mut column.p_max_charge_kw,
        &mut column.p_max_discharge_kw,
        &mut column.eta_charge,
        &mut column.eta_discharge,
        &mut column.self_discharge_per_h,
        &mut column.wear_per_kwh,
        &mut column.soc_init_kwh,
        &mut column.soc_min_kwh,
        &mut column.soc_max_kwh,
        &mut column.soc_final_min_kwh,
    ]
    .into_iter()
    .for_each(|column| keep(column, &batteries));
    let known = Fleet::new(known).expect("possible");
    let found = plan(&known, &FleetOptions::default()).expect("what happened is possible");
    assert!(
        realized >= found.bound - 1e-2 - 1e-3 * found.bound.abs(),
        "{}: {realized} below {}",
        parts.id,
        found.bound
    );
}

#[test]
fn where_everything_goes_as_planned_nothing_is_told_again() {
    let fleet = Fleet::new(fleet(3)).expect("possible");
    let found = plan(&fleet, &FleetOptions::default()).expect("possible");
    let record = Record::first(&fleet, &found);
    for at in [0, 5, 17, 23] {
        let next = replan(&fleet, at, &record, &FleetState::default(), &ReplanOptions::default())
            .expect("possible");
        assert_eq!(next.changes, [], "at {at}");
        assert_eq!(next.version, 1);
        assert_eq!((next.exceeded, next.unmet), (Vec::new(), Vec::new()), "at {at}");
        let planned = |(_, point): &(_, &SetPoint)| point.status == Status::Planned;
        assert_eq!(
            next.record.iter().filter(planned).count(),
            record.iter().count(),
            "nothing was sent, so nothing is over"
        );
    }
}

#[test]
fn others_replace_a_device_that_fails() {
    let fleet = Fleet::new(fleet(3)).expect("possible");
    let found = plan(&fleet, &FleetOptions::default()).expect("possible");
    let record = Record::first(&fleet, &found);
    let device = FleetDevice::Ev(0);
    let report = StateReport {
        device,
        standing: Some(Standing::Out { status: Status::Failed, power_kw: Some(7.0) }),
        state: None,
    };
    let at = fleet.evs.arrival[0] as usize + 1;
    let next = replan(
        &fleet,
        at,
        &record,
        &FleetState { devices: vec![report] },
        &ReplanOptions::default(),
    )
    .expect("possible");
    assert!(next.changes.iter().any(|change| change.device == device && change.is_out));
    assert!(next.record.in_force(device, at).expect("told").status.is_out());
    // It is told nothing new, and nothing old is edited.
    for (device, old) in record.iter() {
        let same = |(other, new): (FleetDevice, &SetPoint)| {
            other == device
                && (new.from, new.until, new.version) == (old.from, old.until, old.version)
                && new.power_kw == old.power_kw
        };
        assert!(next.record.iter().any(same));
    }
    assert!(next.record.iter().all(|(other, new)| other != device || new.version == 1));
}

#[test]
fn a_set_point_that_is_refused_is_not_built_on() {
    let fleet = Fleet::new(fleet(3)).expect("possible");
    let found = plan(&fleet, &FleetOptions::default()).expect("possible");
    let first = Record::first(&fleet, &found);
    let device = FleetDevice::V2g(0);
    let at = fleet.v2gs.arrival[0] as usize + 2;
    // As a controller writes it back.
    let answered = first.iter().map(|(other, set_point)| {
        let status = if other == device { Status::Refused } else { Status::Acknowledged };
        (other, SetPoint { status, ..*set_point })
    });
    let answered = Record::new(&fleet, answered, |i| format!("line {i}")).expect("possible");
    let next =
        replan(&fleet, at, &answered, &FleetState::default(), &ReplanOptions::default()).unwrap();
    let told = next.record.told_kw(device, STEPS);
    assert!(told[at..].iter().all(Option::is_none), "{told:?}");
    // It is assumed to go on as it was told last, beside the plan.
    let last_kw = first.told_kw(device, STEPS)[at - 1].expect("told");
    let of_device = |change: &&Change| change.device == device && change.step < 16;
    assert!(next.changes.iter().filter(of_device).count() > 0);
    assert!(next.changes.iter().filter(of_device).all(|one| one.is_out && one.after_kw == last_kw));
    // What the others have followed to its end is completed.
    let is_over =
        |(other, set_point): &(FleetDevice, &SetPoint)| *other != device && set_point.until <= at;
    assert!(next.record.iter().any(|one| is_over(&one)));
    let mut over = next.record.iter().filter(is_over);
    assert!(over.all(|(_, set_point)| set_point.status == Status::Completed));
}

#[test]
fn a_reserve_that_cannot_be_held_is_named_by_step_and_amount() {
    let mut parts = fleet(3);
    parts.up_reserve_kw.fill(0.0);
    let fleet = Fleet::new(parts.clone()).expect("possible");
    let found = plan(&fleet, &FleetOptions::default()).expect("possible");
    let record = Record::first(&fleet, &found);
    // All at once could draw less than this.
    parts.up_reserve_kw[20] = 500.0;
    let fleet = Fleet::new(parts).expect("possible");
    let next =
        replan(&fleet, 18, &record, &FleetState::default(), &ReplanOptions::default()).unwrap();
    let [(Limit::UpReserve, 20, missing_kw)] = next.exceeded[..] else {
        panic!("{:?}", next.exceeded)
    };
    assert!((300.0..500.0).contains(&missing_kw), "{missing_kw}");
}
