//! Why a transaction was not carried out.

use alloy_primitives::{Address, B256, U256};
use gridtally_core::explanations;

use crate::endpoint::{EndpointError, RpcFailure};
use crate::gas::CallKind;
use crate::refusal::Refusal;

/// Why a transaction was not carried out, in order of precedence.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The endpoint failed. Whether a transaction that was being sent reached it is not known:
    /// ask the chain what is done before sending again.
    #[error("{0}")]
    Endpoint(#[from] EndpointError),
    /// The contract refuses the call; nothing was sent.
    #[error("{kind} is refused: {refusal}")]
    Refused {
        /// The call.
        kind: CallKind,
        /// The contract's reason.
        refusal: Box<Refusal>,
    },
    /// The call needs more gas than a transaction or a block may use.
    #[error("{kind} needs {gas} gas, a transaction may use {limit}")]
    GasTooMuch {
        /// The call.
        kind: CallKind,
        /// What it needs.
        gas: u64,
        /// Most that a transaction may use.
        limit: u64,
    },
    /// Gas costs more than the configuration allows.
    #[error("a unit of gas costs {price_wei} wei, the configuration allows {limit_wei}")]
    GasPriceTooHigh {
        /// What it costs now.
        price_wei: u128,
        /// What the configuration allows.
        limit_wei: u128,
    },
    /// Blob gas costs more than the configuration allows.
    #[error("a unit of blob gas costs {price_wei} wei, the configuration allows {limit_wei}")]
    BlobGasPriceTooHigh {
        /// What it costs now.
        price_wei: u128,
        /// What the configuration allows.
        limit_wei: u128,
    },
    /// The chain takes no blobs.
    #[error("{kind} has blobs, and the chain takes none")]
    BlobsUnsupported {
        /// The call.
        kind: CallKind,
    },
    /// The account cannot pay for the gas.
    #[error("{address} has {balance_wei} wei, too little for the gas of {kind}")]
    FeeFundsInsufficient {
        /// The call.
        kind: CallKind,
        /// Who sends.
        address: Address,
        /// What the account has.
        balance_wei: U256,
    },
    /// The endpoint does not take the transaction.
    #[error("{kind} was not accepted: {failure}")]
    NotAccepted {
        /// The call.
        kind: CallKind,
        /// The endpoint's reason.
        #[source]
        failure: Box<RpcFailure>,
    },
    /// The endpoint computes another hash: it does not speak of the same transaction.
    #[error("the endpoint calls transaction {expected} {found}")]
    HashDiffers {
        /// The hash of what was sent.
        expected: B256,
        /// The hash that the endpoint gave.
        found: B256,
    },
    /// No block took the transaction in time. It may still be carried out.
    #[error(
        "{kind} ({transaction}, nonce {nonce}) is in no block after {replacements} price rises"
    )]
    NotIncluded {
        /// The call.
        kind: CallKind,
        /// Its last transaction.
        transaction: B256,
        /// Its nonce.
        nonce: u64,
        /// How often its price was raised.
        replacements: u32,
    },
    /// The nonce is of no use any more: another transaction of the same key has it, or a
    /// re-organization took transactions before it away. The call was not carried out.
    #[error("nonce {nonce} of {kind} is lost, {next} comes next")]
    NonceLost {
        /// The call.
        kind: CallKind,
        /// The nonce.
        nonce: u64,
        /// The account's next nonce.
        next: u64,
    },
    /// The transaction is in a block, but not as deep as asked for. It may still get there.
    #[error("{kind} ({transaction}) did not get {confirmations} blocks deep in time")]
    NotDeep {
        /// The call.
        kind: CallKind,
        /// Its transaction.
        transaction: B256,
        /// The depth asked for.
        confirmations: u64,
    },
    /// Transactions of the key are waiting, sent by an earlier process perhaps.
    #[error("transactions of {address} are waiting to be included")]
    Waiting {
        /// The key's address.
        address: Address,
    },
    /// The transaction was carried out and reverted: it changed nothing, its gas is paid.
    #[error("{kind} ({transaction}) reverted: {refusal}")]
    Reverted {
        /// The call.
        kind: CallKind,
        /// Its transaction.
        transaction: B256,
        /// The contract's reason, found by calling again on the state before.
        refusal: Box<Refusal>,
    },
}

explanations! {
    SendError {
        Endpoint(error);
        Refused { refusal };
        GasTooMuch: "transaction-gas-too-much" "the call needs more gas than a transaction or a block may use"
            "send less in one transaction";
        GasPriceTooHigh: "transaction-gas-price-too-high" "gas costs more than the configuration allows"
            "wait until it is cheaper, or raise the limit";
        BlobGasPriceTooHigh: "transaction-blob-gas-price-too-high" "blob gas costs more than the configuration allows"
            "wait until it is cheaper, raise the limit, or publish in calldata";
        BlobsUnsupported: "transaction-blobs-unsupported" "the chain takes no transactions with blobs"
            "publish in calldata on this chain";
        FeeFundsInsufficient: "transaction-fee-funds-insufficient" "the account cannot pay for the gas"
            "send the account the chain's own currency";
        NotAccepted: "transaction-not-accepted" "the endpoint does not take the transaction"
            "do as its own words say, then repeat the command";
        HashDiffers: "transaction-hash-differs" "the endpoint computes another hash of the transaction"
            "ask another endpoint: this one does not speak of the same transaction";
        NotIncluded: "transaction-not-included" "no block took the transaction in time, although its price was raised"
            "look whether the chain makes blocks, then repeat the command: nothing is sent twice";
        NonceLost: "transaction-nonce-lost" "another transaction of the same key took the nonce, or one before it was dropped"
            "let nobody else use the key meanwhile, and repeat the command";
        NotDeep: "transaction-not-deep" "the transaction is in a block, but not as deep as asked for"
            "repeat the command later: what is there counts";
        Waiting: "transactions-waiting" "transactions of the key wait, sent by an earlier process perhaps"
            "wait until they are in blocks, or replace them with another wallet";
        Reverted { refusal };
    }
}

impl SendError {
    /// Returns the contract's reason, whether found before or after sending.
    #[must_use]
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Refused { refusal, .. } | Self::Reverted { refusal, .. } => Some(refusal),
            _ => None,
        }
    }
}
