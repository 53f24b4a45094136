//! Where results go: standard output, as text for people or as one JSON document for programs.

pub(crate) mod drawing;
pub(crate) mod number;
pub(crate) mod picture;
pub(crate) mod table;
pub(crate) mod wrapped;

use std::io::{self, Write};

use clap::ValueEnum;
use serde::Serialize;

use crate::error::{CommandError, ErrorKind};

/// The form of a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum Format {
    /// Text for people
    #[default]
    Text,
    /// One JSON document for programs; errors are one JSON line on standard error
    Json,
}

/// A result: data for programs, and the text that people read.
pub(crate) trait Report: Serialize {
    /// Writes the text, with a line feed at the end.
    ///
    /// # Errors
    ///
    /// What `out` answers.
    fn write_text(&self, out: &mut dyn Write) -> io::Result<()>;
}

/// Standard output and standard error of a command.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    pub(crate) format: Format,
}

impl Output {
    /// Writes the result.
    ///
    /// # Errors
    ///
    /// When standard output cannot be written.
    pub(crate) fn report(self, report: &impl Report) -> Result<(), CommandError> {
        let mut out = io::BufWriter::new(io::stdout().lock());
        match self.format {
            Format::Text => report.write_text(&mut out)?,
            Format::Json => {
                serde_json::to_writer_pretty(&mut out, report).map_err(io::Error::from)?;
                writeln!(out)?;
            }
        }
        Ok(out.flush()?)
    }

    /// Writes one of many results at once: a line of text, or a JSON document on one line.
    ///
    /// # Errors
    ///
    /// When standard output cannot be written.
    pub(crate) fn line(self, report: &impl Report) -> Result<(), CommandError> {
        let mut out = io::stdout().lock();
        match self.format {
            Format::Text => report.write_text(&mut out)?,
            Format::Json => {
                serde_json::to_writer(&mut out, report).map_err(io::Error::from)?;
                writeln!(out)?;
            }
        }
        Ok(out.flush()?)
    }

    /// Writes a part of the text at once, while the work goes on; programs get it in the document at the end.
    ///
    /// # Errors
    ///
    /// When standard output cannot be written.
    pub(crate) fn step(self, line: &str) -> Result<(), CommandError> {
        if self.format == Format::Text {
            let mut out = io::stdout().lock();
            writeln!(out, "{line}")?;
            out.flush()?;
        }
        Ok(())
    }

    /// Tells people something that is no result, as a sentence on standard error.
    pub(crate) fn note(self, sentence: &str) {
        // Nobody is left to tell when standard error is closed.
        writeln!(io::stderr().lock(), "{sentence}").unwrap_or_default();
    }

    /// Says why the command ended early.
    pub(crate) fn error(self, error: &CommandError) {
        if error.kind == ErrorKind::ReaderLeft {
            return;
        }
        match self.format {
            Format::Text => self.note(&error.to_string()),
            Format::Json => {
                let document = serde_json::json!({
                    "error": {
                        "kind": error.kind,
                        "code": error.code(),
                        "message": error.message(),
                        "hint": error.advice(),
                    }
                });
                self.note(&document.to_string());
            }
        }
    }
}
