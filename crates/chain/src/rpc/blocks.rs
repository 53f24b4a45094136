//! Blocks, transactions and receipts.

use alloy_eips::{BlockId, BlockNumberOrTag, eip2718::Encodable2718};
use alloy_primitives::{B256, Bytes, U64};
use serde_json::{Value, json};

use super::{Context, Handler, Params, RpcError, convert};

pub(super) fn handler(method: &str) -> Option<Handler> {
    Some(match method {
        "eth_blockNumber" => |context, _| Ok(json!(U64::from(context.chain.head().number()))),
        "eth_getBlockByNumber" => block_by_number,
        "eth_getBlockByHash" => block_by_hash,
        "eth_getHeaderByNumber" | "eth_getHeaderByHash" => header,
        "eth_getBlockTransactionCountByNumber" | "eth_getBlockTransactionCountByHash" => {
            transaction_count
        }
        "eth_getTransactionByHash" => transaction_by_hash,
        "eth_getTransactionByBlockHashAndIndex" | "eth_getTransactionByBlockNumberAndIndex" => {
            transaction_by_index
        }
        "eth_getRawTransactionByHash" => raw_transaction_by_hash,
        "eth_getRawTransactionByBlockHashAndIndex"
        | "eth_getRawTransactionByBlockNumberAndIndex" => raw_transaction_by_index,
        "eth_getTransactionReceipt" => receipt,
        "eth_getBlockReceipts" => block_receipts,
        _ => return None,
    })
}

fn block_by_number(context: &Context<'_>, mut params: Params) -> Result<Value, RpcError> {
    let number: BlockNumberOrTag = params.required()?;
    let is_full = params.optional()?.unwrap_or(false);
    if number.is_pending() {
        return Ok(pending_block(&json!(convert::block(&context.pending_block()?, is_full))));
    }
    let block = context.find(number.into())?;
    Ok(block.map_or(Value::Null, |block| json!(convert::block(&block, is_full))))
}

/// Returns a block that is not sealed yet: what only sealing decides is null.
fn pending_block(block: &Value) -> Value {
    let mut block = block.clone();
    for key in ["hash", "nonce", "miner"] {
        if let Some(value) = block.get_mut(key) {
            *value = Value::Null;
        }
    }
    block
}

fn block_by_hash(context: &Context<'_>, mut params: Params) -> Result<Value, RpcError> {
    let hash: B256 = params.required()?;
    let is_full = params.optional()?.unwrap_or(false);
    let block = context.find(hash.into())?;
    Ok(block.map_or(Value::Null, |block| json!(convert::block(&block, is_full))))
}

fn header(context: &Context<'_>, mut params: Params) -> Result<Value, RpcError> {
    let block = context.find(params.required()?)?;
    Ok(block.map_or(Value::Null, |block| json!(convert::header(&block))))
}

fn transaction_count(context: &Context<'_>, mut params: Params) -> Result<Value, RpcError> {
    let id: BlockId = params.required()?;
    if id.is_pending() {
        return Ok(json!(U64::from(context.pending()?.transactions.len())));
    }
    let block = context.find(id)?;
    Ok(block.map_or(Value::Null, |block| json!(U64::from(block.transactions.len()))))
}

fn transaction_by_hash(context: &Context<'_>, mut params: Params) -> Result<Value, RpcError> {
    let hash: B256 = params.required()?;
    if let Some((block, index)) = context.chain.transaction(hash)? {
        return Ok(json!(convert::transaction(&block, index)));
    }
    if let Some(pooled) = context.chain.core.pool().get(hash) {
        return Ok(json!(convert::pending_transaction(&pooled)));
    }
    // It may have been sealed between the two looks.
    let sealed = context.chain.transaction(hash)?;
    Ok(sealed.map_or(Value::Null, |(block, index)| json!(convert::transaction(&block, index))))
}

fn transaction_by_index(context: &Context<'_>, mut params: Params) -> Result<Value, RpcError> {
    let block = context.find(params.required()?)?;
    let index = usize::try_from(params.number()?).unwrap_or(usize::MAX);
    let found = block.filter(|block| index < block.transactions.len());
    Ok(found.map_or(Value::Null, |block| json!(convert::transaction(&block, index))))
}

fn raw_transaction_by_hash(context: &Context<'_>, mut params: Params) -> Result<Value, RpcError> {
    let hash: B256 = params.required()?;
    if let Some((block, index)) = context.chain.transaction(hash)? {
        return Ok(json!(Bytes::from(block.transactions[index].inner().encoded_2718())));
    }
    let pooled = context.chain.core.pool().get(hash);
    Ok(pooled.map_or(Value::Null, |p| json!(Bytes::from(p.transaction.inner().encoded_2718()))))
}

fn raw_transaction_by_index(context: &Context<'_>, mut params: Params) -> Result<Value, RpcError> {
    let block = context.find(params.required()?)?;
    let index = usize::try_from(params.number()?).unwrap_or(usize::MAX);
    let transaction = block.as_ref().and_then(|block| block.transactions.get(index));
    Ok(transaction.map_or(Value::Null, |tx| json!(Bytes::from(tx.inner().encoded_2718()))))
}

fn receipt(context: &Context<'_>, mut params: Params) -> Result<Value, RpcError> {
    let found = context.chain.transaction_or_reason(params.required()?)?;
    Ok(found.map_or(Value::Null, |(block, index)| json!(convert::receipt(&block, index))))
}

fn block_receipts(context: &Context<'_>, mut params: Params) -> Result<Value, RpcError> {
    let Some(block) = context.find(params.required()?)? else { return Ok(Value::Null) };
    let receipts = (0..block.transactions.len()).map(|index| convert::receipt(&block, index));
    Ok(json!(receipts.collect::<Vec<_>>()))
}
