//! Rounding half away from zero: the commercial rule of document lines and prices. Records truncate instead.

use crate::quantity::{Amount, Currency};

/// Returns `numerator / denominator` rounded half away from zero: 5 / 2 is 3, -5 / 2 is -3.
///
/// # Panics
///
/// When `denominator` is not positive, which is a bug of the caller.
///
/// # Source
///
/// Test vector TV-14; settlement protocol, section 2.1, for the records.
#[must_use]
pub const fn divide_half_away(numerator: i128, denominator: i128) -> i128 {
    assert!(denominator > 0, "the denominator must be positive");
    let (quotient, rest) = (numerator / denominator, numerator % denominator);
    // Doubling the rest could overflow, subtracting it cannot.
    let half_or_more = rest.unsigned_abs() >= (denominator - rest.abs()).unsigned_abs();
    if half_or_more { quotient + numerator.signum() } else { quotient }
}

/// Returns an amount in whole minor units of its currency (cent, øre), rounded half away from zero: EUR 2.345 is 235.
///
/// # Panics
///
/// Never: the result is not larger than the micro-units.
#[must_use]
pub fn minor_units_rounded(amount: Amount, currency: Currency) -> i64 {
    let micro_per_minor = 10_i128.pow(6 - currency.minor_unit_digits());
    let minor = divide_half_away(i128::from(amount.micro()), micro_per_minor);
    i64::try_from(minor).expect("a part of an i64 fits an i64")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn halves_go_away_from_zero() {
        let minor = |micro| minor_units_rounded(Amount::from_micro(micro), Currency::EUR);
        // TV-14: 2.345 -> 2.35, -2.345 -> -2.35, 0.125 -> 0.13.
        assert_eq!(minor(2_345_000), 235);
        assert_eq!(minor(-2_345_000), -235);
        assert_eq!(minor(125_000), 13);
        assert_eq!(minor(2_344_999), 234);
        assert_eq!(minor(i64::MAX), 922_337_203_685_478);
        assert_eq!(minor(i64::MIN), -922_337_203_685_478);
    }

    #[test]
    fn currencies_have_their_own_minor_unit() {
        let minor =
            |code: &str| minor_units_rounded(Amount::from_micro(1_500_500), code.parse().unwrap());
        assert_eq!((minor("JPY"), minor("NOK"), minor("KWD")), (2, 150, 1501));
    }

    proptest! {
        #[test]
        fn the_result_is_the_nearest(numerator: i64, denominator in 1_i64..=i64::MAX) {
            let (numerator, denominator) = (i128::from(numerator), i128::from(denominator));
            let distance = (divide_half_away(numerator, denominator) * denominator - numerator).abs();
            prop_assert!(2 * distance <= denominator);
            let opposite = divide_half_away(-numerator, denominator);
            prop_assert_eq!(divide_half_away(numerator, denominator), -opposite);
        }
    }
}
