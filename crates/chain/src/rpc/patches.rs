//! Setting parts of the state without a transaction, for tests of contracts.

use alloy_primitives::{Address, Bytes, U256};
use serde_json::Value;

use super::{Context, Handler, Params, RpcError};
use crate::patch::AccountPatch;

/// Bytes of code that can be set at most (EIP-7907 aims at 64 KB; a deployed contract has at most 24 KB).
const CODE_BYTES_MAX: usize = 64 << 10;

pub(super) fn handler(method: &str) -> Option<Handler> {
    Some(match method {
        "hardhat_setBalance" | "anvil_setBalance" | "evm_setAccountBalance" => {
            |context, mut params: Params| {
                let (address, balance): (Address, U256) = (params.required()?, params.required()?);
                let patch = AccountPatch { balance: Some(balance), ..AccountPatch::of(address) };
                apply(context, patch)
            }
        }
        "hardhat_setNonce" | "anvil_setNonce" | "evm_setAccountNonce" => {
            |context, mut params: Params| {
                let (address, nonce): (Address, u64) = (params.required()?, params.number()?);
                let patch = AccountPatch { nonce: Some(nonce), ..AccountPatch::of(address) };
                apply(context, patch)
            }
        }
        "hardhat_setCode" | "anvil_setCode" | "evm_setAccountCode" => {
            |context, mut params: Params| {
                let (address, code): (Address, Bytes) = (params.required()?, params.required()?);
                if code.len() > CODE_BYTES_MAX {
                    let reason = format!("{} bytes of code, at most {CODE_BYTES_MAX}", code.len());
                    return Err(RpcError::invalid_params(reason));
                }
                apply(context, AccountPatch { code: Some(code), ..AccountPatch::of(address) })
            }
        }
        "hardhat_setStorageAt" | "anvil_setStorageAt" | "evm_setAccountStorageAt" => {
            |context, mut params: Params| {
                let (address, slot): (Address, _) = (params.required()?, params.slot()?);
                let value = U256::from_be_bytes(params.slot()?.0);
                let patch = AccountPatch { slot: Some((slot, value)), ..AccountPatch::of(address) };
                apply(context, patch)
            }
        }
        _ => return None,
    })
}

fn apply(context: &Context<'_>, patch: AccountPatch) -> Result<Value, RpcError> {
    context.chain.patch(patch)?;
    Ok(Value::from(true))
}
