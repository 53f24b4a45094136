#![no_main]

#[path = "../decoders/section_file.rs"]
mod section_file;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| section_file::decode(bytes));
