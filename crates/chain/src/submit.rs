//! Whether a transaction is taken: checked against the head before it waits for a block.

use alloy_consensus::{
    EthereumTxEnvelope, Transaction, TxEip4844WithSidecar, TxEnvelope,
    transaction::{Recovered, SignerRecoverable},
};
use alloy_eips::{
    eip2718::Decodable2718,
    eip7594::{BlobTransactionSidecarEip7594, BlobTransactionSidecarVariant},
};
use alloy_primitives::{Address, U256};

use crate::{
    blob::{BlobError, checked_sidecar},
    block::cost_max,
    explanation::explanations,
    pool::PoolError,
    state::{Account, StateError},
};

/// Bytes of one encoded transaction at most, blobs not counted. Calldata of that size is far above the gas limit.
pub(crate) const TRANSACTION_BYTES_MAX: usize = 1 << 20;
/// Gas limit of one transaction at most (EIP-7825).
pub(crate) const TRANSACTION_GAS_MAX: u64 = 1 << 24;
/// Code that creates a contract, in bytes at most (EIP-3860).
pub(crate) const INIT_CODE_BYTES_MAX: usize = 49_152;

/// Why a transaction is refused, in order of precedence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SubmitError {
    /// Blocks cannot be sealed, for example because the disk is full.
    #[error("no block can be sealed: {reason}")]
    NotSealing {
        /// Why.
        reason: String,
    },
    /// The bytes are not a signed transaction.
    #[error("transaction is not readable: {0}")]
    Unreadable(String),
    /// It is larger than any block could take.
    #[error("oversized data: {bytes} bytes, at most {max}")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The largest size.
        max: usize,
    },
    /// It is for another chain, or does not say for which.
    #[error("invalid chain id: transaction has {found:?}, chain has {expected}")]
    ChainId {
        /// The chain id of the transaction.
        found: Option<u64>,
        /// The chain id of the chain.
        expected: u64,
    },
    /// The signature does not check.
    #[error("invalid sender: {0}")]
    Signature(String),
    /// Its blobs are refused.
    #[error(transparent)]
    Blob(#[from] BlobError),
    /// It offers more gas than a transaction or block may use.
    #[error("exceeds block gas limit or transaction gas limit: {gas}, at most {max}")]
    GasTooHigh {
        /// The gas limit of the transaction.
        gas: u64,
        /// The highest gas limit.
        max: u64,
    },
    /// It offers less gas than its bytes alone cost.
    #[error("intrinsic gas too low: have {gas}, want {want}")]
    IntrinsicGasTooLow {
        /// The gas limit of the transaction.
        gas: u64,
        /// What its bytes cost.
        want: u64,
    },
    /// The code that creates a contract is too long.
    #[error("max initcode size exceeded: {bytes} bytes, at most {max}")]
    InitCodeTooLong {
        /// Its length.
        bytes: usize,
        /// The greatest length.
        max: usize,
    },
    /// The tip is above the highest fee.
    #[error("max priority fee per gas higher than max fee per gas: {tip} above {fee}")]
    TipAboveFee {
        /// The tip in wei per gas.
        tip: u128,
        /// The highest fee in wei per gas.
        fee: u128,
    },
    /// It does not pay the base fee of the next block.
    #[error("max fee per gas less than block base fee: maxFeePerGas {fee}, baseFee {base_fee}")]
    FeeTooLow {
        /// The highest fee in wei per gas.
        fee: u128,
        /// The base fee of the next block in wei per gas.
        base_fee: u64,
    },
    /// It does not pay the blob fee of the next block.
    #[error("max fee per blob gas less than block blob gas fee: {fee} below {blob_fee}")]
    BlobFeeTooLow {
        /// The highest fee in wei per blob gas.
        fee: u128,
        /// The blob fee of the next block in wei per gas.
        blob_fee: u128,
    },
    /// The chain takes none.
    #[error("the chain is opened to read")]
    ReadOnly,
    /// The sender has sent a transaction with this nonce before.
    #[error("nonce too low: next nonce {next}, tx nonce {nonce}")]
    NonceTooLow {
        /// The next nonce of the sender.
        next: u64,
        /// The nonce of the transaction.
        nonce: u64,
    },
    /// No account gets beyond this nonce (EIP-2681).
    #[error("nonce has max value: tx nonce {nonce}")]
    NonceMax {
        /// The nonce of the transaction.
        nonce: u64,
    },
    /// The sender is a contract.
    #[error("sender not an eoa: {0}")]
    SenderIsContract(Address),
    /// The sender cannot pay.
    #[error("insufficient funds for gas * price + value: balance {balance}, tx cost {cost}")]
    InsufficientFunds {
        /// What the sender has, in wei.
        balance: U256,
        /// What the transaction may cost, in wei.
        cost: U256,
    },
    /// It does not fit among those that wait.
    #[error(transparent)]
    Pool(#[from] PoolError),
    /// The state cannot be read.
    #[error(transparent)]
    State(#[from] StateError),
}

explanations! {
    SubmitError {
        NotSealing: "submit-not-sealing" "no block can be sealed, for example because the disk is full"
            "make room on the disk; what waits is sealed then";
        Unreadable: "submit-unreadable" "the bytes are not a signed transaction"
            "send the transaction as the wallet signed it";
        TooLarge: "submit-too-large" "the transaction is larger than any block could take"
            "send less in one transaction";
        ChainId: "submit-chain-id" "the transaction is for another chain"
            "sign it for the id that eth_chainId gives";
        Signature: "submit-signature" "the signature does not check"
            "sign the transaction again";
        Blob(error);
        GasTooHigh: "submit-gas-too-high" "it offers more gas than a transaction or a block may use"
            "lower its gas limit, or send less in one transaction";
        IntrinsicGasTooLow: "submit-intrinsic-gas-too-low" "it offers less gas than its bytes alone cost"
            "raise its gas limit: eth_estimateGas says what it needs";
        InitCodeTooLong: "submit-init-code-too-long" "the code that creates a contract is too long (EIP-3860)"
            "split the contract";
        TipAboveFee: "submit-tip-above-fee" "the tip is above the highest fee"
            "lower maxPriorityFeePerGas, or raise maxFeePerGas";
        FeeTooLow: "submit-fee-too-low" "it does not pay the base fee of the next block"
            "raise its fee: eth_gasPrice says what is usual";
        BlobFeeTooLow: "submit-blob-fee-too-low" "it does not pay the blob fee of the next block"
            "raise maxFeePerBlobGas: eth_blobBaseFee says what is needed";
        ReadOnly: "submit-read-only" "the chain is opened to read and takes no transaction"
            "send to the program that has it open to write";
        NonceTooLow: "submit-nonce-too-low" "the sender has sent a transaction with this nonce before"
            "take the nonce that eth_getTransactionCount gives; in a wallet, clear the account's activity";
        NonceMax: "submit-nonce-max" "no account gets beyond this nonce (EIP-2681)"
            "send from another account";
        SenderIsContract: "submit-sender-is-contract" "the sender is a contract (EIP-3607)"
            "impersonate it, or send from an account with a key";
        InsufficientFunds: "submit-insufficient-funds" "the sender cannot pay for gas and value"
            "send it ether, or lower gas limit, fee or value";
        Pool(error);
        State(error);
    }
}

/// A transaction whose signature, form and blobs have been checked.
#[derive(Debug)]
pub(crate) struct Incoming {
    pub(crate) transaction: Recovered<TxEnvelope>,
    pub(crate) sidecar: Option<BlobTransactionSidecarEip7594>,
    /// Whether the sender has not signed it.
    pub(crate) is_impersonated: bool,
}

/// What the next block will ask for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terms {
    pub(crate) chain_id: u64,
    pub(crate) gas_limit: u64,
    pub(crate) base_fee: u64,
    pub(crate) blob_fee: u128,
}

/// Reads a transaction in the form in which clients send it.
pub(crate) fn read(bytes: &[u8], terms: &Terms) -> Result<Incoming, SubmitError> {
    type Sent = EthereumTxEnvelope<TxEip4844WithSidecar<BlobTransactionSidecarVariant>>;
    let sent =
        Sent::decode_2718_exact(bytes).map_err(|e| SubmitError::Unreadable(e.to_string()))?;
    if !matches!(sent, Sent::Eip4844(_)) && bytes.len() > TRANSACTION_BYTES_MAX {
        let max = TRANSACTION_BYTES_MAX;
        return Err(SubmitError::TooLarge { bytes: bytes.len(), max });
    }
    let found = sent.chain_id();
    // Transactions from before EIP-155 name no chain; they are taken, as other clients do, to deploy well-known
    // contracts whose only sender signed them so.
    if found.is_some_and(|found| found != terms.chain_id) {
        return Err(SubmitError::ChainId { found, expected: terms.chain_id });
    }
    let sender = sent.recover_signer().map_err(|e| SubmitError::Signature(e.to_string()))?;
    let (transaction, sidecar) = match sent {
        Sent::Legacy(tx) => (TxEnvelope::Legacy(tx), None),
        Sent::Eip2930(tx) => (TxEnvelope::Eip2930(tx), None),
        Sent::Eip1559(tx) => (TxEnvelope::Eip1559(tx), None),
        Sent::Eip7702(tx) => (TxEnvelope::Eip7702(tx), None),
        Sent::Eip4844(signed) => {
            let (with_sidecar, signature, hash) = signed.into_parts();
            let (tx, sidecar) = with_sidecar.into_parts();
            let sidecar = checked_sidecar(sidecar, &tx.blob_versioned_hashes)?;
            let signed = alloy_consensus::Signed::new_unchecked(tx.into(), signature, hash);
            (TxEnvelope::Eip4844(signed), Some(sidecar))
        }
    };
    let transaction = Recovered::new_unchecked(transaction, sender);
    Ok(Incoming { transaction, sidecar, is_impersonated: false })
}

/// Checks a transaction against the account of its sender and the terms of the next block.
pub(crate) fn check(
    transaction: &Recovered<TxEnvelope>,
    account: &Account,
    is_contract: bool,
    terms: &Terms,
) -> Result<(), SubmitError> {
    let gas = transaction.gas_limit();
    let max = terms.gas_limit.min(TRANSACTION_GAS_MAX);
    if gas > max {
        return Err(SubmitError::GasTooHigh { gas, max });
    }
    let want = intrinsic_gas(transaction);
    if gas < want {
        return Err(SubmitError::IntrinsicGasTooLow { gas, want });
    }
    if transaction.is_create() && transaction.input().len() > INIT_CODE_BYTES_MAX {
        let bytes = transaction.input().len();
        return Err(SubmitError::InitCodeTooLong { bytes, max: INIT_CODE_BYTES_MAX });
    }
    let fee = transaction.max_fee_per_gas();
    if let Some(tip) = transaction.max_priority_fee_per_gas()
        && tip > fee
    {
        return Err(SubmitError::TipAboveFee { tip, fee });
    }
    if fee < u128::from(terms.base_fee) {
        return Err(SubmitError::FeeTooLow { fee, base_fee: terms.base_fee });
    }
    if let Some(fee) = transaction.max_fee_per_blob_gas()
        && fee < terms.blob_fee
    {
        return Err(SubmitError::BlobFeeTooLow { fee, blob_fee: terms.blob_fee });
    }
    let nonce = transaction.nonce();
    if nonce < account.nonce {
        return Err(SubmitError::NonceTooLow { next: account.nonce, nonce });
    }
    if nonce == u64::MAX {
        return Err(SubmitError::NonceMax { nonce });
    }
    if is_contract {
        return Err(SubmitError::SenderIsContract(transaction.signer()));
    }
    let cost = cost_max(transaction);
    if cost > account.balance {
        return Err(SubmitError::InsufficientFunds { balance: account.balance, cost });
    }
    Ok(())
}

/// Returns the gas that a transaction uses before any code runs, or the floor for its bytes when that is more.
///
/// # Source
///
/// EIP-2028 (calldata), EIP-2930 (access list), EIP-3860 (init code), EIP-7623 (floor), EIP-7702 (authorizations).
pub(crate) fn intrinsic_gas(transaction: &TxEnvelope) -> u64 {
    let input = transaction.input();
    let zeros = input.iter().filter(|byte| **byte == 0).count() as u64;
    let others = input.len() as u64 - zeros;
    let access_list = transaction.access_list();
    let addresses = access_list.map_or(0, |list| list.0.len()) as u64;
    let slots = access_list.map_or(0, |list| list.storage_keys_count()) as u64;
    let authorizations = transaction.authorization_list().map_or(0, <[_]>::len) as u64;
    let create =
        if transaction.is_create() { 32_000 + 2 * input.len().div_ceil(32) as u64 } else { 0 };
    let cost = 21_000
        + 4 * zeros
        + 16 * others
        + create
        + 2_400 * addresses
        + 1_900 * slots
        + 25_000 * authorizations;
    let floor = 21_000 + 10 * (zeros + 4 * others);
    cost.max(floor)
}
