//! Why nothing is possible: the smallest set of demands that cannot be met together, and what would be possible instead.

use super::device::{Battery, DeviceKind, Ev, SocMinBy, Thermal};
use super::formulation::Formulation;
use super::problem::{Household, HouseholdParts};
use super::tariff::Capacity;
use super::wish::Wish;
use crate::solver::{SolveError, SolveOptions, Solver};
use crate::watch::{Progress, Stage, Watch, share_of_time};

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
        /// Which of the states that are asked in it, from 0.
        index: usize,
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

/// Demands that cannot be met together.
#[derive(Debug, Clone, PartialEq)]
pub struct Conflict {
    /// The demands.
    pub conflicting: Vec<Conflicting>,
    /// Whether none of them can be left out; else the time was over before all were tried.
    pub is_smallest: bool,
}

/// Something near a demand that is possible.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Nearest {
    /// A state of charge, percent of the capacity, rounded down.
    SocPercent(u32),
    /// The nearest end of the time that is asked, as a step that is not included.
    Until(usize),
    /// The nearest beginning of the time that is asked.
    From(usize),
    /// The least limit, kW, rounded up to tenths.
    LimitKw(f64),
    /// How much wider a band must be on either side, K or kWh, rounded up to tenths.
    WiderBy(f64),
    /// The highest last state, °C or kWh, less than asked by whole tenths.
    State(f64),
    /// The most energy, kWh, less than asked by whole tenths.
    EnergyKwh(f64),
    /// How many steps a load can be on.
    OnSteps(usize),
    /// The shortest longest pause between two programs, steps.
    PauseSteps(usize),
}

/// Returns a set of demands of which none can be left out: without any one of them the others can be met. Grid limits are left out first, so
/// that what a device cannot do by itself names the device alone. When the time is over, what was not tried is in the set, and what would
/// do instead is not looked for.
///
/// # Errors
///
/// Returns a [`SolveError`] when a solver fails, and an empty set when nothing is in conflict.
pub fn conflict(
    household: &Household,
    solver: &dyn Solver,
    watch: &dyn Watch,
) -> Result<Conflict, SolveError> {
    let explorer = Explorer { solver, watch };
    let all: Vec<Demand> = demands(household);
    match explorer.is_possible(household) {
        Ok(true) => return Ok(Conflict { conflicting: Vec::new(), is_smallest: true }),
        // Whoever asks has tried: without time nothing can be left out.
        Ok(false) | Err(SolveError::TimeOver) => {}
        Err(error) => return Err(error),
    }
    let (mut left, mut given_up) = (Vec::new(), Vec::new());
    let mut is_smallest = true;
    for (done, demand) in all.iter().enumerate() {
        watch.told(&Progress::counted(Stage::Conflict, done, all.len()));
        given_up.push(demand.clone());
        let is_possible = match explorer.is_possible(&without(household, &given_up)) {
            Err(SolveError::TimeOver) => {
                is_smallest = false;
                true
            }
            answer => answer?,
        };
        if is_possible {
            left.extend(given_up.pop());
        }
    }
    let rest = without(household, &given_up);
    let total = left.len();
    let near = |(done, demand): (usize, Demand)| {
        watch.told(&Progress::counted(Stage::Nearest, done, total));
        let look = || {
            let nearest = explorer.nearest(household, &demand)?;
            // There may be other conflicts: what would settle this one?
            match of_rest(household, &rest, &demand) {
                Some(demand) if nearest.is_empty() => explorer.nearest(&rest, &demand),
                _ => Ok(nearest),
            }
        };
        let nearest = match look() {
            Err(SolveError::TimeOver) => Vec::new(),
            answer => answer?,
        };
        Ok(Conflicting { demand, nearest })
    };
    let conflicting = left.into_iter().enumerate().map(near).collect::<Result<_, _>>()?;
    Ok(Conflict { conflicting, is_smallest })
}

/// The same demand in a household that has given others up, and with them the places of its wishes; nothing where it is gone with its device.
fn of_rest(household: &Household, rest: &Household, demand: &Demand) -> Option<Demand> {
    let Demand::Wish { index } = demand else { return Some(demand.clone()) };
    let index = rest.wishes.iter().position(|wish| *wish == household.wishes[*index])?;
    Some(Demand::Wish { index })
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
                    for index in 0..stay.soc_min_by.len() {
                        demands.push(Demand::SocMinBy { device: id(), session, index });
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

/// Lifts a limit out of the way, and never lowers it.
const fn raise(limit_kw: &mut f64) {
    *limit_kw = limit_kw.max(BOUNDLESS);
}

/// Returns the household without some of its demands.
fn without(household: &Household, given_up: &[Demand]) -> Household {
    let mut parts = household.clone().into_parts();
    let mut wishes_left = vec![true; parts.wishes.len()];
    let mut gone = Vec::new();
    for demand in given_up {
        match demand {
            Demand::ImportLimit => raise(&mut parts.site.import_limit_kw),
            Demand::ExportLimit => raise(&mut parts.site.export_limit_kw),
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
            thermal.state_final_min = thermal.state_final_min.min(-BOUNDLESS);
        }
        (Some(DeviceKind::Cycle(cycle)), Demand::Order { .. }) => cycle.after = None,
        (Some(DeviceKind::Ev(ev)), Demand::SocMinBy { session, index, .. }) => {
            ev.sessions[*session].soc_min_by[*index].1 = 0.0;
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
    watch: &'a dyn Watch,
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
        loop {
            let time_limit = share_of_time(self.watch, None).map_err(|_| SolveError::TimeOver)?;
            let options = SolveOptions { gap: 1.0, time_limit, nodes_max: None };
            match self.solver.solve(&formulation.model, &options) {
                Ok(solution) if formulation.exclude(&solution) => {}
                Ok(_) => return Ok(true),
                Err(SolveError::Infeasible) => return Ok(false),
                Err(error) => return Err(error),
            }
        }
    }

    /// What is possible near a demand while all others stand; nothing for what is asked or not, and has nothing near.
    fn nearest(&self, household: &Household, demand: &Demand) -> Result<Vec<Nearest>, SolveError> {
        let found = match demand {
            Demand::ImportLimit => vec![self.least_limit(household, |parts, limit_kw| {
                parts.site.import_limit_kw = limit_kw;
            })?],
            Demand::ExportLimit => vec![self.least_limit(household, |parts, limit_kw| {
                parts.site.export_limit_kw = limit_kw;
            })?],
            Demand::Capacity => vec![self.least_limit(household, |parts, limit_kw| {
                if let Capacity::DailyMaxSteps(stepped) = &mut parts.tariff.capacity
                    && let Some(last) = stepped.steps.last_mut()
                {
                    last.upto_kw = last.upto_kw.max(limit_kw);
                }
            })?],
            Demand::ExportOnlyPv | Demand::ChargeOnlyPv { .. } => Vec::new(),
            Demand::Band { device } => {
                let tenths = self.least(household, 1, 1_000, |parts, tenths| {
                    if let Some(DeviceKind::Thermal(thermal)) = kind(parts, device) {
                        let by = f64::from(tenths) / 10.0;
                        thermal.state_min.iter_mut().for_each(|least| *least -= by);
                        thermal.state_max.iter_mut().for_each(|most| *most += by);
                    }
                })?;
                vec![tenths.map(|tenths| Nearest::WiderBy(f64::from(tenths) / 10.0))]
            }
            Demand::FinalState { device } => {
                let asked = |thermal: &Thermal| thermal.state_final_min;
                let asked = thermal(household, device).map_or(0.0, asked);
                let less = self.less_by_tenths(household, |parts, less| {
                    if let Some(DeviceKind::Thermal(thermal)) = kind(parts, device) {
                        thermal.state_final_min = asked - less;
                    }
                })?;
                vec![less.map(|less| Nearest::State(asked - less))]
            }
            Demand::FinalSoc { device } => {
                let asked =
                    battery(household, device).map_or(0.0, |battery| battery.soc_final_min_kwh);
                vec![self.fullest(household, device, asked, |parts, soc_kwh| {
                    if let Some(DeviceKind::Battery(battery)) = kind(parts, device) {
                        battery.soc_final_min_kwh = soc_kwh;
                    }
                })?]
            }
            Demand::SocMinBy { device, session, index } => {
                self.near_min_by(household, device, *session, *index)?
            }
            Demand::Target { device, session } => self.near_target(household, device, *session)?,
            Demand::Runs { device } => self.near_run(household, device)?,
            Demand::Order { device } => {
                let (from, to) = (0, household.horizon.steps());
                let pause = self.least_step(household, from, to, |parts, pause| {
                    if let Some(DeviceKind::Cycle(cycle)) = kind(parts, device)
                        && let Some(order) = &mut cycle.after
                    {
                        order.max_gap_steps = order.max_gap_steps.max(pause);
                    }
                })?;
                vec![pause.map(Nearest::PauseSteps)]
            }
            Demand::Wish { index } => self.near_wish(household, *index)?,
        };
        Ok(found.into_iter().flatten().collect())
    }

    /// The nearest windows of a run, and what would fit into its own.
    fn near_run(
        &self,
        household: &Household,
        device: &str,
    ) -> Result<Vec<Option<Nearest>>, SolveError> {
        let steps = household.horizon.steps();
        let Some(own) = household.devices.iter().find(|other| other.id == device) else {
            return Ok(Vec::new());
        };
        let (from, end) = match &own.kind {
            DeviceKind::Cycle(cycle) => (cycle.earliest_start, cycle.latest_end),
            DeviceKind::Interruptible(load) => (load.window[0], load.window[1]),
            DeviceKind::Modulating(load) => (load.window[0], load.window[1]),
            _ => return Ok(Vec::new()),
        };
        let until =
            self.least_step(household, end + 1, steps, |parts, until| match kind(parts, device) {
                Some(DeviceKind::Cycle(cycle)) => cycle.latest_end = until,
                Some(DeviceKind::Interruptible(load)) => load.window[1] = until,
                Some(DeviceKind::Modulating(load)) => load.window[1] = until,
                _ => {}
            })?;
        let earlier =
            self.least_step(household, 1, from, |parts, earlier| match kind(parts, device) {
                Some(DeviceKind::Cycle(cycle)) => cycle.earliest_start = from - earlier,
                Some(DeviceKind::Interruptible(load)) => load.window[0] = from - earlier,
                Some(DeviceKind::Modulating(load)) => load.window[0] = from - earlier,
                _ => {}
            })?;
        let less = match &own.kind {
            DeviceKind::Interruptible(load) => {
                let asked = load.on_steps;
                let less = self.least_step(household, 1, asked, |parts, less| {
                    if let Some(DeviceKind::Interruptible(load)) = kind(parts, device) {
                        load.on_steps = asked - less;
                        load.min_on_steps = load.min_on_steps.min(load.on_steps.max(1));
                    }
                })?;
                less.map(|less| asked - less).filter(|on| *on > 0).map(Nearest::OnSteps)
            }
            DeviceKind::Modulating(load) => {
                let asked = load.energy_kwh;
                let less = self.less_by_tenths(household, |parts, less| {
                    if let Some(DeviceKind::Modulating(load)) = kind(parts, device) {
                        load.energy_kwh = (asked - less).max(0.0);
                    }
                })?;
                let most_kwh = less.map(|less| asked - less).filter(|most| *most > 0.0);
                most_kwh.map(Nearest::EnergyKwh)
            }
            _ => None,
        };
        Ok(vec![less, until.map(Nearest::Until), earlier.map(|by| Nearest::From(from - by))])
    }

    /// The fullest that a car can be by a step on the way, and the first step by which it is as full as asked.
    fn near_min_by(
        &self,
        household: &Household,
        device: &str,
        session: usize,
        index: usize,
    ) -> Result<Vec<Option<Nearest>>, SolveError> {
        let Some(ev) = car(household, device) else { return Ok(Vec::new()) };
        let stay = &ev.sessions[session];
        let SocMinBy(step, asked) = stay.soc_min_by[index];
        let fullest = self.fullest(household, device, asked, |parts, soc_kwh| {
            if let Some(DeviceKind::Ev(ev)) = kind(parts, device) {
                ev.sessions[session].soc_min_by[index].1 = soc_kwh;
            }
        })?;
        let until = self.least_step(household, step + 1, stay.departure, |parts, until| {
            if let Some(DeviceKind::Ev(ev)) = kind(parts, device) {
                ev.sessions[session].soc_min_by[index].0 = until;
            }
        })?;
        Ok(vec![fullest, until.map(Nearest::Until)])
    }

    /// The fullest that a car can be at its departure, and the first departure by which it is as full as asked.
    fn near_target(
        &self,
        household: &Household,
        device: &str,
        session: usize,
    ) -> Result<Vec<Option<Nearest>>, SolveError> {
        let Some(ev) = car(household, device) else { return Ok(Vec::new()) };
        let stay = &ev.sessions[session];
        let fullest = self.fullest(household, device, stay.soc_target_kwh, |parts, soc_kwh| {
            if let Some(DeviceKind::Ev(ev)) = kind(parts, device) {
                ev.sessions[session].soc_target_kwh = soc_kwh;
            }
        })?;
        let next =
            ev.sessions.get(session + 1).map_or(household.horizon.steps(), |next| next.arrival);
        let until = self.least_step(household, stay.departure + 1, next, |parts, until| {
            if let Some(DeviceKind::Ev(ev)) = kind(parts, device) {
                ev.sessions[session].departure = until;
            }
        })?;
        Ok(vec![fullest, until.map(Nearest::Until)])
    }

    /// A shorter rest, or a smaller or shorter reserve.
    fn near_wish(
        &self,
        household: &Household,
        index: usize,
    ) -> Result<Vec<Option<Nearest>>, SolveError> {
        let wish = &household.wishes[index];
        let (Wish::Rests { steps, .. } | Wish::Holds { steps, .. }) = wish else {
            return Ok(Vec::new());
        };
        let [from, until] = *steps;
        let length = until - from;
        let set = |parts: &mut HouseholdParts, steps: [usize; 2]| {
            if let Wish::Rests { steps: old, .. } | Wish::Holds { steps: old, .. } =
                &mut parts.wishes[index]
            {
                *old = steps;
            }
        };
        let fullest = if let Wish::Holds { device, soc_kwh, .. } = wish {
            self.fullest(household, device, *soc_kwh, |parts, less_kwh| {
                if let Wish::Holds { soc_kwh, .. } = &mut parts.wishes[index] {
                    *soc_kwh = less_kwh;
                }
            })?
        } else {
            None
        };
        let last = length.saturating_sub(1);
        let shorter = self.least_step(household, 1, last, |parts, less| {
            set(parts, [from, until - less]);
        })?;
        let later = self.least_step(household, 1, last, |parts, less| {
            set(parts, [from + less, until]);
        })?;
        Ok(vec![
            fullest,
            shorter.map(|less| Nearest::Until(until - less)),
            later.map(|less| Nearest::From(from + less)),
        ])
    }

    /// The least limit that would do, in tenths of a kW.
    fn least_limit(
        &self,
        household: &Household,
        set: impl Fn(&mut HouseholdParts, f64),
    ) -> Result<Option<Nearest>, SolveError> {
        let tenths = self.least(household, 0, 10_000, |parts, tenths| {
            set(parts, f64::from(tenths) / 10.0);
        })?;
        Ok(tenths.map(|tenths| Nearest::LimitKw(f64::from(tenths) / 10.0)))
    }

    /// How much less than asked would do, in tenths.
    fn less_by_tenths(
        &self,
        household: &Household,
        set: impl Fn(&mut HouseholdParts, f64),
    ) -> Result<Option<f64>, SolveError> {
        let tenths = self.least(household, 1, 10_000, |parts, tenths| {
            set(parts, f64::from(tenths) / 10.0);
        })?;
        Ok(tenths.map(|tenths| f64::from(tenths) / 10.0))
    }

    /// The fullest that a store can be where more is asked, whole percents of its capacity.
    fn fullest(
        &self,
        household: &Household,
        device: &str,
        asked_kwh: f64,
        set: impl Fn(&mut HouseholdParts, f64),
    ) -> Result<Option<Nearest>, SolveError> {
        let capacity_kwh = battery(household, device)
            .map(|battery| battery.capacity_kwh)
            .or_else(|| car(household, device).map(|ev| ev.capacity_kwh));
        let Some(capacity_kwh) = capacity_kwh else { return Ok(None) };
        let percent_kwh = |less: u32| capacity_kwh * f64::from(100 - less) / 100.0;
        // How much less than full: the least that is possible.
        let less = self.least(household, 0, 100, |parts, less| set(parts, percent_kwh(less)))?;
        let less = less.filter(|less| percent_kwh(*less) < asked_kwh);
        Ok(less.map(|less| Nearest::SocPercent(100 - less)))
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

fn car<'a>(household: &'a Household, id: &str) -> Option<&'a Ev> {
    let device = household.devices.iter().find(|device| device.id == id)?;
    if let DeviceKind::Ev(ev) = &device.kind { Some(ev) } else { None }
}

fn battery<'a>(household: &'a Household, id: &str) -> Option<&'a Battery> {
    let device = household.devices.iter().find(|device| device.id == id)?;
    if let DeviceKind::Battery(battery) = &device.kind { Some(battery) } else { None }
}

fn thermal<'a>(household: &'a Household, id: &str) -> Option<&'a Thermal> {
    let device = household.devices.iter().find(|device| device.id == id)?;
    if let DeviceKind::Thermal(thermal) = &device.kind { Some(thermal) } else { None }
}

fn kind<'a>(parts: &'a mut HouseholdParts, id: &str) -> Option<&'a mut DeviceKind> {
    parts.devices.iter_mut().find(|device| device.id == id).map(|device| &mut device.kind)
}
