//! The transactions of the duty prover, each as a call that a sender sends: forced readings and snapshots.

use std::sync::Arc;

use alloy_primitives::aliases::U48;
use alloy_sol_types::SolCall;
use gridtally_core::period::SettlementPeriod;
use gridtally_settlement::{
    AccountLeaf, BatchHeader, KeyGap, Opened, Record, RecordLeaf, TariffTable, snapshot_hash,
};

use crate::abi::batch::BatchSettlement;
use crate::abi::duty::DutyProver;
use crate::archive::BatchArchive;
use crate::batch_call::{DataEvidence, call};
use crate::batch_data::{BatchData, DataError, from_archives};
use crate::batch_deploy::BatchLedger;
use crate::batch_view::{ForceKey, SnapshotPart};
use crate::blob_sidecar::BlobSidecar;
use crate::blob_source::BlobSource;
use crate::client::BlockId;
use crate::deploy::ReadError;
use crate::gas::CallKind;
use crate::sender::Call;

/// Time to disprove a snapshot, from its last part on, s.
const DISPUTE_S: u64 = 7 * 86_400;

impl BatchLedger {
    /// Forces a reading that the hub left out: a record of run 0 with its meter's signature, and the gap in which it is
    /// missing.
    #[must_use]
    pub fn force_reading_call(
        &self,
        gap: &KeyGap<'_>,
        period: SettlementPeriod,
        record: &Record,
        signature: Vec<u8>,
        table: &TariffTable,
    ) -> Call {
        let (left, right) = (gap.left.as_ref(), gap.right.as_ref());
        let call = DutyProver::forceReadingCall {
            h: gap.header.into(),
            parent: gap.parent.into(),
            period: period.0,
            left: left.into(),
            right: right.into(),
            record: record.pack().into(),
            signature: signature.into(),
            table: table.pack().into(),
        };
        self.duty(CallKind::Force, &call)
    }

    /// Proves that a batch corrects a forced reading too late.
    #[must_use]
    pub fn prove_forced_call(
        &self,
        header: &BatchHeader,
        parent: &BatchHeader,
        leaf: &Opened<RecordLeaf>,
    ) -> Call {
        let (h, parent, l) = (header.into(), parent.into(), leaf.into());
        self.duty(CallKind::Prove, &DutyProver::proveForcedCall { h, parent, l })
    }

    /// Refutes a forced reading with a record of a correction run. `chain` begins with a pending or final batch, goes on from
    /// child to parent, and ends with the correction run.
    #[must_use]
    pub fn refute_force_call<'a>(
        &self,
        chain: impl IntoIterator<Item = &'a BatchHeader>,
        force: ForceKey,
        leaf: &Opened<RecordLeaf>,
    ) -> Call {
        let chain = chain.into_iter().map(Into::into).collect();
        let call = DutyProver::refuteForceCall { period: force.period.0, chain, l: leaf.into() };
        self.duty(CallKind::Force, &call)
    }

    /// Moves what the hub owes for a forced reading into the inbox, once the time to refute it is over.
    #[must_use]
    pub fn accept_force_call(&self, force: ForceKey) -> Call {
        let (period, key) = (force.period.0, U48::from(force.key));
        self.duty(CallKind::Force, &DutyProver::acceptForceCall { period, key })
    }

    /// Publishes a part of a snapshot of the latest final batch.
    #[must_use]
    pub fn commit_snapshot_call(&self, latest: &BatchHeader, part: u8, data: Vec<u8>) -> Call {
        let call =
            DutyProver::commitSnapshotCall { latest: latest.into(), part, data: data.into() };
        self.duty(CallKind::Snapshot, &call)
    }

    /// Publishes a part of a snapshot of the latest final batch in blobs.
    #[must_use]
    pub fn commit_snapshot_blobs_call(
        &self,
        latest: &BatchHeader,
        part: u8,
        blobs: Arc<BlobSidecar>,
    ) -> Call {
        let call = self.commit_snapshot_call(latest, part, Vec::new());
        Call { blobs: Some(blobs), ..call }
    }

    /// Proves that a part of a snapshot says something else of an account.
    #[must_use]
    pub fn prove_snapshot_call(
        &self,
        header: &BatchHeader,
        part: u8,
        account: &Opened<AccountLeaf>,
        evidence: DataEvidence<'_>,
    ) -> Call {
        let (h, a) = (header.into(), account.into());
        match evidence {
            DataEvidence::Calldata(data) => {
                let data = data.to_vec().into();
                let call = DutyProver::proveSnapshotCalldataCall { h, part, a, data };
                self.duty(CallKind::Prove, &call)
            }
            DataEvidence::Blob { versioned_hashes, opening } => {
                let call = DutyProver::proveSnapshotCall {
                    h,
                    part,
                    a,
                    versionedHashes: versioned_hashes.to_vec(),
                    element: opening.element,
                    commitment: opening.commitment.to_vec().into(),
                    proof: opening.proof.to_vec().into(),
                };
                self.duty(CallKind::Prove, &call)
            }
        }
    }

    /// Returns the data of a part of a snapshot, if it can be found.
    pub(crate) async fn snapshot_data(
        &self,
        part: &SnapshotPart,
        sources: &[BlobSource],
    ) -> Result<Option<BatchData>, DataError> {
        let prover = self.deployment().duty_prover;
        let inputs = self.inputs_of(part.transaction, prover).await.unwrap_or_default();
        let calls = inputs.iter().filter_map(|input| {
            DutyProver::commitSnapshotCall::abi_decode(input).ok().map(|call| call.data.to_vec())
        });
        if let Some(data) = calls.into_iter().find(|data| snapshot_hash(data) == part.data_hash) {
            return Ok(Some(BatchData::Calldata(data)));
        }
        let work = async |archive: &BatchArchive| archive.snapshot(part.data_hash).await;
        if let Some(data) = from_archives(sources, work).await? {
            return Ok(Some(BatchData::Calldata(data)));
        }
        let Some(block) = self.client().block(BlockId::Number(part.block)).await? else {
            return Ok(None);
        };
        self.blobs_of(part.transaction, part.data_hash, block.timestamp, sources).await
    }

    /// Returns when the last true snapshot was complete, or before there was one, when the first batch became final; Unix time,
    /// s.
    ///
    /// # Errors
    ///
    /// Returns [`ReadError`].
    pub async fn snapshot_at_s(&self) -> Result<u64, ReadError> {
        let core = self.question(self.deployment().core);
        Ok(core.call(BatchSettlement::snapshotAtCall {}).await?.into())
    }

    /// Returns when the snapshot that was published last was begun, Unix time, s; 0 without any.
    ///
    /// # Errors
    ///
    /// Returns [`ReadError`].
    pub async fn snapshot_started_at_s(&self) -> Result<u64, ReadError> {
        let prover = self.question(self.deployment().duty_prover);
        Ok(prover.call(DutyProver::snapshotCall {}).await?.startedAt.to())
    }

    /// Returns the hub's bond, micro-units.
    ///
    /// # Errors
    ///
    /// Returns [`ReadError`].
    pub async fn bonded_micro(&self) -> Result<u64, ReadError> {
        self.question(self.deployment().core).call(BatchSettlement::bondedCall {}).await
    }

    /// Whether the snapshot that was published last is complete and can still be disproved.
    ///
    /// # Errors
    ///
    /// Returns [`ReadError`].
    pub async fn is_snapshot_disputable(&self) -> Result<bool, ReadError> {
        let prover = self.question(self.deployment().duty_prover);
        let snapshot = prover.call(DutyProver::snapshotCall {}).await?;
        let completed_at_s: u64 = snapshot.completedAt.to();
        let now_s = self.client().block_latest().await?.timestamp;
        let is_open = completed_at_s > 0 && now_s < completed_at_s.saturating_add(DISPUTE_S);
        Ok(is_open && !snapshot.isCancelled)
    }

    pub(crate) fn duty(&self, kind: CallKind, data: &impl SolCall) -> Call {
        call(kind, 1, self.deployment().duty_prover, data.abi_encode())
    }
}
