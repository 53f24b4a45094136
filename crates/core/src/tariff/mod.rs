//! Tariffs: prices for import, export and flexibility, composed of parts, each version with its time of validity.

mod part;
mod spot;

pub use part::{Band, MinuteOfDay, MinuteOfDayError, PricePart, TimeOfUse};
pub use spot::{PriceArea, SpotPrices};

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::id::{IdError, short_name};
use crate::period::Period;
use crate::quantity::{Currency, Price};

/// A rule that gives the price of any period: versions that follow each other without gap or overlap.
///
/// As TOML:
///
/// ```
/// # let text = r#"
/// name = "household"
/// currency = "NOK"
///
/// [[version]]
/// valid_from = "2026-01-01T00:00:00+01:00"
///
/// [[version.import]]
/// part = "spot"
/// area = "NO2"
/// margin_micro_per_kwh = 20000
///
/// [[version.import]]
/// part = "time_of_use"
/// zone = "Europe/Oslo"
/// holidays = "norway"
/// otherwise_micro_per_kwh = 120000
///
/// [[version.import.band]]
/// days = ["working_day"]
/// from = "06:00"
/// until = "22:00"
/// price_micro_per_kwh = 200000
/// # "#;
/// # let tariff: gridtally_core::tariff::Tariff = toml::from_str(text)?;
/// # assert_eq!(tariff.versions().len(), 1);
/// # Ok::<(), toml::de::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "UncheckedTariff")]
pub struct Tariff {
    name: Box<str>,
    currency: Currency,
    #[serde(rename = "version")]
    versions: Vec<TariffVersion>,
}

/// The same fields before they were checked.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UncheckedTariff {
    name: String,
    currency: Currency,
    #[serde(rename = "version")]
    versions: Vec<TariffVersion>,
}

/// What holds from one instant to another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TariffVersion {
    /// First instant of validity.
    pub valid_from: Timestamp,
    /// First instant after it, the `valid_from` of the next version; the last version may stay open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<Timestamp>,
    /// What a prosumer pays for energy drawn from the grid, as a sum of parts; empty when it has no price.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub import: Vec<PricePart>,
    /// What a prosumer receives for energy fed into the grid (buy-back).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub export: Vec<PricePart>,
    /// What a prosumer receives for energy that was shifted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flexibility: Vec<PricePart>,
}

/// Which price of a tariff.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PriceKind {
    /// Of energy drawn from the grid.
    Import,
    /// Of energy fed into the grid.
    Export,
    /// Of flexibility that was delivered.
    Flexibility,
}

impl PriceKind {
    /// All of them, in order.
    pub const ALL: [Self; 3] = [Self::Import, Self::Export, Self::Flexibility];
}

impl fmt::Display for PriceKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Import => "import",
            Self::Export => "export",
            Self::Flexibility => "flexibility",
        })
    }
}

/// Why there is no such tariff. In order of precedence; versions count from 1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TariffError {
    /// The name is not a short name.
    #[error("the name of the tariff: {0}")]
    Name(IdError),
    /// Nothing, or more than anybody needs.
    #[error("a tariff has 1 to {max} versions, not {actual}", max = Tariff::VERSIONS_MAX)]
    VersionCount {
        /// As given.
        actual: usize,
    },
    /// More parts or bands than anybody needs.
    #[error("version {version} has more than {max} parts or bands", max = TariffVersion::PARTS_MAX)]
    TooManyParts {
        /// Which version.
        version: usize,
    },
    /// A version that is over before it starts.
    #[error("version {version} is valid until {until}, which is not after its start {from}")]
    Empty {
        /// Which version.
        version: usize,
        /// Its start.
        from: Timestamp,
        /// Its end.
        until: Timestamp,
    },
    /// A version that starts before the one above it ends.
    #[error("version {version} starts {from}, while the one before it is still valid")]
    Overlap {
        /// Which version.
        version: usize,
        /// Its start.
        from: Timestamp,
    },
    /// A time without a version.
    #[error("no version is valid from {until} to {from}, the start of version {version}")]
    Gap {
        /// Which version.
        version: usize,
        /// End of the one before it.
        until: Timestamp,
        /// Its start.
        from: Timestamp,
    },
    /// A price that 32 bits do not hold at some time, whatever the market says.
    #[error("version {version} has {kind} prices beyond {max} micro-units per kWh", max = i32::MAX)]
    PriceTooLarge {
        /// Which version.
        version: usize,
        /// Which price.
        kind: PriceKind,
    },
    /// A band of a price by time of use that never applies.
    #[error(
        "band {band} never applies: it has no day, or the bands before it take all of its times"
    )]
    BandUnused {
        /// Which version.
        version: usize,
        /// Which price.
        kind: PriceKind,
        /// Which part of it, from 1.
        part: usize,
        /// Which band of it, from 1.
        band: usize,
    },
}

/// Why a period has no price. In order of precedence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PriceUnavailable {
    /// The period starts before the first or after the last version.
    #[error("no version of the tariff is valid at {period}")]
    NoVersion {
        /// The period.
        period: Period,
    },
    /// The version has no price of this kind.
    #[error("the tariff has no {kind} price at {period}")]
    NotOffered {
        /// Which price.
        kind: PriceKind,
        /// The period.
        period: Period,
    },
    /// The spot price is not known.
    #[error("no spot price of {area} at {period}")]
    SpotMissing {
        /// The price area.
        area: PriceArea,
        /// The period.
        period: Period,
    },
    /// The parts sum to a price beyond 32 bits.
    #[error("the {kind} price at {period} is out of range")]
    OutOfRange {
        /// Which price.
        kind: PriceKind,
        /// The period.
        period: Period,
    },
}

impl TariffVersion {
    /// Most parts of one price, and most bands of one part.
    pub const PARTS_MAX: usize = 64;

    /// Returns the parts of one price.
    #[must_use]
    pub fn parts(&self, kind: PriceKind) -> &[PricePart] {
        match kind {
            PriceKind::Import => &self.import,
            PriceKind::Export => &self.export,
            PriceKind::Flexibility => &self.flexibility,
        }
    }

    /// Whether some sum of the parts of a price lies beyond 32 bits; where the market has a part in it, nobody can say before.
    fn is_too_large(&self, kind: PriceKind) -> bool {
        let bounds = self.parts(kind).iter().map(PricePart::bounds).collect::<Option<Vec<_>>>();
        let bounds = bounds.unwrap_or_default();
        let least: i64 = bounds.iter().map(|(least, _)| least).sum();
        let most: i64 = bounds.iter().map(|(_, most)| most).sum();
        i32::try_from(least).and(i32::try_from(most)).is_err()
    }

    /// Returns the first part of a price, and its band, that never applies, from 0.
    fn unused_band(&self, kind: PriceKind) -> Option<(usize, usize)> {
        self.parts(kind).iter().enumerate().find_map(|(place, part)| match part {
            PricePart::TimeOfUse(part) => Some((place, part.unused_band()?)),
            PricePart::Spot { .. } | PricePart::Fixed { .. } => None,
        })
    }

    fn is_bounded(&self) -> bool {
        [&self.import, &self.export, &self.flexibility].into_iter().all(|parts| {
            let bands_fit = |part: &PricePart| match part {
                PricePart::TimeOfUse(part) => part.bands.len() <= Self::PARTS_MAX,
                PricePart::Spot { .. } | PricePart::Fixed { .. } => true,
            };
            parts.len() <= Self::PARTS_MAX && parts.iter().all(bands_fit)
        })
    }
}

impl Tariff {
    /// Most versions of a tariff.
    pub const VERSIONS_MAX: usize = 1_000;

    /// Returns the tariff of these versions, the earliest first.
    ///
    /// # Errors
    ///
    /// In the order of [`TariffError`], each for the first version it applies to.
    pub fn new(
        name: &str,
        currency: Currency,
        versions: Vec<TariffVersion>,
    ) -> Result<Self, TariffError> {
        let name = short_name(name, |byte| byte.is_ascii_lowercase()).map_err(TariffError::Name)?;
        if versions.is_empty() || versions.len() > Self::VERSIONS_MAX {
            return Err(TariffError::VersionCount { actual: versions.len() });
        }
        if let Some(index) = versions.iter().position(|version| !version.is_bounded()) {
            return Err(TariffError::TooManyParts { version: index + 1 });
        }
        for (number, version) in (1..).zip(&versions) {
            let from = version.valid_from;
            if let Some(until) = version.valid_until.filter(|&until| until <= from) {
                return Err(TariffError::Empty { version: number, from, until });
            }
        }
        for (number, pair) in (2..).zip(versions.windows(2)) {
            let from = pair[1].valid_from;
            match pair[0].valid_until {
                Some(until) if until < from => {
                    return Err(TariffError::Gap { version: number, until, from });
                }
                Some(until) if until == from => {}
                _ => return Err(TariffError::Overlap { version: number, from }),
            }
        }
        let prices = || (1..).zip(&versions).flat_map(|of| PriceKind::ALL.map(|kind| (of, kind)));
        for ((version, content), kind) in prices() {
            if content.is_too_large(kind) {
                return Err(TariffError::PriceTooLarge { version, kind });
            }
        }
        for ((version, content), kind) in prices() {
            if let Some((part, band)) = content.unused_band(kind) {
                let (part, band) = (part + 1, band + 1);
                return Err(TariffError::BandUnused { version, kind, part, band });
            }
        }
        Ok(Self { name: name.into(), currency, versions })
    }

    /// Returns the name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the currency of all prices.
    #[must_use]
    pub const fn currency(&self) -> Currency {
        self.currency
    }

    /// Returns the versions, the earliest first.
    #[must_use]
    pub fn versions(&self) -> &[TariffVersion] {
        &self.versions
    }

    /// Returns the version that is valid at an instant.
    #[must_use]
    pub fn version_at(&self, instant: Timestamp) -> Option<&TariffVersion> {
        let after = self.versions.partition_point(|version| version.valid_from <= instant);
        let version = &self.versions[after.checked_sub(1)?];
        version.valid_until.is_none_or(|until| instant < until).then_some(version)
    }

    /// Returns the price of a period: the sum of the parts of the version that is valid at its start.
    ///
    /// # Errors
    ///
    /// In the order of [`PriceUnavailable`].
    pub fn price(
        &self,
        kind: PriceKind,
        period: Period,
        spot: &SpotPrices,
    ) -> Result<Price, PriceUnavailable> {
        let version =
            self.version_at(period.start()).ok_or(PriceUnavailable::NoVersion { period })?;
        let parts = version.parts(kind);
        if parts.is_empty() {
            return Err(PriceUnavailable::NotOffered { kind, period });
        }
        let mut micro_per_kwh: i64 = 0;
        for part in parts {
            // At most 64 parts of 33 bits.
            micro_per_kwh += part.micro_per_kwh(period, spot)?;
        }
        let price = i32::try_from(micro_per_kwh)
            .map_err(|_| PriceUnavailable::OutOfRange { kind, period })?;
        Ok(Price::from_micro_per_kwh(price))
    }
}

impl TryFrom<UncheckedTariff> for Tariff {
    type Error = TariffError;

    fn try_from(unchecked: UncheckedTariff) -> Result<Self, Self::Error> {
        Self::new(&unchecked.name, unchecked.currency, unchecked.versions)
    }
}

#[cfg(test)]
mod tests;
