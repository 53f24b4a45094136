//! The document `gridtally-fleet-state-1`: what is reported of a fleet, as JSON.

use serde::Deserialize;

use super::report::{FleetState, FleetStateOf, Standing, StateReport};
use super::status::Status;
use crate::fleet::problem::Fleet;
use crate::fleet::respond::FleetDevice;
use crate::refusal::{ProblemReason, ProblemRefused};

/// The name of the schema.
pub const STATE_SCHEMA: &str = "gridtally-fleet-state-1";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    schema: String,
    devices: Vec<DeviceDocument>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DeviceDocument {
    device: String,
    number: usize,
    standing: Option<StandingDocument>,
    power_kw: Option<f64>,
    drawn_kwh: Option<f64>,
    heat_kwh: Option<f64>,
    soc_kwh: Option<f64>,
    temperature_c: Option<f64>,
    started: Option<usize>,
    waiting: Option<bool>,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "snake_case")]
enum StandingDocument {
    Follows,
    Refused,
    Expired,
    Failed,
    Left,
}

impl FleetState {
    /// Reads a document of the schema [`STATE_SCHEMA`] for a fleet at the beginning of step `at`.
    ///
    /// # Errors
    ///
    /// Returns the first field that cannot be, with its path.
    pub fn from_json(text: &str, fleet: &Fleet, at: usize) -> Result<Self, ProblemRefused> {
        let document: Document = crate::json::read("", text)?;
        if document.schema != STATE_SCHEMA {
            let reason = ProblemReason::Schema { found: document.schema, expected: STATE_SCHEMA };
            return Err(ProblemRefused::new("schema", reason));
        }
        let devices = document.devices.iter().enumerate();
        let devices = devices.map(|(i, found)| read(&format!("devices[{i}]"), found));
        let state = Self { devices: devices.collect::<Result<_, _>>()? };
        state.check(fleet, at)?;
        Ok(state)
    }
}

impl FleetDevice {
    /// Returns the device of a kind's word and a number, nothing for another word.
    #[must_use]
    pub fn of_word(kind: &str, number: usize) -> Option<Self> {
        match kind {
            "ev" => Some(Self::Ev(number)),
            "tank" => Some(Self::Tank(number)),
            "cycle" => Some(Self::Cycle(number)),
            "v2g" => Some(Self::V2g(number)),
            "room" => Some(Self::Room(number)),
            "battery" => Some(Self::Battery(number)),
            _ => None,
        }
    }

    /// Returns the word for the kind of a device, and its number.
    #[must_use]
    pub const fn word(self) -> (&'static str, usize) {
        match self {
            Self::Ev(i) => ("ev", i),
            Self::Tank(i) => ("tank", i),
            Self::Cycle(i) => ("cycle", i),
            Self::V2g(i) => ("v2g", i),
            Self::Room(i) => ("room", i),
            Self::Battery(i) => ("battery", i),
        }
    }
}

fn read(path: &str, found: &DeviceDocument) -> Result<StateReport, ProblemRefused> {
    let malformed = |message: &str| {
        ProblemRefused::new(path, ProblemReason::Malformed { message: message.to_owned() })
    };
    let Some(device) = FleetDevice::of_word(&found.device, found.number) else {
        let known = "ev, tank, cycle, v2g, room, battery";
        let reason = ProblemReason::Unknown { found: found.device.clone(), known };
        return Err(ProblemRefused::new(format_args!("{path}.device"), reason));
    };
    let out = |status| Standing::Out { status, power_kw: found.power_kw };
    let standing = found.standing.map(|standing| match standing {
        StandingDocument::Follows => Standing::Follows,
        StandingDocument::Refused => out(Status::Refused),
        StandingDocument::Expired => out(Status::Expired),
        StandingDocument::Failed => out(Status::Failed),
        StandingDocument::Left => Standing::Left,
    });
    if found.power_kw.is_some() && !matches!(standing, Some(Standing::Out { .. })) {
        return Err(malformed("power_kw is for a device that has refused, expired or failed"));
    }
    let waiting = match found.waiting {
        Some(false) => return Err(malformed("waiting is true, or left out")),
        waiting => waiting.map(|_| FleetStateOf::Cycle(None)),
    };
    let mut states = [
        found.drawn_kwh.map(FleetStateOf::Ev),
        found.heat_kwh.map(FleetStateOf::Tank),
        found.soc_kwh.map(|kwh| match device {
            FleetDevice::Battery(_) => FleetStateOf::Battery(kwh),
            _ => FleetStateOf::V2g(kwh),
        }),
        found.temperature_c.map(FleetStateOf::Room),
        found.started.map(|start| FleetStateOf::Cycle(Some(start))),
        waiting,
    ]
    .into_iter()
    .flatten();
    let state = states.next();
    if states.next().is_some() {
        return Err(malformed(
            "give one of drawn_kwh, heat_kwh, soc_kwh, temperature_c, started, waiting",
        ));
    }
    if state.is_none() && standing.is_none() {
        return Err(malformed("nothing is reported: leave out a device that follows"));
    }
    Ok(StateReport { device, standing, state })
}
