//! Numbers of fields, to integers.

use std::borrow::Cow;

use gridtally_core::decimal::parse_scaled;
use gridtally_core::quantity::{Price, PriceError};
use gridtally_core::rejection::Reason;

use super::layout::{DecimalSign, EnergyUnit, PriceUnit};

/// What files write where there is no value.
const MISSING: [&str; 5] = ["-", "--", "null", "na", "n/a"];

/// Returns watt-hours: not negative, at most 32 bits.
pub(super) fn energy_wh(text: &str, unit: EnergyUnit, sign: DecimalSign) -> Result<i32, Reason> {
    if unit == EnergyUnit::Wh
        && let Some(wh) = short_digits(text)
    {
        return Ok(wh);
    }
    let text = plain(text, sign)?;
    let scale = match unit {
        EnergyUnit::Wh => 0,
        EnergyUnit::KiloWh => 3,
    };
    let wh = parse_scaled(&text, scale).map_err(|error| error.reason())?;
    if !has_at_most(scale, &text) {
        return Err(Reason::NumberOutOfRange);
    }
    if wh < 0
        || (wh == 0 && text.starts_with('-') && text.bytes().any(|b| (b'1'..=b'9').contains(&b)))
    {
        return Err(Reason::EnergyNegative);
    }
    i32::try_from(wh).map_err(|_| Reason::NumberOutOfRange)
}

/// Returns micro-units per kilowatt-hour, rounded half away from zero.
pub(super) fn price_micro_per_kwh(
    text: &str,
    unit: PriceUnit,
    sign: DecimalSign,
) -> Result<i32, Reason> {
    let text = plain(text, sign)?;
    let price = match unit {
        PriceUnit::PerMwh => Price::from_decimal_per_mwh(&text),
        PriceUnit::PerKwh => Price::from_decimal_per_kwh(&text),
    };
    price.map(Price::micro_per_kwh).map_err(|error| match error {
        PriceError::NotADecimal(error) => error.reason(),
        PriceError::OutOfRange => Reason::NumberOutOfRange,
    })
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

/// Whether all decimals beyond the first `scale` are zeros, so that nothing is rounded away.
fn has_at_most(scale: u32, text: &str) -> bool {
    let decimals = text.split_once('.').map_or("", |(_, decimals)| decimals);
    decimals.bytes().skip(scale.try_into().unwrap_or(usize::MAX)).all(|digit| digit == b'0')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn energy_is_exact_or_refused() {
        let wh = |text| energy_wh(text, EnergyUnit::KiloWh, DecimalSign::Point);
        assert_eq!(wh(" 0.143 "), Ok(143));
        assert_eq!(wh("0.1430"), Ok(143));
        assert_eq!(wh("0.1435"), Err(Reason::NumberOutOfRange));
        assert_eq!(wh("-0.0001"), Err(Reason::NumberOutOfRange));
        assert_eq!(wh("-0.001"), Err(Reason::EnergyNegative));
        assert_eq!(wh("2147483.648"), Err(Reason::NumberOutOfRange));
        for missing in ["", "-", "Null", "n/a", " "] {
            assert_eq!(wh(missing), Err(Reason::NumberEmpty), "{missing:?}");
        }
        assert_eq!(wh("NaN"), Err(Reason::NumberNotFinite));
        assert_eq!(wh("1e3"), Err(Reason::NumberExponent));
        assert_eq!(wh("1,5"), Err(Reason::NumberComma));
        assert_eq!(wh("1 000"), Err(Reason::NumberMalformed));
        assert_eq!(wh("1\u{a0}000"), Err(Reason::NumberMalformed));
        let whole = |text| energy_wh(text, EnergyUnit::Wh, DecimalSign::Point);
        assert_eq!((whole("0"), whole("2147483647")), (Ok(0), Ok(2_147_483_647)));
        assert_eq!(
            (whole("12.5"), whole("2147483648")),
            (Err(Reason::NumberOutOfRange), Err(Reason::NumberOutOfRange))
        );
    }

    #[test]
    fn decimal_commas_are_read_where_announced() {
        let price = |text| price_micro_per_kwh(text, PriceUnit::PerMwh, DecimalSign::Comma);
        assert_eq!(price("95,599998"), Ok(95_600));
        assert_eq!(price("-0,5"), Ok(-500));
        assert_eq!(price("1.095,5"), Err(Reason::NumberMalformed));
        assert_eq!(price("1,2,3"), Err(Reason::NumberComma));
    }
}
