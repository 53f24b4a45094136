//! Blocks, transactions and receipts as bytes, and the storage of a contract between two transactions.

use std::{collections::BTreeMap, sync::Arc};

use alloy_eips::{BlockId, eip2718::Encodable2718};
use alloy_primitives::{Address, B256, Bytes, keccak256};
use serde_json::{Map, Value, json};

use super::{Context, Handler, Params, RpcError, error::RESOURCE_NOT_FOUND, params::slot};
use crate::{engine::Engine, state::StateDiff};

/// Slots in one range at most.
const RANGE_SLOTS_MAX: u64 = 10_000;

pub(super) fn handler(method: &str) -> Option<Handler> {
    Some(match method {
        "debug_getRawHeader" => |context, mut params: Params| {
            let block = context.block(params.required()?)?;
            Ok(json!(Bytes::from(alloy_rlp::encode(&block.header))))
        },
        "debug_getRawBlock" => |context, mut params: Params| {
            let block = context.block(params.required()?)?;
            Ok(json!(Bytes::from(alloy_rlp::encode(block.to_consensus()))))
        },
        "debug_getRawTransaction" => |context, mut params: Params| {
            let hash: B256 = params.required()?;
            if let Some((block, index)) = context.chain.transaction(hash)? {
                return Ok(json!(Bytes::from(block.transactions[index].inner().encoded_2718())));
            }
            let pooled = context.chain.core.pool().get(hash);
            let pooled = pooled.ok_or_else(|| unknown("transaction not found"))?;
            Ok(json!(Bytes::from(pooled.transaction.inner().encoded_2718())))
        },
        "debug_getRawReceipts" => |context, mut params: Params| {
            let block = context.block(params.required()?)?;
            let receipts = (0..block.transactions.len())
                .map(|index| Bytes::from(block.receipt_envelope(index).encoded_2718()));
            Ok(json!(receipts.collect::<Vec<_>>()))
        },
        "debug_storageRangeAt" => storage_range,
        _ => return None,
    })
}

fn unknown(what: &str) -> RpcError {
    RpcError::new(RESOURCE_NOT_FOUND, what)
}

/// Returns slots of an account before a transaction of a block, in ascending order of the hashed slot.
fn storage_range(context: &Context<'_>, mut params: Params) -> Result<Value, RpcError> {
    let block = context.block(params.required::<BlockId>()?)?;
    let index = usize::try_from(params.number()?).unwrap_or(usize::MAX);
    let address: Address = params.required()?;
    let start: String = params.required()?;
    // Remix gives the start as a number of any length.
    let start = match start.as_str() {
        "0x" | "" => B256::ZERO,
        text => slot(text).ok_or_else(|| RpcError::invalid_params("start is not a hash"))?,
    };
    let limit = params.number()?.min(RANGE_SLOTS_MAX);
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let Some(before) = block.transactions.get(..index) else {
        let reason = format!("transaction index {index} out of range for block {}", block.hash);
        return Err(RpcError::server(reason));
    };
    let Some(parent) = block.number().checked_sub(1) else {
        return Err(RpcError::server("the first block has no transactions"));
    };
    let state = context.chain.state_at(parent)?;
    let engine = &context.chain.core.engine;
    let mut execution = engine.begin_block(Arc::new(state.clone()), block.header.clone())?;
    for transaction in before {
        execution.execute(transaction)?;
    }
    let diff = execution.diff()?;
    // As many more as the transactions may have removed, and one that the next range starts with.
    let changed = changed_slots(&diff, address);
    let stored = state.view().storage_range(address, start, limit + changed.len() + 1)?;
    let is_cleared = is_cleared(&diff, address);
    let stored = stored.into_iter().filter(|_| !is_cleared);
    let mut slots: BTreeMap<B256, (B256, B256)> =
        stored.map(|(hashed, slot, value)| (hashed, (slot, B256::from(value)))).collect();
    for (slot, value) in changed {
        let hashed = keccak256(slot);
        if value.is_zero() {
            slots.remove(&hashed);
        } else if hashed >= start {
            slots.insert(hashed, (slot, value));
        }
    }
    let next = slots.keys().nth(limit).copied();
    let shown = slots.iter().take(limit).map(|(hashed, (slot, value))| {
        (hashed.to_string(), json!({ "key": slot, "value": value }))
    });
    Ok(json!({ "storage": shown.collect::<Map<_, _>>(), "nextKey": next }))
}

fn changed_slots(diff: &StateDiff, address: Address) -> Vec<(B256, B256)> {
    let account = diff.accounts.iter().find(|account| account.address == address);
    let slots = account.map(|account| account.storage.as_slice()).unwrap_or_default();
    slots.iter().map(|slot| (slot.slot, B256::from(slot.value))).collect()
}

fn is_cleared(diff: &StateDiff, address: Address) -> bool {
    let account = diff.accounts.iter().find(|account| account.address == address);
    account.is_some_and(|account| account.clears_storage || !account.exists)
}
