//! The XML of a market document, to its fields as they are written.
//!
//! Nothing is expanded and nothing is fetched: a DTD or an entity of its own refuses the document.

use std::borrow::Cow;

use gridtally_core::rejection::{Reason, Rejection};
use quick_xml::events::{BytesRef, BytesStart, Event};
use quick_xml::reader::Reader;

/// Names the auction of a series.
pub(crate) const AUCTION_ELEMENT: &str =
    "classificationSequence_AttributeInstanceComponent.position";

/// Elements inside each other. Price documents have five.
const DEPTH_MAX: usize = 16;

/// The text of an element, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Field<'x> {
    pub(super) name: &'static str,
    pub(super) text: Cow<'x, str>,
    /// Where it ends, from 1.
    pub(super) line: u64,
}

/// A document by its root, with what any kind of document may hold.
#[derive(Debug, Default)]
pub(super) struct Document<'x> {
    pub(super) root: String,
    /// The line where it starts, from 1.
    pub(super) line: u64,
    pub(super) namespace: String,
    pub(super) kind: Option<Field<'x>>,
    pub(super) process: Option<Field<'x>>,
    pub(super) reason_code: Option<Field<'x>>,
    pub(super) reason_text: Option<Field<'x>>,
    pub(super) series: Vec<Series<'x>>,
}

/// A `TimeSeries`.
#[derive(Debug, Default)]
pub(super) struct Series<'x> {
    pub(super) line: u64,
    pub(super) in_domain: Option<Field<'x>>,
    pub(super) out_domain: Option<Field<'x>>,
    pub(super) contract: Option<Field<'x>>,
    pub(super) auction: Option<Field<'x>>,
    pub(super) currency: Option<Field<'x>>,
    pub(super) unit: Option<Field<'x>>,
    pub(super) curve: Option<Field<'x>>,
    pub(super) periods: Vec<Period<'x>>,
}

/// A `Period` of a `TimeSeries`.
#[derive(Debug, Default)]
pub(super) struct Period<'x> {
    pub(super) line: u64,
    pub(super) start: Option<Field<'x>>,
    pub(super) end: Option<Field<'x>>,
    pub(super) resolution: Option<Field<'x>>,
    pub(super) points: Vec<Point<'x>>,
}

/// A `Point` of a `Period`.
#[derive(Debug, Default)]
pub(super) struct Point<'x> {
    pub(super) line: u64,
    pub(super) position: Option<Field<'x>>,
    pub(super) amount: Option<Field<'x>>,
}

impl Field<'_> {
    /// Returns the refusal of the field.
    pub(super) fn refused(&self, reason: Reason) -> Rejection {
        Rejection::new(reason, &self.text).at_line(self.line).in_column(self.name)
    }
}

/// Counts lines on the way through a text, so that all of it is looked at once.
struct Lines<'x> {
    text: &'x str,
    offset: usize,
    line: u64,
}

impl Lines<'_> {
    /// Returns the line of an offset that is not before the last one, from 1.
    fn at(&mut self, offset: u64) -> u64 {
        let offset = usize::try_from(offset).unwrap_or(usize::MAX).min(self.text.len());
        if let Some(passed) = self.text.as_bytes().get(self.offset..offset) {
            let passed = memchr::memchr_iter(b'\n', passed).count();
            self.line += u64::try_from(passed).unwrap_or(u64::MAX);
            self.offset = offset;
        }
        self.line
    }
}

/// Reads a document.
///
/// # Errors
///
/// [`Reason::DocumentUnsafe`] and [`Reason::DocumentMalformed`], whichever comes first in the text.
pub(super) fn read(text: &str) -> Result<Document<'_>, Rejection> {
    let mut reader = Reader::from_str(text);
    let mut lines = Lines { text, offset: 0, line: 1 };
    let mut document = Document::default();
    let mut path: Vec<String> = Vec::new();
    let mut leaf = Cow::Borrowed("");
    let mut has_root = false;
    loop {
        let line = lines.at(reader.buffer_position());
        let refuse = |reason, detail: &dyn std::fmt::Display| {
            Rejection::new(reason, "").at_line(line).because(detail)
        };
        let event = reader.read_event().map_err(|error| {
            let line = lines.at(reader.error_position());
            Rejection::new(Reason::DocumentMalformed, "").at_line(line).because(error)
        })?;
        match event {
            Event::Start(_) | Event::Empty(_) if has_root && path.is_empty() => {
                return Err(refuse(Reason::DocumentMalformed, &"there is a second root"));
            }
            Event::Start(start) => {
                if path.len() == DEPTH_MAX {
                    let detail = format!("elements lie more than {DEPTH_MAX} deep");
                    return Err(refuse(Reason::DocumentMalformed, &detail));
                }
                if path.is_empty() {
                    document.open(&start, line);
                    has_root = true;
                }
                path.push(start.local_name().into_inner().to_owned());
                document.start(&path, line);
                leaf = Cow::Borrowed("");
            }
            Event::Empty(start) => {
                if path.is_empty() {
                    document.open(&start, line);
                    has_root = true;
                }
            }
            Event::Text(part) => add(&mut leaf, part.into_inner()),
            Event::CData(part) => add(&mut leaf, part.into_inner()),
            Event::GeneralRef(reference) => match character(&reference) {
                Some(character) => leaf.to_mut().push(character),
                None => {
                    let detail = format!("the entity {:?}", reference.into_inner());
                    return Err(refuse(Reason::DocumentUnsafe, &detail));
                }
            },
            Event::End(_) => {
                let text = match std::mem::take(&mut leaf) {
                    Cow::Borrowed(text) => Cow::Borrowed(text.trim()),
                    Cow::Owned(text) => Cow::Owned(text.trim().to_owned()),
                };
                if !document.end(&path, text, line) {
                    let name = path.last().map_or("", String::as_str);
                    return Err(refuse(Reason::DocumentMalformed, &"the element stands twice")
                        .in_column(name));
                }
                path.pop();
            }
            Event::DocType(_) => return Err(refuse(Reason::DocumentUnsafe, &"a DTD")),
            Event::Decl(_) | Event::PI(_) | Event::Comment(_) => {}
            Event::Eof if has_root && path.is_empty() => return Ok(document),
            Event::Eof => {
                let detail = match path.last() {
                    Some(open) => format!("it ends inside of {open}"),
                    None => "there is no element".to_owned(),
                };
                return Err(refuse(Reason::DocumentMalformed, &detail));
            }
        }
    }
}

fn add<'x>(leaf: &mut Cow<'x, str>, part: Cow<'x, str>) {
    if leaf.is_empty() {
        *leaf = part;
    } else {
        leaf.to_mut().push_str(&part);
    }
}

/// Returns what a reference stands for: a character by number, or one of the five that XML itself names.
fn character(reference: &BytesRef<'_>) -> Option<char> {
    if reference.is_char_ref() {
        return reference.resolve_char_ref().ok().flatten();
    }
    match reference.borrow().into_inner().as_ref() {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => None,
    }
}

impl<'x> Document<'x> {
    /// Takes the root's name and namespace.
    fn open(&mut self, root: &BytesStart<'_>, line: u64) {
        self.line = line;
        self.root = root.local_name().into_inner().to_owned();
        let declaration = match root.name().into_inner().split_once(':') {
            Some((prefix, _)) => format!("xmlns:{prefix}"),
            None => "xmlns".to_owned(),
        };
        if let Ok(Some(attribute)) = root.try_get_attribute(declaration.as_str()) {
            self.namespace = attribute.value.to_string();
        }
    }

    fn start(&mut self, path: &[String], line: u64) {
        match names(path).as_slice() {
            [_, "TimeSeries"] => self.series.push(Series { line, ..Series::default() }),
            [_, "TimeSeries", "Period"] => {
                if let Some(series) = self.series.last_mut() {
                    series.periods.push(Period { line, ..Period::default() });
                }
            }
            [_, "TimeSeries", "Period", "Point"] => {
                if let Some(period) = self.period() {
                    period.points.push(Point { line, ..Point::default() });
                }
            }
            _ => {}
        }
    }

    /// Takes the text of an element that ends. Returns whether it may stand there: once, but for reasons, whose first
    /// counts.
    fn end(&mut self, path: &[String], text: Cow<'x, str>, line: u64) -> bool {
        let names = names(path);
        let Some((slot, name)) = self.slot(&names) else { return true };
        let is_first = slot.is_none();
        if is_first {
            *slot = Some(Field { name, text, line });
        }
        is_first || name.starts_with("Reason")
    }

    fn period(&mut self) -> Option<&mut Period<'x>> {
        self.series.last_mut()?.periods.last_mut()
    }

    /// Returns where the text of an element belongs, and the element's name.
    fn slot(&mut self, names: &[&str]) -> Option<(&mut Option<Field<'x>>, &'static str)> {
        Some(match names {
            [_, "type"] => (&mut self.kind, "type"),
            [_, "process.processType"] => (&mut self.process, "process.processType"),
            [_, "Reason", "code"] => (&mut self.reason_code, "Reason/code"),
            [_, "Reason", "text"] => (&mut self.reason_text, "Reason/text"),
            [_, "TimeSeries", field] => {
                let series = self.series.last_mut()?;
                match *field {
                    "in_Domain.mRID" => (&mut series.in_domain, "in_Domain.mRID"),
                    "out_Domain.mRID" => (&mut series.out_domain, "out_Domain.mRID"),
                    "contract_MarketAgreement.type" => {
                        (&mut series.contract, "contract_MarketAgreement.type")
                    }
                    AUCTION_ELEMENT => (&mut series.auction, AUCTION_ELEMENT),
                    "currency_Unit.name" => (&mut series.currency, "currency_Unit.name"),
                    "price_Measure_Unit.name" => (&mut series.unit, "price_Measure_Unit.name"),
                    "curveType" => (&mut series.curve, "curveType"),
                    _ => return None,
                }
            }
            [_, "TimeSeries", "Period", "timeInterval", "start"] => {
                (&mut self.period()?.start, "start")
            }
            [_, "TimeSeries", "Period", "timeInterval", "end"] => (&mut self.period()?.end, "end"),
            [_, "TimeSeries", "Period", "resolution"] => {
                (&mut self.period()?.resolution, "resolution")
            }
            [_, "TimeSeries", "Period", "Point", "position"] => {
                (&mut self.period()?.points.last_mut()?.position, "position")
            }
            [_, "TimeSeries", "Period", "Point", "price.amount"] => {
                (&mut self.period()?.points.last_mut()?.amount, "price.amount")
            }
            _ => return None,
        })
    }
}

fn names(path: &[String]) -> Vec<&str> {
    path.iter().map(String::as_str).collect()
}
