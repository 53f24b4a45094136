//! A household that can be planned.

use std::collections::BTreeSet;

use super::device::{
    Battery, Cycle, Device, DeviceKind, Ev, EvSession, Interruptible, Modulating, Pv, Thermal,
    ThermalModel,
};
use super::horizon::Horizon;
use super::site::Site;
use super::tariff::{Capacity, HourSoFar, Tariff};
use super::wish::Wish;
use crate::bounds::{
    Checked, MAGNITUDE_MAX, efficiency, length, name, not_below, within, within_count, within_each,
};
use crate::refusal::{ProblemReason, ProblemRefused};

/// Most steps of a horizon: a week of minutes.
pub const STEPS_MAX: usize = 10_080;
/// Most devices of a household.
pub const DEVICES_MAX: usize = 200;

/// What a household is, before it is checked.
#[derive(Debug, Clone, PartialEq)]
pub struct HouseholdParts {
    /// Name of the problem.
    pub id: String,
    /// The currency of all prices.
    pub currency: String,
    /// Its time.
    pub horizon: Horizon,
    /// Its connection.
    pub site: Site,
    /// Its prices.
    pub tariff: Tariff,
    /// Its devices.
    pub devices: Vec<Device>,
    /// What its people ask of the devices.
    pub wishes: Vec<Wish>,
}

/// A household whose every number is possible and whose every series covers the horizon. What its wishes ask may still be
/// impossible together; that is for the planner to find.
#[derive(Debug, Clone, PartialEq)]
pub struct Household(HouseholdParts);

impl std::ops::Deref for Household {
    type Target = HouseholdParts;

    fn deref(&self) -> &HouseholdParts {
        &self.0
    }
}

impl Household {
    /// Returns the household, checked.
    ///
    /// # Errors
    ///
    /// Returns the first field that cannot be, in the order of the schema.
    pub fn new(parts: HouseholdParts) -> Result<Self, ProblemRefused> {
        name("id", &parts.id)?;
        name("currency", &parts.currency)?;
        check_horizon(&parts.horizon)?;
        let first_hour = parts.horizon.hours().first().map_or(0, |hour| hour.len());
        let per_hour = 60 / parts.horizon.resolution_min as usize;
        let check = Check {
            steps: parts.horizon.steps(),
            steps_before: per_hour.saturating_sub(first_hour),
        };
        check.site(&parts.site)?;
        check.tariff(&parts.tariff)?;
        check.devices(&parts.devices)?;
        check.wishes(&parts.wishes, &parts.devices)?;
        Ok(Self(parts))
    }

    /// Returns the household as it plans where exchange with the grid costs more than its tariff says: in each step so much per kWh, which
    /// what it feeds in earns as well.
    pub(crate) fn priced(&self, extra: &[f64]) -> Self {
        let mut parts = self.0.clone();
        for prices in [&mut parts.tariff.import_price, &mut parts.tariff.export_price] {
            prices.iter_mut().zip(extra).for_each(|(price, extra)| *price += extra);
        }
        Self(parts)
    }

    /// Returns the household without its checks, to be changed.
    #[must_use]
    pub fn into_parts(self) -> HouseholdParts {
        self.0
    }
}

fn check_horizon(horizon: &Horizon) -> Checked {
    let steps = horizon.steps();
    within_count("steps", steps, 1, STEPS_MAX)?;
    let resolution = horizon.resolution_min;
    if resolution == 0 || 60 % resolution != 0 {
        let reason = ProblemReason::Unknown {
            found: resolution.to_string(),
            known: "1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30, 60",
        };
        return Err(ProblemRefused::new("resolution_min", reason));
    }
    if !horizon.is_within_time() {
        let message = "the horizon ends after the year 9999".to_owned();
        return Err(ProblemRefused::new("start_utc", ProblemReason::Malformed { message }));
    }
    length("hour_of_step", horizon.hour_of_step.len(), steps)?;
    for (name, labels) in
        [("day_of_step", &horizon.day_of_step), ("hour_of_step", &horizon.hour_of_step)]
    {
        for (t, pair) in labels.windows(2).enumerate() {
            if pair[1] < pair[0] {
                let (found, other) = (f64::from(pair[1]), f64::from(pair[0]));
                let reason = ProblemReason::Order { found, other, of: "of the step before" };
                return Err(ProblemRefused::new(format_args!("{name}[{}]", t + 1), reason));
            }
        }
    }
    Ok(())
}

/// Checks what must fit to the horizon.
struct Check {
    steps: usize,
    /// Most steps of the first clock hour that may be over.
    steps_before: usize,
}

impl Check {
    fn site(&self, site: &Site) -> Checked {
        self.series("site.load_kw", &site.load_kw, -MAGNITUDE_MAX, MAGNITUDE_MAX)?;
        within("site.import_limit_kw", site.import_limit_kw, 0.0, MAGNITUDE_MAX)?;
        within("site.export_limit_kw", site.export_limit_kw, 0.0, MAGNITUDE_MAX)
    }

    fn tariff(&self, tariff: &Tariff) -> Checked {
        self.series("tariff.import_price", &tariff.import_price, -MAGNITUDE_MAX, MAGNITUDE_MAX)?;
        self.series("tariff.export_price", &tariff.export_price, -MAGNITUDE_MAX, MAGNITUDE_MAX)?;
        match &tariff.capacity {
            Capacity::Free => Ok(()),
            Capacity::Peak(peak) => {
                within("tariff.capacity.price_per_kw", peak.price_per_kw, 0.0, MAGNITUDE_MAX)?;
                within("tariff.capacity.peak_so_far_kw", peak.peak_so_far_kw, 0.0, MAGNITUDE_MAX)?;
                self.hour_so_far(peak.hour_so_far)
            }
            Capacity::DailyMaxSteps(stepped) => {
                let history = &stepped.history_daily_max_kw;
                within_count("tariff.capacity.history_daily_max_kw", history.len(), 0, 31)?;
                within_each("tariff.capacity.history_daily_max_kw", history, 0.0, MAGNITUDE_MAX)?;
                within_count("tariff.capacity.steps", stepped.steps.len(), 1, 100)?;
                let (mut upto_kw, mut fee) = (0.0, 0.0);
                for (k, step) in stepped.steps.iter().enumerate() {
                    let path = format!("tariff.capacity.steps[{k}]");
                    within(&format!("{path}.upto_kw"), step.upto_kw, 0.0, MAGNITUDE_MAX)?;
                    within(&format!("{path}.fee"), step.fee, 0.0, MAGNITUDE_MAX)?;
                    not_below(
                        &format!("{path}.upto_kw"),
                        step.upto_kw,
                        upto_kw,
                        "of the step before",
                    )?;
                    not_below(&format!("{path}.fee"), step.fee, fee, "of the step before")?;
                    (upto_kw, fee) = (step.upto_kw, step.fee);
                }
                let day_kw = stepped.day_so_far_kw;
                within("tariff.capacity.day_so_far_kw", day_kw, 0.0, MAGNITUDE_MAX)?;
                self.hour_so_far(stepped.hour_so_far)
            }
        }
    }

    fn hour_so_far(&self, hour: HourSoFar) -> Checked {
        let path = "tariff.capacity.hour_so_far";
        within_count(&format!("{path}.steps"), hour.steps, 0, self.steps_before)?;
        within(&format!("{path}.mean_import_kw"), hour.mean_import_kw, 0.0, MAGNITUDE_MAX)
    }

    fn devices(&self, devices: &[Device]) -> Checked {
        within_count("devices", devices.len(), 0, DEVICES_MAX)?;
        let mut names = BTreeSet::new();
        for (i, device) in devices.iter().enumerate() {
            let path = &format!("devices[{i}]");
            name(&format!("{path}.id"), &device.id)?;
            if !names.insert(device.id.as_str()) {
                let reason = ProblemReason::Duplicate { name: device.id.clone() };
                return Err(ProblemRefused::new(format_args!("{path}.id"), reason));
            }
            match &device.kind {
                DeviceKind::Pv(pv) => self.pv(path, pv)?,
                DeviceKind::Cycle(cycle) => self.cycle(path, cycle, device, devices)?,
                DeviceKind::Interruptible(load) => self.interruptible(path, load)?,
                DeviceKind::Modulating(load) => self.modulating(path, load)?,
                DeviceKind::Ev(ev) => self.ev(path, ev)?,
                DeviceKind::Battery(battery) => check_battery(path, battery)?,
                DeviceKind::Thermal(thermal) => self.thermal(path, thermal)?,
            }
        }
        Ok(())
    }

    fn wishes(&self, wishes: &[Wish], devices: &[Device]) -> Checked {
        within_count("wishes", wishes.len(), 0, DEVICES_MAX)?;
        for (i, wish) in wishes.iter().enumerate() {
            let path = format!("wishes[{i}]");
            let device = devices.iter().find(|device| device.id == wish.device());
            let Some(device) = device.filter(|device| may_be_asked(wish, device)) else {
                let reason = ProblemReason::NoSuchDevice { name: wish.device().to_owned() };
                return Err(ProblemRefused::new(format_args!("{path}.device"), reason));
            };
            match wish {
                Wish::Rests { steps, .. } => {
                    self.window(&path, ["steps[0]", "steps[1]"], *steps)?;
                }
                Wish::Holds { soc_kwh, steps, .. } => {
                    self.window(&path, ["steps[0]", "steps[1]"], *steps)?;
                    within(&format!("{path}.soc_kwh"), *soc_kwh, 0.0, capacity_kwh(device))?;
                }
                Wish::OnlySurplus { .. } | Wish::NotFromBattery { .. } => {}
            }
        }
        Ok(())
    }

    fn pv(&self, path: &str, pv: &Pv) -> Checked {
        self.series(&format!("{path}.available_kw"), &pv.available_kw, 0.0, MAGNITUDE_MAX)
    }

    fn cycle(&self, path: &str, cycle: &Cycle, device: &Device, devices: &[Device]) -> Checked {
        let steps = cycle.profile_kw.len();
        within_count(&format!("{path}.profile_kw"), steps, 1, self.steps)?;
        within_each(&format!("{path}.profile_kw"), &cycle.profile_kw, 0.0, MAGNITUDE_MAX)?;
        self.window(
            path,
            ["earliest_start", "latest_end"],
            [cycle.earliest_start, cycle.latest_end],
        )?;
        let room = cycle.latest_end - cycle.earliest_start;
        if room < steps {
            return Err(ProblemRefused::new(path, ProblemReason::NoRoom { needed: steps, room }));
        }
        within_count(
            &format!("{path}.preferred_start"),
            cycle.preferred_start,
            0,
            self.steps - steps,
        )?;
        let Some(order) = &cycle.after else { return Ok(()) };
        let is_other_cycle =
            |other: &Device| other.id == order.id && matches!(other.kind, DeviceKind::Cycle(_));
        if order.id == device.id || !devices.iter().any(is_other_cycle) {
            let reason = ProblemReason::NoSuchCycle { name: order.id.clone() };
            return Err(ProblemRefused::new(format_args!("{path}.after.id"), reason));
        }
        within_count(&format!("{path}.after.min_gap_steps"), order.min_gap_steps, 0, self.steps)?;
        within_count(
            &format!("{path}.after.max_gap_steps"),
            order.max_gap_steps,
            order.min_gap_steps,
            self.steps,
        )
    }

    fn interruptible(&self, path: &str, load: &Interruptible) -> Checked {
        within(&format!("{path}.power_kw"), load.power_kw, 0.0, MAGNITUDE_MAX)?;
        self.window(path, ["window[0]", "window[1]"], load.window)?;
        let room = load.window[1] - load.window[0];
        if room < load.on_steps {
            let reason = ProblemReason::NoRoom { needed: load.on_steps, room };
            return Err(ProblemRefused::new(format_args!("{path}.on_steps"), reason));
        }
        // What runs when the problem begins goes on from its start.
        let running_max = if load.window[0] == 0 { STEPS_MAX } else { 0 };
        within_count(&format!("{path}.running_steps"), load.running_steps, 0, running_max)?;
        let longest = (load.on_steps + load.running_steps).max(1);
        within_count(&format!("{path}.min_on_steps"), load.min_on_steps, 1, longest)?;
        within_count(
            &format!("{path}.preferred_start"),
            load.preferred_start,
            0,
            self.steps - load.on_steps,
        )
    }

    fn modulating(&self, path: &str, load: &Modulating) -> Checked {
        within(&format!("{path}.p_max_kw"), load.p_max_kw, 0.0, MAGNITUDE_MAX)?;
        within(&format!("{path}.p_min_kw"), load.p_min_kw, 0.0, load.p_max_kw)?;
        within(&format!("{path}.energy_kwh"), load.energy_kwh, 0.0, MAGNITUDE_MAX)?;
        self.window(path, ["window[0]", "window[1]"], load.window)
    }

    fn ev(&self, path: &str, ev: &Ev) -> Checked {
        within(&format!("{path}.capacity_kwh"), ev.capacity_kwh, 0.0, MAGNITUDE_MAX)?;
        within(&format!("{path}.soc_min_kwh"), ev.soc_min_kwh, 0.0, ev.capacity_kwh)?;
        within(&format!("{path}.p_max_charge_kw"), ev.p_max_charge_kw, 0.0, MAGNITUDE_MAX)?;
        within(&format!("{path}.p_min_charge_kw"), ev.p_min_charge_kw, 0.0, ev.p_max_charge_kw)?;
        efficiency(&format!("{path}.eta_charge"), ev.eta_charge)?;
        within(&format!("{path}.p_max_discharge_kw"), ev.p_max_discharge_kw, 0.0, MAGNITUDE_MAX)?;
        efficiency(&format!("{path}.eta_discharge"), ev.eta_discharge)?;
        within(&format!("{path}.wear_per_kwh"), ev.wear_per_kwh, 0.0, MAGNITUDE_MAX)?;
        within_count(&format!("{path}.sessions"), ev.sessions.len(), 0, self.steps)?;
        let mut free_from = 0;
        for (k, session) in ev.sessions.iter().enumerate() {
            let path = format!("{path}.sessions[{k}]");
            self.session(&path, session, ev, free_from)?;
            free_from = session.departure;
        }
        Ok(())
    }

    fn session(&self, path: &str, session: &EvSession, ev: &Ev, free_from: usize) -> Checked {
        within_count(&format!("{path}.arrival"), session.arrival, free_from, self.steps - 1)?;
        within_count(
            &format!("{path}.departure"),
            session.departure,
            session.arrival + 1,
            self.steps,
        )?;
        within(&format!("{path}.soc_arrival_kwh"), session.soc_arrival_kwh, 0.0, ev.capacity_kwh)?;
        within(&format!("{path}.soc_target_kwh"), session.soc_target_kwh, 0.0, ev.capacity_kwh)?;
        within_count(&format!("{path}.soc_min_by"), session.soc_min_by.len(), 0, self.steps)?;
        for (k, by) in session.soc_min_by.iter().enumerate() {
            let path = format!("{path}.soc_min_by[{k}]");
            within_count(&format!("{path}[0]"), by.0, session.arrival + 1, session.departure)?;
            within(&format!("{path}[1]"), by.1, 0.0, ev.capacity_kwh)?;
        }
        Ok(())
    }

    fn thermal(&self, path: &str, thermal: &Thermal) -> Checked {
        let (least, most) = (-MAGNITUDE_MAX, MAGNITUDE_MAX);
        match &thermal.model {
            ThermalModel::Room(room) => {
                within(&format!("{path}.c_kwh_per_k"), room.c_kwh_per_k, 1e-3, most)?;
                within(&format!("{path}.ua_kw_per_k"), room.ua_kw_per_k, 1e-6, most)?;
                self.series(&format!("{path}.outdoor_c"), &room.outdoor_c, least, most)?;
                self.series(&format!("{path}.gain_kw"), &room.gain_kw, least, most)?;
            }
            ThermalModel::Tank(tank) => {
                within(&format!("{path}.loss_per_h"), tank.loss_per_h, 0.0, most)?;
                self.series(&format!("{path}.draw_kw"), &tank.draw_kw, 0.0, most)?;
            }
        }
        within(&format!("{path}.p_max_kw"), thermal.p_max_kw, 0.0, most)?;
        within(&format!("{path}.p_min_kw"), thermal.p_min_kw, 0.0, thermal.p_max_kw)?;
        self.series(&format!("{path}.cop"), &thermal.cop, 0.0, 100.0)?;
        within(&format!("{path}.state_init"), thermal.state_init, least, most)?;
        self.series(&format!("{path}.state_min"), &thermal.state_min, least, most)?;
        self.series(&format!("{path}.state_max"), &thermal.state_max, least, most)?;
        for (t, (&min, &max)) in thermal.state_min.iter().zip(&thermal.state_max).enumerate() {
            not_below(&format!("{path}.state_max[{t}]"), max, min, "of state_min")?;
        }
        within(&format!("{path}.state_final_min"), thermal.state_final_min, least, most)?;
        let price = thermal.discomfort_price.unwrap_or(0.0);
        within(&format!("{path}.discomfort_price"), price, 0.0, most)?;
        within(&format!("{path}.preferred_state"), thermal.preferred_state, least, most)
    }

    fn window(&self, path: &str, names: [&str; 2], window: [usize; 2]) -> Checked {
        within_count(&format!("{path}.{}", names[0]), window[0], 0, self.steps)?;
        within_count(&format!("{path}.{}", names[1]), window[1], window[0], self.steps)
    }

    fn series(&self, path: &str, values: &[f64], least: f64, most: f64) -> Checked {
        length(path, values.len(), self.steps)?;
        within_each(path, values, least, most)
    }
}

/// What a device stores, kWh; nothing where it does not.
const fn capacity_kwh(device: &Device) -> f64 {
    match &device.kind {
        DeviceKind::Battery(battery) => battery.capacity_kwh,
        DeviceKind::Ev(ev) => ev.capacity_kwh,
        _ => 0.0,
    }
}

/// Panels are asked for nothing, and only what stores can hold.
const fn may_be_asked(wish: &Wish, device: &Device) -> bool {
    match wish {
        Wish::Holds { .. } => matches!(device.kind, DeviceKind::Battery(_) | DeviceKind::Ev(_)),
        Wish::Rests { .. } => !matches!(device.kind, DeviceKind::Pv(_)),
        Wish::OnlySurplus { .. } | Wish::NotFromBattery { .. } => {
            !matches!(device.kind, DeviceKind::Pv(_) | DeviceKind::Battery(_))
        }
    }
}

fn check_battery(path: &str, battery: &Battery) -> Checked {
    within(&format!("{path}.capacity_kwh"), battery.capacity_kwh, 0.0, MAGNITUDE_MAX)?;
    within(&format!("{path}.soc_min_kwh"), battery.soc_min_kwh, 0.0, battery.capacity_kwh)?;
    within(
        &format!("{path}.soc_max_kwh"),
        battery.soc_max_kwh,
        battery.soc_min_kwh,
        battery.capacity_kwh,
    )?;
    within(&format!("{path}.soc_init_kwh"), battery.soc_init_kwh, 0.0, battery.capacity_kwh)?;
    within(
        &format!("{path}.soc_final_min_kwh"),
        battery.soc_final_min_kwh,
        0.0,
        battery.capacity_kwh,
    )?;
    within(&format!("{path}.p_max_charge_kw"), battery.p_max_charge_kw, 0.0, MAGNITUDE_MAX)?;
    within(&format!("{path}.p_max_discharge_kw"), battery.p_max_discharge_kw, 0.0, MAGNITUDE_MAX)?;
    efficiency(&format!("{path}.eta_charge"), battery.eta_charge)?;
    efficiency(&format!("{path}.eta_discharge"), battery.eta_discharge)?;
    within(&format!("{path}.wear_per_kwh"), battery.wear_per_kwh, 0.0, MAGNITUDE_MAX)?;
    within(
        &format!("{path}.self_discharge_per_h"),
        battery.self_discharge_per_h,
        0.0,
        MAGNITUDE_MAX,
    )?;
    let worth = battery.terminal_value_per_kwh;
    within(&format!("{path}.terminal_value_per_kwh"), worth, -MAGNITUDE_MAX, MAGNITUDE_MAX)
}
