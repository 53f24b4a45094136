#![no_main]

#[path = "../decoders/journal.rs"]
mod journal;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| journal::decode(bytes));
