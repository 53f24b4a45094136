//! What an endpoint answers: log entries, the reasons of failed calls, and inputs of transactions that reveal a batch.

use alloy_primitives::Bytes;
use gridtally_ledger::{
    BatchEntry, Block, Demanded, LedgerEntry, Log, LogEntry, Receipt, Refusal, RpcFailure,
    Transaction, reveal,
};
use gridtally_settlement::Answers;

pub(crate) fn decode(bytes: &[u8]) {
    let failure = RpcFailure {
        code: 3,
        message: String::from_utf8_lossy(bytes).into_owned(),
        data: Some(Bytes::copy_from_slice(bytes)),
    };
    let _shown = Refusal::of(&failure).to_string();
    if let Ok(log) = serde_json::from_slice::<Log>(bytes) {
        let _event = LedgerEntry::decode(&log);
        let _event = BatchEntry::decode(&log);
    }
    let mut answers = Answers::default();
    for kind in 0..6 {
        for index in [0, 1, u32::MAX] {
            if let Some(demanded) = Demanded::of_kind_and_index(kind, index) {
                reveal(&mut answers, demanded, bytes);
            }
        }
    }
    let _answer = serde_json::from_slice::<Block>(bytes);
    let _answer = serde_json::from_slice::<Receipt>(bytes);
    let _answer = serde_json::from_slice::<Transaction>(bytes);
}
