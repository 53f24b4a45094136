//! What sealed batches hide: whether it is all there, but for what was erased.

use std::collections::BTreeMap;

use gridtally_core::party::ParticipantNumber;
use gridtally_ledger::{BatchView, SectionStore};
use gridtally_settlement::{BatchHeader, DataKind};

use super::finding::Finding;
use super::{SealedCounts, VerifyError};
use crate::store::StoreView;

/// What the store of sections holds, against the chain and the journal.
#[derive(Debug, Default)]
pub(super) struct Sections {
    pub(super) counts: SealedCounts,
    pub(super) findings: Vec<Finding>,
}

/// Returns a finding for each file that is damaged.
pub(super) fn damaged(store: &SectionStore) -> Result<Vec<Finding>, VerifyError> {
    let damaged = store.damaged()?.into_iter().map(|path| {
        let reason = format!("{} is damaged, or was exchanged", path.display());
        Finding::Sections { reason }
    });
    Ok(damaged.collect())
}

/// Compares the sections of all sealed batches that stand with what the journal says was erased.
pub(super) fn compare(
    view: &StoreView,
    chain: &BatchView,
    store: &SectionStore,
) -> Result<Sections, VerifyError> {
    let mut sections = Sections::default();
    let sealed = chain.batches().iter().map(|batch| &batch.header);
    for header in sealed.filter(|header| header.data_kind == DataKind::SealedBlob) {
        sections.counts.batch_count += 1;
        sections.look_at(header, &recorded(view, header), store)?;
    }
    Ok(sections)
}

/// Returns whose sections of a batch the journal says were erased, and in which line.
fn recorded(view: &StoreView, header: &BatchHeader) -> BTreeMap<ParticipantNumber, u64> {
    let hash = header.hash();
    let of_it = view
        .erased_sections()
        .filter(|(_, erased)| erased.batches.iter().any(|batch| batch.header_hash == hash));
    let participants = of_it.flat_map(|(line, erased)| {
        erased.participants.iter().map(|participant| (*participant, line.entry.sequence))
    });
    participants.collect()
}

impl Sections {
    fn look_at(
        &mut self,
        header: &BatchHeader,
        recorded: &BTreeMap<ParticipantNumber, u64>,
        store: &SectionStore,
    ) -> Result<(), VerifyError> {
        let seq = header.seq;
        let Some(kept) = store.batch(header)? else {
            let reason = format!("those of batch {seq} are not there");
            self.findings.push(Finding::Sections { reason });
            return Ok(());
        };
        let (mut unsaid, mut undone) = (Vec::new(), Vec::new());
        for participant in (0..header.account_count).map(ParticipantNumber) {
            match (kept.is_erased(participant), recorded.get(&participant)) {
                (true, Some(_)) => self.counts.erased_section_count += 1,
                (true, None) => unsaid.push(participant),
                (false, Some(&line)) => undone.push((participant, line)),
                (false, None) => {}
            }
        }
        if let Some(first) = unsaid.first() {
            let (count, what) = (unsaid.len(), "erased, and no line of the journal says so");
            let reason =
                format!("{count} of batch {seq} are {what}: first that of participant {first}");
            self.findings.push(Finding::Sections { reason });
        }
        if let Some((first, line)) = undone.first() {
            let (count, what) = (undone.len(), "not erased yet, although the journal says so");
            let reason = format!(
                "{count} of batch {seq} are {what}: first that of participant {first} (line {line})"
            );
            self.findings.push(Finding::Sections { reason });
        }
        Ok(())
    }
}
