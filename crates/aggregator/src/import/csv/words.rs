//! Layouts in words, as a command line gives them.

use std::str::FromStr;

use gridtally_core::meter::Channel;

use super::layout::{
    DecimalSign, EnergyUnit, PriceColumn, PriceUnit, ReadingColumn, Repeated, Stamp,
};

/// A text that does not say how a table is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected}")]
pub struct LayoutError {
    /// What may stand there.
    pub expected: &'static str,
}

/// Reads a type from a fixed list of words.
macro_rules! words {
    ($name:ident, $expected:literal, $($word:literal => $variant:ident),+) => {
        impl FromStr for $name {
            type Err = LayoutError;

            #[doc = concat!("Reads ", $expected, ".")]
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text {
                    $($word => Ok(Self::$variant),)+
                    _ => Err(LayoutError { expected: $expected }),
                }
            }
        }
    };
}

words!(Stamp, "start or end", "start" => Start, "end" => End);
words!(DecimalSign, "point or comma", "point" => Point, "comma" => Comma);
words!(Repeated, "refuse or by_order", "refuse" => Refuse, "by_order" => ByOrder);
words!(EnergyUnit, "Wh or kWh", "Wh" => Wh, "kWh" => KiloWh);
words!(PriceUnit, "per_MWh or per_kWh", "per_MWh" => PerMwh, "per_kWh" => PerKwh);

impl FromStr for ReadingColumn {
    type Err = LayoutError;

    /// Reads name, channel and unit: `consumption_wh=import:Wh`. The name may have any characters.
    ///
    /// ```
    /// use gridtally_aggregator::import::csv::{EnergyUnit, ReadingColumn};
    ///
    /// let column: ReadingColumn = "KWH/hh (per half hour)=import:kWh".parse()?;
    /// assert_eq!((column.name.as_str(), column.unit), ("KWH/hh (per half hour)", EnergyUnit::KiloWh));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let expected = "a column, channel and unit, such as consumption_wh=import:Wh";
        let error = LayoutError { expected };
        let (name, rest) =
            text.rsplit_once('=').filter(|(name, _)| !name.is_empty()).ok_or(error)?;
        let (channel, unit) = rest.split_once(':').ok_or(error)?;
        let channel: Channel = channel.parse().map_err(|_| error)?;
        Ok(Self { name: name.into(), channel, unit: unit.parse().map_err(|_| error)? })
    }
}

impl FromStr for PriceColumn {
    type Err = LayoutError;

    /// Reads name, area and unit: `no2_eur_mwh=NO2:per_MWh`, or without an area where the rows have one: `price=per_MWh`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let expected = "a column, perhaps an area, and a unit, such as no2_eur_mwh=NO2:per_MWh";
        let error = LayoutError { expected };
        let (name, rest) =
            text.rsplit_once('=').filter(|(name, _)| !name.is_empty()).ok_or(error)?;
        let (area, unit) = match rest.split_once(':') {
            Some((area, unit)) => (Some(area.parse().map_err(|_| error)?), unit),
            None => (None, rest),
        };
        Ok(Self { name: name.into(), area, unit: unit.parse().map_err(|_| error)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_written_with_what_they_hold() {
        let reading = |text: &str| text.parse::<ReadingColumn>();
        assert_eq!(
            reading("a=b=export:kWh"),
            Ok(ReadingColumn {
                name: "a=b".into(),
                channel: Channel::Export,
                unit: EnergyUnit::KiloWh
            })
        );
        for text in ["", "a", "=import:Wh", "a=import", "a=import:W", "a=both:Wh", "a=:"] {
            assert!(reading(text).is_err(), "{text}");
        }
        let price = |text: &str| text.parse::<PriceColumn>();
        let (name, unit) = (String::from("p"), PriceUnit::PerKwh);
        let area = "NO2".parse().ok();
        assert_eq!(price("p=NO2:per_kWh"), Ok(PriceColumn { name: name.clone(), area, unit }));
        assert_eq!(price("p=per_kWh"), Ok(PriceColumn { name, area: None, unit }));
        for text in ["p", "p=", "p=NO2", "p=N O:per_kWh", "p=NO2:kWh"] {
            assert!(price(text).is_err(), "{text}");
        }
    }

    #[test]
    fn words_are_those_of_layout_files() {
        // The same words, whether a flag or a file has them.
        for word in ["start", "end", "middle"] {
            let from_file = serde_json::from_value::<Stamp>(word.into()).ok();
            assert_eq!(word.parse().ok(), from_file, "{word}");
        }
        for word in ["Wh", "kWh", "KiloWh"] {
            let from_file = serde_json::from_value::<EnergyUnit>(word.into()).ok();
            assert_eq!(word.parse().ok(), from_file, "{word}");
        }
        for word in ["per_MWh", "per_kWh", "PerKwh"] {
            let from_file = serde_json::from_value::<PriceUnit>(word.into()).ok();
            assert_eq!(word.parse().ok(), from_file, "{word}");
        }
        for word in ["refuse", "by_order", "byOrder"] {
            let from_file = serde_json::from_value::<Repeated>(word.into()).ok();
            assert_eq!(word.parse().ok(), from_file, "{word}");
        }
        for word in ["point", "comma", ","] {
            let from_file = serde_json::from_value::<DecimalSign>(word.into()).ok();
            assert_eq!(word.parse().ok(), from_file, "{word}");
        }
    }
}
