//! The decoders of the fuzz targets over the committed seeds, so that they run without a fuzzer too.

#[path = "../../../../fuzz/decoders/csv_prices.rs"]
mod csv_prices;
#[path = "../../../../fuzz/decoders/csv_readings.rs"]
mod csv_readings;
#[path = "../../../../fuzz/decoders/entsoe.rs"]
mod entsoe;
#[path = "../../../../fuzz/decoders/journal.rs"]
mod journal;
#[path = "../../../../fuzz/decoders/participants.rs"]
mod participants;
#[path = "../../../../fuzz/decoders/runner.rs"]
mod runner;
#[path = "../../../../fuzz/decoders/store.rs"]
mod store;

#[test]
fn csv_prices_reads_or_refuses_every_seed() {
    runner::run("csv_prices", csv_prices::decode);
}

#[test]
fn csv_readings_reads_or_refuses_every_seed() {
    runner::run("csv_readings", csv_readings::decode);
}

#[test]
fn entsoe_reads_or_refuses_every_seed() {
    runner::run("entsoe", entsoe::decode);
}

#[test]
fn journal_reads_or_refuses_every_seed() {
    runner::run("journal", journal::decode);
}

#[test]
fn participants_reads_or_refuses_every_seed() {
    runner::run("participants", participants::decode);
}

#[test]
fn store_reads_or_refuses_every_seed() {
    runner::run("store", store::decode);
}
