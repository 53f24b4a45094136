#![no_main]

#[path = "../decoders/csv_prices.rs"]
mod csv_prices;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| csv_prices::decode(bytes));
