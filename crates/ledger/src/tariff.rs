//! Publication of tariff tables, each before its period starts.

use std::collections::BTreeMap;

use alloy_primitives::{B256, Bytes, keccak256};
use gridtally_core::explanations;
use gridtally_core::period::SettlementPeriod;
use gridtally_settlement::TariffTable;
use tracing::info;

use crate::abi::DirectSettlement::{publishTariffCall, tariffHashCall};
use crate::deploy::{Ledger, ReadError};
use crate::gas::{CallKind, GasMeasurements};
use crate::pipeline::{Pipeline, ProgressListener};
use crate::send_error::SendError;
use crate::sender::Sender;

/// Transactions in flight at a time.
const IN_FLIGHT_MAX: usize = 4;

/// Why tariffs are not published, in order of precedence. Those before are.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The chain cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Other prices are fixed for the period already.
    #[error("period {period} has other prices already (hash {published}, not {wanted})")]
    Differs {
        /// The settlement period.
        period: SettlementPeriod,
        /// Hash of the published table.
        published: B256,
        /// Hash of the table to publish.
        wanted: B256,
    },
    /// Prices are fixed before their period starts.
    #[error("period {period} started at {starts_at_s}, the chain's time is {now_s}: too late")]
    PeriodStarted {
        /// The settlement period.
        period: SettlementPeriod,
        /// Its start, Unix time, s.
        starts_at_s: u64,
        /// Time of the newest block, Unix time, s.
        now_s: u64,
    },
    /// A transaction failed.
    #[error(transparent)]
    Send(#[from] SendError),
}

explanations! {
    PublishError {
        Read(error);
        Differs: "tariff-differs" "other prices are fixed for the period on the chain already"
            "settle with the tariff of then, --as-of names its journal line: prices that were published never change";
        PeriodStarted: "tariff-too-late" "prices are fixed before their period starts, and it has started"
            "import the prices of the days after a span before settling it: tariffs are published before their period begins";
        Send(error);
    }
}

impl Ledger {
    /// Returns the hash of a period's published table, or `None` where there is none.
    ///
    /// # Errors
    ///
    /// Returns the [`ReadError`].
    pub async fn tariff_hash(&self, period: SettlementPeriod) -> Result<Option<B256>, ReadError> {
        let hash = self.ask(tariffHashCall { period: period.0 }).await?;
        Ok(Some(hash).filter(|hash| !hash.is_zero()))
    }

    /// Publishes tables. Those that are published already with the same prices are left alone, so
    /// that calling again after a crash finishes the work. Nothing is sent before all are checked.
    ///
    /// # Errors
    ///
    /// Returns the first [`PublishError`] in the order of its variants.
    pub async fn publish_tariffs(
        &self,
        sender: &Sender,
        tables: &BTreeMap<SettlementPeriod, TariffTable>,
        listener: &mut dyn ProgressListener,
    ) -> Result<GasMeasurements, PublishError> {
        // What an earlier process sent must be on the chain before it is asked.
        sender.wait_until_idle().await?;
        let now_s = self.client().block_latest().await.map_err(ReadError::from)?.timestamp;
        let mut missing = Vec::new();
        for (&period, table) in tables {
            let table = Bytes::from(table.pack());
            let wanted = keccak256(&table);
            match self.tariff_hash(period).await? {
                Some(published) if published == wanted => continue,
                Some(published) => {
                    return Err(PublishError::Differs { period, published, wanted });
                }
                None => {}
            }
            let starts_at_s = self.deployment().period_start_s(period);
            if now_s >= starts_at_s {
                return Err(PublishError::PeriodStarted { period, starts_at_s, now_s });
            }
            missing.push((period, table));
        }

        let mut pipeline = Pipeline::new(sender, IN_FLIGHT_MAX, tables.len() as u64, listener);
        pipeline.begin_after((tables.len() - missing.len()) as u64);
        for (period, table) in missing {
            let call = publishTariffCall { period: period.0, table };
            pipeline.send(self.call(CallKind::PublishTariff, 1, &call)).await?;
        }
        pipeline.finish().await?;
        info!(count = tables.len(), "tariffs published");
        Ok(pipeline.measured)
    }
}
