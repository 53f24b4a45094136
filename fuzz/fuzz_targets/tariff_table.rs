#![no_main]

#[path = "../decoders/tariff_table.rs"]
mod tariff_table;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tariff_table::decode(bytes));
