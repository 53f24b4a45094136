//! What the tests share: a chain with a clock that stands still, and requests to it.

use std::sync::Arc;

use gridtally_chain::{Chain, ChainConfig, ManualClock, Sealing};
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
