//! A file by its path: what it is, and all that is in it.

use std::fs::File;
use std::path::Path;

use gridtally_core::meter::MeteringPointId;
use gridtally_core::rejection::{Reason, Rejection};
use gridtally_core::tariff::PriceArea;
use serde::Serialize;

use super::csv::{self, Context, Layout, PriceColumn, ReadingColumn};
use super::entsoe;
use super::input::{Limits, Text, unreadable};
use super::report::{Refused, Report};

/// What a file looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Text that does not begin as XML does.
    Table,
    /// XML.
    Document,
}

/// How a file is to be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Format {
    /// A table of readings.
    Readings {
        /// How the table is laid out.
        layout: Layout<MeteringPointId>,
        /// Its columns of energy.
        columns: Vec<ReadingColumn>,
    },
    /// A table of prices.
    Prices {
        /// How the table is laid out.
        layout: Layout<PriceArea>,
        /// Its columns of prices.
        columns: Vec<PriceColumn>,
    },
    /// A price document of ENTSO-E, which says everything itself.
    Entsoe,
}

/// What was in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Imported {
    /// Readings of a table.
    Readings(csv::Readings),
    /// Prices of a table.
    Prices(csv::Prices),
    /// Prices of a document.
    Entsoe(entsoe::Prices),
}

impl Imported {
    /// Returns how the file was understood.
    #[must_use]
    pub const fn report(&self) -> &Report {
        match self {
            Self::Readings(readings) => &readings.report,
            Self::Prices(prices) => &prices.report,
            Self::Entsoe(prices) => &prices.report,
        }
    }

    /// Returns how the file was understood, without its values.
    #[must_use]
    pub fn into_report(self) -> Report {
        match self {
            Self::Readings(readings) => readings.report,
            Self::Prices(prices) => prices.report,
            Self::Entsoe(prices) => prices.report,
        }
    }
}

/// Returns what a file looks like by its first bytes, which may be packed.
///
/// # Errors
///
/// [`Refused`] when the file cannot be read, is empty or is not text.
pub fn kind_of(path: &Path, limits: Limits) -> Result<Kind, Refused> {
    let name = path.display().to_string();
    let text = open(path, limits).map_err(|refusal| refusal.in_file(name))?;
    Ok(kind(&text))
}

/// Reads a file. Nothing is stored, so this alone is the dry run of an import.
///
/// # Errors
///
/// [`Refused`] as [`csv::readings`], [`csv::prices`] and [`entsoe::prices`] do; before them, when the file cannot be read or
/// is a table where a document is expected, or the other way round.
pub fn file(path: &Path, format: &Format, context: &Context) -> Result<Imported, Refused> {
    let text = open(path, context.limits).map_err(|refusal| refusal.in_file(&context.file))?;
    let expected = match format {
        Format::Readings { .. } | Format::Prices { .. } => Kind::Table,
        Format::Entsoe => Kind::Document,
    };
    let found = kind(&text);
    if found != expected {
        let detail = match found {
            Kind::Document => "an XML document where a table was expected",
            Kind::Table => "no XML document, but one was expected",
        };
        let refusal = Rejection::new(Reason::DocumentKind, "").because(detail);
        return Err(refusal.in_file(&context.file).into());
    }
    match format {
        Format::Readings { layout, columns } => {
            csv::readings_of(text, layout, columns, context).map(Imported::Readings)
        }
        Format::Prices { layout, columns } => {
            csv::prices_of(text, layout, columns, context).map(Imported::Prices)
        }
        Format::Entsoe => entsoe::prices_of(text, context).map(Imported::Entsoe),
    }
}

fn open(path: &Path, limits: Limits) -> Result<Text<'static>, Rejection> {
    let file = File::open(path).map_err(|error| unreadable(&error))?;
    Text::open(file, limits)
}

fn kind(text: &Text<'_>) -> Kind {
    if text.is_markup() { Kind::Document } else { Kind::Table }
}
