//! Stores that charge and give back: batteries, and cars that do.

use rayon::prelude::*;

use super::problem::Fleet;
use super::respond::{FleetDevice, Room};
use super::storage::{Piece, StoreStep, cheapest};

/// A store that charges and gives back.
pub(super) struct TwoWay {
    /// First step, and first step after.
    stay: (usize, usize),
    p_max_charge_kw: f64,
    p_max_discharge_kw: f64,
    eta_charge: f64,
    eta_discharge: f64,
    /// Part of the charge that is left after a step.
    retained: f64,
    wear_per_kwh: f64,
    initial_kwh: f64,
    bounds_kwh: (f64, f64),
    final_min_kwh: f64,
}

impl TwoWay {
    /// Returns a device as a store; nothing where it is none, or gives nothing back.
    pub(super) fn of(fleet: &Fleet, device: FleetDevice) -> Option<Self> {
        let (cars, batteries) = (&fleet.v2gs, &fleet.batteries);
        match device {
            FleetDevice::V2g(i) => Some(Self {
                stay: (cars.arrival[i] as usize, cars.departure[i] as usize),
                p_max_charge_kw: cars.p_max_charge_kw[i],
                p_max_discharge_kw: cars.p_max_discharge_kw[i],
                eta_charge: cars.eta_charge[i],
                eta_discharge: cars.eta_discharge[i],
                retained: 1.0,
                wear_per_kwh: cars.wear_per_kwh[i],
                initial_kwh: cars.soc_arrival_kwh[i],
                bounds_kwh: (cars.soc_min_kwh[i], cars.soc_max_kwh[i]),
                final_min_kwh: cars.soc_target_kwh[i],
            }),
            FleetDevice::Battery(i) => Some(Self {
                stay: (0, fleet.steps()),
                p_max_charge_kw: batteries.p_max_charge_kw[i],
                p_max_discharge_kw: batteries.p_max_discharge_kw[i],
                eta_charge: batteries.eta_charge[i],
                eta_discharge: batteries.eta_discharge[i],
                retained: (-batteries.self_discharge_per_h[i] * fleet.step_h()).exp(),
                wear_per_kwh: batteries.wear_per_kwh[i],
                initial_kwh: batteries.soc_init_kwh[i],
                bounds_kwh: (batteries.soc_min_kwh[i], batteries.soc_max_kwh[i]),
                final_min_kwh: batteries.soc_final_min_kwh[i],
            }),
            FleetDevice::Ev(_)
            | FleetDevice::Tank(_)
            | FleetDevice::Cycle(_)
            | FleetDevice::Room(_) => None,
        }
    }

    /// Adds its cheapest answer to the load, and returns its wear; nothing where it cannot do what it needs.
    pub(super) fn respond(
        &self,
        prices: &[f64],
        step_h: f64,
        room: &mut Room,
        load_kw: &mut [f64],
    ) -> Option<f64> {
        let (first, end) = self.stay;
        let given_kwh = step_h * self.p_max_discharge_kw / self.eta_discharge;
        let taken_kwh = step_h * self.p_max_charge_kw * self.eta_charge;
        room.steps.clear();
        // From giving all that it can: giving less, and charging.
        room.steps.extend((first..end).map(|t| StoreStep {
            retained: self.retained,
            base: -given_kwh,
            pieces: [
                Piece {
                    length: given_kwh,
                    slope: (prices[t] - self.wear_per_kwh) * self.eta_discharge,
                },
                Piece { length: taken_kwh, slope: prices[t] / self.eta_charge },
            ],
            bounds: (
                if t + 1 == end {
                    self.final_min_kwh.max(self.bounds_kwh.0)
                } else {
                    self.bounds_kwh.0
                },
                self.bounds_kwh.1,
            ),
        }));
        if !cheapest(self.initial_kwh, &room.steps, &mut room.scratch, &mut room.used) {
            return None;
        }
        let mut worn = 0.0;
        for (load, used) in load_kw[first..end].iter_mut().zip(&room.used) {
            let given_kw = (given_kwh - used[0]) * self.eta_discharge / step_h;
            *load += used[1] / (self.eta_charge * step_h) - given_kw;
            worn += self.wear_per_kwh * given_kw * step_h;
        }
        Some(worn)
    }

    /// Sets charging and giving back in the same step off against each other, of which `power_kw` is the sum. Less is lost then than both
    /// together lose, so that the store is never emptier than it was to be; where it would be fuller than it can be, it charges less.
    fn set_off(&self, step_h: f64, power_kw: &mut [f64]) {
        let mut soc_kwh = self.initial_kwh;
        for power_kw in &mut power_kw[self.stay.0..self.stay.1] {
            soc_kwh *= self.retained;
            if *power_kw > 0.0 {
                let room_kw = (self.bounds_kwh.1 - soc_kwh) / (self.eta_charge * step_h);
                *power_kw = power_kw.min(room_kw.max(0.0));
                soc_kwh += *power_kw * self.eta_charge * step_h;
            } else {
                soc_kwh += *power_kw / self.eta_discharge * step_h;
            }
        }
    }

    fn wear(&self, step_h: f64, power_kw: &[f64]) -> f64 {
        let given_kw: f64 = power_kw.iter().map(|power| (-power).max(0.0)).sum();
        self.wear_per_kwh * given_kw * step_h
    }
}

/// Returns what a device does of what is planned for it: a store never charges and gives back at once. A mixture of answers may ask for both
/// in one step, and where energy costs less than nothing an answer by itself does, to waste it.
pub(super) fn set_off(fleet: &Fleet, device: FleetDevice, mut planned_kw: Vec<f64>) -> Vec<f64> {
    if let Some(store) = TwoWay::of(fleet, device) {
        store.set_off(fleet.step_h(), &mut planned_kw);
    }
    planned_kw
}

/// What all stores do differently because they never charge and give back at once.
pub(super) struct SetOff {
    /// By how much more they draw in each step, kW: nothing or less.
    pub(super) more_kw: Vec<f64>,
    /// What giving back wears off.
    pub(super) wear: f64,
}

/// Stores that one thread takes at a time: sums are the same for any number of threads.
const AT_A_TIME: usize = 256;

/// Returns what the stores of a fleet do differently from what is planned, nothing where there are none.
pub(super) fn set_off_all(
    fleet: &Fleet,
    planned_kw: impl Fn(FleetDevice) -> Vec<f64> + Sync,
) -> Option<SetOff> {
    let is_store =
        |device: &FleetDevice| matches!(device, FleetDevice::V2g(_) | FleetDevice::Battery(_));
    let stores: Vec<FleetDevice> = fleet.each_device().filter(is_store).collect();
    if stores.is_empty() {
        return None;
    }
    let nothing = || SetOff { more_kw: vec![0.0; fleet.steps()], wear: 0.0 };
    let step_h = fleet.step_h();
    let of_some = |devices: &[FleetDevice]| {
        let mut sum = nothing();
        for &device in devices {
            let Some(store) = TwoWay::of(fleet, device) else { continue };
            let planned_kw = planned_kw(device);
            let mut power_kw = planned_kw.clone();
            store.set_off(step_h, &mut power_kw);
            let changes = power_kw.iter().zip(&planned_kw).map(|(power, planned)| power - planned);
            sum.more_kw.iter_mut().zip(changes).for_each(|(more, change)| *more += change);
            sum.wear += store.wear(step_h, &power_kw);
        }
        sum
    };
    let sums: Vec<SetOff> = stores.par_chunks(AT_A_TIME).map(of_some).collect();
    let all = sums.into_iter().fold(nothing(), |mut all, sum| {
        all.more_kw.iter_mut().zip(sum.more_kw).for_each(|(all, more)| *all += more);
        all.wear += sum.wear;
        all
    });
    Some(all)
}
