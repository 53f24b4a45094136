//! The schedule of a household in which nobody plans.

use super::device::{
    Battery, Cycle, DeviceKind, Ev, Interruptible, Modulating, PreferredMode, Thermal,
};
use super::plan::HouseholdPlan;
use super::problem::Household;

/// Returns what happens without a plan, by fixed rules: panels give what they can, programs start when the user would, cars charge on
/// arrival, heaters hold the preferred state; then batteries follow the net load, and last panels are cut where more would be
/// fed in than is allowed.
///
/// The import limit may be exceeded, and a wish be missed: the checker tells.
#[must_use]
pub fn preferred(household: &Household) -> HouseholdPlan {
    let mut plan = HouseholdPlan::at_rest(household);
    let step_h = household.horizon.step_h();
    for (device, power_kw) in household.devices.iter().zip(&mut plan.device_kw) {
        match &device.kind {
            DeviceKind::Pv(pv) => {
                power_kw
                    .iter_mut()
                    .zip(&pv.available_kw)
                    .for_each(|(power, available)| *power = -available);
            }
            DeviceKind::Cycle(cycle) => run_cycle(cycle, power_kw),
            DeviceKind::Interruptible(load) => run_interruptible(load, power_kw),
            DeviceKind::Modulating(load) => run_modulating(load, power_kw, step_h),
            DeviceKind::Ev(ev) => charge_on_arrival(ev, power_kw, step_h),
            DeviceKind::Thermal(thermal) => hold_state(thermal, power_kw, step_h),
            DeviceKind::Battery(_) => {}
        }
    }
    let mut net_kw = plan.net_kw(household);
    for (device, power_kw) in household.devices.iter().zip(&mut plan.device_kw) {
        if let DeviceKind::Battery(battery) = &device.kind {
            follow_net_load(battery, power_kw, &mut net_kw, step_h);
        }
    }
    for (device, power_kw) in household.devices.iter().zip(&mut plan.device_kw) {
        let DeviceKind::Pv(pv) = &device.kind else { continue };
        if !pv.curtailable {
            continue;
        }
        for (power, net) in power_kw.iter_mut().zip(&mut net_kw) {
            let excess = (-*net - household.site.export_limit_kw).clamp(0.0, -*power);
            *power += excess;
            *net += excess;
        }
    }
    plan
}

fn run_cycle(cycle: &Cycle, power_kw: &mut [f64]) {
    let start = cycle.preferred_start;
    power_kw[start..start + cycle.profile_kw.len()].copy_from_slice(&cycle.profile_kw);
}

fn run_interruptible(load: &Interruptible, power_kw: &mut [f64]) {
    let start = load.preferred_start;
    power_kw[start..start + load.on_steps].fill(load.power_kw);
}

/// As few equal steps as the highest power allows, from the beginning of the window.
fn run_modulating(load: &Modulating, power_kw: &mut [f64], step_h: f64) {
    let [start, end] = load.window;
    let step_kwh_max = load.p_max_kw * step_h;
    let steps = (start..end).len();
    // A remainder of rounding is no step of its own.
    let needed = (1..=steps).find(|&n| count(n) * step_kwh_max >= load.energy_kwh - 1e-9);
    let needed = needed.unwrap_or(steps);
    if needed > 0 && load.energy_kwh > 0.0 {
        let power = (load.energy_kwh / (count(needed) * step_h)).min(load.p_max_kw);
        power_kw[start..start + needed].fill(power);
    }
}

#[expect(clippy::cast_precision_loss, reason = "numbers of steps")]
const fn count(steps: usize) -> f64 {
    steps as f64
}

fn charge_on_arrival(ev: &Ev, power_kw: &mut [f64], step_h: f64) {
    for session in &ev.sessions {
        let mut soc_kwh = session.soc_arrival_kwh;
        for power in &mut power_kw[session.arrival..session.departure] {
            let missing_kw = (session.soc_target_kwh - soc_kwh) / (ev.eta_charge * step_h);
            if missing_kw <= 1e-9 {
                break;
            }
            *power = missing_kw.min(ev.p_max_charge_kw).max(ev.p_min_charge_kw);
            soc_kwh += step_h * ev.eta_charge * *power;
        }
    }
}

fn hold_state(thermal: &Thermal, power_kw: &mut [f64], step_h: f64) {
    let mut state = thermal.state_init;
    for (t, power) in power_kw.iter_mut().enumerate() {
        let step = thermal.step(t, step_h);
        let unheated = step.retained * state + step.drift;
        let wanted = if step.gain_per_kw > 0.0 {
            (thermal.preferred_state - unheated) / step.gain_per_kw
        } else {
            0.0
        };
        *power = wanted.clamp(0.0, thermal.p_max_kw);
        if *power > 0.0 && *power < thermal.p_min_kw {
            let at_least = unheated + step.gain_per_kw * thermal.p_min_kw;
            *power = if at_least <= thermal.state_max[t] { thermal.p_min_kw } else { 0.0 };
        }
        state = unheated + step.gain_per_kw * *power;
    }
}

/// Charges what is left over and covers what is missing, but keeps the reserve that an optimal plan must keep too.
fn follow_net_load(battery: &Battery, power_kw: &mut [f64], net_kw: &mut [f64], step_h: f64) {
    if battery.preferred_mode == PreferredMode::Idle {
        return;
    }
    let retained = battery.retained(step_h);
    let floor_kwh = battery.soc_min_kwh.max(battery.soc_final_min_kwh);
    let mut soc_kwh = battery.soc_init_kwh;
    for (power, net) in power_kw.iter_mut().zip(net_kw) {
        let rest_kwh = retained * soc_kwh;
        let per_kw = battery.eta_charge * step_h;
        if *net < 0.0 || rest_kwh < floor_kwh {
            let wanted = (-*net).max((floor_kwh - rest_kwh) / per_kw);
            let room = (battery.soc_max_kwh - rest_kwh) / per_kw;
            *power = wanted.min(battery.p_max_charge_kw).min(room).max(0.0);
            soc_kwh = rest_kwh + per_kw * *power;
        } else {
            let above_kw = (rest_kwh - floor_kwh) * battery.eta_discharge / step_h;
            let given = net.min(battery.p_max_discharge_kw).min(above_kw).max(0.0);
            *power = -given;
            soc_kwh = rest_kwh - given * step_h / battery.eta_discharge;
        }
        *net += *power;
    }
}
