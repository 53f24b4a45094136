#![no_main]

#[path = "../decoders/participants.rs"]
mod participants;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| participants::decode(bytes));
