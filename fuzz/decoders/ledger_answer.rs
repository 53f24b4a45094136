//! What an endpoint answers: log entries and the reasons of failed calls.

use alloy_primitives::Bytes;
use gridtally_ledger::{
    Block, LedgerEntry, Log, LogEntry, Receipt, Refusal, RpcFailure, Transaction,
};

pub(crate) fn decode(bytes: &[u8]) {
    let failure = RpcFailure {
        code: 3,
        message: String::from_utf8_lossy(bytes).into_owned(),
        data: Some(Bytes::copy_from_slice(bytes)),
    };
    let _shown = Refusal::of(&failure).to_string();
    if let Ok(log) = serde_json::from_slice::<Log>(bytes) {
        let _event = LedgerEntry::decode(&log);
    }
    let _answer = serde_json::from_slice::<Block>(bytes);
    let _answer = serde_json::from_slice::<Receipt>(bytes);
    let _answer = serde_json::from_slice::<Transaction>(bytes);
}
