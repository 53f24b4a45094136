#![no_main]

#[path = "../decoders/record.rs"]
mod record;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| record::decode(bytes));
