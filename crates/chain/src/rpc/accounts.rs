//! Signing for the funded accounts, whose keys everybody knows, and acting for accounts without their keys.

use alloy_dyn_abi::TypedData;
use alloy_primitives::{Address, Bytes, Signature};
use alloy_signer::SignerSync;
use alloy_signer_local::PrivateKeySigner;
use serde_json::{Value, json};

use super::{Context, Handler, Params, RpcError, json, memory::IMPERSONATED_MAX};
use crate::accounts::{funded_addresses, funded_signer};

pub(super) fn handler(method: &str) -> Option<Handler> {
    Some(match method {
        "eth_accounts" | "eth_requestAccounts" | "personal_listAccounts" => {
            |_, _| Ok(json!(funded_addresses()))
        }
        "eth_sign" => |_, mut params: Params| {
            let (address, message): (Address, Bytes) = (params.required()?, params.required()?);
            sign_message(address, &message)
        },
        "personal_sign" => |_, mut params: Params| {
            let (message, address): (Bytes, Address) = (params.required()?, params.required()?);
            sign_message(address, &message)
        },
        "eth_signTypedData" | "eth_signTypedData_v3" | "eth_signTypedData_v4" => sign_typed_data,
        "hardhat_impersonateAccount" | "anvil_impersonateAccount" => impersonate,
        "hardhat_stopImpersonatingAccount" | "anvil_stopImpersonatingAccount" => {
            |context, mut params: Params| {
                let address: Address = params.required()?;
                let stopped = context.chain.core.rpc.impersonated().accounts.remove(&address);
                Ok(Value::from(stopped))
            }
        }
        "anvil_autoImpersonateAccount" => |context, mut params: Params| {
            context.chain.core.rpc.impersonated().is_everybody = params.required()?;
            Ok(Value::Null)
        },
        _ => return None,
    })
}

/// Returns the signer of an account.
///
/// # Errors
///
/// Returns an error when the account is not one of the funded ones.
pub(crate) fn signer(address: Address) -> Result<&'static PrivateKeySigner, RpcError> {
    funded_signer(address).ok_or_else(|| RpcError::server("unknown account"))
}

fn sign_message(address: Address, message: &Bytes) -> Result<Value, RpcError> {
    Ok(signature(signer(address)?.sign_message_sync(message).map_err(RpcError::internal)?))
}

fn sign_typed_data(_: &Context<'_>, mut params: Params) -> Result<Value, RpcError> {
    let signer = signer(params.required()?)?;
    let missing = || RpcError::invalid_params("missing value for required parameter 2");
    // MetaMask takes the data as text, other clients as an object.
    let data = match params.raw().ok_or_else(missing)? {
        Value::String(text) => json::parse(text.as_bytes()).map_err(RpcError::invalid_params)?,
        data => data,
    };
    let data: TypedData = serde_json::from_value(data).map_err(RpcError::invalid_params)?;
    let hash = data.eip712_signing_hash().map_err(RpcError::invalid_params)?;
    Ok(signature(signer.sign_hash_sync(&hash).map_err(RpcError::internal)?))
}

fn signature(signature: Signature) -> Value {
    json!(Bytes::from(signature.as_bytes()))
}

fn impersonate(context: &Context<'_>, mut params: Params) -> Result<Value, RpcError> {
    let address: Address = params.required()?;
    let mut impersonated = context.chain.core.rpc.impersonated();
    if impersonated.accounts.len() >= IMPERSONATED_MAX {
        let reason = format!("too many accounts: {IMPERSONATED_MAX} are impersonated");
        return Err(RpcError::limit_exceeded(reason));
    }
    impersonated.accounts.insert(address);
    Ok(Value::from(true))
}
