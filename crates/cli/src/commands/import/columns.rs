//! What the user says of a table: the flags that readings and prices share.

use gridtally_aggregator::import::csv::{DecimalSign, Label, Layout, Repeated, Stamp, StampZone};
use gridtally_core::period::Resolution;

/// How the rows of a table are to be read.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Tables (CSV)")]
pub(super) struct TableArguments {
    /// What a time stamp marks: the start or the end of its interval
    #[arg(long, value_name = "start|end")]
    stamp: Option<Stamp>,
    /// Whose clock it is: UTC, an IANA name, or an offset such as +10:00; a stamp with an offset of its own is taken by that
    #[arg(long, value_name = "ZONE")]
    clock: Option<StampZone>,
    /// Minutes of each interval: 10, 15, 30 or 60
    #[arg(long, value_name = "MINUTES", value_parser = resolution)]
    resolution: Option<Resolution>,
    /// Name of the column with the time
    #[arg(long, value_name = "NAME", default_value = "start_utc")]
    time_column: String,
    /// How the time is written, such as %d.%m.%Y %H:%M [default: ISO 8601]
    #[arg(long, value_name = "FORMAT")]
    time_format: Option<String>,
    /// What separates fields: a character, or tab [default: found in the header]
    #[arg(long, value_name = "CHARACTER", value_parser = separator)]
    separator: Option<u8>,
    /// What stands before decimals
    #[arg(long, value_name = "point|comma", default_value = "point")]
    decimal: DecimalSign,
    /// What to do with a local time that exists twice, when clocks go back: refuse the row, or take it by the order of rows
    #[arg(long, value_name = "refuse|by_order", default_value = "refuse")]
    repeated: Repeated,
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
            decimal: self.decimal,
            time_column: self.time_column.clone(),
            time_format: self.time_format.clone(),
            stamp: self.stamp.ok_or(missing("stamp start, or --stamp end"))?,
            zone: self.clock.clone().ok_or(missing("clock, such as --clock UTC"))?,
            repeated: self.repeated,
            resolution: self.resolution.ok_or(missing("resolution, such as --resolution 60"))?,
            label,
            skip_refused: self.skip_refused,
        })
    }
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
