//! Tidy CSV, plain or gzip: one row for each interval, columns chosen by the caller.

mod layout;
pub(super) mod number;
mod records;
mod row;
mod rows;
mod series;
pub(super) mod stamp;
mod table;
mod words;

use std::collections::BTreeMap;
use std::io::Read;

use gridtally_core::meter::{Channel, MeteringPointId};
use gridtally_core::tariff::PriceArea;

use super::column::Column;
use super::input::Text;
use super::report::{Refused, Report};
pub use layout::{
    Context, DecimalSign, EnergyUnit, Label, Layout, PriceColumn, PriceUnit, ReadingColumn,
    Repeated, Stamp, StampZone,
};
use number::{energy_wh, price_micro_per_kwh};
pub(crate) use records::{Record, records};
use series::series;
use table::read;
pub use words::LayoutError;

/// Energy of metering points by channel, in watt-hours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Readings {
    /// Values by metering point and channel.
    pub columns: BTreeMap<(MeteringPointId, Channel), Column>,
    /// How the file was understood.
    pub report: Report,
}

/// Prices of areas, in micro-units per kilowatt-hour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prices {
    /// Values by area.
    pub columns: BTreeMap<PriceArea, Column>,
    /// How the file was understood.
    pub report: Report,
}

/// Reads a table of readings.
///
/// Rows may come in any order. A row that repeats an earlier one is counted; two values for one interval are refused. Values
/// of energy are never negative; export is a channel of its own.
///
/// ```
/// use gridtally_aggregator::import::Limits;
/// use gridtally_aggregator::import::csv::{
///     Context, DecimalSign, Label, Layout, Repeated, Stamp, readings,
/// };
/// use gridtally_core::calendar::Zone;
/// use gridtally_core::period::Resolution;
///
/// let table = "Time;kWh\n2026-01-15 10:00;0,143\n2026-01-15 11:00;0,250\n";
/// let layout = Layout {
///     separator: None,
///     decimal: DecimalSign::Comma,
///     time_column: "Time".into(),
///     time_format: None,
///     stamp: Stamp::Start,
///     zone: "Europe/Oslo".parse()?,
///     repeated: Repeated::Refuse,
///     resolution: Resolution::Minutes60,
///     label: Label::Fixed("home_03".parse()?),
///     skip_refused: false,
/// };
/// let context = Context {
///     file: "home_03.csv".into(),
///     now: "2026-02-01T00:00:00Z".parse()?,
///     oldest: None,
///     report_zone: Zone::new("Europe/Oslo")?,
///     limits: Limits::default(),
/// };
/// let readings = readings(table.as_bytes(), &layout, &["kWh=import:kWh".parse()?], &context)?;
/// assert_eq!(readings.report.columns[0].sum, 393);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// [`Refused`] with every faulty row, up to the limit; each for the first of `docs/reference/rejections.md` that applies.
/// With `skip_refused` rows that are faulty by themselves are passed over and stand in the report.
pub fn readings(
    source: impl Read,
    layout: &Layout<MeteringPointId>,
    columns: &[ReadingColumn],
    context: &Context,
) -> Result<Readings, Refused> {
    let text = open(source, context)?;
    readings_of(text, layout, columns, context)
}

/// Reads a table of prices. Negative prices are normal.
///
/// # Errors
///
/// As [`readings`].
pub fn prices(
    source: impl Read,
    layout: &Layout<PriceArea>,
    columns: &[PriceColumn],
    context: &Context,
) -> Result<Prices, Refused> {
    let text = open(source, context)?;
    prices_of(text, layout, columns, context)
}

fn open<'a>(source: impl Read + 'a, context: &Context) -> Result<Text<'a>, Refused> {
    Text::open(source, context.limits).map_err(|refusal| refusal.in_file(&context.file).into())
}

/// Reads the readings of a text that is open.
pub(super) fn readings_of(
    text: Text<'_>,
    layout: &Layout<MeteringPointId>,
    columns: &[ReadingColumn],
    context: &Context,
) -> Result<Readings, Refused> {
    let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
    let parse = |index: usize, text: &str, sign| energy_wh(text, columns[index].unit, sign);
    let table = read(text, layout, &names, parse, context.accepted_readings(), context)?;
    let key = |label: &MeteringPointId, index: usize| (label.clone(), columns[index].channel);
    let name = |(point, channel): &(MeteringPointId, Channel)| format!("{point} {channel}");
    let (columns, report) = series(table, layout, &names, key, name, context)?;
    Ok(Readings { columns, report })
}

/// Reads the prices of a text that is open.
pub(super) fn prices_of(
    text: Text<'_>,
    layout: &Layout<PriceArea>,
    columns: &[PriceColumn],
    context: &Context,
) -> Result<Prices, Refused> {
    let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
    let parse =
        |index: usize, text: &str, sign| price_micro_per_kwh(text, columns[index].unit, sign);
    let table = read(text, layout, &names, parse, context.accepted_prices(), context)?;
    let key = |label: &PriceArea, index: usize| {
        columns[index].area.clone().unwrap_or_else(|| label.clone())
    };
    let (columns, report) = series(table, layout, &names, key, PriceArea::to_string, context)?;
    Ok(Prices { columns, report })
}
