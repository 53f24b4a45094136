//! The rest of a problem: what is still to be planned when part of its time is over.
//!
//! What is over is fixed or drops out, stores begin with what is measured, and the capacity tariff counts what is metered. What no plan
//! can keep any more, whatever it does, is eased to what is possible and named.

mod cut;
mod document;
mod follow;
mod measured;
mod metered;
mod reach;

pub use measured::{CycleState, DeviceState, EvState, Measured};
pub use metered::Metered;

use std::collections::BTreeMap;

use self::cut::Cut;
use super::check::Violation;
use super::device::{Device, DeviceKind};
use super::horizon::Horizon;
use super::problem::{Household, HouseholdParts};
use super::site::Site;
use super::tariff::{Capacity, Tariff};
use super::wish::Wish;
use crate::bounds::within_count;
use crate::refusal::{ProblemReason, ProblemRefused};

/// What is left to plan.
#[derive(Debug, Clone, PartialEq)]
pub struct Rest {
    /// The household from the step on; programs that have ended are not in it.
    pub household: Household,
    /// What cannot be kept any more, whatever is done, and by how much it will be missed; its steps are those of the rest.
    pub missed: Vec<Violation>,
}

impl Household {
    /// Returns what is left to plan at the beginning of step `at`.
    ///
    /// At the first step with the states of the problem it is the problem itself. Programs that run have their start fixed and the rest of
    /// their profile left; loads have the steps or the energy left that they still need; cars that are there charge on from what is
    /// measured; wishes are cut to the time that is left.
    ///
    /// # Errors
    ///
    /// Returns the first field of the state that cannot be: in the order of the devices, then the metered import.
    pub fn from_step(&self, at: usize, measured: &Measured) -> Result<Rest, ProblemRefused> {
        within_count("now", at, 0, self.horizon.steps() - 1)?;
        measured.check(self, at)?;
        let mut cut = Cut::new(self, at, measured);
        let devices: Vec<Device> = self
            .devices
            .iter()
            .filter_map(|device| {
                let kind = cut.device(device)?;
                Some(Device { id: device.id.clone(), kind })
            })
            .collect();
        let Cut { missed, busy, added, .. } = cut;
        let wishes = self.wishes.iter().filter(|wish| is_device(&devices, wish.device()));
        let mut wishes: Vec<Wish> = wishes.filter_map(|wish| cut_wish(wish, at, &busy)).collect();
        wishes.extend(added);
        let household = Self::new(HouseholdParts {
            id: self.id.clone(),
            currency: self.currency.clone(),
            horizon: cut_horizon(&self.horizon, at),
            site: Site { load_kw: self.site.load_kw[at..].to_vec(), ..self.site.clone() },
            tariff: Tariff {
                import_price: self.tariff.import_price[at..].to_vec(),
                export_price: self.tariff.export_price[at..].to_vec(),
                capacity: measured.metered.capacity(self, at),
            },
            devices,
            wishes,
        })?;
        let mut rest = Rest { household, missed };
        rest.ease_holds();
        Ok(rest)
    }
}

impl Rest {
    /// Charges that a store is asked to hold and cannot reach in time: the wish begins when it can.
    fn ease_holds(&mut self) {
        let step_h = self.household.horizon.step_h();
        let mut parts = self.household.clone().into_parts();
        let left = parts.horizon.steps();
        let HouseholdParts { devices, wishes, .. } = &mut parts;
        for wish in wishes.iter_mut() {
            let Wish::Holds { device, soc_kwh, steps } = wish else { continue };
            let Some(found) = devices.iter().find(|other| other.id == *device) else { continue };
            let fullest = reach::fullest_kwh(&found.kind, left, step_h);
            let is_missed = |&t: &usize| {
                fullest[t].is_some_and(|fullest| fullest < *soc_kwh - reach::OVERLOOKED)
            };
            let Some(last) = (steps[0]..steps[1]).rfind(is_missed) else { continue };
            let by = fullest[steps[0]..=last]
                .iter()
                .flatten()
                .fold(0.0, |by, fullest| f64::max(by, *soc_kwh - fullest));
            self.missed.push(Violation {
                device: Some(device.clone()),
                requirement: super::check::Requirement::Holds,
                step: Some(steps[0]),
                by,
            });
            steps[0] = last + 1;
        }
        wishes.retain(|wish| !matches!(wish, Wish::Holds { steps, .. } if steps[0] >= steps[1]));
        if let Ok(eased) = Household::new(parts) {
            self.household = eased;
        }
    }
}

fn is_device(devices: &[Device], id: &str) -> bool {
    devices.iter().any(|device| device.id == id)
}

fn cut_horizon(horizon: &Horizon, at: usize) -> Horizon {
    Horizon {
        start: horizon.instant(at),
        zone: horizon.zone.clone(),
        resolution_min: horizon.resolution_min,
        day_of_step: horizon.day_of_step[at..].to_vec(),
        hour_of_step: horizon.hour_of_step[at..].to_vec(),
    }
}

/// Returns a wish for the steps that are left, nothing where it is over. A device that runs now and cannot stop is asked to rest only
/// afterwards.
fn cut_wish(wish: &Wish, at: usize, busy: &BTreeMap<String, usize>) -> Option<Wish> {
    let cut = |steps: &[usize; 2], from: usize| {
        let cut = [steps[0].saturating_sub(at).max(from), steps[1].saturating_sub(at)];
        // At the beginning nothing is cut, not even what is empty.
        (cut[0] < cut[1] || (at == 0 && from == 0)).then_some(cut)
    };
    match wish {
        Wish::Rests { device, steps } => {
            let busy = busy.get(device).copied().unwrap_or(0);
            cut(steps, if steps[0] < at + busy { busy } else { 0 })
                .map(|steps| Wish::Rests { device: device.clone(), steps })
        }
        Wish::Holds { device, soc_kwh, steps } => cut(steps, 0).map(|steps| Wish::Holds {
            device: device.clone(),
            soc_kwh: *soc_kwh,
            steps,
        }),
        Wish::OnlySurplus { .. } | Wish::NotFromBattery { .. } => Some(wish.clone()),
    }
}

/// Refuses a state of a device that the household does not have.
fn no_such_device(name: &str) -> ProblemRefused {
    let reason = ProblemReason::NoSuchDevice { name: name.to_owned() };
    ProblemRefused::new(format_args!("device.{name}"), reason)
}

/// Whether a device has a state: panels follow the sun.
const fn has_state(kind: &DeviceKind) -> bool {
    !matches!(kind, DeviceKind::Pv(_))
}

/// Whether the tariff counts what is metered.
const fn counts_import(capacity: &Capacity) -> bool {
    !matches!(capacity, Capacity::Free)
}
