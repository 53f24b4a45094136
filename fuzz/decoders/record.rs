//! Records: the ten bytes of a batch, the 21 bytes of direct mode, and many of them packed.

use gridtally_settlement::{DirectRecord, Record};

pub(crate) fn decode(bytes: &[u8]) {
    for packed in bytes.chunks(Record::LENGTH) {
        match Record::unpack(packed) {
            Ok(record) => assert_eq!(record.pack(), packed),
            Err(_) => assert_ne!(packed.len(), Record::LENGTH),
        }
    }
    for packed in bytes.chunks(DirectRecord::LENGTH) {
        if let Ok(record) = DirectRecord::unpack(packed) {
            assert_eq!(record.pack(), packed);
        }
    }
}
