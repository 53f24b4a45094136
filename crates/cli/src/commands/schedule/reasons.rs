//! Why each device does what it does, in words. Every number was computed by the checker.

use gridtally_schedule::household::{
    Alternative, Capacity, Change, Cost, Device, DeviceReasons, Household, HouseholdPlan,
    Requirement, Role, Violation,
};
use serde::Serialize;

use super::clock::clock;
use crate::output::number::{money, to_six_decimals};

/// What is not worth a word, currency.
const LEAST_COST: f64 = 5e-3;

/// The reasons of one device.
#[derive(Debug, Serialize)]
pub(super) struct ReasonReport {
    /// What the household pays because the device does what is planned.
    cost: f64,
    /// What a person reads.
    pub(super) sentences: Vec<String>,
    /// What the device could do instead while all others do as planned.
    instead: Vec<InsteadReport>,
}

#[derive(Debug, Serialize)]
struct InsteadReport {
    what: String,
    why: &'static str,
    #[serde(flatten)]
    change: ChangeReport,
    cost_more: f64,
    energy_more: f64,
    wear_more: f64,
    discomfort_more: f64,
    capacity_more: f64,
    terminal_more: f64,
    breaks: Option<String>,
}

/// The numbers that describe a change.
#[derive(Debug, Serialize)]
struct ChangeReport {
    change: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    kwh: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    from_step: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to_step: Option<usize>,
}

impl ReasonReport {
    pub(super) fn new(words: &Words<'_>, device: &Device, found: &DeviceReasons) -> Self {
        let instead = found.instead.iter().map(|other| InsteadReport {
            what: words.change(&other.change),
            why: match other.role {
                Role::Preferred => "preferred",
                Role::Next => "next",
                Role::HeldBack => "held_back",
                Role::Without => "without",
            },
            change: change(&other.change),
            cost_more: to_six_decimals(other.difference.total()),
            energy_more: to_six_decimals(other.difference.energy),
            wear_more: to_six_decimals(other.difference.wear),
            discomfort_more: to_six_decimals(other.difference.discomfort),
            capacity_more: to_six_decimals(other.difference.capacity),
            terminal_more: to_six_decimals(other.difference.terminal),
            breaks: other.breaks.as_ref().map(|breaks| words.breaks(&other.change, breaks)),
        });
        Self {
            cost: to_six_decimals(found.cost.total()),
            sentences: words.sentences(device, found),
            instead: instead.collect(),
        }
    }
}

fn change(change: &Change) -> ChangeReport {
    let bare = |change| ChangeReport { change, kwh: None, from_step: None, to_step: None };
    match *change {
        Change::AsPreferred => bare("as_preferred"),
        Change::Rests => bare("rests"),
        Change::DrawsNothing => bare("draws_nothing"),
        Change::GivesNothing => bare("gives_nothing"),
        Change::GivesAll => bare("gives_all"),
        Change::StartsAt(step) => ChangeReport { to_step: Some(step), ..bare("starts_at") },
        Change::Draws { kwh, from, to } | Change::Gives { kwh, from, to } => ChangeReport {
            change: if matches!(change, Change::Draws { .. }) { "draws" } else { "gives" },
            kwh: Some(kwh),
            from_step: Some(from),
            to_step: Some(to),
        },
    }
}

/// A plan that is put into words.
pub(super) struct Words<'a> {
    pub(super) household: &'a Household,
    pub(super) plan: &'a HouseholdPlan,
    pub(super) cost: &'a Cost,
}

impl Words<'_> {
    /// Returns one sentence on what the device costs and what would cost more, and one on what holds it back.
    fn sentences(&self, device: &Device, found: &DeviceReasons) -> Vec<String> {
        let of = |role: Role| found.instead.iter().filter(move |other| other.role == role);
        let mut first = vec![self.costs(device, found)];
        for other in of(Role::Preferred).chain(of(Role::Next)) {
            let nothing = other.difference.total().abs() < LEAST_COST && other.breaks.is_none();
            // What is neither better nor worse is a reason only where nothing else is.
            if !(nothing && other.role == Role::Next && first.len() > 1) {
                first.push(format!("{}: {}", self.change(&other.change), self.outcome(other)));
            }
        }
        let mut held: Vec<&Alternative> = of(Role::HeldBack).collect();
        held.sort_by(|a, b| beside_fee(a).total_cmp(&beside_fee(b)));
        let held = held.into_iter();
        let held =
            held.map(|other| format!("{} {}", self.change(&other.change), self.temptation(other)));
        first.retain(|part| !part.is_empty());
        let first = (!first.is_empty()).then(|| first.join("; "));
        first.into_iter().chain(held).collect()
    }

    /// What the device costs or earns.
    fn costs(&self, device: &Device, found: &DeviceReasons) -> String {
        let row = self.household.devices.iter().position(|other| other.id == device.id);
        let power_kw = row.map_or(&[][..], |i| &self.plan.device_kw[i]);
        let step_h = self.household.horizon.step_h();
        let kwh = |sign: f64| -> f64 {
            power_kw.iter().map(|power| (sign * power).max(0.0) * step_h).sum()
        };
        let (drawn, given) = (kwh(1.0), kwh(-1.0));
        let part = |change: Change| {
            found.instead.iter().find(|other| other.change == change).map(|other| other.difference)
        };
        let per_kwh = |energy: f64, kwh: f64| money(energy / kwh);
        if let (Some(draws), Some(gives)) = (part(Change::DrawsNothing), part(Change::GivesNothing))
            && drawn > 0.05
            && given > 0.05
        {
            let fee = gives.capacity;
            let fee = if fee > LEAST_COST {
                format!(" and keeps {} of capacity fee away", money(fee))
            } else {
                String::new()
            };
            return format!(
                "took {drawn:.1} kWh at {} each, gives {given:.1} kWh back that would cost {} each{fee}",
                per_kwh(-draws.energy, drawn),
                per_kwh(gives.energy, given),
            );
        }
        let cost = found.cost.total();
        if cost.abs() < LEAST_COST && drawn + given < 1e-3 {
            return String::new();
        }
        let currency = &self.household.currency;
        if cost < 0.0 {
            format!("saves {currency} {}", money(-cost))
        } else if found.cost.capacity > LEAST_COST {
            let fee = money(found.cost.capacity);
            format!("costs {currency} {}, of which {fee} capacity fee", money(cost))
        } else {
            format!("costs {currency} {}", money(cost))
        }
    }

    /// What is done otherwise.
    fn change(&self, change: &Change) -> String {
        let at = |step: usize| clock(&self.household.horizon, step);
        match *change {
            Change::AsPreferred => "as preferred".to_owned(),
            Change::Rests => "without it".to_owned(),
            Change::DrawsNothing => "if it took nothing".to_owned(),
            Change::GivesNothing => "if it gave nothing back".to_owned(),
            Change::GivesAll => "giving all that the sun allows".to_owned(),
            Change::StartsAt(step) => format!("starting at {}", at(step)),
            Change::Draws { kwh, from, to } => {
                format!("{kwh:.2} kWh at {} rather than {}", at(to), at(from))
            }
            Change::Gives { kwh, from, to } => {
                format!("{kwh:.2} kWh given back at {} rather than {}", at(to), at(from))
            }
        }
    }

    /// What it would cost, or what it would break.
    fn outcome(&self, other: &Alternative) -> String {
        if let Some(breaks) = &other.breaks {
            return format!("not possible, {}", self.breaks(&other.change, breaks));
        }
        more(other.difference.total())
    }

    /// What it would save, and why that is not done.
    fn temptation(&self, other: &Alternative) -> String {
        let fee = other.difference.capacity;
        let saved = -beside_fee(other);
        match &other.breaks {
            Some(breaks) if saved < -LEAST_COST => {
                format!("would cost {}, and {}", money(-saved), self.breaks(&other.change, breaks))
            }
            Some(breaks) => {
                format!("would save {}, but {}", money(saved), self.breaks(&other.change, breaks))
            }
            None if fee > LEAST_COST => {
                format!("would save {}, but cost {} more {}", money(saved), money(fee), self.fee())
            }
            None => format!("would cost {}", more(other.difference.total())),
        }
    }

    /// The capacity fee, and the bracket that the plan keeps.
    fn fee(&self) -> String {
        match &self.household.tariff.capacity {
            Capacity::DailyMaxSteps(stepped) => {
                let kept = stepped.steps.iter().find(|step| step.fee >= self.cost.capacity - 1e-9);
                kept.map_or_else(
                    || "in capacity fee".to_owned(),
                    |step| format!("beyond the {} kW bracket", step.upto_kw),
                )
            }
            Capacity::Peak(_) => "for the highest hour".to_owned(),
            Capacity::Free => "in capacity fee".to_owned(),
        }
    }

    /// What would be broken, as the people of the household would say it.
    fn breaks(&self, change: &Change, violation: &Violation) -> String {
        let by = Amount(violation.by);
        let at = violation.step.map(|step| clock(&self.household.horizon, step));
        let at = at.map_or_else(String::new, |at| format!(" at {at}"));
        match violation.requirement {
            Requirement::Profile => "that is outside of its window".to_owned(),
            Requirement::Rests => "it rests then".to_owned(),
            Requirement::Power if matches!(change, Change::StartsAt(_)) => {
                "that is outside of its window".to_owned()
            }
            Requirement::Power => format!("its power would be out of its range by {by} kW"),
            Requirement::MinOnSteps => "a run would be too short".to_owned(),
            Requirement::Order => "the order of programs would be missed".to_owned(),
            Requirement::SocTarget => format!("{by} kWh would be missing at the end"),
            Requirement::SocMinBy => {
                let by_when = violation.step.map(|step| clock(&self.household.horizon, step + 1));
                format!("{by} kWh would be missing by {}", by_when.unwrap_or_default())
            }
            Requirement::SocRange => {
                format!("the charge would be out of its range by {by} kWh{at}")
            }
            Requirement::Holds => format!("{by} kWh of its reserve would be missing{at}"),
            Requirement::Band => format!("its band would be left by {by}{at}"),
            Requirement::FinalState => format!("it would end {by} too low"),
            Requirement::ImportLimit => {
                format!("the import limit would be exceeded by {by} kW{at}")
            }
            Requirement::ExportLimit => {
                format!("the export limit would be exceeded by {by} kW{at}")
            }
            Requirement::OnlySurplus => format!("{by} kW would not be surplus{at}"),
            Requirement::NotFromBattery => {
                format!("{by} kW would come from a battery{at}")
            }
            other => format!("{other}{at}, by {by} {}", other.unit()),
        }
    }
}

/// What something else would cost more beside the capacity fee.
fn beside_fee(other: &Alternative) -> f64 {
    other.difference.total() - other.difference.capacity
}

/// A difference of cost in words.
fn more(difference: f64) -> String {
    if difference.abs() < LEAST_COST {
        return "the same cost".to_owned();
    }
    if difference > 0.0 {
        format!("{} more", money(difference))
    } else {
        format!("{} less", money(-difference))
    }
}

/// A power, energy or temperature with as many decimals as it takes to be seen.
struct Amount(f64);

impl std::fmt::Display for Amount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let decimals = if self.0 < 0.1 { 3 } else { 1 };
        write!(f, "{:.decimals$}", self.0)
    }
}
