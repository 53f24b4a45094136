//! The requests that this crate makes, typed, and the check that the chain is the one expected.

use std::sync::Arc;

use alloy_primitives::{Address, B256, Bytes, U64, U128, U256};
use gridtally_core::explanations;
use serde::Serialize;
use serde_json::json;

use crate::endpoint::{Endpoint, EndpointError, EndpointOptions};
use crate::wire::{Block, Log, Receipt, Transaction};

/// Why no connection came about, in order of precedence.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The endpoint cannot be used.
    #[error("{0}")]
    Endpoint(#[from] EndpointError),
    /// The endpoint serves another chain.
    #[error("{endpoint} serves chain {found}, expected {expected}")]
    WrongChain {
        /// Where the request went.
        endpoint: String,
        /// The chain id that was asked for.
        expected: u64,
        /// The chain id of the endpoint.
        found: u64,
    },
}

explanations! {
    ConnectError {
        Endpoint(error);
        WrongChain: "endpoint-other-chain" "the endpoint serves another chain than the one asked for"
            "name the endpoint of the right chain with --endpoint, or correct chain.chain_id";
    }
}

/// Which block a question is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlockId {
    /// The newest block.
    Latest,
    /// The newest block and what waits to follow it.
    Pending,
    /// The block of this number.
    Number(u64),
}

impl Serialize for BlockId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Latest => "latest".serialize(serializer),
            Self::Pending => "pending".serialize(serializer),
            Self::Number(number) => U64::from(*number).serialize(serializer),
        }
    }
}

/// A call of a contract that is not signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CallRequest {
    /// Who calls.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Address>,
    /// The contract; `None` deploys one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<Address>,
    /// Selector and arguments, or the code to deploy.
    pub data: Bytes,
    /// Most gas; `None` leaves it to the endpoint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gas: Option<U64>,
    /// The blobs that the call would publish.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blob_versioned_hashes: Option<Vec<B256>>,
}

/// Which log entries are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogFilter {
    /// The contracts that wrote them.
    pub addresses: Vec<Address>,
    /// Alternatives for each topic, the event's signature first; `None` stands for every value,
    /// and so do topics that are left out.
    pub topics: Vec<Option<Vec<B256>>>,
}

impl LogFilter {
    /// Returns a filter for everything that these contracts tell.
    #[must_use]
    pub fn all_of(addresses: impl Into<Vec<Address>>) -> Self {
        Self { addresses: addresses.into(), topics: Vec::new() }
    }
}

/// What a unit of gas costs now, wei.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GasPrice {
    /// Chains with EIP-1559: a base fee and a tip.
    Dynamic {
        /// Base fee of the newest block.
        base_fee_wei: u128,
        /// Tip that the endpoint suggests.
        tip_wei: u128,
    },
    /// Older chains: one price.
    Fixed {
        /// Price that the endpoint suggests.
        price_wei: u128,
    },
}

/// A connection to one chain. Clones share it.
#[derive(Debug, Clone)]
pub struct Client {
    endpoint: Arc<Endpoint>,
    chain_id: u64,
}

impl Client {
    /// Connects, and asks which chain it is.
    ///
    /// # Errors
    ///
    /// In this order: the [`EndpointError`], or [`ConnectError::WrongChain`] where `chain_id` is
    /// given and the endpoint serves another.
    pub async fn connect(
        address: &str,
        chain_id: Option<u64>,
        options: EndpointOptions,
    ) -> Result<Self, ConnectError> {
        let endpoint = Endpoint::new(address, options)?;
        let found = endpoint.request::<U64>("eth_chainId", ()).await?.to::<u64>();
        match chain_id {
            Some(expected) if expected != found => {
                let endpoint = endpoint.shown().to_owned();
                Err(ConnectError::WrongChain { endpoint, expected, found })
            }
            _ => Ok(Self { endpoint: Arc::new(endpoint), chain_id: found }),
        }
    }

    /// Returns the chain id that the endpoint gave when connecting.
    #[must_use]
    pub fn chain_id(&self) -> u64 {
        self.chain_id
    }

    /// Returns the endpoint, for requests that are not listed here.
    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Returns the number of the newest block.
    ///
    /// # Errors
    ///
    /// Returns the [`EndpointError`].
    pub async fn block_number(&self) -> Result<u64, EndpointError> {
        Ok(self.endpoint.request::<U64>("eth_blockNumber", ()).await?.to())
    }

    /// Returns a block, or `None` where the chain has none of that number.
    ///
    /// # Errors
    ///
    /// Returns the [`EndpointError`].
    pub async fn block(&self, id: BlockId) -> Result<Option<Block>, EndpointError> {
        self.endpoint.request("eth_getBlockByNumber", (id, false)).await
    }

    /// Returns the newest block.
    ///
    /// # Errors
    ///
    /// Returns the [`EndpointError`]; every chain has a newest block.
    pub async fn block_latest(&self) -> Result<Block, EndpointError> {
        self.endpoint.request("eth_getBlockByNumber", (BlockId::Latest, false)).await
    }

    /// Returns the code at an address, empty where there is none.
    ///
    /// # Errors
    ///
    /// Returns the [`EndpointError`].
    pub async fn code(&self, address: Address) -> Result<Bytes, EndpointError> {
        self.endpoint.request("eth_getCode", (address, BlockId::Latest)).await
    }

    /// Returns an account's own currency, wei.
    ///
    /// # Errors
    ///
    /// Returns the [`EndpointError`].
    pub async fn balance(&self, address: Address) -> Result<U256, EndpointError> {
        self.endpoint.request("eth_getBalance", (address, BlockId::Latest)).await
    }

    /// Returns how many transactions an account has sent.
    ///
    /// # Errors
    ///
    /// Returns the [`EndpointError`].
    pub async fn transaction_count(
        &self,
        address: Address,
        at: BlockId,
    ) -> Result<u64, EndpointError> {
        let count = self.endpoint.request::<U64>("eth_getTransactionCount", (address, at)).await?;
        Ok(count.to())
    }

    /// Calls without a transaction and returns what the call returns.
    ///
    /// # Errors
    ///
    /// Returns the [`EndpointError`]; a revert is a refusal with the revert data.
    pub async fn call(&self, call: &CallRequest, at: BlockId) -> Result<Bytes, EndpointError> {
        self.endpoint.request("eth_call", (call, at)).await
    }

    /// Returns how much gas a call would need as a transaction now.
    ///
    /// # Errors
    ///
    /// Returns the [`EndpointError`]; a revert is a refusal with the revert data.
    pub async fn estimate_gas(&self, call: &CallRequest) -> Result<u64, EndpointError> {
        Ok(self.endpoint.request::<U64>("eth_estimateGas", (call,)).await?.to())
    }

    /// Returns what a unit of gas costs now.
    ///
    /// # Errors
    ///
    /// Returns the [`EndpointError`].
    pub async fn gas_price(&self) -> Result<GasPrice, EndpointError> {
        let price = |value: U128| value.to::<u128>();
        match self.block_latest().await?.base_fee_per_gas {
            None => {
                let price_wei = price(self.endpoint.request("eth_gasPrice", ()).await?);
                Ok(GasPrice::Fixed { price_wei })
            }
            Some(base_fee_wei) => {
                let tip_wei = match self.endpoint.request("eth_maxPriorityFeePerGas", ()).await {
                    Ok(tip) => price(tip),
                    // Not every client has this method; the whole price says it as well.
                    Err(EndpointError::Refused { .. }) => {
                        let whole = price(self.endpoint.request("eth_gasPrice", ()).await?);
                        whole.saturating_sub(base_fee_wei)
                    }
                    Err(error) => return Err(error),
                };
                Ok(GasPrice::Dynamic { base_fee_wei, tip_wei })
            }
        }
    }

    /// Returns what a unit of blob gas costs now, wei, or `None` on a chain that takes no blobs.
    ///
    /// # Errors
    ///
    /// Returns the [`EndpointError`].
    pub async fn blob_gas_price(&self) -> Result<Option<u128>, EndpointError> {
        match self.endpoint.request::<U128>("eth_blobBaseFee", ()).await {
            Ok(price) => Ok(Some(price.to())),
            // Chains from before Cancun do not have this method.
            Err(EndpointError::Refused { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Hands in a signed transaction and returns its hash as the endpoint computes it.
    ///
    /// # Errors
    ///
    /// Returns the [`EndpointError`].
    pub async fn send_raw(&self, transaction: &Bytes) -> Result<B256, EndpointError> {
        self.endpoint.request("eth_sendRawTransaction", (transaction,)).await
    }

    /// Returns the receipt of a transaction, or `None` while it is in no block.
    ///
    /// # Errors
    ///
    /// Returns the [`EndpointError`].
    pub async fn receipt(&self, transaction: B256) -> Result<Option<Receipt>, EndpointError> {
        self.endpoint.request("eth_getTransactionReceipt", (transaction,)).await
    }

    /// Returns what a transaction called, or `None` where the endpoint does not know it.
    ///
    /// # Errors
    ///
    /// Returns the [`EndpointError`].
    pub async fn transaction(
        &self,
        transaction: B256,
    ) -> Result<Option<Transaction>, EndpointError> {
        self.endpoint.request("eth_getTransactionByHash", (transaction,)).await
    }

    /// Returns the logs that fit a filter in blocks `from ..= to`.
    ///
    /// # Errors
    ///
    /// Returns the [`EndpointError`]. Endpoints refuse ranges that are too long for them.
    pub async fn logs(
        &self,
        filter: &LogFilter,
        from: u64,
        to: u64,
    ) -> Result<Vec<Log>, EndpointError> {
        let filter = json!({
            "address": filter.addresses,
            "topics": filter.topics,
            "fromBlock": U64::from(from),
            "toBlock": U64::from(to),
        });
        self.endpoint.request("eth_getLogs", (filter,)).await
    }

    /// Returns the logs that fit a filter in one block, which may have left the chain since.
    ///
    /// # Errors
    ///
    /// Returns the [`EndpointError`].
    pub async fn logs_of_block(
        &self,
        filter: &LogFilter,
        block_hash: B256,
    ) -> Result<Vec<Log>, EndpointError> {
        let filter = json!({
            "address": filter.addresses, "topics": filter.topics, "blockHash": block_hash,
        });
        self.endpoint.request("eth_getLogs", (filter,)).await
    }
}
