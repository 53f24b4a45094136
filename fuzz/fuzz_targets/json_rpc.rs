#![no_main]

#[path = "../decoders/json_rpc.rs"]
mod json_rpc;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| json_rpc::decode(bytes));
