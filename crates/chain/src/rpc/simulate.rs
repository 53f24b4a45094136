//! Calls in blocks that follow the present one but are never sealed (`eth_simulateV1`).

use std::sync::Arc;

use alloy_consensus::{Header, TxEnvelope, transaction::Recovered};
use alloy_primitives::{Address, B256, Bytes, TxKind};
use alloy_rpc_types_eth::{
    Block, BlockOverrides, Filter, TransactionRequest,
    simulate::{
        MAX_SIMULATE_BLOCKS, SimBlock, SimCallResult, SimulateError, SimulatePayload,
        SimulatedBlock,
    },
};
use serde_json::value::RawValue;

use super::{
    Context, Params, RpcError, TextHandler, convert,
    error::{
        REVERTED, SIMULATION_FAILED, SIMULATION_GAS_EXCEEDED, SIMULATION_NUMBER_NOT_RISING,
        SIMULATION_TIME_NOT_RISING, SIMULATION_TOO_MANY_BLOCKS,
    },
    resolve::Target,
    send::{no_signature, typed},
    text,
};
use crate::{
    block::{BlockReceipt, SealedBlock},
    chain::base_fee_after,
    engine::{CallOutcome, Engine, MESSAGE_GAS_MAX, MessageRules},
    genesis::BLOB_PARAMS,
    sealer::complete,
    state::{StateDiff, StateRead, overlay::OverlayState},
};

/// Gas of all calls of one request together at most.
const GAS_MAX: u64 = 4 * MESSAGE_GAS_MAX;
/// Calls of one request at most.
const CALLS_MAX: usize = 1_000;
/// Time from block to block when none is given, in seconds, as on the main network.
const BLOCK_TIME_S: u64 = 12;

pub(super) fn handler(method: &str) -> Option<TextHandler> {
    (method == "eth_simulateV1").then_some(simulate)
}

fn simulate(context: &Context<'_>, mut params: Params) -> Result<Box<RawValue>, RpcError> {
    let payload: SimulatePayload = params.required()?;
    let base = context.block(params.block()?)?;
    let calls: usize = payload.block_state_calls.iter().map(|block| block.calls.len()).sum();
    if payload.block_state_calls.is_empty() {
        return Err(RpcError::invalid_params("no blocks to simulate"));
    }
    if calls > CALLS_MAX {
        let reason = format!("{calls} calls, at most {CALLS_MAX}");
        return Err(RpcError::limit_exceeded(reason));
    }
    let mut simulation = Simulation {
        context,
        rules: MessageRules {
            is_checked: payload.validation,
            logs_transfers: payload.trace_transfers,
        },
        shows_whole: payload.return_full_transactions,
        state: Arc::new(context.chain.state_at(base.number())?),
        parent: base.header.clone(),
        parent_hash: base.hash,
        base: base.number(),
        gas_left: GAS_MAX,
        found: Vec::new(),
    };
    for block in payload.block_state_calls {
        simulation.run(block)?;
    }
    text(&simulation.found)
}

/// Blocks that are executed one after another.
struct Simulation<'a> {
    context: &'a Context<'a>,
    rules: MessageRules,
    shows_whole: bool,
    state: Arc<dyn StateRead>,
    parent: Header,
    parent_hash: B256,
    base: u64,
    gas_left: u64,
    found: Vec<SimulatedBlock<Block>>,
}

/// What a call did: as a transaction of its block, and as the answer to the client.
struct Called {
    transaction: Recovered<TxEnvelope>,
    outcome: CallOutcome,
}

impl Simulation<'_> {
    fn run(&mut self, block: SimBlock) -> Result<(), RpcError> {
        let overrides = block.block_overrides.unwrap_or_default();
        let next = self.parent.number + 1;
        let number = overrides.number.map_or(Ok(next), |number| {
            let too_far = || RpcError::new(SIMULATION_TOO_MANY_BLOCKS, "too many blocks");
            u64::try_from(number).map_err(|_| too_far())
        })?;
        if number < next {
            let reason = format!("block number {number} is not after {}", self.parent.number);
            return Err(RpcError::new(SIMULATION_NUMBER_NOT_RISING, reason));
        }
        if number - self.base > MAX_SIMULATE_BLOCKS {
            let reason = format!("too many blocks: at most {MAX_SIMULATE_BLOCKS}");
            return Err(RpcError::new(SIMULATION_TOO_MANY_BLOCKS, reason));
        }
        // The blocks in between have nothing in them.
        while self.parent.number + 1 < number {
            self.execute(SimBlock::default(), BlockOverrides::default())?;
        }
        self.execute(SimBlock { block_overrides: None, ..block }, overrides)
    }

    fn header(&self) -> Header {
        let parent = &self.parent;
        Header {
            parent_hash: self.parent_hash,
            number: parent.number + 1,
            timestamp: parent.timestamp.saturating_add(BLOCK_TIME_S),
            base_fee_per_gas: Some(if self.rules.is_checked { base_fee_after(parent) } else { 0 }),
            excess_blob_gas: parent.next_block_excess_blob_gas(BLOB_PARAMS),
            blob_gas_used: Some(0),
            gas_used: 0,
            ..parent.clone()
        }
    }

    fn execute(&mut self, block: SimBlock, overrides: BlockOverrides) -> Result<(), RpcError> {
        let target = Target { header: self.header(), state: Arc::clone(&self.state) };
        let Target { mut header, state } = target.with(block.state_overrides, Some(overrides))?;
        if header.timestamp <= self.parent.timestamp {
            let reason =
                format!("block time {} is not after {}", header.timestamp, self.parent.timestamp);
            return Err(RpcError::new(SIMULATION_TIME_NOT_RISING, reason));
        }
        let engine = &self.context.chain.core.engine;
        let mut execution = engine.begin_block(Arc::clone(&state), header.clone())?;
        let mut called = Vec::new();
        for message in block.calls {
            let left = header.gas_limit.saturating_sub(header.gas_used);
            let nonce_of = |address: Address| -> Result<u64, RpcError> {
                let mut changed = execution.diff()?.accounts.into_iter();
                let changed = changed.find(|account| account.address == address);
                let before = state.account(address)?.unwrap_or_default();
                Ok(changed.map_or(before.nonce, |account| account.nonce))
            };
            let message = filled(message, left, self.context.chain.chain_id(), nonce_of)?;
            let outcome = execution.execute_message(&message, self.rules)?;
            header.gas_used += outcome.gas_used();
            self.gas_left = self.gas_left.checked_sub(outcome.gas_used()).ok_or_else(|| {
                RpcError::limit_exceeded(format!("calls use more than {GAS_MAX} gas"))
            })?;
            called.push(Called { transaction: transaction(message)?, outcome });
        }
        let outcome = execution.finish()?;
        header.requests_hash = Some(outcome.requests_hash);
        self.push(header, called, state, &outcome.diff);
        Ok(())
    }

    /// Adds a block to those that were found, and to what the next one sees.
    fn push(
        &mut self,
        header: Header,
        called: Vec<Called>,
        state: Arc<dyn StateRead>,
        diff: &StateDiff,
    ) {
        let mut gas_used = 0;
        let receipts = called.iter().map(|Called { outcome, .. }| {
            gas_used += outcome.gas_used();
            let (is_success, logs) = match outcome {
                CallOutcome::Success { logs, .. } => (true, logs.clone()),
                CallOutcome::Revert { .. } | CallOutcome::Halt { .. } => (false, Vec::new()),
            };
            BlockReceipt { is_success, cumulative_gas_used: gas_used, logs }
        });
        let receipts = receipts.collect();
        let (transactions, outcomes): (Vec<_>, Vec<_>) =
            called.into_iter().map(|called| (called.transaction, called.outcome)).unzip();
        // Nothing keeps the trie of a state that is only assumed, so its root is left open.
        let block = complete(header, B256::ZERO, transactions, receipts);
        let calls = results(&block, outcomes);
        let mut overlay = OverlayState::new(state, diff);
        overlay.set_block_hash(block.number(), block.hash);
        self.state = Arc::new(overlay);
        self.parent = block.header.clone();
        self.parent_hash = block.hash;
        let inner = convert::block(&block, self.shows_whole);
        self.found.push(SimulatedBlock { inner, calls });
    }
}

/// Returns a message with everything that a transaction has.
fn filled(
    mut message: TransactionRequest,
    gas_left: u64,
    chain_id: u64,
    nonce_of: impl FnOnce(Address) -> Result<u64, RpcError>,
) -> Result<TransactionRequest, RpcError> {
    let gas = message.gas.unwrap_or(gas_left);
    if gas > gas_left {
        let reason = format!("block gas limit reached: {gas_left} left, {gas} asked for");
        return Err(RpcError::new(SIMULATION_GAS_EXCEEDED, reason));
    }
    message.gas = Some(gas.min(MESSAGE_GAS_MAX));
    let from = *message.from.get_or_insert(Address::ZERO);
    if message.nonce.is_none() {
        message.nonce = Some(nonce_of(from)?);
    }
    message.chain_id.get_or_insert(chain_id);
    message.to.get_or_insert(TxKind::Create);
    message.input.input = message.input.input.take().or(message.input.data.take());
    if message.gas_price.is_none() {
        message.max_fee_per_gas.get_or_insert(0);
        message.max_priority_fee_per_gas.get_or_insert(0);
    }
    Ok(message)
}

/// Returns the transaction that a message would be, with nothing in place of its signature.
fn transaction(message: TransactionRequest) -> Result<Recovered<TxEnvelope>, RpcError> {
    let from = message.from.unwrap_or_default();
    let envelope = typed(message)?.into_envelope(no_signature(from));
    let envelope = TxEnvelope::try_from(envelope)
        .map_err(|_| RpcError::invalid_params("blobs cannot be simulated"))?;
    Ok(Recovered::new_unchecked(envelope, from))
}

fn results(block: &SealedBlock, outcomes: Vec<CallOutcome>) -> Vec<SimCallResult> {
    let mut logs = convert::matching_logs(block, &Filter::default()).into_iter();
    let result = |(index, outcome): (usize, CallOutcome)| {
        let gas_used = outcome.gas_used();
        let count = block.receipts[index].logs.len();
        let logs = logs.by_ref().take(count).collect();
        let (status, return_data, error) = match outcome {
            CallOutcome::Success { output, .. } => (true, output, None),
            CallOutcome::Revert { output, .. } => {
                let message = RpcError::reverted(&output).message().to_owned();
                let error = SimulateError { code: REVERTED, message, data: Some(output.clone()) };
                (false, output, Some(error))
            }
            CallOutcome::Halt { reason, .. } => {
                let error = SimulateError { code: SIMULATION_FAILED, message: reason, data: None };
                (false, Bytes::new(), Some(error))
            }
        };
        SimCallResult { return_data, logs, gas_used, status, error, max_used_gas: None }
    };
    outcomes.into_iter().enumerate().map(result).collect()
}
