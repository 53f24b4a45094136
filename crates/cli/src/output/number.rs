//! Numbers as people read them.

use std::time::Duration;

use gridtally_core::rounding::divide_half_away;

/// Returns an integer with a comma between thousands: 12,288.
pub(crate) fn grouped(number: impl Into<i128>) -> String {
    let number = number.into();
    let digits = number.unsigned_abs().to_string();
    let mut text = String::from(if number < 0 { "-" } else { "" });
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Returns `value / 10^scale` with `decimals` decimals, half away from zero; `decimals` is at most `scale`.
pub(crate) fn decimal_rounded(value: i128, scale: u32, decimals: u32) -> String {
    let rounded = divide_half_away(value, 10_i128.pow(scale.saturating_sub(decimals)));
    let unit = 10_i128.pow(decimals);
    let sign = if rounded < 0 { "-" } else { "" };
    let whole = grouped(rounded.abs() / unit);
    if decimals == 0 {
        return format!("{sign}{whole}");
    }
    let width = decimals as usize;
    format!("{sign}{whole}.{:0width$}", rounded.abs() % unit)
}

/// Returns a number rounded to six decimals, the precision of problems and plans, without a minus before a zero.
pub(crate) fn to_six_decimals(value: f64) -> f64 {
    (value * 1e6).round() / 1e6 + 0.0
}

/// Returns an amount of a plan with two decimals and a comma between thousands: 2,321.70.
#[expect(clippy::cast_possible_truncation, reason = "beyond 38 digits it is no amount")]
pub(crate) fn money(value: f64) -> String {
    decimal_rounded((value * 100.0).round() as i128, 2, 2)
}

/// Returns a duration with a unit that fits: 870 ms, 4.21 s.
pub(crate) fn duration(duration: Duration) -> String {
    let ms = i128::try_from(duration.as_millis()).unwrap_or(i128::MAX);
    if ms < 1_000 { format!("{ms} ms") } else { format!("{} s", decimal_rounded(ms, 3, 2)) }
}

/// Returns how many a second, rounded down; 0 where no time has passed.
pub(crate) fn rate_per_s(count: u64, duration: Duration) -> u64 {
    let per_s = u128::from(count) * 1_000_000_000;
    per_s.checked_div(duration.as_nanos()).and_then(|rate| u64::try_from(rate).ok()).unwrap_or(0)
}

/// Returns a count with its noun, in the plural where it is not one.
pub(crate) fn counted(count: u64, noun: &str) -> String {
    let ending = if count == 1 { "" } else { "s" };
    format!("{} {noun}{ending}", grouped(count))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_grouped() {
        assert_eq!(
            [0_i64, 7, 999, 1_000, -12_288, 1_234_567].map(grouped),
            ["0", "7", "999", "1,000", "-12,288", "1,234,567"]
        );
    }

    #[test]
    fn decimals_are_rounded_half_away_from_zero() {
        assert_eq!(decimal_rounded(2_345, 3, 2), "2.35");
        assert_eq!(decimal_rounded(-2_345, 3, 2), "-2.35");
        assert_eq!(decimal_rounded(-4, 3, 2), "0.00");
        assert_eq!(decimal_rounded(1_234_567_890, 6, 0), "1,235");
    }

    #[test]
    fn amounts_of_plans_have_cents() {
        assert_eq!([2_321.7, -0.004, -12_345.678].map(money), ["2,321.70", "0.00", "-12,345.68"]);
    }

    #[test]
    fn durations_and_rates_have_fitting_units() {
        assert_eq!(duration(Duration::from_millis(870)), "870 ms");
        assert_eq!(duration(Duration::from_millis(4_213)), "4.21 s");
        assert_eq!(rate_per_s(5_000, Duration::from_millis(250)), 20_000);
        assert_eq!(rate_per_s(5_000, Duration::ZERO), 0);
    }
}
