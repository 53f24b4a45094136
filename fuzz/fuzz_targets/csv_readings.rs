#![no_main]

#[path = "../decoders/csv_readings.rs"]
mod csv_readings;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| csv_readings::decode(bytes));
