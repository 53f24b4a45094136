//! State at old blocks: right, or refused.

use alloy_primitives::{B256, Bytes, U256, keccak256};
use alloy_trie::{Nibbles, TrieAccount, proof::verify_proof};
use gridtally_chain::{Chain, ChainConfig};
use serde_json::{Value, json};

use crate::code;
use crate::support::{account, ask, chain, config, refusal, send, send_and_mine};

const RECEIVER: &str = "0x00000000000000000000000000000000c0ffee00";

/// Returns a chain whose receiver has as many wei as the chain has blocks.
fn chain_of(blocks: u64) -> Chain {
    let chain = chain();
    for _ in 0..blocks {
        send(&chain, json!({ "from": account(0), "to": RECEIVER, "value": "0x1" }));
        chain.mine().unwrap();
    }
    chain
}

fn balance(chain: &Chain, number: u64) -> Value {
    ask(chain, "eth_getBalance", json!([RECEIVER, format!("{number:#x}")]))
}

#[test]
fn balances_of_every_old_block_are_those_of_its_time() {
    let chain = chain_of(60);
    for number in 0..=60 {
        assert_eq!(balance(&chain, number), format!("{number:#x}"));
    }
}

#[test]
fn proofs_of_old_blocks_verify_against_their_headers() {
    let chain = chain_of(12);
    for number in [0, 1, 7, 11, 12] {
        let id = format!("{number:#x}");
        let root: B256 = ask(&chain, "eth_getBlockByNumber", json!([id, false]))["stateRoot"]
            .as_str()
            .unwrap()
            .parse()
            .unwrap();
        let proof = ask(&chain, "eth_getProof", json!([RECEIVER, [], id]));
        let nodes: Vec<Bytes> = serde_json::from_value(proof["accountProof"].clone()).unwrap();
        let key =
            Nibbles::unpack(keccak256(RECEIVER.parse::<alloy_primitives::Address>().unwrap()));
        let expected = (number > 0).then(|| {
            alloy_rlp::encode(TrieAccount { balance: U256::from(number), ..TrieAccount::default() })
        });
        verify_proof(root, key, expected, &nodes).unwrap();
    }
}

#[test]
fn unknown_and_reverted_blocks_are_refused() {
    let chain = chain_of(5);
    let state = chain.state_at(5).unwrap();
    let future = refusal(&chain, "eth_getBalance", json!([RECEIVER, "0x6"]));
    assert_eq!(future["message"], "header not found");
    chain.revert_to(3).unwrap();
    assert_eq!(balance(&chain, 3), "0x3");
    assert_eq!(refusal(&chain, "eth_getBalance", json!([RECEIVER, "0x4"]))["code"], -32_001);
    let address = RECEIVER.parse().unwrap();
    let error = state.view().account(address).unwrap_err();
    assert_eq!(error.to_string(), "block 5 was reverted");
}

#[test]
fn a_chain_goes_on_after_a_revert() {
    let chain = chain_of(4);
    let id = ask(&chain, "evm_snapshot", json!([]));
    let before = chain.head().hash;
    send(&chain, json!({ "from": account(0), "to": RECEIVER, "value": "0x64" }));
    chain.mine().unwrap();
    assert_eq!(ask(&chain, "evm_revert", json!([id])), true);
    assert_eq!(chain.head().hash, before);
    assert_eq!(ask(&chain, "evm_revert", json!([id])), false, "a snapshot is used once");
    send(&chain, json!({ "from": account(0), "to": RECEIVER, "value": "0x1" }));
    chain.mine().unwrap();
    assert_eq!(balance(&chain, 5), "0x5");
}

/// The state knew code of blocks that were taken back, so the log was not told of it again, and could not be opened any more.
#[test]
fn code_that_comes_back_after_a_revert_is_in_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let open = || {
        let folder = Some(folder.path().to_owned());
        Chain::open(ChainConfig { folder, ..config() }).unwrap()
    };
    let deploy = |chain: &Chain, code: &[u8]| {
        let creation = code::creation(code);
        send_and_mine(chain, json!({ "from": account(0), "data": creation }));
    };
    let chain = open();
    deploy(&chain, &code::STORING);
    let id = ask(&chain, "evm_snapshot", json!([]));
    deploy(&chain, &code::COUNTER);
    chain.checkpoint().unwrap();
    assert_eq!(ask(&chain, "evm_revert", json!([id])), true);
    deploy(&chain, &code::COUNTER);
    deploy(&chain, &code::STORING);
    let head = chain.head().hash;
    drop(chain);
    let chain = open();
    assert_eq!(chain.head().hash, head);

    // A checkpoint knows with which block each came.
    chain.checkpoint().unwrap();
    drop(chain);
    let chain = open();
    chain.revert_to(1).unwrap();
    deploy(&chain, &code::COUNTER);
    let head = chain.head().hash;
    drop(chain);
    std::fs::remove_file(folder.path().join("checkpoint")).unwrap();
    assert_eq!(open().head().hash, head);
}
