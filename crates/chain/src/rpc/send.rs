//! Sending transactions: signed by the client, or signed here for one of the funded accounts.

use alloy_consensus::{SignableTransaction, TypedTransaction};
use alloy_eips::{BlockId, BlockNumberOrTag, eip2718::Encodable2718};
use alloy_primitives::Bytes;
use alloy_rpc_types_eth::TransactionRequest;
use alloy_signer::SignerSync;
use serde_json::{Value, json};

use super::{Context, Handler, Params, RpcError, convert, execute::estimate};
use crate::{accounts::funded_signer, chain::base_fee_after};

/// The tip of transactions that name no fee, in wei per gas.
const TIP: u128 = 1_000_000_000;

pub(super) fn handler(method: &str) -> Option<Handler> {
    Some(match method {
        "eth_sendRawTransaction" => {
            |context, mut params: Params| Ok(json!(context.chain.submit(&params.bytes()?)?))
        }
        "eth_sendRawTransactionSync" => send_raw_sync,
        "eth_sendTransaction" => |context, mut params: Params| {
            let encoded = sign(context, params.required()?)?;
            Ok(json!(context.chain.submit(&encoded)?))
        },
        "eth_signTransaction" => {
            |context, mut params: Params| Ok(json!({ "raw": sign(context, params.required()?)? }))
        }
        "eth_fillTransaction" => {
            |context, mut params: Params| Ok(json!({ "tx": fill(context, params.required()?)? }))
        }
        _ => return None,
    })
}

/// Sends a signed transaction and waits for its receipt (EIP-7966).
fn send_raw_sync(context: &Context<'_>, mut params: Params) -> Result<Value, RpcError> {
    let mut events = context.chain.subscribe();
    let hash = context.chain.submit(&params.bytes()?)?;
    // Blocks arrive in the order of their events; a closed or lagging channel ends the wait.
    loop {
        if let Some((block, index)) = context.chain.transaction(hash)? {
            return Ok(json!(convert::receipt(&block, index)));
        }
        if context.chain.core.pool().get(hash).is_none()
            && context.chain.transaction(hash)?.is_none()
        {
            return Err(RpcError::server("transaction was dropped"));
        }
        if events.blocking_recv().is_err() {
            return Err(RpcError::server("the chain is closed"));
        }
    }
}

/// Returns the transaction with everything that it does not say: nonce, gas and fees.
fn fill(
    context: &Context<'_>,
    mut message: TransactionRequest,
) -> Result<TransactionRequest, RpcError> {
    let from = message.from.ok_or_else(|| RpcError::invalid_params("missing from"))?;
    let head = context.chain.head();
    if message.nonce.is_none() {
        let account = context.chain.state_at(head.number())?.view().account(from)?;
        let nonce = account.unwrap_or_default().nonce;
        message.nonce = Some(context.chain.core.pool().next_nonce(from, nonce));
    }
    if message.gas_price.is_none() {
        let tip = *message.max_priority_fee_per_gas.get_or_insert(TIP);
        let fee = u128::from(base_fee_after(&head.header)) * 2 + tip;
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

fn sign(context: &Context<'_>, message: TransactionRequest) -> Result<Bytes, RpcError> {
    let from = message.from.ok_or_else(|| RpcError::invalid_params("missing from"))?;
    let signer = funded_signer(from).ok_or_else(|| RpcError::server("unknown account"))?;
    let filled = fill(context, message)?;
    let transaction: TypedTransaction = filled
        .build_typed_tx()
        .map_err(|_| RpcError::invalid_params("the fields do not make up a transaction"))?;
    let signature =
        signer.sign_hash_sync(&transaction.signature_hash()).map_err(RpcError::internal)?;
    Ok(transaction.into_envelope(signature).encoded_2718().into())
}
