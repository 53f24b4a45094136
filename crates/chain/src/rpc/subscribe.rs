//! Subscriptions: what a client on a WebSocket is told without asking again.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use alloy_primitives::U64;
use alloy_rpc_types_eth::Filter;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::broadcast;

use super::{Context, Handler, Params, RpcError, convert, error::METHOD_NOT_FOUND};
use crate::chain::{Chain, ChainEvent};
use crate::explanation::explanations;

/// Subscriptions of one client at most.
pub(crate) const SUBSCRIPTIONS_MAX: usize = 128;

pub(super) fn handler(method: &str) -> Option<Handler> {
    Some(match method {
        "eth_subscribe" => subscribe,
        "eth_unsubscribe" => |context, mut params: Params| {
            let id = params.number()?;
            Ok(Value::from(context.subscriptions()?.by_id.remove(&id).is_some()))
        },
        _ => return None,
    })
}

/// The subscriptions of one client.
#[derive(Debug, Default)]
pub(crate) struct Subscriptions {
    /// What happens on the chain, from the first subscription on.
    events: Option<broadcast::Receiver<ChainEvent>>,
    by_id: BTreeMap<u64, Subscription>,
}

#[derive(Debug)]
struct Subscription {
    kind: Kind,
    /// The first block that the client is told about.
    next: u64,
}

#[derive(Debug)]
enum Kind {
    Heads,
    Logs(Box<Filter>),
    Pending {
        is_whole: bool,
    },
    /// A chain without peers never has to catch up, so there is nothing to tell.
    Syncing,
}

impl Context<'_> {
    fn subscriptions(&self) -> Result<MutexGuard<'_, Subscriptions>, RpcError> {
        let unsupported =
            || RpcError::new(METHOD_NOT_FOUND, "notifications not supported: use a WebSocket");
        let subscriptions = self.subscriptions.ok_or_else(unsupported)?;
        Ok(lock(subscriptions))
    }
}

fn lock(subscriptions: &Mutex<Subscriptions>) -> MutexGuard<'_, Subscriptions> {
    subscriptions.lock().unwrap_or_else(PoisonError::into_inner)
}

fn subscribe(context: &Context<'_>, mut params: Params) -> Result<Value, RpcError> {
    let mut subscriptions = context.subscriptions()?;
    let name: String = params.required()?;
    let kind = match name.as_str() {
        "newHeads" => Kind::Heads,
        "logs" => {
            let filter: Filter = params.optional()?.unwrap_or_default();
            super::logs::check(&filter)?;
            Kind::Logs(Box::new(filter))
        }
        "newPendingTransactions" => {
            Kind::Pending { is_whole: params.optional()?.unwrap_or_default() }
        }
        "syncing" => Kind::Syncing,
        _ => {
            let name: String = name.chars().take(64).collect();
            return Err(RpcError::invalid_params(format!("no \"{name}\" subscription")));
        }
    };
    if subscriptions.by_id.len() >= SUBSCRIPTIONS_MAX {
        let reason = format!("too many subscriptions: {SUBSCRIPTIONS_MAX} on one connection");
        return Err(RpcError::limit_exceeded(reason));
    }
    subscriptions.events.get_or_insert_with(|| context.chain.subscribe());
    let id = context.chain.core.rpc.subscription_id();
    let next = context.chain.head().number() + 1;
    subscriptions.by_id.insert(id, Subscription { kind, next });
    Ok(json!(U64::from(id)))
}

/// Why a client is no longer told what happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unsubscribed {
    /// It reads so slowly that something was left out.
    #[error("fell behind: read notifications faster or subscribe to less")]
    FellBehind,
    /// Nothing will happen any more.
    #[error("the chain is closed")]
    Closed,
}

explanations! {
    Unsubscribed {
        FellBehind: "subscription-behind" "a client reads so slowly that something was left out; its connection is closed"
            "read notifications faster, or subscribe to less";
        Closed: "subscription-closed" "the chain is closed"
            "connect again when it is open";
    }
}

impl Subscriptions {
    /// Waits for what happens next and returns the notifications about it. Waits for ever when nothing is subscribed.
    pub(crate) async fn next(&mut self, chain: &Chain) -> Result<Vec<Vec<u8>>, Unsubscribed> {
        if self.by_id.is_empty() {
            self.events = None;
        }
        let Some(events) = &mut self.events else { return std::future::pending().await };
        match events.recv().await {
            Ok(event) => Ok(self.notifications(chain, &event)),
            Err(broadcast::error::RecvError::Lagged(_)) => Err(Unsubscribed::FellBehind),
            Err(broadcast::error::RecvError::Closed) => Err(Unsubscribed::Closed),
        }
    }

    fn notifications(&mut self, chain: &Chain, event: &ChainEvent) -> Vec<Vec<u8>> {
        let mut found = Vec::new();
        for (id, subscription) in &mut self.by_id {
            subscription.notify(chain, event, &mut |result| found.push(notification(*id, &result)));
        }
        found
    }
}

impl Subscription {
    fn notify(&mut self, chain: &Chain, event: &ChainEvent, tell: &mut dyn FnMut(Value)) {
        match (event, &self.kind) {
            (ChainEvent::Reverted(number), _) => self.next = self.next.min(number + 1),
            // The event may be older than the subscription.
            (ChainEvent::Sealed(block), _) if block.number() < self.next => {}
            (ChainEvent::Sealed(block), Kind::Heads) => tell(json!(convert::header(block))),
            (ChainEvent::Sealed(block), Kind::Logs(filter)) => {
                for log in convert::matching_logs(block, filter) {
                    tell(json!(log));
                }
            }
            (ChainEvent::Pending(hash), Kind::Pending { is_whole: false }) => tell(json!(hash)),
            (ChainEvent::Pending(hash), Kind::Pending { is_whole: true }) => {
                // What is already in a block is reported as such.
                if let Some(pooled) = chain.core.pool().get(*hash) {
                    tell(json!(convert::pending_transaction(&pooled)));
                } else if let Ok(Some((block, index))) = chain.transaction(*hash) {
                    tell(json!(convert::transaction(&block, index)));
                }
            }
            _ => {}
        }
    }
}

#[derive(Serialize)]
struct Notification<'a> {
    jsonrpc: &'static str,
    method: &'static str,
    params: NotificationParams<'a>,
}

#[derive(Serialize)]
struct NotificationParams<'a> {
    subscription: U64,
    result: &'a Value,
}

fn notification(id: u64, result: &Value) -> Vec<u8> {
    let params = NotificationParams { subscription: U64::from(id), result };
    let notification = Notification { jsonrpc: "2.0", method: "eth_subscription", params };
    serde_json::to_vec(&notification).expect("values can be written as JSON")
}
