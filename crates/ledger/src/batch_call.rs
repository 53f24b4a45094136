//! The transactions of batch settlement, each as a call that a sender sends.

use std::fmt;
use std::sync::Arc;

use alloy_primitives::aliases::U48;
use alloy_primitives::{Address, B256, Bytes, U256};
use alloy_sol_types::SolCall;
use gridtally_core::party::ParticipantNumber;
use gridtally_core::period::SettlementPeriod;
use gridtally_settlement::{
    AccountLeaf, BatchCommitment, BatchHeader, ElementOpening, FraudProof, Opened, RecordLeaf,
    TariffTable,
};

use crate::abi::DemoToken;
use crate::abi::batch::{BatchSettlement, IBatchSettlement};
use crate::abi::demand::DemandProver;
use crate::abi::fraud::FraudProver;
use crate::batch_deploy::BatchLedger;
use crate::blob_sidecar::BlobSidecar;
use crate::gas::CallKind;
use crate::sender::Call;

/// What can be demanded of a batch, and answered.
///
/// # Source
///
/// Settlement protocol §2.9, `demand`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Demanded {
    /// A record, with its signature.
    Record(u32),
    /// An account.
    Account(u32),
    /// The roots of all groups of records.
    RecordRow,
    /// The roots of all groups of accounts.
    AccountRow,
    /// A group of records.
    RecordGroup(u32),
    /// A group of accounts.
    AccountGroup(u32),
    /// In a sealed batch: where a participant's records lie, and their hashes.
    Section(u32),
}

impl Demanded {
    /// Returns the contract's kind and index.
    #[must_use]
    pub const fn kind_and_index(self) -> (u8, u32) {
        match self {
            Self::Record(index) => (0, index),
            Self::Account(index) => (1, index),
            Self::RecordRow => (2, 0),
            Self::AccountRow => (3, 0),
            Self::RecordGroup(group) => (4, group),
            Self::AccountGroup(group) => (5, group),
            Self::Section(participant) => (6, participant),
        }
    }

    /// Returns what the contract means by a kind and an index, or `None` for a kind that does not exist.
    #[must_use]
    pub const fn of_kind_and_index(kind: u8, index: u32) -> Option<Self> {
        Some(match kind {
            0 => Self::Record(index),
            1 => Self::Account(index),
            2 => Self::RecordRow,
            3 => Self::AccountRow,
            4 => Self::RecordGroup(index),
            5 => Self::AccountGroup(index),
            6 => Self::Section(index),
            _ => return None,
        })
    }
}

impl fmt::Display for Demanded {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Record(index) => write!(formatter, "record {index}"),
            Self::Account(index) => write!(formatter, "account {index}"),
            Self::RecordRow => formatter.write_str("the row of the records"),
            Self::AccountRow => formatter.write_str("the row of the accounts"),
            Self::RecordGroup(group) => write!(formatter, "group {group} of the records"),
            Self::AccountGroup(group) => write!(formatter, "group {group} of the accounts"),
            Self::Section(participant) => {
                write!(formatter, "the section of participant {participant}")
            }
        }
    }
}

/// What a proof of differing data carries.
#[derive(Debug, Clone)]
pub enum DataEvidence<'a> {
    /// The whole calldata.
    Calldata(&'a [u8]),
    /// The versioned hashes of all blobs, and the opening of the field element in which the record stands.
    Blob {
        /// Of all blobs of the batch.
        versioned_hashes: &'a [B256],
        /// The element.
        opening: Box<ElementOpening>,
    },
}

impl BatchLedger {
    /// Issues tokens (demonstration token only).
    #[must_use]
    pub fn mint_call(&self, receiver: Address, amount_micro: u64) -> Call {
        let data = DemoToken::mintCall { receiver, amount: U256::from(amount_micro) };
        call(CallKind::Mint, 1, self.deployment().token, data.abi_encode())
    }

    /// Allows the core to draw tokens of the sender.
    #[must_use]
    pub fn approve_call(&self, amount_micro: u64) -> Call {
        let (spender, value) = (self.deployment().core, U256::from(amount_micro));
        let data = DemoToken::approveCall { spender, value };
        call(CallKind::Approve, 1, self.deployment().token, data.abi_encode())
    }

    /// Registers one participant with its meter on secp256k1 and where its money goes.
    #[must_use]
    pub fn register_one_call(
        &self,
        meter: Address,
        payout: Address,
        from: SettlementPeriod,
    ) -> Call {
        let call = BatchSettlement::registerCall { meter, payout, fromPeriod: from.0, flags: 0 };
        self.core(CallKind::Register, 1, &call)
    }

    /// Ends a participant's activity after a period.
    #[must_use]
    pub fn retire_call(&self, participant: ParticipantNumber, last: SettlementPeriod) -> Call {
        let call = BatchSettlement::retireCall { number: participant.0, lastPeriod: last.0 };
        self.core(CallKind::RegistryChange, 1, &call)
    }

    /// Registers participants with meters on secp256k1; they get their payout later.
    #[must_use]
    pub fn register_call(&self, meters: &[Address], from: SettlementPeriod) -> Call {
        let items = meters.len() as u64;
        let call =
            BatchSettlement::registerManyCall { meters: meters.to_vec(), fromPeriod: from.0 };
        self.core(CallKind::RegisterMany, items, &call)
    }

    /// Sets where a participant's money goes.
    #[must_use]
    pub fn set_payout_call(&self, participant: ParticipantNumber, payout: Address) -> Call {
        let call = BatchSettlement::setPayoutCall { number: participant.0, payout };
        self.core(CallKind::RegistryChange, 1, &call)
    }

    /// Publishes the prices of a period that has not begun.
    #[must_use]
    pub fn publish_tariff_call(&self, period: SettlementPeriod, table: &TariffTable) -> Call {
        let call =
            BatchSettlement::publishTariffCall { period: period.0, table: table.pack().into() };
        self.core(CallKind::PublishTariff, 1, &call)
    }

    /// Pays in for a participant; the sender has allowed the core to draw it.
    #[must_use]
    pub fn deposit_call(&self, participant: ParticipantNumber, amount_micro: u64) -> Call {
        let call = BatchSettlement::depositCall { number: participant.0, amount: amount_micro };
        self.core(CallKind::Deposit, 1, &call)
    }

    /// Asks to be paid out whole.
    #[must_use]
    pub fn request_exit_call(&self, participant: ParticipantNumber) -> Call {
        self.core(
            CallKind::Withdraw,
            1,
            &BatchSettlement::requestExitCall { number: participant.0 },
        )
    }

    /// Adds to the bond; the sender has allowed the core to draw it.
    #[must_use]
    pub fn bond_call(&self, amount_micro: u64) -> Call {
        self.core(CallKind::Bond, 1, &BatchSettlement::bondCall { amount: amount_micro })
    }

    /// Commits a batch with its records in calldata.
    #[must_use]
    pub fn commit_calldata_call(&self, commitment: &BatchCommitment, data: Vec<u8>) -> Call {
        let items = commitment.count.into();
        let call =
            BatchSettlement::commitCalldataCall { batch: batch_in(commitment), data: data.into() };
        self.core(CallKind::Commit, items, &call)
    }

    /// Commits a batch with its records in blobs.
    #[must_use]
    pub fn commit_blobs_call(&self, commitment: &BatchCommitment, blobs: Arc<BlobSidecar>) -> Call {
        let items = commitment.count.into();
        let call = BatchSettlement::commitBlobsCall { batch: batch_in(commitment) };
        Call { blobs: Some(blobs), ..self.core(CallKind::Commit, items, &call) }
    }

    /// Makes the next batch final.
    #[must_use]
    pub fn finalize_call(&self, header: &BatchHeader) -> Call {
        self.core(CallKind::Finalize, 1, &BatchSettlement::finalizeCall { h: header.into() })
    }

    /// Claims what a final batch made payable.
    #[must_use]
    pub fn claim_call(&self, header: &BatchHeader, account: &Opened<AccountLeaf>) -> Call {
        let call = BatchSettlement::claimCall { last: header.into(), a: account.into() };
        self.core(CallKind::Claim, 1, &call)
    }

    /// Claims what a final batch made payable to several; accounts with nothing left are passed over.
    #[must_use]
    pub fn claim_many_call(&self, header: &BatchHeader, accounts: &[Opened<AccountLeaf>]) -> Call {
        let items = accounts.len() as u64;
        let accounts = accounts.iter().map(Into::into).collect();
        let call = BatchSettlement::claimManyCall { last: header.into(), accounts };
        self.core(CallKind::Claim, items, &call)
    }

    /// Takes everything out of a frozen ledger, with the account after its latest final batch.
    #[must_use]
    pub fn exit_call(&self, header: &BatchHeader, account: &Opened<AccountLeaf>) -> Call {
        let call = BatchSettlement::exitCall { latest: header.into(), a: account.into() };
        self.core(CallKind::Claim, 1, &call)
    }

    /// Freezes a ledger whose hub has stopped, with its latest final header, while nothing is pending.
    #[must_use]
    pub fn freeze_call(&self, latest: &BatchHeader) -> Call {
        self.core(CallKind::Claim, 1, &BatchSettlement::freezeCall { latest: latest.into() })
    }

    /// Freezes a ledger whose next pending batch cannot be finalized, with its latest final header; what is pending is dropped.
    #[must_use]
    pub fn freeze_pending_call(&self, latest: &BatchHeader, next: &BatchHeader) -> Call {
        let (latest, next) = (latest.into(), next.into());
        self.core(CallKind::Claim, 1, &BatchSettlement::freezePendingCall { latest, next })
    }

    /// Pays a deposit back that no final batch of a frozen ledger honored.
    #[must_use]
    pub fn reclaim_call(&self, entry: u64) -> Call {
        self.core(CallKind::Claim, 1, &BatchSettlement::reclaimCall { entry })
    }

    /// Pays the sender what was credited to it, for a proof say.
    #[must_use]
    pub fn collect_call(&self) -> Call {
        self.core(CallKind::Claim, 1, &BatchSettlement::collectCall {})
    }

    /// Proves a batch wrong. `table` and `data` are of use for the proofs that need them; `None` where a proof of differing
    /// data comes without.
    #[must_use]
    pub fn prove_call(
        &self,
        proof: &FraudProof,
        header: &BatchHeader,
        parent: &BatchHeader,
        table: &TariffTable,
        data: Option<DataEvidence<'_>>,
    ) -> Option<Call> {
        let before = parent;
        let (h, parent) = (header.into(), parent.into());
        let bytes = match proof {
            FraudProof::Record { leaf } => {
                let table = table.pack().into();
                FraudProver::proveRecordCall { h, parent, l: leaf.into(), table }.abi_encode()
            }
            FraudProof::Pair { left, right } => {
                let (a, b) = (left.into(), right.into());
                FraudProver::provePairCall { h, parent, a, b }.abi_encode()
            }
            FraudProof::Edge { leaf } => {
                FraudProver::proveEdgeCall { h, parent, l: leaf.into() }.abi_encode()
            }
            FraudProof::Opening { leaf, previous, old } => {
                let (l, previous) = (leaf.into(), previous.as_ref().into());
                let old = old.as_ref().into();
                FraudProver::proveOpeningCall { h, parent, l, previous, old }.abi_encode()
            }
            FraudProof::Account { new, old, last, next } => {
                let (current, old) = (new.into(), old.as_ref().into());
                let (last, next) = (last.as_ref().into(), next.as_ref().into());
                FraudProver::proveAccountCall { h, parent, current, old, last, next }.abi_encode()
            }
            FraudProof::Data { leaf } => {
                let l = leaf.into();
                match data? {
                    DataEvidence::Calldata(data) => {
                        let data = Bytes::copy_from_slice(data);
                        FraudProver::proveCalldataCall { h, parent, l, data }.abi_encode()
                    }
                    DataEvidence::Blob { versioned_hashes, opening } => {
                        FraudProver::proveBlobCall {
                            h,
                            parent,
                            l,
                            versionedHashes: versioned_hashes.to_vec(),
                            element: opening.element,
                            commitment: opening.commitment.to_vec().into(),
                            proof: opening.proof.to_vec().into(),
                        }
                        .abi_encode()
                    }
                }
            }
            // It has a contract of its own.
            FraudProof::Forced { leaf } => {
                return Some(self.prove_forced_call(header, before, leaf));
            }
            FraudProof::DepositOmitted { entry, left, right } => {
                let (left, right) = (left.as_ref().into(), right.as_ref().into());
                let entry = *entry;
                FraudProver::proveDepositOmittedCall { h, parent, entry, left, right }.abi_encode()
            }
            FraudProof::ExitIgnored { entry, account, old } => {
                let (a, old, entry) = (account.into(), old.as_ref().into(), *entry);
                FraudProver::proveExitIgnoredCall { h, parent, entry, a, old }.abi_encode()
            }
        };
        Some(call(CallKind::Prove, 1, self.deployment().fraud_prover, bytes))
    }

    /// Demands something of a batch; the sender has allowed the core to draw the bond.
    #[must_use]
    pub fn demand_call(&self, header: &BatchHeader, demanded: Demanded) -> Call {
        let (kind, index) = demanded.kind_and_index();
        self.demand(CallKind::Demand, &DemandProver::demandCall { h: header.into(), kind, index })
    }

    /// Answers a demand for a record.
    #[must_use]
    pub fn answer_record_call(
        &self,
        header: &BatchHeader,
        leaf: &Opened<RecordLeaf>,
        signature: Vec<u8>,
    ) -> Call {
        let (h, l, signature) = (header.into(), leaf.into(), signature.into());
        self.demand(CallKind::Answer, &DemandProver::answerRecordCall { h, l, signature })
    }

    /// Answers a demand for an account.
    #[must_use]
    pub fn answer_account_call(&self, header: &BatchHeader, account: &Opened<AccountLeaf>) -> Call {
        let (h, a) = (header.into(), account.into());
        self.demand(CallKind::Answer, &DemandProver::answerAccountCall { h, a })
    }

    /// Answers a demand for a row.
    #[must_use]
    pub fn answer_row_call(&self, header: &BatchHeader, demanded: Demanded, row: &[B256]) -> Call {
        let (h, (kind, _), row) = (header.into(), demanded.kind_and_index(), row.to_vec());
        self.demand(CallKind::Answer, &DemandProver::answerRowCall { h, kind, row })
    }

    /// Answers a demand for a group: the leaves without tags, and without participants for accounts.
    #[must_use]
    pub fn answer_group_call(
        &self,
        header: &BatchHeader,
        demanded: Demanded,
        leaves: Vec<u8>,
        path: &[B256],
    ) -> Call {
        let (kind, group) = demanded.kind_and_index();
        let (h, leaves, path) = (header.into(), leaves.into(), path.to_vec());
        let call = DemandProver::answerGroupCall { h, kind, group, leaves, path };
        self.demand(CallKind::Answer, &call)
    }

    /// Cancels a batch on which a demand was not answered in time.
    #[must_use]
    pub fn expire_call(
        &self,
        header: &BatchHeader,
        parent: &BatchHeader,
        demanded: Demanded,
    ) -> Call {
        let (kind, index) = demanded.kind_and_index();
        let (h, parent) = (header.into(), parent.into());
        self.demand(CallKind::Answer, &DemandProver::expireCall { h, parent, kind, index })
    }

    fn core(&self, kind: CallKind, items: u64, data: &impl SolCall) -> Call {
        call(kind, items, self.deployment().core, data.abi_encode())
    }

    fn demand(&self, kind: CallKind, data: &impl SolCall) -> Call {
        call(kind, 1, self.deployment().demand_prover, data.abi_encode())
    }
}

pub(crate) fn call(kind: CallKind, items: u64, to: Address, data: Vec<u8>) -> Call {
    Call { kind, items, to: Some(to), data: data.into(), gas_limit: None, blobs: None }
}

fn batch_in(commitment: &BatchCommitment) -> IBatchSettlement::BatchIn {
    IBatchSettlement::BatchIn {
        period: commitment.period.0,
        run: commitment.run,
        part: commitment.part,
        count: commitment.count,
        firstKey: U48::from(commitment.first_key),
        lastKey: U48::from(commitment.last_key),
        recordRoot: commitment.record_root,
        accountRoot: commitment.account_root,
        accountCount: commitment.account_count,
        hubBalance: commitment.hub_balance.micro(),
        inboxTo: commitment.inbox_to,
        expectedParent: commitment.expected_parent,
    }
}
