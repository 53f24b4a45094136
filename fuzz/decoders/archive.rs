//! Files of an archive of batches as somebody else may have put them there: signatures, calldata and blobs are what their name says,
//! or are refused.

use std::fs;

use alloy_primitives::{B256, keccak256};
use futures::executor::block_on;
use gridtally_ledger::BatchArchive;
use gridtally_settlement::calldata_hash;

pub(crate) fn decode(bytes: &[u8]) {
    let folder = tempfile::tempdir().expect("a place for files");
    let archive = BatchArchive::new(folder.path());
    let root = B256::repeat_byte(7);
    let hash = calldata_hash(bytes);
    let put = |name: String| fs::write(folder.path().join(name), bytes).expect("room on the disk");

    put(format!("{root}-{}.signatures", keccak256(bytes)));
    for (count, index) in [(0, 0), (1, 0), (2, 1), (3, u32::MAX), (1 << 18, 5)] {
        if let Ok(found) = block_on(archive.signatures(root, count, index)) {
            assert!(found.iter().all(|signature| matches!(signature.len(), 64 | 65)));
            assert!(found.is_empty() || index < count);
        }
    }
    put(format!("{hash}.calldata"));
    if let Ok(Some(data)) = block_on(archive.calldata(hash)) {
        assert_eq!(data, bytes);
    }
    put(format!("{root}.calldata"));
    assert!(block_on(archive.calldata(root)).is_err(), "another content than the name says");
    put(format!("{root}.blob"));
    assert!(block_on(archive.blobs(&[root])).is_err(), "no blob has this hash");
}
