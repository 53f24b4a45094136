//! The record of set-points: every version of each, and which is in force.

use std::collections::{BTreeMap, BTreeSet};

use super::status::Status;
use crate::bounds::{Checked, MAGNITUDE_MAX, within, within_count};
use crate::fleet::plan::FleetPlan;
use crate::fleet::problem::Fleet;
use crate::fleet::respond::FleetDevice;
use crate::refusal::{ProblemReason, ProblemRefused};

/// What a device is told for some steps.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SetPoint {
    /// First step in which it is valid.
    pub from: usize,
    /// First step in which it is not valid any more.
    pub until: usize,
    /// What the device draws, kW; negative for what it gives.
    pub power_kw: f64,
    /// Which plan it is from, counted from 1.
    pub version: u32,
    /// How far it is.
    pub status: Status,
}

/// All set-points of a fleet. In each step the newest version of a device's that covers it is in force.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Record {
    /// By device; of each, in order of version and step.
    of_device: BTreeMap<FleetDevice, Vec<SetPoint>>,
}

/// A power is told in mW: set-points that differ by less are the same.
const PER_KW: f64 = 1e6;

impl Record {
    /// Returns the set-points of a first plan.
    #[must_use]
    pub fn first(fleet: &Fleet, plan: &FleetPlan) -> Self {
        let mut record = Self::default();
        for device in fleet.each_device() {
            let power_kw = plan.power_kw(fleet, device);
            record.tell(device, available(fleet, device), &power_kw, 1);
        }
        record
    }

    /// Returns a record that was read from somewhere, checked; `path` names the place of a set-point in it.
    ///
    /// # Errors
    ///
    /// Returns the first set-point that cannot be: of no device of the fleet, empty or outside of its steps, of an impossible power,
    /// or overlapping one of the same version.
    pub fn new(
        fleet: &Fleet,
        set_points: impl IntoIterator<Item = (FleetDevice, SetPoint)>,
        path: impl Fn(usize) -> String,
    ) -> Result<Self, ProblemRefused> {
        let mut places: BTreeMap<FleetDevice, Vec<(SetPoint, usize)>> = BTreeMap::new();
        for (i, (device, set_point)) in set_points.into_iter().enumerate() {
            check(fleet, device, &set_point).map_err(|mut refused| {
                refused.path = format!("{}: {}", path(i), refused.path);
                refused
            })?;
            places.entry(device).or_default().push((set_point, i));
        }
        let mut record = Self::default();
        for (device, mut all) in places {
            all.sort_by_key(|(set_point, _)| (set_point.version, set_point.from));
            let overlaps = |pair: &&[(SetPoint, usize)]| {
                pair[0].0.version == pair[1].0.version && pair[1].0.from < pair[0].0.until
            };
            if let Some(pair) = all.windows(2).find(overlaps) {
                let message =
                    "another set-point of this version covers one of these steps".to_owned();
                let reason = ProblemReason::Malformed { message };
                return Err(ProblemRefused::new(path(pair[1].1), reason));
            }
            let all = all.into_iter().map(|(set_point, _)| set_point).collect();
            record.of_device.insert(device, all);
        }
        Ok(record)
    }

    /// Returns every set-point, by device, version and step.
    pub fn iter(&self) -> impl Iterator<Item = (FleetDevice, &SetPoint)> {
        self.of_device.iter().flat_map(|(device, all)| all.iter().map(|one| (*device, one)))
    }

    /// Returns the newest version, 0 where there is none.
    #[must_use]
    pub fn version(&self) -> u32 {
        self.iter().map(|(_, set_point)| set_point.version).max().unwrap_or(0)
    }

    /// Returns the set-point of a device that is in force in a step.
    #[must_use]
    pub fn in_force(&self, device: FleetDevice, step: usize) -> Option<&SetPoint> {
        let of_device = self.of_device.get(&device)?;
        of_device.iter().rev().find(|set_point| (set_point.from..set_point.until).contains(&step))
    }

    /// Returns the set-point of a device that is in force in each of the first `steps`.
    #[must_use]
    pub fn in_force_each(&self, device: FleetDevice, steps: usize) -> Vec<Option<&SetPoint>> {
        let Some(of_device) = self.of_device.get(&device) else { return vec![None; steps] };
        let newest = newest(of_device, steps);
        newest.into_iter().map(|newest| newest.map(|i| &of_device[i])).collect()
    }

    /// Returns what a device is told in each of the first `steps`, kW; nothing where nothing is in force, or what it does not follow.
    #[must_use]
    pub fn told_kw(&self, device: FleetDevice, steps: usize) -> Vec<Option<f64>> {
        let told = |set_point: Option<&SetPoint>| {
            set_point.filter(|one| !one.status.is_out()).map(|one| one.power_kw)
        };
        self.in_force_each(device, steps).into_iter().map(told).collect()
    }

    /// Adds set-points for the steps of a range, one for each run of equal powers.
    fn tell(
        &mut self,
        device: FleetDevice,
        steps: std::ops::Range<usize>,
        power_kw: &[f64],
        version: u32,
    ) {
        let of_device = self.of_device.entry(device).or_default();
        let mut from = steps.start;
        for run in power_kw[steps].chunk_by(|a, b| told(*a) == told(*b)) {
            let until = from + run.len();
            let (power_kw, status) = (told(run[0]), Status::Planned);
            of_device.push(SetPoint { from, until, power_kw, version, status });
            from = until;
        }
    }

    /// Adds a newer version of what changes in the rest of a device's steps. Returns the steps that change.
    pub(super) fn change(
        &mut self,
        device: FleetDevice,
        steps: std::ops::Range<usize>,
        power_kw: &[f64],
        version: u32,
    ) -> Vec<usize> {
        let before = self.told_kw(device, steps.end);
        let is_new = |t: &usize| before[*t].is_none_or(|before| told(before) != told(power_kw[*t]));
        let changed: Vec<usize> = steps.filter(is_new).collect();
        for run in changed.chunk_by(|a, b| a + 1 == *b) {
            self.tell(device, run[0]..run[run.len() - 1] + 1, power_kw, version);
        }
        changed
    }

    /// Marks what is in force of a device from a step on as not followed.
    pub(super) fn mark(&mut self, device: FleetDevice, at: usize, status: Status) {
        let Some(of_device) = self.of_device.get_mut(&device) else { return };
        let end = of_device.iter().map(|set_point| set_point.until).max().unwrap_or(0);
        let in_force: BTreeSet<usize> =
            newest(of_device, end).into_iter().skip(at).flatten().collect();
        for i in in_force {
            of_device[i].status = of_device[i].status.reported(status);
        }
    }

    /// Marks as superseded what newer versions cover completely, and as completed what a device has followed to its end.
    pub(super) fn settle(&mut self, at: usize) {
        for of_device in self.of_device.values_mut() {
            let end = of_device.iter().map(|set_point| set_point.until).max().unwrap_or(0);
            let in_force: BTreeSet<usize> = newest(of_device, end).into_iter().flatten().collect();
            for (i, set_point) in of_device.iter_mut().enumerate() {
                let next = if !in_force.contains(&i) {
                    Status::Superseded
                } else if set_point.until <= at {
                    Status::Completed
                } else {
                    continue;
                };
                if set_point.status.may_become(next) {
                    set_point.status = next;
                }
            }
        }
    }
}

/// Returns which of a device's set-points is in force in each of the first `steps`: the newest that covers it.
fn newest(of_device: &[SetPoint], steps: usize) -> Vec<Option<usize>> {
    let mut newest = vec![None; steps];
    for (i, set_point) in of_device.iter().enumerate() {
        let until = set_point.until.min(steps);
        newest[set_point.from.min(until)..until].fill(Some(i));
    }
    newest
}

/// A power as it is told, kW.
fn told(power_kw: f64) -> f64 {
    // Nothing is told without a sign.
    (power_kw * PER_KW).round() / PER_KW + 0.0
}

fn check(fleet: &Fleet, device: FleetDevice, set_point: &SetPoint) -> Checked {
    if !fleet.has(device) {
        let reason = ProblemReason::NoSuchDevice { name: device.to_string() };
        return Err(ProblemRefused::new("device", reason));
    }
    within_count("until", set_point.until, 1, fleet.steps())?;
    within_count("from", set_point.from, 0, set_point.until - 1)?;
    within_count("version", set_point.version as usize, 1, 1_000_000)?;
    within("power_kw", set_point.power_kw, -MAGNITUDE_MAX, MAGNITUDE_MAX)
}

/// Returns the steps in which a device can do something.
pub(super) fn available(fleet: &Fleet, device: FleetDevice) -> std::ops::Range<usize> {
    match device {
        FleetDevice::Ev(i) => fleet.evs.arrival[i] as usize..fleet.evs.departure[i] as usize,
        FleetDevice::Tank(_) | FleetDevice::Room(_) | FleetDevice::Battery(_) => 0..fleet.steps(),
        FleetDevice::Cycle(i) => {
            fleet.cycles.earliest_start[i] as usize..fleet.cycles.latest_end[i] as usize
        }
        FleetDevice::V2g(i) => fleet.v2gs.arrival[i] as usize..fleet.v2gs.departure[i] as usize,
    }
}
