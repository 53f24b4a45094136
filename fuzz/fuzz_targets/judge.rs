#![no_main]

#[path = "../decoders/judge.rs"]
mod judge;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| judge::decode(bytes));
