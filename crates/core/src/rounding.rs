//! Rounding half away from zero, the commercial rule of document lines and prices.

/// Returns `numerator / denominator` rounded half away from zero: 2.5 is 3, -2.5 is -3.
///
/// # Panics
///
/// When `denominator` is not positive, which is a bug of the caller.
///
/// # Source
///
/// `domain.md` §4.3; records truncate instead (settlement protocol §2.1).
#[must_use]
pub fn divide_half_away(numerator: i128, denominator: i128) -> i128 {
    assert!(denominator > 0, "denominator {denominator} is not positive");
    let quotient = numerator / denominator;
    let remainder = (numerator % denominator).unsigned_abs();
    let half_or_more = remainder >= denominator.unsigned_abs().div_ceil(2);
    if half_or_more { quotient + numerator.signum() } else { quotient }
}

/// Returns micro-units rounded half away from zero to minor units (1/100): 2.345 is 2.35.
#[must_use]
pub fn minor_units_rounded(amount: crate::Amount) -> i64 {
    const MICRO_PER_MINOR: i128 = 10_000;
    let minor = divide_half_away(i128::from(amount.micro()), MICRO_PER_MINOR);
    i64::try_from(minor).expect("a ten-thousandth of an i64 fits an i64")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Amount;

    /// TV-14.
    #[test]
    fn halves_go_away_from_zero() {
        let minor = |micro| minor_units_rounded(Amount::from_micro(micro));
        assert_eq!(minor(2_345_000), 235);
        assert_eq!(minor(-2_345_000), -235);
        assert_eq!(minor(125_000), 13);
        assert_eq!(minor(2_344_999), 234);
        assert_eq!(minor(i64::MAX), 922_337_203_685_478);
    }

    #[test]
    fn odd_denominators_round_to_the_nearest() {
        assert_eq!(divide_half_away(1, 3), 0);
        assert_eq!(divide_half_away(2, 3), 1);
        assert_eq!(divide_half_away(-2, 3), -1);
        assert_eq!(divide_half_away(0, 7), 0);
    }
}
