//! Start, memory and files of a chain that has grown by token transfers, half of them to addresses not seen before.

use std::fs;
use std::path::Path;
use std::time::Duration;

use alloy_consensus::{SignableTransaction, TxEip1559, TxEnvelope};
use alloy_eips::eip2718::Encodable2718;
use alloy_primitives::{Address, Bytes, TxKind, U256, hex, keccak256};
use anyhow::Context as _;
use gridtally_chain::block_log::LOG_FILE;
use gridtally_chain::checkpoint::CHECKPOINT_FILE;
use gridtally_chain::{CHAIN_ID_DEFAULT, Chain, ChainConfig, Sealing};
use gridtally_ledger::Key;

use crate::output::number::{grouped, rate_per_s};
use crate::stopwatch::Stopwatch;

use super::process::{Program, Running};
use super::{Arguments, Folder, Measurement, Part, median};

/// Transactions of the chain.
const TRANSACTIONS: u64 = 200_000;
/// Transactions of a block.
const BLOCK_TRANSACTIONS: u64 = 1_000;
/// Funded accounts that send in turns.
const SENDERS: u32 = 10;

/// A token of the bare minimum: moves one unit from the caller's slot to the slot of the address in its input, and logs
/// an ERC-20 transfer.
const TOKEN: [u8; 60] = hex!(
    "5f35 805460010181 55 33546001900333 55 60015f52"
    "33 7fddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef 60205fa3 00"
);
/// Returns the code behind it.
const TOKEN_CREATION: [u8; 9] = hex!("60 3c 80 60 09 5f 39 5f f3");

pub(super) async fn measure(arguments: &Arguments) -> anyhow::Result<Vec<Measurement>> {
    let transactions = arguments.sized(TRANSACTIONS);
    let folder = Folder::new()?;
    let watch = Stopwatch::start();
    grow(folder.path(), transactions)?;
    let sealed_per_s = rate_per_s(transactions, watch.elapsed());
    let file_mib = |name| fs::metadata(folder.path().join(name)).map_or(0, |file| file.len() >> 20);
    let (log_mib, checkpoint_mib) = (file_mib(LOG_FILE), file_mib(CHECKPOINT_FILE));

    let (mut from_checkpoint, mut from_log, mut resident) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..arguments.rounds {
        let started = Running::start(&Program::Embedded, folder.path()).await?;
        from_checkpoint.push(started.started_after);
        resident.push(started.resident_bytes().unwrap_or(0) >> 20);
    }
    for _ in 0..arguments.rounds {
        let checkpoint = folder.path().join(CHECKPOINT_FILE);
        if checkpoint.exists() {
            fs::remove_file(checkpoint).context("cannot remove the checkpoint")?;
        }
        from_log.push(Running::start(&Program::Embedded, folder.path()).await?.started_after);
    }
    let count = grouped(transactions);
    let ms = |times: Vec<Duration>| {
        median(
            times.iter().map(|time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX)).collect(),
        )
    };
    let measurement = |what: String, unit, value| Measurement::new(Part::Start, what, unit, value);
    Ok(vec![
        measurement(
            format!("{count} token transfers, submitted and sealed in one process"),
            "transfers/s",
            sealed_per_s,
        ),
        measurement(format!("log of {count} transfers"), "MiB", log_mib),
        measurement("checkpoint behind it".to_owned(), "MiB", checkpoint_mib),
        measurement(
            "start from the checkpoint to the first answer".to_owned(),
            "ms",
            ms(from_checkpoint),
        ),
        measurement("start from the log alone".to_owned(), "ms", ms(from_log)),
        measurement("resident memory after the start".to_owned(), "MiB", median(resident)),
    ])
}

/// Grows a fresh chain in `folder` by so many transfers.
fn grow(folder: &Path, transactions: u64) -> anyhow::Result<()> {
    // Blocks stay below half of their gas limit, so that fees do not rise.
    let config = ChainConfig {
        folder: Some(folder.to_owned()),
        sealing: Sealing::Manual,
        gas_limit: 160_000 * BLOCK_TRANSACTIONS,
        ..ChainConfig::default()
    };
    let chain = Chain::open(config)?;
    let keys = (0..SENDERS).map(Key::test_account).collect::<Result<Vec<_>, _>>()?;
    let creation = [TOKEN_CREATION.as_slice(), &TOKEN].concat();
    chain.submit(&signed(&keys[0], 0, TxKind::Create, creation.into()))?;
    chain.mine()?;
    let token = keys[0].address().create(0);
    // The first sender has created the token.
    let mut nonces = [1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let mut sent = 0;
    while sent < transactions {
        let until = transactions.min(sent + BLOCK_TRANSACTIONS);
        let jobs: Vec<_> = (sent..until)
            .map(|index| {
                let sender = usize::try_from(index).unwrap_or_default() % keys.len();
                nonces[sender] += 1;
                (&keys[sender], nonces[sender] - 1, receiver(index / 2))
            })
            .collect();
        for transaction in signed_by_two(token, &jobs) {
            chain.submit(&transaction)?;
        }
        while sent < until {
            sent += u64::try_from(chain.mine()?.transactions.len())?;
        }
    }
    Ok(())
}

/// Signs on two cores: signing takes longer than sealing.
fn signed_by_two(token: Address, jobs: &[(&Key, u64, Address)]) -> Vec<Bytes> {
    let sign = |jobs: &[(&Key, u64, Address)]| -> Vec<Bytes> {
        let call = |&(key, nonce, to): &(&Key, u64, Address)| {
            signed(key, nonce, TxKind::Call(token), to.into_word().into())
        };
        jobs.iter().map(call).collect()
    };
    let (first, second) = jobs.split_at(jobs.len() / 2);
    std::thread::scope(|scope| {
        let first = scope.spawn(|| sign(first));
        let second = sign(second);
        [first.join().expect("signing does not panic"), second].concat()
    })
}

fn receiver(index: u64) -> Address {
    Address::from_word(keccak256(index.to_be_bytes()))
}

fn signed(key: &Key, nonce: u64, to: TxKind, input: Bytes) -> Bytes {
    let transaction = TxEip1559 {
        chain_id: CHAIN_ID_DEFAULT,
        nonce,
        gas_limit: 200_000,
        max_fee_per_gas: 1_000_000_000_000,
        max_priority_fee_per_gas: 1,
        to,
        value: U256::ZERO,
        input,
        ..TxEip1559::default()
    };
    let signature = key.sign(transaction.signature_hash());
    TxEnvelope::from(transaction.into_signed(signature)).encoded_2718().into()
}
