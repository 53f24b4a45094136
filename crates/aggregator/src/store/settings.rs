//! What holds for a store as long as it exists.

use gridtally_core::calendar::Zone;
use gridtally_core::period::SettlementCalendar;
use gridtally_core::quantity::Currency;
use serde::{Deserialize, Serialize};

use super::error::{Fault, StoreError};

/// Name of the file in the store's folder.
pub(super) const SETTINGS_FILE: &str = "store.toml";
/// The format that this program writes.
pub const FORMAT: i64 = 1;

/// What holds for a store as long as it exists: `store.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Format of the store.
    pub format: i64,
    /// Currency of all prices and amounts.
    pub currency: Currency,
    /// Whose days people see.
    pub zone: Zone,
    /// How the settlement counts time.
    pub calendar: SettlementCalendar,
}

impl Settings {
    /// Returns the settings of a new store.
    #[must_use]
    pub const fn new(currency: Currency, zone: Zone, calendar: SettlementCalendar) -> Self {
        Self { format: FORMAT, currency, zone, calendar }
    }

    pub(super) fn to_toml(&self) -> String {
        toml::to_string(self).expect("settings are a table of plain values")
    }

    pub(super) fn of_toml(text: &str) -> Result<Self, StoreError> {
        /// The one field that every format has.
        #[derive(Deserialize)]
        struct AnyFormat {
            format: i64,
        }
        let malformed = |error: toml::de::Error| {
            let before = error.span().map_or(0, |span| span.start.min(text.len()));
            let line = text.as_bytes()[..before].iter().filter(|&&byte| byte == b'\n').count() + 1;
            Fault::malformed(SETTINGS_FILE, line as u64, error.message())
        };
        let AnyFormat { format: found } = toml::from_str(text).map_err(malformed)?;
        if found != FORMAT {
            return Err(StoreError::UnknownFormat { found });
        }
        Ok(toml::from_str(text).map_err(malformed)?)
    }
}
