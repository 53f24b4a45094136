//! Problems of households and fleets: whatever is read has a preferred schedule, and the checker judges that and worse without a panic.

use gridtally_schedule::fleet::{Fleet, uncontrolled_ev};
use gridtally_schedule::household::{Household, HouseholdPlan, check, preferred};

pub(crate) fn decode(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    for household in [Household::from_json(text), Household::from_toml(text)].into_iter().flatten()
    {
        let plan = preferred(&household);
        let found = check(&household, &plan);
        assert!(found.cost.total().is_finite());
        let rested = check(&household, &HouseholdPlan::at_rest(&household));
        assert!(rested.cost.total().is_finite());
        // The shape is part of what is judged.
        let short = check(&household, &HouseholdPlan { device_kw: Vec::new() });
        assert!(household.devices.is_empty() || !short.violations.is_empty());
    }
    if let Ok(fleet) = Fleet::from_json(text) {
        let (cost, peak_kw) = uncontrolled_ev(&fleet);
        assert!(cost.is_finite() && peak_kw.is_finite());
    }
}
