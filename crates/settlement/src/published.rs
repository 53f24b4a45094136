//! The records of a batch as they are published: in calldata, or in blobs.

use alloy_primitives::{B256, U256, keccak256, uint};

use crate::record::Record;

/// Bytes of a blob: 4,096 field elements of 32.
pub const BLOB_LENGTH: usize = ELEMENTS_PER_BLOB * ELEMENT_LENGTH;
/// Records that a blob holds.
pub const RECORDS_PER_BLOB: usize = ELEMENTS_PER_BLOB * RECORDS_PER_ELEMENT;
/// Records that calldata may hold, so that one transaction can still carry all of them in a proof.
pub const CALLDATA_RECORDS_MAX: u32 = 12_000;
/// Blobs of one transaction.
pub const BLOBS_MAX: usize = 6;

const ELEMENTS_PER_BLOB: usize = 4_096;
pub(crate) const ELEMENT_LENGTH: usize = 32;
const RECORDS_PER_ELEMENT: usize = 3;
/// Bytes before the records of an element, which keep it below the field's order.
pub(crate) const HEAD_LENGTH: usize = 2;

/// The order of the scalar field of BLS12-381.
const FIELD_ORDER: U256 =
    uint!(52435875175126190479447740508185965837690552500527637822603658699938581184513_U256);
/// A generator of the field's multiplicative group.
const GENERATOR: U256 = uint!(7_U256);

/// The bytes of a blob.
pub type BlobBytes = Box<[u8; BLOB_LENGTH]>;

/// Returns the records one after the other.
#[must_use]
pub fn pack_calldata(records: impl IntoIterator<Item = Record>) -> Vec<u8> {
    records.into_iter().flat_map(|record| record.pack()).collect()
}

/// Returns the records in as few blobs as hold them: three behind two zero bytes in each field element, the rest zero.
///
/// # Source
///
/// Settlement protocol §2.6.
#[must_use]
pub fn pack_blobs(records: &[Record]) -> Vec<BlobBytes> {
    let packed = records.chunks(RECORDS_PER_BLOB).map(|records| {
        let mut blob = zero_blob();
        let elements = blob.chunks_exact_mut(ELEMENT_LENGTH);
        for (element, records) in elements.zip(records.chunks(RECORDS_PER_ELEMENT)) {
            let places = element[HEAD_LENGTH..].chunks_exact_mut(Record::LENGTH);
            for (place, record) in places.zip(records) {
                place.copy_from_slice(&record.pack());
            }
        }
        blob
    });
    packed.collect()
}

pub(crate) fn zero_blob() -> BlobBytes {
    vec![0; BLOB_LENGTH].try_into().expect("a vector of this length")
}

/// Where in its blobs a record stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlobPlace {
    /// Which blob of the batch.
    pub blob: usize,
    /// Which field element of the blob.
    pub element: usize,
    /// First byte inside the element.
    pub offset: usize,
}

impl BlobPlace {
    /// Returns the place of a record.
    #[must_use]
    pub const fn of(index: usize) -> Self {
        let place = index % RECORDS_PER_BLOB;
        Self {
            blob: index / RECORDS_PER_BLOB,
            element: place / RECORDS_PER_ELEMENT,
            offset: HEAD_LENGTH + Record::LENGTH * (place % RECORDS_PER_ELEMENT),
        }
    }
}

/// Returns the point at which a blob's polynomial is opened to show a field element: w^(bit reversal of its index), with w a
/// 4096th root of unity.
///
/// # Source
///
/// Settlement protocol §2.6; EIP-4844.
#[must_use]
pub fn opening_point(element: usize) -> B256 {
    let elements = U256::from(ELEMENTS_PER_BLOB);
    let root = GENERATOR.pow_mod((FIELD_ORDER - U256::from(1)) / elements, FIELD_ORDER);
    let bits = ELEMENTS_PER_BLOB.trailing_zeros();
    let reversed = element.reverse_bits() >> (usize::BITS - bits);
    root.pow_mod(U256::from(reversed), FIELD_ORDER).into()
}

/// The published bytes of a batch, as anybody finds them.
#[derive(Clone, Copy, Debug)]
pub enum Published<'a> {
    /// The bytes of the calldata.
    Calldata(&'a [u8]),
    /// The blobs.
    Blobs(&'a [BlobBytes]),
}

impl<'a> Published<'a> {
    /// Returns how many records the data has room for.
    #[must_use]
    pub fn capacity(&self) -> usize {
        match self {
            Self::Calldata(data) => data.len() / Record::LENGTH,
            Self::Blobs(blobs) => blobs.len() * RECORDS_PER_BLOB,
        }
    }

    /// Returns the first `count` records, with whether each lies in an element that begins with zeros as it must.
    ///
    /// Fewer come where the data has no room for more.
    ///
    /// # Panics
    ///
    /// Never: every ten bytes are a record.
    pub fn records(&self, count: usize) -> impl Iterator<Item = (Record, bool)> + use<'a> {
        let (calldata, blobs) = match *self {
            Self::Calldata(data) => (data, &[][..]),
            Self::Blobs(blobs) => (&[][..], blobs),
        };
        let plain = calldata.chunks_exact(Record::LENGTH).map(|bytes| (bytes, true));
        let elements = blobs.iter().flat_map(|blob| blob.chunks_exact(ELEMENT_LENGTH));
        let in_elements = elements.flat_map(|element| {
            let (head, records) = element.split_at(HEAD_LENGTH);
            let is_well_formed = head == [0; HEAD_LENGTH];
            records.chunks_exact(Record::LENGTH).map(move |bytes| (bytes, is_well_formed))
        });
        plain.chain(in_elements).take(count).map(|(bytes, is_well_formed)| {
            (Record::unpack(bytes).expect("a chunk has the length of a record"), is_well_formed)
        })
    }
}

/// Returns the data hash of calldata.
#[must_use]
pub fn calldata_hash(data: &[u8]) -> B256 {
    keccak256(data)
}

/// Returns the data hash of blobs, from their versioned hashes.
#[must_use]
pub fn blobs_hash(versioned_hashes: &[B256]) -> B256 {
    keccak256(versioned_hashes.concat())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code::Code;
    use gridtally_core::party::ParticipantNumber;
    use gridtally_core::period::Slot;

    fn records(count: u32) -> Vec<Record> {
        let record = |index: u32| {
            let value = i32::try_from(index).unwrap() - 5;
            Record::new(ParticipantNumber(index), Code::FEED_IN, Slot(7), value).unwrap()
        };
        (1..=count).map(record).collect()
    }

    #[test]
    fn records_come_back_from_blobs() {
        for count in [1, 2, 3, 4, 12_287, 12_288, 12_289, 30_000] {
            let records = records(count);
            let blobs = pack_blobs(&records);
            assert_eq!(blobs.len(), records.len().div_ceil(RECORDS_PER_BLOB));
            let published = Published::Blobs(&blobs);
            let read: Vec<_> = published.records(records.len()).collect();
            assert!(read.iter().all(|&(_, is_well_formed)| is_well_formed));
            assert!(read.iter().map(|&(record, _)| record).eq(records.iter().copied()));
            let last = BlobPlace::of(records.len() - 1);
            let at = last.element * ELEMENT_LENGTH + last.offset;
            let bytes = &blobs[last.blob][at..at + Record::LENGTH];
            assert_eq!(bytes, records[records.len() - 1].pack());
        }
    }

    #[test]
    fn records_come_back_from_calldata() {
        let records = records(17);
        let data = pack_calldata(records.clone());
        let published = Published::Calldata(&data);
        assert_eq!(published.capacity(), 17);
        assert!(published.records(99).map(|(record, _)| record).eq(records));
    }

    #[test]
    fn a_head_that_is_not_zero_taints_its_three_records() {
        let mut blobs = pack_blobs(&records(9));
        blobs[0][ELEMENT_LENGTH + 1] = 1;
        let well_formed = Published::Blobs(&blobs).records(9).map(|(_, well_formed)| well_formed);
        let expected = [true, true, true, false, false, false, true, true, true];
        assert!(well_formed.eq(expected));
    }

    #[test]
    fn opening_points_are_roots_of_unity() {
        assert_eq!(opening_point(0), B256::from(U256::from(1)));
        assert_eq!(opening_point(1), B256::from(FIELD_ORDER - U256::from(1)));
        for element in [2, 77, 4_095] {
            let point = U256::from_be_bytes(opening_point(element).0);
            assert_eq!(point.pow_mod(U256::from(ELEMENTS_PER_BLOB), FIELD_ORDER), U256::from(1));
        }
    }
}
