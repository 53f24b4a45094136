//! Log events of a range of blocks.

use alloy_rpc_types_eth::{Filter, FilterBlockOption, Log};
use serde_json::json;

use super::{Context, Handler, Params, RpcError, convert, error::RESOURCE_NOT_FOUND};

/// Log events in one answer at most.
pub(crate) const LOGS_MAX: usize = 100_000;

pub(super) fn handler(method: &str) -> Option<Handler> {
    Some(match method {
        "eth_getLogs" => |context, mut params: Params| {
            let filter: Filter = params.required()?;
            Ok(json!(logs(context, &filter)?))
        },
        _ => return None,
    })
}

/// Returns the log events that a filter asks for.
///
/// # Errors
///
/// Returns an error when the range is upside down, names an unknown block, or holds more than [`LOGS_MAX`] events.
pub(crate) fn logs(context: &Context<'_>, filter: &Filter) -> Result<Vec<Log>, RpcError> {
    let head = context.chain.head().number();
    let (from, to) = match filter.block_option {
        FilterBlockOption::AtBlockHash(hash) => {
            let block = context.find(hash.into())?;
            let unknown = || RpcError::new(RESOURCE_NOT_FOUND, "unknown block");
            return Ok(convert::matching_logs(&*block.ok_or_else(unknown)?, filter));
        }
        FilterBlockOption::Range { from_block, to_block } => (
            from_block.map_or(head, |number| context.number(number)),
            to_block.map_or(head, |number| context.number(number)),
        ),
    };
    if from > to {
        return Err(RpcError::invalid_params(
            "invalid block range params: fromBlock is after toBlock",
        ));
    }
    let logs = context.chain.logs(filter, from, to, LOGS_MAX)?;
    if logs.len() > LOGS_MAX {
        return Err(RpcError::server(format!("query returned more than {LOGS_MAX} results")));
    }
    Ok(logs)
}
