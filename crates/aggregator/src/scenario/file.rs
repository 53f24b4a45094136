//! The file of a scenario.

use std::io::Read;
use std::path::{Path, PathBuf};

use gridtally_core::calendar::Zone;
use gridtally_core::meter::MeteringPointId;
use gridtally_core::party::{ParticipantNumber, Role};
use gridtally_core::period::{Resolution, SettlementCalendar, SettlementCalendarError};
use gridtally_core::quantity::Currency;
use gridtally_core::reading::Quality;
use gridtally_core::tariff::{PriceArea, Tariff};
use gridtally_settlement::{EstimatedPolicy, MissingPolicy};
use jiff::Timestamp;
use serde::Deserialize;

use crate::cycle::{RunOptions, SettlementMode};
use crate::import::Refused;
use crate::import::csv::{DecimalSign, Label, Layout, PriceColumn, ReadingColumn, Repeated, Stamp};
use crate::store::{
    Metering, ParticipantBook, ParticipantError, PartyEntry, PointEntry, Settings, StoreError,
};

/// Longest file of a scenario.
const FILE_BYTES_MAX: u64 = 4 << 20;
/// Stands for the metering point in the name of a file that holds one.
const POINT_PLACEHOLDER: &str = "{metering_point}";

/// Everything for a settlement. Paths are relative to the file.
///
/// As TOML:
///
/// ```
/// # let text = r#"
/// currency = "EUR"
/// zone = "Europe/Oslo"
/// from = "2026-01-02T00:00:00Z"
/// until = "2026-01-03T00:00:00Z"
/// slots_per_period = 24
///
/// [participants]
/// metering = "import"
/// homes = ["home_01", "home_02"]
///
/// [[readings]]
/// file = "meters/{metering_point}.csv.gz"
/// time_column = "start_utc"
/// stamp = "start"
/// zone = "UTC"
/// resolution_minutes = 60
/// columns = ["consumption_wh=import:Wh"]
///
/// [[prices]]
/// file = "prices.csv"
/// time_column = "start_utc"
/// stamp = "start"
/// zone = "UTC"
/// resolution_minutes = 60
/// columns = ["no2_eur_mwh=NO2:per_MWh"]
///
/// [tariff]
/// name = "household"
/// currency = "EUR"
///
/// [[tariff.version]]
/// valid_from = "2026-01-01T00:00:00Z"
///
/// [[tariff.version.import]]
/// part = "spot"
/// area = "NO2"
/// margin_micro_per_kwh = 20000
/// # "#;
/// # let scenario: gridtally_aggregator::scenario::Scenario = toml::from_str(text)?;
/// # assert_eq!(scenario.book()?.parties().len(), 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Currency of prices and amounts.
    pub currency: Currency,
    /// Whose days people see.
    pub zone: Zone,
    /// First instant that is settled.
    pub from: Timestamp,
    /// First instant after it.
    pub until: Timestamp,
    /// Length of a settlement period, s.
    #[serde(default = "day_s")]
    pub period_length_s: u32,
    /// Slots of a settlement period.
    pub slots_per_period: u16,
    /// Start of period 0, which is never settled; where it is not given, one period before `from`.
    pub genesis_time: Option<Timestamp>,
    /// What to do with gaps.
    #[serde(default = "refuse")]
    pub missing: MissingPolicy,
    /// What to do with estimated values.
    #[serde(default = "settle")]
    pub estimated: EstimatedPolicy,
    /// Whole weeks by which prices are moved: the price of `t + shift` is used at `t`.
    #[serde(default)]
    pub price_shift_weeks: i32,
    /// How the store settles, where it has not settled yet.
    #[serde(default)]
    pub mode: Option<SettlementMode>,
    /// Who takes part.
    pub participants: Participants,
    /// Files of readings.
    pub readings: Vec<ReadingSource>,
    /// Files of prices.
    #[serde(default)]
    pub prices: Vec<PriceSource>,
    /// What energy costs.
    pub tariff: Tariff,
    /// The folder that paths are relative to.
    #[serde(skip)]
    pub(super) folder: PathBuf,
}

/// Homes, each a party with one metering point of the same name; they get the numbers 1, 2, ... in this order.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Participants {
    /// What the channels of all metering points are.
    pub metering: Metering,
    /// Their names.
    pub homes: Vec<String>,
}

/// A file of readings, or one for each metering point.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReadingSource {
    /// Path; `{metering_point}` stands for each metering point in turn.
    pub file: String,
    /// Name of the column with the metering point, in a file of several.
    pub point_column: Option<String>,
    /// Columns of energy, such as `consumption_wh=import:Wh`.
    pub columns: Vec<String>,
    /// How the values came to be.
    #[serde(default = "measured")]
    pub quality: Quality,
    /// The table.
    #[serde(flatten)]
    pub table: TableSource,
}

/// A file of prices.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PriceSource {
    /// Path.
    pub file: String,
    /// Name of the column with the price area, where the columns of prices do not name theirs.
    pub area_column: Option<String>,
    /// Columns of prices, such as `no2_eur_mwh=NO2:per_MWh`.
    pub columns: Vec<String>,
    /// The table.
    #[serde(flatten)]
    pub table: TableSource,
}

/// How a table is laid out.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct TableSource {
    /// Name of the column with the time.
    pub time_column: String,
    /// How the time is written, with the directives of `strptime`; ISO 8601 where not given.
    #[serde(default)]
    pub time_format: Option<String>,
    /// What the time marks.
    pub stamp: Stamp,
    /// Whose clock it is: `UTC`, an IANA name, or an offset such as `+10:00`.
    pub zone: String,
    /// Length of each interval, minutes.
    pub resolution_minutes: u32,
    /// What stands before decimals.
    #[serde(default)]
    pub decimal: DecimalSign,
    /// What to do with a local time that exists twice.
    #[serde(default)]
    pub repeated: Repeated,
}

/// Why a scenario cannot be used. In order of precedence.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// The file cannot be read.
    #[error("cannot read {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file is no scenario.
    #[error("{}:{line}: {reason}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },
    /// A value of the file cannot be used.
    #[error("{key} = {value:?}: {reason}")]
    Value {
        /// Its key.
        key: &'static str,
        /// The value.
        value: String,
        /// What is wrong.
        reason: String,
    },
    /// The settlement calendar is none.
    #[error(transparent)]
    Calendar(#[from] SettlementCalendarError),
    /// The participants are none.
    #[error(transparent)]
    Participants(#[from] ParticipantError),
    /// A data file is refused.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The store is that of something else.
    #[error("the store has another {what} than the scenario, use an empty folder")]
    OtherStore {
        /// What differs.
        what: &'static str,
    },
    /// The store fails or refuses.
    #[error(transparent)]
    Store(#[from] StoreError),
}

const fn day_s() -> u32 {
    86_400
}

const fn refuse() -> MissingPolicy {
    MissingPolicy::Refuse
}

const fn settle() -> EstimatedPolicy {
    EstimatedPolicy::Settle
}

const fn measured() -> Quality {
    Quality::Measured
}

/// Reads a file of a scenario, which is TOML of a bounded length.
pub(in crate::scenario) fn read_toml<T: serde::de::DeserializeOwned>(
    path: &Path,
) -> Result<T, ScenarioError> {
    let unreadable = |source| ScenarioError::Unreadable { path: path.to_owned(), source };
    let mut text = String::new();
    let file = std::fs::File::open(path).map_err(unreadable)?;
    file.take(FILE_BYTES_MAX).read_to_string(&mut text).map_err(unreadable)?;
    toml::from_str(&text).map_err(|error| {
        let before = error.span().map_or(0, |span| span.start.min(text.len()));
        let line = text.as_bytes()[..before].iter().filter(|&&byte| byte == b'\n').count() + 1;
        let reason = error.message().to_owned();
        ScenarioError::Malformed { path: path.to_owned(), line, reason }
    })
}

impl Scenario {
    /// Reads a scenario.
    ///
    /// # Errors
    ///
    /// [`ScenarioError::Unreadable`], then [`ScenarioError::Malformed`].
    pub fn read(path: &Path) -> Result<Self, ScenarioError> {
        let mut scenario: Self = read_toml(path)?;
        path.parent().unwrap_or(Path::new("")).clone_into(&mut scenario.folder);
        Ok(scenario)
    }

    /// Returns the settings of its store.
    ///
    /// # Errors
    ///
    /// [`ScenarioError::Calendar`].
    pub fn settings(&self) -> Result<Settings, ScenarioError> {
        let before_s = self.from.as_second() - i64::from(self.period_length_s);
        let outside = SettlementCalendarError::Outside { instant: self.from };
        let genesis = match self.genesis_time {
            Some(genesis) => genesis,
            None => Timestamp::from_second(before_s).map_err(|_| outside)?,
        };
        let calendar =
            SettlementCalendar::new(genesis, self.period_length_s, self.slots_per_period)?;
        Ok(Settings::new(self.currency, self.zone.clone(), calendar))
    }

    /// Returns who takes part.
    ///
    /// # Errors
    ///
    /// [`ScenarioError::Value`] for a name that is none, [`ScenarioError::Participants`].
    pub fn book(&self) -> Result<ParticipantBook, ScenarioError> {
        let (mut parties, mut points) = (Vec::new(), Vec::new());
        for (number, home) in (1..).zip(&self.participants.homes) {
            let unusable = |reason: &dyn ToString| ScenarioError::Value {
                key: "participants.homes",
                value: home.clone(),
                reason: reason.to_string(),
            };
            let party: gridtally_core::party::PartyId =
                home.parse().map_err(|error| unusable(&error))?;
            let id = home.parse().map_err(|error| unusable(&error))?;
            let metering = self.participants.metering;
            points.push(PointEntry { id, party: party.clone(), metering, since: None });
            parties.push(PartyEntry {
                id: party,
                role: Role::Prosumer,
                participant: ParticipantNumber(number),
                meter: None,
                owner: None,
            });
        }
        Ok(ParticipantBook::new(parties, points)?)
    }

    /// Returns what its run is asked to do.
    #[must_use]
    pub fn run_options(&self) -> RunOptions {
        RunOptions {
            from: self.from,
            until: self.until,
            missing: self.missing,
            estimated: self.estimated,
            price_shift_weeks: self.price_shift_weeks,
            tariff: Some(self.tariff.name().to_owned()),
            as_of: None,
        }
    }
}

impl ReadingSource {
    /// Returns the files with what each is about.
    pub(in crate::scenario) fn files(
        &self,
        points: impl IntoIterator<Item = MeteringPointId>,
    ) -> Result<Vec<(String, Label<MeteringPointId>)>, ScenarioError> {
        let is_each = self.file.contains(POINT_PLACEHOLDER);
        match &self.point_column {
            Some(column) if !is_each => {
                Ok(vec![(self.file.clone(), Label::Column(column.clone()))])
            }
            None if is_each => {
                let each = points.into_iter().map(|point| {
                    let file = self.file.replace(POINT_PLACEHOLDER, point.as_str());
                    (file, Label::Fixed(point))
                });
                Ok(each.collect())
            }
            _ => Err(ScenarioError::Value {
                key: "readings.file",
                value: self.file.clone(),
                reason: format!("give either point_column or {POINT_PLACEHOLDER} in the path"),
            }),
        }
    }

    pub(in crate::scenario) fn columns(&self) -> Result<Vec<ReadingColumn>, ScenarioError> {
        columns("readings.columns", &self.columns)
    }
}

impl PriceSource {
    /// Returns which area the rows are about: a column says it, or the columns of prices do.
    pub(in crate::scenario) fn label(
        &self,
        columns: &[PriceColumn],
    ) -> Result<Label<PriceArea>, ScenarioError> {
        if let Some(column) = &self.area_column {
            return Ok(Label::Column(column.clone()));
        }
        let areas: Option<Vec<&PriceArea>> =
            columns.iter().map(|column| column.area.as_ref()).collect();
        let first = areas.and_then(|areas| areas.first().copied().cloned());
        first.map(Label::Fixed).ok_or_else(|| ScenarioError::Value {
            key: "prices.columns",
            value: self.columns.join(", "),
            reason: "give each column an area, as in no2_eur_mwh=NO2:per_MWh, or an area_column"
                .to_owned(),
        })
    }

    pub(in crate::scenario) fn columns(&self) -> Result<Vec<PriceColumn>, ScenarioError> {
        columns("prices.columns", &self.columns)
    }
}

fn columns<C: std::str::FromStr<Err: std::fmt::Display>>(
    key: &'static str,
    texts: &[String],
) -> Result<Vec<C>, ScenarioError> {
    let columns = texts.iter().map(|text| {
        text.parse().map_err(|error: C::Err| ScenarioError::Value {
            key,
            value: text.clone(),
            reason: error.to_string(),
        })
    });
    columns.collect()
}

impl TableSource {
    pub(in crate::scenario) fn layout<L>(
        &self,
        label: Label<L>,
    ) -> Result<Layout<L>, ScenarioError> {
        let zone = self.zone.parse();
        let zone = zone.map_err(|error: gridtally_core::calendar::ZoneError| {
            let (value, reason) = (self.zone.clone(), error.to_string());
            ScenarioError::Value { key: "zone", value, reason }
        })?;
        let resolution = Resolution::from_minutes(self.resolution_minutes);
        let resolution = resolution.map_err(|error| ScenarioError::Value {
            key: "resolution_minutes",
            value: self.resolution_minutes.to_string(),
            reason: error.to_string(),
        })?;
        Ok(Layout {
            separator: None,
            decimal: self.decimal,
            time_column: self.time_column.clone(),
            time_format: self.time_format.clone(),
            stamp: self.stamp,
            zone,
            repeated: self.repeated,
            resolution,
            label,
            skip_refused: false,
        })
    }
}
