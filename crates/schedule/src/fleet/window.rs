//! Cars that only charge, taken together where they come and go together.
//!
//! What one car can draw is the base polytope of a polymatroid: in any `k` of its steps it draws at most the smaller of its need and `k`
//! steps at full power. Sums of such polytopes over cars with the same steps are of the same kind, and depend on the cars only through the sum of
//! these bounds. So thousands of cars with one arrival and departure are one device, exactly, whatever their powers and needs.
//!
//! # Source
//!
//! Greedy optimization over polymatroids and their Minkowski sums: J. Edmonds, "Submodular functions, matroids, and certain polyhedra", 1970.

use std::collections::BTreeMap;

use super::problem::Fleet;

/// Cars on one feeder with the same arrival and departure.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Window {
    pub(crate) feeder: usize,
    /// First step.
    pub(crate) arrival: usize,
    /// First step after.
    pub(crate) departure: usize,
    /// What they draw together in their cheapest step, in the second cheapest and so on, kWh; it falls.
    pub(crate) rank_kwh: Vec<f64>,
}

/// Returns the windows of a fleet, by feeder, arrival and departure; `Err` with the number of a car that cannot draw what it needs.
pub(crate) fn windows(fleet: &Fleet) -> Result<Vec<Window>, usize> {
    let (evs, step_h) = (&fleet.evs, fleet.step_h());
    let has_feeders = !fleet.feeders.is_empty();
    // For each window how much more, or less, is drawn from one rank to the next.
    let mut changes: BTreeMap<(u32, u32, u32), Vec<f64>> = BTreeMap::new();
    for (i, (&arrival, &departure)) in evs.arrival.iter().zip(&evs.departure).enumerate() {
        let steps = (departure - arrival) as usize;
        let (full_kwh, need_kwh) = (evs.p_max_kw[i] * step_h, evs.energy_kwh[i]);
        if need_kwh > full_kwh * real(steps) * (1.0 + 1e-9) + 1e-9 {
            return Err(i);
        }
        let feeder = if has_feeders { evs.feeder[i] } else { 0 };
        let changes =
            changes.entry((feeder, arrival, departure)).or_insert_with(|| vec![0.0; steps + 1]);
        let full_steps = full_steps(need_kwh, full_kwh, steps);
        let rest_kwh = (need_kwh - real(full_steps) * full_kwh).max(0.0);
        changes[0] += full_kwh;
        changes[full_steps] += rest_kwh - full_kwh;
        if full_steps < steps {
            changes[full_steps + 1] -= rest_kwh;
        }
    }
    let window = |((feeder, arrival, departure), changes): ((u32, u32, u32), Vec<f64>)| {
        let mut sum = 0.0;
        let rank = |change: &f64| {
            sum += change;
            f64::max(sum, 0.0)
        };
        let rank_kwh = changes[..changes.len() - 1].iter().map(rank).collect();
        Window {
            feeder: feeder as usize,
            arrival: arrival as usize,
            departure: departure as usize,
            rank_kwh,
        }
    };
    Ok(changes.into_iter().map(window).collect())
}

/// How many whole steps at full power fit into a need.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "between zero and the number of steps"
)]
fn full_steps(need_kwh: f64, full_kwh: f64, steps: usize) -> usize {
    if full_kwh <= 0.0 { 0 } else { ((need_kwh / full_kwh) as usize).min(steps) }
}

impl Window {
    /// Adds the cheapest answer to prices to the load of each step, kW. `order` has the steps of the horizon by price, ties by number.
    pub(crate) fn respond(&self, order: &[usize], step_h: f64, load_kw: &mut [f64]) {
        let steps = order.iter().filter(|t| (self.arrival..self.departure).contains(t));
        for (&t, &rank_kwh) in steps.zip(&self.rank_kwh) {
            if rank_kwh <= 0.0 {
                break;
            }
            load_kw[t] += rank_kwh / step_h;
        }
    }
}

/// Writes the cheapest answer of one car to prices, kW. `order` as above.
pub(crate) fn respond_one(
    (arrival, departure): (usize, usize),
    (p_max_kw, energy_kwh): (f64, f64),
    order: &[usize],
    step_h: f64,
    power_kw: &mut [f64],
) {
    let mut left_kwh = energy_kwh;
    for &t in order.iter().filter(|t| (arrival..departure).contains(t)) {
        let step_kwh = left_kwh.min(p_max_kw * step_h);
        power_kw[t] = step_kwh / step_h;
        left_kwh -= step_kwh;
        if left_kwh <= 0.0 {
            break;
        }
    }
}

/// Returns the steps by price, ties by number, so that the same prices have the same answer.
pub(crate) fn by_price(prices: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..prices.len()).collect();
    order.sort_by(|&a, &b| prices[a].total_cmp(&prices[b]).then(a.cmp(&b)));
    order
}

#[expect(clippy::cast_precision_loss, reason = "numbers of steps")]
const fn real(count: usize) -> f64 {
    count as f64
}
