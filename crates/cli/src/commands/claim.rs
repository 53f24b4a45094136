//! `gridtally claim`: what a participant can take out of a batch ledger, and taking it.

use std::collections::BTreeSet;
use std::io::{self, Write};

use gridtally_chain::Access;
use gridtally_core::party::ParticipantNumber;
use gridtally_ledger::{BatchLedger, Call, FinalAccount, Sender, Watcher};
use serde::Serialize;

use super::order::OrderArguments;
use crate::batch_access::{BatchArguments, judge_all};
use crate::commands::watch::{DATA_MISSING, words};
use crate::context::Context;
use crate::error::CommandError;
use crate::output::Report;
use crate::output::number::{decimal_rounded, grouped};
use crate::section_arguments::SectionArguments;

/// Participants of one claim at most, so that it stays within the gas of a transaction.
const PARTICIPANTS_MAX: usize = 150;

/// When a ledger can be frozen.
const FREEZE: &str = "A ledger can be frozen 28 days after its newest final batch was committed, while no other can be made \
                      final; `from` is that time in seconds since 1970.";

/// Pay out what final batches made payable, to the address that the contract has for each participant; pay in, ask to leave
///
/// Found from the chain alone: every batch is judged on the way. Anybody may send a claim; the money goes to its owner.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    batch: BatchArguments,
    /// Numbers of the participants
    #[arg(long, value_name = "NUMBER", value_delimiter = ',', required_unless_present = "collect")]
    participant: Vec<u32>,
    #[command(flatten)]
    order: OrderArguments,
    #[command(flatten)]
    sections: SectionArguments,
    /// Take everything out of a frozen ledger: the balance too, and deposits that no final batch honored
    #[arg(long, conflicts_with_all = ["deposit", "exit_request", "collect"])]
    exit: bool,
    /// Freeze the ledger first: possible once its hub has made no batch final for four weeks
    #[arg(long, requires = "exit", conflicts_with = "dry_run")]
    freeze: bool,
    /// Begin with the newest snapshot of the accounts: no published data from before it are needed
    #[arg(long)]
    from_snapshot: bool,
    /// Say what there is, and send nothing: no key is needed
    #[arg(long)]
    dry_run: bool,
}

/// What was found, and done.
#[derive(Debug, Serialize)]
struct ClaimReport {
    contract: String,
    asked: String,
    accounts: Vec<AccountReport>,
    /// Deposits of a frozen ledger that go back.
    deposits: Vec<DepositReport>,
    /// Who would be paid, but has no address yet.
    without_payout: Vec<u32>,
    /// Nothing where nothing was sent.
    transactions: Vec<String>,
    gas_used: u64,
}

#[derive(Debug, Serialize)]
struct DepositReport {
    participant: u32,
    /// Number in the inbox.
    entry: u64,
    amount_micro: u64,
}

#[derive(Debug, Serialize)]
struct AccountReport {
    participant: u32,
    /// Number of the final batch after which this holds.
    batch: u64,
    balance_micro: i64,
    /// What a claim pays, or an exit.
    payable_micro: u64,
    paid_before_micro: u64,
    payout: Option<String>,
}

pub(crate) fn run(arguments: &Arguments, context: &Context) -> Result<(), CommandError> {
    if arguments.participant.len() > PARTICIPANTS_MAX {
        let what = anyhow::anyhow!("at most {PARTICIPANTS_MAX} participants in one claim");
        return Err(CommandError::usage(what).hint("Claim for the others in a second call."));
    }
    let config = context.config(|settings| arguments.batch.apply(settings))?;
    if let Some(order) = arguments.order.order(&arguments.participant)? {
        return order.run(&arguments.batch, arguments.dry_run, &config, context);
    }
    let (report, done) = context.block_on(async {
        let access = if arguments.dry_run { Access::ReadOnly } else { Access::ReadWrite };
        let chain = BatchArguments::chain(&config, access).await?;
        let sender = if arguments.dry_run { None } else { Some(chain.sender(&config)?) };
        let watcher = arguments.batch.watcher(&config, &chain, None).await?;
        let participants = arguments.participant.iter().copied().map(ParticipantNumber);
        let mut watcher = arguments.sections.apply(watcher, participants);
        if arguments.from_snapshot {
            watcher = watcher.from_snapshot();
        }
        judge_all(&mut watcher).await?;
        let mut report = ClaimReport {
            contract: watcher.ledger().deployment().core.to_string(),
            asked: chain.shown.clone(),
            accounts: Vec::new(),
            deposits: Vec::new(),
            without_payout: Vec::new(),
            transactions: Vec::new(),
            gas_used: 0,
        };
        let done = arguments.claim(&mut watcher, sender, &mut report).await;
        Ok((report, done))
    })?;
    // What was sent is told, also where the next one was refused.
    if done.is_ok() || !report.transactions.is_empty() {
        context.output.report(&report)?;
    }
    done
}

impl Arguments {
    async fn claim(
        &self,
        watcher: &mut Watcher,
        sender: Option<Sender>,
        report: &mut ClaimReport,
    ) -> Result<(), CommandError> {
        let mut is_frozen = watcher.ledger().is_frozen().await.map_err(CommandError::of_chain)?;
        if let Some(sender) = sender.as_ref().filter(|_| self.freeze && !is_frozen) {
            let frozen = report.send(sender, watcher.freeze_call()).await;
            frozen.map_err(|error| error.hint(FREEZE))?;
            judge_all(watcher).await?;
            is_frozen = true;
        }
        if self.exit && !is_frozen {
            let what = anyhow::anyhow!("the ledger is not frozen");
            return Err(CommandError::refused(what).hint(
                "Ask the hub for a withdrawal, or to be paid out with --exit-request; only a frozen ledger pays balances. One whose \
                 hub has stopped for four weeks is frozen with --freeze.",
            ));
        }
        let calls = self.find(watcher, report).await?;
        let Some(sender) = sender else { return Ok(()) };
        if calls.is_empty() {
            return Err(report.nothing());
        }
        for call in calls {
            report.send(&sender, call).await?;
        }
        Ok(())
    }

    /// Returns the calls that pay what there is, and reports it.
    async fn find(
        &self,
        watcher: &Watcher,
        report: &mut ClaimReport,
    ) -> Result<Vec<Call>, CommandError> {
        let ledger = watcher.ledger();
        let (mut wanted, mut calls) = (Vec::new(), Vec::new());
        let participants: BTreeSet<u32> = self.participant.iter().copied().collect();
        for number in participants {
            let participant = ParticipantNumber(number);
            let deposits = if self.exit {
                watcher.reclaimable(participant).await.map_err(CommandError::of_chain)?
            } else {
                Vec::new()
            };
            let Some(found) = watcher.final_account(participant) else {
                if deposits.is_empty() || is_unknown(watcher, number) {
                    return Err(no_account(watcher, number));
                }
                let state = ledger.payout_of(participant).await.map_err(CommandError::of_chain)?;
                report.add_deposits(number, &deposits);
                if state.payout.is_none() {
                    report.without_payout.push(number);
                    continue;
                }
                calls.extend(deposits.iter().map(|(entry, _)| ledger.reclaim_call(*entry)));
                continue;
            };
            let (account, micro) = self.look(ledger, participant, &found).await?;
            // Without an address the contract would refuse the whole claim.
            let is_payable = account.payout.is_some();
            if !is_payable && (micro > 0 || !deposits.is_empty()) {
                report.without_payout.push(number);
            }
            report.accounts.push(account);
            report.add_deposits(number, &deposits);
            if is_payable {
                calls.extend(deposits.iter().map(|(entry, _)| ledger.reclaim_call(*entry)));
                wanted.extend((micro > 0).then_some(found));
            }
        }
        let Some(first) = wanted.first() else { return Ok(calls) };
        let accounts: Vec<_> = wanted.iter().map(|found| found.account.clone()).collect();
        match (self.exit, accounts.as_slice()) {
            (true, accounts) => {
                calls.extend(
                    accounts.iter().map(|account| ledger.exit_call(&first.header, account)),
                );
            }
            (false, [account]) => calls.push(ledger.claim_call(&first.header, account)),
            (false, accounts) => calls.push(ledger.claim_many_call(&first.header, accounts)),
        }
        Ok(calls)
    }

    async fn look(
        &self,
        ledger: &BatchLedger,
        participant: ParticipantNumber,
        found: &FinalAccount,
    ) -> Result<(AccountReport, u64), CommandError> {
        let state = ledger.payout_of(participant).await.map_err(CommandError::of_chain)?;
        let micro =
            if self.exit { found.exit_micro(&state) } else { found.claimable_micro(&state) };
        let report = AccountReport {
            participant: participant.0,
            batch: found.header.seq,
            balance_micro: found.account.leaf.balance.micro(),
            payable_micro: micro,
            paid_before_micro: state.paid_micro,
            payout: state.payout.map(|payout| payout.to_string()),
        };
        Ok((report, micro))
    }
}

/// Whether a participant has an account after the newest final batch, which nobody here knows.
fn is_unknown(watcher: &Watcher, number: u32) -> bool {
    let last = watcher.view().final_batches().last();
    // What is sealed is not known either, and yet nothing is wrong.
    let is_stopped = watcher.stopped_at().is_some();
    last.is_some_and(|last| {
        let is_known = watcher.state(last.header.seq).is_some();
        number < last.header.account_count && !is_known && is_stopped
    })
}

/// Says why the account of a participant after the newest final batch is not at hand.
fn no_account(watcher: &Watcher, number: u32) -> CommandError {
    if is_unknown(watcher, number) {
        let why = watcher.stopped_at().map_or_else(|| "a batch was not judged".to_owned(), words);
        let what =
            anyhow::anyhow!("the accounts after the newest final batch are not known: {why}");
        return CommandError::refused(what).hint(DATA_MISSING);
    }
    let what = anyhow::anyhow!("participant {number} has no final account");
    CommandError::refused(what)
        .hint("Only what is in a final batch can be claimed: seven days after its commit. Where that batch is sealed, name the \
               folder with what the hub delivered with --sections.")
}

impl ClaimReport {
    /// Says why no call is left to send.
    fn nothing(&self) -> CommandError {
        let Some(number) = self.without_payout.first() else {
            return CommandError::refused(anyhow::anyhow!("there is nothing to pay out"));
        };
        let what = anyhow::anyhow!("participant {number} has no address that could be paid");
        CommandError::refused(what)
            .hint("The registrar of the contract sets it (setPayout); then claim again.")
    }

    fn add_deposits(&mut self, participant: u32, deposits: &[(u64, u64)]) {
        let deposits = deposits.iter();
        self.deposits.extend(deposits.map(|&(entry, amount_micro)| DepositReport {
            participant,
            entry,
            amount_micro,
        }));
    }

    async fn send(&mut self, sender: &Sender, call: Call) -> Result<(), CommandError> {
        let receipt = sender.send(call).await.map_err(CommandError::of_chain)?;
        self.transactions.push(receipt.transaction_hash.to_string());
        self.gas_used += receipt.gas_used;
        Ok(())
    }
}

impl Report for ClaimReport {
    fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        for account in &self.accounts {
            let to = account.payout.as_deref().unwrap_or("no address yet: the registrar sets it");
            writeln!(
                out,
                "participant {}: {} to {to} (balance {}, after batch {})",
                account.participant,
                decimal_rounded(account.payable_micro.into(), 6, 6),
                decimal_rounded(account.balance_micro.into(), 6, 6),
                account.batch
            )?;
        }
        for deposit in &self.deposits {
            writeln!(
                out,
                "participant {}: {} of deposit {}, which no final batch honored",
                deposit.participant,
                decimal_rounded(deposit.amount_micro.into(), 6, 6),
                grouped(deposit.entry),
            )?;
        }
        for transaction in &self.transactions {
            writeln!(out, "done by {transaction}")?;
        }
        if self.transactions.is_empty() {
            return writeln!(out, "nothing was sent");
        }
        writeln!(out, "gas: {}", grouped(self.gas_used))
    }
}
