//! What a record moves.

use gridtally_core::quantity::{Amount, Price};

use crate::code::{Code, CodeClass};

/// Watt-hours in a kilowatt-hour, which prices are per.
const WH_PER_KWH: i64 = 1_000;
/// Micro-units in a hundredth of the currency unit, the unit of withdrawals.
pub(crate) const MICRO_PER_HUNDREDTH: i64 = 10_000;

/// Returns `value_wh x price / 1000` truncated toward zero, as the contract computes it. Always fits: |result| < 2^53.
#[must_use]
pub const fn priced_truncated(value_wh: i32, price: Price) -> Amount {
    // Below 2^62: two 32-bit factors.
    Amount::from_micro(value_wh as i64 * price.micro_per_kwh() as i64 / WH_PER_KWH)
}

/// Returns the amount that a record adds to its participant's balance, for codes 1 to 63; the hub gets the opposite
/// (nothing for a withdrawal). `None` for a deposit, whose amount stands in the inbox.
///
/// `price` is ignored for a withdrawal, which is in hundredths of the currency unit.
///
/// # Source
///
/// Settlement protocol §2.2.
#[must_use]
pub const fn participant_amount(code: Code, value: i32, price: Price) -> Option<Amount> {
    match code.class() {
        CodeClass::Deposit => None,
        CodeClass::HubPays => Some(priced_truncated(value, price)),
        CodeClass::ParticipantPays => {
            Some(Amount::from_micro(-priced_truncated(value, price).micro()))
        }
        CodeClass::Withdrawal => Some(Amount::from_micro(-(value as i64 * MICRO_PER_HUNDREDTH))),
    }
}
