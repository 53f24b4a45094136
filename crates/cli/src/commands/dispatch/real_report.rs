//! What `gridtally dispatch --scenario` answers: charging on arrival beside the plan.

use std::io::{self, Write};

use anyhow::anyhow;
use gridtally_aggregator::scenario::SessionCounts;
use gridtally_schedule::fleet::FleetCheck;
use serde::Serialize;

use super::real::Compared;
use crate::error::CommandError;
use crate::output::Report;
use crate::output::number::{counted, to_six_decimals};
use crate::output::table::{Align, Table};

/// The answer where there is a plan.
#[derive(Debug, Serialize)]
pub(super) struct RealReport {
    id: String,
    currency: String,
    /// When the first step begins.
    start: String,
    zone: String,
    resolution_min: u32,
    steps: usize,
    sessions: SessionCounts,
    on_arrival: Way,
    planned: Way,
    savings: f64,
    bound: f64,
    gap: f64,
    rounds: usize,
    limit_kw: f64,
    on_arrival_kw: Vec<f64>,
    planned_kw: Vec<f64>,
    transformer_price_per_kwh: Vec<f64>,
    /// The session behind each car, in the order of the set-points.
    session_of_car: Vec<String>,
    /// What the checker finds broken: nothing.
    broken: usize,
    #[serde(skip)]
    days: String,
}

/// One way to charge.
#[derive(Debug, Serialize)]
struct Way {
    /// What the cars pay.
    cost: f64,
    /// Highest load of the transformer, kW.
    peak_kw: f64,
    /// How long it is above the limit, h.
    hours_above_limit: f64,
    /// What the cars charge, kWh.
    charged_kwh: f64,
}

impl RealReport {
    pub(super) fn new(compared: &Compared<'_>, checked: &FleetCheck) -> Self {
        let (chargers, plan) = (compared.chargers, compared.plan);
        let (fleet, horizon) = (&chargers.fleet, &chargers.horizon);
        let way = |cost: f64, load_kw: &[f64]| {
            let whole: f64 = load_kw.iter().sum();
            let others: f64 = fleet.base_load_kw.iter().sum();
            Way {
                cost: to_six_decimals(cost),
                peak_kw: to_six_decimals(load_kw.iter().copied().fold(0.0, f64::max)),
                hours_above_limit: compared.hours_above(load_kw),
                charged_kwh: to_six_decimals((whole - others) * fleet.step_h()),
            }
        };
        let rounded =
            |values: &[f64]| values.iter().map(|value| to_six_decimals(*value)).collect::<Vec<_>>();
        let shown = |step: usize| horizon.local(step).strftime("%a %-d %b %Y %H:%M").to_string();
        Self {
            id: fleet.id.clone(),
            currency: fleet.currency.clone(),
            start: horizon.start.to_string(),
            zone: horizon.zone.name().to_owned(),
            resolution_min: fleet.resolution_min,
            steps: fleet.steps(),
            sessions: chargers.counts.clone(),
            on_arrival: way(compared.cost_on_arrival, &compared.on_arrival_kw),
            planned: way(checked.cost, &compared.planned_kw),
            savings: to_six_decimals(compared.cost_on_arrival - checked.cost),
            bound: to_six_decimals(plan.bound),
            gap: plan.gap(),
            rounds: plan.rounds,
            limit_kw: fleet.transformer_limit_kw.iter().copied().fold(f64::INFINITY, f64::min),
            on_arrival_kw: rounded(&compared.on_arrival_kw),
            planned_kw: rounded(&compared.planned_kw),
            transformer_price_per_kwh: rounded(&plan.prices.transformer),
            session_of_car: chargers.sessions.clone(),
            broken: checked.devices.len() + checked.limits.len(),
            days: format!("{} to {} ({})", shown(0), shown(fleet.steps()), horizon.zone.name()),
        }
    }

    /// Refuses a plan that the checker does not let pass.
    pub(super) fn verdict(&self) -> Result<(), CommandError> {
        if self.broken == 0 {
            return Ok(());
        }
        let broken = counted(self.broken as u64, "requirement");
        Err(CommandError::refused(anyhow!(
            "the checker found {broken} broken: this plan must not be used"
        )))
    }

    /// Returns what was done to sessions that do not fit into their time or the span, as sentences.
    fn remarks(&self) -> Vec<String> {
        let sessions = &self.sessions;
        let of = |count: usize| counted(count as u64, "session");
        let remarks = [
            (
                sessions.over_the_border,
                format!(
                    "{} began before or ended after: they have what charging on arrival takes within, {:.1} kWh less.",
                    of(sessions.over_the_border),
                    sessions.outside_kwh
                ),
            ),
            (
                sessions.charged_before,
                format!("{} of those had charged all before.", of(sessions.charged_before)),
            ),
            (
                sessions.raised,
                format!(
                    "{} could not have charged so much in the time at the estimated power: it is raised.",
                    of(sessions.raised)
                ),
            ),
            (
                sessions.cut,
                format!(
                    "{} could not have charged so much in the time: {:.1} kWh are cut.",
                    of(sessions.cut),
                    sessions.cut_kwh
                ),
            ),
            (
                sessions.widened,
                format!(
                    "{} were there for no whole step, and have those that they touch.",
                    of(sessions.widened)
                ),
            ),
            (
                sessions.without_power,
                format!(
                    "{} have no estimate of their power: the scenario's is taken.",
                    of(sessions.without_power)
                ),
            ),
            (
                sessions.overlapping,
                format!(
                    "{} began while another of the same user went on: each is a car of its own.",
                    of(sessions.overlapping)
                ),
            ),
            (sessions.empty, format!("{} charged nothing and are left out.", of(sessions.empty))),
            (
                sessions.load_filled,
                format!(
                    "{} of the load were missing and are those of the week before.",
                    counted(sessions.load_filled as u64, "value")
                ),
            ),
        ];
        remarks.into_iter().filter(|(count, _)| *count > 0).map(|(_, remark)| remark).collect()
    }
}

impl Report for RealReport {
    fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        let currency = &self.currency;
        writeln!(out, "{}: {}", self.id, self.days)?;
        writeln!(
            out,
            "{} of {}, {} of {} min, at most {} kW through the transformer\n",
            counted(self.sessions.planned as u64, "session"),
            counted(self.sessions.users as u64, "user"),
            counted(self.steps as u64, "step"),
            self.resolution_min,
            self.limit_kw
        )?;
        let mut table = Table::new([
            (Align::Left, "the cars together"),
            (Align::Right, "on arrival"),
            (Align::Right, "planned"),
        ]);
        let (a, b) = (&self.on_arrival, &self.planned);
        let mut row = |name: &str, decimals: usize, of: fn(&Way) -> f64| {
            let [a, b] = [a, b].map(|way| format!("{:.decimals$}", of(way)));
            table.row([name.to_owned(), a, b]);
        };
        row(&format!("cost of charging, {currency}"), 2, |way| way.cost);
        row("charged, kWh", 1, |way| way.charged_kwh);
        row("highest load of the transformer, kW", 1, |way| way.peak_kw);
        row("above its limit, h", 2, |way| way.hours_above_limit);
        table.write(out)?;
        writeln!(
            out,
            "\nThe plan saves {currency} {:.2}, {:.1} %. No plan within the limit costs less than {currency} {:.2}: the gap is {:.4} %.",
            self.savings,
            100.0 * self.savings / self.on_arrival.cost.abs().max(1e-9),
            self.bound,
            self.gap * 100.0
        )?;
        self.remarks().iter().try_for_each(|remark| writeln!(out, "{remark}"))
    }
}
