#![no_main]

#[path = "../decoders/run_manifest.rs"]
mod run_manifest;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| run_manifest::decode(bytes));
