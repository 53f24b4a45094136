//! The points of a period, to the price of every interval.

use gridtally_core::period::{Period as MarketPeriod, Resolution};
use gridtally_core::rejection::{Reason, Rejection};

use super::document::{Field, Period, Point};
use crate::import::csv::PriceUnit;
use crate::import::csv::number::{Scaled, scaled_price};
use crate::import::csv::stamp::{instant, plain};

/// How points stand for intervals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Curve {
    /// A01: a point for each interval.
    Complete,
    /// A03: a point where the price changes; it holds until the next point, the last one to the end of its period.
    Changes,
}

/// Every interval of a period.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Intervals<'p, 'x> {
    pub(super) start_s: i64,
    pub(super) end_s: i64,
    pub(super) resolution: Resolution,
    /// Micro-units per kWh, each with the line of its point.
    pub(super) prices: Vec<(i32, u64)>,
    /// Points beyond the end.
    pub(super) outside: Vec<&'p Field<'x>>,
    /// Prices with more decimals than are kept.
    pub(super) rounded_count: u64,
}

/// Days of a period at most: the platform answers for a year at once.
const DAYS_MAX: i64 = 400;

/// Returns every interval of a period.
///
/// A point beyond the end of its period says nothing of any interval. Of a curve of changes it is passed over and named;
/// of a complete curve it shows that the period was misunderstood, and refuses the document. The intervals are taken off
/// `budget`, so that a small document cannot ask for a large answer.
///
/// # Errors
///
/// The first fault of the period, and with it the document is refused.
pub(super) fn intervals<'p, 'x>(
    period: &'p Period<'x>,
    curve: Curve,
    unit: PriceUnit,
    budget: &mut usize,
) -> Result<Intervals<'p, 'x>, Rejection> {
    let Frame { resolution, start_s, end_s, count } = frame(period)?;
    *budget = budget.checked_sub(count).ok_or_else(|| {
        let place = Rejection::new(Reason::RowsTooMany, "").at_line(period.line);
        place.in_column("Period").because("the document has too many intervals")
    })?;
    let mut places: Vec<Option<(i32, u64)>> = vec![None; count];
    let (mut outside, mut rounded_count) = (Vec::new(), 0);
    for point in &period.points {
        let (position, price) = read(point, unit)?;
        rounded_count += u64::from(price.is_rounded);
        let Some(place) = position.value.checked_sub(1).and_then(|place| places.get_mut(place))
        else {
            if curve == Curve::Complete || position.value == 0 {
                return Err(beyond(position.field, count));
            }
            outside.push(position.field);
            continue;
        };
        match place {
            Some((other, _)) if *other != price.value => {
                return Err(position.field.refused(Reason::PeriodTwice));
            }
            _ => *place = Some((price.value, point.line)),
        }
    }
    let missing = |place: usize| {
        Rejection::new(Reason::PeriodMissing, "")
            .at_line(period.line)
            .in_column("position")
            .because(format_args!("position {} of {count} is missing", place + 1))
    };
    let mut prices = Vec::with_capacity(count);
    let mut held = None;
    for (place, price) in places.into_iter().enumerate() {
        held = match curve {
            Curve::Complete => price,
            Curve::Changes => price.or(held),
        };
        prices.push(held.ok_or_else(|| missing(place))?);
    }
    Ok(Intervals { start_s, end_s, resolution, prices, outside, rounded_count })
}

/// Returns the refusal of a position outside of a period of `count` intervals.
pub(super) fn beyond(position: &Field<'_>, count: usize) -> Rejection {
    let detail = format!("the period has {count} intervals");
    position.refused(Reason::PositionOutside).because(detail)
}

/// Which intervals a period has.
struct Frame {
    resolution: Resolution,
    start_s: i64,
    end_s: i64,
    count: usize,
}

fn frame(period: &Period<'_>) -> Result<Frame, Rejection> {
    let need = |field| needed(field, period.line);
    let resolution = need(("resolution", &period.resolution))?;
    let length: Resolution = resolution
        .text
        .parse()
        .map_err(|error| resolution.refused(Reason::ResolutionUnknown).because(error))?;
    let length_s = length.duration_seconds();
    let (start, end) = (need(("start", &period.start))?, need(("end", &period.end))?);
    let (start_s, end_s) = (second(start)?, second(end)?);
    for (field, second) in [(start, start_s), (end, end_s)] {
        if !MarketPeriod::STARTS_S.contains(&second) {
            return Err(field.refused(Reason::TimeOutOfRange));
        }
        if second.rem_euclid(length_s) != 0 {
            return Err(field.refused(Reason::TimeNotAligned));
        }
    }
    let count = usize::try_from((end_s - start_s) / length_s).unwrap_or(0);
    if count == 0 || end_s - start_s > DAYS_MAX * 86_400 {
        let detail = format!("a period ends after it starts, at most {DAYS_MAX} days later");
        return Err(end.refused(Reason::DocumentMalformed).because(detail));
    }
    Ok(Frame { resolution: length, start_s, end_s, count })
}

/// Returns a field, or the refusal of the element at `line` that lacks it.
pub(super) fn needed<'f, 'x>(
    (name, field): (&str, &'f Option<Field<'x>>),
    line: u64,
) -> Result<&'f Field<'x>, Rejection> {
    field.as_ref().ok_or_else(|| {
        Rejection::new(Reason::DocumentMalformed, "")
            .at_line(line)
            .in_column(name)
            .because("the element is missing")
    })
}

/// Reads an instant in UTC; the platform leaves the seconds out.
fn second(field: &Field<'_>) -> Result<i64, Rejection> {
    if let Some((second, true)) = plain(field.text.as_bytes()) {
        return Ok(second);
    }
    instant(&field.text).map_err(|reason| field.refused(reason))
}

/// A position and where it stands.
struct Position<'f, 'x> {
    value: usize,
    field: &'f Field<'x>,
}

fn read<'f, 'x>(
    point: &'f Point<'x>,
    unit: PriceUnit,
) -> Result<(Position<'f, 'x>, Scaled), Rejection> {
    let field = needed(("position", &point.position), point.line)?;
    // Positions have at most five digits, so a long one lies outside.
    let is_number = !field.text.is_empty() && field.text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number {
        return Err(field.refused(Reason::NumberMalformed));
    }
    let value = field.text.parse().unwrap_or(usize::MAX);
    let amount = needed(("price.amount", &point.amount), point.line)?;
    let price = scaled_price(&amount.text, unit).map_err(|reason| amount.refused(reason))?;
    Ok((Position { value, field }, price))
}
