//! How a command reads sealed batches: from the folder with what the hub delivered.

use std::path::PathBuf;

use gridtally_core::party::ParticipantNumber;
use gridtally_ledger::{SectionReader, SectionSource, Watcher};

/// Where the sections of sealed batches are.
#[derive(Debug, clap::Args)]
pub(crate) struct SectionArguments {
    /// Folder with the sections of sealed batches that the hub delivered, as `gridtally export section` writes them [default: what
    /// the store keeps, where it settles on the contract]
    #[arg(long, value_name = "FOLDER")]
    pub(crate) sections: Option<PathBuf>,
}

impl SectionArguments {
    /// Lets a watcher read the sections of these participants.
    pub(crate) fn apply(
        &self,
        watcher: Watcher,
        participants: impl IntoIterator<Item = ParticipantNumber>,
    ) -> Watcher {
        self.read(watcher, SectionReader::Participants(participants.into_iter().collect()))
    }

    /// Lets a watcher read sections for this reader.
    pub(crate) fn read(&self, watcher: Watcher, reader: SectionReader) -> Watcher {
        match &self.sections {
            Some(folder) => watcher.with_sections(SectionSource::Folder(folder.clone()), reader),
            None => watcher,
        }
    }
}
