//! Fleets: the cost, the bound, and what the published prices are worth.

use gridtally_schedule::fleet::{
    Fleet, FleetError, FleetOptions, LimitPrices, lagrangian, plan, uncontrolled_ev,
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::{Refused, Report};
use super::Comparison;

pub(super) fn check(document: &Value, text: &str) -> Result<Report, Refused> {
    let fleet = Fleet::from_json(text)?;
    let mut compared = Comparison::new(document);
    let has_programs = !fleet.cycles.profile.is_empty();
    let options = FleetOptions {
        // With programs the last digits take long; costs are compared to a millionth.
        gap: if has_programs { 1e-6 } else { 1e-7 },
        groups: 40,
        ..FleetOptions::default()
    };
    match plan(&fleet, &options) {
        Ok(found) => {
            compared.same("status", json!("optimal"));
            compared.close("optimal_cost", found.cost);
            // Between the relaxation and the optimum, and never above it.
            let lp_cost = number(document, "lp_cost");
            let is_bound = lp_cost
                .is_some_and(|lp_cost| found.bound >= lp_cost - 1e-4 * lp_cost.abs())
                && number(document, "optimal_cost")
                    .is_some_and(|optimum| found.bound <= optimum + 1e-4);
            compared.holds("lp_cost", json!(found.bound), is_bound);
        }
        Err(FleetError::Limits { .. }) => compared.same("status", json!("infeasible")),
        Err(error) => compared.same("status", json!(error.to_string())),
    }
    if let Some(prices) = prices(document, fleet.steps()) {
        let value = lagrangian(&fleet, &prices).map_err(|error| Refused::Input {
            at: "/expected/transformer_dual_per_kwh".to_owned(),
            expected: error.to_string(),
        })?;
        compared.close("lagrangian_at_dual", value);
    }
    let (cost, peak_kw) = uncontrolled_ev(&fleet);
    compared.close("uncontrolled_ev_cost", cost);
    compared.close("uncontrolled_peak_kw", peak_kw);
    compared.report("fleet-oracle")
}

fn number(document: &Value, member: &str) -> Option<f64> {
    document.get("expected")?.get(member)?.as_f64()
}

/// The prices of limits that the document has; nothing where they are not numbers.
fn prices(document: &Value, steps: usize) -> Option<LimitPrices> {
    let expected = document.get("expected")?;
    let series = |member: &str| Vec::<f64>::deserialize(expected.get(member)?).ok();
    Some(LimitPrices {
        transformer: series("transformer_dual_per_kwh")?,
        feeders: Vec::<Vec<f64>>::deserialize(expected.get("feeder_dual_per_kwh")?).ok()?,
        up_reserve: series("up_reserve_dual_per_kwh")?,
        // Answers to problems without this reserve do not name its price.
        down_reserve: series("down_reserve_dual_per_kwh").unwrap_or_else(|| vec![0.0; steps]),
    })
}
