//! Following the contract's events while the newest blocks may still be replaced.
//!
//! ```text
//! blocks   |--- old: read in ranges ---|--- young: block by block, hash by hash ---|
//!                                       head - depth_max                        head
//! ```
//!
//! Old blocks are taken as settled. Young blocks are read by hash and linked to the block before,
//! so that the entries of one block are always those of the same chain as the block before it. When
//! a young block has left the chain, its entries are reverted, the newest first, before those of its
//! replacement are applied.

use gridtally_core::explanations;
use serde::{Deserialize, Serialize};
use tracing::{debug, warn};

use crate::client::{BlockId, Client, LogFilter};
use crate::deploy::Ledger;
use crate::endpoint::EndpointError;
use crate::event::{EventError, LedgerEntry};
use crate::wire::{Block, BlockRef, Log};

/// How events are followed.
#[derive(Debug, Clone)]
pub struct FollowOptions {
    /// How many blocks must follow a block before its entries are applied; 0 applies at once.
    pub confirmations: u64,
    /// How many of the newest blocks may be replaced. A deeper re-organization stops the follower.
    pub depth_max: u64,
    /// Most blocks in one question for logs; halved where the endpoint finds it too many.
    pub range_blocks_max: u64,
    /// Most young blocks that are read before a poll returns.
    pub young_blocks_max: u64,
}

impl Default for FollowOptions {
    fn default() -> Self {
        Self { confirmations: 0, depth_max: 64, range_blocks_max: 2_000, young_blocks_max: 64 }
    }
}

/// How far a follower has come. Stored by the caller together with what it made of the notices,
/// it lets another follower go on, even if the chain was re-organized in between.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor<E = LedgerEntry> {
    /// The first block whose entries can be reverted; those before it are old, or not asked for.
    block_first: u64,
    /// The first block that was not read.
    block_next: u64,
    /// The young blocks that were read, in order, without gaps, with their entries. Before them
    /// stands the last old block, if any was read: it must not be replaced any more.
    young: Vec<YoungBlock<E>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct YoungBlock<E> {
    block: BlockRef,
    entries: Vec<E>,
}

impl<E> Cursor<E> {
    /// Returns a cursor that begins at a block, usually that of the deployment.
    #[must_use]
    pub const fn at(block: u64) -> Self {
        Self { block_first: block, block_next: block, young: Vec::new() }
    }

    /// Returns the first block that was not read.
    #[must_use]
    pub const fn block_next(&self) -> u64 {
        self.block_next
    }
}

/// What happened on the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice<E = LedgerEntry> {
    /// An entry is on the chain.
    Applied(E),
    /// An entry that was applied is no longer on the chain.
    Reverted(E),
}

/// The notices of one poll, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notices<E = LedgerEntry> {
    /// What happened.
    pub notices: Vec<Notice<E>>,
    /// True if there is nothing more to read now.
    pub is_caught_up: bool,
}

/// Why following cannot go on, in order of precedence. The cursor is as it was before the poll.
#[derive(Debug, thiserror::Error)]
pub enum FollowError {
    /// The endpoint failed.
    #[error("{0}")]
    Endpoint(#[from] EndpointError),
    /// An entry of the contract is not of the expected form.
    #[error(transparent)]
    Event(#[from] EventError),
    /// The endpoint answered with logs that were not asked for.
    #[error("asked for logs of blocks {from} to {to}, got one of block {found}")]
    LogsUnasked {
        /// First block asked for.
        from: u64,
        /// Last block asked for.
        to: u64,
        /// Block of the answer.
        found: u64,
    },
    /// More blocks were replaced than are kept.
    #[error("block {number} and more than {depth_max} blocks before it were replaced")]
    ReorganizationTooDeep {
        /// The newest block that was read.
        number: u64,
        /// How many blocks are kept.
        depth_max: u64,
    },
}

explanations! {
    FollowError {
        Endpoint(error);
        Event(error);
        LogsUnasked: "logs-unasked" "the endpoint answered with log entries that were not asked for"
            "ask another endpoint";
        ReorganizationTooDeep: "reorganization-too-deep" "more blocks were replaced than are kept"
            "read the contract's history again from its beginning";
    }
}

/// Something that a contract told, with its place on the chain.
pub trait LogEntry: Clone {
    /// Decodes a log entry.
    ///
    /// # Errors
    ///
    /// Returns the first [`EventError`] in the order of its variants.
    fn decode(log: &Log) -> Result<Self, EventError>;
}

/// Follows the entries of contracts that belong together.
#[derive(Debug)]
pub struct Follower<E = LedgerEntry> {
    client: Client,
    filter: LogFilter,
    cursor: Cursor<E>,
    options: FollowOptions,
    range_blocks: u64,
}

impl Follower {
    /// Returns a follower of direct settlement that goes on at `cursor`.
    #[must_use]
    pub fn new(ledger: &Ledger, cursor: Cursor, options: FollowOptions) -> Self {
        let filter = LogFilter::all_of([ledger.deployment().contract]);
        Self::of(ledger.client().clone(), filter, cursor, options)
    }
}

impl<E: LogEntry> Follower<E> {
    /// Returns a follower of what a filter lets through that goes on at `cursor`.
    pub(crate) fn of(
        client: Client,
        filter: LogFilter,
        cursor: Cursor<E>,
        options: FollowOptions,
    ) -> Self {
        let range_blocks = options.range_blocks_max.max(1);
        Self { client, filter, cursor, options, range_blocks }
    }

    /// Returns how far it has come: what to store together with the notices so far.
    #[must_use]
    pub fn cursor(&self) -> &Cursor<E> {
        &self.cursor
    }

    /// Reads on by one range of old blocks or a bounded number of young ones.
    ///
    /// # Errors
    ///
    /// Returns the first [`FollowError`] in the order of its variants; polling again is safe.
    pub async fn poll(&mut self) -> Result<Notices<E>, FollowError> {
        let head = self.client.block_number().await?;
        let mut cursor = self.cursor.clone();
        let mut notices = Vec::new();
        self.revert_replaced(&mut cursor, &mut notices).await?;

        let target = head.checked_sub(self.options.confirmations);
        let is_caught_up = match target {
            Some(target) if cursor.block_next <= target => {
                let young_first = head.saturating_sub(self.options.depth_max);
                if cursor.block_next < young_first {
                    let last = target.min(young_first - 1);
                    self.read_old(&mut cursor, last, &mut notices).await?;
                    cursor.block_next > target
                } else {
                    self.read_young(&mut cursor, target, &mut notices).await?
                }
            }
            _ => true,
        };
        forget_old(&mut cursor, head, self.options.depth_max);
        self.cursor = cursor;
        Ok(Notices { notices, is_caught_up })
    }

    /// Drops the young blocks that are no longer on the chain.
    async fn revert_replaced(
        &self,
        cursor: &mut Cursor<E>,
        notices: &mut Vec<Notice<E>>,
    ) -> Result<(), FollowError> {
        let Some(newest) = cursor.young.last().map(|young| young.block.number) else {
            return Ok(());
        };
        while let Some(young) = cursor.young.last() {
            let now = self.client.block(BlockId::Number(young.block.number)).await?;
            if now.is_some_and(|now| now.hash == young.block.hash) {
                return Ok(());
            }
            if young.block.number < cursor.block_first {
                let depth_max = self.options.depth_max;
                return Err(FollowError::ReorganizationTooDeep { number: newest, depth_max });
            }
            let young = cursor.young.pop().expect("it was looked at");
            warn!(number = young.block.number, hash = %young.block.hash, "block replaced");
            cursor.block_next = young.block.number;
            notices.extend(young.entries.into_iter().rev().map(Notice::Reverted));
        }
        Ok(())
    }

    /// Reads one range of old blocks, up to `last` at most.
    async fn read_old(
        &mut self,
        cursor: &mut Cursor<E>,
        last: u64,
        notices: &mut Vec<Notice<E>>,
    ) -> Result<(), FollowError> {
        let from = cursor.block_next;
        let (to, logs) =
            logs_bounded(&self.client, &self.filter, from, last, &mut self.range_blocks).await?;
        let entries = entries(&self.filter, logs, from, to)?;
        let Some(last) = self.client.block(BlockId::Number(to)).await? else {
            return Ok(()); // the chain became shorter; the next poll looks again
        };
        notices.extend(entries.into_iter().map(Notice::Applied));
        cursor.young = vec![YoungBlock { block: last.block_ref(), entries: Vec::new() }];
        (cursor.block_first, cursor.block_next) = (to + 1, to + 1);
        Ok(())
    }

    /// Reads young blocks one by one; returns true if `target` was reached.
    async fn read_young(
        &self,
        cursor: &mut Cursor<E>,
        target: u64,
        notices: &mut Vec<Notice<E>>,
    ) -> Result<bool, FollowError> {
        for _ in 0..self.options.young_blocks_max.max(1) {
            if cursor.block_next > target {
                return Ok(true);
            }
            let number = cursor.block_next;
            let Some(block) = self.client.block(BlockId::Number(number)).await? else {
                return Ok(false); // the chain became shorter; the next poll looks again
            };
            if !is_next(cursor, &block) {
                debug!(number, "block does not follow the one before; polling again");
                return Ok(false);
            }
            let logs = match self.client.logs_of_block(&self.filter, block.hash).await {
                Ok(logs) => logs,
                // The block left the chain after it was read; some endpoints forget it at once.
                Err(EndpointError::Refused { .. }) if !self.is_there(&block).await? => {
                    return Ok(false);
                }
                Err(error) => return Err(error.into()),
            };
            let entries = entries(&self.filter, logs, number, number)?;
            notices.extend(entries.iter().cloned().map(Notice::Applied));
            cursor.young.push(YoungBlock { block: block.block_ref(), entries });
            cursor.block_next = number + 1;
        }
        Ok(cursor.block_next > target)
    }

    async fn is_there(&self, block: &Block) -> Result<bool, FollowError> {
        let now = self.client.block(BlockId::Number(block.number)).await?;
        Ok(now.is_some_and(|now| now.hash == block.hash))
    }
}

fn is_next<E>(cursor: &Cursor<E>, block: &Block) -> bool {
    let number_fits = block.number == cursor.block_next;
    let before = cursor.young.last().map(|young| young.block.hash);
    number_fits && before.is_none_or(|before| before == block.parent_hash)
}

/// Forgets the entries of blocks that are old now. The last of these blocks stays, to notice if it
/// is replaced all the same.
fn forget_old<E>(cursor: &mut Cursor<E>, head: u64, depth_max: u64) {
    let oldest = head.saturating_sub(depth_max);
    let old = cursor.young.iter().take_while(|young| young.block.number < oldest).count();
    cursor.young.drain(..old.saturating_sub(1));
    if let Some(last_old) = cursor.young.first_mut().filter(|_| old > 0) {
        last_old.entries.clear();
        cursor.block_first = last_old.block.number + 1;
    }
}

/// Asks for logs from `from` on, up to `to` or as many blocks as the endpoint answers at once.
/// Returns the last block that was covered.
pub(crate) async fn logs_bounded(
    client: &Client,
    filter: &LogFilter,
    from: u64,
    to: u64,
    range_blocks: &mut u64,
) -> Result<(u64, Vec<Log>), EndpointError> {
    loop {
        let last = to.min(from.saturating_add(*range_blocks - 1));
        match client.logs(filter, from, last).await {
            Ok(logs) => return Ok((last, logs)),
            Err(EndpointError::Refused { .. } | EndpointError::AnswerTooLarge { .. })
                if last > from =>
            {
                *range_blocks = (last - from).div_ceil(2);
                debug!(range_blocks = *range_blocks, "range of blocks halved");
            }
            Err(error) => return Err(error),
        }
    }
}

/// Reads logs strictly: only of these contracts and these blocks, in order.
pub(crate) fn entries<E: LogEntry>(
    filter: &LogFilter,
    mut logs: Vec<Log>,
    from: u64,
    to: u64,
) -> Result<Vec<E>, FollowError> {
    logs.sort_by_key(|log| (log.block_number, log.log_index));
    let mut entries = Vec::new();
    for log in logs {
        let is_asked =
            (from..=to).contains(&log.block_number) && filter.addresses.contains(&log.address);
        if !is_asked || log.removed {
            return Err(FollowError::LogsUnasked { from, to, found: log.block_number });
        }
        entries.push(E::decode(&log)?);
    }
    Ok(entries)
}
