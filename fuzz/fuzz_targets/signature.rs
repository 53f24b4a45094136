#![no_main]

#[path = "../decoders/signature.rs"]
mod signature;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| signature::decode(bytes));
