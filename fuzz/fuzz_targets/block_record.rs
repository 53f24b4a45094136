#![no_main]

#[path = "../decoders/block_record.rs"]
mod block_record;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| block_record::decode(bytes));
