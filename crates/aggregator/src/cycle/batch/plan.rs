//! What the next batch holds: pure.
//!
//! ```text
//! wanted records - what the chain has of the period --> regular: keys after the cursor, in parts
//!                                                   \-> corrections: signed differences, in runs
//! ripe inbox entries --> deposit records of whichever batch can take them
//! ```

use std::collections::{BTreeMap, BTreeSet};

use gridtally_core::party::ParticipantNumber;
use gridtally_core::period::{SettlementPeriod, Slot};
use gridtally_settlement::{
    BatchHeader, BatchPlan, Code, INBOX_ENTRIES_MAX, InboxEntry, InboxKind, Record,
};

/// What the chain has of a period.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct SettledKeys {
    /// By key the sum of the regular record and its corrections, Wh.
    pub(crate) sums_wh: BTreeMap<u64, i64>,
    /// Who has records that nobody can read any more: their sections were erased.
    pub(crate) erased: BTreeSet<ParticipantNumber>,
}

/// What is left to be settled of a period.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Work {
    /// Records that come after everything that was settled regularly.
    pub(super) regular: Vec<Record>,
    /// Differences to what was settled, and records that came late.
    pub(super) corrections: Vec<Record>,
    /// How many records the chain has as they are wanted.
    pub(super) already: u64,
    /// How many are of participants whose records cannot be read any more.
    pub(super) erased: u64,
}

/// Returns what is left of a period whose records are wanted, ascending by key.
pub(super) fn work(
    period: SettlementPeriod,
    wanted: impl IntoIterator<Item = Record>,
    settled: Option<&SettledKeys>,
    newest: &BatchHeader,
) -> Work {
    let mut work = Work::default();
    for record in wanted {
        let key = record.key();
        if settled.is_some_and(|settled| settled.erased.contains(&record.participant())) {
            work.erased += 1;
            continue;
        }
        match settled.and_then(|settled| settled.sums_wh.get(&key)) {
            Some(&sum_wh) if sum_wh == i64::from(record.value()) => work.already += 1,
            Some(&sum_wh) => {
                let difference = i64::from(record.value()).saturating_sub(sum_wh);
                // Two values of 31 bits differ by less; whatever else somebody committed is corrected in steps.
                let range = i64::from(i32::MIN)..=i64::from(i32::MAX);
                let difference = difference.clamp(*range.start(), *range.end());
                work.corrections.extend(with_value(&record, difference));
            }
            None if (period, key) > (newest.reg_period, newest.reg_last_key) => {
                work.regular.push(record);
            }
            None => work.corrections.push(record),
        }
    }
    work
}

fn with_value(record: &Record, value: i64) -> Option<Record> {
    let value = i32::try_from(value).ok()?;
    Record::new(record.participant(), record.code(), record.slot(), value).ok()
}

/// What the next batch is built on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Base<'a> {
    /// The newest batch, or genesis.
    pub(super) newest: &'a BatchHeader,
    /// The entries of the inbox that it may take: the first is the one at the newest batch's cursor.
    pub(super) ripe: &'a [InboxEntry],
    /// How many accounts there are.
    pub(super) account_count: u32,
    /// Most records of a batch.
    pub(super) records_max: usize,
    /// Most records of a participant in a batch.
    pub(super) section_max: usize,
}

impl Base<'_> {
    /// Returns the next regular batch of a period, and how many of the records it takes: all, or as many whole participants
    /// as fit. It takes the entries of the inbox as far as their records lie between its own: a part must not reach into
    /// the next.
    pub(super) fn regular(
        &self,
        period: SettlementPeriod,
        part: u16,
        records: &[Record],
    ) -> (BatchPlan, usize) {
        let taken = self.fitting(records);
        let until = records.get(taken).map(Record::participant);
        let is_begun = self.newest.reg_period == period;
        let last = u32::try_from(self.newest.reg_last_key >> 16).unwrap_or(u32::MAX);
        let is_between = |entry: &InboxEntry| {
            let participant = entry.participant;
            (!is_begun || participant.0 > last) && until.is_none_or(|until| participant < until)
        };
        let entries = self.takeable().iter().take_while(|entry| is_between(entry)).count();
        (self.plan(period, 0, part, &records[..taken], entries), taken)
    }

    /// Returns the next correction run of a period, and how many of the records it takes.
    pub(super) fn correction(
        &self,
        period: SettlementPeriod,
        records: &[Record],
    ) -> (BatchPlan, usize) {
        let taken = self.fitting(records);
        let run = self.newest.last_run.saturating_add(1);
        (self.plan(period, run, 0, &records[..taken], self.takeable().len()), taken)
    }

    /// Returns a correction run that settles nothing but the inbox, or `None` where it is empty, or no period was settled yet.
    pub(super) fn inbox_only(&self) -> Option<BatchPlan> {
        if self.ripe.is_empty() || self.newest.reg_period.0 == 0 {
            return None;
        }
        let mut plan = self.correction(self.newest.reg_period, &[]).0;
        if plan.records.is_empty() {
            // A batch has a record: this one says nothing.
            let record = Record::new(ParticipantNumber::HUB, Code::WITHDRAWAL, Slot(0), 0);
            plan.records.extend(record);
        }
        Some(plan)
    }

    /// Returns the entries that fit into one batch.
    fn takeable(&self) -> &[InboxEntry] {
        let most = usize::try_from(INBOX_ENTRIES_MAX).unwrap_or(usize::MAX);
        &self.ripe[..self.ripe.len().min(most)]
    }

    /// Returns how many records the next batch takes, with room for the records of the inbox.
    fn fitting(&self, records: &[Record]) -> usize {
        let room = self.records_max.saturating_sub(self.takeable().len()).max(1);
        let mut taken = records.len().min(room);
        // Whose deposits come later settles later.
        let beyond = self.ripe[self.takeable().len()..].iter().map(|entry| entry.participant).min();
        if let Some(beyond) = beyond {
            let before = records.partition_point(|record| record.participant() < beyond);
            taken = if before > 0 { taken.min(before) } else { taken };
        }
        if let Some(within) = self.overflow(&records[..taken]) {
            // One section is full, so that it can still be shown in a transaction.
            return within;
        }
        let Some(next) = records.get(taken) else { return taken };
        let whole =
            records[..taken].partition_point(|record| record.participant() < next.participant());
        // One participant with more records than fit is divided.
        if whole > 0 { whole } else { taken }
    }

    /// Returns how many records come before the first one for which its participant's section has no room.
    fn overflow(&self, records: &[Record]) -> Option<usize> {
        let mut done = 0;
        for own in records.chunk_by(|left, right| left.participant() == right.participant()) {
            let is_own = |entry: &&InboxEntry| entry.participant == own[0].participant();
            let entries = self.takeable().iter().filter(is_own).count();
            let room = self.section_max.saturating_sub(entries).max(1);
            if own.len() > room {
                return Some(done + room);
            }
            done += own.len();
        }
        None
    }

    fn plan(
        &self,
        period: SettlementPeriod,
        run: u32,
        part: u16,
        records: &[Record],
        entries: usize,
    ) -> BatchPlan {
        let deposits = (0_u16..).zip(&self.ripe[..entries]).filter_map(|(place, entry)| {
            let is_deposit = matches!(entry.kind, InboxKind::Deposit(_));
            let record = Record::new(entry.participant, Code::DEPOSIT, Slot(place), 0);
            record.ok().filter(|_| is_deposit)
        });
        let mut records: Vec<Record> = deposits.chain(records.iter().copied()).collect();
        records.sort_unstable_by_key(Record::key);
        let inbox_to = self.newest.inbox_to.saturating_add(entries as u64);
        BatchPlan { period, run, part, account_count: self.account_count, inbox_to, records }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};
    use gridtally_core::quantity::Amount;

    fn record(participant: u32, slot: u16, value: i32) -> Record {
        Record::new(ParticipantNumber(participant), Code::CONSUMPTION, Slot(slot), value).unwrap()
    }

    fn deposit(participant: u32) -> InboxEntry {
        let kind = InboxKind::Deposit(Amount::from_micro(1_000_000));
        InboxEntry { participant: ParticipantNumber(participant), kind }
    }

    fn newest(reg_period: u32, last: Option<Record>) -> BatchHeader {
        BatchHeader {
            reg_period: SettlementPeriod(reg_period),
            reg_last_key: last.map_or(0, |record| record.key()),
            ..BatchHeader::GENESIS
        }
    }

    /// Shows records as `participant/slot=value`, deposits as `participant+place`.
    fn shown(records: &[Record]) -> String {
        let shown = records.iter().map(|record| match record.code() {
            Code::DEPOSIT => format!("{}+{}", record.participant(), record.slot()),
            Code::WITHDRAWAL => format!("{}-{}", record.participant(), record.value()),
            _ => format!("{}/{}={}", record.participant(), record.slot(), record.value()),
        });
        shown.collect::<Vec<_>>().join(" ")
    }

    #[expect(clippy::needless_pass_by_value, reason = "expectations are written in place")]
    fn check_work(settled: &[(Record, i64)], reg_last: Option<Record>, expected: Expect) {
        let sums_wh = settled.iter().map(|(record, sum)| (record.key(), *sum)).collect();
        let settled = SettledKeys { sums_wh, erased: BTreeSet::new() };
        let wanted = [record(1, 0, 10), record(1, 1, 20), record(2, 0, 0), record(2, 1, 40)];
        let newest = newest(u32::from(reg_last.is_some()) * 3, reg_last);
        let work = work(SettlementPeriod(3), wanted, Some(&settled), &newest);
        let Work { regular, corrections, already, .. } = work;
        expected.assert_eq(&format!(
            "regular {}; corrections {}; already {already}",
            shown(&regular),
            shown(&corrections)
        ));
    }

    #[test]
    fn what_the_chain_lacks_is_settled_regularly_or_as_a_correction() {
        let [a, b, c, d] = [record(1, 0, 0), record(1, 1, 0), record(2, 0, 0), record(2, 1, 0)];
        check_work(
            &[],
            None,
            expect!["regular 1/0=10 1/1=20 2/0=0 2/1=40; corrections ; already 0"],
        );
        let all = [(a, 10), (b, 20), (c, 0), (d, 40)];
        check_work(&all, Some(d), expect!["regular ; corrections ; already 4"]);
        let other = [(a, 15), (b, 20), (c, 7), (d, 40)];
        check_work(&other, Some(d), expect!["regular ; corrections 1/0=-5 2/0=-7; already 2"]);
        // Late values: behind the cursor in a run, after it in a further part.
        check_work(
            &[(a, 10), (c, 0)],
            Some(c),
            expect!["regular 2/1=40; corrections 1/1=20; already 2"],
        );
        // Nonsense that somebody committed is corrected in steps.
        check_work(
            &[(a, i64::MAX), (b, 20), (c, 0), (d, 40)],
            Some(d),
            expect!["regular ; corrections 1/0=-2147483648; already 3"],
        );
    }

    #[expect(clippy::needless_pass_by_value, reason = "expectations are written in place")]
    fn check_parts(ripe: &[u32], (records_max, section_max): (usize, usize), expected: Expect) {
        let all = [1, 2, 3].map(|participant| [0, 1].map(|slot| record(participant, slot, 9)));
        let all: Vec<Record> = all.into_iter().flatten().collect();
        let ripe: Vec<InboxEntry> = ripe.iter().copied().map(deposit).collect();
        let (mut newest, mut left, mut parts) = (newest(0, None), all.as_slice(), Vec::new());
        while !left.is_empty() {
            let from = usize::try_from(newest.inbox_to).unwrap();
            let (account_count, ripe) = (4, &ripe[from..]);
            let base = Base { newest: &newest, ripe, account_count, records_max, section_max };
            let part = u16::try_from(parts.len()).unwrap();
            let (plan, taken) = base.regular(SettlementPeriod(1), part, left);
            let (first, last) = (plan.records[0], plan.records[plan.records.len() - 1]);
            assert!(parts.is_empty() || first.key() > newest.reg_last_key, "parts ascend");
            parts.push(shown(&plan.records));
            (newest.reg_period, newest.reg_last_key) = (plan.period, last.key());
            newest.inbox_to = plan.inbox_to;
            left = &left[taken..];
        }
        parts.push(format!("inbox to {}", newest.inbox_to));
        expected.assert_eq(&parts.join(" | "));
    }

    #[test]
    fn parts_hold_whole_participants_and_their_deposits() {
        check_parts(
            &[0, 1, 3],
            (99, 99),
            expect!["0+0 1+1 1/0=9 1/1=9 2/0=9 2/1=9 3+2 3/0=9 3/1=9 | inbox to 3"],
        );
        check_parts(&[], (4, 99), expect!["1/0=9 1/1=9 2/0=9 2/1=9 | 3/0=9 3/1=9 | inbox to 0"]);
        check_parts(
            &[0, 1, 2, 3],
            (8, 99),
            expect!["0+0 1+1 1/0=9 1/1=9 2+2 2/0=9 2/1=9 | 3+0 3/0=9 3/1=9 | inbox to 4"],
        );
        // An entry that would reach into the next part waits, and those after it.
        check_parts(
            &[3, 1],
            (4, 99),
            expect!["1/0=9 1/1=9 | 2/0=9 2/1=9 | 3+0 3/0=9 3/1=9 | inbox to 1"],
        );
        // A participant that does not fit is divided.
        check_parts(
            &[],
            (1, 99),
            expect!["1/0=9 | 1/1=9 | 2/0=9 | 2/1=9 | 3/0=9 | 3/1=9 | inbox to 0"],
        );
        // A section has room for a deposit and two readings, or for one reading.
        check_parts(
            &[0, 1, 3],
            (99, 3),
            expect!["0+0 1+1 1/0=9 1/1=9 2/0=9 2/1=9 3+2 3/0=9 3/1=9 | inbox to 3"],
        );
        check_parts(
            &[],
            (99, 1),
            expect!["1/0=9 | 1/1=9 2/0=9 | 2/1=9 3/0=9 | 3/1=9 | inbox to 0"],
        );
    }

    #[test]
    fn a_run_of_the_inbox_alone_has_a_record() {
        let (newest, entry) = (newest(5, Some(record(2, 1, 0))), deposit(1));
        let leaving = InboxEntry { kind: InboxKind::Exit, ..entry };
        let plan_of = |newest: &BatchHeader, ripe: &[InboxEntry]| {
            Base { newest, ripe, account_count: 3, records_max: 9, section_max: 9 }.inbox_only()
        };
        assert_eq!(plan_of(&newest, &[]), None);
        assert_eq!(plan_of(&BatchHeader::GENESIS, &[entry]), None, "no period to correct");
        let plan = plan_of(&newest, &[leaving, entry]).unwrap();
        assert_eq!((plan.period.0, plan.run, plan.inbox_to), (5, 1, 2));
        expect!["1+1"].assert_eq(&shown(&plan.records));
        let plan = plan_of(&newest, &[leaving]).unwrap();
        expect!["0-0"].assert_eq(&shown(&plan.records));
    }
}
