//! Whether the records of a ledger are hidden from the public.

use std::fmt;
use std::str::FromStr;

use gridtally_ledger::{BatchView, SectionStore, SectionStoreError};
use gridtally_settlement::{BatchHeader, DataKind};

use super::error::BatchError;
use super::settler::BatchSettler;

/// How the records of batches are published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sealing {
    /// Every record stands on the chain, for everybody to read.
    Open,
    /// Hashes stand there; participants and the auditor get the records from the hub.
    Sealed,
}

/// A text that names neither.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("give open or sealed")]
pub struct NoSealing;

impl fmt::Display for Sealing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Open => "open",
            Self::Sealed => "sealed",
        })
    }
}

impl FromStr for Sealing {
    type Err = NoSealing;

    fn from_str(text: &str) -> Result<Self, NoSealing> {
        match text {
            "open" => Ok(Self::Open),
            "sealed" => Ok(Self::Sealed),
            _ => Err(NoSealing),
        }
    }
}

/// What a ledger says about how it is to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Past {
    /// Whether the contract takes sealed batches.
    has_auditor: bool,
    /// The first sealed batch that stands.
    first_sealed: Option<u64>,
    /// Whether there is no batch yet.
    is_new: bool,
    /// Whether a batch was sealed here, whatever became of it.
    was_sealed: bool,
}

impl Past {
    pub(super) fn of(
        view: &BatchView,
        has_auditor: bool,
        store: &SectionStore,
    ) -> Result<Self, SectionStoreError> {
        let is_sealed = |header: &&BatchHeader| header.data_kind == DataKind::SealedBlob;
        let mut headers = view.batches().iter().map(|batch| &batch.header);
        Ok(Self {
            has_auditor,
            is_new: view.batches().is_empty(),
            first_sealed: headers.find(is_sealed).map(|header| header.seq),
            was_sealed: !store.is_empty()?,
        })
    }

    /// Returns how a ledger goes on. One that names an auditor is sealed from its first batch on, unless it is asked for otherwise;
    /// nothing is published in the open because a word was left out.
    pub(super) fn choose(self, asked: Option<Sealing>) -> Result<Sealing, BatchError> {
        match (asked, self.first_sealed) {
            // In the open everybody would read balances that were hidden, and participants would find their account in no section.
            (Some(Sealing::Open), Some(seq)) => Err(BatchError::SealedBefore { seq }),
            (Some(Sealing::Sealed), _) if !self.has_auditor => Err(BatchError::NoAuditor),
            (Some(asked), _) => Ok(asked),
            (None, Some(_)) => Ok(Sealing::Sealed),
            (None, None) if self.was_sealed || self.is_new && self.has_auditor => {
                Ok(Sealing::Sealed)
            }
            (None, None) => Ok(Sealing::Open),
        }
    }
}

impl BatchSettler<'_> {
    /// Makes sure that what this hub sealed is still there: without it nobody answers for a batch, or knows the accounts after it.
    pub(super) fn check_sections(&self, store: &SectionStore) -> Result<(), BatchError> {
        let mut batches = self.view().batches().iter().map(|batch| &batch.header);
        let is_lost =
            |header: &&BatchHeader| header.data_kind == DataKind::SealedBlob && !store.has(header);
        match batches.find(is_lost) {
            Some(header) => {
                let folder = store.folder().to_owned();
                Err(BatchError::SectionsMissing { seq: header.seq, folder })
            }
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_published_in_the_open_by_oversight() {
        let new = Past { has_auditor: false, first_sealed: None, is_new: true, was_sealed: false };
        let audited = Past { has_auditor: true, ..new };
        let open = Past { is_new: false, ..audited };
        let sealed = Past { first_sealed: Some(3), was_sealed: true, ..open };
        let fallen = Past { was_sealed: true, ..open };
        let (none, open_please, sealed_please) = (None, Some(Sealing::Open), Some(Sealing::Sealed));
        let shown = |past: Past| {
            let chosen = [none, open_please, sealed_please].map(|asked| past.choose(asked));
            chosen.map(|chosen| chosen.map_or_else(|_| "refused".to_owned(), |one| one.to_string()))
        };
        assert_eq!(shown(new), ["open", "open", "refused"]);
        assert_eq!(shown(audited), ["sealed", "open", "sealed"]);
        assert_eq!(shown(open), ["open", "open", "sealed"]);
        assert_eq!(shown(sealed), ["sealed", "refused", "sealed"]);
        assert_eq!(shown(fallen), ["sealed", "open", "sealed"]);
        assert!(
            ["open", "sealed"]
                .iter()
                .all(|text| text.parse::<Sealing>().unwrap().to_string() == *text)
        );
        assert_eq!("Sealed".parse::<Sealing>(), Err(NoSealing));
    }
}
