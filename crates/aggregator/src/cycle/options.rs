//! What a run is asked to do.

use gridtally_settlement::{EstimatedPolicy, MissingPolicy};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What a run is asked to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunOptions {
    /// First instant that is settled, the start of a slot.
    pub from: Timestamp,
    /// First instant after it, the start of a slot.
    pub until: Timestamp,
    /// What to do with gaps.
    pub missing: MissingPolicy,
    /// What to do with estimated values.
    pub estimated: EstimatedPolicy,
    /// Whole weeks by which prices are moved: the price of `t + shift` is used at `t`. 0 but for history at later prices.
    pub price_shift_weeks: i32,
    /// Which tariff; may be left open where the store has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tariff: Option<String>,
    /// The line of the journal up to which things count; left open, all lines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of: Option<u64>,
}

impl RunOptions {
    /// Returns the options of a regular run over a span: gaps are refused, estimated values are settled.
    #[must_use]
    pub const fn regular(from: Timestamp, until: Timestamp) -> Self {
        Self {
            from,
            until,
            missing: MissingPolicy::Refuse,
            estimated: EstimatedPolicy::Settle,
            price_shift_weeks: 0,
            tariff: None,
            as_of: None,
        }
    }
}
