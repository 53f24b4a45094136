//! Decimal text to integers, exactly: `53.79` euro per megawatt-hour is 53 790 micro-euro per kilowatt-hour.

use crate::rejection::Reason;

/// Why a text is not a decimal number that fits. In order of precedence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecimalError {
    /// Nothing there.
    #[error("the number is empty")]
    Empty,
    /// `NaN`, `inf` or `infinity`, in any case and with any sign.
    #[error("not a finite number")]
    NotFinite,
    /// Scientific notation such as `1.5E+3`, which spreadsheets write when they have lost digits.
    #[error("exponents are not accepted, write all digits")]
    Exponent,
    /// A decimal comma; only a point is accepted.
    #[error("decimal commas are not accepted, write a point")]
    Comma,
    /// Any other text.
    #[error("not a decimal number")]
    NotANumber,
    /// The scaled value does not fit.
    #[error("the number is out of range")]
    OutOfRange,
}

impl DecimalError {
    /// Returns the documented reason.
    #[must_use]
    pub const fn reason(self) -> Reason {
        match self {
            Self::Empty => Reason::NumberEmpty,
            Self::NotFinite => Reason::NumberNotFinite,
            Self::Exponent => Reason::NumberExponent,
            Self::Comma => Reason::NumberComma,
            Self::NotANumber => Reason::NumberMalformed,
            Self::OutOfRange => Reason::NumberOutOfRange,
        }
    }
}

/// Returns `text` times 10^`scale` as an integer, rounded half away from zero.
///
/// Accepts an optional `-`, at least one digit, and optionally a point followed by at least one digit. No blanks, no `+`,
/// no exponent. At most 64 characters.
///
/// ```
/// use gridtally_core::decimal::parse_scaled;
///
/// assert_eq!(parse_scaled("53.79", 3), Ok(53_790));
/// assert_eq!(parse_scaled("-0.0005", 3), Ok(-1));
/// ```
///
/// # Errors
///
/// In the order of [`DecimalError`].
pub fn parse_scaled(text: &str, scale: u32) -> Result<i64, DecimalError> {
    if text.is_empty() {
        return Err(DecimalError::Empty);
    }
    let (negative, digits) = match text.as_bytes() {
        [b'-', rest @ ..] => (true, rest),
        all => (false, all),
    };
    let (whole, fraction) = match digits.iter().position(|&byte| byte == b'.') {
        Some(point) => (&digits[..point], Some(&digits[point + 1..])),
        None => (digits, None),
    };
    let all_digits = |part: &[u8]| !part.is_empty() && part.iter().all(u8::is_ascii_digit);
    if text.len() > 64 || !all_digits(whole) || !fraction.is_none_or(all_digits) {
        return Err(fault(text));
    }
    let fraction = fraction.unwrap_or_default();
    let mut magnitude: i64 = 0;
    // Digits are added below zero, where the range is larger by one.
    let mut push = |digit: u8| -> Result<(), DecimalError> {
        magnitude = magnitude
            .checked_mul(10)
            .and_then(|shifted| shifted.checked_sub(i64::from(digit)))
            .ok_or(DecimalError::OutOfRange)?;
        Ok(())
    };
    for &byte in whole {
        push(byte - b'0')?;
    }
    let kept = usize::try_from(scale).unwrap_or(usize::MAX);
    for place in 0..kept {
        push(fraction.get(place).map_or(0, |byte| byte - b'0'))?;
    }
    // The first dropped digit alone decides: five or more is half or more.
    if fraction.get(kept).is_some_and(|&byte| byte >= b'5') {
        magnitude = magnitude.checked_sub(1).ok_or(DecimalError::OutOfRange)?;
    }
    if negative { Ok(magnitude) } else { magnitude.checked_neg().ok_or(DecimalError::OutOfRange) }
}

/// Names what is wrong with a text that is not a plain decimal.
fn fault(text: &str) -> DecimalError {
    let bare = text.trim().trim_start_matches(['+', '-']);
    let is_word = |word: &str| bare.eq_ignore_ascii_case(word);
    if bare.is_empty() && text.trim().is_empty() {
        return DecimalError::Empty;
    }
    if is_word("nan") || is_word("inf") || is_word("infinity") {
        return DecimalError::NotFinite;
    }
    let numeric = |byte: &u8| byte.is_ascii_digit() || b".,+-eE".contains(byte);
    let starts_with_digit = bare.as_bytes().first().is_some_and(u8::is_ascii_digit);
    if starts_with_digit && bare.as_bytes().iter().all(numeric) {
        if bare.contains(['e', 'E']) {
            return DecimalError::Exponent;
        }
        if bare.contains(',') {
            return DecimalError::Comma;
        }
    }
    DecimalError::NotANumber
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn plain_decimals_are_exact() {
        for (text, scale, value) in [
            ("0", 0, 0),
            ("-0", 3, 0),
            ("53.79", 3, 53_790),
            ("-500", 3, -500_000),
            ("0.123456", 6, 123_456),
            ("0.1234565", 6, 123_457),
            ("-0.1234565", 6, -123_457),
            ("0.12345649999", 6, 123_456),
            ("00012.5", 1, 125),
            ("9223372036854775807", 0, i64::MAX),
            ("-9223372036854775808", 0, i64::MIN),
        ] {
            assert_eq!(parse_scaled(text, scale), Ok(value), "{text}");
        }
    }

    #[test]
    fn everything_else_is_refused_by_name() {
        let long = "1".repeat(65);
        for (text, reason) in [
            ("", DecimalError::Empty),
            ("  ", DecimalError::Empty),
            ("NaN", DecimalError::NotFinite),
            ("-inf", DecimalError::NotFinite),
            ("Infinity", DecimalError::NotFinite),
            ("1.5E+3", DecimalError::Exponent),
            ("1e3", DecimalError::Exponent),
            ("1,5", DecimalError::Comma),
            ("+1", DecimalError::NotANumber),
            (" 1", DecimalError::NotANumber),
            ("1.", DecimalError::NotANumber),
            (".5", DecimalError::NotANumber),
            ("-", DecimalError::NotANumber),
            ("--1", DecimalError::NotANumber),
            ("1.2.3", DecimalError::NotANumber),
            ("0x10", DecimalError::NotANumber),
            ("١", DecimalError::NotANumber),
            (long.as_str(), DecimalError::NotANumber),
            ("9223372036854775808", DecimalError::OutOfRange),
            // Here the rounding alone overflows.
            ("9223372036854775807.5", DecimalError::OutOfRange),
        ] {
            assert_eq!(parse_scaled(text, 0), Err(reason), "{text}");
        }
    }

    proptest! {
        #[test]
        fn agrees_with_integer_rounding(whole in -1_000_000_i64..1_000_000, micro in 0_i64..1_000_000, scale in 0_u32..6) {
            let text = format!("{whole}.{micro:06}");
            let exact = i128::from(whole) * 1_000_000 + i128::from(micro) * if text.starts_with('-') { -1 } else { 1 };
            let unit = 10_i128.pow(6 - scale);
            let away = (exact.abs() + unit / 2) / unit * exact.signum();
            prop_assert_eq!(parse_scaled(&text, scale).map(i128::from), Ok(away));
        }

        #[test]
        fn never_panics(text in ".*", scale in 0_u32..9) {
            let _outcome = parse_scaled(&text, scale);
        }
    }
}
