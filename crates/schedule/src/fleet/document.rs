//! The document `gridtally-fleet-1`: a fleet of devices behind shared limits as JSON, column by column.

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::columns::{Batteries, Cycles, Evs, Rooms, Tanks, V2gs};
use super::names::FleetNames;
use super::problem::{Feeder, Fleet, FleetParts};
use crate::refusal::{ProblemReason, ProblemRefused};

/// The name of the schema.
pub const SCHEMA: &str = "gridtally-fleet-1";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    schema: String,
    id: String,
    #[serde(default)]
    #[expect(dead_code, reason = "a label")]
    seed: IgnoredAny,
    currency: String,
    resolution_min: u32,
    steps: usize,
    start_clock_h: u32,
    energy_price: Vec<f64>,
    base_load_kw: Vec<f64>,
    transformer_limit_kw: Vec<f64>,
    feeders: Vec<Feeder>,
    up_reserve_kw: Vec<f64>,
    ev: Evs,
    tank: Tanks,
    tank_draw_profiles_kw: Vec<Vec<f64>>,
    cycle: Cycles,
    cycle_profiles_kw: Vec<Vec<f64>>,
    v2g: V2gs,
    #[serde(default)]
    down_reserve_kw: Option<Vec<f64>>,
    #[serde(default)]
    room: Rooms,
    #[serde(default)]
    room_outdoor_profiles_c: Vec<Vec<f64>>,
    #[serde(default)]
    room_cop_profiles: Vec<Vec<f64>>,
    #[serde(default)]
    battery: Batteries,
    #[serde(default)]
    #[expect(dead_code, reason = "for tests, which read it themselves")]
    expected: IgnoredAny,
}

impl Fleet {
    /// Reads a document of the schema [`SCHEMA`]. Its member `expected` is not looked at.
    ///
    /// # Errors
    ///
    /// Returns the first field that cannot be, with its path.
    pub fn from_json(text: &str) -> Result<Self, ProblemRefused> {
        let document: Document = crate::json::read("", text)?;
        if document.schema != SCHEMA {
            let reason = ProblemReason::Schema { found: document.schema, expected: SCHEMA };
            return Err(ProblemRefused::new("schema", reason));
        }
        if document.energy_price.len() != document.steps {
            let (found, expected) = (document.energy_price.len(), document.steps);
            return Err(ProblemRefused::new(
                "energy_price",
                ProblemReason::Length { found, expected },
            ));
        }
        Self::new(FleetParts {
            id: document.id,
            currency: document.currency,
            resolution_min: document.resolution_min,
            start_clock_h: document.start_clock_h,
            energy_price: document.energy_price,
            base_load_kw: document.base_load_kw,
            transformer_limit_kw: document.transformer_limit_kw,
            feeders: document.feeders,
            up_reserve_kw: document.up_reserve_kw,
            evs: document.ev,
            tanks: document.tank,
            tank_draw_profiles_kw: document.tank_draw_profiles_kw,
            cycles: document.cycle,
            cycle_profiles_kw: document.cycle_profiles_kw,
            v2gs: document.v2g,
            down_reserve_kw: document.down_reserve_kw.unwrap_or_else(|| vec![0.0; document.steps]),
            rooms: document.room,
            room_outdoor_profiles_c: document.room_outdoor_profiles_c,
            room_cop_profiles: document.room_cop_profiles,
            batteries: document.battery,
            names: FleetNames::default(),
        })
    }
}
