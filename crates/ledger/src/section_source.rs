//! Where a watcher finds the content of sealed batches: in the files that the hub delivered, or in the hub's own store.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use alloy_primitives::B256;
use gridtally_core::explanations;
use gridtally_core::party::ParticipantNumber;
use gridtally_settlement::{
    AccountLeaf, BatchHeader, Opened, SECTION_FILE_LENGTH_MAX, SealedSection, SectionFile,
};
use tracing::warn;

use crate::section_store::{KeptBatch, SectionStore, SectionStoreError};

/// Whose sections are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SectionReader {
    /// Those of these participants: each judges what is about itself.
    Participants(Vec<ParticipantNumber>),
    /// All: the auditor judges every batch in full.
    Auditor,
}

/// Where sections are.
#[derive(Debug, Clone)]
pub enum SectionSource {
    /// In a folder with the files that the hub delivered.
    Folder(PathBuf),
    /// In the hub's store.
    Store(SectionStore),
}

/// Why sections cannot be read, in order of precedence.
#[derive(Debug, thiserror::Error)]
pub enum SectionSourceError {
    /// The hub's store cannot be used.
    #[error(transparent)]
    Store(#[from] SectionStoreError),
    /// A file cannot be read.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        #[source]
        source: io::Error,
    },
}

explanations! {
    SectionSourceError {
        Store(error);
        Io: "section-io" "a file with a section cannot be read"
            "check the path and the permissions";
    }
}

/// A section as it was delivered. Nothing of it is checked.
#[derive(Debug, Clone)]
pub(crate) struct Delivered {
    pub(crate) section: SealedSection,
    /// The account before, where the file has it.
    pub(crate) before: Option<Opened<AccountLeaf>>,
    pub(crate) signatures: Vec<Option<Vec<u8>>>,
}

/// The sections of one batch.
pub(crate) enum Deliveries {
    Folder { folder: PathBuf, header_hash: B256 },
    Kept(Option<Box<KeptBatch>>),
}

/// Returns the name under which the section of a participant in a batch is delivered.
#[must_use]
pub fn section_file_name(header_hash: &B256, participant: ParticipantNumber) -> String {
    format!("{header_hash}-{}.section.json", participant.0)
}

/// Returns the document of a section in a file, or `None` where the file does not exist.
///
/// # Errors
///
/// An error of the operating system, or one that says what the file holds instead.
pub fn read_section_file(path: &Path) -> io::Result<Option<SectionFile>> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    let mut bytes = Vec::new();
    file.take(SECTION_FILE_LENGTH_MAX as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > SECTION_FILE_LENGTH_MAX {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "larger than any section"));
    }
    Ok(Some(serde_json::from_slice(&bytes)?))
}

impl SectionSource {
    /// Returns the sections of a batch.
    pub(crate) fn of(&self, header: &BatchHeader) -> Result<Deliveries, SectionSourceError> {
        Ok(match self {
            Self::Folder(folder) => {
                Deliveries::Folder { folder: folder.clone(), header_hash: header.hash() }
            }
            Self::Store(store) => Deliveries::Kept(store.batch(header)?.map(Box::new)),
        })
    }
}

impl Deliveries {
    /// Returns whether a participant's section was here, and was erased: nobody can show it any more.
    pub(crate) fn is_erased(&self, participant: ParticipantNumber) -> bool {
        match self {
            Self::Kept(kept) => kept.as_ref().is_some_and(|kept| kept.is_erased(participant)),
            Self::Folder { .. } => false,
        }
    }

    /// Returns the section of a participant, or `None` where it was not delivered, or what was delivered is none: then it must be
    /// shown on demand.
    pub(crate) fn section(
        &self,
        participant: ParticipantNumber,
    ) -> Result<Option<Delivered>, SectionSourceError> {
        match self {
            Self::Kept(kept) => Ok(kept.as_ref().and_then(|kept| {
                let section = kept.section(participant)?;
                let signatures = kept.signatures(participant)?.to_vec();
                Some(Delivered { section, before: None, signatures })
            })),
            Self::Folder { folder, header_hash } => {
                let path = folder.join(section_file_name(header_hash, participant));
                let file = match read_section_file(&path) {
                    Ok(file) => file,
                    Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                        warn!(path = %path.display(), %error, "no section");
                        None
                    }
                    // What is no JSON is no section either.
                    Err(source)
                        if source
                            .get_ref()
                            .is_some_and(|source| source.is::<serde_json::Error>()) =>
                    {
                        warn!(path = %path.display(), error = %source, "no section");
                        None
                    }
                    Err(source) => return Err(SectionSourceError::Io { path, source }),
                };
                let Some(file) = file else { return Ok(None) };
                let read = file.read().inspect_err(|error| {
                    warn!(path = %path.display(), %error, "no section");
                });
                Ok(read.ok().map(|read| Delivered {
                    section: read.section,
                    before: read.before,
                    signatures: read.signatures,
                }))
            }
        }
    }
}
