//! Settling with one hub, whose key is also the one that signs for the metering operator.

use std::collections::BTreeMap;

use alloy_primitives::{Address, U256};
use gridtally_core::party::ParticipantNumber;
use gridtally_core::period::{SettlementCalendar, SettlementPeriod};
use gridtally_ledger::{
    BatchArchive, BatchDeployment, BatchLedger, BatchOffices, BatchTerms, BatchView, BeaconNode,
    BlobSource, Call, CallKind, EndpointError, EndpointOptions, ExportError, FollowOptions,
    GasMeasurements, Hub, HubError, HubReport, INBOX_DEPTH, PENDING_MAX, Progress, Publication,
    SectionStore, Sender, TokenChoice, WINDOW_S, Watcher,
};
use gridtally_settlement::{
    BLOBS_MAX, BatchHeader, BatchPlan, CALLDATA_RECORDS_MAX, InboxEntry, LedgerState,
    RECORDS_PER_BLOB, Record, SECTION_RECORDS_MAX, TariffTable, WithdrawalPolicy,
};
use jiff::Timestamp;
use tracing::info;

use super::error::BatchError;
use super::funds::{Balances, Deposit};
use super::plan::{Base, SettledKeys, Work, work};
use super::registry::{
    check_signers, missing_tables, next_period, payout_calls, registration_calls,
};
use super::sealing::{Past, Sealing};
use super::sign::OperatorSignatures;
use super::{BatchOptions, BatchReport, CommittedNow};
use crate::cycle::on_chain::Money;
use crate::cycle::prepared::{PreparedRun, RunPeriod};
use crate::cycle::record::CycleProgress;
use crate::cycle::time::{ChainTime, mine, move_time_to, reach_time};
use crate::store::{BATCH_FOLDER, ParticipantBook, PartyEntry, SECTION_FOLDER, Store, StoreView};

/// The window and a minute, s.
const WINDOW_OVER_S: u64 = WINDOW_S + 60;
/// Blocks that come while a batch is committed.
const AGE_BLOCKS: u64 = 4;
/// Time for a commit to be carried out, s, as the hub reckons it.
const LATE_S: u64 = 900;

/// One hub at work on one store.
#[derive(Debug)]
pub(super) struct BatchSettler<'a> {
    hub: Hub<OperatorSignatures>,
    options: &'a BatchOptions,
    sealing: Sealing,
    /// The newest block at the last look.
    head: u64,
    report: BatchReport,
}

/// What comes next onto the chain.
#[derive(Debug)]
enum Next<'a> {
    Regular { period: SettlementPeriod, records: &'a [Record] },
    Correction { period: SettlementPeriod, records: &'a [Record] },
}

impl<'a> BatchSettler<'a> {
    /// Deploys contracts and records them in the store before anything else is sent to them, so that a crash leaves at most
    /// contracts that nobody uses.
    pub(super) async fn deploy(
        store: &mut Store,
        sender: &Sender,
        options: &'a BatchOptions,
        now: Timestamp,
    ) -> Result<Self, BatchError> {
        let hub = sender.address();
        let offices = BatchOffices::all_held_by(hub);
        let terms = BatchTerms {
            offices: options.auditor.map_or(offices, |auditor| offices.audited_by(auditor)),
            calendar: store.view().settings().calendar,
            slash_unit_micro: options.slash_unit_micro,
            demand_bond_micro: options.demand_bond_micro,
        };
        let token = options.token;
        let token = token.map_or(TokenChoice::Demonstration { owner: hub }, TokenChoice::Existing);
        let mut measured = GasMeasurements::default();
        let ledger = BatchLedger::deploy(sender, terms, token, &mut measured).await?;
        store.set_batch_deployment(ledger.deployment(), now)?;
        let mut settler = Self::open(store.view(), *ledger.deployment(), sender, options).await?;
        settler.report.measured.merge(&measured);
        Ok(settler)
    }

    /// Connects to the contracts of the store, looks at everything that they told, and does what the hub has to do.
    pub(super) async fn open(
        view: &StoreView,
        deployment: BatchDeployment,
        sender: &Sender,
        options: &'a BatchOptions,
    ) -> Result<Self, BatchError> {
        let ledger = BatchLedger::connect(sender.client().clone(), deployment).await?;
        let contract = deployment.core;
        let hub = deployment.terms.offices.hub;
        if hub != sender.address() {
            let sender = sender.address();
            return Err(BatchError::NotHub { contract, hub, sender });
        }
        let auditor = deployment.terms.offices.auditor;
        check_auditor(&deployment, options.auditor)?;
        let signatures =
            OperatorSignatures { operator: sender.clone(), domain: deployment.domain() };
        let beacon = beacon_of(&ledger, options.beacon.as_deref())?;
        let watcher = Watcher::new(ledger, FollowOptions::default(), None).with_blobs_from(beacon);
        let archive = BatchArchive::new(view.folder().join(BATCH_FOLDER));
        let sections = SectionStore::new(view.folder().join(SECTION_FOLDER));
        let hub = Hub::new(watcher, sender.clone(), signatures)
            .with_archive(archive, options.publication)
            .with_sections(sections.clone());
        let (sealing, report) = (Sealing::Open, BatchReport::default());
        let mut settler = Self { hub, options, sealing, head: 0, report };
        settler.poll().await?;
        settler.check_sections(&sections)?;
        let past = Past::of(settler.view(), auditor.is_some(), &sections)?;
        settler.sealing = past.choose(options.sealing)?;
        settler.report.is_sealed = settler.sealing == Sealing::Sealed;
        if settler.report.is_sealed {
            check_blobs(sender).await?;
        }
        if settler.hub.watcher().view().is_frozen() {
            return Err(BatchError::Frozen { contract });
        }
        Ok(settler)
    }

    fn ledger(&self) -> &BatchLedger {
        self.hub.watcher().ledger()
    }

    pub(super) fn view(&self) -> &BatchView {
        self.hub.watcher().view()
    }

    pub(super) fn deployment(&self) -> BatchDeployment {
        *self.ledger().deployment()
    }

    /// Makes sure that the chain can take a run: it has the tariffs or still takes them, and everybody with records takes
    /// part by then.
    pub(super) async fn check(
        &self,
        view: &StoreView,
        run: &PreparedRun,
    ) -> Result<(), BatchError> {
        check_signers(run.book(), self.deployment().terms.offices.metering_operator)?;
        let chain = self.hub.watcher().view();
        let now_s = self.now_s().await?;
        let calendar = self.deployment().terms.calendar;
        missing_tables(&calendar, now_s, |period| chain.table(period), run.tables())?;
        let next = next_period(&calendar, now_s);
        let first_of = |party: &PartyEntry| {
            let activity = chain.registry().of(party.participant);
            activity.map_or(next, |activity| activity.first)
        };
        let late: BTreeMap<ParticipantNumber, SettlementPeriod> =
            run.book().parties().iter().map(|party| (party.participant, first_of(party))).collect();
        let Some(&latest) = late.values().max() else { return Ok(()) };
        if run.tables().first_key_value().is_none_or(|(&first, _)| latest <= first) {
            return Ok(());
        }
        for period in run.periods(view) {
            let RunPeriod { records, .. } = period?;
            let period = records.period;
            for priced in &records.records {
                let participant = priced.record.participant();
                let Some(&first) = late.get(&participant).filter(|first| period < **first) else {
                    continue;
                };
                let party = run.book().party(participant).map(|party| party.id.clone());
                if let Some(party) = party {
                    return Err(BatchError::NotActive { party, period, first });
                }
            }
        }
        Ok(())
    }

    /// Puts a run onto the chain, whatever of it is missing there.
    pub(super) async fn settle(
        mut self,
        view: &StoreView,
        run: &PreparedRun,
        progress: &mut (dyn FnMut(CycleProgress) + Send),
    ) -> Result<BatchReport, BatchError> {
        self.register(run.book(), progress).await?;
        self.publish(view, run, progress).await?;
        let periods: Vec<SettlementPeriod> = run.tables().keys().copied().collect();
        let settled = settled_keys(self.hub.watcher(), |period| periods.contains(&period)).await?;

        self.fund_all(view, run, &settled, progress).await?;
        let total = periods.len() as u64;
        for (done, period) in (1..).zip(run.periods(view)) {
            let RunPeriod { records, table, .. } = period?;
            let number = records.period;
            let wanted = records.records.iter().map(|priced| priced.record);
            let work = work(number, wanted, settled.get(&number), self.newest());
            self.report.already_settled += work.already;
            self.report.erased += work.erased;
            let calendar = run.manifest().calendar;
            self.settle_period(&calendar, number, table, work, done == total).await?;
            progress(CycleProgress { step: "committing batches", done, total });
        }
        self.take_inbox().await?;
        if self.options.finalizes {
            self.finalize().await?;
        }
        info!(run_id = %run.id(), batches = self.report.committed.len(), "run is on the chain");
        Ok(self.finish())
    }

    async fn register(
        &mut self,
        book: &ParticipantBook,
        progress: &mut (dyn FnMut(CycleProgress) + Send),
    ) -> Result<(), BatchError> {
        let mut calls = registration_calls(self.ledger(), self.hub.watcher().view(), book).await?;
        if !calls.is_empty() {
            self.send("registering participants", calls, progress).await?;
            self.poll().await?;
        }
        calls = payout_calls(self.ledger(), book).await?;
        self.send("setting payout addresses", calls, progress).await
    }

    async fn publish(
        &mut self,
        view: &StoreView,
        run: &PreparedRun,
        progress: &mut (dyn FnMut(CycleProgress) + Send),
    ) -> Result<(), BatchError> {
        let mut tables = run.tables().clone();
        let chain = self.hub.watcher().view();
        let (calendar, now_s) = (self.deployment().terms.calendar, self.now_s().await?);
        if let Some(until) = self.options.publish_until {
            // What is ahead of the run and over already is for the run that needs it to refuse.
            for (period, table) in run.tables_ahead(view, until)? {
                let start_s = u64::try_from(calendar.period_start(period)?.as_second());
                if start_s.is_ok_and(|start_s| now_s < start_s) || chain.table(period).is_some() {
                    tables.insert(period, table);
                }
            }
        }
        let missing = missing_tables(&calendar, now_s, |period| chain.table(period), &tables)?;
        let ledger = self.ledger();
        let calls =
            missing.iter().map(|(period, table)| ledger.publish_tariff_call(*period, table));
        let calls = calls.collect();
        self.send("publishing tariffs", calls, progress).await?;
        self.poll().await
    }

    /// Pays in what the whole run needs, so that its batches need not wait for deposits one by one.
    async fn fund_all(
        &mut self,
        view: &StoreView,
        run: &PreparedRun,
        settled: &BTreeMap<SettlementPeriod, SettledKeys>,
        progress: &mut (dyn FnMut(CycleProgress) + Send),
    ) -> Result<(), BatchError> {
        let mut balances = Balances::new(self.state()?, self.waiting());
        for period in run.periods(view) {
            let RunPeriod { records, table, .. } = period?;
            let number = records.period;
            let wanted = records.records.iter().map(|priced| priced.record);
            let work = work(number, wanted, settled.get(&number), self.newest());
            balances.settle(&work.regular, table);
            balances.settle(&work.corrections, table);
        }
        let deposits = balances.deposits(self.options.deposit_least_micro)?;
        self.pay_in(&deposits, progress).await
    }

    /// Commits what is left of a period.
    async fn settle_period(
        &mut self,
        calendar: &SettlementCalendar,
        period: SettlementPeriod,
        table: &TariffTable,
        mut work: Work,
        is_last: bool,
    ) -> Result<(), BatchError> {
        if let Some(reference) = self.hub.watcher().view().reference(period) {
            // A forced reading that was not corrected in time is paid out of the bond, and by no record.
            let late_s = self.now_s().await?.saturating_add(LATE_S);
            let forced = reference.forced;
            work.corrections.retain(|record| !forced.is_late(period, record.key(), late_s));
        }
        if work.regular.is_empty() && work.corrections.is_empty() {
            return Ok(());
        }
        let end = calendar.period_end(period)?;
        if let Some(now) = reach_time(self.ledger().client(), end, self.options.time).await? {
            return Err(BatchError::PeriodNotOver { period, end, now });
        }
        self.poll().await?;
        let mut left = work.regular.as_slice();
        while !left.is_empty() {
            let next = Next::Regular { period, records: left };
            let (plan, taken) = self.funded_plan(&next, table).await?;
            left = &left[taken..];
            let is_last = is_last && left.is_empty() && work.corrections.is_empty();
            self.commit(&plan, is_last).await?;
        }
        let mut left = work.corrections.as_slice();
        while !left.is_empty() {
            let next = Next::Correction { period, records: left };
            let (plan, taken) = self.funded_plan(&next, table).await?;
            left = &left[taken..];
            self.commit(&plan, is_last && left.is_empty()).await?;
        }
        Ok(())
    }

    /// Returns the next batch once nobody falls below zero in it. Usually everything was paid in before.
    async fn funded_plan(
        &mut self,
        next: &Next<'_>,
        table: &TariffTable,
    ) -> Result<(BatchPlan, usize), BatchError> {
        let mut is_paid_in = false;
        let chain = self.hub.watcher().view();
        let is_moved = self.options.time == ChainTime::Moved;
        if is_moved && chain.inbox_ripe_to(self.head) < chain.inbox_ripe_to(self.head + AGE_BLOCKS)
        {
            // On a chain whose time is moved an entry can be overdue in the very block in which it may be taken.
            self.ripen().await?;
        }
        loop {
            let (plan, taken) = self.plan(next).await?;
            let lacking = self.lacking(&plan, self.waiting(), table)?;
            if !lacking.is_empty() {
                if is_paid_in {
                    return Err(funds_missing(&lacking));
                }
                self.pay_in(&lacking, &mut |_| {}).await?;
                is_paid_in = true;
                continue;
            }
            let from = self.newest().inbox_to;
            let count = usize::try_from(plan.inbox_to.saturating_sub(from)).unwrap_or(usize::MAX);
            let taken_entries = self.waiting().get(..count).unwrap_or_default();
            if self.lacking(&plan, taken_entries, table)?.is_empty() {
                return Ok((plan, taken));
            }
            if self.ripe().len() < self.waiting().len() {
                self.ripen().await?;
                continue;
            }
            // Its own records are in the way of what was paid in: a run of the inbox alone comes first.
            match self.base().await?.inbox_only() {
                Some(plan) => self.commit(&plan, false).await?,
                None => return Ok((plan, taken)),
            }
        }
    }

    fn lacking(
        &self,
        plan: &BatchPlan,
        paid_in: &[InboxEntry],
        table: &TariffTable,
    ) -> Result<Vec<Deposit>, BatchError> {
        let mut balances = Balances::new(self.state()?, paid_in);
        balances.settle(&plan.records, table);
        balances.deposits(self.options.deposit_least_micro)
    }

    async fn plan(&self, next: &Next<'_>) -> Result<(BatchPlan, usize), BatchError> {
        let base = self.base().await?;
        Ok(match *next {
            Next::Regular { period, records } => {
                let batches = self.hub.watcher().view().batches().iter();
                let is_part = |header: &BatchHeader| (header.period, header.run) == (period, 0);
                let parts = batches.filter(|batch| is_part(&batch.header)).count();
                base.regular(period, u16::try_from(parts).unwrap_or(u16::MAX), records)
            }
            Next::Correction { period, records } => base.correction(period, records),
        })
    }

    async fn base(&self) -> Result<Base<'_>, BatchError> {
        let account_count = self.hub.watcher().view().participant_count();
        let records_max = match self.options.records_max {
            Some(most) => most,
            None => self.records_max().await?,
        };
        let sweeps = if self.options.withdrawals.sweeps { account_count } else { 0 };
        let sweeps = usize::try_from(sweeps).unwrap_or(usize::MAX);
        let records_max = records_max.saturating_sub(sweeps).max(1);
        let section_max = match self.sealing {
            Sealing::Open => usize::MAX,
            // Each may be paid out in the same batch.
            Sealing::Sealed => SECTION_RECORDS_MAX - 1,
        };
        let (newest, ripe) = (self.newest(), self.ripe());
        Ok(Base { newest, ripe, account_count, records_max, section_max })
    }

    async fn records_max(&self) -> Result<usize, BatchError> {
        let in_blobs = match self.options.publication {
            // Hashes of sections, however many records these have: no more are sealed than would be published.
            _ if self.sealing == Sealing::Sealed => true,
            Publication::Blobs => true,
            Publication::Calldata => false,
            Publication::Cheapest => self.ledger().client().blob_gas_price().await?.is_some(),
        };
        let in_calldata = usize::try_from(CALLDATA_RECORDS_MAX).unwrap_or(usize::MAX);
        Ok(if in_blobs { BLOBS_MAX * RECORDS_PER_BLOB } else { in_calldata })
    }

    /// Commits a batch, open or sealed.
    async fn commit(&mut self, plan: &BatchPlan, is_last: bool) -> Result<(), BatchError> {
        self.make_room().await?;
        self.bond().await?;
        if is_last {
            self.hub.pay_out(self.options.withdrawals);
        }
        let header = match self.sealing {
            Sealing::Open => self.hub.commit(plan).await?,
            Sealing::Sealed => self.hub.commit_sealed(plan).await?,
        };
        self.hub.pay_out(WithdrawalPolicy::LEAVING_ONLY);
        let client = self.ledger().client().clone();
        self.head = client.block_number().await?;
        let place = usize::try_from(header.seq.saturating_sub(1)).unwrap_or(usize::MAX);
        let tracked = self.hub.watcher().view().batches().get(place);
        if let Some(tracked) = tracked
            && let Some(receipt) = client.receipt(tracked.transaction).await?
        {
            self.report.measured.add_receipt(CallKind::Commit, header.count.into(), &receipt);
        }
        let readings = plan.records.iter().filter(|record| record.code().is_priced()).count();
        self.report.settled += readings as u64;
        self.report.corrected += if header.run > 0 { readings as u64 } else { 0 };
        let BatchHeader { seq, period, run, part, count: record_count, .. } = header;
        self.report.committed.push(CommittedNow { seq, period, run, part, record_count });
        Ok(())
    }

    /// Sees to it that one more batch may be pending.
    async fn make_room(&mut self) -> Result<(), BatchError> {
        if self.pending() < PENDING_MAX {
            return Ok(());
        }
        self.poll().await?;
        let Some(first) = self.hub.watcher().view().batches().iter().find(|batch| !batch.is_final)
        else {
            return Ok(());
        };
        if self.pending() < PENDING_MAX {
            return Ok(());
        }
        let over_s = first.header.committed_at.saturating_add(WINDOW_OVER_S);
        if self.options.finalizes && self.options.time == ChainTime::Moved {
            move_time_to(self.ledger().client(), over_s.max(self.now_s().await? + 1)).await?;
            self.poll().await?;
        }
        let pending = self.pending();
        if pending < PENDING_MAX {
            return Ok(());
        }
        Err(BatchError::WindowsOpen { pending, until: instant(over_s) })
    }

    /// Sees to it that the bond covers one more batch.
    async fn bond(&mut self) -> Result<(), BatchError> {
        let slash_micro = self.deployment().terms.slash_unit_micro;
        let held_micro = self.ledger().bonded_micro().await?;
        let covering = |batches: u64| slash_micro.saturating_mul(batches);
        let needed_micro = covering(self.pending() + 1);
        if held_micro >= needed_micro {
            return Ok(());
        }
        let wanted_micro = match self.options.money {
            Money::Demonstration => covering(PENDING_MAX + 1),
            Money::OfSender | Money::OfParticipants => needed_micro,
        };
        let missing_micro = wanted_micro.saturating_sub(held_micro);
        let mut calls = self.money_calls(missing_micro).await?;
        calls.push(self.ledger().bond_call(missing_micro));
        self.send("bonding", calls, &mut |_| {}).await
    }

    /// Settles what is left in the inbox, so that nobody who asked to leave waits for the next period.
    async fn take_inbox(&mut self) -> Result<(), BatchError> {
        while let Some(plan) = self.base().await?.inbox_only() {
            self.commit(&plan, false).await?;
        }
        Ok(())
    }

    /// Moves time over the windows where it is ours to move, and makes final what can be.
    async fn finalize(&mut self) -> Result<(), BatchError> {
        let newest_s = self.newest().committed_at;
        if self.options.time == ChainTime::Moved && self.pending() > 0 {
            let over_s = newest_s.saturating_add(WINDOW_OVER_S);
            if over_s > self.now_s().await? {
                move_time_to(self.ledger().client(), over_s).await?;
            }
        }
        self.poll().await
    }

    /// Pays in for those who lack money.
    async fn pay_in(
        &mut self,
        deposits: &[Deposit],
        progress: &mut (dyn FnMut(CycleProgress) + Send),
    ) -> Result<(), BatchError> {
        if deposits.is_empty() {
            return Ok(());
        }
        if self.options.money == Money::OfParticipants {
            let others = deposits.iter().filter(|one| one.participant != ParticipantNumber::HUB);
            let others: Vec<Deposit> = others.copied().collect();
            if !others.is_empty() {
                return Err(funds_missing(&others));
            }
        }
        let total_micro = deposits.iter().map(|one| one.amount_micro).fold(0, u64::saturating_add);
        let mut calls = self.money_calls(total_micro).await?;
        let ledger = self.ledger();
        let paid =
            deposits.iter().map(|one| ledger.deposit_call(one.participant, one.amount_micro));
        calls.extend(paid);
        self.send("funding participants", calls, progress).await?;
        self.report.deposit_count += deposits.len() as u64;
        self.report.deposited_micro = self.report.deposited_micro.saturating_add(total_micro);
        self.poll().await
    }

    /// Returns the calls that put tokens at the contract's disposal, and issue them where the money is a demonstration's.
    async fn money_calls(&self, amount_micro: u64) -> Result<Vec<Call>, BatchError> {
        let (ledger, sender) = (self.ledger(), self.hub.sender().address());
        let mut calls = Vec::new();
        if self.options.money == Money::Demonstration {
            let there = ledger.token_balance(sender).await?;
            let missing = U256::from(amount_micro).saturating_sub(there);
            let missing_micro = u64::try_from(missing).unwrap_or(amount_micro);
            calls.extend((missing_micro > 0).then(|| ledger.mint_call(sender, missing_micro)));
        }
        calls.push(ledger.approve_call(amount_micro));
        Ok(calls)
    }

    /// Sees to it that what was paid in can be taken into a batch.
    async fn ripen(&mut self) -> Result<(), BatchError> {
        let Some(block) = self.hub.watcher().view().inbox_last_block() else { return Ok(()) };
        let blocks = block.saturating_add(INBOX_DEPTH).saturating_sub(self.head);
        if blocks > 0 {
            if self.options.time == ChainTime::Runs {
                return Err(BatchError::InboxYoung { blocks });
            }
            mine(self.ledger().client(), blocks).await?;
        }
        self.poll().await
    }

    /// Sends calls in order and measures them.
    async fn send(
        &mut self,
        step: &'static str,
        calls: Vec<Call>,
        progress: &mut (dyn FnMut(CycleProgress) + Send),
    ) -> Result<(), BatchError> {
        if calls.is_empty() {
            return Ok(());
        }
        let mut told =
            |of: Progress| progress(CycleProgress { step, done: of.done, total: of.total });
        let sent = self.ledger().send_in_order(self.hub.sender(), calls, &mut told).await?;
        self.report.measured.merge(&sent);
        Ok(())
    }

    /// Does what the hub has to do, and looks at the chain.
    async fn poll(&mut self) -> Result<(), BatchError> {
        let reports = self.hub.poll().await?;
        let is_final = reports.iter().any(|one| matches!(one, HubReport::Finalized { .. }));
        self.report.reports.extend(reports);
        if is_final {
            // What it made final shows at the next look.
            self.report.reports.extend(self.hub.poll().await?);
        }
        self.head = self.ledger().client().block_number().await?;
        Ok(())
    }

    async fn now_s(&self) -> Result<u64, BatchError> {
        Ok(self.ledger().client().block_latest().await?.timestamp)
    }

    fn pending(&self) -> u64 {
        let view = self.hub.watcher().view();
        (view.batches().len() - view.final_batches().len()) as u64
    }

    /// Returns the header of the newest batch, or of genesis.
    fn newest(&self) -> &BatchHeader {
        let last = self.hub.watcher().view().batches().last();
        last.map_or(&BatchHeader::GENESIS, |last| &last.header)
    }

    fn state(&self) -> Result<&LedgerState, BatchError> {
        let seq = self.newest().seq;
        let state = self.hub.watcher().state(seq);
        Ok(state.ok_or(HubError::ParentInvalid { seq })?)
    }

    /// Returns the entries of the inbox that no batch has taken.
    fn waiting(&self) -> &[InboxEntry] {
        let from = usize::try_from(self.newest().inbox_to).unwrap_or(usize::MAX);
        self.hub.watcher().view().inbox().get(from..).unwrap_or_default()
    }

    /// Returns those of them that the next block may take, by the reckoning of an endpoint that tries a call in the newest.
    fn ripe(&self) -> &[InboxEntry] {
        let to = self.hub.watcher().view().inbox_ripe_to(self.head);
        let count = usize::try_from(to.saturating_sub(self.newest().inbox_to));
        let waiting = self.waiting();
        &waiting[..waiting.len().min(count.unwrap_or(usize::MAX))]
    }

    fn finish(mut self) -> BatchReport {
        let view = self.hub.watcher().view();
        let pending = view.batches().last().filter(|last| !last.is_final);
        self.report.batch_count = view.batches().len() as u64;
        self.report.final_count = view.final_batches().len() as u64;
        self.report.final_from = pending.map(|last| instant(last.header.committed_at + WINDOW_S));
        self.report
    }
}

fn funds_missing(deposits: &[Deposit]) -> BatchError {
    let first = deposits.first();
    BatchError::FundsMissing {
        first: first.map_or(ParticipantNumber::HUB, |one| one.participant),
        missing_micro: first.map_or(0, |one| one.amount_micro),
        count: deposits.len(),
    }
}

pub(super) fn instant(time_s: u64) -> Timestamp {
    let second = i64::try_from(time_s).ok().and_then(|second| Timestamp::from_second(second).ok());
    second.unwrap_or(Timestamp::MAX)
}

/// Returns where blobs are found: at a beacon node, or at the endpoint itself, as the embedded chain serves them.
pub(crate) fn beacon_of(
    ledger: &BatchLedger,
    beacon: Option<&str>,
) -> Result<Vec<BlobSource>, EndpointError> {
    let address = beacon.unwrap_or_else(|| ledger.client().endpoint().shown());
    let beacon = BeaconNode::new(address, EndpointOptions::default())?;
    Ok(vec![BlobSource::Beacon(beacon)])
}

/// Makes sure that a contract names the auditor who is asked for: it is fixed for ever.
///
/// # Errors
///
/// [`BatchError::AuditorDiffers`].
pub fn check_auditor(
    deployment: &BatchDeployment,
    wanted: Option<Address>,
) -> Result<(), BatchError> {
    let (contract, found) = (deployment.core, deployment.terms.offices.auditor);
    match wanted.filter(|wanted| found != Some(*wanted)) {
        Some(wanted) => Err(BatchError::AuditorDiffers { contract, found, wanted }),
        None => Ok(()),
    }
}

/// Makes sure that the chain takes blobs: what is sealed is published in no other way.
pub(super) async fn check_blobs(sender: &Sender) -> Result<(), BatchError> {
    let client = sender.client();
    match client.blob_gas_price().await? {
        Some(_) => Ok(()),
        None => Err(BatchError::NoBlobs { chain_id: client.chain_id() }),
    }
}

/// Reads what the chain has of periods: by key the sums of all records of readings, those in sections that are here among them.
///
/// # Errors
///
/// Returns [`ExportError::Data`], [`ExportError::DataMissing`] or [`ExportError::Sections`].
pub(crate) async fn settled_keys(
    watcher: &Watcher,
    is_wanted: impl Fn(SettlementPeriod) -> bool,
) -> Result<BTreeMap<SettlementPeriod, SettledKeys>, ExportError> {
    let mut settled: BTreeMap<SettlementPeriod, SettledKeys> = BTreeMap::new();
    for batch in watcher.view().batches() {
        if !is_wanted(batch.header.period) {
            continue;
        }
        let keys = settled.entry(batch.header.period).or_default();
        let known = watcher.known_records_of(batch).await?;
        keys.erased.extend(known.hidden);
        for record in known.records {
            if record.code().is_priced() {
                let sum = keys.sums_wh.entry(record.key()).or_insert(0);
                *sum = sum.saturating_add(record.value().into());
            }
        }
    }
    Ok(settled)
}
