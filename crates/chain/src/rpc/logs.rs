//! Log events of a range of blocks.

use alloy_eips::BlockNumberOrTag;
use alloy_rpc_types_eth::{Filter, FilterBlockOption, Log};

use super::{Context, RpcError, TextHandler, convert, error::RESOURCE_NOT_FOUND, text};

/// Log events in one answer at most.
pub(crate) const LOGS_MAX: usize = 100_000;
/// Addresses or alternatives for one topic in a filter at most.
const ALTERNATIVES_MAX: usize = 1_024;

pub(super) fn handler(method: &str) -> Option<TextHandler> {
    Some(match method {
        "eth_getLogs" => |context, mut params| {
            let filter: Filter = params.required()?;
            check(&filter)?;
            text(&logs(context, &filter)?)
        },
        _ => return None,
    })
}

/// Checks that a filter does not list too much.
///
/// # Errors
///
/// Returns an error that names the bound.
pub(crate) fn check(filter: &Filter) -> Result<(), RpcError> {
    let most = filter.topics.iter().map(|topic| topic.len()).max().unwrap_or_default();
    if filter.address.len().max(most) > ALTERNATIVES_MAX {
        let reason = format!("more than {ALTERNATIVES_MAX} addresses or topics in a filter");
        return Err(RpcError::invalid_params(reason));
    }
    Ok(())
}

/// Returns the numbers of the first and the last block that a filter means.
pub(crate) fn range(
    context: &Context<'_>,
    from: Option<BlockNumberOrTag>,
    to: Option<BlockNumberOrTag>,
) -> (u64, u64) {
    let head = context.chain.head().number();
    let number = |number: Option<_>| number.map_or(head, |number| context.number(number));
    (number(from), number(to))
}

/// Returns the log events that a filter asks for.
///
/// # Errors
///
/// Returns an error when the range is upside down, names an unknown block, or holds more than [`LOGS_MAX`] events.
pub(crate) fn logs(context: &Context<'_>, filter: &Filter) -> Result<Vec<Log>, RpcError> {
    let (from, to) = match filter.block_option {
        FilterBlockOption::AtBlockHash(hash) => {
            let block = context.find(hash.into())?;
            let unknown = || RpcError::new(RESOURCE_NOT_FOUND, "unknown block");
            return Ok(convert::matching_logs(&*block.ok_or_else(unknown)?, filter));
        }
        FilterBlockOption::Range { from_block, to_block } => range(context, from_block, to_block),
    };
    if from > to {
        return Err(RpcError::invalid_params(
            "invalid block range params: fromBlock is after toBlock",
        ));
    }
    let logs = context.chain.logs(filter, from, to, LOGS_MAX)?;
    if logs.len() > LOGS_MAX {
        let reason = format!("query returned more than {LOGS_MAX} results, ask for fewer blocks");
        return Err(RpcError::limit_exceeded(reason));
    }
    Ok(logs)
}
