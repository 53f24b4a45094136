//! How far stores get at full power: what no plan can exceed.

use crate::household::device::{Battery, DeviceKind, Ev, EvSession, Thermal};

/// Energy or temperature that is overlooked, kWh or K: what the checker overlooks.
pub(super) const OVERLOOKED: f64 = 1e-3;

/// Returns the state of charge of a battery at the end of each step if it charges all the time, kWh.
pub(super) fn battery_kwh(battery: &Battery, steps: usize, step_h: f64) -> Vec<f64> {
    let retained = battery.retained(step_h);
    let gain_kwh = step_h * battery.eta_charge * battery.p_max_charge_kw;
    let next = |soc: &mut f64, _| {
        *soc = (retained * *soc + gain_kwh).min(battery.soc_max_kwh.max(retained * *soc));
        Some(*soc)
    };
    (0..steps).scan(battery.soc_init_kwh, next).collect()
}

/// Returns the state of charge of a car at the end of each step of a stay if it charges all the time, kWh.
pub(super) fn session_kwh(ev: &Ev, session: &EvSession, step_h: f64) -> Vec<f64> {
    let gain_kwh = step_h * ev.eta_charge * ev.p_max_charge_kw;
    let next = |soc: &mut f64, _| {
        *soc = (*soc + gain_kwh).min(ev.capacity_kwh);
        Some(*soc)
    };
    (session.arrival..session.departure).scan(session.soc_arrival_kwh, next).collect()
}

/// Returns the states of a heater at the end of each step at a constant power, °C or kWh.
pub(super) fn heated(thermal: &Thermal, power_kw: f64, steps: usize, step_h: f64) -> Vec<f64> {
    let next = |state: &mut f64, t: usize| {
        let step = thermal.step(t, step_h);
        *state = step.retained * *state + step.gain_per_kw * power_kw + step.drift;
        Some(*state)
    };
    (0..steps).scan(thermal.state_init, next).collect()
}

/// Returns the most that a store can hold at the end of each step, kWh; nothing where it is away or stores nothing.
pub(super) fn fullest_kwh(kind: &DeviceKind, steps: usize, step_h: f64) -> Vec<Option<f64>> {
    let mut fullest = vec![None; steps];
    match kind {
        DeviceKind::Battery(battery) => {
            let all = battery_kwh(battery, steps, step_h);
            fullest.iter_mut().zip(all).for_each(|(fullest, soc)| *fullest = Some(soc));
        }
        DeviceKind::Ev(ev) => {
            for session in &ev.sessions {
                let all = session_kwh(ev, session, step_h);
                let stay = &mut fullest[session.arrival..session.departure];
                stay.iter_mut().zip(all).for_each(|(fullest, soc)| *fullest = Some(soc));
            }
        }
        _ => {}
    }
    fullest
}
