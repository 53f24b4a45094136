//! What `gridtally schedule` answers, for programs and for a household.

use std::collections::BTreeMap;
use std::io::{self, Write};

use gridtally_schedule::household::{
    Check, Device, DeviceKind, DeviceReasons, Household, HouseholdPlan, OptimalPlan, Origin,
    Violation,
};
use serde::Serialize;

use super::clock::clock;
use super::reasons::{ReasonReport, Words};
use crate::output::Report;
use crate::output::number::{counted, money, to_six_decimals};
use crate::output::wrapped::write_wrapped;

/// A plan with everything that is told of it.
#[derive(Debug)]
pub(super) struct Planned<'a> {
    pub(super) household: &'a Household,
    pub(super) found: &'a OptimalPlan,
    pub(super) preferred: (&'a HouseholdPlan, &'a Check),
    /// What each device saves alone, where there was time to find it.
    pub(super) shares: &'a [Option<f64>],
    /// Why each device does what it does, where there was time to find it.
    pub(super) reasons: &'a [Option<DeviceReasons>],
}

/// The answer where there is a plan.
#[derive(Debug, Serialize)]
pub(super) struct ScheduleReport {
    id: String,
    currency: String,
    status: &'static str,
    optimal_cost: f64,
    preferred_cost: f64,
    savings: f64,
    bound: Option<f64>,
    gap: Option<f64>,
    schedule_kw: BTreeMap<String, Vec<f64>>,
    preferred_schedule_kw: BTreeMap<String, Vec<f64>>,
    /// What the preferred schedule breaks.
    preferred_breaks: Vec<String>,
    /// What each device saves alone; nothing where the time was over.
    shares: BTreeMap<String, Option<f64>>,
    /// Why each device does what it does; nothing where the time was over.
    reasons: BTreeMap<String, Option<ReasonReport>>,
    /// Whether the time was over before the gap was reached that was asked for.
    is_cut_short: bool,
    /// What solvers said that failed.
    solver_failures: Vec<String>,
    conflicts: [String; 0],
    #[serde(skip)]
    text: Text,
}

#[derive(Debug)]
struct Text {
    span: String,
    rows: Vec<Row>,
}

/// A device: its name, and what is told of it.
#[derive(Debug)]
struct Row {
    name: String,
    does: String,
    share: Option<f64>,
}

impl ScheduleReport {
    pub(super) fn new(planned: &Planned<'_>) -> Self {
        let Planned { household, found, preferred, shares, reasons } = planned;
        let (preferred_plan, preferred_check) = preferred;
        let cost = found.cost.total();
        let is_known = found.bound.is_finite();
        let horizon = &household.horizon;
        let span = format!(
            "{} of {} min from {} ({})",
            counted(horizon.steps() as u64, "step"),
            horizon.resolution_min,
            horizon.local(0).strftime("%Y-%m-%d %H:%M"),
            horizon.zone.name(),
        );
        let rows = household.devices.iter().zip(&found.plan.device_kw).zip(*shares);
        let rows = rows.map(|((device, power_kw), share)| {
            let (name, does) = (device.id.clone(), does(household, device, power_kw));
            Row { name, does, share: *share }
        });
        let by_id = |plan: &HouseholdPlan| {
            let devices = household.devices.iter().map(|device| device.id.clone());
            let rounded =
                |row: &Vec<f64>| row.iter().map(|power| to_six_decimals(*power)).collect();
            devices.zip(plan.device_kw.iter().map(rounded)).collect()
        };
        let names = || household.devices.iter().map(|device| device.id.clone());
        let words = Words { household, plan: &found.plan, cost: &found.cost };
        let reasons = household.devices.iter().zip(*reasons).map(|(device, reasons)| {
            reasons.as_ref().map(|reasons| ReasonReport::new(&words, device, reasons))
        });
        Self {
            id: household.id.clone(),
            currency: household.currency.clone(),
            status: match found.origin {
                Origin::Preferred => "preferred",
                Origin::Solver if found.gap() <= 1e-9 => "optimal",
                Origin::Solver => "feasible",
            },
            optimal_cost: to_six_decimals(cost),
            preferred_cost: to_six_decimals(preferred_check.cost.total()),
            savings: to_six_decimals(preferred_check.cost.total() - cost),
            bound: is_known.then(|| to_six_decimals(found.bound)),
            gap: is_known.then(|| found.gap()),
            schedule_kw: by_id(&found.plan),
            preferred_schedule_kw: by_id(preferred_plan),
            preferred_breaks: preferred_check
                .violations
                .iter()
                .map(|violation| broken(household, violation))
                .collect(),
            shares: names().zip(shares.iter().map(|share| share.map(to_six_decimals))).collect(),
            reasons: names().zip(reasons).collect(),
            is_cut_short: found.is_cut_short,
            solver_failures: found.failures.iter().map(ToString::to_string).collect(),
            conflicts: [],
            text: Text { span, rows: rows.collect() },
        }
    }
}

impl Report for ScheduleReport {
    fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        let currency = &self.currency;
        writeln!(out, "{}: {}\n", self.id, self.text.span)?;
        writeln!(out, "  as preferred  {currency} {}", money(self.preferred_cost))?;
        writeln!(out, "  planned       {currency} {}", money(self.optimal_cost))?;
        let saves = if self.preferred_breaks.is_empty() { "you save    " } else { "would save  " };
        writeln!(out, "  {saves}  {currency} {}", money(self.savings))?;
        for broken in &self.preferred_breaks {
            writeln!(out, "  The preferred schedule is not possible: {broken}.")?;
        }
        self.write_proof(out)?;
        let width = self.text.rows.iter().map(|row| row.name.chars().count()).max().unwrap_or(0);
        let indent = " ".repeat(width + 4);
        for row in &self.text.rows {
            let name = format!("  {:<width$}  ", row.name);
            let alone = match row.share {
                Some(share) if share >= 5e-3 => format!("; alone it saves {}", money(share)),
                _ => String::new(),
            };
            writeln!(out)?;
            write_wrapped(out, &name, &indent, &format!("{}{alone}.", row.does))?;
            let reasons = self.reasons.get(&row.name).and_then(Option::as_ref);
            let sentences = reasons.iter().flat_map(|reasons| &reasons.sentences);
            for sentence in sentences.take(SENTENCES_SHOWN) {
                write_wrapped(out, &indent, &indent, &format!("{}.", capitalized(sentence)))?;
            }
        }
        Ok(())
    }
}

impl ScheduleReport {
    /// How good the plan is, and where it comes from.
    fn write_proof(&self, out: &mut dyn Write) -> io::Result<()> {
        let currency = &self.currency;
        let less = |bound: f64| format!("No plan costs less than {currency} {}", money(bound));
        if self.is_cut_short {
            writeln!(out, "  The time was over: this is the best that was found.")?;
        }
        for failure in &self.solver_failures {
            writeln!(out, "  A solver was of no use: {failure}.")?;
        }
        match (self.status, self.bound, self.gap) {
            ("optimal", ..) => writeln!(out, "  No plan costs less.")?,
            ("feasible", Some(bound), Some(gap)) => {
                writeln!(out, "  {}: the gap is {:.4} %.", less(bound), gap * 100.0)?;
            }
            ("feasible", ..) => writeln!(out, "  How far the cheapest is, is not known.")?,
            (_, bound, _) => {
                writeln!(out, "  No solver gave a plan: this is the preferred schedule.")?;
                if let Some(bound) = bound {
                    writeln!(out, "  {}.", less(bound))?;
                }
            }
        }
        Ok(())
    }
}

fn capitalized(sentence: &str) -> String {
    let mut letters = sentence.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// Returns a requirement that a schedule breaks, from when on, and by how much in the unit of the requirement.
pub(super) fn broken(household: &Household, violation: &Violation) -> String {
    let device = violation.device.as_ref().map_or_else(String::new, |device| format!("{device}: "));
    let from = violation
        .step
        .map_or_else(String::new, |step| format!(", from {} on", clock(&household.horizon, step)));
    format!(
        "{device}{} by {:.3} {}{from}",
        violation.requirement,
        violation.by,
        violation.requirement.unit()
    )
}

/// Power that is shown as none, kW.
const SHOWN_KW: f64 = 1e-3;

/// Returns what a device does, in words: energy, and when, with the mean price where it uses some.
pub(super) fn does(household: &Household, device: &Device, power_kw: &[f64]) -> String {
    let step_h = household.horizon.step_h();
    let used: f64 = power_kw.iter().map(|power| power.max(0.0) * step_h).sum();
    let given: f64 = power_kw.iter().map(|power| (-power).max(0.0) * step_h).sum();
    let when = |is_on: &dyn Fn(f64) -> bool| spans(household, power_kw, is_on);
    let uses = |verb: &str| format!("{verb} {used:.1} kWh {}", when(&|power| power > SHOWN_KW));
    let gives = |verb: &str| format!("{verb} {given:.1} kWh {}", when(&|power| power < -SHOWN_KW));
    match (&device.kind, used > SHOWN_KW, given > SHOWN_KW) {
        (DeviceKind::Pv(pv), ..) => {
            let available: f64 = pv.available_kw.iter().map(|power| power * step_h).sum();
            let left = available - given;
            if left > 0.05 {
                format!("gives {given:.1} of {available:.1} kWh")
            } else {
                format!("gives {given:.1} kWh")
            }
        }
        (DeviceKind::Cycle(_), true, _) => when(&|power| power > SHOWN_KW),
        (DeviceKind::Ev(_) | DeviceKind::Battery(_), true, true) => {
            format!("{}; {}", uses("charges"), gives("gives back"))
        }
        (DeviceKind::Ev(_) | DeviceKind::Battery(_), true, false) => uses("charges"),
        (DeviceKind::Ev(_) | DeviceKind::Battery(_), false, true) => gives("gives back"),
        (_, true, _) => uses("uses"),
        _ => "rests".to_owned(),
    }
}

/// How many reasons of a device are shown as text.
const SENTENCES_SHOWN: usize = 2;
/// How many spans are named.
const SPANS_SHOWN: usize = 3;

/// Returns when something is so: `01:15 to 04:30, 05:00 to 06:00 and 4 more times`.
fn spans(household: &Household, power_kw: &[f64], is_on: &dyn Fn(f64) -> bool) -> String {
    let mut spans = Vec::new();
    let mut step = 0;
    for run in power_kw.chunk_by(|a, b| is_on(*a) == is_on(*b)) {
        if is_on(run[0]) {
            spans.push((step, step + run.len()));
        }
        step += run.len();
    }
    let named = spans.iter().take(SPANS_SHOWN).map(|&(start, end)| {
        format!("{} to {}", clock(&household.horizon, start), clock(&household.horizon, end))
    });
    let named = named.collect::<Vec<_>>().join(", ");
    match spans.len().saturating_sub(SPANS_SHOWN) {
        0 => named,
        more => format!("{named} and {}", counted(more as u64, "more time")),
    }
}
