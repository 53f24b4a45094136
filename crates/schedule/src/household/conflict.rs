//! Why nothing is possible: the smallest set of demands that cannot be met together, and what would be possible instead.

use super::device::DeviceKind;
use super::formulation::Formulation;
use super::problem::{Household, HouseholdParts};
use super::tariff::Capacity;
use crate::solver::{SolveError, SolveOptions, Solver};

/// One thing that a household asks of its plan and could give up.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Demand {
    /// Most that is drawn from the grid.
    ImportLimit,
    /// Most that is fed in.
    ExportLimit,
    /// Nothing but own generation is fed in.
    ExportOnlyPv,
    /// The highest fee of the capacity tariff.
    Capacity,
    /// A battery draws only what the panels give.
    ChargeOnlyPv {
        /// Name of the device.
        device: String,
    },
    /// What a battery holds at the end.
    FinalSoc {
        /// Name of the device.
        device: String,
    },
    /// The band of a room or tank.
    Band {
        /// Name of the device.
        device: String,
    },
    /// The last state of a room or tank.
    FinalState {
        /// Name of the device.
        device: String,
    },
    /// A load runs, in its window.
    Runs {
        /// Name of the device.
        device: String,
    },
    /// A program runs after another.
    Order {
        /// Name of the device.
        device: String,
    },
    /// What a car holds before it leaves.
    SocMinBy {
        /// Name of the device.
        device: String,
        /// Which of its stays, from 0.
        session: usize,
    },
    /// What a car holds when it leaves.
    Target {
        /// Name of the device.
        device: String,
        /// Which of its stays, from 0.
        session: usize,
    },
    /// One of the household's wishes.
    Wish {
        /// Which, from 0.
        index: usize,
    },
}

/// A demand of a conflict, and what would be possible if it alone were loosened, or, where there are other conflicts, what would settle this
/// one.
#[derive(Debug, Clone, PartialEq)]
pub struct Conflicting {
    /// The demand.
    pub demand: Demand,
    /// What would be possible instead, the nearest there is of each kind; nothing where it must be given up as a whole.
    pub nearest: Vec<Nearest>,
}

/// Something near a demand that is possible.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Nearest {
    /// A state of charge, percent of the capacity, rounded down.
    SocPercent(u32),
    /// The first step by which it is done, as an end that is not included.
    Until(usize),
    /// The least limit, kW, rounded up to tenths.
    LimitKw(f64),
    /// How much wider a band must be on either side, K or kWh, rounded up to tenths.
    WiderBy(f64),
}

/// Returns a set of demands of which none can be left out: without any one of them the others can be met. Grid limits are left out first, so
/// that what a device cannot do by itself names the device alone.
///
/// # Errors
///
/// Returns a [`SolveError`] when a solver fails, and an empty set when nothing is in conflict.
pub fn conflict(
    household: &Household,
    solver: &dyn Solver,
) -> Result<Vec<Conflicting>, SolveError> {
    let explorer = Explorer { solver };
    let mut left: Vec<Demand> = demands(household);
    if explorer.is_possible(household)? {
        return Ok(Vec::new());
    }
    let mut given_up: Vec<Demand> = Vec::new();
    for demand in left.clone() {
        given_up.push(demand.clone());
        if explorer.is_possible(&without(household, &given_up))? {
            given_up.pop();
        } else {
            left.retain(|other| *other != demand);
        }
    }
    let rest = without(household, &given_up);
    let near = |demand: Demand| {
        let mut nearest = explorer.nearest(household, &demand)?;
        if nearest.is_empty() {
            // There are other conflicts: what would settle this one?
            nearest = explorer.nearest(&rest, &demand)?;
        }
        Ok(Conflicting { demand, nearest })
    };
    left.into_iter().map(near).collect()
}

/// Everything that a household asks, in the order in which it is tried to do without.
fn demands(household: &Household) -> Vec<Demand> {
    let mut demands = vec![Demand::ImportLimit, Demand::ExportLimit];
    if household.site.export_only_pv {
        demands.push(Demand::ExportOnlyPv);
    }
    if !matches!(household.tariff.capacity, Capacity::Free) {
        demands.push(Demand::Capacity);
    }
    for device in &household.devices {
        let id = || device.id.clone();
        match &device.kind {
            DeviceKind::Pv(_) => {}
            DeviceKind::Cycle(cycle) => {
                if cycle.after.is_some() {
                    demands.push(Demand::Order { device: id() });
                }
                demands.push(Demand::Runs { device: id() });
            }
            DeviceKind::Interruptible(_) | DeviceKind::Modulating(_) => {
                demands.push(Demand::Runs { device: id() });
            }
            DeviceKind::Battery(battery) => {
                if battery.charge_only_pv {
                    demands.push(Demand::ChargeOnlyPv { device: id() });
                }
                demands.push(Demand::FinalSoc { device: id() });
            }
            DeviceKind::Thermal(thermal) => {
                if thermal.discomfort_price.is_none() {
                    demands.push(Demand::Band { device: id() });
                }
                demands.push(Demand::FinalState { device: id() });
            }
            DeviceKind::Ev(ev) => {
                for (session, stay) in ev.sessions.iter().enumerate() {
                    if !stay.soc_min_by.is_empty() {
                        demands.push(Demand::SocMinBy { device: id(), session });
                    }
                    demands.push(Demand::Target { device: id(), session });
                }
            }
        }
    }
    demands.extend((0..household.wishes.len()).map(|index| Demand::Wish { index }));
    demands
}

/// More than any limit and any temperature.
const BOUNDLESS: f64 = 1e5;

/// Returns the household without some of its demands.
fn without(household: &Household, given_up: &[Demand]) -> Household {
    let mut parts = household.clone().into_parts();
    let mut wishes_left = vec![true; parts.wishes.len()];
    let mut gone = Vec::new();
    for demand in given_up {
        match demand {
            Demand::ImportLimit => parts.site.import_limit_kw = BOUNDLESS,
            Demand::ExportLimit => parts.site.export_limit_kw = BOUNDLESS,
            Demand::ExportOnlyPv => parts.site.export_only_pv = false,
            Demand::Capacity => parts.tariff.capacity = Capacity::Free,
            Demand::Wish { index } => wishes_left[*index] = false,
            Demand::Runs { device } => gone.push(device.clone()),
            Demand::ChargeOnlyPv { device }
            | Demand::FinalSoc { device }
            | Demand::Band { device }
            | Demand::FinalState { device }
            | Demand::Order { device }
            | Demand::SocMinBy { device, .. }
            | Demand::Target { device, .. } => change(&mut parts, device, demand),
        }
    }
    let mut wishes_left = wishes_left.into_iter();
    parts.wishes.retain(|_| wishes_left.next().expect("one for each"));
    remove(&mut parts, &gone);
    Household::new(parts).expect("a demand less is as possible as before")
}

fn change(parts: &mut HouseholdParts, id: &str, demand: &Demand) {
    let kind =
        parts.devices.iter_mut().find(|device| device.id == id).map(|device| &mut device.kind);
    match (kind, demand) {
        (Some(DeviceKind::Battery(battery)), Demand::ChargeOnlyPv { .. }) => {
            battery.charge_only_pv = false;
        }
        (Some(DeviceKind::Battery(battery)), Demand::FinalSoc { .. }) => {
            battery.soc_final_min_kwh = 0.0;
        }
        (Some(DeviceKind::Thermal(thermal)), Demand::Band { .. }) => {
            thermal.discomfort_price = Some(0.0);
        }
        (Some(DeviceKind::Thermal(thermal)), Demand::FinalState { .. }) => {
            thermal.state_final_min = -BOUNDLESS;
        }
        (Some(DeviceKind::Cycle(cycle)), Demand::Order { .. }) => cycle.after = None,
        (Some(DeviceKind::Ev(ev)), Demand::SocMinBy { session, .. }) => {
            ev.sessions[*session].soc_min_by.clear();
        }
        (Some(DeviceKind::Ev(ev)), Demand::Target { session, .. }) => {
            ev.sessions[*session].soc_target_kwh = 0.0;
        }
        _ => {}
    }
}

/// Takes devices away, with what others and wishes say of them.
fn remove(parts: &mut HouseholdParts, gone: &[String]) {
    parts.devices.retain(|device| !gone.contains(&device.id));
    parts.wishes.retain(|wish| !gone.iter().any(|id| id == wish.device()));
    for device in &mut parts.devices {
        if let DeviceKind::Cycle(cycle) = &mut device.kind
            && cycle.after.as_ref().is_some_and(|order| gone.contains(&order.id))
        {
            cycle.after = None;
        }
    }
}

struct Explorer<'a> {
    solver: &'a dyn Solver,
}

impl Explorer<'_> {
    /// Whether any plan is possible; what it costs does not matter.
    fn is_possible(&self, household: &Household) -> Result<bool, SolveError> {
        let widest_kw = match &household.tariff.capacity {
            Capacity::Free | Capacity::Peak(_) => None,
            Capacity::DailyMaxSteps(stepped) => stepped.steps.last().map(|step| step.upto_kw),
        };
        let mut formulation = Formulation::new(household, widest_kw, None);
        formulation.model.forget_costs();
        let options = SolveOptions { gap: 1.0, time_limit: None, nodes_max: None };
        loop {
            match self.solver.solve(&formulation.model, &options) {
                Ok(solution) if formulation.exclude(&solution) => {}
                Ok(_) => return Ok(true),
                Err(SolveError::Infeasible) => return Ok(false),
                Err(error) => return Err(error),
            }
        }
    }

    /// What is possible near a demand while all others stand.
    fn nearest(&self, household: &Household, demand: &Demand) -> Result<Vec<Nearest>, SolveError> {
        let steps = household.horizon.steps();
        Ok(match demand {
            Demand::ImportLimit => {
                let tenths = self.least(household, 0, 10_000, |parts, tenths| {
                    parts.site.import_limit_kw = f64::from(tenths) / 10.0;
                })?;
                tenths
                    .map(|tenths| Nearest::LimitKw(f64::from(tenths) / 10.0))
                    .into_iter()
                    .collect()
            }
            Demand::ExportLimit => {
                let tenths = self.least(household, 0, 10_000, |parts, tenths| {
                    parts.site.export_limit_kw = f64::from(tenths) / 10.0;
                })?;
                tenths
                    .map(|tenths| Nearest::LimitKw(f64::from(tenths) / 10.0))
                    .into_iter()
                    .collect()
            }
            Demand::Band { device } => {
                let tenths = self.least(household, 1, 1_000, |parts, tenths| {
                    if let Some(DeviceKind::Thermal(thermal)) = kind(parts, device) {
                        let by = f64::from(tenths) / 10.0;
                        thermal.state_min.iter_mut().for_each(|least| *least -= by);
                        thermal.state_max.iter_mut().for_each(|most| *most += by);
                    }
                })?;
                tenths
                    .map(|tenths| Nearest::WiderBy(f64::from(tenths) / 10.0))
                    .into_iter()
                    .collect()
            }
            Demand::Target { device, session } => self.near_target(household, device, *session)?,
            Demand::Runs { device } => {
                let end = household.devices.iter().find(|other| other.id == *device).map_or(
                    steps,
                    |other| match &other.kind {
                        DeviceKind::Cycle(cycle) => cycle.latest_end,
                        DeviceKind::Interruptible(load) => load.window[1],
                        DeviceKind::Modulating(load) => load.window[1],
                        _ => steps,
                    },
                );
                let until =
                    self.least_step(household, end + 1, steps, |parts, until| {
                        match kind(parts, device) {
                            Some(DeviceKind::Cycle(cycle)) => cycle.latest_end = until,
                            Some(DeviceKind::Interruptible(load)) => load.window[1] = until,
                            Some(DeviceKind::Modulating(load)) => load.window[1] = until,
                            _ => {}
                        }
                    })?;
                until.map(Nearest::Until).into_iter().collect()
            }
            _ => Vec::new(),
        })
    }

    /// The fullest that a car can be at its departure, and the first departure by which it is as full as asked.
    fn near_target(
        &self,
        household: &Household,
        device: &str,
        session: usize,
    ) -> Result<Vec<Nearest>, SolveError> {
        let Some(DeviceKind::Ev(ev)) =
            household.devices.iter().find(|other| other.id == device).map(|other| &other.kind)
        else {
            return Ok(Vec::new());
        };
        let (stay, capacity_kwh) = (&ev.sessions[session], ev.capacity_kwh);
        let asked = stay.soc_target_kwh / capacity_kwh * 100.0;
        // How much less than full: the least that is possible.
        let less = self.least(household, 0, 100, |parts, less| {
            if let Some(DeviceKind::Ev(ev)) = kind(parts, device) {
                ev.sessions[session].soc_target_kwh = capacity_kwh * f64::from(100 - less) / 100.0;
            }
        })?;
        let mut nearest = Vec::new();
        nearest.extend(
            less.map(|less| 100 - less)
                .filter(|percent| f64::from(*percent) < asked)
                .map(Nearest::SocPercent),
        );
        let next =
            ev.sessions.get(session + 1).map_or(household.horizon.steps(), |next| next.arrival);
        let until = self.least_step(household, stay.departure + 1, next, |parts, until| {
            if let Some(DeviceKind::Ev(ev)) = kind(parts, device) {
                ev.sessions[session].departure = until;
            }
        })?;
        nearest.extend(until.map(Nearest::Until));
        Ok(nearest)
    }

    fn least_step(
        &self,
        household: &Household,
        from: usize,
        to: usize,
        set: impl Fn(&mut HouseholdParts, usize),
    ) -> Result<Option<usize>, SolveError> {
        let narrow =
            |step: usize| u32::try_from(step).expect("a horizon has ten thousand steps at most");
        let found = self
            .least(household, narrow(from), narrow(to), |parts, step| set(parts, step as usize))?;
        Ok(found.map(|step| step as usize))
    }

    /// The least number in a range, both ends included, with which a plan is possible; more is never less possible.
    fn least(
        &self,
        household: &Household,
        mut from: u32,
        mut to: u32,
        set: impl Fn(&mut HouseholdParts, u32),
    ) -> Result<Option<u32>, SolveError> {
        let is_possible = |number: u32| {
            let mut parts = household.clone().into_parts();
            set(&mut parts, number);
            // What is out of range is not possible either.
            Household::new(parts).map_or(Ok(false), |household| self.is_possible(&household))
        };
        if from > to || !is_possible(to)? {
            return Ok(None);
        }
        while from < to {
            let middle = u32::midpoint(from, to);
            if is_possible(middle)? {
                to = middle;
            } else {
                from = middle + 1;
            }
        }
        Ok(Some(to))
    }
}

fn kind<'a>(parts: &'a mut HouseholdParts, id: &str) -> Option<&'a mut DeviceKind> {
    parts.devices.iter_mut().find(|device| device.id == id).map(|device| &mut device.kind)
}
