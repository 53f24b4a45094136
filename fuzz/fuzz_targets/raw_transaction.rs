#![no_main]

#[path = "../decoders/raw_transaction.rs"]
mod raw_transaction;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| raw_transaction::decode(bytes));
