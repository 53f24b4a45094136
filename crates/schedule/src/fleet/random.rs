//! Fleets by chance against the whole problem as one program: every kind of device, every kind of limit.

use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::columns::{Batteries, Cycles, Evs, Rooms, Tanks, V2gs};
use super::coordinate::{FleetError, FleetOptions};
use super::direct::Direct;
use super::master::{Limit, LimitPrices, most_drawn_kw};
use super::problem::{Feeder, Fleet, FleetParts};
use super::{check, plan};
use crate::solver::{Microlp, SolveOptions, Solver};

const STEPS: usize = 12;

/// Returns the fleet of a seed.
fn fleet(seed: u64, has_programs: bool) -> Fleet {
    let mut dice = ChaCha8Rng::seed_from_u64(seed);
    let dice = &mut dice;
    let feeders = dice.random_range(0..3);
    let lanes = u32::max(feeders, 1);
    let count = dice.random_range(1..5);
    let stays: Vec<(u32, u32)> = (0..2 * count)
        .map(|_| {
            let arrival = dice.random_range(0..6);
            (arrival, dice.random_range(arrival + 3..=12))
        })
        .collect();
    let (evs, v2gs) = stays.split_at(count);
    let mut parts = FleetParts {
        id: format!("seed {seed}"),
        currency: "EUR".to_owned(),
        resolution_min: 30,
        energy_price: series(dice, 0.05, 0.5),
        base_load_kw: series(dice, 0.0, 3.0),
        transformer_limit_kw: vec![1e6; STEPS],
        feeders: (0..feeders)
            .map(|_| Feeder { base_load_kw: series(dice, 0.0, 1.0), limit_kw: vec![1e6; STEPS] })
            .collect(),
        up_reserve_kw: vec![0.0; STEPS],
        down_reserve_kw: vec![0.0; STEPS],
        evs: Evs {
            arrival: evs.iter().map(|stay| stay.0).collect(),
            departure: evs.iter().map(|stay| stay.1).collect(),
            p_max_kw: vec![7.0; count],
            energy_kwh: (0..count).map(|_| dice.random_range(1.0..10.0)).collect(),
            feeder: on(dice, count, lanes),
        },
        tanks: Tanks {
            p_max_kw: vec![2.0; count],
            cop: vec![2.5; count],
            loss_per_h: vec![0.02; count],
            state_init_kwh: each(dice, count, 3.0, 8.0),
            state_max_kwh: vec![10.0; count],
            state_final_min_kwh: vec![3.0; count],
            draw_profile: vec![0; count],
            draw_scale: each(dice, count, 0.5, 1.5),
            feeder: on(dice, count, lanes),
        },
        tank_draw_profiles_kw: vec![series(dice, 0.0, 2.0)],
        cycle_profiles_kw: vec![vec![2.0, 0.5, 1.0]],
        v2gs: V2gs {
            arrival: v2gs.iter().map(|stay| stay.0).collect(),
            departure: v2gs.iter().map(|stay| stay.1).collect(),
            p_max_charge_kw: vec![7.0; count],
            p_max_discharge_kw: vec![5.0; count],
            eta_charge: each(dice, count, 0.85, 0.95),
            eta_discharge: each(dice, count, 0.85, 0.95),
            wear_per_kwh: each(dice, count, 0.0, 0.1),
            soc_arrival_kwh: each(dice, count, 10.0, 25.0),
            soc_min_kwh: vec![5.0; count],
            soc_max_kwh: vec![30.0; count],
            soc_target_kwh: vec![18.0; count],
            feeder: on(dice, count, lanes),
        },
        rooms: Rooms {
            p_max_kw: vec![3.0; count],
            c_kwh_per_k: each(dice, count, 3.0, 8.0),
            ua_kw_per_k: each(dice, count, 0.05, 0.25),
            state_init_c: each(dice, count, 20.5, 21.5),
            state_min_c: vec![20.0; count],
            state_max_c: vec![22.5; count],
            state_final_min_c: vec![20.5; count],
            outdoor_profile: vec![0; count],
            cop_profile: vec![1; count],
            feeder: on(dice, count, lanes),
        },
        room_outdoor_profiles_c: vec![series(dice, -8.0, 8.0)],
        room_cop_profiles: vec![vec![1.0; STEPS], series(dice, 2.0, 4.0)],
        batteries: Batteries {
            p_max_charge_kw: vec![4.0; count],
            p_max_discharge_kw: vec![4.0; count],
            eta_charge: each(dice, count, 0.9, 1.0),
            eta_discharge: each(dice, count, 0.9, 1.0),
            self_discharge_per_h: each(dice, count, 0.0, 0.02),
            wear_per_kwh: each(dice, count, 0.0, 0.05),
            soc_init_kwh: each(dice, count, 2.0, 8.0),
            soc_min_kwh: vec![1.0; count],
            soc_max_kwh: vec![10.0; count],
            soc_final_min_kwh: vec![4.0; count],
            feeder: on(dice, count, lanes),
        },
        ..FleetParts::default()
    };
    if has_programs {
        parts.cycles = Cycles {
            profile: vec![0; count],
            earliest_start: vec![1; count],
            latest_end: vec![10; count],
            feeder: on(dice, count, lanes),
        };
    }
    let free = Fleet::new(parts).expect("chance keeps within the possible");
    limited(dice, free)
}

/// Limits that are felt: a little below what the fleet does without them.
fn limited(dice: &mut impl Rng, free: Fleet) -> Fleet {
    let found = plan(&free, &FleetOptions::default()).expect("nothing is in the way");
    let (peak_kw, low_kw) = (
        found.load_kw.iter().copied().fold(0.0, f64::max),
        found.load_kw.iter().copied().fold(f64::INFINITY, f64::min),
    );
    let most_kw = most_drawn_kw(&free);
    let mut parts = free.into_parts();
    parts.transformer_limit_kw = vec![3.0 + 0.8 * peak_kw; STEPS];
    for feeder in &mut parts.feeders {
        feeder.limit_kw = vec![1.0 + 0.7 * peak_kw; STEPS];
    }
    let t = dice.random_range(2..STEPS - 2);
    parts.up_reserve_kw[t] = (low_kw + 0.3 * (peak_kw - low_kw)).max(0.0);
    let s = dice.random_range(2..STEPS - 2);
    if s != t {
        parts.down_reserve_kw[s] = (most_kw[s] - 0.5 * peak_kw).max(0.0);
    }
    Fleet::new(parts).expect("chance keeps within the possible")
}

fn series(dice: &mut impl Rng, least: f64, most: f64) -> Vec<f64> {
    each(dice, STEPS, least, most)
}

fn each(dice: &mut impl Rng, count: usize, least: f64, most: f64) -> Vec<f64> {
    (0..count).map(|_| dice.random_range(least..most)).collect()
}

fn on(dice: &mut impl Rng, count: usize, lanes: u32) -> Vec<u32> {
    (0..count).map(|_| dice.random_range(0..lanes)).collect()
}

const EXACT: SolveOptions = SolveOptions { gap: 0.0, time_limit: None, nodes_max: Some(20_000) };

/// Asserts that the fleet is planned as the whole problem says, and soundly; returns which kinds of limit have a price.
fn check_against_whole(fleet: &Fleet, tolerance: f64) -> [bool; 3] {
    let options = FleetOptions { gap: 1e-6, ..FleetOptions::default() };
    let whole = Direct::new(fleet, &LimitPrices::none(fleet), f64::INFINITY);
    let whole = Microlp.solve(&whole.model, &EXACT);
    let found = match (plan(fleet, &options), whole) {
        (Ok(found), Ok(whole)) => {
            let slack = tolerance * whole.cost.abs().max(1.0);
            let name = &fleet.id;
            assert!(found.bound <= whole.cost + slack, "{name}: {} {}", found.bound, whole.cost);
            // The whole problem may have run out of nodes.
            let (cost, least) = (found.cost, whole.bound);
            assert!(cost <= whole.cost + slack, "{name}: {cost} {}", whole.cost);
            assert!(cost >= least - slack, "{name}: {cost} {least}");
            found
        }
        (Err(FleetError::Limits { .. }), Err(_)) => return [false; 3],
        (found, whole) => panic!("{}: {found:?} {whole:?}", fleet.id),
    };
    let powers = fleet.each_device().map(|device| (device, found.power_kw(fleet, device)));
    let checked = check(fleet, powers);
    assert_eq!((&checked.devices, &checked.limits), (&vec![], &vec![]), "{}", fleet.id);
    assert!((checked.cost - found.cost).abs() <= 1e-4 * found.cost.abs().max(1.0), "{}", fleet.id);
    let prices = [&found.prices.up_reserve, &found.prices.down_reserve, &found.prices.transformer];
    prices.map(|prices| prices.iter().any(|price| *price > 1e-6))
}

#[test]
fn mixed_fleets_cost_what_the_whole_problem_says() {
    let mut felt = [0; 3];
    for seed in 0..60 {
        let limits = check_against_whole(&fleet(seed, false), 1e-5);
        felt.iter_mut().zip(limits).for_each(|(felt, is_felt)| *felt += u32::from(is_felt));
    }
    assert!(felt.iter().all(|felt| *felt >= 10), "{felt:?}");
}

#[test]
fn mixed_fleets_with_programs_cost_what_the_whole_problem_says() {
    for seed in 0..15 {
        check_against_whole(&fleet(1_000 + seed, true), 1e-4);
    }
}

/// Where energy costs less than nothing, stores would rather charge and give back at once, which none can: what is told to them once made
/// them fuller than they can be.
#[test]
fn stores_never_charge_and_give_back_at_once_to_waste_energy() {
    let mut wasteful = 0;
    for seed in 2_000..2_060 {
        let mut parts = fleet(seed, seed % 4 == 0).into_parts();
        parts.energy_price.iter_mut().for_each(|price| *price -= 0.4);
        let fleet = Fleet::new(parts).expect("possible numbers");
        let found = match plan(&fleet, &FleetOptions::default()) {
            Err(FleetError::Limits { .. } | FleetError::Reserve { .. }) => continue,
            found => found.expect("limits that are felt can be kept"),
        };
        let powers = fleet.each_device().map(|device| (device, found.power_kw(&fleet, device)));
        let checked = check(&fleet, powers);
        assert_eq!((&checked.devices, &checked.limits), (&vec![], &vec![]), "{}", fleet.id);
        let slack = 1e-6 * found.cost.abs().max(1.0);
        assert!((checked.cost - found.cost).abs() <= slack, "{} {}", fleet.id, found.cost);
        assert!(found.bound <= found.cost, "{}", fleet.id);
        wasteful += u32::from(found.gap() > FleetOptions::default().gap);
    }
    assert!(wasteful >= 10, "{wasteful}");
}

#[test]
fn a_reserve_of_more_load_that_is_too_large_is_named() {
    let mut parts = fleet(5, false).into_parts();
    parts.up_reserve_kw = vec![0.0; STEPS];
    parts.down_reserve_kw = vec![0.0; STEPS];
    let most_kw = most_drawn_kw(&Fleet::new(parts.clone()).expect("possible"))[7];
    let all_can_give_back: f64 =
        parts.v2gs.p_max_discharge_kw.iter().chain(&parts.batteries.p_max_discharge_kw).sum();
    parts.down_reserve_kw[7] = most_kw + all_can_give_back + 3.0;
    let fleet = Fleet::new(parts).expect("possible numbers");
    let Err(FleetError::Limits { exceeded }) = plan(&fleet, &FleetOptions::default()) else {
        panic!("possible")
    };
    let [(Limit::DownReserve, 7, kw)] = exceeded[..] else { panic!("{exceeded:?}") };
    assert!(kw >= 3.0 - 1e-3, "{kw}");
}

#[test]
fn a_reserve_of_more_load_does_not_count_programs() {
    let mut parts = fleet(7, false).into_parts();
    let without = most_drawn_kw(&Fleet::new(parts.clone()).expect("possible"));
    parts.cycles =
        Cycles { profile: vec![0], earliest_start: vec![0], latest_end: vec![12], feeder: vec![0] };
    assert_eq!(most_drawn_kw(&Fleet::new(parts).expect("possible")), without);
}
