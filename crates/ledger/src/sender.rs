//! Transactions of one key: nonces, prices, several in flight, and no double sending.
//!
//! A transaction is signed once for each nonce and price. Handing the same bytes in again is
//! harmless, and a replacement uses the same nonce, so that at most one of them is carried out.
//! Only when a nonce is proved to be used by somebody else is a call signed with another one.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use alloy_consensus::transaction::RlpEcdsaEncodableTx;
use alloy_consensus::{SignableTransaction, TxEip1559, TxEip4844, TxEip4844WithSidecar, TxLegacy};
use alloy_primitives::{Address, B256, Bytes, TxKind, U64, U256, keccak256};
use tokio::sync::Mutex;
use tracing::{debug, info, warn};

use crate::blob_sidecar::BlobSidecar;
use crate::client::{BlockId, CallRequest, Client, GasPrice};
use crate::endpoint::{EndpointError, RpcFailure};
use crate::gas::{CallKind, TRANSACTION_GAS_MAX};
use crate::key::Key;
use crate::objection::Objection;
use crate::refusal::Refusal;
use crate::send_error::SendError;
use crate::wire::Receipt;

/// How often a call is signed anew because its nonce or price did not fit.
const SIGNATURES_MAX: u32 = 32;
/// How often a transaction is looked for before it is taken as unknown.
const KNOWN_QUESTIONS: u32 = 8;

/// How transactions are priced and awaited.
#[derive(Debug, Clone)]
pub struct SendOptions {
    /// Pause between questions for a receipt; doubles up to [`poll_pause_max`](Self::poll_pause_max).
    pub poll_pause_first: Duration,
    /// Longest pause between questions for a receipt.
    pub poll_pause_max: Duration,
    /// After so many questions without a receipt the price is raised, or waiting ends.
    pub polls_max: u32,
    /// How often the price of a waiting transaction is raised.
    pub replacements_max: u32,
    /// How many blocks must follow the transaction's block before it counts.
    pub confirmations: u64,
    /// Most that a unit of gas may cost, wei; `None` accepts every price.
    pub gas_price_wei_max: Option<u128>,
    /// Most that a unit of blob gas may cost, wei; `None` accepts every price.
    pub blob_gas_price_wei_max: Option<u128>,
    /// Added to estimated gas, percent.
    pub gas_reserve_percent: u64,
}

impl Default for SendOptions {
    fn default() -> Self {
        Self {
            poll_pause_first: Duration::from_millis(2),
            poll_pause_max: Duration::from_secs(2),
            polls_max: 60,
            replacements_max: 3,
            confirmations: 0,
            gas_price_wei_max: None,
            blob_gas_price_wei_max: None,
            gas_reserve_percent: 20,
        }
    }
}

/// A call to be sent as a transaction.
#[derive(Debug, Clone)]
pub struct Call {
    /// What is measured.
    pub kind: CallKind,
    /// Records, participants or tables in it.
    pub items: u64,
    /// The contract; `None` deploys one.
    pub to: Option<Address>,
    /// Selector and arguments, or the code to deploy.
    pub data: Bytes,
    /// Most gas; `None` asks the endpoint for an estimate, which also finds a refusal early.
    pub gas_limit: Option<u64>,
    /// Blobs that the transaction publishes (EIP-4844).
    pub blobs: Option<Arc<BlobSidecar>>,
}

/// A transaction on its way. Dropping it does not stop it.
#[derive(Debug)]
pub struct Sent {
    call: Call,
    nonce: u64,
    gas_limit: u64,
    price: GasPrice,
    /// Price of blob gas, wei; for calls with blobs.
    blob_price_wei: Option<u128>,
    /// The newest version.
    transaction: B256,
    /// All versions; at most one of them is carried out.
    transactions: Vec<B256>,
}

impl Sent {
    /// Returns the hash of the newest version.
    #[must_use]
    pub fn transaction(&self) -> B256 {
        self.transaction
    }

    /// Returns the nonce that all versions share.
    #[must_use]
    pub fn nonce(&self) -> u64 {
        self.nonce
    }

    /// Returns what the newest version pays for a unit of gas at most.
    pub(crate) fn price(&self) -> GasPrice {
        self.price
    }

    /// Returns what was called.
    #[must_use]
    pub fn call(&self) -> &Call {
        &self.call
    }
}

/// Sends the transactions of one key. Nobody else should use the key meanwhile; if somebody does,
/// nothing is lost, but it takes longer.
pub struct Sender {
    client: Client,
    key: Key,
    options: SendOptions,
    nonce_next: Mutex<Option<u64>>,
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").field("address", &self.address()).finish_non_exhaustive()
    }
}

/// The same key and connection; the next nonce is asked for anew.
impl Clone for Sender {
    fn clone(&self) -> Self {
        Self::new(self.client.clone(), self.key.clone(), self.options.clone())
    }
}

/// What the endpoint made of a transaction handed in.
enum HandedIn {
    Accepted,
    NonceUsed,
    NonceTaken,
    NonceAhead,
    PriceTooLow(Box<RpcFailure>),
}

impl Sender {
    /// Returns a sender; the next nonce is asked for when the first transaction is sent.
    #[must_use]
    pub fn new(client: Client, key: Key, options: SendOptions) -> Self {
        Self { client, key, options, nonce_next: Mutex::new(None) }
    }

    /// Returns the address that pays for the transactions.
    #[must_use]
    pub fn address(&self) -> Address {
        self.key.address()
    }

    /// Signs the digest of something that is no transaction: a reading, say. 65 bytes, low s.
    #[must_use]
    pub fn sign_digest(&self, digest: B256) -> Vec<u8> {
        self.key.sign(digest).as_bytes().to_vec()
    }

    /// Returns the connection.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Sends a call and waits until it is carried out.
    ///
    /// # Errors
    ///
    /// Returns the first [`SendError`] in the order of its variants.
    pub async fn send(&self, call: Call) -> Result<Receipt, SendError> {
        let mut sent = self.submit(call).await?;
        self.confirm(&mut sent).await
    }

    /// Sends a call and does not wait: the next one gets the next nonce.
    ///
    /// # Errors
    ///
    /// Returns the first [`SendError`] in the order of its variants; after any but
    /// [`SendError::Endpoint`] nothing is on its way.
    pub async fn submit(&self, call: Call) -> Result<Sent, SendError> {
        self.submit_at(call, None).await
    }

    /// As [`submit`](Self::submit), at a price that is known to be of use still.
    pub(crate) async fn submit_at(
        &self,
        call: Call,
        price: Option<GasPrice>,
    ) -> Result<Sent, SendError> {
        let gas_limit = match call.gas_limit {
            Some(gas_limit) => gas_limit,
            None => self.gas_limit(&call).await?,
        };
        let mut price = match price {
            Some(price) => price,
            None => self.price().await?,
        };
        let mut blob_price_wei = self.blob_price(&call).await?;
        let mut nonce_next = self.nonce_next.lock().await;
        let mut failure = None;
        for _ in 0..SIGNATURES_MAX {
            let nonce = match *nonce_next {
                Some(nonce) => nonce,
                None => self.client.transaction_count(self.address(), BlockId::Pending).await?,
            };
            // Until the endpoint has answered it is not known whether the nonce is used.
            *nonce_next = None;
            let (raw, transaction) = self.sign(&call, nonce, gas_limit, price, blob_price_wei)?;
            match self.hand_in(&call, &raw, transaction).await? {
                HandedIn::Accepted => {
                    *nonce_next = Some(nonce + 1);
                    debug!(kind = call.kind.name(), nonce, %transaction, "transaction sent");
                    let transactions = vec![transaction];
                    return Ok(Sent {
                        call,
                        nonce,
                        gas_limit,
                        price,
                        blob_price_wei,
                        transaction,
                        transactions,
                    });
                }
                // An earlier process may have left transactions that the endpoint does not count.
                HandedIn::NonceTaken => *nonce_next = Some(nonce + 1),
                HandedIn::NonceUsed | HandedIn::NonceAhead => {}
                HandedIn::PriceTooLow(reason) => {
                    price = raised(price, self.price().await?, an_eighth_more);
                    self.check_price(price)?;
                    let now = self.blob_price(&call).await?;
                    blob_price_wei = blob_price_wei.map(an_eighth_more).max(now);
                    self.check_blob_price(blob_price_wei)?;
                    failure = Some(reason);
                }
            }
        }
        let failure = failure.unwrap_or_else(|| {
            let message = format!("no nonce fits after {SIGNATURES_MAX} attempts");
            Box::new(RpcFailure { code: -32_000, message, data: None })
        });
        Err(SendError::NotAccepted { kind: call.kind, failure })
    }

    /// Returns a call with the gas limit that it would get when it is sent. For calls that do not depend on each other: their
    /// limits can be asked for at the same time, their nonces cannot.
    ///
    /// # Errors
    ///
    /// Returns the [`SendError`] of a call that is refused, as [`submit`](Self::submit) does.
    pub(crate) async fn with_gas_limit(&self, call: Call) -> Result<Call, SendError> {
        let gas_limit = Some(self.gas_limit(&call).await?);
        Ok(Call { gas_limit, ..call })
    }

    /// Waits until a transaction is carried out and as deep as the options ask, raising its price
    /// if it takes long.
    ///
    /// # Errors
    ///
    /// Returns the first [`SendError`] in the order of its variants.
    pub async fn confirm(&self, sent: &mut Sent) -> Result<Receipt, SendError> {
        let mut pause = self.options.poll_pause_first;
        let (mut polls, mut replacements) = (0, 0);
        loop {
            let receipt = self.receipt(sent).await?;
            if let Some(receipt) = &receipt
                && self.is_deep(receipt).await?
            {
                return self.checked(sent, receipt.clone()).await;
            }
            polls += 1;
            if polls >= self.options.polls_max {
                let (kind, nonce) = (sent.call.kind, sent.nonce);
                if let Some(receipt) = receipt {
                    let transaction = receipt.transaction_hash;
                    let confirmations = self.options.confirmations;
                    return Err(SendError::NotDeep { kind, transaction, confirmations });
                }
                if let Some(next) = self.nonce_lost(sent).await? {
                    *self.nonce_next.lock().await = None;
                    return Err(SendError::NonceLost { kind, nonce, next });
                }
                if replacements >= self.options.replacements_max {
                    let transaction = sent.transaction();
                    *self.nonce_next.lock().await = None;
                    return Err(SendError::NotIncluded { kind, transaction, nonce, replacements });
                }
                self.replace(sent).await?;
                (polls, replacements) = (0, replacements + 1);
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(self.options.poll_pause_max);
        }
    }

    /// Waits until nothing of this key is on its way, whoever sent it. For calls that must not be
    /// made twice and that an earlier process may have sent before it died.
    ///
    /// # Errors
    ///
    /// Returns [`SendError::Endpoint`], or [`SendError::Waiting`] where it takes too long.
    pub async fn wait_until_idle(&self) -> Result<(), SendError> {
        let mut pause = self.options.poll_pause_first;
        for _ in 0..self.options.polls_max {
            let done = self.client.transaction_count(self.address(), BlockId::Latest).await?;
            let sent = self.client.transaction_count(self.address(), BlockId::Pending).await?;
            if sent <= done {
                // The chain's count is the truth: a re-organization may have lowered it.
                *self.nonce_next.lock().await = None;
                return Ok(());
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(self.options.poll_pause_max);
        }
        Err(SendError::Waiting { address: self.address() })
    }

    async fn receipt(&self, sent: &Sent) -> Result<Option<Receipt>, SendError> {
        for transaction in &sent.transactions {
            match self.client.receipt(*transaction).await? {
                // A receipt of another transaction says nothing about this one.
                Some(receipt) if receipt.transaction_hash != *transaction => {
                    return Err(SendError::HashDiffers {
                        expected: *transaction,
                        found: receipt.transaction_hash,
                    });
                }
                Some(receipt) => return Ok(Some(receipt)),
                None => {}
            }
        }
        Ok(None)
    }

    async fn is_deep(&self, receipt: &Receipt) -> Result<bool, SendError> {
        let confirmations = self.options.confirmations;
        if confirmations == 0 {
            return Ok(true);
        }
        let newest = self.client.block_number().await?;
        if newest < receipt.block_number.saturating_add(confirmations) {
            return Ok(false);
        }
        let block = self.client.block(BlockId::Number(receipt.block_number)).await?;
        Ok(block.is_some_and(|block| block.hash == receipt.block_hash))
    }

    async fn checked(&self, sent: &Sent, receipt: Receipt) -> Result<Receipt, SendError> {
        if receipt.is_success() {
            return Ok(receipt);
        }
        let before = BlockId::Number(receipt.block_number.saturating_sub(1));
        let call = self.request(&sent.call, Some(sent.gas_limit));
        let refusal = match self.client.call(&call, before).await {
            _ if receipt.gas_used >= sent.gas_limit => Refusal::OutOfGas { gas: sent.gas_limit },
            Ok(_) => Refusal::Unknown { message: "it no longer does".into() },
            Err(EndpointError::Refused { failure, .. }) => Refusal::of(&failure),
            Err(error) => return Err(error.into()),
        };
        let transaction = receipt.transaction_hash;
        let refusal = Box::new(refusal);
        Err(SendError::Reverted { kind: sent.call.kind, transaction, refusal })
    }

    /// Returns the account's next nonce where it shows that this one's transaction will never be
    /// carried out.
    async fn nonce_lost(&self, sent: &Sent) -> Result<Option<u64>, SendError> {
        let used = self.client.transaction_count(self.address(), BlockId::Latest).await?;
        if used > sent.nonce {
            // A block may have taken ours between the two questions.
            return Ok(self.receipt(sent).await?.is_none().then_some(used));
        }
        let next = self.client.transaction_count(self.address(), BlockId::Pending).await?;
        Ok((next < sent.nonce).then_some(next))
    }

    /// Hands in the same call with the same nonce at a higher price.
    async fn replace(&self, sent: &mut Sent) -> Result<(), SendError> {
        // Clients replace a transaction with blobs only by one that pays twice as much, in every part of its price.
        let more = if sent.call.blobs.is_some() { twice } else { an_eighth_more };
        let price = raised(sent.price, self.price().await?, more);
        let blob_price_wei = sent.blob_price_wei.map(more).max(self.blob_price(&sent.call).await?);
        if self.check_price(price).is_err() || self.check_blob_price(blob_price_wei).is_err() {
            warn!(nonce = sent.nonce, "price not raised, the configuration forbids it");
            return Ok(());
        }
        let (raw, transaction) =
            self.sign(&sent.call, sent.nonce, sent.gas_limit, price, blob_price_wei)?;
        info!(nonce = sent.nonce, %transaction, "transaction replaced at a higher price");
        // Kept whatever the answer: from here on it may be carried out. One that was not accepted
        // costs a question for a receipt each time.
        sent.transactions.push(transaction);
        sent.transaction = transaction;
        sent.price = price;
        sent.blob_price_wei = blob_price_wei;
        self.hand_in(&sent.call, &raw, transaction).await.map(drop)
    }

    async fn gas_limit(&self, call: &Call) -> Result<u64, SendError> {
        let block_gas = self.client.block_latest().await?.gas_limit;
        let limit = TRANSACTION_GAS_MAX.min(block_gas);
        let request = self.request(call, Some(limit));
        let gas = match self.client.estimate_gas(&request).await {
            Ok(gas) => gas,
            Err(EndpointError::Refused { failure, .. })
                if Objection::of(&failure) == Objection::FundsInsufficient =>
            {
                return Err(self.fee_funds_insufficient(call).await?);
            }
            Err(EndpointError::Refused { failure, .. }) => {
                let refusal = Box::new(Refusal::of(&failure));
                return Err(SendError::Refused { kind: call.kind, refusal });
            }
            Err(error) => return Err(error.into()),
        };
        if gas > limit {
            return Err(SendError::GasTooMuch { kind: call.kind, gas, limit });
        }
        let reserve = gas.saturating_mul(self.options.gas_reserve_percent) / 100;
        Ok(gas.saturating_add(reserve).min(limit))
    }

    async fn price(&self) -> Result<GasPrice, SendError> {
        let price = self.client.gas_price().await?;
        self.check_price(price)?;
        Ok(price)
    }

    fn check_price(&self, price: GasPrice) -> Result<(), SendError> {
        let price_wei = match price {
            GasPrice::Dynamic { base_fee_wei, tip_wei } => base_fee_wei.saturating_add(tip_wei),
            GasPrice::Fixed { price_wei } => price_wei,
        };
        match self.options.gas_price_wei_max {
            Some(limit_wei) if price_wei > limit_wei => {
                Err(SendError::GasPriceTooHigh { price_wei, limit_wei })
            }
            _ => Ok(()),
        }
    }

    /// Returns what blob gas costs now, for calls with blobs.
    async fn blob_price(&self, call: &Call) -> Result<Option<u128>, SendError> {
        if call.blobs.is_none() {
            return Ok(None);
        }
        let price_wei = self.client.blob_gas_price().await?;
        let price_wei = price_wei.ok_or(SendError::BlobsUnsupported { kind: call.kind })?;
        self.check_blob_price(Some(price_wei))?;
        Ok(Some(price_wei))
    }

    fn check_blob_price(&self, price_wei: Option<u128>) -> Result<(), SendError> {
        match (price_wei, self.options.blob_gas_price_wei_max) {
            (Some(price_wei), Some(limit_wei)) if price_wei > limit_wei => {
                Err(SendError::BlobGasPriceTooHigh { price_wei, limit_wei })
            }
            _ => Ok(()),
        }
    }

    fn request(&self, call: &Call, gas: Option<u64>) -> CallRequest {
        let blobs = call.blobs.as_deref();
        CallRequest {
            from: Some(self.address()),
            to: call.to,
            data: call.data.clone(),
            gas: gas.map(U64::from),
            blob_versioned_hashes: blobs.map(|blobs| blobs.versioned_hashes().to_vec()),
        }
    }

    fn sign(
        &self,
        call: &Call,
        nonce: u64,
        gas_limit: u64,
        price: GasPrice,
        blob_price_wei: Option<u128>,
    ) -> Result<(Bytes, B256), SendError> {
        let to = call.to.map_or(TxKind::Create, TxKind::Call);
        let (chain_id, input) = (self.client.chain_id(), call.data.clone());
        let mut raw = Vec::new();
        // Twice the base fee lasts for six full blocks; what is not used is not paid.
        let fee_max = |base_fee_wei: u128, tip_wei: u128| {
            let limit = self.options.gas_price_wei_max.unwrap_or(u128::MAX);
            base_fee_wei.saturating_mul(2).saturating_add(tip_wei).min(limit)
        };
        match (price, &call.blobs, blob_price_wei) {
            (GasPrice::Dynamic { base_fee_wei, tip_wei }, Some(blobs), Some(blob_price_wei)) => {
                let unsupported = SendError::BlobsUnsupported { kind: call.kind };
                let limit = self.options.blob_gas_price_wei_max.unwrap_or(u128::MAX);
                let transaction = TxEip4844 {
                    chain_id,
                    nonce,
                    gas_limit,
                    max_fee_per_gas: fee_max(base_fee_wei, tip_wei),
                    max_priority_fee_per_gas: tip_wei,
                    // Blobs create no contract.
                    to: call.to.ok_or(unsupported)?,
                    value: U256::ZERO,
                    access_list: Default::default(),
                    blob_versioned_hashes: blobs.versioned_hashes().to_vec(),
                    max_fee_per_blob_gas: twice(blob_price_wei).min(limit),
                    input,
                };
                let signature = self.key.sign(transaction.signature_hash());
                let hash = transaction.tx_hash(&signature);
                let with_blobs =
                    TxEip4844WithSidecar::from_tx_and_sidecar(transaction, blobs.wire().clone());
                with_blobs.eip2718_encode(&signature, &mut raw);
                // The hash does not cover the blobs themselves.
                return Ok((raw.into(), hash));
            }
            (_, Some(_), _) => return Err(SendError::BlobsUnsupported { kind: call.kind }),
            (GasPrice::Dynamic { base_fee_wei, tip_wei }, None, _) => {
                let transaction = TxEip1559 {
                    chain_id,
                    nonce,
                    gas_limit,
                    max_fee_per_gas: fee_max(base_fee_wei, tip_wei),
                    max_priority_fee_per_gas: tip_wei,
                    to,
                    value: U256::ZERO,
                    access_list: Default::default(),
                    input,
                };
                let signature = self.key.sign(transaction.signature_hash());
                transaction.eip2718_encode(&signature, &mut raw);
            }
            (GasPrice::Fixed { price_wei }, None, _) => {
                let chain_id = Some(chain_id);
                let gas_price = price_wei;
                let value = U256::ZERO;
                let transaction =
                    TxLegacy { chain_id, nonce, gas_price, gas_limit, to, value, input };
                let signature = self.key.sign(transaction.signature_hash());
                transaction.eip2718_encode(&signature, &mut raw);
            }
        }
        let hash = keccak256(&raw);
        Ok((raw.into(), hash))
    }

    async fn hand_in(
        &self,
        call: &Call,
        raw: &Bytes,
        transaction: B256,
    ) -> Result<HandedIn, SendError> {
        let failure = match self.client.send_raw(raw).await {
            Ok(found) if found == transaction => return Ok(HandedIn::Accepted),
            Ok(found) => return Err(SendError::HashDiffers { expected: transaction, found }),
            Err(EndpointError::Refused { failure, .. }) => failure,
            Err(error) => return Err(error.into()),
        };
        Ok(match Objection::of(&failure) {
            Objection::Known => HandedIn::Accepted,
            Objection::NonceUsed => {
                // Our own transaction, sent again after a lost answer, is refused like this too.
                let is_ours = self.is_known(transaction).await?;
                if is_ours { HandedIn::Accepted } else { HandedIn::NonceUsed }
            }
            Objection::NonceTaken => HandedIn::NonceTaken,
            Objection::NonceAhead => HandedIn::NonceAhead,
            Objection::PriceTooLow => HandedIn::PriceTooLow(failure),
            Objection::FundsInsufficient => return Err(self.fee_funds_insufficient(call).await?),
            Objection::Other => {
                let kind = call.kind;
                return Err(match Refusal::of(&failure) {
                    Refusal::Unknown { .. } => SendError::NotAccepted { kind, failure },
                    refusal => SendError::Refused { kind, refusal: Box::new(refusal) },
                });
            }
        })
    }

    /// Whether the chain has a transaction or it waits. Asked more than once before the answer is
    /// no: behind one address there may be several clients, some a little late.
    async fn is_known(&self, transaction: B256) -> Result<bool, SendError> {
        let mut pause = self.options.poll_pause_first;
        for _ in 0..KNOWN_QUESTIONS {
            let is_known = self.client.receipt(transaction).await?.is_some()
                || self.client.transaction(transaction).await?.is_some();
            if is_known {
                return Ok(true);
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(self.options.poll_pause_max);
        }
        Ok(false)
    }

    async fn fee_funds_insufficient(&self, call: &Call) -> Result<SendError, SendError> {
        let (kind, address) = (call.kind, self.address());
        let balance_wei = self.client.balance(address).await?;
        Ok(SendError::FeeFundsInsufficient { kind, address, balance_wei })
    }
}

/// The least that clients accept in place of a transaction without blobs.
fn an_eighth_more(wei: u128) -> u128 {
    wei.saturating_add(wei / 8).saturating_add(1)
}

fn twice(wei: u128) -> u128 {
    wei.saturating_mul(2).max(1)
}

/// Returns the price now, at least as much above the old one as `more` says.
fn raised(old: GasPrice, now: GasPrice, more: fn(u128) -> u128) -> GasPrice {
    match (old, now) {
        (GasPrice::Fixed { price_wei: old }, GasPrice::Fixed { price_wei: now }) => {
            GasPrice::Fixed { price_wei: more(old).max(now) }
        }
        (
            GasPrice::Dynamic { base_fee_wei: old_base, tip_wei: old_tip },
            GasPrice::Dynamic { base_fee_wei, tip_wei },
        ) => GasPrice::Dynamic {
            base_fee_wei: more(old_base).max(base_fee_wei),
            tip_wei: more(old_tip).max(tip_wei),
        },
        // The chain changed its rules between the two: its new price is as good as any.
        (_, now) => now,
    }
}
