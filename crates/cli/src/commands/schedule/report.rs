//! What `gridtally schedule` answers, for programs and for a household.

use std::collections::BTreeMap;
use std::io::{self, Write};

use gridtally_schedule::household::{
    Check, Conflicting, Demand, Device, DeviceKind, Household, HouseholdPlan, Nearest, OptimalPlan,
    Origin, Violation, Wish,
};
use serde::Serialize;

use super::clock::clock;
use crate::output::Report;
use crate::output::number::{counted, to_six_decimals};
use crate::output::table::{Align, Table};

/// A plan with everything that is told of it.
#[derive(Debug)]
pub(super) struct Planned<'a> {
    pub(super) household: &'a Household,
    /// What cannot be kept any more, whatever is planned.
    pub(super) missed: &'a [Violation],
    pub(super) found: &'a OptimalPlan,
    pub(super) preferred: (&'a HouseholdPlan, &'a Check),
    /// What each device saves alone.
    pub(super) shares: &'a [f64],
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
    /// What cannot be kept any more, whatever is planned.
    missed: Vec<String>,
    /// What each device saves alone.
    shares: BTreeMap<String, f64>,
    conflicts: [String; 0],
    #[serde(skip)]
    text: Text,
}

#[derive(Debug)]
struct Text {
    span: String,
    rows: Vec<[String; 3]>,
}

impl ScheduleReport {
    pub(super) fn new(planned: &Planned<'_>) -> Self {
        let Planned {
            household,
            missed,
            found,
            preferred: (preferred_plan, preferred_check),
            shares,
        } = planned;
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
            [device.id.clone(), does(household, device, power_kw), money(*share)]
        });
        let by_id = |plan: &HouseholdPlan| {
            let devices = household.devices.iter().map(|device| device.id.clone());
            let rounded =
                |row: &Vec<f64>| row.iter().map(|power| to_six_decimals(*power)).collect();
            devices.zip(plan.device_kw.iter().map(rounded)).collect()
        };
        let devices = household.devices.iter().map(|device| device.id.clone());
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
            missed: missed.iter().map(|violation| broken(household, violation)).collect(),
            shares: devices.zip(shares.iter().map(|share| to_six_decimals(*share))).collect(),
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
        for missed in &self.missed {
            writeln!(out, "  Not possible any more: {missed}.")?;
        }
        match (self.status, self.bound) {
            ("optimal", _) => writeln!(out, "  No plan costs less.")?,
            ("feasible", Some(bound)) => {
                writeln!(out, "  No plan costs less than {currency} {}.", money(bound))?;
            }
            _ => writeln!(out, "  No solver gave a plan: this is the preferred schedule.")?,
        }
        writeln!(out)?;
        let saves = format!("saves alone, {currency}");
        let mut table = Table::new([
            (Align::Left, "device"),
            (Align::Left, "what it does"),
            (Align::Right, &saves),
        ]);
        self.text.rows.iter().for_each(|row| table.row(row.clone()));
        table.write(out)
    }
}

/// The answer where nothing is possible.
#[derive(Debug, Serialize)]
pub(super) struct ConflictReport {
    id: String,
    status: &'static str,
    conflicts: Vec<String>,
    /// What cannot be kept any more, whatever is planned.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    missed: Vec<String>,
}

impl ConflictReport {
    pub(super) fn new(household: &Household, conflicts: &[Conflicting]) -> Self {
        let conflicts = conflicts.iter().map(|found| conflicting(household, found)).collect();
        let missed = Vec::new();
        Self { id: household.id.clone(), status: "infeasible", conflicts, missed }
    }

    /// Returns the report with what cannot be kept any more.
    pub(super) fn with_missed(mut self, household: &Household, missed: &[Violation]) -> Self {
        self.missed = missed.iter().map(|violation| broken(household, violation)).collect();
        self
    }
}

impl Report for ConflictReport {
    fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "{}: not everything is possible together\n", self.id)?;
        self.conflicts.iter().try_for_each(|conflict| writeln!(out, "  - {conflict}"))?;
        self.missed
            .iter()
            .try_for_each(|missed| writeln!(out, "  Not possible any more: {missed}."))
    }
}

/// Returns a demand and what is possible instead, as a sentence without its full stop.
fn conflicting(household: &Household, found: &Conflicting) -> String {
    let asked = asked(household, &found.demand);
    let near: Vec<String> = found
        .nearest
        .iter()
        .map(|near| match near {
            Nearest::SocPercent(percent) => format!("{percent} % is"),
            Nearest::Until(step) => clock(&household.horizon, *step),
            Nearest::LimitKw(limit_kw) => format!("{limit_kw:.1} kW would do"),
            Nearest::WiderBy(by) => format!("{by:.1} more to either side would do"),
        })
        .collect();
    if near.is_empty() {
        return format!("{asked}: not possible");
    }
    format!("{asked}: not possible; {}", near.join(", or "))
}

fn asked(household: &Household, demand: &Demand) -> String {
    let horizon = &household.horizon;
    let ev = |id: &str| {
        household.devices.iter().find(|device| device.id == id).and_then(|device| {
            match &device.kind {
                DeviceKind::Ev(ev) => Some(ev),
                _ => None,
            }
        })
    };
    match demand {
        Demand::ImportLimit => {
            format!("at most {} kW from the grid", household.site.import_limit_kw)
        }
        Demand::ExportLimit => format!("at most {} kW fed in", household.site.export_limit_kw),
        Demand::ExportOnlyPv => "only own generation is fed in".to_owned(),
        Demand::Capacity => "the brackets of the capacity tariff".to_owned(),
        Demand::ChargeOnlyPv { device } => format!("{device} charges only what the panels give"),
        Demand::FinalSoc { device } => format!("{device} keeps its reserve at the end"),
        Demand::Band { device } => format!("{device} stays in its band"),
        Demand::FinalState { device } => format!("{device} ends as asked"),
        Demand::Runs { device } => format!("{device} runs in its window"),
        Demand::Order { device } => format!("{device} runs after the program before it"),
        Demand::SocMinBy { device, .. } => format!("{device} reaches its charge on the way"),
        Demand::Target { device, session } => ev(device).map_or_else(
            || device.clone(),
            |ev| {
                let stay = &ev.sessions[*session];
                let percent = 100.0 * stay.soc_target_kwh / ev.capacity_kwh;
                format!("{device} at {percent:.0} % by {}", clock(horizon, stay.departure))
            },
        ),
        Demand::Wish { index } => match &household.wishes[*index] {
            Wish::Rests { device, steps } => {
                format!(
                    "{device} rests from {} to {}",
                    clock(horizon, steps[0]),
                    clock(horizon, steps[1])
                )
            }
            Wish::OnlySurplus { device } => format!("{device} runs only on surplus"),
            Wish::NotFromBattery { device } => format!("{device} is never fed from a battery"),
            Wish::Holds { device, soc_kwh, steps } => format!(
                "{device} holds {soc_kwh} kWh from {} to {}",
                clock(horizon, steps[0]),
                clock(horizon, steps[1])
            ),
        },
    }
}

/// Returns a requirement that a schedule breaks, from when on, and by how much in the unit of the requirement.
fn broken(household: &Household, violation: &Violation) -> String {
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
fn does(household: &Household, device: &Device, power_kw: &[f64]) -> String {
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

fn money(value: f64) -> String {
    format!("{:.2}", to_six_decimals(value))
}
