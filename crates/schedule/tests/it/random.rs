//! Households by chance, the same for the same seed.

use gridtally_schedule::household::{
    Battery, Capacity, CapacityStep, Cycle, DailyMaxSteps, Device, DeviceKind, Ev, EvSession,
    Horizon, HourSoFar, Household, HouseholdParts, Interruptible, Modulating, PeakPrice,
    PreferredMode, Pv, Room, Site, Tank, Tariff, Thermal, ThermalModel,
};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// What a random household may have.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kinds {
    /// Steps of 15 minutes, at least 8.
    pub(crate) steps: usize,
    /// Only programs and loads that are on or off, so that every plan can be tried.
    pub(crate) only_on_off: bool,
    /// Prices and what is fed in earn never less than nothing, and feeding in never more than drawing costs.
    pub(crate) ordinary_prices: bool,
}

/// Returns the household of a seed.
pub(crate) fn household(seed: u64, kinds: Kinds) -> Household {
    let mut dice = ChaCha8Rng::seed_from_u64(seed);
    let steps = kinds.steps;
    let devices = (0..dice.random_range(1..5)).map(|i| Device {
        id: format!("device {i}"),
        kind: if kinds.only_on_off { on_off(&mut dice, steps) } else { any(&mut dice, steps) },
    });
    let devices = devices.collect();
    let parts = HouseholdParts {
        id: format!("seed {seed}"),
        currency: "EUR".to_owned(),
        horizon: Horizon {
            start: jiff::Timestamp::UNIX_EPOCH,
            zone: gridtally_core::calendar::Zone::UTC,
            resolution_min: 15,
            day_of_step: labels(steps, 8),
            hour_of_step: labels(steps, 4),
        },
        site: Site {
            load_kw: series(&mut dice, steps, 0.1, 1.0),
            import_limit_kw: dice.random_range(8.0..25.0),
            export_limit_kw: dice.random_range(1.0..10.0),
            export_only_pv: dice.random_bool(0.2),
        },
        tariff: tariff(&mut dice, kinds),
        devices,
        wishes: Vec::new(),
    };
    Household::new(parts).expect("chance keeps within the possible")
}

/// Days and hours are short, so that a few steps have several of them.
fn labels(steps: usize, length: usize) -> Vec<u32> {
    (0..steps).map(|t| u32::try_from(t / length).expect("small")).collect()
}

fn series(dice: &mut impl Rng, steps: usize, least: f64, most: f64) -> Vec<f64> {
    (0..steps).map(|_| dice.random_range(least..most)).collect()
}

fn tariff(dice: &mut impl Rng, kinds: Kinds) -> Tariff {
    let least = if kinds.ordinary_prices { 0.05 } else { -0.3 };
    let import_price = series(dice, kinds.steps, least, 2.0);
    let factor = if kinds.ordinary_prices { 0.0..1.0 } else { -0.2..1.3 };
    let export_price =
        import_price.iter().map(|price| price * dice.random_range(factor.clone())).collect();
    let capacity = match dice.random_range(0..3) {
        0 => Capacity::Free,
        1 => Capacity::Peak(PeakPrice {
            price_per_kw: dice.random_range(0.0..5.0),
            peak_so_far_kw: dice.random_range(0.0..5.0),
            hour_so_far: HourSoFar::default(),
        }),
        _ => Capacity::DailyMaxSteps(DailyMaxSteps {
            history_daily_max_kw: (0..dice.random_range(0..4))
                .map(|_| dice.random_range(0.5..6.0))
                .collect(),
            steps: [(2.0, 1.0), (5.0, 2.0), (10.0, 4.0), (100.0, 9.0)]
                .map(|(upto_kw, fee)| CapacityStep { upto_kw, fee })
                .to_vec(),
            day_so_far_kw: 0.0,
            hour_so_far: HourSoFar::default(),
        }),
    };
    Tariff { import_price, export_price, capacity }
}

fn on_off(dice: &mut impl Rng, steps: usize) -> DeviceKind {
    if dice.random_bool(0.5) { cycle(dice, steps) } else { interruptible(dice, steps) }
}

fn any(dice: &mut impl Rng, steps: usize) -> DeviceKind {
    match dice.random_range(0..8) {
        0 => cycle(dice, steps),
        1 => interruptible(dice, steps),
        2 => modulating(dice, steps),
        3 | 4 => ev(dice, steps),
        5 => battery(dice),
        6 => thermal(dice, steps),
        _ => DeviceKind::Pv(Pv {
            available_kw: series(dice, steps, 0.0, 6.0),
            curtailable: dice.random_bool(0.5),
        }),
    }
}

fn cycle(dice: &mut impl Rng, steps: usize) -> DeviceKind {
    let profile_kw = series(dice, 3, 0.2, 2.5);
    let earliest_start = dice.random_range(0..steps / 2);
    let latest_end = dice.random_range(earliest_start + 3..=steps);
    let preferred_start = dice.random_range(earliest_start..=latest_end - 3);
    DeviceKind::Cycle(Cycle {
        profile_kw,
        earliest_start,
        latest_end,
        preferred_start,
        after: None,
    })
}

fn interruptible(dice: &mut impl Rng, steps: usize) -> DeviceKind {
    let first = dice.random_range(0..steps / 2);
    let on_steps = dice.random_range(1..=3);
    let end = dice.random_range(first + on_steps..=steps);
    DeviceKind::Interruptible(Interruptible {
        power_kw: dice.random_range(0.5..3.0),
        on_steps,
        window: [first, end],
        min_on_steps: dice.random_range(1..=on_steps),
        preferred_start: first,
        running_steps: 0,
    })
}

fn modulating(dice: &mut impl Rng, steps: usize) -> DeviceKind {
    let p_max_kw = dice.random_range(1.0..3.0);
    let p_min_kw = if dice.random_bool(0.3) { 0.5 } else { 0.0 };
    let energy_kwh = p_max_kw * 0.25 * dice.random_range(1.0..4.0);
    DeviceKind::Modulating(Modulating { p_max_kw, p_min_kw, energy_kwh, window: [0, steps] })
}

fn ev(dice: &mut impl Rng, steps: usize) -> DeviceKind {
    let arrival = dice.random_range(0..steps / 2);
    let departure = dice.random_range(arrival + steps / 4..=steps);
    let soc_arrival_kwh = dice.random_range(5.0..20.0);
    let room_kwh = 0.9 * 7.0 * 0.25 * f64::from(u32::try_from(departure - arrival).expect("small"));
    DeviceKind::Ev(Ev {
        capacity_kwh: 60.0,
        soc_min_kwh: 3.0,
        p_max_charge_kw: 7.0,
        p_min_charge_kw: if dice.random_bool(0.3) { 1.4 } else { 0.0 },
        eta_charge: 0.9,
        p_max_discharge_kw: if dice.random_bool(0.3) { 5.0 } else { 0.0 },
        eta_discharge: 0.92,
        wear_per_kwh: dice.random_range(0.0..0.3),
        sessions: vec![EvSession {
            arrival,
            departure,
            soc_arrival_kwh,
            soc_target_kwh: soc_arrival_kwh + room_kwh * dice.random_range(0.0..0.8),
            soc_min_by: Vec::new(),
        }],
    })
}

fn battery(dice: &mut impl Rng) -> DeviceKind {
    DeviceKind::Battery(Battery {
        capacity_kwh: 10.0,
        soc_min_kwh: 0.5,
        soc_max_kwh: 9.5,
        soc_init_kwh: 4.0,
        soc_final_min_kwh: dice.random_range(0.5..3.9),
        p_max_charge_kw: 5.0,
        p_max_discharge_kw: 4.0,
        eta_charge: 0.95,
        eta_discharge: 0.94,
        wear_per_kwh: dice.random_range(0.0..0.2),
        self_discharge_per_h: if dice.random_bool(0.5) { 0.0005 } else { 0.0 },
        terminal_value_per_kwh: if dice.random_bool(0.3) { 0.4 } else { 0.0 },
        charge_only_pv: false,
        preferred_mode: if dice.random_bool(0.5) {
            PreferredMode::Idle
        } else {
            PreferredMode::SelfConsumption
        },
    })
}

fn thermal(dice: &mut impl Rng, steps: usize) -> DeviceKind {
    let is_room = dice.random_bool(0.5);
    let model = if is_room {
        ThermalModel::Room(Room {
            c_kwh_per_k: 6.0,
            ua_kw_per_k: 0.15,
            outdoor_c: series(dice, steps, -5.0, 5.0),
            gain_kw: series(dice, steps, 0.0, 0.5),
        })
    } else {
        ThermalModel::Tank(Tank { loss_per_h: 0.01, draw_kw: series(dice, steps, 0.0, 1.5) })
    };
    let (state_init, least, most) = if is_room { (21.0, 19.0, 23.0) } else { (5.0, 1.0, 10.0) };
    DeviceKind::Thermal(Thermal {
        model,
        p_max_kw: 3.0,
        p_min_kw: if dice.random_bool(0.2) { 0.8 } else { 0.0 },
        cop: series(dice, steps, 2.0, 4.0),
        state_init,
        state_min: vec![least; steps],
        state_max: vec![most; steps],
        state_final_min: least,
        discomfort_price: dice.random_bool(0.3).then_some(0.8),
        preferred_state: state_init,
    })
}
