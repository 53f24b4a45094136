//! A small fleet as one mixed-integer program: exact, also for programs that cannot be mixed.

use std::collections::BTreeMap;

use super::master::{LimitPrices, most_drawn_kw};
use super::problem::Fleet;
use super::respond::FleetDevice;
use crate::solver::{Column, Model, Solution};

/// A fleet as a model, and where the powers of its devices are in it.
pub(crate) struct Direct {
    pub(crate) model: Model,
    power: Vec<(FleetDevice, Power)>,
}

impl Direct {
    /// Returns the model without the starts of programs that no plan has that costs `room` more than the bound of `prices` or less: at these
    /// prices each start costs more than the cheapest by what a plan with it costs more than the bound, at least.
    pub(crate) fn new(fleet: &Fleet, prices: &LimitPrices, room: f64) -> Self {
        let (seen, step_h) = (prices.seen(fleet), fleet.step_h());
        let mut build = Build { fleet, model: Model::default(), step_h, seen, room };
        let mut power = Vec::with_capacity(fleet.devices());
        power.extend((0..fleet.evs.arrival.len()).map(|i| (FleetDevice::Ev(i), build.ev(i))));
        power.extend((0..fleet.tanks.cop.len()).map(|i| (FleetDevice::Tank(i), build.tank(i))));
        power.extend(
            (0..fleet.cycles.profile.len()).map(|i| (FleetDevice::Cycle(i), build.cycle(i))),
        );
        power.extend((0..fleet.v2gs.arrival.len()).map(|i| (FleetDevice::V2g(i), build.v2g(i))));
        power
            .extend((0..fleet.rooms.p_max_kw.len()).map(|i| (FleetDevice::Room(i), build.room(i))));
        let batteries = 0..fleet.batteries.soc_init_kwh.len();
        power.extend(batteries.map(|i| (FleetDevice::Battery(i), build.battery(i))));
        build.limits(&power);
        Self { model: build.model, power }
    }

    /// Returns the power of each device in each step, kW.
    pub(crate) fn powers(&self, solution: &Solution) -> BTreeMap<FleetDevice, Vec<f64>> {
        let sum = |terms: &Vec<(Column, f64)>| {
            terms.iter().map(|(column, factor)| factor * solution.value(*column)).sum()
        };
        self.power
            .iter()
            .map(|(device, steps)| (*device, steps.iter().map(sum).collect()))
            .collect()
    }
}

/// Returns a fleet as one program, for those who solve it their own way.
#[cfg(feature = "highs")]
pub(crate) fn as_one_program(fleet: &Fleet) -> Model {
    Direct::new(fleet, &LimitPrices::none(fleet), f64::INFINITY).model
}

type Power = Vec<Vec<(Column, f64)>>;

struct Build<'a> {
    fleet: &'a Fleet,
    model: Model,
    step_h: f64,
    /// What devices see at the prices of the bound, by lane.
    seen: Vec<Vec<f64>>,
    room: f64,
}

impl Build<'_> {
    fn nothing(&self) -> Power {
        vec![Vec::new(); self.fleet.steps()]
    }

    /// What a kW costs in a step.
    fn cost(&self, t: usize) -> f64 {
        self.fleet.energy_price[t] * self.step_h
    }

    fn ev(&mut self, i: usize) -> Power {
        let evs = &self.fleet.evs;
        let mut power = self.nothing();
        let mut sum = Vec::new();
        let (arrival, departure) = (evs.arrival[i] as usize, evs.departure[i] as usize);
        for (t, step) in (arrival..departure).zip(&mut power[arrival..departure]) {
            let column = self.model.column(self.cost(t), 0.0, evs.p_max_kw[i]);
            step.push((column, 1.0));
            sum.push((column, self.step_h));
        }
        self.model.equal(evs.energy_kwh[i], sum);
        power
    }

    fn tank(&mut self, i: usize) -> Power {
        let tanks = &self.fleet.tanks;
        let mut power = self.nothing();
        let retained = (-tanks.loss_per_h[i] * self.step_h).exp();
        let draw_kw = &self.fleet.tank_draw_profiles_kw[tanks.draw_profile[i] as usize];
        let mut before: Option<Column> = None;
        for t in 0..self.fleet.steps() {
            let heat = self.model.column(self.cost(t), 0.0, tanks.p_max_kw[i]);
            let is_last = t + 1 == self.fleet.steps();
            let least = if is_last { tanks.state_final_min_kwh[i] } else { 0.0 };
            let state = self.model.column(0.0, least, tanks.state_max_kwh[i]);
            let start = if t == 0 { retained * tanks.state_init_kwh[i] } else { 0.0 };
            let drawn = self.step_h * draw_kw[t] * tanks.draw_scale[i];
            let terms = [(state, 1.0), (heat, -self.step_h * tanks.cop[i])];
            self.model.equal(
                start - drawn,
                terms.into_iter().chain(before.map(|before| (before, -retained))),
            );
            before = Some(state);
            power[t].push((heat, 1.0));
        }
        power
    }

    fn cycle(&mut self, i: usize) -> Power {
        let cycles = &self.fleet.cycles;
        let profile_kw = &self.fleet.cycle_profiles_kw[cycles.profile[i] as usize];
        let mut power = self.nothing();
        let mut starts = Vec::new();
        let seen = &self.seen[FleetDevice::Cycle(i).lane(self.fleet)];
        let seen_cost = |start: usize| {
            let costs = seen[start..].iter().zip(profile_kw);
            costs.map(|(price, power)| price * power * self.step_h).sum::<f64>()
        };
        let first = cycles.earliest_start[i] as usize;
        let possible = first..=cycles.latest_end[i] as usize - profile_kw.len();
        let cheapest = possible.clone().map(seen_cost).fold(f64::INFINITY, f64::min);
        let worth_trying = |start: &usize| seen_cost(*start) - cheapest <= self.room;
        for start in possible.filter(worth_trying).collect::<Vec<_>>() {
            let cost = (start..).zip(profile_kw).map(|(t, power)| self.cost(t) * power).sum();
            let column = self.model.binary(cost);
            starts.push((column, 1.0));
            for (power, profile_kw) in power[start..].iter_mut().zip(profile_kw) {
                power.push((column, *profile_kw));
            }
        }
        self.model.equal(1.0, starts);
        power
    }

    fn v2g(&mut self, i: usize) -> Power {
        let cars = &self.fleet.v2gs;
        let mut power = self.nothing();
        let (arrival, departure) = (cars.arrival[i] as usize, cars.departure[i] as usize);
        let mut before: Option<Column> = None;
        for (t, step) in (arrival..departure).zip(&mut power[arrival..departure]) {
            let charge = self.model.column(self.cost(t), 0.0, cars.p_max_charge_kw[i]);
            let given = cars.wear_per_kwh[i] * self.step_h - self.cost(t);
            let discharge = self.model.column(given, 0.0, cars.p_max_discharge_kw[i]);
            let target = if t + 1 == departure { cars.soc_target_kwh[i] } else { 0.0 };
            let soc = self.model.column(0.0, cars.soc_min_kwh[i].max(target), cars.soc_max_kwh[i]);
            let start = if t == arrival { cars.soc_arrival_kwh[i] } else { 0.0 };
            let terms = [
                (soc, 1.0),
                (charge, -self.step_h * cars.eta_charge[i]),
                (discharge, self.step_h / cars.eta_discharge[i]),
            ];
            self.model.equal(start, terms.into_iter().chain(before.map(|before| (before, -1.0))));
            before = Some(soc);
            step.extend([(charge, 1.0), (discharge, -1.0)]);
        }
        power
    }

    fn room(&mut self, i: usize) -> Power {
        let rooms = &self.fleet.rooms;
        let mut power = self.nothing();
        let ua_kw_per_k = rooms.ua_kw_per_k[i];
        let retained = (-ua_kw_per_k * self.step_h / rooms.c_kwh_per_k[i]).exp();
        let outdoor_c = &self.fleet.room_outdoor_profiles_c[rooms.outdoor_profile[i] as usize];
        let cop = &self.fleet.room_cop_profiles[rooms.cop_profile[i] as usize];
        let mut before: Option<Column> = None;
        for t in 0..self.fleet.steps() {
            let heat = self.model.column(self.cost(t), 0.0, rooms.p_max_kw[i]);
            let is_last = t + 1 == self.fleet.steps();
            let end = if is_last { rooms.state_final_min_c[i] } else { f64::NEG_INFINITY };
            let state = self.model.column(0.0, rooms.state_min_c[i].max(end), rooms.state_max_c[i]);
            let start = if t == 0 { retained * rooms.state_init_c[i] } else { 0.0 };
            let terms = [(state, 1.0), (heat, -(1.0 - retained) * cop[t] / ua_kw_per_k)];
            self.model.equal(
                start + (1.0 - retained) * outdoor_c[t],
                terms.into_iter().chain(before.map(|before| (before, -retained))),
            );
            before = Some(state);
            power[t].push((heat, 1.0));
        }
        power
    }

    fn battery(&mut self, i: usize) -> Power {
        let batteries = &self.fleet.batteries;
        let mut power = self.nothing();
        let retained = (-batteries.self_discharge_per_h[i] * self.step_h).exp();
        let mut before: Option<Column> = None;
        for (t, step) in power.iter_mut().enumerate() {
            let charge = self.model.column(self.cost(t), 0.0, batteries.p_max_charge_kw[i]);
            let given = batteries.wear_per_kwh[i] * self.step_h - self.cost(t);
            let discharge = self.model.column(given, 0.0, batteries.p_max_discharge_kw[i]);
            let is_last = t + 1 == self.fleet.steps();
            let end = if is_last { batteries.soc_final_min_kwh[i] } else { 0.0 };
            let least = batteries.soc_min_kwh[i].max(end);
            let soc = self.model.column(0.0, least, batteries.soc_max_kwh[i]);
            let start = if t == 0 { retained * batteries.soc_init_kwh[i] } else { 0.0 };
            let terms = [
                (soc, 1.0),
                (charge, -self.step_h * batteries.eta_charge[i]),
                (discharge, self.step_h / batteries.eta_discharge[i]),
            ];
            let kept = before.map(|before| (before, -retained));
            self.model.equal(start, terms.into_iter().chain(kept));
            before = Some(soc);
            step.extend([(charge, 1.0), (discharge, -1.0)]);
        }
        power
    }

    fn limits(&mut self, power: &[(FleetDevice, Power)]) {
        let fleet = self.fleet;
        let at = |t: usize, feeder: Option<usize>| -> Vec<(Column, f64)> {
            let on = power
                .iter()
                .filter(|(device, _)| feeder.is_none_or(|feeder| device.feeder(fleet) == feeder));
            on.flat_map(|(_, power)| power[t].iter().copied()).collect()
        };
        let most_kw = most_drawn_kw(fleet);
        for t in 0..fleet.steps() {
            let all = at(t, None);
            let limit_kw = fleet.transformer_limit_kw[t] - fleet.base_load_kw[t];
            let least_kw = if fleet.up_reserve_kw[t] != 0.0 {
                fleet.up_reserve_kw[t]
            } else {
                f64::NEG_INFINITY
            };
            self.model.row(least_kw, limit_kw, all);
            if fleet.down_reserve_kw[t] > 0.0 {
                let others = power
                    .iter()
                    .filter(|(device, _)| !matches!(device, FleetDevice::Cycle(_)))
                    .flat_map(|(_, power)| power[t].iter().copied());
                self.model.at_most(most_kw[t] - fleet.down_reserve_kw[t], others);
            }
            for (f, feeder) in fleet.feeders.iter().enumerate() {
                self.model.at_most(feeder.limit_kw[t] - feeder.base_load_kw[t], at(t, Some(f)));
            }
        }
    }
}
