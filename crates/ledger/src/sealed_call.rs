//! The transactions of sealed batches, each as a call that a sender sends.

use std::sync::Arc;

use alloy_primitives::{B256, Bytes};
use alloy_sol_types::SolCall;
use gridtally_core::party::ParticipantNumber;
use gridtally_settlement::{
    BatchCommitment, BatchHeader, ElementOpening, SealedSection, SectionProof,
};

use crate::abi::batch::BatchSettlement;
use crate::abi::demand::DemandProver;
use crate::abi::fraud::FraudProver;
use crate::batch_call::{DataEvidence, Demanded, batch_in, call};
use crate::batch_deploy::BatchLedger;
use crate::blob_sidecar::BlobSidecar;
use crate::gas::CallKind;
use crate::sender::Call;

/// What a contract takes for no section: the beginning of the batch.
const NO_SECTION: u32 = u32::MAX;

impl BatchLedger {
    /// Commits a sealed batch; blobs are the only way.
    #[must_use]
    pub fn commit_sealed_call(
        &self,
        commitment: &BatchCommitment,
        blobs: Arc<BlobSidecar>,
    ) -> Call {
        let (items, batch) = (commitment.count.into(), batch_in(commitment));
        let data = BatchSettlement::commitSealedCall { batch }.abi_encode();
        let core = self.deployment().core;
        Call { blobs: Some(blobs), ..call(CallKind::Commit, items, core, data) }
    }

    /// Demands a record of a sealed batch, which lies in the section of this participant that was shown; the sender is the
    /// participant's payout address or the auditor, and has allowed the core to draw the bond.
    #[must_use]
    pub fn demand_record_of_call(
        &self,
        header: &BatchHeader,
        participant: ParticipantNumber,
        index: u32,
    ) -> Call {
        let (h, participant) = (header.into(), participant.0);
        let data = DemandProver::demandRecordOfCall { h, participant, index }.abi_encode();
        call(CallKind::Demand, 1, self.deployment().demand_prover, data)
    }

    /// Answers a demand for a group of a sealed batch: with hashes alone.
    #[must_use]
    pub fn answer_sealed_group_call(
        &self,
        header: &BatchHeader,
        demanded: Demanded,
        hashes: &[B256],
        path: &[B256],
    ) -> Call {
        let (kind, group) = demanded.kind_and_index();
        let (h, hashes, path) = (header.into(), hashes.to_vec(), path.to_vec());
        let data = DemandProver::answerSealedGroupCall { h, kind, group, hashes, path };
        call(CallKind::Answer, 1, self.deployment().demand_prover, data.abi_encode())
    }

    /// Answers a demand for a section: where it lies, its hashes, and that the blob holds their digest.
    #[must_use]
    pub fn answer_section_call(
        &self,
        header: &BatchHeader,
        section: &SealedSection,
        versioned_hashes: &[B256],
        opening: &ElementOpening,
    ) -> Call {
        let data = DemandProver::answerSectionCall {
            h: header.into(),
            participant: section.account.participant.0,
            first: section.first,
            hashes: section.hashes(),
            path: section.path.clone(),
            versionedHashes: versioned_hashes.to_vec(),
            commitment: Bytes::copy_from_slice(&opening.commitment[..]),
            proof: Bytes::copy_from_slice(&opening.proof[..]),
        };
        call(CallKind::Answer, 1, self.deployment().demand_prover, data.abi_encode())
    }

    /// Proves a sealed batch wrong by a section. `data` goes with the proof that shows a published account leaf; `None` where that
    /// comes without.
    #[must_use]
    pub fn prove_section_call(
        &self,
        proof: &SectionProof,
        header: &BatchHeader,
        parent: &BatchHeader,
        data: Option<DataEvidence<'_>>,
    ) -> Option<Call> {
        let (outer, before) = (header, parent);
        let (h, parent) = (header.into(), parent.into());
        let bytes = match proof {
            SectionProof::Opening { leaf, old } => {
                let (l, old) = (leaf.into(), old.as_ref().into());
                DemandProver::proveSectionOpeningCall { h, parent, l, old }.abi_encode()
            }
            SectionProof::Account { new, old, last } => {
                let (current, old, last) = (new.into(), old.as_ref().into(), last.as_ref().into());
                DemandProver::proveSectionAccountCall { h, parent, current, old, last }.abi_encode()
            }
            SectionProof::Deposit { entry, left, right, .. } => {
                let (left, right, entry) = (left.as_ref().into(), right.as_ref().into(), *entry);
                DemandProver::proveSectionDepositCall { h, parent, entry, left, right }.abi_encode()
            }
            SectionProof::Foreign { participant, leaf } => {
                let (participant, l) = (participant.0, leaf.into());
                DemandProver::proveSectionForeignCall { h, parent, participant, l }.abi_encode()
            }
            SectionProof::Apart { left, right } => {
                let left = left.map_or(NO_SECTION, |left| left.0);
                let right = right.map_or(header.account_count, |right| right.0);
                DemandProver::proveSectionsApartCall { h, parent, left, right }.abi_encode()
            }
            SectionProof::PublishedAccount { leaf } => {
                let DataEvidence::Blob { versioned_hashes, opening } = data? else { return None };
                let data = FraudProver::proveSealedAccountCall {
                    h: outer.into(),
                    parent: before.into(),
                    participant: leaf.index,
                    leaf: leaf.leaf,
                    path: leaf.path.clone(),
                    versionedHashes: versioned_hashes.to_vec(),
                    element: opening.element,
                    commitment: opening.commitment.to_vec().into(),
                    proof: opening.proof.to_vec().into(),
                };
                let prover = self.deployment().fraud_prover;
                return Some(call(CallKind::Prove, 1, prover, data.abi_encode()));
            }
        };
        Some(call(CallKind::Prove, 1, self.deployment().demand_prover, bytes))
    }
}
