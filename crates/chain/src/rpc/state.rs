//! Balances, code, storage and proofs.

use std::collections::BTreeMap;

use alloy_eips::BlockId;
use alloy_primitives::{Address, B256, U64, U256};
use serde_json::{Value, json};

use super::{Context, Handler, Params, RpcError, params::slot};
use crate::state::Account;

/// Slots that one request asks for at most.
const SLOTS_MAX: usize = 1_024;

pub(super) fn handler(method: &str) -> Option<Handler> {
    Some(match method {
        "eth_getBalance" => |context, mut params| Ok(json!(account(context, &mut params)?.balance)),
        "eth_getTransactionCount" => transaction_count,
        "eth_getCode" => code,
        "eth_getStorageAt" => storage_at,
        "eth_getStorageValues" => storage_values,
        "eth_getProof" => proof,
        "eth_getAccount" => account_object,
        _ => return None,
    })
}

fn account(context: &Context<'_>, params: &mut Params) -> Result<Account, RpcError> {
    let address: Address = params.required()?;
    let target = context.target(params.block()?)?;
    Ok(target.state.account(address)?.unwrap_or_default())
}

fn transaction_count(context: &Context<'_>, mut params: Params) -> Result<Value, RpcError> {
    let address: Address = params.required()?;
    let block = params.block()?;
    if block.is_pending() {
        return Ok(json!(U64::from(context.next_nonce(address)?)));
    }
    let account = context.target(block)?.state.account(address)?;
    Ok(json!(U64::from(account.unwrap_or_default().nonce)))
}

fn code(context: &Context<'_>, mut params: Params) -> Result<Value, RpcError> {
    let address: Address = params.required()?;
    let target = context.target(params.block()?)?;
    let account = target.state.account(address)?.unwrap_or_default();
    Ok(json!(target.state.code(account.code_hash)?.unwrap_or_default()))
}

fn storage_at(context: &Context<'_>, mut params: Params) -> Result<Value, RpcError> {
    let address: Address = params.required()?;
    let slot = params.slot()?;
    let target = context.target(params.block()?)?;
    Ok(json!(B256::from(target.state.storage(address, slot)?)))
}

/// Returns several slots of several accounts.
fn storage_values(context: &Context<'_>, mut params: Params) -> Result<Value, RpcError> {
    let asked: BTreeMap<Address, Vec<String>> = params.required()?;
    let count: usize = asked.values().map(Vec::len).sum();
    if count > SLOTS_MAX {
        return Err(RpcError::invalid_params(format!("{count} slots, at most {SLOTS_MAX}")));
    }
    let target = context.target(params.block()?)?;
    let value = |address, text: &String| -> Result<B256, RpcError> {
        let slot = slot(text);
        let slot = slot.ok_or_else(|| RpcError::invalid_params(format!("not a slot: {text}")))?;
        Ok(B256::from(target.state.storage(address, slot)?))
    };
    let values = asked.iter().map(|(address, slots)| {
        let values = slots.iter().map(|slot| value(*address, slot));
        Ok((address.to_string(), json!(values.collect::<Result<Vec<_>, _>>()?)))
    });
    Ok(Value::Object(values.collect::<Result<_, RpcError>>()?))
}

fn proof(context: &Context<'_>, mut params: Params) -> Result<Value, RpcError> {
    let address: Address = params.required()?;
    let slots: Vec<String> = params.optional()?.unwrap_or_default();
    if slots.len() > SLOTS_MAX {
        let reason = format!("{} slots, at most {SLOTS_MAX}", slots.len());
        return Err(RpcError::invalid_params(reason));
    }
    let slots = slots.iter().map(|text| {
        slot(text).ok_or_else(|| RpcError::invalid_params(format!("not a slot: {text}")))
    });
    let slots = slots.collect::<Result<Vec<_>, _>>()?;
    let block = context.block(params.block()?)?;
    let proof = context.chain.proof(&block, address, &slots)?;
    let storage: Vec<_> = proof
        .storage
        .iter()
        .map(|(slot, value, nodes)| {
            json!({ "key": U256::from_be_bytes(slot.0), "value": value, "proof": nodes })
        })
        .collect();
    Ok(json!({
        "address": address,
        "accountProof": proof.proof,
        "balance": proof.account.balance,
        "codeHash": proof.account.code_hash,
        "nonce": U64::from(proof.account.nonce),
        "storageHash": proof.storage_root,
        "storageProof": storage,
    }))
}

fn account_object(context: &Context<'_>, mut params: Params) -> Result<Value, RpcError> {
    let address: Address = params.required()?;
    let id: BlockId = params.block()?;
    let block = context.block(id)?;
    let proof = context.chain.proof(&block, address, &[])?;
    Ok(json!({
        "balance": proof.account.balance,
        "codeHash": proof.account.code_hash,
        "nonce": U64::from(proof.account.nonce),
        "storageRoot": proof.storage_root,
    }))
}
