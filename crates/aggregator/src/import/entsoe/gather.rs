//! The time series of a document, to columns by product.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use gridtally_core::id::{Eic, EicKind, IdError};
use gridtally_core::period::Resolution;
use gridtally_core::quantity::Currency;
use gridtally_core::rejection::{Reason, Rejection};
use gridtally_core::tariff::PriceArea;
use jiff::Timestamp;

use super::curve::{Curve, Intervals, intervals, needed};
use super::document::{Field, Period, Series, line_at};
use super::{Prices, Product};
use crate::import::column::Column;
use crate::import::csv::{Context, PriceUnit};
use crate::import::input::Encoding;
use crate::import::report::{ColumnReport, Refused, Rejections, Report};

/// Intervals of a document at most: a hundred years of quarters.
const INTERVALS_MAX: usize = 4_000_000;

/// A price, its resolution and the line of the point.
struct Given {
    price: i32,
    resolution: Resolution,
    line: u64,
}

/// What the time series of a document give.
#[derive(Default)]
pub(super) struct Gathered {
    currency: Option<Currency>,
    /// By area and auction, then by start.
    prices: BTreeMap<(PriceArea, u32), BTreeMap<i64, Given>>,
    interval_count: usize,
    point_count: u64,
    repeated_count: u64,
    rounded_count: u64,
    notes: Vec<String>,
    /// Points that were passed over.
    outside_count: u64,
}

/// What holds for all periods of a series.
struct Terms {
    market: (PriceArea, u32),
    curve: Curve,
    unit: PriceUnit,
}

impl Gathered {
    /// Adds the prices of a series, or its faults: its own, or the first of each period.
    pub(super) fn add(
        &mut self,
        series: &Series<'_>,
        text: &str,
        context: &Context,
        rejections: &mut Rejections,
    ) {
        let terms = match self.terms(series, text) {
            Ok(terms) => terms,
            Err(rejection) => return rejections.push(|| rejection),
        };
        if series.periods.is_empty() {
            rejections.push(|| {
                let place = line_at(text, series.offset);
                let empty = Rejection::new(Reason::DocumentMalformed, "").at_line(place);
                empty.in_column("TimeSeries").because("there is no Period")
            });
        }
        for period in &series.periods {
            self.point_count += u64::try_from(period.points.len()).unwrap_or(u64::MAX);
            let added = intervals(period, terms.curve, terms.unit, text)
                .and_then(|intervals| self.insert(&terms, period, intervals, text, context));
            match added {
                Ok(outside) => {
                    for rejection in outside {
                        self.outside_count += 1;
                        rejections.push(|| rejection);
                    }
                }
                Err(rejection) => rejections.push(|| rejection),
            }
        }
    }

    /// Reads what holds for all periods of a series.
    fn terms(&mut self, series: &Series<'_>, text: &str) -> Result<Terms, Rejection> {
        let need = |name, field| needed((name, field), series.offset, text);
        let from = area(need("in_Domain.mRID", &series.in_domain)?, text)?;
        let to = area(need("out_Domain.mRID", &series.out_domain)?, text)?;
        let name = if from == to { from.to_string() } else { format!("{from}_{to}") };
        let area = name.parse().map_err(|_| Rejection::new(Reason::IdCharacter, &name))?;
        let auction = match &series.auction {
            None => 1,
            Some(field) => field
                .text
                .parse()
                .ok()
                .filter(|number| (1..=99).contains(number))
                .ok_or_else(|| field.refused(Reason::NumberMalformed, text))?,
        };
        if let Some(contract) = series.contract.as_ref().filter(|field| field.text != "A01") {
            return Err(contract
                .refused(Reason::DocumentKind, text)
                .because("not a day-ahead contract, which is A01"));
        }
        let curve = need("curveType", &series.curve)?;
        let curve = match &*curve.text {
            "A01" => Curve::Complete,
            "A03" => Curve::Changes,
            _ => {
                return Err(curve
                    .refused(Reason::DocumentKind, text)
                    .because("curve types A01 and A03 are read"));
            }
        };
        let unit = self.unit(series, text)?;
        Ok(Terms { market: (area, auction), curve, unit })
    }

    /// Reads currency and unit.
    fn unit(&mut self, series: &Series<'_>, text: &str) -> Result<PriceUnit, Rejection> {
        let need = |name, field| needed((name, field), series.offset, text);
        let currency = need("currency_Unit.name", &series.currency)?;
        let code: Currency = currency
            .text
            .parse()
            .map_err(|error| currency.refused(Reason::CurrencyMismatch, text).because(error))?;
        let first = *self.currency.get_or_insert(code);
        if first != code {
            let detail = format!("other prices of the document are in {first}");
            return Err(currency.refused(Reason::CurrencyMismatch, text).because(detail));
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
            _ => Err(unit.refused(Reason::UnitUnknown, text)),
        }
    }

    /// Adds the intervals of a period. Returns its points beyond the end.
    fn insert(
        &mut self,
        terms: &Terms,
        period: &Period<'_>,
        intervals: Intervals,
        text: &str,
        context: &Context,
    ) -> Result<Vec<Rejection>, Rejection> {
        let Intervals { start_s, end_s, resolution, prices, outside, rounded_count } = intervals;
        let period_line = line_at(text, period.offset);
        let refuse = |reason| Rejection::new(reason, "").at_line(period_line).in_column("Period");
        let length_s = resolution.duration_seconds();
        self.rounded_count += rounded_count;
        self.interval_count += prices.len();
        if self.interval_count > INTERVALS_MAX {
            return Err(refuse(Reason::RowsTooMany)
                .because(format_args!("more than {INTERVALS_MAX} intervals")));
        }
        if end_s > context.price_end_max_s() {
            return Err(refuse(Reason::TimeFuture).because("prices are known a day ahead"));
        }
        let given = self.prices.entry(terms.market.clone()).or_default();
        // The longest interval starts less than an hour before another that it overlaps.
        let near = given.range(start_s - 3_600..end_s);
        let other = near.filter(|(_, given)| given.resolution != resolution).find(|(at, given)| {
            **at < end_s && **at + given.resolution.duration_seconds() > start_s
        });
        if let Some((&at_s, other)) = other {
            return Err(refuse(Reason::PeriodsOverlap).because(format_args!(
                "{resolution} here, {} from {} by line {}",
                other.resolution,
                instant(at_s),
                other.line
            )));
        }
        let mut at_s = start_s;
        for (price, point) in prices {
            let offset = period.points.get(point).map_or(period.offset, |point| point.offset);
            match given.entry(at_s) {
                Entry::Vacant(entry) => {
                    // Lines are needed only to name a conflict; the period's is near enough.
                    entry.insert(Given { price, resolution, line: period_line });
                }
                Entry::Occupied(entry) if entry.get().price == price => self.repeated_count += 1,
                Entry::Occupied(entry) => {
                    return Err(Rejection::new(Reason::PeriodTwice, "")
                        .at_line(line_at(text, offset))
                        .in_column("price.amount")
                        .because(format_args!(
                            "{price} micro per kWh from {} here, {} by the period in line {}",
                            instant(at_s),
                            entry.get().price,
                            entry.get().line
                        )));
                }
            }
            at_s += length_s;
        }
        Ok(outside)
    }

    /// Returns the columns, unless more than points beyond the end of their period was refused.
    pub(super) fn finish(
        self,
        encoding: Encoding,
        rejections: Rejections,
        context: &Context,
    ) -> Result<Prices, Refused> {
        let Some(currency) = self.currency.filter(|_| rejections.count() == self.outside_count)
        else {
            return Err(rejections.into_refused());
        };
        let mut rows: BTreeMap<Product, Vec<(i64, i64)>> = BTreeMap::new();
        for ((area, auction), prices) in self.prices {
            for (start_s, Given { price, resolution, .. }) in prices {
                let product = Product { area: area.clone(), auction, resolution };
                rows.entry(product).or_default().push((start_s, i64::from(price)));
            }
        }
        let columns: BTreeMap<_, _> = rows
            .into_iter()
            .map(|(product, rows)| {
                let column = Column::new(product.resolution, rows);
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
        Ok(Prices { currency, columns, report })
    }
}

/// Reads an area's EIC.
fn area(field: &Field<'_>, text: &str) -> Result<Eic, Rejection> {
    let code: Eic = field
        .text
        .parse()
        .map_err(|error: IdError| field.refused(error.reason(), text).because(error))?;
    if code.kind() != EicKind::Area {
        return Err(field
            .refused(Reason::IdCharacter, text)
            .because("the code of an area has Y at position 3"));
    }
    Ok(code)
}

fn instant(second: i64) -> String {
    Timestamp::from_second(second).map_or_else(|_| second.to_string(), |at| at.to_string())
}
