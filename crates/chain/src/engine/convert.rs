//! Between the types of the chain (alloy) and those of the engine (ethrex).
//!
//! Transactions and blocks go through their canonical encoding, which both sides implement independently.

use alloy_consensus::{Block, Header, TxEnvelope};
use alloy_eips::eip2718::Encodable2718;
use alloy_primitives::{Address, B256, Bytes, Log, LogData, U256};
use alloy_rpc_types_eth::TransactionRequest;
use ethrex_common::{
    H160, H256,
    types::{
        AccessListEntry, AuthorizationTupleEntry, Block as EthrexBlock,
        BlockHeader as EthrexHeader, GenericTransaction, Log as EthrexLog, Transaction, TxKind,
        TxType,
    },
};
use ethrex_rlp::decode::RLPDecode;

use super::EngineError;

/// Gas limit of one transaction since Osaka.
///
/// # Source
///
/// EIP-7825.
pub(crate) const TX_GAS_MAX: u64 = 1 << 24;

pub(super) fn h160(address: Address) -> H160 {
    H160(address.into_array())
}

pub(super) fn address(h160: H160) -> Address {
    Address::from(h160.0)
}

pub(super) fn h256(value: B256) -> H256 {
    H256(value.0)
}

pub(super) fn b256(value: H256) -> B256 {
    B256::from(value.0)
}

pub(super) fn from_u256(value: U256) -> ethrex_common::U256 {
    ethrex_common::U256(value.into_limbs())
}

pub(super) fn to_u256(value: ethrex_common::U256) -> U256 {
    U256::from_limbs(value.0)
}

pub(super) fn log(log: EthrexLog) -> Log {
    let topics = log.topics.into_iter().map(b256).collect();
    Log {
        address: address(log.address),
        data: LogData::new_unchecked(topics, Bytes::from(log.data)),
    }
}

/// Returns the engine's form of a transaction.
///
/// # Errors
///
/// Returns [`EngineError::Failed`] when the engine does not read the canonical encoding.
pub fn ethrex_transaction(transaction: &TxEnvelope) -> Result<Transaction, EngineError> {
    Transaction::decode_canonical(&transaction.encoded_2718())
        .map_err(|e| EngineError::Failed(format!("transaction is not readable: {e}")))
}

/// Returns the engine's form of a header.
///
/// # Errors
///
/// Returns [`EngineError::Failed`] when the engine does not read the canonical encoding.
pub fn ethrex_header(header: &Header) -> Result<EthrexHeader, EngineError> {
    EthrexHeader::decode(&alloy_rlp::encode(header))
        .map_err(|e| EngineError::Failed(format!("header is not readable: {e}")))
}

/// Returns the engine's form of a block.
///
/// # Errors
///
/// Returns [`EngineError::Failed`] when the engine does not read the canonical encoding.
pub fn ethrex_block(block: &Block<TxEnvelope>) -> Result<EthrexBlock, EngineError> {
    EthrexBlock::decode(&alloy_rlp::encode(block))
        .map_err(|e| EngineError::Failed(format!("block is not readable: {e}")))
}

/// Returns the engine's form of a message for `eth_call` and the like.
///
/// Gas above [`TX_GAS_MAX`] is lowered to it, since clients often offer a whole block's.
///
/// # Errors
///
/// Returns [`EngineError::Refused`] when a fee exceeds 2^64 wei per gas.
pub fn generic_transaction(
    message: &TransactionRequest,
) -> Result<GenericTransaction, EngineError> {
    let fee = |name: &str, value: Option<u128>| {
        value
            .map(|value| {
                u64::try_from(value)
                    .map_err(|_| EngineError::Refused(format!("{name} {value} exceeds 2^64 wei")))
            })
            .transpose()
    };
    let max_fee_per_gas = fee("maxFeePerGas", message.max_fee_per_gas)?;
    let gas_price = fee("gasPrice", message.gas_price)?;
    let authorization_list = message.authorization_list.as_ref().map(|list| {
        let entries = list.iter().map(|signed| AuthorizationTupleEntry {
            chain_id: from_u256(signed.chain_id),
            address: h160(signed.address),
            nonce: signed.nonce,
            y_parity: ethrex_common::U256::from(signed.y_parity()),
            r: from_u256(signed.r()),
            s: from_u256(signed.s()),
        });
        entries.collect::<Vec<_>>()
    });
    let r#type = if authorization_list.is_some() {
        TxType::EIP7702
    } else if message.blob_versioned_hashes.is_some() {
        TxType::EIP4844
    } else if max_fee_per_gas.is_some() || message.max_priority_fee_per_gas.is_some() {
        TxType::EIP1559
    } else if message.access_list.is_some() {
        TxType::EIP2930
    } else {
        TxType::Legacy
    };
    let access_list = message.access_list.iter().flat_map(|list| &list.0).map(|item| {
        let storage_keys = item.storage_keys.iter().copied().map(h256).collect();
        AccessListEntry { address: h160(item.address), storage_keys }
    });
    let to = match message.to {
        Some(alloy_primitives::TxKind::Call(to)) => TxKind::Call(h160(to)),
        Some(alloy_primitives::TxKind::Create) | None => TxKind::Create,
    };
    let blob_versioned_hashes =
        message.blob_versioned_hashes.iter().flatten().copied().map(h256).collect();
    Ok(GenericTransaction {
        r#type,
        nonce: message.nonce,
        to,
        from: h160(super::sender_of(message)),
        gas: Some(message.gas.unwrap_or(TX_GAS_MAX).min(TX_GAS_MAX)),
        value: from_u256(message.value.unwrap_or_default()),
        gas_price: gas_price.or(max_fee_per_gas).unwrap_or_default().into(),
        max_priority_fee_per_gas: fee("maxPriorityFeePerGas", message.max_priority_fee_per_gas)?,
        max_fee_per_gas,
        max_fee_per_blob_gas: message.max_fee_per_blob_gas.map(Into::into),
        access_list: access_list.collect(),
        authorization_list,
        blob_versioned_hashes,
        chain_id: message.chain_id,
        input: message.input.input().cloned().unwrap_or_default().0,
        ..GenericTransaction::default()
    })
}
