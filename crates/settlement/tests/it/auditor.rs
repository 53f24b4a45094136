//! An auditor that knows nothing of the rule engine: it walks the whole batch with plain maps and says which rules break.

use std::collections::{BTreeMap, BTreeSet};

use gridtally_settlement::{AccountLeaf, InboxEntry, InboxKind, LedgerState, Record, RecordLeaf};

use super::town::{Committed, Town};
use super::watcher::{root, rows};

/// Returns the numbers of all rules of 1 to 9 and 11 to 13 that a batch breaks.
pub(crate) fn audit(batch: &Committed, parent: &LedgerState, town: &Town) -> BTreeSet<u8> {
    let header = &batch.header;
    let mut broken = BTreeSet::new();
    let table = &town.tables[&header.period];
    let before: BTreeMap<u32, (i128, i128)> = parent
        .accounts()
        .leaves()
        .map(|leaf| {
            (leaf.participant.0, (i128::from(leaf.balance.micro()), leaf.payable_micro.into()))
        })
        .collect();
    let mut now = before.clone();
    for participant in 0..header.account_count {
        now.entry(participant).or_default();
    }
    let entries: Vec<&InboxEntry> = (parent.header().inbox_to..header.inbox_to)
        .filter_map(|entry| town.inbox.get(usize::try_from(entry).unwrap()))
        .collect();
    let mut hub = i128::from(parent.header().hub_balance.micro());

    let (record_row, account_row) = rows(batch);
    let is_open = u32::try_from(batch.leaves.len()) == Ok(header.count)
        && u32::try_from(batch.accounts.len()) == Ok(header.account_count)
        && root(record_row) == header.record_root
        && root(account_row) == header.account_root;
    if !is_open {
        broken.insert(12);
    }

    let keys: Vec<u64> = batch.leaves.iter().map(|leaf| leaf.record.key()).collect();
    let ascends = keys.windows(2).all(|pair| pair[0] < pair[1]);
    if !ascends || keys.first() != Some(&header.first_key) || keys.last() != Some(&header.last_key)
    {
        broken.insert(1);
    }
    let mut honored = BTreeSet::new();
    let mut balances: BTreeMap<u32, i128> = BTreeMap::new();
    for leaf in &batch.leaves {
        let RecordLeaf { record, amount, balance_after, hub_after } = leaf;
        let (p, code, slot) = (record.participant().0, record.code().number(), record.slot().0);
        let is_reading = (1..=62).contains(&code);
        let is_active = town.activities.is_active(record.participant(), header.period);
        let forced = town.forced_readings.correct_until_s(header.period, record.key());
        if header.run > 0 && forced.is_some_and(|until| header.committed_at > until) {
            broken.insert(13);
        }
        if p >= header.account_count || is_reading && (p == 0 || !is_active) {
            broken.insert(2);
        }
        let value = i128::from(record.value());
        let price = table.price(record.code(), record.slot());
        let expected = match code {
            0 => {
                let entry = entries.get(usize::from(slot));
                let deposit = entry.and_then(|entry| match entry.kind {
                    InboxKind::Deposit(amount) if entry.participant.0 == p => Some(amount),
                    _ => None,
                });
                if value != 0 {
                    broken.insert(3);
                }
                if deposit.is_none() || deposit != Some(*amount) {
                    broken.insert(11);
                }
                honored.insert(slot);
                None
            }
            63 => {
                if slot != 0 || value < 0 {
                    broken.insert(3);
                }
                Some(-value * 10_000)
            }
            _ => {
                if price.is_none() || header.run == 0 && value < 0 {
                    broken.insert(3);
                }
                let paid = price.map(|price| value * i128::from(price.micro_per_kwh()) / 1_000);
                paid.map(|paid| if code < 32 { paid } else { -paid })
            }
        };
        let amount = i128::from(amount.micro());
        if expected.is_some_and(|expected| expected != amount) {
            broken.insert(4);
        }
        if balance_after.micro() < 0 || hub_after.micro() < 0 {
            broken.insert(5);
        }
        let opening = before.get(&p).map_or(0, |account| account.0);
        let balance = *balances.get(&p).unwrap_or(&opening) + amount;
        if balance != i128::from(balance_after.micro()) {
            broken.insert(6);
        }
        balances.insert(p, i128::from(balance_after.micro()));
        hub += if is_reading {
            -amount
        } else if p == 0 {
            amount
        } else {
            0
        };
        if hub != i128::from(hub_after.micro()) {
            broken.insert(7);
        }
        hub = hub_after.micro().into();
        let account = now.entry(p).or_default();
        account.0 = balance_after.micro().into();
        if code == 63 {
            account.1 += value * 10_000;
        }
    }
    if hub != i128::from(header.hub_balance.micro()) {
        broken.insert(7);
    }
    now.entry(0).or_default().0 = header.hub_balance.micro().into();
    let committed: Vec<(u32, (i128, i128))> = batch
        .accounts
        .iter()
        .map(|&AccountLeaf { participant, balance, payable_micro }| {
            (participant.0, (balance.micro().into(), payable_micro.into()))
        })
        .collect();
    let expected: Vec<_> = now.iter().map(|(&p, &account)| (p, account)).collect();
    if committed != expected {
        broken.insert(8);
    }
    let published: Vec<(Record, bool)> =
        batch.data.published().records(batch.leaves.len()).collect();
    let agrees =
        published.iter().map(|&(record, _)| record).eq(batch.leaves.iter().map(|leaf| leaf.record));
    if !agrees || published.iter().any(|&(_, is_well_formed)| !is_well_formed) {
        broken.insert(9);
    }
    for (slot, entry) in entries.iter().enumerate() {
        let is_honored = match entry.kind {
            InboxKind::Deposit(_) => honored.contains(&u16::try_from(slot).unwrap()),
            InboxKind::Exit => {
                let (balance, payable) = now[&entry.participant.0];
                let payable_before =
                    before.get(&entry.participant.0).map_or(0, |account| account.1);
                balance < 10_000 || payable - payable_before >= 21_474_836_470_000
            }
        };
        if !is_honored {
            broken.insert(11);
        }
    }
    broken
}
