//! What people ask of their devices beyond what the devices need.

use serde::Deserialize;

/// A wish for one device.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Wish {
    /// It uses and gives nothing in these steps.
    Rests {
        /// Name of the device.
        device: String,
        /// The half-open range of steps.
        steps: [usize; 2],
    },
    /// It uses only what the sun gives beyond the inflexible load; several devices share that.
    OnlySurplus {
        /// Name of the device.
        device: String,
    },
    /// What it uses comes from the grid and the panels, never from a battery or car.
    NotFromBattery {
        /// Name of the device.
        device: String,
    },
    /// A battery, or a car while it is there, holds at least so much at the end of each of these steps.
    Holds {
        /// Name of the device.
        device: String,
        /// State of charge, kWh.
        soc_kwh: f64,
        /// The half-open range of steps.
        steps: [usize; 2],
    },
}

impl Wish {
    /// Returns the name of the device that it is about.
    #[must_use]
    pub fn device(&self) -> &str {
        match self {
            Self::Rests { device, .. }
            | Self::OnlySurplus { device }
            | Self::NotFromBattery { device }
            | Self::Holds { device, .. } => device,
        }
    }
}
