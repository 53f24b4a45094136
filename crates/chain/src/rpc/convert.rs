//! From the chain's blocks to the forms in which JSON-RPC shows them.

use alloy_consensus::{Transaction as _, TxEnvelope};
use alloy_primitives::U256;
use alloy_rlp::Encodable;
use alloy_rpc_types_eth::{
    Block, BlockTransactions, Filter, Header, Log, Transaction, TransactionReceipt,
};

use crate::{block::SealedBlock, genesis::BLOB_PARAMS, pool::PooledTransaction};

/// Returns the header of a block.
pub(crate) fn header(block: &SealedBlock) -> Header {
    Header {
        hash: block.hash,
        inner: block.header.clone(),
        total_difficulty: Some(U256::ZERO),
        size: Some(U256::from(block.to_consensus().length())),
    }
}

/// Returns a block with its transactions, or with their hashes only.
pub(crate) fn block(block: &SealedBlock, is_full: bool) -> Block {
    let transactions = if is_full {
        BlockTransactions::Full(
            (0..block.transactions.len()).map(|i| transaction(block, i)).collect(),
        )
    } else {
        let hashes = block.transactions.iter().map(|transaction| *transaction.inner().hash());
        BlockTransactions::Hashes(hashes.collect())
    };
    Block {
        header: header(block),
        uncles: Vec::new(),
        transactions,
        withdrawals: Some(alloy_eips::eip4895::Withdrawals::default()),
    }
}

/// Returns the transaction at `index` of a block.
pub(crate) fn transaction(block: &SealedBlock, index: usize) -> Transaction<TxEnvelope> {
    let inner = block.transactions[index].clone();
    let price = inner.effective_gas_price(block.header.base_fee_per_gas);
    Transaction {
        inner,
        block_hash: Some(block.hash),
        block_number: Some(block.number()),
        transaction_index: Some(index as u64),
        effective_gas_price: Some(price),
        block_timestamp: Some(block.header.timestamp),
    }
}

/// Returns a transaction that waits for a block.
pub(crate) fn pending_transaction(pooled: &PooledTransaction) -> Transaction<TxEnvelope> {
    Transaction {
        inner: pooled.transaction.clone(),
        block_hash: None,
        block_number: None,
        transaction_index: None,
        effective_gas_price: None,
        block_timestamp: None,
    }
}

/// Returns the receipt of the transaction at `index` of a block.
pub(crate) fn receipt(block: &SealedBlock, index: usize) -> TransactionReceipt {
    let transaction = &block.transactions[index];
    let first_log = block.logs_before(index) as u64;
    let envelope = block.receipt_envelope(index);
    let mut log_index = first_log;
    let inner = envelope.map_logs(|inner| {
        log_index += 1;
        log(block, index, log_index - 1, inner)
    });
    let blob_gas_used = transaction.blob_gas_used();
    TransactionReceipt {
        inner,
        transaction_hash: *transaction.inner().hash(),
        transaction_index: Some(index as u64),
        block_hash: Some(block.hash),
        block_number: Some(block.number()),
        gas_used: block.gas_used(index),
        effective_gas_price: transaction.effective_gas_price(block.header.base_fee_per_gas),
        blob_gas_used,
        blob_gas_price: blob_gas_used
            .map(|_| BLOB_PARAMS.calc_blob_fee(block.header.excess_blob_gas.unwrap_or_default())),
        from: transaction.signer(),
        to: transaction.to(),
        contract_address: transaction
            .is_create()
            .then(|| transaction.signer().create(transaction.nonce())),
    }
}

/// Returns the log events of a block that a filter asks for.
pub(crate) fn matching_logs(block: &SealedBlock, filter: &Filter) -> Vec<Log> {
    let mut found = Vec::new();
    let mut log_index = 0;
    for (index, receipt) in block.receipts.iter().enumerate() {
        for inner in &receipt.logs {
            if filter.matches_address(inner.address) && filter.matches_topics(inner.data.topics()) {
                found.push(log(block, index, log_index, inner.clone()));
            }
            log_index += 1;
        }
    }
    found
}

fn log(block: &SealedBlock, index: usize, log_index: u64, inner: alloy_primitives::Log) -> Log {
    Log {
        inner,
        block_hash: Some(block.hash),
        block_number: Some(block.number()),
        block_timestamp: Some(block.header.timestamp),
        transaction_hash: Some(*block.transactions[index].inner().hash()),
        transaction_index: Some(index as u64),
        log_index: Some(log_index),
        removed: false,
    }
}
