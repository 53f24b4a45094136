//! The checker of fleets: what a plan costs and what it breaks, computed from the powers of its devices alone.
//!
//! It shares no code with the solvers.

use super::master::Limit;
use super::problem::Fleet;
use super::respond::FleetDevice;

/// Power that is overlooked, kW for one device; for a limit it is relative, see [`check`].
const TOLERANCE_KW: f64 = 1e-4;
/// Energy that is overlooked, kWh.
const TOLERANCE_KWH: f64 = 1e-3;
/// Temperature that is overlooked, K.
const TOLERANCE_K: f64 = 1e-3;
/// Part of a limit that is overlooked.
const TOLERANCE_LIMIT: f64 = 1e-5;

/// What a plan of a fleet costs and breaks.
#[derive(Debug, Clone, PartialEq)]
pub struct FleetCheck {
    /// Cost of energy and wear.
    pub cost: f64,
    /// The load of the fleet in each step, kW.
    pub load_kw: Vec<f64>,
    /// Devices that do not do what they need, or what they cannot, and by how much, kW, kWh or K.
    pub devices: Vec<(FleetDevice, f64)>,
    /// Limits that are exceeded, in which step and by how much, kW.
    pub limits: Vec<(Limit, usize, f64)>,
}

/// Returns what the powers of all devices cost and break. A limit may be exceeded by a hundred-thousandth of it.
///
/// # Panics
///
/// Panics when there are not as many powers as devices.
#[must_use]
pub fn check(
    fleet: &Fleet,
    powers: impl IntoIterator<Item = (FleetDevice, Vec<f64>)>,
) -> FleetCheck {
    let steps = fleet.steps();
    let mut by_feeder_kw = vec![vec![0.0; steps]; fleet.feeders.len().max(1)];
    let mut found = FleetCheck {
        cost: 0.0,
        load_kw: vec![0.0; steps],
        devices: Vec::new(),
        limits: Vec::new(),
    };
    // By how much devices that are there could draw more; programs could not.
    let mut more_kw = vec![0.0; steps];
    let mut count = 0;
    for (device, power_kw) in powers {
        count += 1;
        let by = broken(fleet, device, &power_kw);
        if by > 0.0 {
            found.devices.push((device, by));
        }
        let wear_per_kwh = match device {
            FleetDevice::V2g(i) => fleet.v2gs.wear_per_kwh[i],
            FleetDevice::Battery(i) => fleet.batteries.wear_per_kwh[i],
            _ => 0.0,
        };
        let given: f64 = power_kw.iter().map(|power| (-power).max(0.0)).sum();
        found.cost += wear_per_kwh * given * fleet.step_h();
        if let Some((first, end, most_kw)) = could_draw(fleet, device) {
            for t in first..end {
                more_kw[t] += most_kw - power_kw[t];
            }
        }
        let feeder = &mut by_feeder_kw[device.feeder(fleet)];
        feeder.iter_mut().zip(&power_kw).for_each(|(sum, power)| *sum += power);
        found.load_kw.iter_mut().zip(&power_kw).for_each(|(sum, power)| *sum += power);
    }
    assert_eq!(count, fleet.devices(), "the power of each device");
    for t in 0..steps {
        found.cost += fleet.energy_price[t] * found.load_kw[t] * fleet.step_h();
        let mut note = |limit: Limit, over_kw: f64, of_kw: f64| {
            if over_kw > TOLERANCE_KW + TOLERANCE_LIMIT * of_kw.abs() {
                found.limits.push((limit, t, over_kw));
            }
        };
        let limit_kw = fleet.transformer_limit_kw[t];
        note(Limit::Transformer, fleet.base_load_kw[t] + found.load_kw[t] - limit_kw, limit_kw);
        for (f, feeder) in fleet.feeders.iter().enumerate() {
            let over = feeder.base_load_kw[t] + by_feeder_kw[f][t] - feeder.limit_kw[t];
            note(Limit::Feeder(f), over, feeder.limit_kw[t]);
        }
        if fleet.up_reserve_kw[t] != 0.0 {
            note(
                Limit::UpReserve,
                fleet.up_reserve_kw[t] - found.load_kw[t],
                fleet.up_reserve_kw[t],
            );
        }
        let down_kw = fleet.down_reserve_kw[t];
        if down_kw > 0.0 {
            note(Limit::DownReserve, down_kw - more_kw[t], down_kw.max(found.load_kw[t]));
        }
    }
    found
}

/// From when until when a device could draw how much, kW; nothing for programs.
fn could_draw(fleet: &Fleet, device: FleetDevice) -> Option<(usize, usize, f64)> {
    let always = |most_kw: f64| Some((0, fleet.steps(), most_kw));
    let (evs, v2gs) = (&fleet.evs, &fleet.v2gs);
    match device {
        FleetDevice::Ev(i) => {
            Some((evs.arrival[i] as usize, evs.departure[i] as usize, evs.p_max_kw[i]))
        }
        FleetDevice::V2g(i) => {
            Some((v2gs.arrival[i] as usize, v2gs.departure[i] as usize, v2gs.p_max_charge_kw[i]))
        }
        FleetDevice::Tank(i) => always(fleet.tanks.p_max_kw[i]),
        FleetDevice::Room(i) => always(fleet.rooms.p_max_kw[i]),
        FleetDevice::Battery(i) => always(fleet.batteries.p_max_charge_kw[i]),
        FleetDevice::Cycle(_) => None,
    }
}

/// By how much a device does what it cannot, or not what it needs; nothing where all is well.
fn broken(fleet: &Fleet, device: FleetDevice, power_kw: &[f64]) -> f64 {
    let step_h = fleet.step_h();
    let outside = |first: u32, end: u32, least: f64, most: f64| {
        let over = power_kw.iter().enumerate().map(|(t, &power)| {
            let is_there = (first as usize..end as usize).contains(&t);
            if is_there { (power - most).max(least - power) } else { power.abs() }
        });
        significant(over.fold(0.0, f64::max), TOLERANCE_KW)
    };
    match device {
        FleetDevice::Ev(i) => {
            let evs = &fleet.evs;
            let drawn: f64 = power_kw.iter().map(|power| power * step_h).sum();
            let missing = significant((drawn - evs.energy_kwh[i]).abs(), TOLERANCE_KWH);
            outside(evs.arrival[i], evs.departure[i], 0.0, evs.p_max_kw[i]).max(missing)
        }
        FleetDevice::Tank(i) => {
            let tanks = &fleet.tanks;
            let draw_kw = &fleet.tank_draw_profiles_kw[tanks.draw_profile[i] as usize];
            let left = (-tanks.loss_per_h[i] * step_h).exp();
            let mut heat_kwh = tanks.state_init_kwh[i];
            let mut by: f64 = 0.0;
            for (power, draw_kw) in power_kw.iter().zip(draw_kw) {
                heat_kwh = left * heat_kwh
                    + step_h * (tanks.cop[i] * power - draw_kw * tanks.draw_scale[i]);
                by = by.max(-heat_kwh).max(heat_kwh - tanks.state_max_kwh[i]);
            }
            by = by.max(tanks.state_final_min_kwh[i] - heat_kwh);
            let end = u32::try_from(power_kw.len()).unwrap_or(u32::MAX);
            significant(by, TOLERANCE_KWH).max(outside(0, end, 0.0, tanks.p_max_kw[i]))
        }
        FleetDevice::Cycle(i) => {
            let cycles = &fleet.cycles;
            let profile_kw = &fleet.cycle_profiles_kw[cycles.profile[i] as usize];
            let last = cycles.latest_end[i] as usize - profile_kw.len();
            let distance = |start: usize| {
                let planned = |t: usize| {
                    t.checked_sub(start).and_then(|k| profile_kw.get(k)).copied().unwrap_or(0.0)
                };
                power_kw
                    .iter()
                    .enumerate()
                    .map(|(t, power)| (power - planned(t)).abs())
                    .fold(0.0, f64::max)
            };
            let nearest = (cycles.earliest_start[i] as usize..=last)
                .map(distance)
                .fold(f64::INFINITY, f64::min);
            significant(nearest, TOLERANCE_KW)
        }
        FleetDevice::V2g(i) => {
            let cars = &fleet.v2gs;
            let mut soc_kwh = cars.soc_arrival_kwh[i];
            let mut by: f64 = 0.0;
            for &power in &power_kw[cars.arrival[i] as usize..cars.departure[i] as usize] {
                let (charge, discharge) = (power.max(0.0), (-power).max(0.0));
                soc_kwh +=
                    step_h * (cars.eta_charge[i] * charge - discharge / cars.eta_discharge[i]);
                by = by.max(cars.soc_min_kwh[i] - soc_kwh).max(soc_kwh - cars.soc_max_kwh[i]);
            }
            by = by.max(cars.soc_target_kwh[i] - soc_kwh);
            let (least, most) = (-cars.p_max_discharge_kw[i], cars.p_max_charge_kw[i]);
            significant(by, TOLERANCE_KWH).max(outside(
                cars.arrival[i],
                cars.departure[i],
                least,
                most,
            ))
        }
        FleetDevice::Room(i) => {
            let rooms = &fleet.rooms;
            let outdoor_c = &fleet.room_outdoor_profiles_c[rooms.outdoor_profile[i] as usize];
            let cop = &fleet.room_cop_profiles[rooms.cop_profile[i] as usize];
            let (c, ua) = (rooms.c_kwh_per_k[i], rooms.ua_kw_per_k[i]);
            let mut inside_c = rooms.state_init_c[i];
            let mut by_k: f64 = 0.0;
            for ((power, outdoor_c), cop) in power_kw.iter().zip(outdoor_c).zip(cop) {
                // With constant power the temperature goes toward this one.
                let toward_c = outdoor_c + cop * power / ua;
                inside_c = toward_c + (inside_c - toward_c) * (-ua * step_h / c).exp();
                by_k = by_k.max(rooms.state_min_c[i] - inside_c);
                by_k = by_k.max(inside_c - rooms.state_max_c[i]);
            }
            by_k = by_k.max(rooms.state_final_min_c[i] - inside_c);
            let end = u32::try_from(power_kw.len()).unwrap_or(u32::MAX);
            significant(by_k, TOLERANCE_K).max(outside(0, end, 0.0, rooms.p_max_kw[i]))
        }
        FleetDevice::Battery(i) => {
            let batteries = &fleet.batteries;
            let kept = (-batteries.self_discharge_per_h[i] * step_h).exp();
            let mut soc_kwh = batteries.soc_init_kwh[i];
            let mut by: f64 = 0.0;
            for &power in power_kw {
                let stored = if power >= 0.0 {
                    power * batteries.eta_charge[i]
                } else {
                    power / batteries.eta_discharge[i]
                };
                soc_kwh = soc_kwh * kept + stored * step_h;
                by = by.max(batteries.soc_min_kwh[i] - soc_kwh);
                by = by.max(soc_kwh - batteries.soc_max_kwh[i]);
            }
            by = by.max(batteries.soc_final_min_kwh[i] - soc_kwh);
            let end = u32::try_from(power_kw.len()).unwrap_or(u32::MAX);
            let (least, most) = (-batteries.p_max_discharge_kw[i], batteries.p_max_charge_kw[i]);
            significant(by, TOLERANCE_KWH).max(outside(0, end, least, most))
        }
    }
}

/// Nothing for what is overlooked.
fn significant(by: f64, tolerance: f64) -> f64 {
    if by > tolerance { by } else { 0.0 }
}
