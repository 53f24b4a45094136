//! Files on their way into the store, and what people are told of them.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use anyhow::anyhow;
use gridtally_aggregator::import::csv::Context as Around;
use gridtally_aggregator::import::{self, ColumnReport, Kind, Limits, Refused};
use gridtally_aggregator::store::{Added, ImportTerms, Store, StoreError, StoreView};
use gridtally_core::rejection::Rejection;
use gridtally_core::rounding::divide_half_away;
use indicatif::ProgressBar;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::commands::{StoreArguments, store_error};
use crate::config::Config;
use crate::context::Context;
use crate::error::CommandError;
use crate::output::Report;
use crate::output::number::{counted, decimal_rounded, grouped};
use crate::output::table::{Align, Table};
use crate::progress;

/// Rejections that are shown as text; the JSON document has those of the report.
const REJECTIONS_SHOWN: usize = 20;

/// The files of one import.
pub(super) struct Files {
    target: Target,
    config: Config,
    now: Timestamp,
    imported: Imported,
}

/// Where values go.
enum Target {
    /// Nothing is changed.
    DryRun(StoreView),
    Store(Box<Store>),
}

/// What became of all files.
#[derive(Debug, Serialize)]
pub(super) struct Imported {
    #[serde(skip)]
    sum: Sum,
    dry_run: bool,
    files: Vec<ImportedFile>,
    refused_count: usize,
}

/// What became of one file.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum ImportedFile {
    Taken { report: Box<import::Report>, added: Added },
    Refused { file: String, rejection_count: u64, rejections: Vec<Rejection> },
}

impl Files {
    /// Opens the store, to read only in a dry run.
    ///
    /// # Errors
    ///
    /// A usage error for the configuration, otherwise that of the store.
    pub(super) fn open(
        store: &StoreArguments,
        dry_run: bool,
        sum: Sum,
        context: &Context,
    ) -> Result<Self, CommandError> {
        let config = context.config(|settings| store.apply(settings))?;
        let folder = &config.store_folder;
        let target = if dry_run {
            Target::DryRun(StoreView::open(folder).map_err(store_error)?)
        } else {
            Target::Store(Box::new(Store::open(folder).map_err(store_error)?))
        };
        let imported = Imported { sum, dry_run, files: Vec::new(), refused_count: 0 };
        Ok(Self { target, now: context.now(), config, imported })
    }

    fn view(&self) -> &StoreView {
        match &self.target {
            Target::DryRun(view) => view,
            Target::Store(store) => store.view(),
        }
    }

    /// Looks at the first bytes of a file. Returns nothing, and remembers why, when it is refused.
    pub(super) fn kind(&mut self, path: &Path) -> Option<Kind> {
        match import::kind_of(path, self.limits()) {
            Ok(kind) => Some(kind),
            Err(refused) => {
                self.refuse(path.display().to_string(), refused);
                None
            }
        }
    }

    /// Returns the start of the oldest reading that is accepted.
    fn oldest(&self) -> Option<Timestamp> {
        let days = i64::try_from(self.config.import.age_days_max?).ok()?;
        self.now.checked_sub(SignedDuration::from_hours(24 * days)).ok()
    }

    fn limits(&self) -> Limits {
        Limits { bytes_max: self.config.import.file_bytes_max, ..Limits::default() }
    }

    /// Reads a file with `parse`. Returns nothing, and remembers why, when it is refused.
    ///
    /// # Errors
    ///
    /// An environment error where the file cannot be read.
    pub(super) fn read<T>(
        &mut self,
        path: &Path,
        parse: impl FnOnce(progress::Tracked<File>, &Around) -> Result<T, Refused>,
    ) -> Result<Option<T>, CommandError> {
        let file = File::open(path).map_err(|error| unreadable(path, error))?;
        let bytes = file.metadata().map_or(0, |metadata| metadata.len());
        let bar: ProgressBar = progress::bytes(bytes, "reading");
        let settings = self.view().settings();
        let around = Around {
            file: path.display().to_string(),
            now: self.now,
            oldest: self.oldest(),
            report_zone: settings.zone.clone(),
            limits: self.limits(),
        };
        let parsed = parse(progress::Tracked::new(file, bar.clone()), &around);
        bar.finish_and_clear();
        match parsed {
            Ok(parsed) => Ok(Some(parsed)),
            Err(refused) => {
                self.refuse(around.file, refused);
                Ok(None)
            }
        }
    }

    /// Puts what was read into the store, or asks what would become of it.
    ///
    /// # Errors
    ///
    /// That of the store, when it is no refusal of the values.
    pub(super) fn keep(
        &mut self,
        imported: import::Imported,
        terms: ImportTerms,
    ) -> Result<(), CommandError> {
        let file = &imported.report().file;
        let added = match &mut self.target {
            Target::DryRun(view) => view.try_imported(&imported, terms),
            Target::Store(store) => store.add_imported(file, &imported, terms, self.now),
        };
        match added {
            Ok(added) => {
                let report = Box::new(imported.into_report());
                self.imported.files.push(ImportedFile::Taken { report, added });
                Ok(())
            }
            Err(StoreError::Refused(refused)) => {
                self.refuse(file.clone(), refused);
                Ok(())
            }
            Err(error) => Err(store_error(error)),
        }
    }

    /// Remembers why a file is refused.
    pub(super) fn refuse(&mut self, file: String, refused: impl Into<Refused>) {
        let Refused { rejections, count } = refused.into();
        self.imported.refused_count += 1;
        self.imported.files.push(ImportedFile::Refused {
            file,
            rejection_count: count,
            rejections,
        });
    }

    /// Returns what became of all files.
    pub(super) fn finish(self) -> Imported {
        self.imported
    }
}

fn unreadable(path: &Path, error: io::Error) -> CommandError {
    CommandError::environment(anyhow!(error).context(format!("cannot read {}", path.display())))
}

impl Imported {
    /// Shows the result.
    ///
    /// # Errors
    ///
    /// A refusal when a file was refused.
    pub(super) fn show(&self, context: &Context) -> Result<(), CommandError> {
        context.output.report(self)?;
        if self.refused_count == 0 {
            return Ok(());
        }
        let count = u64::try_from(self.refused_count).unwrap_or(u64::MAX);
        let refused = anyhow!(
            "{} refused, nothing of {} was stored",
            counted(count, "file"),
            if count == 1 { "it" } else { "them" }
        );
        Err(CommandError::refused(refused)
            .hint("docs/reference/rejections.md explains the reasons."))
    }
}

impl Report for Imported {
    fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        self.files.iter().try_for_each(|file| match file {
            ImportedFile::Taken { report, added } => {
                write_taken(out, self.sum, report, added, self.dry_run)
            }
            ImportedFile::Refused { file, rejection_count, rejections } => {
                writeln!(out, "{file}: refused")?;
                write_rejections(out, rejections, *rejection_count)
            }
        })
    }
}

/// What the sum of a column says to people who know their meters and markets.
#[derive(Debug, Clone, Copy)]
pub(super) enum Sum {
    /// All energy.
    Energy,
    /// The mean price.
    Price,
}

impl Sum {
    const fn header(self) -> &'static str {
        match self {
            Self::Energy => "kWh",
            Self::Price => "mean per kWh",
        }
    }

    fn of(self, column: &ColumnReport) -> String {
        match self {
            Self::Energy => decimal_rounded(column.sum, 3, 1),
            Self::Price => {
                let count = i128::try_from(column.value_count.max(1)).unwrap_or(i128::MAX);
                decimal_rounded(divide_half_away(column.sum, count), 6, 4)
            }
        }
    }
}

fn write_taken(
    out: &mut dyn Write,
    unit: Sum,
    report: &import::Report,
    added: &Added,
    dry_run: bool,
) -> io::Result<()> {
    let Added { new_count, changed_count, repeated_count, .. } = added;
    let would = if dry_run { "would be " } else { "" };
    writeln!(
        out,
        "{}: {}, {} {would}new, {} another version, {} known already",
        report.file,
        counted(report.row_count, "row"),
        grouped(*new_count),
        grouped(*changed_count),
        grouped(*repeated_count),
    )?;
    let mut table = Table::new([
        (Align::Left, "what"),
        (Align::Right, "values"),
        (Align::Left, "from (UTC)"),
        (Align::Left, "until (UTC)"),
        (Align::Right, "min"),
        (Align::Right, "gaps"),
        (Align::Right, "absent"),
        (Align::Right, unit.header()),
    ]);
    for column in &report.columns {
        // Periods begin with a minute, and the table fits into 100 columns.
        let shown = |instant: Option<Timestamp>| {
            instant.map_or_else(String::new, |at| at.strftime("%Y-%m-%d %H:%M").to_string())
        };
        table.row([
            column.name.clone(),
            grouped(column.value_count as u64),
            shown(column.from),
            shown(column.until),
            column.resolution.minutes().to_string(),
            grouped(column.gap_count),
            grouped(column.missing_count),
            unit.of(column),
        ]);
    }
    table.write(out)?;
    for column in &report.columns {
        for day in &column.change_days {
            writeln!(
                out,
                "  {}: {} has {} hours, {} of {} values",
                column.name, day.date, day.hours, day.value_count, day.period_count
            )?;
        }
    }
    if report.repeated_count > 0 {
        writeln!(out, "  {} repeat an earlier one", counted(report.repeated_count, "row"))?;
    }
    if report.rejection_count > 0 {
        writeln!(out, "  {} passed over:", counted(report.rejection_count, "refused row"))?;
        write_rejections(out, &report.rejections, report.rejection_count)?;
    }
    Ok(())
}

fn write_rejections(out: &mut dyn Write, rejections: &[Rejection], count: u64) -> io::Result<()> {
    for rejection in rejections.iter().take(REJECTIONS_SHOWN) {
        writeln!(out, "  {rejection}")?;
    }
    let shown = rejections.len().min(REJECTIONS_SHOWN) as u64;
    if count > shown {
        writeln!(out, "  and {} more", grouped(count - shown))?;
    }
    Ok(())
}
