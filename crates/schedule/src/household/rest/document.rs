//! The state of a household as a person or a program writes it: TOML or JSON with the same names.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use jiff::civil::{DateTime, Time};
use serde::Deserialize;

use super::measured::{CycleState, DeviceState, EvState, Measured};
use super::metered::Metered;
use super::{counts_import, has_state, no_such_device};
use crate::bounds::{MAGNITUDE_MAX, length, within_count, within_each};
use crate::household::device::{Device, DeviceKind, ThermalModel};
use crate::household::horizon::Horizon;
use crate::household::problem::Household;
use crate::refusal::{ProblemReason, ProblemRefused};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default)]
    metered: MeteredDocument,
    #[serde(default)]
    device: BTreeMap<String, DeviceDocument>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct MeteredDocument {
    /// Mean import of each step that is over; or the numbers below.
    import_kw: Option<Vec<f64>>,
    hour_mean_kw: Option<f64>,
    day_max_kw: Option<f64>,
    days_max_kw: Option<Vec<f64>>,
}

/// The members that some kind of device has.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct DeviceDocument {
    waiting: Option<bool>,
    started: Option<When>,
    minutes_on: Option<u32>,
    minutes_running: Option<u32>,
    taken_kwh: Option<f64>,
    percent: Option<f64>,
    soc_kwh: Option<f64>,
    away: Option<bool>,
    arrives: Option<When>,
    celsius: Option<f64>,
    heat_kwh: Option<f64>,
}

/// A step, or what clocks show at its beginning.
#[derive(Deserialize, Clone)]
#[serde(untagged)]
enum When {
    Step(usize),
    Clock(String),
}

/// Something that clocks show: a time of some day, or of one.
enum Shown {
    Time(Time),
    DateTime(DateTime),
}

impl Shown {
    fn parse(text: &str) -> Option<Self> {
        let date_time = || text.parse().ok().map(Self::DateTime);
        text.parse().ok().map(Self::Time).or_else(date_time)
    }

    fn is_at(&self, horizon: &Horizon, step: usize) -> bool {
        let local = horizon.local(step);
        match self {
            Self::Time(time) => local.time() == *time,
            Self::DateTime(date_time) => local == *date_time,
        }
    }
}

impl Horizon {
    /// Returns the first step at whose beginning clocks show a time (`20:30`) or a date and time (`2026-11-25T20:30`), or the step of
    /// a number. Nothing where there is none.
    #[must_use]
    pub fn step_of(&self, text: &str) -> Option<usize> {
        if let Ok(step) = text.parse::<usize>() {
            return (step < self.steps()).then_some(step);
        }
        let shown = Shown::parse(text)?;
        (0..self.steps()).find(|&step| shown.is_at(self, step))
    }
}

impl Measured {
    /// Reads the state of a household at the beginning of step `at` from TOML.
    ///
    /// # Errors
    ///
    /// Returns the first field that cannot be: its path, or its line where the text is not what the form asks for.
    pub fn from_toml(text: &str, household: &Household, at: usize) -> Result<Self, ProblemRefused> {
        let document: Document = toml::from_str(text).map_err(|error| {
            let message = error.to_string().trim_end().replace('\n', " ");
            ProblemRefused::new(".", ProblemReason::Malformed { message })
        })?;
        read(document, household, at)
    }

    /// Reads the same from JSON.
    ///
    /// # Errors
    ///
    /// Returns the first field that cannot be, with its path.
    pub fn from_json(text: &str, household: &Household, at: usize) -> Result<Self, ProblemRefused> {
        read(crate::json::read("", text)?, household, at)
    }

    /// Returns the state as TOML that [`Self::from_toml`] reads, with clock times.
    #[must_use]
    pub fn to_toml(&self, household: &Household, at: usize) -> String {
        let horizon = &household.horizon;
        let now = horizon.local(at).strftime("%Y-%m-%d %H:%M");
        let mut text = format!("# {}: what is measured at {now}\n", household.id);
        let mut line = |part: String| text.push_str(&part);
        if counts_import(&household.tariff.capacity) {
            let Metered { hour_mean_kw, day_max_kw, days_max_kw } = &self.metered;
            let days: Vec<String> = days_max_kw.iter().map(|kw| format!("{kw:.6}")).collect();
            line(format!(
                "\n[metered]\nhour_mean_kw = {hour_mean_kw:.6}\nday_max_kw = {day_max_kw:.6}\ndays_max_kw = [{}]\n",
                days.join(", ")
            ));
        }
        let minutes = |steps: usize| steps * horizon.resolution_min as usize;
        for device in &household.devices {
            let Some(state) = self.devices.get(&device.id) else { continue };
            line(format!("\n[device.{}]\n", key(&device.id)));
            line(match *state {
                DeviceState::Cycle(CycleState::Waiting) => "waiting = true\n".to_owned(),
                DeviceState::Cycle(CycleState::Started(start)) => {
                    format!("started = \"{}\"\n", horizon.local(start).strftime("%Y-%m-%dT%H:%M"))
                }
                DeviceState::Interruptible { on_steps, running_steps } => format!(
                    "minutes_on = {}\nminutes_running = {}\n",
                    minutes(on_steps),
                    minutes(running_steps)
                ),
                DeviceState::Modulating { taken_kwh } => format!("taken_kwh = {taken_kwh:.6}\n"),
                DeviceState::Ev(EvState::Plugged { soc_kwh }) => percent(device, soc_kwh),
                DeviceState::Ev(EvState::Away) => "away = true\n".to_owned(),
                DeviceState::Ev(EvState::Late { arrives }) => {
                    let arrives = horizon.local(arrives).strftime("%Y-%m-%dT%H:%M");
                    format!("away = true\narrives = \"{arrives}\"\n")
                }
                DeviceState::Battery { soc_kwh } => percent(device, soc_kwh),
                DeviceState::Thermal { state } => {
                    let name = if is_room(device) { "celsius" } else { "heat_kwh" };
                    format!("{name} = {state:.6}\n")
                }
            });
        }
        text
    }
}

/// Returns a name as a key: in quotes where it needs them.
fn key(name: &str) -> String {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if name.chars().all(is_bare) { name.to_owned() } else { toml::Value::from(name).to_string() }
}

fn percent(device: &Device, soc_kwh: f64) -> String {
    let mut text = String::new();
    let capacity_kwh = capacity_kwh(device);
    if capacity_kwh > 0.0 {
        let percent = 100.0 * soc_kwh / capacity_kwh;
        writeln!(text, "percent = {percent:.6}").expect("a string takes all");
    } else {
        writeln!(text, "soc_kwh = {soc_kwh:.6}").expect("a string takes all");
    }
    text
}

fn capacity_kwh(device: &Device) -> f64 {
    match &device.kind {
        DeviceKind::Battery(battery) => battery.capacity_kwh,
        DeviceKind::Ev(ev) => ev.capacity_kwh,
        _ => 0.0,
    }
}

fn is_room(device: &Device) -> bool {
    matches!(&device.kind, DeviceKind::Thermal(thermal) if matches!(thermal.model, ThermalModel::Room(_)))
}

fn malformed(path: &str, message: String) -> ProblemRefused {
    ProblemRefused::new(path, ProblemReason::Malformed { message })
}

fn read(document: Document, household: &Household, at: usize) -> Result<Measured, ProblemRefused> {
    within_count("now", at, 0, household.horizon.steps() - 1)?;
    let mut devices = BTreeMap::new();
    for (name, state) in document.device {
        let device = household.devices.iter().find(|device| device.id == name);
        let Some(device) = device.filter(|device| has_state(&device.kind)) else {
            return Err(no_such_device(&name));
        };
        let state = Reading { horizon: &household.horizon, at }.device(device, &state)?;
        devices.insert(name, state);
    }
    let measured = Measured { metered: metered(document.metered, household, at)?, devices };
    measured.check(household, at)?;
    Ok(measured)
}

fn metered(
    found: MeteredDocument,
    household: &Household,
    at: usize,
) -> Result<Metered, ProblemRefused> {
    let is_summed =
        found.hour_mean_kw.is_some() || found.day_max_kw.is_some() || found.days_max_kw.is_some();
    if let Some(import_kw) = found.import_kw {
        if is_summed {
            let message = "give either import_kw or the numbers that follow from it".to_owned();
            return Err(malformed("metered", message));
        }
        length("metered.import_kw", import_kw.len(), at)?;
        within_each("metered.import_kw", &import_kw, 0.0, MAGNITUDE_MAX)?;
        return Ok(Metered::from_import(household, &import_kw));
    }
    if !counts_import(&household.tariff.capacity) {
        return Ok(Metered::default());
    }
    if at == 0 && !is_summed {
        return Ok(Metered::from_import(household, &[]));
    }
    let there = |name: &str, value: Option<f64>| {
        let message = format!("the tariff counts it: {name} is missing");
        value.ok_or_else(|| malformed("metered", message))
    };
    Ok(Metered {
        hour_mean_kw: there("hour_mean_kw", found.hour_mean_kw)?,
        day_max_kw: there("day_max_kw", found.day_max_kw)?,
        days_max_kw: found.days_max_kw.unwrap_or_default(),
    })
}

struct Reading<'a> {
    horizon: &'a Horizon,
    at: usize,
}

impl Reading<'_> {
    fn device(
        &self,
        device: &Device,
        found: &DeviceDocument,
    ) -> Result<DeviceState, ProblemRefused> {
        let path = &format!("device.{}", device.id);
        let missing = |names: &str| malformed(path, format!("give {names}"));
        match &device.kind {
            DeviceKind::Pv(_) => Err(no_such_device(&device.id)),
            DeviceKind::Cycle(_) => {
                only(path, found, &["waiting", "started"])?;
                match (found.waiting, &found.started) {
                    (Some(true), None) => Ok(DeviceState::Cycle(CycleState::Waiting)),
                    (None | Some(false), Some(started)) => Ok(DeviceState::Cycle(
                        CycleState::Started(self.past(&format!("{path}.started"), started)?),
                    )),
                    _ => Err(missing("waiting = true, or when it started")),
                }
            }
            DeviceKind::Interruptible(_) => {
                only(path, found, &["minutes_on", "minutes_running"])?;
                let on = found.minutes_on.ok_or_else(|| missing("minutes_on"))?;
                Ok(DeviceState::Interruptible {
                    on_steps: self.steps(&format!("{path}.minutes_on"), on)?,
                    running_steps: self.steps(
                        &format!("{path}.minutes_running"),
                        found.minutes_running.unwrap_or(0),
                    )?,
                })
            }
            DeviceKind::Modulating(_) => {
                only(path, found, &["taken_kwh"])?;
                let taken_kwh = found.taken_kwh.ok_or_else(|| missing("taken_kwh"))?;
                Ok(DeviceState::Modulating { taken_kwh })
            }
            DeviceKind::Ev(_) => {
                only(path, found, &["percent", "soc_kwh", "away", "arrives"])?;
                let soc_kwh = soc_kwh(path, device, found)?;
                match (soc_kwh, found.away.unwrap_or(false), &found.arrives) {
                    (Some(soc_kwh), false, None) => {
                        Ok(DeviceState::Ev(EvState::Plugged { soc_kwh }))
                    }
                    (None, true, None) => Ok(DeviceState::Ev(EvState::Away)),
                    (None, true, Some(arrives)) => Ok(DeviceState::Ev(EvState::Late {
                        arrives: self.coming(&format!("{path}.arrives"), arrives)?,
                    })),
                    _ => Err(missing("percent where it is there, else away = true")),
                }
            }
            DeviceKind::Battery(_) => {
                only(path, found, &["percent", "soc_kwh"])?;
                let soc_kwh = soc_kwh(path, device, found)?.ok_or_else(|| missing("percent"))?;
                Ok(DeviceState::Battery { soc_kwh })
            }
            DeviceKind::Thermal(_) => {
                let (name, state) = if is_room(device) {
                    ("celsius", found.celsius)
                } else {
                    ("heat_kwh", found.heat_kwh)
                };
                only(path, found, &[name])?;
                Ok(DeviceState::Thermal { state: state.ok_or_else(|| missing(name))? })
            }
        }
    }

    fn steps(&self, path: &str, minutes: u32) -> Result<usize, ProblemRefused> {
        let resolution = self.horizon.resolution_min;
        if !minutes.is_multiple_of(resolution) {
            let message = format!("{minutes} min are no whole number of steps of {resolution} min");
            return Err(malformed(path, message));
        }
        Ok((minutes / resolution) as usize)
    }

    /// The last step that is over at whose beginning clocks showed this.
    fn past(&self, path: &str, when: &When) -> Result<usize, ProblemRefused> {
        match when {
            When::Step(step) => Ok(*step),
            When::Clock(text) => self.find(path, text, (0..self.at).rev(), "has begun"),
        }
    }

    /// The first step from now on at whose beginning clocks show this.
    fn coming(&self, path: &str, when: &When) -> Result<usize, ProblemRefused> {
        match when {
            When::Step(step) => Ok(*step),
            When::Clock(text) => {
                self.find(path, text, self.at..self.horizon.steps(), "begins from now on")
            }
        }
    }

    fn find(
        &self,
        path: &str,
        text: &str,
        mut steps: impl Iterator<Item = usize>,
        which: &str,
    ) -> Result<usize, ProblemRefused> {
        let Some(shown) = Shown::parse(text) else {
            let message = format!("{text:?} is no clock time, such as 20:30 or 2026-11-25T20:30");
            return Err(malformed(path, message));
        };
        steps
            .find(|&step| shown.is_at(self.horizon, step))
            .ok_or_else(|| malformed(path, format!("no step that {which} shows {text}")))
    }
}

fn soc_kwh(
    path: &str,
    device: &Device,
    found: &DeviceDocument,
) -> Result<Option<f64>, ProblemRefused> {
    match (found.percent, found.soc_kwh) {
        (Some(_), Some(_)) => Err(malformed(path, "give either percent or soc_kwh".to_owned())),
        (Some(percent), None) => {
            crate::bounds::within(&format!("{path}.percent"), percent, 0.0, 100.0)?;
            Ok(Some(capacity_kwh(device) * percent / 100.0))
        }
        (None, soc_kwh) => Ok(soc_kwh),
    }
}

/// Refuses members that this kind of device does not have.
fn only(path: &str, found: &DeviceDocument, allowed: &[&str]) -> Result<(), ProblemRefused> {
    let there = [
        ("waiting", found.waiting.is_some()),
        ("started", found.started.is_some()),
        ("minutes_on", found.minutes_on.is_some()),
        ("minutes_running", found.minutes_running.is_some()),
        ("taken_kwh", found.taken_kwh.is_some()),
        ("percent", found.percent.is_some()),
        ("soc_kwh", found.soc_kwh.is_some()),
        ("away", found.away.is_some()),
        ("arrives", found.arrives.is_some()),
        ("celsius", found.celsius.is_some()),
        ("heat_kwh", found.heat_kwh.is_some()),
    ];
    let other = there.iter().find(|(name, is_there)| *is_there && !allowed.contains(name));
    other.map_or(Ok(()), |(name, _)| {
        let message = format!("{name} does not belong here, give {}", allowed.join(", "));
        Err(malformed(path, message))
    })
}
