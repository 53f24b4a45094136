//! A fleet whose day has begun: what is left is planned again, and only what changes is told.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use gridtally_schedule::fleet::Fleet;
use gridtally_schedule::fleet::dispatch::{
    FleetState, Record, Replan, ReplanError, ReplanOptions, replan,
};
use serde::Serialize;

use super::{Arguments, set_points};
use crate::context::Context;
use crate::error::{Blame, CommandError};
use crate::input::read_bounded;
use crate::output::Report;
use crate::output::number::{counted, money, to_six_decimals};
use crate::output::table::{Align, Table};

/// Largest state that is read, in bytes after unpacking.
const STATE_BYTES_MAX: u64 = 1 << 28;

/// When it is, what was told, and what is reported.
#[derive(Debug, clap::Args)]
pub(super) struct AgainArguments {
    /// Plan the rest again, from this step on: its number, or a clock time such as 20:30
    #[arg(long, value_name = "TIME", conflicts_with = "plot")]
    now: Option<String>,
    /// What was told before: a table that --set-points wrote; without it nothing was
    #[arg(long, value_name = "FILE.csv", requires = "now")]
    previous: Option<PathBuf>,
    /// What is reported now: JSON of the schema gridtally-fleet-state-1; who is not named has followed
    #[arg(long, value_name = "FILE.json", requires = "now")]
    state: Option<PathBuf>,
    /// Tell few devices something new as long as that costs no more than this part beyond a new plan of all
    #[arg(long, value_name = "PART", requires = "now", default_value_t = ReplanOptions::default().keep_within, value_parser = crate::arguments::gap)]
    keep_within: f64,
}

impl AgainArguments {
    pub(super) const fn is_asked(&self) -> bool {
        self.now.is_some()
    }

    fn step(&self, fleet: &Fleet) -> Result<usize, CommandError> {
        let now = self.now.as_deref().unwrap_or_default();
        let found = now.parse::<usize>().ok().or_else(|| {
            let (hours, minutes) = now.split_once(':')?;
            let (hours, minutes): (u32, u32) = (hours.parse().ok()?, minutes.parse().ok()?);
            let is_clock =
                hours < 24 && minutes < 60 && minutes.is_multiple_of(fleet.resolution_min);
            let later = (hours + 24 - fleet.start_clock_h) % 24 * 60 + minutes;
            is_clock.then_some((later / fleet.resolution_min) as usize)
        });
        found.filter(|step| *step < fleet.steps()).ok_or_else(|| {
            let steps = fleet.steps();
            CommandError::usage(anyhow!(
                "--now: {now:?} is no step of {steps}, and none begins then"
            ))
        })
    }
}

pub(super) fn run(
    fleet: &Fleet,
    arguments: &Arguments,
    context: &Context,
) -> Result<(), CommandError> {
    let again = &arguments.again;
    let at = again.step(fleet)?;
    let previous = match &again.previous {
        Some(path) => set_points::read(path, fleet)?,
        None => Record::default(),
    };
    let state = match &again.state {
        Some(path) => read_state(path, fleet, at)?,
        None => FleetState::default(),
    };
    let options = ReplanOptions { plan: arguments.options(), keep_within: again.keep_within };
    let found = replan(fleet, at, &previous, &state, &options).map_err(|error| match error {
        ReplanError::Refused(refused) => CommandError::refused(refused),
        ReplanError::Plan(error) => CommandError::refused(error),
    })?;
    if let Some(path) = &arguments.set_points {
        set_points::write(path, fleet, &found.record)?;
    }
    context.output.report(&AgainReport::new(fleet, at, &previous, &found))
}

fn read_state(path: &Path, fleet: &Fleet, at: usize) -> Result<FleetState, CommandError> {
    let content = read_bounded(path, STATE_BYTES_MAX)?;
    let shown = path.display();
    let text =
        str::from_utf8(&content).with_context(|| format!("{shown} is not UTF-8")).or_refused()?;
    FleetState::from_json(text, fleet, at).map_err(|refused| {
        CommandError::refused(anyhow::Error::new(refused).context(shown.to_string()))
    })
}

/// A plan that goes on, for programs and for an aggregator.
#[derive(Debug, Serialize)]
struct AgainReport {
    id: String,
    currency: String,
    now: usize,
    version: u32,
    cost: f64,
    bound: f64,
    /// What is to be sent.
    set_points: Vec<NewSetPoint>,
    /// Who does less or more than it was told, and who makes up for it, by step.
    replaced: Vec<Replaced>,
    exceeded: Vec<Exceeded>,
    unmet: Vec<UnmetDevice>,
    load_kw: Vec<f64>,
    /// Devices that are told something new.
    #[serde(skip)]
    told: usize,
}

#[derive(Debug, Serialize)]
struct NewSetPoint {
    device: &'static str,
    number: usize,
    name: String,
    from: usize,
    until: usize,
    power_kw: f64,
}

#[derive(Debug, Serialize)]
struct Replaced {
    step: usize,
    /// What devices do otherwise that do not follow, kW.
    out: Vec<Difference>,
    /// What the others do otherwise, kW.
    by: Vec<Difference>,
}

#[derive(Debug, Serialize)]
struct Difference {
    device: &'static str,
    number: usize,
    name: String,
    kw: f64,
}

#[derive(Debug, Serialize)]
struct Exceeded {
    limit: String,
    step: usize,
    excess_kw: f64,
}

#[derive(Debug, Serialize)]
struct UnmetDevice {
    device: &'static str,
    number: usize,
    name: String,
    missing_kwh: f64,
    late_steps: usize,
}

impl AgainReport {
    fn new(fleet: &Fleet, at: usize, previous: &Record, found: &Replan) -> Self {
        let is_new = found.version > previous.version();
        let new = found
            .record
            .iter()
            .filter(|(_, set_point)| is_new && set_point.version == found.version);
        let set_points: Vec<NewSetPoint> = new
            .map(|(device, set_point)| {
                let name = fleet.names.device(device);
                let (device, number) = device.word();
                let (from, until) = (set_point.from, set_point.until);
                NewSetPoint { device, number, name, from, until, power_kw: set_point.power_kw }
            })
            .collect();
        let told = set_points.chunk_by(|a, b| (a.device, a.number) == (b.device, b.number)).count();
        let mut replaced: BTreeMap<usize, Replaced> = BTreeMap::new();
        for change in &found.changes {
            let step = change.step;
            let at_step =
                replaced.entry(step).or_insert(Replaced { step, out: Vec::new(), by: Vec::new() });
            let (device, number) = change.device.word();
            let kw = to_six_decimals(change.after_kw - change.before_kw);
            let side = if change.is_out { &mut at_step.out } else { &mut at_step.by };
            let name = fleet.names.device(change.device);
            side.push(Difference { device, number, name, kw });
        }
        let exceeded = found.exceeded.iter().map(|&(limit, step, kw)| Exceeded {
            limit: fleet.names.limit(limit),
            step,
            excess_kw: to_six_decimals(kw),
        });
        let unmet = found.unmet.iter().map(|unmet| {
            let (device, number) = unmet.device.word();
            let missing_kwh = to_six_decimals(unmet.missing_kwh);
            let name = fleet.names.device(unmet.device);
            UnmetDevice { device, number, name, missing_kwh, late_steps: unmet.late_steps }
        });
        Self {
            id: fleet.id.clone(),
            currency: fleet.currency.clone(),
            now: at,
            version: found.version,
            cost: to_six_decimals(found.cost),
            bound: to_six_decimals(found.bound),
            set_points,
            replaced: replaced.into_values().collect(),
            exceeded: exceeded.collect(),
            unmet: unmet.collect(),
            load_kw: found.load_kw.iter().map(|kw| to_six_decimals(*kw)).collect(),
            told,
        }
    }
}

/// How many rows of a table are shown.
const SHOWN_MAX: usize = 20;

impl Report for AgainReport {
    fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        let currency = &self.currency;
        writeln!(out, "{}: the rest, from step {} on\n", self.id, self.now)?;
        writeln!(out, "  cost   {currency} {}", money(self.cost))?;
        writeln!(out, "  bound  {currency} {}", money(self.bound))?;
        if self.set_points.is_empty() {
            writeln!(out, "  Nobody is told anything new: version {} goes on.", self.version)?;
        } else {
            let (points, devices) = (self.set_points.len() as u64, self.told as u64);
            writeln!(
                out,
                "  {} to send to {}: version {}",
                counted(points, "set-point"),
                counted(devices, "device"),
                self.version
            )?;
        }
        if self.replaced.iter().any(|replaced| !replaced.out.is_empty()) {
            let mut table = Table::new([
                (Align::Right, "step"),
                (Align::Left, "who does not follow, kW"),
                (Align::Left, "who does otherwise, kW"),
            ]);
            for Replaced { step, out, by } in self.replaced.iter().take(SHOWN_MAX) {
                table.row([step.to_string(), differences(out), differences(by)]);
            }
            writeln!(out)?;
            table.write(out)?;
            more(out, self.replaced.len(), "more step")?;
        }
        if !self.exceeded.is_empty() {
            let mut table = Table::new([
                (Align::Left, "limit that cannot be kept"),
                (Align::Right, "step"),
                (Align::Right, "exceeded by, kW"),
            ]);
            for Exceeded { limit, step, excess_kw } in self.exceeded.iter().take(SHOWN_MAX) {
                table.row([limit.clone(), step.to_string(), format!("{excess_kw:.1}")]);
            }
            writeln!(out)?;
            table.write(out)?;
            more(out, self.exceeded.len(), "more step")?;
        }
        if !self.unmet.is_empty() {
            let mut table = Table::new([
                (Align::Left, "who does not get what it needs"),
                (Align::Right, "misses, kWh"),
                (Align::Right, "late, steps"),
            ]);
            for unmet in self.unmet.iter().take(SHOWN_MAX) {
                let UnmetDevice { name, missing_kwh, late_steps, .. } = unmet;
                table.row([name.clone(), format!("{missing_kwh:.2}"), late_steps.to_string()]);
            }
            writeln!(out)?;
            table.write(out)?;
            more(out, self.unmet.len(), "more device")?;
        }
        Ok(())
    }
}

/// How many devices of a step are named.
const NAMED_MAX: usize = 3;
/// Less than this is not shown, kW.
const SHOWN_KW: f64 = 0.05;

fn differences(differences: &[Difference]) -> String {
    // The most first.
    let mut shown: Vec<&Difference> =
        differences.iter().filter(|difference| difference.kw.abs() >= SHOWN_KW).collect();
    shown.sort_by(|a, b| b.kw.abs().total_cmp(&a.kw.abs()));
    let mut named: Vec<String> = shown
        .iter()
        .take(NAMED_MAX)
        .map(|Difference { name, kw, .. }| format!("{name}: {kw:+.1}"))
        .collect();
    if let Some(rest) = shown.get(NAMED_MAX..).filter(|rest| !rest.is_empty()) {
        let kw: f64 = rest.iter().map(|difference| difference.kw).sum();
        named.push(format!("{} more: {kw:+.1}", rest.len()));
    }
    named.join(", ")
}

fn more(out: &mut dyn Write, count: usize, of: &str) -> io::Result<()> {
    match count.saturating_sub(SHOWN_MAX) {
        0 => Ok(()),
        more => writeln!(out, "  and {}", counted(more as u64, of)),
    }
}
