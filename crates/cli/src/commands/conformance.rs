//! `gridtally conformance`: a vector or oracle document against our own answers.

use std::io::{self, Write};
use std::path::PathBuf;

use anyhow::{Context as _, anyhow};

use crate::conformance;
use crate::context::Context;
use crate::error::{Blame, CommandError};
use crate::input::read_bounded;
use crate::output::Report;
use crate::output::number::counted;

/// Largest document that is read, in bytes after unpacking.
const FILE_BYTES_MAX: u64 = 64 << 20;

/// Recompute every answer of a vector or oracle document from its inputs, and report what differs
///
/// The result is always a JSON document {kind, checks, failed, failed_count, not_checked}. Exit code 1 where an answer
/// differs.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The document, JSON or gzip of it
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

pub(crate) fn run(arguments: &Arguments, context: &Context) -> Result<(), CommandError> {
    let content = read_bounded(&arguments.file, FILE_BYTES_MAX)?;
    let shown = arguments.file.display();
    let report = conformance::check(&content).with_context(|| shown.to_string()).or_refused()?;
    context.output.report(&report)?;
    if report.failed_count == 0 {
        return Ok(());
    }
    let checks = counted(report.checks as u64, "answer");
    Err(CommandError::refused(anyhow!("{} of {checks} differ", report.failed_count)))
}

impl Report for conformance::Report {
    /// Writes JSON: this result is for programs.
    fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        serde_json::to_writer_pretty(&mut *out, self).map_err(io::Error::from)?;
        writeln!(out)
    }
}
