//! Where in the log each block, transaction and log event is. Kept in memory, small, rebuilt from the log.

use std::{
    collections::{HashMap, hash_map::Entry},
    io::{self, Read, Write},
};

use alloy_primitives::{Address, B256};

use crate::{
    block::SealedBlock,
    block_log::Location,
    checkpoint::codec::{Decoder, Encoder},
};

/// Where a transaction is: block number and position in the block.
pub(crate) type Place = (u32, u32);

/// What can be found without reading the log.
#[derive(Debug, Default)]
pub(crate) struct Index {
    /// Per block, in order of number: hash, place in the log. Block 0 is not in the log.
    blocks: Vec<(B256, Option<Location>)>,
    /// By the first eight bytes of the hash; the few that collide are in `collisions` with the whole hash.
    block_numbers: HashMap<u64, u32>,
    transactions: HashMap<u64, Place>,
    collisions: HashMap<B256, Place>,
    /// By a short hash of a log's address or first topic: the blocks with such a log, ascending.
    postings: HashMap<u64, Vec<u32>>,
    transaction_count: u64,
}

impl Index {
    pub(crate) fn len(&self) -> u64 {
        self.blocks.len() as u64
    }

    pub(crate) fn transaction_count(&self) -> u64 {
        self.transaction_count
    }

    pub(crate) fn hash(&self, number: u64) -> Option<B256> {
        Some(self.blocks.get(usize::try_from(number).ok()?)?.0)
    }

    pub(crate) fn location(&self, number: u64) -> Option<Location> {
        self.blocks.get(usize::try_from(number).ok()?)?.1
    }

    pub(crate) fn number(&self, hash: B256) -> Option<u64> {
        let number = u64::from(*self.block_numbers.get(&short(&hash))?);
        (self.hash(number) == Some(hash)).then_some(number)
    }

    /// Returns where a transaction may be; the caller compares the hash.
    pub(crate) fn transaction(&self, hash: B256) -> Option<Place> {
        self.collisions.get(&hash).or_else(|| self.transactions.get(&short(&hash))).copied()
    }

    /// Adds the block after the last one.
    pub(crate) fn push(&mut self, block: &SealedBlock, location: Option<Location>) {
        let number = narrow(block.number());
        self.blocks.push((block.hash, location));
        self.block_numbers.insert(short(&block.hash), number);
        for (position, transaction) in (0..).zip(&block.transactions) {
            let hash = *transaction.inner().hash();
            let place = (number, position);
            match self.transactions.entry(short(&hash)) {
                Entry::Vacant(entry) => drop(entry.insert(place)),
                Entry::Occupied(_) => drop(self.collisions.insert(hash, place)),
            }
        }
        self.transaction_count += block.transactions.len() as u64;
        for log in block.receipts.iter().flat_map(|receipt| &receipt.logs) {
            self.post(address_key(log.address), number);
            if let Some(topic) = log.data.topics().first() {
                self.post(short(topic), number);
            }
        }
    }

    /// Removes the last block, whose transactions are `block`'s.
    pub(crate) fn pop(&mut self, block: &SealedBlock) {
        let number = narrow(block.number());
        self.blocks.pop();
        self.block_numbers.remove(&short(&block.hash));
        for transaction in &block.transactions {
            let hash = *transaction.inner().hash();
            if self.collisions.remove(&hash).is_none() {
                self.transactions.remove(&short(&hash));
            }
        }
        self.transaction_count =
            self.transaction_count.saturating_sub(block.transactions.len() as u64);
        for log in block.receipts.iter().flat_map(|receipt| &receipt.logs) {
            self.unpost(address_key(log.address), number);
            if let Some(topic) = log.data.topics().first() {
                self.unpost(short(topic), number);
            }
        }
    }

    /// Returns the blocks in `[from, to]` that may hold a log of one of `addresses` (if any are given) with one of
    /// `topics` first (if any are given), ascending; nothing when neither is given and every block may.
    pub(crate) fn candidates(
        &self,
        addresses: &mut dyn Iterator<Item = Address>,
        topics: &mut dyn Iterator<Item = B256>,
        from: u64,
        to: u64,
    ) -> Option<Vec<u64>> {
        let by_address = self.merged(&mut addresses.map(address_key), from, to);
        let by_topic = self.merged(&mut topics.map(|topic| short(&topic)), from, to);
        match (by_address, by_topic) {
            (Some(a), Some(b)) => {
                let (small, large) = if a.len() < b.len() { (a, b) } else { (b, a) };
                Some(small.into_iter().filter(|n| large.binary_search(n).is_ok()).collect())
            }
            (Some(only), None) | (None, Some(only)) => Some(only),
            (None, None) => None,
        }
    }

    /// Writes what blocks up to `number` have added.
    #[expect(clippy::iter_over_hash_type, reason = "the order of entries does not matter")]
    pub(crate) fn encode<W: Write>(&self, number: u64, out: &mut Encoder<W>) -> io::Result<()> {
        for (hash, location) in self.blocks.iter().take(narrow(number) as usize + 1) {
            out.fixed(hash.as_slice())?;
            let Location { offset, len } = location.unwrap_or(Location { offset: 0, len: 0 });
            out.number(offset)?;
            out.number(u64::from(len))?;
        }
        let is_in = |block: u32| u64::from(block) <= number;
        out.count(self.transactions.values().filter(|(block, _)| is_in(*block)).count())?;
        for (key, (block, position)) in &self.transactions {
            if is_in(*block) {
                out.fixed(&key.to_le_bytes())?;
                out.number(u64::from(*block))?;
                out.number(u64::from(*position))?;
            }
        }
        out.count(self.collisions.values().filter(|(block, _)| is_in(*block)).count())?;
        for (hash, (block, position)) in &self.collisions {
            if is_in(*block) {
                out.fixed(hash.as_slice())?;
                out.number(u64::from(*block))?;
                out.number(u64::from(*position))?;
            }
        }
        for (key, blocks) in &self.postings {
            let blocks = &blocks[..blocks.partition_point(|block| is_in(*block))];
            if blocks.is_empty() {
                continue;
            }
            out.count(blocks.len())?;
            out.fixed(&key.to_le_bytes())?;
            let mut last = 0;
            for block in blocks {
                out.number(u64::from(block - last))?;
                last = *block;
            }
        }
        out.count(0)
    }

    /// Reads an index of the blocks up to `number`.
    pub(crate) fn decode<R: Read>(number: u64, input: &mut Decoder<R>) -> io::Result<Self> {
        let mut index = Self::default();
        for block in 0..=u32::try_from(number).map_err(|_| io::ErrorKind::InvalidData)? {
            let hash = B256::from(input.fixed()?);
            let location = Location { offset: input.number()?, len: input.small()? };
            index.blocks.push((hash, (block > 0).then_some(location)));
            index.block_numbers.insert(short(&hash), block);
        }
        index.transaction_count = input.number()?;
        for _ in 0..index.transaction_count {
            let key = u64::from_le_bytes(input.fixed()?);
            index.transactions.insert(key, (input.small()?, input.small()?));
        }
        let collisions = input.number()?;
        for _ in 0..collisions {
            let hash = B256::from(input.fixed()?);
            index.collisions.insert(hash, (input.small()?, input.small()?));
        }
        index.transaction_count += collisions;
        loop {
            let count = input.number()?;
            if count == 0 {
                return Ok(index);
            }
            let key = u64::from_le_bytes(input.fixed()?);
            let blocks = index.postings.entry(key).or_default();
            let mut last = 0_u32;
            for _ in 0..count {
                let step = input.small()?;
                last = last.checked_add(step).ok_or(io::ErrorKind::InvalidData)?;
                blocks.push(last);
            }
        }
    }

    fn merged(&self, keys: &mut dyn Iterator<Item = u64>, from: u64, to: u64) -> Option<Vec<u64>> {
        let mut any = false;
        let mut numbers = Vec::new();
        for key in keys {
            any = true;
            let blocks = self.postings.get(&key).map(Vec::as_slice).unwrap_or_default();
            let start = blocks.partition_point(|number| u64::from(*number) < from);
            let end = blocks.partition_point(|number| u64::from(*number) <= to);
            numbers.extend(blocks[start..end.max(start)].iter().map(|number| u64::from(*number)));
        }
        numbers.sort_unstable();
        numbers.dedup();
        any.then_some(numbers)
    }

    fn post(&mut self, key: u64, number: u32) {
        let blocks = self.postings.entry(key).or_default();
        if blocks.last() != Some(&number) {
            blocks.push(number);
        }
    }

    fn unpost(&mut self, key: u64, number: u32) {
        if let Some(blocks) = self.postings.get_mut(&key) {
            if blocks.last() == Some(&number) {
                blocks.pop();
            }
            if blocks.is_empty() {
                self.postings.remove(&key);
            }
        }
    }
}

fn narrow(number: u64) -> u32 {
    u32::try_from(number).expect("a chain of 2^32 blocks does not fit the index")
}

fn short(hash: &B256) -> u64 {
    let bytes = hash.first_chunk::<8>().expect("a hash has 32 bytes");
    u64::from_be_bytes(*bytes)
}

/// Addresses are often made up of few bytes, so both ends count.
fn address_key(address: Address) -> u64 {
    let head = address.first_chunk::<8>().expect("an address has 20 bytes");
    let tail = address.last_chunk::<8>().expect("an address has 20 bytes");
    u64::from_be_bytes(*head).rotate_left(32) ^ u64::from_be_bytes(*tail)
}
