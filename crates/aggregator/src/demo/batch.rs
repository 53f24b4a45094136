//! The demonstration in batches: the same records once more, a period in one transaction, and a fraud that is struck down.
//!
//! ```text
//! before the days:  contract, participants, tariffs, deposits
//! after them:       batch, batch, ... a false one --> watcher --> cancelled --> the true one --> a week later: final, claimed
//! ```

use alloy_primitives::{Address, B256};
use gridtally_core::party::{ParticipantNumber, PartyId};
use gridtally_core::period::{SettlementCalendar, SettlementPeriod, Slot};
use gridtally_core::quantity::Amount;
use gridtally_ledger::{
    BatchArchive, BatchLedger, BatchOffices, BatchTerms, BeaconNode, BlobSource, CallKind, Client,
    DeployError, EndpointError, EndpointOptions, FollowOptions, GasMeasurements, Hub, HubError,
    HubReport, Key, KeyError, Outcome, Publication, PublicationError, SendError, SendOptions,
    Sender, Signatures, TokenChoice, WatchError, WatchReport, Watcher,
};
use gridtally_settlement::{
    Batch, BatchPlan, BatchRefused, Code, Record, RecordError, RecordLeaf, SignedReading, Tree,
    build_batch,
};
use serde::Serialize;

use crate::cycle::{CycleProgress, PreparedRun, RunError};
use crate::store::StoreView;

/// What each household pays in, micro-units.
const DEPOSIT_MICRO: u64 = 100_000_000;
/// What the hub pays in, micro-units.
const HUB_DEPOSIT_MICRO: u64 = 1_000_000_000;
/// What the hub loses with a batch, micro-units.
const SLASH_MICRO: u64 = 5_000_000_000;
/// Bond of a demand, micro-units.
const DEMAND_MICRO: u64 = 25_000_000;
/// How many batches the bond covers.
const BATCHES_MAX: u64 = 33;
/// Blocks after which an inbox entry may be taken.
const INBOX_BLOCKS: u64 = 65;
/// The window in which a batch can be struck down, and a minute, s.
const WINDOW_OVER_S: u64 = 7 * 86_400 + 60;
/// Households that are registered in one transaction, well below the gas of one.
const REGISTERED_MAX: usize = 200;
/// The time between two blocks of a public chain, s.
const SLOT_S: u64 = 12;
/// What the false batch takes from a household, micro-units.
const FRAUD_MICRO: i64 = 1_000_000;
/// What a household withdraws, hundredths.
const WITHDRAWAL_HUNDREDTHS: i32 = 2_500;
/// What the watcher has for the bonds of demands, micro-units.
const WATCHER_MICRO: u64 = 1_000_000_000;
/// Who watches: the second development account, which has nothing to do with the hub.
const WATCHER: u32 = 1;

/// What a newcomer wants to know of the batches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BatchSummary {
    /// Where the core stands.
    pub contract: Address,
    /// Batches, all final.
    pub batch_count: u64,
    /// Records in them, deposits and the withdrawal counted.
    pub record_count: u64,
    /// Gas of committing and finalizing for each record, rounded up.
    pub gas_per_record: u64,
    /// Blob gas of each record, rounded up.
    pub blob_gas_per_record: u64,
    /// The fraud.
    pub fraud: FraudSummary,
    /// The household that was paid.
    pub claim: ClaimSummary,
}

/// A false batch and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FraudSummary {
    /// The household that was to pay too much.
    pub party: PartyId,
    /// How much, micro-units.
    pub stolen_micro: i64,
    /// Number of the batch.
    pub seq: u64,
    /// The rule that it breaks: R4, say.
    pub rule: String,
    /// The transaction that struck it down.
    pub transaction: B256,
    /// Gas of it.
    pub gas: u64,
    /// What the hub lost, micro-units.
    pub slashed_micro: u64,
}

/// A payment out of the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ClaimSummary {
    /// The household.
    pub party: PartyId,
    /// How much, micro-units.
    pub amount_micro: u64,
    /// Gas of the claim.
    pub gas: u64,
}

/// Why batches came to no end. In the order of the steps.
#[derive(Debug, thiserror::Error)]
pub enum BatchDemoError {
    /// There is no key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// There is no contract.
    #[error(transparent)]
    Deploy(#[from] DeployError),
    /// A transaction was not carried out.
    #[error(transparent)]
    Send(#[from] SendError),
    /// The endpoint failed.
    #[error("{0}")]
    Endpoint(#[from] EndpointError),
    /// The run cannot be computed.
    #[error(transparent)]
    Run(#[from] RunError),
    /// A record is none of a batch.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// A batch would break a rule.
    #[error(transparent)]
    Batch(#[from] BatchRefused),
    /// Records cannot be published.
    #[error(transparent)]
    Publication(#[from] PublicationError),
    /// The hub fails.
    #[error(transparent)]
    Hub(#[from] HubError),
    /// The watcher fails.
    #[error(transparent)]
    Watch(#[from] WatchError),
    /// The fraud was not struck down, or something else was.
    #[error("the watcher said {0}")]
    FraudStands(String),
    /// There is nothing that could be forged, or nobody to pay.
    #[error("there is no record to show the fraud with")]
    NothingToForge,
}

/// Batch settlement beside direct settlement, ready before the first period begins.
#[derive(Debug)]
pub(super) struct BatchDemo {
    ledger: BatchLedger,
    client: Client,
    measured: GasMeasurements,
}

/// Nobody demands a reading of the simulated households, which have no meters that sign.
#[derive(Debug)]
struct NoSignatures;

impl Signatures for NoSignatures {
    fn signature(&self, _: &SignedReading) -> Option<Vec<u8>> {
        None
    }
}

impl BatchDemo {
    /// Deploys, registers, publishes the tariffs of the run, and pays in.
    pub(super) async fn prepare(
        client: Client,
        calendar: SettlementCalendar,
        run: &PreparedRun,
    ) -> Result<Self, BatchDemoError> {
        let sender = sender(&client, 0)?;
        let hub = sender.address();
        let terms = BatchTerms {
            offices: BatchOffices::all_held_by(hub),
            calendar,
            slash_unit_micro: SLASH_MICRO,
            demand_bond_micro: DEMAND_MICRO,
        };
        let mut measured = GasMeasurements::default();
        let token = TokenChoice::Demonstration { owner: hub };
        let ledger = BatchLedger::deploy(&sender, terms, token, &mut measured).await?;
        let households = run.book().parties().len();
        let count = households as u64;
        let bond = SLASH_MICRO * BATCHES_MAX;
        let money = bond + HUB_DEPOSIT_MICRO + count * DEPOSIT_MICRO;
        let first = SettlementPeriod(1);
        let mut calls =
            vec![ledger.mint_call(hub, money), ledger.approve_call(money), ledger.bond_call(bond)];
        let meters = vec![hub; households];
        calls.extend(meters.chunks(REGISTERED_MAX).map(|some| ledger.register_call(some, first)));
        let tables = run.tables().iter();
        calls.extend(tables.map(|(&period, table)| ledger.publish_tariff_call(period, table)));
        calls.push(ledger.deposit_call(ParticipantNumber::HUB, HUB_DEPOSIT_MICRO));
        for party in run.book().parties() {
            calls.push(ledger.deposit_call(party.participant, DEPOSIT_MICRO));
        }
        let watching = self::sender(&client, WATCHER)?;
        calls.push(ledger.mint_call(watching.address(), WATCHER_MICRO));
        for call in calls {
            sender.send(call).await?;
        }
        watching.send(ledger.approve_call(WATCHER_MICRO)).await?;
        let _blocks: serde_json::Value =
            client.endpoint().request("anvil_mine", [format!("{INBOX_BLOCKS:#x}")]).await?;
        Ok(Self { ledger, client, measured })
    }

    /// Commits a batch for each period, a false one before the last, waits for a week of the chain's time, and pays a
    /// household.
    pub(super) async fn settle(
        mut self,
        store: &StoreView,
        run: &PreparedRun,
        archive: BatchArchive,
        progress: &mut (dyn FnMut(CycleProgress) + Send),
    ) -> Result<BatchSummary, BatchDemoError> {
        let party = run.book().parties().first().ok_or(BatchDemoError::NothingToForge)?;
        let plans = self.plans(store, run, party.participant)?;
        let total = plans.len() as u64;
        let looking = Watcher::new(self.ledger.clone(), FollowOptions::default(), None);
        let mut hub = Hub::new(looking, sender(&self.client, 0)?, NoSignatures)
            .with_archive(archive, Publication::Cheapest);
        let mut fraud = None;
        for (done, plan) in (1..).zip(&plans) {
            if done == total {
                fraud = Some(self.commit_false(&hub, plan, &party.id).await?);
                // In the very second of a cancellation the contract takes no batch.
                self.move_time(SLOT_S).await?;
            }
            hub.commit(plan).await?;
            progress(CycleProgress { step: "committing batches", done, total });
        }
        let fraud = fraud.ok_or(BatchDemoError::NothingToForge)?;
        self.move_time(WINDOW_OVER_S).await?;
        let reports = hub.poll().await?;
        let finals = reports.iter().filter(|report| matches!(report, HubReport::Finalized { .. }));
        let batch_count = finals.count() as u64;
        let claim = self.claim(&hub, party.participant, &party.id).await?;
        let record_count: u64 = plans.iter().map(|plan| plan.records.len() as u64).sum();
        let mut blob_gas = 0;
        for batch in hub.watcher().view().batches() {
            if let Some(receipt) = self.client.receipt(batch.transaction).await? {
                blob_gas += receipt.blob_gas_used.unwrap_or(0);
                self.measured.add_receipt(CallKind::Commit, batch.header.count.into(), &receipt);
            }
        }
        let gas_per_record = self.measured.total(CallKind::Commit).gas_per_item_rounded_up();
        let contract = self.ledger.deployment().core;
        let blob_gas_per_record = blob_gas.div_ceil(record_count.max(1));
        Ok(BatchSummary {
            contract,
            batch_count,
            record_count,
            gas_per_record,
            blob_gas_per_record,
            fraud,
            claim,
        })
    }

    /// Returns what is settled in each period: deposits first, and at the end one household takes some of its money out.
    fn plans(
        &self,
        store: &StoreView,
        run: &PreparedRun,
        leaving: ParticipantNumber,
    ) -> Result<Vec<BatchPlan>, BatchDemoError> {
        let account_count = u32::try_from(run.book().parties().len() + 1).unwrap_or(u32::MAX);
        let inbox_to = u64::from(account_count);
        let last = run.tables().last_key_value().map(|(&period, _)| period);
        let mut plans = Vec::new();
        for period in run.periods(store) {
            let period = period?.records;
            let mut records: Vec<Record> =
                period.records.iter().map(|priced| priced.record).collect();
            if plans.is_empty() {
                let deposit = Code::new(0).expect("the code of deposits");
                // The hub has paid in first, then the households by their numbers.
                for number in 0..account_count {
                    let slot = Slot(u16::try_from(number).unwrap_or(u16::MAX));
                    records.push(Record::new(ParticipantNumber(number), deposit, slot, 0)?);
                }
            }
            if Some(period.period) == last {
                let withdrawal = Code::new(63).expect("the code of withdrawals");
                let value = WITHDRAWAL_HUNDREDTHS;
                records.push(Record::new(leaving, withdrawal, Slot(0), value)?);
            }
            records.sort_by_key(Record::key);
            let (period, run, part) = (period.period, 0, 0);
            plans.push(BatchPlan { period, run, part, account_count, inbox_to, records });
        }
        Ok(plans)
    }

    /// Commits a batch in which a household pays too much, everything else in order, and lets a watcher find it.
    async fn commit_false(
        &self,
        hub: &Hub<NoSignatures>,
        plan: &BatchPlan,
        party: &PartyId,
    ) -> Result<FraudSummary, BatchDemoError> {
        let view = hub.watcher().view();
        let (Some(parent), Some(reference)) =
            (hub.watcher().state(view.batches().len() as u64), view.reference(plan.period))
        else {
            return Err(BatchDemoError::NothingToForge);
        };
        let mut batch = build_batch(plan, parent, &reference)?;
        forge(&mut batch).ok_or(BatchDemoError::NothingToForge)?;
        let (way, commitment) = (Publication::Cheapest, &batch.commitment);
        let call = self.ledger.publishing_call(way, commitment, &plan.records, None).await?;
        let thief = sender(&self.client, 0)?;
        thief.send(call).await?;

        let own = sender(&self.client, WATCHER)?;
        // The watcher has nothing from the hub: it reads the blobs where the chain serves them.
        let chain = self.client.endpoint().shown();
        let beacon = BeaconNode::new(chain, EndpointOptions::default())?;
        let mut watcher = Watcher::new(self.ledger.clone(), FollowOptions::default(), Some(own))
            .with_blobs_from(vec![BlobSource::Beacon(beacon)]);
        let mut reports = watcher.poll().await?;
        // The published records are true, only the committed amount is not: the watcher has it shown, and a hub that does not
        // answer loses at once.
        while let Some(&WatchReport::Demanded { seq, demanded }) = reports.last() {
            let committed = watcher.view().batches().iter().find(|batch| batch.header.seq == seq);
            let header = committed.map(|batch| batch.header.clone());
            let header = header.ok_or(BatchDemoError::NothingToForge)?;
            let answer = self.ledger.answer_call(&header, &batch, demanded, &NoSignatures);
            thief.send(answer.ok_or(BatchDemoError::NothingToForge)?).await?;
            reports = watcher.poll().await?;
        }
        match reports.last() {
            Some(&WatchReport::Fraud {
                seq,
                rule,
                outcome: Outcome::Cancelled(transaction),
                ..
            }) => {
                let receipt = self.client.receipt(transaction).await?;
                Ok(FraudSummary {
                    party: party.clone(),
                    stolen_micro: FRAUD_MICRO,
                    seq,
                    rule: rule.to_string(),
                    transaction,
                    gas: receipt.map_or(0, |receipt| receipt.gas_used),
                    slashed_micro: SLASH_MICRO,
                })
            }
            other => Err(BatchDemoError::FraudStands(format!("{other:?}"))),
        }
    }

    async fn move_time(&self, seconds: u64) -> Result<(), EndpointError> {
        let now_s = self.client.block_latest().await?.timestamp;
        let endpoint = self.client.endpoint();
        let _time: serde_json::Value =
            endpoint.request("evm_setNextBlockTimestamp", [now_s + seconds]).await?;
        let _block: serde_json::Value = endpoint.request("evm_mine", ()).await?;
        Ok(())
    }

    async fn claim(
        &self,
        hub: &Hub<NoSignatures>,
        participant: ParticipantNumber,
        party: &PartyId,
    ) -> Result<ClaimSummary, BatchDemoError> {
        let watcher = hub.watcher();
        let last = watcher.view().batches().last();
        let last = last.ok_or(BatchDemoError::NothingToForge)?;
        let account =
            watcher.state(last.header.seq).and_then(|state| state.open_account(participant));
        let account = account.ok_or(BatchDemoError::NothingToForge)?;
        let sender = sender(&self.client, 0)?;
        let payout = sender.address();
        sender.send(self.ledger.set_payout_call(participant, payout)).await?;
        let receipt = sender.send(self.ledger.claim_call(&last.header, &account)).await?;
        let amount_micro = account.leaf.payable_micro;
        Ok(ClaimSummary { party: party.clone(), amount_micro, gas: receipt.gas_used })
    }
}

fn sender(client: &Client, index: u32) -> Result<Sender, KeyError> {
    Ok(Sender::new(client.clone(), Key::test_account(index)?, SendOptions::default()))
}

/// Makes the first household pay too much for its first consumption; all balances follow, so that only one amount is wrong.
fn forge(batch: &mut Batch) -> Option<()> {
    let first = batch.leaves.iter().position(|leaf| leaf.record.code() == Code::CONSUMPTION)?;
    let participant = batch.leaves[first].record.participant();
    let minus = |amount: Amount| Amount::from_micro(amount.micro() - FRAUD_MICRO);
    let plus = |amount: Amount| Amount::from_micro(amount.micro() + FRAUD_MICRO);
    batch.leaves[first].amount = minus(batch.leaves[first].amount);
    for leaf in &mut batch.leaves[first..] {
        if leaf.record.participant() == participant {
            leaf.balance_after = minus(leaf.balance_after);
        }
        leaf.hub_after = plus(leaf.hub_after);
    }
    let mut account = batch.accounts.get(participant);
    account.balance = minus(account.balance);
    batch.accounts.set(participant, account);
    let mut hub = batch.accounts.get(ParticipantNumber::HUB);
    hub.balance = plus(hub.balance);
    batch.accounts.set(ParticipantNumber::HUB, hub);
    batch.commitment.hub_balance = plus(batch.commitment.hub_balance);
    batch.record_tree = Tree::new(batch.leaves.iter().map(RecordLeaf::hash).collect())?;
    batch.account_tree = batch.accounts.tree()?;
    batch.commitment.record_root = batch.record_tree.root();
    batch.commitment.account_root = batch.account_tree.root();
    Some(())
}
