//! The values of a state as of one block, written to and read from a checkpoint.

use std::io::{self, Read, Write};

use alloy_primitives::{Address, B256, Bytes};

use super::{
    State, StateError, StateView,
    values::{Entry, NO_CODE, Storage, StoredAccount, Values},
    versions::Versions,
};
use crate::checkpoint::codec::{Decoder, Encoder};
use crate::explanation::explanations;

/// Values that are written before blocks get a chance to change the state again.
const VALUES_PER_TURN: usize = 20_000;

/// Why a checkpoint was not written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The block was reverted or its values are no longer kept.
    #[error(transparent)]
    State(#[from] StateError),
    /// The file cannot be written.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The chain is being closed.
    #[error("the chain is being closed")]
    Cancelled,
}

explanations! {
    WriteError {
        State(error);
        Io: "checkpoint-io" "the checkpoint cannot be written; only the next start takes longer"
            "make room on the disk";
        Cancelled: "checkpoint-cancelled" "the chain is being closed while a checkpoint is written"
            "nothing is lost: the log has every block";
    }
}

impl StateView {
    /// Writes this state with its history. Blocks can be added meanwhile; their values are left out.
    ///
    /// # Errors
    ///
    /// Returns a [`WriteError`] when it cannot be written, the block is reverted, or `is_cancelled` says so.
    pub(crate) fn encode<W: Write>(
        &self,
        out: &mut Encoder<W>,
        is_cancelled: impl Fn() -> bool,
    ) -> Result<(), WriteError> {
        let addresses: Vec<Address> = {
            let values = self.readable()?;
            let codes = values.codes.partition_point(|code| code.since <= self.number());
            out.count(codes)?;
            for code in &values.codes[..codes] {
                out.number(code.since)?;
                out.bytes(&code.bytes)?;
            }
            values.accounts.keys().copied().collect()
        };
        let mut left = addresses.as_slice();
        while !left.is_empty() {
            if is_cancelled() {
                return Err(WriteError::Cancelled);
            }
            let values = self.readable()?;
            let mut written = 0;
            while let Some((address, rest)) = left.split_first() {
                if written > VALUES_PER_TURN {
                    break;
                }
                left = rest;
                if let Some(entry) = values.accounts.get(address) {
                    written += encode_entry(out, address, entry, self.number())?;
                }
            }
        }
        // No account is at this address: it ends the list.
        out.count(0)?;
        // History that is let go while the accounts are written is missing in some of them.
        let oldest = self.readable()?.oldest;
        Ok(out.number(oldest)?)
    }
}

/// Writes an account unless it was created after block `number`; returns how many values were written.
fn encode_entry<W: Write>(
    out: &mut Encoder<W>,
    address: &Address,
    entry: &Entry,
    number: u64,
) -> io::Result<usize> {
    let versions = entry.account.until(number);
    if versions == 0 {
        return Ok(0);
    }
    out.count(versions)?;
    out.fixed(address.as_slice())?;
    for (block, stored) in entry.account.iter().take(versions) {
        out.number(block)?;
        match stored {
            None => out.number(0)?,
            Some(StoredAccount { nonce, balance, code }) => {
                out.number(1)?;
                out.number(*nonce)?;
                out.word(*balance)?;
                // Most accounts have no code.
                out.number(u64::from(code.wrapping_add(1)))?;
            }
        }
    }
    let mut written = versions;
    if let Some(storage) = &entry.storage {
        #[expect(clippy::iter_over_hash_type, reason = "the order of slots does not matter")]
        for (slot, versions) in &storage.slots {
            let count = versions.until(number);
            if count == 0 {
                continue;
            }
            out.count(count)?;
            out.fixed(slot.as_slice())?;
            for (block, value) in versions.iter().take(count) {
                out.number(block)?;
                out.word(*value)?;
            }
            written += count;
        }
    }
    out.count(0)?;
    Ok(written)
}

impl State {
    /// Reads a state that stands at block `number`. [`State::complete`] must be called before it is used.
    ///
    /// # Errors
    ///
    /// Returns an error when the input cannot be read or is not a state.
    pub(crate) fn decode<R: Read>(number: u64, input: &mut Decoder<R>) -> io::Result<Self> {
        let mut values = Values { head: number, ..Values::default() };
        for _ in 0..input.number()? {
            let since = input.number()?;
            if since > number || values.codes.last().is_some_and(|last| last.since > since) {
                return Err(io::ErrorKind::InvalidData.into());
            }
            values.add_code(since, Bytes::from(input.bytes()?));
        }
        loop {
            let versions: usize = input.small()?;
            if versions == 0 {
                break;
            }
            let address = Address::from(input.fixed()?);
            let codes = values.codes.len();
            let account = decode_versions(input, versions, number, |input| stored(input, codes))?;
            values.superseded += account.superseded();
            let storage = decode_storage(input, number)?;
            if let Some(storage) = &storage {
                values.slot_count += storage.slots.len();
                #[expect(clippy::iter_over_hash_type, reason = "a sum has no order")]
                for versions in storage.slots.values() {
                    values.superseded += versions.superseded();
                }
            }
            values.accounts.insert(address, Entry { account, storage });
        }
        values.oldest = input.number()?;
        if values.oldest > number {
            return Err(io::ErrorKind::InvalidData.into());
        }
        Ok(Self::from_values(values))
    }
}

fn stored<R: Read>(input: &mut Decoder<R>, codes: usize) -> io::Result<Option<StoredAccount>> {
    if input.number()? == 0 {
        return Ok(None);
    }
    let (nonce, balance) = (input.number()?, input.word()?);
    let code = input.small::<u32>()?.wrapping_sub(1);
    if code != NO_CODE && code as usize >= codes {
        return Err(io::ErrorKind::InvalidData.into());
    }
    Ok(Some(StoredAccount { nonce, balance, code }))
}

fn decode_storage<R: Read>(
    input: &mut Decoder<R>,
    number: u64,
) -> io::Result<Option<Box<Storage>>> {
    let mut storage = None;
    loop {
        let versions: usize = input.small()?;
        if versions == 0 {
            return Ok(storage);
        }
        let slot = B256::from(input.fixed()?);
        let value = decode_versions(input, versions, number, Decoder::word)?;
        storage.get_or_insert_with(Box::<Storage>::default).slots.insert(slot, value);
    }
}

fn decode_versions<R: Read, T: Copy + PartialEq>(
    input: &mut Decoder<R>,
    count: usize,
    number: u64,
    mut value: impl FnMut(&mut Decoder<R>) -> io::Result<T>,
) -> io::Result<Versions<T>> {
    let mut versions = Versions::default();
    for _ in 0..count {
        let block = input.number()?;
        if block > number {
            return Err(io::ErrorKind::InvalidData.into());
        }
        versions.set(block, value(input)?);
    }
    Ok(versions)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::state::tests::{diff, everything};

    fn written(view: &StateView) -> Vec<u8> {
        let mut out = Encoder::new(Vec::new());
        view.encode(&mut out, || false).unwrap();
        out.finish().unwrap()
    }

    proptest! {
        #[test]
        fn a_state_read_again_shows_every_block_as_before(
            diffs in prop::collection::vec(diff(), 1..12), last in any::<prop::sample::Index>()
        ) {
            let state = Arc::new(State::starting_at(0));
            state.load(0, &diffs[0]);
            let mut roots = vec![state.complete()];
            for (number, diff) in (1..).zip(&diffs[1..]) {
                roots.push(state.apply(number, diff));
            }
            // Blocks that came after the one that is written must not show.
            let last = last.index(diffs.len());
            let bytes = written(&state.at(last as u64).unwrap());
            let again = State::decode(last as u64, &mut Decoder::new(bytes.as_slice())).unwrap();
            prop_assert_eq!(again.complete(), roots[last]);
            let again = Arc::new(again);
            prop_assert_eq!(everything(&again, 0, last as u64), everything(&state, 0, last as u64));
            // It goes on, and back, as the first one does.
            for (number, diff) in (last as u64 + 1..).zip(&diffs[last + 1..]) {
                let root = again.apply(number, diff);
                prop_assert_eq!(root, roots[usize::try_from(number).unwrap()]);
            }
            again.revert_to(0).unwrap();
            prop_assert_eq!(again.root(), roots[0]);
        }

        #[test]
        fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            drop(State::decode(3, &mut Decoder::new(bytes.as_slice())));
        }
    }
}
