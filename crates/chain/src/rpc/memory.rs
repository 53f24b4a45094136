//! What JSON-RPC remembers between requests.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use alloy_primitives::{Address, B256};

use super::filters::Filters;
use crate::chain::ChainEvent;

/// Accounts that can be impersonated at a time.
pub(crate) const IMPERSONATED_MAX: usize = 10_000;

/// What is remembered for all clients together.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    pub(crate) filters: Filters,
    pub(crate) impersonated: Mutex<Impersonated>,
    pub(crate) awaited: Awaited,
    /// Held while a transaction is given its nonce and put among those that wait.
    pub(crate) sending: Mutex<()>,
    subscriptions: AtomicU64,
}

/// The accounts for which transactions are taken without their signatures.
#[derive(Debug, Default)]
pub(crate) struct Impersonated {
    pub(crate) accounts: BTreeSet<Address>,
    pub(crate) is_everybody: bool,
}

impl Memory {
    /// Takes note of what happened on the chain. Called before anybody else hears of it.
    pub(crate) fn note(&self, event: &ChainEvent) {
        match event {
            ChainEvent::Pending(hash) => self.filters.note_pending(*hash),
            ChainEvent::Sealed(block) => {
                self.awaited.note(block.transactions.iter().map(|tx| *tx.inner().hash()));
            }
            ChainEvent::Reverted(number) => self.filters.note_revert(*number),
        }
    }

    /// Takes note that no block could be sealed: whoever waits for a transaction has to hear of it.
    pub(crate) fn note_failure(&self) {
        self.awaited.release_all();
    }

    /// Returns an id that no subscription has had.
    pub(crate) fn subscription_id(&self) -> u64 {
        self.subscriptions.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Returns whether transactions of an account are taken without its signature.
    pub(crate) fn is_impersonated(&self, address: Address) -> bool {
        let impersonated = self.impersonated();
        impersonated.is_everybody || impersonated.accounts.contains(&address)
    }

    pub(crate) fn impersonated(&self) -> MutexGuard<'_, Impersonated> {
        self.impersonated.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Transactions that somebody waits for.
#[derive(Debug, Default)]
pub(crate) struct Awaited {
    /// Per transaction: how many wait, and whether there is something to look at: a block with it, or why there is none.
    transactions: Mutex<BTreeMap<B256, (usize, bool)>>,
    changed: Condvar,
}

impl Awaited {
    fn note(&self, sealed: impl Iterator<Item = B256>) {
        let mut transactions = self.transactions();
        if transactions.is_empty() {
            return;
        }
        for hash in sealed {
            if let Some((_, is_ready)) = transactions.get_mut(&hash) {
                *is_ready = true;
            }
        }
        self.changed.notify_all();
    }

    fn release_all(&self) {
        for (_, is_ready) in self.transactions().values_mut() {
            *is_ready = true;
        }
        self.changed.notify_all();
    }

    /// Waits until a transaction is in a block, `is_sealed` says so at the beginning, no block can be sealed, or the time is
    /// over.
    pub(crate) fn wait(&self, hash: B256, timeout: Duration, is_sealed: impl FnOnce() -> bool) {
        self.transactions().entry(hash).or_insert((0, false)).0 += 1;
        // Asked after the entry is there: what is sealed from now on is noted in it.
        if !is_sealed() {
            let transactions = self.transactions();
            let is_open = |transactions: &mut BTreeMap<B256, (usize, bool)>| {
                transactions.get(&hash).is_some_and(|(_, is_ready)| !is_ready)
            };
            drop(self.changed.wait_timeout_while(transactions, timeout, is_open));
        }
        let mut transactions = self.transactions();
        if let Some((waiting, _)) = transactions.get_mut(&hash) {
            *waiting -= 1;
            if *waiting == 0 {
                transactions.remove(&hash);
            }
        }
    }

    fn transactions(&self) -> MutexGuard<'_, BTreeMap<B256, (usize, bool)>> {
        self.transactions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
