//! The money of a batch ledger: tokens, and many payments one after another.

use alloy_primitives::{Address, U256};

use crate::abi::DemoToken::balanceOfCall;
use crate::batch_deploy::BatchLedger;
use crate::deploy::ReadError;
use crate::gas::GasMeasurements;
use crate::pipeline::{Pipeline, ProgressListener};
use crate::send_error::SendError;
use crate::sender::{Call, Sender};

/// Transactions in flight at a time.
const IN_FLIGHT_MAX: usize = 4;

impl BatchLedger {
    /// Returns how many tokens an account has, micro-units.
    ///
    /// # Errors
    ///
    /// Returns the [`ReadError`].
    pub async fn token_balance(&self, account: Address) -> Result<U256, ReadError> {
        self.question(self.deployment().token).call(balanceOfCall { account }).await
    }

    /// Sends calls in their order, several in flight at a time, and measures their gas.
    ///
    /// # Errors
    ///
    /// Returns the first [`SendError`]; what was carried out before it stays.
    pub async fn send_in_order(
        &self,
        sender: &Sender,
        calls: Vec<Call>,
        listener: &mut dyn ProgressListener,
    ) -> Result<GasMeasurements, SendError> {
        let total = calls.iter().map(|call| call.items).sum();
        let mut pipeline = Pipeline::new(sender, IN_FLIGHT_MAX, total, listener);
        for call in calls {
            pipeline.send(call).await?;
        }
        pipeline.finish().await?;
        Ok(pipeline.measured)
    }
}
