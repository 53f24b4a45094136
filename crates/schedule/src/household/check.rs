//! The checker: what a plan costs and which requirements it breaks, computed from the plan alone.
//!
//! It shares no code with any solver, so that an error there does not hide here.

use std::fmt;

use super::device::{
    Battery, Cycle, Device, DeviceKind, Ev, EvSession, Interruptible, Modulating, Pv, Thermal,
    ThermalModel,
};
use super::plan::HouseholdPlan;
use super::problem::Household;
use super::tariff::Capacity;
use super::wish::Wish;

/// Power that is overlooked, kW: plans are printed with six decimals.
const TOLERANCE_KW: f64 = 1e-4;
/// Energy, or temperature, that is overlooked, kWh or K.
const TOLERANCE_KWH: f64 = 1e-3;

/// What a plan costs and what it breaks.
#[derive(Debug, Clone, PartialEq)]
pub struct Check {
    /// What it costs, also where it breaks something.
    pub cost: Cost,
    /// What it breaks, in the order of the devices and steps; nothing for a plan that can be carried out.
    pub violations: Vec<Violation>,
}

/// The parts of a cost, in the currency of the household.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Cost {
    /// Energy from the grid less energy fed in.
    pub energy: f64,
    /// Wear of batteries.
    pub wear: f64,
    /// Leaving the band of a heater where that is priced.
    pub discomfort: f64,
    /// The capacity fee.
    pub capacity: f64,
    /// Worth of what is left in batteries; it is subtracted.
    pub terminal: f64,
}

impl Cost {
    /// Returns the whole cost.
    #[must_use]
    pub fn total(&self) -> f64 {
        self.energy + self.wear + self.discomfort + self.capacity - self.terminal
    }
}

/// One requirement that a plan breaks.
#[derive(Debug, Clone, PartialEq)]
pub struct Violation {
    /// The device, or `None` for the connection to the grid.
    pub device: Option<String>,
    /// What is broken.
    pub requirement: Requirement,
    /// The first step in which it is broken, where one can be named.
    pub step: Option<usize>,
    /// By how much at most, in the unit of the requirement.
    pub by: f64,
}

/// What a plan must keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Requirement {
    /// The plan has a finite number for each device and step.
    Shape,
    /// Most that is drawn from the grid, kW.
    ImportLimit,
    /// Most that is fed in, kW.
    ExportLimit,
    /// Nothing but own generation is fed in, kW.
    ExportOnlyPv,
    /// Most import that the stepped tariff has a fee for, kW.
    CapacitySteps,
    /// Least and greatest power of a device, kW.
    Power,
    /// The profile of a program, run once in its window, kW.
    Profile,
    /// The order of two programs, steps.
    Order,
    /// How many steps a load is on, steps.
    OnSteps,
    /// How long a load is on at least, steps.
    MinOnSteps,
    /// The energy that a load must take, kWh.
    Energy,
    /// The car is there, kW.
    PluggedIn,
    /// The car stays until its departure, steps.
    Stay,
    /// Least and greatest state of charge, kWh.
    SocRange,
    /// State of charge at departure, or at the end, kWh.
    SocTarget,
    /// State of charge by a step before that, kWh.
    SocMinBy,
    /// The battery draws only what the own panels give, kW.
    ChargeOnlyPv,
    /// The band of a heater, K or kWh.
    Band,
    /// The last state of a heater, K or kWh.
    FinalState,
    /// A device rests when it is asked to, kW.
    Rests,
    /// Devices use only surplus, kW.
    OnlySurplus,
    /// No battery covers what a device uses, kW.
    NotFromBattery,
    /// A store holds what it is asked to, kWh.
    Holds,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(device) = &self.device {
            write!(f, "{device}: ")?;
        }
        write!(f, "{} by {:.3}", self.requirement, self.by)?;
        self.step.map_or(Ok(()), |step| write!(f, ", from step {step} on"))
    }
}

impl Requirement {
    /// Returns the unit in which breaking it is counted.
    #[must_use]
    pub const fn unit(self) -> &'static str {
        match self {
            Self::Order | Self::OnSteps | Self::MinOnSteps | Self::Stay => "steps",
            Self::Energy | Self::SocRange | Self::SocTarget | Self::SocMinBy | Self::Holds => "kWh",
            Self::Band | Self::FinalState => "K or kWh",
            _ => "kW",
        }
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Shape => "a finite power for each device and step is missed",
            Self::ImportLimit => "the import limit is exceeded",
            Self::ExportLimit => "the export limit is exceeded",
            Self::ExportOnlyPv => "more than own generation is fed in",
            Self::CapacitySteps => "the last bracket of the capacity tariff is exceeded",
            Self::Power => "the power is out of its range",
            Self::Profile => "the profile is missed",
            Self::Order => "the order of programs is missed",
            Self::OnSteps => "the number of steps on is missed",
            Self::MinOnSteps => "the least length of a run is missed",
            Self::Energy => "the energy is missed",
            Self::PluggedIn => "a car that is away draws or gives power, too much",
            Self::Stay => "the car left before its departure",
            Self::SocRange => "the state of charge is out of its range",
            Self::SocTarget => "the state of charge at the end is missed",
            Self::SocMinBy => "the state of charge on the way is missed",
            Self::ChargeOnlyPv => "what the panels give is exceeded",
            Self::Band => "the band is left",
            Self::FinalState => "the last state is missed",
            Self::Rests => "the rest is broken",
            Self::OnlySurplus => "the surplus is exceeded",
            Self::NotFromBattery => "what comes not from a battery is exceeded",
            Self::Holds => "what is to be held is missed",
        })
    }
}

/// Returns what a plan costs and what it breaks.
#[must_use]
pub fn check(household: &Household, plan: &HouseholdPlan) -> Check {
    let mut work = Work {
        household,
        step_h: household.horizon.step_h(),
        cost: Cost::default(),
        violations: Vec::new(),
    };
    if !has_shape(household, plan) {
        let shape = Violation {
            device: None,
            requirement: Requirement::Shape,
            step: None,
            by: f64::INFINITY,
        };
        return Check { cost: Cost::default(), violations: vec![shape] };
    }
    work.grid(plan);
    for (device, power_kw) in household.devices.iter().zip(&plan.device_kw) {
        work.device(device, power_kw, plan);
    }
    work.wishes(plan);
    Check { cost: work.cost, violations: work.violations }
}

fn has_shape(household: &Household, plan: &HouseholdPlan) -> bool {
    let steps = household.horizon.steps();
    plan.device_kw.len() == household.devices.len()
        && plan
            .device_kw
            .iter()
            .all(|row| row.len() == steps && row.iter().all(|power| power.is_finite()))
}

struct Work<'a> {
    household: &'a Household,
    step_h: f64,
    cost: Cost,
    violations: Vec<Violation>,
}

impl Work<'_> {
    fn grid(&mut self, plan: &HouseholdPlan) {
        let household = self.household;
        let (site, tariff) = (&household.site, &household.tariff);
        let net_kw = plan.net_kw(household);
        let import_kw: Vec<f64> = net_kw.iter().map(|net| net.max(0.0)).collect();
        let pv_kw = pv_used_kw(household, plan);
        for (t, &net) in net_kw.iter().enumerate() {
            let price = if net > 0.0 { tariff.import_price[t] } else { tariff.export_price[t] };
            self.cost.energy += self.step_h * price * net;
        }
        let over = |limit_kw: f64| move |net: f64| net - limit_kw;
        self.worst(
            None,
            Requirement::ImportLimit,
            TOLERANCE_KW,
            net_kw.iter().copied().map(over(site.import_limit_kw)),
        );
        let export = || net_kw.iter().map(|net| (-net).max(0.0));
        self.worst(
            None,
            Requirement::ExportLimit,
            TOLERANCE_KW,
            export().map(over(site.export_limit_kw)),
        );
        if site.export_only_pv {
            let excess = export().zip(&pv_kw).map(|(export, pv)| export - pv);
            self.worst(None, Requirement::ExportOnlyPv, TOLERANCE_KW, excess);
        }
        let hour_so_far = tariff.capacity.hour_so_far();
        let mean = |range: std::ops::Range<usize>| {
            let mut steps = range.len();
            let mut sum_kw = 0.0;
            if range.start == 0 {
                steps += hour_so_far.steps;
                sum_kw += real(hour_so_far.steps) * hour_so_far.mean_import_kw;
            }
            sum_kw += import_kw[range].iter().sum::<f64>();
            sum_kw / real(steps)
        };
        match &tariff.capacity {
            Capacity::Free => {}
            Capacity::Peak(peak) => {
                let highest = household
                    .horizon
                    .hours()
                    .into_iter()
                    .map(mean)
                    .fold(peak.peak_so_far_kw, f64::max);
                self.cost.capacity = peak.price_per_kw * (highest - peak.peak_so_far_kw);
            }
            Capacity::DailyMaxSteps(stepped) => {
                let hours = household.horizon.hours();
                let day_max = |day: std::ops::Range<usize>| {
                    // An hour belongs to the day in which it begins.
                    let hours = hours.iter().filter(|hour| day.contains(&hour.start));
                    let so_far_kw = if day.start == 0 { stepped.day_so_far_kw } else { 0.0 };
                    hours.cloned().map(mean).fold(so_far_kw, f64::max)
                };
                let maxima: Vec<f64> = household.horizon.days().into_iter().map(day_max).collect();
                let metric_kw = stepped.metric_kw(&maxima);
                // What is overlooked in powers is overlooked in their mean.
                let step = stepped.step(metric_kw - TOLERANCE_KW);
                self.cost.capacity =
                    step.or(stepped.steps.last().copied()).map_or(0.0, |step| step.fee);
                let last = stepped.steps.last().map_or(0.0, |step| step.upto_kw);
                self.worst(None, Requirement::CapacitySteps, TOLERANCE_KW, [metric_kw - last]);
            }
        }
    }

    fn device(&mut self, device: &Device, power_kw: &[f64], plan: &HouseholdPlan) {
        match &device.kind {
            DeviceKind::Pv(pv) => self.pv(&device.id, pv, power_kw),
            DeviceKind::Cycle(cycle) => self.cycle(&device.id, cycle, power_kw, plan),
            DeviceKind::Interruptible(load) => self.interruptible(&device.id, load, power_kw),
            DeviceKind::Modulating(load) => self.modulating(&device.id, load, power_kw),
            DeviceKind::Ev(ev) => self.ev(&device.id, ev, power_kw),
            DeviceKind::Battery(battery) => self.battery(&device.id, battery, power_kw, plan),
            DeviceKind::Thermal(thermal) => self.thermal(&device.id, thermal, power_kw),
        }
    }

    fn pv(&mut self, id: &str, pv: &Pv, power_kw: &[f64]) {
        let excess = power_kw.iter().zip(&pv.available_kw).map(|(&power, &available)| {
            let least = if pv.curtailable { 0.0 } else { available };
            (-power - available).max(least + power)
        });
        self.worst(Some(id), Requirement::Power, TOLERANCE_KW, excess);
    }

    fn cycle(&mut self, id: &str, cycle: &Cycle, power_kw: &[f64], plan: &HouseholdPlan) {
        let (start, by) = found_start(cycle, power_kw);
        if by > TOLERANCE_KW {
            self.broken(Some(id), Requirement::Profile, Some(start), by);
            return;
        }
        let Some(order) = &cycle.after else { return };
        let mut others = self.household.devices.iter().zip(&plan.device_kw);
        let Some((Device { kind: DeviceKind::Cycle(before), .. }, before_kw)) =
            others.find(|(other, _)| other.id == order.id)
        else {
            unreachable!("a household is checked when it is made");
        };
        let end = found_start(before, before_kw).0 + before.profile_kw.len();
        let (first, last) = (end + order.min_gap_steps, end + order.max_gap_steps);
        let by = first.saturating_sub(start).max(start.saturating_sub(last));
        if by > 0 {
            self.broken(Some(id), Requirement::Order, Some(start), real(by));
        }
    }

    fn interruptible(&mut self, id: &str, load: &Interruptible, power_kw: &[f64]) {
        let inside = |t: usize| (load.window[0]..load.window[1]).contains(&t);
        let excess = power_kw.iter().enumerate().map(|(t, &power)| {
            let from_on = if inside(t) { (power - load.power_kw).abs() } else { f64::INFINITY };
            power.abs().min(from_on)
        });
        self.worst(Some(id), Requirement::Power, TOLERANCE_KW, excess);
        let is_on: Vec<bool> =
            power_kw.iter().map(|power| power.abs() > load.power_kw / 2.0).collect();
        let on = is_on.iter().filter(|on| **on).count();
        // A load without power is on whenever it likes.
        if on != load.on_steps && load.power_kw > 0.0 {
            self.broken(Some(id), Requirement::OnSteps, None, real(on.abs_diff(load.on_steps)));
        }
        let mut t = 0;
        for run in is_on.chunk_by(|a, b| a == b) {
            let before = if t == 0 { load.running_steps } else { 0 };
            let length = if run[0] { run.len() + before } else { before };
            if length > 0 && length < load.min_on_steps {
                self.broken(
                    Some(id),
                    Requirement::MinOnSteps,
                    Some(t),
                    real(load.min_on_steps - length),
                );
                return;
            }
            t += run.len();
        }
    }

    fn modulating(&mut self, id: &str, load: &Modulating, power_kw: &[f64]) {
        let excess = power_kw.iter().enumerate().map(|(t, &power)| {
            let is_inside = (load.window[0]..load.window[1]).contains(&t);
            if is_inside {
                from_off_or_range(power, load.p_min_kw, load.p_max_kw)
            } else {
                power.abs()
            }
        });
        self.worst(Some(id), Requirement::Power, TOLERANCE_KW, excess);
        let missing = load.energy_kwh - power_kw.iter().sum::<f64>() * self.step_h;
        self.worst(Some(id), Requirement::Energy, TOLERANCE_KWH, [missing.abs()]);
    }

    fn ev(&mut self, id: &str, ev: &Ev, power_kw: &[f64]) {
        let is_there = |t: usize| {
            ev.sessions.iter().any(|session| (session.arrival..session.departure).contains(&t))
        };
        let away = power_kw
            .iter()
            .enumerate()
            .map(|(t, power)| if is_there(t) { 0.0 } else { power.abs() });
        self.worst(Some(id), Requirement::PluggedIn, TOLERANCE_KW, away);
        let excess = power_kw.iter().map(|&power| {
            let charging =
                from_off_or_range(power.max(0.0), ev.p_min_charge_kw, ev.p_max_charge_kw);
            charging.max(-power - ev.p_max_discharge_kw)
        });
        self.worst(Some(id), Requirement::Power, TOLERANCE_KW, excess);
        for session in &ev.sessions {
            let stay_kw = &power_kw[session.arrival..session.departure];
            self.cost.wear += ev.wear_per_kwh * self.given_back_kwh(stay_kw);
            let socs_kwh = self.charges_of_stay_kwh(ev, session, power_kw);
            let soc_kwh = socs_kwh.last().copied().unwrap_or(session.soc_arrival_kwh);
            let outside =
                socs_kwh.iter().map(|soc| (ev.soc_min_kwh - soc).max(soc - ev.capacity_kwh));
            self.worst_from(
                Some(id),
                Requirement::SocRange,
                TOLERANCE_KWH,
                session.arrival,
                outside,
            );
            for by in &session.soc_min_by {
                let missing = by.1 - socs_kwh[by.0 - 1 - session.arrival];
                self.worst_from(
                    Some(id),
                    Requirement::SocMinBy,
                    TOLERANCE_KWH,
                    by.0 - 1,
                    [missing],
                );
            }
            let missing = session.soc_target_kwh - soc_kwh;
            self.worst_from(
                Some(id),
                Requirement::SocTarget,
                TOLERANCE_KWH,
                session.departure - 1,
                [missing],
            );
        }
    }

    fn battery(&mut self, id: &str, battery: &Battery, power_kw: &[f64], plan: &HouseholdPlan) {
        let excess = power_kw.iter().map(|&power| {
            (power - battery.p_max_charge_kw).max(-power - battery.p_max_discharge_kw)
        });
        self.worst(Some(id), Requirement::Power, TOLERANCE_KW, excess);
        self.cost.wear += battery.wear_per_kwh * self.given_back_kwh(power_kw);
        let socs_kwh = self.charges_of_battery_kwh(battery, power_kw);
        let soc_kwh = socs_kwh.last().copied().unwrap_or(battery.soc_init_kwh);
        let outside =
            socs_kwh.iter().map(|soc| (battery.soc_min_kwh - soc).max(soc - battery.soc_max_kwh));
        self.worst(Some(id), Requirement::SocRange, TOLERANCE_KWH, outside);
        let missing = battery.soc_final_min_kwh - soc_kwh;
        self.worst_from(
            Some(id),
            Requirement::SocTarget,
            TOLERANCE_KWH,
            power_kw.len() - 1,
            [missing],
        );
        self.cost.terminal += battery.terminal_value_per_kwh * soc_kwh;
        if battery.charge_only_pv {
            let pv_kw = pv_used_kw(self.household, plan);
            let excess = power_kw.iter().zip(&pv_kw).map(|(power, pv)| power - pv);
            self.worst(Some(id), Requirement::ChargeOnlyPv, TOLERANCE_KW, excess);
        }
    }

    fn thermal(&mut self, id: &str, thermal: &Thermal, power_kw: &[f64]) {
        let excess = power_kw
            .iter()
            .map(|&power| from_off_or_range(power, thermal.p_min_kw, thermal.p_max_kw));
        self.worst(Some(id), Requirement::Power, TOLERANCE_KW, excess);
        let states = self.states(thermal, power_kw);
        let outside = states
            .iter()
            .enumerate()
            .map(|(t, x)| (thermal.state_min[t] - x).max(x - thermal.state_max[t]));
        match thermal.discomfort_price {
            None => self.worst(Some(id), Requirement::Band, TOLERANCE_KWH, outside),
            Some(price) => {
                self.cost.discomfort +=
                    outside.map(|by| self.step_h * price * by.max(0.0)).sum::<f64>();
            }
        }
        let last = states.last().copied().unwrap_or(thermal.state_init);
        let missing = thermal.state_final_min - last;
        self.worst_from(
            Some(id),
            Requirement::FinalState,
            TOLERANCE_KWH,
            states.len() - 1,
            [missing],
        );
    }

    fn wishes(&mut self, plan: &HouseholdPlan) {
        let household = self.household;
        let used_kw = |asks: &dyn Fn(&Wish) -> Option<&str>| {
            let mut used_kw = vec![0.0; household.horizon.steps()];
            for (device, power_kw) in household.devices.iter().zip(&plan.device_kw) {
                if household.wishes.iter().filter_map(asks).any(|asked| asked == device.id) {
                    used_kw
                        .iter_mut()
                        .zip(power_kw)
                        .for_each(|(used, power)| *used += power.max(0.0));
                }
            }
            used_kw
        };
        let surplus = used_kw(&|wish| match wish {
            Wish::OnlySurplus { device } => Some(device.as_str()),
            _ => None,
        });
        let sun_kw = |t: usize| {
            let of = |device: &Device| {
                if let DeviceKind::Pv(pv) = &device.kind { pv.available_kw[t] } else { 0.0 }
            };
            household.devices.iter().map(of).sum::<f64>()
        };
        let over = surplus
            .iter()
            .enumerate()
            .map(|(t, used)| used - (sun_kw(t) - household.site.load_kw[t]).max(0.0));
        self.worst(None, Requirement::OnlySurplus, TOLERANCE_KW, over.collect::<Vec<_>>());
        let covered = used_kw(&|wish| match wish {
            Wish::NotFromBattery { device } => Some(device.as_str()),
            _ => None,
        });
        let (net_kw, pv_kw) = (plan.net_kw(household), pv_used_kw(household, plan));
        let missing =
            covered.iter().enumerate().map(|(t, used)| used - net_kw[t].max(0.0) - pv_kw[t]);
        self.worst(None, Requirement::NotFromBattery, TOLERANCE_KW, missing.collect::<Vec<_>>());
        for wish in &household.wishes {
            let mut devices = household.devices.iter().zip(&plan.device_kw);
            let Some((device, power_kw)) = devices.find(|(device, _)| device.id == wish.device())
            else {
                continue;
            };
            match wish {
                Wish::Rests { steps, .. } => {
                    let used = power_kw[steps[0]..steps[1]].iter().map(|power| power.abs());
                    self.worst_from(
                        Some(&device.id),
                        Requirement::Rests,
                        TOLERANCE_KW,
                        steps[0],
                        used,
                    );
                }
                Wish::Holds { soc_kwh, steps, .. } => {
                    let held = self.held_kwh(device, power_kw);
                    let missing =
                        (steps[0]..steps[1]).map(|t| held[t].map_or(0.0, |held| soc_kwh - held));
                    self.worst_from(
                        Some(&device.id),
                        Requirement::Holds,
                        TOLERANCE_KWH,
                        steps[0],
                        missing,
                    );
                }
                Wish::OnlySurplus { .. } | Wish::NotFromBattery { .. } => {}
            }
        }
    }

    /// What a store holds at the end of each step, kWh; nothing where it is away or stores nothing.
    fn held_kwh(&self, device: &Device, power_kw: &[f64]) -> Vec<Option<f64>> {
        match &device.kind {
            DeviceKind::Battery(battery) => {
                self.charges_of_battery_kwh(battery, power_kw).into_iter().map(Some).collect()
            }
            DeviceKind::Ev(ev) => {
                let mut held = vec![None; power_kw.len()];
                for session in &ev.sessions {
                    let charges_kwh = self.charges_of_stay_kwh(ev, session, power_kw);
                    for (held, soc_kwh) in held[session.arrival..].iter_mut().zip(charges_kwh) {
                        *held = Some(soc_kwh);
                    }
                }
                held
            }
            _ => vec![None; power_kw.len()],
        }
    }

    /// What a battery holds at the end of each step, kWh.
    fn charges_of_battery_kwh(&self, battery: &Battery, power_kw: &[f64]) -> Vec<f64> {
        let left = (-battery.self_discharge_per_h * self.step_h).exp();
        let mut soc_kwh = battery.soc_init_kwh;
        let next = |&power: &f64| {
            soc_kwh = left * soc_kwh
                + self.step_h * stored_kw(power, battery.eta_charge, battery.eta_discharge);
            soc_kwh
        };
        power_kw.iter().map(next).collect()
    }

    /// What a car holds at the end of each step of a stay, kWh.
    fn charges_of_stay_kwh(&self, ev: &Ev, stay: &EvSession, power_kw: &[f64]) -> Vec<f64> {
        let mut soc_kwh = stay.soc_arrival_kwh;
        let next = |&power: &f64| {
            soc_kwh += self.step_h * stored_kw(power, ev.eta_charge, ev.eta_discharge);
            soc_kwh
        };
        power_kw[stay.arrival..stay.departure].iter().map(next).collect()
    }

    /// What is given back, kWh.
    fn given_back_kwh(&self, power_kw: &[f64]) -> f64 {
        power_kw.iter().map(|power| (-power).max(0.0) * self.step_h).sum()
    }

    /// The states at the end of each step.
    fn states(&self, thermal: &Thermal, power_kw: &[f64]) -> Vec<f64> {
        let mut state = thermal.state_init;
        let next = |(t, power): (usize, &f64)| {
            let heat_kw = thermal.cop[t] * power;
            state = match &thermal.model {
                ThermalModel::Room(room) => {
                    let left = (-room.ua_kw_per_k * self.step_h / room.c_kwh_per_k).exp();
                    // Where the temperature would settle if all stayed as it is.
                    let settled =
                        room.outdoor_c[t] + (heat_kw + room.gain_kw[t]) / room.ua_kw_per_k;
                    left * state + (1.0 - left) * settled
                }
                ThermalModel::Tank(tank) => {
                    (-tank.loss_per_h * self.step_h).exp() * state
                        + self.step_h * (heat_kw - tank.draw_kw[t])
                }
            };
            state
        };
        power_kw.iter().enumerate().map(next).collect()
    }

    fn worst(
        &mut self,
        device: Option<&str>,
        requirement: Requirement,
        tolerance: f64,
        excess: impl IntoIterator<Item = f64>,
    ) {
        self.worst_from(device, requirement, tolerance, 0, excess);
    }

    /// Notes a requirement that is exceeded somewhere, with the first step in which it is, counted from `step`.
    fn worst_from(
        &mut self,
        device: Option<&str>,
        requirement: Requirement,
        tolerance: f64,
        step: usize,
        excess: impl IntoIterator<Item = f64>,
    ) {
        let mut first = None;
        let mut by = 0.0;
        for (t, excess) in excess.into_iter().enumerate() {
            if excess > tolerance {
                first = first.or(Some(step + t));
                by = f64::max(by, excess);
            }
        }
        if first.is_some() {
            self.broken(device, requirement, first, by);
        }
    }

    fn broken(
        &mut self,
        device: Option<&str>,
        requirement: Requirement,
        step: Option<usize>,
        by: f64,
    ) {
        self.violations.push(Violation {
            device: device.map(str::to_owned),
            requirement,
            step,
            by,
        });
    }
}

/// The start at which a program comes closest to a plan, and by how much they differ at most, kW.
fn found_start(cycle: &Cycle, power_kw: &[f64]) -> (usize, f64) {
    let length = cycle.profile_kw.len();
    let first = cycle.earliest_start;
    let distance = |start: usize| {
        let planned = |t: usize| {
            t.checked_sub(start).and_then(|i| cycle.profile_kw.get(i)).copied().unwrap_or(0.0)
        };
        power_kw.iter().enumerate().map(|(t, power)| (power - planned(t)).abs()).fold(0.0, f64::max)
    };
    (first..=cycle.latest_end - length)
        .map(|start| (start, distance(start)))
        .min_by(|a, b| a.1.total_cmp(&b.1))
        .unwrap_or((first, f64::INFINITY))
}

/// What reaches a store at a net power, kW.
fn stored_kw(power_kw: f64, eta_charge: f64, eta_discharge: f64) -> f64 {
    eta_charge * power_kw.max(0.0) - (-power_kw).max(0.0) / eta_discharge
}

/// How far a power is from nothing and from a range, kW.
fn from_off_or_range(power: f64, least: f64, most: f64) -> f64 {
    power.abs().min((least - power).max(power - most).max(0.0))
}

/// What the panels give in each step, kW.
fn pv_used_kw(household: &Household, plan: &HouseholdPlan) -> Vec<f64> {
    let mut pv_kw = vec![0.0; household.horizon.steps()];
    for (device, power_kw) in household.devices.iter().zip(&plan.device_kw) {
        if let DeviceKind::Pv(_) = device.kind {
            pv_kw.iter_mut().zip(power_kw).for_each(|(pv, power)| *pv -= power);
        }
    }
    pv_kw
}

#[expect(clippy::cast_precision_loss, reason = "numbers of steps")]
const fn real(count: usize) -> f64 {
    count as f64
}
