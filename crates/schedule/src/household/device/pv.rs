//! Solar panels.

use serde::Deserialize;

/// Solar panels with what they can give.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pv {
    /// What the sun allows in each step, kW, not negative.
    pub available_kw: Vec<f64>,
    /// Whether less than that can be used.
    pub curtailable: bool,
}
