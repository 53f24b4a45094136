#![no_main]

#[path = "../decoders/vocabulary.rs"]
mod vocabulary;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| vocabulary::decode(bytes));
