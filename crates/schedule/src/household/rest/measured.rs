//! What is measured when part of a problem's time is over.

use std::collections::BTreeMap;

use super::metered::Metered;
use super::{has_state, no_such_device};
use crate::bounds::{Checked, MAGNITUDE_MAX, within, within_count};
use crate::household::device::{Device, DeviceKind};
use crate::household::problem::Household;
use crate::refusal::{ProblemReason, ProblemRefused};

/// The state of a household at the beginning of a step.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    /// What the meter of the connection showed.
    pub metered: Metered,
    /// The state of each device but panels, by its name.
    pub devices: BTreeMap<String, DeviceState>,
}

/// What is measured of a device; steps are those of the whole problem.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum DeviceState {
    /// Of a program.
    Cycle(CycleState),
    /// Of a load that is on or off.
    Interruptible {
        /// How many of its steps it was on.
        on_steps: usize,
        /// How many of these without a pause up to now; 0 where it is off.
        running_steps: usize,
    },
    /// Of a load that takes an amount of energy.
    Modulating {
        /// What it has taken, kWh.
        taken_kwh: f64,
    },
    /// Of a car.
    Ev(EvState),
    /// Of a battery.
    Battery {
        /// State of charge, kWh.
        soc_kwh: f64,
    },
    /// Of what is heated.
    Thermal {
        /// Temperature of a room, °C, or heat in a tank, kWh.
        state: f64,
    },
}

/// How far a program is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CycleState {
    /// It has not been started.
    Waiting,
    /// It was started in this step; it runs, or has ended.
    Started(usize),
}

/// Where a car is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum EvState {
    /// At the charger.
    Plugged {
        /// State of charge, kWh.
        soc_kwh: f64,
    },
    /// Away, until the next arrival of the problem that is not over.
    Away,
    /// Away during a stay of the problem: it is late.
    Late {
        /// The step in which it is expected now.
        arrives: usize,
    },
}

impl Measured {
    /// Refuses what cannot be measured of this household at the beginning of a step.
    pub(super) fn check(&self, household: &Household, at: usize) -> Checked {
        let is_device = |name: &String| {
            household.devices.iter().any(|other| other.id == *name && has_state(&other.kind))
        };
        if let Some(name) = self.devices.keys().find(|name| !is_device(name)) {
            return Err(no_such_device(name));
        }
        for device in household.devices.iter().filter(|device| has_state(&device.kind)) {
            let path = format!("device.{}", device.id);
            let Some(state) = self.devices.get(&device.id) else {
                let message = "the state of this device is missing".to_owned();
                return Err(ProblemRefused::new(path, ProblemReason::Malformed { message }));
            };
            check_state(&path, device, state, at)?;
        }
        self.metered.check(household, at)
    }
}

fn check_state(path: &str, device: &Device, state: &DeviceState, at: usize) -> Checked {
    match (&device.kind, *state) {
        (DeviceKind::Cycle(_), DeviceState::Cycle(CycleState::Waiting)) => Ok(()),
        (DeviceKind::Cycle(_), DeviceState::Cycle(CycleState::Started(start))) => {
            if at == 0 {
                let message = "nothing has started before the first step".to_owned();
                return Err(ProblemRefused::new(path, ProblemReason::Malformed { message }));
            }
            within_count(&format!("{path}.started"), start, 0, at - 1)
        }
        (
            DeviceKind::Interruptible(load),
            DeviceState::Interruptible { on_steps, running_steps },
        ) => {
            within_count(&format!("{path}.on_steps"), on_steps, 0, at)?;
            let most = on_steps + load.running_steps;
            within_count(&format!("{path}.running_steps"), running_steps, 0, most)
        }
        (DeviceKind::Modulating(_), DeviceState::Modulating { taken_kwh }) => {
            within(&format!("{path}.taken_kwh"), taken_kwh, 0.0, MAGNITUDE_MAX)
        }
        (DeviceKind::Ev(ev), DeviceState::Ev(EvState::Plugged { soc_kwh })) => {
            within(&format!("{path}.soc_kwh"), soc_kwh, 0.0, ev.capacity_kwh)?;
            if ev.sessions.iter().all(|session| session.departure <= at) {
                let message =
                    "the car is there, but the problem does not say when it leaves".to_owned();
                return Err(ProblemRefused::new(path, ProblemReason::Malformed { message }));
            }
            Ok(())
        }
        (DeviceKind::Ev(_), DeviceState::Ev(EvState::Away)) => Ok(()),
        (DeviceKind::Ev(ev), DeviceState::Ev(EvState::Late { arrives })) => {
            let stay = ev
                .sessions
                .iter()
                .find(|session| (session.arrival..session.departure).contains(&at));
            let last = stay.map_or(at, |stay| stay.departure - 1);
            within_count(&format!("{path}.arrives"), arrives, at, last)
        }
        (DeviceKind::Battery(battery), DeviceState::Battery { soc_kwh }) => {
            within(&format!("{path}.soc_kwh"), soc_kwh, 0.0, battery.capacity_kwh)
        }
        (DeviceKind::Thermal(_), DeviceState::Thermal { state }) => {
            within(&format!("{path}.state"), state, -MAGNITUDE_MAX, MAGNITUDE_MAX)
        }
        _ => {
            let message = "this state is of another kind of device".to_owned();
            Err(ProblemRefused::new(path, ProblemReason::Malformed { message }))
        }
    }
}
