//! Random ledgers: towns whose participants deposit, produce, consume, are corrected and leave, batch after batch.

use std::collections::BTreeMap;

use alloy_primitives::B256;
use gridtally_core::party::ParticipantNumber;
use gridtally_core::period::{SettlementPeriod, Slot};
use gridtally_core::quantity::{Amount, Price};
use gridtally_settlement::{
    Acceptance, Activities, Activity, BatchHeader, BatchPlan, BlobBytes, Code, DataKind,
    ForcedReadings, InboxEntry, InboxKind, InboxRange, LedgerState, Published, Record, RecordLeaf,
    Reference, TariffTable, build_batch, calldata_hash, pack_blobs, pack_calldata,
};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Slots of a period.
pub(crate) const SLOTS: u16 = 6;
/// A micro-unit times this is a unit.
const UNIT: i64 = 1_000_000;
/// Time from one commit to the next, s.
const BETWEEN_BATCHES_S: u64 = 86_400;
/// The largest withdrawal, hundredths.
const WITHDRAWAL_MAX: i64 = i32::MAX as i64;

/// The bytes that a batch publishes.
#[derive(Clone, Debug)]
pub(crate) enum Data {
    Calldata(Vec<u8>),
    Blobs(Vec<BlobBytes>),
}

impl Data {
    pub(crate) fn of(kind: DataKind, records: &[Record]) -> Self {
        match kind {
            DataKind::Calldata => Self::Calldata(pack_calldata(records.iter().copied())),
            DataKind::Blob | DataKind::SealedBlob => Self::Blobs(pack_blobs(records)),
        }
    }

    /// The hash of blobs takes long and is not needed here.
    fn hash(&self) -> B256 {
        match self {
            Self::Calldata(data) => calldata_hash(data),
            Self::Blobs(blobs) => B256::repeat_byte(u8::try_from(blobs.len()).unwrap()),
        }
    }

    pub(crate) fn published(&self) -> Published<'_> {
        match self {
            Self::Calldata(data) => Published::Calldata(data),
            Self::Blobs(blobs) => Published::Blobs(blobs),
        }
    }
}

/// A batch as it was committed, honest or not.
#[derive(Clone, Debug)]
pub(crate) struct Committed {
    pub(crate) header: BatchHeader,
    pub(crate) leaves: Vec<RecordLeaf>,
    pub(crate) accounts: Vec<gridtally_settlement::AccountLeaf>,
    pub(crate) data: Data,
    /// Keys that are in the way of nothing but R13: a correction of them comes too late.
    pub(crate) late: Vec<u64>,
}

/// A ledger after its last batch, and the world around it.
pub(crate) struct Town {
    pub(crate) random: ChaCha8Rng,
    pub(crate) tables: BTreeMap<SettlementPeriod, TariffTable>,
    pub(crate) activities: Activities,
    pub(crate) participants: u32,
    pub(crate) inbox: Vec<InboxEntry>,
    pub(crate) forced_readings: ForcedReadings,
    pub(crate) forced_keys: Vec<(SettlementPeriod, u64)>,
    pub(crate) state: LedgerState,
    /// Whether participants force readings.
    pub(crate) forces: bool,
    /// Whether every batch takes the whole inbox.
    pub(crate) takes_all: bool,
    /// Whether correction runs also reverse what was planned before.
    pub(crate) reverses: bool,
    /// The readings that were planned last for a period.
    planned: BTreeMap<SettlementPeriod, Vec<Record>>,
    /// Whether the next batches are correction runs; sometimes if it is not said.
    pub(crate) corrects: Option<bool>,
    /// No batch is committed before this time, Unix time, s.
    pub(crate) committed_at_min_s: u64,
    /// Where batches are published; anywhere if it is not said.
    pub(crate) data_kind: Option<DataKind>,
}

impl Town {
    pub(crate) fn new(seed: u64) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let participants = random.random_range(1..9);
        let activity = |_| {
            let first = SettlementPeriod(random.random_range(1..3));
            let last = if random.random_bool(0.2) { first.0 + 4 } else { u32::MAX };
            Activity { first, last: SettlementPeriod(last) }
        };
        let activities = Activities::new((0..participants).map(activity).collect());
        let mut town = Self {
            random,
            tables: BTreeMap::new(),
            activities,
            participants,
            inbox: Vec::new(),
            forced_readings: ForcedReadings::default(),
            forced_keys: Vec::new(),
            state: LedgerState::genesis(),
            forces: true,
            takes_all: false,
            reverses: false,
            planned: BTreeMap::new(),
            corrects: None,
            committed_at_min_s: 0,
            data_kind: None,
        };
        for participant in 0..=town.participants {
            town.deposit(participant, 5_000);
        }
        town
    }

    /// Pays in for a participant.
    pub(crate) fn deposit(&mut self, participant: u32, units: i64) {
        let kind = InboxKind::Deposit(Amount::from_micro(units * UNIT));
        self.inbox.push(InboxEntry { participant: ParticipantNumber(participant), kind });
    }

    /// Asks for everything that a participant has.
    pub(crate) fn leave(&mut self, participant: u32) {
        let participant = ParticipantNumber(participant);
        self.inbox.push(InboxEntry { participant, kind: InboxKind::Exit });
    }

    fn inbox_range(&self, from: u64, to: u64) -> &[InboxEntry] {
        &self.inbox[usize::try_from(from).unwrap()..usize::try_from(to).unwrap()]
    }

    /// Returns the table of a period, which is fixed when it is first asked for.
    pub(crate) fn table(&mut self, period: SettlementPeriod) -> TariffTable {
        let random = &mut self.random;
        let table = self.tables.entry(period).or_insert_with(|| {
            let mut row = || -> Vec<Price> {
                (0..SLOTS)
                    .map(|_| Price::from_micro_per_kwh(random.random_range(-90_000..600_000)))
                    .collect()
            };
            let codes = [1, 2, 32, 33].map(|code| (Code::new(code).unwrap(), row()));
            TariffTable::new(SLOTS, codes.into_iter().collect()).unwrap()
        });
        table.clone()
    }

    pub(crate) fn reference<'a>(&'a self, table: &'a TariffTable) -> Reference<'a> {
        let inbox = InboxRange { first: 0, entries: &self.inbox };
        Reference { table, activities: &self.activities, inbox, forced: &self.forced_readings }
    }

    /// Plans and builds the next batch; the ledger does not move yet.
    pub(crate) fn next_batch(&mut self) -> Committed {
        let header = self.state.header().clone();
        if self.random.random_bool(0.3) {
            let participant = self.random.random_range(0..=self.participants);
            let units = self.random.random_range(1..500);
            self.deposit(participant, units);
        }
        if self.random.random_bool(0.15) {
            let participant = ParticipantNumber(self.random.random_range(1..=self.participants));
            let exit = InboxEntry { participant, kind: InboxKind::Exit };
            let waiting = self.inbox_range(header.inbox_to, self.inbox.len() as u64);
            if !waiting.contains(&exit) {
                self.leave(participant.0);
            }
        }
        if self.forces && header.seq > 1 {
            for _ in 0..self.participants {
                self.force(&header);
            }
        }
        let often = self.random.random_bool(0.25);
        let is_correction = header.seq > 1 && self.corrects.unwrap_or(often);
        let (period, run) = if is_correction {
            (self.random.random_range(1..=header.reg_period.0), header.last_run + 1)
        } else {
            (header.reg_period.0 + 1, 0)
        };
        let period = SettlementPeriod(period);
        let mut records = self.readings(period, run);
        if run == 0 {
            self.planned.insert(period, records.clone());
        } else if self.reverses {
            let settled = self.planned.get(&period).into_iter().flatten();
            records.extend(settled.step_by(3).map(|old| {
                record(old.participant().0, old.code().number(), old.slot().0, -old.value())
            }));
        }
        let committed_at = self.committed_at_min_s.max(header.committed_at + BETWEEN_BATCHES_S);
        let late = self.late(period, run, committed_at);
        records.retain(|record| !late.contains(&record.key()));
        let taken_max = self.inbox.len() as u64 - header.inbox_to;
        let takes_all = self.takes_all || header.seq == 0;
        let taken = if takes_all { taken_max } else { self.random.random_range(0..=taken_max) };
        let inbox_to = header.inbox_to + taken;
        let mut leaving = Vec::new();
        for (slot, entry) in self.inbox_range(header.inbox_to, inbox_to).iter().enumerate() {
            match entry.kind {
                InboxKind::Deposit(_) => {
                    let slot = Slot(u16::try_from(slot).unwrap());
                    records.push(record(entry.participant.0, 0, slot.0, 0));
                }
                InboxKind::Exit => leaving.push(entry.participant),
            }
        }
        let table = self.table(period);
        let account_count = self.participants + 1;
        let mut plan = BatchPlan { period, run, part: 0, account_count, inbox_to, records };
        plan.records.sort_by_key(Record::key);
        plan.records.dedup_by_key(|record| record.key());
        self.fund(&mut plan, &table, &leaving);
        if plan.records.is_empty() {
            plan.records.push(record(0, 63, 0, 0));
        }
        let reference = self.reference(&table);
        let batch = build_batch(&plan, &self.state, &reference).unwrap();
        let either = if self.random.random_bool(0.5) { DataKind::Calldata } else { DataKind::Blob };
        let kind = self.data_kind.unwrap_or(either);
        let data = Data::of(kind, &plan.records);
        let accepted = Acceptance {
            tariff_hash: table.hash(),
            data_hash: data.hash(),
            data_kind: kind,
            committed_at,
        };
        Committed {
            header: batch.commitment.header(self.state.header(), &accepted),
            leaves: batch.leaves,
            accounts: batch.accounts.leaves().collect(),
            data,
            late,
        }
    }

    /// Takes in that a reading was forced.
    pub(crate) fn forced(&mut self, period: SettlementPeriod, key: u64, correct_until_s: u64) {
        self.forced_readings.request(period, key, correct_until_s);
        self.forced_keys.push((period, key));
    }

    /// Lets a participant force a reading of a period that was settled, as it seems from after the last batch.
    fn force(&mut self, last: &BatchHeader) {
        let period = SettlementPeriod(self.random.random_range(1..=last.reg_period.0));
        let participant = self.random.random_range(1..=self.participants);
        let is_active = self.activities.is_active(ParticipantNumber(participant), period);
        let (code, slot) = (self.random.random_range(1..=2), self.random.random_range(0..SLOTS));
        let key = record(participant, code, slot, 0).key();
        if is_active && self.forced_readings.correct_until_s(period, key).is_none() {
            // The next batch can still correct it.
            self.forced(period, key, last.committed_at + BETWEEN_BATCHES_S);
        }
    }

    /// Returns the forced keys that a correction must not have any more.
    fn late(&self, period: SettlementPeriod, run: u32, committed_at_s: u64) -> Vec<u64> {
        let forced = self.forced_keys.iter().filter(|&&(of, _)| run > 0 && of == period);
        let late =
            forced.filter(|&&(_, key)| self.forced_readings.is_late(period, key, committed_at_s));
        late.map(|&(_, key)| key).collect()
    }

    fn readings(&mut self, period: SettlementPeriod, run: u32) -> Vec<Record> {
        let mut records = Vec::new();
        for participant in 1..=self.participants {
            if !self.activities.is_active(ParticipantNumber(participant), period) {
                continue;
            }
            for code in [1, 2, 32, 33] {
                for slot in 0..SLOTS {
                    if self.random.random_bool(0.3) {
                        let least = if run == 0 { 0 } else { -3_000 };
                        let value = self.random.random_range(least..3_000);
                        records.push(record(participant, code, slot, value));
                    }
                }
            }
        }
        records
    }

    /// Adds withdrawals of everything for who leaves, and leaves out debits that nobody could pay.
    fn fund(&mut self, plan: &mut BatchPlan, table: &TariffTable, leaving: &[ParticipantNumber]) {
        let mut kept = Vec::new();
        let records = std::mem::take(&mut plan.records);
        for participant in 0..=self.participants {
            let number = ParticipantNumber(participant);
            let mut balance = self.state.accounts().get(number).balance.micro();
            for record in records.iter().filter(|record| record.participant() == number) {
                let amount = self.amount(record, table);
                if balance + amount >= 0 {
                    balance += amount;
                    kept.push(*record);
                }
            }
            let sweeps =
                participant > 0 && (leaving.contains(&number) || self.random.random_bool(0.1));
            if sweeps {
                let hundredths = (balance / 10_000).min(WITHDRAWAL_MAX);
                kept.push(record(participant, 63, 0, i32::try_from(hundredths).unwrap()));
            }
        }
        plan.records = kept;
    }

    fn amount(&self, record: &Record, table: &TariffTable) -> i64 {
        if record.code().number() == 0 {
            let entry = self.state.header().inbox_to + u64::from(record.slot().0);
            let InboxKind::Deposit(amount) = self.inbox_range(entry, entry + 1)[0].kind else {
                panic!("a deposit")
            };
            return amount.micro();
        }
        let price = table.price(record.code(), record.slot()).unwrap_or(Price::ZERO);
        gridtally_settlement::participant_amount(record.code(), record.value(), price)
            .unwrap()
            .micro()
    }
}

pub(crate) fn record(participant: u32, code: u8, slot: u16, value: i32) -> Record {
    let code = Code::new(code).unwrap();
    Record::new(ParticipantNumber(participant), code, Slot(slot), value).unwrap()
}

/// Returns any 64 bits, often one of the extremes.
pub(crate) fn hostile(random: &mut impl Rng, near: i64) -> i64 {
    match random.random_range(0..8) {
        0 => i64::MAX,
        1 => i64::MIN,
        2 => 0,
        3 => -1,
        4 => near.wrapping_add(1),
        5 => near.wrapping_sub(1),
        6 => near.wrapping_neg(),
        _ => random.random(),
    }
}
