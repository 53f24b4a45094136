//! Values in order, and the report on them.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use gridtally_core::rejection::{Reason, Rejection};
use jiff::Timestamp;

use super::layout::{Context, Label, Layout};
use super::table::Table;
use crate::import::column::{Column, Conflict, FieldNames, Sorted};
use crate::import::report::{ColumnReport, Refused, Report};

/// Returns the values in order, by `key` of label and value column, which `name` writes; and the report.
pub(super) fn series<L, K: Ord>(
    table: Table<L>,
    layout: &Layout<L>,
    value_names: &[&str],
    key: impl Fn(&L, usize) -> K,
    name: impl Fn(&K) -> String,
    context: &Context,
) -> Result<(BTreeMap<K, Column>, Report), Refused> {
    let Table { gathered, header, encoding, mut rejections } = table;
    let skipped_count = rejections.count();
    let mut columns = BTreeMap::new();
    let mut repeated_count = 0;
    for (label, values) in gathered.labels.iter().zip(gathered.values) {
        for (index, values) in values.into_iter().enumerate() {
            let fields = FieldNames {
                label: match &layout.label {
                    Label::Fixed(_) => None,
                    Label::Column(name) => Some(name.as_str().into()),
                },
                time: layout.time_column.as_str().into(),
                value: value_names[index].into(),
            };
            let conflicts_max = rejections.room().max(1);
            let Sorted { column, repeated_count: repeated, conflicts } =
                values.sorted(layout.resolution, fields, conflicts_max);
            // All columns of a label have the same rows.
            repeated_count += if index == 0 { repeated } else { 0 };
            for conflict in conflicts {
                rejections.push(|| twice(conflict, value_names[index]));
            }
            if column.is_empty() {
                continue;
            }
            match columns.entry(key(label, index)) {
                Entry::Vacant(entry) => {
                    entry.insert(column);
                }
                Entry::Occupied(entry) => {
                    let value_name = value_names[index];
                    let detail = format!("{} is given by two columns", name(entry.key()));
                    let twice = Rejection::new(Reason::ColumnTwice, value_name).at_line(1);
                    rejections.push(|| {
                        let twice = twice.in_column(value_name).because(detail);
                        twice.with_remedy("import one of them")
                    });
                }
            }
        }
    }
    if rejections.count() > skipped_count {
        return Err(rejections.into_refused());
    }
    let reports = columns
        .iter()
        .map(|(key, column)| ColumnReport::new(name(key), column, &context.report_zone))
        .collect();
    let report = Report {
        file: context.file.clone(),
        encoding,
        separator: Some(char::from(header.separator)),
        columns_ignored: header.ignored,
        notes: Vec::new(),
        row_count: gathered.row_count,
        repeated_count,
        unordered_count: gathered.unordered_count,
        rounded_count: gathered.rounded_count,
        rejection_count: rejections.count(),
        rejections: rejections.into_first(),
        columns: reports,
    };
    Ok((columns, report))
}

/// Returns the refusal of the second of two rows for one interval.
fn twice(conflict: Conflict, column: &str) -> Rejection {
    let Conflict { start_s, first: (first_line, first), second: (line, value) } = conflict;
    let start = Timestamp::from_second(start_s).map_or_else(|_| String::new(), |at| at.to_string());
    Rejection::new(Reason::PeriodTwice, &value.to_string())
        .at_line(line)
        .in_column(column)
        .because(format_args!("the interval from {start} has {first} in line {first_line}"))
}
