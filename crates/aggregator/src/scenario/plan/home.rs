//! A household put together from what was recorded: load and panels of a home, a car, programs, a battery, prices.

use std::path::{Path, PathBuf};

use gridtally_core::calendar::Zone;
use gridtally_core::quantity::Currency;
use gridtally_core::tariff::{PriceKind, Tariff};
use gridtally_schedule::household::{
    Capacity, DailyMaxSteps, Device, DeviceKind, Ev, EvSession, Household, HouseholdParts,
    PeakPrice, Pv, Site, Tariff as PlanTariff,
};
use jiff::Timestamp;
use jiff::civil::DateTime;
use serde::{Deserialize, Serialize};

use super::PlanScenarioError;
use super::appliance::ApplianceSource;
use super::battery::BatterySource;
use super::by_clock::{LoadSource, MarketSource, prices_per_kwh, same_currency};
use super::sessions::sessions;
use super::span::Span;
use crate::import::csv::records;
use crate::scenario::file::{ScenarioError, read_toml};

/// What some days of a household are made of. Paths are relative to the file.
///
/// `fixtures/scenarios/home.toml` is one.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HomeScenario {
    name: String,
    currency: Currency,
    zone: Zone,
    /// Local time of the first step.
    from: DateTime,
    days: u32,
    #[serde(default = "quarter")]
    resolution_minutes: u32,
    import_limit_kw: f64,
    export_limit_kw: f64,
    /// Load, which cannot be moved, and generation.
    load: LoadSource,
    prices: MarketSource,
    tariff: Tariff,
    #[serde(default)]
    capacity: CapacitySource,
    car: Option<CarSource>,
    battery: Option<BatterySource>,
    #[serde(default)]
    appliance: Vec<ApplianceSource>,
    /// The folder that paths are relative to.
    #[serde(skip)]
    folder: PathBuf,
}

const fn quarter() -> u32 {
    15
}

/// What the highest import costs: a price, steps, or nothing.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct CapacitySource {
    peak: Option<PeakPrice>,
    steps: Option<DailyMaxSteps>,
}

/// A car: its stays as a charger recorded them, its battery from a table of models.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct CarSource {
    sessions: String,
    site: String,
    user: String,
    models: String,
    /// Brand, model and variant, as the table has them.
    model: [String; 3],
    /// What a charger gives at most of which the record says nothing, W.
    power_w_otherwise: u32,
    /// The charge with which the car left: the record has energies only.
    left_with_percent: f64,
}

/// Part of what a car draws that reaches its battery.
const ETA_CAR: f64 = 0.9;

/// A household of recorded data.
#[derive(Debug, Clone, PartialEq)]
pub struct RealHome {
    /// The problem.
    pub household: Household,
    /// What each device is, in their order: runs of one appliance are one thing.
    pub kinds: Vec<String>,
    /// How the data were understood.
    pub counts: HomeCounts,
}

/// How the data of a home were understood.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct HomeCounts {
    /// Stays of the car.
    pub stays: usize,
    /// Stays too short for their energy, or with more energy than the battery holds: they have less of it.
    pub cut: usize,
    /// Energy that was cut, kWh.
    pub cut_kwh: f64,
    /// Stays that began before the span or ended after it: they have the energy that charging on arrival takes within it.
    pub over_the_border: usize,
    /// Values of the load that were missing and are those of the week before.
    pub load_filled: usize,
}

impl HomeScenario {
    /// Reads a scenario.
    ///
    /// # Errors
    ///
    /// [`PlanScenarioError::Scenario`].
    pub fn read(path: &Path) -> Result<Self, PlanScenarioError> {
        let mut scenario: Self = read_toml(path)?;
        path.parent().unwrap_or(Path::new("")).clone_into(&mut scenario.folder);
        Ok(scenario)
    }

    /// Reads the files of the scenario and returns the problem. `now` is a time by which everything in them is over.
    ///
    /// # Errors
    ///
    /// In the order of [`PlanScenarioError`], one file after another.
    pub fn build(&self, now: Timestamp) -> Result<RealHome, PlanScenarioError> {
        let span = Span::new(self.from, self.days, &self.zone, self.resolution_minutes)?;
        same_currency(&self.currency, &self.tariff)?;
        let mut counts = HomeCounts::default();
        let load = self.load.read(&span, &self.folder, now)?;
        counts.load_filled = load.filled;
        let (mut devices, mut kinds) = (Vec::new(), Vec::new());
        let mut add = |kind: &str, device: Device| {
            kinds.push(kind.to_owned());
            devices.push(device);
        };
        if load.generated_kw.iter().any(|power| *power > 0.0) {
            let pv = Pv { available_kw: load.generated_kw, curtailable: true };
            add("panels", Device { id: "panels".to_owned(), kind: DeviceKind::Pv(pv) });
        }
        if let Some(car) = &self.car {
            let ev = car.read(&span, &self.folder, &mut counts)?;
            add("car", Device { id: "car".to_owned(), kind: DeviceKind::Ev(ev) });
        }
        if let Some(battery) = &self.battery {
            let kind = DeviceKind::Battery(battery.read(&self.folder)?);
            add("battery", Device { id: "battery".to_owned(), kind });
        }
        for appliance in &self.appliance {
            for device in appliance.read(&span, &self.folder)? {
                add(appliance.name(), device);
            }
        }
        let spot = self.prices.read(&span, &self.folder, now)?;
        let price = |kind| prices_per_kwh(&self.tariff, kind, &span, &spot);
        let household = Household::new(HouseholdParts {
            id: self.name.clone(),
            currency: self.currency.code().to_owned(),
            site: Site {
                load_kw: load.drawn_kw,
                import_limit_kw: self.import_limit_kw,
                export_limit_kw: self.export_limit_kw,
                export_only_pv: false,
            },
            tariff: PlanTariff {
                import_price: price(PriceKind::Import)?,
                export_price: price(PriceKind::Export)?,
                capacity: self.capacity.capacity()?,
            },
            horizon: span.horizon,
            devices,
            wishes: Vec::new(),
        })?;
        Ok(RealHome { household, kinds, counts })
    }
}

impl CapacitySource {
    fn capacity(&self) -> Result<Capacity, PlanScenarioError> {
        match (&self.peak, &self.steps) {
            (None, None) => Ok(Capacity::Free),
            (Some(peak), None) => Ok(Capacity::Peak(peak.clone())),
            (None, Some(steps)) => Ok(Capacity::DailyMaxSteps(steps.clone())),
            (Some(_), Some(_)) => Err(PlanScenarioError::Value {
                key: "capacity",
                value: "peak and steps".to_owned(),
                reason: "give either of them".to_owned(),
            }),
        }
    }
}

impl CarSource {
    fn read(
        &self,
        span: &Span,
        folder: &Path,
        counts: &mut HomeCounts,
    ) -> Result<Ev, PlanScenarioError> {
        if !(1.0..=100.0).contains(&self.left_with_percent) {
            return Err(PlanScenarioError::Value {
                key: "car.left_with_percent",
                value: self.left_with_percent.to_string(),
                reason: "not between 1 and 100".to_owned(),
            });
        }
        let (capacity_kwh, model_kw) = self.model(folder)?;
        let stays = sessions(&folder.join(&self.sessions), &self.sessions, |site, user| {
            site == self.site && user == self.user
        })
        .map_err(ScenarioError::from)?;
        let estimate = stays.iter().find_map(|stay| stay.power_w).filter(|&power_w| power_w > 0);
        let charger_kw = f64::from(estimate.unwrap_or(self.power_w_otherwise)) / 1e3;
        let mut ev = Ev {
            capacity_kwh,
            soc_min_kwh: 0.0,
            p_max_charge_kw: charger_kw.min(model_kw),
            p_min_charge_kw: 0.0,
            eta_charge: ETA_CAR,
            p_max_discharge_kw: 0.0,
            eta_discharge: ETA_CAR,
            wear_per_kwh: 0.0,
            sessions: Vec::new(),
        };
        let soc_target_kwh = capacity_kwh * self.left_with_percent / 100.0;
        let last = i64::try_from(span.steps()).expect("a span has few steps");
        let most_kwh = |from: i64, until: i64| {
            let steps = u32::try_from(until - from).expect("a stay lasts");
            ev.p_max_charge_kw * span.horizon.step_h() * f64::from(steps)
        };
        for session in &stays {
            let stay = session.stay(span);
            if stay.departure <= 0 || stay.arrival >= last {
                continue;
            }
            let recorded_kwh = f64::from(session.energy_wh) / 1e3;
            let mut energy_kwh = recorded_kwh
                .min(most_kwh(stay.arrival, stay.departure))
                .min(soc_target_kwh / ev.eta_charge);
            counts.cut += usize::from(energy_kwh < recorded_kwh);
            counts.cut_kwh += recorded_kwh - energy_kwh;
            let (arrival, departure) = (stay.arrival.max(0), stay.departure.min(last));
            if (arrival, departure) != (stay.arrival, stay.departure) {
                counts.over_the_border += 1;
                let before = energy_kwh.min(most_kwh(stay.arrival, arrival));
                energy_kwh = (energy_kwh - before).min(most_kwh(arrival, departure));
            }
            counts.stays += 1;
            let step = |step: i64| usize::try_from(step).expect("within the span");
            let soc_arrival_kwh = (soc_target_kwh - ev.eta_charge * energy_kwh).max(0.0);
            ev.sessions.push(EvSession {
                arrival: step(arrival),
                departure: step(departure),
                soc_arrival_kwh,
                soc_target_kwh,
                soc_min_by: Vec::new(),
            });
        }
        if ev.sessions.is_empty() {
            let what = format!("sessions of {:?} at {:?} in these days", self.user, self.site);
            return Err(PlanScenarioError::Nothing { file: self.sessions.clone(), what });
        }
        Ok(ev)
    }

    /// Returns the capacity of the battery, kWh, and the power that the car draws at most, kW.
    fn model(&self, folder: &Path) -> Result<(f64, f64), PlanScenarioError> {
        let mut found = None;
        let columns = ["brand", "model", "variant", "usable_battery_kwh", "ac_max_kw"];
        records(&folder.join(&self.models), &self.models, &columns, |row| {
            if [0, 1, 2].map(|place| row.text(place)) == [0, 1, 2].map(|k| self.model[k].as_str()) {
                found = Some((row.positive(3)?, row.positive(4)?));
            }
            Ok(())
        })
        .map_err(ScenarioError::from)?;
        found.ok_or_else(|| {
            let (file, what) = (self.models.clone(), self.model.join(" "));
            PlanScenarioError::Nothing { file, what }
        })
    }
}
