#![no_main]

#[path = "../decoders/checkpoint.rs"]
mod checkpoint;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| checkpoint::decode(bytes));
