//! Building a batch: records in, everything that is committed and published out.

use gridtally_core::period::SettlementPeriod;
use gridtally_core::quantity::Amount;
use thiserror::Error;

use crate::account::Accounts;
use crate::derive::{InboxSpan, Reference, derive};
use crate::header::{BatchCommitment, BatchHeader};
use crate::inbox::INBOX_ENTRIES_MAX;
use crate::judge::accounts_after;
use crate::leaf::RecordLeaf;
use crate::ledger_state::LedgerState;
use crate::opening::Opened;
use crate::opening::leaf_hashes;
use crate::record::Record;
use crate::rule::Rule;
use crate::rules::Rules;
use crate::tree::{LEAVES_MAX, Tree};

/// What is to be settled in a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchPlan {
    /// The period.
    pub period: SettlementPeriod,
    /// 0 for a regular batch, R for the R-th correction run.
    pub run: u32,
    /// Which part of its period; says nothing to the rules.
    pub part: u16,
    /// Number of accounts after the batch, not below the parent's.
    pub account_count: u32,
    /// Inbox entries from the parent's cursor up to this one are honoured.
    pub inbox_to: u64,
    /// The records, ascending by key: deposits and withdrawals among them.
    pub records: Vec<Record>,
}

/// A batch that obeys the rules, ready to be committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// What the contract is told.
    pub commitment: BatchCommitment,
    /// The records with their amounts and running balances.
    pub leaves: Vec<RecordLeaf>,
    /// The tree over them.
    pub record_tree: Tree,
    /// All accounts after the batch.
    pub accounts: Accounts,
    /// The tree over them.
    pub account_tree: Tree,
}

impl Batch {
    /// Returns a record with its path, or `None` where the batch has fewer.
    #[must_use]
    pub fn open_record(&self, index: u32) -> Option<Opened<RecordLeaf>> {
        let place = usize::try_from(index).ok()?;
        let leaf = *self.leaves.get(place)?;
        Some(Opened { index, leaf, salt: None, path: self.record_tree.path(place)? })
    }

    /// Returns the state after the batch, once the chain has made a header of its commitment.
    #[must_use]
    pub fn into_state(self, header: BatchHeader) -> LedgerState {
        LedgerState::with_tree(header, self.accounts, self.account_tree, None)
    }
}

/// Why there is no such batch, in order of precedence.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BatchRefused {
    /// A batch has at least one record and at most 2^18.
    #[error("{0} records, a batch has 1 to {LEAVES_MAX}")]
    RecordCount(usize),
    /// There is at least the hub's account, there are never fewer than before, and at most 2^18.
    #[error("{account_count} accounts, there were {before} and at most {LEAVES_MAX} are possible")]
    AccountCount {
        /// What was asked for.
        account_count: u32,
        /// What the parent has.
        before: u32,
    },
    /// The period is 0, or the batch does not come after what was settled before.
    #[error("period {period} run {run} from key {first_key} on does not come after the last batch")]
    Order {
        /// The period.
        period: SettlementPeriod,
        /// The run.
        run: u32,
        /// Key of the first record.
        first_key: u64,
    },
    /// The cursor goes back, or further than one batch can take.
    #[error("the inbox cursor goes from {from} to {to}")]
    Inbox {
        /// The parent's cursor.
        from: u64,
        /// What was asked for.
        to: u64,
    },
    /// A record breaks a rule.
    #[error("record {index} breaks rule {rule}")]
    Record {
        /// Its index.
        index: usize,
        /// The rule.
        rule: Rule,
    },
    /// An inbox entry is not honoured.
    #[error("inbox entry {0} is taken but not honored")]
    InboxEntry(u64),
}

/// Returns the batch of `plan` on top of `parent`.
///
/// Trees are computed on all cores; everything else is one pass over the records.
///
/// # Errors
///
/// Returns [`BatchRefused`], in its order; of several records the first.
///
/// # Panics
///
/// Never: both trees have leaves.
pub fn build_batch(
    plan: &BatchPlan,
    parent: &LedgerState,
    reference: &Reference<'_>,
) -> Result<Batch, BatchRefused> {
    let (first, last) = check_shape(plan, parent)?;
    let inbox = InboxSpan { from: parent.header().inbox_to, to: plan.inbox_to };
    let leaves = derive(parent, plan.records.iter().copied(), inbox, reference);
    let count = u32::try_from(plan.records.len()).unwrap_or(u32::MAX);
    let hub_balance = leaves.last().map_or(Amount::ZERO, |leaf| leaf.hub_after);
    let header = BatchHeader {
        period: plan.period,
        run: plan.run,
        count,
        first_key: first.key(),
        last_key: last.key(),
        account_count: plan.account_count,
        hub_balance,
        inbox_to: plan.inbox_to,
        ..BatchHeader::GENESIS
    };
    let rules = Rules { header: &header, parent: parent.header(), reference };
    check_records(&rules, &leaves, &plan.records)?;
    let accounts = accounts_after(parent, plan.account_count, &leaves);
    check_inbox(&rules, &leaves, parent.accounts(), &accounts)?;
    let record_tree = Tree::new(leaf_hashes(&leaves)).expect("a batch has records");
    let account_tree = accounts.tree().expect("there is at least the hub's account");
    let commitment = BatchCommitment {
        period: plan.period,
        run: plan.run,
        part: plan.part,
        count,
        first_key: first.key(),
        last_key: last.key(),
        record_root: record_tree.root(),
        account_root: account_tree.root(),
        account_count: plan.account_count,
        hub_balance,
        inbox_to: plan.inbox_to,
        expected_parent: parent.header().hash(),
    };
    Ok(Batch { commitment, leaves, record_tree, accounts, account_tree })
}

/// Checks what the contract checks when a batch is committed, and returns the first and the last record.
fn check_shape<'a>(
    plan: &'a BatchPlan,
    parent: &LedgerState,
) -> Result<(&'a Record, &'a Record), BatchRefused> {
    let records = plan.records.as_slice();
    let ([first, ..], [.., last]) = (records, records) else {
        return Err(BatchRefused::RecordCount(0));
    };
    if u32::try_from(records.len()).map_or(true, |count| count > LEAVES_MAX) {
        return Err(BatchRefused::RecordCount(records.len()));
    }
    let BatchPlan { account_count, period, run, inbox_to, .. } = *plan;
    let before = parent.accounts().count();
    if !(before.max(1)..=LEAVES_MAX).contains(&account_count) {
        return Err(BatchRefused::AccountCount { account_count, before });
    }
    let BatchHeader { reg_period, reg_last_key, last_run, inbox_to: from, .. } = *parent.header();
    let first_key = first.key();
    let is_next = if run == 0 {
        (period, first_key) > (reg_period, reg_last_key)
    } else {
        Some(run) == last_run.checked_add(1) && period <= reg_period && plan.part == 0
    };
    if period.0 == 0 || !is_next {
        return Err(BatchRefused::Order { period, run, first_key });
    }
    if inbox_to.checked_sub(from).is_none_or(|count| count > INBOX_ENTRIES_MAX) {
        return Err(BatchRefused::Inbox { from, to: inbox_to });
    }
    Ok((first, last))
}

fn check_records(
    rules: &Rules<'_>,
    leaves: &[RecordLeaf],
    records: &[Record],
) -> Result<(), BatchRefused> {
    let mut previous: Option<&RecordLeaf> = None;
    for (index, leaf) in leaves.iter().enumerate() {
        let rule = previous.and_then(|previous| rules.pair(previous, leaf));
        if let Some(rule) = rule.or_else(|| rules.record(leaf)) {
            return Err(BatchRefused::Record { index, rule });
        }
        previous = Some(leaf);
    }
    match records.get(leaves.len()) {
        // Its amount cannot be told, or a balance is beyond 64 bits.
        Some(record) => {
            let rule = if rules.reference.amount(record, rules.inbox()).is_some() {
                Rule::BalanceRuns
            } else if record.code().is_priced() {
                Rule::RecordPossible
            } else {
                Rule::InboxHonored
            };
            Err(BatchRefused::Record { index: leaves.len(), rule })
        }
        None => Ok(()),
    }
}

fn check_inbox(
    rules: &Rules<'_>,
    leaves: &[RecordLeaf],
    before: &Accounts,
    after: &Accounts,
) -> Result<(), BatchRefused> {
    let InboxSpan { from, to } = rules.inbox();
    for entry in from..to {
        let is_honored = match (rules.deposit_key(entry), rules.leaving(entry)) {
            (Some(key), _) => leaves.binary_search_by_key(&key, |leaf| leaf.record.key()).is_ok(),
            (None, Some(leaving)) => rules.left(after.get(leaving), before.get(leaving)).is_none(),
            (None, None) => false,
        };
        if !is_honored {
            return Err(BatchRefused::InboxEntry(entry));
        }
    }
    Ok(())
}
