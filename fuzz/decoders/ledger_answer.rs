//! What an endpoint answers: log entries, the reasons of failed calls, and inputs of transactions that reveal a batch; and what a beacon
//! node answers.

use alloy_primitives::Bytes;
use gridtally_ledger::{
    BatchEntry, BeaconBlobs, BeaconGenesis, BeaconSlots, BeaconSpec, Block, Demanded, LedgerEntry,
    Log, LogEntry, Receipt, Refusal, RpcFailure, Transaction, reveal,
};
use gridtally_settlement::Answers;
use serde::Deserialize;

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
    if let Ok(answer) = serde_json::from_slice::<BeaconBlobs>(bytes) {
        let _blobs = answer.blobs();
    }
    // Genesis and settings are two answers, one after the other.
    let mut documents = serde_json::Deserializer::from_slice(bytes);
    if let (Ok(genesis), Ok(spec)) =
        (BeaconGenesis::deserialize(&mut documents), BeaconSpec::deserialize(&mut documents))
        && let Ok(slots) = BeaconSlots::new(&genesis, &spec)
    {
        let _slots = [0, 1_700_000_000, u64::MAX].map(|time_s| slots.of(time_s));
    }
}
