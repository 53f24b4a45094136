//! Day-ahead prices as they could be: a windy Sunday with a glut at night, a working day with two peaks.

use jiff::civil::{DateTime, Weekday};

use gridtally_core::quantity::Price;

use super::dice::Dice;

/// Price at each local hour of a Saturday or Sunday, EUR/MWh. Negative: more wind than anybody needs.
const WEEKEND: [i32; 24] =
    [18, 9, 2, -2, -3, 1, 8, 15, 24, 30, 28, 22, 17, 14, 16, 27, 46, 68, 81, 77, 62, 49, 40, 33];
/// Price at each local hour of a working day, EUR/MWh.
const WORKING_DAY: [i32; 24] = [
    31, 28, 26, 26, 30, 42, 68, 102, 118, 96, 78, 66, 58, 54, 57, 70, 94, 131, 146, 122, 91, 72,
    56, 44,
];
/// Micro-units per kWh in a hundredth of a EUR/MWh.
const MICRO_PER_CENT: i64 = 10;

/// Returns the price of the quarter-hour that begins at `local`, a whole number of hundredths of a EUR/MWh.
///
/// Inside an hour prices lead over to the next hour, as they do where ramps are traded by the quarter-hour.
pub(super) fn quarter_hour(local: DateTime, dice: &mut Dice) -> Price {
    let shape = match local.weekday() {
        Weekday::Saturday | Weekday::Sunday => &WEEKEND,
        _ => &WORKING_DAY,
    };
    let hour = usize::try_from(local.hour()).expect("0 to 23");
    let (this, next) = (i64::from(shape[hour]), i64::from(shape[(hour + 1) % 24]));
    let cents = this * 100 + (next - this) * 100 * i64::from(local.minute()) / 120;
    let cents = cents + dice.between(-150, 150);
    let micro = i32::try_from(cents * MICRO_PER_CENT).expect("some hundred EUR/MWh");
    Price::from_micro_per_kwh(micro)
}
