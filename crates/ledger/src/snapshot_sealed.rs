//! Snapshots of sealed batches: they tell the hashes of all accounts, which anybody compares with what the batch published.

use alloy_primitives::B256;
use gridtally_core::party::ParticipantNumber;
use gridtally_settlement::{BLOB_LENGTH, BatchHeader, Tree};
use tracing::warn;

use crate::abi::duty::DutyProver;
use crate::batch_call::DataEvidence;
use crate::batch_data::BatchData;
use crate::batch_deploy::BatchLedger;
use crate::batch_view::TrackedSnapshot;
use crate::gas::CallKind;
use crate::sender::Call;
use crate::watch::Watcher;
use crate::watch_duty::SnapshotVerdict;
use crate::watch_sealed::VeiledState;

const HASH_LENGTH: usize = 32;
const HASHES_PER_BLOB: usize = BLOB_LENGTH / HASH_LENGTH;

/// The leaf that is in the tree where a snapshot says something else.
pub(crate) struct SealedLeaf {
    participant: u32,
    leaf: B256,
    path: Vec<B256>,
}

impl BatchLedger {
    /// Proves that a part of a snapshot of a sealed batch tells another leaf of an account than the tree has.
    pub(crate) fn prove_sealed_snapshot_call(
        &self,
        header: &BatchHeader,
        part: u8,
        found: SealedLeaf,
        evidence: DataEvidence<'_>,
    ) -> Call {
        let (h, SealedLeaf { participant, leaf, path }) = (header.into(), found);
        match evidence {
            DataEvidence::Calldata(data) => {
                let data = data.to_vec().into();
                let call = DutyProver::proveSealedSnapshotCalldataCall {
                    h,
                    part,
                    participant,
                    leaf,
                    path,
                    data,
                };
                self.duty(CallKind::Prove, &call)
            }
            DataEvidence::Blob { versioned_hashes, opening } => {
                let call = DutyProver::proveSealedSnapshotCall {
                    h,
                    part,
                    participant,
                    leaf,
                    path,
                    versionedHashes: versioned_hashes.to_vec(),
                    element: opening.element,
                    commitment: opening.commitment.to_vec().into(),
                    proof: opening.proof.to_vec().into(),
                };
                self.duty(CallKind::Prove, &call)
            }
        }
    }
}

impl Watcher {
    /// Compares a snapshot of a sealed batch with the leaves of its account tree, and proves it false.
    pub(crate) async fn compare_sealed(
        &self,
        snapshot: &TrackedSnapshot,
        header: &BatchHeader,
        tree: &Tree,
        data: Vec<BatchData>,
    ) -> SnapshotVerdict {
        for ((number, part), data) in (0..).zip(&snapshot.parts).zip(data) {
            let range = part.accounts.start..part.accounts.end.min(header.account_count);
            let mut told = hashes(&data);
            let differs = |participant: &u32| {
                told.next().as_ref() != tree.leaves().get(*participant as usize)
            };
            let Some(participant) = range.clone().find(differs) else { continue };
            let place = participant as usize;
            let mut cancelled = None;
            let index = (participant - range.start) as usize;
            let evidence = data.evidence_at(index / HASHES_PER_BLOB, index % HASHES_PER_BLOB);
            if let (Some(sender), Some(evidence)) = (&self.sender, evidence)
                && let (Some(&leaf), Some(path)) = (tree.leaves().get(place), tree.path(place))
            {
                let found = SealedLeaf { participant, leaf, path };
                let ledger = self.ledger();
                let call = ledger.prove_sealed_snapshot_call(header, number, found, evidence);
                match sender.send(call).await {
                    Ok(receipt) => cancelled = Some(receipt.transaction_hash),
                    Err(error) => warn!(seq = snapshot.seq, %error, "proof not carried out"),
                }
            }
            let participant = ParticipantNumber(participant);
            return SnapshotVerdict::False { participant, cancelled };
        }
        SnapshotVerdict::True
    }

    /// Returns the tree over the account leaves after a sealed batch, as far as the batch was judged.
    pub(crate) fn sealed_tree(&self, seq: u64) -> Option<Tree> {
        if let Some(tree) = self.account_tree_after(seq) {
            return Some(tree.clone());
        }
        Tree::new(self.state(seq)?.account_hashes().to_vec())
    }
}

/// Returns the state after a sealed batch that a snapshot tells, or `None` where it is not the one of the header: hashes alone.
pub(crate) fn restored_sealed(
    header: &BatchHeader,
    snapshot: &TrackedSnapshot,
    data: &[BatchData],
) -> Option<VeiledState> {
    let parts = snapshot.parts.iter().zip(data);
    let told = parts.flat_map(|(part, data)| hashes(data).take(part.accounts.len()));
    let told: Vec<B256> = told.take(header.account_count as usize).collect();
    let is_complete = told.len() == header.account_count as usize;
    let tree = Tree::new(told).filter(|tree| is_complete && tree.root() == header.account_root)?;
    Some(VeiledState::new(header.clone(), Some(tree)))
}

/// Returns the hashes that a part holds, as far as its data go.
fn hashes(data: &BatchData) -> Box<dyn Iterator<Item = B256> + Send + '_> {
    match data {
        BatchData::Calldata(data) => Box::new(data.chunks_exact(HASH_LENGTH).map(B256::from_slice)),
        BatchData::Blobs { blobs, .. } => {
            let elements = blobs.iter().flat_map(|blob| blob.chunks_exact(HASH_LENGTH));
            Box::new(elements.map(B256::from_slice))
        }
    }
}
