//! Numbers of fields, to integers.

use std::borrow::Cow;

use gridtally_core::decimal::parse_scaled;
use gridtally_core::quantity::{Price, PriceError};
use gridtally_core::rejection::Reason;

use super::layout::{DecimalSign, EnergyUnit, PriceUnit};

/// What files write where there is no value.
const MISSING: [&str; 5] = ["-", "--", "null", "na", "n/a"];

/// A number as an integer, and whether decimals were rounded away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::import) struct Scaled {
    pub(in crate::import) value: i32,
    pub(in crate::import) is_rounded: bool,
}

/// Returns watt-hours: not negative, at most 32 bits. Kilowatt-hours with more than three decimals, as programs write that
/// count in binary fractions (`1.0779999`), are rounded half away from zero; watt-hours have none.
pub(super) fn energy_wh(text: &str, unit: EnergyUnit, sign: DecimalSign) -> Result<Scaled, Reason> {
    if unit == EnergyUnit::Wh
        && let Some(value) = short_digits(text)
    {
        return Ok(Scaled { value, is_rounded: false });
    }
    let text = plain(text, sign)?;
    let (scale, decimals) = match unit {
        EnergyUnit::Wh => (0, 0),
        EnergyUnit::KiloWh => (3, 3),
    };
    let wh = parse_scaled(&text, scale).map_err(|error| error.reason())?;
    let value = i32::try_from(wh).map_err(|_| Reason::NumberOutOfRange)?;
    let is_rounded = has_more_decimals(decimals, &text);
    if is_rounded && unit == EnergyUnit::Wh {
        return Err(Reason::NumberNotWhole);
    }
    if text.starts_with('-') && text.bytes().any(|byte| (b'1'..=b'9').contains(&byte)) {
        return Err(Reason::EnergyNegative);
    }
    Ok(Scaled { value, is_rounded })
}

/// Returns micro-units per kilowatt-hour, rounded half away from zero.
pub(super) fn price_micro_per_kwh(
    text: &str,
    unit: PriceUnit,
    sign: DecimalSign,
) -> Result<Scaled, Reason> {
    scaled_price(&plain(text, sign)?, unit)
}

/// Returns micro-units per kilowatt-hour of a number with a decimal point, rounded half away from zero.
pub(in crate::import) fn scaled_price(text: &str, unit: PriceUnit) -> Result<Scaled, Reason> {
    let (price, scale) = match unit {
        PriceUnit::PerMwh => (Price::from_decimal_per_mwh(text), 3),
        PriceUnit::PerKwh => (Price::from_decimal_per_kwh(text), 6),
    };
    let value = price.map(Price::micro_per_kwh).map_err(|error| match error {
        PriceError::NotADecimal(error) => error.reason(),
        PriceError::OutOfRange => Reason::NumberOutOfRange,
    })?;
    Ok(Scaled { value, is_rounded: has_more_decimals(scale, text) })
}

/// One to nine digits, the usual case.
fn short_digits(text: &str) -> Option<i32> {
    let bytes = text.as_bytes();
    if bytes.is_empty() || bytes.len() > 9 {
        return None;
    }
    bytes.iter().try_fold(0_i32, |value, byte| {
        byte.is_ascii_digit().then(|| value * 10 + i32::from(byte - b'0'))
    })
}

/// The number with a decimal point and without blanks around it.
fn plain(text: &str, sign: DecimalSign) -> Result<Cow<'_, str>, Reason> {
    let text = text.trim_matches([' ', '\t']);
    if MISSING.iter().any(|word| text.eq_ignore_ascii_case(word)) {
        return Err(Reason::NumberEmpty);
    }
    Ok(match sign {
        DecimalSign::Point => Cow::Borrowed(text),
        // A point would separate thousands: no guessing.
        DecimalSign::Comma if text.contains('.') => return Err(Reason::NumberMalformed),
        DecimalSign::Comma => Cow::Owned(text.replacen(',', ".", 1)),
    })
}

/// Whether there are decimals other than zero beyond the first `scale`.
fn has_more_decimals(scale: usize, text: &str) -> bool {
    let decimals = text.split_once('.').map_or("", |(_, decimals)| decimals);
    decimals.bytes().skip(scale).any(|digit| digit != b'0')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The value, with a mark where it was rounded.
    fn check(scaled: Result<Scaled, Reason>, expected: Result<&str, Reason>, text: &str) {
        let mark = |scaled: Scaled| {
            format!("{}{}", if scaled.is_rounded { "about " } else { "" }, scaled.value)
        };
        assert_eq!(scaled.map(mark).as_deref(), expected.as_ref().copied(), "{text:?}");
    }

    #[test]
    fn kilowatt_hours_become_whole_watt_hours() {
        for (text, expected) in [
            (" 0.143 ", Ok("143")),
            ("0.1430", Ok("143")),
            ("0.1435", Ok("about 144")),
            ("1.0779999", Ok("about 1078")),
            ("-0.000", Ok("0")),
            ("-0.0001", Err(Reason::EnergyNegative)),
            ("-0.001", Err(Reason::EnergyNegative)),
            ("2147483.647", Ok("2147483647")),
            ("2147483.648", Err(Reason::NumberOutOfRange)),
            ("", Err(Reason::NumberEmpty)),
            ("-", Err(Reason::NumberEmpty)),
            ("Null", Err(Reason::NumberEmpty)),
            ("n/a", Err(Reason::NumberEmpty)),
            (" ", Err(Reason::NumberEmpty)),
            ("NaN", Err(Reason::NumberNotFinite)),
            ("1e3", Err(Reason::NumberExponent)),
            ("1,5", Err(Reason::NumberComma)),
            ("1 000", Err(Reason::NumberMalformed)),
            ("1\u{a0}000", Err(Reason::NumberMalformed)),
        ] {
            check(energy_wh(text, EnergyUnit::KiloWh, DecimalSign::Point), expected, text);
        }
    }

    #[test]
    fn watt_hours_are_whole() {
        for (text, expected) in [
            ("0", Ok("0")),
            ("2147483647", Ok("2147483647")),
            ("12.0", Ok("12")),
            ("12.5", Err(Reason::NumberNotWhole)),
            ("-0.5", Err(Reason::NumberNotWhole)),
            ("2147483647.5", Err(Reason::NumberOutOfRange)),
            ("-2147483649", Err(Reason::NumberOutOfRange)),
            ("-2147483648", Err(Reason::EnergyNegative)),
            ("2147483648", Err(Reason::NumberOutOfRange)),
        ] {
            check(energy_wh(text, EnergyUnit::Wh, DecimalSign::Point), expected, text);
        }
    }

    #[test]
    fn decimal_commas_are_read_where_announced() {
        for (text, expected) in [
            ("95,599998", Ok("about 95600")),
            ("-0,5", Ok("-500")),
            ("1.095,5", Err(Reason::NumberMalformed)),
            ("1,2,3", Err(Reason::NumberComma)),
        ] {
            check(price_micro_per_kwh(text, PriceUnit::PerMwh, DecimalSign::Comma), expected, text);
        }
    }
}
