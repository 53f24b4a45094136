//! Energy, power, price and amount as integers. Each type is a dimension; constructor and accessor name the unit.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::decimal::{DecimalError, parse_scaled};
use crate::period::Resolution;

const WH_PER_KWH: i128 = 1_000;

/// A text that is not a quantity with its unit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected a whole number and the unit {unit}, such as '750 {unit}'")]
pub struct ParseQuantityError {
    /// The unit that was expected after the number.
    pub unit: &'static str,
}

/// An integer quantity: construction, order, checked arithmetic, text with its unit, serde as a bare integer.
macro_rules! quantity {
    ($(#[$doc:meta])* $name:ident($integer:ty), $from:ident, $get:ident, $unit:literal) => {
        $(#[$doc])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name($integer);

        impl $name {
            /// Nothing.
            pub const ZERO: Self = Self(0);
            /// The smallest value.
            pub const MIN: Self = Self(<$integer>::MIN);
            /// The largest value.
            pub const MAX: Self = Self(<$integer>::MAX);

            #[doc = concat!("Makes a value from ", $unit, ".")]
            #[must_use]
            pub const fn $from(value: $integer) -> Self {
                Self(value)
            }

            #[doc = concat!("Returns the value in ", $unit, ".")]
            #[must_use]
            pub const fn $get(self) -> $integer {
                self.0
            }

            /// Returns the sum, or nothing when it does not fit.
            #[must_use]
            pub const fn checked_add(self, other: Self) -> Option<Self> {
                match self.0.checked_add(other.0) {
                    Some(sum) => Some(Self(sum)),
                    None => None,
                }
            }

            /// Returns the difference, or nothing when it does not fit.
            #[must_use]
            pub const fn checked_sub(self, other: Self) -> Option<Self> {
                match self.0.checked_sub(other.0) {
                    Some(difference) => Some(Self(difference)),
                    None => None,
                }
            }

            /// Returns the value with the other sign, or nothing when it does not fit.
            #[must_use]
            pub const fn checked_neg(self) -> Option<Self> {
                match self.0.checked_neg() {
                    Some(negated) => Some(Self(negated)),
                    None => None,
                }
            }

            /// Returns the sum of all values, or nothing when it does not fit.
            pub fn checked_sum(values: impl IntoIterator<Item = Self>) -> Option<Self> {
                values.into_iter().try_fold(Self::ZERO, Self::checked_add)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(formatter, concat!("{} ", $unit), self.0)
            }
        }

        impl FromStr for $name {
            type Err = ParseQuantityError;

            /// Reads what [`Display`](fmt::Display) writes.
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.strip_suffix(concat!(" ", $unit))
                    .filter(|digits| !digits.starts_with('+'))
                    .and_then(|digits| digits.parse().ok())
                    .map(Self)
                    .ok_or(ParseQuantityError { unit: $unit })
            }
        }
    };
}

quantity! {
    /// Energy in watt-hours. At a metering point, positive is drawn from the grid and negative is fed in.
    Energy(i64), from_wh, wh, "Wh"
}
quantity! {
    /// Power in watts, with the sign of [`Energy`].
    Power(i64), from_w, w, "W"
}
quantity! {
    /// Price in micro-units of the currency per kilowatt-hour: 123 400 is 0.1234 EUR/kWh. May be negative.
    Price(i32), from_micro_per_kwh, micro_per_kwh, "micro/kWh"
}
quantity! {
    /// Money in micro-units (10^-6) of the currency. The currency stands beside it, in the store or the contract.
    Amount(i64), from_micro, micro, "micro"
}

impl Energy {
    /// Reads a decimal number of kilowatt-hours, rounded half away from zero to whole watt-hours.
    ///
    /// # Errors
    ///
    /// See [`DecimalError`].
    pub fn from_decimal_kwh(text: &str) -> Result<Self, DecimalError> {
        parse_scaled(text, 3).map(Self)
    }

    /// Returns the constant power that gives this energy in one period, rounded half away from zero; nothing when it does
    /// not fit.
    ///
    /// ```
    /// use gridtally_core::period::Resolution;
    /// use gridtally_core::quantity::{Energy, Power};
    ///
    /// let power = Energy::from_wh(750).mean_power(Resolution::Minutes15);
    /// assert_eq!(power, Some(Power::from_w(3000)));
    /// ```
    #[must_use]
    pub fn mean_power(self, resolution: Resolution) -> Option<Power> {
        // Every resolution divides the hour, so nothing is rounded.
        self.0.checked_mul(i64::from(60 / resolution.minutes())).map(Power)
    }
}

impl Power {
    /// Returns the energy of one period at this power, rounded half away from zero to whole watt-hours.
    ///
    /// ```
    /// use gridtally_core::period::Resolution;
    /// use gridtally_core::quantity::{Energy, Power};
    ///
    /// let energy = Power::from_w(3000).energy_rounded(Resolution::Minutes15);
    /// assert_eq!(energy, Energy::from_wh(750));
    /// ```
    #[must_use]
    pub fn energy_rounded(self, resolution: Resolution) -> Energy {
        let parts = i64::from(60 / resolution.minutes());
        let (whole, rest) = (self.0 / parts, self.0 % parts);
        Energy(if rest.abs() * 2 >= parts { whole + rest.signum() } else { whole })
    }
}

/// An amount that does not fit into 64 bits of micro-units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{energy_wh} Wh at {price_micro_per_kwh} micro/kWh exceeds the largest amount")]
pub struct AmountOverflow {
    /// The energy, in watt-hours.
    pub energy_wh: i64,
    /// The price, in micro-units per kilowatt-hour.
    pub price_micro_per_kwh: i32,
}

/// A decimal price that cannot be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PriceError {
    /// Not a decimal number.
    #[error(transparent)]
    NotADecimal(DecimalError),
    /// Beyond ±2 147.483647 per kWh, the range of the contract.
    #[error(
        "the price is out of range, at most 2147.483647 per kWh (2147483.647 per MWh) either way"
    )]
    OutOfRange,
}

impl Price {
    /// Reads a decimal price per megawatt-hour, as exchanges publish it; rounded half away from zero to micro-units per
    /// kilowatt-hour.
    ///
    /// ```
    /// use gridtally_core::quantity::Price;
    ///
    /// assert_eq!(Price::from_decimal_per_mwh("53.79"), Ok(Price::from_micro_per_kwh(53_790)));
    /// ```
    ///
    /// # Errors
    ///
    /// In the order of [`PriceError`].
    pub fn from_decimal_per_mwh(text: &str) -> Result<Self, PriceError> {
        Self::from_scaled(text, 3)
    }

    /// Reads a decimal price per kilowatt-hour, rounded half away from zero to micro-units.
    ///
    /// # Errors
    ///
    /// In the order of [`PriceError`].
    pub fn from_decimal_per_kwh(text: &str) -> Result<Self, PriceError> {
        Self::from_scaled(text, 6)
    }

    fn from_scaled(text: &str, scale: u32) -> Result<Self, PriceError> {
        let micro = parse_scaled(text, scale).map_err(|error| match error {
            DecimalError::OutOfRange => PriceError::OutOfRange,
            other => PriceError::NotADecimal(other),
        })?;
        i32::try_from(micro).map(Self).map_err(|_| PriceError::OutOfRange)
    }

    /// Returns what `energy` costs at this price, truncated toward zero as the contract does.
    ///
    /// ```
    /// use gridtally_core::quantity::{Amount, Energy, Price};
    ///
    /// let amount = Price::from_micro_per_kwh(-123_400).amount_truncated(Energy::from_wh(5));
    /// assert_eq!(amount, Ok(Amount::from_micro(-617)));
    /// ```
    ///
    /// # Errors
    ///
    /// Returns [`AmountOverflow`] when the result does not fit into 64 bits of micro-units.
    pub fn amount_truncated(self, energy: Energy) -> Result<Amount, AmountOverflow> {
        let micro = i128::from(energy.0) * i128::from(self.0) / WH_PER_KWH;
        let overflow = AmountOverflow { energy_wh: energy.0, price_micro_per_kwh: self.0 };
        i64::try_from(micro).map(Amount).map_err(|_| overflow)
    }
}

/// A currency by its ISO 4217 code of three capital letters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Currency([u8; 3]);

/// A text that is not an ISO 4217 code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a currency is three capital letters, such as EUR or NOK")]
pub struct CurrencyError;

impl Currency {
    /// The euro.
    pub const EUR: Self = Self(*b"EUR");
    /// The Norwegian krone.
    pub const NOK: Self = Self(*b"NOK");

    /// Returns the code.
    ///
    /// # Panics
    ///
    /// Never: only capital letters are stored.
    #[must_use]
    pub fn code(&self) -> &str {
        std::str::from_utf8(&self.0).expect("a currency holds capital letters only")
    }

    /// Returns how many decimals a document in this currency shows: 2 for most, 0 for JPY and ISK, 3 for KWD.
    ///
    /// # Source
    ///
    /// ISO 4217, table A.1, minor units.
    #[must_use]
    pub fn minor_unit_digits(&self) -> u32 {
        match &self.0 {
            b"BIF" | b"CLP" | b"DJF" | b"GNF" | b"ISK" | b"JPY" | b"KMF" | b"KRW" | b"PYG"
            | b"RWF" | b"UGX" | b"UYI" | b"VND" | b"VUV" | b"XAF" | b"XOF" | b"XPF" => 0,
            b"BHD" | b"IQD" | b"JOD" | b"KWD" | b"LYD" | b"OMR" | b"TND" => 3,
            b"CLF" | b"UYW" => 4,
            _ => 2,
        }
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.code())
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.code())
    }
}

impl FromStr for Currency {
    type Err = CurrencyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.as_bytes() {
            &[a, b, c] if [a, b, c].iter().all(u8::is_ascii_uppercase) => Ok(Self([a, b, c])),
            _ => Err(CurrencyError),
        }
    }
}

impl TryFrom<String> for Currency {
    type Error = CurrencyError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Currency> for String {
    fn from(currency: Currency) -> Self {
        currency.code().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn prices_are_read_exactly() {
        for (text, micro) in [
            ("53.79", 53_790),
            ("-2.1", -2_100),
            ("0", 0),
            ("0.0005", 1),
            ("-0.0005", -1),
            ("0.00049", 0),
            ("2147483.647", i32::MAX),
            ("-2147483.648", i32::MIN),
        ] {
            assert_eq!(Price::from_decimal_per_mwh(text), Ok(Price(micro)), "{text}");
        }
        assert_eq!(Price::from_decimal_per_kwh("0.1234"), Ok(Price(123_400)));
        assert_eq!(Price::from_decimal_per_kwh("0.0000005"), Ok(Price(1)));
    }

    #[test]
    fn prices_out_of_range_are_refused() {
        for text in ["2147483.648", "2147483.6475", "-2147483.649", "99999999999999999999"] {
            assert_eq!(Price::from_decimal_per_mwh(text), Err(PriceError::OutOfRange), "{text}");
        }
        let not_a_number = PriceError::NotADecimal(DecimalError::NotFinite);
        assert_eq!(Price::from_decimal_per_mwh("NaN"), Err(not_a_number));
    }

    #[test]
    fn amounts_truncate_toward_zero() {
        for (price, wh, micro) in
            [(1, 999, 0), (-1, 999, 0), (1, 1_999, 1), (-1, 1_999, -1), (-3, -500, 1)]
        {
            assert_eq!(
                Price(price).amount_truncated(Energy(wh)),
                Ok(Amount(micro)),
                "{price} {wh}"
            );
        }
    }

    #[test]
    fn amounts_beyond_64_bits_are_refused() {
        let overflow = AmountOverflow { energy_wh: i64::MAX, price_micro_per_kwh: i32::MAX };
        assert_eq!(Price::MAX.amount_truncated(Energy::MAX), Err(overflow));
        // Exactly the border: i64::MIN Wh at 1000 micro/kWh fits, with the other sign it does not.
        assert_eq!(Price(1000).amount_truncated(Energy::MIN), Ok(Amount::MIN));
        assert!(Price(-1000).amount_truncated(Energy::MIN).is_err());
    }

    #[test]
    fn power_and_energy_convert() {
        assert_eq!(Power(3000).energy_rounded(Resolution::Minutes15), Energy(750)); // TV-13
        assert_eq!(Energy(750).mean_power(Resolution::Minutes15), Some(Power(3000))); // TV-13
        assert_eq!(Power(2).energy_rounded(Resolution::Minutes15), Energy(1));
        assert_eq!(Power(-2).energy_rounded(Resolution::Minutes15), Energy(-1));
        assert_eq!(Power(1).energy_rounded(Resolution::Minutes15), Energy(0));
        assert_eq!(Power::MAX.energy_rounded(Resolution::Minutes60), Energy::MAX);
        assert_eq!(Energy::MAX.mean_power(Resolution::Minutes30), None);
    }

    #[test]
    fn sums_are_checked() {
        assert_eq!(Energy::checked_sum([Energy(3), Energy(-5)]), Some(Energy(-2)));
        assert_eq!(Amount::checked_sum([Amount::MAX, Amount(1)]), None);
        assert_eq!(Amount::MIN.checked_neg(), None);
    }

    #[test]
    fn currencies_are_three_capital_letters() {
        assert_eq!("NOK".parse(), Ok(Currency::NOK));
        for text in ["", "nok", "NO", "NOKK", "N0K", "ÅBC"] {
            assert_eq!(text.parse::<Currency>(), Err(CurrencyError), "{text}");
        }
        assert_eq!(serde_json::to_string(&Currency::EUR).unwrap(), "\"EUR\"");
        assert!(serde_json::from_str::<Currency>("\"eur\"").is_err());
    }

    proptest! {
        #[test]
        fn text_and_json_round_trip(wh: i64, micro_per_kwh: i32) {
            let (energy, price) = (Energy(wh), Price(micro_per_kwh));
            prop_assert_eq!(energy.to_string().parse(), Ok(energy));
            prop_assert_eq!(price.to_string().parse(), Ok(price));
            prop_assert_eq!(serde_json::to_string(&energy).unwrap(), wh.to_string());
            prop_assert_eq!(serde_json::from_str::<Energy>(&wh.to_string()).unwrap(), energy);
        }

        #[test]
        fn energy_of_mean_power_is_the_energy(wh in -1_000_000_000_i64..1_000_000_000) {
            for resolution in Resolution::ALL {
                let power = Energy(wh).mean_power(resolution).unwrap();
                prop_assert_eq!(power.energy_rounded(resolution), Energy(wh));
            }
        }
    }
}
