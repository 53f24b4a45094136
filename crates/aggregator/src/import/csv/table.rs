//! The rows of a table, one by one.

use std::str::FromStr;

use gridtally_core::id::IdError;
use gridtally_core::rejection::{Reason, Rejection};

use super::layout::{Accepted, Context, DecimalSign, Label, Layout};
use super::number::Scaled;
use super::row::{Header, Wanted};
use super::rows::{Gathered, Rows};
use crate::import::input::{Encoding, Limits, Text};
use crate::import::report::{Refused, Rejections};

/// What was read, not yet in order.
pub(super) struct Table<L> {
    pub(super) gathered: Gathered<L>,
    pub(super) header: Header,
    pub(super) encoding: Encoding,
    /// Rows that were passed over.
    pub(super) rejections: Rejections,
}

/// Reads all rows. `parse` reads the field of a value column, by its place in `names`; intervals that are not `accepted`
/// are refused.
pub(super) fn read<L: FromStr<Err = IdError> + Clone>(
    text: Text<'_>,
    layout: &Layout<L>,
    names: &[&str],
    parse: impl Fn(usize, &str, DecimalSign) -> Result<Scaled, Reason>,
    accepted: Accepted,
    context: &Context,
) -> Result<Table<L>, Refused> {
    let encoding = text.encoding();
    let mut rejections = Rejections::new(&context.file, context.limits.rejections_max);
    match rows(text, layout, names, parse, accepted, &mut rejections) {
        Err(fault) => Err(rejections.refused_with(fault)),
        Ok(_) if rejections.count() > 0 && !layout.skip_refused => Err(rejections.into_refused()),
        Ok((header, gathered)) => Ok(Table { gathered, header, encoding, rejections }),
    }
}

/// Reads the rows to the end of the text, or to the fault that makes reading on useless.
fn rows<L: FromStr<Err = IdError> + Clone>(
    mut text: Text<'_>,
    layout: &Layout<L>,
    names: &[&str],
    parse: impl Fn(usize, &str, DecimalSign) -> Result<Scaled, Reason>,
    accepted: Accepted,
    rejections: &mut Rejections,
) -> Result<(Header, Gathered<L>), Rejection> {
    let Limits { line_bytes_max, rows_max, labels_max, .. } = *text.limits();
    let mut rows: Option<Rows<'_, L, _>> = None;
    while let Some(lines) = text.lines()? {
        let mut fields = Vec::new();
        let mut last_line = lines.first_line;
        for (line_number, line) in lines.numbered() {
            if line.len() > line_bytes_max {
                let long = Rejection::new(Reason::LineTooLong, line).at_line(line_number);
                return Err(long.because(format_args!("more than {line_bytes_max} bytes")));
            }
            match &mut rows {
                None => {
                    let header = Header::read(line, wanted(layout, names))?;
                    rows = Some(Rows::new(layout, names, header, &parse, accepted));
                }
                Some(rows) => rows.take(line_number, line, &mut fields, rejections),
            }
            last_line = line_number;
        }
        if rejections.is_hopeless() {
            let detail = format!("{} rows were refused, the rest was not read", rejections.count());
            let hopeless = Rejection::new(Reason::DocumentMalformed, "").at_line(last_line);
            return Err(hopeless.because(detail));
        }
        // The header is no row.
        if last_line - 1 > rows_max {
            let detail = format!("more than {rows_max} rows");
            let many = Rejection::new(Reason::RowsTooMany, "").at_line(rows_max + 2);
            return Err(many.because(detail));
        }
        if rows.as_ref().is_some_and(|rows| rows.label_count() > labels_max) {
            let detail = format!("more than {labels_max} different identifiers");
            let many = Rejection::new(Reason::RowsTooMany, "").at_line(last_line);
            return Err(many.because(detail));
        }
    }
    match rows.map(Rows::finish) {
        Some((header, gathered)) if gathered.row_count > 0 => Ok((header, gathered)),
        Some(_) => {
            Err(Rejection::new(Reason::FileEmpty, "").because("there is a header and no row"))
        }
        None => Err(Rejection::new(Reason::FileEmpty, "")),
    }
}

fn wanted<'a, L>(layout: &'a Layout<L>, values: &'a [&'a str]) -> Wanted<'a> {
    let label = match &layout.label {
        Label::Fixed(_) => None,
        Label::Column(name) => Some(name.as_str()),
    };
    Wanted { separator: layout.separator, time: &layout.time_column, label, values }
}
