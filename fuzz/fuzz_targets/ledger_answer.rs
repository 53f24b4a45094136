#![no_main]

#[path = "../decoders/ledger_answer.rs"]
mod ledger_answer;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ledger_answer::decode(bytes));
