//! What is planned for a household.

use super::problem::Household;

/// The net power of each device in each step: consumption is positive, generation and discharge are negative.
#[derive(Debug, Clone, PartialEq)]
pub struct HouseholdPlan {
    /// Net power, kW; `device_kw.len() == devices`, each of `steps` values, in the order of the household's devices.
    pub device_kw: Vec<Vec<f64>>,
}

impl HouseholdPlan {
    /// Returns a plan in which every device rests.
    #[must_use]
    pub fn at_rest(household: &Household) -> Self {
        Self { device_kw: vec![vec![0.0; household.horizon.steps()]; household.devices.len()] }
    }

    /// Returns the net exchange with the grid in each step, kW: import is positive, export is negative.
    #[must_use]
    pub fn net_kw(&self, household: &Household) -> Vec<f64> {
        let mut net_kw = household.site.load_kw.clone();
        for device_kw in &self.device_kw {
            for (net_kw, device_kw) in net_kw.iter_mut().zip(device_kw) {
                *net_kw += device_kw;
            }
        }
        net_kw
    }
}
