//! Transactions that wait for a block, as geth shows them.

use std::collections::BTreeMap;

use alloy_consensus::Transaction;
use alloy_primitives::{Address, U64};
use serde_json::{Map, Value, json};

use super::{Context, Handler, Params, RpcError, convert};
use crate::pool::PooledTransaction;

/// Waiting transactions that are listed at most, about 2 KB each.
const LISTED_MAX: usize = 10_000;

pub(super) fn handler(method: &str) -> Option<Handler> {
    Some(match method {
        "txpool_status" => status,
        "txpool_content" => |context, _| content(context, None, whole),
        "txpool_contentFrom" => |context, mut params: Params| {
            let sender: Address = params.required()?;
            let mut content = content(context, Some(sender), whole)?;
            let of_sender = |part: &mut Value| match part.as_object_mut() {
                Some(senders) => senders.remove(&sender.to_string()).unwrap_or_else(|| json!({})),
                None => json!({}),
            };
            let (pending, queued) =
                (of_sender(&mut content["pending"]), of_sender(&mut content["queued"]));
            Ok(json!({ "pending": pending, "queued": queued }))
        },
        "txpool_inspect" => |context, _| content(context, None, in_words),
        "anvil_dropTransaction" | "hardhat_dropTransaction" => |context, mut params: Params| {
            let hash = params.required()?;
            let dropped = context.chain.core.pool().remove(hash);
            Ok(dropped.map_or(Value::Null, |_| json!(hash)))
        },
        "anvil_dropAllTransactions" => |context, _| {
            context.chain.core.pool().clear();
            Ok(Value::Null)
        },
        "eth_pendingTransactions" => |context, _| {
            let pool = context.chain.core.pool();
            let waiting = pool.by_sender().flat_map(|(_, waiting)| waiting).take(LISTED_MAX);
            Ok(waiting.map(|pooled| whole(pooled)).collect())
        },
        _ => return None,
    })
}

/// Returns the nonce of every sender that has a waiting transaction.
fn nonces(context: &Context<'_>) -> Result<BTreeMap<Address, u64>, RpcError> {
    let senders: Vec<_> = context.chain.core.pool().by_sender().map(|(sender, _)| sender).collect();
    let state = context.chain.state_at(context.chain.head().number())?;
    let nonce = |sender| -> Result<_, RpcError> {
        Ok((sender, state.view().account(sender)?.unwrap_or_default().nonce))
    };
    senders.into_iter().map(nonce).collect()
}

fn status(context: &Context<'_>, _: Params) -> Result<Value, RpcError> {
    let nonces = nonces(context)?;
    let pool = context.chain.core.pool();
    let pending = nonces.iter().map(|(sender, nonce)| pool.next_nonce(*sender, *nonce) - nonce);
    let pending = pending.sum::<u64>();
    let queued = (pool.len() as u64).saturating_sub(pending);
    Ok(json!({ "pending": U64::from(pending), "queued": U64::from(queued) }))
}

/// Returns the waiting transactions by sender and nonce: those that a block could take, and those that wait for
/// another before them.
fn content(
    context: &Context<'_>,
    only: Option<Address>,
    show: fn(&PooledTransaction) -> Value,
) -> Result<Value, RpcError> {
    let nonces = nonces(context)?;
    let pool = context.chain.core.pool();
    let (mut pending, mut queued) = (Map::new(), Map::new());
    let mut left = LISTED_MAX;
    for (sender, waiting) in pool.by_sender() {
        if only.is_some_and(|only| only != sender) {
            continue;
        }
        let nonce = nonces.get(&sender).copied().unwrap_or_default();
        let next = pool.next_nonce(sender, nonce);
        let (mut ready, mut early) = (Map::new(), Map::new());
        for pooled in waiting.take(left) {
            left -= 1;
            let part = if pooled.transaction.nonce() < next { &mut ready } else { &mut early };
            part.insert(pooled.transaction.nonce().to_string(), show(pooled));
        }
        for (part, found) in [(&mut pending, ready), (&mut queued, early)] {
            if !found.is_empty() {
                part.insert(sender.to_string(), Value::Object(found));
            }
        }
    }
    Ok(json!({ "pending": pending, "queued": queued }))
}

fn whole(pooled: &PooledTransaction) -> Value {
    json!(convert::pending_transaction(pooled))
}

fn in_words(pooled: &PooledTransaction) -> Value {
    let transaction = &pooled.transaction;
    let to = transaction.to().map_or("contract creation".to_owned(), |to| to.to_string());
    let (value, gas) = (transaction.value(), transaction.gas_limit());
    let price = transaction.max_fee_per_gas();
    Value::from(format!("{to}: {value} wei + {gas} gas × {price} wei"))
}
