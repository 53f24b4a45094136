//! What each device contributes to a saving.

use super::check::check;
use super::device::{Device, DeviceKind, Pv};
use super::optimal::{PlanError, PlanOptions, optimal_watched};
use super::plan::HouseholdPlan;
use super::problem::Household;
use crate::solver::{SolveError, Solver};
use crate::watch::{Progress, Stage, Watch};

/// Returns what each device saves when it alone is planned and all others do as in `preferred`, in the currency of the household and in the
/// order of its devices. It is information: the shares do not add up to the saving. A device saves nothing that has no choice, or whose
/// wishes cannot be met beside what the others do. `None` is a device for which no time was left.
///
/// # Errors
///
/// Returns a [`PlanError`] when no solver works.
pub fn shares(
    household: &Household,
    preferred: &HouseholdPlan,
    solvers: &[&dyn Solver],
    options: &PlanOptions,
    watch: &dyn Watch,
) -> Result<Vec<Option<f64>>, PlanError> {
    let share = |i: usize| {
        watch.told(&Progress::counted(Stage::Shares, i, household.devices.len()));
        let (alone, as_before) = alone(household, preferred, i);
        match optimal_watched(&alone, solvers, options, watch) {
            Ok(found) if found.is_cut_short => Ok(None),
            Ok(found) => {
                let saving = check(&alone, &as_before).cost.total() - found.cost.total();
                Ok(Some(saving.max(0.0)))
            }
            Err(PlanError::Infeasible { .. }) => Ok(Some(0.0)),
            Err(PlanError::NoPlan { source: SolveError::TimeOver, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    };
    (0..household.devices.len()).map(share).collect()
}

/// Returns a household in which one device is left to plan, and its preferred plan. What other devices use is part of the load; panels stay
/// panels, without a choice.
fn alone(household: &Household, preferred: &HouseholdPlan, i: usize) -> (Household, HouseholdPlan) {
    let mut parts = household.clone().into_parts();
    let mut devices = Vec::new();
    let mut device_kw = Vec::new();
    for (k, (device, power_kw)) in household.devices.iter().zip(&preferred.device_kw).enumerate() {
        if k == i {
            let mut device = device.clone();
            if let DeviceKind::Cycle(cycle) = &mut device.kind {
                // The programs around it keep their times; its own window remains.
                cycle.after = None;
            }
            devices.push(device);
            device_kw.push(power_kw.clone());
        } else if let DeviceKind::Pv(_) = device.kind {
            let available_kw = power_kw.iter().map(|power| -power).collect();
            let kind = DeviceKind::Pv(Pv { available_kw, curtailable: false });
            devices.push(Device { id: device.id.clone(), kind });
            device_kw.push(power_kw.clone());
        } else {
            parts.site.load_kw.iter_mut().zip(power_kw).for_each(|(load, power)| *load += power);
        }
    }
    parts.devices = devices;
    let id = &household.devices[i].id;
    parts.wishes.retain(|wish| wish.device() == id);
    let plan = HouseholdPlan { device_kw };
    // The preferred schedule may be above the import limit, which is not this device's business.
    let highest = preferred.net_kw(household).into_iter().fold(0.0, f64::max);
    parts.site.import_limit_kw = parts.site.import_limit_kw.max(highest);
    let alone = Household::new(parts).expect("what is fixed was possible before");
    (alone, plan)
}
