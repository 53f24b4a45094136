//! The journal: one line for everything that was acknowledged.
//!
//! ```text
//! DIGEST {"sequence":2,"recorded":"...","kind":"readings",...}
//! ```
//!
//! DIGEST is the SHA-256 of the digest of the line before and the rest of this one, so that no line can be changed, left
//! out, added or moved without changing all that follow. A line without its line end was never acknowledged.

use alloy_primitives::B256;
use gridtally_core::party::ParticipantNumber;
use gridtally_core::tariff::PriceArea;
use jiff::Timestamp;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use super::digest::{Digest, Fingerprint};
use super::error::{Fault, FaultKind};
use super::settings::SETTINGS_FILE;
use super::writer::FOLDERS;
use crate::cycle::RunOptions;

/// Name of the file in the store's folder.
pub(super) const JOURNAL_FILE: &str = "journal";

/// Something that was acknowledged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Number of the line, from 1.
    pub sequence: u64,
    /// When it was recorded, by the clock of whoever wrote.
    pub recorded: Timestamp,
    /// What.
    #[serde(flatten)]
    pub content: Content,
}

/// What an entry acknowledges.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Content {
    /// The store itself; the first entry and no other.
    Created {
        /// `store.toml`.
        settings: StoredFile,
    },
    /// Parties and metering points, in place of those before.
    Participants {
        /// The book.
        file: StoredFile,
    },
    /// A tariff, in place of the one of that name before.
    Tariff {
        /// Its name.
        name: String,
        /// The tariff.
        file: StoredFile,
    },
    /// Readings: new ones and new versions.
    Readings {
        /// Where they came from, as the user said.
        source: String,
        /// Values for periods without one before.
        new_count: u64,
        /// Values that replace another.
        changed_count: u64,
        /// Tables, each of one month of UTC.
        files: Vec<TableFile>,
    },
    /// Spot prices: new ones and new versions.
    Prices {
        /// Where they came from, as the user said.
        source: String,
        /// Values for periods without one before.
        new_count: u64,
        /// Values that replace another.
        changed_count: u64,
        /// Of which areas.
        areas: Vec<PriceArea>,
        /// Tables, each of one month of UTC.
        files: Vec<TableFile>,
    },
    /// A deployment of the contract that this store settles on.
    Deployment {
        /// Where it stands.
        file: StoredFile,
    },
    /// A deployment of the contracts of batch settlement, on which this store settles from here on.
    BatchDeployment {
        /// Where they stand.
        file: StoredFile,
    },
    /// A settlement run.
    Run(Box<RunEntry>),
    /// Sections of sealed batches are erased from here on: whatever is public of them, nobody can understand it any more.
    SectionsErased(ErasedSections),
}

/// What an entry says of erased sections: those of each of these participants in each of these batches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErasedSections {
    /// The batches.
    pub batches: Vec<ErasedBatch>,
    /// The participants.
    pub participants: Vec<ParticipantNumber>,
}

/// A batch of which sections are erased.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ErasedBatch {
    /// Its number.
    pub seq: u64,
    /// The hash of its header.
    pub header_hash: B256,
}

/// What an entry says of a settlement run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunEntry {
    /// Its name.
    pub id: B256,
    /// What was asked for, with tariff and line fixed.
    pub options: RunOptions,
    /// What it used.
    pub manifest: StoredFile,
    /// What it came to.
    pub records: StoredFile,
    /// What could not be settled.
    pub gaps: StoredFile,
}

/// A file of the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoredFile {
    /// Relative to the store, with `/`.
    pub path: String,
    /// Its bytes.
    pub fingerprint: Fingerprint,
}

/// A table of values over time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableFile {
    /// First start of a period in it.
    pub from: Timestamp,
    /// Last end of a period in it.
    pub until: Timestamp,
    /// The file.
    pub file: StoredFile,
}

/// A line of the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// What it says.
    pub entry: Entry,
    /// Covers this line and all before it.
    pub digest: Digest,
}

impl Content {
    /// Returns all files that the entry names.
    pub fn files(&self) -> impl Iterator<Item = &StoredFile> {
        let (single, tables): (Vec<&StoredFile>, &[TableFile]) = match self {
            Self::Created { settings: file }
            | Self::Participants { file }
            | Self::Tariff { file, .. }
            | Self::Deployment { file }
            | Self::BatchDeployment { file } => (vec![file], &[]),
            Self::Readings { files, .. } | Self::Prices { files, .. } => (Vec::new(), files),
            Self::SectionsErased(_) => (Vec::new(), &[]),
            Self::Run(run) => (vec![&run.manifest, &run.records, &run.gaps], &[]),
        };
        single.into_iter().chain(tables.iter().map(|table| &table.file))
    }
}

impl Line {
    /// Reads the lines of a journal, strictly. A last line that was never finished does not count.
    ///
    /// # Errors
    ///
    /// Returns the first [`Fault`], with its line.
    pub fn read_all(journal: &[u8]) -> Result<Vec<Self>, Fault> {
        Ok(read(journal)?.lines)
    }

    /// Returns the line that follows one with digest `previous`, and its text with the line end.
    pub(super) fn following(previous: Digest, entry: Entry) -> (Self, String) {
        let body = serde_json::to_string(&entry).expect("an entry is plain data");
        let digest = digest_of(previous, &body);
        let text = format!("{digest} {body}\n");
        (Self { entry, digest }, text)
    }
}

fn digest_of(previous: Digest, body: &str) -> Digest {
    Digest::of(format!("{previous} {body}").as_bytes())
}

/// A journal as it was read.
#[derive(Debug)]
pub(super) struct Journal {
    pub(super) lines: Vec<Line>,
    /// Bytes of the lines that count.
    pub(super) complete_bytes: u64,
    pub(super) end: End,
}

/// How a journal ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// With a line end.
    Whole,
    /// With a line that is complete up to its line end. Its digest fits, so it may have been acknowledged, and counts.
    Unterminated,
    /// With a line that was never finished, and so never acknowledged.
    Torn,
}

/// Reads a journal, strictly.
///
/// # Errors
///
/// Returns the first [`Fault`].
pub(super) fn read(bytes: &[u8]) -> Result<Journal, Fault> {
    let complete = bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |last| last + 1);
    let (bytes, rest) = bytes.split_at(complete);
    let mut lines: Vec<Line> = Vec::new();
    for text in bytes.split_inclusive(|&byte| byte == b'\n') {
        let line = read_line(&lines, &text[..text.len() - 1])?;
        lines.push(line);
    }
    let (mut complete_bytes, mut end) = (complete as u64, End::Whole);
    if !rest.is_empty() {
        end = End::Torn;
        let previous = lines.last().map_or(Digest::ZERO, |line| line.digest);
        if let Some(length) = acknowledged_length(previous, rest) {
            if length < rest.len() {
                let what = "something else stands where its line end was".to_owned();
                let fault = Fault::new(JOURNAL_FILE, FaultKind::Malformed(what));
                return Err(fault.at_line(lines.len() as u64 + 1));
            }
            let line = read_line(&lines, rest)?;
            lines.push(line);
            (complete_bytes, end) = (complete_bytes + length as u64, End::Unterminated);
        }
    }
    if lines.is_empty() {
        return Err(Fault::new(JOURNAL_FILE, FaultKind::Interrupted).at_line(1));
    }
    Ok(Journal { lines, complete_bytes, end })
}

/// Reads the line that follows `lines`, without its line end.
fn read_line(lines: &[Line], text: &[u8]) -> Result<Line, Fault> {
    let number = lines.len() as u64 + 1;
    let fault = |kind| Fault::new(JOURNAL_FILE, kind).at_line(number);
    let malformed = |what: &str| fault(FaultKind::Malformed(what.to_owned()));
    let text = std::str::from_utf8(text).map_err(|_| malformed("it is not UTF-8"))?;
    let (digest, body) = text.split_once(' ').ok_or_else(|| malformed("it has no digest"))?;
    let digest: Digest = digest.parse().map_err(|error| malformed(&format!("{error}")))?;
    let previous = lines.last().map_or(Digest::ZERO, |line| line.digest);
    if digest != digest_of(previous, body) {
        return Err(fault(FaultKind::Chain("its digest is another one".to_owned())));
    }
    let entry: Entry = serde_json::from_str(body).map_err(|error| malformed(&error.to_string()))?;
    if entry.sequence != number {
        let what = format!("it has number {}", entry.sequence);
        return Err(fault(FaultKind::Chain(what)));
    }
    if (number == 1) != matches!(entry.content, Content::Created { .. }) {
        let what = "a store is created once, by the first line";
        return Err(fault(FaultKind::Chain(what.to_owned())));
    }
    if let Some(file) = entry.content.files().find(|file| !is_place(&file.path)) {
        return Err(malformed(&format!("{:?} is no place in a store", file.path)));
    }
    Ok(Line { entry, digest })
}

/// Returns the length of the line that bytes without a line end begin with, when its digest fits: then it was written as a
/// whole, whatever stands after it.
fn acknowledged_length(previous: Digest, bytes: &[u8]) -> Option<usize> {
    let space = bytes.iter().position(|&byte| byte == b' ')?;
    let digest: Digest = std::str::from_utf8(&bytes[..space]).ok()?.parse().ok()?;
    let after = &bytes[space + 1..];
    // The entry is one JSON object: it ends where its braces close.
    let mut objects = serde_json::Deserializer::from_slice(after).into_iter::<IgnoredAny>();
    objects.next()?.ok()?;
    let length = objects.byte_offset();
    let body = std::str::from_utf8(&after[..length]).ok()?;
    (digest == digest_of(previous, body)).then_some(space + 1 + length)
}

/// Returns whether a path leads to a place where a store keeps files, and not out of it: who checks a store that others wrote
/// must not be led elsewhere.
fn is_place(path: &str) -> bool {
    let is_name = |name: &str| {
        let is_plain =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(&byte);
        !name.is_empty() && !name.starts_with('.') && name.bytes().all(is_plain)
    };
    let mut parts = path.split('/');
    let folder = parts.next().unwrap_or_default();
    let names: Vec<&str> = parts.collect();
    path == SETTINGS_FILE
        || FOLDERS.contains(&folder)
            && (1..=2).contains(&names.len())
            && names.into_iter().all(is_name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn file(path: &str) -> StoredFile {
        let fingerprint = super::super::digest::fingerprint_of(path.as_bytes());
        StoredFile { path: path.to_owned(), fingerprint }
    }

    fn journal() -> Vec<u8> {
        let contents = [
            Content::Created { settings: file("store.toml") },
            Content::Participants { file: file("participants/a.toml") },
            Content::Tariff { name: "household".to_owned(), file: file("tariffs/b.toml") },
        ];
        let mut text = String::new();
        let mut previous = Digest::ZERO;
        for (sequence, content) in (1..).zip(contents) {
            let recorded = Timestamp::UNIX_EPOCH;
            let (line, next) = Line::following(previous, Entry { sequence, recorded, content });
            previous = line.digest;
            text += &next;
        }
        text.into_bytes()
    }

    #[test]
    fn journals_come_back() {
        let journal = read(&journal()).unwrap();
        assert_eq!(journal.lines.len(), 3);
        assert_eq!(journal.end, End::Whole);
        assert_eq!(journal.lines[2].entry.content.files().next().unwrap().path, "tariffs/b.toml");
    }

    #[test]
    fn every_changed_byte_is_found() {
        let journal = journal();
        for position in 0..journal.len() {
            for change in [1, 0x20, 0x80] {
                let mut changed = journal.clone();
                changed[position] ^= change;
                let fault = read(&changed).unwrap_err();
                assert!(fault.line.is_some(), "{position}");
            }
        }
    }

    #[test]
    fn only_a_line_that_is_not_whole_is_torn() {
        let journal = journal();
        let whole = read(&journal).unwrap();
        let line_start = journal[..journal.len() - 1].iter().rposition(|&byte| byte == b'\n');
        let line_start = line_start.unwrap() + 1;
        for length in line_start + 1..journal.len() - 1 {
            let read = read(&journal[..length]).unwrap();
            assert_eq!((read.end, read.lines.len()), (End::Torn, 2), "{length}");
            assert_eq!(read.complete_bytes, line_start as u64);
        }
        let without_end = &journal[..journal.len() - 1];
        let read_without_end = read(without_end).unwrap();
        assert_eq!(
            (read_without_end.end, read_without_end.lines),
            (End::Unterminated, whole.lines)
        );
        assert_eq!(read_without_end.complete_bytes, without_end.len() as u64);
        // A line end that became something else is damage, also when the next line was begun after it.
        for rest in [b" ".as_slice(), b"\r", b"\xff", b"}", b"x0123 {\"sequence\""] {
            let fault = read(&[without_end, rest].concat()).unwrap_err();
            assert_eq!(fault.line, Some(3), "{rest:?}");
            assert!(matches!(fault.kind, FaultKind::Malformed(_)), "{rest:?}");
        }
    }

    #[test]
    fn a_line_cannot_lead_out_of_the_store() {
        for path in [
            "/etc/passwd",
            "../other/journal",
            "readings/../../x",
            "readings/.hidden",
            "readings//x",
            "readings",
            "journal",
            "runs/a/b/c",
            "tariffs/C:x",
        ] {
            assert!(!is_place(path), "{path}");
            let content = Content::Created { settings: file(path) };
            let entry = Entry { sequence: 1, recorded: Timestamp::UNIX_EPOCH, content };
            let (_, text) = Line::following(Digest::ZERO, entry);
            assert!(matches!(read(text.as_bytes()), Err(fault) if fault.line == Some(1)), "{path}");
        }
        assert!(is_place("runs/0a/records.csv") && is_place("readings/2026-01-0a.csv"));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _read = read(&bytes);
        }

        /// What has the right digest is still not trusted.
        #[test]
        fn any_entry_is_read_or_refused(body in "\\{\"sequence\":[01],\"recorded\":\"1970-01-01T00:00:00Z\",\"kind\":\"(created|run|readings)\"[,:\"\\[\\]a-z0-9]{0,40}\\}") {
            let digest = digest_of(Digest::ZERO, &body);
            let _read = read(format!("{digest} {body}\n").as_bytes());
        }
    }

    #[test]
    fn lines_cannot_be_left_out_or_moved() {
        let journal = journal();
        let lines: Vec<&[u8]> = journal.split_inclusive(|&byte| byte == b'\n').collect();
        for order in [[0, 2].as_slice(), &[1, 2], &[0, 2, 1], &[0, 1, 1, 2]] {
            let bytes: Vec<u8> = order.iter().flat_map(|&line| lines[line]).copied().collect();
            assert!(read(&bytes).is_err(), "{order:?}");
        }
        assert!(read(b"").is_err());
    }
}
