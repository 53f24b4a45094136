//! Messages that are executed without a block: calls, gas estimates, access lists.

use std::sync::Arc;

use alloy_primitives::{Bytes, KECCAK256_EMPTY, U64, U256};
use alloy_rpc_types_eth::TransactionRequest;
use serde_json::{Value, json};

use super::{Context, Handler, Params, RpcError, resolve::Target};
use crate::{
    engine::{CallOutcome, Engine},
    submit::TRANSACTION_GAS_MAX,
};

/// Gas of a transfer to an account without code.
const TRANSFER_GAS: u64 = 21_000;

pub(super) fn handler(method: &str) -> Option<Handler> {
    Some(match method {
        "eth_call" => |context, mut params| {
            let message: TransactionRequest = params.required()?;
            let target = target(context, &mut params)?;
            Ok(json!(output(execute(context, &target, &message)?)?))
        },
        "eth_estimateGas" => |context, mut params| {
            let message: TransactionRequest = params.required()?;
            let target = target(context, &mut params)?;
            Ok(json!(U64::from(estimate(context, &target, &message)?)))
        },
        "eth_createAccessList" => create_access_list,
        _ => return None,
    })
}

/// Returns the state that the next parameters name, with what they assume about it.
fn target(context: &Context<'_>, params: &mut Params) -> Result<Target, RpcError> {
    context.target(params.block()?)?.with_params(params)
}

/// Executes a message.
pub(crate) fn execute(
    context: &Context<'_>,
    target: &Target,
    message: &TransactionRequest,
) -> Result<CallOutcome, RpcError> {
    let state = Arc::clone(&target.state);
    Ok(context.chain.core.engine.call(state, &target.header, message)?)
}

/// Returns what a message returned.
pub(crate) fn output(outcome: CallOutcome) -> Result<Bytes, RpcError> {
    match outcome {
        CallOutcome::Success { output, .. } => Ok(output),
        CallOutcome::Revert { output, .. } => Err(RpcError::reverted(&output)),
        CallOutcome::Halt { reason, .. } => Err(RpcError::server(reason)),
    }
}

/// Returns the least gas limit with which a message succeeds.
pub(crate) fn estimate(
    context: &Context<'_>,
    target: &Target,
    message: &TransactionRequest,
) -> Result<u64, RpcError> {
    let highest = gas_ceiling(target, message)?;
    let is_transfer = message.input.input().is_none_or(|input| input.is_empty())
        && message.authorization_list.is_none()
        && message.access_list.is_none();
    if is_transfer && let Some(alloy_primitives::TxKind::Call(to)) = message.to {
        let account = target.state.account(to)?.unwrap_or_default();
        if account.code_hash == KECCAK256_EMPTY && highest >= TRANSFER_GAS && to_is_plain(&to) {
            let with_gas = TransactionRequest { gas: Some(TRANSFER_GAS), ..message.clone() };
            if let CallOutcome::Success { .. } = execute(context, target, &with_gas)? {
                return Ok(TRANSFER_GAS);
            }
        }
    }
    let with_gas = |gas| {
        let message = TransactionRequest { gas: Some(gas), ..message.clone() };
        context.chain.core.engine.call(Arc::clone(&target.state), &target.header, &message)
    };
    least_gas(highest, with_gas)
}

fn to_is_plain(to: &alloy_primitives::Address) -> bool {
    // Precompiles have no code but use gas.
    to[..18].iter().any(|byte| *byte != 0)
}

fn least_gas(
    highest: u64,
    call: impl Fn(u64) -> Result<CallOutcome, crate::engine::EngineError>,
) -> Result<u64, RpcError> {
    let used = match call(highest)? {
        CallOutcome::Success { gas_used, .. } => gas_used,
        CallOutcome::Revert { output, .. } => return Err(RpcError::reverted(&output)),
        CallOutcome::Halt { reason, .. } => {
            return Err(RpcError::server(format!(
                "gas required exceeds allowance ({highest}): {reason}"
            )));
        }
    };
    let succeeds = |gas| matches!(call(gas), Ok(CallOutcome::Success { .. }));
    if succeeds(used) {
        return Ok(used);
    }
    // Calls pass on 63/64 of their gas and refunds come at the end, so more than what is used may be needed.
    let (mut fails, mut works) = (used, highest);
    let guess = (used.saturating_add(2_300) / 63).saturating_mul(64).saturating_add(64);
    if guess < works && succeeds(guess) {
        works = guess;
    }
    while works - fails > 1 {
        let middle = fails + (works - fails) / 2;
        if succeeds(middle) {
            works = middle;
        } else {
            fails = middle;
        }
    }
    Ok(works)
}

/// Returns the most gas that a message can use: what it says, the protocol allows, and its sender can pay.
fn gas_ceiling(target: &Target, message: &TransactionRequest) -> Result<u64, RpcError> {
    let limit = target.header.gas_limit.min(TRANSACTION_GAS_MAX);
    let limit = message.gas.map_or(limit, |gas| gas.min(limit));
    let price = message.max_fee_per_gas.or(message.gas_price).unwrap_or_default();
    if price == 0 {
        return Ok(limit);
    }
    let sender = target.state.account(message.from.unwrap_or_default())?.unwrap_or_default();
    let value = message.value.unwrap_or_default();
    let Some(left) = sender.balance.checked_sub(value) else {
        return Err(RpcError::server("insufficient funds for transfer"));
    };
    let affordable = left / U256::from(price);
    Ok(u64::try_from(affordable).map_or(limit, |gas| gas.min(limit)))
}

fn create_access_list(context: &Context<'_>, mut params: Params) -> Result<Value, RpcError> {
    let message: TransactionRequest = params.required()?;
    let Target { state, header } = target(context, &mut params)?;
    let outcome = context.chain.core.engine.access_list(state, &header, &message)?;
    let mut answer = json!({
        "accessList": outcome.access_list,
        "gasUsed": U64::from(outcome.gas_used),
    });
    if let Some(error) = outcome.error {
        answer["error"] = Value::String(error);
    }
    Ok(answer)
}
