//! What JSON-RPC answers look like: only the members that are used, each with a fixed width.

use alloy_primitives::{Address, B256, Bytes, U64, U128};
use serde::{Deserialize, Deserializer, Serialize};

/// Number and hash of a block: where something stands on the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct BlockRef {
    /// Block number.
    pub number: u64,
    /// Block hash.
    pub hash: B256,
}

/// A block header, without what is not used here.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Block {
    /// Block number.
    #[serde(deserialize_with = "u64_hex")]
    pub number: u64,
    /// Block hash.
    pub hash: B256,
    /// Hash of the block before.
    pub parent_hash: B256,
    /// Unix time, s.
    #[serde(deserialize_with = "u64_hex")]
    pub timestamp: u64,
    /// Most gas that all transactions of a block use together.
    #[serde(deserialize_with = "u64_hex")]
    pub gas_limit: u64,
    /// Least price of gas, wei; `None` on chains from before EIP-1559.
    #[serde(default, deserialize_with = "u128_hex_option")]
    pub base_fee_per_gas: Option<u128>,
}

impl Block {
    /// Returns number and hash.
    #[must_use]
    pub fn block_ref(&self) -> BlockRef {
        BlockRef { number: self.number, hash: self.hash }
    }
}

/// What became of a transaction.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Receipt {
    /// Hash of the transaction.
    pub transaction_hash: B256,
    /// Number of its block.
    #[serde(deserialize_with = "u64_hex")]
    pub block_number: u64,
    /// Hash of its block.
    pub block_hash: B256,
    /// 1: carried out, 0: reverted.
    #[serde(deserialize_with = "u64_hex")]
    pub status: u64,
    /// Gas that it used.
    #[serde(deserialize_with = "u64_hex")]
    pub gas_used: u64,
    /// Blob gas that it used; `None` for transactions without blobs.
    #[serde(default, deserialize_with = "u64_hex_option")]
    pub blob_gas_used: Option<u64>,
    /// What it paid for each unit of gas, wei.
    #[serde(default, deserialize_with = "u128_hex_option")]
    pub effective_gas_price: Option<u128>,
    /// Where a contract was deployed.
    #[serde(default)]
    pub contract_address: Option<Address>,
    /// What the contracts told.
    pub logs: Vec<Log>,
}

impl Receipt {
    /// True if the transaction was carried out, false if it reverted.
    #[must_use]
    pub fn is_success(&self) -> bool {
        self.status == 1
    }
}

/// What a transaction called.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Transaction {
    /// Its hash.
    pub hash: B256,
    /// The contract; `None` where it deployed one.
    #[serde(default)]
    pub to: Option<Address>,
    /// Selector and arguments.
    pub input: Bytes,
    /// The blobs that it published.
    #[serde(default, deserialize_with = "or_none")]
    pub blob_versioned_hashes: Vec<B256>,
}

/// One log entry of a block.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Log {
    /// The contract that wrote it.
    pub address: Address,
    /// Signature hash and indexed arguments.
    pub topics: Vec<B256>,
    /// The other arguments, ABI-encoded.
    pub data: Bytes,
    /// Number of its block.
    #[serde(deserialize_with = "u64_hex")]
    pub block_number: u64,
    /// Hash of its block.
    pub block_hash: B256,
    /// Hash of its transaction.
    pub transaction_hash: B256,
    /// Position in the block.
    #[serde(deserialize_with = "u64_hex")]
    pub log_index: u64,
    /// True if a re-organization took the entry away.
    #[serde(default)]
    pub removed: bool,
}

/// Some clients write `null` for what a transaction does not have.
fn or_none<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<B256>, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

fn u64_hex<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    U64::deserialize(deserializer).map(|value| value.to())
}

fn u64_hex_option<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    Ok(Option::<U64>::deserialize(deserializer)?.map(|value| value.to()))
}

fn u128_hex_option<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u128>, D::Error> {
    Ok(Option::<U128>::deserialize(deserializer)?.map(|value| value.to()))
}
