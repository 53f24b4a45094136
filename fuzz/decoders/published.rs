//! Published data as a hostile hub may choose them, in calldata and in a blob: there are as many records as are asked for, and what
//! is well-formed packs again to the same bytes.

use gridtally_settlement::{BLOB_LENGTH, BlobBytes, Published, Record, pack_blobs, pack_calldata};

/// Bytes of a field element.
const ELEMENT_LENGTH: usize = 32;
/// Records in a field element.
const ELEMENT_RECORDS: usize = 3;

pub(crate) fn decode(bytes: &[u8]) {
    let count = bytes.len() / Record::LENGTH;
    let calldata = Published::Calldata(bytes);
    let records: Vec<Record> = calldata.records(count).map(|(record, _)| record).collect();
    assert_eq!(pack_calldata(records.iter().copied()), bytes[..count * Record::LENGTH]);
    // More than there are.
    assert!(calldata.records(usize::MAX).count() <= count + 1);

    let mut blob = vec![0; BLOB_LENGTH];
    let length = bytes.len().min(BLOB_LENGTH);
    blob[..length].copy_from_slice(&bytes[..length]);
    let blob: BlobBytes = blob.into_boxed_slice().try_into().expect("of this length");
    let count = length.div_ceil(ELEMENT_LENGTH) * ELEMENT_RECORDS;
    let blobs = [blob];
    let published: Vec<(Record, bool)> = Published::Blobs(&blobs).records(count).collect();
    assert_eq!(published.len(), count);
    if published.iter().all(|&(_, is_well_formed)| is_well_formed) {
        let records: Vec<Record> = published.iter().map(|&(record, _)| record).collect();
        let again = pack_blobs(&records);
        assert!(again.iter().zip(&blobs).all(|(again, blob)| again == blob));
    }
}
