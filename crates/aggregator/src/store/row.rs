//! The rows of tables: what one line says, in exactly one form.

use std::fmt;
use std::io::Write;

use gridtally_core::meter::Channel;
use gridtally_core::period::Resolution;
use gridtally_core::quantity::{Energy, Price};
use gridtally_core::reading::{MeterReading, Quality};

use super::names::Names;
use super::utc::{parse_utc, push_utc};

/// Longest line of a table with its line end: a time, a name of 40 characters, words and numbers.
pub(super) const LINE_BYTES_MAX: u64 = 160;

/// What all rows have in common.
pub(super) trait Row: Copy + PartialEq + fmt::Debug {
    /// The first line of a table.
    const HEADER: &'static str;
    /// The folder of the tables.
    const FOLDER: &'static str;

    /// Returns the start of the period, Unix time, s.
    fn start_s(&self) -> i64;

    /// Returns the length of the period.
    fn resolution(&self) -> Resolution;

    /// Returns the place of what the row is about in the order of names.
    fn place(&self) -> u32;

    /// Returns what orders rows. Of two rows with the same key the later version holds.
    fn key(&self) -> (i64, u32, u8);
}

/// How rows become lines and come back.
pub(super) trait RowText: Row {
    /// Adds the line with its line end.
    fn write(&self, names: &Names, text: &mut Vec<u8>);

    /// Reads a line without its line end. Errors say what is wrong.
    fn parse(text: &[u8], names: &Names, near: u32) -> Result<Self, &'static str>;
}

/// The energy of one period in one channel of one metering point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadingRow {
    /// Start of the period, Unix time, s.
    pub start_s: i64,
    /// Place of the metering point in [`StoreView::metering_points`](super::StoreView::metering_points).
    pub point: u32,
    /// What was counted.
    pub channel: Channel,
    /// Length of the period.
    pub resolution: Resolution,
    /// The energy, not negative; nothing when the value is missing.
    pub energy: Option<Energy>,
    /// How the value came to be.
    pub quality: Quality,
}

/// The spot price of one period in one area.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PriceRow {
    /// Start of the period, Unix time, s.
    pub start_s: i64,
    /// Place of the area in [`StoreView::price_areas`](super::StoreView::price_areas).
    pub area: u32,
    /// Length of the period.
    pub resolution: Resolution,
    /// The price.
    pub price: Price,
}

impl Row for ReadingRow {
    const HEADER: &'static str = "start,metering_point,channel,minutes,energy_wh,quality\n";
    const FOLDER: &'static str = "readings";

    fn start_s(&self) -> i64 {
        self.start_s
    }

    fn resolution(&self) -> Resolution {
        self.resolution
    }

    fn place(&self) -> u32 {
        self.point
    }

    fn key(&self) -> (i64, u32, u8) {
        (self.start_s, self.point, u8::from(self.channel == Channel::Export))
    }
}

impl RowText for ReadingRow {
    fn write(&self, names: &Names, text: &mut Vec<u8>) {
        push_utc(self.start_s, text);
        let (point, channel) = (names.name(self.point), self.channel);
        let (minutes, quality) = (self.resolution.minutes(), self.quality.as_str());
        let written = match self.energy {
            Some(energy) => {
                writeln!(text, ",{point},{channel},{minutes},{},{quality}", energy.wh())
            }
            None => writeln!(text, ",{point},{channel},{minutes},,{quality}"),
        };
        written.expect("memory can be written to");
    }

    fn parse(text: &[u8], names: &Names, near: u32) -> Result<Self, &'static str> {
        let [start, point, channel, minutes, energy, quality] = fields(text)?;
        let resolution = resolution(minutes)?;
        let row = Self {
            start_s: start_s(start, resolution)?,
            point: names.place(point, near).ok_or("the metering point is not registered")?,
            channel: match channel {
                b"import" => Channel::Import,
                b"export" => Channel::Export,
                _ => return Err("the channel is unknown"),
            },
            resolution,
            energy: if energy.is_empty() {
                None
            } else {
                Some(Energy::from_wh(integer(energy).ok_or("the energy is no whole number")?))
            },
            quality: match quality {
                b"measured" => Quality::Measured,
                other => std::str::from_utf8(other)
                    .ok()
                    .and_then(|word| word.parse().ok())
                    .ok_or("the quality is unknown")?,
            },
        };
        let is_valid = MeterReading::check(row.energy, row.quality).is_ok();
        if is_valid { Ok(row) } else { Err("energy and quality do not go together") }
    }
}

impl Row for PriceRow {
    const HEADER: &'static str = "start,area,minutes,price_micro_per_kwh\n";
    const FOLDER: &'static str = "prices";

    fn start_s(&self) -> i64 {
        self.start_s
    }

    fn resolution(&self) -> Resolution {
        self.resolution
    }

    fn place(&self) -> u32 {
        self.area
    }

    fn key(&self) -> (i64, u32, u8) {
        (self.start_s, self.area, 0)
    }
}

impl RowText for PriceRow {
    fn write(&self, names: &Names, text: &mut Vec<u8>) {
        push_utc(self.start_s, text);
        let (area, minutes) = (names.name(self.area), self.resolution.minutes());
        let price = self.price.micro_per_kwh();
        writeln!(text, ",{area},{minutes},{price}").expect("memory can be written to");
    }

    fn parse(text: &[u8], names: &Names, near: u32) -> Result<Self, &'static str> {
        let [start, area, minutes, price] = fields(text)?;
        let resolution = resolution(minutes)?;
        let price = integer(price).and_then(|price| i32::try_from(price).ok());
        Ok(Self {
            start_s: start_s(start, resolution)?,
            area: names.place(area, near).ok_or("the price area is not named in the journal")?,
            resolution,
            price: Price::from_micro_per_kwh(price.ok_or("the price is no whole number")?),
        })
    }
}

fn fields<const N: usize>(text: &[u8]) -> Result<[&[u8]; N], &'static str> {
    let mut fields = [text; N];
    let mut split = text.split(|&byte| byte == b',');
    for field in &mut fields {
        *field = split.next().ok_or("a field is missing")?;
    }
    if split.next().is_some() { Err("there are too many fields") } else { Ok(fields) }
}

fn start_s(text: &[u8], resolution: Resolution) -> Result<i64, &'static str> {
    let start_s = parse_utc(text).ok_or("the time is not written as 2026-01-15T10:00:00Z")?;
    let is_aligned = start_s % resolution.duration_seconds() == 0;
    if is_aligned { Ok(start_s) } else { Err("the time is not on the grid of its resolution") }
}

fn resolution(text: &[u8]) -> Result<Resolution, &'static str> {
    let minutes = integer(text).and_then(|minutes| u32::try_from(minutes).ok());
    minutes
        .and_then(|minutes| Resolution::from_minutes(minutes).ok())
        .ok_or("the minutes are not 10, 15, 30 or 60")
}

/// Reads a whole number in exactly the form in which it is written.
fn integer(text: &[u8]) -> Option<i64> {
    let (digits, sign) = match text {
        [b'-', digits @ ..] => (digits, -1),
        digits => (digits, 1),
    };
    let is_plain = match digits {
        [] => false,
        [b'0'] => sign == 1,
        [first, ..] => *first != b'0' && digits.len() <= 18,
    };
    if !is_plain {
        return None;
    }
    let magnitude = digits.iter().try_fold(0_i64, |value, digit| {
        digit.is_ascii_digit().then(|| value * 10 + i64::from(digit - b'0'))
    });
    magnitude.map(|magnitude| sign * magnitude)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn names() -> Names {
        Names::new(["707057500012345671", "home_01", "home_02"])
    }

    fn any_reading() -> impl Strategy<Value = ReadingRow> {
        let qualities = prop::sample::select(Quality::ALL.to_vec());
        let resolutions = prop::sample::select(Resolution::ALL.to_vec());
        let energies = 0_i64..=999_999_999_999_999_999;
        (0_i64..70_000_000, 0_u32..3, any::<bool>(), resolutions, energies, qualities).prop_map(
            |(hour, point, exports, resolution, energy_wh, quality)| ReadingRow {
                start_s: hour * 3_600,
                point,
                channel: if exports { Channel::Export } else { Channel::Import },
                resolution,
                energy: (quality != Quality::Missing).then_some(Energy::from_wh(energy_wh)),
                quality,
            },
        )
    }

    #[test]
    fn a_line_has_exactly_one_form() {
        let line = "2026-01-15T10:00:00Z,home_01,import,60,500,measured";
        let row = ReadingRow::parse(line.as_bytes(), &names(), 0).unwrap();
        let mut text = Vec::new();
        row.write(&names(), &mut text);
        assert_eq!(String::from_utf8(text).unwrap(), format!("{line}\n"));
        for other in [
            "2026-01-15T10:00:00Z,home_01,import,60,0500,measured",
            "2026-01-15T10:00:00Z,home_01,import,60,+500,measured",
            "2026-01-15T10:00:00Z,home_01,import,60,-0,measured",
            "2026-01-15T10:00:00Z,home_01,import,60,-5,measured",
            "2026-01-15T10:00:00Z,home_01,import,60,,measured",
            "2026-01-15T10:00:00Z,home_01,import,60,500,missing",
            "2026-01-15T10:00:00Z,home_03,import,60,500,measured",
            "2026-01-15T10:00:00Z,home_01,net,60,500,measured",
            "2026-01-15T10:00:00Z,home_01,import,20,500,measured",
            "2026-01-15T10:30:00Z,home_01,import,60,500,measured",
            "2026-01-15 10:00:00Z,home_01,import,60,500,measured",
            "2026-01-15T10:00:00Z,home_01,import,60,500,measured,",
            "2026-01-15T10:00:00Z,home_01,import,60,500",
        ] {
            assert!(ReadingRow::parse(other.as_bytes(), &names(), 0).is_err(), "{other}");
        }
    }

    proptest! {
        #[test]
        fn readings_come_back(row in any_reading(), near in 0_u32..5) {
            let mut text = Vec::new();
            row.write(&names(), &mut text);
            prop_assert!(text.len() as u64 <= LINE_BYTES_MAX);
            prop_assert_eq!(ReadingRow::parse(&text[..text.len() - 1], &names(), near), Ok(row));
        }

        #[test]
        fn prices_come_back(hour in 0_i64..70_000_000, area in 0_u32..3, price: i32) {
            let row = PriceRow {
                start_s: hour * 3_600,
                area,
                resolution: Resolution::Minutes60,
                price: Price::from_micro_per_kwh(price),
            };
            let mut text = Vec::new();
            row.write(&names(), &mut text);
            prop_assert_eq!(PriceRow::parse(&text[..text.len() - 1], &names(), 0), Ok(row));
        }

        #[test]
        fn any_bytes_are_read_or_refused(text in prop::collection::vec(any::<u8>(), 0..80)) {
            let _read = ReadingRow::parse(&text, &names(), 0);
            let _read = PriceRow::parse(&text, &names(), 0);
        }
    }
}
