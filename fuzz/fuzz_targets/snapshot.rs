#![no_main]

#[path = "../decoders/snapshot.rs"]
mod snapshot;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| snapshot::decode(bytes));
