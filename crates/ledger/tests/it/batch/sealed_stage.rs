//! A stage whose hub seals: stores of its own, watchers that read what it delivers, and false batches.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use gridtally_core::party::ParticipantNumber;
use gridtally_ledger::{
    BatchArchive, BatchEvent, BlobSidecar, BlobSource, FollowOptions, Hub, Publication,
    SectionReader, SectionSource, SectionStore, Sender, Watcher, section_file_name,
};
use gridtally_settlement::{
    Account, AccountLeaf, Accounts, Batch, BatchHeader, DataKind, PublishedDigest, RecordLeaf,
    SealedBatch, SealedElements, SectionFile, SignedReading, Tree, open_element, versioned_hashes,
};

use super::hub::{Meters, signed};
use super::stage::{Stage, commitment};
use super::town::Committed;
use crate::node::Node;
use crate::town::{brisk, key};

/// Keys of those who are not the officer.
pub(crate) const AUDITOR: u32 = 6;
pub(crate) const HOUSEHOLD: u32 = 7;
/// The household's number; its payout address is the household's own.
pub(crate) const OWN: ParticipantNumber = ParticipantNumber(1);
const MONEY_MICRO: u64 = 1 << 50;

/// A stage with an auditor, and the folders of the hub and of whoever it delivers to.
pub(crate) struct SealedStage {
    pub(crate) stage: Stage,
    folder: tempfile::TempDir,
}

impl SealedStage {
    pub(crate) async fn new(seed: u64) -> Self {
        let auditor = Some(key(AUDITOR).address());
        let node = Node::embedded().await;
        let mut stage = Stage::with_auditor(node, seed, DataKind::Calldata, auditor).await;
        let ledger = &stage.ledger;
        for index in [AUDITOR, HOUSEHOLD] {
            stage.send(ledger.mint_call(key(index).address(), MONEY_MICRO)).await.unwrap();
            let sender = Sender::new(stage.node.client.clone(), key(index), brisk());
            sender.send(ledger.approve_call(MONEY_MICRO)).await.unwrap();
        }
        let call = ledger.set_payout_call(OWN, key(HOUSEHOLD).address());
        stage.send(call).await.unwrap();
        stage.independent = Some((OWN, HOUSEHOLD));
        Self { stage, folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn store(&self) -> SectionStore {
        SectionStore::new(self.folder.path().join("sections"))
    }

    pub(crate) fn archive(&self) -> BatchArchive {
        BatchArchive::new(self.folder.path().join("archive"))
    }

    /// The folder into which the hub delivers.
    pub(crate) fn delivered(&self) -> PathBuf {
        self.folder.path().join("delivered")
    }

    pub(crate) fn hub(&self) -> Hub<Meters> {
        self.hub_at(self.stage.ledger.clone(), self.stage.officer())
    }

    pub(crate) fn hub_at(
        &self,
        ledger: gridtally_ledger::BatchLedger,
        sender: Sender,
    ) -> Hub<Meters> {
        let domain = ledger.deployment().domain();
        let watcher = Watcher::new(ledger, FollowOptions::default(), None);
        Hub::new(watcher, sender, Meters(domain))
            .with_archive(self.archive(), Publication::Blobs)
            .with_sections(self.store())
    }

    /// Returns a watcher that reads nothing but what is public.
    pub(crate) fn public(&self, key_index: Option<u32>) -> Watcher {
        let client = &self.stage.node.client;
        let sender = key_index.map(|index| Sender::new(client.clone(), key(index), brisk()));
        Watcher::new(self.stage.ledger.clone(), FollowOptions::default(), sender)
            .with_blobs_from(vec![BlobSource::Archive(self.archive())])
    }

    /// Returns the watcher of a participant, or of the auditor.
    pub(crate) fn reading(&self, reader: SectionReader) -> Watcher {
        let index = if reader == SectionReader::Auditor { AUDITOR } else { HOUSEHOLD };
        let source = SectionSource::Folder(self.delivered());
        self.public(Some(index)).with_sections(source, reader)
    }

    pub(crate) fn own(&self) -> Watcher {
        self.reading(SectionReader::Participants(vec![OWN]))
    }

    pub(crate) fn auditor(&self) -> Watcher {
        self.reading(SectionReader::Auditor)
    }

    /// Commits a batch whatever it says, and archives what it publishes.
    pub(crate) async fn commit(&self, sealed: &SealedBatch) -> BatchHeader {
        let blobs = blobs_of(sealed);
        self.archive().keep_blobs(&blobs, &versioned_hashes(&blobs).unwrap()).await.unwrap();
        let sidecar = Arc::new(BlobSidecar::new(&blobs).unwrap());
        let call = self.stage.ledger.commit_sealed_call(&sealed.commitment, sidecar);
        let receipt = self.stage.send(call).await.unwrap();
        let header = self.stage.events(&receipt).into_iter().find_map(|event| match event {
            BatchEvent::Committed { header, .. } => Some(*header),
            _ => None,
        });
        header.unwrap()
    }

    /// Delivers the sections of a batch, also those of a false one, as the hub would.
    pub(crate) fn deliver(
        &self,
        sealed: &SealedBatch,
        header: &BatchHeader,
        participants: impl IntoIterator<Item = ParticipantNumber>,
    ) {
        let parent = &self.stage.town.state;
        let blobs = blobs_of(sealed);
        let versioned_hashes = versioned_hashes(&blobs).unwrap();
        let domain = self.stage.ledger.deployment().domain();
        for participant in participants {
            let section = sealed.section(participant).unwrap();
            let (blob, element) = SealedElements::section_place(participant);
            let opening = open_element(&blobs[blob], element).unwrap();
            let published = PublishedDigest {
                versioned_hashes: versioned_hashes.clone(),
                commitment: opening.commitment,
                proof: opening.proof,
            };
            let signatures = section.leaves.iter().map(|leaf| {
                let reading = SignedReading::of_record(header.period, header.run, &leaf.record)?;
                Some(signed(&reading, &domain))
            });
            let signatures: Vec<_> = signatures.collect();
            let before = parent.open_account(participant);
            let headers = (header, parent.header());
            let table = &self.stage.town.tables[&header.period];
            let told = (&section, before.as_ref());
            let file = SectionFile::new(&domain, headers, told, &signatures, table, published);
            self.write(&file, header, participant);
        }
    }

    pub(crate) fn write(
        &self,
        file: &SectionFile,
        header: &BatchHeader,
        participant: ParticipantNumber,
    ) {
        fs::create_dir_all(self.delivered()).unwrap();
        let path = self.delivered().join(section_file_name(&header.hash(), participant));
        fs::write(path, serde_json::to_vec(file).unwrap()).unwrap();
    }
}

/// Seals a batch as it is, with keys that are known.
pub(crate) fn sealed(batch: &Committed) -> SealedBatch {
    let account =
        |leaf: &AccountLeaf| Account { balance: leaf.balance, payable_micro: leaf.payable_micro };
    let accounts = Accounts::new(batch.accounts.iter().map(account).collect());
    let leaves = batch.leaves.clone();
    let record_tree = Tree::new(leaves.iter().map(RecordLeaf::hash).collect()).unwrap();
    let account_tree = accounts.tree().unwrap();
    let keys = SectionStore::new_keys(batch.accounts.len());
    let commitment = commitment(batch);
    let batch = Batch { commitment, leaves, record_tree, accounts, account_tree };
    SealedBatch::new(batch, keys).unwrap()
}

fn blobs_of(sealed: &SealedBatch) -> Vec<gridtally_settlement::BlobBytes> {
    sealed.blobs()
}
