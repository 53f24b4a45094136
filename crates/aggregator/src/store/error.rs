//! What can go wrong with a store.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use gridtally_core::rejection::Rejection;
use serde::Serialize;

use super::participants::ParticipantError;
use crate::import::Refused;

/// Why an operation on a store failed. In order of precedence.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is no store in the folder.
    #[error("{} is not a store, create one with init", folder.display())]
    NotAStore {
        /// The folder.
        folder: PathBuf,
    },
    /// A store or something else is in the folder already.
    #[error("{} holds {name:?} already, a store needs an empty folder", folder.display())]
    NotEmpty {
        /// The folder.
        folder: PathBuf,
        /// What is in it.
        name: String,
    },
    /// Another program writes to the store.
    #[error("another program is writing to {}", folder.display())]
    Locked {
        /// The folder.
        folder: PathBuf,
    },
    /// The store was written by a newer program.
    #[error("the store has format {found}, this program reads format {known}", known = super::FORMAT)]
    UnknownFormat {
        /// The format in `store.toml`.
        found: i64,
    },
    /// Bytes of the store are not those that were recorded.
    #[error(transparent)]
    Damaged(#[from] Fault),
    /// There is no such line in the journal.
    #[error("the journal has {last} lines, there is no line {sequence}")]
    NoSuchLine {
        /// The line as given.
        sequence: u64,
        /// The last line.
        last: u64,
    },
    /// The parties or metering points are not valid.
    #[error(transparent)]
    Participants(#[from] ParticipantError),
    /// The content is refused; nothing was recorded.
    #[error(transparent)]
    Refused(Refused),
    /// A settlement run gave other bytes than before from the same inputs.
    #[error("run {run} is recorded with other content: {file} differs")]
    RunDiffers {
        /// The run's id.
        run: String,
        /// Which of its files.
        file: String,
    },
    /// An effect failed before, so what is on disk is only known after opening the store again.
    #[error("an earlier write failed, open the store again")]
    Interrupted,
    /// The disk failed.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// Where.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
}

impl From<Rejection> for StoreError {
    fn from(rejection: Rejection) -> Self {
        Self::Refused(rejection.into())
    }
}

/// Adds what was tried and where to an I/O error.
pub(super) fn failed<'a>(
    action: &'static str,
    path: &'a Path,
) -> impl FnOnce(io::Error) -> StoreError + use<'a> {
    move |source| StoreError::Io { action, path: path.to_owned(), source }
}

/// One place where a store is not what was recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
pub struct Fault {
    /// The file, relative to the store.
    pub file: String,
    /// The first line that can be wrong, from 1.
    pub line: Option<u64>,
    /// The last line that can be wrong, when it is not the first one.
    pub last_line: Option<u64>,
    /// What is wrong.
    pub kind: FaultKind,
}

/// What is wrong with a file of a store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// The file is not there.
    #[error("the file is missing")]
    Missing,
    /// The content is not that which was recorded.
    #[error("the content differs from what was recorded")]
    Differs,
    /// The file is shorter or longer than recorded.
    #[error("the file has {actual} bytes instead of {expected}")]
    Length {
        /// Recorded.
        expected: u64,
        /// Found.
        actual: u64,
    },
    /// The line is not one that this program writes.
    #[error("the line is not as this program writes it: {0}")]
    Malformed(String),
    /// The line does not belong after the one before it.
    #[error("the line does not follow the one before it: {0}")]
    Chain(String),
    /// A write was interrupted here, and never acknowledged. Opening the store to write cleans up.
    #[error("a write was interrupted here and never acknowledged, opening the store cleans up")]
    Interrupted,
    /// A file that no program of ours puts there.
    #[error("the file does not belong into a store")]
    Foreign,
}

impl Fault {
    pub(super) fn new(file: impl Into<String>, kind: FaultKind) -> Self {
        Self { file: file.into(), line: None, last_line: None, kind }
    }

    pub(super) fn at_line(mut self, line: u64) -> Self {
        self.line = Some(line);
        self
    }

    pub(super) fn malformed(file: &str, line: u64, what: impl fmt::Display) -> Self {
        Self::new(file, FaultKind::Malformed(what.to_string())).at_line(line)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.file)?;
        match (self.line, self.last_line) {
            (Some(line), Some(last)) => write!(formatter, ":{line}-{last}")?,
            (Some(line), None) => write!(formatter, ":{line}")?,
            _ => {}
        }
        write!(formatter, ": {}", self.kind)
    }
}
