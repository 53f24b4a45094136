//! What the caller knows of a table. Nothing of it is guessed but the separator.

use gridtally_core::calendar::Zone;
use gridtally_core::meter::Channel;
use gridtally_core::period::Resolution;
use gridtally_core::tariff::PriceArea;
use jiff::Timestamp;
use serde::Deserialize;

use crate::import::input::Limits;

/// How a table is to be read; `L` names what its rows are about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout<L> {
    /// What separates fields; found in the header where not given.
    pub separator: Option<u8>,
    /// What stands before decimals.
    pub decimal: DecimalSign,
    /// Name of the column with the time.
    pub time_column: String,
    /// How it is written, such as `%d.%m.%Y %H:%M` with the directives of `strptime`; ISO 8601 where not given.
    pub time_format: Option<String>,
    /// What that time marks.
    pub stamp: Stamp,
    /// Whose clock it is. A stamp with `Z` or an offset of its own is taken by that.
    pub zone: StampZone,
    /// What to do with a local time that exists twice.
    pub repeated: Repeated,
    /// Length of each interval.
    pub resolution: Resolution,
    /// What the rows are about.
    pub label: Label<L>,
    /// Whether faulty rows are passed over instead of refusing the file.
    pub skip_refused: bool,
}

/// What stands before the decimals of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DecimalSign {
    /// `0.143`
    #[default]
    Point,
    /// `0,143`
    Comma,
}

/// What a time stamp marks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stamp {
    /// The first instant of the interval.
    Start,
    /// The first instant after it.
    End,
}

/// Whose clock a time stamp shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StampZone {
    /// Local time of a place, with its daylight saving.
    Zone(Zone),
    /// A fixed offset from UTC in seconds, positive east.
    Offset(i32),
}

impl std::str::FromStr for StampZone {
    type Err = gridtally_core::calendar::ZoneError;

    /// Reads `UTC`, an IANA name, or an offset such as `+10:00`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let &[sign @ (b'+' | b'-'), h1, h0, b':', m1, m0] = text.as_bytes() {
            let digits = [h1, h0, m1, m0];
            if digits.iter().all(u8::is_ascii_digit) {
                let [h1, h0, m1, m0] = digits.map(|digit| i32::from(digit - b'0'));
                let (hours, minutes) = (h1 * 10 + h0, m1 * 10 + m0);
                if hours <= 14 && minutes < 60 {
                    let offset_s = hours * 3_600 + minutes * 60;
                    return Ok(Self::Offset(if sign == b'-' { -offset_s } else { offset_s }));
                }
            }
        }
        Zone::new(text).map(Self::Zone)
    }
}

/// What to do with a local time that exists twice, when clocks go back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Repeated {
    /// Refuse the row.
    #[default]
    Refuse,
    /// Rows ascend: it is the earlier one, unless that has come already.
    ByOrder,
}

/// What the rows of a table are about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Label<L> {
    /// All rows are about this.
    Fixed(L),
    /// A column names it.
    Column(String),
}

/// A unit of energy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum EnergyUnit {
    /// Watt-hours, whole.
    Wh,
    /// Kilowatt-hours; more than three decimals are rounded half away from zero.
    #[serde(rename = "kWh")]
    KiloWh,
}

/// What a price is per, in whole units of its currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum PriceUnit {
    /// Per megawatt-hour.
    #[serde(rename = "per_MWh")]
    PerMwh,
    /// Per kilowatt-hour.
    #[serde(rename = "per_kWh")]
    PerKwh,
}

/// A column of energy.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReadingColumn {
    /// Its name in the header.
    pub name: String,
    /// What it counts.
    pub channel: Channel,
    /// Its unit.
    pub unit: EnergyUnit,
}

/// A column of prices.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PriceColumn {
    /// Its name in the header.
    pub name: String,
    /// The area; where not given, the rows' label.
    pub area: Option<PriceArea>,
    /// Its unit.
    pub unit: PriceUnit,
}

/// Around the file.
#[derive(Debug, Clone)]
pub struct Context {
    /// Name of the file, for messages.
    pub file: String,
    /// The time of the import. Readings of intervals that end later are refused, and prices more than two days ahead.
    pub now: Timestamp,
    /// Readings of intervals that start earlier are refused.
    pub oldest: Option<Timestamp>,
    /// Whose days of 23 and 25 hours the report shows.
    pub report_zone: Zone,
    /// What is accepted at most.
    pub limits: Limits,
}

/// Which intervals are accepted, in Unix seconds.
#[derive(Debug, Clone, Copy)]
pub(in crate::import) struct Accepted {
    pub(in crate::import) start_min_s: i64,
    pub(in crate::import) end_max_s: i64,
}

impl Context {
    /// Days that prices may lie ahead: published at noon, they reach to the end of the next day.
    const PRICE_DAYS_AHEAD: i64 = 2;

    /// Returns which intervals readings may have: they are over.
    pub(in crate::import) fn accepted_readings(&self) -> Accepted {
        let start_min_s = self.oldest.map_or(i64::MIN, Timestamp::as_second);
        Accepted { start_min_s, end_max_s: self.now.as_second() }
    }

    /// Returns which intervals prices may have.
    pub(in crate::import) fn accepted_prices(&self) -> Accepted {
        let end_max_s = self.now.as_second() + Self::PRICE_DAYS_AHEAD * 86_400;
        Accepted { start_min_s: i64::MIN, end_max_s }
    }
}
