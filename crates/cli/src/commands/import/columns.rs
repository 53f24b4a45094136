//! What the user says of a table: the flags that readings and prices share.

use std::str::FromStr;

use clap::ValueEnum;
use gridtally_aggregator::import::csv::{DecimalSign, Label, Layout, Repeated, Stamp, StampZone};
use gridtally_core::period::Resolution;

/// How the rows of a table are to be read.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Tables (CSV)")]
pub(super) struct TableArguments {
    /// What a time stamp marks
    #[arg(long, value_enum, value_name = "END")]
    stamp: Option<StampArgument>,
    /// Whose clock it is: UTC, an IANA name, or an offset such as +10:00; a stamp with an offset of its own is taken by that
    #[arg(long, value_name = "ZONE")]
    clock: Option<StampZone>,
    /// Minutes of each interval: 10, 15, 30 or 60
    #[arg(long, value_name = "MINUTES", value_parser = resolution)]
    resolution: Option<Resolution>,
    /// Name of the column with the time
    #[arg(long, value_name = "NAME", default_value = "start_utc")]
    time_column: String,
    /// What separates fields: a character, or tab [default: found in the header]
    #[arg(long, value_name = "CHARACTER", value_parser = separator)]
    separator: Option<u8>,
    /// What stands before decimals
    #[arg(long, value_enum, value_name = "SIGN", default_value = "point")]
    decimal: DecimalArgument,
    /// What to do with a local time that exists twice, when clocks go back
    #[arg(long, value_enum, value_name = "HOW", default_value = "refuse")]
    repeated: RepeatedArgument,
    /// Pass over refused rows, and report them, instead of refusing the file
    #[arg(long)]
    skip_refused: bool,
}

/// A choice that has no default, because either guess is wrong half of the time.
#[derive(Debug, thiserror::Error)]
#[error("a table needs --{flag}")]
pub(super) struct ChoiceMissing {
    flag: &'static str,
}

impl TableArguments {
    /// Returns the layout of tables whose rows are about `label`.
    ///
    /// # Errors
    ///
    /// [`ChoiceMissing`] for the first of stamp, clock and resolution that was not said.
    pub(super) fn layout<L>(&self, label: Label<L>) -> Result<Layout<L>, ChoiceMissing> {
        let missing = |flag| ChoiceMissing { flag };
        Ok(Layout {
            separator: self.separator,
            decimal: match self.decimal {
                DecimalArgument::Point => DecimalSign::Point,
                DecimalArgument::Comma => DecimalSign::Comma,
            },
            time_column: self.time_column.clone(),
            stamp: match self.stamp.ok_or(missing("stamp start, or --stamp end"))? {
                StampArgument::Start => Stamp::Start,
                StampArgument::End => Stamp::End,
            },
            zone: self.clock.clone().ok_or(missing("clock, such as --clock UTC"))?,
            repeated: match self.repeated {
                RepeatedArgument::Refuse => Repeated::Refuse,
                RepeatedArgument::ByOrder => Repeated::ByOrder,
            },
            resolution: self.resolution.ok_or(missing("resolution, such as --resolution 60"))?,
            label,
            skip_refused: self.skip_refused,
        })
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum StampArgument {
    /// The first instant of the interval
    Start,
    /// The first instant after it
    End,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum DecimalArgument {
    /// 0.143
    Point,
    /// 0,143
    Comma,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum RepeatedArgument {
    /// Refuse the row
    Refuse,
    /// Rows ascend: it is the earlier one, unless that has come already
    ByOrder,
}

fn resolution(text: &str) -> Result<Resolution, String> {
    let minutes = text.parse().map_err(|_| "give 10, 15, 30 or 60".to_owned())?;
    Resolution::from_minutes(minutes).map_err(|error| error.to_string())
}

fn separator(text: &str) -> Result<u8, String> {
    match text.as_bytes() {
        b"tab" => Ok(b'\t'),
        &[byte] if byte.is_ascii_punctuation() && byte != b'"' => Ok(byte),
        _ => Err("give one character such as ; or the word tab".to_owned()),
    }
}

/// A column as `NAME=WHAT:UNIT`; names may hold `=` and `:` themselves.
///
/// # Errors
///
/// What the form is, or what the parts answer.
pub(super) fn column<What: FromStr>(
    text: &str,
    form: &str,
    units: &[&str],
) -> Result<(String, What, usize), String>
where
    What::Err: std::fmt::Display,
{
    let wrong = || format!("write it as {form}");
    let (name, rest) = text.rsplit_once('=').ok_or_else(wrong)?;
    let (what, unit) = rest.rsplit_once(':').ok_or_else(wrong)?;
    let unit = units
        .iter()
        .position(|known| *known == unit)
        .ok_or_else(|| format!("unknown unit {unit:?}, expected one of {}", units.join(", ")))?;
    let what = what.parse().map_err(|error| format!("{what:?}: {error}"))?;
    Ok((name.to_owned(), what, unit))
}
