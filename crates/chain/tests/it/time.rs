//! Time and sealing as developers steer them.

use gridtally_chain::{Chain, ChainConfig, Sealing};
use serde_json::json;

use crate::support::{START_UNIX_S, account, ask, chain, config, refusal, send};

fn timestamp(chain: &Chain) -> u64 {
    chain.head().header.timestamp
}

#[test]
fn time_is_moved_and_set() {
    let chain = chain();
    ask(&chain, "evm_increaseTime", json!([3_600]));
    ask(&chain, "evm_mine", json!([]));
    assert_eq!(timestamp(&chain), START_UNIX_S + 3_600);
    ask(&chain, "evm_setNextBlockTimestamp", json!([START_UNIX_S + 90_000]));
    ask(&chain, "evm_mine", json!([]));
    assert_eq!(timestamp(&chain), START_UNIX_S + 90_000);
    ask(&chain, "evm_mine", json!([]));
    assert_eq!(timestamp(&chain), START_UNIX_S + 90_001);
    ask(&chain, "evm_mine", json!([format!("{:#x}", START_UNIX_S + 100_000)]));
    assert_eq!(timestamp(&chain), START_UNIX_S + 100_000);
    let error = refusal(&chain, "evm_setNextBlockTimestamp", json!([START_UNIX_S]));
    assert_eq!(error["code"], -32_602);
}

#[test]
fn many_blocks_are_sealed_at_once() {
    let chain = chain();
    ask(&chain, "hardhat_mine", json!(["0x5", "0x3c"]));
    assert_eq!(chain.head().number(), 5);
    assert_eq!(timestamp(&chain), START_UNIX_S + 1 + 4 * 60);
}

#[test]
fn a_chain_can_start_in_the_past() {
    let start = 1_362_096_000;
    let chain = Chain::open(ChainConfig { genesis_time_unix_s: Some(start), ..config() }).unwrap();
    assert_eq!(timestamp(&chain), start);
    chain.mine().unwrap();
    assert_eq!(timestamp(&chain), start + 1);
}

#[test]
fn instant_sealing_takes_what_waits() {
    let chain = Chain::open(ChainConfig { sealing: Sealing::Manual, ..config() }).unwrap();
    let mut events = chain.subscribe();
    for _ in 0..3 {
        send(&chain, json!({ "from": account(0), "to": account(1), "value": "0x1" }));
    }
    ask(&chain, "evm_setAutomine", json!([true]));
    let sealed = std::iter::repeat_with(|| events.blocking_recv().unwrap());
    let block = sealed.filter_map(|event| match event {
        gridtally_chain::ChainEvent::Sealed(block) => Some(block),
        _ => None,
    });
    assert_eq!(block.take(1).map(|block| block.transactions.len()).sum::<usize>(), 3);
}
