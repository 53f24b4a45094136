//! Day-ahead prices as ENTSO-E's transparency platform publishes them: IEC 62325-451-3, `Publication_MarketDocument` of
//! type A44, versions 7:0 to 7:3.
//!
//! Every interval of every period in the document is given, in UTC. Documents of other kinds are refused by name.
//!
//! # Overlaps
//!
//! An area may have several auctions on one day: the coupled one in hours and, until October 2025, a German one in
//! quarters. They are different products with different prices, told apart by their sequence number, and never merged: each
//! auction has columns of its own, and whoever settles chooses one ([`Prices::of_auction`]). Inside of one auction the same
//! interval may stand twice with the same price; another price, or another resolution for the same time, is refused, because
//! nothing in the document says which is meant. Resolutions may follow each other, as on 1 October 2025.
//!
//! # Source
//!
//! IEC 62325-451-3; ENTSO-E, "Introduction of different timeseries possibilities (curvetypes)"; test vector TV-06.

mod curve;
mod document;
mod gather;
mod kind;

pub(crate) use document::AUCTION_ELEMENT;
pub(crate) use gather::CURRENCY_ELEMENT;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::Read;

use gridtally_core::period::Resolution;
use gridtally_core::quantity::Currency;
use gridtally_core::tariff::PriceArea;
use serde::Serialize;

use self::gather::Gathered;
use self::kind::check_kind;
use super::column::Column;
use super::csv::Context;
use super::input::Text;
use super::report::{Refused, Rejections, Report};

/// One product of the market: what a column's prices are of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Product {
    /// The area's EIC; for a border between two areas both, with `_` between them.
    pub area: PriceArea,
    /// Sequence number of the auction; 1 where the document has none.
    pub auction: u32,
    /// Length of the intervals.
    pub resolution: Resolution,
}

impl fmt::Display for Product {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} auction {} {}", self.area, self.auction, self.resolution)
    }
}

/// Prices in micro-units of the currency per kilowatt-hour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prices {
    /// The currency of all prices.
    pub currency: Currency,
    /// The line that names it first, from 1.
    pub currency_line: u64,
    /// Values by product.
    pub columns: BTreeMap<Product, Column>,
    /// How the document was understood.
    pub report: Report,
}

impl Prices {
    /// Returns the auctions that have prices.
    pub(crate) fn auctions(&self) -> BTreeSet<u32> {
        self.columns.keys().map(|product| product.auction).collect()
    }

    /// Returns the columns of one auction, by area and resolution. In each area they do not overlap.
    pub fn of_auction(&self, auction: u32) -> impl Iterator<Item = (&PriceArea, &Column)> {
        let columns = self.columns.iter().filter(move |(product, _)| product.auction == auction);
        columns.map(|(product, column)| (&product.area, column))
    }
}

/// Reads a price document, plain or gzip.
///
/// ```
/// use gridtally_aggregator::import::csv::Context;
/// use gridtally_aggregator::import::{Limits, entsoe};
/// use gridtally_core::calendar::Zone;
///
/// let document = r#"<Publication_MarketDocument
///     xmlns="urn:iec62325.351:tc57wg16:451-3:publicationdocument:7:3"><type>A44</type><TimeSeries>
///   <in_Domain.mRID>10YNO-2--------T</in_Domain.mRID><out_Domain.mRID>10YNO-2--------T</out_Domain.mRID>
///   <currency_Unit.name>EUR</currency_Unit.name><price_Measure_Unit.name>MWH</price_Measure_Unit.name>
///   <curveType>A03</curveType><Period>
///     <timeInterval><start>2026-01-15T10:00Z</start><end>2026-01-15T12:00Z</end></timeInterval>
///     <resolution>PT15M</resolution>
///     <Point><position>1</position><price.amount>45.10</price.amount></Point>
///     <Point><position>5</position><price.amount>-0.50</price.amount></Point>
/// </Period></TimeSeries></Publication_MarketDocument>"#;
/// let context = Context {
///     file: "prices.xml".into(),
///     now: "2026-01-14T12:00:00Z".parse()?,
///     oldest: None,
///     report_zone: Zone::new("Europe/Oslo")?,
///     limits: Limits::default(),
/// };
/// let prices = entsoe::prices(document.as_bytes(), &context)?;
/// let (area, column) = prices.of_auction(1).next().ok_or("no prices")?;
/// assert_eq!((area.as_str(), column.len()), ("10YNO-2--------T", 8));
/// assert_eq!(column.sum(), 4 * 45_100 - 4 * 500);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// [`Refused`] with the faults of each `TimeSeries`, the first of each period.
pub fn prices(source: impl Read, context: &Context) -> Result<Prices, Refused> {
    let text = Text::open(source, context.limits)
        .map_err(|refusal| Refused::from(refusal.in_file(&context.file)))?;
    prices_of(text, context)
}

/// Reads the price document of a text that is open.
pub(super) fn prices_of(text: Text<'_>, context: &Context) -> Result<Prices, Refused> {
    let mut rejections = Rejections::new(&context.file, context.limits.rejections_max);
    let encoding = text.encoding();
    let whole = text.whole().and_then(|text| {
        // The document borrows from its text, so the text comes along.
        let document = document::read(&text)?;
        check_kind(&document)?;
        let mut gathered = Gathered::new();
        for series in &document.series {
            gathered.add(series, context, &mut rejections);
        }
        Ok(gathered)
    });
    let gathered = match whole {
        Ok(gathered) => gathered,
        Err(rejection) => return Err(rejections.refused_with(rejection)),
    };
    gathered.finish(encoding, rejections, context)
}

#[cfg(test)]
mod tests;
