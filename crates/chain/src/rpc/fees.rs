//! What transactions pay.

use alloy_consensus::Transaction;
use alloy_eips::BlockNumberOrTag;
use alloy_primitives::{U64, U256};
use serde_json::{Value, json};

use super::{Context, Handler, Params, RpcError};
use crate::{block::SealedBlock, chain::base_fee_after, genesis::BLOB_PARAMS};

/// The tip that is suggested, in wei per gas: enough on a chain whose blocks are rarely full.
const TIP_SUGGESTED: u64 = 1_000_000_000;
/// Blocks in one fee history at most.
const HISTORY_BLOCKS_MAX: u64 = 1_024;
/// Percentiles of one fee history at most.
const PERCENTILES_MAX: usize = 100;

pub(super) fn handler(method: &str) -> Option<Handler> {
    Some(match method {
        "eth_gasPrice" => |context, _| {
            let base_fee = base_fee_after(&context.chain.head().header);
            Ok(json!(U64::from(base_fee.saturating_add(TIP_SUGGESTED))))
        },
        "eth_maxPriorityFeePerGas" => |_, _| Ok(json!(U64::from(TIP_SUGGESTED))),
        "eth_blobBaseFee" => |context, _| {
            let head = context.chain.head();
            Ok(json!(U256::from(context.chain.core.terms(&head.header).blob_fee)))
        },
        "eth_feeHistory" => fee_history,
        _ => return None,
    })
}

fn fee_history(context: &Context<'_>, mut params: Params) -> Result<Value, RpcError> {
    let count = params.number()?.min(HISTORY_BLOCKS_MAX);
    let newest: BlockNumberOrTag = params.required()?;
    let percentiles: Option<Vec<f64>> = params.optional()?;
    if let Some(percentiles) = &percentiles {
        let is_valid = percentiles.len() <= PERCENTILES_MAX
            && percentiles.iter().all(|p| (0.0..=100.0).contains(p))
            && percentiles.is_sorted();
        if !is_valid {
            return Err(RpcError::invalid_params("reward percentiles must ascend from 0 to 100"));
        }
    }
    let newest = context.block(newest.into())?.number();
    let count = count.min(newest + 1);
    let oldest = newest + 1 - count;
    let (mut base_fees, mut gas_ratios) = (Vec::new(), Vec::new());
    let (mut blob_fees, mut blob_ratios, mut rewards) = (Vec::new(), Vec::new(), Vec::new());
    for number in oldest..=newest {
        let block = context.block(number.into())?;
        let header = &block.header;
        if number == oldest {
            base_fees.push(U256::from(header.base_fee_per_gas.unwrap_or_default()));
            blob_fees.push(blob_fee(header.excess_blob_gas));
        }
        base_fees.push(U256::from(base_fee_after(header)));
        blob_fees.push(blob_fee(header.next_block_excess_blob_gas(BLOB_PARAMS)));
        gas_ratios.push(ratio(header.gas_used, header.gas_limit));
        let blob_gas = header.blob_gas_used.unwrap_or_default();
        blob_ratios.push(ratio(blob_gas, BLOB_PARAMS.max_blob_gas_per_block()));
        rewards.extend(percentiles.as_ref().map(|percentiles| reward(&block, percentiles)));
    }
    let mut history = json!({
        "oldestBlock": U64::from(oldest),
        "baseFeePerGas": base_fees,
        "gasUsedRatio": gas_ratios,
        "baseFeePerBlobGas": blob_fees,
        "blobGasUsedRatio": blob_ratios,
    });
    if percentiles.is_some() {
        history["reward"] = json!(rewards);
    }
    Ok(history)
}

fn blob_fee(excess_blob_gas: Option<u64>) -> U256 {
    U256::from(BLOB_PARAMS.calc_blob_fee(excess_blob_gas.unwrap_or_default()))
}

#[expect(clippy::cast_precision_loss, reason = "the protocol asks for a rounded share")]
fn ratio(part: u64, whole: u64) -> f64 {
    part as f64 / whole.max(1) as f64
}

/// Returns the tips below which these percentages of the gas of a block paid.
fn reward(block: &SealedBlock, percentiles: &[f64]) -> Vec<U256> {
    let base_fee = block.header.base_fee_per_gas.unwrap_or_default();
    let mut paid: Vec<_> = block
        .transactions
        .iter()
        .enumerate()
        .map(|(index, tx)| {
            (tx.effective_tip_per_gas(base_fee).unwrap_or_default(), block.gas_used(index))
        })
        .collect();
    paid.sort_unstable();
    let total: u64 = paid.iter().map(|(_, gas)| gas).sum();
    let reward = |percentile: &f64| {
        let mut seen = 0;
        for (tip, gas) in &paid {
            seen += gas;
            if ratio(seen, total) * 100.0 >= *percentile {
                return U256::from(*tip);
            }
        }
        U256::ZERO
    };
    percentiles.iter().map(reward).collect()
}
