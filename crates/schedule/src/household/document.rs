//! The document `gridtally-household-1`: a household problem as JSON.

use gridtally_core::calendar::Zone;
use jiff::Timestamp;
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::value::RawValue;

use super::device::{Device, DeviceKind, Room, Tank, Thermal, ThermalModel};
use super::horizon::Horizon;
use super::problem::{Household, HouseholdParts};
use super::site::Site;
use super::tariff::{Capacity, Tariff};
use super::wish::Wish;
use crate::json::{malformed, read};
use crate::refusal::{ProblemReason, ProblemRefused};

/// The name of the schema.
pub const SCHEMA: &str = "gridtally-household-1";

/// The document; members that only label it are read and forgotten.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document<'a> {
    schema: String,
    id: String,
    #[serde(default)]
    #[expect(dead_code, reason = "a label")]
    seed: IgnoredAny,
    #[serde(default)]
    #[expect(dead_code, reason = "a label")]
    features: IgnoredAny,
    currency: String,
    timezone: Zone,
    start_utc: Timestamp,
    resolution_min: u32,
    steps: usize,
    day_of_step: Vec<u32>,
    hour_of_step: Vec<u32>,
    site: Site,
    #[serde(borrow)]
    tariff: TariffDocument<'a>,
    #[serde(borrow)]
    devices: Vec<&'a RawValue>,
    #[serde(default)]
    wishes: Vec<Wish>,
    #[serde(default)]
    #[expect(dead_code, reason = "for tests, which read it themselves")]
    expected: IgnoredAny,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TariffDocument<'a> {
    import_price: Vec<f64>,
    export_price: Vec<f64>,
    #[serde(borrow)]
    capacity: &'a RawValue,
}

#[derive(Deserialize)]
struct Head {
    id: String,
    kind: String,
}

#[derive(Deserialize)]
struct CapacityHead {
    r#type: String,
}

#[derive(Deserialize)]
struct ModelHead {
    model: String,
}

/// A heater with the fields of its model beside those that all have.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ThermalDocument {
    p_max_kw: f64,
    p_min_kw: f64,
    cop: Vec<f64>,
    state_init: f64,
    state_min: Vec<f64>,
    state_max: Vec<f64>,
    state_final_min: f64,
    discomfort_price: Option<f64>,
    preferred_state: f64,
    c_kwh_per_k: Option<f64>,
    ua_kw_per_k: Option<f64>,
    outdoor_c: Option<Vec<f64>>,
    gain_kw: Option<Vec<f64>>,
    loss_per_h: Option<f64>,
    draw_kw: Option<Vec<f64>>,
}

impl Household {
    /// Reads a document of the schema [`SCHEMA`]. Its member `expected` is not looked at.
    ///
    /// # Errors
    ///
    /// Returns the first field that cannot be, with its path.
    pub fn from_json(text: &str) -> Result<Self, ProblemRefused> {
        let document: Document<'_> = read("", text)?;
        if document.schema != SCHEMA {
            let reason = ProblemReason::Schema { found: document.schema, expected: SCHEMA };
            return Err(ProblemRefused::new("schema", reason));
        }
        if document.day_of_step.len() != document.steps {
            let (found, expected) = (document.day_of_step.len(), document.steps);
            return Err(ProblemRefused::new(
                "day_of_step",
                ProblemReason::Length { found, expected },
            ));
        }
        let devices = document.devices.iter().enumerate();
        let devices = devices.map(|(i, raw)| device(&format!("devices[{i}]"), raw.get()));
        Self::new(HouseholdParts {
            id: document.id,
            currency: document.currency,
            horizon: Horizon {
                start: document.start_utc,
                zone: document.timezone,
                resolution_min: document.resolution_min,
                day_of_step: document.day_of_step,
                hour_of_step: document.hour_of_step,
            },
            site: document.site,
            tariff: Tariff {
                import_price: document.tariff.import_price,
                export_price: document.tariff.export_price,
                capacity: capacity(document.tariff.capacity.get())?,
            },
            devices: devices.collect::<Result<_, _>>()?,
            wishes: document.wishes,
        })
    }
}

fn capacity(text: &str) -> Result<Capacity, ProblemRefused> {
    const PATH: &str = "tariff.capacity";
    let CapacityHead { r#type } = read(PATH, text)?;
    match r#type.as_str() {
        "none" => {
            read_tagged::<Empty>(PATH, text, &["type"])?;
            Ok(Capacity::Free)
        }
        "peak" => read_tagged(PATH, text, &["type"]).map(Capacity::Peak),
        "daily_max_steps" => read_tagged(PATH, text, &["type"]).map(Capacity::DailyMaxSteps),
        _ => {
            let reason =
                ProblemReason::Unknown { found: r#type, known: "none, peak, daily_max_steps" };
            Err(ProblemRefused::new(format_args!("{PATH}.type"), reason))
        }
    }
}

fn device(path: &str, text: &str) -> Result<Device, ProblemRefused> {
    let Head { id, kind } = read(path, text)?;
    let tags = &["id", "kind"];
    let kind = match kind.as_str() {
        "pv" => DeviceKind::Pv(read_tagged(path, text, tags)?),
        "cycle" => DeviceKind::Cycle(read_tagged(path, text, tags)?),
        "interruptible" => DeviceKind::Interruptible(read_tagged(path, text, tags)?),
        "modulating" => DeviceKind::Modulating(read_tagged(path, text, tags)?),
        "ev" => DeviceKind::Ev(read_tagged(path, text, tags)?),
        "battery" => DeviceKind::Battery(read_tagged(path, text, tags)?),
        "thermal" => DeviceKind::Thermal(thermal(path, text)?),
        _ => {
            let known = "pv, cycle, interruptible, modulating, ev, battery, thermal";
            let reason = ProblemReason::Unknown { found: kind, known };
            return Err(ProblemRefused::new(format_args!("{path}.kind"), reason));
        }
    };
    Ok(Device { id, kind })
}

fn thermal(path: &str, text: &str) -> Result<Thermal, ProblemRefused> {
    let ModelHead { model } = read(path, text)?;
    let found: ThermalDocument = read_tagged(path, text, &["id", "kind", "model"])?;
    let of_room = [
        ("c_kwh_per_k", found.c_kwh_per_k.is_some()),
        ("ua_kw_per_k", found.ua_kw_per_k.is_some()),
        ("outdoor_c", found.outdoor_c.is_some()),
        ("gain_kw", found.gain_kw.is_some()),
    ];
    let of_tank =
        [("loss_per_h", found.loss_per_h.is_some()), ("draw_kw", found.draw_kw.is_some())];
    let none_of = |fields: &[(&str, bool)]| {
        fields.iter().find(|(_, is_there)| *is_there).map_or(Ok(()), |(name, _)| {
            let message = format!("a {model} does not have {name}");
            Err(ProblemRefused::new(path, ProblemReason::Malformed { message }))
        })
    };
    let model = match model.as_str() {
        "room" => {
            none_of(&of_tank)?;
            ThermalModel::Room(Room {
                c_kwh_per_k: there(path, "c_kwh_per_k", found.c_kwh_per_k)?,
                ua_kw_per_k: there(path, "ua_kw_per_k", found.ua_kw_per_k)?,
                outdoor_c: there(path, "outdoor_c", found.outdoor_c)?,
                gain_kw: there(path, "gain_kw", found.gain_kw)?,
            })
        }
        "tank" => {
            none_of(&of_room)?;
            ThermalModel::Tank(Tank {
                loss_per_h: there(path, "loss_per_h", found.loss_per_h)?,
                draw_kw: there(path, "draw_kw", found.draw_kw)?,
            })
        }
        _ => {
            let reason = ProblemReason::Unknown { found: model, known: "room, tank" };
            return Err(ProblemRefused::new(format_args!("{path}.model"), reason));
        }
    };
    Ok(Thermal {
        model,
        p_max_kw: found.p_max_kw,
        p_min_kw: found.p_min_kw,
        cop: found.cop,
        state_init: found.state_init,
        state_min: found.state_min,
        state_max: found.state_max,
        state_final_min: found.state_final_min,
        discomfort_price: found.discomfort_price,
        preferred_state: found.preferred_state,
    })
}

fn there<T>(path: &str, name: &str, value: Option<T>) -> Result<T, ProblemRefused> {
    let message = format!("missing field `{name}`");
    value.ok_or_else(|| ProblemRefused::new(path, ProblemReason::Malformed { message }))
}

/// Nothing but a tag.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Empty {}

/// Reads an object that says what it is, without the members that say so.
fn read_tagged<T: DeserializeOwned>(
    path: &str,
    text: &str,
    tags: &[&str],
) -> Result<T, ProblemRefused> {
    let mut members: serde_json::Map<String, serde_json::Value> = read(path, text)?;
    members.retain(|name, _| !tags.contains(&name.as_str()));
    let members = serde_json::Value::Object(members);
    serde_path_to_error::deserialize(members).map_err(|error| malformed(path, &error))
}
