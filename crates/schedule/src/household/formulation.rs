//! A household as a mixed-integer program: the optimal plan costs the least that keeps every requirement.
//!
//! # Source
//!
//! The usual formulation of home energy management; the thermal model is solved exactly over a step, grid limits are as tight as the
//! devices allow, and integers are used only where a device needs them.

use super::device::{
    Battery, Cycle, DeviceKind, Ev, EvSession, Interruptible, Modulating, Pv, Thermal,
};
use super::headroom::Headroom;
use super::plan::HouseholdPlan;
use super::problem::Household;
use super::tariff::{Capacity, HourSoFar};
use super::wish::Wish;
use crate::solver::{Column, ColumnSpec, Model, Solution};

/// A household as a model, and where its powers are in it.
#[derive(Debug)]
pub(crate) struct Formulation {
    pub(crate) model: Model,
    /// For each device and step, the columns whose sum is its net power, kW.
    power: Vec<Vec<Vec<(Column, f64)>>>,
    /// Pairs of charge and discharge that must not both be used, with their greatest values, kW.
    pub(super) exclusive: Vec<Exclusive>,
}

/// Two powers of which one is zero.
#[derive(Debug, Clone, Copy)]
pub(super) struct Exclusive {
    charge: Column,
    charge_max: f64,
    discharge: Column,
    discharge_max: f64,
}

/// Both above this, in kW, are both in use.
const IN_USE_KW: f64 = 1e-6;

impl Formulation {
    /// Returns the model in which the highest hours stay within a bracket of the capacity tariff, `None` for any, and in which more than the
    /// headroom costs what it says.
    pub(crate) fn new(
        household: &Household,
        bracket_upto_kw: Option<f64>,
        headroom: Option<&Headroom>,
    ) -> Self {
        let steps = household.horizon.steps();
        let mut build = Build {
            household,
            steps,
            step_h: household.horizon.step_h(),
            model: Model::default(),
            exclusive: Vec::new(),
        };
        let mut power = Vec::with_capacity(household.devices.len());
        let mut starts = Vec::new();
        for device in &household.devices {
            power.push(match &device.kind {
                DeviceKind::Pv(pv) => build.pv(pv),
                DeviceKind::Cycle(cycle) => {
                    let (power, columns) = build.cycle(cycle);
                    starts.push((device.id.as_str(), cycle, columns));
                    power
                }
                DeviceKind::Interruptible(load) => build.interruptible(load),
                DeviceKind::Modulating(load) => build.modulating(load),
                DeviceKind::Ev(ev) => build.ev(&device.id, ev),
                DeviceKind::Battery(battery) => build.battery(&device.id, battery),
                DeviceKind::Thermal(thermal) => build.thermal(thermal),
            });
        }
        build.orders(&starts);
        build.charge_only_pv(&power);
        build.rests(&power);
        build.only_surplus(&power);
        let grid = build.grid(&power, headroom);
        build.not_from_battery(&power, &grid);
        build.capacity(&grid, bracket_upto_kw);
        Self { model: build.model, power, exclusive: build.exclusive }
    }

    /// Returns the plan that a solution describes.
    pub(crate) fn plan(&self, solution: &Solution) -> HouseholdPlan {
        let sum = |terms: &Vec<(Column, f64)>| {
            terms.iter().map(|(column, factor)| factor * solution.value(*column)).sum::<f64>()
        };
        let device_kw = self.power.iter().map(|steps| steps.iter().map(sum).collect()).collect();
        HouseholdPlan { device_kw }
    }

    /// Returns the columns whose sum is the net power of all devices in a step, kW.
    #[cfg(test)]
    pub(crate) fn devices_at(&self, t: usize) -> impl Iterator<Item = (Column, f64)> {
        self.power.iter().flat_map(move |steps| steps[t].iter().copied())
    }

    /// Makes the pairs exclusive that a solution uses both of. Returns whether there were any.
    pub(crate) fn exclude(&mut self, solution: &Solution) -> bool {
        let is_both = |pair: &Exclusive| {
            solution.value(pair.charge) > IN_USE_KW && solution.value(pair.discharge) > IN_USE_KW
        };
        let (both, rest) =
            self.exclusive.iter().partition::<Vec<Exclusive>, _>(|pair| is_both(pair));
        for pair in &both {
            let is_charging = self.model.binary(0.0);
            self.model.at_most(0.0, [(pair.charge, 1.0), (is_charging, -pair.charge_max)]);
            self.model.at_most(
                pair.discharge_max,
                [(pair.discharge, 1.0), (is_charging, pair.discharge_max)],
            );
        }
        self.exclusive = rest;
        !both.is_empty()
    }
}

/// A program with its name and the column of each of its starts.
type Startable<'a> = (&'a str, &'a Cycle, Vec<(usize, Column)>);

/// The net power of one device: for each step, the columns whose sum it is.
type Power = Vec<Vec<(Column, f64)>>;

struct Build<'a> {
    household: &'a Household,
    steps: usize,
    step_h: f64,
    model: Model,
    exclusive: Vec<Exclusive>,
}

impl Build<'_> {
    fn pv(&mut self, pv: &Pv) -> Power {
        let column = |&available: &f64| {
            let least = if pv.curtailable { 0.0 } else { available };
            vec![(self.model.column(0.0, least, available), -1.0)]
        };
        pv.available_kw.iter().map(column).collect()
    }

    fn cycle(&mut self, cycle: &Cycle) -> (Power, Vec<(usize, Column)>) {
        let mut power = vec![Vec::new(); self.steps];
        let starts: Vec<_> = cycle.starts().map(|start| (start, self.model.binary(0.0))).collect();
        self.model.equal(1.0, starts.iter().map(|&(_, column)| (column, 1.0)));
        for &(start, column) in &starts {
            for (i, &profile_kw) in cycle.profile_kw.iter().enumerate() {
                power[start + i].push((column, profile_kw));
            }
        }
        (power, starts)
    }

    /// Programs that follow each other: for every start of the later one, a start of the earlier one that allows it, and the
    /// other way round, which is tighter than comparing the sums of start times.
    fn orders(&mut self, cycles: &[Startable<'_>]) {
        for (_, cycle, starts) in cycles {
            let Some(order) = &cycle.after else { continue };
            let (_, before, before_starts) = cycles
                .iter()
                .find(|(id, ..)| *id == order.id)
                .expect("a household is checked when it is made");
            let length = before.profile_kw.len();
            let fits = |first: usize, later: usize| {
                let end = first + length;
                (end + order.min_gap_steps..=end + order.max_gap_steps).contains(&later)
            };
            for &(later, column) in starts {
                let allowing = before_starts.iter().filter(|&&(first, _)| fits(first, later));
                let terms = allowing.map(|&(_, before)| (before, -1.0)).chain([(column, 1.0)]);
                self.model.at_most(0.0, terms);
            }
            for &(first, column) in before_starts {
                let allowed = starts.iter().filter(|&&(later, _)| fits(first, later));
                let terms = allowed.map(|&(_, later)| (later, -1.0)).chain([(column, 1.0)]);
                self.model.at_most(0.0, terms);
            }
        }
    }

    fn interruptible(&mut self, load: &Interruptible) -> Power {
        let mut power = vec![Vec::new(); self.steps];
        let [first, end] = load.window;
        let on: Vec<Column> = (first..end).map(|_| self.model.binary(0.0)).collect();
        self.model.equal(real(load.on_steps), on.iter().map(|&column| (column, 1.0)));
        if load.min_on_steps > 1 {
            let is_running = load.running_steps > 0;
            if is_running {
                let left = load.min_on_steps.saturating_sub(load.running_steps);
                on.iter().take(left).for_each(|&column| self.model.at_least(1.0, [(column, 1.0)]));
            }
            for t in usize::from(is_running)..on.len() {
                // A run that begins here lasts: whoever is off before and on now is on later.
                for later in 1..load.min_on_steps {
                    let mut terms = vec![(on[t], 1.0)];
                    terms.extend(t.checked_sub(1).map(|before| (on[before], -1.0)));
                    terms.extend(on.get(t + later).map(|&later| (later, -1.0)));
                    self.model.at_most(0.0, terms);
                }
            }
        }
        for (t, column) in (first..end).zip(on) {
            power[t].push((column, load.power_kw));
        }
        power
    }

    fn modulating(&mut self, load: &Modulating) -> Power {
        let mut power = vec![Vec::new(); self.steps];
        let [first, end] = load.window;
        for step in &mut power[first..end] {
            step.push((self.off_or_range(load.p_min_kw, load.p_max_kw), 1.0));
        }
        let step_h = self.step_h;
        let terms = power.iter().flatten().map(|&(column, _)| (column, step_h)).collect::<Vec<_>>();
        self.model.equal(load.energy_kwh, terms);
        power
    }

    fn ev(&mut self, id: &str, ev: &Ev) -> Power {
        let mut power = vec![Vec::new(); self.steps];
        for session in &ev.sessions {
            let steps = &mut power[session.arrival..session.departure];
            if ev.p_max_discharge_kw > 0.0 {
                self.two_way_session(id, ev, session, steps);
            } else {
                self.one_way_session(id, ev, session, steps);
            }
        }
        power
    }

    /// A car that only charges: its state never falls, so that a few sums say everything.
    fn one_way_session(
        &mut self,
        id: &str,
        ev: &Ev,
        session: &EvSession,
        steps: &mut [Vec<(Column, f64)>],
    ) {
        let per_kw = self.step_h * ev.eta_charge;
        let charge: Vec<Column> = steps
            .iter_mut()
            .map(|step| {
                let column = self.off_or_range(ev.p_min_charge_kw, ev.p_max_charge_kw);
                step.push((column, 1.0));
                column
            })
            .collect();
        let mut least_by = vec![(charge.len(), session.soc_target_kwh.max(ev.soc_min_kwh))];
        least_by.extend(session.soc_min_by.iter().map(|by| (by.0 - session.arrival, by.1)));
        if session.soc_arrival_kwh < ev.soc_min_kwh {
            least_by.push((1, ev.soc_min_kwh));
        }
        let held = (session.arrival..session.departure)
            .map(|t| (t + 1 - session.arrival, self.held_kwh(id, t)));
        least_by.extend(held.filter(|(_, soc_kwh)| *soc_kwh > session.soc_arrival_kwh));
        for (by, soc_kwh) in least_by {
            let (least, most) =
                (soc_kwh - session.soc_arrival_kwh, ev.capacity_kwh - session.soc_arrival_kwh);
            let most = if by == charge.len() { most } else { f64::INFINITY };
            self.model.row(least, most, charge[..by].iter().map(|&column| (column, per_kw)));
        }
    }

    fn two_way_session(
        &mut self,
        id: &str,
        ev: &Ev,
        session: &EvSession,
        steps: &mut [Vec<(Column, f64)>],
    ) {
        let mut before: Option<Column> = None;
        for (i, step) in steps.iter_mut().enumerate() {
            let charge = self.off_or_range(ev.p_min_charge_kw, ev.p_max_charge_kw);
            let wear = ev.wear_per_kwh * self.step_h;
            let discharge = self.model.column(wear, 0.0, ev.p_max_discharge_kw);
            let by = session.arrival + i + 1;
            let least =
                session.soc_min_by.iter().filter(|min_by| min_by.0 == by).map(|min_by| min_by.1);
            let target = if by == session.departure { session.soc_target_kwh } else { 0.0 };
            let held = self.held_kwh(id, session.arrival + i);
            let least = least.fold(ev.soc_min_kwh.max(target).max(held), f64::max);
            let soc = self.model.column(0.0, least, ev.capacity_kwh);
            let start = if before.is_none() { session.soc_arrival_kwh } else { 0.0 };
            let terms = [
                (soc, 1.0),
                (charge, -self.step_h * ev.eta_charge),
                (discharge, self.step_h / ev.eta_discharge),
            ];
            self.model.equal(start, terms.into_iter().chain(before.map(|soc| (soc, -1.0))));
            before = Some(soc);
            step.extend([(charge, 1.0), (discharge, -1.0)]);
            self.exclusive.push(Exclusive {
                charge,
                charge_max: ev.p_max_charge_kw,
                discharge,
                discharge_max: ev.p_max_discharge_kw,
            });
        }
    }

    fn battery(&mut self, id: &str, battery: &Battery) -> Power {
        let retained = battery.retained(self.step_h);
        let mut before: Option<Column> = None;
        (0..self.steps)
            .map(|t| {
                let is_last = t + 1 == self.steps;
                let charge = self.model.column(0.0, 0.0, battery.p_max_charge_kw);
                let wear = battery.wear_per_kwh * self.step_h;
                let discharge = self.model.column(wear, 0.0, battery.p_max_discharge_kw);
                let last_least = if is_last { battery.soc_final_min_kwh } else { 0.0 };
                let least = battery.soc_min_kwh.max(last_least).max(self.held_kwh(id, t));
                let worth = if is_last { -battery.terminal_value_per_kwh } else { 0.0 };
                let soc = self.model.column(worth, least, battery.soc_max_kwh);
                let start = if t == 0 { retained * battery.soc_init_kwh } else { 0.0 };
                let terms = [
                    (soc, 1.0),
                    (charge, -self.step_h * battery.eta_charge),
                    (discharge, self.step_h / battery.eta_discharge),
                ];
                self.model
                    .equal(start, terms.into_iter().chain(before.map(|soc| (soc, -retained))));
                before = Some(soc);
                self.exclusive.push(Exclusive {
                    charge,
                    charge_max: battery.p_max_charge_kw,
                    discharge,
                    discharge_max: battery.p_max_discharge_kw,
                });
                vec![(charge, 1.0), (discharge, -1.0)]
            })
            .collect()
    }

    /// Batteries that draw only what the panels give.
    fn charge_only_pv(&mut self, power: &[Power]) {
        for (device, battery_kw) in self.household.devices.iter().zip(power) {
            if !matches!(&device.kind, DeviceKind::Battery(battery) if battery.charge_only_pv) {
                continue;
            }
            for (t, step) in battery_kw.iter().enumerate() {
                let charge = step.iter().filter(|(_, factor)| *factor > 0.0).copied();
                let terms: Vec<_> = charge.chain(self.pv_at(power, t)).collect();
                self.model.at_most(0.0, terms);
            }
        }
    }

    /// What a store must hold at the end of a step, kWh.
    fn held_kwh(&self, id: &str, t: usize) -> f64 {
        let held = |wish: &Wish| match wish {
            Wish::Holds { device, soc_kwh, steps }
                if device == id && (steps[0]..steps[1]).contains(&t) =>
            {
                *soc_kwh
            }
            _ => 0.0,
        };
        self.household.wishes.iter().map(held).fold(0.0, f64::max)
    }

    fn rests(&mut self, power: &[Power]) {
        for wish in &self.household.wishes {
            let Wish::Rests { device, steps } = wish else { continue };
            for (other, power) in self.household.devices.iter().zip(power) {
                if other.id == *device {
                    for (column, factor) in power[steps[0]..steps[1]].iter().flatten() {
                        // The step of a program's profile may use nothing.
                        if *factor != 0.0 {
                            self.model.fix_at_zero(*column);
                        }
                    }
                }
            }
        }
    }

    /// The columns of what the devices use that are asked for something, in one step.
    fn used_by_asked(
        &self,
        power: &[Power],
        t: usize,
        is_asked: impl Fn(&Wish, &str) -> bool,
    ) -> Vec<(Column, f64)> {
        let asked = self.household.devices.iter().zip(power);
        let asked = asked.filter(|(device, _)| {
            self.household.wishes.iter().any(|wish| is_asked(wish, &device.id))
        });
        asked
            .flat_map(|(_, power)| power[t].iter().copied())
            .filter(|(_, factor)| *factor > 0.0)
            .collect()
    }

    fn only_surplus(&mut self, power: &[Power]) {
        let is_asked =
            |wish: &Wish, id: &str| matches!(wish, Wish::OnlySurplus { device } if device == id);
        for t in 0..self.steps {
            let used = self.used_by_asked(power, t, is_asked);
            if used.is_empty() {
                continue;
            }
            let available = self.household.devices.iter().map(|device| match &device.kind {
                DeviceKind::Pv(pv) => pv.available_kw[t],
                _ => 0.0,
            });
            let surplus_kw = available.sum::<f64>() - self.household.site.load_kw[t];
            self.model.at_most(surplus_kw.max(0.0), used);
        }
    }

    /// The grid and the panels cover what these devices use; then a battery covers something else.
    fn not_from_battery(&mut self, power: &[Power], import: &[Column]) {
        let is_asked =
            |wish: &Wish, id: &str| matches!(wish, Wish::NotFromBattery { device } if device == id);
        for (t, &import) in import.iter().enumerate() {
            let used = self.used_by_asked(power, t, is_asked);
            if !used.is_empty() {
                let terms = used.into_iter().chain(self.pv_at(power, t)).chain([(import, -1.0)]);
                self.model.at_most(0.0, terms.collect::<Vec<_>>());
            }
        }
    }

    /// The columns of the panels, as consumption.
    fn pv_at(&self, power: &[Power], t: usize) -> Vec<(Column, f64)> {
        let of_pv = self
            .household
            .devices
            .iter()
            .zip(power)
            .filter(|(device, _)| matches!(device.kind, DeviceKind::Pv(_)));
        of_pv.flat_map(|(_, power)| power[t].iter().copied()).collect()
    }

    fn thermal(&mut self, thermal: &Thermal) -> Power {
        let mut before: Option<Column> = None;
        (0..self.steps)
            .map(|t| {
                let step = thermal.step(t, self.step_h);
                let heat = self.off_or_range(thermal.p_min_kw, thermal.p_max_kw);
                let (least, most) = (thermal.state_min[t], thermal.state_max[t]);
                let last_least =
                    if t + 1 == self.steps { thermal.state_final_min } else { f64::NEG_INFINITY };
                let state = match thermal.discomfort_price {
                    None => self.model.column(0.0, least.max(last_least), most),
                    Some(price) => {
                        let state = self.model.column(0.0, last_least, f64::INFINITY);
                        let price = price * self.step_h;
                        let (below, above) = (
                            self.model.column(price, 0.0, f64::INFINITY),
                            self.model.column(price, 0.0, f64::INFINITY),
                        );
                        self.model.row(least, most, [(state, 1.0), (below, 1.0), (above, -1.0)]);
                        state
                    }
                };
                let start = if t == 0 { step.retained * thermal.state_init } else { 0.0 };
                let terms = [(state, 1.0), (heat, -step.gain_per_kw)];
                let terms = terms.into_iter().chain(before.map(|before| (before, -step.retained)));
                self.model.equal(step.drift + start, terms);
                before = Some(state);
                vec![(heat, 1.0)]
            })
            .collect()
    }

    /// A power that is zero or in a range.
    fn off_or_range(&mut self, least: f64, most: f64) -> Column {
        let power = self.model.column(0.0, 0.0, most);
        if least > 0.0 {
            let is_on = self.model.binary(0.0);
            self.model.at_least(0.0, [(power, 1.0), (is_on, -least)]);
            self.model.at_most(0.0, [(power, 1.0), (is_on, -most)]);
        }
        power
    }

    /// The exchange with the grid; returns the import of each step.
    fn grid(&mut self, power: &[Power], headroom: Option<&Headroom>) -> Vec<Column> {
        let (site, tariff) = (&self.household.site, &self.household.tariff);
        // Who uses nothing from a battery counts what is drawn: a plan must not draw more and feed it in again.
        let counts_import =
            self.household.wishes.iter().any(|wish| matches!(wish, Wish::NotFromBattery { .. }));
        (0..self.steps)
            .map(|t| {
                let terms: Vec<_> =
                    power.iter().flat_map(|power| power[t].iter().copied()).collect();
                let (consumption, generation) = self.largest(&terms);
                let import_max = site.import_limit_kw.min((site.load_kw[t] + consumption).max(0.0));
                let export_max = site.export_limit_kw.min((generation - site.load_kw[t]).max(0.0));
                let (import_price, export_price) = (tariff.import_price[t], tariff.export_price[t]);
                let import = self.model.column(self.step_h * import_price, 0.0, import_max);
                let export = self.model.column(-self.step_h * export_price, 0.0, export_max);
                let load_kw = site.load_kw[t];
                if export_price > import_price && import_max > 0.0 && export_max > 0.0 {
                    self.either_way(load_kw, (import, import_max), (export, export_max), &terms);
                } else {
                    let grid = [(import, 1.0), (export, -1.0)];
                    let devices = terms.iter().map(|&(column, factor)| (column, -factor));
                    self.model.equal(load_kw, grid.into_iter().chain(devices));
                    if counts_import && import_max > 0.0 && export_max > 0.0 {
                        self.exclusive.push(Exclusive {
                            charge: import,
                            charge_max: import_max,
                            discharge: export,
                            discharge_max: export_max,
                        });
                    }
                }
                if site.export_only_pv {
                    let terms: Vec<_> =
                        self.pv_at(power, t).into_iter().chain([(export, 1.0)]).collect();
                    self.model.at_most(0.0, terms);
                }
                let headroom = headroom.filter(|headroom| headroom.net_kw[t] < import_max);
                if let Some(headroom) = headroom {
                    let price = self.step_h * headroom.excess_price;
                    let excess = self.model.column(price, 0.0, f64::INFINITY);
                    let terms = [(import, 1.0), (export, -1.0), (excess, -1.0)];
                    self.model.at_most(headroom.net_kw[t], terms);
                }
                import
            })
            .collect()
    }

    /// A step in which feeding in earns more than drawing costs: it imports or it exports. Each power is split into its part in
    /// either case, which describes the convex hull of the two.
    fn either_way(
        &mut self,
        load_kw: f64,
        (import, import_max): (Column, f64),
        (export, export_max): (Column, f64),
        terms: &[(Column, f64)],
    ) {
        let is_import = self.model.binary(0.0);
        self.model.at_most(0.0, [(import, 1.0), (is_import, -import_max)]);
        self.model.at_most(export_max, [(export, 1.0), (is_import, export_max)]);
        let mut importing = vec![(import, 1.0), (is_import, -load_kw)];
        let mut exporting = vec![(export, -1.0), (is_import, load_kw)];
        let mut part_of = Vec::new();
        for &(column, factor) in terms {
            let ColumnSpec { lower, upper, .. } = self.model.columns[column.0];
            let part = self.model.column(0.0, lower.min(0.0), upper.max(0.0));
            self.model.at_most(0.0, [(part, 1.0), (is_import, -upper)]);
            self.model.at_least(0.0, [(part, 1.0), (is_import, -lower)]);
            self.model.at_most(upper, [(column, 1.0), (part, -1.0), (is_import, upper)]);
            self.model.at_least(lower, [(column, 1.0), (part, -1.0), (is_import, lower)]);
            importing.push((part, -factor));
            exporting.extend([(column, -factor), (part, factor)]);
            part_of.push((column, part));
        }
        self.model.equal(0.0, importing);
        self.model.equal(load_kw, exporting);
        let part = |column: Column| {
            part_of.iter().find(|(whole, _)| *whole == column).map(|(_, part)| *part)
        };
        for pair in self.exclusive.clone() {
            let (Some(charge), Some(discharge)) = (part(pair.charge), part(pair.discharge)) else {
                continue;
            };
            let (per_charge, per_discharge) = (1.0 / pair.charge_max, 1.0 / pair.discharge_max);
            let parts = [(charge, per_charge), (discharge, per_discharge)];
            self.model.at_most(0.0, parts.into_iter().chain([(is_import, -1.0)]));
            let wholes =
                [(pair.charge, per_charge), (pair.discharge, per_discharge), (is_import, 1.0)];
            let rest = parts.map(|(column, factor)| (column, -factor));
            self.model.at_most(1.0, wholes.into_iter().chain(rest));
        }
    }

    /// The largest consumption and the largest generation that columns can add up to, kW.
    fn largest(&self, terms: &[(Column, f64)]) -> (f64, f64) {
        let (mut consumption, mut generation) = (0.0, 0.0);
        for &(column, factor) in terms {
            let bounds = &self.model.columns[column.0];
            let (low, high) = (factor * bounds.lower, factor * bounds.upper);
            consumption += low.max(high);
            generation -= low.min(high);
        }
        (consumption, generation)
    }

    fn capacity(&mut self, import: &[Column], bracket_upto_kw: Option<f64>) {
        let tariff = &self.household.tariff;
        match &tariff.capacity {
            Capacity::Free => {}
            Capacity::Peak(peak) => {
                let highest = self.model.column(peak.price_per_kw, 0.0, f64::INFINITY);
                for hour in self.household.horizon.hours() {
                    let (share, metered_kw) = hour_mean(&hour, peak.hour_so_far);
                    let terms = import[hour].iter().map(|&column| (column, share));
                    let terms = terms.chain([(highest, -1.0)]).collect::<Vec<_>>();
                    self.model.at_most(peak.peak_so_far_kw - metered_kw, terms);
                }
            }
            Capacity::DailyMaxSteps(stepped) => {
                let Some(upto_kw) = bracket_upto_kw else { return };
                let days = self.household.horizon.days();
                let counted = real(stepped.counted(days.len()));
                // The mean of the n largest is at most a bound where n thresholds and what exceeds the threshold are.
                let threshold = self.model.column(0.0, 0.0, f64::INFINITY);
                let mut sum = vec![(threshold, counted)];
                for &day_kw in &stepped.history_daily_max_kw {
                    let above = self.model.column(0.0, 0.0, f64::INFINITY);
                    self.model.at_least(day_kw, [(above, 1.0), (threshold, 1.0)]);
                    sum.push((above, 1.0));
                }
                let hours = self.household.horizon.hours();
                for day in days {
                    let above = self.model.column(0.0, 0.0, f64::INFINITY);
                    if day.start == 0 && stepped.day_so_far_kw > 0.0 {
                        self.model
                            .at_least(stepped.day_so_far_kw, [(above, 1.0), (threshold, 1.0)]);
                    }
                    for hour in hours.iter().filter(|hour| day.contains(&hour.start)) {
                        let (share, metered_kw) = hour_mean(hour, stepped.hour_so_far);
                        let terms = import[hour.clone()].iter().map(|&column| (column, share));
                        let terms = terms.chain([(above, -1.0), (threshold, -1.0)]);
                        self.model.at_most(-metered_kw, terms.collect::<Vec<_>>());
                    }
                    sum.push((above, 1.0));
                }
                self.model.at_most(counted * upto_kw, sum);
            }
        }
    }
}

/// The share of each step of a clock hour in its mean, and what is metered already of that mean, kW.
fn hour_mean(hour: &std::ops::Range<usize>, so_far: HourSoFar) -> (f64, f64) {
    let over = if hour.start == 0 { so_far.steps } else { 0 };
    let share = 1.0 / real(hour.len() + over);
    (share, so_far.mean_import_kw * real(over) * share)
}

#[expect(clippy::cast_precision_loss, reason = "numbers of steps")]
const fn real(count: usize) -> f64 {
    count as f64
}
