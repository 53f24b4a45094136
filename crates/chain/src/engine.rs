//! What the chain asks of whatever executes its transactions.
//!
//! The chain keeps blocks, state, pool and indexes itself. An engine only knows the rules of the Ethereum virtual
//! machine: it is given a state and a header and says what happens. It can therefore be replaced without touching
//! storage, sealing or JSON-RPC.

mod block_state;
mod revm;
mod tracer;

use std::sync::Arc;

use alloy_consensus::{Header, TxEnvelope, transaction::Recovered};
use alloy_eips::eip2930::AccessList;
use alloy_primitives::{B256, Bytes, Log};
use alloy_rpc_types_eth::TransactionRequest;
use alloy_rpc_types_trace::geth::{GethDebugTracingOptions, GethTrace};

pub use self::{
    revm::{MESSAGE_GAS_MAX, RevmEngine},
    tracer::{TRACE_BYTES_MAX, TRACE_STEPS_MAX},
};
use crate::explanation::explanations;
use crate::state::{StateDiff, StateError, StateRead};

/// Executes transactions by the rules of one chain.
pub trait Engine: Send + Sync {
    /// Begins a block on top of `state` with the given header, whose roots, bloom, and gas used are still open.
    ///
    /// # Errors
    ///
    /// Returns an [`EngineError`] when the state cannot be read or a system contract fails.
    fn begin_block(
        &self,
        state: Arc<dyn StateRead>,
        header: Header,
    ) -> Result<Box<dyn BlockExecution>, EngineError>;

    /// Executes a message without keeping its effects, as `eth_call` does, in a block with the given header.
    ///
    /// The message needs no nonce and pays no fees, but its sender must have the value that it moves. Its gas is
    /// the block's when it names none, and at most [`MESSAGE_GAS_MAX`].
    ///
    /// # Errors
    ///
    /// Returns an [`EngineError`] when the state cannot be read or the message is not executable at all.
    fn call(
        &self,
        state: Arc<dyn StateRead>,
        header: &Header,
        message: &TransactionRequest,
    ) -> Result<CallOutcome, EngineError>;

    /// Executes a message as [`Self::call`] does and returns what a debugger wants to know about it.
    ///
    /// # Errors
    ///
    /// Returns an [`EngineError`] when the state cannot be read, the message is not executable at all, the options
    /// are not supported or the trace is too long.
    fn trace_call(
        &self,
        state: Arc<dyn StateRead>,
        header: &Header,
        message: &TransactionRequest,
        options: &GethDebugTracingOptions,
    ) -> Result<GethTrace, EngineError>;

    /// Returns the addresses and slots that a message touches, with the gas it uses when it names them.
    ///
    /// # Errors
    ///
    /// Returns an [`EngineError`] when the state cannot be read or the message is not executable at all.
    fn access_list(
        &self,
        state: Arc<dyn StateRead>,
        header: &Header,
        message: &TransactionRequest,
    ) -> Result<AccessListOutcome, EngineError>;
}

/// A block while transactions are put into it.
pub trait BlockExecution {
    /// Executes one transaction and keeps its effects.
    ///
    /// # Errors
    ///
    /// Returns [`EngineError::Refused`] when the transaction is not valid here; the block is then as before.
    fn execute(&mut self, transaction: &Recovered<TxEnvelope>) -> Result<TxOutcome, EngineError>;

    /// Executes one transaction, keeps its effects, and returns what a debugger wants to know about it.
    ///
    /// The flat call tracer (`flatCallTracer`) names the block by the hash of the header that it was begun with.
    ///
    /// # Errors
    ///
    /// Returns [`EngineError::Refused`] when the transaction is not valid here, the options are not supported or
    /// the trace is too long; the block is then as before.
    fn trace(
        &mut self,
        transaction: &Recovered<TxEnvelope>,
        options: &GethDebugTracingOptions,
    ) -> Result<GethTrace, EngineError>;

    /// Executes a message and keeps its effects, as `eth_simulateV1` does.
    ///
    /// # Errors
    ///
    /// Returns [`EngineError::Refused`] when the message is not valid here; the block is then as before.
    fn execute_message(
        &mut self,
        message: &TransactionRequest,
        rules: MessageRules,
    ) -> Result<CallOutcome, EngineError>;

    /// Returns what the block has changed so far.
    ///
    /// # Errors
    ///
    /// Returns an [`EngineError`] when the state cannot be read.
    fn diff(&self) -> Result<StateDiff, EngineError>;

    /// Ends the block: system contracts are called and the changes are collected.
    ///
    /// # Errors
    ///
    /// Returns an [`EngineError`] when the state cannot be read or a system contract fails.
    fn finish(self: Box<Self>) -> Result<BlockOutcome, EngineError>;
}

/// How a message is executed in a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MessageRules {
    /// Whether nonce, fees and balance are checked and paid as for a transaction.
    pub is_checked: bool,
    /// Whether each transfer of ether is logged, as if ether were a token at the address `0xeeee…ee`.
    pub logs_transfers: bool,
}

/// What executing one transaction in a block gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TxOutcome {
    /// Whether it did what it was sent for, rather than revert or run out of gas.
    pub is_success: bool,
    /// Gas that the sender pays for.
    pub gas_used: u64,
    /// Log events, in order.
    pub logs: Vec<Log>,
}

/// What a block changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockOutcome {
    /// Every account, slot and code that changed.
    pub diff: StateDiff,
    /// Hash of the requests to the consensus layer (EIP-7685).
    pub requests_hash: B256,
}

/// How a message ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallOutcome {
    /// It returned.
    Success {
        /// Return data.
        output: Bytes,
        /// Gas that a sender would pay for.
        gas_used: u64,
        /// Log events, in order.
        logs: Vec<Log>,
    },
    /// It reverted on purpose.
    Revert {
        /// The reason, usually ABI-encoded.
        output: Bytes,
        /// Gas that a sender would pay for.
        gas_used: u64,
    },
    /// It ran out of gas or did something impossible; all gas is used.
    Halt {
        /// The virtual machine's reason.
        reason: String,
        /// Gas that a sender would pay for.
        gas_used: u64,
    },
}

impl CallOutcome {
    /// Returns the gas that a sender would pay for.
    #[must_use]
    pub fn gas_used(&self) -> u64 {
        match self {
            Self::Success { gas_used, .. }
            | Self::Revert { gas_used, .. }
            | Self::Halt { gas_used, .. } => *gas_used,
        }
    }
}

/// The access list of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessListOutcome {
    /// Addresses and slots that were touched.
    pub access_list: AccessList,
    /// Gas used with this access list.
    pub gas_used: u64,
    /// Why the message failed, when it did.
    pub error: Option<String>,
}

/// Why an engine could not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    /// The state cannot be read.
    #[error(transparent)]
    State(#[from] StateError),
    /// The transaction or message is not valid in this block.
    #[error("{0}")]
    Refused(String),
    /// The engine failed, for example in a system contract.
    #[error("engine: {0}")]
    Failed(String),
}

explanations! {
    EngineError {
        State(error);
        Refused: "engine-refused" "the transaction or message is not valid in this block"
            "do as the words say: nonce, gas, fees and funds have to fit";
        Failed: "engine-failed" "the engine failed, in a system contract for example"
            "take back what was set at the address of a system contract, or report it";
    }
}
