//! What the hub pays out of the accounts: withdrawals, which are records like all others and need no signature.

use std::collections::{BTreeMap, BTreeSet};

use gridtally_core::party::ParticipantNumber;
use gridtally_core::period::Slot;

use crate::amount::MICRO_PER_HUNDREDTH;
use crate::batch::BatchPlan;
use crate::code::{Code, CodeClass};
use crate::derive::{InboxSpan, Reference, derive};
use crate::inbox::InboxKind;
use crate::ledger_state::LedgerState;
use crate::record::Record;

/// Which balances the hub sweeps. Whoever asked to leave is paid out whole, whatever the policy.
///
/// A withdrawal only makes money payable; claiming it costs as much gas as publishing tens of thousands of records, so sweeps
/// are rare and not small.
///
/// # Source
///
/// Settlement protocol §2.8 and decision 2 of §6.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WithdrawalPolicy {
    /// Whether accounts are swept in this batch.
    pub sweeps: bool,
    /// What stays in an account, micro-units, so that a later correction can be debited.
    pub retained_micro: u64,
    /// The smallest sweep, hundredths of the currency unit.
    pub least_hundredths: u32,
}

impl WithdrawalPolicy {
    /// Pays only who leaves.
    pub const LEAVING_ONLY: Self =
        Self { sweeps: false, retained_micro: 0, least_hundredths: u32::MAX };

    /// Returns what is withdrawn from a balance, hundredths; nothing where that is not possible or not worth it.
    fn hundredths(&self, balance_micro: i64, is_leaving: bool) -> Option<i32> {
        let (retained, least) = match (is_leaving, self.sweeps) {
            (true, _) => (0, 1),
            (false, true) => (self.retained_micro, i128::from(self.least_hundredths.max(1))),
            (false, false) => return None,
        };
        let spare =
            (i128::from(balance_micro) - i128::from(retained)) / i128::from(MICRO_PER_HUNDREDTH);
        (spare >= least).then(|| i32::try_from(spare).unwrap_or(i32::MAX))
    }
}

/// Returns the plan with the withdrawals of the policy, and of everybody whose wish to leave it takes from the inbox.
///
/// Whoever has a withdrawal in the plan gets no other. The hub's own account is not swept. A plan that breaks a rule comes back
/// as it is: [`build_batch`](crate::build_batch) says which.
#[must_use]
pub fn with_withdrawals(
    mut plan: BatchPlan,
    parent: &LedgerState,
    reference: &Reference<'_>,
    policy: &WithdrawalPolicy,
) -> BatchPlan {
    let inbox = InboxSpan { from: parent.header().inbox_to, to: plan.inbox_to };
    plan.records.sort_by_key(Record::key);
    let leaves = derive(parent, plan.records.iter().copied(), inbox, reference);
    if leaves.len() < plan.records.len() {
        return plan;
    }
    let after: BTreeMap<ParticipantNumber, i64> =
        leaves.iter().map(|leaf| (leaf.record.participant(), leaf.balance_after.micro())).collect();
    let is_withdrawal = |record: &&Record| record.code().class() == CodeClass::Withdrawal;
    let withdrawn = plan.records.iter().filter(is_withdrawal).map(Record::participant);
    let withdrawn: BTreeSet<ParticipantNumber> = withdrawn.collect();
    let entries = (inbox.from..inbox.to).map_while(|entry| reference.inbox.get(entry));
    let leaving = entries.filter(|entry| entry.kind == InboxKind::Exit);
    let leaving: BTreeSet<ParticipantNumber> = leaving.map(|entry| entry.participant).collect();
    let others = (1..plan.account_count).map(ParticipantNumber);
    for participant in others.filter(|participant| !withdrawn.contains(participant)) {
        let before = || parent.accounts().get(participant).balance.micro();
        let balance = after.get(&participant).copied().unwrap_or_else(before);
        let value = policy.hundredths(balance, leaving.contains(&participant));
        let record =
            value.and_then(|value| Record::new(participant, Code::WITHDRAWAL, Slot(0), value).ok());
        plan.records.extend(record);
    }
    plan.records.sort_by_key(Record::key);
    plan
}
