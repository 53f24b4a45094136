//! What `gridtally schedule --scenario` answers: some days as preferred beside the plan.

use std::collections::BTreeMap;
use std::io::{self, Write};

use gridtally_aggregator::scenario::HomeCounts;
use gridtally_schedule::household::{Cost, Device, DeviceKind, Household, HouseholdPlan, Origin};
use serde::Serialize;

use super::real::Both;
use super::report::{broken, does};
use crate::output::Report;
use crate::output::number::{counted, money, to_six_decimals};
use crate::output::table::{Align, Table};

/// The answer where there is a plan.
#[derive(Debug, Serialize)]
pub(super) struct RealHomeReport {
    id: String,
    currency: String,
    status: &'static str,
    optimal_cost: f64,
    preferred_cost: f64,
    savings: f64,
    bound: Option<f64>,
    gap: Option<f64>,
    preferred: Way,
    planned: Way,
    data: HomeCounts,
    /// What the preferred schedule breaks.
    preferred_breaks: Vec<String>,
    schedule_kw: BTreeMap<String, Vec<f64>>,
    preferred_schedule_kw: BTreeMap<String, Vec<f64>>,
    #[serde(skip)]
    span: String,
    #[serde(skip)]
    rows: Vec<[String; 2]>,
}

/// One schedule.
#[derive(Debug, Serialize)]
struct Way {
    energy_cost: f64,
    wear_cost: f64,
    capacity_cost: f64,
    import_kwh: f64,
    export_kwh: f64,
    /// Mean import of the highest clock hour, kW.
    peak_hour_kw: f64,
}

impl Way {
    fn new(household: &Household, plan: &HouseholdPlan, cost: &Cost) -> Self {
        let (net_kw, step_h) = (plan.net_kw(household), household.horizon.step_h());
        let sum = |of: fn(f64) -> f64| {
            to_six_decimals(net_kw.iter().map(|power| of(*power)).sum::<f64>() * step_h)
        };
        let mean = |hour: std::ops::Range<usize>| {
            let steps = f64::from(u32::try_from(hour.len()).unwrap_or(u32::MAX));
            net_kw[hour].iter().map(|power| power.max(0.0)).sum::<f64>() / steps
        };
        Self {
            energy_cost: to_six_decimals(cost.energy),
            wear_cost: to_six_decimals(cost.wear),
            capacity_cost: to_six_decimals(cost.capacity),
            import_kwh: sum(|power| power.max(0.0)),
            export_kwh: sum(|power| (-power).max(0.0)),
            peak_hour_kw: to_six_decimals(
                household.horizon.hours().into_iter().map(mean).fold(0.0, f64::max),
            ),
        }
    }
}

impl RealHomeReport {
    pub(super) fn new(both: &Both<'_>) -> Self {
        let Both { home, found, preferred: (preferred_plan, preferred_check) } = both;
        let (household, horizon) = (&home.household, &home.household.horizon);
        let (cost, preferred_cost) = (found.cost.total(), preferred_check.cost.total());
        let is_known = found.bound.is_finite();
        let shown = |step: usize| horizon.local(step).strftime("%a %-d %b %Y %H:%M").to_string();
        let by_id = |plan: &HouseholdPlan| {
            let devices = household.devices.iter().map(|device| device.id.clone());
            let rounded =
                |row: &Vec<f64>| row.iter().map(|power| to_six_decimals(*power)).collect();
            devices.zip(plan.device_kw.iter().map(rounded)).collect()
        };
        let rows = household.devices.iter().zip(&found.plan.device_kw);
        Self {
            id: household.id.clone(),
            currency: household.currency.clone(),
            status: match found.origin {
                Origin::Preferred => "preferred",
                Origin::Solver if found.gap() <= 1e-9 => "optimal",
                Origin::Solver => "feasible",
            },
            optimal_cost: to_six_decimals(cost),
            preferred_cost: to_six_decimals(preferred_cost),
            savings: to_six_decimals(preferred_cost - cost),
            bound: is_known.then(|| to_six_decimals(found.bound)),
            gap: is_known.then(|| found.gap()),
            preferred: Way::new(household, preferred_plan, &preferred_check.cost),
            planned: Way::new(household, &found.plan, &found.cost),
            data: home.counts.clone(),
            preferred_breaks: preferred_check
                .violations
                .iter()
                .map(|violation| broken(household, violation))
                .collect(),
            schedule_kw: by_id(&found.plan),
            preferred_schedule_kw: by_id(preferred_plan),
            span: format!("{} to {} ({})", shown(0), shown(horizon.steps()), horizon.zone.name()),
            rows: rows
                .map(|(device, power_kw)| [device.id.clone(), did(household, device, power_kw)])
                .collect(),
        }
    }

    /// Returns what was done to stays that do not fit, as sentences.
    fn remarks(&self) -> Vec<String> {
        let data = &self.data;
        let of = |count: usize| counted(count as u64, "stay");
        let remarks = [
            (
                data.cut,
                format!(
                    "{} of the car could not take so much in the time: {:.1} kWh are cut.",
                    of(data.cut),
                    data.cut_kwh
                ),
            ),
            (
                data.over_the_border,
                format!(
                    "{} of the car began before or ended after: it has what charging on arrival takes within.",
                    of(data.over_the_border)
                ),
            ),
            (
                data.load_filled,
                format!(
                    "{} of the load were missing and are those of the week before.",
                    counted(data.load_filled as u64, "value")
                ),
            ),
        ];
        remarks.into_iter().filter(|(count, _)| *count > 0).map(|(_, remark)| remark).collect()
    }
}

/// Returns what a device does over some days: programs when, all others how much.
fn did(household: &Household, device: &Device, power_kw: &[f64]) -> String {
    let kwh = |of: fn(f64) -> f64| {
        power_kw.iter().map(|power| of(*power)).sum::<f64>() * household.horizon.step_h()
    };
    let (used, given) = (kwh(|power| power.max(0.0)), kwh(|power| (-power).max(0.0)));
    match &device.kind {
        DeviceKind::Ev(_) | DeviceKind::Battery(_) if given > 0.05 => {
            format!("charges {used:.1} kWh, gives back {given:.1} kWh")
        }
        DeviceKind::Ev(_) | DeviceKind::Battery(_) => format!("charges {used:.1} kWh"),
        _ => does(household, device, power_kw),
    }
}

impl Report for RealHomeReport {
    fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "{}: {}\n", self.id, self.span)?;
        let currency = &self.currency;
        let mut table = Table::new([
            (Align::Left, "the household"),
            (Align::Right, "as preferred"),
            (Align::Right, "planned"),
        ]);
        let (a, b) = (&self.preferred, &self.planned);
        let whole = [self.preferred_cost, self.optimal_cost].map(money);
        table.row([format!("cost, {currency}"), whole[0].clone(), whole[1].clone()]);
        let mut row = |name: &str, of: fn(&Way) -> f64| {
            let [a, b] = [a, b].map(|way| money(of(way)));
            table.row([name.to_owned(), a, b]);
        };
        row("  of it for energy", |way| way.energy_cost);
        row("  of it for the highest hour", |way| way.capacity_cost);
        row("  of it for wear", |way| way.wear_cost);
        row("from the grid, kWh", |way| way.import_kwh);
        row("fed in, kWh", |way| way.export_kwh);
        row("highest hour, kW", |way| way.peak_hour_kw);
        table.write(out)?;
        writeln!(out, "\nThe plan saves {currency} {}.", money(self.savings))?;
        for broken in &self.preferred_breaks {
            writeln!(out, "The preferred schedule is not possible: {broken}.")?;
        }
        match (self.status, self.bound) {
            ("optimal", _) => writeln!(out, "No plan costs less.")?,
            ("feasible", Some(bound)) => {
                writeln!(out, "No plan costs less than {currency} {}.", money(bound))?;
            }
            _ => writeln!(out, "No solver gave a plan: this is the preferred schedule.")?,
        }
        self.remarks().iter().try_for_each(|remark| writeln!(out, "{remark}"))?;
        writeln!(out)?;
        let mut table = Table::new([(Align::Left, "device"), (Align::Left, "what it does")]);
        self.rows.iter().for_each(|row| table.row(row.clone()));
        table.write(out)
    }
}
