//! Programs cannot be mixed: each gets one start, so that the limits are kept and little is lost.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use super::problem::Fleet;
use super::respond::FleetDevice;

/// What is left of the limits beside everything but the programs, kW, by step: of the transformer, then of each feeder. Negative where
/// they are exceeded.
#[derive(Debug, Clone)]
pub(crate) struct Headroom {
    transformer_kw: Vec<f64>,
    feeders_kw: Vec<Vec<f64>>,
    /// Load that is missing for the reserve.
    reserve_missing_kw: Vec<f64>,
}

impl Headroom {
    /// Returns what is left beside a load on each feeder, kW.
    pub(crate) fn beside(fleet: &Fleet, load_kw: &[Vec<f64>]) -> Self {
        let all = |t: usize| load_kw.iter().map(|load| load[t]).sum::<f64>();
        let steps = 0..fleet.steps();
        let transformer_kw = steps
            .clone()
            .map(|t| fleet.transformer_limit_kw[t] - fleet.base_load_kw[t] - all(t))
            .collect();
        let feeder = |(f, feeder): (usize, &super::problem::Feeder)| {
            steps
                .clone()
                .map(|t| feeder.limit_kw[t] - feeder.base_load_kw[t] - load_kw[f][t])
                .collect()
        };
        let feeders_kw = fleet.feeders.iter().enumerate().map(feeder).collect();
        let reserve_missing_kw = steps.clone().map(|t| fleet.up_reserve_kw[t] - all(t)).collect();
        Self { transformer_kw, feeders_kw, reserve_missing_kw }
    }

    /// Takes a program's load out of the room, or gives it back with `sign` -1.
    fn take(&mut self, feeder: usize, start: usize, profile_kw: &[f64], sign: f64) {
        for (t, power) in (start..).zip(profile_kw) {
            self.transformer_kw[t] -= sign * power;
            self.reserve_missing_kw[t] -= sign * power;
            if let Some(feeder_kw) = self.feeders_kw.get_mut(feeder) {
                feeder_kw[t] -= sign * power;
            }
        }
    }

    /// By how much a program exceeds what is left, kW summed over steps and limits, less what it does for the reserve.
    fn exceeded_kw(&self, fleet: &Fleet, feeder: usize, start: usize, profile_kw: &[f64]) -> f64 {
        let over = |room: f64, power: f64| (power - room).max(0.0) - (-room).max(0.0);
        (start..)
            .zip(profile_kw)
            .map(|(t, &power)| {
                let missing = self.reserve_missing_kw[t];
                let reserve =
                    if fleet.up_reserve_kw[t] > 0.0 { power.min(missing.max(0.0)) } else { 0.0 };
                let feeder =
                    self.feeders_kw.get(feeder).map_or(0.0, |feeder_kw| over(feeder_kw[t], power));
                over(self.transformer_kw[t], power) + feeder - reserve
            })
            .sum()
    }
}

/// Most passes over all programs.
const PASSES_MAX: usize = 50;

/// Returns a start for each program: first one of those that its group mixes, drawn by their shares, then moved one at a time as long as that
/// exceeds the limits less, or costs less without exceeding them more. The order of moving is drawn from `seed`, so that nobody is always
/// the first to give way.
pub(crate) fn starts(
    fleet: &Fleet,
    room: &mut Headroom,
    mixed: impl Fn(usize) -> Vec<(usize, f64)>,
    seed: u64,
) -> Vec<usize> {
    let count = fleet.cycles.profile.len();
    let mut dice = ChaCha8Rng::seed_from_u64(seed);
    let mut starts: Vec<usize> = (0..count).map(|i| drawn(&mixed(i), share(&mut dice))).collect();
    let profile = |i: usize| fleet.cycle_profiles_kw[fleet.cycles.profile[i] as usize].as_slice();
    let feeder = |i: usize| FleetDevice::Cycle(i).feeder(fleet);
    for (i, &start) in starts.iter().enumerate() {
        room.take(feeder(i), start, profile(i), 1.0);
    }
    let mut order: Vec<usize> = (0..count).collect();
    for last in (1..count).rev() {
        order.swap(last, below(&mut dice, last + 1));
    }
    let penalty = 1e3 * fleet.energy_price.iter().map(|price| price.abs()).fold(0.01, f64::max);
    for _ in 0..PASSES_MAX {
        let mut is_moved = false;
        for &i in &order {
            let profile_kw = profile(i);
            let value = |room: &Headroom, start: usize| {
                let energy = (start..)
                    .zip(profile_kw)
                    .map(|(t, power)| fleet.energy_price[t] * power)
                    .sum::<f64>();
                energy + penalty * room.exceeded_kw(fleet, feeder(i), start, profile_kw)
            };
            room.take(feeder(i), starts[i], profile_kw, -1.0);
            let mut best = (starts[i], value(room, starts[i]));
            let first = fleet.cycles.earliest_start[i] as usize;
            for start in first..=fleet.cycles.latest_end[i] as usize - profile_kw.len() {
                let value = value(room, start);
                if value < best.1 - 1e-9 {
                    best = (start, value);
                }
            }
            is_moved |= best.0 != starts[i];
            starts[i] = best.0;
            room.take(feeder(i), starts[i], profile_kw, 1.0);
        }
        if !is_moved {
            break;
        }
    }
    starts
}

/// The first start at which the shares have added up to `at`.
fn drawn(mixed: &[(usize, f64)], at: f64) -> usize {
    let mut sum = 0.0;
    let found = mixed.iter().find(|(_, share)| {
        sum += share;
        sum >= at
    });
    found.or(mixed.last()).map_or(0, |(start, _)| *start)
}

/// A number from 0 to 1.
fn share(dice: &mut ChaCha8Rng) -> f64 {
    use rand_chacha::rand_core::Rng as _;
    f64::from(dice.next_u32()) / f64::from(u32::MAX)
}

fn below(dice: &mut ChaCha8Rng, bound: usize) -> usize {
    use rand_chacha::rand_core::Rng as _;
    let drawn = dice.next_u64() % (bound as u64);
    usize::try_from(drawn).expect("below a usize")
}
