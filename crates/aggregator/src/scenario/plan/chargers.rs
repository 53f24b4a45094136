//! A fleet of cars as the chargers of one site recorded them, behind one transformer.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use gridtally_core::calendar::Zone;
use gridtally_core::quantity::Currency;
use gridtally_core::tariff::{PriceKind, Tariff};
use gridtally_schedule::fleet::{Evs, Fleet, FleetParts};
use gridtally_schedule::household::Horizon;
use jiff::Timestamp;
use jiff::civil::DateTime;
use serde::{Deserialize, Serialize};

use super::PlanScenarioError;
use super::by_clock::{LoadSource, MarketSource, prices_per_kwh, same_currency};
use super::sessions::{Session, Stay, sessions};
use super::span::Span;
use crate::scenario::file::read_toml;

/// Power of a charger where nothing else is known, W: one phase of 32 A at 230 V.
const POWER_W: u32 = 7_360;
/// Most that a charger can be raised to, W: three phases of 32 A.
const POWER_MAX_W: u32 = 22_000;

/// What a week of chargers is made of. Paths are relative to the file.
///
/// `fixtures/scenarios/chargers.toml` is one.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChargersScenario {
    name: String,
    currency: Currency,
    zone: Zone,
    /// Local time of the first step.
    from: DateTime,
    days: u32,
    #[serde(default = "quarter")]
    resolution_minutes: u32,
    transformer_limit_kw: f64,
    sessions: SessionSource,
    /// What flows besides.
    #[serde(default)]
    load: Vec<LoadSource>,
    prices: MarketSource,
    tariff: Tariff,
    /// The folder that paths are relative to.
    #[serde(skip)]
    folder: PathBuf,
}

const fn quarter() -> u32 {
    15
}

/// Recorded charging sessions.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct SessionSource {
    file: String,
    site: String,
    /// What a car draws at most of which the file says nothing, W.
    #[serde(default = "power_w")]
    power_w_otherwise: u32,
    #[serde(default)]
    too_short: TooShort,
    /// Most that power is raised to, W.
    #[serde(default = "power_max_w")]
    power_max_w: u32,
}

const fn power_w() -> u32 {
    POWER_W
}

const fn power_max_w() -> u32 {
    POWER_MAX_W
}

/// What is done with a session that could not have charged its energy in its time: its power is an estimate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum TooShort {
    /// Its power is raised to what it must have been, up to the most that there is; then its energy is cut.
    #[default]
    Raise,
    /// Its energy is cut to what the estimate allows.
    Cut,
}

/// How the sessions of a span were understood.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct SessionCounts {
    /// Sessions of the site during the span that are planned.
    pub planned: usize,
    /// Users that they are of.
    pub users: usize,
    /// Sessions without energy, which are left out.
    pub empty: usize,
    /// Sessions without an estimate of their power.
    pub without_power: usize,
    /// Sessions too short for their energy at the estimate, with more power now.
    pub raised: usize,
    /// Sessions too short for their energy, with less of it now.
    pub cut: usize,
    /// Energy that was cut, kWh.
    pub cut_kwh: f64,
    /// Sessions that were there for no whole step, and have those that they touch.
    pub widened: usize,
    /// Sessions that began before the span or ended after it: they have the energy that charging on arrival takes within it.
    pub over_the_border: usize,
    /// Of those, sessions that had charged all before, which are left out.
    pub charged_before: usize,
    /// Energy of these sessions outside of the span, kWh.
    pub outside_kwh: f64,
    /// Sessions that began while another of the same user went on: each is a car of its own.
    pub overlapping: usize,
    /// Values of the load that were missing and are those of the week before.
    pub load_filled: usize,
}

/// A fleet of recorded sessions.
#[derive(Debug, Clone, PartialEq)]
pub struct RealChargers {
    /// The problem.
    pub fleet: Fleet,
    /// Its time, with its clocks.
    pub horizon: Horizon,
    /// The name of the session behind each car.
    pub sessions: Vec<String>,
    /// How the sessions were understood.
    pub counts: SessionCounts,
}

impl ChargersScenario {
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
    pub fn build(&self, now: Timestamp) -> Result<RealChargers, PlanScenarioError> {
        let span = Span::new(self.from, self.days, &self.zone, self.resolution_minutes)?;
        same_currency(&self.currency, &self.tariff)?;
        let mut counts = SessionCounts::default();
        let (evs, ids) = self.cars(&span, &mut counts)?;
        let mut base_load_kw = vec![0.0; span.steps()];
        for source in &self.load {
            let load = source.read(&span, &self.folder, now)?;
            counts.load_filled += load.filled;
            let net = load.drawn_kw.iter().zip(&load.generated_kw);
            base_load_kw.iter_mut().zip(net).for_each(|(sum, (a, b))| *sum += a - b);
        }
        let spot = self.prices.read(&span, &self.folder, now)?;
        let energy_price = prices_per_kwh(&self.tariff, PriceKind::Import, &span, &spot)?;
        let fleet = Fleet::new(FleetParts {
            id: self.name.clone(),
            currency: self.currency.code().to_owned(),
            resolution_min: self.resolution_minutes,
            start_clock_h: u32::from(self.from.hour().unsigned_abs()),
            energy_price,
            base_load_kw,
            transformer_limit_kw: vec![self.transformer_limit_kw; span.steps()],
            up_reserve_kw: vec![0.0; span.steps()],
            down_reserve_kw: vec![0.0; span.steps()],
            evs,
            ..FleetParts::default()
        })?;
        Ok(RealChargers { fleet, horizon: span.horizon, sessions: ids, counts })
    }

    /// Returns the cars of the span, with the names of their sessions.
    fn cars(
        &self,
        span: &Span,
        counts: &mut SessionCounts,
    ) -> Result<(Evs, Vec<String>), PlanScenarioError> {
        let source = &self.sessions;
        for (key, power_w) in [
            ("sessions.power_w_otherwise", source.power_w_otherwise),
            ("sessions.power_max_w", source.power_max_w),
        ] {
            if !(100..=1_000_000).contains(&power_w) {
                let (value, reason) = (power_w.to_string(), "not between 100 and 1000000");
                return Err(PlanScenarioError::Value { key, value, reason: reason.to_owned() });
            }
        }
        let path = self.folder.join(&source.file);
        let all = sessions(&path, &source.file, |site, _| site == source.site)
            .map_err(crate::scenario::file::ScenarioError::from)?;
        let (mut evs, mut ids) = (Evs::default(), Vec::new());
        let mut users: BTreeSet<&str> = BTreeSet::new();
        let mut there: Vec<&Session> = Vec::new();
        for session in &all {
            let stay = session.stay(span);
            if stay.departure <= 0 || stay.arrival >= steps(span) {
                continue;
            }
            let is_another = |other: &&Session| {
                other.user == session.user && other.plugged_out > session.plugged_in
            };
            counts.overlapping += usize::from(there.iter().any(is_another));
            there.push(session);
            let Some(car) = source.car(session, stay, span, counts) else { continue };
            users.insert(&session.user);
            evs.arrival.push(car.arrival);
            evs.departure.push(car.departure);
            evs.p_max_kw.push(car.power_kw);
            evs.energy_kwh.push(car.energy_kwh);
            evs.feeder.push(0);
            ids.push(session.id.clone());
        }
        if ids.is_empty() {
            let what = format!("sessions of {:?} in these days", source.site);
            return Err(PlanScenarioError::Nothing { file: source.file.clone(), what });
        }
        (counts.planned, counts.users) = (ids.len(), users.len());
        Ok((evs, ids))
    }
}

/// A car of the fleet.
struct Car {
    arrival: u32,
    departure: u32,
    power_kw: f64,
    energy_kwh: f64,
}

impl SessionSource {
    /// Returns the car of a session, or nothing where nothing is to be charged within the span.
    fn car(
        &self,
        session: &Session,
        stay: Stay,
        span: &Span,
        counts: &mut SessionCounts,
    ) -> Option<Car> {
        let step_h = span.horizon.step_h();
        let hours = |from: i64, until: i64| count(until - from) * step_h;
        let mut energy_kwh = f64::from(session.energy_wh) / 1e3;
        if session.energy_wh == 0 {
            counts.empty += 1;
            return None;
        }
        // An estimate of nothing is none.
        let estimate = session.power_w.filter(|&power_w| power_w > 0);
        counts.without_power += usize::from(estimate.is_none());
        let mut power_kw = f64::from(estimate.unwrap_or(self.power_w_otherwise)) / 1e3;
        let whole_h = hours(stay.arrival, stay.departure);
        if energy_kwh > power_kw * whole_h {
            let needed_kw = energy_kwh / whole_h;
            let most_kw = match self.too_short {
                TooShort::Raise => power_kw.max(f64::from(self.power_max_w) / 1e3),
                TooShort::Cut => power_kw,
            };
            if needed_kw <= most_kw {
                counts.raised += 1;
                power_kw = needed_kw;
            } else {
                counts.cut += 1;
                power_kw = most_kw;
                counts.cut_kwh += energy_kwh - power_kw * whole_h;
                energy_kwh = power_kw * whole_h;
            }
        }
        counts.widened += usize::from(stay.is_widened);
        let (arrival, departure) = (stay.arrival.max(0), stay.departure.min(steps(span)));
        if (arrival, departure) != (stay.arrival, stay.departure) {
            counts.over_the_border += 1;
            let before = energy_kwh.min(power_kw * hours(stay.arrival, arrival));
            let within = (energy_kwh - before).min(power_kw * hours(arrival, departure));
            counts.outside_kwh += energy_kwh - within;
            energy_kwh = within;
            // A watt-hour is not worth a car.
            if energy_kwh < 1e-3 {
                counts.charged_before += 1;
                return None;
            }
        }
        let step = |step: i64| u32::try_from(step).expect("within the span");
        Some(Car { arrival: step(arrival), departure: step(departure), power_kw, energy_kwh })
    }
}

fn steps(span: &Span) -> i64 {
    i64::try_from(span.steps()).expect("a span has few steps")
}

#[expect(clippy::cast_precision_loss, reason = "numbers of steps")]
const fn count(steps: i64) -> f64 {
    steps as f64
}
