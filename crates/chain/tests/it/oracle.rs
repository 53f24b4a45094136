//! Another client imports our blocks with full validation and comes to the same state.

use ethrex_blockchain::Blockchain;
use ethrex_common::types::{Genesis, GenesisAccount};
use ethrex_storage::{EngineType, Store};
use gridtally_chain::{Chain, engine::EthrexEngine, engine::ethrex_block, genesis};
use serde_json::json;

use crate::support::{account, ask, chain, send, send_and_mine};

/// Returns the genesis of a chain in the other client's form.
fn other_genesis(chain: &Chain) -> Genesis {
    let first = chain.block(0).unwrap().unwrap();
    let ours = genesis::Genesis {
        chain_id: chain.chain_id(),
        timestamp: first.header.timestamp,
        gas_limit: first.header.gas_limit,
        funded: gridtally_chain::accounts::funded_addresses(),
    };
    let state = ours.state();
    let alloc = state.accounts.iter().map(|diff| {
        let code =
            state.codes.iter().find(|code| alloy_primitives::keccak256(code) == diff.code_hash);
        let account = GenesisAccount {
            code: code.cloned().unwrap_or_default().0,
            storage: std::collections::BTreeMap::new(),
            balance: ethrex_common::U256(diff.balance.into_limbs()),
            nonce: diff.nonce,
        };
        (ethrex_common::Address::from(diff.address.into_array()), account)
    });
    Genesis {
        config: *EthrexEngine::new(chain.chain_id()).config(),
        alloc: alloc.collect(),
        coinbase: ethrex_common::Address::zero(),
        difficulty: ethrex_common::U256::zero(),
        extra_data: first.header.extra_data.0.clone(),
        gas_limit: first.header.gas_limit,
        nonce: 0,
        mix_hash: ethrex_common::H256::zero(),
        timestamp: first.header.timestamp,
        base_fee_per_gas: first.header.base_fee_per_gas,
        blob_gas_used: Some(0),
        excess_blob_gas: Some(0),
        requests_hash: None,
        block_access_list_hash: None,
        slot_number: None,
    }
}

/// Creation code of a contract that counts its calls in slot 0 and under its caller, and logs the count.
const COUNTER: &str =
    "0x601980600b6000396000f3600160005401806000558033558060005260016020600060a1565b00";

async fn import(chain: &Chain) {
    let mut store = Store::new("", EngineType::InMemory).unwrap();
    store.add_initial_state(other_genesis(chain)).await.unwrap();
    let other = Blockchain::default_with_store(store.clone());
    for number in 0..=chain.head().number() {
        let ours = chain.block(number).unwrap().unwrap();
        let block = ethrex_block(&ours.to_consensus()).unwrap();
        assert_eq!(block.hash().0, ours.hash.0, "block {number}");
        if number > 0 {
            other.add_block(block).unwrap();
        }
    }
    let root = chain.head().header.state_root;
    assert!(store.has_state_root(ethrex_common::H256(root.0)).unwrap());
}

#[test]
fn every_block_passes_the_validation_of_another_client() {
    let chain = chain();
    let created = send_and_mine(&chain, json!({ "from": account(0), "data": COUNTER }));
    let counter = created["contractAddress"].clone();
    ask(&chain, "evm_mine", json!([]));
    for round in 0..3 {
        for index in 0..10 {
            send(&chain, json!({ "from": account(index), "to": counter, "gas": "0x30d40" }));
            let to = format!("0x{:040x}", 0x1000 + round * 10 + index);
            send(&chain, json!({ "from": account(index), "to": to, "value": "0x1" }));
        }
        let block = chain.mine().unwrap();
        assert_eq!(block.transactions.len(), 20);
    }
    ask(&chain, "evm_increaseTime", json!([3600]));
    chain.mine().unwrap();

    let runtime = tokio::runtime::Builder::new_multi_thread()
        .thread_stack_size(16 << 20)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        tokio::spawn(async move { import(&chain).await }).await.unwrap();
    });
}
