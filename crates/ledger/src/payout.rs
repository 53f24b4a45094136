//! What a participant can take out of a batch ledger, found from the chain alone.

use alloy_primitives::{Address, U256};
use gridtally_core::party::ParticipantNumber;
use gridtally_settlement::{AccountLeaf, BatchHeader, InboxKind, Opened};

use crate::abi::DemoToken;
use crate::abi::batch::BatchSettlement;
use crate::batch_deploy::BatchLedger;
use crate::client::BlockId;
use crate::deploy::{Question, ReadError};
use crate::sender::Call;
use crate::watch::Watcher;

/// The contract's kinds of inbox entries that hold money.
const DEPOSIT: u8 = 0;
const FORCED: u8 = 2;

/// How a participant stands with the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PayoutState {
    /// Where money goes; `None` until it is set.
    pub payout: Option<Address>,
    /// What was paid out so far, micro-units.
    pub paid_micro: u64,
    /// Whether it took everything after a freeze.
    pub is_exited: bool,
}

/// An account after the latest final batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FinalAccount {
    /// The header of the batch.
    pub header: BatchHeader,
    /// The account with its path.
    pub account: Opened<AccountLeaf>,
}

impl FinalAccount {
    /// Returns what can be claimed, micro-units: what was withdrawn and not paid out yet.
    #[must_use]
    pub fn claimable_micro(&self, state: &PayoutState) -> u64 {
        self.account.leaf.payable_micro.saturating_sub(state.paid_micro)
    }

    /// Returns what can be taken out of a frozen ledger, micro-units: the balance too.
    #[must_use]
    pub fn exit_micro(&self, state: &PayoutState) -> u64 {
        if state.is_exited {
            return 0;
        }
        let balance = u64::try_from(self.account.leaf.balance.micro()).unwrap_or(0);
        balance.saturating_add(self.claimable_micro(state))
    }
}

impl Watcher {
    /// Returns the account of a participant after the latest final batch, or `None` where there is none, or it is not valid.
    #[must_use]
    pub fn final_account(&self, participant: ParticipantNumber) -> Option<FinalAccount> {
        let last = self.view().batches().iter().rev().find(|batch| batch.is_final)?;
        let account = self.account_after(last.header.seq, participant)?;
        Some(FinalAccount { header: last.header.clone(), account })
    }

    /// Returns the deposits of a participant that no final batch honored and that were not paid back: number of the entry and
    /// micro-units. A frozen ledger pays them back.
    ///
    /// # Errors
    ///
    /// Returns a [`ReadError`].
    pub async fn reclaimable(
        &self,
        participant: ParticipantNumber,
    ) -> Result<Vec<(u64, u64)>, ReadError> {
        let honored_to = self.view().final_batches().last().map_or(0, |last| last.header.inbox_to);
        let entries = (0_u64..).zip(self.view().inbox());
        let entries = entries.filter(|(entry, ordered)| {
            *entry >= honored_to
                && ordered.participant == participant
                && matches!(ordered.kind, InboxKind::Deposit(_))
        });
        let mut reclaimable = Vec::new();
        for (entry, _) in entries {
            let call = BatchSettlement::inboxEntryCall { entry };
            let found = self.ledger().core_question().call(call).await?;
            if matches!(found.kind, DEPOSIT | FORCED) {
                reclaimable.push((entry, found.amount));
            }
        }
        Ok(reclaimable)
    }

    /// Returns the call that freezes the ledger, whose hub has stopped, with the genesis header where no batch was ever final.
    #[must_use]
    pub fn freeze_call(&self) -> Call {
        let finals = self.view().final_batches();
        let latest = finals.last().map_or(&BatchHeader::GENESIS, |last| &last.header);
        match self.view().batches().get(finals.len()) {
            Some(next) => self.ledger().freeze_pending_call(latest, &next.header),
            None => self.ledger().freeze_call(latest),
        }
    }
}

impl BatchLedger {
    /// Returns how a participant stands with the contract.
    ///
    /// # Errors
    ///
    /// Returns a [`ReadError`].
    pub async fn payout_of(
        &self,
        participant: ParticipantNumber,
    ) -> Result<PayoutState, ReadError> {
        let call = BatchSettlement::payoutOfCall { number: participant.0 };
        let (payout, paid_micro, is_exited) = self.core_question().call(call).await?.into();
        let payout = Some(payout).filter(|payout| !payout.is_zero());
        Ok(PayoutState { payout, paid_micro, is_exited })
    }

    /// Returns what an address was credited, for a proof say, and did not collect, micro-units.
    ///
    /// # Errors
    ///
    /// Returns a [`ReadError`].
    pub async fn credit_of(&self, holder: Address) -> Result<u64, ReadError> {
        self.core_question().call(BatchSettlement::creditOfCall { holder }).await
    }

    /// Returns how many tokens an account has, and how many of them the core may draw, micro-units.
    ///
    /// # Errors
    ///
    /// Returns a [`ReadError`].
    pub async fn tokens_of(&self, account: Address) -> Result<(U256, U256), ReadError> {
        let contract = self.deployment().token;
        let ask = Question { client: self.client(), contract, at: BlockId::Latest };
        let (owner, spender) = (account, self.deployment().core);
        let held = ask.call(DemoToken::balanceOfCall { account }).await?;
        let allowed = ask.call(DemoToken::allowanceCall { owner, spender }).await?;
        Ok((held, allowed))
    }

    /// Whether the ledger is frozen: its hub stopped, and everybody may leave.
    ///
    /// # Errors
    ///
    /// Returns a [`ReadError`].
    pub async fn is_frozen(&self) -> Result<bool, ReadError> {
        self.core_question().call(BatchSettlement::isFrozenCall {}).await
    }
}
