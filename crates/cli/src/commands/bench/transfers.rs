//! Transfers of ether over HTTP: ten senders, one connection each, one request for each transaction.

use std::time::Duration;

use alloy_consensus::{SignableTransaction, TxEip1559, TxEnvelope};
use alloy_eips::eip2718::Encodable2718;
use alloy_primitives::{Address, Bytes, TxKind, U256};
use anyhow::{Context as _, bail};
use gridtally_ledger::{BlockId, Client, Key};

use crate::output::number::{grouped, rate_per_s};
use crate::stopwatch::Stopwatch;

use super::process::{Program, Running};
use super::{Arguments, Folder, Measurement, Part, median};

/// Senders at the same time; each is one of the funded accounts.
const SENDERS: u32 = 10;
/// Longest time without a sealed transaction.
const STALL_MAX: Duration = Duration::from_secs(30);
/// Pause between questions for the number of sealed transactions.
const PAUSE: Duration = Duration::from_millis(2);

/// What one chain showed in one round.
#[derive(Debug, Clone, Copy)]
struct Sealing {
    rate_per_s: u64,
    start: Duration,
    resident_bytes: u64,
}

impl Sealing {
    fn start_ms(&self) -> u64 {
        u64::try_from(self.start.as_millis()).unwrap_or(u64::MAX)
    }

    fn resident_mib(&self) -> u64 {
        self.resident_bytes >> 20
    }
}

pub(super) async fn measure(
    arguments: &Arguments,
    anvil: Option<&Program>,
) -> anyhow::Result<Vec<Measurement>> {
    // Beyond some hundreds at once anvil stops sealing until another transaction comes.
    let (compared, alone) = (arguments.sized(500), arguments.sized(20_000));
    let (mut ours, mut theirs, mut many) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..arguments.rounds {
        ours.push(sealed_on(&Program::Embedded, compared).await?);
        if let Some(anvil) = anvil {
            theirs.push(sealed_on(anvil, compared).await?);
        }
        many.push(sealed_on(&Program::Embedded, alone).await?);
    }
    let measurement =
        |what: String, unit, ours: &[Sealing], theirs: &[Sealing], value: fn(&Sealing) -> u64| {
            let ours = median(ours.iter().map(value).collect());
            let theirs = theirs.iter().map(value).collect();
            Measurement::new(Part::Transfers, what, unit, ours).against("anvil", theirs)
        };
    let transfers = |count| format!("{} transfers of ether, ten senders", grouped(count));
    let rate = |sealing: &Sealing| sealing.rate_per_s;
    let start = "fresh chain, process start to first answer".to_owned();
    let resident = |count| format!("resident memory after {} transfers", grouped(count));
    Ok(vec![
        measurement(transfers(compared), "transfers/s", &ours, &theirs, rate),
        measurement(start, "ms", &ours, &theirs, Sealing::start_ms),
        measurement(resident(compared), "MiB", &ours, &theirs, Sealing::resident_mib),
        measurement(transfers(alone), "transfers/s", &many, &[], rate),
        measurement(resident(alone), "MiB", &many, &[], Sealing::resident_mib),
    ])
}

async fn sealed_on(program: &Program, count: u64) -> anyhow::Result<Sealing> {
    let folder = Folder::new()?;
    let running = Running::start(program, folder.path()).await?;
    let elapsed = run(&running.client, count).await;
    let elapsed = elapsed.with_context(|| format!("sending transfers to {}", program.name()))?;
    Ok(Sealing {
        rate_per_s: rate_per_s(count, elapsed),
        start: running.started_after,
        resident_bytes: running.resident_bytes().unwrap_or(0),
    })
}

/// Sends `count` transfers and returns the time until all of them are in blocks.
///
/// # Errors
///
/// When the endpoint fails or stops sealing.
async fn run(client: &Client, count: u64) -> anyhow::Result<Duration> {
    let mut signed = Vec::new();
    for index in 0..SENDERS {
        let key = Key::test_account(index)?;
        let nonce = client.transaction_count(key.address(), BlockId::Latest).await?;
        let of_sender =
            count / u64::from(SENDERS) + u64::from(u64::from(index) < count % u64::from(SENDERS));
        let transactions: Vec<Bytes> = (nonce..nonce + of_sender)
            .map(|nonce| transfer(client.chain_id(), &key, nonce))
            .collect();
        signed.push((key.address(), nonce + of_sender, transactions));
    }
    let watch = Stopwatch::start();
    let senders: Vec<_> = signed
        .into_iter()
        .map(|(sender, nonce_after, transactions)| {
            let client = client.clone();
            tokio::spawn(async move {
                for transaction in &transactions {
                    client.send_raw(transaction).await?;
                }
                sealed(&client, sender, nonce_after).await
            })
        })
        .collect();
    for sender in senders {
        sender.await??;
    }
    Ok(watch.elapsed())
}

/// Waits until the chain counts `nonce_after` transactions of a sender.
async fn sealed(client: &Client, sender: Address, nonce_after: u64) -> anyhow::Result<()> {
    let (mut last, mut watch) = (0, Stopwatch::start());
    loop {
        let nonce = client.transaction_count(sender, BlockId::Latest).await?;
        if nonce >= nonce_after {
            return Ok(());
        }
        if nonce > last {
            (last, watch) = (nonce, Stopwatch::start());
        }
        if watch.elapsed() > STALL_MAX {
            bail!("no transaction of {sender} was sealed for {} s", STALL_MAX.as_secs());
        }
        tokio::time::sleep(PAUSE).await;
    }
}

fn transfer(chain_id: u64, key: &Key, nonce: u64) -> Bytes {
    let transaction = TxEip1559 {
        chain_id,
        nonce,
        gas_limit: 21_000,
        max_fee_per_gas: 10_000_000_000,
        max_priority_fee_per_gas: 1_000_000_000,
        to: TxKind::Call(Address::repeat_byte(0x42)),
        value: U256::from(1),
        ..TxEip1559::default()
    };
    let signature = key.sign(transaction.signature_hash());
    TxEnvelope::from(transaction.into_signed(signature)).encoded_2718().into()
}
