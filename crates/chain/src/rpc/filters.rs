//! Filters: what a client asks about again and again, and is told once.
//!
//! A filter keeps where its client has read up to, not what it has still to read, so it costs the same however long
//! nobody asks. Those that nobody asked about for a while are forgotten, as clients rarely remove them.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use alloy_primitives::{B256, U64};
use alloy_rpc_types_eth::{Filter, FilterBlockOption, Log};
use serde_json::value::RawValue;

use super::{
    Context, Params, RpcError, TextHandler,
    logs::{LOGS_MAX, logs, range},
    text,
};

/// Filters of all clients together at most.
pub(crate) const FILTERS_MAX: usize = 1_024;
/// How long a filter is kept that nobody asks about, in seconds.
pub(crate) const FILTER_AGE_MAX_S: u64 = 300;
/// Hashes of waiting transactions that are kept for filters.
const PENDING_KEPT: u64 = 16_384;

pub(super) fn handler(method: &str) -> Option<TextHandler> {
    Some(match method {
        "eth_newFilter" => |context, mut params| {
            let filter: Filter = params.required()?;
            super::logs::check(&filter)?;
            add(context, Kind::Logs(Box::new(filter)), context.chain.head().number() + 1)
        },
        "eth_newBlockFilter" => {
            |context, _| add(context, Kind::Blocks, context.chain.head().number() + 1)
        }
        "eth_newPendingTransactionFilter" => |context, _| {
            let next = context.filters().inner().pending_end;
            add(context, Kind::Pending, next)
        },
        "eth_uninstallFilter" => |context, mut params| {
            let id = params.number()?;
            text(&context.filters().inner().by_id.remove(&id).is_some())
        },
        "eth_getFilterChanges" => changes,
        "eth_getFilterLogs" => {
            |context, mut params| match &context.filter(params.number()?)?.kind {
                Kind::Logs(filter) => text(&logs(context, filter)?),
                Kind::Blocks | Kind::Pending => Err(RpcError::server("filter is not a log filter")),
            }
        }
        _ => return None,
    })
}

/// The filters of all clients.
#[derive(Debug, Default)]
pub(crate) struct Filters {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    issued: u64,
    by_id: BTreeMap<u64, Arc<Entry>>,
    /// The transactions that came last, and how many have come in all.
    pending: VecDeque<B256>,
    pending_end: u64,
}

#[derive(Debug)]
struct Entry {
    kind: Kind,
    /// The block or transaction that the client reads next.
    next: Mutex<u64>,
    /// The lowest block that took the place of another since the client last asked.
    replaced: AtomicU64,
    asked_unix_s: AtomicU64,
}

#[derive(Debug)]
enum Kind {
    Logs(Box<Filter>),
    Blocks,
    Pending,
}

impl Filters {
    /// Takes note of a transaction that waits for a block.
    pub(crate) fn note_pending(&self, hash: B256) {
        let mut inner = self.inner();
        inner.pending_end += 1;
        inner.pending.push_back(hash);
        if inner.pending.len() as u64 > PENDING_KEPT {
            inner.pending.pop_front();
        }
    }

    /// Takes note that the blocks after `number` were taken back.
    pub(crate) fn note_revert(&self, number: u64) {
        for entry in self.inner().by_id.values() {
            entry.replaced.fetch_min(number + 1, Ordering::Relaxed);
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Context<'_> {
    fn filters(&self) -> &Filters {
        &self.chain.core.rpc.filters
    }

    /// Returns a filter that is not too old, and notes that it was asked about.
    fn filter(&self, id: u64) -> Result<Arc<Entry>, RpcError> {
        let now = self.chain.core.config.clock.now_unix_s();
        let mut inner = self.filters().inner();
        inner.forget_old(now);
        let entry = inner.by_id.get(&id).ok_or_else(|| RpcError::server("filter not found"))?;
        entry.asked_unix_s.store(now, Ordering::Relaxed);
        Ok(Arc::clone(entry))
    }
}

impl Inner {
    fn forget_old(&mut self, now_unix_s: u64) {
        self.by_id.retain(|_, entry| {
            now_unix_s.saturating_sub(entry.asked_unix_s.load(Ordering::Relaxed)) < FILTER_AGE_MAX_S
        });
    }
}

fn add(context: &Context<'_>, kind: Kind, next: u64) -> Result<Box<RawValue>, RpcError> {
    let now = context.chain.core.config.clock.now_unix_s();
    let mut inner = context.filters().inner();
    inner.forget_old(now);
    if inner.by_id.len() >= FILTERS_MAX {
        let reason = format!("too many filters: {FILTERS_MAX} are kept, remove some");
        return Err(RpcError::limit_exceeded(reason));
    }
    inner.issued += 1;
    // Ids of an earlier run of the program must not mean filters of this one.
    let id = (now << 24) | (inner.issued & 0xff_ffff);
    let entry = Entry {
        kind,
        next: Mutex::new(next),
        replaced: AtomicU64::new(u64::MAX),
        asked_unix_s: AtomicU64::new(now),
    };
    inner.by_id.insert(id, Arc::new(entry));
    text(&U64::from(id))
}

fn changes(context: &Context<'_>, mut params: Params) -> Result<Box<RawValue>, RpcError> {
    let entry = context.filter(params.number()?)?;
    let mut next = entry.next.lock().unwrap_or_else(PoisonError::into_inner);
    if let Kind::Pending = entry.kind {
        let inner = context.filters().inner();
        let oldest = inner.pending_end - inner.pending.len() as u64;
        let skipped = usize::try_from(next.saturating_sub(oldest)).unwrap_or(usize::MAX);
        *next = inner.pending_end;
        return text(&inner.pending.iter().skip(skipped).collect::<Vec<_>>());
    }
    *next = (*next).min(entry.replaced.swap(u64::MAX, Ordering::Relaxed));
    let head = context.chain.head().number();
    match &entry.kind {
        Kind::Logs(filter) => text(&new_logs(context, filter, &mut next, head)?),
        Kind::Blocks | Kind::Pending => {
            let numbers = std::mem::replace(&mut *next, head + 1)..=head;
            let hashes = numbers.filter_map(|number| context.chain.core.archive.hash(number));
            text(&hashes.collect::<Vec<_>>())
        }
    }
}

/// Returns the log events from block `next` on. When they are too many, the rest is for the next time.
fn new_logs(
    context: &Context<'_>,
    filter: &Filter,
    next: &mut u64,
    head: u64,
) -> Result<Vec<Log>, RpcError> {
    let FilterBlockOption::Range { from_block, to_block } = filter.block_option else {
        return Ok(Vec::new());
    };
    let (from, to) = range(context, from_block, to_block);
    // An open end is the newest block at any time.
    let to = if to_block.is_some_and(|to| to.is_number()) { to.min(head) } else { head };
    let from =
        if from_block.is_some_and(|from| from.is_number()) { from.max(*next) } else { *next };
    let mut found = context.chain.logs(filter, from, to, LOGS_MAX)?;
    *next = head + 1;
    if found.len() > LOGS_MAX
        && let Some(last) = found.last().and_then(|log| log.block_number)
    {
        let first = found.first().and_then(|log| log.block_number);
        // Whole blocks only, so that none is reported twice; a single block is never too large.
        if first < Some(last) {
            found.retain(|log| log.block_number < Some(last));
            *next = last;
        } else {
            *next = last + 1;
        }
    }
    Ok(found)
}
