//! Words of the vocabulary, each from any text: what is read is written as it was, but for the hour's second name.

use std::fmt::{Debug, Display};
use std::str::FromStr;

use gridtally_core::calendar::Zone;
use gridtally_core::decimal::parse_scaled;
use gridtally_core::holiday::HolidayCalendar;
use gridtally_core::id::{Eic, Gln, Gsrn};
use gridtally_core::meter::{Channel, MeteringPointId};
use gridtally_core::party::{PartyId, Role};
use gridtally_core::period::{Period, Resolution};
use gridtally_core::quantity::{Amount, Currency, Energy, Power, Price};
use gridtally_core::reading::Quality;
use gridtally_core::tariff::{MinuteOfDay, PriceArea};

pub(crate) fn decode(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    written::<Gsrn>(text);
    written::<Gln>(text);
    written::<Eic>(text);
    written::<MeteringPointId>(text);
    written::<PartyId>(text);
    written::<PriceArea>(text);
    written::<Zone>(text);
    written::<Role>(text);
    written::<Channel>(text);
    written::<Quality>(text);
    written::<HolidayCalendar>(text);
    written::<Currency>(text);
    written::<MinuteOfDay>(text);
    again::<Resolution>(text);
    again::<Period>(text);
    again::<Energy>(text);
    again::<Power>(text);
    again::<Price>(text);
    again::<Amount>(text);
    for scale in [0, 3, 6] {
        let _answer = parse_scaled(text, scale);
    }
    let _answer = Price::from_decimal_per_mwh(text);
    let _answer = Price::from_decimal_per_kwh(text);
    let _answer = Energy::from_decimal_kwh(text);
}

/// What is read has one form only.
fn written<T: FromStr + Display>(text: &str) {
    if let Ok(value) = text.parse::<T>() {
        assert_eq!(value.to_string(), text);
    }
}

/// What is read may have several forms, and is the same in the one that is written.
fn again<T: FromStr<Err: Debug> + Display + PartialEq + Debug>(text: &str) {
    if let Ok(value) = text.parse::<T>() {
        assert_eq!(value.to_string().parse::<T>().expect("what was written is read"), value);
    }
}
