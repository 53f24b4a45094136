//! Sending transactions: signed by the client, or signed here for one of the funded accounts.

use std::{sync::PoisonError, time::Duration};

use alloy_consensus::{
    EthereumTxEnvelope, SignableTransaction, TxEip4844Variant, TxEnvelope, TypedTransaction,
};
use alloy_eips::{
    BlockId, BlockNumberOrTag, eip2718::Encodable2718, eip7594::BlobTransactionSidecarVariant,
};
use alloy_primitives::{Address, B256, Bytes, Signature, U256};
use alloy_rpc_types_eth::TransactionRequest;
use alloy_signer::SignerSync;
use serde_json::{Value, json};

use super::{
    Context, Handler, Params, RpcError, accounts, convert, error::NOT_SEALED_IN_TIME,
    execute::estimate,
};
use crate::{accounts::funded_signer, chain::base_fee_after};

/// The tip of transactions that name no fee, in wei per gas.
const TIP: u128 = 1_000_000_000;
/// How long a client waits for its receipt when it does not say, in milliseconds (EIP-7966).
const WAIT_MS: u64 = 2_000;
/// How long a client waits for its receipt at most, in milliseconds.
const WAIT_MS_MAX: u64 = 30_000;

/// A signed transaction of any type, blob transactions with their blobs.
type Signed = EthereumTxEnvelope<TxEip4844Variant<BlobTransactionSidecarVariant>>;

pub(super) fn handler(method: &str) -> Option<Handler> {
    Some(match method {
        "eth_sendRawTransaction" => {
            |context, mut params: Params| Ok(json!(context.chain.submit(&params.bytes()?)?))
        }
        "eth_sendRawTransactionSync" => send_raw_sync,
        "eth_sendTransaction" => {
            |context, mut params: Params| Ok(json!(send(context, &mut params)?))
        }
        "eth_sendTransactionSync" => |context, mut params: Params| {
            let hash = send(context, &mut params)?;
            receipt_in_time(context, hash, params.optional_number()?)
        },
        "eth_signTransaction" => sign_transaction,
        "eth_fillTransaction" => {
            |context, mut params: Params| Ok(json!({ "tx": fill(context, message(&mut params)?)? }))
        }
        _ => return None,
    })
}

/// Sends a signed transaction and waits for its receipt (EIP-7966).
fn send_raw_sync(context: &Context<'_>, mut params: Params) -> Result<Value, RpcError> {
    let hash = context.chain.submit(&params.bytes()?)?;
    receipt_in_time(context, hash, params.optional_number()?)
}

fn receipt_in_time(
    context: &Context<'_>,
    hash: B256,
    timeout_ms: Option<u64>,
) -> Result<Value, RpcError> {
    let timeout_ms = timeout_ms.filter(|ms| *ms > 0).unwrap_or(WAIT_MS).min(WAIT_MS_MAX);
    let is_sealed = || !matches!(context.chain.transaction(hash), Ok(None));
    context.chain.core.rpc.awaited.wait(hash, Duration::from_millis(timeout_ms), is_sealed);
    match context.chain.transaction_or_reason(hash)? {
        Some((block, index)) => Ok(json!(convert::receipt(&block, index))),
        None => {
            let message = format!("the transaction is in no block after {timeout_ms} ms");
            Err(RpcError::new(NOT_SEALED_IN_TIME, message).with_data(json!(hash)))
        }
    }
}

/// Sends a transaction for an account whose key is known, or that is impersonated.
fn send(context: &Context<'_>, params: &mut Params) -> Result<B256, RpcError> {
    let message = message(params)?;
    let from = sender(&message)?;
    // Two requests at a time must not be given the same nonce.
    let _turn = context.chain.core.rpc.sending.lock().unwrap_or_else(PoisonError::into_inner);
    if funded_signer(from).is_some() {
        return Ok(context.chain.submit(&signed(context, message)?.encoded_2718())?);
    }
    if !context.chain.core.rpc.is_impersonated(from) {
        return Err(RpcError::server("unknown account"));
    }
    let transaction = typed(fill(context, message)?)?;
    let transaction = transaction.into_envelope(no_signature(from));
    // A blob transaction would need its blobs beside it, which no client sends for an impersonated account.
    let transaction = TxEnvelope::try_from(transaction)
        .map_err(|_| RpcError::invalid_params("blobs of an impersonated account"))?;
    Ok(context.chain.submit_for(from, transaction)?)
}

/// Returns what stands in place of the signature of an impersonated account. It differs from account to account, so
/// that their transactions have hashes of their own.
pub(crate) fn no_signature(from: Address) -> Signature {
    Signature::new(U256::from_be_slice(from.as_slice()), U256::ONE, false)
}

/// Returns the message of a request.
///
/// # Errors
///
/// Returns an error for blobs without their commitments and proofs, which nobody computes here: they would be left out.
fn message(params: &mut Params) -> Result<TransactionRequest, RpcError> {
    let fields: Value = params.required()?;
    let has_blobs = ["blobs", "commitments", "proofs"]
        .iter()
        .any(|field| fields.get(field).is_some_and(|value| !value.is_null()));
    let message: TransactionRequest = serde_json::from_value(fields)
        .map_err(|error| RpcError::invalid_params(format!("parameter 1: {error}")))?;
    if has_blobs && message.sidecar.is_none() {
        let what = "blobs need their commitments and proofs, or a signed transaction in eth_sendRawTransaction";
        return Err(RpcError::invalid_params(what));
    }
    Ok(message)
}

/// Returns the transaction with everything that it does not say: nonce, gas and fees.
fn fill(
    context: &Context<'_>,
    mut message: TransactionRequest,
) -> Result<TransactionRequest, RpcError> {
    let from = sender(&message)?;
    if message.nonce.is_none() {
        message.nonce = Some(context.next_nonce(from)?);
    }
    if message.gas_price.is_none() {
        let tip = *message.max_priority_fee_per_gas.get_or_insert(TIP);
        let base_fee = u128::from(base_fee_after(&context.chain.head().header));
        let fee = (base_fee * 2).saturating_add(tip);
        message.max_fee_per_gas.get_or_insert(fee);
    }
    message.chain_id.get_or_insert(context.chain.chain_id());
    if message.gas.is_none() {
        let target = context.target(BlockId::Number(BlockNumberOrTag::Latest))?;
        // Nonces and fees are the sender's affair here; only the gas is asked for.
        let question = TransactionRequest {
            nonce: None,
            gas_price: None,
            max_fee_per_gas: None,
            max_priority_fee_per_gas: None,
            ..message.clone()
        };
        message.gas = Some(estimate(context, &target, &question)?);
    }
    if message.to.is_none() {
        message.to = Some(alloy_primitives::TxKind::Create);
    }
    // Clients write the same bytes under either name; a transaction has one.
    message.input.input = message.input.input.take().or(message.input.data.take());
    Ok(message)
}

fn sender(message: &TransactionRequest) -> Result<Address, RpcError> {
    message.from.ok_or_else(|| RpcError::invalid_params("missing from"))
}

/// Returns the transaction that the fields of a message make up.
///
/// # Errors
///
/// Returns an error when they do not make up any.
pub(crate) fn typed(message: TransactionRequest) -> Result<TypedTransaction, RpcError> {
    message
        .build_typed_tx()
        .map_err(|_| RpcError::invalid_params("the fields do not make up a transaction"))
}

fn signed(context: &Context<'_>, message: TransactionRequest) -> Result<Signed, RpcError> {
    let signer = accounts::signer(sender(&message)?)?;
    let transaction = typed(fill(context, message)?)?;
    let signature =
        signer.sign_hash_sync(&transaction.signature_hash()).map_err(RpcError::internal)?;
    Ok(transaction.into_envelope(signature))
}

fn sign_transaction(context: &Context<'_>, mut params: Params) -> Result<Value, RpcError> {
    let transaction = signed(context, message(&mut params)?)?;
    Ok(json!({ "raw": Bytes::from(transaction.encoded_2718()), "tx": transaction }))
}
