//! A sealed block with its receipts.

use std::collections::HashSet;

use alloy_consensus::{
    Block, BlockBody, Header, Receipt, ReceiptEnvelope, ReceiptWithBloom, Transaction, TxEnvelope,
    TxType, transaction::Recovered,
};
use alloy_eips::{eip2718::Decodable2718, eip2718::Encodable2718, eip4895::Withdrawals};
use alloy_primitives::{Address, B256, Bloom, BloomInput, Bytes, Log};
use alloy_rlp::{RlpDecodable, RlpEncodable};

use crate::state::StateDiff;

/// A block of the chain, with what executing it gave.
#[derive(Debug, Clone)]
pub struct SealedBlock {
    /// Hash of the header.
    pub hash: B256,
    /// The header.
    pub header: Header,
    /// The transactions with their senders; blob transactions without their blobs.
    pub transactions: Vec<Recovered<TxEnvelope>>,
    /// What each transaction gave: `receipts.len() == transactions.len()`.
    pub receipts: Vec<BlockReceipt>,
}

/// What one transaction of a block gave.
#[derive(Debug, Clone, PartialEq, Eq, RlpEncodable, RlpDecodable)]
pub struct BlockReceipt {
    /// Whether it did what it was sent for, rather than revert or run out of gas.
    pub is_success: bool,
    /// Gas used by this transaction and those before it in the block.
    pub cumulative_gas_used: u64,
    /// Log events, in order.
    pub logs: Vec<Log>,
}

impl SealedBlock {
    /// Returns the number of the block.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.header.number
    }

    /// Returns the block as the protocol encodes it.
    #[must_use]
    pub fn to_consensus(&self) -> Block<TxEnvelope> {
        let transactions = self.transactions.iter().map(|tx| tx.inner().clone()).collect();
        let withdrawals = Some(Withdrawals::default());
        let body = BlockBody { transactions, ommers: Vec::new(), withdrawals };
        Block { header: self.header.clone(), body }
    }

    /// Returns the gas that the transaction at `index` used by itself.
    ///
    /// # Panics
    ///
    /// Panics when there is no such transaction.
    #[must_use]
    pub fn gas_used(&self, index: usize) -> u64 {
        let before = index.checked_sub(1).map_or(0, |i| self.receipts[i].cumulative_gas_used);
        self.receipts[index].cumulative_gas_used - before
    }

    /// Returns how many log events of the block come before those of the transaction at `index`.
    #[must_use]
    pub fn logs_before(&self, index: usize) -> usize {
        self.receipts[..index].iter().map(|receipt| receipt.logs.len()).sum()
    }

    /// Returns the receipt of the transaction at `index` as the protocol encodes it.
    ///
    /// # Panics
    ///
    /// Panics when there is no such transaction.
    #[must_use]
    pub fn receipt_envelope(&self, index: usize) -> ReceiptEnvelope {
        self.receipts[index].envelope(self.transactions[index].tx_type())
    }
}

impl BlockReceipt {
    /// Returns the receipt as the protocol encodes it, with the bloom of its logs.
    #[must_use]
    pub fn envelope(&self, tx_type: TxType) -> ReceiptEnvelope {
        let receipt = Receipt {
            status: self.is_success.into(),
            cumulative_gas_used: self.cumulative_gas_used,
            logs: self.logs.clone(),
        };
        let logs_bloom = bloom(&self.logs);
        let receipt = ReceiptWithBloom { receipt, logs_bloom };
        match tx_type {
            TxType::Legacy => ReceiptEnvelope::Legacy(receipt),
            TxType::Eip2930 => ReceiptEnvelope::Eip2930(receipt),
            TxType::Eip1559 => ReceiptEnvelope::Eip1559(receipt),
            TxType::Eip4844 => ReceiptEnvelope::Eip4844(receipt),
            TxType::Eip7702 => ReceiptEnvelope::Eip7702(receipt),
        }
    }
}

/// Returns the bloom of log events. Many events of one transaction share contract, signature and arguments; each
/// different one is hashed once.
fn bloom(logs: &[Log]) -> Bloom {
    let (mut bloom, mut seen) = (Bloom::ZERO, HashSet::new());
    for log in logs {
        let topics = log.topics().iter().map(|topic| topic.as_slice());
        for input in std::iter::once(log.address.as_slice()).chain(topics) {
            if seen.insert(input) {
                bloom.accrue(BloomInput::Raw(input));
            }
        }
    }
    bloom
}

/// A block as the log keeps it: the header first, so that it can be read alone, the changes of state last.
#[derive(Debug, Clone, RlpEncodable, RlpDecodable)]
pub(crate) struct BlockRecord {
    header: Header,
    senders: Vec<Address>,
    transactions: Vec<Bytes>,
    receipts: Vec<BlockReceipt>,
    pub(crate) diff: StateDiff,
}

impl BlockRecord {
    pub(crate) fn new(block: &SealedBlock, diff: StateDiff) -> Self {
        let transactions = block.transactions.iter();
        Self {
            header: block.header.clone(),
            senders: transactions.clone().map(Recovered::signer).collect(),
            transactions: transactions.map(|tx| tx.inner().encoded_2718().into()).collect(),
            receipts: block.receipts.clone(),
            diff,
        }
    }

    /// Returns the block and its changes of state, or nothing when the parts do not fit each other.
    pub(crate) fn into_block(self) -> Option<(SealedBlock, StateDiff)> {
        let count = self.transactions.len();
        if self.senders.len() != count || self.receipts.len() != count {
            return None;
        }
        let pairs = self.transactions.iter().zip(self.senders);
        let transactions = pairs.map(|(encoded, sender)| {
            let transaction = TxEnvelope::decode_2718_exact(encoded).ok()?;
            Some(Recovered::new_unchecked(transaction, sender))
        });
        let transactions = transactions.collect::<Option<Vec<_>>>()?;
        let block = SealedBlock {
            hash: self.header.hash_slow(),
            header: self.header,
            transactions,
            receipts: self.receipts,
        };
        Some((block, self.diff))
    }
}

/// Returns what the sender of a transaction pays at most: gas, blob gas and value, in wei.
pub(crate) fn cost_max(transaction: &TxEnvelope) -> alloy_primitives::U256 {
    use alloy_primitives::U256;
    let gas = U256::from(transaction.gas_limit()) * U256::from(transaction.max_fee_per_gas());
    let blobs = U256::from(transaction.blob_gas_used().unwrap_or_default())
        * U256::from(transaction.max_fee_per_blob_gas().unwrap_or_default());
    gas.saturating_add(blobs).saturating_add(transaction.value())
}

#[cfg(test)]
mod tests {
    use alloy_consensus::TxReceipt;

    use super::*;

    #[test]
    fn hashing_each_value_once_gives_the_same_bloom() {
        let topic = |byte| B256::repeat_byte(byte);
        let log = |address, topics| {
            Log::new_unchecked(Address::repeat_byte(address), topics, Bytes::new())
        };
        let logs = [
            log(1, vec![topic(1), topic(2)]),
            log(1, vec![topic(1), topic(3)]),
            log(2, vec![]),
            log(2, vec![topic(1), topic(1), topic(9), topic(0)]),
        ];
        for count in 0..=logs.len() {
            let receipt = Receipt { logs: logs[..count].to_vec(), ..Receipt::default() };
            assert_eq!(bloom(&logs[..count]), receipt.bloom(), "{count} logs");
        }
    }
}
