//! The plan goes on: what is left is planned again from what is reported, and only what changes is told.

use std::collections::{BTreeMap, BTreeSet};

use super::need::{Need, Needs, Unmet};
use super::part::{Builder, Part};
use super::record::{Record, available};
use super::report::{FleetState, Standing, StateReport};
use super::status::Status;
use crate::fleet::check::{FleetCheck, check};
use crate::fleet::coordinate::{FleetError, FleetOptions};
use crate::fleet::master::Limit;
use crate::fleet::plan::{FleetPlan, plan};
use crate::fleet::problem::Fleet;
use crate::fleet::respond::FleetDevice;
use crate::refusal::ProblemRefused;

/// How to plan again.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ReplanOptions {
    /// How exactly.
    pub plan: FleetOptions,
    /// Few devices are told something new as long as that costs no more than this part of the cost beyond a new plan of all.
    pub keep_within: f64,
}

impl Default for ReplanOptions {
    fn default() -> Self {
        Self { plan: FleetOptions::default(), keep_within: 1e-3 }
    }
}

/// A plan that goes on.
#[derive(Debug, Clone, PartialEq)]
pub struct Replan {
    /// The version of what is new; that of what was told before where nothing changes.
    pub version: u32,
    /// Every set-point: the new ones are planned, those before have moved on.
    pub record: Record,
    /// What devices do otherwise than they were told before, by device and step.
    pub changes: Vec<Change>,
    /// Cost of energy and wear of the planned devices from now on.
    pub cost: f64,
    /// No plan of these costs less, within the limits as far as they can be kept.
    pub bound: f64,
    /// What flows through the transformer from now on with all that is planned or assumed, kW.
    pub load_kw: Vec<f64>,
    /// Limits that are exceeded, and the reserve that is missing, whatever is planned: in which step of the whole and by how much, kW.
    pub exceeded: Vec<(Limit, usize, f64)>,
    /// What devices must have and will not get.
    pub unmet: Vec<Unmet>,
}

/// What a device does otherwise in one step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Change {
    /// Which.
    pub device: FleetDevice,
    /// The step of the whole.
    pub step: usize,
    /// What it was told before, kW; nothing where it was told nothing.
    pub before_kw: f64,
    /// What it does now, kW.
    pub after_kw: f64,
    /// Whether it does not follow: others replace it, and it replaces nobody.
    pub is_out: bool,
}

/// Why a plan does not go on, in order of precedence.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ReplanError {
    /// What is reported cannot be.
    #[error("the state is refused")]
    Refused(#[source] ProblemRefused),
    /// What is left cannot be planned.
    #[error("what is left was not planned")]
    Plan(#[source] FleetError),
}

/// Plans the rest of a fleet again, from the beginning of step `at` on.
///
/// A device that is not reported has followed its set-points. One that does not follow does what is assumed of it, beside the plan. What is
/// impossible whatever is planned is left out and named: needs of devices, limits by step and amount. Few devices are
/// told something new.
///
/// # Errors
///
/// Returns the first [`ReplanError`] in the order of its variants.
pub fn replan(
    fleet: &Fleet,
    at: usize,
    previous: &Record,
    state: &FleetState,
    options: &ReplanOptions,
) -> Result<Replan, ReplanError> {
    state.check(fleet, at).map_err(ReplanError::Refused)?;
    let entries = entries(fleet, at, previous, state);
    let work = Work { fleet, at, options, entries: &entries };
    let rest = work.part(&BTreeMap::new()).map_err(ReplanError::Refused)?;
    let kept = work.kept(&rest, previous);
    let found = work.fewest(&rest, kept).map_err(ReplanError::Plan)?;
    Ok(work.tell(&rest, &found, previous))
}

/// What is left of a device, and whether it follows.
struct Entry {
    device: FleetDevice,
    need: Need,
    /// Why it does not follow.
    out: Option<Status>,
    unmet: Option<Unmet>,
}

fn entries(fleet: &Fleet, at: usize, previous: &Record, state: &FleetState) -> Vec<Entry> {
    let reports: BTreeMap<FleetDevice, &StateReport> =
        state.devices.iter().map(|report| (report.device, report)).collect();
    let needs = Needs { fleet, at };
    let entry = |device: FleetDevice| {
        let report = reports.get(&device);
        let told = previous.told_kw(device, at);
        let done_kw: Vec<f64> = told.iter().map(|power| power.unwrap_or(0.0)).collect();
        let state = report.and_then(|report| report.state);
        let state = state.unwrap_or_else(|| needs.followed(device, &done_kw));
        let by_record = || match previous.in_force(device, at) {
            Some(set_point) if set_point.status.is_out() => {
                Standing::Out { status: set_point.status, power_kw: None }
            }
            _ => Standing::Follows,
        };
        let (need, out, unmet) =
            match report.and_then(|report| report.standing).unwrap_or_else(by_record) {
                Standing::Follows => {
                    let (need, unmet) = needs.need(device, state);
                    (need, None, unmet)
                }
                Standing::Out { status, power_kw } => {
                    let last_kw = || {
                        let before = at.checked_sub(1)?;
                        previous.in_force(device, before).map(|set_point| set_point.power_kw)
                    };
                    let power_kw = power_kw.or_else(last_kw).unwrap_or(0.0);
                    let (assumed_kw, unmet) = needs.assumed(device, state, power_kw);
                    (Need::Runs(assumed_kw), Some(status), unmet)
                }
                Standing::Left => {
                    let (_, unmet) = needs.assumed(device, state, 0.0);
                    (Need::Nothing, Some(Status::Expired), unmet)
                }
            };
        Entry { device, need, out, unmet }
    };
    fleet.each_device().map(entry).collect()
}

/// What the devices of the rest do, kW, and how good that is.
struct Found {
    power_kw: BTreeMap<FleetDevice, Vec<f64>>,
    check: FleetCheck,
    bound: f64,
}

/// The powers of the devices of a part by their own numbers, kW.
type Powers = BTreeMap<FleetDevice, Vec<f64>>;

/// How often limits are raised that leave too little.
const RAISES_MAX: i32 = 40;
/// By what factor more devices are looked at when few are not enough.
const MORE: usize = 4;

struct Work<'a> {
    fleet: &'a Fleet,
    at: usize,
    options: &'a ReplanOptions,
    entries: &'a [Entry],
}

impl Work<'_> {
    /// Returns what is left, with the devices of the whole that are in `kept` as loads beside it, kW.
    fn part(&self, kept: &Powers) -> Result<Part, ProblemRefused> {
        let mut builder = Builder::new(self.fleet, self.at);
        for Entry { device, need, out, .. } in self.entries {
            let feeder = device.feeder(self.fleet);
            if let Some(power_kw) = kept.get(device) {
                builder.kept(self.at, *device, power_kw);
            } else if let Need::Runs(power_kw) = need {
                builder.load(feeder, power_kw, out.is_none());
            } else {
                builder.device(self.at, *device, need);
            }
        }
        builder.build()
    }

    /// What each device of the rest does if nothing new is told; nothing where it was told nothing.
    fn kept(&self, rest: &Part, previous: &Record) -> Powers {
        let kept = |(own, device): (&FleetDevice, &FleetDevice)| {
            let told = previous.told_kw(*device, self.fleet.steps());
            (*own, told[self.at..].iter().map(|power| power.unwrap_or(0.0)).collect())
        };
        rest.whole.iter().map(kept).collect()
    }

    /// Returns a plan in which few devices do something else than before: of all that were tried, the first that keeps the limits as well as a
    /// plan of all, and costs little more.
    fn fewest(&self, rest: &Part, kept: Powers) -> Result<Found, FleetError> {
        let all = self.all(rest)?;
        let as_before = judged(rest, &kept);
        let is_good = |found: &FleetCheck| {
            let most = all.check.cost + self.options.keep_within * all.check.cost.abs();
            let excess = |check: &FleetCheck| check.limits.iter().map(|(.., kw)| kw).sum::<f64>();
            found.devices.is_empty()
                && excess(found) <= excess(&all.check) * (1.0 + 1e-6) + 1e-3
                && found.cost <= most + 1e-6
        };
        if is_good(&as_before) {
            return Ok(Found { power_kw: kept, check: as_before, bound: all.bound });
        }
        let mut count = as_before.devices.len();
        let order = order(rest, &kept, &all.power_kw, &as_before);
        while count < order.len() {
            if count > 0 {
                let moved: BTreeSet<FleetDevice> = order[..count].iter().copied().collect();
                if let Some(power_kw) = self.around(rest, &kept, &moved) {
                    let check = judged(rest, &power_kw);
                    if is_good(&check) {
                        return Ok(Found { power_kw, check, bound: all.bound });
                    }
                }
            }
            count = (count * MORE).max(MORE);
        }
        Ok(all)
    }

    /// Plans some devices of the rest around the others, which do what they did.
    fn around(&self, rest: &Part, kept: &Powers, moved: &BTreeSet<FleetDevice>) -> Option<Powers> {
        let others = kept.iter().filter(|(own, _)| !moved.contains(own));
        let others = others.map(|(own, power_kw)| (rest.whole[own], power_kw.clone())).collect();
        let part = self.part(&others).ok()?;
        // What others do may reach a limit, and rounding take it a little beyond.
        let (fleet, found) = self.within(&part.fleet).ok()?;
        let planned: BTreeMap<FleetDevice, FleetDevice> =
            part.whole.iter().map(|(own, device)| (*device, *own)).collect();
        let power = |(own, power_kw): (&FleetDevice, &Vec<f64>)| {
            let power_kw = planned
                .get(&rest.whole[own])
                .map_or_else(|| power_kw.clone(), |&own| found.power_kw(&fleet, own));
            (*own, power_kw)
        };
        Some(kept.iter().map(power).collect())
    }

    /// Plans all devices of the rest. Where the limits leave too little they are raised by what is missing.
    fn all(&self, rest: &Part) -> Result<Found, FleetError> {
        if rest.whole.is_empty() {
            let power_kw = Powers::new();
            let check = judged(rest, &power_kw);
            return Ok(Found { power_kw, check, bound: 0.0 });
        }
        let (fleet, found) = self.within(&rest.fleet)?;
        let power_kw: Powers =
            fleet.each_device().map(|own| (own, found.power_kw(&fleet, own))).collect();
        let check = judged(rest, &power_kw);
        Ok(Found { power_kw, check, bound: found.bound })
    }

    /// Plans a fleet. Where the limits leave too little they are raised by what is missing; returns the fleet behind the limits that were kept.
    fn within(&self, fleet: &Fleet) -> Result<(Fleet, FleetPlan), FleetError> {
        let mut fleet = raised_to_base(fleet);
        let mut raises = 0;
        loop {
            match plan(&fleet, &self.options.plan) {
                Err(FleetError::Limits { exceeded } | FleetError::Reserve { exceeded })
                    if raises < RAISES_MAX =>
                {
                    // A little more each time: programs need whole steps.
                    let factor = 1.0 + 1e-4 * 2.0_f64.powi(raises);
                    fleet = raised(fleet, &exceeded, factor);
                    raises += 1;
                }
                found => return found.map(|found| (fleet, found)),
            }
        }
    }

    fn tell(&self, rest: &Part, found: &Found, previous: &Record) -> Replan {
        let (fleet, at) = (self.fleet, self.at);
        let newer = previous.version() + 1;
        let mut record = previous.clone();
        let of_whole: BTreeMap<FleetDevice, &Vec<f64>> =
            found.power_kw.iter().map(|(own, power_kw)| (rest.whole[own], power_kw)).collect();
        let mut changes = Vec::new();
        let mut is_new = false;
        for Entry { device, need, out, .. } in self.entries {
            let nothing = Vec::new();
            let rest_kw = match need {
                Need::Runs(power_kw) => power_kw,
                _ => of_whole.get(device).copied().unwrap_or(&nothing),
            };
            let mut power_kw = vec![0.0; fleet.steps()];
            power_kw[at..].iter_mut().zip(rest_kw).for_each(|(power, rest)| *power = *rest);
            let before = previous.in_force_each(*device, fleet.steps());
            for (step, (&after_kw, before)) in power_kw.iter().zip(before).enumerate().skip(at) {
                let before_kw = before.map_or(0.0, |set_point| set_point.power_kw);
                if (after_kw - before_kw).abs() > 1e-6 {
                    let is_out = out.is_some();
                    changes.push(Change { device: *device, step, before_kw, after_kw, is_out });
                }
            }
            if let Some(status) = out {
                record.mark(*device, at, *status);
            } else {
                let stay = available(fleet, *device);
                let last = power_kw.iter().rposition(|power| power.abs() > 1e-6);
                let end = stay.end.max(last.map_or(0, |last| last + 1));
                let steps = stay.start.max(at).min(end)..end;
                is_new |= !record.change(*device, steps, &power_kw, newer).is_empty();
            }
        }
        record.settle(at);
        let load_kw = rest.fleet.base_load_kw.iter().zip(&found.check.load_kw);
        Replan {
            version: if is_new { newer } else { previous.version() },
            record,
            changes,
            cost: found.check.cost,
            bound: found.bound.min(found.check.cost),
            load_kw: load_kw.map(|(base, load)| base + load).collect(),
            exceeded: found
                .check
                .limits
                .iter()
                .map(|&(limit, t, kw)| (limit, at + t, kw))
                .collect(),
            unmet: self.entries.iter().filter_map(|entry| entry.unmet).collect(),
        }
    }
}

/// Asks the checker about the devices of a part.
fn judged(part: &Part, power_kw: &Powers) -> FleetCheck {
    check(&part.fleet, power_kw.iter().map(|(own, power_kw)| (*own, power_kw.clone())))
}

/// The devices of a part, those first that cannot go on as before, then those that can do most where limits are broken, then those
/// whose energy costs less in a new plan of all.
fn order(part: &Part, kept: &Powers, anew: &Powers, as_before: &FleetCheck) -> Vec<FleetDevice> {
    let energy_cost = |power_kw: &[f64]| -> f64 {
        power_kw.iter().zip(&part.fleet.energy_price).map(|(power, price)| power * price).sum()
    };
    let saving = |own: FleetDevice| energy_cost(&kept[&own]) - energy_cost(&anew[&own]);
    let broken: BTreeSet<FleetDevice> =
        as_before.devices.iter().map(|(device, _)| *device).collect();
    let relief = |own: FleetDevice| {
        let power_kw = &kept[&own];
        let at = |&(limit, t, _): &(Limit, usize, f64)| match limit {
            Limit::Transformer | Limit::DownReserve => power_kw[t],
            Limit::Feeder(f) if own.feeder(&part.fleet) == f => power_kw[t],
            Limit::Feeder(_) => 0.0,
            Limit::UpReserve => -power_kw[t],
        };
        as_before.limits.iter().map(at).sum::<f64>()
    };
    let mut others: Vec<(f64, f64, FleetDevice)> = part
        .fleet
        .each_device()
        .filter(|own| !broken.contains(own))
        .map(|own| (relief(own), saving(own), own))
        .collect();
    others.sort_by(|a, b| b.0.total_cmp(&a.0).then(b.1.total_cmp(&a.1)).then(a.2.cmp(&b.2)));
    broken.iter().copied().chain(others.into_iter().map(|(.., own)| own)).collect()
}

/// A fleet whose limits are not below what flows anyway.
fn raised_to_base(fleet: &Fleet) -> Fleet {
    let mut parts = fleet.clone().into_parts();
    let raise = |limit_kw: &mut [f64], base_kw: &[f64]| {
        limit_kw.iter_mut().zip(base_kw).for_each(|(limit, base)| *limit = limit.max(*base));
    };
    raise(&mut parts.transformer_limit_kw, &parts.base_load_kw);
    for feeder in &mut parts.feeders {
        raise(&mut feeder.limit_kw, &feeder.base_load_kw);
    }
    Fleet::part(parts).unwrap_or_else(|_| fleet.clone())
}

/// A fleet whose limits are raised by what is missing, times a factor.
fn raised(fleet: Fleet, exceeded: &[(Limit, usize, f64)], factor: f64) -> Fleet {
    let mut parts = fleet.clone().into_parts();
    for &(limit, t, kw) in exceeded {
        let more_kw = kw * factor + 1e-6;
        match limit {
            Limit::Transformer => parts.transformer_limit_kw[t] += more_kw,
            Limit::Feeder(f) => parts.feeders[f].limit_kw[t] += more_kw,
            Limit::UpReserve => parts.up_reserve_kw[t] -= more_kw,
            Limit::DownReserve => {
                let reserve = &mut parts.down_reserve_kw[t];
                *reserve = (*reserve - more_kw).max(0.0);
            }
        }
    }
    Fleet::part(parts).unwrap_or(fleet)
}
