//! From published records to the leaves that an honest hub commits.

use gridtally_core::quantity::Amount;

use crate::amount::participant_amount;
use crate::code::CodeClass;
use crate::forced::ForcedReadings;
use crate::inbox::{InboxKind, InboxRange};
use crate::leaf::RecordLeaf;
use crate::ledger_state::LedgerState;
use crate::record::Record;
use crate::registry::Activities;
use crate::tariff_table::TariffTable;

/// What the chain fixes about a batch before its period starts, or orders it to take in.
#[derive(Clone, Copy, Debug)]
pub struct Reference<'a> {
    /// The prices of the batch's period.
    pub table: &'a TariffTable,
    /// When each participant is active.
    pub activities: &'a Activities,
    /// At least the inbox entries from the parent's cursor to the batch's.
    pub inbox: InboxRange<'a>,
    /// What was forced and not refuted, at least of the batch's period.
    pub forced: &'a ForcedReadings,
}

/// The entries that a batch takes from the inbox.
#[derive(Clone, Copy, Debug)]
pub(crate) struct InboxSpan {
    pub(crate) from: u64,
    pub(crate) to: u64,
}

impl Reference<'_> {
    /// Returns what a record adds to its participant's balance, or `None` where nothing says how much: a code or slot without
    /// price, a deposit that the batch does not take from the inbox.
    pub(crate) fn amount(&self, record: &Record, inbox: InboxSpan) -> Option<Amount> {
        match record.code().class() {
            CodeClass::Deposit => {
                let entry = inbox.from.checked_add(record.slot().0.into())?;
                let entry = (entry < inbox.to).then(|| self.inbox.get(entry)).flatten()?;
                match entry.kind {
                    InboxKind::Deposit(amount) if entry.participant == record.participant() => {
                        Some(amount)
                    }
                    InboxKind::Deposit(_) | InboxKind::Exit => None,
                }
            }
            CodeClass::HubPays | CodeClass::ParticipantPays => {
                let price = self.table.price(record.code(), record.slot())?;
                participant_amount(record.code(), record.value(), price)
            }
            CodeClass::Withdrawal => participant_amount(
                record.code(),
                record.value(),
                gridtally_core::quantity::Price::ZERO,
            ),
        }
    }
}

/// Returns what a record adds to the hub's balance, given what it adds to its participant's. Never overflows.
pub(crate) fn hub_delta(record: &Record, amount: Amount) -> i128 {
    let amount = i128::from(amount.micro());
    match record.code().class() {
        CodeClass::HubPays | CodeClass::ParticipantPays => -amount,
        CodeClass::Deposit | CodeClass::Withdrawal if record.participant().0 == 0 => amount,
        CodeClass::Deposit | CodeClass::Withdrawal => 0,
    }
}

/// Returns the leaves of `records` on top of `parent`, up to the first whose amount nothing tells or whose balances are no
/// 64-bit numbers. Whether they obey the rules is not judged here.
pub(crate) fn derive(
    parent: &LedgerState,
    records: impl Iterator<Item = Record>,
    inbox: InboxSpan,
    reference: &Reference<'_>,
) -> Vec<RecordLeaf> {
    let mut hub = i128::from(parent.header().hub_balance.micro());
    let mut participant = None;
    let mut balance = 0;
    records
        .map_while(|record| {
            let amount = reference.amount(&record, inbox)?;
            if participant != Some(record.participant()) {
                participant = Some(record.participant());
                balance = i128::from(parent.accounts().get(record.participant()).balance.micro());
            }
            balance += i128::from(amount.micro());
            hub += hub_delta(&record, amount);
            let in_micro = |value| i64::try_from(value).ok().map(Amount::from_micro);
            let (balance_after, hub_after) = (in_micro(balance)?, in_micro(hub)?);
            Some(RecordLeaf { record, amount, balance_after, hub_after })
        })
        .collect()
}
