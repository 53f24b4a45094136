//! What `gridtally dispatch` answers of households, for programs and for whoever runs the grid.

use std::collections::BTreeMap;
use std::io::{self, Write};

use anyhow::anyhow;
use gridtally_schedule::neighborhood::{
    Exceeded, Neighborhood, NeighborhoodCheck, NeighborhoodPlan,
};
use serde::Serialize;

use super::names;
use crate::commands::schedule::clock::clock;
use crate::error::CommandError;
use crate::output::Report;
use crate::output::number::{counted, money, to_six_decimals};
use crate::output::table::{Align, Table};

/// The answer where there is a plan.
#[derive(Debug, Serialize)]
pub(super) struct NeighborhoodReport {
    id: String,
    currency: String,
    status: &'static str,
    cost: f64,
    /// What all would pay without shared limits.
    cost_alone: f64,
    bound: Option<f64>,
    gap: Option<f64>,
    rounds: usize,
    peak_kw: f64,
    /// The peak without shared limits.
    peak_alone_kw: f64,
    limits: Vec<LimitReport>,
    households: Vec<HouseholdReport>,
    /// What the checker finds broken: nothing.
    broken: usize,
    #[serde(skip)]
    text: Text,
}

#[derive(Debug, Serialize)]
struct LimitReport {
    name: String,
    limit_kw: Vec<f64>,
    flow_kw: Vec<f64>,
    flow_alone_kw: Vec<f64>,
    price_per_kwh: Vec<f64>,
}

#[derive(Debug, Serialize)]
struct HouseholdReport {
    name: String,
    feeder: Option<String>,
    cost: f64,
    cost_alone: f64,
    net_kw: Vec<f64>,
    schedule_kw: BTreeMap<String, Vec<f64>>,
}

#[derive(Debug)]
struct Text {
    span: String,
    /// Limit, when, price.
    dearest: Vec<[String; 3]>,
}

/// How many households, and hours of a price, are shown as text.
const SHOWN_MAX: usize = 12;

impl NeighborhoodReport {
    pub(super) fn new(
        neighborhood: &Neighborhood,
        found: &NeighborhoodPlan,
        checked: &NeighborhoodCheck,
    ) -> Self {
        let horizon = &neighborhood.members()[0].household.horizon;
        let span = format!(
            "{}, {} of {} min from {} ({})",
            counted(neighborhood.households() as u64, "household"),
            counted(horizon.steps() as u64, "step"),
            horizon.resolution_min,
            horizon.local(0).strftime("%Y-%m-%d %H:%M"),
            horizon.zone.name(),
        );
        let limits = neighborhood.limits().iter().enumerate().map(|(l, limit)| LimitReport {
            name: limit.name.clone(),
            limit_kw: all_rounded(&limit.limit_kw),
            flow_kw: all_rounded(&found.flow_kw[l]),
            flow_alone_kw: all_rounded(&found.flow_alone_kw[l]),
            price_per_kwh: all_rounded(&found.prices[l]),
        });
        let households = names(neighborhood).into_iter().zip(&found.households);
        let households = households.map(|(name, one)| {
            let members = &neighborhood.members()[one.members];
            let devices = members.household.devices.iter().zip(&one.plan.device_kw);
            HouseholdReport {
                name,
                feeder: members.feeder.map(|f| neighborhood.limits()[f + 1].name.clone()),
                cost: to_six_decimals(one.cost),
                cost_alone: to_six_decimals(one.cost_alone),
                net_kw: all_rounded(&one.net_kw),
                schedule_kw: devices
                    .map(|(device, power_kw)| (device.id.clone(), all_rounded(power_kw)))
                    .collect(),
            }
        });
        let is_known = found.bound.is_finite();
        let peak_kw =
            |flow_kw: &[f64]| to_six_decimals(flow_kw.iter().copied().fold(0.0, f64::max));
        Self {
            id: neighborhood.id().to_owned(),
            currency: neighborhood.currency().to_owned(),
            status: if found.gap() <= 1e-9 { "optimal" } else { "feasible" },
            cost: to_six_decimals(checked.cost),
            cost_alone: to_six_decimals(found.cost_alone),
            bound: is_known.then(|| to_six_decimals(found.bound)),
            gap: is_known.then(|| found.gap()),
            rounds: found.rounds,
            peak_kw: peak_kw(&found.flow_kw[0]),
            peak_alone_kw: peak_kw(&found.flow_alone_kw[0]),
            limits: limits.collect(),
            households: households.collect(),
            broken: checked.violations.len() + checked.exceeded.len(),
            text: Text { span, dearest: dearest(neighborhood, found) },
        }
    }

    /// Refuses plans that the checker does not let pass.
    pub(super) fn verdict(&self) -> Result<(), CommandError> {
        if self.broken == 0 {
            return Ok(());
        }
        let broken = counted(self.broken as u64, "requirement");
        Err(CommandError::refused(anyhow!(
            "the checker found {broken} broken: these plans must not be used"
        )))
    }
}

/// Returns the hours in which limits cost most, the dearest first: limit, when, mean price of the hour.
fn dearest(neighborhood: &Neighborhood, found: &NeighborhoodPlan) -> Vec<[String; 3]> {
    let horizon = &neighborhood.members()[0].household.horizon;
    let mut priced = Vec::new();
    for (l, prices) in found.prices.iter().enumerate() {
        for hour in horizon.hours() {
            let steps = u32::try_from(hour.len()).map_or(1.0, f64::from);
            let mean = prices[hour.clone()].iter().sum::<f64>() / steps;
            if mean >= 5e-5 {
                priced.push((mean, l, hour));
            }
        }
    }
    priced.sort_by(|a, b| b.0.total_cmp(&a.0).then((a.1, a.2.start).cmp(&(b.1, b.2.start))));
    let shown = priced.into_iter().take(SHOWN_MAX).map(|(mean, l, hour)| {
        let when = format!("{} to {}", clock(horizon, hour.start), clock(horizon, hour.end));
        [neighborhood.limits()[l].name.clone(), when, format!("{mean:.4}")]
    });
    shown.collect()
}

impl Report for NeighborhoodReport {
    fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        let currency = &self.currency;
        writeln!(out, "{}: {}\n", self.id, self.text.span)?;
        writeln!(out, "  each for itself   {currency} {}", money(self.cost_alone))?;
        let more = self.cost - self.cost_alone;
        writeln!(
            out,
            "  planned together  {currency} {}: the limits cost {}",
            money(self.cost),
            money(more)
        )?;
        match (self.bound, self.gap) {
            (Some(bound), Some(gap)) => writeln!(
                out,
                "  bound             {currency} {}: no plan saves more than {:.4} %",
                money(bound),
                gap * 100.0
            )?,
            _ => writeln!(out, "  bound             none is known")?,
        }
        writeln!(
            out,
            "  peak              {:.1} kW each for itself, {:.1} kW planned",
            self.peak_alone_kw, self.peak_kw
        )?;
        let rounds = counted(self.rounds as u64, "round");
        writeln!(out, "  found in {rounds} of prices and answers\n")?;
        if self.text.dearest.is_empty() {
            writeln!(out, "  No limit has a price.\n")?;
        } else {
            let price = format!("{currency} per kWh");
            let mut table = Table::new([
                (Align::Left, "limit"),
                (Align::Left, "dearest hours"),
                (Align::Right, &price),
            ]);
            self.text.dearest.iter().for_each(|row| table.row(row.clone()));
            table.write(out)?;
            writeln!(out)?;
        }
        self.write_households(out)
    }
}

impl NeighborhoodReport {
    /// Those first whom the limits cost most.
    fn write_households(&self, out: &mut dyn Write) -> io::Result<()> {
        let [alone, cost] = ["alone", "together"].map(|way| format!("{way}, {}", self.currency));
        let mut table = Table::new([
            (Align::Left, "household"),
            (Align::Right, &alone),
            (Align::Right, &cost),
            (Align::Right, "more"),
        ]);
        let more = |one: &HouseholdReport| one.cost - one.cost_alone;
        let mut households: Vec<&HouseholdReport> = self.households.iter().collect();
        households.sort_by(|a, b| more(b).total_cmp(&more(a)));
        for one in households.iter().take(SHOWN_MAX) {
            let more = money(more(one).max(0.0));
            let [alone, cost] = [one.cost_alone, one.cost].map(money);
            table.row([one.name.clone(), alone, cost, more]);
        }
        table.write(out)?;
        match self.households.len().saturating_sub(SHOWN_MAX) {
            0 => Ok(()),
            rest => writeln!(out, "  and {}", counted(rest as u64, "more household")),
        }
    }
}

/// The answer where the limits leave too little.
#[derive(Debug, Serialize)]
pub(super) struct ExceededReport {
    id: String,
    status: &'static str,
    exceeded: Vec<ExceededStep>,
    #[serde(skip)]
    rows: Vec<[String; 4]>,
}

#[derive(Debug, Serialize)]
struct ExceededStep {
    limit: String,
    step: usize,
    limit_kw: f64,
    excess_kw: f64,
}

impl ExceededReport {
    pub(super) fn new(neighborhood: &Neighborhood, exceeded: &[Exceeded]) -> Self {
        let horizon = &neighborhood.members()[0].household.horizon;
        let step = |exceeded: &Exceeded| {
            let limit = &neighborhood.limits()[exceeded.limit];
            ExceededStep {
                limit: limit.name.clone(),
                step: exceeded.step,
                limit_kw: to_six_decimals(limit.limit_kw[exceeded.step]),
                excess_kw: to_six_decimals(exceeded.by_kw),
            }
        };
        let steps: Vec<ExceededStep> = exceeded.iter().map(step).collect();
        let row = |step: &ExceededStep| {
            [
                step.limit.clone(),
                clock(horizon, step.step),
                format!("{:.2}", step.limit_kw),
                format!("{:.2}", step.limit_kw + step.excess_kw),
            ]
        };
        let rows = steps.iter().map(row).collect();
        Self { id: neighborhood.id().to_owned(), status: "infeasible", exceeded: steps, rows }
    }
}

impl Report for ExceededReport {
    fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "{}: the limits leave too little\n", self.id)?;
        let mut table = Table::new([
            (Align::Left, "limit"),
            (Align::Right, "from"),
            (Align::Right, "has, kW"),
            (Align::Right, "this would do, kW"),
        ]);
        self.rows.iter().take(SHOWN_MAX).for_each(|row| table.row(row.clone()));
        table.write(out)?;
        match self.rows.len().saturating_sub(SHOWN_MAX) {
            0 => Ok(()),
            more => writeln!(out, "  and {}", counted(more as u64, "more step")),
        }
    }
}

fn all_rounded(values: &[f64]) -> Vec<f64> {
    values.iter().map(|value| to_six_decimals(*value)).collect()
}
