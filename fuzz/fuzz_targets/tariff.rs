#![no_main]

#[path = "../decoders/tariff.rs"]
mod tariff;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tariff::decode(bytes));
