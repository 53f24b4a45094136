//! What cars do where nobody plans.

use super::problem::Fleet;

/// Returns the cost of cars that charge on arrival, at full power until they have what they need, and the highest load of the transformer with
/// them and without other devices, kW.
#[must_use]
pub fn uncontrolled_ev(fleet: &Fleet) -> (f64, f64) {
    let (evs, step_h) = (&fleet.evs, fleet.step_h());
    let mut load_kw = fleet.base_load_kw.clone();
    let mut cost = 0.0;
    for i in 0..evs.arrival.len() {
        let mut left_kwh = evs.energy_kwh[i];
        let stay = evs.arrival[i] as usize..evs.departure[i] as usize;
        for (load, price) in load_kw[stay.clone()].iter_mut().zip(&fleet.energy_price[stay]) {
            let power = (left_kwh / step_h).min(evs.p_max_kw[i]);
            if power <= 0.0 {
                break;
            }
            left_kwh -= power * step_h;
            *load += power;
            cost += power * step_h * price;
        }
    }
    (cost, load_kw.into_iter().fold(f64::NEG_INFINITY, f64::max))
}
