//! Money into and out of the contract: demonstration money, allowances, deposits, withdrawals.

use alloy_primitives::{Address, U256};
use gridtally_core::explanations;
use gridtally_core::party::ParticipantNumber;
use tracing::info;

use crate::abi::DemoToken::{allowanceCall, approveCall, balanceOfCall, mintCall};
use crate::abi::DirectSettlement;
use crate::concurrent;
use crate::deploy::{Ledger, ReadError};
use crate::gas::{CallKind, GasMeasurements};
use crate::pipeline::{Pipeline, ProgressListener};
use crate::send_error::SendError;
use crate::sender::Sender;
use crate::wire::Receipt;

/// Transactions in flight at a time.
const IN_FLIGHT_MAX: usize = 64;

/// What a participant's balance shall be at least.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Funding {
    /// The participant.
    pub participant: ParticipantNumber,
    /// The balance to reach, micro-units.
    pub balance_min_micro: u64,
}

/// Why participants are not funded, in order of precedence. Those before are.
#[derive(Debug, thiserror::Error)]
pub enum FundError {
    /// The contract cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The payer has too little of the token.
    #[error("{payer} has {balance} micro-units of the token, {needed} are needed")]
    TokenFundsInsufficient {
        /// Who pays.
        payer: Address,
        /// What it has.
        balance: U256,
        /// What is needed.
        needed: U256,
    },
    /// A transaction failed.
    #[error(transparent)]
    Send(#[from] SendError),
}

explanations! {
    FundError {
        Read(error);
        TokenFundsInsufficient: "payer-funds-insufficient" "the payer has too few tokens to top balances up"
            "send it tokens, or deposit for the participants first: docs/guides/endpoint.md shows how";
        Send(error);
    }
}

impl Ledger {
    /// Returns a participant's money in the contract, micro-units; 0 when nobody has this number.
    ///
    /// # Errors
    ///
    /// Returns the [`ReadError`].
    pub async fn balance(&self, participant: ParticipantNumber) -> Result<u64, ReadError> {
        self.ask(DirectSettlement::balanceOfCall { number: participant.0 }).await
    }

    /// Returns the money of participants as [`balance`](Self::balance) does, in the given order, several asked for at a time.
    ///
    /// # Errors
    ///
    /// Returns the first [`ReadError`].
    pub async fn balances(
        &self,
        participants: impl IntoIterator<Item = ParticipantNumber>,
    ) -> Result<Vec<u64>, ReadError> {
        concurrent::each(participants, |participant| self.balance(participant)).await
    }

    /// Returns the sum of all balances in the contract, micro-units.
    ///
    /// # Errors
    ///
    /// Returns the [`ReadError`].
    pub async fn escrow(&self) -> Result<u64, ReadError> {
        self.ask(DirectSettlement::escrowCall {}).await
    }

    /// Returns an account's money outside the contract, micro-units.
    ///
    /// # Errors
    ///
    /// Returns the [`ReadError`].
    pub async fn token_balance(&self, account: Address) -> Result<U256, ReadError> {
        self.ask_token(balanceOfCall { account }).await
    }

    /// Issues demonstration money; only its owner may.
    ///
    /// # Errors
    ///
    /// Returns the [`SendError`].
    pub async fn mint(
        &self,
        sender: &Sender,
        receiver: Address,
        amount_micro: u64,
    ) -> Result<Receipt, SendError> {
        let call = mintCall { receiver, amount: U256::from(amount_micro) };
        sender.send(self.call_token(CallKind::Mint, &call)).await
    }

    /// Tops balances up from the sender's tokens. What is there already counts, so that calling
    /// again after a crash pays nothing twice. Allows the contract to draw exactly what is needed.
    ///
    /// # Errors
    ///
    /// Returns the first [`FundError`] in the order of its variants.
    pub async fn fund(
        &self,
        sender: &Sender,
        fundings: &[Funding],
        listener: &mut dyn ProgressListener,
    ) -> Result<GasMeasurements, FundError> {
        // What an earlier process sent must be on the chain before balances are compared.
        sender.wait_until_idle().await?;
        let mut missing = Vec::new();
        let mut needed = U256::ZERO;
        let balances = self.balances(fundings.iter().map(|funding| funding.participant)).await?;
        for (funding, balance) in fundings.iter().zip(balances) {
            let amount = funding.balance_min_micro.saturating_sub(balance);
            if amount > 0 {
                missing.push((funding.participant, amount));
                needed += U256::from(amount);
            }
        }
        let payer = sender.address();
        let balance = self.token_balance(payer).await?;
        if balance < needed {
            return Err(FundError::TokenFundsInsufficient { payer, balance, needed });
        }

        let mut pipeline = Pipeline::new(sender, IN_FLIGHT_MAX, fundings.len() as u64, listener);
        pipeline.begin_after((fundings.len() - missing.len()) as u64);
        let spender = self.deployment().contract;
        if self.ask_token(allowanceCall { owner: payer, spender }).await? < needed {
            let call = approveCall { spender, value: needed };
            let receipt = sender.send(self.call_token(CallKind::Approve, &call)).await?;
            pipeline.measured.add_receipt(CallKind::Approve, 1, &receipt);
        }
        let deposit = |&(participant, amount): &(ParticipantNumber, u64)| {
            let call = DirectSettlement::depositCall { number: participant.0, amount };
            self.call(CallKind::Deposit, 1, &call)
        };
        // What one deposit needs does not depend on those before it.
        for group in missing.chunks(IN_FLIGHT_MAX) {
            let calls = group.iter().map(deposit);
            for call in concurrent::each(calls, |call| sender.with_gas_limit(call)).await? {
                pipeline.send(call).await?;
            }
        }
        pipeline.finish().await?;
        info!(count = fundings.len(), "participants funded");
        Ok(pipeline.measured)
    }

    /// Pays a participant's money out to its owner, who must be the sender.
    ///
    /// # Errors
    ///
    /// Returns the [`SendError`].
    pub async fn withdraw(
        &self,
        sender: &Sender,
        participant: ParticipantNumber,
        amount_micro: u64,
    ) -> Result<Receipt, SendError> {
        let call = DirectSettlement::withdrawCall { number: participant.0, amount: amount_micro };
        sender.send(self.call(CallKind::Withdraw, 1, &call)).await
    }
}
