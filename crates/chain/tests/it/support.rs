//! What the tests share: a chain with a clock that stands still, and requests to it.

use std::{collections::BTreeSet, sync::Arc};

use alloy_primitives::{Address, B256};
use alloy_trie::{
    TrieAccount,
    root::{state_root_unhashed, storage_root_unhashed},
};
use gridtally_chain::{
    Chain, ChainConfig, ManualClock, Sealing, accounts::funded_addresses, genesis::Genesis,
};
use serde_json::{Value, json};

/// The time at which test chains start: 2025-10-01T00:00:00Z.
pub(crate) const START_UNIX_S: u64 = 1_759_276_800;

/// Returns the configuration of a chain in memory that seals on request only.
pub(crate) fn config() -> ChainConfig {
    ChainConfig {
        clock: Arc::new(ManualClock::at(START_UNIX_S)),
        sealing: Sealing::Manual,
        ..ChainConfig::default()
    }
}

/// Returns a new chain in memory that seals on request only.
pub(crate) fn chain() -> Chain {
    Chain::open(config()).unwrap()
}

/// Sends a request and returns the whole response.
pub(crate) fn respond(chain: &Chain, method: &str, params: Value) -> Value {
    let request = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
    chain.dispatch(request).unwrap()
}

/// Sends a request and returns the result.
pub(crate) fn ask(chain: &Chain, method: &str, params: Value) -> Value {
    let mut response = respond(chain, method, params);
    assert!(response.get("error").is_none(), "{method}: {response}");
    response["result"].take()
}

/// Sends a request and returns the error.
pub(crate) fn refusal(chain: &Chain, method: &str, params: Value) -> Value {
    let mut response = respond(chain, method, params);
    assert!(response.get("result").is_none(), "{method}: {response}");
    response["error"].take()
}

/// Returns the address of a funded account.
pub(crate) fn account(index: usize) -> String {
    gridtally_chain::accounts::funded_addresses()[index].to_checksum(None)
}

/// Sends a transaction from a funded account and returns its hash.
pub(crate) fn send(chain: &Chain, transaction: Value) -> Value {
    ask(chain, "eth_sendTransaction", json!([transaction]))
}

/// Sends a transaction from a funded account, seals a block, and returns the receipt.
pub(crate) fn send_and_mine(chain: &Chain, transaction: Value) -> Value {
    let hash = send(chain, transaction);
    chain.mine().unwrap();
    ask(chain, "eth_getTransactionReceipt", json!([hash]))
}

/// Returns the genesis that a chain was made from.
pub(crate) fn genesis(chain: &Chain) -> Genesis {
    let first = chain.block(0).unwrap().unwrap();
    Genesis {
        chain_id: chain.chain_id(),
        timestamp: first.header.timestamp,
        gas_limit: first.header.gas_limit,
        funded: funded_addresses(),
    }
}

/// Returns the state root after a block by another implementation, from the accounts and slots that are read one by
/// one. `others` are the accounts besides those of the first block.
pub(crate) fn rebuilt_root(chain: &Chain, number: u64, others: &[Address]) -> B256 {
    let first = genesis(chain).state();
    let addresses = first.accounts.iter().map(|account| account.address);
    let addresses: BTreeSet<_> = addresses.chain(others.iter().copied()).collect();
    let state = chain.state_at(number).unwrap();
    let accounts = addresses.into_iter().filter_map(|address| {
        let account = state.view().account(address).unwrap()?;
        let slots = state.view().storage_range(address, B256::ZERO, usize::MAX).unwrap();
        let slots = slots.into_iter().map(|(_, slot, value)| (slot, value));
        let account = TrieAccount {
            nonce: account.nonce,
            balance: account.balance,
            storage_root: storage_root_unhashed(slots),
            code_hash: account.code_hash,
        };
        Some((address, account))
    });
    state_root_unhashed(accounts)
}
