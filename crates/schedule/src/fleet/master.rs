//! The master problem of the coordination: which mixture of known answers is cheapest within the limits, and what the limits cost.

use clarabel::algebra::CscMatrix;
use clarabel::solver::{DefaultSettings, DefaultSolver, IPSolver, NonnegativeConeT, ZeroConeT};

use super::fairness::Delays;
use super::problem::Fleet;
use super::respond::{Group, Response};

/// Prices of limits, currency per kWh for each step, none of them negative.
#[derive(Debug, Clone, PartialEq)]
pub struct LimitPrices {
    /// Of the transformer.
    pub transformer: Vec<f64>,
    /// Of each feeder.
    pub feeders: Vec<Vec<f64>>,
    /// Of the reserve that must be there to be shed.
    pub up_reserve: Vec<f64>,
    /// Of the reserve of devices that can draw more.
    pub down_reserve: Vec<f64>,
}

impl LimitPrices {
    /// Returns prices of nothing.
    pub(crate) fn none(fleet: &Fleet) -> Self {
        let steps = fleet.steps();
        Self {
            transformer: vec![0.0; steps],
            feeders: vec![vec![0.0; steps]; fleet.feeders.len()],
            up_reserve: vec![0.0; steps],
            down_reserve: vec![0.0; steps],
        }
    }

    /// Returns what devices see, energy and limits together: what those of each feeder see that are no programs, then what programs see.
    /// Without feeders there is one of each.
    pub(crate) fn seen(&self, fleet: &Fleet) -> Vec<Vec<f64>> {
        let of = |feeder: Option<&Vec<f64>>, down: f64| {
            let seen = |t: usize| {
                let feeder = feeder.map_or(0.0, |prices| prices[t]);
                fleet.energy_price[t] + self.transformer[t] + feeder - self.up_reserve[t]
                    + down * self.down_reserve[t]
            };
            (0..fleet.steps()).map(seen).collect()
        };
        if self.feeders.is_empty() {
            return vec![of(None, 1.0), of(None, 0.0)];
        }
        let others = self.feeders.iter().map(|prices| of(Some(prices), 1.0));
        others.chain(self.feeders.iter().map(|prices| of(Some(prices), 0.0))).collect()
    }

    /// Returns the prices between these and others: `share` of these.
    pub(crate) fn between(&self, other: &Self, share: f64) -> Self {
        let mixed = |a: &[f64], b: &[f64]| {
            a.iter().zip(b).map(|(a, b)| share * a + (1.0 - share) * b).collect()
        };
        Self {
            transformer: mixed(&self.transformer, &other.transformer),
            feeders: self.feeders.iter().zip(&other.feeders).map(|(a, b)| mixed(a, b)).collect(),
            up_reserve: mixed(&self.up_reserve, &other.up_reserve),
            down_reserve: mixed(&self.down_reserve, &other.down_reserve),
        }
    }

    /// Returns what the limits are worth at these prices, currency: what is subtracted from the cost of the answers to give a bound.
    pub(crate) fn worth(&self, fleet: &Fleet) -> f64 {
        let step_h = fleet.step_h();
        let of = |prices: &[f64], limit: &[f64], base: &[f64]| -> f64 {
            prices
                .iter()
                .zip(limit.iter().zip(base))
                .map(|(price, (limit, base))| price * (limit - base) * step_h)
                .sum()
        };
        let transformer = of(&self.transformer, &fleet.transformer_limit_kw, &fleet.base_load_kw);
        let feeders = self.feeders.iter().zip(&fleet.feeders);
        let feeders: f64 = feeders
            .map(|(prices, feeder)| of(prices, &feeder.limit_kw, &feeder.base_load_kw))
            .sum();
        let reserve: f64 = self
            .up_reserve
            .iter()
            .zip(&fleet.up_reserve_kw)
            .map(|(price, kw)| price * kw * step_h)
            .sum();
        let none = vec![0.0; fleet.steps()];
        let down = of(&self.down_reserve, &most_drawn_kw(fleet), &none)
            - of(&self.down_reserve, &fleet.down_reserve_kw, &none);
        transformer + feeders - reserve + down
    }
}

/// An answer of a group that the master may use.
#[derive(Debug, Clone)]
pub(crate) struct MasterColumn {
    pub(crate) group: usize,
    /// Which prices it answers.
    pub(crate) prices: usize,
    pub(crate) response: Response,
    /// For how many rounds no mixture has used it.
    pub(crate) unused: usize,
}

/// What the master found.
#[derive(Debug, Clone)]
pub(crate) struct Mixture {
    /// The share of each column.
    pub(crate) weights: Vec<f64>,
    /// What the mixture costs, without what exceeds limits.
    pub(crate) cost: f64,
    /// By how much limits are exceeded, kW, in the order of the rows.
    pub(crate) excess_kw: Vec<f64>,
    pub(crate) prices: LimitPrices,
}

/// Which limit a row of the master is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// The transformer's.
    Transformer,
    /// A feeder's, by number.
    Feeder(usize),
    /// The reserve that must be there to be shed.
    UpReserve,
    /// The reserve of devices that can draw more.
    DownReserve,
}

/// A limit in a step: the load of a group counts with `sign`, and their sum is at most `limit_kw`.
struct LimitRow {
    limit: Limit,
    step: usize,
    sign: f64,
    limit_kw: f64,
}

impl LimitRow {
    /// Returns whether the load of a group counts.
    fn counts(&self, group: &Group) -> bool {
        match self.limit {
            Limit::Feeder(f) => f == group.feeder,
            Limit::Transformer | Limit::UpReserve => true,
            Limit::DownReserve => !group.is_of_programs(),
        }
    }
}

/// Returns what all devices but programs draw at most in each step, kW, while they are there.
pub(crate) fn most_drawn_kw(fleet: &Fleet) -> Vec<f64> {
    let steps = fleet.steps();
    // By how much it changes at the beginning of each step.
    let mut change_kw = vec![0.0; steps + 1];
    let mut add = |first: usize, end: usize, kw: f64| {
        change_kw[first] += kw;
        change_kw[end] -= kw;
    };
    let (evs, v2gs) = (&fleet.evs, &fleet.v2gs);
    for ((&arrival, &departure), &kw) in evs.arrival.iter().zip(&evs.departure).zip(&evs.p_max_kw) {
        add(arrival as usize, departure as usize, kw);
    }
    let cars = v2gs.arrival.iter().zip(&v2gs.departure).zip(&v2gs.p_max_charge_kw);
    for ((&arrival, &departure), &kw) in cars {
        add(arrival as usize, departure as usize, kw);
    }
    let always = [&fleet.tanks.p_max_kw, &fleet.rooms.p_max_kw, &fleet.batteries.p_max_charge_kw];
    add(0, steps, always.into_iter().flatten().sum());
    let mut sum_kw = 0.0;
    let sums = change_kw[..steps].iter().map(|change| {
        sum_kw += change;
        sum_kw
    });
    sums.collect()
}

/// What a mixture may exceed a limit by, as a part of the largest limit.
const EXCEEDED: f64 = 1e-6;

/// The rows of the master for one fleet. Most limits are never reached: a row takes part from the first mixture on that would exceed it.
pub(crate) struct Master<'a> {
    fleet: &'a Fleet,
    rows: Vec<LimitRow>,
    /// The rows that take part.
    active: Vec<bool>,
    /// Rows are divided by this, kW.
    scale_kw: f64,
    /// What a kWh beyond a limit costs.
    penalty: f64,
}

impl<'a> Master<'a> {
    /// `beside_kw` is what flows besides on each feeder, apart from the base load.
    pub(crate) fn new(fleet: &'a Fleet, beside_kw: &[Vec<f64>]) -> Self {
        let mut rows = Vec::new();
        let all_kw = |t: usize| beside_kw.iter().map(|feeder_kw| feeder_kw[t]).sum::<f64>();
        for t in 0..fleet.steps() {
            let limit_kw = fleet.transformer_limit_kw[t] - fleet.base_load_kw[t] - all_kw(t);
            rows.push(LimitRow { limit: Limit::Transformer, step: t, sign: 1.0, limit_kw });
        }
        for (f, feeder) in fleet.feeders.iter().enumerate() {
            #[expect(clippy::needless_range_loop, reason = "a step of many series")]
            for t in 0..fleet.steps() {
                let limit_kw = feeder.limit_kw[t] - feeder.base_load_kw[t] - beside_kw[f][t];
                rows.push(LimitRow { limit: Limit::Feeder(f), step: t, sign: 1.0, limit_kw });
            }
        }
        for (t, &reserve_kw) in fleet.up_reserve_kw.iter().enumerate() {
            if reserve_kw != 0.0 {
                rows.push(LimitRow {
                    limit: Limit::UpReserve,
                    step: t,
                    sign: -1.0,
                    // What flows besides may be more than the reserve; the rest must not take it away.
                    limit_kw: all_kw(t) - reserve_kw,
                });
            }
        }
        let most_kw = most_drawn_kw(fleet);
        for (t, &reserve_kw) in fleet.down_reserve_kw.iter().enumerate() {
            if reserve_kw > 0.0 {
                let limit_kw = most_kw[t] - reserve_kw;
                rows.push(LimitRow { limit: Limit::DownReserve, step: t, sign: 1.0, limit_kw });
            }
        }
        let scale_kw = rows.iter().map(|row| row.limit_kw.abs()).fold(1.0, f64::max);
        let dearest = fleet.energy_price.iter().map(|price| price.abs()).fold(0.01, f64::max);
        let active = vec![false; rows.len()];
        Self { fleet, rows, active, scale_kw, penalty: dearest }
    }

    /// Returns what a mixture costs with what exceeding the limits does.
    pub(crate) fn with_excess(&self, mixture: &Mixture) -> f64 {
        let excess_kw: f64 = mixture.excess_kw.iter().sum();
        mixture.cost + self.penalty * self.fleet.step_h() * excess_kw
    }

    /// Makes exceeding a limit dearer.
    pub(crate) fn raise_penalty(&mut self) {
        self.penalty *= 10.0;
    }

    /// Returns which limits a mixture exceeds, by step, kW.
    pub(crate) fn exceeded(&self, mixture: &Mixture) -> Vec<(Limit, usize, f64)> {
        let rows = self.rows.iter().zip(&mixture.excess_kw);
        rows.filter(|(_, excess)| **excess > EXCEEDED * self.scale_kw)
            .map(|(row, excess)| (row.limit, row.step, *excess))
            .collect()
    }

    /// Returns the cheapest mixture: shares of each group's columns that add up to one. `exactness` is
    /// the relative gap of the solver. `None` where it fails.
    pub(crate) fn solve(
        &mut self,
        groups: &[Group],
        columns: &[MasterColumn],
        exactness: f64,
    ) -> Option<Mixture> {
        loop {
            let mixture = self.solve_active(groups, columns, exactness)?;
            if self.is_complete(&mixture) {
                return Some(mixture);
            }
        }
    }

    /// Returns whether a mixture exceeds none of the rows that do not take part; those that it does take part from now on.
    fn is_complete(&mut self, mixture: &Mixture) -> bool {
        let mut is_complete = true;
        for (is_active, &excess_kw) in self.active.iter_mut().zip(&mixture.excess_kw) {
            if !*is_active && excess_kw > EXCEEDED * self.scale_kw {
                (*is_active, is_complete) = (true, false);
            }
        }
        is_complete
    }

    fn active_rows(&self) -> Vec<&LimitRow> {
        let rows = self.rows.iter().zip(&self.active);
        rows.filter(|(_, is_active)| **is_active).map(|(row, _)| row).collect()
    }

    /// Solves with the rows that take part. Rows: one for each group, limits, then weights and excesses that are not negative.
    fn solve_active(
        &self,
        groups: &[Group],
        columns: &[MasterColumn],
        exactness: f64,
    ) -> Option<Mixture> {
        let rows = self.active_rows();
        let (group_rows, limit_rows) = (groups.len(), rows.len());
        let variables = columns.len() + limit_rows;
        if variables == 0 {
            // There is nothing to mix, and nothing is exceeded as far as is known.
            let excess_kw = self.excess_kw(groups, columns, &[]);
            let prices = LimitPrices::none(self.fleet);
            return Some(Mixture { weights: Vec::new(), cost: 0.0, excess_kw, prices });
        }
        let step_h = self.fleet.step_h();
        let cost_scale =
            columns.iter().map(|column| column.response.cost.abs()).fold(1e-9, f64::max);
        let mut q: Vec<f64> =
            columns.iter().map(|column| column.response.cost / cost_scale).collect();
        q.resize(variables, self.penalty * step_h * self.scale_kw / cost_scale);
        let mut b = vec![1.0; group_rows];
        b.extend(rows.iter().map(|row| row.limit_kw / self.scale_kw));
        b.resize(group_rows + limit_rows + variables, 0.0);
        let mut starts = vec![0];
        let (mut places, mut values) = (Vec::new(), Vec::new());
        let first_sign = group_rows + limit_rows;
        for (k, column) in columns.iter().enumerate() {
            places.push(column.group);
            values.push(1.0);
            for (r, row) in rows.iter().enumerate() {
                let load_kw = column.response.load_kw[row.step];
                if row.counts(&groups[column.group]) && load_kw != 0.0 {
                    places.push(group_rows + r);
                    values.push(row.sign * load_kw / self.scale_kw);
                }
            }
            places.push(first_sign + k);
            values.push(-1.0);
            starts.push(places.len());
        }
        for r in 0..limit_rows {
            places.extend([group_rows + r, first_sign + columns.len() + r]);
            values.extend([-1.0, -1.0]);
            starts.push(places.len());
        }
        let a = CscMatrix::new(b.len(), variables, starts, places, values);
        let p = CscMatrix::zeros((variables, variables));
        let cones = [ZeroConeT(group_rows), NonnegativeConeT(limit_rows + variables)];
        let settings = DefaultSettings {
            verbose: false,
            max_threads: 1,
            tol_gap_rel: exactness,
            tol_gap_abs: exactness,
            ..DefaultSettings::default()
        };
        let mut solver = DefaultSolver::new(&p, &q, &a, &b, &cones, settings).ok()?;
        solver.solve();
        // Where it stops short of what was asked, what it has is judged like everything else: a mixture by what it costs and exceeds, and
        // any prices give a bound.
        let solution = &solver.solution;
        let weights = normalized(&solution.x[..columns.len()], columns, group_rows);
        let is_usable = weights.iter().chain(&solution.z).all(|value| value.is_finite());
        if !is_usable {
            return None;
        }
        let mut prices = LimitPrices::none(self.fleet);
        for (row, z) in rows.iter().zip(&solution.z[group_rows..]) {
            let price = (z * cost_scale / (self.scale_kw * step_h)).max(0.0);
            match row.limit {
                Limit::Transformer => prices.transformer[row.step] = price,
                Limit::Feeder(f) => prices.feeders[f][row.step] = price,
                Limit::UpReserve => prices.up_reserve[row.step] = price,
                Limit::DownReserve => prices.down_reserve[row.step] = price,
            }
        }
        let cost =
            weights.iter().zip(columns).map(|(weight, column)| weight * column.response.cost).sum();
        let excess_kw = self.excess_kw(groups, columns, &weights);
        Some(Mixture { weights, cost, excess_kw, prices })
    }

    /// Returns a mixture within the limits that costs at most `cost_max`, in which the squares of how long groups wait, by energy, are least.
    /// `delays` has for each group its energy, and for each of its columns which part of its time it waits. `None` where the solver fails.
    pub(crate) fn fair(
        &mut self,
        groups: &[Group],
        columns: &[MasterColumn],
        delays: &Delays,
        cost_max: f64,
    ) -> Option<Mixture> {
        loop {
            let mixture = self.fair_active(groups, columns, delays, cost_max)?;
            if self.is_complete(&mixture) {
                return Some(mixture);
            }
        }
    }

    /// Does so with the rows that take part.
    fn fair_active(
        &self,
        groups: &[Group],
        columns: &[MasterColumn],
        delays: &Delays,
        cost_max: f64,
    ) -> Option<Mixture> {
        // Variables: shares, then how long each group waits. Rows: one for each group's shares, one for its waiting, the cost, limits, signs.
        let rows = self.active_rows();
        let (count, limit_rows) = (groups.len(), rows.len());
        let variables = columns.len() + count;
        let cost_scale = cost_max.abs().max(1e-9);
        let energy_scale = delays.energy_kwh.iter().copied().fold(1e-9, f64::max);
        let mut b = vec![1.0; count];
        b.resize(2 * count, 0.0);
        b.push(cost_max / cost_scale);
        b.extend(rows.iter().map(|row| row.limit_kw / self.scale_kw));
        let first_sign = b.len();
        b.resize(first_sign + columns.len(), 0.0);
        let mut starts = vec![0];
        let (mut places, mut values) = (Vec::new(), Vec::new());
        for (k, (column, delay)) in columns.iter().zip(&delays.of_column).enumerate() {
            let mut put = |place: usize, value: f64| {
                if value != 0.0 {
                    places.push(place);
                    values.push(value);
                }
            };
            put(column.group, 1.0);
            put(count + column.group, *delay);
            put(2 * count, column.response.cost / cost_scale);
            for (r, row) in rows.iter().enumerate() {
                if row.counts(&groups[column.group]) {
                    let load_kw = column.response.load_kw[row.step];
                    put(2 * count + 1 + r, row.sign * load_kw / self.scale_kw);
                }
            }
            put(first_sign + k, -1.0);
            starts.push(places.len());
        }
        for group in 0..count {
            places.push(count + group);
            values.push(-1.0);
            starts.push(places.len());
        }
        let a = CscMatrix::new(b.len(), variables, starts, places, values);
        let mut squares = vec![0.0; columns.len()];
        squares.extend(delays.energy_kwh.iter().map(|energy| 2.0 * energy / energy_scale));
        let p = CscMatrix::new(
            variables,
            variables,
            (0..=variables).collect(),
            (0..variables).collect(),
            squares,
        );
        let cones = [ZeroConeT(2 * count), NonnegativeConeT(1 + limit_rows + columns.len())];
        let settings =
            DefaultSettings { verbose: false, max_threads: 1, ..DefaultSettings::default() };
        let q = vec![0.0; variables];
        let mut solver = DefaultSolver::new(&p, &q, &a, &b, &cones, settings).ok()?;
        solver.solve();
        let weights = normalized(&solver.solution.x[..columns.len()], columns, count);
        if !weights.iter().all(|weight| weight.is_finite()) {
            return None;
        }
        let cost =
            weights.iter().zip(columns).map(|(weight, column)| weight * column.response.cost).sum();
        let excess_kw = self.excess_kw(groups, columns, &weights);
        Some(Mixture { weights, cost, excess_kw, prices: LimitPrices::none(self.fleet) })
    }

    fn excess_kw(&self, groups: &[Group], columns: &[MasterColumn], weights: &[f64]) -> Vec<f64> {
        let mut sums = vec![0.0; self.rows.len()];
        for (column, weight) in columns.iter().zip(weights) {
            for (sum, row) in sums.iter_mut().zip(&self.rows) {
                if row.counts(&groups[column.group]) {
                    *sum += weight * row.sign * column.response.load_kw[row.step];
                }
            }
        }
        sums.iter().zip(&self.rows).map(|(sum, row)| (sum - row.limit_kw).max(0.0)).collect()
    }
}

/// Interior points leave a little of everything: shares below a millionth go, and those of a group add up to one.
fn normalized(weights: &[f64], columns: &[MasterColumn], groups: usize) -> Vec<f64> {
    let kept = |weight: f64| if weight < 1e-9 { 0.0 } else { weight };
    let mut sums = vec![0.0; groups];
    for (weight, column) in weights.iter().zip(columns) {
        sums[column.group] += kept(*weight);
    }
    weights.iter().zip(columns).map(|(weight, column)| kept(*weight) / sums[column.group]).collect()
}
