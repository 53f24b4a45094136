//! Sealing blocks: one thread does it, whoever asks.

use std::{
    error::Error as _,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel},
    },
    thread::JoinHandle,
    time::Duration,
};

use alloy_consensus::{
    EMPTY_OMMER_ROOT_HASH, Header, Transaction, TxEnvelope,
    constants::EMPTY_WITHDRAWALS,
    proofs::{calculate_receipt_root, calculate_transaction_root},
    transaction::Recovered,
};
use alloy_eips::eip2718::Encodable2718;
use alloy_primitives::{Address, B256, Bloom, Bytes, keccak256};

use crate::{
    archive::ArchiveError,
    blob_store::BlobStoreError,
    block::{BlockReceipt, SealedBlock},
    chain::{ChainEvent, Core, base_fee_after},
    checkpoint::{Checkpointer, WriteError},
    config::Sealing,
    engine::{Engine, EngineError, TxOutcome},
    explanation::explanations,
    genesis::{BLOB_PARAMS, EXTRA_DATA},
    open::OpenError,
    patch::AccountPatch,
    pool::{PooledTransaction, ReadyQueue},
    state::{StateDiff, StateError, StateRead},
    submit::SubmitError,
};

/// Bytes of transactions in a block at most, below the 10 MiB that a block may have (EIP-7934).
const BLOCK_TRANSACTION_BYTES_MAX: usize = 8 << 20;
/// Gas of the cheapest transaction: with less left, a block is full.
const TRANSACTION_GAS_MIN: u64 = 21_000;

/// Why no block was sealed or taken back.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The chain is opened to read.
    #[error("the chain is opened to read")]
    ReadOnly,
    /// There is no such block to go back to.
    #[error("no block {number}")]
    UnknownBlock {
        /// The block that was asked for.
        number: u64,
    },
    /// The state cannot be read.
    #[error(transparent)]
    State(#[from] StateError),
    /// The engine failed.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The log cannot be written.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// The blobs of a block cannot be kept.
    #[error(transparent)]
    Blobs(#[from] BlobStoreError),
    /// The state could not be built anew from the log.
    #[error(transparent)]
    Rebuild(#[from] Box<OpenError>),
    /// The checkpoint cannot be written.
    #[error("checkpoint is not written")]
    Checkpoint(#[from] WriteError),
    /// The chain is being closed.
    #[error("the chain is closed")]
    Closed,
}

explanations! {
    SealError {
        ReadOnly: "seal-read-only" "the chain is opened to read and seals no block"
            "ask the program that has it open to write";
        UnknownBlock: "seal-block-unknown" "there is no such block to go back to"
            "name a block up to the newest one";
        State(error);
        Engine(error);
        Archive(error);
        Blobs(error);
        Rebuild(error);
        Checkpoint(error);
        Closed: "seal-closed" "the chain is being closed"
            "open it again";
    }
}

type Reply<T> = SyncSender<Result<T, SealError>>;

enum Command {
    Wake,
    Tick,
    Mine(Reply<Arc<SealedBlock>>),
    Patch(AccountPatch, Reply<Arc<SealedBlock>>),
    Revert(u64, Reply<()>),
    SetSealing(Sealing, Reply<()>),
    Checkpoint(Reply<()>),
    Stop,
}

/// The sealing thread, seen from outside. Dropping it lets the thread finish its block and end.
#[derive(Debug)]
pub(crate) struct SealerHandle {
    commands: Sender<Command>,
    is_woken: Arc<AtomicBool>,
    sealing: Mutex<Sealing>,
    failure: Failure,
    thread: Option<JoinHandle<()>>,
}

/// Why the last block was not sealed; nothing where it was.
type Failure = Arc<Mutex<Option<String>>>;

impl SealerHandle {
    pub(crate) fn start(core: Arc<Core>) -> std::io::Result<Self> {
        let (commands, queue) = channel();
        let is_woken = Arc::new(AtomicBool::new(false));
        let ticks = commands.clone();
        let sealing = Mutex::new(core.config.sealing);
        let failure = Failure::default();
        // Without a folder none is written.
        let folder = core.config.folder.clone().filter(|_| !core.is_read_only());
        let sealer = Sealer {
            failure: Arc::clone(&failure),
            sealing: core.config.sealing,
            ticker: Ticker::default(),
            is_woken: Arc::clone(&is_woken),
            checkpointer: Checkpointer::new(folder, core.checkpointed),
            core,
        };
        let thread = std::thread::Builder::new()
            .name("chain-sealer".to_owned())
            .spawn(move || sealer.run(&queue, &ticks))?;
        Ok(Self { commands, is_woken, sealing, failure, thread: Some(thread) })
    }

    /// Returns why blocks cannot be sealed, after trying once more where the last one could not. Whoever sends a
    /// transaction or waits for one must hear of it: nothing else would tell.
    pub(crate) fn check(&self) -> Result<(), SubmitError> {
        let failed = || self.failure.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if failed().is_some() {
            drop(self.mine());
        }
        failed().map_or(Ok(()), |reason| Err(SubmitError::NotSealing { reason }))
    }

    /// Says that a transaction waits. Costs nothing when the sealer knows already.
    pub(crate) fn wake(&self) {
        if !self.is_woken.swap(true, Ordering::AcqRel) {
            // A closed chain seals no more.
            drop(self.commands.send(Command::Wake));
        }
    }

    pub(crate) fn mine(&self) -> Result<Arc<SealedBlock>, SealError> {
        self.ask(Command::Mine)
    }

    pub(crate) fn patch(&self, patch: AccountPatch) -> Result<Arc<SealedBlock>, SealError> {
        self.ask(|reply| Command::Patch(patch, reply))
    }

    pub(crate) fn revert_to(&self, number: u64) -> Result<(), SealError> {
        self.ask(|reply| Command::Revert(number, reply))
    }

    pub(crate) fn checkpoint(&self) -> Result<(), SealError> {
        self.ask(Command::Checkpoint)
    }

    pub(crate) fn sealing(&self) -> Sealing {
        *self.sealing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set_sealing(&self, sealing: Sealing) {
        *self.sealing.lock().unwrap_or_else(PoisonError::into_inner) = sealing;
        // Waited for, so that no transaction that is sent afterwards is sealed in the way of before. A closed chain
        // seals no more.
        drop(self.ask(|reply| Command::SetSealing(sealing, reply)));
    }

    fn ask<T>(&self, command: impl FnOnce(Reply<T>) -> Command) -> Result<T, SealError> {
        let (reply, answer) = sync_channel(1);
        self.commands.send(command(reply)).map_err(|_| SealError::Closed)?;
        answer.recv().map_err(|_| SealError::Closed)?
    }
}

impl Drop for SealerHandle {
    fn drop(&mut self) {
        // The thread may have ended by itself.
        drop(self.commands.send(Command::Stop));
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the sealing thread panicked");
        }
    }
}

struct Sealer {
    core: Arc<Core>,
    sealing: Sealing,
    ticker: Ticker,
    is_woken: Arc<AtomicBool>,
    failure: Failure,
    checkpointer: Checkpointer,
}

impl Sealer {
    fn run(mut self, queue: &Receiver<Command>, ticks: &Sender<Command>) {
        self.ticker.set(self.sealing, ticks);
        self.checkpoint_if_due();
        while let Ok(command) = queue.recv() {
            match command {
                Command::Wake => self.seal_waiting(),
                Command::Tick => {
                    let sealed = self.core.seal(Selection::Waiting);
                    self.note(&sealed);
                }
                Command::Mine(reply) => {
                    let sealed = self.core.seal(Selection::Waiting);
                    self.note(&sealed);
                    drop(reply.send(sealed));
                }
                Command::Patch(patch, reply) => {
                    drop(reply.send(self.core.seal(Selection::Patch(patch))));
                }
                Command::Revert(number, reply) => {
                    drop(reply.send(self.core.revert_to(number)));
                }
                Command::SetSealing(sealing, reply) => {
                    self.sealing = sealing;
                    self.ticker.set(sealing, ticks);
                    drop(reply.send(Ok(())));
                    self.seal_waiting();
                }
                Command::Checkpoint(reply) => drop(reply.send(self.checkpoint())),
                Command::Stop => break,
            }
            self.checkpoint_if_due();
        }
        self.ticker.stop();
        self.checkpointer.stop();
    }

    fn checkpoint(&mut self) -> Result<(), SealError> {
        self.core.check_writable()?;
        let view = self.core.state().at(self.core.archive.head())?;
        Ok(self.checkpointer.write_now(&self.core.archive, &view)?)
    }

    fn checkpoint_if_due(&mut self) {
        let core = &self.core;
        self.checkpointer.consider(core.archive.log_len(), || {
            let view = core.state().at(core.archive.head()).ok()?;
            Some((Arc::clone(&core.archive), view))
        });
    }

    /// Seals blocks until nothing can be put into one, when sealing is instant.
    fn seal_waiting(&mut self) {
        // Cleared before the pool is looked at, so that whatever arrives from now on wakes again.
        self.is_woken.store(false, Ordering::Release);
        if self.sealing != Sealing::Instant {
            return;
        }
        while !self.core.pool().is_empty() {
            let sealed = self.core.seal_waiting();
            self.note(&sealed);
            match sealed {
                Ok(None) | Err(_) => return,
                Ok(Some(_)) => self.checkpoint_if_due(),
            }
        }
    }

    /// Remembers why a block was not sealed.
    fn note<T>(&self, sealed: &Result<T, SealError>) {
        let reason = sealed.as_ref().err().map(|error| {
            tracing::error!(%error, "no block was sealed");
            let (mut text, mut cause) = (error.to_string(), error.source());
            while let Some(source) = cause {
                text.push_str(&format!(": {source}"));
                cause = source.source();
            }
            text
        });
        let has_failed = reason.is_some();
        *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = reason;
        if has_failed {
            self.core.rpc.note_failure();
        }
    }
}

/// Sends a tick every so often, from a thread of its own.
#[derive(Default)]
struct Ticker {
    running: Option<(Sender<()>, JoinHandle<()>)>,
}

impl Ticker {
    fn set(&mut self, sealing: Sealing, ticks: &Sender<Command>) {
        self.stop();
        let Sealing::Interval(period) = sealing else { return };
        let (stop, stopped) = channel::<()>();
        let ticks = ticks.clone();
        let thread = std::thread::Builder::new()
            .name("chain-ticker".to_owned())
            .spawn(move || tick(period, &stopped, &ticks));
        match thread {
            Ok(thread) => self.running = Some((stop, thread)),
            Err(error) => tracing::error!(%error, "interval sealing is not possible"),
        }
    }

    fn stop(&mut self) {
        if let Some((stop, thread)) = self.running.take() {
            drop(stop);
            if thread.join().is_err() {
                tracing::error!("the ticker panicked");
            }
        }
    }
}

fn tick(period: Duration, stopped: &Receiver<()>, ticks: &Sender<Command>) {
    let period = period.max(Duration::from_millis(1));
    while stopped.recv_timeout(period) == Err(RecvTimeoutError::Timeout) {
        if ticks.send(Command::Tick).is_err() {
            return;
        }
    }
}

/// What goes into a block.
pub(crate) enum Selection {
    /// The transactions that wait.
    Waiting,
    /// No transaction, but these changes of an account.
    Patch(AccountPatch),
}

/// A block that is executed but not part of the chain.
pub(crate) struct Draft {
    /// The header; the state root is still that of the parent.
    pub(crate) header: Header,
    pub(crate) transactions: Vec<Recovered<TxEnvelope>>,
    pub(crate) receipts: Vec<BlockReceipt>,
    /// The blob transactions among them, with their blobs.
    with_blobs: Vec<Arc<PooledTransaction>>,
    pub(crate) diff: StateDiff,
    /// Transactions that turned out not to be executable.
    refused: Vec<B256>,
}

impl Core {
    /// Returns the transactions that can go into a block after `parent`.
    pub(crate) fn ready(&self, parent: &Header) -> ReadyQueue {
        let state = self.state();
        let view = state.at(parent.number);
        let nonce = |sender: Address| {
            let account = view.as_ref().ok().and_then(|view| view.account(sender).ok().flatten());
            account.map_or(0, |account| account.nonce)
        };
        self.pool().ready(base_fee_after(parent), nonce)
    }

    /// Returns the header of a block after `parent`, without what execution gives.
    pub(crate) fn next_header(&self, parent: &SealedBlock, timestamp: u64) -> Header {
        Header {
            parent_hash: parent.hash,
            ommers_hash: EMPTY_OMMER_ROOT_HASH,
            beneficiary: self.config.fee_recipient,
            state_root: parent.header.state_root,
            number: parent.number() + 1,
            gas_limit: self.gas_limit_after(&parent.header),
            timestamp,
            extra_data: Bytes::from_static(EXTRA_DATA),
            // There is no beacon chain whose randomness could be used; this one repeats with the same blocks.
            mix_hash: keccak256(parent.hash),
            base_fee_per_gas: Some(base_fee_after(&parent.header)),
            withdrawals_root: Some(EMPTY_WITHDRAWALS),
            blob_gas_used: Some(0),
            excess_blob_gas: parent.header.next_block_excess_blob_gas(BLOB_PARAMS),
            parent_beacon_block_root: Some(B256::ZERO),
            requests_hash: Some(alloy_eips::eip7685::EMPTY_REQUESTS_HASH),
            ..Header::default()
        }
    }

    /// Executes a block after `parent`.
    pub(crate) fn draft(
        self: &Arc<Self>,
        parent: &SealedBlock,
        timestamp: u64,
        selection: Selection,
    ) -> Result<Draft, SealError> {
        let mut header = self.next_header(parent, timestamp);
        let state = self.state_at(parent.number())?;
        let (state, patch, queue): (Arc<dyn StateRead>, _, _) = match selection {
            Selection::Waiting => (Arc::new(state), None, Some(self.ready(&parent.header))),
            Selection::Patch(patch) => {
                let patch = patch.diff(&state)?;
                (Arc::new(state.with(&patch)), Some(patch), None)
            }
        };
        let mut execution = self.engine.begin_block(state, header.clone())?;
        let mut body = Body::default();
        if let Some(mut queue) = queue {
            while let Some(pooled) = queue.next_best() {
                let transaction = &pooled.transaction;
                if !body.fits(&header, transaction) {
                    if header.gas_limit - body.gas_used < TRANSACTION_GAS_MIN {
                        break;
                    }
                    continue;
                }
                match execution.execute(transaction) {
                    Ok(outcome) => {
                        body.push(&pooled, outcome);
                        queue.advance(transaction.signer());
                    }
                    Err(EngineError::Refused(reason)) => {
                        tracing::debug!(hash = %pooled.hash(), %reason, "transaction dropped");
                        body.refused.push(pooled.hash());
                    }
                    Err(error) => return Err(error.into()),
                }
            }
        }
        let outcome = execution.finish()?;
        header.requests_hash = Some(outcome.requests_hash);
        header.gas_used = body.gas_used;
        header.blob_gas_used = Some(body.blob_gas_used);
        let diff = match patch {
            Some(patch) => patch.then(outcome.diff),
            None => outcome.diff,
        };
        let Body { transactions, receipts, with_blobs, refused, .. } = body;
        Ok(Draft { header, transactions, receipts, with_blobs, diff, refused })
    }

    /// Refuses to change a chain that is opened to read.
    fn check_writable(&self) -> Result<(), SealError> {
        if self.is_read_only() { Err(SealError::ReadOnly) } else { Ok(()) }
    }

    fn seal(self: &Arc<Self>, selection: Selection) -> Result<Arc<SealedBlock>, SealError> {
        self.check_writable()?;
        let parent = self.head();
        let timestamp = match selection {
            Selection::Waiting => self.time.take(parent.header.timestamp),
            // No time passes in a patch: what is set for the next block is for the next with transactions.
            Selection::Patch(_) => parent.header.timestamp,
        };
        let draft = self.draft(&parent, timestamp, selection)?;
        self.commit(draft)
    }

    /// Seals a block unless nothing that waits can be put into one.
    fn seal_waiting(self: &Arc<Self>) -> Result<Option<Arc<SealedBlock>>, SealError> {
        let parent = self.head();
        let timestamp = self.time.peek(parent.header.timestamp);
        let draft = self.draft(&parent, timestamp, Selection::Waiting)?;
        if draft.transactions.is_empty() {
            let mut pool = self.pool();
            for hash in draft.refused {
                pool.remove(hash);
            }
            return Ok(None);
        }
        self.time.take(parent.header.timestamp);
        self.commit(draft).map(Some)
    }

    /// Makes a draft the next block: its state, then its place in the log, then everything that shows it.
    fn commit(&self, draft: Draft) -> Result<Arc<SealedBlock>, SealError> {
        let Draft { header, transactions, receipts, with_blobs, diff, refused } = draft;
        let parent = header.number - 1;
        let state = self.state();
        let state_root = state.apply(header.number, &diff);
        let block = complete(header, state_root, transactions, receipts);
        let block = match self.write(block, diff, &with_blobs) {
            Ok(block) => block,
            Err(error) => {
                state.revert_to(parent)?;
                return Err(error);
            }
        };
        // A transaction is in the pool until it is in a block that everybody sees.
        self.set_head(Arc::clone(&block));
        {
            let mut pool = self.pool();
            for hash in refused {
                pool.remove(hash);
            }
            for transaction in &block.transactions {
                pool.remove(*transaction.inner().hash());
                pool.remove_below(transaction.signer(), transaction.nonce() + 1);
            }
        }
        state.prune_if_large();
        tracing::debug!(number = block.number(), hash = %block.hash, "block sealed");
        self.send_event(ChainEvent::Sealed(Arc::clone(&block)));
        Ok(block)
    }

    /// Writes a block: its blobs first, so that whoever sees it finds them.
    fn write(
        &self,
        block: SealedBlock,
        diff: StateDiff,
        with_blobs: &[Arc<PooledTransaction>],
    ) -> Result<Arc<SealedBlock>, SealError> {
        let sidecars = with_blobs.iter().filter_map(|pooled| pooled.sidecar.as_ref());
        let blobs = sidecars.flat_map(|sidecar| sidecar.blobs.iter().copied()).collect();
        self.blobs.keep(&block, blobs)?;
        let (parent, now_s) = (block.number() - 1, block.header.timestamp);
        match self.archive.append(block, diff) {
            Ok(block) => {
                if let Err(error) = self.blobs.prune(now_s) {
                    tracing::warn!(%error, "old blobs are kept longer");
                }
                Ok(block)
            }
            Err(error) => {
                self.blobs.truncate_after(parent)?;
                Err(error.into())
            }
        }
    }

    fn revert_to(&self, number: u64) -> Result<(), SealError> {
        self.check_writable()?;
        let target = self.archive.block(number)?.ok_or(SealError::UnknownBlock { number })?;
        // The log first: after a crash in between, it alone says what has happened.
        self.archive.truncate_after(number)?;
        self.blobs.truncate_after(number)?;
        if self.state().revert_to(number).is_err() {
            self.rebuild_state().map_err(Box::new)?;
        }
        self.set_head(target);
        self.pool().clear();
        self.send_event(ChainEvent::Reverted(number));
        Ok(())
    }
}

/// Returns the block with everything that its header says about its body.
pub(crate) fn complete(
    mut header: Header,
    state_root: B256,
    transactions: Vec<Recovered<TxEnvelope>>,
    receipts: Vec<BlockReceipt>,
) -> SealedBlock {
    let envelopes: Vec<_> = receipts
        .iter()
        .zip(&transactions)
        .map(|(receipt, transaction)| receipt.envelope(transaction.tx_type()))
        .collect();
    header.state_root = state_root;
    header.transactions_root = calculate_transaction_root(&transactions);
    header.receipts_root = calculate_receipt_root(&envelopes);
    header.logs_bloom =
        envelopes.iter().fold(Bloom::ZERO, |bloom, receipt| bloom | *receipt.logs_bloom());
    SealedBlock { hash: header.hash_slow(), header, transactions, receipts }
}

/// The body of a block while it is filled.
#[derive(Default)]
struct Body {
    transactions: Vec<Recovered<TxEnvelope>>,
    receipts: Vec<BlockReceipt>,
    with_blobs: Vec<Arc<PooledTransaction>>,
    refused: Vec<B256>,
    gas_used: u64,
    blob_gas_used: u64,
    bytes: usize,
}

impl Body {
    fn fits(&self, header: &Header, transaction: &TxEnvelope) -> bool {
        let blob_gas = transaction.blob_gas_used().unwrap_or_default();
        transaction.gas_limit() <= header.gas_limit - self.gas_used
            && self.blob_gas_used + blob_gas <= BLOB_PARAMS.max_blob_gas_per_block()
            && self.bytes + transaction.encode_2718_len() <= BLOCK_TRANSACTION_BYTES_MAX
    }

    fn push(&mut self, pooled: &Arc<PooledTransaction>, outcome: TxOutcome) {
        let transaction = &pooled.transaction;
        self.gas_used += outcome.gas_used;
        self.blob_gas_used += transaction.blob_gas_used().unwrap_or_default();
        self.bytes += transaction.encode_2718_len();
        self.transactions.push(transaction.clone());
        if pooled.sidecar.is_some() {
            self.with_blobs.push(Arc::clone(pooled));
        }
        self.receipts.push(BlockReceipt {
            is_success: outcome.is_success,
            cumulative_gas_used: self.gas_used,
            logs: outcome.logs,
        });
    }
}
