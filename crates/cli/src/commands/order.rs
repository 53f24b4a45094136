//! What a participant tells a batch ledger through `gridtally claim`: pay in, ask to leave, collect what was credited.

use std::io::{self, Write};

use alloy_primitives::{Address, U256};
use anyhow::anyhow;
use gridtally_chain::Access;
use gridtally_core::decimal::parse_scaled;
use gridtally_core::party::ParticipantNumber;
use gridtally_ledger::{BatchLedger, Call, Sender};
use serde::Serialize;

use crate::batch_access::BatchArguments;
use crate::config::Config;
use crate::context::Context;
use crate::error::CommandError;
use crate::output::Report;
use crate::output::number::{decimal_rounded, grouped};

/// Micro-units that a deposit has at least, and of which it is a multiple: the contract takes whole hundredths.
const DEPOSIT_MIN_MICRO: u64 = 1_000_000;
const HUNDREDTH_MICRO: u64 = 10_000;
/// Micro-units have six decimals.
const SCALE: u32 = 6;

/// What is wanted instead of a claim.
#[derive(Debug, clap::Args)]
#[group(multiple = false)]
pub(super) struct OrderArguments {
    /// Pay in for the participant, from the tokens of the configured key: 1 or more, in hundredths
    #[arg(long, value_name = "AMOUNT", value_parser = deposit)]
    deposit: Option<u64>,
    /// Ask the hub to pay the participant out whole: only its own address may
    #[arg(long)]
    exit_request: bool,
    /// Pay out what the contract credited to the configured key, for a proof of fraud say
    #[arg(long, conflicts_with = "participant")]
    collect: bool,
}

/// One of the three.
#[derive(Debug, Clone, Copy)]
pub(super) enum Order {
    Deposit { participant: ParticipantNumber, amount_micro: u64 },
    ExitRequest { participant: ParticipantNumber },
    Collect,
}

/// What was found, and done.
#[derive(Debug, Serialize)]
struct OrderReport {
    contract: String,
    asked: String,
    order: &'static str,
    participant: Option<u32>,
    /// What is paid in, or out.
    amount_micro: Option<u64>,
    /// Who pays, asks, or is paid; nothing where nobody is named.
    account: Option<String>,
    /// Nothing where nothing was sent.
    transactions: Vec<String>,
    gas_used: u64,
}

fn deposit(text: &str) -> Result<u64, String> {
    let micro = parse_scaled(text, SCALE).map_err(|error| error.to_string())?;
    let micro = u64::try_from(micro).ok().filter(|micro| *micro >= DEPOSIT_MIN_MICRO);
    // What has more than six decimals was rounded.
    let decimals = text.split_once('.').map_or("", |(_, decimals)| decimals).trim_end_matches('0');
    let is_whole = |micro: &u64| micro.is_multiple_of(HUNDREDTH_MICRO) && decimals.len() <= 2;
    micro.filter(is_whole).ok_or_else(|| "not 1 or more with at most two decimals".to_owned())
}

impl OrderArguments {
    /// Returns what is wanted, or nothing for a claim.
    ///
    /// # Errors
    ///
    /// A mistake of usage where it is about several participants.
    pub(super) fn order(&self, participants: &[u32]) -> Result<Option<Order>, CommandError> {
        if self.collect {
            return Ok(Some(Order::Collect));
        }
        if self.deposit.is_none() && !self.exit_request {
            return Ok(None);
        }
        let [number] = *participants else {
            let what = anyhow!("--deposit and --exit-request are about one participant");
            return Err(CommandError::usage(what));
        };
        let participant = ParticipantNumber(number);
        Ok(Some(match self.deposit {
            Some(amount_micro) => Order::Deposit { participant, amount_micro },
            None => Order::ExitRequest { participant },
        }))
    }
}

impl Order {
    pub(super) fn run(
        self,
        batch: &BatchArguments,
        is_dry_run: bool,
        config: &Config,
        context: &Context,
    ) -> Result<(), CommandError> {
        let report = context.block_on(async {
            let access = if is_dry_run { Access::ReadOnly } else { Access::ReadWrite };
            let chain = BatchArguments::chain(config, access).await?;
            let ledger = batch.ledger(config, &chain).await?;
            // Only the key says whose credit it is.
            let sender = if is_dry_run && !matches!(self, Self::Collect) {
                None
            } else {
                Some(chain.sender(config)?)
            };
            let (calls, mut report) = self.look(&ledger, sender.as_ref()).await?;
            report.asked.clone_from(&chain.shown);
            if let Some(sender) = sender.filter(|_| !is_dry_run) {
                for call in calls {
                    report.send(&sender, call).await?;
                }
            }
            Ok(report)
        })?;
        context.output.report(&report)
    }

    /// Checks what the contract would refuse, and returns the transactions.
    async fn look(
        self,
        ledger: &BatchLedger,
        sender: Option<&Sender>,
    ) -> Result<(Vec<Call>, OrderReport), CommandError> {
        let account = sender.map(Sender::address);
        let mut report = OrderReport {
            contract: ledger.deployment().core.to_string(),
            asked: String::new(),
            order: self.name(),
            participant: None,
            amount_micro: None,
            account: account.map(|account| account.to_string()),
            transactions: Vec::new(),
            gas_used: 0,
        };
        if !matches!(self, Self::Collect)
            && ledger.is_frozen().await.map_err(CommandError::of_chain)?
        {
            return Err(CommandError::refused(anyhow!("the ledger is frozen"))
                .hint("Take everything out with --exit."));
        }
        let calls = match self {
            Self::Deposit { participant, amount_micro } => {
                (report.participant, report.amount_micro) =
                    (Some(participant.0), Some(amount_micro));
                deposit_calls(ledger, participant, amount_micro, account).await?
            }
            Self::ExitRequest { participant } => {
                let owner = owner_of(ledger, participant, account).await?;
                report.participant = Some(participant.0);
                report.account = Some(owner.to_string());
                vec![ledger.request_exit_call(participant)]
            }
            Self::Collect => {
                let account = account.unwrap_or_default();
                let credit = ledger.credit_of(account).await.map_err(CommandError::of_chain)?;
                if credit == 0 {
                    let what = anyhow!("the contract credited nothing to {account}");
                    return Err(CommandError::refused(what)
                        .hint("A proof of fraud and an answered demand are credited to whoever sent them."));
                }
                report.amount_micro = Some(credit);
                vec![ledger.collect_call()]
            }
        };
        Ok((calls, report))
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Deposit { .. } => "deposit",
            Self::ExitRequest { .. } => "exit_request",
            Self::Collect => "collect",
        }
    }
}

/// Returns the transactions that pay in; the contract may have to be allowed to draw the tokens first.
async fn deposit_calls(
    ledger: &BatchLedger,
    participant: ParticipantNumber,
    amount_micro: u64,
    account: Option<Address>,
) -> Result<Vec<Call>, CommandError> {
    let deposit = ledger.deposit_call(participant, amount_micro);
    let Some(account) = account else { return Ok(vec![deposit]) };
    let (held, allowed) = ledger.tokens_of(account).await.map_err(CommandError::of_chain)?;
    let amount = U256::from(amount_micro);
    if held < amount {
        let units =
            |micro: U256| decimal_rounded(i128::try_from(micro).unwrap_or(i128::MAX), SCALE, SCALE);
        let what = anyhow!("{account} has {} of {}", units(held), units(amount));
        return Err(CommandError::refused(what)
            .hint(format!("Send tokens of {} to it.", ledger.deployment().token)));
    }
    if allowed < amount {
        return Ok(vec![ledger.approve_call(amount_micro), deposit]);
    }
    Ok(vec![deposit])
}

/// Returns the address that may ask for a participant, which must be the sender's.
async fn owner_of(
    ledger: &BatchLedger,
    participant: ParticipantNumber,
    account: Option<Address>,
) -> Result<Address, CommandError> {
    let state = ledger.payout_of(participant).await.map_err(CommandError::of_chain)?;
    let Some(owner) = state.payout.filter(|_| participant != ParticipantNumber::HUB) else {
        let what = anyhow!("participant {} has no address that may ask to leave", participant.0);
        return Err(CommandError::refused(what).hint("The registrar sets it."));
    };
    match account.filter(|account| *account != owner) {
        None => Ok(owner),
        Some(account) => {
            let what =
                anyhow!("only {owner} may ask for participant {}, not {account}", participant.0);
            Err(CommandError::refused(what)
                .hint("Configure the key of the participant's own address."))
        }
    }
}

impl OrderReport {
    async fn send(&mut self, sender: &Sender, call: Call) -> Result<(), CommandError> {
        let receipt = sender.send(call).await.map_err(CommandError::of_chain)?;
        self.transactions.push(receipt.transaction_hash.to_string());
        self.gas_used += receipt.gas_used;
        Ok(())
    }
}

impl Report for OrderReport {
    fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        let amount = decimal_rounded(self.amount_micro.unwrap_or(0).into(), SCALE, SCALE);
        let account = self.account.as_deref().unwrap_or("the configured key");
        let participant = self.participant.unwrap_or(0);
        match self.order {
            "deposit" => writeln!(
                out,
                "participant {participant}: {amount} paid in by {account}; the next batches take it in"
            )?,
            "exit_request" => writeln!(
                out,
                "participant {participant}: paid out whole by the next batches, asks {account}"
            )?,
            _ => writeln!(out, "credit of {account}: {amount}")?,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deposit_is_in_hundredths() {
        for (text, micro) in
            [("1", 1_000_000), ("1.00", 1_000_000), ("2.5", 2_500_000), ("12.340000", 12_340_000)]
        {
            assert_eq!(deposit(text), Ok(micro), "{text}");
        }
        for text in
            ["", "0", "0.99", "-5", "1.001", "1.0000001", "1e3", "1,5", "9999999999999", "0x1"]
        {
            assert!(deposit(text).is_err(), "{text}");
        }
    }
}
