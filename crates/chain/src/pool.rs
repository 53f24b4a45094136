//! Transactions that wait for a block.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap, HashMap, VecDeque},
    sync::Arc,
};

use alloy_consensus::{Transaction, TxEnvelope, transaction::Recovered};
use alloy_eips::eip7594::BlobTransactionSidecarEip7594;
use alloy_primitives::{Address, B256};

use crate::explanation::explanations;

/// Transactions that wait at most, of all senders together.
pub const WAITING_MAX: usize = 50_000;
/// Transactions of one sender that wait at most.
pub const WAITING_PER_SENDER_MAX: usize = 16_384;
/// Blob transactions that wait at most, each with up to 0.8 MB of blobs.
pub const WAITING_BLOB_MAX: usize = 128;
/// Transactions of one sender that wait at most for a nonce that is missing before them.
pub const GAPPED_PER_SENDER_MAX: usize = 1_024;
/// Input of all waiting transactions together, in bytes.
pub const WAITING_INPUT_BYTES_MAX: usize = 256 << 20;

/// A waiting transaction.
#[derive(Debug)]
pub struct PooledTransaction {
    /// The transaction with its sender, without blobs.
    pub transaction: Recovered<TxEnvelope>,
    /// Its blobs, for blob transactions.
    pub sidecar: Option<BlobTransactionSidecarEip7594>,
    /// The how-manieth it is to arrive.
    pub arrival: u64,
}

impl PooledTransaction {
    /// Returns the hash of the transaction.
    #[must_use]
    pub fn hash(&self) -> B256 {
        *self.transaction.inner().hash()
    }

    fn tip(&self, base_fee: u64) -> Option<u128> {
        self.transaction.effective_tip_per_gas(base_fee)
    }
}

/// Why a transaction is not taken, in order of precedence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PoolError {
    /// It is here already.
    #[error("already known")]
    AlreadyKnown,
    /// Another with the same nonce waits, and this one does not pay a tenth more.
    #[error("replacement transaction underpriced")]
    ReplacementUnderpriced,
    /// Too many transactions of this sender wait for a nonce before theirs.
    #[error(
        "nonce too high: next nonce {next}, tx nonce {nonce}, {max} of the sender wait already"
    )]
    TooManyGapped {
        /// The next nonce of the sender.
        next: u64,
        /// The nonce of the transaction.
        nonce: u64,
        /// How many may wait.
        max: usize,
    },
    /// Nothing more can wait.
    #[error("txpool is full")]
    Full,
}

explanations! {
    PoolError {
        AlreadyKnown: "pool-already-known" "the same transaction waits already"
            "wait for its receipt";
        ReplacementUnderpriced: "pool-replacement-underpriced" "another with the same nonce waits, and this one does not pay a tenth more"
            "raise its fee and tip by a tenth, or wait";
        TooManyGapped: "pool-too-many-gapped" "too many transactions of the sender wait for a nonce before theirs"
            "send the one with the missing nonce";
        Full: "pool-full" "nothing more can wait"
            "wait until blocks have taken what waits";
    }
}

/// The waiting transactions.
#[derive(Debug, Default)]
pub struct Pool {
    by_hash: HashMap<B256, Arc<PooledTransaction>>,
    by_sender: BTreeMap<Address, BTreeMap<u64, Arc<PooledTransaction>>>,
    arrivals: u64,
    blob_count: usize,
    input_bytes: usize,
}

impl Pool {
    /// Adds a transaction whose sender has `account_nonce` on chain. A waiting transaction with the same nonce is
    /// replaced when the new one pays at least a tenth more.
    ///
    /// # Errors
    ///
    /// Returns a [`PoolError`]; nothing changes then.
    pub fn add(
        &mut self,
        transaction: Recovered<TxEnvelope>,
        sidecar: Option<BlobTransactionSidecarEip7594>,
        account_nonce: u64,
    ) -> Result<(), PoolError> {
        let (hash, nonce) = (*transaction.inner().hash(), transaction.nonce());
        let sender = transaction.signer();
        if self.by_hash.contains_key(&hash) {
            return Err(PoolError::AlreadyKnown);
        }
        let waiting = self.by_sender.get(&sender);
        if let Some(old) = waiting.and_then(|waiting| waiting.get(&nonce)) {
            if !pays_a_tenth_more(&old.transaction, &transaction) {
                return Err(PoolError::ReplacementUnderpriced);
            }
            let old = old.hash();
            self.remove(old);
        } else {
            let count = waiting.map_or(0, BTreeMap::len);
            let is_gapped = nonce > account_nonce
                && !waiting.is_some_and(|waiting| waiting.contains_key(&(nonce - 1)));
            if is_gapped && count >= GAPPED_PER_SENDER_MAX {
                let (next, max) = (account_nonce, GAPPED_PER_SENDER_MAX);
                return Err(PoolError::TooManyGapped { next, nonce, max });
            }
            if self.by_hash.len() >= WAITING_MAX
                || count >= WAITING_PER_SENDER_MAX
                || self.input_bytes + transaction.input().len() > WAITING_INPUT_BYTES_MAX
                || (sidecar.is_some() && self.blob_count >= WAITING_BLOB_MAX)
            {
                return Err(PoolError::Full);
            }
        }
        self.arrivals += 1;
        self.blob_count += usize::from(sidecar.is_some());
        self.input_bytes += transaction.input().len();
        let pooled = Arc::new(PooledTransaction { transaction, sidecar, arrival: self.arrivals });
        self.by_hash.insert(hash, Arc::clone(&pooled));
        self.by_sender.entry(sender).or_default().insert(nonce, pooled);
        Ok(())
    }

    /// Returns a waiting transaction.
    #[must_use]
    pub fn get(&self, hash: B256) -> Option<Arc<PooledTransaction>> {
        self.by_hash.get(&hash).cloned()
    }

    /// Removes a waiting transaction.
    pub fn remove(&mut self, hash: B256) -> Option<Arc<PooledTransaction>> {
        let pooled = self.by_hash.remove(&hash)?;
        let sender = pooled.transaction.signer();
        if let Some(waiting) = self.by_sender.get_mut(&sender) {
            waiting.remove(&pooled.transaction.nonce());
            if waiting.is_empty() {
                self.by_sender.remove(&sender);
            }
        }
        self.blob_count -= usize::from(pooled.sidecar.is_some());
        self.input_bytes -= pooled.transaction.input().len();
        Some(pooled)
    }

    /// Removes every waiting transaction of `sender` with a nonce below `nonce`.
    pub fn remove_below(&mut self, sender: Address, nonce: u64) {
        let Some(waiting) = self.by_sender.get(&sender) else { return };
        let stale: Vec<_> = waiting.range(..nonce).map(|(_, pooled)| pooled.hash()).collect();
        for hash in stale {
            self.remove(hash);
        }
    }

    /// Removes everything.
    pub fn clear(&mut self) {
        *self = Self { arrivals: self.arrivals, ..Self::default() };
    }

    /// Returns how many transactions wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_hash.len()
    }

    /// Returns whether no transaction waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_hash.is_empty()
    }

    /// Returns the nonce after the transactions of `sender` that follow each other from `account_nonce` on.
    #[must_use]
    pub fn next_nonce(&self, sender: Address, account_nonce: u64) -> u64 {
        let mut next = account_nonce;
        if let Some(waiting) = self.by_sender.get(&sender) {
            for nonce in waiting.range(account_nonce..).map(|(nonce, _)| *nonce) {
                if nonce != next {
                    break;
                }
                next += 1;
            }
        }
        next
    }

    /// Returns the waiting transactions of each sender in order of nonce.
    pub fn by_sender(
        &self,
    ) -> impl Iterator<Item = (Address, impl Iterator<Item = &Arc<PooledTransaction>>)> {
        self.by_sender.iter().map(|(sender, waiting)| (*sender, waiting.values()))
    }

    /// Returns the transactions that can go into the next block, best paying first, each sender's in order.
    ///
    /// `account_nonce` returns the nonce of a sender on chain.
    #[must_use]
    pub fn ready(&self, base_fee: u64, account_nonce: impl Fn(Address) -> u64) -> ReadyQueue {
        let mut queue = ReadyQueue { base_fee, heads: BinaryHeap::new(), rest: BTreeMap::new() };
        for (sender, waiting) in &self.by_sender {
            let first = account_nonce(*sender);
            let run = waiting.range(first..).zip(first..);
            let run = run.take_while(|((nonce, _), next)| *nonce == next);
            let run = run.map(|((_, pooled), _)| Arc::clone(pooled)).collect();
            queue.rest.insert(*sender, run);
            queue.advance(*sender);
        }
        queue
    }
}

/// Transactions in the order in which a block takes them.
#[derive(Debug)]
pub struct ReadyQueue {
    base_fee: u64,
    heads: BinaryHeap<(u128, Reverse<u64>, Address)>,
    rest: BTreeMap<Address, VecDeque<Arc<PooledTransaction>>>,
}

impl ReadyQueue {
    /// Takes the best paying transaction whose predecessors have been taken. The next of its sender follows only
    /// after [`Self::advance`].
    pub fn next_best(&mut self) -> Option<Arc<PooledTransaction>> {
        let (_, _, sender) = self.heads.pop()?;
        self.rest.get_mut(&sender)?.pop_front()
    }

    /// Lets the next transaction of `sender` take part, unless it does not pay the base fee.
    pub fn advance(&mut self, sender: Address) {
        let Some(head) = self.rest.get(&sender).and_then(VecDeque::front) else { return };
        if let Some(tip) = head.tip(self.base_fee) {
            self.heads.push((tip, Reverse(head.arrival), sender));
        }
    }

    /// Returns whether no transaction can be taken.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.heads.is_empty()
    }
}

fn pays_a_tenth_more(old: &TxEnvelope, new: &TxEnvelope) -> bool {
    let enough = |old: u128, new: u128| new >= old.saturating_add(old.div_ceil(10));
    let tip = |tx: &TxEnvelope| tx.max_priority_fee_per_gas().unwrap_or(tx.max_fee_per_gas());
    enough(old.max_fee_per_gas(), new.max_fee_per_gas())
        && enough(tip(old), tip(new))
        && old
            .max_fee_per_blob_gas()
            .is_none_or(|old| new.max_fee_per_blob_gas().is_some_and(|new| enough(old, new)))
}
