//! What a household can move in time, and what it generates.

mod battery;
mod cycle;
mod ev;
mod interruptible;
mod modulating;
mod pv;
mod thermal;

pub use battery::{Battery, PreferredMode};
pub use cycle::{Cycle, CycleOrder};
pub use ev::{Ev, EvSession, SocMinBy};
pub use interruptible::Interruptible;
pub use modulating::Modulating;
pub use pv::Pv;
pub use thermal::{Room, Tank, Thermal, ThermalModel, ThermalStep};

/// A device under the name that its household gives it.
#[derive(Debug, Clone, PartialEq)]
pub struct Device {
    /// Its name, unique in the household.
    pub id: String,
    /// What it is.
    pub kind: DeviceKind,
}

/// The kinds of devices that a plan knows.
#[derive(Debug, Clone, PartialEq)]
pub enum DeviceKind {
    /// Solar panels.
    Pv(Pv),
    /// A program that runs through once it is started.
    Cycle(Cycle),
    /// A load that is on or off, for so many steps.
    Interruptible(Interruptible),
    /// A load that takes an amount of energy at any power.
    Modulating(Modulating),
    /// An electric car.
    Ev(Ev),
    /// A battery.
    Battery(Battery),
    /// A heat pump or heating element with what it heats.
    Thermal(Thermal),
}
