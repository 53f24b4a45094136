//! Opening a chain: what its folder holds, checked and brought into memory.

use std::path::{Path, PathBuf};

use alloy_primitives::B256;

use crate::{
    archive::{Archive, ArchiveError},
    blob_store::BlobStoreError,
    block::{BlockReceipt, SealedBlock},
    block_log::{BlockLog, LogError, LogIdentity},
    checkpoint::Checkpoint,
    config::{Access, ChainConfig},
    explanation::explanations,
    genesis::Genesis,
    state::State,
};

/// Why a chain cannot be opened, in order of precedence.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The log of blocks cannot be used.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The folder holds a chain with another id.
    #[error("{} holds chain {found}, not chain {expected}", folder.display())]
    OtherChainId {
        /// The folder.
        folder: PathBuf,
        /// The chain id of the folder.
        found: u64,
        /// The chain id that was asked for.
        expected: u64,
    },
    /// The folder holds a chain that starts at another time.
    #[error("{} holds a chain that starts at {found}, not at {expected} (seconds since 1970)", folder.display())]
    OtherGenesisTime {
        /// The folder.
        folder: PathBuf,
        /// The start of the chain in the folder.
        found: u64,
        /// The start that was asked for.
        expected: u64,
    },
    /// The folder holds a chain with another first block.
    #[error("{} holds a chain with first block {found}, not {expected}", folder.display())]
    OtherGenesis {
        /// The folder.
        folder: PathBuf,
        /// Hash of the first block of the chain in the folder.
        found: B256,
        /// Hash of the first block that this program would make.
        expected: B256,
    },
    /// A block in the log cannot be read.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// The blobs of recent blocks cannot be looked through.
    #[error(transparent)]
    Blobs(#[from] BlobStoreError),
    /// The changes in the log do not lead to the state that a header names.
    #[error("state root {found} after block {number} differs from its header {expected}")]
    StateRoot {
        /// The block.
        number: u64,
        /// The root that the changes lead to.
        found: B256,
        /// The root in the header.
        expected: B256,
    },
    /// A thread could not be started.
    #[error("a thread of the chain cannot be started")]
    Thread(#[source] std::io::Error),
}

explanations! {
    OpenError {
        Log(error);
        OtherChainId: "chain-other-id" "the folder holds a chain with another id"
            "name another folder, or the id that this one was made with";
        OtherGenesisTime: "chain-other-start" "the folder holds a chain that starts at another time"
            "name another folder, or the time that this one was made with";
        OtherGenesis: "chain-other-genesis" "the folder holds a chain with another first block"
            "name another folder, or use the release that made this one";
        Archive(error);
        Blobs(error);
        StateRoot: "chain-state-differs" "the changes in the log do not lead to the state that a header names"
            "restore the folder from a copy: bytes of the chain were changed or lost";
        Thread: "chain-thread" "a thread of the chain cannot be started"
            "end other programs, or raise the limit of threads";
    }
}

/// Opens the log of a chain and takes over into `genesis` what an existing one says about its first block.
pub(crate) fn open_log(config: &ChainConfig, genesis: &mut Genesis) -> Result<BlockLog, OpenError> {
    let Some(folder) = &config.folder else { return Ok(BlockLog::in_memory()) };
    let identity = |found: Option<LogIdentity>| {
        if let Some(found) = found {
            check_identity(config, folder, &found)?;
            genesis.timestamp = found.genesis_time_unix_s;
            genesis.gas_limit = found.gas_limit;
        }
        let identity = identity_of(genesis);
        match found {
            Some(found) if found.genesis_hash != identity.genesis_hash => {
                Err(OpenError::OtherGenesis {
                    folder: folder.clone(),
                    found: found.genesis_hash,
                    expected: identity.genesis_hash,
                })
            }
            _ => Ok(identity),
        }
    };
    match config.access {
        Access::ReadWrite => BlockLog::open(folder, identity),
        Access::ReadOnly => BlockLog::open_to_read(folder, identity),
    }
}

fn check_identity(
    config: &ChainConfig,
    folder: &Path,
    found: &LogIdentity,
) -> Result<(), OpenError> {
    let folder = folder.to_owned();
    if found.chain_id != config.chain_id {
        let (found, expected) = (found.chain_id, config.chain_id);
        return Err(OpenError::OtherChainId { folder, found, expected });
    }
    match config.genesis_time_unix_s {
        Some(expected) if expected != found.genesis_time_unix_s => {
            let found = found.genesis_time_unix_s;
            Err(OpenError::OtherGenesisTime { folder, found, expected })
        }
        _ => Ok(()),
    }
}

fn identity_of(genesis: &Genesis) -> LogIdentity {
    LogIdentity {
        chain_id: genesis.chain_id,
        genesis_time_unix_s: genesis.timestamp,
        gas_limit: genesis.gas_limit,
        genesis_hash: first_block(genesis).1.hash,
    }
}

fn first_block(genesis: &Genesis) -> (State, SealedBlock) {
    let state = State::starting_at(0);
    state.load(0, &genesis.state());
    let header = genesis.header(state.complete());
    let (transactions, receipts): (_, Vec<BlockReceipt>) = (Vec::new(), Vec::new());
    let block = SealedBlock { hash: header.hash_slow(), header, transactions, receipts };
    (state, block)
}

/// A chain as it was left.
pub(crate) struct Restored {
    pub(crate) archive: Archive,
    pub(crate) state: State,
    /// How far in the log the checkpoint reaches from which it was restored.
    pub(crate) checkpointed: u64,
}

/// Restores a chain from a checkpoint and the rest of the log, or from the whole log.
pub(crate) fn restore(
    log: BlockLog,
    genesis: &Genesis,
    folder: Option<&Path>,
) -> Result<Restored, OpenError> {
    let (state, first) = first_block(genesis);
    let Some(checkpoint) = folder.and_then(Checkpoint::read) else {
        return read_whole(Archive::new(log, first), state);
    };
    let Checkpoint { number, hash, log_end, state: kept, index } = checkpoint;
    let archive = Archive::with_index(log, first, index);
    if archive.has(number, hash, log_end) {
        match replay(&archive, &kept, Some(log_end)) {
            Ok(()) => return Ok(Restored { archive, state: kept, checkpointed: log_end }),
            Err(error) => tracing::warn!(%error, "checkpoint passed over"),
        }
    } else {
        tracing::warn!(number, %hash, "checkpoint of another chain passed over");
    }
    read_whole(archive.with_empty_index(), state)
}

fn read_whole(archive: Archive, state: State) -> Result<Restored, OpenError> {
    replay(&archive, &state, None)?;
    Ok(Restored { archive, state, checkpointed: 0 })
}

/// Reads the log from `start` on into `state`, which stands at the block before.
fn replay(archive: &Archive, state: &State, start: Option<u64>) -> Result<(), OpenError> {
    let cut = archive.replay::<OpenError>(start, |block, diff| {
        state.load(block.number(), &diff);
        Ok(())
    })?;
    if cut > 0 {
        tracing::warn!(bytes = cut, "unfinished block cut off");
    }
    check_root(state, archive)
}

/// Builds the tries of a state that stands at the head and compares its root with the header's.
fn check_root(state: &State, archive: &Archive) -> Result<(), OpenError> {
    let number = archive.head();
    let head = archive.block(number)?.expect("the head is in the log");
    let (found, expected) = (state.complete(), head.header.state_root);
    if found == expected { Ok(()) } else { Err(OpenError::StateRoot { number, found, expected }) }
}

/// Builds a state anew from the whole log.
pub(crate) fn rebuild(genesis: &Genesis, archive: &Archive) -> Result<State, OpenError> {
    let (state, _) = first_block(genesis);
    for number in 1..=archive.head() {
        state.load(number, &archive.diff(number)?);
    }
    check_root(&state, archive)?;
    Ok(state)
}
