//! What devices do at given prices, each by its own exact method.

use std::collections::BTreeMap;
use std::fmt;

use rayon::prelude::*;

use super::problem::Fleet;
use super::storage::{Piece, Scratch, StoreStep, cheapest};
use super::two_way::TwoWay;
use super::window::{Window, by_price, respond_one, windows};

/// A device of the fleet: its kind and its number among these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FleetDevice {
    /// A car that only charges.
    Ev(usize),
    /// A tank.
    Tank(usize),
    /// A program.
    Cycle(usize),
    /// A car that charges and gives back.
    V2g(usize),
    /// A room with a heat pump.
    Room(usize),
    /// A battery.
    Battery(usize),
}

impl fmt::Display for FleetDevice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ev(i) => write!(f, "ev {i}"),
            Self::Tank(i) => write!(f, "tank {i}"),
            Self::Cycle(i) => write!(f, "cycle {i}"),
            Self::V2g(i) => write!(f, "v2g {i}"),
            Self::Room(i) => write!(f, "room {i}"),
            Self::Battery(i) => write!(f, "battery {i}"),
        }
    }
}

impl FleetDevice {
    /// Returns the feeder that the device is on; 0 where there are none.
    #[must_use]
    pub fn feeder(self, fleet: &Fleet) -> usize {
        let feeder = match self {
            Self::Ev(i) => fleet.evs.feeder[i],
            Self::Tank(i) => fleet.tanks.feeder[i],
            Self::Cycle(i) => fleet.cycles.feeder[i],
            Self::V2g(i) => fleet.v2gs.feeder[i],
            Self::Room(i) => fleet.rooms.feeder[i],
            Self::Battery(i) => fleet.batteries.feeder[i],
        };
        if fleet.feeders.is_empty() { 0 } else { feeder as usize }
    }

    /// Returns which of the [prices that are seen](super::master::LimitPrices::seen) it answers.
    pub(crate) fn lane(self, fleet: &Fleet) -> usize {
        lane(fleet, self.feeder(fleet), matches!(self, Self::Cycle(_)))
    }
}

/// Programs cannot draw more when they are asked to, so that the price of that reserve does not reach them.
fn lane(fleet: &Fleet, feeder: usize, is_of_programs: bool) -> usize {
    feeder + if is_of_programs { fleet.feeders.len().max(1) } else { 0 }
}

/// Devices that are planned together: they share a feeder and come and go at similar times.
#[derive(Debug, Clone)]
pub(crate) struct Group {
    pub(crate) feeder: usize,
    windows: Vec<Window>,
    devices: Vec<FleetDevice>,
    /// How many devices each one stands for: 1, or more in a sample.
    each: f64,
}

/// What a group does at some prices.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Response {
    /// Load of each step, kW.
    pub(crate) load_kw: Vec<f64>,
    /// What it costs at the prices of energy, with wear.
    pub(crate) cost: f64,
}

/// Returns the groups of a fleet, so many of each kind if that is one for each feeder, `Err` with a device that cannot do what it needs whatever the limits.
pub(crate) fn groups(fleet: &Fleet, count: usize) -> Result<Vec<Group>, FleetDevice> {
    let groups_per_feeder = (count / fleet.feeders.len().max(1)).max(1);
    let windows = windows(fleet).map_err(FleetDevice::Ev)?;
    let mut groups = Vec::new();
    for feeder in 0..fleet.feeders.len().max(1) {
        let mut windows: Vec<Window> =
            windows.iter().filter(|window| window.feeder == feeder).cloned().collect();
        windows.sort_by_key(|window| (window.departure, window.arrival));
        let size = windows.len().div_ceil(groups_per_feeder).max(1);
        for windows in windows.chunks(size) {
            groups.push(Group {
                feeder,
                windows: windows.to_vec(),
                devices: Vec::new(),
                each: 1.0,
            });
        }
        for devices in others(fleet, feeder) {
            let size = devices.len().div_ceil(groups_per_feeder).max(1);
            for devices in devices.chunks(size) {
                groups.push(Group {
                    feeder,
                    windows: Vec::new(),
                    devices: devices.to_vec(),
                    each: 1.0,
                });
            }
        }
    }
    Ok(groups)
}

/// The devices of a feeder that are no windows, by kind, those with similar times beside each other.
fn others(fleet: &Fleet, feeder: usize) -> [Vec<FleetDevice>; 5] {
    let has_feeders = !fleet.feeders.is_empty();
    let on = move |of: &[u32], i: &usize| !has_feeders || of[*i] as usize == feeder;
    let numbers = |of: &[u32]| (0..of.len()).filter(|i| on(of, i)).collect::<Vec<_>>();
    let tanks = numbers(&fleet.tanks.feeder);
    let rooms = numbers(&fleet.rooms.feeder);
    let batteries = numbers(&fleet.batteries.feeder);
    let mut cycles = numbers(&fleet.cycles.feeder);
    cycles.sort_by_key(|&i| (fleet.cycles.latest_end[i], fleet.cycles.earliest_start[i]));
    let mut v2gs = numbers(&fleet.v2gs.feeder);
    v2gs.sort_by_key(|&i| (fleet.v2gs.departure[i], fleet.v2gs.arrival[i]));
    [
        tanks.into_iter().map(FleetDevice::Tank).collect(),
        cycles.into_iter().map(FleetDevice::Cycle).collect(),
        v2gs.into_iter().map(FleetDevice::V2g).collect(),
        rooms.into_iter().map(FleetDevice::Room).collect(),
        batteries.into_iter().map(FleetDevice::Battery).collect(),
    ]
}

/// Which group a device is in.
#[derive(Debug, Clone)]
pub(crate) struct Membership {
    of_window: BTreeMap<(usize, usize, usize), usize>,
    of_device: BTreeMap<FleetDevice, usize>,
}

impl Membership {
    pub(crate) fn new(groups: &[Group]) -> Self {
        let mut of_window = BTreeMap::new();
        let mut of_device = BTreeMap::new();
        for (number, group) in groups.iter().enumerate() {
            let places = group
                .windows
                .iter()
                .map(|window| (window.feeder, window.arrival, window.departure));
            of_window.extend(places.map(|place| (place, number)));
            of_device.extend(group.devices.iter().map(|&device| (device, number)));
        }
        Self { of_window, of_device }
    }

    /// Returns the group of a device.
    ///
    /// # Panics
    ///
    /// Panics when the device is not of the fleet that the groups are of.
    pub(crate) fn group_of(&self, fleet: &Fleet, device: FleetDevice) -> usize {
        if let FleetDevice::Ev(i) = device {
            let (arrival, departure) =
                (fleet.evs.arrival[i] as usize, fleet.evs.departure[i] as usize);
            return self.of_window[&(device.feeder(fleet), arrival, departure)];
        }
        self.of_device[&device]
    }
}

impl Group {
    /// Returns the group with about one of so many devices, which stands for them. Windows stay as they are.
    #[expect(clippy::cast_precision_loss, reason = "numbers of devices")]
    pub(crate) fn sample(&self, one_of: usize) -> Self {
        let devices: Vec<FleetDevice> = self.devices.iter().step_by(one_of).copied().collect();
        let each = self.devices.len() as f64 / devices.len().max(1) as f64;
        Self { devices, each, ..self.clone() }
    }

    /// Returns whether its devices are programs, whose answers cannot be mixed.
    pub(crate) fn is_of_programs(&self) -> bool {
        matches!(self.devices.first(), Some(FleetDevice::Cycle(_)))
    }

    /// Returns whether its devices would do at once what they need.
    pub(crate) fn has_to_wait(&self) -> bool {
        !self.windows.is_empty() || self.is_of_programs()
    }

    /// Returns which of the prices that are seen it answers.
    pub(crate) fn lane(&self, fleet: &Fleet) -> usize {
        lane(fleet, self.feeder, self.is_of_programs())
    }

    /// Returns the cheapest answer of the group to prices, currency per kWh for each step; `Err` with a device that cannot do what it needs.
    pub(crate) fn respond(
        &self,
        fleet: &Fleet,
        prices: &[f64],
        scratch: &mut Room,
    ) -> Result<Response, FleetDevice> {
        let step_h = fleet.step_h();
        let mut load_kw = vec![0.0; prices.len()];
        let order = by_price(prices);
        for window in &self.windows {
            window.respond(&order, step_h, &mut load_kw);
        }
        let mut wear = 0.0;
        for &device in &self.devices {
            wear += respond_into(fleet, device, prices, scratch, &mut load_kw)?;
        }
        if self.windows.is_empty() && self.each > 1.0 {
            load_kw.iter_mut().for_each(|load| *load *= self.each);
            wear *= self.each;
        }
        let energy: f64 = fleet
            .energy_price
            .iter()
            .zip(&load_kw)
            .map(|(price, load)| price * load * step_h)
            .sum();
        Ok(Response { load_kw, cost: energy + wear })
    }
}

/// Room that is used again from device to device.
#[derive(Debug, Default)]
pub(crate) struct Room {
    pub(super) scratch: Scratch,
    pub(super) steps: Vec<StoreStep>,
    pub(super) used: Vec<[f64; 2]>,
}

/// Adds the cheapest answer of a device to the load, and returns its wear.
fn respond_into(
    fleet: &Fleet,
    device: FleetDevice,
    prices: &[f64],
    room: &mut Room,
    load_kw: &mut [f64],
) -> Result<f64, FleetDevice> {
    let step_h = fleet.step_h();
    match device {
        FleetDevice::Ev(i) => {
            let evs = &fleet.evs;
            let mut power_kw = vec![0.0; load_kw.len()];
            let stay = (evs.arrival[i] as usize, evs.departure[i] as usize);
            respond_one(
                stay,
                (evs.p_max_kw[i], evs.energy_kwh[i]),
                &by_price(prices),
                step_h,
                &mut power_kw,
            );
            load_kw.iter_mut().zip(power_kw).for_each(|(load, power)| *load += power);
            Ok(0.0)
        }
        FleetDevice::Cycle(i) => {
            let profile_kw = &fleet.cycle_profiles_kw[fleet.cycles.profile[i] as usize];
            let start = cheapest_start(fleet, i, prices);
            load_kw[start..].iter_mut().zip(profile_kw).for_each(|(load, power)| *load += power);
            Ok(0.0)
        }
        FleetDevice::Tank(i) => {
            let tanks = &fleet.tanks;
            let draw_kw = &fleet.tank_draw_profiles_kw[tanks.draw_profile[i] as usize];
            let retained = (-tanks.loss_per_h[i] * step_h).exp();
            let heat_kwh = tanks.cop[i] * step_h;
            let last = prices.len() - 1;
            room.steps.clear();
            room.steps.extend(prices.iter().enumerate().map(|(t, price)| StoreStep {
                retained,
                base: -step_h * draw_kw[t] * tanks.draw_scale[i],
                pieces: [
                    Piece {
                        length: heat_kwh * tanks.p_max_kw[i],
                        slope: price * step_h / heat_kwh,
                    },
                    Piece::default(),
                ],
                bounds: (
                    if t == last { tanks.state_final_min_kwh[i] } else { 0.0 },
                    tanks.state_max_kwh[i],
                ),
            }));
            if !cheapest(tanks.state_init_kwh[i], &room.steps, &mut room.scratch, &mut room.used) {
                return Err(device);
            }
            load_kw.iter_mut().zip(&room.used).for_each(|(load, used)| *load += used[0] / heat_kwh);
            Ok(0.0)
        }
        FleetDevice::V2g(_) | FleetDevice::Battery(_) => {
            let store = TwoWay::of(fleet, device).ok_or(device)?;
            store.respond(prices, step_h, room, load_kw).ok_or(device)
        }
        FleetDevice::Room(i) => {
            let rooms = &fleet.rooms;
            let outdoor_c = &fleet.room_outdoor_profiles_c[rooms.outdoor_profile[i] as usize];
            let cop = &fleet.room_cop_profiles[rooms.cop_profile[i] as usize];
            let ua_kw_per_k = rooms.ua_kw_per_k[i];
            let retained = (-ua_kw_per_k * step_h / rooms.c_kwh_per_k[i]).exp();
            // By how many kelvin a kW warms in a step, for each unit of heat from electricity.
            let warms_k = (1.0 - retained) / ua_kw_per_k;
            let last = prices.len() - 1;
            room.steps.clear();
            room.steps.extend(prices.iter().enumerate().map(|(t, price)| StoreStep {
                retained,
                base: (1.0 - retained) * outdoor_c[t],
                pieces: [
                    Piece {
                        length: warms_k * cop[t] * rooms.p_max_kw[i],
                        slope: price * step_h / (warms_k * cop[t]),
                    },
                    Piece::default(),
                ],
                bounds: (
                    if t == last {
                        rooms.state_final_min_c[i].max(rooms.state_min_c[i])
                    } else {
                        rooms.state_min_c[i]
                    },
                    rooms.state_max_c[i],
                ),
            }));
            if !cheapest(rooms.state_init_c[i], &room.steps, &mut room.scratch, &mut room.used) {
                return Err(device);
            }
            for (load, (used, cop)) in load_kw.iter_mut().zip(room.used.iter().zip(cop)) {
                *load += used[0] / (warms_k * cop);
            }
            Ok(0.0)
        }
    }
}

/// Returns the start of a program that costs least, the earliest of equals.
pub(crate) fn cheapest_start(fleet: &Fleet, i: usize, prices: &[f64]) -> usize {
    let profile_kw = &fleet.cycle_profiles_kw[fleet.cycles.profile[i] as usize];
    let (first, end) =
        (fleet.cycles.earliest_start[i] as usize, fleet.cycles.latest_end[i] as usize);
    let cost = |start: usize| {
        prices[start..].iter().zip(profile_kw).map(|(price, power)| price * power).sum::<f64>()
    };
    let mut best = (first, cost(first));
    for start in first + 1..=end - profile_kw.len() {
        let cost = cost(start);
        if cost < best.1 {
            best = (start, cost);
        }
    }
    best.0
}

/// Returns what every group does at the prices that it sees, in the order of the groups, computed in parallel.
pub(crate) fn respond_all(
    fleet: &Fleet,
    groups: &[Group],
    prices_by_lane: &[Vec<f64>],
) -> Result<Vec<Response>, FleetDevice> {
    groups
        .par_iter()
        .map_init(Room::default, |room, group| {
            group.respond(fleet, &prices_by_lane[group.lane(fleet)], room)
        })
        .collect()
}

/// Returns the power of one device at prices, kW.
pub(crate) fn respond_of(
    fleet: &Fleet,
    device: FleetDevice,
    prices: &[f64],
    room: &mut Room,
) -> Result<Vec<f64>, FleetDevice> {
    let mut power_kw = vec![0.0; prices.len()];
    respond_into(fleet, device, prices, room, &mut power_kw)?;
    Ok(power_kw)
}
