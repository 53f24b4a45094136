//! Methods with the same answer always, and what a client asks to know whom it talks to.

use alloy_primitives::{Address, Bytes, U64, U256, keccak256};
use serde_json::{Value, json};

use super::{Context, Handler, Params, RpcError};

pub(super) fn handler(method: &str) -> Option<Handler> {
    Some(match method {
        "web3_clientVersion" => |_, _| Ok(Value::from(CLIENT_VERSION)),
        "web3_sha3" => |_, mut params: Params| {
            let bytes: Bytes = params.required()?;
            Ok(json!(keccak256(bytes)))
        },
        "net_version" => |context, _| Ok(Value::from(context.chain.chain_id().to_string())),
        "net_listening" => |_, _| Ok(Value::from(true)),
        "net_peerCount" | "eth_hashrate" => |_, _| Ok(json!(U64::ZERO)),
        "eth_chainId" => |context, _| Ok(json!(U64::from(context.chain.chain_id()))),
        "eth_protocolVersion" => |_, _| Ok(Value::from("0x41")),
        "eth_syncing" | "eth_mining" | "eth_submitWork" | "eth_submitHashrate" => {
            |_, _| Ok(Value::from(false))
        }
        "eth_coinbase" => coinbase,
        "eth_getCompilers" => |_, _| Ok(json!([])),
        "eth_getUncleCountByBlockHash" | "eth_getUncleCountByBlockNumber" => uncle_count,
        "eth_getUncleByBlockHashAndIndex" | "eth_getUncleByBlockNumberAndIndex" => {
            |_, _| Ok(Value::Null)
        }
        "eth_config" => config,
        "hardhat_metadata" | "anvil_metadata" | "anvil_nodeInfo" => metadata,
        "rpc_modules" => |_, _| {
            Ok(json!({
                "anvil": "1.0", "debug": "1.0", "eth": "1.0", "evm": "1.0", "hardhat": "1.0",
                "net": "1.0", "personal": "1.0", "rpc": "1.0", "trace": "1.0", "txpool": "1.0",
                "web3": "1.0"
            }))
        },
        _ => return None,
    })
}

const CLIENT_VERSION: &str = concat!("gridtally/v", env!("CARGO_PKG_VERSION"));

fn coinbase(context: &Context<'_>, _: Params) -> Result<Value, RpcError> {
    let recipient = context.chain.core.config.fee_recipient;
    Ok(json!(recipient))
}

/// Returns the fork id of a chain that has had the same rules from its first block on (EIP-2124).
fn fork_id(context: &Context<'_>) -> Result<Bytes, RpcError> {
    let genesis = context.block(0.into())?;
    Ok(crc32fast::hash(genesis.hash.as_slice()).to_be_bytes().into())
}

/// Returns what Hardhat and Foundry ask to know that they talk to a development chain.
fn metadata(context: &Context<'_>, _: Params) -> Result<Value, RpcError> {
    let head = context.chain.head();
    Ok(json!({
        "chainId": context.chain.chain_id(),
        "clientVersion": CLIENT_VERSION,
        "hardFork": "osaka",
        "latestBlockHash": head.hash,
        "latestBlockNumber": head.number(),
    }))
}

fn uncle_count(context: &Context<'_>, mut params: Params) -> Result<Value, RpcError> {
    let block = context.find(params.required()?)?;
    Ok(block.map_or(Value::Null, |_| json!(U256::ZERO)))
}

/// Returns the rules of the chain (EIP-7910). They are the same from the first block on.
fn config(context: &Context<'_>, _: Params) -> Result<Value, RpcError> {
    use alloy_eips::{eip2935, eip4788, eip7002, eip7251};
    let precompile = |last: u8| Address::with_last_byte(last);
    let blobs = crate::genesis::BLOB_PARAMS;
    let current = json!({
        "activationTime": 0,
        "blobSchedule": {
            "baseFeeUpdateFraction": blobs.update_fraction,
            "max": blobs.max_blob_count,
            "target": blobs.target_blob_count,
        },
        "chainId": U64::from(context.chain.chain_id()),
        "forkId": fork_id(context)?,
        "precompiles": {
            "BLAKE2F": precompile(9),
            "BLS12_G1ADD": precompile(0x0b),
            "BLS12_G1MSM": precompile(0x0c),
            "BLS12_G2ADD": precompile(0x0d),
            "BLS12_G2MSM": precompile(0x0e),
            "BLS12_MAP_FP2_TO_G2": precompile(0x11),
            "BLS12_MAP_FP_TO_G1": precompile(0x10),
            "BLS12_PAIRING_CHECK": precompile(0x0f),
            "BN254_ADD": precompile(6),
            "BN254_MUL": precompile(7),
            "BN254_PAIRING": precompile(8),
            "ECREC": precompile(1),
            "ID": precompile(4),
            "KZG_POINT_EVALUATION": precompile(0x0a),
            "MODEXP": precompile(5),
            "P256VERIFY": Address::left_padding_from(&[1, 0]),
            "RIPEMD160": precompile(3),
            "SHA256": precompile(2),
        },
        "systemContracts": {
            "BEACON_ROOTS_ADDRESS": eip4788::BEACON_ROOTS_ADDRESS,
            "CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS": eip7251::CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS,
            "HISTORY_STORAGE_ADDRESS": eip2935::HISTORY_STORAGE_ADDRESS,
            "WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS": eip7002::WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS,
        },
    });
    Ok(json!({ "current": current, "next": null, "last": null }))
}
