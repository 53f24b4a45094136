//! How a chain is opened.

use std::{fmt, path::PathBuf, sync::Arc, time::Duration};

use alloy_primitives::Address;

use crate::clock::{Clock, SystemClock};

/// Chain id when none is given: the one that development tools expect.
pub const CHAIN_ID_DEFAULT: u64 = 31_337;
/// Gas limit of a block when none is given.
pub const GAS_LIMIT_DEFAULT: u64 = 60_000_000;

/// When blocks are sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sealing {
    /// As soon as a transaction waits; what has arrived meanwhile goes into the same block.
    Instant,
    /// Every so often, whether transactions wait or not.
    Interval(Duration),
    /// Only on request (`evm_mine`).
    Manual,
}

/// What may happen to the folder of a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// It is created where it is missing and grows by every block.
    ReadWrite,
    /// Not a byte in it changes. A folder without a chain, or with an unfinished block, is refused, and the chain takes
    /// no transaction and seals no block.
    ReadOnly,
}

/// What a chain is opened with.
#[derive(Clone)]
pub struct ChainConfig {
    /// Where the chain is kept; nothing for a chain that is lost with the process.
    pub folder: Option<PathBuf>,
    /// What may happen to the folder.
    pub access: Access,
    /// Chain id (EIP-155). An existing folder of another chain id is refused.
    pub chain_id: u64,
    /// Time of the first block in seconds since 1970; nothing for the time of creation. When given, the clock of
    /// the chain starts there and runs on from the last block, so history can settle before it was.
    pub genesis_time_unix_s: Option<u64>,
    /// When blocks are sealed; a chain that is opened to read seals none.
    pub sealing: Sealing,
    /// Gas limit of a block.
    pub gas_limit: u64,
    /// Who receives the tips.
    pub fee_recipient: Address,
    /// Where the time comes from.
    pub clock: Arc<dyn Clock>,
}

impl Default for ChainConfig {
    fn default() -> Self {
        Self {
            folder: None,
            access: Access::ReadWrite,
            chain_id: CHAIN_ID_DEFAULT,
            genesis_time_unix_s: None,
            sealing: Sealing::Instant,
            gas_limit: GAS_LIMIT_DEFAULT,
            fee_recipient: Address::ZERO,
            clock: Arc::new(SystemClock),
        }
    }
}

impl fmt::Debug for ChainConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChainConfig")
            .field("folder", &self.folder)
            .field("access", &self.access)
            .field("chain_id", &self.chain_id)
            .field("genesis_time_unix_s", &self.genesis_time_unix_s)
            .field("sealing", &self.sealing)
            .field("gas_limit", &self.gas_limit)
            .finish_non_exhaustive()
    }
}
