//! Time and sealing as developers steer them: the `evm_` methods, also under the names that other tools use.

use std::time::Duration;

use alloy_primitives::{U64, U256};
use serde_json::{Value, json};

use super::{Context, Handler, Params, RpcError};
use crate::config::Sealing;

/// The last second of the year 9999: later timestamps are refused, since other programs cannot show them.
const TIMESTAMP_MAX: u64 = 253_402_300_799;
/// Blocks that one request seals at most.
const MINED_BLOCKS_MAX: u64 = 10_000;

pub(super) fn handler(method: &str) -> Option<Handler> {
    Some(match method {
        "evm_mine" => evm_mine,
        "hardhat_mine" | "anvil_mine" => mine,
        "evm_setAutomine" | "anvil_setAutomine" => set_automine,
        "hardhat_getAutomine" | "anvil_getAutomine" => {
            |context, _| Ok(json!(context.chain.sealing() == Sealing::Instant))
        }
        "evm_setIntervalMining" | "anvil_setIntervalMining" => set_interval,
        "anvil_getIntervalMining" => |context, _| match context.chain.sealing() {
            Sealing::Interval(period) => Ok(json!(period.as_secs())),
            Sealing::Instant | Sealing::Manual => Ok(Value::Null),
        },
        "evm_increaseTime" | "anvil_increaseTime" => |context, mut params: Params| {
            let seconds = params.number()?;
            check(context.chain.core.time.now().saturating_add(seconds))?;
            Ok(json!(context.chain.core.time.advance(seconds)))
        },
        "evm_setNextBlockTimestamp" | "anvil_setNextBlockTimestamp" => set_next_timestamp,
        "evm_setTime" | "anvil_setTime" => set_time,
        "evm_snapshot" | "anvil_snapshot" => {
            |context, _| Ok(json!(U256::from(context.chain.snapshot())))
        }
        "evm_revert" | "anvil_revert" => |context, mut params: Params| {
            Ok(json!(context.chain.revert_to_snapshot(params.number()?)?))
        },
        "hardhat_reset" | "anvil_reset" => reset,
        _ => return None,
    })
}

/// Takes every block back. Only what is lost with the process anyway is given up so easily.
fn reset(context: &Context<'_>, mut params: Params) -> Result<Value, RpcError> {
    let options = params.raw().unwrap_or_default();
    if options.get("forking").is_some_and(|forking| !forking.is_null()) {
        return Err(RpcError::invalid_params("forking another chain is not supported"));
    }
    if context.chain.core.config.folder.is_some() {
        let reason = "a chain that is kept in a folder is not reset: remove the folder";
        return Err(RpcError::server(reason));
    }
    context.chain.revert_to(0)?;
    let time = &context.chain.core.time;
    match context.chain.core.config.genesis_time_unix_s {
        Some(start) => time.set_now(start),
        None => time.restore(0),
    }
    Ok(Value::from(true))
}

fn evm_mine(context: &Context<'_>, mut params: Params) -> Result<Value, RpcError> {
    let (timestamp, count) = match params.raw() {
        None => (None, 1),
        Some(Value::Object(options)) => {
            let number = |key: &str| match options.get(key) {
                None | Some(Value::Null) => Ok(None),
                Some(value) => Params::new(json!([value]))?.optional_number(),
            };
            (number("timestamp")?, number("blocks")?.unwrap_or(1))
        }
        Some(value) => (Some(Params::new(json!([value]))?.number()?), 1),
    };
    if let Some(timestamp) = timestamp {
        set_next(context, timestamp)?;
    }
    seal(context, count, None)?;
    Ok(Value::from("0x0"))
}

fn mine(context: &Context<'_>, mut params: Params) -> Result<Value, RpcError> {
    let count = params.optional_number()?.unwrap_or(1);
    let spacing_s = params.optional_number()?;
    seal(context, count, spacing_s)?;
    Ok(Value::Null)
}

fn seal(context: &Context<'_>, count: u64, spacing_s: Option<u64>) -> Result<(), RpcError> {
    if count > MINED_BLOCKS_MAX {
        let reason = format!("{count} blocks, at most {MINED_BLOCKS_MAX} in one request");
        return Err(RpcError::invalid_params(reason));
    }
    for index in 0..count {
        if let (Some(spacing_s), true) = (spacing_s, index > 0) {
            let head = context.chain.head().header.timestamp;
            set_next(context, head.saturating_add(spacing_s.max(1)))?;
        }
        context.chain.mine()?;
    }
    Ok(())
}

fn set_automine(context: &Context<'_>, mut params: Params) -> Result<Value, RpcError> {
    let is_on: bool = params.required()?;
    context.chain.set_sealing(if is_on { Sealing::Instant } else { Sealing::Manual });
    Ok(Value::from(true))
}

fn set_interval(context: &Context<'_>, mut params: Params) -> Result<Value, RpcError> {
    let seconds = params.number()?;
    context.chain.set_sealing(match seconds {
        0 => Sealing::Manual,
        // Hardhat gives milliseconds and anvil seconds; nobody wants blocks hours apart.
        _ if seconds >= 1_000 => Sealing::Interval(Duration::from_millis(seconds)),
        _ => Sealing::Interval(Duration::from_secs(seconds)),
    });
    Ok(Value::from(true))
}

fn set_next_timestamp(context: &Context<'_>, mut params: Params) -> Result<Value, RpcError> {
    set_next(context, params.number()?)?;
    Ok(Value::Null)
}

fn check(timestamp: u64) -> Result<(), RpcError> {
    if timestamp > TIMESTAMP_MAX {
        let reason = format!("timestamp {timestamp} is after the year 9999");
        return Err(RpcError::invalid_params(reason));
    }
    Ok(())
}

fn set_next(context: &Context<'_>, timestamp: u64) -> Result<(), RpcError> {
    let head = context.chain.head().header.timestamp;
    if timestamp <= head {
        let reason = format!("timestamp {timestamp} is not after that of the last block, {head}");
        return Err(RpcError::invalid_params(reason));
    }
    check(timestamp)?;
    context.chain.core.time.set_next(timestamp);
    Ok(())
}

fn set_time(context: &Context<'_>, mut params: Params) -> Result<Value, RpcError> {
    let given = params.number()?;
    // Milliseconds are told from seconds by their size: seconds of that size are after the year 5000.
    let unix_s = if given > 100_000_000_000 { given / 1_000 } else { given };
    check(unix_s)?;
    let before = context.chain.core.time.now();
    context.chain.core.time.set_now(unix_s);
    Ok(json!(U64::from(unix_s.abs_diff(before))))
}
