//! What is said where not everything is possible: which demands, and what would do instead.

use std::io::{self, Write};

use gridtally_schedule::household::{
    Capacity, Conflict, Conflicting, Demand, DeviceKind, EvSession, Household, Nearest, Wish,
};
use serde::Serialize;

use super::clock::clock;
use crate::output::Report;

/// The answer where nothing is possible.
#[derive(Debug, Serialize)]
pub(super) struct ConflictReport {
    id: String,
    status: &'static str,
    conflicts: Vec<String>,
    /// Whether none of them can be left out; else the time was over before all were tried.
    is_smallest: bool,
}

impl ConflictReport {
    pub(super) fn new(household: &Household, found: &Conflict) -> Self {
        Self {
            id: household.id.clone(),
            status: "infeasible",
            conflicts: sentences(household, found),
            is_smallest: found.is_smallest,
        }
    }
}

impl Report for ConflictReport {
    fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "{}: not everything is possible together\n", self.id)?;
        self.conflicts.iter().try_for_each(|conflict| writeln!(out, "  - {conflict}"))?;
        if !self.is_smallest {
            writeln!(out, "\n  The time was over before all were tried: some of them may be met.")?;
        }
        Ok(())
    }
}

/// Returns each demand of a conflict with what would do instead.
pub(super) fn sentences(household: &Household, found: &Conflict) -> Vec<String> {
    found.conflicting.iter().map(|found| conflicting(household, found)).collect()
}

/// Returns a demand and what is possible instead, as a sentence without its full stop.
fn conflicting(household: &Household, found: &Conflicting) -> String {
    let asked = asked(household, &found.demand);
    let at = |step: usize| clock(&household.horizon, step);
    // Where a rest ends earlier or a car may leave later, the same word says which.
    let near: Vec<String> = found
        .nearest
        .iter()
        .map(|near| match *near {
            Nearest::SocPercent(percent) => format!("{percent} % is"),
            Nearest::Until(step) => format!("by {}", at(step)),
            Nearest::From(step) => format!("from {} on", at(step)),
            Nearest::LimitKw(limit_kw) => format!("{limit_kw:.1} kW would do"),
            Nearest::WiderBy(by) => format!("{by:.1} more to either side would do"),
            Nearest::State(state) => format!("{state:.1} is"),
            Nearest::EnergyKwh(kwh) => format!("{kwh:.1} kWh is"),
            Nearest::OnSteps(steps) => {
                format!("{} is", hours(household, steps))
            }
            Nearest::PauseSteps(steps) => {
                format!("a pause of {} would do", hours(household, steps))
            }
        })
        .collect();
    match (near.is_empty(), is_all_or_nothing(household, &found.demand)) {
        (true, true) => format!("{asked}: not possible; only without it"),
        (true, false) => format!("{asked}: not possible"),
        _ => format!("{asked}: not possible; {}", near.join(", or ")),
    }
}

/// A number of steps as a time.
fn hours(household: &Household, steps: usize) -> String {
    let minutes = steps as u64 * u64::from(household.horizon.resolution_min);
    format!("{}:{:02} h", minutes / 60, minutes % 60)
}

/// Whether a demand can only be met or given up.
fn is_all_or_nothing(household: &Household, demand: &Demand) -> bool {
    match demand {
        Demand::ExportOnlyPv | Demand::ChargeOnlyPv { .. } => true,
        Demand::Wish { index } => {
            matches!(
                household.wishes[*index],
                Wish::OnlySurplus { .. } | Wish::NotFromBattery { .. }
            )
        }
        _ => false,
    }
}

fn asked(household: &Household, demand: &Demand) -> String {
    let horizon = &household.horizon;
    let kind = |id: &str| {
        household.devices.iter().find(|device| device.id == id).map(|device| &device.kind)
    };
    let car =
        |id: &str, session: usize, soc_kwh: &dyn Fn(&EvSession) -> (f64, usize)| match kind(id) {
            Some(DeviceKind::Ev(ev)) => {
                let (soc_kwh, step) = soc_kwh(&ev.sessions[session]);
                let percent = 100.0 * soc_kwh / ev.capacity_kwh;
                format!("{id} at {percent:.0} % by {}", clock(horizon, step))
            }
            _ => id.to_owned(),
        };
    match demand {
        Demand::ImportLimit => {
            format!("at most {} kW from the grid", household.site.import_limit_kw)
        }
        Demand::ExportLimit => format!("at most {} kW fed in", household.site.export_limit_kw),
        Demand::ExportOnlyPv => "only own generation is fed in".to_owned(),
        Demand::Capacity => match &household.tariff.capacity {
            Capacity::DailyMaxSteps(stepped) => {
                let last = stepped.steps.last().map_or(0.0, |step| step.upto_kw);
                format!("within the last bracket of the capacity tariff, {last} kW")
            }
            _ => "the capacity tariff".to_owned(),
        },
        Demand::ChargeOnlyPv { device } => format!("{device} charges only what the panels give"),
        Demand::FinalSoc { device } => match kind(device) {
            Some(DeviceKind::Battery(battery)) => {
                let percent = 100.0 * battery.soc_final_min_kwh / battery.capacity_kwh;
                format!("{device} at {percent:.0} % at the end")
            }
            _ => device.clone(),
        },
        Demand::Band { device } => format!("{device} stays in its band"),
        Demand::FinalState { device } => match kind(device) {
            Some(DeviceKind::Thermal(thermal)) => {
                format!("{device} at {} at the end", thermal.state_final_min)
            }
            _ => device.clone(),
        },
        Demand::Runs { device } => {
            let window = match kind(device) {
                Some(DeviceKind::Cycle(cycle)) => [cycle.earliest_start, cycle.latest_end],
                Some(DeviceKind::Interruptible(load)) => load.window,
                Some(DeviceKind::Modulating(load)) => load.window,
                _ => [0, horizon.steps()],
            };
            let [from, until] = window.map(|step| clock(horizon, step));
            format!("{device} runs between {from} and {until}")
        }
        Demand::Order { device } => format!("{device} runs after the program before it"),
        Demand::SocMinBy { device, session, index } => {
            car(device, *session, &|stay| (stay.soc_min_by[*index].1, stay.soc_min_by[*index].0))
        }
        Demand::Target { device, session } => {
            car(device, *session, &|stay| (stay.soc_target_kwh, stay.departure))
        }
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
