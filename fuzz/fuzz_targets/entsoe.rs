#![no_main]

#[path = "../decoders/entsoe.rs"]
mod entsoe;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| entsoe::decode(bytes));
