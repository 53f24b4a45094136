//! A town whose ledger stands on a chain: what the town plans is registered, published, paid in and committed there.

use std::sync::Arc;

use alloy_primitives::Address;
use gridtally_core::party::ParticipantNumber;
use gridtally_core::period::{SettlementCalendar, SettlementPeriod};
use gridtally_ledger::{
    BatchEntry, BatchEvent, BatchLedger, BatchOffices, BatchTerms, BlobSidecar, Call,
    GasMeasurements, Receipt, SendError, Sender, TokenChoice,
};
use gridtally_settlement::{
    Account, Accounts, BatchCommitment, BatchHeader, DataKind, InboxKind, KeyGap, LedgerState,
    Record, RecordLeaf, SignedReading, Tree,
};
use jiff::Timestamp;
use serde_json::Value;

use super::town::{Committed, Data, SLOTS, Town, record};
use crate::node::{Node, START_UNIX_S};
use crate::town::{DAY_S, OFFICER, brisk, key, sender};

/// Periods that have prices.
pub(crate) const PERIODS: u32 = 20;
/// Money for everything, micro-units.
const MONEY_MICRO: u64 = 1 << 60;
/// Time from a commit to the end of its window, s.
const WINDOW_S: u64 = 7 * 86_400;
/// What a cancelled batch costs, micro-units.
pub(crate) const SLASH_MICRO: u64 = 5_000_000_000;

/// A chain with batch settlement, and the town that it belongs to.
pub(crate) struct Stage {
    pub(crate) node: Node,
    pub(crate) ledger: BatchLedger,
    pub(crate) town: Town,
    /// Entries of the town's inbox that are on the chain.
    mirrored: usize,
    /// The batches that stand, each with the header before it.
    pub(crate) settled: Vec<(Committed, BatchHeader)>,
    /// How many of them are final.
    pub(crate) finalized: usize,
    /// A participant whose payout address is not the officer's, and the key of that.
    pub(crate) independent: Option<(ParticipantNumber, u32)>,
}

impl Stage {
    pub(crate) async fn new(node: Node, seed: u64) -> Self {
        Self::publishing(node, seed, DataKind::Calldata).await
    }

    /// Returns a stage whose batches are published in this way.
    pub(crate) async fn publishing(node: Node, seed: u64, data_kind: DataKind) -> Self {
        Self::with_auditor(node, seed, data_kind, None).await
    }

    /// Returns a stage whose contract takes sealed batches too where it has an auditor.
    pub(crate) async fn with_auditor(
        node: Node,
        seed: u64,
        data_kind: DataKind,
        auditor: Option<Address>,
    ) -> Self {
        let genesis = Timestamp::from_second(i64::try_from(START_UNIX_S).unwrap()).unwrap();
        let officer = sender(&node.client, OFFICER);
        let terms = BatchTerms {
            offices: BatchOffices { auditor, ..BatchOffices::all_held_by(officer.address()) },
            calendar: SettlementCalendar::new(genesis, DAY_S, SLOTS).unwrap(),
            slash_unit_micro: SLASH_MICRO,
            demand_bond_micro: 25_000_000,
        };
        let token = TokenChoice::Demonstration { owner: officer.address() };
        let mut measured = GasMeasurements::default();
        let ledger = BatchLedger::deploy(&officer, terms, token, &mut measured).await.unwrap();
        let mut town = Town::new(seed);
        town.takes_all = true;
        town.forces = false;
        town.data_kind = Some(data_kind);
        let stage = Self {
            node,
            ledger,
            town,
            mirrored: 0,
            settled: Vec::new(),
            finalized: 0,
            independent: None,
        };
        stage.set_up(&officer).await
    }

    async fn set_up(mut self, officer: &Sender) -> Self {
        let (ledger, payout) = (&self.ledger, officer.address());
        for call in [
            ledger.mint_call(payout, MONEY_MICRO),
            ledger.approve_call(MONEY_MICRO),
            ledger.bond_call(40 * SLASH_MICRO),
        ] {
            officer.send(call).await.unwrap();
        }
        for number in 1..=self.town.participants {
            let activity = self.town.activities.of(ParticipantNumber(number)).unwrap();
            let call = ledger.register_one_call(key(1).address(), payout, activity.first);
            officer.send(call).await.unwrap();
            if activity.last.0 != u32::MAX {
                let call = ledger.retire_call(ParticipantNumber(number), activity.last);
                officer.send(call).await.unwrap();
            }
        }
        for period in (1..=PERIODS).map(SettlementPeriod) {
            let table = self.town.table(period);
            officer.send(ledger.publish_tariff_call(period, &table)).await.unwrap();
        }
        self.mirror_inbox().await;
        self
    }

    /// Pays in and asks to leave as the town has planned since last time, and lets the entries get old enough.
    async fn mirror_inbox(&mut self) {
        let officer = self.officer();
        let new = &self.town.inbox[self.mirrored..];
        for entry in new {
            let call = match entry.kind {
                InboxKind::Deposit(amount) => {
                    let amount = u64::try_from(amount.micro()).unwrap();
                    self.ledger.deposit_call(entry.participant, amount)
                }
                InboxKind::Exit => self.ledger.request_exit_call(entry.participant),
            };
            let is_exit = entry.kind == InboxKind::Exit;
            match self.independent.filter(|(number, _)| is_exit && *number == entry.participant) {
                Some((_, key_index)) => {
                    sender(&self.node.client, key_index).send(call).await.unwrap();
                }
                None => drop(officer.send(call).await.unwrap()),
            }
        }
        if !new.is_empty() {
            self.node.steer("anvil_mine", ["0x41"]).await;
        }
        self.mirrored = self.town.inbox.len();
    }

    /// Returns a sender that knows nothing of what was undone.
    pub(crate) fn officer(&self) -> Sender {
        Sender::new(self.node.client.clone(), key(OFFICER), brisk())
    }

    /// Plans the next batch, with everything on the chain that it needs.
    pub(crate) async fn next_batch(&mut self) -> Committed {
        let batch = self.town.next_batch();
        self.mirror_inbox().await;
        self.period_over(batch.header.period).await;
        batch
    }

    /// Lets a period end, if it has not.
    pub(crate) async fn period_over(&self, period: SettlementPeriod) {
        let over = START_UNIX_S + u64::from(period.0 + 1) * u64::from(DAY_S);
        if self.node.client.block_latest().await.unwrap().timestamp < over {
            self.node.mine_at(over).await;
        }
    }

    /// Commits an honest batch, and goes on from it.
    pub(crate) async fn settle(&mut self, batch: &Committed) {
        let header = self.commit(batch).await.unwrap();
        let parent = self.town.state.header().clone();
        self.town.state = state_after(batch, header.clone());
        self.settled.push((Committed { header, ..batch.clone() }, parent));
    }

    /// Lets the window of every batch go over, and makes all final.
    pub(crate) async fn finalize_all(&mut self) {
        self.pass(WINDOW_S + 1).await;
        for (batch, _) in &self.settled[self.finalized..] {
            self.send(self.ledger.finalize_call(&batch.header)).await.unwrap();
        }
        self.finalized = self.settled.len();
    }

    /// Lets participants force readings that final batches have not; returns how many.
    pub(crate) async fn force_readings(&mut self, wanted: usize) -> usize {
        let mut forced = Vec::new();
        for (batch, parent) in &self.settled[..self.finalized] {
            let candidates = self.unsettled(batch);
            for record in candidates.into_iter().take(wanted.div_ceil(2)) {
                if forced.len() < wanted
                    && let Some(until_s) = self.force(batch, parent, record).await
                {
                    forced.push((batch.header.period, record.key(), until_s));
                }
            }
        }
        for &(period, key, until_s) in &forced {
            self.town.forced(period, key, until_s);
        }
        forced.len()
    }

    /// Lets the day go over in which forced readings may be corrected.
    pub(crate) async fn end_corrections(&mut self) {
        self.pass(u64::from(DAY_S) + 1).await;
        self.town.committed_at_min_s = self.now_s().await;
    }

    /// Returns credits that a batch could have had, and has not.
    fn unsettled(&self, batch: &Committed) -> Vec<Record> {
        let period = batch.header.period;
        let table = &self.town.tables[&period];
        let numbers = (1..=self.town.participants)
            .filter(|&number| self.town.activities.is_active(ParticipantNumber(number), period));
        let slots = |number| (0..SLOTS).map(move |slot| record(number, 1, slot, 1_000));
        numbers
            .flat_map(slots)
            .filter(|record| {
                let price = table.price(record.code(), record.slot()).unwrap();
                let has = |leaf: &RecordLeaf| leaf.record.key() == record.key();
                price.micro_per_kwh() > 0 && !batch.leaves.iter().any(has)
            })
            .collect()
    }

    /// Forces a reading, if the batch shows that it is missing; returns until when it may be corrected, Unix time, s.
    async fn force(&self, batch: &Committed, parent: &BatchHeader, record: Record) -> Option<u64> {
        let Committed { header, leaves, .. } = batch;
        let tree = Tree::new(leaves.iter().map(RecordLeaf::hash).collect()).unwrap();
        let gap = KeyGap::find(header, parent, leaves, &tree, header.period, record.key())?;
        let reading = SignedReading::of_record(header.period, 0, &record).unwrap();
        let digest = reading.digest(&self.ledger.deployment().domain());
        let signature = key(1).sign(digest).as_bytes().to_vec();
        let table = &self.town.tables[&header.period];
        let period = header.period;
        let call = self.ledger.force_reading_call(&gap, period, &record, signature, table);
        self.send(call).await.unwrap();
        Some(self.now_s().await + u64::from(DAY_S))
    }

    async fn now_s(&self) -> u64 {
        self.node.client.block_latest().await.unwrap().timestamp
    }

    /// Lets time go by.
    pub(crate) async fn pass(&self, seconds: u64) {
        let now_s = self.now_s().await;
        self.node.mine_at(now_s + seconds).await;
    }

    /// Commits a batch, honest or not, and returns the header that the chain made.
    pub(crate) async fn commit(&self, batch: &Committed) -> Result<BatchHeader, SendError> {
        let receipt = self.officer().send(self.commit_call(batch)).await?;
        let events = self.events(&receipt);
        let header = events.into_iter().find_map(|event| match event {
            BatchEvent::Committed { header, .. } => Some(*header),
            _ => None,
        });
        Ok(header.unwrap())
    }

    pub(crate) fn commit_call(&self, batch: &Committed) -> Call {
        match &batch.data {
            Data::Calldata(data) => {
                self.ledger.commit_calldata_call(&commitment(batch), data.clone())
            }
            Data::Blobs(blobs) => {
                let sidecar = BlobSidecar::new(blobs).unwrap();
                self.ledger.commit_blobs_call(&commitment(batch), Arc::new(sidecar))
            }
        }
    }

    pub(crate) async fn send(&self, call: Call) -> Result<Receipt, SendError> {
        self.officer().send(call).await
    }

    pub(crate) fn events(&self, receipt: &Receipt) -> Vec<BatchEvent> {
        let core = [self.ledger.deployment().core];
        let entries = BatchEntry::all_of(receipt, &core).unwrap();
        entries.into_iter().map(|entry| entry.event).collect()
    }

    /// Does something, and undoes everything that it did to the chain.
    pub(crate) async fn tentatively<T>(&self, work: impl AsyncFnOnce() -> T) -> T {
        let snapshot: Value = self.node.steer("evm_snapshot", ()).await;
        let result = work().await;
        assert_eq!(self.node.steer("evm_revert", [snapshot]).await, Value::Bool(true));
        result
    }
}

pub(crate) fn commitment(batch: &Committed) -> BatchCommitment {
    let header = &batch.header;
    BatchCommitment {
        period: header.period,
        run: header.run,
        part: header.part,
        count: header.count,
        first_key: header.first_key,
        last_key: header.last_key,
        record_root: header.record_root,
        account_root: header.account_root,
        account_count: header.account_count,
        hub_balance: header.hub_balance,
        inbox_to: header.inbox_to,
        expected_parent: header.parent,
    }
}

/// Returns the state after a batch, under the header that the chain made.
pub(crate) fn state_after(batch: &Committed, header: BatchHeader) -> LedgerState {
    let account = |leaf: &gridtally_settlement::AccountLeaf| Account {
        balance: leaf.balance,
        payable_micro: leaf.payable_micro,
    };
    LedgerState::new(header, Accounts::new(batch.accounts.iter().map(account).collect()))
}
