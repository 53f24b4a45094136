#![no_main]

#[path = "../decoders/block_log.rs"]
mod block_log;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| block_log::decode(bytes));
