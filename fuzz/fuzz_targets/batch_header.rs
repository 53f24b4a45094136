#![no_main]

#[path = "../decoders/batch_header.rs"]
mod batch_header;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| batch_header::decode(bytes));
