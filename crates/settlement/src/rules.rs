//! The rules, as the contract judges them one proof at a time: each predicate sees a few leaves and says which rule they
//! break.

use gridtally_core::party::ParticipantNumber;
use gridtally_core::quantity::Amount;

use crate::account::Account;
use crate::amount::MICRO_PER_HUNDREDTH;
use crate::code::CodeClass;
use crate::derive::{InboxSpan, Reference, hub_delta};
use crate::header::BatchHeader;
use crate::inbox::InboxKind;
use crate::leaf::RecordLeaf;
use crate::record::Record;
use crate::rule::Rule;

/// The largest withdrawal of one record, micro-units; who asked to leave with more asks again.
const WITHDRAWAL_MAX_MICRO: u64 = i32::MAX as u64 * MICRO_PER_HUNDREDTH as u64;

/// The rules for one batch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules<'a> {
    pub(crate) header: &'a BatchHeader,
    pub(crate) parent: &'a BatchHeader,
    pub(crate) reference: &'a Reference<'a>,
}

impl Rules<'_> {
    pub(crate) fn inbox(&self) -> InboxSpan {
        InboxSpan { from: self.parent.inbox_to, to: self.header.inbox_to }
    }

    /// Returns the rule that a record breaks by itself: R2, R3, R4, R5, or R11 for a deposit.
    pub(crate) fn record(&self, leaf: &RecordLeaf) -> Option<Rule> {
        let record = &leaf.record;
        let class = record.code().class();
        let participant = record.participant();
        let is_reading = record.code().is_priced();
        let activities = self.reference.activities;
        if participant.0 >= self.header.account_count
            || is_reading && !activities.is_active(participant, self.header.period)
        {
            return Some(Rule::ParticipantActive);
        }
        let is_possible = match class {
            CodeClass::Deposit => record.value() == 0,
            CodeClass::HubPays | CodeClass::ParticipantPays => {
                self.reference.table.price(record.code(), record.slot()).is_some()
                    && (self.header.run > 0 || record.value() >= 0)
            }
            CodeClass::Withdrawal => record.slot().0 == 0 && record.value() >= 0,
        };
        if !is_possible {
            return Some(Rule::RecordPossible);
        }
        if self.reference.amount(record, self.inbox()) != Some(leaf.amount) {
            let is_deposit = class == CodeClass::Deposit;
            return Some(if is_deposit { Rule::InboxHonored } else { Rule::AmountPriced });
        }
        let is_covered = leaf.balance_after >= Amount::ZERO && leaf.hub_after >= Amount::ZERO;
        (!is_covered).then_some(Rule::BalanceCovered)
    }

    /// Returns the rule that two neighbours break: R1, R6 or R7.
    pub(crate) fn pair(&self, left: &RecordLeaf, right: &RecordLeaf) -> Option<Rule> {
        if right.record.key() <= left.record.key() {
            return Some(Rule::KeysIncrease);
        }
        let is_same = left.record.participant() == right.record.participant();
        if is_same && wide(right.balance_after) != wide(left.balance_after) + wide(right.amount) {
            return Some(Rule::BalanceRuns);
        }
        self.hub_runs(left.hub_after, right)
    }

    /// Returns the rule that the first or the last record breaks with the header: R1 or R7.
    pub(crate) fn edge(&self, index: u32, leaf: &RecordLeaf) -> Option<Rule> {
        let (key, header) = (leaf.record.key(), self.header);
        let is_first = index == 0;
        let is_last = header.count.checked_sub(1) == Some(index);
        if is_first && key != header.first_key || is_last && key != header.last_key {
            return Some(Rule::KeysIncrease);
        }
        let first = is_first.then(|| self.hub_runs(self.parent.hub_balance, leaf)).flatten();
        let last_differs = is_last && leaf.hub_after != header.hub_balance;
        first.or(last_differs.then_some(Rule::HubBalanceRuns))
    }

    /// Returns the rule that a participant's first record breaks with the balance before it: R6.
    pub(crate) fn opening(&self, leaf: &RecordLeaf, opening: Amount) -> Option<Rule> {
        let runs = wide(leaf.balance_after) == wide(opening) + wide(leaf.amount);
        (!runs).then_some(Rule::BalanceRuns)
    }

    /// Returns the rule that an account breaks, given the account before and the participant's last record: R8.
    pub(crate) fn account(
        &self,
        participant: ParticipantNumber,
        new: Account,
        old: Account,
        last: Option<&RecordLeaf>,
    ) -> Option<Rule> {
        let is_hub = participant == ParticipantNumber::HUB;
        let balance = match last {
            _ if is_hub => self.header.hub_balance,
            Some(last) => last.balance_after,
            None => old.balance,
        };
        let withdrawal = last.filter(|last| last.record.code().class() == CodeClass::Withdrawal);
        let withdrawn = withdrawal
            .map_or(0, |last| i128::from(last.record.value()) * i128::from(MICRO_PER_HUNDREDTH));
        let payable = i128::from(old.payable_micro) + withdrawn;
        let follows = new.balance == balance && i128::from(new.payable_micro) == payable;
        (!follows).then_some(Rule::AccountsFollow)
    }

    /// Returns the rule that published data break, given a record's bytes there and whether they stand behind zeros: R9.
    pub(crate) fn data(
        &self,
        leaf: &RecordLeaf,
        published: Option<(Record, bool)>,
    ) -> Option<Rule> {
        (published != Some((leaf.record, true))).then_some(Rule::DataPublished)
    }

    /// Returns the rule that a correction of a forced reading breaks by its time: R13. Regular batches cannot have such a key.
    pub(crate) fn forced(&self, leaf: &RecordLeaf) -> Option<Rule> {
        let BatchHeader { run, period, committed_at, .. } = *self.header;
        let is_late = || self.reference.forced.is_late(period, leaf.record.key(), committed_at);
        (run > 0 && is_late()).then_some(Rule::ForcedOnce)
    }

    /// Returns the key under which the batch must have a record for an inbox entry, or `None` for one that is no deposit or not
    /// taken by the batch.
    pub(crate) fn deposit_key(&self, entry: u64) -> Option<u64> {
        let InboxSpan { from, to } = self.inbox();
        let ordered = (from..to).contains(&entry).then(|| self.reference.inbox.get(entry))??;
        match ordered.kind {
            InboxKind::Deposit(_) => Some(u64::from(ordered.participant.0) << 16 | (entry - from)),
            InboxKind::Exit => None,
        }
    }

    /// Returns the participant that an inbox entry lets leave, or `None` for one that is no such request or not taken by the
    /// batch.
    pub(crate) fn leaving(&self, entry: u64) -> Option<ParticipantNumber> {
        let InboxSpan { from, to } = self.inbox();
        let ordered = (from..to).contains(&entry).then(|| self.reference.inbox.get(entry))??;
        (ordered.kind == InboxKind::Exit).then_some(ordered.participant)
    }

    /// Returns the rule that a participant's account breaks who asked to leave: R11.
    pub(crate) fn left(&self, new: Account, old: Account) -> Option<Rule> {
        let withdrawn = i128::from(new.payable_micro) - i128::from(old.payable_micro);
        let is_honored = new.balance.micro() < MICRO_PER_HUNDREDTH
            || withdrawn >= i128::from(WITHDRAWAL_MAX_MICRO);
        (!is_honored).then_some(Rule::InboxHonored)
    }

    fn hub_runs(&self, before: Amount, leaf: &RecordLeaf) -> Option<Rule> {
        let runs = wide(leaf.hub_after) == wide(before) + hub_delta(&leaf.record, leaf.amount);
        (!runs).then_some(Rule::HubBalanceRuns)
    }
}

fn wide(amount: Amount) -> i128 {
    amount.micro().into()
}
