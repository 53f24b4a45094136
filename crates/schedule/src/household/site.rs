//! Where the household meets the grid.

use serde::Deserialize;

/// The connection of a household and what it uses whatever is planned.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Site {
    /// Inflexible consumption in each step, kW, negative where something gives more than is used; `load_kw.len() == steps`.
    pub load_kw: Vec<f64>,
    /// Most that may be drawn from the grid, kW.
    pub import_limit_kw: f64,
    /// Most that may be fed in, kW.
    pub export_limit_kw: f64,
    /// Only what the own generators produce may be fed in, nothing from a battery or car.
    pub export_only_pv: bool,
}
