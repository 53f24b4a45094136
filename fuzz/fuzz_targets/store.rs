#![no_main]

#[path = "../decoders/store.rs"]
mod store;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| store::decode(bytes));
