//! Why a run is not possible.

use gridtally_core::meter::{Channel, MeteringPointId};
use gridtally_core::party::PartyId;
use gridtally_core::period::{Resolution, SettlementCalendarError, SettlementPeriod, Slot};
use gridtally_core::tariff::{PriceArea, PriceUnavailable};
use gridtally_settlement::{Gap, PeriodRefused, ReadingRefused, SlotEnergyError, TariffTableError};
use jiff::Timestamp;

use super::recorded::{EnergyRecorded, PricesRecorded};
use crate::store::StoreError;

/// Why a run is not possible. In order of precedence.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The span has no slots.
    #[error("{from} to {until} is no span of time")]
    EmptySpan {
        /// Its start.
        from: Timestamp,
        /// Its end.
        until: Timestamp,
    },
    /// The span does not begin or end with a slot.
    #[error("{instant} is not the start of a slot: slots have {slot_length_s} s since {genesis}")]
    NotAligned {
        /// The instant.
        instant: Timestamp,
        /// Length of a slot, s.
        slot_length_s: u32,
        /// Start of the settlement calendar.
        genesis: Timestamp,
    },
    /// The span is not inside the settlement calendar.
    #[error(transparent)]
    Calendar(#[from] SettlementCalendarError),
    /// The span begins before period 1.
    #[error("the span begins in period 0, which is never settled: period 1 starts {first}")]
    PeriodZero {
        /// Start of period 1.
        first: Timestamp,
    },
    /// More settlement periods than one run has.
    #[error("{count} settlement periods are more than {max}", max = super::prepared::PERIODS_MAX)]
    TooManyPeriods {
        /// How many the span has.
        count: u32,
    },
    /// No prices come in slots of this length.
    #[error("a slot of {slot_length_s} s is none of 10, 15, 30 or 60 minutes")]
    SlotLength {
        /// Length of a slot, s.
        slot_length_s: u32,
    },
    /// The store cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Nobody takes part.
    #[error("nobody is registered, import participants first")]
    NobodyRegistered,
    /// There is no tariff, or none of that name.
    #[error("the store has no tariff{}, import one first", named(.name.as_deref()))]
    TariffMissing {
        /// The name that was asked for.
        name: Option<String>,
    },
    /// There are several tariffs, and none was asked for.
    #[error("the store has the tariffs {}, say which one", .names.join(", "))]
    TariffAmbiguous {
        /// Their names.
        names: Vec<String>,
    },
    /// A slot has no price.
    #[error("{0}; a settlement period needs prices for all its slots before it can be published")]
    Price(#[from] PriceUnavailable),
    /// A slot has no spot price.
    #[error(
        "no spot price of {area} from {from} to {until} (from {local}); {}; a settlement period needs prices for all its \
         slots before it can be published",
        known(.areas)
    )]
    SpotMissing {
        /// The price area of the tariff.
        area: PriceArea,
        /// Start of the slot.
        from: Timestamp,
        /// Its end.
        until: Timestamp,
        /// Its start on the clocks of the store's zone.
        local: String,
        /// The areas of which the store has prices.
        areas: Vec<String>,
    },
    /// The prices do not make a table.
    #[error(transparent)]
    Table(#[from] TariffTableError),
    /// A reading is longer than a slot.
    #[error(
        "{point} {channel} has readings of {resolution}, longer than a slot of {slot_length_s} s"
    )]
    ReadingTooLong {
        /// Where it was metered.
        point: MeteringPointId,
        /// What was counted.
        channel: Channel,
        /// Length of its period.
        resolution: Resolution,
        /// Length of a slot, s.
        slot_length_s: u32,
    },
    /// The energy of a slot does not fit a record.
    #[error("{point} in period {period}: {source}")]
    Energy {
        /// Where it was metered.
        point: MeteringPointId,
        /// The settlement period.
        period: SettlementPeriod,
        /// Why it does not fit.
        source: SlotEnergyError,
    },
    /// Readings do not go together.
    #[error(transparent)]
    Reading(#[from] ReadingRefused),
    /// A slot has nothing that can be settled, and the policy is to refuse.
    #[error(
        "{party} {channel} at {}: the slot from {from} (slot {slot} of settlement period {period}) is {gap}",
        .points.join(", ")
    )]
    SlotMissing {
        /// Whose slot.
        party: PartyId,
        /// What is not known.
        channel: Channel,
        /// The party's metering points with that channel.
        points: Vec<String>,
        /// Start of the slot.
        from: Timestamp,
        /// The settlement period.
        period: SettlementPeriod,
        /// The slot inside it.
        slot: Slot,
        /// Why.
        gap: Gap,
    },
    /// A settlement period cannot be settled.
    #[error(transparent)]
    Period(#[from] PeriodRefused),
    /// A settlement period is recorded already, at other prices.
    #[error(transparent)]
    PricesRecorded(Box<PricesRecorded>),
    /// A slot is recorded already, with another energy.
    #[error(transparent)]
    EnergyRecorded(Box<EnergyRecorded>),
}

fn known(areas: &[String]) -> String {
    match areas {
        [] => "the store has no prices at all".to_owned(),
        areas => format!("the store has prices of {}", areas.join(", ")),
    }
}

fn named(name: Option<&str>) -> String {
    name.map_or_else(String::new, |name| format!(" named {name}"))
}
