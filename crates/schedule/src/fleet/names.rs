//! What the devices and feeders of a fleet are called.

use super::master::Limit;
use super::respond::FleetDevice;
use crate::bounds::{Checked, name};

/// Names by kind, in the order of the devices. Where one is missing, kind and number are the name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FleetNames {
    /// Of cars that only charge.
    pub evs: Vec<String>,
    /// Of tanks.
    pub tanks: Vec<String>,
    /// Of programs.
    pub cycles: Vec<String>,
    /// Of cars that give back.
    pub v2gs: Vec<String>,
    /// Of rooms.
    pub rooms: Vec<String>,
    /// Of batteries.
    pub batteries: Vec<String>,
    /// Of feeders.
    pub feeders: Vec<String>,
}

impl FleetNames {
    /// Returns what a device is called.
    #[must_use]
    pub fn device(&self, device: FleetDevice) -> String {
        let name = match device {
            FleetDevice::Ev(i) => self.evs.get(i),
            FleetDevice::Tank(i) => self.tanks.get(i),
            FleetDevice::Cycle(i) => self.cycles.get(i),
            FleetDevice::V2g(i) => self.v2gs.get(i),
            FleetDevice::Room(i) => self.rooms.get(i),
            FleetDevice::Battery(i) => self.batteries.get(i),
        };
        name.cloned().unwrap_or_else(|| device.to_string())
    }

    /// Returns what a limit is called.
    #[must_use]
    pub fn limit(&self, limit: Limit) -> String {
        match limit {
            Limit::Transformer => "transformer".to_owned(),
            Limit::Feeder(f) => self
                .feeders
                .get(f)
                .map_or_else(|| format!("feeder {f}"), |name| format!("feeder {name}")),
            Limit::UpReserve => "reserve".to_owned(),
            Limit::DownReserve => "down reserve".to_owned(),
        }
    }

    /// Names reach terminals, tables and pictures.
    pub(crate) fn check(&self) -> Checked {
        let kinds = [
            ("ev", &self.evs),
            ("tank", &self.tanks),
            ("cycle", &self.cycles),
            ("v2g", &self.v2gs),
            ("room", &self.rooms),
            ("battery", &self.batteries),
            ("feeders", &self.feeders),
        ];
        for (kind, names) in kinds {
            for (i, found) in names.iter().enumerate() {
                name(&format!("{kind}[{i}].name"), found)?;
            }
        }
        Ok(())
    }
}
