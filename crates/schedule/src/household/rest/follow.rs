//! The state in which a plan leaves a household that follows it.

use std::collections::BTreeMap;

use super::has_state;
use super::measured::{CycleState, DeviceState, EvState, Measured};
use super::metered::Metered;
use crate::household::device::{Device, DeviceKind};
use crate::household::plan::HouseholdPlan;
use crate::household::problem::Household;

impl Measured {
    /// Returns the state at the beginning of step `at` when each device has done what a plan says.
    ///
    /// # Panics
    ///
    /// Panics when the plan is not one of this household.
    #[must_use]
    pub fn after(household: &Household, plan: &HouseholdPlan, at: usize) -> Self {
        let import_kw: Vec<f64> =
            plan.net_kw(household)[..at].iter().map(|net| net.max(0.0)).collect();
        let step_h = household.horizon.step_h();
        let devices = household.devices.iter().zip(&plan.device_kw);
        let devices: BTreeMap<String, DeviceState> = devices
            .filter(|(device, _)| has_state(&device.kind))
            .map(|(device, power_kw)| {
                (device.id.clone(), followed(device, &power_kw[..at], step_h))
            })
            .collect();
        Self { metered: Metered::from_import(household, &import_kw), devices }
    }
}

/// Power that is overlooked, kW.
const OVERLOOKED_KW: f64 = 1e-6;

fn followed(device: &Device, power_kw: &[f64], step_h: f64) -> DeviceState {
    let at = power_kw.len();
    let stored = |soc_kwh: f64, power: &f64, eta: (f64, f64)| {
        soc_kwh + step_h * (eta.0 * power.max(0.0) - (-power).max(0.0) / eta.1)
    };
    match &device.kind {
        DeviceKind::Pv(_) => unreachable!("panels have no state"),
        DeviceKind::Cycle(cycle) => {
            // A profile may begin with nothing.
            let lead = cycle.profile_kw.iter().take_while(|power| **power <= OVERLOOKED_KW).count();
            let first = power_kw.iter().position(|power| *power > OVERLOOKED_KW);
            DeviceState::Cycle(first.map_or(CycleState::Waiting, |first| {
                CycleState::Started(first.saturating_sub(lead))
            }))
        }
        DeviceKind::Interruptible(load) => {
            let is_on = |power: &&f64| **power > load.power_kw / 2.0;
            let on_steps = power_kw.iter().filter(is_on).count();
            let running = power_kw.iter().rev().take_while(is_on).count();
            let before = if running == at { load.running_steps } else { 0 };
            DeviceState::Interruptible { on_steps, running_steps: running + before }
        }
        DeviceKind::Modulating(_) => DeviceState::Modulating {
            taken_kwh: power_kw.iter().map(|power| power.max(0.0) * step_h).sum(),
        },
        DeviceKind::Ev(ev) => {
            let stay = ev
                .sessions
                .iter()
                .find(|session| (session.arrival..session.departure).contains(&at));
            DeviceState::Ev(stay.map_or(EvState::Away, |stay| {
                let charged =
                    power_kw[stay.arrival..].iter().fold(stay.soc_arrival_kwh, |soc, power| {
                        stored(soc, power, (ev.eta_charge, ev.eta_discharge))
                    });
                EvState::Plugged { soc_kwh: charged.clamp(0.0, ev.capacity_kwh) }
            }))
        }
        DeviceKind::Battery(battery) => {
            let retained = battery.retained(step_h);
            let soc_kwh = power_kw.iter().fold(battery.soc_init_kwh, |soc, power| {
                stored(retained * soc, power, (battery.eta_charge, battery.eta_discharge))
            });
            DeviceState::Battery { soc_kwh: soc_kwh.clamp(0.0, battery.capacity_kwh) }
        }
        DeviceKind::Thermal(thermal) => {
            let next = |state: f64, (t, power): (usize, &f64)| {
                let step = thermal.step(t, step_h);
                step.retained * state + step.gain_per_kw * power + step.drift
            };
            let state = power_kw.iter().enumerate().fold(thermal.state_init, next);
            DeviceState::Thermal { state }
        }
    }
}
