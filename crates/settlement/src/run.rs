//! A settlement run: what it used, what it is called, what it came to.

use std::collections::BTreeMap;
use std::fmt;

use alloy_primitives::{B256, keccak256};
use gridtally_core::period::{SettlementCalendar, SettlementPeriod};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::period::PeriodRecords;
use crate::slot_energy::{EstimatedPolicy, MissingPolicy};
use crate::total::Totals;

/// Everything that a run depends on. Two runs with the same manifest have the same records, byte for byte.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunManifest {
    /// Version of the program that computed it.
    pub code_version: String,
    /// How time is divided.
    pub calendar: SettlementCalendar,
    /// First instant that is settled.
    pub from: Timestamp,
    /// First instant after it.
    pub until: Timestamp,
    /// 0 for a regular run, from 1 on for corrections.
    pub run: u16,
    /// What was done with gaps.
    pub missing: MissingPolicy,
    /// What was done with estimated values.
    pub estimated: EstimatedPolicy,
    /// Whole weeks by which prices were moved: prices of `t + shift` were used at `t`. 0 but for history at later prices.
    pub price_shift_weeks: i32,
    /// Hashes of readings, prices, tariffs and parties, by what and which.
    pub inputs: BTreeMap<String, String>,
    /// The hash of each settlement period's tariff table.
    pub tariff_hashes: BTreeMap<SettlementPeriod, B256>,
}

/// Names a run: the hash of its manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(pub B256);

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl RunManifest {
    /// Returns the manifest as lines of `key value`, always in the same order. Texts are quoted, and everything in them
    /// beyond printable ASCII is escaped, so that no input can look like another line.
    #[must_use]
    pub fn canonical(&self) -> String {
        let calendar = &self.calendar;
        let mut lines = vec![
            "gridtally-run 1".to_owned(),
            format!("code_version {}", quoted(&self.code_version)),
            format!("genesis_time {}", calendar.genesis_time()),
            format!("period_length_s {}", calendar.period_length_s()),
            format!("slots_per_period {}", calendar.slots_per_period()),
            format!("from {}", self.from),
            format!("until {}", self.until),
            format!("run {}", self.run),
            format!("missing {}", self.missing),
            format!("estimated {}", self.estimated),
            format!("price_shift_weeks {}", self.price_shift_weeks),
        ];
        lines.extend(
            self.inputs
                .iter()
                .map(|(name, hash)| format!("input {} {}", quoted(name), quoted(hash))),
        );
        lines.extend(
            self.tariff_hashes.iter().map(|(period, hash)| format!("tariff {period} {hash}")),
        );
        lines.join("\n") + "\n"
    }

    /// Returns the name of the run.
    #[must_use]
    pub fn id(&self) -> RunId {
        RunId(keccak256(self.canonical()))
    }
}

/// Not `{:?}`: what that escapes follows the Unicode tables of the compiler.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.escape_default())
}

/// What a run came to, without its records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunSummary {
    /// The hash of each settlement period's packed records.
    pub record_hashes: BTreeMap<SettlementPeriod, B256>,
    /// The sums of all periods.
    pub totals: Totals,
}

impl RunSummary {
    /// Returns what one period came to. Periods can be summed up apart, on several cores, and joined in order.
    #[must_use]
    pub fn of(settled: &PeriodRecords) -> Self {
        Self {
            record_hashes: BTreeMap::from([(settled.period, settled.hash())]),
            totals: settled.totals.clone(),
        }
    }

    /// Adds the next period.
    ///
    /// # Panics
    ///
    /// As [`Self::join`] does.
    pub fn append(&mut self, settled: &PeriodRecords) {
        self.join(&Self::of(settled));
    }

    /// Adds the summary of what comes next in the run.
    ///
    /// # Panics
    ///
    /// When the periods do not ascend: funds are needed in the order in which records are settled.
    pub fn join(&mut self, later: &Self) {
        let last = self.record_hashes.last_key_value().map(|(&period, _)| period);
        let Some((&first, _)) = later.record_hashes.first_key_value() else { return };
        assert!(last < Some(first), "period {first} does not come after {last:?}");
        self.record_hashes.extend(&later.record_hashes);
        self.totals.append(&later.totals);
    }
}
