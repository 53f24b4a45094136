//! A household as one mixed-integer program.
//!
//! # Source
//!
//! Home energy management as it is usually written: a binary for each step in which a battery, a car or the house turns its flow around,
//! constants of the size of the limits, a binary for each bracket of a stepped tariff.

use crate::household::{
    Battery, Capacity, Cycle, DeviceKind, Ev, EvSession, Household, Interruptible, Thermal,
    ThermalModel,
};
use crate::solver::{Column, Model};

/// Returns a household's program, whose cost lacks only what does not depend on the plan; `None` where the household has wishes beside its
/// devices, for which textbooks have no words.
#[must_use]
pub fn household(household: &Household) -> Option<Model> {
    if !household.wishes.is_empty() {
        return None;
    }
    let mut program = Program {
        household,
        model: Model::default(),
        steps: household.horizon.steps(),
        step_h: household.horizon.step_h(),
        net: vec![Vec::new(); household.horizon.steps()],
        pv: vec![Vec::new(); household.horizon.steps()],
        charges_only_pv: vec![Vec::new(); household.horizon.steps()],
        starts: Vec::new(),
    };
    for device in &household.devices {
        program.device(&device.id, &device.kind);
    }
    program.orders();
    let import = program.grid();
    program.capacity(&import);
    Some(program.model)
}

/// A program with its name, and its start as a number.
type Startable<'a> = (&'a str, &'a Cycle, Vec<(Column, f64)>);

struct Program<'a> {
    household: &'a Household,
    model: Model,
    steps: usize,
    step_h: f64,
    /// What all devices use in each step.
    net: Vec<Vec<(Column, f64)>>,
    /// What the panels give in each step.
    pv: Vec<Vec<(Column, f64)>>,
    /// What charges a battery that may charge from the panels alone.
    charges_only_pv: Vec<Vec<Column>>,
    /// The start of each program as a number, with its length.
    starts: Vec<Startable<'a>>,
}

impl<'a> Program<'a> {
    fn device(&mut self, id: &'a str, kind: &'a DeviceKind) {
        match kind {
            DeviceKind::Pv(pv) => {
                for (t, &available) in pv.available_kw.iter().enumerate() {
                    let least = if pv.curtailable { 0.0 } else { available };
                    let given = self.model.column(0.0, least, available);
                    self.net[t].push((given, -1.0));
                    self.pv[t].push((given, 1.0));
                }
            }
            DeviceKind::Cycle(cycle) => self.cycle(id, cycle),
            DeviceKind::Interruptible(load) => self.interruptible(load),
            DeviceKind::Modulating(load) => {
                let range = load.window[0]..load.window[1];
                let used: Vec<_> = range
                    .map(|t| (self.flow(t, load.p_min_kw, load.p_max_kw), self.step_h))
                    .collect();
                self.model.equal(load.energy_kwh, used);
            }
            DeviceKind::Ev(ev) => ev.sessions.iter().for_each(|session| self.ev(ev, session)),
            DeviceKind::Battery(battery) => self.battery(battery),
            DeviceKind::Thermal(thermal) => self.thermal(thermal),
        }
    }

    /// A consumption that is zero or in a range.
    fn flow(&mut self, t: usize, least: f64, most: f64) -> Column {
        let flow = self.model.column(0.0, 0.0, most);
        self.net[t].push((flow, 1.0));
        if least > 0.0 {
            let on = self.model.binary(0.0);
            self.model.at_most(0.0, [(flow, 1.0), (on, -most)]);
            self.model.at_least(0.0, [(flow, 1.0), (on, -least)]);
        }
        flow
    }

    fn cycle(&mut self, id: &'a str, cycle: &'a Cycle) {
        let mut chosen = Vec::new();
        let mut number = Vec::new();
        for start in cycle.earliest_start..=cycle.latest_end - cycle.profile_kw.len() {
            let column = self.model.binary(0.0);
            chosen.push((column, 1.0));
            number.push((column, real(start)));
            for (t, power) in (start..).zip(&cycle.profile_kw) {
                self.net[t].push((column, *power));
            }
        }
        self.model.equal(1.0, chosen);
        self.starts.push((id, cycle, number));
    }

    fn orders(&mut self) {
        for (_, cycle, later) in &self.starts {
            let Some(order) = &cycle.after else { continue };
            let before = self.starts.iter().find(|(id, ..)| *id == order.id);
            let (_, before, earlier) = before.expect("a household is checked when it is made");
            let length = before.profile_kw.len();
            let apart = later.iter().copied().chain(earlier.iter().map(|&(c, n)| (c, -n)));
            self.model.row(
                real(length + order.min_gap_steps),
                // The longest pause may be as long as there are numbers.
                real(length) + real(order.max_gap_steps),
                apart,
            );
        }
    }

    fn interruptible(&mut self, load: &Interruptible) {
        let on: Vec<Column> = (load.window[0]..load.window[1])
            .map(|t| {
                let on = self.model.binary(0.0);
                self.net[t].push((on, load.power_kw));
                on
            })
            .collect();
        self.model.equal(real(load.on_steps), on.iter().map(|&on| (on, 1.0)));
        // Whoever begins is on for the least length: the sum of what begins within it is at most what is on.
        let begins: Vec<Column> = on.iter().map(|_| self.model.binary(0.0)).collect();
        for t in 0..on.len() {
            let mut change = vec![(on[t], 1.0), (begins[t], -1.0)];
            change.extend(t.checked_sub(1).map(|before| (on[before], -1.0)));
            self.model.at_most(0.0, change);
            let first = (t + 1).saturating_sub(load.min_on_steps);
            let recent = begins[first..=t].iter().map(|&begin| (begin, 1.0));
            self.model.at_most(0.0, recent.chain([(on[t], -1.0)]));
            if t + load.min_on_steps > on.len() {
                self.model.at_most(0.0, [(begins[t], 1.0)]);
            }
        }
    }

    /// A store that is charged or gives back in each step, never both. `state` says what a state costs and must be.
    fn store(
        &mut self,
        range: std::ops::Range<usize>,
        store: &Store,
        state: impl Fn(usize) -> (f64, f64, f64),
    ) {
        let mut before = None;
        for t in range {
            let charge = self.flow(t, store.charge_min_kw, store.charge_kw);
            if store.only_pv {
                self.charges_only_pv[t].push(charge);
            }
            let discharge =
                self.model.column(store.wear_per_kwh * self.step_h, 0.0, store.discharge_kw);
            self.net[t].push((discharge, -1.0));
            let charging = self.model.binary(0.0);
            self.model.at_most(0.0, [(charge, 1.0), (charging, -store.charge_kw)]);
            self.model
                .at_most(store.discharge_kw, [(discharge, 1.0), (charging, store.discharge_kw)]);
            let (cost, least, most) = state(t);
            let soc = self.model.column(cost, least, most);
            let mut balance = vec![
                (soc, 1.0),
                (charge, -self.step_h * store.eta_charge),
                (discharge, self.step_h / store.eta_discharge),
            ];
            balance.extend(before.map(|before| (before, -store.retained)));
            let first = before.map_or(store.retained * store.first_kwh, |_| 0.0);
            self.model.equal(first, balance);
            before = Some(soc);
        }
    }

    fn battery(&mut self, battery: &Battery) {
        let store = Store {
            charge_min_kw: 0.0,
            charge_kw: battery.p_max_charge_kw,
            discharge_kw: battery.p_max_discharge_kw,
            eta_charge: battery.eta_charge,
            eta_discharge: battery.eta_discharge,
            wear_per_kwh: battery.wear_per_kwh,
            retained: (-battery.self_discharge_per_h * self.step_h).exp(),
            first_kwh: battery.soc_init_kwh,
            only_pv: battery.charge_only_pv,
        };
        let last = self.steps - 1;
        self.store(0..self.steps, &store, |t| {
            let (cost, least) = if t == last {
                (-battery.terminal_value_per_kwh, battery.soc_final_min_kwh)
            } else {
                (0.0, 0.0)
            };
            (cost, least.max(battery.soc_min_kwh), battery.soc_max_kwh)
        });
    }

    fn ev(&mut self, ev: &Ev, session: &EvSession) {
        let store = Store {
            charge_min_kw: ev.p_min_charge_kw,
            charge_kw: ev.p_max_charge_kw,
            discharge_kw: ev.p_max_discharge_kw,
            eta_charge: ev.eta_charge,
            eta_discharge: ev.eta_discharge,
            wear_per_kwh: ev.wear_per_kwh,
            retained: 1.0,
            first_kwh: session.soc_arrival_kwh,
            only_pv: false,
        };
        self.store(session.arrival..session.departure, &store, |t| {
            let by = session.soc_min_by.iter().filter(|by| by.0 == t + 1).map(|by| by.1);
            let target = if t + 1 == session.departure { session.soc_target_kwh } else { 0.0 };
            (0.0, by.fold(target.max(ev.soc_min_kwh), f64::max), ev.capacity_kwh)
        });
    }

    fn thermal(&mut self, thermal: &Thermal) {
        let h = self.step_h;
        let mut before = None;
        for t in 0..self.steps {
            let heat = self.flow(t, thermal.p_min_kw, thermal.p_max_kw);
            let state = self.model.column(0.0, f64::NEG_INFINITY, f64::INFINITY);
            let (retained, gained, drift) = match &thermal.model {
                ThermalModel::Room(room) => {
                    let retained = (-room.ua_kw_per_k * h / room.c_kwh_per_k).exp();
                    let resistance = (1.0 - retained) / room.ua_kw_per_k;
                    let outside = (1.0 - retained) * room.outdoor_c[t];
                    (retained, resistance * thermal.cop[t], outside + resistance * room.gain_kw[t])
                }
                ThermalModel::Tank(tank) => {
                    ((-tank.loss_per_h * h).exp(), thermal.cop[t] * h, -tank.draw_kw[t] * h)
                }
            };
            let first = before.map_or(retained * thermal.state_init, |_| 0.0);
            let mut balance = vec![(state, 1.0), (heat, -gained)];
            balance.extend(before.map(|before| (before, -retained)));
            self.model.equal(first + drift, balance);
            let (below, above) = match thermal.discomfort_price {
                None => (0.0, 0.0),
                Some(_) => (f64::INFINITY, f64::INFINITY),
            };
            let price = thermal.discomfort_price.unwrap_or(0.0) * h;
            let below = self.model.column(price, 0.0, below);
            let above = self.model.column(price, 0.0, above);
            self.model.at_least(thermal.state_min[t], [(state, 1.0), (below, 1.0)]);
            self.model.at_most(thermal.state_max[t], [(state, 1.0), (above, -1.0)]);
            if t + 1 == self.steps {
                self.model.at_least(thermal.state_final_min, [(state, 1.0)]);
            }
            before = Some(state);
        }
    }

    fn grid(&mut self) -> Vec<Column> {
        let (site, tariff) = (&self.household.site, &self.household.tariff);
        let mut imports = Vec::with_capacity(self.steps);
        for t in 0..self.steps {
            let (import_max, export_max) = (site.import_limit_kw, site.export_limit_kw);
            let import = self.model.column(tariff.import_price[t] * self.step_h, 0.0, import_max);
            let export = self.model.column(-tariff.export_price[t] * self.step_h, 0.0, export_max);
            let importing = self.model.binary(0.0);
            self.model.at_most(0.0, [(import, 1.0), (importing, -import_max)]);
            self.model.at_most(export_max, [(export, 1.0), (importing, export_max)]);
            let devices = self.net[t].iter().map(|&(column, factor)| (column, -factor));
            let balance = devices.chain([(import, 1.0), (export, -1.0)]).collect::<Vec<_>>();
            self.model.equal(site.load_kw[t], balance);
            let given = || self.pv[t].iter().map(|&(column, factor)| (column, -factor));
            if site.export_only_pv {
                self.model.at_most(0.0, given().chain([(export, 1.0)]).collect::<Vec<_>>());
            }
            for &charge in &self.charges_only_pv[t] {
                self.model.at_most(0.0, given().chain([(charge, 1.0)]).collect::<Vec<_>>());
            }
            imports.push(import);
        }
        imports
    }

    fn capacity(&mut self, import: &[Column]) {
        let hour_mean = |hour: &std::ops::Range<usize>| {
            let share = 1.0 / real(hour.len());
            import[hour.clone()].iter().map(move |&import| (import, share)).collect::<Vec<_>>()
        };
        let hours = self.household.horizon.hours();
        match &self.household.tariff.capacity {
            Capacity::Free => {}
            Capacity::Peak(peak) => {
                let above = self.model.column(peak.price_per_kw, 0.0, f64::INFINITY);
                for hour in &hours {
                    let terms = hour_mean(hour).into_iter().chain([(above, -1.0)]);
                    self.model.at_most(peak.peak_so_far_kw, terms);
                }
            }
            Capacity::DailyMaxSteps(stepped) => {
                // The mean of the three largest is at most the bracket's edge, where every choice of three is.
                let mut maxima: Vec<Vec<(Column, f64)>> = Vec::new();
                for &day_kw in &stepped.history_daily_max_kw {
                    maxima.push(vec![(self.model.column(0.0, day_kw, day_kw), 1.0)]);
                }
                for day in self.household.horizon.days() {
                    let highest = self.model.column(0.0, 0.0, f64::INFINITY);
                    for hour in hours.iter().filter(|hour| day.contains(&hour.start)) {
                        let terms = hour_mean(hour).into_iter().chain([(highest, -1.0)]);
                        self.model.at_most(0.0, terms);
                    }
                    maxima.push(vec![(highest, 1.0)]);
                }
                let brackets: Vec<(Column, f64)> = stepped
                    .steps
                    .iter()
                    .map(|step| (self.model.binary(step.fee), step.upto_kw))
                    .collect();
                self.model.equal(1.0, brackets.iter().map(|&(bracket, _)| (bracket, 1.0)));
                let counted = maxima.len().min(3);
                for three in choices(maxima.len(), counted) {
                    let sum = three.iter().flat_map(|&k| maxima[k].iter().copied());
                    let edge =
                        brackets.iter().map(|&(bracket, upto)| (bracket, -upto * real(counted)));
                    self.model.at_most(0.0, sum.chain(edge).collect::<Vec<_>>());
                }
            }
        }
    }
}

/// A store between its limits.
struct Store {
    charge_min_kw: f64,
    charge_kw: f64,
    discharge_kw: f64,
    eta_charge: f64,
    eta_discharge: f64,
    wear_per_kwh: f64,
    retained: f64,
    first_kwh: f64,
    only_pv: bool,
}

/// Returns every choice of `chosen` numbers below `count`.
fn choices(count: usize, chosen: usize) -> Vec<Vec<usize>> {
    if chosen == 0 {
        return vec![Vec::new()];
    }
    (chosen - 1..count)
        .flat_map(|last| {
            choices(last, chosen - 1).into_iter().map(move |mut rest| {
                rest.push(last);
                rest
            })
        })
        .collect()
}

#[expect(clippy::cast_precision_loss, reason = "numbers of steps")]
const fn real(count: usize) -> f64 {
    count as f64
}
