#![no_main]

#[path = "../decoders/problem.rs"]
mod problem;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| problem::decode(bytes));
