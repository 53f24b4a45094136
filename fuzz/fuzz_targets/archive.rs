#![no_main]

#[path = "../decoders/archive.rs"]
mod archive;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| archive::decode(bytes));
