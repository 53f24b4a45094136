//! Requests to a chain in memory: one JSON document for each line, to the same new chain.

use std::sync::Arc;

use gridtally_chain::{Chain, ChainConfig, ManualClock, Sealing};

/// Requests that are answered of one input.
const REQUESTS_MAX: usize = 16;

pub(crate) fn decode(bytes: &[u8]) {
    let config = ChainConfig {
        clock: Arc::new(ManualClock::at(1_759_276_800)),
        sealing: Sealing::Manual,
        gas_limit: 3_000_000, // endless loops end soon
        ..ChainConfig::default()
    };
    let chain = Chain::open(config).expect("a chain in memory needs nothing");
    for request in bytes.split(|&byte| byte == b'\n').take(REQUESTS_MAX) {
        if let Some(answer) = chain.dispatch_text(request) {
            let answer: serde_json::Value =
                serde_json::from_slice(&answer).expect("answers are JSON");
            let answers = answer.as_array().cloned().unwrap_or_else(|| vec![answer]);
            for answer in answers {
                assert_eq!(answer["jsonrpc"], "2.0");
                assert!(answer.get("result").is_some() != answer.get("error").is_some());
            }
        }
    }
}
