//! The chain: opened from its folder, fed with transactions, read by everybody.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
};

use alloy_consensus::{Header, TxEnvelope, transaction::Recovered};
use alloy_eips::eip4844::Blob;
use alloy_primitives::{Address, B256, Bytes};
use alloy_rpc_types_eth::{Filter, Log};
use tokio::sync::broadcast;

use crate::{
    accounts::funded_addresses,
    archive::{Archive, ArchiveError},
    blob_store::{BlobStore, BlobStoreError},
    block::SealedBlock,
    config::{Access, ChainConfig, Sealing},
    engine::RevmEngine,
    genesis::{BLOB_PARAMS, Genesis},
    open::{OpenError, Restored, open_log, rebuild, restore},
    patch::AccountPatch,
    pool::Pool,
    rpc::{RpcError, memory::Memory},
    sealer::{SealError, SealerHandle},
    state::{
        Account, State, StateDiff, StateError, StateRead, StateView, overlay::OverlayState,
        proof::AccountProof,
    },
    submit::{self, Incoming, SubmitError, Terms},
    time::ChainTime,
};

/// Events that a slow subscriber can fall behind before it misses some.
const EVENTS_KEPT: usize = 4_096;
/// Snapshots that are kept; the oldest is forgotten first.
const SNAPSHOTS_KEPT: usize = 10_000;

/// What happens on a chain, in order.
#[derive(Debug, Clone)]
pub enum ChainEvent {
    /// A transaction waits for a block.
    Pending(B256),
    /// A block is sealed and on disk.
    Sealed(Arc<SealedBlock>),
    /// The blocks after this number were taken back.
    Reverted(u64),
}

/// An open chain. Clones share it; it is closed when the last one is dropped.
#[derive(Debug, Clone)]
pub struct Chain {
    pub(crate) core: Arc<Core>,
    pub(crate) sealer: Arc<SealerHandle>,
}

/// What all parts of a chain share.
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) config: ChainConfig,
    pub(crate) genesis: Genesis,
    pub(crate) time: ChainTime,
    pub(crate) engine: RevmEngine,
    pub(crate) archive: Arc<Archive>,
    pub(crate) blobs: BlobStore,
    /// How far in the log the checkpoint reaches from which the chain was opened.
    pub(crate) checkpointed: u64,
    pub(crate) pool: Mutex<Pool>,
    pub(crate) rpc: Memory,
    state: RwLock<Arc<State>>,
    head: RwLock<Arc<SealedBlock>>,
    events: broadcast::Sender<ChainEvent>,
    snapshots: Mutex<Snapshots>,
}

/// Moments of a chain that can be brought back, by ascending id.
#[derive(Debug, Default)]
pub(crate) struct Snapshots {
    taken: u64,
    kept: BTreeMap<u64, Snapshot>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Snapshot {
    number: u64,
    offset_s: i64,
}

impl Snapshots {
    fn take(&mut self, number: u64, offset_s: i64) -> u64 {
        self.taken += 1;
        self.kept.insert(self.taken, Snapshot { number, offset_s });
        while self.kept.len() > SNAPSHOTS_KEPT {
            self.kept.pop_first();
        }
        self.taken
    }

    fn find(&self, id: u64) -> Option<Snapshot> {
        self.kept.get(&id).copied()
    }

    fn forget_from(&mut self, id: u64) {
        self.kept.split_off(&id);
    }
}

impl Chain {
    /// Opens a chain, creating it when its folder is empty or none is given, unless it is opened to read.
    ///
    /// # Errors
    ///
    /// Returns an [`OpenError`].
    pub fn open(config: ChainConfig) -> Result<Self, OpenError> {
        let core = Arc::new(Core::open(config)?);
        let sealer = SealerHandle::start(Arc::clone(&core)).map_err(OpenError::Thread)?;
        Ok(Self { core, sealer: Arc::new(sealer) })
    }

    /// Returns the chain id (EIP-155).
    #[must_use]
    pub fn chain_id(&self) -> u64 {
        self.core.config.chain_id
    }

    /// Returns the last block.
    #[must_use]
    pub fn head(&self) -> Arc<SealedBlock> {
        self.core.head()
    }

    /// Takes a signed transaction in its network encoding and returns its hash. It waits for a block then.
    ///
    /// # Errors
    ///
    /// Returns a [`SubmitError`].
    pub fn submit(&self, encoded: &[u8]) -> Result<B256, SubmitError> {
        self.sealer.check()?;
        let hash = self.core.submit(encoded)?;
        self.sealer.wake();
        Ok(hash)
    }

    /// Takes a transaction of an impersonated account without its signature. It waits for a block then.
    pub(crate) fn submit_for(
        &self,
        sender: Address,
        transaction: TxEnvelope,
    ) -> Result<B256, SubmitError> {
        self.sealer.check()?;
        let hash = self.core.submit_for(sender, transaction)?;
        self.sealer.wake();
        Ok(hash)
    }

    /// Seals a block now and returns it. When this returns, it is on disk.
    ///
    /// # Errors
    ///
    /// Returns a [`SealError`].
    pub fn mine(&self) -> Result<Arc<SealedBlock>, SealError> {
        self.sealer.mine()
    }

    /// Seals a block that sets parts of the state, without a transaction. Clients that check every block will not
    /// accept such a chain; it is for tests of contracts.
    ///
    /// # Errors
    ///
    /// Returns a [`SealError`].
    pub fn patch(&self, patch: AccountPatch) -> Result<Arc<SealedBlock>, SealError> {
        self.sealer.patch(patch)
    }

    /// Takes back every block after `number`, and every waiting transaction. When this returns, they are gone from
    /// disk.
    ///
    /// # Errors
    ///
    /// Returns a [`SealError`].
    pub fn revert_to(&self, number: u64) -> Result<(), SealError> {
        self.sealer.revert_to(number)
    }

    /// Writes a checkpoint now, so that the next start need not read the log. Without it a start takes somewhat
    /// longer, and nothing else is different.
    ///
    /// # Errors
    ///
    /// Returns a [`SealError`].
    pub fn checkpoint(&self) -> Result<(), SealError> {
        self.sealer.checkpoint()
    }

    /// Returns when blocks are sealed.
    #[must_use]
    pub fn sealing(&self) -> Sealing {
        self.sealer.sealing()
    }

    /// Remembers the chain as it is now and returns the number under which it does.
    #[must_use]
    pub fn snapshot(&self) -> u64 {
        self.core.snapshots().take(self.core.head().number(), self.core.time.offset())
    }

    /// Brings a remembered chain back; it and those remembered later are forgotten then. Returns whether there was
    /// one with this number.
    ///
    /// # Errors
    ///
    /// Returns a [`SealError`].
    pub fn revert_to_snapshot(&self, id: u64) -> Result<bool, SealError> {
        let Some(snapshot) = self.core.snapshots().find(id) else { return Ok(false) };
        self.revert_to(snapshot.number)?;
        self.core.time.restore(snapshot.offset_s);
        self.core.snapshots().forget_from(id);
        Ok(true)
    }

    /// Sets when blocks are sealed. A chain that is opened to read seals none, whatever is set.
    pub fn set_sealing(&self, sealing: Sealing) {
        if !self.core.is_read_only() {
            self.sealer.set_sealing(sealing);
        }
    }

    /// Returns a block by its number.
    ///
    /// # Errors
    ///
    /// Returns an [`ArchiveError`] when the log cannot be read.
    pub fn block(&self, number: u64) -> Result<Option<Arc<SealedBlock>>, ArchiveError> {
        if number > self.head().number() {
            return Ok(None);
        }
        self.core.archive.block(number)
    }

    /// Returns the block with a transaction, and the position of the transaction in it.
    ///
    /// # Errors
    ///
    /// Returns an [`ArchiveError`] when the log cannot be read.
    pub fn transaction(
        &self,
        hash: B256,
    ) -> Result<Option<(Arc<SealedBlock>, usize)>, ArchiveError> {
        // A block is in the archive a moment before it is the head. Whoever sees a receipt must see its effects.
        let head = self.head().number();
        let found = self.core.archive.transaction(hash)?;
        Ok(found.filter(|(block, _)| block.number() <= head))
    }

    /// Returns the block with a transaction as [`Self::transaction`] does, or why a transaction that waits gets into none.
    ///
    /// # Errors
    ///
    /// Returns an error when the log cannot be read, or no block can be sealed.
    pub(crate) fn transaction_or_reason(
        &self,
        hash: B256,
    ) -> Result<Option<(Arc<SealedBlock>, usize)>, RpcError> {
        let is_waiting = || self.core.pool().get(hash).is_some();
        match self.transaction(hash)? {
            None if is_waiting() => {
                self.sealer.check()?;
                // What stood in the way may be gone, or it was sealed meanwhile.
                Ok(self.transaction(hash)?)
            }
            found => Ok(found),
        }
    }

    /// Returns the blobs of a block in order of its transactions, or `None` where it has none or they are no longer kept.
    ///
    /// # Errors
    ///
    /// Returns a [`BlobStoreError`] when they cannot be read.
    pub fn blobs(&self, block: &SealedBlock) -> Result<Option<Vec<Blob>>, BlobStoreError> {
        self.core.blobs.blobs(block)
    }

    /// Returns the first block with this timestamp, in seconds since 1970. Patches follow in the same second.
    ///
    /// # Errors
    ///
    /// Returns an [`ArchiveError`] when the log cannot be read.
    pub fn block_at_time(&self, unix_s: u64) -> Result<Option<Arc<SealedBlock>>, ArchiveError> {
        let (mut low, mut high) = (0, self.head().number() + 1);
        while low < high {
            let middle = low + (high - low) / 2;
            match self.block(middle)? {
                Some(block) if block.header.timestamp < unix_s => low = middle + 1,
                // A block that was taken back meanwhile is later than any that is asked for.
                _ => high = middle,
            }
        }
        Ok(self.block(low)?.filter(|block| block.header.timestamp == unix_s))
    }

    /// Returns the log events that a filter asks for, at most `max` and one more.
    ///
    /// # Errors
    ///
    /// Returns an [`ArchiveError`] when the log cannot be read.
    pub fn logs(
        &self,
        filter: &Filter,
        from: u64,
        to: u64,
        max: usize,
    ) -> Result<Vec<Log>, ArchiveError> {
        let mut found = Vec::new();
        let to = to.min(self.head().number());
        for number in self.core.archive.log_candidates(filter, from, to)? {
            if let Some(block) = self.core.archive.block(number)? {
                found.extend(crate::rpc::convert::matching_logs(&block, filter));
            }
            if found.len() > max {
                break;
            }
        }
        Ok(found)
    }

    /// Returns the state after the block with this number.
    ///
    /// # Errors
    ///
    /// Returns a [`StateError`] when there is no such block or its state is no longer kept.
    pub fn state_at(&self, number: u64) -> Result<ChainState, StateError> {
        self.core.state_at(number)
    }

    /// Returns an account and slots with their proofs after the block with this number.
    ///
    /// # Errors
    ///
    /// Returns a [`StateError`] when there is no such block or its state is no longer kept.
    pub fn proof(
        &self,
        block: &SealedBlock,
        address: Address,
        slots: &[B256],
    ) -> Result<AccountProof, StateError> {
        self.state_at(block.number())?.view.proof(address, slots, block.header.state_root)
    }

    /// Returns what happens from now on.
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<ChainEvent> {
        self.core.events.subscribe()
    }
}

impl Core {
    fn open(mut config: ChainConfig) -> Result<Self, OpenError> {
        if config.access == Access::ReadOnly {
            config.sealing = Sealing::Manual;
        }
        let now = config.clock.now_unix_s();
        let mut genesis = Genesis {
            chain_id: config.chain_id,
            timestamp: config.genesis_time_unix_s.unwrap_or(now),
            gas_limit: config.gas_limit,
            funded: funded_addresses(),
        };
        let log = open_log(&config, &mut genesis)?;
        let Restored { archive, state, checkpointed } =
            restore(log, &genesis, config.folder.as_deref())?;
        let head = archive.block(archive.head())?.expect("the head is in the log");
        let is_read_only = config.access == Access::ReadOnly;
        let blobs = BlobStore::open(config.folder.as_deref(), &archive, is_read_only)?;
        let start = config.genesis_time_unix_s.map(|_| head.header.timestamp);
        Ok(Self {
            time: ChainTime::new(Arc::clone(&config.clock), start),
            engine: RevmEngine::new(config.chain_id),
            archive: Arc::new(archive),
            blobs,
            checkpointed,
            pool: Mutex::default(),
            rpc: Memory::default(),
            state: RwLock::new(Arc::new(state)),
            head: RwLock::new(head),
            events: broadcast::channel(EVENTS_KEPT).0,
            snapshots: Mutex::default(),
            genesis,
            config,
        })
    }

    pub(crate) fn is_read_only(&self) -> bool {
        self.config.access == Access::ReadOnly
    }

    pub(crate) fn head(&self) -> Arc<SealedBlock> {
        Arc::clone(&self.head.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn set_head(&self, block: Arc<SealedBlock>) {
        *self.head.write().unwrap_or_else(PoisonError::into_inner) = block;
    }

    pub(crate) fn state(&self) -> Arc<State> {
        Arc::clone(&self.state.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn pool(&self) -> MutexGuard<'_, Pool> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn snapshots(&self) -> MutexGuard<'_, Snapshots> {
        self.snapshots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn send_event(&self, event: ChainEvent) {
        self.rpc.note(&event);
        // Nobody may be listening.
        drop(self.events.send(event));
    }

    pub(crate) fn state_at(self: &Arc<Self>, number: u64) -> Result<ChainState, StateError> {
        let view = self.state().at(number)?;
        Ok(ChainState { view, core: Arc::clone(self) })
    }

    /// Builds the state anew from the log, when the kept history does not reach back far enough.
    pub(crate) fn rebuild_state(&self) -> Result<(), OpenError> {
        let state = rebuild(&self.genesis, &self.archive)?;
        *self.state.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(state);
        Ok(())
    }

    /// Returns what the block after the head asks of transactions.
    pub(crate) fn terms(&self, head: &Header) -> Terms {
        let excess = head.next_block_excess_blob_gas(BLOB_PARAMS).unwrap_or_default();
        Terms {
            chain_id: self.config.chain_id,
            gas_limit: self.gas_limit_after(head),
            base_fee: base_fee_after(head),
            blob_fee: BLOB_PARAMS.calc_blob_fee(excess),
        }
    }

    /// Returns the gas limit of the block after `parent`: at most 1/1024 closer to the configured one.
    pub(crate) fn gas_limit_after(&self, parent: &Header) -> u64 {
        let step = (parent.gas_limit / 1024).saturating_sub(1);
        let highest = parent.gas_limit.saturating_add(step);
        self.config.gas_limit.clamp(parent.gas_limit - step, highest)
    }

    pub(crate) fn submit(&self, encoded: &[u8]) -> Result<B256, SubmitError> {
        let terms = self.terms(&self.head().header);
        self.admit(submit::read(encoded, &terms)?, &terms)
    }

    /// Takes a transaction of an impersonated account, which may be a contract.
    pub(crate) fn submit_for(
        &self,
        sender: Address,
        transaction: TxEnvelope,
    ) -> Result<B256, SubmitError> {
        let terms = self.terms(&self.head().header);
        let transaction = Recovered::new_unchecked(transaction, sender);
        self.admit(Incoming { transaction, sidecar: None, is_impersonated: true }, &terms)
    }

    fn admit(&self, incoming: Incoming, terms: &Terms) -> Result<B256, SubmitError> {
        if self.is_read_only() {
            return Err(SubmitError::ReadOnly);
        }
        let Incoming { transaction, sidecar, is_impersonated } = incoming;
        let hash = *transaction.inner().hash();
        // The pool is held while the head is looked at: a block sets the head first and then takes its transactions
        // out of the pool, so none that is sealed already can come back.
        let mut pool = self.pool();
        let view = self.state().at(self.head().number())?;
        let account = view.account(transaction.signer())?.unwrap_or_default();
        let is_contract = match view.code(account.code_hash)? {
            Some(code) => !code.is_empty() && !code.starts_with(&DELEGATION_PREFIX),
            None => false,
        };
        submit::check(&transaction, &account, is_contract && !is_impersonated, terms)?;
        pool.add(transaction, sidecar, account.nonce)?;
        drop(pool);
        self.send_event(ChainEvent::Pending(hash));
        Ok(hash)
    }
}

/// How the code of an account begins that runs another's code (EIP-7702).
const DELEGATION_PREFIX: [u8; 3] = [0xef, 0x01, 0x00];

/// Returns the base fee of the block after `parent` in wei per gas.
pub(crate) fn base_fee_after(parent: &Header) -> u64 {
    parent
        .next_block_base_fee(alloy_eips::eip1559::BaseFeeParams::ethereum())
        .unwrap_or(crate::genesis::BASE_FEE_INITIAL)
}

/// The state of a chain after one block, with the hashes of the blocks up to it.
#[derive(Debug, Clone)]
pub struct ChainState {
    view: StateView,
    core: Arc<Core>,
}

impl ChainState {
    /// Returns the values of the state.
    #[must_use]
    pub fn view(&self) -> &StateView {
        &self.view
    }

    /// Returns this state with changes on top.
    #[must_use]
    pub fn with(self, diff: &StateDiff) -> OverlayState {
        OverlayState::new(Arc::new(self), diff)
    }
}

impl StateRead for ChainState {
    fn account(&self, address: Address) -> Result<Option<Account>, StateError> {
        self.view.account(address)
    }

    fn storage(&self, address: Address, slot: B256) -> Result<alloy_primitives::U256, StateError> {
        self.view.storage(address, slot)
    }

    fn has_storage(&self, address: Address) -> Result<bool, StateError> {
        self.view.has_storage(address)
    }

    fn code(&self, code_hash: B256) -> Result<Option<Bytes>, StateError> {
        self.view.code(code_hash)
    }

    fn block_hash(&self, number: u64) -> Result<B256, StateError> {
        let known = (number <= self.view.number()).then(|| self.core.archive.hash(number));
        known.flatten().ok_or(StateError::UnknownBlock { number })
    }
}
