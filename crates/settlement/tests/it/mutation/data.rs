//! Published bytes: of one record, of the two bytes before three records, and of what nobody reads.

use gridtally_settlement::Record;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::super::town::{Committed, Data};
use super::{Way, records, republish};

/// Bytes of a field element that are not records.
const PADDING: usize = 2;
/// Bytes of a field element.
const ELEMENT: usize = 32;

pub(super) const WAYS: &[Way] = &[
    Way::new("any byte of a published record", |batch, random| {
        let index = random.random_range(0..batch.leaves.len());
        flip(batch, index, random.random_range(0..Record::LENGTH), random)
    }),
    Way::new("the last byte of the last published record", |batch, random| {
        let index = batch.leaves.len() - 1;
        flip(batch, index, Record::LENGTH - 1, random)
    }),
    Way::new("the participant of the first published record", |batch, random| {
        flip(batch, 0, 0, random)
    }),
    Way::new("the bytes before three records", |batch, random| match &mut batch.data {
        Data::Calldata(_) => false,
        Data::Blobs(blobs) => {
            let element = random.random_range(0..batch.leaves.len().div_ceil(3));
            // More in the first byte would be no field element.
            let (byte, bits) = if random.random_bool(0.5) { (0, 6) } else { (1, 8) };
            blobs[0][element * ELEMENT + byte] |= 1 << random.random_range(0..bits);
            true
        }
    }),
    Way::new("a blob after the last record", |batch, random| match &mut batch.data {
        Data::Calldata(_) => false,
        Data::Blobs(blobs) => {
            let element = random.random_range(batch.leaves.len().div_ceil(3)..4_096);
            blobs[0][element * ELEMENT + random.random_range(1..ELEMENT)] = random.random();
            true
        }
    }),
    Way::new("all records published in another order", |batch, _| {
        let mut reversed = records(&batch.leaves);
        reversed.reverse();
        batch.data = Data::of(batch.header.data_kind, &reversed);
        reversed.len() > 1
    }),
    Way::new("one record published three times", |batch, random| {
        let mut repeated = records(&batch.leaves);
        let index = random.random_range(0..repeated.len());
        let record = repeated[index];
        for other in repeated.iter_mut().skip(index.saturating_sub(1)).take(3) {
            *other = record;
        }
        let is_other = repeated != records(&batch.leaves);
        batch.data = Data::of(batch.header.data_kind, &repeated);
        is_other
    }),
    Way::new("nothing but zero published", |batch, _| {
        let record = Record::unpack(&[0; Record::LENGTH]).unwrap();
        batch.data = Data::of(batch.header.data_kind, &vec![record; batch.leaves.len()]);
        true
    }),
    Way::new("another record published and committed first", |batch, random| {
        // What is in the data is judged; who looks at the tree sees the honest batch.
        let honest = batch.leaves.clone();
        let index = random.random_range(0..honest.len());
        let old = honest[index].record;
        let code = old.code().number();
        batch.leaves[index].record = super::super::town::record(
            old.participant().0,
            code,
            old.slot().0,
            old.value().wrapping_add(1),
        );
        republish(batch);
        batch.leaves = honest;
        true
    }),
];

/// Changes a bit of a published record.
fn flip(batch: &mut Committed, index: usize, byte: usize, random: &mut ChaCha8Rng) -> bool {
    let bit = 1_u8 << random.random_range(0..8);
    match &mut batch.data {
        Data::Calldata(bytes) => bytes[index * Record::LENGTH + byte] ^= bit,
        Data::Blobs(blobs) => {
            let place = index / 3 * ELEMENT + PADDING + index % 3 * Record::LENGTH;
            blobs[0][place + byte] ^= bit;
        }
    }
    true
}
