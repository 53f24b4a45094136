//! Headers of batches as the chain encodes them.

use gridtally_settlement::BatchHeader;

pub(crate) fn decode(bytes: &[u8]) {
    if let Ok(header) = BatchHeader::decode(bytes) {
        assert_eq!(header.encode(), bytes);
    }
}
