//! Every block with its receipts and logs: the log on disk, the index over it, and the blocks read last.

use std::{
    collections::{HashMap, VecDeque},
    io::{self, Write},
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use alloy_primitives::{B256, Bloom};
use alloy_rlp::Decodable;

use crate::{
    block::{BlockRecord, SealedBlock},
    block_log::{BlockLog, Location, LogError},
    checkpoint::codec::Encoder,
    explanation::explanations,
    index::Index,
    state::StateDiff,
};

/// Transactions in the blocks that are kept in memory, about 1.5 KB each.
const CACHED_TRANSACTIONS_MAX: usize = 8_192;
/// Blocks that are kept in memory, about 1 KB each without transactions.
const CACHED_BLOCKS_MAX: usize = 1_024;

/// Bytes of bloom filter at the beginning of each payload, so that blocks without a log are passed over quickly.
const BLOOM_BYTES: usize = 256;

/// Why a block cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The log cannot be read or written.
    #[error(transparent)]
    Log(#[from] LogError),
    /// A payload checks but is not a block.
    #[error("block {number} in the log is not readable: {reason}")]
    Unreadable {
        /// The number of the block.
        number: u64,
        /// What is wrong with it.
        reason: &'static str,
    },
}

explanations! {
    ArchiveError {
        Log(error);
        Unreadable: "chain-block-unreadable" "what the log holds checks, but is not the block that belongs there"
            "restore the folder from a copy: bytes of the chain were changed or lost";
    }
}

/// The blocks of the chain.
#[derive(Debug)]
pub struct Archive {
    genesis: Arc<SealedBlock>,
    log: Mutex<BlockLog>,
    index: RwLock<Index>,
    cache: Mutex<Cache>,
}

#[derive(Debug, Default)]
struct Cache {
    blocks: HashMap<u64, Arc<SealedBlock>>,
    order: VecDeque<u64>,
    transactions: usize,
}

impl Archive {
    pub(crate) fn new(log: BlockLog, genesis: SealedBlock) -> Self {
        let mut index = Index::default();
        index.push(&genesis, None);
        Self::with_index(log, genesis, index)
    }

    /// Returns an archive whose first blocks are in `index` already.
    pub(crate) fn with_index(log: BlockLog, genesis: SealedBlock, index: Index) -> Self {
        Self {
            genesis: Arc::new(genesis),
            log: Mutex::new(log),
            index: RwLock::new(index),
            cache: Mutex::default(),
        }
    }

    /// Returns the same archive as if nothing of the log had been read.
    pub(crate) fn with_empty_index(self) -> Self {
        let log = self.log.into_inner().unwrap_or_else(PoisonError::into_inner);
        Self::new(log, Arc::unwrap_or_clone(self.genesis))
    }

    /// Returns whether block `number` is in the index and in the log, has this hash and ends at `end`, and the
    /// first block is the first of this chain.
    pub(crate) fn has(&self, number: u64, hash: B256, end: u64) -> bool {
        let location = self.index().location(number).filter(|location| location.end() == end);
        let Some(location) = location.filter(|location| location.end() <= self.log_len()) else {
            return false;
        };
        let block = self.log().read(location).ok().and_then(|read| decode(number, &read).ok());
        block.is_some_and(|(block, _)| block.hash == hash)
            && self.hash(number) == Some(hash)
            && self.hash(0) == Some(self.genesis.hash)
    }

    /// Reads the log from `start` on, or whole, giving each block with its changes of state to `each`, in order.
    pub(crate) fn replay<E: From<ArchiveError> + From<LogError>>(
        &self,
        start: Option<u64>,
        mut each: impl FnMut(&SealedBlock, StateDiff) -> Result<(), E>,
    ) -> Result<u64, E> {
        self.log().scan(start, |location, payload| {
            let number = self.index().len();
            let (block, diff) = decode(number, payload)?;
            if block.number() != number
                || Some(block.header.parent_hash) != self.index().hash(number - 1)
            {
                let reason = "does not follow the block before it";
                return Err(ArchiveError::Unreadable { number, reason }.into());
            }
            each(&block, diff)?;
            self.index_mut().push(&block, Some(location));
            Ok(())
        })
    }

    /// Appends a block. When this returns, it is on disk and can be found.
    pub(crate) fn append(
        &self,
        block: SealedBlock,
        diff: StateDiff,
    ) -> Result<Arc<SealedBlock>, ArchiveError> {
        let payload = encode(&block, diff);
        let location = self.log().append(&payload)?;
        let block = Arc::new(block);
        self.index_mut().push(&block, Some(location));
        self.cache().insert(&block);
        Ok(block)
    }

    /// Takes back every block after `number`. When this returns, they are gone from disk.
    pub(crate) fn truncate_after(&self, number: u64) -> Result<(), ArchiveError> {
        let Some(first) = self.index().location(number + 1) else { return Ok(()) };
        // Read what is to be forgotten while it is still there.
        let last = self.index().len() - 1;
        let mut blocks = Vec::new();
        for number in number + 1..=last {
            blocks.extend(self.block(number)?);
        }
        self.log().truncate(first.offset)?;
        let mut index = self.index_mut();
        for block in blocks.iter().rev() {
            index.pop(block);
        }
        self.cache().forget_after(number);
        Ok(())
    }

    /// Returns the length of the log in bytes.
    pub(crate) fn log_len(&self) -> u64 {
        self.log().len()
    }

    /// Returns where the log goes on after block `number`.
    pub(crate) fn log_end(&self, number: u64) -> Option<u64> {
        self.index().location(number).map(|location| location.end())
    }

    /// Writes the index of the blocks up to `number`.
    pub(crate) fn encode_index<W: Write>(
        &self,
        number: u64,
        out: &mut Encoder<W>,
    ) -> io::Result<()> {
        self.index().encode(number, out)
    }

    /// Returns the number of the last block.
    #[must_use]
    pub fn head(&self) -> u64 {
        self.index().len() - 1
    }

    /// Returns how many transactions all blocks have together.
    #[must_use]
    pub fn transaction_count(&self) -> u64 {
        self.index().transaction_count()
    }

    /// Returns the hash of the block with this number.
    #[must_use]
    pub fn hash(&self, number: u64) -> Option<B256> {
        self.index().hash(number)
    }

    /// Returns the number of the block with this hash.
    #[must_use]
    pub fn number(&self, hash: B256) -> Option<u64> {
        self.index().number(hash)
    }

    /// Returns the block with this number.
    ///
    /// # Errors
    ///
    /// Returns [`ArchiveError`] when the log cannot be read.
    pub fn block(&self, number: u64) -> Result<Option<Arc<SealedBlock>>, ArchiveError> {
        if number == 0 {
            return Ok(Some(Arc::clone(&self.genesis)));
        }
        if let Some(block) = self.cache().blocks.get(&number) {
            return Ok(Some(Arc::clone(block)));
        }
        let Some(location) = self.index().location(number) else { return Ok(None) };
        let (block, _) = self.read(number, location)?;
        let block = Arc::new(block);
        self.cache().insert(&block);
        Ok(Some(block))
    }

    /// Returns the changes of state of a block.
    pub(crate) fn diff(&self, number: u64) -> Result<StateDiff, ArchiveError> {
        let missing = ArchiveError::Unreadable { number, reason: "not in the log" };
        let location = self.index().location(number).ok_or(missing)?;
        self.read(number, location).map(|(_, diff)| diff)
    }

    fn read(
        &self,
        number: u64,
        location: Location,
    ) -> Result<(SealedBlock, StateDiff), ArchiveError> {
        let payload = self.log().read(location)?;
        let (block, diff) = decode(number, &payload)?;
        if self.hash(number) != Some(block.hash) {
            return Err(ArchiveError::Unreadable {
                number,
                reason: "another block is in its place",
            });
        }
        Ok((block, diff))
    }

    /// Returns the block with a transaction, and the position of the transaction in it.
    ///
    /// # Errors
    ///
    /// Returns [`ArchiveError`] when the log cannot be read.
    pub fn transaction(
        &self,
        hash: B256,
    ) -> Result<Option<(Arc<SealedBlock>, usize)>, ArchiveError> {
        let Some((number, position)) = self.index().transaction(hash) else { return Ok(None) };
        let Some(block) = self.block(u64::from(number))? else { return Ok(None) };
        let position = position as usize;
        let is_it = block.transactions.get(position).is_some_and(|tx| *tx.inner().hash() == hash);
        Ok(is_it.then_some((block, position)))
    }

    /// Returns the blocks in `[from, to]` that may hold logs of a filter, ascending. Blocks whose bloom filter
    /// excludes them are left out.
    ///
    /// # Errors
    ///
    /// Returns [`ArchiveError`] when the log cannot be read.
    pub fn log_candidates(
        &self,
        filter: &alloy_rpc_types_eth::Filter,
        from: u64,
        to: u64,
    ) -> Result<Vec<u64>, ArchiveError> {
        let to = to.min(self.head());
        let candidates = self.index().candidates(
            &mut filter.address.iter().copied(),
            &mut filter.topics[0].iter().copied(),
            from,
            to,
        );
        let numbers: Vec<u64> = candidates.unwrap_or_else(|| (from..=to).collect());
        let mut found = Vec::new();
        for number in numbers {
            if number > 0 && filter.matches_bloom(self.bloom(number)?) {
                found.push(number);
            }
        }
        Ok(found)
    }

    fn bloom(&self, number: u64) -> Result<Bloom, ArchiveError> {
        if let Some(block) = self.cache().blocks.get(&number) {
            return Ok(block.header.logs_bloom);
        }
        let mut bloom = [0; BLOOM_BYTES];
        if let Some(location) = self.index().location(number) {
            self.log().read_prefix(location, &mut bloom)?;
        }
        Ok(Bloom::from(bloom))
    }

    fn log(&self) -> MutexGuard<'_, BlockLog> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn index(&self) -> RwLockReadGuard<'_, Index> {
        self.index.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn index_mut(&self) -> RwLockWriteGuard<'_, Index> {
        self.index.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn cache(&self) -> MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Cache {
    fn insert(&mut self, block: &Arc<SealedBlock>) {
        if self.blocks.insert(block.number(), Arc::clone(block)).is_some() {
            return;
        }
        self.order.push_back(block.number());
        self.transactions += block.transactions.len();
        while self.order.len() > 1
            && (self.transactions > CACHED_TRANSACTIONS_MAX || self.order.len() > CACHED_BLOCKS_MAX)
        {
            let Some(oldest) = self.order.pop_front() else { break };
            if let Some(block) = self.blocks.remove(&oldest) {
                self.transactions -= block.transactions.len();
            }
        }
    }

    fn forget_after(&mut self, number: u64) {
        self.order.retain(|cached| *cached <= number);
        self.blocks.retain(|cached, _| *cached <= number);
        self.transactions = self.blocks.values().map(|block| block.transactions.len()).sum();
    }
}

/// Returns the number and hash of the last block in the log of `folder`, whoever has it open.
///
/// # Errors
///
/// Returns an [`ArchiveError`] when the log cannot be read, or is being written at this moment.
pub fn head_on_disk(folder: &Path) -> Result<(u64, B256), ArchiveError> {
    let (identity, last) = BlockLog::glimpse(folder)?;
    let Some(payload) = last else { return Ok((0, identity.genesis_hash)) };
    let (block, _) = decode(0, &payload)?;
    Ok((block.number(), block.hash))
}

fn encode(block: &SealedBlock, diff: StateDiff) -> Vec<u8> {
    let mut payload = block.header.logs_bloom.to_vec();
    alloy_rlp::Encodable::encode(&BlockRecord::new(block, diff), &mut payload);
    payload
}

fn decode(number: u64, payload: &[u8]) -> Result<(SealedBlock, StateDiff), ArchiveError> {
    let unreadable = |reason| ArchiveError::Unreadable { number, reason };
    let mut rest = payload.get(BLOOM_BYTES..).ok_or(unreadable("too short"))?;
    let record = BlockRecord::decode(&mut rest).map_err(|_| unreadable("not a block record"))?;
    if !rest.is_empty() {
        return Err(unreadable("bytes after the record"));
    }
    record.into_block().ok_or(unreadable("its parts do not fit each other"))
}
