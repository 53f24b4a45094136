//! Calls one after another with several in flight, in order.

use std::collections::VecDeque;

use tracing::debug;

use crate::client::GasPrice;
use crate::gas::GasMeasurements;
use crate::send_error::SendError;
use crate::sender::{Call, Sender, Sent};
use crate::wire::Receipt;

/// How many transactions have a price before it is asked for again. Twice the base fee is offered,
/// which lasts for six full blocks; a price that turns out too low is raised.
const PRICE_USES_MAX: u32 = 6;

/// How far a long piece of work has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Items that are done: registered, published, funded or settled.
    pub done: u64,
    /// Items in all.
    pub total: u64,
    /// Transactions that were carried out.
    pub transactions: u64,
}

/// Hears how far a long piece of work has come. Any closure over [`Progress`] does.
pub trait ProgressListener: Send {
    /// Called after each transaction.
    fn progressed(&mut self, progress: Progress);
}

impl<F: FnMut(Progress) + Send> ProgressListener for F {
    fn progressed(&mut self, progress: Progress) {
        self(progress);
    }
}

/// Up to `in_flight_max` transactions at a time; receipts are taken in the order of sending.
pub(crate) struct Pipeline<'a> {
    sender: &'a Sender,
    in_flight_max: usize,
    in_flight: VecDeque<Sent>,
    /// The newest transaction's price, and how many had it.
    price: Option<(GasPrice, u32)>,
    progress: Progress,
    listener: &'a mut dyn ProgressListener,
    /// What the receipts so far say.
    pub(crate) measured: GasMeasurements,
}

impl<'a> Pipeline<'a> {
    pub(crate) fn new(
        sender: &'a Sender,
        in_flight_max: usize,
        total: u64,
        listener: &'a mut dyn ProgressListener,
    ) -> Self {
        Self {
            sender,
            in_flight_max: in_flight_max.max(1),
            in_flight: VecDeque::new(),
            price: None,
            progress: Progress { done: 0, total, transactions: 0 },
            listener,
            measured: GasMeasurements::default(),
        }
    }

    /// Counts items that were done before, as the chain says.
    pub(crate) fn begin_after(&mut self, items: u64) {
        self.progress.done = items;
        self.listener.progressed(self.progress);
    }

    /// Sends a call. Waits for the oldest one where too many are in flight, and for all of them
    /// where the contract refuses: the call may need what is still on its way.
    pub(crate) async fn send(&mut self, call: Call) -> Result<Vec<Receipt>, SendError> {
        let mut receipts = Vec::new();
        while self.in_flight.len() >= self.in_flight_max {
            receipts.extend(self.confirm_oldest().await?);
        }
        let price = self.price.filter(|(_, uses)| *uses < PRICE_USES_MAX);
        let at = price.map(|(price, _)| price);
        let sent = match self.sender.submit_at(call.clone(), at).await {
            Err(SendError::Refused { .. }) if !self.in_flight.is_empty() => {
                receipts.extend(self.finish().await?);
                self.sender.submit_at(call, at).await?
            }
            result => result?,
        };
        self.price = Some((sent.price(), 1 + price.map_or(0, |(_, uses)| uses)));
        self.in_flight.push_back(sent);
        Ok(receipts)
    }

    /// Waits for everything in flight.
    pub(crate) async fn finish(&mut self) -> Result<Vec<Receipt>, SendError> {
        let mut receipts = Vec::new();
        while let Some(receipt) = self.confirm_oldest().await? {
            receipts.push(receipt);
        }
        Ok(receipts)
    }

    /// Waits for everything in flight, after one of them failed. What becomes of the others is for
    /// the chain to say. An endpoint that fails ends it: asking on would only take long.
    pub(crate) async fn drain(&mut self) {
        while let Err(error) = self.finish().await {
            debug!(%error, "a transaction in flight failed as well");
            if matches!(error, SendError::Endpoint(_)) {
                self.in_flight.clear();
            }
        }
    }

    async fn confirm_oldest(&mut self) -> Result<Option<Receipt>, SendError> {
        let Some(mut sent) = self.in_flight.pop_front() else { return Ok(None) };
        let receipt = self.sender.confirm(&mut sent).await?;
        let (kind, items) = (sent.call().kind, sent.call().items);
        self.measured.add_receipt(kind, items, &receipt);
        self.progress.transactions += 1;
        self.progress.done += items;
        self.listener.progressed(self.progress);
        Ok(Some(receipt))
    }
}
