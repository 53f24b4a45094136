//! What others leave a household of a limit that they share.

use super::plan::HouseholdPlan;
use super::problem::Household;

/// Most that a household should draw in each step, and what it costs to draw more. Below zero it should feed in at least as much.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Headroom {
    /// Net import in each step, kW.
    pub(crate) net_kw: Vec<f64>,
    /// Currency per kWh beyond it.
    pub(crate) excess_price: f64,
}

impl Headroom {
    /// Returns what a plan pays for what it draws beyond the headroom.
    pub(crate) fn excess_cost(&self, household: &Household, plan: &HouseholdPlan) -> f64 {
        let net_kw = plan.net_kw(household);
        let excess = net_kw.iter().zip(&self.net_kw).map(|(net, most)| (net - most).max(0.0));
        self.excess_price * excess.sum::<f64>() * household.horizon.step_h()
    }
}
