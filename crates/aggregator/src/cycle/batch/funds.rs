//! What must be paid in before records are settled: no balance may fall below zero on the way.

use std::collections::BTreeMap;

use gridtally_core::party::ParticipantNumber;
use gridtally_settlement::{
    InboxEntry, InboxKind, LedgerState, Record, TariffTable, participant_amount,
};

use super::error::BatchError;

/// Deposits are whole hundredths.
const HUNDREDTH_MICRO: u64 = 10_000;
/// The smallest deposit that the contract takes.
const DEPOSIT_LEAST_MICRO: u64 = 1_000_000;

/// How balances go while records are settled in order.
#[derive(Debug)]
pub(super) struct Balances<'a> {
    state: &'a LedgerState,
    paid_in: BTreeMap<ParticipantNumber, i128>,
    balances: BTreeMap<ParticipantNumber, Balance>,
}

/// A balance, micro-units.
#[derive(Debug, Clone, Copy)]
struct Balance {
    now: i128,
    lowest: i128,
}

/// What somebody has to pay in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Deposit {
    pub(super) participant: ParticipantNumber,
    pub(super) amount_micro: u64,
}

impl<'a> Balances<'a> {
    /// Begins with the accounts after the newest batch and the entries that it has not taken.
    pub(super) fn new(state: &'a LedgerState, waiting: &[InboxEntry]) -> Self {
        let mut paid_in = BTreeMap::new();
        for entry in waiting {
            if let InboxKind::Deposit(amount) = entry.kind {
                *paid_in.entry(entry.participant).or_insert(0) += i128::from(amount.micro());
            }
        }
        Self { state, paid_in, balances: BTreeMap::new() }
    }

    /// Settles records of one period, ascending by key. Deposits among them were counted at the beginning.
    pub(super) fn settle(&mut self, records: &[Record], table: &TariffTable) {
        for record in records {
            // Only readings have a price.
            let Some(price) = table.price(record.code(), record.slot()) else { continue };
            let amount = participant_amount(record.code(), record.value(), price);
            let Some(amount) = amount else { continue };
            self.change(record.participant(), amount.micro().into());
            self.change(ParticipantNumber::HUB, -i128::from(amount.micro()));
        }
    }

    fn change(&mut self, participant: ParticipantNumber, by: i128) {
        let before = self.state.accounts().get(participant).balance.micro();
        let before =
            i128::from(before) + self.paid_in.get(&participant).copied().unwrap_or_default();
        let balance = self.balances.entry(participant);
        let balance = balance.or_insert(Balance { now: before, lowest: before });
        balance.now += by;
        balance.lowest = balance.lowest.min(balance.now);
    }

    /// Returns what is lacking, ascending by participant: whole hundredths, and no less than the contract or `least_micro`
    /// asks for.
    ///
    /// # Errors
    ///
    /// [`BatchError::FundsOutOfRange`].
    pub(super) fn deposits(&self, least_micro: u64) -> Result<Vec<Deposit>, BatchError> {
        let lacking = self.balances.iter().filter(|(_, balance)| balance.lowest < 0);
        lacking
            .map(|(&participant, balance)| {
                let missing_micro = -balance.lowest;
                let out_of_range = || BatchError::FundsOutOfRange { participant, missing_micro };
                let missing = u64::try_from(missing_micro).map_err(|_| out_of_range())?;
                let amount = missing.max(least_micro).max(DEPOSIT_LEAST_MICRO);
                let amount_micro = amount.checked_next_multiple_of(HUNDREDTH_MICRO);
                let amount_micro = amount_micro.ok_or_else(out_of_range)?;
                Ok(Deposit { participant, amount_micro })
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gridtally_core::period::Slot;
    use gridtally_core::quantity::{Amount, Price};
    use gridtally_settlement::Code;

    fn record(participant: u32, code: Code, slot: u16, value: i32) -> Record {
        Record::new(ParticipantNumber(participant), code, Slot(slot), value).unwrap()
    }

    #[test]
    fn each_pays_in_what_its_lowest_balance_lacks() {
        let row = vec![Price::from_micro_per_kwh(1_000_000); 4];
        let rows = [(Code::FEED_IN, row.clone()), (Code::CONSUMPTION, row)];
        let table = TariffTable::new(4, BTreeMap::from(rows)).unwrap();
        let state = LedgerState::genesis();
        let entry = InboxEntry {
            participant: ParticipantNumber(2),
            kind: InboxKind::Deposit(Amount::from_micro(3_000_000)),
        };
        let mut balances = Balances::new(&state, &[entry]);
        // 1 is paid first and pays later; 2 pays 5 and has 3; the hub pays 1 before it is paid.
        balances.settle(
            &[
                record(1, Code::FEED_IN, 0, 2_000),
                record(1, Code::CONSUMPTION, 0, 1_500),
                record(2, Code::CONSUMPTION, 0, 5_001),
                record(3, Code::CONSUMPTION, 0, 1),
            ],
            &table,
        );
        let shown = |least_micro| {
            let deposits = balances.deposits(least_micro).unwrap();
            let deposits = deposits.iter().map(|one| (one.participant.0, one.amount_micro));
            deposits.collect::<Vec<_>>()
        };
        assert_eq!(shown(0), [(0, 2_000_000), (2, 2_010_000), (3, 1_000_000)]);
        assert_eq!(shown(50_000_000), [(0, 50_000_000), (2, 50_000_000), (3, 50_000_000)]);
    }
}
