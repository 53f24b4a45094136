//! The demonstration in batches: the same days in a store of their own, and a fraud that is struck down.
//!
//! ```text
//! settle_in_batches, all but the last period --> a household asks to leave, a false batch --> watcher --> cancelled
//!     --> settle_in_batches, everything, over the windows --> final, claimed
//! ```

use alloy_primitives::{Address, B256};
use gridtally_core::party::{ParticipantNumber, PartyId};
use gridtally_core::period::SettlementCalendarError;
use gridtally_core::quantity::Amount;
use gridtally_ledger::{
    BatchLedger, BeaconNode, BlobSource, CallKind, Client, DeployError, EndpointError,
    EndpointOptions, FollowOptions, INBOX_DEPTH, Key, KeyError, Outcome, Publication,
    PublicationError, SendError, SendOptions, Sender, Signatures, WatchError, WatchReport, Watcher,
};
use gridtally_settlement::{
    Batch, BatchPlan, BatchRefused, Code, Record, RecordLeaf, SignedReading, Tree, build_batch,
};
use jiff::Timestamp;
use serde::Serialize;

use crate::cycle::{
    BatchOptions, BatchSettlement, CycleProgress, EmbeddedChain, EmbeddedError, PreparedRun,
    RunError, RunOptions, SettlementError, mine, move_time_to, settle_in_batches,
};
use crate::store::{Store, StoreError};

/// What somebody who lacks money pays in at least, micro-units.
const DEPOSIT_MICRO: u64 = 100_000_000;
/// The time between two blocks of a public chain, s.
const SLOT_S: u64 = 12;
/// What the false batch takes from a household, micro-units.
const FRAUD_MICRO: i64 = 1_000_000;
/// What the watcher has for the bonds of demands, micro-units.
const WATCHER_MICRO: u64 = 1_000_000_000;
/// Who settles: the first development account.
const HUB: u32 = 0;
/// Who watches: the second development account, which has nothing to do with the hub.
const WATCHER: u32 = 1;
/// Whose the household's money is: the third.
const HOUSEHOLD: u32 = 2;

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
    /// Whether verification found nothing.
    pub is_verified: bool,
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
    /// The store fails.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is no chain.
    #[error(transparent)]
    Embedded(#[from] EmbeddedError),
    /// There is no key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The run cannot be computed.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The settlement came to no end.
    #[error(transparent)]
    Settlement(Box<SettlementError>),
    /// There is no contract.
    #[error(transparent)]
    Deploy(#[from] DeployError),
    /// A transaction was not carried out.
    #[error(transparent)]
    Send(#[from] SendError),
    /// The endpoint failed.
    #[error("{0}")]
    Endpoint(#[from] EndpointError),
    /// The watcher fails.
    #[error(transparent)]
    Watch(#[from] WatchError),
    /// A batch would break a rule by itself.
    #[error(transparent)]
    Batch(#[from] BatchRefused),
    /// Records cannot be published.
    #[error(transparent)]
    Publication(#[from] PublicationError),
    /// The fraud was not struck down, or something else was.
    #[error("the watcher said {0}")]
    FraudStands(String),
    /// There is nothing that could be forged, or nobody to pay.
    #[error("there is no record to show the fraud with")]
    NothingToForge,
}

impl From<SettlementError> for BatchDemoError {
    fn from(error: SettlementError) -> Self {
        Self::Settlement(Box::new(error))
    }
}

impl From<SettlementCalendarError> for BatchDemoError {
    fn from(error: SettlementCalendarError) -> Self {
        Self::Run(error.into())
    }
}

/// The false batch is cancelled before anybody asks for a signature.
#[derive(Debug)]
struct NoSignatures;

impl Signatures for NoSignatures {
    fn signature(&self, _: &SignedReading) -> Option<Vec<u8>> {
        None
    }
}

/// The stage: one store, one chain, and a ledger on it.
struct Show<'a> {
    ledger: BatchLedger,
    client: Client,
    /// What is settled; its last period falsely first.
    run: &'a PreparedRun,
    party: PartyId,
    participant: ParticipantNumber,
}

/// Settles a store in batches, commits a false one before the last, lets a watcher strike it down, moves time over the windows and
/// pays a household that asked to leave.
pub(super) async fn show(
    store: &mut Store,
    options: &RunOptions,
    chain: &EmbeddedChain,
    now: Timestamp,
    progress: &mut (dyn FnMut(CycleProgress) + Send),
) -> Result<BatchSummary, BatchDemoError> {
    let client = chain.client().await?;
    let hub = sender(&client, HUB)?;
    let run = PreparedRun::new(store.view(), options)?;
    let (&last, _) = run.tables().last_key_value().ok_or(BatchDemoError::NothingToForge)?;
    let calendar = run.manifest().calendar;
    let (last_start, last_end) = (calendar.period_start(last)?, calendar.period_end(last)?);
    let settling = BatchOptions {
        publish_until: Some(last_end),
        deposit_least_micro: DEPOSIT_MICRO,
        ..BatchOptions::development()
    };
    let all_but_last = RunOptions { until: last_start, ..options.clone() };
    let before = settle_in_batches(store, &all_but_last, &hub, &settling, now, progress).await?;

    let ledger = BatchLedger::connect(client.clone(), before.deployment).await?;
    let first = run.book().parties().first().ok_or(BatchDemoError::NothingToForge)?;
    let (party, participant) = (first.id.clone(), first.participant);
    let show = Show { ledger, client, run: &run, party, participant };
    show.ask_to_leave().await?;
    let end_s = u64::try_from(last_end.as_second()).unwrap_or(0);
    move_time_to(&show.client, end_s).await?;
    let fraud = show.commit_false(store).await?;
    // In the very second of a cancellation the contract takes no batch.
    let now_s = show.client.block_latest().await?.timestamp;
    move_time_to(&show.client, now_s + SLOT_S).await?;

    let finalizing = BatchOptions { finalizes: true, ..settling };
    let after = settle_in_batches(store, options, &hub, &finalizing, now, progress).await?;
    let claim = show.claim().await?;
    show.summary(&[before, after], fraud, claim).await
}

impl Show<'_> {
    /// A household gets an address for its money and asks to leave: the next batch has to pay it out whole.
    async fn ask_to_leave(&self) -> Result<(), BatchDemoError> {
        let household = sender(&self.client, HOUSEHOLD)?;
        let payout = self.ledger.set_payout_call(self.participant, household.address());
        sender(&self.client, HUB)?.send(payout).await?;
        household.send(self.ledger.request_exit_call(self.participant)).await?;
        mine(&self.client, INBOX_DEPTH).await?;
        Ok(())
    }

    /// Commits a batch in which a household pays too much, everything else in order, and lets a watcher find it.
    async fn commit_false(&self, store: &Store) -> Result<FraudSummary, BatchDemoError> {
        let thief = sender(&self.client, HUB)?;
        let mut looking = self.watcher(None)?;
        looking.poll().await?;
        let view = looking.view();
        let parent = looking.state(view.batches().len() as u64);
        let parent = parent.ok_or(BatchDemoError::NothingToForge)?;
        let last = self.run.periods(store.view()).last().transpose()?;
        let records = last.ok_or(BatchDemoError::NothingToForge)?.records;
        let (period, run, part) = (records.period, 0, 0);
        let records: Vec<Record> = records.records.iter().map(|priced| priced.record).collect();
        let account_count = view.participant_count();
        let inbox_to = parent.header().inbox_to;
        let plan = BatchPlan { period, run, part, account_count, inbox_to, records };
        let reference = view.reference(period).ok_or(BatchDemoError::NothingToForge)?;
        let mut batch = build_batch(&plan, parent, &reference)?;
        forge(&mut batch).ok_or(BatchDemoError::NothingToForge)?;
        let (way, commitment) = (Publication::Cheapest, &batch.commitment);
        let call = self.ledger.publishing_call(way, commitment, &plan.records, None).await?;
        thief.send(call).await?;

        let own = sender(&self.client, WATCHER)?;
        thief.send(self.ledger.mint_call(own.address(), WATCHER_MICRO)).await?;
        own.send(self.ledger.approve_call(WATCHER_MICRO)).await?;
        let mut watcher = self.watcher(Some(own))?;
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
                    party: self.party.clone(),
                    stolen_micro: FRAUD_MICRO,
                    seq,
                    rule: rule.to_string(),
                    transaction,
                    gas: receipt.map_or(0, |receipt| receipt.gas_used),
                    slashed_micro: self.ledger.deployment().terms.slash_unit_micro,
                })
            }
            other => Err(BatchDemoError::FraudStands(format!("{other:?}"))),
        }
    }

    /// Returns a watcher that has nothing from the hub: it reads the blobs where the chain serves them.
    fn watcher(&self, sender: Option<Sender>) -> Result<Watcher, BatchDemoError> {
        let beacon = BeaconNode::new(self.client.endpoint().shown(), EndpointOptions::default())?;
        let watcher = Watcher::new(self.ledger.clone(), FollowOptions::default(), sender);
        Ok(watcher.with_blobs_from(vec![BlobSource::Beacon(beacon)]))
    }

    /// Pays the household that left.
    async fn claim(&self) -> Result<ClaimSummary, BatchDemoError> {
        let mut watcher = self.watcher(None)?;
        watcher.poll().await?;
        let found = watcher.final_account(self.participant);
        let found = found.ok_or(BatchDemoError::NothingToForge)?;
        let call = self.ledger.claim_call(&found.header, &found.account);
        let receipt = sender(&self.client, HOUSEHOLD)?.send(call).await?;
        let amount_micro = found.account.leaf.payable_micro;
        Ok(ClaimSummary { party: self.party.clone(), amount_micro, gas: receipt.gas_used })
    }

    async fn summary(
        &self,
        settled: &[BatchSettlement],
        fraud: FraudSummary,
        claim: ClaimSummary,
    ) -> Result<BatchSummary, BatchDemoError> {
        let mut watcher = self.watcher(None)?;
        watcher.poll().await?;
        let (mut record_count, mut blob_gas) = (0, 0);
        for batch in watcher.view().batches() {
            record_count += u64::from(batch.header.count);
            if let Some(receipt) = self.client.receipt(batch.transaction).await? {
                blob_gas += receipt.blob_gas_used.unwrap_or(0);
            }
        }
        let mut measured = gridtally_ledger::GasMeasurements::default();
        settled.iter().for_each(|settled| measured.merge(&settled.chain.measured));
        Ok(BatchSummary {
            contract: self.ledger.deployment().core,
            batch_count: watcher.view().final_batches().len() as u64,
            record_count,
            gas_per_record: measured.total(CallKind::Commit).gas_per_item_rounded_up(),
            blob_gas_per_record: blob_gas.div_ceil(record_count.max(1)),
            fraud,
            claim,
            is_verified: settled.iter().all(|settled| settled.verification.is_sound()),
        })
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
