//! What happened inside a transaction: steps, calls, and the state before and after.

use std::sync::Arc;

use alloy_eips::BlockId;
use alloy_primitives::{B256, TxHash};
use alloy_rpc_types_eth::TransactionRequest;
use alloy_rpc_types_trace::{
    geth::{
        GethDebugBuiltInTracerType, GethDebugTracingCallOptions, GethDebugTracingOptions, GethTrace,
    },
    parity::LocalizedTransactionTrace,
};
use serde::Serialize;
use serde_json::value::RawValue;

use super::{Context, Params, RpcError, TextHandler, error::RESOURCE_NOT_FOUND, text};
use crate::{block::SealedBlock, engine::Engine};

/// Bytes of the traces of all transactions of a block together at most.
pub(crate) const BLOCK_TRACES_BYTES_MAX: usize = 256 << 20;

pub(super) fn handler(method: &str) -> Option<TextHandler> {
    Some(match method {
        "debug_traceTransaction" => |context, mut params| {
            let (block, index) = transaction(context, params.required()?)?;
            let options = params.optional()?.unwrap_or_default();
            one(&mut traces(context, &block, Some(index), &options)?)
        },
        "debug_traceBlockByNumber" | "debug_traceBlockByHash" => trace_block,
        "debug_traceCall" => trace_call,
        "trace_transaction" => |context, mut params| {
            let (block, index) = transaction(context, params.required()?)?;
            text(&flat_traces(context, &block, Some(index))?)
        },
        "trace_block" => |context, mut params| {
            let block = context.block(params.block()?)?;
            text(&flat_traces(context, &block, None)?)
        },
        _ => return None,
    })
}

fn transaction(context: &Context<'_>, hash: TxHash) -> Result<(Arc<SealedBlock>, usize), RpcError> {
    let found = context.chain.transaction(hash)?;
    found.ok_or_else(|| RpcError::new(RESOURCE_NOT_FOUND, "transaction not found"))
}

/// The trace of one transaction of a block.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Traced {
    tx_hash: B256,
    result: Box<RawValue>,
}

fn one(traces: &mut Vec<Traced>) -> Result<Box<RawValue>, RpcError> {
    let trace = traces.pop().ok_or_else(|| RpcError::internal("the transaction left no trace"))?;
    Ok(trace.result)
}

/// Executes the transactions of a block once more and returns the traces of one of them or of all.
fn traces(
    context: &Context<'_>,
    block: &SealedBlock,
    only: Option<usize>,
    options: &GethDebugTracingOptions,
) -> Result<Vec<Traced>, RpcError> {
    let mut found = Vec::new();
    let mut bytes = 0;
    replay(context, block, only, options, &mut |hash, trace| {
        let result = text(&trace)?;
        bytes += result.get().len();
        if bytes > BLOCK_TRACES_BYTES_MAX {
            let reason = format!("traces have more than {BLOCK_TRACES_BYTES_MAX} bytes");
            return Err(RpcError::limit_exceeded(reason));
        }
        found.push(Traced { tx_hash: hash, result });
        Ok(())
    })?;
    Ok(found)
}

fn replay(
    context: &Context<'_>,
    block: &SealedBlock,
    only: Option<usize>,
    options: &GethDebugTracingOptions,
    each: &mut dyn FnMut(B256, GethTrace) -> Result<(), RpcError>,
) -> Result<(), RpcError> {
    let Some(parent) = block.number().checked_sub(1) else {
        return Err(RpcError::server("the first block cannot be traced"));
    };
    let state = Arc::new(context.chain.state_at(parent)?);
    let mut execution = context.chain.core.engine.begin_block(state, block.header.clone())?;
    for (index, transaction) in block.transactions.iter().enumerate() {
        if only.is_none_or(|only| only == index) {
            let trace = execution.trace(transaction, options)?;
            each(*transaction.inner().hash(), trace)?;
        } else {
            execution.execute(transaction)?;
        }
        if only == Some(index) {
            break;
        }
    }
    Ok(())
}

fn trace_block(context: &Context<'_>, mut params: Params) -> Result<Box<RawValue>, RpcError> {
    let block = context.block(params.required::<BlockId>()?)?;
    let options = params.optional()?.unwrap_or_default();
    text(&traces(context, &block, None, &options)?)
}

fn trace_call(context: &Context<'_>, mut params: Params) -> Result<Box<RawValue>, RpcError> {
    let message: TransactionRequest = params.required()?;
    let target = context.target(params.block()?)?;
    let options: GethDebugTracingCallOptions = params.optional()?.unwrap_or_default();
    if options.tx_index.is_some() {
        return Err(RpcError::invalid_params("txIndex is not supported"));
    }
    let target = target.with(options.state_overrides, options.block_overrides)?;
    let engine = &context.chain.core.engine;
    let trace =
        engine.trace_call(target.state, &target.header, &message, &options.tracing_options)?;
    text(&trace)
}

/// Returns the calls of one transaction of a block or of all, in the form of OpenEthereum.
fn flat_traces(
    context: &Context<'_>,
    block: &SealedBlock,
    only: Option<usize>,
) -> Result<Vec<LocalizedTransactionTrace>, RpcError> {
    let options = GethDebugTracingOptions::new_tracer(GethDebugBuiltInTracerType::FlatCallTracer);
    let mut found = Vec::new();
    replay(context, block, only, &options, &mut |_, trace| {
        let GethTrace::FlatCallTracer(calls) = trace else {
            return Err(RpcError::internal("the flat call tracer gave another trace"));
        };
        found.extend(calls);
        Ok(())
    })?;
    Ok(found)
}
