//! Tariffs, as TOML: one that is read is written and read again, and prices any time of its years.

use gridtally_core::period::{Period, Resolution};
use gridtally_core::tariff::{PriceKind, SpotPrices, Tariff};
use jiff::Timestamp;

/// Seconds between the periods that are priced: 100 days, an hour and a minute.
const STEP_S: i64 = 8_643_660;

pub(crate) fn decode(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(tariff) = toml::from_str::<Tariff>(text) else { return };
    let written = toml::to_string(&tariff).expect("a tariff can be written");
    assert_eq!(toml::from_str::<Tariff>(&written).as_ref(), Ok(&tariff));
    let spot = SpotPrices::new();
    for version in tariff.versions() {
        for step in 0..20 {
            let second = version.valid_from.as_second().saturating_add(step * STEP_S);
            let Ok(instant) = Timestamp::from_second(second) else { continue };
            for resolution in Resolution::ALL {
                let Ok(period) = Period::containing(instant, resolution) else { continue };
                for kind in [PriceKind::Import, PriceKind::Export, PriceKind::Flexibility] {
                    let _answer = tariff.price(kind, period, &spot);
                }
            }
        }
    }
}
