//! The time series of a document, to columns by product.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use gridtally_core::id::{Eic, EicKind, IdError};
use gridtally_core::period::Resolution;
use gridtally_core::quantity::Currency;
use gridtally_core::rejection::{Reason, Rejection};
use gridtally_core::tariff::PriceArea;
use jiff::Timestamp;

use super::curve::{Curve, Intervals, beyond, intervals, needed};
use super::document::{Field, Period, Series};
use super::{Prices, Product};
use crate::import::column::{Column, FieldNames};
use crate::import::csv::{Context, PriceUnit};
use crate::import::input::Encoding;
use crate::import::report::{ColumnReport, Refused, Rejections, Report};

/// Intervals of a document at most: nearly thirty years of quarters; the platform answers for a year at once.
const INTERVALS_MAX: usize = 1_000_000;

/// Names the currency of a series.
pub(crate) const CURRENCY_ELEMENT: &str = "currency_Unit.name";

/// A price, its resolution and the line of the point.
struct Given {
    price: i32,
    resolution: Resolution,
    line: u64,
}

/// What the time series of a document give.
pub(super) struct Gathered {
    /// The currency, and the line that names it first.
    currency: Option<(Currency, u64)>,
    /// By area and auction, then by start.
    prices: BTreeMap<(PriceArea, u32), BTreeMap<i64, Given>>,
    /// Intervals that may still come.
    interval_budget: usize,
    point_count: u64,
    repeated_count: u64,
    rounded_count: u64,
    notes: Vec<String>,
    /// Points that were passed over.
    outside_count: u64,
}

/// The rows of a column, each with its line.
#[derive(Default)]
struct Rows {
    values: Vec<(i64, i64)>,
    lines: Vec<u32>,
}

/// What holds for all periods of a series.
struct Terms {
    market: (PriceArea, u32),
    curve: Curve,
    unit: PriceUnit,
}

impl Gathered {
    /// Returns nothing yet.
    pub(super) const fn new() -> Self {
        Self {
            currency: None,
            prices: BTreeMap::new(),
            interval_budget: INTERVALS_MAX,
            point_count: 0,
            repeated_count: 0,
            rounded_count: 0,
            notes: Vec::new(),
            outside_count: 0,
        }
    }

    /// Adds the prices of a series, or its faults: its own, or the first of each period.
    pub(super) fn add(
        &mut self,
        series: &Series<'_>,
        context: &Context,
        rejections: &mut Rejections,
    ) {
        let terms = match self.terms(series) {
            Ok(terms) => terms,
            Err(rejection) => return rejections.push(|| rejection),
        };
        if series.periods.is_empty() {
            rejections.push(|| {
                let place = series.line;
                let empty = Rejection::new(Reason::DocumentMalformed, "").at_line(place);
                empty.in_column("TimeSeries").because("there is no Period")
            });
        }
        for period in &series.periods {
            self.point_count += u64::try_from(period.points.len()).unwrap_or(u64::MAX);
            let added = intervals(period, terms.curve, terms.unit, &mut self.interval_budget)
                .and_then(|intervals| {
                    self.insert(&terms, period, &intervals, context)?;
                    Ok(intervals)
                });
            match added {
                Ok(intervals) => {
                    for position in intervals.outside {
                        self.outside_count += 1;
                        rejections.push(|| beyond(position, intervals.prices.len()));
                    }
                }
                Err(rejection) => rejections.push(|| rejection),
            }
        }
    }

    /// Reads what holds for all periods of a series.
    fn terms(&mut self, series: &Series<'_>) -> Result<Terms, Rejection> {
        let need = |name, field| needed((name, field), series.line);
        let from = area(need("in_Domain.mRID", &series.in_domain)?)?;
        let to = area(need("out_Domain.mRID", &series.out_domain)?)?;
        let name = if from == to { from.to_string() } else { format!("{from}_{to}") };
        let area = name.parse().map_err(|_| Rejection::new(Reason::IdCharacter, &name))?;
        let auction = match &series.auction {
            None => 1,
            Some(field) => field
                .text
                .parse()
                .ok()
                .filter(|number| (1..=99).contains(number))
                .ok_or_else(|| field.refused(Reason::NumberMalformed))?,
        };
        if let Some(contract) = series.contract.as_ref().filter(|field| field.text != "A01") {
            return Err(contract
                .refused(Reason::DocumentKind)
                .because("not a day-ahead contract, which is A01"));
        }
        let curve = need("curveType", &series.curve)?;
        let curve = match &*curve.text {
            "A01" => Curve::Complete,
            "A03" => Curve::Changes,
            _ => {
                return Err(curve
                    .refused(Reason::DocumentKind)
                    .because("curve types A01 and A03 are read"));
            }
        };
        let unit = self.unit(series)?;
        Ok(Terms { market: (area, auction), curve, unit })
    }

    /// Reads currency and unit.
    fn unit(&mut self, series: &Series<'_>) -> Result<PriceUnit, Rejection> {
        let need = |name, field| needed((name, field), series.line);
        let currency = need(CURRENCY_ELEMENT, &series.currency)?;
        let code: Currency = currency
            .text
            .parse()
            .map_err(|error| currency.refused(Reason::CurrencyMismatch).because(error))?;
        let (first, _) = *self.currency.get_or_insert((code, currency.line));
        if first != code {
            let detail = format!("other prices of the document are in {first}");
            return Err(currency.refused(Reason::CurrencyMismatch).because(detail));
        }
        let unit = need("price_Measure_Unit.name", &series.unit)?;
        match &*unit.text {
            "MWH" => Ok(PriceUnit::PerMwh),
            "KWH" => Ok(PriceUnit::PerKwh),
            // Seen in documents of capacity auctions. Prices of this document type are per MWh.
            repeated if repeated == code.code() => {
                let note =
                    format!("price_Measure_Unit.name repeats the currency {code}, read as per MWh");
                if !self.notes.contains(&note) {
                    self.notes.push(note);
                }
                Ok(PriceUnit::PerMwh)
            }
            _ => Err(unit.refused(Reason::UnitUnknown)),
        }
    }

    /// Adds the intervals of a period.
    fn insert(
        &mut self,
        terms: &Terms,
        period: &Period<'_>,
        intervals: &Intervals<'_, '_>,
        context: &Context,
    ) -> Result<(), Rejection> {
        let &Intervals { start_s, end_s, resolution, .. } = intervals;
        let text = |field: &Option<Field<'_>>| {
            field.as_ref().map_or_else(String::new, |field| field.text.to_string())
        };
        self.rounded_count += intervals.rounded_count;
        if end_s > context.accepted_prices().end_max_s {
            let future = Rejection::new(Reason::TimeFuture, &text(&period.end));
            let future = future.at_line(period.line).in_column("Period");
            return Err(future.because("prices are known a day ahead"));
        }
        let given = self.prices.entry(terms.market.clone()).or_default();
        // The longest interval starts less than an hour before another that it overlaps.
        let near = given.range(start_s - 3_600..end_s);
        let other = near.filter(|(_, given)| given.resolution != resolution).find(|(at, given)| {
            **at < end_s && **at + given.resolution.duration_seconds() > start_s
        });
        if let Some((&at_s, other)) = other {
            let overlap = Rejection::new(Reason::PeriodsOverlap, &text(&period.start));
            let overlap = overlap.at_line(period.line).in_column("Period");
            return Err(overlap.because(format_args!(
                "{resolution} here, {} from {} in line {}",
                other.resolution,
                instant(at_s),
                other.line
            )));
        }
        let mut at_s = start_s;
        for &(price, line) in &intervals.prices {
            match given.entry(at_s) {
                Entry::Vacant(entry) => {
                    entry.insert(Given { price, resolution, line });
                }
                Entry::Occupied(entry) if entry.get().price == price => self.repeated_count += 1,
                Entry::Occupied(entry) => {
                    let twice = Rejection::new(Reason::PeriodTwice, &price.to_string());
                    let twice = twice.at_line(line).in_column("price.amount");
                    return Err(twice.because(format_args!(
                        "{price} micro-{}/kWh from {}, but {} in line {}",
                        self.currency.as_ref().map_or("", |(currency, _)| currency.code()),
                        instant(at_s),
                        entry.get().price,
                        entry.get().line
                    )));
                }
            }
            at_s += resolution.duration_seconds();
        }
        Ok(())
    }

    /// Returns the columns, unless more than points beyond the end of their period was refused.
    pub(super) fn finish(
        self,
        encoding: Encoding,
        rejections: Rejections,
        context: &Context,
    ) -> Result<Prices, Refused> {
        let Some((currency, currency_line)) =
            self.currency.filter(|_| rejections.count() == self.outside_count)
        else {
            return Err(rejections.into_refused());
        };
        let mut rows: BTreeMap<Product, Rows> = BTreeMap::new();
        for ((area, auction), prices) in self.prices {
            for (start_s, Given { price, resolution, line }) in prices {
                let product = Product { area: area.clone(), auction, resolution };
                let rows = rows.entry(product).or_default();
                rows.values.push((start_s, i64::from(price)));
                rows.lines.push(u32::try_from(line).unwrap_or(u32::MAX));
            }
        }
        let columns: BTreeMap<_, _> = rows
            .into_iter()
            .map(|(product, rows)| {
                let fields = FieldNames {
                    label: Some("in_Domain.mRID".into()),
                    time: "Point".into(),
                    value: "price.amount".into(),
                };
                let column = Column::new(product.resolution, rows.values, rows.lines, fields);
                (product, column)
            })
            .collect();
        let reports = columns.iter().map(|(product, column)| {
            ColumnReport::new(product.to_string(), column, &context.report_zone)
        });
        let report = Report {
            file: context.file.clone(),
            encoding,
            separator: None,
            columns_ignored: Vec::new(),
            notes: self.notes,
            row_count: self.point_count,
            repeated_count: self.repeated_count,
            unordered_count: 0,
            rounded_count: self.rounded_count,
            rejection_count: rejections.count(),
            columns: reports.collect(),
            rejections: rejections.into_first(),
        };
        Ok(Prices { currency, currency_line, columns, report })
    }
}

/// Reads an area's EIC.
fn area(field: &Field<'_>) -> Result<Eic, Rejection> {
    let code: Eic = field
        .text
        .parse()
        .map_err(|error: IdError| field.refused(error.reason()).because(error))?;
    if code.kind() != EicKind::Area {
        return Err(field
            .refused(Reason::IdCharacter)
            .because("the code of an area has Y at position 3")
            .with_remedy("give the prices of an area"));
    }
    Ok(code)
}

fn instant(second: i64) -> String {
    Timestamp::from_second(second).map_or_else(|_| second.to_string(), |at| at.to_string())
}
