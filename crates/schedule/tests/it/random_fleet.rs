//! Fleets by chance, the same for the same seed.

use gridtally_schedule::fleet::{Cycles, Evs, Feeder, Fleet, FleetParts, Tanks, V2gs};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const STEPS: u32 = 16;

/// Returns the fleet of a seed: up to a dozen devices behind limits from tight to wide.
pub(crate) fn fleet(seed: u64, has_cycles: bool) -> Fleet {
    let mut dice = ChaCha8Rng::seed_from_u64(seed);
    let feeders = dice.random_range(0..3_u32);
    let mut parts = FleetParts {
        id: format!("seed {seed}"),
        currency: "EUR".to_owned(),
        resolution_min: 15,
        start_clock_h: 0,
        energy_price: series(&mut dice, -0.1, 1.0),
        base_load_kw: series(&mut dice, 0.0, 5.0),
        transformer_limit_kw: Vec::new(),
        up_reserve_kw: vec![0.0; STEPS as usize],
        down_reserve_kw: vec![0.0; STEPS as usize],
        evs: evs(&mut dice, feeders),
        tanks: tanks(&mut dice, feeders),
        tank_draw_profiles_kw: vec![series(&mut dice, 0.0, 1.5), series(&mut dice, 0.2, 0.6)],
        cycle_profiles_kw: vec![vec![2.0, 0.3, 1.1], vec![0.5, 2.2]],
        v2gs: v2gs(&mut dice, feeders),
        ..FleetParts::default()
    };
    if has_cycles {
        parts.cycles = cycles(&mut dice, feeders);
    }
    let peak_kw = dice.random_range(8.0..40.0);
    parts.transformer_limit_kw = series(&mut dice, 0.7 * peak_kw, peak_kw);
    for _ in 0..feeders {
        let limit_kw = dice.random_range(0.3..1.0) * peak_kw;
        parts.feeders.push(Feeder {
            base_load_kw: series(&mut dice, 0.0, 1.0),
            limit_kw: vec![limit_kw; STEPS as usize],
        });
    }
    if dice.random_bool(0.4) {
        let first = dice.random_range(0..STEPS as usize - 2);
        parts.up_reserve_kw[first..first + 2].fill(dice.random_range(0.5..6.0));
    }
    Fleet::new(parts).expect("chance keeps within the possible")
}

fn series(dice: &mut impl Rng, least: f64, most: f64) -> Vec<f64> {
    (0..STEPS).map(|_| dice.random_range(least..most)).collect()
}

fn feeder(dice: &mut impl Rng, feeders: u32) -> u32 {
    dice.random_range(0..feeders.max(1))
}

fn stay(dice: &mut impl Rng) -> (u32, u32) {
    // Few different times, so that cars share them.
    let arrival = 4 * dice.random_range(0..3);
    (arrival, arrival + 4 * dice.random_range(1..=(STEPS - arrival) / 4))
}

fn evs(dice: &mut impl Rng, feeders: u32) -> Evs {
    let mut evs = Evs::default();
    for _ in 0..dice.random_range(0..7) {
        let (arrival, departure) = stay(dice);
        let p_max_kw = dice.random_range(2.0..11.0);
        evs.arrival.push(arrival);
        evs.departure.push(departure);
        evs.p_max_kw.push(p_max_kw);
        let most_kwh = p_max_kw * 0.25 * f64::from(departure - arrival);
        evs.energy_kwh.push(most_kwh * dice.random_range(0.0..1.0));
        evs.feeder.push(feeder(dice, feeders));
    }
    evs
}

fn tanks(dice: &mut impl Rng, feeders: u32) -> Tanks {
    let mut tanks = Tanks::default();
    for _ in 0..dice.random_range(0..4) {
        tanks.p_max_kw.push(dice.random_range(1.5..3.0));
        tanks.cop.push(dice.random_range(1.0..3.5));
        tanks.loss_per_h.push(dice.random_range(0.0..0.05));
        tanks.state_init_kwh.push(dice.random_range(3.0..6.0));
        tanks.state_max_kwh.push(10.0);
        tanks.state_final_min_kwh.push(dice.random_range(0.0..4.0));
        tanks.draw_profile.push(dice.random_range(0..2));
        tanks.draw_scale.push(dice.random_range(0.5..1.5));
        tanks.feeder.push(feeder(dice, feeders));
    }
    tanks
}

fn cycles(dice: &mut impl Rng, feeders: u32) -> Cycles {
    let mut cycles = Cycles::default();
    for _ in 0..dice.random_range(1..6) {
        let earliest_start = dice.random_range(0..STEPS - 3);
        cycles.profile.push(dice.random_range(0..2));
        cycles.earliest_start.push(earliest_start);
        cycles.latest_end.push(dice.random_range(earliest_start + 3..=STEPS));
        cycles.feeder.push(feeder(dice, feeders));
    }
    cycles
}

fn v2gs(dice: &mut impl Rng, feeders: u32) -> V2gs {
    let mut cars = V2gs::default();
    for _ in 0..dice.random_range(0..4) {
        let (arrival, departure) = stay(dice);
        let soc_arrival_kwh = dice.random_range(10.0..25.0);
        let room_kwh = 7.0 * 0.9 * 0.25 * f64::from(departure - arrival);
        cars.arrival.push(arrival);
        cars.departure.push(departure);
        cars.p_max_charge_kw.push(7.0);
        cars.p_max_discharge_kw.push(dice.random_range(0.0..7.0));
        cars.eta_charge.push(0.9);
        cars.eta_discharge.push(0.93);
        // Giving back and drawing at once must not pay where prices are negative.
        cars.wear_per_kwh.push(dice.random_range(0.05..0.3));
        cars.soc_arrival_kwh.push(soc_arrival_kwh);
        cars.soc_min_kwh.push(5.0);
        cars.soc_max_kwh.push(50.0);
        let target_kwh = soc_arrival_kwh + room_kwh * dice.random_range(-0.5..0.9);
        cars.soc_target_kwh.push(target_kwh.clamp(0.0, 50.0));
        cars.feeder.push(feeder(dice, feeders));
    }
    cars
}
