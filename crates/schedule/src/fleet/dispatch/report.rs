//! What is reported of devices when a plan goes on.

use super::status::Status;
use crate::bounds::{Checked, MAGNITUDE_MAX, within, within_count};
use crate::fleet::problem::Fleet;
use crate::fleet::respond::FleetDevice;
use crate::refusal::{ProblemReason, ProblemRefused};

/// What is reported of a fleet at the beginning of a step. A device that is not named has followed its set-points.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FleetState {
    /// The reports, one for a device at most.
    pub devices: Vec<StateReport>,
}

/// What is reported of one device.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StateReport {
    /// Which.
    pub device: FleetDevice,
    /// Whether it follows; nothing where its set-points say so.
    pub standing: Option<Standing>,
    /// What is measured of it; nothing where it is what its set-points led to.
    pub state: Option<FleetStateOf>,
}

/// Whether a device follows its set-points.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Standing {
    /// It does, or does again.
    Follows,
    /// It does not.
    Out {
        /// Refused, expired or failed.
        status: Status,
        /// What it will draw as far as is known, kW, while it is there; what it drew last where nothing is known.
        power_kw: Option<f64>,
    },
    /// It is not there any more.
    Left,
}

/// The state of a device of each kind.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum FleetStateOf {
    /// What a car has drawn since it arrived, kWh.
    Ev(f64),
    /// The heat in a tank, kWh.
    Tank(f64),
    /// When a program was started, if it was.
    Cycle(Option<usize>),
    /// The state of charge of a car that gives back, kWh.
    V2g(f64),
    /// The temperature of a room, °C.
    Room(f64),
    /// The state of charge of a battery, kWh.
    Battery(f64),
}

impl FleetState {
    /// Refuses what cannot be reported of a fleet at the beginning of a step.
    pub(super) fn check(&self, fleet: &Fleet, at: usize) -> Checked {
        within_count("now", at, 0, fleet.steps() - 1)?;
        let mut devices = std::collections::BTreeSet::new();
        for (i, report) in self.devices.iter().enumerate() {
            let path = format!("devices[{i}]");
            let name = report.device.to_string();
            if !fleet.has(report.device) {
                return Err(ProblemRefused::new(path, ProblemReason::NoSuchDevice { name }));
            }
            if !devices.insert(report.device) {
                return Err(ProblemRefused::new(path, ProblemReason::Duplicate { name }));
            }
            if let Some(Standing::Out { power_kw: Some(power_kw), .. }) = report.standing {
                within(&format!("{path}.power_kw"), power_kw, -MAGNITUDE_MAX, MAGNITUDE_MAX)?;
            }
            if let Some(state) = report.state {
                check_state(&path, report.device, state, at)?;
            }
        }
        Ok(())
    }
}

fn check_state(path: &str, device: FleetDevice, state: FleetStateOf, at: usize) -> Checked {
    let of = |name: &str| format!("{path}.{name}");
    match (device, state) {
        (FleetDevice::Ev(_), FleetStateOf::Ev(kwh)) => {
            within(&of("drawn_kwh"), kwh, 0.0, MAGNITUDE_MAX)
        }
        (FleetDevice::Tank(_), FleetStateOf::Tank(kwh)) => {
            within(&of("heat_kwh"), kwh, 0.0, MAGNITUDE_MAX)
        }
        (FleetDevice::V2g(_), FleetStateOf::V2g(kwh))
        | (FleetDevice::Battery(_), FleetStateOf::Battery(kwh)) => {
            within(&of("soc_kwh"), kwh, 0.0, MAGNITUDE_MAX)
        }
        (FleetDevice::Room(_), FleetStateOf::Room(celsius)) => {
            within(&of("temperature_c"), celsius, -100.0, 100.0)
        }
        (FleetDevice::Cycle(_), FleetStateOf::Cycle(None)) => Ok(()),
        (FleetDevice::Cycle(_), FleetStateOf::Cycle(Some(start))) if at > 0 => {
            within_count(&of("started"), start, 0, at - 1)
        }
        _ => {
            let message = "this state is not that of such a device, or of no time yet".to_owned();
            Err(ProblemRefused::new(path, ProblemReason::Malformed { message }))
        }
    }
}
