//! What the watcher does beyond judging batches: forced readings that were not refuted are paid.

use std::collections::BTreeSet;

use tracing::warn;

use crate::batch_view::ForceKey;
use crate::watch::{WatchError, WatchReport, Watcher};

/// Time to refute, after that in which a correction may be committed, s.
const REFUTE_AFTER_CORRECTION_S: u64 = 6 * 86_400;

/// What was told already.
#[derive(Debug, Default)]
pub(crate) struct DutyTold {
    forced: BTreeSet<ForceKey>,
}

impl Watcher {
    /// Reports requests that are new, and has those paid that nobody refuted in time.
    ///
    /// Where the bond does not cover a reading it becomes due, and the hub cannot commit until it raises the bond and has it paid:
    /// asking again and again would only burn gas.
    pub(crate) async fn look_after_duty(&mut self) -> Result<Vec<WatchReport>, WatchError> {
        let open: Vec<_> = self.view().forces().collect();
        self.duty.forced.retain(|told| open.iter().any(|(force, _)| force == told));
        let mut reports = Vec::new();
        for &(force, request) in &open {
            if self.duty.forced.insert(force) {
                reports.push(WatchReport::Forced { force, request });
            }
        }
        let Some(sender) = self.sender.as_ref().filter(|_| !open.is_empty()) else {
            return Ok(reports);
        };
        let now_s = self.ledger().client().block_latest().await?.timestamp;
        for (force, request) in open {
            let from_s = request.correct_until_s.saturating_add(REFUTE_AFTER_CORRECTION_S);
            if request.is_due || now_s < from_s {
                continue;
            }
            match sender.send(self.ledger().accept_force_call(force)).await {
                Ok(receipt) => {
                    let transaction = receipt.transaction_hash;
                    reports.push(WatchReport::ForcePaid { force, transaction });
                }
                // Somebody else was faster, or refuted it in the last moment; the next look tells.
                Err(error) => warn!(period = force.period.0, key = force.key, %error, "not paid"),
            }
        }
        Ok(reports)
    }
}
