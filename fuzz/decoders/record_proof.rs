//! The proof of a record as somebody else wrote it: read or refused, and what is shown is what the document says.

use gridtally_settlement::RecordProof;

pub(crate) fn decode(bytes: &[u8]) {
    let Ok(proof) = serde_json::from_slice::<RecordProof>(bytes) else { return };
    if let Ok(proved) = proof.check() {
        assert_eq!(proved.headers.len(), proof.headers.len());
        assert_eq!(proved.leaf.leaf.amount.micro(), proof.amount_micro);
        assert_eq!(proved.leaf.leaf.record.participant().0, proof.participant);
    }
    let again = serde_json::to_vec(&proof).expect("a document can be written");
    assert_eq!(serde_json::from_slice::<RecordProof>(&again).ok(), Some(proof));
}
