//! Who waits, and who gains: fairness among devices that would have done at once what they need.
//!
//! These are cars that only charge, and programs. Which part of its time a device waits is 0 where it does everything as early as it can, and 1
//! where it does everything as late as it can. What a plan may cost more than its bound, a ten-thousandth at most, is spent on making the squares of these parts least, by
//! energy, over the groups of devices that answer together; within a group all answer the same prices by the same shares.

use super::master::MasterColumn;
use super::plan::FleetPlan;
use super::problem::Fleet;
use super::respond::{FleetDevice, Group, Room, respond_all, respond_of};

/// When groups use their energy, between as early and as late as they can.
pub(crate) struct Waiting {
    step_h: f64,
    /// Energy times the middle of its step, kWh h, as early as possible.
    earliest: Vec<f64>,
    /// As late as possible.
    latest: Vec<f64>,
    energy_kwh: Vec<f64>,
}

/// What a fair mixture is made from.
pub(crate) struct Delays {
    /// Of each group; 0 for those that nobody waits for.
    pub(crate) energy_kwh: Vec<f64>,
    /// Which part of its time the group waits, for each column.
    pub(crate) of_column: Vec<f64>,
}

impl Waiting {
    pub(crate) fn new(fleet: &Fleet, groups: &[Group]) -> Result<Self, FleetDevice> {
        let step_h = fleet.step_h();
        let lanes = 2 * fleet.feeders.len().max(1);
        let rising: Vec<f64> = (0..fleet.steps()).map(real).collect();
        let falling = rising.iter().map(|price| -price).collect();
        let mut waiting =
            Self { step_h, earliest: Vec::new(), latest: Vec::new(), energy_kwh: Vec::new() };
        let early = respond_all(fleet, groups, &vec![rising; lanes])?;
        let late = respond_all(fleet, groups, &vec![falling; lanes])?;
        for (group, (early, late)) in groups.iter().zip(early.iter().zip(late)) {
            waiting.earliest.push(waiting.moment(&early.load_kw));
            waiting.latest.push(waiting.moment(&late.load_kw));
            let energy_kwh = early.load_kw.iter().sum::<f64>() * step_h;
            waiting.energy_kwh.push(if group.has_to_wait() { energy_kwh } else { 0.0 });
        }
        Ok(waiting)
    }

    /// Returns the energy of a load times its time, kWh h.
    pub(crate) fn moment(&self, load_kw: &[f64]) -> f64 {
        let step_h = self.step_h;
        load_kw.iter().enumerate().map(|(t, load)| real(t) * step_h * load * step_h).sum()
    }

    /// Makes prices rise with time, by `rise` for each hour.
    pub(crate) fn raise(&self, prices: &mut [f64], rise: f64) {
        prices.iter_mut().enumerate().for_each(|(t, price)| *price += rise * real(t) * self.step_h);
    }

    /// Returns which part of its time the group of each column waits.
    pub(crate) fn delays(&self, columns: &[MasterColumn]) -> Delays {
        let delay = |column: &MasterColumn| {
            let group = column.group;
            let span = self.latest[group] - self.earliest[group];
            if self.energy_kwh[group] <= 0.0 || span <= 1e-9 {
                return 0.0;
            }
            (self.moment(&column.response.load_kw) - self.earliest[group]) / span
        };
        Delays {
            energy_kwh: self.energy_kwh.clone(),
            of_column: columns.iter().map(delay).collect(),
        }
    }
}

/// How evenly a plan treats the cars that only charge and the programs of a fleet.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fairness {
    /// How many of them do something later than at once.
    pub shifted_devices: usize,
    /// How much energy is used later, kWh.
    pub shifted_kwh: f64,
    /// What they save together against doing all at once, currency, at the prices of energy and limits, which are the same for all behind the
    /// same limits.
    pub benefit: f64,
    /// The Gini coefficient of what each of them saves for a kWh: 0 where all save the same, toward 1 where one saves all.
    pub gini: f64,
    /// Which part of its time one waits on average, 0 to 1.
    pub delay_mean: f64,
    /// The root of the mean of the squares of these parts.
    pub delay_rms: f64,
}

/// Returns how evenly a plan treats those that would have done all at once.
#[must_use]
pub fn fairness(fleet: &Fleet, plan: &FleetPlan) -> Fairness {
    let step_h = fleet.step_h();
    let seen = plan.prices.seen(fleet);
    let rising: Vec<f64> = (0..fleet.steps()).map(real).collect();
    let falling: Vec<f64> = rising.iter().map(|price| -price).collect();
    let moment = |power_kw: &[f64]| rising.iter().zip(power_kw).map(|(t, kw)| t * kw).sum::<f64>();
    let mut room = Room::default();
    let mut rates = Vec::new();
    let mut found = Fairness {
        shifted_devices: 0,
        shifted_kwh: 0.0,
        benefit: 0.0,
        gini: 0.0,
        delay_mean: 0.0,
        delay_rms: 0.0,
    };
    let mut flexible = 0;
    let counted =
        |device: &FleetDevice| matches!(device, FleetDevice::Ev(_) | FleetDevice::Cycle(_));
    for device in fleet.each_device().filter(counted) {
        let mut at = |prices: &[f64]| respond_of(fleet, device, prices, &mut room).ok();
        let (Some(early_kw), Some(late_kw)) = (at(&rising), at(&falling)) else { continue };
        let power_kw = plan.power_kw(fleet, device);
        let span = moment(&late_kw) - moment(&early_kw);
        if span > 1e-6 {
            let part = (moment(&power_kw) - moment(&early_kw)) / span;
            flexible += 1;
            found.delay_mean += part;
            found.delay_rms += part * part;
        }
        let shifted_kwh =
            early_kw.iter().zip(&power_kw).map(|(early, kw)| (early - kw).max(0.0)).sum::<f64>()
                * step_h;
        if shifted_kwh <= 1e-3 {
            continue;
        }
        let prices = &seen[device.lane(fleet)];
        let saved = early_kw.iter().zip(&power_kw).zip(prices);
        let benefit = saved.map(|((early, kw), price)| price * (early - kw)).sum::<f64>() * step_h;
        found.shifted_devices += 1;
        found.shifted_kwh += shifted_kwh;
        found.benefit += benefit;
        rates.push((benefit / shifted_kwh).max(0.0));
    }
    found.gini = gini(rates);
    let flexible = real(flexible).max(1.0);
    found.delay_mean /= flexible;
    found.delay_rms = (found.delay_rms / flexible).sqrt();
    found
}

/// Returns the Gini coefficient of values that are not negative; 0 where there are none.
fn gini(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let (count, sum) = (real(values.len()), values.iter().sum::<f64>());
    if sum <= 0.0 {
        return 0.0;
    }
    let ranked = values.iter().enumerate();
    let weighted: f64 = ranked.map(|(i, value)| (2.0 * real(i + 1) - count - 1.0) * value).sum();
    (weighted / (count * sum)).max(0.0)
}

#[expect(clippy::cast_precision_loss, reason = "numbers of steps and devices")]
const fn real(count: usize) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::{Evs, FleetOptions, FleetParts, check, plan};

    #[test]
    fn gini_is_nothing_for_equals_and_much_for_one_who_has_all() {
        assert_eq!(gini(vec![]), 0.0);
        assert_eq!(gini(vec![2.0; 7]), 0.0);
        assert_eq!(gini(vec![0.0, 0.0, 0.0, 8.0]), 0.75);
        // Worked by hand: the mean difference of all pairs, 10/9, over twice the mean, 2 * 2.
        assert!((gini(vec![3.0, 1.0, 2.0]) - 2.0 / 9.0).abs() < 1e-12);
    }

    /// Two crowds behind one limit; all hours cost almost the same, so that it is left open who waits.
    fn crowds() -> Fleet {
        let steps = 12;
        Fleet::new(FleetParts {
            id: "crowds".to_owned(),
            currency: "EUR".to_owned(),
            resolution_min: 60,
            energy_price: (0..steps).map(|t| 0.3 - 1e-6 * real(t)).collect(),
            base_load_kw: vec![0.0; steps],
            transformer_limit_kw: vec![100.0; steps],
            up_reserve_kw: vec![0.0; steps],
            down_reserve_kw: vec![0.0; steps],
            evs: Evs {
                arrival: [vec![0; 20], vec![1; 20]].concat(),
                departure: vec![12; 40],
                p_max_kw: vec![10.0; 40],
                energy_kwh: vec![20.0; 40],
                feeder: vec![0; 40],
            },
            ..FleetParts::default()
        })
        .expect("possible")
    }

    #[test]
    fn what_the_gap_leaves_is_spent_on_waiting_less_and_evenly() {
        let fleet = crowds();
        let of = |gap: f64| {
            let plan =
                plan(&fleet, &FleetOptions { gap, ..FleetOptions::default() }).expect("a plan");
            let powers = fleet.each_device().map(|device| (device, plan.power_kw(&fleet, device)));
            let checked = check(&fleet, powers);
            assert_eq!((&checked.devices, &checked.limits), (&vec![], &vec![]));
            (plan.gap(), fairness(&fleet, &plan))
        };
        // The last millionth of the cost makes everybody wait until the end.
        let (_, greedy) = of(1e-9);
        let (gap, fair) = of(1e-4);
        assert!(gap <= 1e-4, "{gap}");
        assert!(greedy.delay_rms > 0.6, "{greedy:?}");
        assert!(fair.delay_rms < 0.45, "{fair:?}");
    }
}
