//! Fleets of any size, the same for the same size: for benchmarks, with invented numbers of the usual kind.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::fleet::{Cycles, Evs, Feeder, Fleet, FleetParts, Rooms, Tanks, V2gs};

const STEPS: usize = 96;
/// Clock hour of the first step: the night is in the middle.
const FIRST_HOUR: f64 = 12.0;

/// Returns so many cars behind one transformer, which limits them at night.
///
/// # Panics
///
/// Never: what it makes is possible.
#[must_use]
pub fn cars(count: usize) -> Fleet {
    let mut dice = Dice::new(count);
    let mut parts = frame(format!("{count} cars"), count, 1.15);
    parts.evs = evs(&mut dice, count, 1);
    Fleet::new(parts).expect("numbers in their ranges")
}

/// Returns a fleet of so many devices behind a transformer and ten feeders: half of them cars, the rest in equal parts cars that give back,
/// tanks and programs.
///
/// # Panics
///
/// Never: what it makes is possible.
#[must_use]
pub fn mixed(count: usize) -> Fleet {
    let mut dice = Dice::new(count);
    let feeders = 10;
    let mut parts = frame(format!("{count} devices of five kinds"), count, 1.0);
    let other = count / 6;
    parts.evs = evs(&mut dice, count - 4 * other, feeders);
    parts.v2gs = v2gs(&mut dice, other, feeders);
    parts.tanks = tanks(&mut dice, other, feeders);
    parts.cycles = cycles(&mut dice, other, feeders);
    parts.rooms = rooms(&mut dice, other, feeders);
    let share = 1.0 / f64::from(feeders);
    let of_feeder = |series: &[f64], factor: f64| {
        series.iter().map(|value| value * share * factor).collect::<Vec<_>>()
    };
    parts.feeders = (0..feeders)
        .map(|_| Feeder {
            base_load_kw: of_feeder(&parts.base_load_kw, 1.0),
            limit_kw: of_feeder(&parts.transformer_limit_kw, 1.02 + dice.between(0.0, 0.2)),
        })
        .collect();
    Fleet::new(parts).expect("numbers in their ranges")
}

/// Prices, load and limits of so many devices; the limit leaves so many kW to each.
fn frame(id: String, count: usize, kw_each: f64) -> FleetParts {
    let devices = real(count);
    let each = |value: &dyn Fn(f64) -> f64| {
        (0..STEPS).map(|t| value((FIRST_HOUR + real(t) / 4.0) % 24.0)).collect::<Vec<_>>()
    };
    let base_load_kw =
        each(&|hour| devices * (0.45 + 0.25 * bump(hour, 7.5, 1.5) + 0.5 * bump(hour, 18.5, 2.5)));
    FleetParts {
        id,
        currency: "EUR".to_owned(),
        resolution_min: 15,
        start_clock_h: 12,
        energy_price: each(&|hour| {
            // No two steps cost the same.
            0.22 - 0.09 * bump(hour, 3.0, 3.5) + 0.12 * bump(hour, 18.5, 2.0) + 1e-4 * hour
        }),
        transformer_limit_kw: base_load_kw
            .iter()
            .map(|load| load.max(devices * 0.9) + devices * (kw_each - 0.5))
            .collect(),
        base_load_kw,
        up_reserve_kw: vec![0.0; STEPS],
        down_reserve_kw: vec![0.0; STEPS],
        tank_draw_profiles_kw: vec![
            each(&|hour| 1.2 * bump(hour, 7.0, 0.8) + 0.8 * bump(hour, 20.0, 1.2) + 0.05),
            each(&|hour| 0.5 * bump(hour, 8.5, 1.0) + 1.3 * bump(hour, 21.0, 1.0) + 0.05),
        ],
        cycle_profiles_kw: vec![
            vec![0.4, 2.0, 1.6, 0.3, 0.3, 1.9, 0.2],
            vec![2.1, 0.4, 0.4, 0.6, 0.5],
            vec![2.4, 2.4, 2.2, 1.0],
        ],
        room_outdoor_profiles_c: vec![
            each(&|hour| 4.0 * bump(hour, 14.0, 4.0) - 1.0),
            each(&|hour| 6.0 * bump(hour, 15.0, 3.0) - 4.0),
        ],
        room_cop_profiles: vec![each(&|hour| 2.7 + 0.4 * bump(hour, 14.0, 4.0))],
        ..FleetParts::default()
    }
}

/// When a car comes and goes: most in the evening and the morning.
fn stay(dice: &mut Dice) -> (u32, u32) {
    let arrival = 12 + dice.below(24) + dice.below(12);
    (arrival, (arrival + 20 + dice.below(12)).max(64 + dice.below(20)).min(96))
}

fn evs(dice: &mut Dice, count: usize, feeders: u32) -> Evs {
    let mut evs = Evs::default();
    for _ in 0..count {
        let (arrival, departure) = stay(dice);
        let p_max_kw = [3.7, 7.4, 11.0][dice.below(3) as usize];
        evs.arrival.push(arrival);
        evs.departure.push(departure);
        evs.p_max_kw.push(p_max_kw);
        let most_kwh = p_max_kw * f64::from(departure - arrival) / 4.0;
        evs.energy_kwh.push(dice.between(3.0, 14.0).min(0.9 * most_kwh));
        evs.feeder.push(dice.below(feeders));
    }
    evs
}

fn v2gs(dice: &mut Dice, count: usize, feeders: u32) -> V2gs {
    let mut cars = V2gs::default();
    for _ in 0..count {
        let (arrival, departure) = stay(dice);
        let soc_arrival_kwh = dice.between(15.0, 45.0);
        cars.arrival.push(arrival);
        cars.departure.push(departure);
        cars.p_max_charge_kw.push(11.0);
        cars.p_max_discharge_kw.push(10.0);
        cars.eta_charge.push(0.92);
        cars.eta_discharge.push(0.93);
        cars.wear_per_kwh.push(dice.between(0.02, 0.08));
        cars.soc_arrival_kwh.push(soc_arrival_kwh);
        cars.soc_min_kwh.push(8.0);
        cars.soc_max_kwh.push(60.0);
        cars.soc_target_kwh.push((soc_arrival_kwh + dice.between(0.0, 12.0)).min(60.0));
        cars.feeder.push(dice.below(feeders));
    }
    cars
}

fn rooms(dice: &mut Dice, count: usize, feeders: u32) -> Rooms {
    let mut rooms = Rooms::default();
    for _ in 0..count {
        rooms.p_max_kw.push(dice.between(1.8, 3.0));
        rooms.c_kwh_per_k.push(dice.between(3.0, 9.0));
        rooms.ua_kw_per_k.push(dice.between(0.08, 0.16));
        rooms.state_init_c.push(dice.between(20.2, 22.0));
        rooms.state_min_c.push(20.0);
        rooms.state_max_c.push(22.5);
        rooms.state_final_min_c.push(20.2);
        rooms.outdoor_profile.push(dice.below(2));
        rooms.cop_profile.push(0);
        rooms.feeder.push(dice.below(feeders));
    }
    rooms
}

fn tanks(dice: &mut Dice, count: usize, feeders: u32) -> Tanks {
    let mut tanks = Tanks::default();
    for _ in 0..count {
        tanks.p_max_kw.push(dice.between(1.8, 3.0));
        tanks.cop.push(dice.between(1.0, 3.0));
        tanks.loss_per_h.push(dice.between(0.005, 0.02));
        tanks.state_init_kwh.push(dice.between(4.0, 7.0));
        tanks.state_max_kwh.push(dice.between(9.0, 12.0));
        tanks.state_final_min_kwh.push(4.0);
        tanks.draw_profile.push(dice.below(2));
        tanks.draw_scale.push(dice.between(0.5, 1.0));
        tanks.feeder.push(dice.below(feeders));
    }
    tanks
}

fn cycles(dice: &mut Dice, count: usize, feeders: u32) -> Cycles {
    let mut cycles = Cycles::default();
    for _ in 0..count {
        let earliest_start = dice.below(60);
        cycles.profile.push(dice.below(3));
        cycles.earliest_start.push(earliest_start);
        cycles.latest_end.push((earliest_start + 12 + dice.below(48)).min(96));
        cycles.feeder.push(dice.below(feeders));
    }
    cycles
}

/// 1 at an hour, less on either side of it.
fn bump(hour: f64, top: f64, width: f64) -> f64 {
    let away = (hour - top + 36.0) % 24.0 - 12.0;
    (-(away / width).powi(2)).exp()
}

struct Dice(ChaCha8Rng);

impl Dice {
    fn new(seed: usize) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed as u64))
    }

    fn below(&mut self, bound: u32) -> u32 {
        self.0.next_u32() % bound
    }

    fn between(&mut self, least: f64, most: f64) -> f64 {
        least + (most - least) * f64::from(self.0.next_u32()) / f64::from(u32::MAX)
    }
}

#[expect(clippy::cast_precision_loss, reason = "numbers of devices and steps")]
const fn real(count: usize) -> f64 {
    count as f64
}
