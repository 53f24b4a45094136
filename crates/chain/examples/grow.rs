//! Grows a chain in a folder by token transfers, then says how long it takes to open and how much memory it holds.
//!
//! `grow FOLDER [TRANSACTIONS] [PER_BLOCK]`: without transactions it only opens the chain. Half of the transfers go
//! to addresses that have not been seen before.

use std::{path::PathBuf, time::Duration};

use alloy_consensus::{SignableTransaction, TxEip1559, TxEnvelope};
use alloy_eips::eip2718::Encodable2718;
use alloy_primitives::{Address, Bytes, TxKind, U256, hex, keccak256};
use alloy_signer::SignerSync;
use gridtally_chain::{Chain, ChainConfig, Sealing, accounts::funded_signers};

/// Moves one unit from the caller's slot to the slot of the address in its input and logs an ERC-20 transfer.
const TOKEN: [u8; 60] = hex!(
    "5f35 805460010181 55 33546001900333 55 60015f52"
    "33 7fddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef 60205fa3 00"
);

#[expect(clippy::print_stdout, reason = "the numbers are what the program is for")]
#[expect(clippy::cast_precision_loss, reason = "a rate for reading")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = PathBuf::from(arguments.next().ok_or("grow FOLDER [TRANSACTIONS] [PER_BLOCK]")?);
    let count: u64 = arguments.next().map_or(Ok(0), |count| count.parse())?;
    let per_block: u64 = arguments.next().map_or(Ok(1_000), |count| count.parse())?;
    // Blocks stay below half of their gas limit, so that fees do not rise.
    let config = ChainConfig {
        folder: Some(folder),
        sealing: Sealing::Manual,
        gas_limit: 160_000 * per_block.max(1_000),
        ..ChainConfig::default()
    };
    let (chain, opened_after) = timed(|| Chain::open(config));
    let chain = chain?;
    println!("opened at block {} after {:.2} s", chain.head().number(), opened_after.as_secs_f64());
    if count > 0 {
        let (grown, elapsed) = timed(|| grow(&chain, count, per_block));
        grown?;
        let rate = count as f64 / elapsed.as_secs_f64();
        println!(
            "{count} transfers sealed in {:.1} s, {rate:.0} in a second",
            elapsed.as_secs_f64()
        );
    }
    println!("resident memory: {}", resident());
    Ok(())
}

fn grow(chain: &Chain, count: u64, per_block: u64) -> Result<(), Box<dyn std::error::Error>> {
    let deployer = funded_signers()[0].address();
    let token = deployer.create(0);
    let nonce = |address| -> Result<u64, gridtally_chain::state::StateError> {
        let state = chain.state_at(chain.head().number())?;
        Ok(state.view().account(address)?.unwrap_or_default().nonce)
    };
    if nonce(deployer)? == 0 {
        let prefix = [0x60, u8::try_from(TOKEN.len())?, 0x80, 0x60, 9, 0x5f, 0x39, 0x5f, 0xf3];
        chain.submit(&signed(0, 0, TxKind::Create, [prefix.as_slice(), &TOKEN].concat().into()))?;
        chain.mine()?;
    }
    let nonces = funded_signers().iter().map(|signer| nonce(signer.address()));
    let mut nonces = nonces.collect::<Result<Vec<_>, _>>()?;
    let mut left = count;
    let mut sent = nonces.iter().sum::<u64>();
    while left > 0 {
        let batch = left.min(per_block);
        let jobs: Vec<_> = (0..batch)
            .map(|index| {
                let sender = usize::try_from(index % 10).unwrap_or_default();
                nonces[sender] += 1;
                let receiver = receiver((sent + index) / 2);
                (sender, nonces[sender] - 1, receiver)
            })
            .collect();
        let sign = |jobs: &[(usize, u64, Address)]| -> Vec<Bytes> {
            let call = |(sender, nonce, to): &(usize, u64, Address)| {
                signed(*sender, *nonce, TxKind::Call(token), to.into_word().into())
            };
            jobs.iter().map(call).collect()
        };
        let (first, second) = jobs.split_at(jobs.len() / 2);
        let transactions = std::thread::scope(|scope| {
            let first = scope.spawn(|| sign(first));
            let second = sign(second);
            [first.join().unwrap_or_default(), second].concat()
        });
        for transaction in &transactions {
            chain.submit(transaction)?;
        }
        let mut sealed = 0;
        while sealed < transactions.len() {
            sealed += chain.mine()?.transactions.len();
        }
        left -= batch;
        sent += batch;
    }
    Ok(())
}

fn receiver(index: u64) -> Address {
    Address::from_word(keccak256(index.to_be_bytes()))
}

fn signed(sender: usize, nonce: u64, to: TxKind, input: Bytes) -> Bytes {
    let tx = TxEip1559 {
        chain_id: gridtally_chain::CHAIN_ID_DEFAULT,
        nonce,
        gas_limit: 200_000,
        max_fee_per_gas: 1_000_000_000_000,
        max_priority_fee_per_gas: 1,
        to,
        value: U256::ZERO,
        input,
        ..TxEip1559::default()
    };
    let signature = funded_signers()[sender]
        .sign_hash_sync(&tx.signature_hash())
        .expect("a key in memory signs");
    TxEnvelope::from(tx.into_signed(signature)).encoded_2718().into()
}

#[expect(clippy::disallowed_methods, reason = "the time that passes is what is measured")]
fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let start = std::time::Instant::now();
    let result = work();
    (result, start.elapsed())
}

/// Returns the memory of this process as the system tells it.
fn resident() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.unwrap_or("unknown").trim().to_owned()
}
