#![no_main]

#[path = "../decoders/published.rs"]
mod published;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| published::decode(bytes));
