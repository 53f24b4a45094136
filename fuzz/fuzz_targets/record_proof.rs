#![no_main]

#[path = "../decoders/record_proof.rs"]
mod record_proof;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| record_proof::decode(bytes));
