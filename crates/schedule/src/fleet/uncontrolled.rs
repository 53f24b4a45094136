//! What cars do where nobody plans.

use super::problem::Fleet;

/// Returns the cost of cars that charge on arrival, at full power until they have what they need, and the highest load of the transformer with
/// them and without other devices, kW.
#[must_use]
pub fn uncontrolled_ev(fleet: &Fleet) -> (f64, f64) {
    let cars_kw = uncontrolled_ev_kw(fleet);
    let step_h = fleet.step_h();
    let cost = cars_kw.iter().zip(&fleet.energy_price).map(|(power, price)| power * step_h * price);
    let load_kw = cars_kw.iter().zip(&fleet.base_load_kw).map(|(cars, base)| cars + base);
    (cost.sum(), load_kw.fold(f64::NEG_INFINITY, f64::max))
}

/// Returns the load of cars that charge on arrival, at full power until they have what they need, kW for each step.
#[must_use]
pub fn uncontrolled_ev_kw(fleet: &Fleet) -> Vec<f64> {
    let (evs, step_h) = (&fleet.evs, fleet.step_h());
    let mut load_kw = vec![0.0; fleet.steps()];
    for i in 0..evs.arrival.len() {
        let mut left_kwh = evs.energy_kwh[i];
        for load in &mut load_kw[evs.arrival[i] as usize..evs.departure[i] as usize] {
            let power = (left_kwh / step_h).min(evs.p_max_kw[i]);
            if power <= 0.0 {
                break;
            }
            left_kwh -= power * step_h;
            *load += power;
        }
    }
    load_kw
}
