//! Recording what a transaction does, step by step, in the forms that debuggers read.

use alloy_primitives::B256;
use alloy_rpc_types_trace::geth::{GethDebugTracingOptions, GethTrace};
use revm::{
    Inspector,
    context::{BlockEnv, TxEnv},
    context_interface::{ContextTr, context::ContextError, result::ResultAndState},
    interpreter::{Interpreter, interpreter_types::LoopControl},
};
use revm_inspectors::tracing::{
    DebugInspector, DebugInspectorError, TraceLimitBehavior, TraceLimits, TransactionContext,
};

use super::{EngineError, block_state::BlockState};

/// Steps that a trace lists at most, about 0.5 KB each.
pub const TRACE_STEPS_MAX: u64 = 400_000;
/// Memory, inputs and outputs that a trace lists at most, in bytes.
pub const TRACE_BYTES_MAX: usize = 128 << 20;

/// Records one transaction. The first part stops what would be too long to list.
pub(super) struct Tracer {
    pub(super) inspector: (StepLimit, DebugInspector),
    context: Option<TransactionContext>,
}

impl Tracer {
    /// Returns what records in the way that a debugger asks for.
    pub(super) fn new(options: &GethDebugTracingOptions) -> Result<Self, EngineError> {
        let limits = TraceLimits::default()
            .set_max_recorded_bytes(Some(TRACE_BYTES_MAX))
            .set_behavior(TraceLimitBehavior::Halt);
        let mut left = u64::MAX;
        let inspector = match DebugInspector::new(options.clone()).map_err(refused)? {
            DebugInspector::Default(inspector, config) => {
                left = TRACE_STEPS_MAX;
                DebugInspector::Default(inspector.with_limits(limits), config)
            }
            DebugInspector::CallTracer(inspector, config) => {
                DebugInspector::CallTracer(inspector.with_limits(limits), config)
            }
            DebugInspector::FlatCallTracer(inspector) => {
                DebugInspector::FlatCallTracer(inspector.with_limits(limits))
            }
            DebugInspector::PreStateTracer(inspector, config) => {
                DebugInspector::PreStateTracer(inspector.with_limits(limits), config)
            }
            other => {
                left = TRACE_STEPS_MAX;
                other
            }
        };
        Ok(Self { inspector: (StepLimit { left }, inspector), context: None })
    }

    /// Names the transaction that is recorded.
    pub(super) fn in_block(mut self, block_hash: B256, index: usize, hash: B256) -> Self {
        self.context = Some(TransactionContext {
            block_hash: Some(block_hash),
            tx_index: Some(index),
            tx_hash: Some(hash),
        });
        self
    }

    /// Returns the trace. `before` is the state before the transaction.
    pub(super) fn finish(
        mut self,
        tx: &TxEnv,
        block: &BlockEnv,
        outcome: &ResultAndState,
        before: &mut BlockState,
    ) -> Result<GethTrace, EngineError> {
        self.inspector.1.get_result(self.context, tx, block, outcome, before).map_err(refused)
    }
}

/// Ends the execution when too many steps have been listed.
pub(super) struct StepLimit {
    left: u64,
}

impl<C: ContextTr> Inspector<C> for StepLimit {
    fn step(&mut self, interpreter: &mut Interpreter, context: &mut C) {
        if let Some(left) = self.left.checked_sub(1) {
            self.left = left;
            return;
        }
        let reason = format!("trace has more than {TRACE_STEPS_MAX} steps");
        *context.error() = Err(ContextError::Custom(reason));
        interpreter.bytecode.reset_action();
        interpreter.halt_fatal();
    }
}

fn refused<E: std::fmt::Display>(error: DebugInspectorError<E>) -> EngineError {
    EngineError::Refused(error.to_string())
}
