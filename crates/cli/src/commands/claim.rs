//! `gridtally claim`: what a participant can take out of a batch ledger, and taking it.

use std::io::{self, Write};

use gridtally_core::party::ParticipantNumber;
use gridtally_ledger::{BatchLedger, FinalAccount, Key, ReadError, SendOptions, Sender, Watcher};
use serde::Serialize;

use crate::batch_access::{BatchArguments, watch_error};
use crate::context::Context;
use crate::error::{Blame, CommandError, is_unreachable};
use crate::output::Report;
use crate::output::number::{decimal_rounded, grouped};

/// Participants of one claim at most, so that it stays within the gas of a transaction.
const PARTICIPANTS_MAX: usize = 150;

/// Pay out what final batches made payable, to the address that the contract has for each participant
///
/// Found from the chain alone: every batch is judged on the way. Anybody may send a claim; the money goes to its owner.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    batch: BatchArguments,
    /// Numbers of the participants
    #[arg(long, value_name = "NUMBER", value_delimiter = ',', required = true)]
    participant: Vec<u32>,
    /// Take everything out of a frozen ledger, the balance too
    #[arg(long)]
    exit: bool,
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
    /// Nothing where nothing was sent.
    transactions: Vec<String>,
    gas_used: u64,
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
    let report = context.block_on(async {
        let client = BatchArguments::client(&config).await?;
        let sender = if arguments.dry_run {
            None
        } else {
            let key = Key::load(&config.chain.key).or_usage()?;
            Some(Sender::new(client.clone(), key, SendOptions::default()))
        };
        let mut watcher = arguments.batch.watcher(&config, client, None).await?;
        watcher.poll().await.map_err(watch_error)?;
        arguments.claim(&watcher, sender, BatchArguments::asked(&config)).await
    })?;
    context.output.report(&report)
}

impl Arguments {
    async fn claim(
        &self,
        watcher: &Watcher,
        sender: Option<Sender>,
        asked: String,
    ) -> Result<ClaimReport, CommandError> {
        let ledger = watcher.ledger();
        if self.exit && !ledger.is_frozen().await.map_err(read_error)? {
            let what = anyhow::anyhow!("the ledger is not frozen");
            return Err(CommandError::refused(what).hint(
                "Ask the hub for a withdrawal, or request an exit on the contract; only a frozen ledger pays balances.",
            ));
        }
        let mut report = ClaimReport {
            contract: ledger.deployment().core.to_string(),
            asked,
            accounts: Vec::new(),
            transactions: Vec::new(),
            gas_used: 0,
        };
        let mut wanted = Vec::new();
        for number in &self.participant {
            let participant = ParticipantNumber(*number);
            let found = watcher.final_account(participant).ok_or_else(|| {
                CommandError::refused(anyhow::anyhow!("participant {number} has no final account"))
                    .hint("Only what is in a final batch can be claimed: seven days after its commit.")
            })?;
            let (account, micro) = self.look(ledger, participant, &found).await?;
            report.accounts.push(account);
            if micro > 0 {
                wanted.push(found);
            }
        }
        if let Some(sender) = sender {
            self.send(ledger, &sender, &wanted, &mut report).await?;
        }
        Ok(report)
    }

    async fn look(
        &self,
        ledger: &BatchLedger,
        participant: ParticipantNumber,
        found: &FinalAccount,
    ) -> Result<(AccountReport, u64), CommandError> {
        let state = ledger.payout_of(participant).await.map_err(read_error)?;
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

    async fn send(
        &self,
        ledger: &BatchLedger,
        sender: &Sender,
        wanted: &[FinalAccount],
        report: &mut ClaimReport,
    ) -> Result<(), CommandError> {
        let Some(first) = wanted.first() else {
            let what = anyhow::anyhow!("there is nothing to pay out");
            return Err(CommandError::refused(what));
        };
        let accounts: Vec<_> = wanted.iter().map(|found| found.account.clone()).collect();
        let calls = match (self.exit, accounts.as_slice()) {
            (true, accounts) => {
                accounts.iter().map(|account| ledger.exit_call(&first.header, account)).collect()
            }
            (false, [account]) => vec![ledger.claim_call(&first.header, account)],
            (false, accounts) => vec![ledger.claim_many_call(&first.header, accounts)],
        };
        for call in calls {
            let receipt = sender.send(call).await;
            let receipt = receipt.map_err(|error| {
                if is_unreachable(&error) {
                    CommandError::environment(error)
                } else {
                    CommandError::refused(error)
                }
            })?;
            report.transactions.push(receipt.transaction_hash.to_string());
            report.gas_used += receipt.gas_used;
        }
        Ok(())
    }
}

fn read_error(error: ReadError) -> CommandError {
    if is_unreachable(&error) {
        CommandError::environment(error)
    } else {
        CommandError::refused(error)
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
        for transaction in &self.transactions {
            writeln!(out, "paid by {transaction}")?;
        }
        if self.transactions.is_empty() {
            return writeln!(out, "nothing was sent");
        }
        writeln!(out, "gas: {}", grouped(self.gas_used))
    }
}
