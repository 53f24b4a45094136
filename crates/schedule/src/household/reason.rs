//! Why each device of a plan does what it does: what the nearest other things cost that it could do.
//!
//! Every reason is another course of one device while all others do as planned, judged by the checker: what it would cost more or
//! less, and what it would break. Nothing is said that cannot be computed again from the plan.

use std::ops::RangeInclusive;

use super::check::{Check, Cost, Violation, check};
use super::device::{Device, DeviceKind};
use super::plan::HouseholdPlan;
use super::problem::Household;
use crate::watch::{Progress, Stage, Watch};

/// Why a device does what it does.
#[derive(Debug, Clone, PartialEq)]
pub struct DeviceReasons {
    /// What the household pays because the device does what is planned, less what it would pay if the device alone did nothing; negative for
    /// what earns or saves.
    pub cost: Cost,
    /// What it could do instead.
    pub instead: Vec<Alternative>,
}

/// Something else that a device could do while all others do as planned.
#[derive(Debug, Clone, PartialEq)]
pub struct Alternative {
    /// What.
    pub change: Change,
    /// Why it is told.
    pub role: Role,
    /// What the device would do in each step, kW.
    pub power_kw: Vec<f64>,
    /// What the household would pay more, by part.
    pub difference: Cost,
    /// What would be broken: what the device itself would miss before anything else; nothing where it is possible.
    pub breaks: Option<Violation>,
}

/// What a device does otherwise.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Change {
    /// What its people prefer.
    AsPreferred,
    /// It does nothing at all.
    Rests,
    /// It draws nothing.
    DrawsNothing,
    /// It gives nothing back.
    GivesNothing,
    /// It gives all that the sun allows.
    GivesAll,
    /// A program starts at this step.
    StartsAt(usize),
    /// So much is drawn in one step rather than in another, kWh.
    Draws {
        /// How much.
        kwh: f64,
        /// In which step it is planned.
        from: usize,
        /// In which step it would be.
        to: usize,
    },
    /// So much is given back in one step rather than in another, kWh.
    Gives {
        /// How much.
        kwh: f64,
        /// In which step it is planned.
        from: usize,
        /// In which step it would be.
        to: usize,
    },
}

/// Why an alternative is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Its people would do this.
    Preferred,
    /// It is possible, and among those that were tried none costs less.
    Next,
    /// Its energy would be cheaper, but it breaks something or its fee is more than it saves.
    HeldBack,
    /// What the device does in all, taken away.
    Without,
}

/// Power that is none, kW.
const NONE_KW: f64 = 1e-6;
/// Energy that is not worth a reason, kWh.
const LEAST_KWH: f64 = 1e-3;
/// What is not worth a reason, currency.
const LEAST_COST: f64 = 5e-3;
/// From how many steps energy is taken away, the dearest first.
const FROM_MAX: usize = 6;
/// To how many steps it goes, the cheapest first.
const TO_MAX: usize = 24;
/// How many starts of a program are tried, the cheapest first.
const STARTS_MAX: usize = 96;

/// Returns the reasons of each device of a plan, in the order of the household's devices; `None` for those for which no time was left.
#[must_use]
pub fn reasons(
    household: &Household,
    plan: &HouseholdPlan,
    preferred: &HouseholdPlan,
    watch: &dyn Watch,
) -> Vec<Option<DeviceReasons>> {
    let planned = check(household, plan);
    let net_kw = plan.net_kw(household);
    let devices = household.devices.iter().enumerate();
    let mut reason = |(i, device): (usize, &Device)| {
        watch.told(&Progress::counted(Stage::Reasons, i, household.devices.len()));
        if watch.time_left().is_some_and(|left| left.is_zero()) {
            return None;
        }
        let explain = Explain { household, planned: &planned, net_kw: &net_kw, plan, i };
        Some(explain.reasons(device, &preferred.device_kw[i]))
    };
    devices.map(&mut reason).collect()
}

impl Cost {
    /// Returns what this is more than another, by part.
    #[must_use]
    pub fn less(&self, other: &Self) -> Self {
        Self {
            energy: self.energy - other.energy,
            wear: self.wear - other.wear,
            discomfort: self.discomfort - other.discomfort,
            capacity: self.capacity - other.capacity,
            terminal: self.terminal - other.terminal,
        }
    }
}

/// Looks for the reasons of one device.
struct Explain<'a> {
    household: &'a Household,
    planned: &'a Check,
    net_kw: &'a [f64],
    plan: &'a HouseholdPlan,
    /// Number of the device.
    i: usize,
}

impl Explain<'_> {
    fn reasons(&self, device: &Device, preferred_kw: &[f64]) -> DeviceReasons {
        let rest_kw = vec![0.0; self.power_kw().len()];
        let without = self.judge(Change::Rests, Role::Without, rest_kw);
        let cost = Cost::default().less(&without.difference);
        let mut instead = Vec::new();
        if differ(self.power_kw(), preferred_kw) {
            instead.push(self.judge(Change::AsPreferred, Role::Preferred, preferred_kw.to_vec()));
        }
        match &device.kind {
            DeviceKind::Pv(pv) => {
                let all_kw: Vec<f64> = pv.available_kw.iter().map(|power| -power).collect();
                if differ(self.power_kw(), &all_kw) {
                    instead.push(self.judge(Change::GivesAll, Role::HeldBack, all_kw));
                }
            }
            DeviceKind::Cycle(cycle) => {
                let tried = self.starts(&cycle.profile_kw, &cycle.starts());
                instead.extend(self.told(tried, preferred_kw));
            }
            DeviceKind::Interruptible(load) => {
                let profile_kw = vec![load.power_kw; load.on_steps];
                let starts = load.window[0]..=load.window[1] - load.on_steps;
                let mut tried = self.starts(&profile_kw, &starts);
                tried.extend(self.moves(&device.kind, 1.0));
                instead.extend(self.told(tried, preferred_kw));
            }
            _ => {
                let gives = self.power_kw().iter().any(|power| *power < -NONE_KW);
                if gives {
                    let part = |keep: fn(f64) -> bool| {
                        let kept = |power: &f64| if keep(*power) { *power } else { 0.0 };
                        self.power_kw().iter().map(kept).collect::<Vec<f64>>()
                    };
                    let draws_nothing = part(|power| power < 0.0);
                    let gives_nothing = part(|power| power > 0.0);
                    instead.extend([
                        self.judge(Change::DrawsNothing, Role::Without, draws_nothing),
                        self.judge(Change::GivesNothing, Role::Without, gives_nothing),
                    ]);
                }
                instead.extend(self.told(self.moves(&device.kind, 1.0), preferred_kw));
                instead.extend(self.told(self.moves(&device.kind, -1.0), preferred_kw));
            }
        }
        DeviceReasons { cost, instead }
    }

    fn power_kw(&self) -> &[f64] {
        &self.plan.device_kw[self.i]
    }

    /// Lets the checker judge another course of the device.
    fn judge(&self, change: Change, role: Role, power_kw: Vec<f64>) -> Alternative {
        let mut plan = self.plan.clone();
        plan.device_kw[self.i].clone_from(&power_kw);
        let found = check(self.household, &plan);
        let difference = found.cost.less(&self.planned.cost);
        // What the device itself would miss says more than what follows elsewhere.
        let id = &self.household.devices[self.i].id;
        let is_own = |violation: &&Violation| violation.device.as_ref() == Some(id);
        let breaks = found.violations.iter().find(is_own).or(found.violations.first()).cloned();
        Alternative { change, role, power_kw, difference, breaks }
    }

    /// Returns of what was tried what is told: the cheapest that is possible and not told as preferred, and what would be cheapest if it
    /// were possible.
    fn told(&self, tried: Vec<Alternative>, preferred_kw: &[f64]) -> Vec<Alternative> {
        let (possible, broken): (Vec<_>, Vec<_>) =
            tried.into_iter().partition(|other| other.breaks.is_none());
        let is_cheaper = |a: &Alternative, b: &Alternative| {
            a.difference.total().total_cmp(&b.difference.total())
        };
        let beside_fee = |other: &Alternative| other.difference.total() - other.difference.capacity;
        let by_fee = possible.iter().filter(|other| beside_fee(other) < -LEAST_COST);
        let by_fee = by_fee.filter(|other| other.difference.total() > LEAST_COST);
        let held = by_fee
            .chain(broken.iter().filter(|other| beside_fee(other) < -LEAST_COST))
            .min_by(|a, b| beside_fee(a).total_cmp(&beside_fee(b)));
        let held = held.map(|held| Alternative { role: Role::HeldBack, ..held.clone() });
        let is_news = |other: &Alternative| differ(&other.power_kw, preferred_kw);
        let next = possible.into_iter().filter(is_news).min_by(is_cheaper);
        next.filter(|next| held.as_ref().is_none_or(|held| held.change != next.change))
            .into_iter()
            .chain(held)
            .collect()
    }

    /// Returns what a kWh more costs in a step at the prices of the plan.
    fn price(&self, step: usize) -> f64 {
        let tariff = &self.household.tariff;
        if self.net_kw[step] > 0.0 { tariff.import_price[step] } else { tariff.export_price[step] }
    }

    /// A run at its other starts, those that are allowed and those that are not.
    fn starts(&self, profile_kw: &[f64], allowed: &RangeInclusive<usize>) -> Vec<Alternative> {
        let steps = self.power_kw().len();
        let length = profile_kw.len();
        let started = |start: usize| {
            let mut power_kw = vec![0.0; steps];
            power_kw[start..start + length].copy_from_slice(profile_kw);
            power_kw
        };
        // One that has started, or that has one time only, has no choice.
        if allowed.clone().nth(1).is_none() {
            return Vec::new();
        }
        let energy_cost = |start: usize| -> f64 {
            profile_kw.iter().enumerate().map(|(k, kw)| kw * self.price(start + k)).sum()
        };
        let (mut may, mut may_not): (Vec<usize>, Vec<usize>) = (0..=steps - length)
            .filter(|&start| differ(self.power_kw(), &started(start)))
            .partition(|start| allowed.contains(start));
        for starts in [&mut may, &mut may_not] {
            starts.sort_by(|&a, &b| energy_cost(a).total_cmp(&energy_cost(b)).then(a.cmp(&b)));
            starts.truncate(STARTS_MAX);
        }
        let judge = |start: usize| self.judge(Change::StartsAt(start), Role::Next, started(start));
        may.into_iter().chain(may_not).map(judge).collect()
    }

    /// What is drawn (`sign` 1) or given back (-1) in one step, in another step instead: as much as there is, and as fits.
    fn moves(&self, kind: &DeviceKind, sign: f64) -> Vec<Alternative> {
        let most_kw = greatest_kw(kind, sign);
        let step_h = self.household.horizon.step_h();
        let used_kw = |t: usize| (sign * self.power_kw()[t]).max(0.0);
        // What is drawn should leave dear steps, what is given back cheap ones.
        let worth = |t: usize| sign * self.price(t);
        let is_free = |t: usize| sign * self.power_kw()[t] > -NONE_KW;
        let steps = 0..self.power_kw().len();
        let mut from: Vec<usize> = steps.clone().filter(|&t| used_kw(t) > NONE_KW).collect();
        from.sort_by(|&a, &b| worth(b).total_cmp(&worth(a)).then(a.cmp(&b)));
        from.truncate(FROM_MAX);
        let has_room = |t: &usize| is_free(*t) && used_kw(*t) < most_kw - NONE_KW;
        let (mut to, mut outside): (Vec<usize>, Vec<usize>) =
            steps.filter(has_room).partition(|t| is_inside(kind, *t));
        if matches!(kind, DeviceKind::Ev(_)) {
            // That a car does not charge where it is not needs no reason.
            outside.clear();
        }
        for to in [&mut to, &mut outside] {
            to.sort_by(|&a, &b| worth(a).total_cmp(&worth(b)).then(a.cmp(&b)));
            to.truncate(TO_MAX);
        }
        to.append(&mut outside);
        let mut tried = Vec::new();
        for &from in &from {
            for &to in to.iter().filter(|to| **to != from) {
                let kw = used_kw(from).min(most_kw - used_kw(to));
                let kwh = kw * step_h;
                if kwh < LEAST_KWH {
                    continue;
                }
                let mut power_kw = self.power_kw().to_vec();
                power_kw[from] -= sign * kw;
                power_kw[to] += sign * kw;
                let change = if sign > 0.0 {
                    Change::Draws { kwh, from, to }
                } else {
                    Change::Gives { kwh, from, to }
                };
                tried.push(self.judge(change, Role::Next, power_kw));
            }
        }
        tried
    }
}

fn differ(a: &[f64], b: &[f64]) -> bool {
    a.iter().zip(b).any(|(a, b)| (a - b).abs() > 1e-4)
}

/// The greatest power that a device draws (`sign` 1) or gives back (-1), kW.
fn greatest_kw(kind: &DeviceKind, sign: f64) -> f64 {
    match (kind, sign > 0.0) {
        (DeviceKind::Interruptible(load), true) => load.power_kw,
        (DeviceKind::Modulating(load), true) => load.p_max_kw,
        (DeviceKind::Thermal(thermal), true) => thermal.p_max_kw,
        (DeviceKind::Ev(ev), true) => ev.p_max_charge_kw,
        (DeviceKind::Ev(ev), false) => ev.p_max_discharge_kw,
        (DeviceKind::Battery(battery), true) => battery.p_max_charge_kw,
        (DeviceKind::Battery(battery), false) => battery.p_max_discharge_kw,
        _ => 0.0,
    }
}

/// Whether a step lies in the window of a device, or in one of its stays.
fn is_inside(kind: &DeviceKind, step: usize) -> bool {
    match kind {
        DeviceKind::Interruptible(load) => (load.window[0]..load.window[1]).contains(&step),
        DeviceKind::Modulating(load) => (load.window[0]..load.window[1]).contains(&step),
        DeviceKind::Ev(ev) => {
            ev.sessions.iter().any(|stay| (stay.arrival..stay.departure).contains(&step))
        }
        _ => true,
    }
}
