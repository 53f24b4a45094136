//! Households: costs of the optimal and the preferred schedule, and the published ones before the checker.

use std::collections::BTreeMap;

use gridtally_schedule::household::{
    Household, HouseholdPlan, PlanError, PlanOptions, Requirement, check as judge, optimal,
    preferred,
};
use gridtally_schedule::solver::Microlp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::{Refused, Report};
use super::Comparison;

pub(super) fn check(document: &Value, text: &str) -> Result<Report, Refused> {
    let household = Household::from_json(text)?;
    let mut compared = Comparison::new(document);
    match optimal(&household, &[&Microlp], &PlanOptions { gap: 0.0, ..PlanOptions::REPORTED }) {
        Ok(found) => {
            compared.same("status", json!("optimal"));
            let cost = found.cost.total();
            compared.close("optimal_cost", cost);
            compared.close("dual_bound", found.bound);
            published(&mut compared, &household, "schedule_kw", cost);
            let plan = preferred(&household);
            let judged = judge(&household, &plan);
            compared.close("preferred_cost", judged.cost.total());
            compared.close("savings", judged.cost.total() - cost);
            for (member, requirement) in [
                ("preferred_import_excess_kw", Requirement::ImportLimit),
                ("preferred_export_excess_kw", Requirement::ExportLimit),
            ] {
                let broken =
                    judged.violations.iter().find(|violation| violation.requirement == requirement);
                compared.close(member, broken.map_or(0.0, |violation| violation.by));
            }
            published(&mut compared, &household, "preferred_schedule_kw", judged.cost.total());
        }
        Err(PlanError::Infeasible { .. }) => compared.same("status", json!("infeasible")),
        Err(error) => compared.same("status", json!(error.to_string())),
    }
    compared.report("household-oracle")
}

/// Judges a schedule of the document: it must cost the same, and the optimal one break nothing.
fn published(
    compared: &mut Comparison<'_>,
    household: &Household,
    member: &'static str,
    cost: f64,
) {
    let stated = compared.document.get("expected").and_then(|expected| expected.get(member));
    let Some(schedule_kw) =
        stated.and_then(|stated| BTreeMap::<String, Vec<f64>>::deserialize(stated).ok())
    else {
        return;
    };
    let rows = household
        .devices
        .iter()
        .map(|device| schedule_kw.get(&device.id).cloned().unwrap_or_default());
    let found = judge(household, &HouseholdPlan { device_kw: rows.collect() });
    // Six decimals for each step add up.
    let is_as_dear = (found.cost.total() - cost).abs() <= 2e-3;
    let is_possible = member != "schedule_kw" || found.violations.is_empty();
    let broken: Vec<_> = found.violations.iter().map(ToString::to_string).collect();
    let computed = json!({ "cost": found.cost.total(), "breaks": broken });
    compared.holds(member, computed, is_as_dear && is_possible);
}
